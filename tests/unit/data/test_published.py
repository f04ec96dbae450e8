import gzip
from pathlib import Path

import numpy as np
import pytest

from bindgram.data.published import published_examples, published_negatives, read_sequences
from bindgram.errors import InputError

HEADER = "FoldID\tEventID\tseq\tBound\n"
DEEPBIND = Path(__file__).resolve().parents[4] / "shared/data/deepbind"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "set.seq.gz"
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_rows_are_read_in_file_order(tmp_path):
    frame = read_sequences(write(tmp_path, HEADER + "A\ts1\tACGT\t1\nB\ts2\tTTTT\t0\n"), "deepbind")
    assert frame.to_numpy().tolist() == [["s1", "ACGT", 1], ["s2", "TTTT", 0]]


def test_case_and_ambiguity_codes_are_made_one(tmp_path):
    frame = read_sequences(write(tmp_path, HEADER + "A\ts1\tacgtURYn\t1\n"), "deepbind")
    assert frame["sequence"].tolist() == ["ACGTTNNN"]


def test_plain_text_windows_line_ends_and_blank_lines_are_read(tmp_path):
    path = tmp_path / "set.seq"
    path.write_bytes((HEADER + "A\ts1\tACGT\t1\n\n").replace("\n", "\r\n").encode())
    assert read_sequences(path, "deepbind")["sequence"].tolist() == ["ACGT"]


@pytest.mark.parametrize("text", ["", "\n", HEADER])
def test_file_without_sequences_gives_an_empty_table(tmp_path, text):
    frame = read_sequences(write(tmp_path, text), "deepbind")
    assert len(frame) == 0
    assert frame["label"].dtype == np.int8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A\ts1\tACGT\t1\n", r"set.seq.gz:1: the first line is .* it must name FoldID EventID seq Bound"),
        (HEADER + "A\ts1\tACGT\n", r"set.seq.gz:2: 3 column\(s\) where there are 4"),
        (HEADER + "A\ts1\tAC GT\t1\n", r"set.seq.gz:2: seq 'AC GT' is not a DNA sequence"),
        (HEADER + "A\ts1\t\t1\n", r"set.seq.gz:2: seq '' is not a DNA sequence"),
        (HEADER + "A\ts1\tACGT\t2\n", r"set.seq.gz:2: EventID 's1', Bound '2'"),
        (HEADER + "A\t\tACGT\t1\n", r"set.seq.gz:2: EventID '', Bound '1'"),
        (HEADER + "A\ts1\tACGT\t1\nA\ts1\tACGA\t1\n", r"set.seq.gz:3: EventID 's1' repeats line 2"),
        (HEADER + "A\ts1\tACGT\t1\nA\ts2\tACG\t1\n", r"set.seq.gz:3: seq has 3 bp where the first has 4"),
    ],
)
def test_bad_files_are_refused_with_file_and_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_sequences(write(tmp_path, text), "deepbind")


def test_truncated_gzip_is_refused(tmp_path):
    path = write(tmp_path, HEADER + "A\ts1\tACGT\t1\n")
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(InputError, match="truncated or damaged gzip"):
        read_sequences(path, "deepbind")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.seq\.gz: no such file"):
        read_sequences(tmp_path / "absent.seq.gz", "deepbind")


def test_examples_have_no_coordinates_and_no_parent(tmp_path):
    rows = read_sequences(write(tmp_path, HEADER + "A\ts1\tACGT\t1\nB\ts2\tTTTT\t0\n"), "deepbind")
    frame = published_examples("E", rows, "test")
    assert frame[["chrom", "start", "end", "strand", "parent_id"]].isna().to_numpy().all()
    assert frame[["example_id", "label", "kind", "split"]].to_numpy().tolist() == [
        ["E:test:s1", 1, "peak", "test"],
        ["E:test:s2", 0, "published", "test"],
    ]


def test_both_files_may_count_from_one(tmp_path):
    rows = read_sequences(write(tmp_path, HEADER + "A\ts1\tACGT\t1\n"), "deepbind")
    training, test = published_examples("E", rows, np.array(["valid"])), published_examples("E", rows, "test")
    assert training["example_id"][0] != test["example_id"][0]


def test_published_negatives_are_the_unbound_rows(tmp_path):
    path = write(tmp_path, HEADER + "A\ts1\tACGT\t1\nB\ts2\tTTTT\t0\n")
    frame = published_negatives("E", "deepbind", path)
    assert frame[["example_id", "label", "kind", "split", "sequence"]].to_numpy().tolist() == [
        ["E:test:s2", 0, "published", "test", "TTTT"]
    ]


@pytest.mark.realdata
@pytest.mark.skipif(not DEEPBIND.is_dir(), reason="needs ../shared/data/deepbind")
def test_deepbind_files_hold_what_their_readme_counts():
    name = "GABPA_GM12878_GABP_HudsonAlpha"
    training, test = (read_sequences(DEEPBIND / f"{name}_{part}.seq.gz", "deepbind") for part in ("AC", "B"))
    assert (len(training), training["label"].min()) == (6066, 1)
    assert test["label"].value_counts().to_dict() == {1: 500, 0: 500}
    assert set(training["sequence"].str.len()) == set(test["sequence"].str.len()) == {101}
    with gzip.open(DEEPBIND / f"{name}_B.seq.gz", "rt") as handle:
        lines = [line.split("\t") for line in handle]
    assert test["sequence"].tolist() == [cells[2] for cells in lines[1:]]
