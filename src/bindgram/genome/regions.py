"""Genomic regions: read BED files and do interval arithmetic.

A *region* is a row ``chrom, start, end`` in bp, 0-based and half-open, as in BED. Nothing here opens a FASTA or knows
what a label is.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from bindgram.errors import InputError
from bindgram.genome.text import parse_region, region_lines

REGION_COLUMNS = ("chrom", "start", "end")
_CHROM_STRIDE = np.int64(1) << 40  # longer than any chromosome: keys of two chromosomes never meet


def read_bed3(path: Path) -> pd.DataFrame:
    """Read the first three columns of a BED file (gzip or not) as a frame ``chrom, start, end`` in file order.

    Raises
    ------
    InputError : a line that is no region, with file and line number. An empty file gives an empty frame.
    """
    return make_regions([parse_region(path, number, cells) for number, cells in region_lines(path)])


def read_blacklist(path: Path, chrom_sizes: Mapping[str, int]) -> pd.DataFrame:
    """Read a BED file of regions to keep off, as `read_bed3`, without those on chromosomes that are not there.

    Raises
    ------
    InputError : see `read_bed3`; or it has regions, none of them on any chromosome: it would keep off nothing.
    """
    regions = read_bed3(path)
    known = regions[regions["chrom"].isin(list(chrom_sizes))]
    if len(regions) and known.empty:
        raise InputError(
            f"{path}: no region of the blacklist lies on a chromosome of the assembly, one is on "
            f"{regions['chrom'].min()}; it has {', '.join(list(chrom_sizes)[:5])}, ..."
        )
    return known


def make_regions(rows: list[tuple[str, int, int]]) -> pd.DataFrame:
    """Put ``(chrom, start, end)`` tuples into a frame with whole-number coordinates, also when there are none."""
    chroms, starts, ends = zip(*rows, strict=True) if rows else ((), (), ())
    return pd.DataFrame(
        {"chrom": pd.Series(chroms, dtype="str"), "start": np.array(starts, np.int64), "end": np.array(ends, np.int64)}
    )


def overlaps(regions: pd.DataFrame, others: pd.DataFrame) -> np.ndarray:
    """Tell for each of N regions whether it shares 1 bp or more with any of `others`: (N,) bool."""
    (starts, ends), (other_starts, other_ends), _ = _keys(regions, others)
    other_starts, other_ends = _merged(other_starts, other_ends)
    first = np.searchsorted(other_ends, starts, side="right")
    return np.append(other_starts, np.iinfo(np.int64).max)[first] < ends


def merge(regions: pd.DataFrame) -> pd.DataFrame:
    """Unite overlapping and touching regions; the result is sorted by chrom (as text) and start."""
    (starts, ends), _, names = _keys(regions, regions.iloc[:0])
    return _frame(*_merged(starts, ends), names)


def subtract(regions: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Return the pieces of each region that no other covers, in the order of `regions`, each from left to right."""
    return pieces(regions, others).drop(columns="row")


