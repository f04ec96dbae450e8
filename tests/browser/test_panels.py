"""The panel of one experiment, drawn in headless Chromium from data as the report embeds them.

Every test fails, too, on a message of the console or a request (`open_page`).
"""

import copy
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bindgram.evaluation.groups import POSITIVES
from bindgram.evaluation.predictions import COLUMNS
from bindgram.report.panel import Examples, make_panel
from bindgram.report.panel_scores import Scored

pytestmark = pytest.mark.browser
STATIC = Path(__file__).parents[2] / "src/bindgram/report/static"
BROWSER = "https://genome.ucsc.edu/cgi-bin/hgTracks?db={assembly}&position={chrom}:{start}-{end}"
OPTIONS = {"browser": BROWSER, "metric": "average_precision", "floor": "gc"}
EVIL = "<script>fail()</script><img src=x onerror=fail()>"
UNIFORM = [0.25] * 4


def scored(name, seed, signal, reason=""):
    rng = np.random.default_rng(seed)
    parts = []
    for split in ("test", "valid"):
        labels = np.arange(80) % 2
        frame = pd.DataFrame({"label": labels, "score": signal * labels + rng.normal(size=80), "split": split})
        parts.append(frame.assign(test_set="T2", example_id=[f"e{number}" for number in range(80)]))
    frame = pd.concat(parts).reindex(columns=COLUMNS)
    return Scored(name, frame.iloc[:0] if reason else frame, {"reason": reason, "skipped_test_sets": {}})


def panel(**facts):
    results = [scored("cnn", 1, 3), scored("cnn", 2, 3), scored("gc", 3, 0.3), scored("jaspar", 4, 0, "no motif of X")]
    log = pd.DataFrame({"stage": [1, 1, 2], "train_loss": [0.7, 0.5, 0.4], "valid_loss": [0.7, 0.6, 0.6]})
    log["valid_auroc"] = [0.5, 0.8, 0.9]
    sets = {name: pd.DataFrame({"sequence": ["ACGT", "GGCA"], "split": "train"}) for name in (POSITIVES, "T2: shuffle")}
    places = pd.DataFrame({"example_id": [f"e{number}" for number in range(80)], "chrom": "chr1", "label": 1})
    places = places.assign(start=range(1000, 9000, 100), end=range(1101, 9101, 100))
    examples = Examples(sets, {"T2": places}, np.arange(150, 450), "")
    known = {"experiment": "E1", "tf": "CTCF", "assembly": "hg38", "split": "fold_0", "scheme": "shuffled_2"} | facts
    return json.loads(json.dumps(make_panel(known, results, [("cnn", log)], examples, None, "T2")))


def data_of(made, **more):
    values = [
        [
            "Average precision",
            [[0.9, 0.8, 0.95, 0.5, [0.89, 0.91]], [0.5, 0.4, 0.6, 0.5, [0.5]], "not defined: no motif of X"],
            "average_precision",
        ]
    ]
    values.append(["AUROC", [[0.93, 0.9, 0.96, 0.5, [0.93]], None, None], "auroc"])
    sets = [
        {"split": "fold_0", "scheme": "shuffled_2", "testSet": "T2", "models": ["cnn", "gc", "jaspar"], "rows": values}
    ]
    shared = {"experiment": "E1", "metrics": sets, "audit": [], "filters": [], "interpretations": []}
    return shared | {"panels": [made]} | more


def interpretation(**more):
    certain = [[1, 0, 0, 0], [0.5, 0.5, 0, 0], UNIFORM]
    importance = [0.0] * 101
    importance[80:84] = [1.0, -0.5, 0.25, 0.5]
    curves = {"attribution": [2, -1, -2], "random": [2, 0, -2], "area": 0.5, "low": 0.3, "high": 0.7}
    found = {"split": "fold_0", "scheme": "shuffled_2", "model": "cnn", "seed": 1, "status": "ok", "reason": ""}
    found["verdict"] = {"recovered": "yes", "reason": "", "known": "MA0139.2 CTCF", "q_value": 1e-7, "pattern": "pos_0"}
    found["patterns"] = [{"name": "pos_0", "n_seqlets": 50, "probabilities": certain, "matches": []}]
    found["sites"] = [
        {
            "chrom": "chr1",
            "start": 10,
            "end": 111,
            "strand": "+",
            "score": 4.2,
            "sequence": "ACGTA" * 20 + "A",
            "importance": importance,
        }
    ]
    found["faithfulness"] = {
        "verdict": "yes",
        "reason": "",
        "fractions": [0, 0.5, 1],
        "deletion": curves,
        "insertion": curves,
    }
    return found | more


