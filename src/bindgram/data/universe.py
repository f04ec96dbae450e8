"""The universe: peaks of all experiments of one biosample in a frozen list, in one table.

What an experiment takes from the others (windows of other factors' peaks) comes from here and not from the sheet, so
that a new experiment changes nobody's negatives and test sets. The list is frozen by the configuration.

A row is a peak: ``experiment, tf, chrom, summit, start, end``; bp, 0-based, half-open; `summit` is a position on the
chromosome, the midpoint where none is called.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bindgram.data.peaks import read_assembly_peaks, summit_positions
from bindgram.errors import InputError
from bindgram.provenance import METADATA_KEY, atomic_path, digest

MIN_FACTORS = 3  # other factors; with fewer, "bound by others" would mean bound by one or two particular ones
_NAMES = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("experiment", _NAMES),
        ("tf", _NAMES),
        ("chrom", _NAMES),
        ("summit", pa.int64()),
        ("start", pa.int64()),
        ("end", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Member:
    """One experiment of the universe and its peak file."""

    experiment: str
    tf: str
    format: str
    peaks: Path


def pool_peaks(members: Iterable[Member], chrom_sizes: Mapping[str, int]) -> pd.DataFrame:
    """Read the peaks of all members, each file once: rows of `SCHEMA` by place, whatever the order of the members.

    Raises
    ------
    InputError : a file is damaged, or its peaks are of another assembly; names file and line.
    """
    members, tables = sorted(members, key=lambda member: member.experiment), []
    for member in members:
        peaks = read_assembly_peaks(member.peaks, member.format, chrom_sizes)
        table = peaks.assign(experiment=member.experiment, tf=member.tf, summit=summit_positions(peaks))
        tables.append(table[SCHEMA.names].astype({"chrom": "category"}))
    known = {name: sorted({getattr(member, name) for member in members}) for name in ("experiment", "tf")}
    known["chrom"] = sorted(set().union(*(table["chrom"].cat.categories for table in tables)))
    for name, categories in known.items():
        tables = [table.assign(**{name: pd.Categorical(table[name], categories=categories)}) for table in tables]
    pooled = pd.concat(tables, ignore_index=True)
    columns = [pooled["chrom"].cat.codes, pooled["summit"], pooled["start"], pooled["experiment"].cat.codes]
    return pooled.iloc[np.lexsort([column.to_numpy() for column in reversed(columns)])].reset_index(drop=True)


def write_universe(path: Path, pooled: pd.DataFrame, provenance: Mapping[str, Any]) -> None:
    """Write a table of `pool_peaks` as Parquet, whole or not at all, with peaks counted by TF and experiment."""
    counts = pooled.groupby(["tf", "experiment"], observed=True).size()
    factors: dict[str, dict[str, int]] = {}
    for (tf, experiment), n in counts.items():
        factors.setdefault(tf, {})[experiment] = int(n)
    known = dict(provenance) | {"digest": _digest(pooled)}
    metadata = {"status": "ok", "reason": "", "factors": factors, "provenance": known}
    table = pa.Table.from_pandas(pooled, schema=SCHEMA, preserve_index=False)
    table = table.replace_schema_metadata({METADATA_KEY: json.dumps(metadata, sort_keys=True)})
    with atomic_path(path) as part:
        pq.write_table(table, part, compression="zstd")


def _digest(pooled: pd.DataFrame) -> str:
    """Digest of the rows, by their bytes: they are millions."""
    parts = {}
    for name in SCHEMA.names:
        column = pooled[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            parts[f"{name}s"] = column.cat.categories.tolist()
            column = column.cat.codes.astype(np.int32)
        parts[name] = hashlib.sha256(column.to_numpy().tobytes()).hexdigest()
    return digest(parts)


@dataclass(frozen=True)
class Universe:
    """A universe on disk of which only the description was read.

    `factors` is TF to experiment to number of peaks, without experiments that have none and those of `left_out`.
    """

    path: Path
    factors: Mapping[str, Mapping[str, int]]
    provenance: Mapping[str, Any]
    left_out: frozenset[str] = frozenset()

    @classmethod
    def open(cls, path: Path) -> "Universe":
        """Read the description.

        Raises
        ------
        InputError : the file is not a universe.
        """
        try:
            schema = pq.read_schema(path)
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(f"{path}: not a readable Parquet file ({error}); make it with bindgram universe") from None
        metadata = (schema.metadata or {}).get(METADATA_KEY.encode())
        if metadata is None or not schema.equals(SCHEMA):
            raise InputError(f"{path}: not a bindgram universe; columns are {', '.join(SCHEMA.names)}")
        known = json.loads(metadata)
        return cls(Path(path), known["factors"], known["provenance"])

    def without(self, experiments: Iterable[str]) -> "Universe":
        """The universe without some experiments, such as those held out of training; others are not missed."""
        gone = frozenset(experiments)
        factors = {
            tf: kept
            for tf, members in self.factors.items()
            if (kept := {name: n for name, n in members.items() if name not in gone})
        }
        return replace(self, factors=factors, left_out=gone)

    def why_too_small(self, tf: str) -> str:
        """Why a TF has too few other factors here; "" where it has enough."""
        others = sorted(set(self.factors) - {tf})
        if len(others) >= MIN_FACTORS:
            return ""
        named = f" ({', '.join(others)})" if others else ""
        return f"the universe has {len(others)} other factors with peaks in this biosample{named}; {MIN_FACTORS} needed"

    def peaks(self) -> pd.DataFrame:
        """All rows: ``tf, chrom, summit, start, end``, names as categories."""
        columns = ["tf", "chrom", "summit", "start", "end"]
        if not self.left_out:
            return pq.read_table(self.path, columns=columns).to_pandas()
        rows = pq.read_table(self.path, columns=["experiment", *columns]).to_pandas()
        return rows.loc[~rows["experiment"].isin(list(self.left_out)), columns].reset_index(drop=True)
