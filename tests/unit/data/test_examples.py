import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindgram.data.examples import (
    COLUMNS,
    ExampleTable,
    canonical_sequences,
    check_examples,
    empty_examples,
    read_examples,
    skipped_examples,
    write_examples,
)
from bindgram.errors import InputError, LeakageError
from bindgram.provenance import METADATA_KEY


def placed(*rows: tuple) -> pd.DataFrame:
    """Rows (split, chrom, start, sequence) of kind peak."""
    return pd.DataFrame(
        [
            {
                "example_id": f"E:{index}",
                "chrom": chrom,
                "start": start,
                "end": start + len(sequence),
                "strand": ".",
                "label": 1,
                "kind": "peak",
                "parent_id": None,
                "split": split,
                "sequence": sequence,
            }
            for index, (split, chrom, start, sequence) in enumerate(rows)
        ],
        columns=list(COLUMNS),
    )


def unplaced(*rows: tuple) -> pd.DataFrame:
    """Rows (split, sequence) without coordinates."""
    frame = placed(*((split, "chr1", 0, sequence) for split, sequence in rows))
    return frame.assign(chrom=None, start=pd.NA, end=pd.NA, strand=None)


GOOD = placed(("train", "chr1", 0, "AAAC"), ("valid", "chr1", 4, "AAAG"), ("test", "chr2", 2, "AAGC"))


def test_table_is_read_back_as_written(tmp_path):
    path = tmp_path / "examples.parquet"
    write_examples(path, ExampleTable(GOOD, provenance={"command": "positives"}))
    table = read_examples(path)
    pd.testing.assert_frame_equal(table.frame, GOOD.astype({"parent_id": "str"}), check_dtype=False)
    assert (table.status, table.reason, table.skipped) == ("ok", "", False)
    assert table.provenance["command"] == "positives"
    assert table.of_split("valid")["example_id"].tolist() == ["E:1"]


def test_table_without_coordinates_is_read_back(tmp_path):
    path = tmp_path / "examples.parquet"
    write_examples(path, ExampleTable(unplaced(("train", "AAAC"), ("test", "AANC"))))
    frame = read_examples(path).frame
    assert frame[["chrom", "start", "end", "strand", "parent_id"]].isna().to_numpy().all()
    assert frame["sequence"].tolist() == ["AAAC", "AANC"]


def test_missing_coordinates_may_be_plain_none():
    check_examples(unplaced(("train", "AAAC")).assign(start=None, end=None))


def test_skipped_table_carries_its_reason_and_no_rows(tmp_path):
    path = tmp_path / "examples.parquet"
    write_examples(path, skipped_examples("no peaks in file", {"command": "positives"}))
    table = read_examples(path)
    assert table.skipped
    assert table.reason == "no peaks in file"
    assert len(table.frame) == 0
    assert list(table.frame.columns) == list(COLUMNS)


def test_the_same_rows_give_the_same_bytes_and_digest(tmp_path):
    first, second = tmp_path / "a.parquet", tmp_path / "b.parquet"
    write_examples(first, ExampleTable(GOOD, provenance={"command": "x"}))
    write_examples(second, ExampleTable(GOOD.copy().set_index(pd.Index([7, 8, 9])), provenance={"command": "x"}))
    assert first.read_bytes() == second.read_bytes()


def test_writing_what_was_read_keeps_the_digest_whatever_the_column_types(tmp_path):
    first, second = tmp_path / "a.parquet", tmp_path / "b.parquet"
    mixed = pd.concat([GOOD, unplaced(("train", "AACC")).assign(example_id="E:u")], ignore_index=True)
    write_examples(first, ExampleTable(mixed))
    table = read_examples(first)
    assert table.frame["start"].dtype != mixed["start"].dtype
    write_examples(second, table)
    assert read_examples(second).provenance["digest"] == table.provenance["digest"]


