import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindgram.genome.regions import _count_pairs, bed_text, draw_regions, make_regions, merge, pair_overlaps, read_bed3

needs_bedtools = pytest.mark.skipif(shutil.which("bedtools") is None, reason="bedtools is not installed")

TABLES = st.lists(
    st.lists(st.tuples(st.sampled_from(["chr1", "chr2"]), st.integers(0, 30), st.integers(1, 9)), max_size=8),
    min_size=1,
    max_size=4,
)


def covered(regions):
    """Bases of a table, each once: the slow, obvious way."""
    return {(chrom, base) for chrom, start, end in regions.itertuples(index=False) for base in range(start, end)}


def n_touched(regions, others):
    return sum(bool(covered(merge(regions).iloc[[row]]) & covered(others)) for row in range(len(merge(regions))))


def test_overlaps_computed_by_hand():
    one = make_regions([("chr1", 0, 10), ("chr1", 20, 30), ("chr2", 0, 10)])
    other = make_regions([("chr1", 5, 8), ("chr1", 9, 25), ("chr2", 10, 12)])
    found = pair_overlaps([one, other])
    assert found.n_regions.tolist() == [3, 3]
    assert found.n_shared.tolist() == [[3, 2], [2, 3]]
    assert found.bp_shared.tolist() == [[30, 9], [9, 21]]
    assert found.jaccard.tolist() == [[1, 9 / 42], [9 / 42, 1]]
    assert found.union.values.tolist() == [["chr1", 0, 30], ["chr2", 0, 12]]


@given(TABLES)
def test_overlaps_are_those_of_single_bases(tables):
    regions = [make_regions([(chrom, start, start + width) for chrom, start, width in table]) for table in tables]
    found = pair_overlaps(regions)
    bases = [covered(table) for table in regions]
    assert found.bp_shared.tolist() == [[len(one & other) for other in bases] for one in bases]
    assert found.n_shared.tolist() == [[n_touched(one, other) for other in regions] for one in regions]
    assert covered(found.union) == set().union(*bases)


def test_compiled_pass_is_the_one_that_is_read(monkeypatch):
    rng = np.random.default_rng(1)
    tables = [
        make_regions([("chr1", start, start + 20) for start in rng.integers(0, 2000, 40).tolist()]) for _ in range(5)
    ]
    compiled = pair_overlaps(tables)
    monkeypatch.setattr("bindgram.genome.regions._compiled_count_pairs", lambda: _count_pairs)
    plain = pair_overlaps(tables)
    assert (plain.n_shared == compiled.n_shared).all()
    assert (plain.bp_shared == compiled.bp_shared).all()


def test_tables_without_regions_overlap_nothing():
    found = pair_overlaps([make_regions([]), make_regions([("chr1", 1, 2)]), make_regions([])])
    assert found.n_regions.tolist() == [0, 1, 0]
    assert found.jaccard.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


@needs_bedtools
@pytest.mark.realdata
def test_overlaps_of_yeast_sets_are_those_of_bedtools(real_data, tmp_path):
    names = ["Reb1", "Abf1", "Cbf1", "Rap1", "Sua7", "Spt15"]
    tables = []
    for name in names:
        sites = read_bed3(real_data / f"sacCer3/peaks_chipexo/{name}.bed")
        tables.append(merge(sites.assign(start=(sites["start"] - 100).clip(lower=0), end=sites["end"] + 100)))
        (tmp_path / f"{name}.bed").write_text(bed_text(tables[-1]))
    found = pair_overlaps(tables)
    for one in range(len(names)):
        for other in range(len(names)):
            files = ["-a", str(tmp_path / f"{names[one]}.bed"), "-b", str(tmp_path / f"{names[other]}.bed")]
            touched = bedtools("intersect", "-u", *files).splitlines()
            header, values = (line.split("\t") for line in bedtools("jaccard", *files).splitlines())
            expected = dict(zip(header, values, strict=True))
            assert found.n_shared[one, other] == len(touched)
            assert found.bp_shared[one, other] == int(expected["intersection"])
            assert found.jaccard[one, other] == pytest.approx(float(expected["jaccard"]), abs=1e-6)


def bedtools(*arguments):
    return subprocess.run(["bedtools", *arguments], check=True, capture_output=True, text=True).stdout


def test_drawn_regions_keep_their_order_and_are_the_same_again():
    regions = pd.DataFrame({"chrom": "chr1", "start": range(100), "end": range(1, 101)})
    drawn = draw_regions(regions, 10, np.random.default_rng(3))
    assert drawn["start"].is_monotonic_increasing
    assert len(drawn) == 10
    assert drawn.equals(draw_regions(regions, 10, np.random.default_rng(3)))
    assert draw_regions(regions, 100, np.random.default_rng(3)).equals(regions)
