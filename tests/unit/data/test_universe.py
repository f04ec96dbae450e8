import gzip

import numpy as np
import pandas as pd
import pytest

from bindgram.data.universe import Member, Universe, pool_peaks, write_universe
from bindgram.errors import InputError

SIZES = {"chr1": 1000, "chr2": 500}
PEAKS = {
    "a1": ("A", "narrowPeak", "chr2\t10\t60\tx\t0\t.\t5\t-1\t-1\t7\nchr1\t10\t30\tx\t0\t.\t5\t-1\t-1\t-1\n"),
    "a2": ("A", "bed", "chr1\t5\t15\n"),
    "b1": ("B", "bed", "chr1\t10\t31\n"),
    "none": ("C", "bed", "# no peaks\n"),
}


@pytest.fixture
def members(tmp_path):
    for name, (_, _, text) in PEAKS.items():
        with gzip.open(tmp_path / f"{name}.gz", "wt") as handle:
            handle.write(text)
    return [Member(name, tf, format, tmp_path / f"{name}.gz") for name, (tf, format, _) in PEAKS.items()]


def test_peaks_of_all_members_stand_by_place_with_their_summits(members):
    pooled = pool_peaks(members, SIZES)
    assert pooled.astype({"experiment": str, "tf": str, "chrom": str}).to_numpy().tolist() == [
        ["a2", "A", "chr1", 10, 5, 15],
        ["a1", "A", "chr1", 20, 10, 30],
        ["b1", "B", "chr1", 20, 10, 31],
        ["a1", "A", "chr2", 17, 10, 60],
    ]


def test_order_of_the_list_changes_no_byte(members, tmp_path):
    for name, listed in (("one", members), ("two", members[::-1])):
        write_universe(tmp_path / name, pool_peaks(iter(listed), SIZES), {"settings": {}})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_description_counts_peaks_by_factor_and_leaves_out_those_without(members, tmp_path):
    write_universe(tmp_path / "u", pool_peaks(members, SIZES), {"command": "universe"})
    universe = Universe.open(tmp_path / "u")
    assert universe.factors == {"A": {"a1": 2, "a2": 1}, "B": {"b1": 1}}
    assert universe.provenance["command"] == "universe"
    assert len(universe.provenance["digest"]) == 64
    assert universe.peaks()["tf"].tolist() == ["A", "A", "B", "A"]


def test_digest_follows_the_peaks(members, tmp_path):
    digests = set()
    for listed in (members, members[1:], [*members[:2], Member("b1", "B2", "bed", members[2].peaks)]):
        write_universe(tmp_path / "u", pool_peaks(listed, SIZES), {})
        digests.add(Universe.open(tmp_path / "u").provenance["digest"])
    assert len(digests) == 3


@pytest.mark.parametrize(("factors", "tf", "reason"), [
    ("ABCD", "A", ""),
    ("ABC", "D", ""),
    ("ABC", "A", "the universe has 2 other factors with peaks in this biosample (B, C); 3 needed"),
    ("A", "A", "the universe has 0 other factors with peaks in this biosample; 3 needed"),
])  # fmt: skip
def test_fewer_than_three_other_factors_are_too_few(factors, tf, reason):
    universe = Universe(None, {name: {f"{name}1": 1} for name in factors}, {})
    assert universe.why_too_small(tf) == reason


def test_peaks_of_another_assembly_and_a_file_that_is_no_universe_are_named(members, tmp_path):
    with pytest.raises(InputError, match=r"a1\.gz:1: chromosome 'chr2' is not in the assembly"):
        pool_peaks(members, {"chr1": 1000})
    pd.DataFrame({"x": np.arange(3)}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(InputError, match="not a bindgram universe"):
        Universe.open(tmp_path / "x.parquet")
    (tmp_path / "y.parquet").write_text("no Parquet")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        Universe.open(tmp_path / "y.parquet")


def test_no_peaks_at_all_give_an_empty_universe(members, tmp_path):
    write_universe(tmp_path / "u", pool_peaks(members[3:], SIZES), {})
    assert Universe.open(tmp_path / "u").factors == {}
