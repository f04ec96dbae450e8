"""The report as a reader meets it. Every test fails, too, on a message of the console or a request (`open_page`)."""

import re

import pytest

pytestmark = pytest.mark.browser
LINES = "#results tbody tr:not(.opened)"


def column(page, number):
    """Texts of one column of the table, first line of each cell."""
    return [text.split("\n")[0].strip() for text in page.locator(f"{LINES} td:nth-child({number})").all_inner_texts()]


@pytest.fixture
def page(open_page, write_report):
    return open_page(write_report(4))


def test_page_says_the_headline_in_one_sentence_and_one_figure(page, artefacts):
    assert re.search(
        r"in 3 of 3 experiments: median average precision 0\.\d{3} against 0\.\d{3} of the floor",
        page.inner_text(".lead"),
    )
    assert page.locator("figure.headline svg circle").count() >= 8
    assert "1 was skipped; 1 failed for at least one model" in page.inner_text("#headline")
    page.screenshot(path=artefacts / "report.png")


def test_one_line_per_experiment_and_model_and_a_switch_for_baselines(page):
    assert page.locator(LINES).count() == 12
    assert page.inner_text("#shown") == "12 lines of 4 experiments (of 4)."
    page.check("#baselines")
    assert page.locator(LINES).count() == 32
    assert page.locator(f"{LINES}.baseline").count() == 20


def test_table_is_sorted_by_its_headings_with_the_keyboard_and_says_so(page):
    heading = page.locator("#results th", has_text="T2")
    assert heading.get_attribute("aria-sort") == "none"
    heading.locator("button").focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    values = [float(text) for text in column(page, 6) if text not in ("skipped", "failed")]
    assert values == sorted(values, reverse=True)
    assert column(page, 6)[-1] in ("skipped", "failed")
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert column(page, 6)[0] == f"{min(values):.3f}"
    assert column(page, 6)[-1] in ("skipped", "failed")
    page.click("#results th:nth-child(2) button")
    assert heading.get_attribute("aria-sort") == "none"
    assert column(page, 2) == sorted(column(page, 2))


def test_what_is_not_defined_is_last_in_either_order(page):
    page.check("#baselines")
    at = page.locator("#results th").all_inner_texts().index("Motif") + 1
    for _ in range(2):
        page.click(f"#results th:nth-child({at}) button")
        assert set(column(page, at)[:2]) == {"yes"}
        assert set(column(page, at)[2:]) == {"not defined", "–"}
    page.evaluate("""() => {
        const cell = document.querySelector("#models table tbody td:nth-child(4)");
        cell.removeAttribute("data-v");
        cell.innerHTML = "<abbr>not defined</abbr><small>not defined: 1 TF</small>";
    }""")
    for _ in range(2):
        page.locator("#models th:nth-child(4) button").first.click()
        shown = page.locator("#models table").first.locator("tbody td:nth-child(4)").all_inner_texts()
        assert shown[-1].startswith("not defined")


def test_lines_are_filtered_by_words_by_tf_and_by_warning(page):
    page.fill("#search", "k562 DANQ")
    assert (column(page, 1), column(page, 2)) == (["CTCF"], ["danq"])
    page.click("text=Reset")
    page.select_option("#tf", "MAX")
    assert column(page, 1) == ["MAX"] * 3
    page.select_option("#warning", "status failed")
    assert column(page, 2) == ["danq"]
    page.select_option("#tf", "")
    page.select_option("#warning", "status skipped")
    assert column(page, 1) == ["REST"] * 3
    page.select_option("#warning", "negatives suspicious")
    assert column(page, 1) == ["SPI1"] * 3
    page.fill("#search", "nothing has these words")
    assert page.inner_text("#shown") == "0 lines of 0 experiments (of 4)."


def test_another_metric_can_be_shown(page):
    before = column(page, 6)
    page.select_option("#metric", label="AUROC")
    assert column(page, 6) != before
    assert page.locator(LINES).count() == 12


def test_scores_show_interval_floor_and_every_seed(page):
    cell = page.locator(f"{LINES} td:nth-child(6)").first.inner_text()
    assert re.fullmatch(r"0\.\d{3}\n0\.\d{3} to [01]\.\d{3}\nfloor 0\.\d{3}\nseeds (\.\d\d ?){3}", cell)


def test_what_is_not_defined_has_its_reason_in_a_tooltip_and_as_text_where_it_is_opened(page):
    page.fill("#search", "SPI1 awd_lstm")
    cell = page.locator(f"{LINES} td:nth-child(7) abbr").first
    assert (cell.inner_text(), cell.get_attribute("title")) == (
        "not defined",
        "not defined: no other factor in this biosample",
    )
    page.click(".open")
    assert "not defined: no other factor in this biosample" in page.inner_text(".panel")
    assert "Not defined: 3 experiments" in page.inner_text("#missing")


