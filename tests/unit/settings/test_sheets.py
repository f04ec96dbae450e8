"""The assembly and experiment sheets: all problems at once, with line numbers."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindgram.errors import InputError
from bindgram.settings import read_assemblies, read_experiments
from bindgram.settings.sheets import is_url, slug

HEADER = "experiment\ttf\tbiosample\tassembly\tformat\tpeaks\n"
ROW = "a\tCTCF\tK562\thg38\tnarrowPeak\ta.gz\n"


def test_rows_keep_the_order_of_the_file_and_comments_are_left_out(write):
    text = HEADER + ROW.replace("a\t", "z\t", 1) + "# a comment\n\n" + ROW
    rows = read_experiments(write("e.tsv", text))
    assert list(rows) == ["z", "a"]
    assert rows["a"].tf == "CTCF"
    assert rows["a"].peaks_checksum is None


def test_windows_line_ends_and_byte_order_mark_do_no_harm(tmp_path):
    path = tmp_path / "e.tsv"
    path.write_bytes(b"\xef\xbb\xbf" + (HEADER + ROW).replace("\n", "\r\n").encode())
    assert list(read_experiments(path)) == ["a"]


def test_columns_may_come_in_any_order_and_empty_cells_mean_absent(write):
    text = "peaks_checksum\tpeaks\tformat\tassembly\tbiosample\ttf\texperiment\n\tp.gz\tbed\thg38\tliver\tREST\tx\n"
    row = read_experiments(write("e.tsv", text))["x"]
    assert (row.peaks, row.peaks_checksum, row.format) == ("p.gz", None, "bed")


def test_all_problems_come_together_with_their_lines(write):
    text = (
        HEADER
        + ROW
        + ROW
        + "b c\tCTCF\tK562\thg38\tnarrowPeak\tb.gz\n"
        + "d\tCTCF\tK562\n"
        + ROW.replace("narrowPeak", "gff")
    )
    with pytest.raises(InputError) as caught:
        read_experiments(write("e.tsv", text))
    message = str(caught.value)
    assert "e.tsv:3: experiment 'a' repeats line 2; ids are unique" in message
    assert "e.tsv:4: experiment:" in message
    assert "(got 'b c')" in message
    assert "e.tsv:5: 3 cells where the header has 6; separate them by tabs" in message
    assert "e.tsv:6: format:" in message
    assert "5 problem(s)" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty; it needs a header line"),
        (HEADER, "no rows; add one line per experiment"),
        (
            HEADER.replace("peaks", "paeks") + ROW,
            r"unknown column\(s\): paeks \(did you mean 'peaks'\?\); missing column\(s\): peaks",
        ),
        (HEADER.replace("\t", ",") + ROW, "separated by tabs"),
        (HEADER.replace("\n", "\tpeaks_checksum\n") + ROW.replace("\n", "\tmd5:123\n"), "peaks_checksum"),
        (HEADER + ROW.replace("narrowPeak", "deepbind"), "test_sequences: required for format deepbind"),
        (
            HEADER.replace("\n", "\ttest_sequences\n") + ROW.replace("\n", "\tb.gz\n"),
            "test_sequences: not used by this format",
        ),
    ],
)
def test_wrong_sheet_is_refused(write, text, message):
    with pytest.raises(InputError, match=message):
        read_experiments(write("e.tsv", text))


def test_missing_sheet_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none.tsv: no such file"):
        read_experiments(tmp_path / "none.tsv")


def test_assembly_needs_only_an_id_and_a_fasta(write):
    rows = read_assemblies(write("a.tsv", "assembly\tfasta\nhg38\thg38.fa.gz\n"))
    assert (rows["hg38"].fasta, rows["hg38"].blacklist) == ("hg38.fa.gz", None)


def test_published_sets_have_no_coordinates(write):
    text = (
        HEADER.replace("\n", "\ttest_sequences\n")
        + "a\tX\tK562\thg19\tdeepbind\ta.gz\tb.gz\nb\tX\tK562\thg19\tbed\tp.gz\t\n"
    )
    rows = read_experiments(write("e.tsv", text))
    assert [row.has_coordinates for row in rows.values()] == [False, True]


@pytest.mark.parametrize(
    ("source", "url"),
    [("https://x/y", True), ("http://x", True), ("ftp://x", True), ("data/http.gz", False), ("/https:/x", False)],
)
def test_urls_are_told_from_paths(source, url):
    assert is_url(source) is url


# Sources of peaks


def row_of(write, **cells):
    cells = {"experiment": "e", "tf": "CTCF", "biosample": "K562", "assembly": "hg38", "peaks": "p.gz"} | cells
    return read_experiments(write("e.tsv", "\t".join(cells) + "\n" + "\t".join(cells.values()) + "\n"))["e"]


@pytest.mark.parametrize(
    ("cells", "stored"),
    [
        ({"format": "narrowPeak"}, "narrowPeak"),
        ({"format": "narrowPeak", "lift_from": "hg19", "chain": "x.chain"}, "extracted"),
        ({"format": "bigBed"}, "extracted"),
        ({"format": "encode_clusters", "peak_name": "NRSF"}, "extracted"),
        ({"format": "remap"}, "extracted"),
        ({"format": "gue", "valid_sequences": "v.csv", "test_sequences": "t.csv"}, "gue"),
    ],
)
def test_peaks_are_kept_as_published_or_extracted(write, cells, stored):
    row = row_of(write, **cells)
    assert row.stored_format == stored
    assert row.has_coordinates is (cells["format"] != "gue")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"format": "gue", "test_sequences": "t.csv"}, "e.tsv:2: valid_sequences: required for format gue"),
        ({"format": "gue", "valid_sequences": "v.csv"}, "e.tsv:2: test_sequences: required for format gue"),
        (
            {"format": "deepbind", "test_sequences": "t", "valid_sequences": "v"},
            "e.tsv:2: valid_sequences: not used by this format",
        ),
        ({"format": "bed", "peak_name": "x"}, r"e.tsv:2: peak_name: not used by this format \(format is 'bed'\)"),
        ({"format": "bed", "chain": "x.chain"}, "e.tsv:2: lift_from: empty, but chain is given"),
        ({"format": "bed", "lift_from": "hg19"}, "e.tsv:2: chain: empty, but lift_from is given"),
        ({"format": "deepbind", "test_sequences": "t", "chain": "c", "lift_from": "x"}, "chain: not used by this"),
        ({"format": "bed", "chain_checksum": "md5:" + "0" * 32}, "chain: empty, but chain_checksum is given"),
    ],
)
def test_columns_that_a_format_needs_or_does_not_use_are_named(write, cells, message):
    with pytest.raises(InputError, match=message):
        row_of(write, **cells)


def test_only_line_ends_end_lines_and_zero_bytes_are_refused(write):
    assert read_experiments(write("e.tsv", HEADER + ROW.replace("K562", "K\u2028562")))["a"].biosample == "K\u2028562"
    with pytest.raises(InputError, match=r"e.tsv:2: not a text file"):
        read_experiments(write("e.tsv", HEADER + ROW.replace("K562", "K\x00")))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=30), st.integers(0, 120))
def test_any_bytes_in_a_sheet_are_rows_or_an_error_that_names_it(tmp_path_factory, junk, place):
    whole = (HEADER + ROW + ROW.replace("a\t", "b\t", 1)).encode()
    path = tmp_path_factory.mktemp("sheet") / "e.tsv"
    path.write_bytes(whole[:place] + junk + whole[place:])
    message = ""
    try:
        assert read_experiments(path)
    except InputError as error:
        message = str(error)
    assert not message or "e.tsv" in message


def test_biosample_in_a_path_is_itself_or_has_a_digest_so_that_no_two_are_one():
    assert slug("K562") == "K562"
    texts = ["MCF-7", "body of pancreas", "body_of_pancreas", "K562's (old) batch", "body.of.pancreas"]
    slugs = [slug(text) for text in texts]
    assert len(set(slugs)) == len(texts)
    assert all(re.fullmatch("[A-Za-z0-9_-]+", name) for name in slugs)
    assert slugs[1].startswith("body_of_pancreas-")
