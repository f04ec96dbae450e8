"""Split files: chromosomes and named blocks, never overlapping."""

import pytest

from bindgram.errors import InputError
from bindgram.settings import load_split
from bindgram.settings.splits import Block, split_of_assembly

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
