"""The configuration: complete, merged as Snakemake merges, wrong keys and values named."""

import pytest
import yaml
from snakemake.cli import parse_config as parse_snakemake_config
from snakemake.utils import update_config

from bindgram.errors import InputError
from bindgram.settings import Config, load_config
from bindgram.settings.base import parse
from bindgram.settings.baselines import KmerBaseline
from bindgram.settings.config import merge, parse_config


def test_shipped_configuration_is_complete(repository):
    assert load_config(repository / "config/config.yaml").seeds == [1, 2, 3]


def test_every_key_is_required(config):
    """No default lives in code: leaving out any key of any level is an error that names it."""

    def keys(value, prefix=()):
        for key, inner in value.items():
            yield (*prefix, key)
            if isinstance(inner, dict) and key not in ("baselines", "test_sets"):
                yield from keys(inner, (*prefix, key))

    for path in keys(config):
        text = yaml.safe_load(yaml.safe_dump(config))
        parent = text
        for key in path[:-1]:
            parent = parent[key]
        del parent[path[-1]]
        with pytest.raises(InputError, match="required key is missing"):
            parse(Config, text, "c.yaml")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("positives.width", 5, "positives.width: .*greater than or equal to 10"),
        ("positives.widht", 5, "positives.widht: unknown key"),
        ("interpretation.models", "tiny", r"interpretation.models: neither 'all' nor a list; write \[tiny\]"),
        ("positives.filters", ["split", "spilt"], r"positives.filters.1: no filter 'spilt' \(did you mean 'split'"),
        (
            "positives.filters",
            [{"n_fraction": 2}],
            "filters.0: filter n_fraction: .* from 0 to 1 .got .'n_fraction': 2",
        ),
        ("positives.filters", [{"split": 1, "blacklist": 2}], "positives.filters.0: a filter is a name, or one name"),
        ("positives.filters", ["split", "split"], "positives.filters: split given twice; keep one"),
        ("negatives.ratio", 0.0, "negatives.ratio: .*greater than 0"),
        ("negatives.schemes", [], "negatives.schemes"),
        ("negatives.schemes", ["genomic_matched", "genomic_matched"], "genomic_matched given twice; keep one"),
        ("seeds", [1, 1], "seeds: 1 given twice"),
        ("models", ["a.b"], "models.0"),
        ("evaluation.confidence", 1.5, "evaluation.confidence"),
        ("battery.test_sets", {}, "battery.test_sets"),
        ("battery.test_sets", {"published": {"scheme": "genomic_matched", "ratio": 1.0}}, "reserved"),
        ("battery.test_sets", {"T4": {"scheme": "genomic_matched", "ratio": 1.0}}, "'T4' is reserved for the tiled"),
        ("report.browser", "javascript:alert(1)", "report.browser: .*is no web address"),
        ("report.browser", "https://x/{db}", "report.browser: .*use {assembly}"),
        ("store.window_bp", 199, "store: .*window_bp 199: a window is its bin of 200 bp"),
        ("store.min_overlap", 0.0, "store.min_overlap: .*greater than 0"),
        ("device", "gpu", "device"),
        ("split", "../x", "split"),
    ],
)
def test_wrong_value_is_named_with_its_key(config, path, value, message):
    *parents, last = path.split(".")
    section = config
    for key in parents:
        section = section[key]
    section[last] = value
    with pytest.raises(InputError, match=message):
        parse(Config, config, "c.yaml")


def test_override_replaces_lists_and_values_and_merges_mappings(write):
    base = {"a": {"x": 1, "y": [1, 2]}, "b": 1}
    assert merge(base, {"a": {"y": [3]}, "c": None}) == {"a": {"x": 1, "y": [3]}, "b": 1, "c": None}
    assert base == {"a": {"x": 1, "y": [1, 2]}, "b": 1}


@pytest.mark.parametrize(
    "override",
    [{"select": {"tfs": ["CTCF"]}}, {"battery": {"test_sets": {"T9": {"scheme": "x", "ratio": 1.0}}}}, {"floor": None}],
)
def test_merging_agrees_with_snakemake(config, override):
    by_us = merge(config, override)
    update_config(config, override)
    assert by_us == config


def test_text_from_the_command_line_is_read_as_numbers_and_null(config):
    """Snakemake passes what stands within brackets as text."""
    given = parse_snakemake_config(
        ["select={first: 5, list: null, tiers: [1, 2]}", "qc={signal: false}", "seeds=[4]", "checkpoint_minutes=5"]
    )
    checked = parse_config(merge(config, given), "c.yaml")
    assert (checked.select.first, checked.select.list, checked.select.tiers) == (5, None, [1, 2])
    assert (checked.seeds, checked.checkpoint_minutes, checked.qc.signal) == ([4], 5, False)


def test_flanks_are_whole_bins(config):
    config["qc"]["bin_bp"] = 30
    with pytest.raises(InputError, match="qc: flank_bp 1000 is no multiple of bin_bp 30"):
        parse_config(config, "c.yaml")


@pytest.mark.parametrize(("value", "got"), [("five", "'five'"), ("2.5", "'2.5'"), ("[5", r"'\[5'")])
def test_text_that_is_no_number_is_refused(config, value, got):
    config["select"]["first"] = value
    with pytest.raises(InputError, match=rf"select.first: .*\(got {got}\)"):
        parse_config(config, "c.yaml")


def test_reading_the_configuration_leaves_the_given_mapping_alone(config):
    config["select"]["first"] = "5"
    parse_config(config, "c.yaml")
    assert config["select"]["first"] == "5"


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        ({"kind": "kmer", "k": 9, "inverse_regularisation": 1.0}, r"baselines\.x\.k: .*less than or equal to 8"),
        ({"kind": "kmer", "k": 1}, r"baselines\.x\.inverse_regularisation: required key is missing"),
        (
            {"kind": "kmre", "k": 1},
            r"baselines\.x: Input tag 'kmre' .* not match any of the expected tags: 'kmer'",
        ),
        ({"k": 1, "inverse_regularisation": 1.0}, r"baselines\.x: Unable to extract tag using discriminator 'kind'"),
        ({"kind": "model", "k": 1}, r"baselines\.x\.k: unknown key; check the spelling against config/README.md$"),
        ({"kind": "likelihood"}, "x: 'likelihood' is the name of the baseline of that kind, and of no other"),
    ],
)
def test_mistakes_in_a_baseline_name_its_key(config, baseline, message):
    config["baselines"] |= {"x": baseline}
    with pytest.raises(InputError, match=message):
        parse_config(config, "c.yaml")


def test_null_leaves_a_baseline_out_and_one_among_the_models_is_a_model(config):
    config |= {"models": ["awd_lstm", "deepbind_cnn"]}
    config["baselines"] |= {"gc": None, "danq": "null"}  # the text: from the command line
    found = parse_config(config, "c.yaml")
    assert found.trained == ["awd_lstm", "deepbind_cnn", "awd_lstm_scratch"]
    assert found.trained_baselines == ["awd_lstm_scratch"]
    assert list(found.fitted) == ["kmer3_lr", "jaspar", "gkm_svm"]
    assert found.likelihood
    config["baselines"] |= {"likelihood": None}
    assert not parse_config(config, "c.yaml").likelihood


def test_numbers_of_a_baseline_may_come_as_text_from_the_command_line(config):
    config["baselines"] |= {"kmer2": {"kind": "kmer", "k": "2", "inverse_regularisation": "0.5"}}
    assert parse_config(config, "c.yaml").fitted["kmer2"] == KmerBaseline(kind="kmer", k=2, inverse_regularisation=0.5)
