"""Windows for negatives at given places: around candidates (peaks of others, open chromatin) and beside positives.

All windows have the width of the positives and lie wholly inside one block of their split. They overlap no forbidden
region and not each other, and hold no ambiguous base and no sequence of another example. Only sequences of windows that
would be taken are read.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bindgram.data.examples import canonical_sequences
from bindgram.data.filters import Counts
from bindgram.data.splits import Split
from bindgram.genome.fasta import Genome
from bindgram.genome.regions import REGION_COLUMNS, merge, overlaps, pieces
from bindgram.sequence.dna import encode, strings_of

_CHROM_STRIDE = np.int64(1) << 40  # longer than any chromosome: keys of two chromosomes never meet
_MAX_ROUNDS = 100


class Sequences:
    """Sequences of windows of one width, and which of them are still new."""

    def __init__(self, genome: Genome, width: int, avoid: set[str]) -> None:
        self._genome, self._width, self._avoid = genome, width, set(avoid)

    def take(self, windows: pd.DataFrame) -> pd.DataFrame:
        """Read N windows and keep those that are new, with their `sequence`.

        New is a window without ambiguous bases whose sequence, on either strand, was neither to be avoided nor taken.
        """
        chroms, starts = windows["chrom"].to_numpy(object), windows["start"].to_numpy()
        texts = pd.Series(strings_of(encode(self._genome.windows(chroms, starts, self._width))), dtype="str")
        canonical = canonical_sequences(texts)
        known = canonical.isin(self._avoid) | canonical.duplicated() | texts.str.contains("N", regex=False)
        self._avoid.update(canonical[~known])
        return windows.assign(sequence=texts.to_numpy())[~known.to_numpy(bool)]


def around(
    centres: pd.DataFrame,
    n_wanted: int,
    width: int,
    split: str,
    regions: pd.DataFrame,
    forbidden: Mapping[str, pd.DataFrame],
    sequences: Sequences,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, Counts]:
    """Draw windows around candidates, without replacement.

    Candidates that crowd in one place count once: first a random set of windows that do not overlap is chosen among
    all that are free, then `n_wanted` of these are drawn.

    Parameters
    ----------
    centres : ``chrom, position`` (bp) of the candidates.
    width : of the windows, bp.
    regions : blocks ``chrom, start, end, split``.
    forbidden : regions that no window may overlap, by the reason under which they count, in this order.

    Returns
    -------
    Frame ``chrom, start, end, sequence`` of at most `n_wanted` windows in random order; and ``n_candidates`` in the
    blocks of `split` with what became of those that were not drawn, ``candidate_<reason>``.
    """
    # A universe has millions of them, and names as categories: most lie on chromosomes of other splits.
    centres = centres[centres["chrom"].isin(regions.loc[regions["split"] == split, "chrom"].unique())]
    starts = centres["position"].to_numpy() - width // 2
    windows = pd.DataFrame({"chrom": centres["chrom"].to_numpy(object), "start": starts, "end": starts + width})
    windows = windows[Split(regions).assign(*(windows[name].to_numpy() for name in REGION_COLUMNS)) == split]
    counts = [("n_candidates", len(windows))]
    for reason, kept_free in forbidden.items():
        touched = overlaps(windows, kept_free)
        counts.append((f"candidate_{reason}", int(touched.sum())))
        windows = windows[~touched]
    apart = stand_apart(windows["chrom"].to_numpy(), windows["start"].to_numpy(), width, rng)
    counts.append(("candidate_overlap", int((~apart).sum())))
    windows = windows[apart].iloc[rng.permutation(int(apart.sum()))]
    drawn, n_seen = [], 0
    while (n_missing := n_wanted - sum(map(len, drawn))) > 0 and n_seen < len(windows):
        drawn.append(sequences.take(windows.iloc[n_seen : n_seen + n_missing]))
        n_seen = min(n_seen + n_missing, len(windows))
    taken = pd.concat(drawn) if drawn else windows.iloc[:0].assign(sequence="")
    counts += [("candidate_sequence", n_seen - len(taken)), ("candidate_left", len(windows) - n_seen)]
    return taken.reset_index(drop=True), counts


def beside(
    positives: pd.DataFrame,
    n_wanted: np.ndarray,
    distance: int,
    regions: pd.DataFrame,
    forbidden: pd.DataFrame,
    sequences: Sequences,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw windows in the flanks of N positives, on both sides, every free start equally likely.

    Parameters
    ----------
    positives : ``chrom, start, end``, all of one width, each inside one of `regions`.
    n_wanted : (N,) windows wanted beside each.
    distance : bp from a positive's window within which its windows lie wholly.
    regions : blocks ``chrom, start, end`` of their split.
    forbidden : regions that no window may overlap.

    Returns
    -------
    Frame ``chrom, start, end, sequence, parent`` (row of the positive), ordered by parent and place; at most
    ``n_wanted.sum()`` rows, fewer where flanks are full.
    """
    width = int(positives["end"].iloc[0] - positives["start"].iloc[0])
    flanks = _flanks(positives, distance, regions)
    found, pending = [], np.repeat(np.arange(len(positives)), n_wanted)
    for _ in range(_MAX_ROUNDS):
        drawn = _draw_starts(flanks, forbidden, pending, width, rng)
        if drawn.empty:
            break
        apart = stand_apart(drawn["chrom"].to_numpy(), drawn["start"].to_numpy(), width, rng)
        windows = drawn[apart]
        new = sequences.take(windows)
        found.append(new)
        pending = np.concatenate([drawn.loc[~apart, "parent"], windows["parent"].drop(new.index)])
        # Windows whose sequence is no good are not tried again either.
        forbidden = merge(pd.concat([forbidden, windows[list(REGION_COLUMNS)]]))
    columns = [*REGION_COLUMNS, "sequence", "parent"]
    table = pd.concat(found)[columns] if found else pd.DataFrame(columns=columns)
    return table.sort_values(["parent", "start"], ignore_index=True)