@pytest.fixture
def draw(open_page, tmp_path):
    """Opens a page with one panel."""

    def drawn(data, options=OPTIONS, **size):
        scripts = [STATIC / f"{name}.js" for name in ("plots", "parts", "figures", "motifs", "panels")]
        styles = "".join(f"<style>{(STATIC / name).read_text()}</style>" for name in ("page.css", "panels.css"))
        text = "".join(f"<script>{path.read_text()}</script>" for path in scripts)
        value, given = (json.dumps(part).replace("<", "\\u003c") for part in (data, options))
        page = tmp_path / "panel.html"
        page.write_text(
            f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,">'
            f'<title>panel</title>{styles}</head><body><section class="panel"><div class="drawn"></div></section>{text}'
            f'<script>drawPanel(document.querySelector(".drawn"), {value}, {given});</script></body></html>'
        )
        return open_page(page, **size)

    return drawn


def heights(page, selector):
    """Letter and height (px) of every letter of a logo, in the order drawn."""
    return page.eval_on_selector_all(
        f"{selector} path[data-base]", "all => all.map(one => [one.dataset.base, one.getBoundingClientRect().height])"
    )


def test_panel_has_every_part_with_one_sentence_on_how_to_read_it(draw, artefacts):
    audit = {"set": "Test set T2", "split": "test", "feature": "GC", "auroc": 0.71, "low": 0.66, "high": 0.75}
    audit |= {"judged": True, "suspicious": True, "reason": ""}
    filters = [{"step": "Positives", "counts": [["rows read", 1200], ["kept", 900]]}]
    page = draw(data_of(panel(), audit=[audit], filters=filters, interpretations=[interpretation()]))
    headings = page.locator("h4").all_inner_texts()
    assert headings == [
        "Average precision on every test set",
        "Bound from unbound",
        "What the model looks at",
        "Strongest windows",
        "Scores of bound and unbound windows",
        "Can the probabilities be believed?",
        "Training",
        "What bound and unbound windows are like",
        "Checks and counts",
        "Audit of the negatives",
        "What was filtered",
    ]
    captions = page.locator("figcaption")
    assert captions.count() == page.locator("figure").count() >= 8
    assert min(map(len, captions.all_inner_texts())) > 40
    assert page.inner_text(".lead").startswith("On test set T2 (40 bound and 40 unbound windows) the average precision")
    assert "0.900 (interval 0.800 to 0.950). The floor, gc, has 0.500." in page.inner_text(".lead")
    assert "recovered the known motif MA0139.2 CTCF (q = 1e−7, pos_0)" in page.inner_text(".verdict")
    page.screenshot(path=artefacts / "panel.png", full_page=True)


