"""The assembly and experiment sheets: all problems at once, with line numbers."""

import pytest

from bindgram.errors import InputError
from bindgram.settings import read_assemblies, read_experiments
from bindgram.settings.sheets import is_url

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