def pieces(regions: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """As `subtract`, with the column ``row``: the number of the region (from 0) that each piece is of."""
    (starts, ends), (other_starts, other_ends), names = _keys(regions, others)
    other_starts, other_ends = _merged(other_starts, other_ends)
    first = np.searchsorted(other_ends, starts, side="right")
    n_holes = np.searchsorted(other_starts, ends, side="left") - first
    row = np.repeat(np.arange(len(regions)), n_holes + 1)
    piece = np.arange(len(row)) - np.repeat(np.cumsum(n_holes + 1) - (n_holes + 1), n_holes + 1)
    hole = first[row] + piece
    padded_starts, padded_ends = np.append(other_starts, 0), np.append(other_ends, 0)
    left = np.where(piece == 0, starts[row], padded_ends[hole - 1])
    right = np.where(piece == n_holes[row], ends[row], padded_starts[np.minimum(hole, len(other_starts))])
    kept = left < right
    return _frame(left[kept], right[kept], names).assign(row=row[kept])


def extend(regions: pd.DataFrame, flank: int, chrom_sizes: Mapping[str, int]) -> pd.DataFrame:
    """Lengthen every region by `flank` bp on both sides, cut off at the chromosome ends; other columns are kept.

    Raises
    ------
    InputError : a region on a chromosome that the assembly does not have.
    """
    assert flank >= 0
    lengths = regions["chrom"].map(dict(chrom_sizes))
    if lengths.isna().any():
        unknown = sorted(set(regions["chrom"][lengths.isna()]))
        raise InputError(
            f"region on unknown chromosome {unknown[0]!r} ({len(unknown)} such name(s)); "
            f"the assembly has {', '.join(list(chrom_sizes)[:5])}, ..."
        )
    starts = np.maximum(regions["start"].to_numpy(np.int64) - flank, 0)
    ends = np.minimum(regions["end"].to_numpy(np.int64) + flank, lengths.to_numpy(np.int64))
    return regions.assign(start=starts, end=ends)


def draw_regions(regions: pd.DataFrame, n_wanted: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw at most `n_wanted` of the rows without replacement; they keep their order."""
    if len(regions) <= n_wanted:
        return regions
    return regions.iloc[np.sort(rng.choice(len(regions), n_wanted, replace=False))]


def bed_text(regions: pd.DataFrame) -> str:
    """Lines of a BED file with three columns."""
    return regions.loc[:, list(REGION_COLUMNS)].to_csv(sep="\t", header=False, index=False, lineterminator="\n")


@dataclass(frozen=True)
class PairOverlaps:
    """Overlap of each two of N tables of regions, each table merged first.

    Attributes
    ----------
    n_regions : (N,) merged regions of a table.
    n_shared : (N, N) merged regions of the first table that share 1 bp or more with the second.
    bp_shared : (N, N) bp that both cover; on the diagonal the bp that a table covers.
    union : merged regions of all tables together, as `merge` gives them.
    """

    n_regions: np.ndarray
    n_shared: np.ndarray
    bp_shared: np.ndarray
    union: pd.DataFrame

    @property
    def jaccard(self) -> np.ndarray:
        """(N, N) bp that both cover over bp that one or both cover; 0 where neither covers any."""
        covered = np.diag(self.bp_shared)
        return self.bp_shared / np.maximum(covered[:, None] + covered - self.bp_shared, 1)


def pair_overlaps(tables: Iterable[pd.DataFrame]) -> PairOverlaps:
    """Measure the overlap of every table of regions with every other.

    The regions of all tables are sorted once. The pass looks from each region ahead to those that begin before it ends:
    work grows with the number of overlapping regions, not with that of pairs of tables.
    """
    number_of: dict[str, int] = {}  # of each chromosome
    spans = [_merged(*_numbered(table, number_of)) for table in tables]
    n = len(spans)
    n_regions = np.array([len(starts) for starts, _ in spans], np.int64)
    covered = np.array([(ends - starts).sum() for starts, ends in spans], np.int64)
    starts, ends = (np.concatenate([np.zeros(0, np.int64), *column]) for column in zip(*spans, strict=True))
    order = np.argsort(starts)
    starts, ends, owners = starts[order], ends[order], np.repeat(np.arange(n, dtype=np.int32), n_regions)[order]
    n_shared, bp_shared = np.zeros((n, n), np.int64), np.zeros((n, n), np.int64)
    _compiled_count_pairs()(starts, ends, owners, n_shared, bp_shared)
    bp_shared += bp_shared.T
    np.fill_diagonal(n_shared, n_regions)
    np.fill_diagonal(bp_shared, covered)
    union = _frame(*_merged(starts, ends), np.array(list(number_of), dtype=object))
    return PairOverlaps(n_regions, n_shared, bp_shared, union.sort_values(["chrom", "start"], ignore_index=True))


def _numbered(table: pd.DataFrame, number_of: dict[str, int]) -> "Span":
    """Spans of a table on an axis on which a chromosome has its place by `number_of`, which new ones are added to."""
    codes, names = pd.factorize(table["chrom"])
    numbers = np.array([number_of.setdefault(name, len(number_of)) for name in names], np.int64)
    shift = numbers[codes] * _CHROM_STRIDE
    return table["start"].to_numpy(np.int64) + shift, table["end"].to_numpy(np.int64) + shift


@cache
def _compiled_count_pairs() -> Callable[..., None]:
    import numba  # takes longer to import than most commands to run

    return numba.njit(_count_pairs)


def _count_pairs(
    starts: np.ndarray, ends: np.ndarray, owners: np.ndarray, n_shared: np.ndarray, bp_shared: np.ndarray
) -> None:
    """Add up the overlaps of regions that are sorted by start; those of one owner are disjoint. Compiled."""
    reach = np.full(len(n_shared), -1, np.int64)  # end of the last region of each owner so far
    counted_for = np.full(len(n_shared), -1, np.int64)
    for i in range(len(starts)):
        a = owners[i]
        j = i + 1
        while j < len(starts) and starts[j] < ends[i]:
            b = owners[j]
            bp_shared[a, b] += min(ends[i], ends[j]) - starts[j]
            n_shared[b, a] += 1  # of the regions of `a`, only `i` covers the start of `j`
            if reach[b] <= starts[i] and counted_for[b] != i:  # else counted when that earlier region of `b` was `i`
                n_shared[a, b] += 1
                counted_for[b] = i
            j += 1
        reach[a] = ends[i]


Span = tuple[np.ndarray, np.ndarray]


def _keys(regions: pd.DataFrame, others: pd.DataFrame) -> tuple[Span, Span, np.ndarray]:
    """Put both tables on one axis, chromosome after chromosome; return spans and the names in axis order."""
    chroms = np.concatenate([regions["chrom"].to_numpy(object), others["chrom"].to_numpy(object)])
    codes, names = pd.factorize(chroms, sort=True)
    shift = codes.astype(np.int64) * _CHROM_STRIDE
    n = len(regions)
    spans = [
        (frame["start"].to_numpy(np.int64) + offset, frame["end"].to_numpy(np.int64) + offset)
        for frame, offset in ((regions, shift[:n]), (others, shift[n:]))
    ]
    return spans[0], spans[1], names


def _merged(starts: np.ndarray, ends: np.ndarray) -> Span:
    if not len(starts):
        return starts, ends
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], ends[order]
    reach = np.maximum.accumulate(ends)
    first = np.append(True, starts[1:] > reach[:-1])
    last = np.append(first[1:], True)
    return starts[first], reach[last]


def _frame(starts: np.ndarray, ends: np.ndarray, names: np.ndarray) -> pd.DataFrame:
    chroms = np.asarray(names, dtype=object)[starts // _CHROM_STRIDE] if len(starts) else []
    return pd.DataFrame(
        {"chrom": pd.Series(chroms, dtype="str"), "start": starts % _CHROM_STRIDE, "end": ends % _CHROM_STRIDE}
    )