def test_panel_opens_and_closes_with_the_keyboard(page, artefacts):
    button = page.locator(".open").first
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".panel")
    assert button.get_attribute("aria-expanded") == "true"
    panel = page.inner_text(".panel")
    assert "in K562 · CTCF_000" in panel
    assert "few test blocks: interval unreliable (awd_lstm, deepbind_cnn" in panel
    assert re.search(r"AUROC\s+0\.\d{3}\n0\.\d{3} to [01]\.\d{3}\nseeds (\.\d{3} ?){3}", panel)
    assert page.url.endswith("#experiment=CTCF_000")
    page.screenshot(path=artefacts / "report.panel.png", full_page=True)
    page.locator(".panel button", has_text="Close").focus()
    page.keyboard.press("Enter")
    assert page.locator(".panel").count() == 0
    assert button.get_attribute("aria-expanded") == "false"
    assert page.evaluate("document.activeElement.dataset.id") == "CTCF_000"


def test_open_panels_stay_below_their_experiment_when_the_table_is_sorted(page):
    page.locator(".open").nth(6).click()
    page.wait_for_selector("#opened-MAX_002")
    page.click("#results th:nth-child(1) button")
    page.click("#results th:nth-child(1) button")
    before = page.locator("tr.opened").evaluate("row => row.previousElementSibling.querySelector('.open').dataset.id")
    assert before == "MAX_002"
    page.fill("#search", "CTCF")
    assert page.locator(".panel").count() == 0
    page.fill("#search", "")
    assert page.locator(".panel").count() == 1


@pytest.mark.parametrize("experiment", ["REST_001", "SPI1_003"])
def test_address_of_an_experiment_opens_its_panel(open_page, write_report, experiment):
    page = open_page(write_report(4), f"#experiment={experiment}")
    page.wait_for_selector(f"#opened-{experiment}")
    assert page.locator(f"#opened-{experiment}").is_visible()


def test_link_within_the_page_opens_what_a_filter_hides(page):
    page.fill("#search", "CTCF")
    page.locator("#missing a", has_text="REST_001").first.click()
    page.wait_for_selector("#opened-REST_001")
    assert page.input_value("#search") == ""


def test_address_of_an_unknown_experiment_is_no_error(open_page, write_report):
    assert open_page(write_report(4), "#experiment=<x>").locator(".panel").count() == 0


@pytest.mark.parametrize("width", [1280, 900])
def test_nothing_is_wider_than_the_window(open_page, write_report, artefacts, width):
    page = open_page(write_report(4), width=width)
    page.locator(".open").first.click()
    page.wait_for_selector(".panel")
    page.screenshot(path=artefacts / f"report.{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".panel").bounding_box()["width"] <= width


def test_print_opens_what_is_folded_in_panels_and_cuts_no_table(page, artefacts):
    page.locator(".open").first.click()
    page.wait_for_selector(".panel")
    page.pdf(path=artefacts / "report.pdf", prefer_css_page_size=True)
    assert page.locator(".panel details:not([open])").count() == 0
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 1040, "height": 720})  # A4 across, without its margins
    assert not page.locator("nav").is_visible()
    wide = "element => element.getBoundingClientRect().right > document.documentElement.clientWidth + 1"
    assert [t for t in page.locator("table").all() if t.is_visible() and t.evaluate(wide)] == []


def test_page_without_javascript_says_what_is_missing_and_shows_the_rest(open_page, write_report):
    page = open_page(write_report(4), java_script_enabled=False)
    assert "need JavaScript" in page.inner_text("#experiments")
    assert page.locator("figure.headline svg").is_visible()
    assert page.locator("#metrics table").is_visible()


def test_tables_of_sections_are_sorted_by_their_headings(page):
    cells = page.locator("#headline table tbody td:nth-child(5)")
    page.click("#headline th:nth-child(5) button")
    assert cells.all_inner_texts() == sorted(cells.all_inner_texts(), reverse=True)


def test_controls_show_their_figure_and_what_is_suspicious(page):
    figure = page.locator("#models img.chart")
    figure.scroll_into_view_if_needed()
    assert figure.evaluate("image => image.decode().then(() => image.naturalWidth)") == 400
    assert page.locator("#models .warning", has_text="scattered").count() == 3
    assert "0 of 3 are as expected of chance" in page.inner_text("#models")


def test_one_experiment_with_one_model_and_seed_is_a_report(open_page, write_report):
    page = open_page(write_report(1, models=("awd_lstm",), baselines=("kmer3_lr",), seeds=(1,)))
    assert "in 1 of 1 experiment: average precision" in page.inner_text(".lead")
    assert page.locator(LINES).count() == 1


def test_link_to_a_section_below_the_table_gets_there(open_page, write_report):
    page = open_page(write_report(130, models=("cnn",), baselines=("kmer3_lr",), seeds=(1,)))
    assert page.locator("#more").inner_text().startswith("10 more lines follow")
    page.click("nav a[href='#models']")
    page.wait_for_timeout(1000)
    assert 0 <= page.locator("#models").bounding_box()["y"] < 100


@pytest.mark.slow
def test_report_of_500_experiments_and_8_models_is_small_and_draws_only_what_is_looked_at(
    open_page, write_report, artefacts
):
    path = write_report(500)
    assert path.stat().st_size < 30e6
    page = open_page(path)
    page.check("#baselines")
    assert "4,000 lines of 500 experiments" in page.inner_text("#shown")
    assert page.locator(LINES).count() < 400
    page.locator("#more").scroll_into_view_if_needed()
    page.locator(LINES).nth(200).wait_for(state="attached")
    page.evaluate("location.hash = '#experiment=YY1_488'")
    page.wait_for_selector("#opened-YY1_488")
    page.screenshot(path=artefacts / "report.500.png")
