import html
import re

import numpy as np

from bindgram.data.filters import FILTERS
from bindgram.data.tiles import REPEAT_SOURCES
from bindgram.report.citations import REFERENCES, keys_of
from bindgram.report.html import escaped, joined
from bindgram.report.methods import (
    REPEAT_WORDS,
    describe_test_set,
    filter_in_words,
    methods_markdown,
    methods_section,
    paragraphs,
)
from bindgram.report.methods_evaluation import interpretation
from bindgram.report.versions import flatten, versions_of
from bindgram.settings import Config
from bindgram.settings.filters import OVERLAP_MODES, parse_filter

UPSTREAM = {"revisions": {"finetune": 7}, "packages": {"torch": ["1.2.3", "1.2.4"]}}


def changed(config: Config, **sections: dict) -> Config:
    values = config.model_dump()
    for name, update in sections.items():
        values[name] = values[name] | update
    return Config.model_validate(values)


def test_words_follow_the_settings(config):
    other = changed(
        config,
        positives={"width": 123, "strongest": 4567},
        negatives={"schemes": ["dinucleotide_shuffle"], "ratio": 2.5},
        evaluation={"confidence": 0.9, "bootstrap_replicates": 321},
    )
    text = " ".join(text for _, text in paragraphs(other, {}))
    for words in (
        "window of 123 bp",
        "4,567 strongest",
        "2.5 negatives per positive",
        "90 % intervals from the spread",
        "321 bootstrap",
    ):
        assert words in text
    assert "exact shuffle" in text


def test_what_genomic_negatives_match_on_is_told(config):
    told = dict(paragraphs(changed(config, negatives={"gc_bins": 41, "repeat_bins": 7}), {"b": "none", "a": "file"}))
    text = told["Matched genomic windows (genomic_matched)"]
    assert "match it on GC content (41 bins), on the share of repeats (7 bins) and on ambiguous bases" in text
    assert text.endswith(
        " a: repeats from the file. b: repeats unknown, so that negatives match on GC content and ambiguous bases only."
    )


def test_genomic_windows_are_described_where_training_or_a_test_set_has_them(config):
    title = "Matched genomic windows (genomic_matched)"
    no_test = {name: {"scheme": "dinucleotide_shuffle", "ratio": 1.0} for name in config.battery.test_sets}
    shuffles = {"schemes": ["dinucleotide_shuffle"]}
    assert title in dict(paragraphs(changed(config, negatives=shuffles), {}))
    assert title in dict(paragraphs(changed(config, battery={"test_sets": no_test}), {}))
    assert title not in dict(paragraphs(changed(config, negatives=shuffles, battery={"test_sets": no_test}), {}))


def test_every_source_of_repeats_has_its_words():
    assert set(REPEAT_WORDS) == set(REPEAT_SOURCES)


def test_test_sets_are_described_from_the_battery(config):
    assert describe_test_set("T2", config).endswith(
        "real genomic windows of the same GC content (and repeats, where known), 10 per bound window."
    )
    assert describe_test_set("published", config).endswith("the negatives that were published with the sequences.")


def test_section_lists_every_setting_revision_and_version(config, visible):
    page = joined(methods_section(config, UPSTREAM, {}))
    text = visible(page)
    assert "finetune 7" in text
    for key, value in flatten(config.model_dump()):
        assert f"{key} {escaped(value)}" in text
    assert "torch 1.2.3, 1.2.4" in text
    assert page == joined(methods_section(config, UPSTREAM, {}))


def test_versions_that_the_producers_recorded_come_before_those_of_this_environment():
    known = versions_of({"packages": {"torch": ["0.1"], "modisco": ["9"]}})
    assert (known["torch"], known["modisco"]) == ("0.1", "9")
    assert known["numpy"] == np.__version__


def test_text_to_copy_is_the_text_of_the_page(config, visible):
    """One text, twice: what stands in the element that the button copies is the Markdown without its signs."""
    page = joined(methods_section(config, UPSTREAM, {"hg38": "file"}))
    copied = re.search(r'<div id="methods-text">(.*?)</div>', page, flags=re.DOTALL)[1]
    plain = methods_markdown(config, UPSTREAM, {"hg38": "file"}).removeprefix("# Methods").replace("## ", "")
    assert visible(copied).split() == html.escape(plain).split()
    assert 'data-copies="methods-text"' in page


def test_citations_are_numbered_in_the_order_of_the_text_and_each_has_its_reference(config):
    text = methods_markdown(config, UPSTREAM, {})
    body, _, references = text.partition("## References")
    numbers = [int(n) for found in re.findall(r"\[([\d, ]+)\]", body) for n in found.split(",")]
    assert list(dict.fromkeys(numbers)) == list(range(1, max(numbers) + 1))
    assert re.findall(r"^\[(\d+)\]", references, flags=re.MULTILINE) == [str(n) for n in range(1, max(numbers) + 1)]
    assert "@" not in text


def test_every_reference_can_be_found():
    places = ("doi:10.", "https://", "ISBN ")
    assert [key for key, text in REFERENCES.items() if not any(place in text for place in places)] == []


def test_words_on_numbers_follow_the_settings_and_the_code(config):
    told = dict(paragraphs(changed(config, evaluation={"confidence": 0.9, "bootstrap_replicates": 321}), {}))
    assert "(90 %, 321 replicates)" in told["Comparison of models"]
    assert "false positive rate of 0.1" in told["Metrics and thresholds"]
    assert "over 10 bins" in told["Calibration"]


def test_interpretation_is_told_with_every_method_and_its_source():
    methods = ["ism", "integrated_gradients", "deeplift", "grad_cam", "occlusion"]
    settings = {"n_sequences": 1500, "methods": methods, "discovery": {"method": "ism"}}
    text = interpretation(settings | {"matching": {"max_q_value": 0.05}}, "JASPAR2026")
    assert text.startswith("The 1,500 test positives")
    assert len(set(keys_of(text))) == 9
    assert set(keys_of(text)) <= set(REFERENCES)


def test_software_names_the_version_of_torch_that_trained(config):
    assert "PyTorch 1.2.3, 1.2.4 [" in methods_markdown(config, UPSTREAM, {})


def test_every_filter_is_told_in_words():
    items = ["split", "blacklist", {"n_fraction": 0.05}, {"soft_masked": 0.5}, "duplicate", {"support": 2}]
    items += [{"overlap": mode} for mode in OVERLAP_MODES] + [{"strength": 1.5}, {"chromosomes": ["chr1", "chr2"]}]
    told = [filter_in_words(parse_filter(item)) for item in [*items, {"peak_width": [10, 500]}]]
    assert {parse_filter(item).name for item in items} | {"peak_width"} == set(FILTERS)
    assert told[2] == "windows with more than 5 % of bases other than A, C, G and T"
    assert told[-2:] == ["peaks on other chromosomes than chr1, chr2", "peaks narrower than 10 bp or wider than 500 bp"]
    assert keys_of(told[1]) == ["amemiya2019"]


def test_similar_test_sequences_are_told_where_they_are_searched_for(config):
    def split(action):
        return dict(paragraphs(changed(config, homology={"action": action}), {}))["Split"]

    assert "80 % identity over 80 %" in split("report")
    assert split("remove").endswith("were removed.")
    assert "MMseqs2" not in split("none")


def test_nested_settings_become_dotted_keys():
    assert list(flatten({"a": {"b": [1, 2], "c": None}, "d": []})) == [
        ("a.b", "1, 2"),
        ("a.c", "(none)"),
        ("d", "(empty)"),
    ]
