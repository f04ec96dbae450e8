"""Filters of examples, each with one reason that is counted, so that rows in = rows out + reasons.

A filter looks at a frame with the columns ``chrom, start, end, split, sequence`` (`split` is "" for a window that is
not wholly inside one block) and tells which rows go. The same filters serve positives and negatives.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bindgram.data.examples import canonical_sequences
from bindgram.errors import InputError
from bindgram.genome.regions import overlaps
from bindgram.provenance import write_text
from bindgram.settings.splits import SPLITS

Counts = list[tuple[str, int]]
_KEEP_FIRST = {"test": 0, "valid": 1, "train": 2}  # of duplicates: a test set never shrinks because of training data


@dataclass(frozen=True)
class FilterContext:
    """What filters need beyond the rows.

    `blacklist` is a frame ``chrom, start, end`` or None; `known` holds canonical sequences that are taken already
    (`canonical_sequences` of the positives, say), so that rows equal to one of them are duplicates.
    """

    blacklist: pd.DataFrame | None = None
    known: Collection[str] = frozenset()


Filter = Callable[[pd.DataFrame, FilterContext], np.ndarray]


def outside_split(frame: pd.DataFrame, context: FilterContext) -> np.ndarray:
    """Rows that are not wholly inside one block of the split: (N,) bool."""
    return ~frame["split"].isin(SPLITS).to_numpy(bool)


def blacklisted(frame: pd.DataFrame, context: FilterContext) -> np.ndarray:
    """Rows that share 1 bp or more with the blacklist: (N,) bool. Rows without coordinates never do."""
    touched = np.zeros(len(frame), bool)
    if context.blacklist is not None:
        placed = frame["chrom"].notna().to_numpy(bool)
        touched[placed] = overlaps(frame[placed], context.blacklist)
    return touched


def ambiguous(frame: pd.DataFrame, context: FilterContext) -> np.ndarray:
    """Rows whose sequence has anything but A, C, G, T: (N,) bool."""
    return frame["sequence"].str.contains("[^ACGT]", regex=True).to_numpy(bool)


def duplicated(frame: pd.DataFrame, context: FilterContext) -> np.ndarray:
    """Rows whose sequence or reverse complement is `known` or was seen before: (N,) bool.

    Of equal rows one stays: that of test before valid before train, then the first in file order.
    """
    canonical = canonical_sequences(frame["sequence"])
    order = np.argsort(frame["split"].map(_KEEP_FIRST).fillna(len(_KEEP_FIRST)).to_numpy(), kind="stable")
    repeated = np.zeros(len(frame), bool)
    repeated[order] = canonical.iloc[order].duplicated().to_numpy()
    return repeated | canonical.isin(context.known).to_numpy()


FILTERS: dict[str, Filter] = {
    "split": outside_split,
    "blacklist": blacklisted,
    "ambiguous": ambiguous,
    "duplicate": duplicated,
}
REASONS = {"split": "outside_split", "blacklist": "blacklist", "ambiguous": "ambiguous", "duplicate": "duplicate"}


def apply_filters(frame: pd.DataFrame, names: Sequence[str], context: FilterContext) -> tuple[pd.DataFrame, Counts]:
    """Apply filters in the order given.

    Returns
    -------
    The rows that pass all, in their order and with their index, and ``(reason, n)`` of each filter, zeros included.
    A row counts for the first filter that it fails.

    Raises
    ------
    InputError : an unknown name, or one given twice.
    """
    unknown = [name for name in names if name not in FILTERS]
    if unknown or len(set(names)) < len(names):
        raise InputError(
            f"filters: {', '.join(names)}: each is one of {', '.join(FILTERS)} and given once"
            + (f" (unknown: {', '.join(unknown)})" if unknown else "")
        )
    counts = []
    for name in names:
        goes = FILTERS[name](frame, context)
        counts.append((REASONS[name], int(goes.sum())))
        frame = frame[~goes]
    return frame, counts


def kept_counts(frame: pd.DataFrame) -> Counts:
    """The rows ``n_kept, n_kept_train, n_kept_valid, n_kept_test`` that end a filter table."""
    return [("n_kept", len(frame)), *((f"n_kept_{split}", int((frame["split"] == split).sum())) for split in SPLITS)]


def write_filter_table(path: Path, rows: Iterable[Sequence[object]], columns: Sequence[str] = ("reason", "n")) -> None:
    """Write counts per reason as TSV with a header line, whole or not at all."""
    lines = [columns, *rows]
    assert all(len(line) == len(columns) for line in lines)
    write_text(path, "".join("\t".join(str(cell) for cell in line) + "\n" for line in lines))
