from bindgram.data.tiles import REPEAT_SOURCES
from bindgram.report.html import escaped
from bindgram.report.methods import (
    REPEAT_WORDS,
    describe_test_set,
    flatten,
    methods_page,
    paragraphs,
    versions,
)
from bindgram.settings import Config


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
    for words in ("window of 123 bp", "4,567 strongest", "2.5 per positive", "90 % percentile", "321 bootstrap"):
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


def test_page_lists_every_setting_revision_and_version(config, visible):
    page = methods_page(config, {"revisions": {"finetune": 7}}, {}, {})
    text = visible(page)
    assert "finetune 7" in text
    for key, value in flatten(config.model_dump()):
        assert f"{key} {escaped(value)}" in text
    assert f"torch {versions()['torch']}" in text
    assert page == methods_page(config, {"revisions": {"finetune": 7}}, {}, {})


def test_nested_settings_become_dotted_keys():
    assert list(flatten({"a": {"b": [1, 2], "c": None}, "d": []})) == [
        ("a.b", "1, 2"),
        ("a.c", "(none)"),
        ("d", "(empty)"),
    ]
