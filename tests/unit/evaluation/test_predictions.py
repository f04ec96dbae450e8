import numpy as np
import pandas as pd
import pytest

from bindgram.errors import InputError
from bindgram.evaluation.predictions import (
    COLUMNS,
    content_digest,
    empty_predictions,
    prediction_rows,
    read_predictions,
    write_predictions,
)


def examples() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "example_id": ["peak", "shuffle", "drawn", "orphan"],
            "chrom": ["chr1", None, "chr2", None],
            "start": pd.array([100, None, 7, None], dtype="Int64"),
            "label": np.array([1, 0, 0, 0], dtype=np.int8),
            "parent_id": [None, "peak", "peak", "elsewhere"],
            "split": ["test", "test", "test", "valid"],
        }
    )


def test_a_shuffle_lies_where_its_parent_lies_and_an_orphan_nowhere(tmp_path):
    path = tmp_path / "p.parquet"
    write_predictions(path, prediction_rows("T1", examples(), np.arange(4.0)), "ok", "", {}, {"T2": "none"})
    frame, metadata = read_predictions(path)
    assert tuple(frame.columns) == COLUMNS
    assert frame["chrom"].tolist()[:3] == ["chr1", "chr1", "chr2"]
    assert frame["start"].tolist()[:3] == [100, 100, 7]
    assert frame[["chrom", "start"]].iloc[3].isna().all()
    assert frame["score"].tolist() == [0, 1, 2, 3]
    assert frame["score_forward"].isna().all()
    assert metadata["skipped_test_sets"] == {"T2": "none"}


def test_coordinates_survive_the_dtype_that_parquet_gives_back():
    frame = examples()
    frame["start"] = frame["start"].astype(float)
    assert prediction_rows("T1", frame, np.zeros(4))["start"].tolist()[:3] == [100, 100, 7]


def test_strand_scores_are_kept():
    rows = prediction_rows("T1", examples(), np.zeros(4), forward=np.arange(4), reverse=-np.arange(4))
    assert rows["score_forward"].tolist() == [0, 1, 2, 3]
    assert rows["score_reverse"].tolist() == [0, -1, -2, -3]


def test_digest_depends_on_what_the_scores_are_and_what_was_chosen(tmp_path):
    known = [{}, {"scale": "arbitrary"}, {"details": {"motif": "MA0139.2 CTCF"}}, {"skipped_test_sets": {"T3": "few"}}]
    rows, digests = prediction_rows("T1", examples(), np.zeros(4)), set()
    for more in known:
        write_predictions(tmp_path / "p", rows, "ok", "", {"command": "x"}, **more)
        frame, metadata = read_predictions(tmp_path / "p")
        assert content_digest(frame, metadata) == metadata["provenance"]["digest"]
        digests.add(metadata["provenance"]["digest"])
    assert len(digests) == len(known)


def test_digest_depends_on_scores_and_not_on_the_run(tmp_path):
    digests = []
    for name, score in (("a", 0.0), ("b", 0.0), ("c", 1.0)):
        path = tmp_path / name
        write_predictions(path, prediction_rows("T1", examples(), np.full(4, score)), "ok", "", {})
        digests.append(read_predictions(path)[1]["provenance"]["digest"])
    assert digests[0] == digests[1] != digests[2]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("rows", [None, empty_predictions(), pd.DataFrame()])
def test_skipped_table_is_valid_and_empty(tmp_path, rows):
    write_predictions(tmp_path / "p", rows, "skipped", "too few peaks", {})
    frame, metadata = read_predictions(tmp_path / "p")
    assert frame.empty
    assert (metadata["status"], metadata["reason"]) == ("skipped", "too few peaks")


@pytest.mark.parametrize("damage", ["text", "other columns"])
def test_other_files_are_refused_by_name(tmp_path, damage):
    path = tmp_path / "p.parquet"
    if damage == "text":
        path.write_text("hello")
    else:
        pd.DataFrame({"score": [1.0]}).to_parquet(path)
    with pytest.raises(InputError, match=r"p\.parquet: not a"):
        read_predictions(path)
