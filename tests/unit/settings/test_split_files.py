"""Split files: chromosomes and named blocks, never overlapping."""

import pytest

from bindgram.errors import InputError
from bindgram.settings import load_split
from bindgram.settings.sheets import Experiment
from bindgram.settings.splits import (
    Block,
    HoldOut,
    hold_out_problems,
    split_of_assembly,
    split_of_experiment,
    why_held_out,
)

GOOD = """
assemblies:
  hg38:
    train: [chr1, chr2]
    valid: {left: "chr3:0-100"}
    test: {right: "chr3:100-200", tail: chr4}
"""


def test_chromosomes_and_blocks_are_read_in_file_order(write):
    blocks = load_split(write("s.yaml", GOOD)).assemblies["hg38"].blocks()
    assert blocks == [
        Block("chr1", "chr1", 0, None, "train"),
        Block("chr2", "chr2", 0, None, "train"),
        Block("left", "chr3", 0, 100, "valid"),
        Block("right", "chr3", 100, 200, "test"),
        Block("tail", "chr4", 0, None, "test"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("chr3:100-200", "chr3:99-200", r"block 'left' \(valid\) and block 'right' \(test\) overlap on chr3"),
        ("tail: chr4", "tail: chr1", r"block 'chr1' \(train\) and block 'tail' \(test\) overlap on chr1"),
        ("[chr1, chr2]", "[chr1, chr3]", "overlap on chr3"),
        ("chr3:100-200", "chr3:200-100", "is not a chromosome or chrom:start-end with start < end"),
        ("chr3:100-200", "chr3:100", "is not a chromosome or"),
        ("tail: chr4", "left: chr4", "block name 'left' is used twice"),
        ("train: [chr1, chr2]", "train: []", "hg38.train"),
        ("train:", "trian:", "hg38.trian: unknown key"),
    ],
)
def test_wrong_split_is_refused(write, old, new, message):
    assert old in GOOD
    with pytest.raises(InputError, match=message):
        load_split(write("s.yaml", GOOD.replace(old, new)))


def test_missing_assembly_is_named_with_those_there_are(write):
    path = write("s.yaml", GOOD)
    with pytest.raises(InputError, match="'mm10' is missing; the file has hg38"):
        split_of_assembly(load_split(path), "mm10", path)


# What T4 tiles


@pytest.mark.parametrize(("name", "found"), [("right", "right"), ("tail", "tail"), ("chr4", "tail")])
def test_tiled_names_a_test_block_or_its_whole_chromosome(write, name, found):
    regions = load_split(write("s.yaml", GOOD + f"    tiled: {name}\n")).assemblies["hg38"]
    assert regions.tiled_block().name == found


@pytest.mark.parametrize("name", ["left", "chr1", "chr3", "chr9"])
def test_tiled_outside_test_is_refused_with_the_choices(write, name):
    with pytest.raises(InputError, match=rf"tiled: '{name}' is no block of test, which has right, tail"):
        load_split(write("s.yaml", GOOD + f"    tiled: {name}\n"))


def test_regions_do_not_change_with_what_is_tiled(write):
    plain, tiled = (load_split(write("s.yaml", GOOD + more)).assemblies["hg38"] for more in ("", "    tiled: tail\n"))
    assert plain.regions() == tiled.regions()
    assert list(plain.regions()) == ["train", "valid", "test"]


# Experiments held out


def experiment(tf="CTCF", biosample="K562", family="C2H2 ZF"):
    cells = dict.fromkeys(("experiment", "peaks"), "x") | {"assembly": "hg38", "format": "bed"}
    return Experiment(**cells, tf=tf, biosample=biosample, family=family)


def held(**test):
    return HoldOut.model_validate({"test": test, "valid": {"biosamples": ["GM12878"], "tfs": ["MAX"]}})


@pytest.mark.parametrize(
    ("row", "split", "reason"),
    [
        (experiment(), "test", "held out: biosample K562 is in test"),
        (experiment(biosample="HepG2"), "train", ""),
        (experiment(biosample="GM12878"), "valid", "held out: biosample GM12878 is in valid"),
        (experiment(tf="MAX"), "test", "held out: biosample K562 is in test"),
        (
            experiment(tf="ETS1", biosample="HepG2", family="Ets; AT hook"),
            "test",
            "held out: family AT hook is in test",
        ),
        (experiment(tf="MAX", biosample="GM12878"), "valid", "held out: biosample GM12878, TF MAX are in valid"),
        (experiment(biosample="HepG2", family=None), "train", ""),
    ],
)
def test_an_experiment_goes_with_its_biosample_tf_or_family_and_test_before_valid(row, split, reason):
    hold_out = held(biosamples=["K562"], families=["AT hook"])
    assert (split_of_experiment(row, hold_out), why_held_out(row, hold_out)) == (split, reason)


def test_nothing_is_held_out_by_default(write):
    hold_out = load_split(write("s.yaml", GOOD)).hold_out
    assert split_of_experiment(experiment(), hold_out) == "train"


def test_names_that_no_row_has_are_named_with_close_ones(tmp_path):
    problems = hold_out_problems(held(biosamples=["K563"], families=["Ets"]), [experiment()], tmp_path / "s", "e.tsv")
    texts = [text.removeprefix(f"{tmp_path}/s: hold_out.") for text in problems]
    assert texts == [
        "test.biosamples: not in e.tsv: K563 (did you mean 'K562'?)",
        "test.families: not in e.tsv: Ets",
        "valid.biosamples: not in e.tsv: GM12878",
        "valid.tfs: not in e.tsv: MAX",
    ]


def test_families_without_a_column_are_named(tmp_path):
    problems = hold_out_problems(
        HoldOut.model_validate({"test": {"families": ["Ets"]}}), [experiment(family=None)], "s", "e"
    )
    assert problems == ["s: hold_out.test.families: e has no column family, or nothing in it; fill it"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hold_out: {valid: {tfs: [MAX]}, test: {tfs: [MAX]}}", "hold_out: tfs: MAX given twice"),
        ("hold_out: {test: {tf: [MAX]}}", r"hold_out.test.tf: unknown key.*did you mean 'tfs'"),
        ("hold_out: {train: {tfs: [MAX]}}", "hold_out.train: unknown key"),
        ("hold_out: {test: {tfs: MAX}}", r"hold_out.test.tfs: Input should be a valid list \(got 'MAX'\)"),
    ],
)
def test_wrong_hold_out_is_refused(write, text, message):
    with pytest.raises(InputError, match=message):
        load_split(write("s.yaml", f"{GOOD}{text}\n"))
