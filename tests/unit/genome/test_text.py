"""Text files as published: gzip or not, lines with their numbers, tables of lengths."""

import gzip

import pytest

from bindgram.errors import InputError
from bindgram.genome.text import read_chrom_sizes, region_lines, text_lines, write_chrom_sizes

BED = b"# made by hand\nbrowser position chr1\ntrack name=x\nchr1\t5\t10\tname\n\nchr2 0 3\n"


def written(tmp_path, content: bytes, name="regions.bed"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_tab_separated_cells_may_hold_spaces(tmp_path):
    lines = list(region_lines(written(tmp_path, b"chr1\t1\t2\tHigh Signal Region\n")))
    assert lines == [(1, ["chr1", "1", "2", "High Signal Region"])]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(BED * 50)[:-9], "truncated or damaged gzip"),
        (gzip.compress(BED)[:-1], "truncated or damaged gzip"),
        (gzip.compress(BED)[:15] + b"\xff\xff\xff" + gzip.compress(BED)[18:], "truncated or damaged gzip"),
        (b"\n<!DOCTYPE html><html>\n", "a web page"),
        (gzip.compress(b"<HTML>\n"), "a web page"),
        (b"chr1\t1\t2\nchr\xe9\t1\t2\n", "not UTF-8 text"),
        (b"chr1\t1\t2\nch\x00r1\t1\t2\n", "bed:2: not a text file"),
        ("chr1\t1\t2\n".encode("utf-16"), "not UTF-8 text"),
    ],
)
def test_file_that_is_no_text_is_refused_by_name(tmp_path, content, said):
    with pytest.raises(InputError, match=rf"regions\.bed.*{said}|regions\.{said}"):
        list(text_lines(written(tmp_path, content)))


def test_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"no\.bed: no such file"):
        list(text_lines(tmp_path / "no.bed"))


def test_every_line_is_counted_so_that_numbers_are_those_of_an_editor(tmp_path):
    assert list(text_lines(written(tmp_path, b"a\r\n\r\n#b\nc"))) == ["a", "", "#b", "c"]


def test_chromosome_sizes_survive_writing_in_order(tmp_path):
    sizes = {"chr2": 5, "chr10": 7, "chr1": 1}
    write_chrom_sizes(tmp_path / "s", sizes)
    assert list(read_chrom_sizes(tmp_path / "s").items()) == list(sizes.items())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"chr1\t5\nchr1\t6\n", ":2: 'chr1' is listed twice"),
        (b"chr1\t0\n", ":1: length of 'chr1' is 0"),
        (b"chr1\n", ":1: .*no length"),
        (b"chr1\tlong\n", ":1: length 'long' is not a whole number"),
        (b"# none\n", "no chromosome"),
    ],
)
def test_wrong_chromosome_sizes_are_refused(tmp_path, content, said):
    with pytest.raises(InputError, match=said):
        read_chrom_sizes(written(tmp_path, content))