def _flanks(positives: pd.DataFrame, distance: int, regions: pd.DataFrame) -> pd.DataFrame:
    """Both flanks of every positive within its block: ``chrom, start, end, parent``; empty ones left out."""
    blocks = regions.sort_values("start")
    sides = []
    for chrom, rows in positives.assign(parent=np.arange(len(positives))).groupby("chrom", sort=False):
        here = blocks[blocks["chrom"] == chrom]
        starts, ends = rows["start"].to_numpy(np.int64), rows["end"].to_numpy(np.int64)
        block = np.searchsorted(here["start"].to_numpy(), starts, side="right") - 1
        first, last = here["start"].to_numpy()[block], here["end"].to_numpy()[block]
        left = rows.assign(start=np.maximum(starts - distance, first), end=starts)
        sides += [left, rows.assign(start=ends, end=np.minimum(ends + distance, last))]
    flanks = pd.concat(sides)[[*REGION_COLUMNS, "parent"]]
    return flanks[flanks["start"] < flanks["end"]].astype({"start": np.int64, "end": np.int64})


def _draw_starts(
    flanks: pd.DataFrame, forbidden: pd.DataFrame, pending: np.ndarray, width: int, rng: np.random.Generator
) -> pd.DataFrame:
    """One window for each of `pending` (parents) that has room left: ``chrom, start, end, parent``."""
    asked = flanks[flanks["parent"].isin(pending)]
    free = pieces(asked, forbidden)
    free = free.assign(parent=asked["parent"].to_numpy()[free["row"]], room=free["end"] - free["start"] - width + 1)
    free = free[free["room"] > 0].sort_values("parent", kind="stable", ignore_index=True)
    # All free starts of all parents stand in one row; each window draws one in the stretch of its parent.
    before = np.append(0, np.cumsum(free["room"].to_numpy()))
    first, last = (before[np.searchsorted(free["parent"], pending, side=side)] for side in ("left", "right"))
    has_room = first < last
    drawn = rng.integers(first[has_room], last[has_room])
    piece = np.searchsorted(before, drawn, side="right") - 1
    starts = free["start"].to_numpy()[piece] + drawn - before[piece]
    chroms = free["chrom"].to_numpy()[piece]
    return pd.DataFrame({"chrom": chroms, "start": starts, "end": starts + width, "parent": pending[has_room]})


def stand_apart(chroms: np.ndarray, starts: np.ndarray, width: int, rng: np.random.Generator) -> np.ndarray:
    """Choose among N windows of one width some that do not overlap, so many that no other could join them.

    Each window gets a random rank. One that outranks the windows in its way is chosen and the windows that it overlaps
    go, until none is left: of a crowd in one place one stays.

    Returns
    -------
    (N,) bool.
    """
    keys = pd.factorize(np.asarray(chroms, object))[0] * _CHROM_STRIDE + np.asarray(starts, np.int64)
    order = np.argsort(keys, kind="stable")
    keys, rank = keys[order], rng.permutation(len(keys))
    chosen, left = np.zeros(len(keys), bool), np.arange(len(keys))
    while len(left):
        # Windows that start within one cell of `width` bp overlap each other: a cell has one winner at most, and only
        # the best of the cells beside it can be in its way.
        best = left[_best_of_runs(keys[left] // width, rank[left])]
        clear = np.diff(keys[best]) >= width
        beats_next = clear | (rank[best][:-1] < rank[best][1:])
        winners = best[np.append(True, clear | ~beats_next) & np.append(beats_next, True)]
        chosen[winners] = True
        n_before = np.searchsorted(keys[winners], keys[left] - width, side="right")
        left = left[np.searchsorted(keys[winners], keys[left] + width) == n_before]
    apart = np.zeros(len(keys), bool)
    apart[order] = chosen
    return apart


def _best_of_runs(groups: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Row of the lowest rank in every run of equal groups; `groups` is sorted."""
    order = np.lexsort((rank, groups))
    return order[np.append(True, np.diff(groups) != 0)]
