"""Filters of examples, each with one reason that is counted, so that rows in = rows out + reasons.

A filter looks at a frame with the columns ``chrom, start, end, split, sequence`` (`split` is "" for a window that is
not wholly inside one block) and, for windows of peaks, ``example_id, peak_start, peak_end`` (bp of the peak as called),
``strength`` (NaN where the file has none), ``support`` and ``n_repeat`` (bases in repeats). It never sees labels. The
same filters serve positives and negatives. Rows without coordinates have neither place nor peak: see `applicable`.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bindgram.data.examples import canonical_sequences
from bindgram.errors import InputError
from bindgram.genome.regions import overlaps
from bindgram.provenance import write_text
from bindgram.settings.filters import FilterSetting, check_filters
from bindgram.settings.splits import SPLITS

Counts = list[tuple[str, int]]
_KEEP_FIRST = {"test": 0, "valid": 1, "train": 2}  # of duplicates: a test set never shrinks because of training data
_UNSEEN = ("label", "kind", "parent_id")  # columns that no filter may look at
_CHROM_STRIDE = np.int64(1) << 40  # bp, longer than any chromosome


@dataclass(frozen=True)
class FilterContext:
    """What filters need beyond the rows.

    `blacklist` is a frame ``chrom, start, end`` or None; `known` holds canonical sequences that are taken already
    (`canonical_sequences` of the positives, say), so that rows equal to one of them are duplicates.
    """

    blacklist: pd.DataFrame | None = None
    known: Collection[str] = frozenset()


# A filter takes (frame, value, context) and returns the rows that stay, in their order and with their index.
Filter = Callable[[pd.DataFrame, Any, FilterContext], pd.DataFrame]


def inside_split(frame: pd.DataFrame, value: None, context: FilterContext) -> pd.DataFrame:
    """Rows that are wholly inside one block of the split."""
    return frame[frame["split"].isin(SPLITS).to_numpy(bool)]


def off_blacklist(frame: pd.DataFrame, value: None, context: FilterContext) -> pd.DataFrame:
    """Rows that share no base with the blacklist."""
    return frame if context.blacklist is None else frame[~overlaps(frame, context.blacklist)]


def few_ambiguous(frame: pd.DataFrame, largest: float, context: FilterContext) -> pd.DataFrame:
    """Rows of whose bases at most the fraction `largest` is anything but A, C, G, T."""
    texts = frame["sequence"].astype("str").str
    # A quotient rounds as the number that was configured did; a product with the length would not.
    return frame[(texts.count("[^ACGT]") / texts.len() <= largest).to_numpy(bool)]


def few_repeats(frame: pd.DataFrame, largest: float, context: FilterContext) -> pd.DataFrame:
    """Rows of whose bases at most the fraction `largest` lies in repeats."""
    return frame[(frame["n_repeat"] / (frame["end"] - frame["start"]) <= largest).to_numpy(bool)]


def first_of_equals(frame: pd.DataFrame, value: None, context: FilterContext) -> pd.DataFrame:
    """Rows that are not `duplicated`."""
    return frame[~duplicated(frame, context)]


def duplicated(frame: pd.DataFrame, context: FilterContext) -> np.ndarray:
    """Rows whose sequence or reverse complement is `known` or was seen before: (N,) bool.

    Of equal rows one stays: that of test before valid before train, then the first in file order.
    """
    canonical = canonical_sequences(frame["sequence"])
    order = np.argsort(frame["split"].map(_KEEP_FIRST).fillna(len(_KEEP_FIRST)).to_numpy(), kind="stable")
    repeated = np.zeros(len(frame), bool)
    repeated[order] = canonical.iloc[order].duplicated().to_numpy()
    if not context.known:
        return repeated
    # A set of Python texts is asked one by one: `isin` would first copy all of it.
    known = (text in context.known for text in canonical.to_numpy(object))
    return repeated | np.fromiter(known, bool, len(canonical))


def peaks_of_width(frame: pd.DataFrame, bounds: tuple[int, int], context: FilterContext) -> pd.DataFrame:
    """Rows whose peak, as called or merged, has a width within `bounds` (bp, both included)."""
    return frame[(frame["peak_end"] - frame["peak_start"]).between(*bounds).to_numpy(bool)]


def on_chromosomes(frame: pd.DataFrame, chroms: Collection[str], context: FilterContext) -> pd.DataFrame:
    """Rows on the chromosomes named."""
    return frame[frame["chrom"].isin(list(chroms)).to_numpy(bool)]


def supported(frame: pd.DataFrame, least: int, context: FilterContext) -> pd.DataFrame:
    """Rows whose peak has a support of `least` or more."""
    return frame[(frame["support"] >= least).to_numpy(bool)]


def strong(frame: pd.DataFrame, least: float, context: FilterContext) -> pd.DataFrame:
    """Rows whose peak has a strength of `least` or more; a peak without strength has less."""
    return frame[(frame["strength"] >= least).to_numpy(bool)]


def without_overlaps(frame: pd.DataFrame, mode: str, context: FilterContext) -> pd.DataFrame:
    """Rows without the overlaps between them: `strongest_windows` or `merged_peaks`."""
    return {"keep_strongest": strongest_windows, "merge": merged_peaks}[mode](frame)


def strongest_windows(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows that overlap no stronger row that stays: the strongest stays, what it overlaps goes, then the next one.

    Windows have one width, so that of those which stay at most one starts in each stretch of that width: a row needs to
    look at three stretches only. Ranks: `rank_by_strength`.
    """
    width = int((frame["end"] - frame["start"]).iloc[0]) if len(frame) else 1
    starts = _on_one_axis(frame["chrom"], frame["start"])
    assert (frame["end"] - frame["start"] == width).all()
    order = np.argsort(starts, kind="stable")
    close = np.diff(starts[order]) < width
    crowded = order[np.append(close, False) | np.append(False, close)] if len(frame) else order
    stays = np.ones(len(frame), bool)
    taken: dict[int, int] = {}  # start of the row that stays, by its stretch
    for row in crowded[rank_by_strength(frame.iloc[crowded])].tolist():
        start = int(starts[row])
        stretch = start // width
        if any(abs(taken.get(near, -width) - start) < width for near in (stretch - 1, stretch, stretch + 1)):
            stays[row] = False
        else:
            taken[stretch] = start
    return frame[stays]


