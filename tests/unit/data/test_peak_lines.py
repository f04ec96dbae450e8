"""Fast and careful reading of peak lines: one table, or one error, whatever stands in the file."""

import gzip
from unittest.mock import patch

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bindgram.data import peak_lines
from bindgram.data.peaks import LAYOUTS, PEAK_READERS
from bindgram.errors import InputError

ROWS = {
    "narrowPeak": "chr1\t100\t400\tp1\t900\t.\t12.5\t-1\t3.1\t30",
    "broadPeak": "chr1\t100\t400\tp1\t900\t.\t12.5\t-1\t3.1",
    "bed": "chr1\t100\t400\tp1\t7",
    "extracted": "chr1\t100\t400\tline1\t0\t.\t12.5\t-1\t-1\t30\t3",
    "encode_clusters": "chr1\t100\t400\tCTCF\t900\t2\t4,9\t900,12",
    "remap": "chr1\t100\t400\tCTCF:K562,HepG2\t2\t.\t250\t251\t0,0,0",
}
ODD_CELLS = (
    "", " ", ".", "-1", "-0", "+5", "007", "0x1F", "1e3", "1.5", "1_000", "nan", "inf", "-inf", "NaN", "٣", "9" * 19,
    "9" * 25, "1" + "0" * 5000, "chr 1", " chr1", "chr1 ", "chré", '"chr1"', '"', "'", "a,b", "a:b,,c", ":", "#x",
    "track", "browser", "start", "end", "null", "NA", "True", "\u2028", "\x0b", "\x1c", "\xa0", "99999999999999",
)  # fmt: skip
ODD_LINES = (
    "", " ", "\t", "\t\t\t", "#", "# comment", "track name=x", "track\tx", "track", "tracker\t1\t2", "browser hide all",
    "chrom\tstart\tend", "bin\tchrom\tchromStart\tchromEnd", "chr1 5 9", "chr1", "chr1\t5", "chr1\t5\t5", "chr1\t9\t5",
    "chr1\t0\t1", "585\tchr1\t5\t9\tCTCF", "585\t1\t5\t9\tCTCF\t3\t1", '"chr1"\t5\t9', "chr1\t5\t9\t" + "x" * 3000,
)  # fmt: skip


def result(path, format):
    """What reading a file comes to: a table, or a message."""
    try:
        return PEAK_READERS[format](path)
    except InputError as error:
        return str(error)


def careful(path, format):
    with patch.object(peak_lines, "_fast", lambda *_: None):
        return result(path, format)


def assert_same(path, format):
    fast, slow = result(path, format), careful(path, format)
    if isinstance(slow, str) or isinstance(fast, str):
        assert fast == slow
        assert str(path) in slow
    else:
        pd.testing.assert_frame_equal(fast, slow)
    return slow


@st.composite
def peak_files(draw):
    """A file of one format: good lines, cells and lines replaced by odd ones, and any line ends."""
    format = draw(st.sampled_from(sorted(ROWS)))
    lines = []
    for _ in range(draw(st.integers(0, 6))):
        cells = ROWS[format].split("\t")
        for _ in range(draw(st.integers(0, 2))):
            cells[draw(st.integers(0, len(cells) - 1))] = draw(st.sampled_from(ODD_CELLS))
        cells = cells[: draw(st.sampled_from([len(cells)] * 9 + [3, 4, len(cells) - 1]))]
        lines.append("\t".join(cells))
    for line in draw(st.lists(st.sampled_from(ODD_LINES), max_size=2)):
        lines.insert(draw(st.integers(0, len(lines))), line)
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    text = end.join(lines) + draw(st.sampled_from(["", end, end + end]))
    return format, draw(st.sampled_from(["", "", "\ufeff"])) + text