@pytest.mark.parametrize("width", [900, 1280])
def test_nothing_sticks_out_of_the_window(draw, width):
    page = draw(data_of(panel(), interpretations=[interpretation()]), width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_curves_have_a_line_for_every_seed_in_styles_that_differ_without_colour(draw):
    page = draw(data_of(panel()))
    roc = page.locator("svg.chart[aria-label=ROC]")
    assert roc.locator("path[data-series=cnn]").count() == 2
    assert roc.locator("path[data-series=gc]").count() == 1
    dashes = page.evaluate(
        "[...plots.styles(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']).values()].map(s => s.colour + s.dash)"
    )
    assert len(set(dashes)) == 8
    assert len(set(page.evaluate("[...plots.styles(['a', 'b', 'c', 'd', 'e', 'f']).values()].map(s => s.dash)"))) == 6
    legend = page.locator(".legend").first.inner_text().split()
    assert legend == ["cnn", "AUROC", ".930", "AP", ".900", "gc", "AUROC", "–", "AP", ".500"]


def test_model_without_scores_is_not_drawn_and_its_reason_is_stated(draw):
    page = draw(data_of(panel()))
    assert page.locator("[data-series=jaspar]").count() == 0
    assert page.locator("p.undefined", has_text="not defined: jaspar: no motif of X").count() == 3
    assert page.locator("table.scores td.undefined").inner_text() == "not defined: no motif of X"


def test_skipped_experiment_states_its_reason_and_draws_nothing(draw):
    skipped = Scored("cnn", scored("cnn", 1, 1).frame.iloc[:0], {"reason": "12 positives", "skipped_test_sets": {}})
    made = make_panel(
        {"split": "fold_0", "scheme": "s"}, [skipped], [], Examples({}, {}, None, "12 positives"), None, "T2"
    )
    page = draw(data_of(made, metrics=[]))
    assert page.inner_text(".warning") == "Skipped: 12 positives"
    assert page.locator("svg").count() == 0


def test_panel_that_was_not_computed_says_so(draw):
    made = {"split": "fold_0", "scheme": "s", "status": "missing", "reason": "curves were not computed yet"}
    page = draw(data_of(made))
    assert page.inner_text(".drawn") == "not defined: curves were not computed yet"


def test_letters_of_a_logo_are_as_high_as_their_information(draw):
    """Axis of 2 bits and 78 px: a certain base has 2 bits; two of 1/2 have 1 bit, half each; four of 1/4 have none."""
    page = draw(data_of(panel(), interpretations=[interpretation()]))
    drawn = heights(page, ".pattern .card:first-child .logo")
    assert [letter for letter, _ in drawn] == ["A", "A", "C"]
    assert [height for _, height in drawn] == pytest.approx([78, 19.5, 19.5], abs=0.3)


def test_pattern_is_turned_to_its_known_motif_and_lies_below_the_same_columns(draw):
    """The pattern reads TTA; its reverse complement TAA is the motif's CTAA from the second place on."""
    sharp = {letter: [float(letter == base) for base in "ACGT"] for letter in "ACGT"}
    match = {"motif": "MA1", "tf": "X", "q_value": 0.001, "reverse": True, "start": -1}
    match["probabilities"] = [sharp[base] for base in "CTAA"]
    found = interpretation(sites=[])
    rows = [sharp[base] for base in "TTA"]
    found["patterns"] = [
        {"name": "p", "n_seqlets": 9, "probabilities": rows, "contributions": rows, "matches": [match]}
    ]
    page = draw(data_of(panel(), interpretations=[found]))
    letters = [[letter for letter, _ in heights(page, f".card:nth-child({number})")] for number in (1, 2, 3)]
    assert letters == [list("TAA"), list("TAA"), list("CTAA")]
    places = page.eval_on_selector_all(
        ".card path[data-base]",
        "all => all.map(one => one.getBoundingClientRect().left - one.closest('svg').getBoundingClientRect().left)",
    )
    assert places[:3] == pytest.approx(places[7:], abs=0.1)


def test_letters_of_importance_share_one_scale_and_hang_where_they_are_negative(draw):
    """The axis is from -0.5 to 1 in all sites; the stretch of 60 bases that matters most is shown."""
    page = draw(data_of(panel(), interpretations=[interpretation()]))
    drawn = heights(page, ".site .logo")
    assert [letter for letter, _ in drawn] == list("ACGT")
    relative = np.array([height for _, height in drawn])
    assert relative / relative[0] == pytest.approx([1, 0.5, 0.25, 0.5], rel=0.02)
    tops = page.eval_on_selector_all(".site path[data-base]", "all => all.map(one => one.getBoundingClientRect().top)")
    assert tops[1] == pytest.approx(tops[0] + relative[0], abs=0.5)


def test_error_of_attributions_that_have_to_sum_to_something_is_told(draw):
    methods = {"ism": {"status": "ok", "reason": ""}}
    methods |= {name: {"status": "ok", "reason": "", "convergence_error": x} for name, x in (("ig", 0.0123), ("dl", 0))}
    text = draw(data_of(panel()) | {"interpretations": [interpretation(methods=methods)]}).inner_text(".drawn")
    assert "Attributions miss the difference of scores that they explain: ig by 1.2 %, dl by less than 0.1 %." in text


def test_ticks_are_round_and_reach_over_the_range(draw):
    page = draw(data_of(panel()))
    assert page.evaluate("plots.ticks(0, 1)") == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert page.evaluate("plots.ticks(-3, 7)") == [-2, 0, 2, 4, 6]
    assert page.evaluate("plots.tickLabels(plots.ticks(0.995, 1))") == [
        "0.995",
        "0.996",
        "0.997",
        "0.998",
        "0.999",
        "1.000",
    ]
    assert page.evaluate("plots.extent([5, 5])") == [4.5, 5.5]
    assert page.evaluate("plots.extent([])") == [0, 1]


def test_sites_link_to_the_genome_browser_with_the_first_base_as_one(draw):
    page = draw(data_of(panel()))
    link = page.locator(".strongest a").first
    start, end = (int(part.replace(",", "")) for part in link.inner_text().split(":")[1].split("–"))
    address = f"https://genome.ucsc.edu/cgi-bin/hgTracks?db=hg38&position=chr1:{start}-{end}"
    assert link.get_attribute("href") == address
    assert (end - start + 1, start % 100) == (101, 1)
    assert link.get_attribute("rel") == "noopener noreferrer"
    assert page.locator(".strongest tbody tr").count() == 20


@pytest.mark.parametrize("address", [None, "javascript:alert(1)//{chrom}"])
def test_without_an_address_of_a_browser_places_are_no_links(draw, address):
    page = draw(data_of(panel()), OPTIONS | {"browser": address})
    assert page.locator("a").count() == 0
    assert page.locator(".strongest td", has_text="chr1:").count() == 20


def test_text_is_never_read_as_markup(draw):
    made = panel(experiment=EVIL, tf=EVIL, biosample=EVIL, lab=EVIL, scheme=EVIL, assembly=EVIL)
    made["sites"]["windows"][0][0] = EVIL
    for part in ("curves", "histograms", "calibration"):
        made[part][EVIL] = {"reason": EVIL, "roc": [None], "pr": [None]}
    made["learning"][0]["model"] = EVIL
    made["examples"]["gc"]["sets"][EVIL] = made["examples"]["gc"]["sets"].pop(POSITIVES)
    made["skipped_test_sets"] = {EVIL: EVIL}
    made["qc"] = {"sanity": {"n_checks": 1, "n_rows": 1, "failed": [EVIL]}, "counts": {EVIL: {"train": 1}}}
    found = interpretation(scheme=EVIL, model=EVIL, method=EVIL, methods={EVIL: {"status": "skipped", "reason": EVIL}})
    found["verdict"] |= {"known": EVIL, "pattern": EVIL}
    found["patterns"][0] |= {
        "name": EVIL,
        "matches": [{"motif": EVIL, "tf": EVIL, "q_value": 0.1, "probabilities": [UNIFORM]}],
    }
    found["sites"][0] |= {"chrom": EVIL, "sequence": EVIL}
    refused = interpretation(scheme=EVIL, status="skipped", verdict={"recovered": "no", "reason": EVIL}, reason=EVIL)
    audit = {"set": EVIL, "split": EVIL, "feature": EVIL, "auroc": 0.5, "low": None, "high": None}
    audit |= {"judged": True, "suspicious": True, "reason": EVIL}
    data = data_of(made, audit=[audit, audit | {"auroc": None}], filters=[{"step": EVIL, "counts": [[EVIL, 2]]}])
    data["interpretations"] = [found, refused]
    for row in data["metrics"]:
        row |= {
            "scheme": EVIL,
            "testSet": EVIL,
            "models": [EVIL, "gc", "b"],
            "rows": [[EVIL, [EVIL, None, None], "auroc"]],
        }
    page = draw(data)
    assert page.locator(".drawn script, .drawn img").count() == 0
    assert page.inner_text(".drawn").count("onerror") > 20
    assert "javascript" not in " ".join(page.eval_on_selector_all("a", "all => all.map(one => one.href)"))


def test_pointer_reads_the_chart_and_legend_lifts_a_series(draw):
    page = draw(data_of(panel()))
    chart = page.locator("svg.chart[aria-label='GC content']")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    page.mouse.move(box["x"] + 0.72 * box["width"], box["y"] + 0.2 * box["height"])
    for share in np.linspace(0.15, 0.85, 15):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.15 * box["height"])
        if text := chart.locator(".readout").text_content():
            break
    assert "%" in text
    page.hover(".legend li >> nth=0")
    faded = page.eval_on_selector_all(".faded", "all => [...new Set(all.map(one => one.dataset.series))]")
    assert faded == ["gc"]