def merged_peaks(frame: pd.DataFrame) -> pd.DataFrame:
    """One row for each chain of peaks that overlap by 1 bp or more: the strongest of them.

    It keeps its own window and takes the sum of their `support` and the stretch that they cover as its peak.
    """
    starts, ends = (_on_one_axis(frame["chrom"], frame[column]) for column in ("peak_start", "peak_end"))
    order = np.argsort(starts, kind="stable")
    reach = np.maximum.accumulate(ends[order])
    chain = np.empty(len(frame), np.int64)
    chain[order] = np.cumsum(np.append(False, starts[order][1:] >= reach[:-1])[: len(frame)])
    joined = (np.bincount(chain) > 1)[chain] if len(frame) else np.zeros(0, bool)
    several = frame[joined].assign(chain=chain[joined])
    stays = ~joined
    ranked = rank_by_strength(several)
    strongest = ranked[~several["chain"].iloc[ranked].duplicated().to_numpy()]
    stays[np.flatnonzero(joined)[strongest]] = True
    of_chain = several.groupby("chain").agg({"peak_start": "min", "peak_end": "max", "support": "sum"})
    merged = frame[stays].copy()
    several = several.iloc[strongest]
    merged.loc[several.index, list(of_chain)] = of_chain.loc[several["chain"]].to_numpy()
    return merged


def rank_by_strength(frame: pd.DataFrame) -> np.ndarray:
    """Positions of the rows from the strongest to the weakest: (N,) int.

    Equal strengths are ordered by a hash of the id, so that ties favour no chromosome; rows without strength come last.
    """
    tie = [hashlib.sha256(name.encode()).digest() for name in frame["example_id"]]
    ranked = pd.DataFrame({"strength": frame["strength"].to_numpy(np.float64), "tie": tie})
    return ranked.sort_values(["strength", "tie"], ascending=[False, True], kind="stable").index.to_numpy()


def _on_one_axis(chroms: pd.Series, positions: pd.Series) -> np.ndarray:
    """Positions with the chromosomes one after another: (N,) int64."""
    return pd.factorize(chroms)[0].astype(np.int64) * _CHROM_STRIDE + positions.to_numpy(np.int64)