@pytest.mark.parametrize("column", ["example_id", "chrom", "label", "kind", "parent_id", "split"])
def test_digest_depends_on_every_column(tmp_path, column):
    other = {"example_id": "F", "chrom": "chr9", "label": 0, "kind": "x", "parent_id": "y", "split": "valid"}[column]
    changed = GOOD.astype({"parent_id": object})
    changed.loc[0, column] = other
    digests = []
    for frame in (GOOD, changed):
        write_examples(tmp_path / "x.parquet", ExampleTable(frame))
        digests.append(read_examples(tmp_path / "x.parquet").provenance["digest"])
    assert digests[0] != digests[1]


def test_provenance_given_is_not_changed(tmp_path):
    provenance = {"command": "x"}
    write_examples(tmp_path / "x.parquet", ExampleTable(GOOD, provenance=provenance))
    assert provenance == {"command": "x"}


LEAKS = {
    "repeated id": (GOOD.assign(example_id=["a", "b", "a"]), "example_id 'a' is repeated"),
    "same sequence": (placed(("train", "chr1", 0, "AAAC"), ("test", "chr2", 0, "AAAC")), "more than one split"),
    "reverse complement": (placed(("train", "chr1", 0, "AAAC"), ("valid", "chr2", 0, "GTTT")), "more than one split"),
    "same sequence, no place": (unplaced(("train", "AAAC"), ("test", "AAAC")), "add the filter 'duplicate'"),
    "one base shared": (placed(("train", "chr1", 0, "AAAC"), ("test", "chr1", 3, "AAGC")), "overlaps an example of"),
    "one inside the other": (placed(("test", "chr1", 0, "AAACCC"), ("valid", "chr1", 2, "AAG")), "overlaps an example"),
    "overlap past a third": (
        placed(("train", "chr1", 0, "AAACCCCC"), ("train", "chr1", 1, "ACA"), ("test", "chr1", 7, "AAG")),
        "overlaps an example of split train",
    ),
    "no split": (placed(("train", "chr1", 0, "AAAC"), ("", "chr1", 9, "AAAG")), "add the filter 'split'"),
    "child of another split": (
        GOOD.assign(parent_id=[None, "E:0", None]),
        r"first E:1 \(valid\) of E:0 \(train\)",
    ),
}


@pytest.mark.parametrize("name", LEAKS)
def test_leaks_are_refused_and_nothing_is_written(tmp_path, name):
    frame, message = LEAKS[name]
    path = tmp_path / "examples.parquet"
    with pytest.raises(LeakageError, match=message):
        write_examples(path, ExampleTable(frame))
    assert list(tmp_path.iterdir()) == []


