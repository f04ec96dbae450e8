"""Genomic windows that match positives: tiles of the genome with the same GC, repeat and N content.

Tiles never overlap, so windows drawn without replacement never do. What a window and its positive have in common is a
*joint bin*: equal bins of the GC fraction, of the fraction in repeats, and of the fraction of ambiguous bases, where
none at all is a bin of its own. Nothing here opens a file or knows what a label is.
"""

from dataclasses import dataclass

import numpy as np

AMBIGUOUS_BINS = 10  # of the fraction of ambiguous bases, where there are any
_TILES_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Bins:
    """Joint bins of windows of `width` bp: `gc` and `repeats` are numbers of equal bins."""

    width: int
    gc: int
    repeats: int

    def __len__(self) -> int:
        """Number of joint bins."""
        return self.gc * self.repeats * (AMBIGUOUS_BINS + 1)

    def of(self, n_gc: np.ndarray, n_repeat: np.ndarray, n_ambiguous: np.ndarray) -> np.ndarray:
        """Joint bin of each window from its counts of bp: (N,) of the smallest unsigned type that has `len` as well.

        That number, of no bin, stands where a window has no A, C, G, T. A fraction of 1 falls into the last bin.
        """
        bins = np.empty(len(n_gc), np.min_scalar_type(len(self)))
        for begin in range(0, len(bins), _TILES_AT_ONCE):
            piece = slice(begin, begin + _TILES_AT_ONCE)
            gc, repeat, ambiguous = (
                np.asarray(counts[piece]).astype(np.int64) for counts in (n_gc, n_repeat, n_ambiguous)
            )
            known = np.maximum(self.width - ambiguous, 1)
            gc_bin = np.minimum(gc * self.gc // known, self.gc - 1)
            repeat_bin = np.minimum(repeat * self.repeats // self.width, self.repeats - 1)
            # none: 0; 1 bp to a tenth: 1; ...
            ambiguous_bin = -(-ambiguous * AMBIGUOUS_BINS // self.width)
            joint = (ambiguous_bin * self.repeats + repeat_bin) * self.gc + gc_bin
            bins[piece] = np.where(ambiguous < self.width, joint, len(self))
        return bins

    def beside(self, bins: np.ndarray, kind: str, step: int) -> np.ndarray:
        """The bin `step` bins of ``gc`` or ``repeats`` further; -1 where there is none."""
        stride, n = (1, self.gc) if kind == "gc" else (self.gc, self.repeats)
        place = bins // stride % n + step
        return np.where((place >= 0) & (place < n), bins + step * stride, -1)


def match_tiles(
    wanted_bins: np.ndarray, n_wanted: np.ndarray, tile_bins: np.ndarray, bins: Bins, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Choose tiles whose joint bin is that of a positive, without replacement, uniformly within each bin.

    Every positive gets its first tile before any gets its second. Where a bin is used up, the neighbouring bins of GC
    serve, in random order, then those of repeats.

    Parameters
    ----------
    wanted_bins : (N,) joint bin of each positive, none of them without A, C, G, T.
    n_wanted : (N,) tiles wanted for each.
    tile_bins : (M,) joint bin of each tile that may be drawn.

    Returns
    -------
    Row of the positive and row of the tile: two (K,) arrays, ordered by positive and tile; K <= ``n_wanted.sum()``.
    """
    supply = np.bincount(tile_bins, minlength=len(bins) + 1)
    parents, served = _allocate(wanted_bins.astype(np.int64), n_wanted, supply, bins, rng)
    order = np.argsort(tile_bins, kind="stable")  # 16-bit bins: a radix sort
    firsts = np.cumsum(supply) - supply
    tiles = np.empty(len(parents), np.int64)
    by_bin = np.argsort(served, kind="stable")
    for rows in np.split(by_bin, np.flatnonzero(np.diff(served[by_bin])) + 1):
        if len(rows):
            drawn = served[rows[0]]
            tiles[rows] = order[firsts[drawn] + rng.choice(supply[drawn], len(rows), replace=False)]
    sorted_rows = np.lexsort((tiles, parents))
    return parents[sorted_rows], tiles[sorted_rows]


def _allocate(
    wanted_bins: np.ndarray, n_wanted: np.ndarray, supply: np.ndarray, bins: Bins, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Give out the `supply` of each bin: positive, and bin that serves it, of every tile that can be had."""
    left = supply.copy()
    parents, served = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for turn in range(int(n_wanted.max(initial=0))):
        asking = rng.permutation(np.flatnonzero(n_wanted > turn))
        steps = [(kind, step) for kind in ("gc", "repeats") for step in rng.permutation([-1, 1])]
        for kind, step in [("gc", 0), *steps]:
            target = bins.beside(wanted_bins[asking], kind, step)
            fits = (target >= 0) & (_rank(target) < left[target])
            parents.append(asking[fits])
            served.append(target[fits])
            left -= np.bincount(target[fits], minlength=len(left))
            asking = asking[~fits]
    return np.concatenate(parents), np.concatenate(served)


def _rank(values: np.ndarray) -> np.ndarray:
    """How many earlier ones each value equals: (N,)."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(values) else values
    rank = np.empty(len(values), np.int64)
    rank[order] = np.arange(len(values)) - np.repeat(first, np.diff(np.append(first, len(values))))
    return rank
