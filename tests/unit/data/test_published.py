import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindgram.data.published import published_examples, published_negatives, published_rows, read_sequences
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


# GUE

GUE = "sequence,label\n"
GUE_TF = Path(__file__).resolve().parents[4] / "shared/data/gue_tf"


def test_gue_rows_are_named_by_their_lines(tmp_path):
    frame = read_sequences(write(tmp_path, GUE + "ACGT,1\r\n\nttnr,0\n"), "gue")
    assert frame.to_numpy().tolist() == [["line2", "ACGT", 1], ["line4", "TTNN", 0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ACGT,1\n", r"set.seq.gz:1: the first line is 'ACGT,1'; it must name sequence label, separated by commas"),
        ("sequence\tlabel\n", r"separated by commas"),
        (GUE + "ACGT\n", r"set.seq.gz:2: 1 column\(s\) where there are 2 \(sequence label\)"),
        (GUE + "ACGT,1,2\n", r"set.seq.gz:2: 3 column\(s\)"),
        (GUE + "ACGT,1\n" + '"ACGT",1\n', r"set.seq.gz:3: sequence '\"ACGT\"' is not a DNA sequence"),
        (GUE + "ACGT,yes\n", r"set.seq.gz:2: label 'yes': 1 \(bound\) or 0"),
        (GUE + "ACGT,1\nACG,1\n", r"set.seq.gz:3: seq has 3 bp where the first has 4"),
    ],
)
def test_bad_gue_lines_are_refused_with_file_and_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_sequences(write(tmp_path, text), "gue")


def test_rows_of_three_files_keep_their_splits_and_ids_apart():
    frame = pd.DataFrame({"event_id": ["line2", "line3"], "sequence": ["ACGT", "TTTT"], "label": [1, 0]})
    rows = published_rows("E", 1, frame, frame, frame)
    assert rows["split"].tolist() == ["train", "train", "valid", "valid", "test", "test"]
    assert rows["example_id"].is_unique
    assert rows["kind"].tolist() == ["peak", "published"] * 3


def test_without_validation_file_the_same_rows_are_drawn_whoever_asks():
    frame = pd.DataFrame(
        {"event_id": range(50), "sequence": [f"{'A' * i}{'C' * (50 - i)}" for i in range(50)], "label": 1}
    )
    frame["event_id"] = frame["event_id"].astype(str)
    first, again = (published_rows("E", 3, frame, None, frame.iloc[:0])["split"] for _ in range(2))
    assert first.tolist() == again.tolist()
    assert (first == "valid").sum() == 5


def test_negatives_of_validation_and_test_files_are_published(tmp_path):
    path = write(tmp_path, GUE + "ACGT,1\nTTTT,0\n")
    frame = published_negatives("E", "gue", path, path)
    assert frame[["example_id", "split", "label"]].to_numpy().tolist() == [
        ["E:test:line3", "test", 0],
        ["E:valid:line3", "valid", 0],
    ]


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(["deepbind", "gue"]), st.binary(max_size=30), st.integers(0, 80), st.booleans())
def test_any_bytes_in_a_set_are_a_table_or_an_error_that_names_it(tmp_path_factory, format, junk, place, packed):
    text = {"deepbind": HEADER + "A\ts1\tACGT\t1\nA\ts2\tACGA\t0\n", "gue": GUE + "ACGT,1\nACGA,0\n"}[format]
    content = text.encode()[:place] + junk + text.encode()[place:]
    path = tmp_path_factory.mktemp("published") / "set.seq"
    path.write_bytes(gzip.compress(content) if packed else content)
    message, n_rows = "", 0
    try:
        n_rows = len(read_sequences(path, format))
    except InputError as error:
        message = str(error)
    lines = content.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert "set.seq" in message if message else n_rows == max(0, sum(bool(line.strip()) for line in lines) - 1)


@pytest.mark.realdata
@pytest.mark.skipif(not GUE_TF.is_dir(), reason="needs ../shared/data/gue_tf")
@pytest.mark.parametrize("task", ["0", "1"])
def test_gue_files_hold_what_an_independent_reader_finds(task):
    for part in ("dev", "test"):
        path = GUE_TF / task / f"{part}.csv.gz"
        expected = pd.read_csv(path)
        found = read_sequences(path, "gue")
        assert found["sequence"].tolist() == expected["sequence"].tolist()
        assert found["label"].tolist() == expected["label"].tolist()
