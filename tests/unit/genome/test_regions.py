import gzip

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindgram.errors import InputError
from bindgram.genome.regions import (
    extend,
    make_regions,
    merge,
    overlaps,
    read_bed3,
    subtract,
)
from bindgram.genome.text import split_cells

BED = b"# made by hand\nbrowser position chr1\ntrack name=x\nchr1\t5\t10\tname\n\nchr2 0 3\n"
ROWS = [["chr1", 5, 10], ["chr2", 0, 3]]

region = st.builds(
    lambda chrom, start, width: (chrom, start, start + width),
    st.sampled_from(["b", "a"]), st.integers(0, 30), st.integers(1, 10),
)  # fmt: skip
tables = st.lists(region, max_size=8).map(make_regions)


def positions(rows: pd.DataFrame) -> set[tuple[str, int]]:
    return {(row.chrom, p) for row in rows.itertuples() for p in range(row.start, row.end)}


def written(tmp_path, content: bytes, name="regions.bed"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [BED, BED.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + BED, gzip.compress(BED), gzip.compress(BED) * 1, BED.rstrip()],
    ids=["plain", "windows", "byte order mark", "gzip", "gzip member", "no last line end"],
)
def test_bed_is_read_whatever_its_wrapping(tmp_path, content):
    regions = read_bed3(written(tmp_path, content))
    assert regions.to_numpy().tolist() == ROWS
    assert [str(kind) for kind in regions.dtypes[1:]] == ["int64", "int64"]


def test_windows_byte_order_mark_before_a_region_is_no_part_of_its_chromosome(tmp_path):
    assert read_bed3(written(tmp_path, b"\xef\xbb\xbfchr1\t1\t2\r\n")).to_numpy().tolist() == [["chr1", 1, 2]]


def test_members_of_a_gzip_file_are_read_one_after_another(tmp_path):
    two = gzip.compress(b"chr1\t1\t2\n") + gzip.compress(b"chr1\t3\t4\n")
    assert read_bed3(written(tmp_path, two)).to_numpy().tolist() == [["chr1", 1, 2], ["chr1", 3, 4]]


def test_empty_bed_has_typed_columns(tmp_path):
    regions = read_bed3(written(tmp_path, b"# nothing\n"))
    assert list(regions.columns) == ["chrom", "start", "end"]
    assert len(regions) == 0
    assert regions["start"].dtype == "int64"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"chr1\t9\t5", "end 5 is not after start 9"),
        (b"chr1\t5\t5", "end 5 is not after start 5"),
        (b"chr1\t-1\t5", "start '-1' is not a whole number"),
        (b"chr1\t1.5\t5", "start '1.5' is not a whole number"),
        (b"chrom\tstart\tend", "delete a header line or put # before it"),
        (b"chr1\t1", "2 column"),
        (b"\t1\t2", "chromosome .column 1. is empty"),
    ],
)
def test_wrong_line_is_named_by_file_and_number(tmp_path, line, said):
    path = written(tmp_path, b"track x\nchr1\t1\t2\n" + line + b"\n")
    with pytest.raises(InputError, match=f"regions.bed:3: .*{said}"):
        read_bed3(path)


def test_touching_regions_do_not_overlap_but_merge():
    left, right = make_regions([("a", 0, 5)]), make_regions([("a", 5, 9)])
    assert overlaps(left, right).tolist() == [False]
    assert merge(pd.concat([right, left])).to_numpy().tolist() == [["a", 0, 9]]


def test_subtracting_a_middle_leaves_both_sides_in_input_order():
    rest = subtract(make_regions([("b", 0, 10), ("a", 0, 4), ("a", 2, 8)]), make_regions([("b", 3, 5), ("a", 0, 4)]))
    assert rest.to_numpy().tolist() == [["b", 0, 3], ["b", 5, 10], ["a", 4, 8]]


@given(tables, tables)
def test_overlap_is_sharing_a_position(regions, others):
    theirs = positions(others)
    expected = [bool(positions(regions.iloc[[i]]) & theirs) for i in range(len(regions))]
    assert overlaps(regions, others).tolist() == expected


@given(tables)
def test_merged_regions_cover_the_same_positions_with_gaps_between(regions):
    merged = merge(regions)
    assert positions(merged) == positions(regions)
    pairs = zip(merged.iloc[:-1].itertuples(), merged.iloc[1:].itertuples(), strict=True)
    assert all((a.chrom, a.end) < (b.chrom, b.start) for a, b in pairs)


@given(tables, tables)
def test_subtraction_keeps_of_each_region_what_no_other_covers(regions, others):
    pieces = subtract(regions, others)
    assert positions(pieces) == positions(regions) - positions(others)
    assert (pieces["start"] < pieces["end"]).all()
    assert sum(pieces["end"] - pieces["start"]) == sum(
        len(positions(regions.iloc[[i]]) - positions(others)) for i in range(len(regions))
    )


def test_extended_region_stops_at_the_chromosome_ends_and_keeps_its_columns():
    table = make_regions([("a", 3, 5), ("a", 90, 95)]).assign(name=["x", "y"])
    assert extend(table, 10, {"a": 100}).to_numpy().tolist() == [["a", 0, 15, "x"], ["a", 80, 100, "y"]]


def test_extending_on_an_unknown_chromosome_is_refused():
    with pytest.raises(InputError, match="unknown chromosome 'z'"):
        extend(make_regions([("z", 3, 5)]), 10, {"a": 100})


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=30), st.integers(0, 60), st.booleans())
def test_any_bytes_in_a_bed_file_are_regions_or_an_error_that_names_it(tmp_path_factory, junk, place, packed):
    whole = b"chr1\t5\t9\n" * 5
    content = whole[:place] + junk + whole[place:]
    path = tmp_path_factory.mktemp("bed") / "x.bed"
    path.write_bytes(gzip.compress(content) if packed else content)
    message, n_regions = "", -1
    try:
        n_regions = len(read_bed3(path))
    except InputError as error:
        message = str(error)
    lines = [] if message else content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    expected = sum(split_cells(line) is not None for line in lines)
    assert "x.bed" in message if message else n_regions == expected
