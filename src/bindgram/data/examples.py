"""The example table: the contract of the pipeline. One row is one labelled sequence.

Columns: ``example_id``; ``chrom``, ``start``, ``end`` (bp, 0-based, half-open) and ``strand`` (null together where a
published set has no coordinates); ``label`` (0/1); ``kind`` (peak, or the scheme that made a negative);
``parent_id`` (the positive a negative was made from); ``split`` (train, valid, test); ``sequence``.

Sequences are upper case; every ambiguous base is N. `write_examples` refuses a table with repeated ids, a negative in
another split than its parent, or splits that share a sequence (on either strand) or overlap on the genome, always, not
only in tests.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bindgram.errors import InputError, LeakageError
from bindgram.provenance import METADATA_KEY, atomic_path, digest
from bindgram.settings.splits import SPLITS

SCHEMA = pa.schema(
    [
        ("example_id", pa.string()),
        ("chrom", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("strand", pa.string()),
        ("label", pa.int8()),
        ("kind", pa.string()),
        ("parent_id", pa.string()),
        ("split", pa.string()),
        ("sequence", pa.string()),
    ]
)
COLUMNS = tuple(SCHEMA.names)
_COMPLEMENT = str.maketrans("ACGT", "TGCA")


@dataclass(frozen=True)
class ExampleTable:
    """Examples with what is known about them.

    `status` is ``ok`` or ``skipped``; a skipped table has no rows and a `reason`. `provenance` is the dict of
    `bindgram.provenance.make_provenance`, to which `write_examples` adds the ``digest`` of the rows.
    """

    frame: pd.DataFrame
    status: str = "ok"
    reason: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def skipped(self) -> bool:
        """Whether the experiment cannot be modelled for a cause in its data."""
        return self.status == "skipped"

    @property
    def held_out(self) -> Mapping[str, str]:
        """``split`` that the whole experiment is held out into and ``reason``; nothing where it may train."""
        return self.provenance.get("settings", {}).get("held_out") or {}

    def of_split(self, split: str) -> pd.DataFrame:
        """Rows of one split, in file order."""
        return self.frame[self.frame["split"] == split]


def empty_examples() -> pd.DataFrame:
    """A table with all columns and no rows."""
    return SCHEMA.empty_table().to_pandas()


def skipped_examples(reason: str, provenance: Mapping[str, Any]) -> ExampleTable:
    """The valid, empty output of a step that cannot work on this experiment, with the reason."""
    return ExampleTable(empty_examples(), "skipped", reason, provenance)


def check_examples(frame: pd.DataFrame) -> None:
    """Refuse malformed rows, repeated ids and leakage between splits.

    Raises
    ------
    LeakageError : splits share a sequence, a reverse complement, or overlapping coordinates; a negative is not in the
        split of its parent; a row is in no split; or an id is repeated.
    InputError : a value that the format does not have.
    """
    repeated = frame["example_id"][frame["example_id"].duplicated()]
    if len(repeated):
        raise LeakageError(
            f"example_id {repeated.iloc[0]!r} is repeated ({len(repeated)} repeats); add the filter 'duplicate'"
        )
    _check_values(frame)
    _check_parents(frame)
    _check_shared_sequences(frame)
    _check_overlaps(frame)


def _check_values(frame: pd.DataFrame) -> None:
    n_null = frame[["chrom", "start", "end", "strand"]].isna().sum(axis=1)
    texts = frame["sequence"].astype("str")
    length = frame["end"].astype("Int64") - frame["start"].astype("Int64")
    problems = {
        "label is 0 or 1": ~frame["label"].isin([0, 1]),
        # Lower case would hide a shared sequence from the checks below, while every model reads it as upper case.
        "sequence is upper case A, C, G, T, N": ~texts.str.fullmatch("[ACGTN]+").fillna(False).astype(bool),
        "chrom, start, end and strand are all given or all null, and fit the sequence": (n_null % 4 != 0)
        | ((n_null == 0) & (length != texts.str.len()).fillna(False)),
    }
    for rule, bad in problems.items():
        if bad.any():
            row = frame[bad.to_numpy(bool)].iloc[0]
            raise InputError(f"example {row['example_id']}: {rule} (got {row.to_dict()}, {int(bad.sum())} such rows)")
    astray = frame[~frame["split"].isin(SPLITS)]
    if len(astray):
        raise LeakageError(
            f"{len(astray)} example(s) are in no split, first {astray['example_id'].iloc[0]}; add the filter 'split'"
        )


def _check_parents(frame: pd.DataFrame) -> None:
    split_of = pd.Series(frame["split"].to_numpy(object), index=frame["example_id"].to_numpy(object))
    parents = frame["parent_id"].map(split_of)
    astray = frame[(parents.notna() & (parents != frame["split"])).to_numpy(bool)]
    if len(astray):
        row = astray.iloc[0]
        raise LeakageError(
            f"{len(astray)} negative(s) are not in the split of their parent, first {row['example_id']} "
            f"({row['split']}) of {row['parent_id']} ({split_of[row['parent_id']]}); a negative inherits its split"
        )


def canonical_sequences(sequences: pd.Series) -> pd.Series:
    """Each sequence or its reverse complement, whichever sorts first: equal for the two strands of one site."""
    reverse = [text.translate(_COMPLEMENT)[::-1] for text in sequences]
    return pd.Series(np.minimum(sequences.to_numpy(object), np.array(reverse, dtype=object)), index=sequences.index)


def _check_shared_sequences(frame: pd.DataFrame) -> None:
    canonical = canonical_sequences(frame["sequence"])
    n_splits = frame.groupby(canonical.to_numpy())["split"].nunique()
    shared = n_splits[n_splits > 1]
    if len(shared):
        rows = frame[(canonical == shared.index[0]).to_numpy()]
        raise LeakageError(
            f"{len(shared)} sequence(s) stand in more than one split, first {rows['example_id'].tolist()[:2]} in "
            f"{sorted(rows['split'].unique())}; add the filter 'duplicate'"
        )


def _check_overlaps(frame: pd.DataFrame) -> None:
    placed = frame[frame["chrom"].notna()].sort_values(["chrom", "start"], kind="stable")
    for chrom, rows in placed.groupby("chrom", sort=False):
        starts, ends = rows["start"].to_numpy(np.int64), rows["end"].to_numpy(np.int64)
        for split in rows["split"].unique():
            ours = (rows["split"] == split).to_numpy()
            reach = np.maximum.accumulate(np.where(ours, ends, -1))
            clash = np.flatnonzero(~ours & (starts < reach))
            if len(clash):
                row = rows.iloc[clash[0]]
                raise LeakageError(
                    f"example {row['example_id']} ({chrom}:{row['start']}-{row['end']}, {row['split']}) overlaps an "
                    f"example of split {split}; leave a gap between the blocks of config/splits"
                )


def _check_held_out(table: ExampleTable) -> None:
    astray = table.frame[table.frame["split"] != table.held_out.get("split")] if table.held_out else ()
    if len(astray):
        row = astray.iloc[0]
        raise LeakageError(
            f"{len(astray)} example(s) of an experiment that is {table.held_out['reason']} are in another split, first "
            f"{row['example_id']} ({row['split']}); it may have no other rows"
        )


def write_examples(path: Path, table: ExampleTable) -> None:
    """Check and write a table as Parquet, whole or not at all.

    Raises
    ------
    LeakageError : the experiment is held out, and rows are of another split than the one it is held out into; or see
        `check_examples`. Nothing is written then.
    InputError : see `check_examples`.
    """
    assert table.status in ("ok", "skipped"), table.status
    assert not table.skipped or (table.frame.empty and table.reason), "a skipped table has a reason and no rows"
    frame = table.frame.loc[:, list(COLUMNS)]
    check_examples(frame)
    _check_held_out(table)
    arrow = pa.Table.from_pandas(frame, schema=SCHEMA, preserve_index=False)
    metadata = {"status": table.status, "reason": table.reason, "provenance": dict(table.provenance)}
    metadata["provenance"]["digest"] = _digest_rows(arrow, table.status)
    arrow = arrow.replace_schema_metadata({METADATA_KEY: json.dumps(metadata, sort_keys=True)})
    with atomic_path(path) as part:
        pq.write_table(arrow, part, compression="zstd")


def _digest_rows(arrow: pa.Table, status: str) -> str:
    """Digest of what is stored, whatever types pandas held it in."""
    return digest({"rows": [digest(arrow[column].to_pylist()) for column in COLUMNS], "status": status})


def read_examples(path: Path, columns: Sequence[str] = COLUMNS) -> ExampleTable:
    """Read a table written by `write_examples`, or some columns of it, which is quicker without the sequences.

    Raises
    ------
    InputError : the file is not an example table.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; make it with bindgram positives, negatives or battery")
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            arrow = file.read(list(columns)) if schema.equals(SCHEMA) else None
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: not a readable Parquet file ({error}); delete it and run again") from None
    metadata = (schema.metadata or {}).get(METADATA_KEY.encode())
    if metadata is None or arrow is None:
        raise InputError(f"{path}: not a bindgram example table; columns are {', '.join(COLUMNS)}")
    known = json.loads(metadata)
    return ExampleTable(arrow.to_pandas(), known["status"], known["reason"], known["provenance"])