def test_refused_table_leaves_the_old_file(tmp_path):
    path = tmp_path / "examples.parquet"
    write_examples(path, ExampleTable(GOOD))
    old = path.read_bytes()
    with pytest.raises(LeakageError):
        write_examples(path, ExampleTable(LEAKS["same sequence"][0]))
    assert path.read_bytes() == old
    assert [file.name for file in tmp_path.iterdir()] == ["examples.parquet"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sequence": ["AAAC", "aaag", "AAGC"]}, "E:1: sequence is upper case"),
        ({"sequence": ["AAAC", "AARG", "AAGC"]}, "E:1: sequence is upper case"),
        ({"sequence": ["AAAC", None, "AAGC"]}, "E:1: sequence is upper case"),
        ({"label": [1, 0, 2]}, "E:2: label is 0 or 1"),
        ({"chrom": ["chr1", None, "chr2"]}, "E:1: chrom, start, end and strand"),
        ({"end": [4, 9, 6]}, "E:1: chrom, start, end and strand .* fit the sequence"),
    ],
)
def test_malformed_rows_are_refused(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        write_examples(tmp_path / "x.parquet", ExampleTable(GOOD.assign(**change)))
    assert list(tmp_path.iterdir()) == []


def test_touching_windows_and_overlaps_within_a_split_pass():
    check_examples(
        placed(
            ("train", "chr1", 0, "AAAC"),
            ("train", "chr1", 2, "AACC"),
            ("test", "chr1", 6, "AAGC"),
            ("test", "chr2", 0, "AGGC"),
        )
    )


def test_equal_sequences_within_a_split_pass():
    check_examples(placed(("train", "chr1", 0, "AAAC"), ("train", "chr2", 0, "GTTT")))


def test_parent_in_the_same_split_or_outside_the_table_passes():
    check_examples(GOOD.assign(parent_id=["elsewhere", None, None]))
    check_examples(placed(("train", "chr1", 0, "AAAC"), ("train", "chr1", 9, "AAAG")).assign(parent_id=[None, "E:0"]))


def test_empty_table_passes():
    check_examples(empty_examples())


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["train", "valid", "test"]), st.sampled_from("12"), st.integers(0, 40), st.integers(1, 12)
        ),
        max_size=7,
    )
)
def test_leak_check_agrees_with_comparing_all_pairs(rows):
    frame = placed(
        *(
            (split, f"chr{chrom}", start, _text(index, length))
            for index, (split, chrom, start, length) in enumerate(rows)
        )
    )
    site = canonical_sequences(frame["sequence"])
    leaks = any(
        a.split != b.split
        and (site[a.Index] == site[b.Index] or (a.chrom == b.chrom and a.start < b.end and b.start < a.end))
        for a, b in itertools.combinations(frame.itertuples(), 2)
    )
    if leaks:
        with pytest.raises(LeakageError):
            check_examples(frame)
    else:
        check_examples(frame)


def _text(index: int, length: int) -> str:
    # rarely equal for two rows, so that most leaks are overlaps
    return "".join("ACGT"[(index + 1) // 4**place % 4] for place in range(length))


@given(st.lists(st.text("ACGTN", min_size=5, max_size=5), max_size=10))
def test_canonical_sequence_is_the_same_for_both_strands_and_one_of_them(texts):
    complement = {"A": "T", "C": "G", "G": "C", "T": "A", "N": "N"}
    other = ["".join(complement[base] for base in reversed(text)) for text in texts]
    canonical = canonical_sequences(pd.Series(texts, dtype="str")).tolist()
    assert canonical == canonical_sequences(pd.Series(other, dtype="str")).tolist()
    assert all(text in pair for text, pair in zip(canonical, zip(texts, other, strict=True), strict=True))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.parquet: no such file"):
        read_examples(tmp_path / "absent.parquet")


def test_file_that_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "x.parquet").write_text("chr1\t1\t2\n")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        read_examples(tmp_path / "x.parquet")


def test_parquet_of_another_kind_is_refused(tmp_path):
    pq.write_table(pa.table({"x": np.arange(3)}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match="not a bindgram example table"):
        read_examples(tmp_path / "x.parquet")


def test_example_columns_without_our_metadata_are_refused(tmp_path):
    GOOD.to_parquet(tmp_path / "x.parquet")
    with pytest.raises(InputError, match="not a bindgram example table"):
        read_examples(tmp_path / "x.parquet")


def test_truncated_file_is_refused(tmp_path):
    path = tmp_path / "x.parquet"
    write_examples(path, ExampleTable(GOOD))
    assert METADATA_KEY.encode() in path.read_bytes()
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="not a readable Parquet file"):
        read_examples(path)


def test_rows_of_another_split_than_the_one_held_out_into_are_refused(tmp_path):
    held_out = {"split": "test", "reason": "held out: biosample K562 is in test"}
    provenance = {"settings": {"held_out": held_out}}
    with pytest.raises(
        LeakageError, match=r"2 example\(s\) of an experiment that is held out: biosample K562 is in test"
    ):
        write_examples(tmp_path / "examples.parquet", ExampleTable(GOOD, provenance=provenance))
    assert not (tmp_path / "examples.parquet").exists()
    write_examples(tmp_path / "examples.parquet", ExampleTable(GOOD[GOOD["split"] == "test"], provenance=provenance))
    assert read_examples(tmp_path / "examples.parquet").held_out == held_out
