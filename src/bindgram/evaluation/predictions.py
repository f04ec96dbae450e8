"""The predictions table: one row per scored example of one model on the test sets and their validation twins.

Columns: ``test_set``; ``example_id``; ``split`` (test, or valid for the twin); ``label`` (0/1); ``score`` (logit, mean
of both strands); ``score_forward`` and ``score_reverse`` (null for baselines, which read both strands at once);
``chrom`` and ``start`` (bp, 0-based; those of the parent where a negative has none, null where neither has any).

The metadata say what the scores are: log odds of being bound, or numbers of an arbitrary scale that only rank (log odds
of a motif against the background, the margin of a support vector machine, the likelihood under a language model).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bindgram.data.examples import ExampleTable
from bindgram.errors import InputError
from bindgram.provenance import METADATA_KEY, atomic_path, digest

SCHEMA = pa.schema(
    [
        ("test_set", pa.string()),
        ("example_id", pa.string()),
        ("split", pa.string()),
        ("label", pa.int8()),
        ("score", pa.float64()),
        ("score_forward", pa.float64()),
        ("score_reverse", pa.float64()),
        ("chrom", pa.string()),
        ("start", pa.int64()),
    ]
)
COLUMNS = tuple(SCHEMA.names)
Scale = Literal["log_odds", "arbitrary"]


def skipped_reasons(test_sets: Mapping[str, ExampleTable]) -> dict[str, str]:
    """Test set to why it has no examples, for those that have none."""
    return {name: table.reason or "no examples" for name, table in test_sets.items() if not len(table.frame)}


def empty_predictions() -> pd.DataFrame:
    """A table with all columns and no rows."""
    return SCHEMA.empty_table().to_pandas()


def prediction_rows(
    test_set: str,
    examples: pd.DataFrame,
    score: np.ndarray,
    forward: np.ndarray | None = None,
    reverse: np.ndarray | None = None,
) -> pd.DataFrame:
    """Join scores to the examples they belong to, in the order of `examples`.

    Parameters
    ----------
    test_set : name of the test set.
    examples : rows of an example table.
    score : (N,) logits.
    forward, reverse : (N,) logits of the strands, where the model reads them apart.

    Returns
    -------
    (N, 9) frame of `COLUMNS`. A negative without coordinates gets its parent's, so that both fall in one block.
    """
    missing = np.full(len(examples), np.nan)
    chrom, start = _coordinates(examples)
    return pd.DataFrame(
        {
            "test_set": test_set,
            "example_id": examples["example_id"].to_numpy(object),
            "split": examples["split"].to_numpy(object),
            "label": examples["label"].to_numpy(np.int8),
            "score": np.asarray(score, dtype=np.float64),
            "score_forward": missing if forward is None else np.asarray(forward, dtype=np.float64),
            "score_reverse": missing if reverse is None else np.asarray(reverse, dtype=np.float64),
            "chrom": chrom,
            "start": start,
        }
    )


def _coordinates(examples: pd.DataFrame) -> tuple[np.ndarray, pd.array]:
    placed = examples[examples["chrom"].notna()].set_index("example_id")
    own = examples["chrom"].notna().to_numpy()
    chrom = np.where(own, examples["chrom"].to_numpy(object), examples["parent_id"].map(placed["chrom"]))
    start = examples["start"].astype("Float64").where(own, examples["parent_id"].map(placed["start"]))
    chrom = np.where(pd.isna(chrom), None, chrom)
    return chrom, start.astype("Int64").array


def write_predictions(
    path: Path,
    frame: pd.DataFrame | None,
    status: str,
    reason: str,
    provenance: Mapping[str, Any],
    skipped_test_sets: Mapping[str, str] | None = None,
    scale: Scale = "log_odds",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write a predictions table as Parquet, whole or not at all.

    Parameters
    ----------
    frame : rows of `COLUMNS`; None, or no rows, when skipped.
    status, reason : ``ok``, or ``skipped`` and why nothing could be scored.
    provenance : of `bindgram.provenance.make_provenance`; the ``digest`` of the content is added.
    skipped_test_sets : test set to why it could not be made for this experiment.
    scale : whether the scores are log odds of being bound, so that their sigmoid is a probability.
    details : what the model chose, such as its motif.
    """
    frame = empty_predictions() if frame is None or frame.empty else frame.loc[:, list(COLUMNS)]
    skipped = dict(skipped_test_sets or {})
    metadata: dict[str, Any] = {
        "status": status,
        "reason": reason,
        "skipped_test_sets": skipped,
        "scale": scale,
        "details": dict(details or {}),
    }
    metadata["provenance"] = dict(provenance) | {"digest": content_digest(frame, metadata)}
    arrow = pa.Table.from_pandas(frame, schema=SCHEMA, preserve_index=False)
    arrow = arrow.replace_schema_metadata({METADATA_KEY: json.dumps(metadata, sort_keys=True)})
    with atomic_path(path) as part:
        pq.write_table(arrow, part, compression="zstd")


def content_digest(frame: pd.DataFrame, metadata: Mapping[str, Any]) -> str:
    """Digest of rows and metadata but the provenance, the same before a table is written and after it is read."""
    numbers = frame.astype({"start": "Int64"})  # without a null it is read as integers, with one as real numbers
    rows = [digest([None if pd.isna(value) else str(value) for value in numbers[column]]) for column in COLUMNS]
    return digest({"rows": rows} | {name: value for name, value in metadata.items() if name != "provenance"})


def read_predictions(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read a table of `write_predictions`: rows, and its metadata.

    These are ``status, reason, skipped_test_sets, scale, details, provenance``.

    Raises
    ------
    InputError : the file is not a predictions table.
    """
    try:
        arrow = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: not a readable Parquet file ({error}); delete it and run again") from None
    metadata = (arrow.schema.metadata or {}).get(METADATA_KEY.encode())
    if metadata is None or tuple(arrow.schema.names) != COLUMNS:
        raise InputError(f"{path}: not a bindgram predictions table; columns are {', '.join(COLUMNS)}")
    return arrow.to_pandas(), json.loads(metadata)