def test_interpretation_that_is_not_defined_states_the_reason(draw):
    found = interpretation(status="skipped", reason="not defined: no sites", patterns=[], sites=[])
    found |= {"patterns_reason": "not defined: 3 sequences are too few"}
    found["faithfulness"] = {"verdict": "not defined", "reason": "not defined: 1 sequence", "fractions": None}
    found["verdict"] = {"recovered": "not defined", "reason": "not defined: no motif of X in JASPAR2026"}
    page = draw(data_of(panel(), interpretations=[found]))
    assert page.inner_text(".verdict").endswith("not defined: no motif of X in JASPAR2026")
    assert page.locator(".logo").count() == 0
    assert page.locator("p.note").inner_text() == "Patterns: not defined: 3 sequences are too few"
    assert page.locator("p.undefined", has_text="faithfulness of the importance: 1 sequence").count() == 1
    page = draw(data_of(panel()))
    assert page.locator("p.undefined", has_text="no model of this experiment was interpreted").count() == 1


def test_several_trainings_stand_one_after_another(draw):
    first, second = panel(), copy.deepcopy(panel())
    second["split"] = "fold_1"
    page = draw(data_of(first) | {"panels": [first, second]})
    assert page.locator("h4.which").all_inner_texts() == [
        "Split fold_0, trained against shuffled 2",
        "Split fold_1, trained against shuffled 2",
    ]
