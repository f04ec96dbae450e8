import gzip

import pytest

from bindgram.errors import InputError
from bindgram.genome.sequences import read_sequences


def read(path):
    return [(name, letters.tobytes().decode()) for name, letters in read_sequences(path)]


def write(folder, text):
    path = folder / "x.fa"
    path.write_bytes(text)
    return path


def test_names_are_first_words_and_lines_are_joined(tmp_path):
    path = write(tmp_path, b">one of two\nACG\nTT N\n\n>two\n>three\r\nacgt\r\nRY")
    assert read(path) == [("one", "ACGTTN"), ("two", ""), ("three", "acgtRY")]


def test_gzip_and_records_that_cross_blocks_are_read_alike(tmp_path, monkeypatch):
    text = b"".join(b">s%d\n%s\n" % (number, b"ACGT" * 20 + b"\n" + b"T" * number) for number in range(50))
    path = write(tmp_path, text)
    whole = read(path)
    assert whole[7] == ("s7", "ACGT" * 20 + "T" * 7)
    packed = tmp_path / "x.fa.gz"
    packed.write_bytes(gzip.compress(text))
    assert read(packed) == whole
    from bindgram.genome import text as text_module

    monkeypatch.setattr("bindgram.genome.sequences.text_blocks", lambda path: text_module.text_blocks(path, 64))
    assert read(path) == whole


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"ACGT\n", "not FASTA: it begins with 'ACGT', not with >"),
        (b"@read\nACGT\n+\nIIII\n", "not FASTA: it begins with '@read"),
        (b"", "no sequence in it"),
        (b"\n\n", "no sequence in it"),
        (b">a\nACGT\n>\nACGT\n", "a record without a name, after 'a'"),
        (b">p\nMKVLE\n", "sequence 'p': 'L' stands for no base of DNA"),
        (b">r\nACGU\n", "sequence 'r': 'U' stands for no base of DNA; RNA: write T for U"),
        (b"<!DOCTYPE html><html>", "a web page"),
    ],
)
def test_what_is_no_fasta_of_dna_is_refused_by_file_and_record(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=message) as refused:
        read(path)
    assert str(path) in str(refused.value)