@settings(max_examples=150, deadline=None)
@given(peak_files())
@example(("bed", "chr1\t0x10\t0x20\n"))
@example(("narrowPeak", ROWS["narrowPeak"] + "\n" + ROWS["narrowPeak"].replace("\t30", "\t-0")))
@example(("encode_clusters", "585\tchr1\t100\t400\tCTCF\t900\t2\t4,9\t900,12\n"))
def test_fast_and_careful_reading_give_one_table_or_one_error(tmp_path_factory, file):
    format, text = file
    path = tmp_path_factory.mktemp("peaks") / "peaks.txt"
    path.write_bytes(text.encode())
    found = assert_same(path, format)
    if not isinstance(found, str):
        lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        peaks = [i for i, line in enumerate(lines, 1) if peak_lines.split_cells(line) is not None]
        # rows in = rows out: every line that is no comment, but a first one of column names, is a peak
        assert found["line"].tolist() in (peaks, peaks[1:])
        assert len(found) == len(peaks) or "start" in lines[peaks[0] - 1].lower()


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(sorted(ROWS)), st.binary(max_size=60), st.integers(0, 200), st.booleans())
def test_any_bytes_in_a_file_are_a_table_or_an_error_that_names_it(tmp_path_factory, format, junk, place, packed):
    whole = (ROWS[format] + "\n").encode() * 4
    content = whole[:place] + junk + whole[place:]
    path = tmp_path_factory.mktemp("peaks") / "peaks.txt"
    path.write_bytes(gzip.compress(content) if packed else content)
    assert_same(path, format)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(ROWS)), st.data())
def test_cut_or_damaged_gzip_is_never_a_shorter_table(tmp_path_factory, format, data):
    packed = bytearray(gzip.compress("".join(f"{ROWS[format]}\n" for _ in range(50)).encode()))
    if data.draw(st.booleans()):
        del packed[data.draw(st.integers(2, len(packed) - 1)) :]
    else:
        place = data.draw(st.integers(10, len(packed) - 1))
        packed[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("peaks") / "peaks.gz"
    path.write_bytes(packed)
    found = result(path, format)
    assert "truncated or damaged gzip" in found or "not UTF-8" in found or "zero bytes" in found


@pytest.mark.parametrize("format", sorted(LAYOUTS))
def test_blocks_do_not_show(tmp_path, format, monkeypatch):
    """A file read in blocks of a few lines gives what it gives in one."""
    from bindgram.data import peaks

    lines = [ROWS[format], "# odd", ROWS[format].replace("\t100\t", "\t101\t")] * 7
    path = tmp_path / "peaks.txt"
    path.write_bytes("\r\n".join(["# first", "", *lines]).encode())
    whole = PEAK_READERS[format](path)
    assert whole["line"].tolist() == [i + 3 for i, line in enumerate(lines) if line != "# odd"]
    blocks = peaks.text_blocks
    for n_bytes in (1, 7, 64, 300):
        monkeypatch.setattr(peaks, "text_blocks", lambda path, n=n_bytes: blocks(path, n))
        pd.testing.assert_frame_equal(PEAK_READERS[format](path), whole)


@pytest.mark.parametrize("n_before", [0, 1, 2])
def test_column_names_are_skipped_once_only(tmp_path, n_before):
    path = tmp_path / "peaks.bed"
    path.write_text("\n".join(["#c"] * n_before + ["chrom\tstart\tend", "chr1\t1\t2", "chrom\tstart\tend"]))
    with pytest.raises(InputError, match=rf"peaks.bed:{n_before + 3}: start 'start' is not a whole number"):
        PEAK_READERS["bed"](path)


def test_one_based_file_with_a_region_of_one_base_is_refused_by_line(tmp_path):
    path = tmp_path / "peaks.bed"
    path.write_text("chr1\t5\t9\nchr1\t7\t7\n")
    with pytest.raises(InputError, match=r"peaks.bed:2: end 7 is not after start 7; BED regions are 0-based"):
        PEAK_READERS["bed"](path)


@pytest.mark.parametrize("text", ["9" * 19, "1" + "0" * 12 + "1", "9" * 5000])
def test_number_beyond_every_chromosome_is_refused(tmp_path, text):
    path = tmp_path / "peaks.bed"
    path.write_text(f"chr1\t5\t{text}\n")
    with pytest.raises(InputError, match=r"peaks.bed:1: end '\d+' is too large") as raised:
        PEAK_READERS["bed"](path)
    assert len(str(raised.value)) < 300
