"""Filters as the configuration and the command line write them."""

import json

import pytest

from bindgram.data.filters import FILTERS
from bindgram.errors import InputError
from bindgram.settings import Config
from bindgram.settings.base import parse
from bindgram.settings.config import parse_config
from bindgram.settings.filters import FilterSetting, check_filters, parse_filter, parse_filter_text

ITEMS = [
    ("split", "split", None),
    ({"n_fraction": 0.25}, "n_fraction=0.25", 0.25),
    ({"soft_masked": 1}, "soft_masked=1.0", 1.0),
    ({"peak_width": [50, 2000]}, "peak_width=50,2000", (50, 2000)),
    ({"chromosomes": ["chr1", "chrX"]}, "chromosomes=chr1,chrX", ("chr1", "chrX")),
    ({"chromosomes": [1, "X"]}, "chromosomes=1,X", ("1", "X")),
    ({"overlap": "merge"}, "overlap=merge", "merge"),
    ({"support": 3}, "support=3", 3),
    ({"strength": -1.5}, "strength=-1.5", -1.5),
]


@pytest.mark.parametrize(("item", "text", "value"), ITEMS)
def test_item_and_text_mean_the_same(item, text, value):
    setting = parse_filter(item)
    assert setting.value == value
    assert setting == parse_filter_text(text) == parse_filter_text(setting.text) == parse_filter(setting)
    assert parse_filter(json.loads(json.dumps(setting.item))) == setting
    assert setting.text == text


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("ambiguous", "no filter 'ambiguous'; there are split, blacklist, n_fraction"),
        ({"overlapp": "merge"}, r"no filter 'overlapp' \(did you mean 'overlap'\?\)"),
        ("n_fraction", "filter n_fraction: the largest fraction to keep, a number from 0 to 1"),
        ({"n_fraction": True}, "a number from 0 to 1"),
        ({"soft_masked": -0.1}, "a number from 0 to 1"),
        ({"split": None, "duplicate": None}, "a filter is a name, or one name with a value"),
        (["split"], "a filter is a name"),
        ({"duplicate": "yes"}, "filter duplicate takes no value"),
        ({"peak_width": 100}, r"\[smallest, largest\] width of the peak in bp"),
        ({"peak_width": [300, 200]}, "width of the peak"),
        ({"peak_width": [0, 200]}, "1 or more"),
        ({"peak_width": [50, 2.5]}, "width of the peak"),
        ({"chromosomes": []}, "a list of names of chromosomes"),
        ({"chromosomes": ["chr1", "chr1"]}, "chr1 given twice; keep one"),
        ({"chromosomes": ["chr1 "]}, "a list of names"),
        ({"chromosomes": "chr1 chr2"}, "a list of names"),
        ({"overlap": "merged"}, r"one of keep_strongest, merge \(did you mean 'merge'\?\)"),
        ({"overlap": None}, "one of keep_strongest, merge"),
        ({"support": 0}, "an integer of 1 or more"),
        ({"support": 1.5}, "an integer of 1 or more"),
        ({"strength": "inf"}, "the smallest strength to keep, a number"),
    ],
)
def test_wrong_item_says_what_is_wanted(item, message):
    with pytest.raises(ValueError, match=message):
        parse_filter(item)


def test_a_filter_stands_once_but_overlaps_may_be_merged_and_then_thinned():
    merge, thin = FilterSetting("overlap", "merge"), FilterSetting("overlap", "keep_strongest")
    assert check_filters([merge, thin]) == (merge, thin)
    with pytest.raises(ValueError, match="n_fraction, split given twice; keep one"):
        check_filters([parse_filter_text(t) for t in ("n_fraction=0", "split", "n_fraction=0.5", "split")])


def test_every_filter_of_the_registry_can_be_configured():
    written = {"split": "split", "blacklist": "blacklist", "duplicate": "duplicate"}
    written |= {next(iter(item)): item for item, _, _ in ITEMS if isinstance(item, dict)}
    assert set(written) == set(FILTERS)
    assert [parse_filter(written[name]).name for name in FILTERS] == list(FILTERS)


def test_configured_filters_survive_the_way_through_json_and_the_command_line(config):
    config["positives"]["filters"] = [item for item, _, _ in ITEMS if item != {"chromosomes": [1, "X"]}]
    parsed = parse(Config, config, "c.yaml")
    assert parse(Config, json.loads(parsed.model_dump_json()), "json") == parsed
    assert parsed.positives.filter_options == [text for item, text, _ in ITEMS if item != {"chromosomes": [1, "X"]}]


def test_numbers_of_filters_may_come_as_text(config):
    """As Snakemake's --config gives them."""
    config["positives"]["filters"] = ["split", {"n_fraction": "0.1"}, {"peak_width": ["5", "9"]}]
    assert parse_config(config, "--config").positives.filters == ["split", {"n_fraction": 0.1}, {"peak_width": [5, 9]}]


def test_all_wrong_filters_are_named_at_once(config):
    config["positives"]["filters"] = ["spilt", "split", {"support": "many"}]
    with pytest.raises(
        InputError, match=r"(?s)c.yaml: positives.filters.0: no filter.*positives.filters.2: filter support"
    ):
        parse(Config, config, "c.yaml")