FILTERS: dict[str, Filter] = {
    "split": inside_split,
    "blacklist": off_blacklist,
    "n_fraction": few_ambiguous,
    "soft_masked": few_repeats,
    "duplicate": first_of_equals,
    "peak_width": peaks_of_width,
    "chromosomes": on_chromosomes,
    "overlap": without_overlaps,
    "support": supported,
    "strength": strong,
}
OF_ANY_ROW = ("split", "n_fraction", "duplicate")  # the other filters look at places or peaks
REASONS: dict[str, str] = {
    "split": "outside_split",
    "blacklist": "blacklist",
    "n_fraction": "n_fraction",
    "soft_masked": "soft_masked",
    "duplicate": "duplicate",
    "peak_width": "peak_width",
    "chromosomes": "other_chromosome",
    "overlap": "overlaps_stronger",
    "support": "low_support",
    "strength": "low_strength",
}
MERGED = "merged_into_stronger"  # instead of REASONS["overlap"] where overlaps are merged


def reason_of(setting: FilterSetting) -> str:
    """The reason under which a filter counts what it removes."""
    return MERGED if setting == FilterSetting("overlap", "merge") else REASONS[setting.name]


def applicable(filters: Sequence[FilterSetting], *, placed: bool) -> tuple[FilterSetting, ...]:
    """The filters that can look at rows with coordinates (`placed`), or at rows without."""
    return tuple(setting for setting in filters if placed or setting.name in OF_ANY_ROW)


def apply_filters(
    frame: pd.DataFrame, filters: Sequence[FilterSetting], context: FilterContext
) -> tuple[pd.DataFrame, Counts]:
    """Apply filters, each of them `applicable` to these rows, in the order given.

    Returns
    -------
    The rows that pass all, in their order and with their index, and ``(reason, n)`` of each filter, zeros included. A
    row counts for the first filter that it fails.

    Raises
    ------
    InputError : a filter is given twice.
    """
    try:
        filters = check_filters(filters)
    except ValueError as error:
        raise InputError(f"filters: {error}") from None
    assert frame.index.is_unique
    assert frame["chrom"].notna().all() or applicable(filters, placed=False) == filters
    unseen = frame[[column for column in _UNSEEN if column in frame]]
    kept, counts = frame.drop(columns=list(unseen)), []
    for setting in filters:
        n_before = len(kept)
        kept = FILTERS[setting.name](kept, setting.value, context)
        counts.append((reason_of(setting), n_before - len(kept)))
    kept = kept.join(unseen)[list(frame)]
    assert len(frame) == len(kept) + sum(n for _, n in counts)
    return kept, counts


def check_sum(counts: Mapping[str, int]) -> None:
    """Assert that rows in = rows kept + rows of all reasons, for the filter table of positives."""
    reasons = [n for name, n in counts.items() if name != "n_input" and not name.startswith("n_kept")]
    splits = sum(counts[f"n_kept_{split}"] for split in SPLITS)
    assert counts["n_input"] == counts["n_kept"] + sum(reasons), counts
    assert splits <= counts["n_kept"], counts


def kept_counts(frame: pd.DataFrame) -> Counts:
    """The rows ``n_kept, n_kept_train, n_kept_valid, n_kept_test`` that end a filter table."""
    return [("n_kept", len(frame)), *((f"n_kept_{split}", int((frame["split"] == split).sum())) for split in SPLITS)]


def write_filter_table(path: Path, rows: Iterable[Sequence[object]], columns: Sequence[str] = ("reason", "n")) -> None:
    """Write counts per reason as TSV with a header line, whole or not at all."""
    lines = [columns, *rows]
    assert all(len(line) == len(columns) for line in lines)
    write_text(path, "".join("\t".join(str(cell) for cell in line) + "\n" for line in lines))


def read_filter_table(path: Path) -> pd.DataFrame:
    """Read counts per reason.

    Raises
    ------
    InputError : not a table with the columns ``reason`` and ``n``.
    """
    try:
        frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        return frame.assign(n=frame["n"].astype(int), reason=frame["reason"])
    except (KeyError, ValueError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{path}: not a table of counts with columns reason and n ({error}); make it again") from None
