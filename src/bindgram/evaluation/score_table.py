"""A table of scores that is written as it is made: TSV, or Parquet where the name ends in .parquet."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bindgram.errors import InputError
from bindgram.provenance import METADATA_KEY, atomic_path

TYPES = {
    **dict.fromkeys(("name", "sequence", "reason"), pa.string()),
    **dict.fromkeys(("start", "end", "n_windows", "n_scored"), pa.int64()),
    **dict.fromkeys(("score", "score_forward", "score_reverse", "spread", "log_likelihood", "markov"), pa.float64()),
    "bound": pa.int8(),
}
SUFFIXES = (".tsv", ".parquet")


def check_table_name(path: Path) -> None:
    """Refuse a name from which the format cannot be told.

    Raises
    ------
    InputError : it ends in neither of `SUFFIXES`.
    """
    if path.suffix not in SUFFIXES:
        raise InputError(f"--output {path}: its name tells the format; end it in {' or '.join(SUFFIXES)}")


def write_table(
    path: Path, columns: Sequence[str], parts: Iterable[Sequence[Mapping[str, Any]]], metadata: Mapping[str, Any]
) -> None:
    """Write rows list by list, whole or not at all.

    Parameters
    ----------
    columns : of `TYPES`; a row without one of them leaves its cell empty.
    parts : lists of rows. What they raise leaves no file.
    metadata : how the table was made, stored in a Parquet file.
    """
    with atomic_path(path) as part:
        if path.suffix == ".parquet":
            schema = pa.schema([(name, TYPES[name]) for name in columns])
            schema = schema.with_metadata({METADATA_KEY: json.dumps(metadata, sort_keys=True)})
            with pq.ParquetWriter(part, schema, compression="zstd") as writer:
                for rows in parts:
                    filled = [{name: row.get(name) for name in columns} for row in rows]
                    writer.write_table(pa.Table.from_pylist(filled, schema=schema))
        else:
            with part.open("w", encoding="utf-8", newline="\n") as handle:
                handle.write("\t".join(columns) + "\n")
                for rows in parts:
                    handle.writelines("\t".join(_text(row.get(name)) for name in columns) + "\n" for row in rows)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6f}" if isinstance(value, float) else str(value).replace("\t", " ")
