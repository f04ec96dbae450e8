from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindgram.data.splits import Split, make_folds
from bindgram.errors import InputError

SIZES = {"chr1": 1000, "chr2": 500}
TEXT = """\
assemblies:
  toy:
    train: {left: "chr1:0-400", small: chr2}
    valid: {middle: "chr1:400-600"}
    test: {right: "chr1:700-1000"}
"""


def load(tmp_path: Path, text: str = TEXT, assembly: str = "toy") -> Split:
    path = tmp_path / "toy.yaml"
    path.write_text(text)
    return Split.load(path, assembly, SIZES)


def assign(split: Split, *regions: tuple) -> list[str]:
    chroms, starts, ends = zip(*regions, strict=True)
    return split.assign(np.array(chroms, object), np.array(starts), np.array(ends)).tolist()


def test_blocks_keep_file_order_and_whole_chromosomes_get_their_end(tmp_path):
    assert load(tmp_path).regions.to_numpy().tolist() == [
        ["chr1", 0, 400, "train", "left"],
        ["chr2", 0, 500, "train", "small"],
        ["chr1", 400, 600, "valid", "middle"],
        ["chr1", 700, 1000, "test", "right"],
    ]


def test_a_region_belongs_to_the_block_that_holds_all_of_it(tmp_path):
    split = load(tmp_path)
    assert assign(split, ("chr1", 0, 400), ("chr1", 399, 400), ("chr2", 10, 20)) == ["train"] * 3
    assert assign(split, ("chr1", 400, 401), ("chr1", 599, 600)) == ["valid", "valid"]
    assert assign(split, ("chr1", 700, 1000)) == ["test"]


def test_a_region_across_a_border_or_outside_belongs_to_no_split(tmp_path):
    regions = [("chr1", 399, 401), ("chr1", 590, 601), ("chr1", 600, 700), ("chr1", 990, 1001), ("chr3", 0, 10)]
    assert assign(load(tmp_path), *regions) == [""] * 5


def test_a_chromosome_whose_first_block_starts_late_has_no_split_before_it(tmp_path):
    text = TEXT.replace("chr1:0-400", "chr1:100-400")
    assert assign(load(tmp_path, text), ("chr1", 0, 50), ("chr1", 100, 150)) == ["", "train"]


def test_missing_coordinates_belong_to_no_split(tmp_path):
    assert assign(load(tmp_path), (None, np.nan, np.nan), ("chr1", 0.0, 10.0)) == ["", "train"]


def test_assign_agrees_with_a_slow_look_up(tmp_path):
    split, rng = load(tmp_path), np.random.default_rng(5)
    chroms = rng.choice(["chr1", "chr2", "chr3"], 500).astype(object)
    starts = rng.integers(0, 1000, 500)
    ends = starts + rng.integers(1, 200, 500)
    expected = [
        next((b.split for b in split.regions.itertuples() if (b.chrom == c) and b.start <= s and e <= b.end), "")
        for c, s, e in zip(chroms, starts, ends, strict=True)
    ]
    assert set(expected) == {"train", "valid", "test", ""}
    assert split.assign(chroms, starts, ends).tolist() == expected


def test_of_gives_the_blocks_of_one_split(tmp_path):
    assert load(tmp_path).of("train")["name"].tolist() == ["left", "small"]


def test_tiled_region_is_a_test_block_with_its_end_written_out(tmp_path):
    assert load(tmp_path).tiled_region() is None
    assert load(tmp_path, TEXT + "    tiled: right\n").tiled_region() == ("chr1", 700, 1000)


def test_to_json_writes_every_end_out(tmp_path):
    assert load(tmp_path).to_json()["train"] == {"left": "chr1:0-400", "small": "chr2:0-500"}


def test_an_assembly_that_the_file_lacks_is_named_with_the_choices(tmp_path):
    with pytest.raises(InputError, match=r"toy\.yaml: assemblies: 'hg38' is missing; the file has toy"):
        load(tmp_path, assembly="hg38")


def test_blocks_that_the_genome_lacks_are_all_reported(tmp_path):
    text = TEXT.replace("chr1:700-1000", "chr1:700-1001").replace("small: chr2", "small: chr9")
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    assert "train.small: no chromosome 'chr9'; the assembly has 2: chr1, chr2" in str(caught.value)
    assert "test.right: ends at 1001, beyond chr1, which has 1000 bp" in str(caught.value)


def test_overlapping_blocks_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"'middle' \(valid\) overlap"):
        load(tmp_path, TEXT.replace("chr1:0-400", "chr1:0-401"))


# folds


@given(st.dictionaries(st.sampled_from([f"chr{n}" for n in range(30)]), st.integers(1, 10**6), min_size=3), st.data())
def test_folds_test_and_validate_every_chromosome_once_and_share_none(sizes, data):
    k = data.draw(st.integers(3, min(6, len(sizes))))
    folds = make_folds(sizes, k)
    for split in ("test", "valid"):
        assert sorted(chrom for fold in folds for chrom in fold[split]) == sorted(sizes)
    for fold in folds:
        assert sorted(chrom for chroms in fold.values() for chrom in chroms) == sorted(sizes)
        assert all(fold.values())
    assert folds == make_folds(sizes, k)


def test_folds_of_the_human_genome_are_balanced(repository):
    rows = (line.split() for line in (repository / "config/assemblies/hg38.chrom.sizes").read_text().splitlines())
    sizes = {name: int(size) for name, size in rows if int(size) > 40_000_000}
    tested = [sum(sizes[chrom] for chrom in fold["test"]) for fold in make_folds(sizes, 5)]
    assert len(sizes) == 24
    assert max(tested) / min(tested) < 1.1
