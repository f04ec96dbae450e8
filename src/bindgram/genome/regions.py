"""Genomic regions: read BED files and do interval arithmetic.

A *region* is a row ``chrom, start, end`` in bp, 0-based and half-open, as in BED. Nothing here opens a FASTA or knows
what a label is.
"""

from collections.abc import Mapping
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
    return _frame(left[kept], right[kept], names)


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
