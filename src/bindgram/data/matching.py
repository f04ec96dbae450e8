"""Genomic windows that match positives: drawn by bedtools shuffle, checked here, paired by GC content.

Windows come from the blocks of one split, outside of everything forbidden (peaks and their flanks, blacklist, runs of
ambiguous bases), and never overlap each other. Matching is on GC fraction only; repeat content is not looked at.
"""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from bindgram.data.background import Background, union
from bindgram.errors import InputError
from bindgram.genome.regions import merge, overlaps, subtract
from bindgram.sequence.dna import encode, gc_fraction

FURTHEST_BIN = 1  # GC bins that a negative may lie off its positive's, once its own bin gives none
_MAX_ROUNDS = 100
_WINDOWS_PER_ROUND = 200_000  # 40 MB of bases at 200 bp
_FILL = 0.25  # of the free sequence that one round may cover, so that windows still fit between each other
_TRIES = 50  # places that bedtools tries for one window before it gives it up


def gc_bin(gc: np.ndarray, n_bins: int) -> np.ndarray:
    """Bin of each GC fraction among `n_bins` equal ones; 1.0 falls into the last, as does rounding error upwards."""
    return np.minimum(np.floor(gc * n_bins + 1e-9), n_bins - 1).astype(np.int64)


def draw_windows(
    n: int,
    width: int,
    regions: pd.DataFrame,
    forbidden: pd.DataFrame,
    sizes: Mapping[str, int],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw up to `n` windows inside `regions` that overlap neither `forbidden` nor each other.

    Every start that lets the whole window lie in a region is equally likely. Fewer than `n` rows come back where
    bedtools finds no place; they are in random order.

    Raises
    ------
    InputError : bedtools is not installed, or fails.
    """
    starts = merge(regions).assign(end=lambda frame: frame["end"] - width + 1)  # bedtools places starts in -incl
    starts = starts[starts["end"] > starts["start"]]
    if starts.empty or n == 0:
        return regions.iloc[:0][["chrom", "start", "end"]]
    windows = _shuffle(n, width, starts, forbidden, sizes, int(rng.integers(2**31)))
    # bedtools is trusted with the draw, not with the guarantee: what it places is checked against our own arithmetic.
    chromosomes = pd.DataFrame(
        {"chrom": list(sizes), "start": 0, "end": np.fromiter(sizes.values(), np.int64, len(sizes)) + width}
    )
    outside = subtract(chromosomes, regions)
    good = (windows["end"] - windows["start"] == width).to_numpy() & ~overlaps(windows, union(outside, forbidden))
    return windows[good].reset_index(drop=True)


def _shuffle(
    n: int, width: int, starts: pd.DataFrame, forbidden: pd.DataFrame, sizes: Mapping[str, int], seed: int
) -> pd.DataFrame:
    """Run bedtools shuffle in a folder of its own, which vanishes with everything in it."""
    if shutil.which("bedtools") is None:
        raise InputError("bedtools is not on the PATH; install it (apt install bedtools, or conda install bedtools)")
    import pybedtools
    from pybedtools.helpers import BEDToolsError

    with tempfile.TemporaryDirectory(prefix="bindgram.") as name:
        folder = Path(name)
        chrom = starts["chrom"].iloc[0]
        (folder / "windows.bed").write_text(f"{chrom}\t0\t{width}\n" * n)
        (folder / "sizes").write_text("".join(f"{chrom}\t{size}\n" for chrom, size in sizes.items()))
        options = {"g": str(folder / "sizes"), "incl": _write_bed(folder / "incl.bed", starts)}
        if len(forbidden):
            options["excl"] = _write_bed(folder / "excl.bed", forbidden)
        drawn = folder / "drawn.bed"
        try:
            pybedtools.BedTool(str(folder / "windows.bed")).shuffle(
                **options, seed=seed, noOverlapping=True, maxTries=_TRIES, output=str(drawn)
            )
        except BEDToolsError as error:
            # bedtools also complains of each window it finds no place for; those are simply not in its output.
            complaints = [line for line in error.msg.splitlines() if line.startswith("Error")]
            others = [line for line in complaints if "could not avoid" not in line]
            if others or not complaints:
                raise InputError(f"bedtools shuffle failed: {(others or [error.msg.strip()])[0]}") from None
        return _read_drawn(drawn)


def _write_bed(path: Path, regions: pd.DataFrame) -> str:
    regions[["chrom", "start", "end"]].to_csv(path, sep="\t", header=False, index=False)
    return str(path)


def _read_drawn(path: Path) -> pd.DataFrame:
    columns = {"chrom": "str", "start": np.int64, "end": np.int64}
    return pd.read_csv(path, sep="\t", header=None, names=list(columns), dtype=columns, usecols=[0, 1, 2])


def match_windows(
    gc: np.ndarray, n_wanted: np.ndarray, width: int, split: str, background: Background, rng: np.random.Generator
) -> pd.DataFrame:
    """Find windows whose GC content matches that of the positives, without replacement.

    Windows are drawn in rounds until all are found, ``candidates_per_negative`` per negative wanted are spent, or 100
    rounds are over. A window goes to a positive of its own GC bin; from half of the candidates on, also to one whose
    bin is `FURTHEST_BIN` away. Every positive gets its first negative before any gets its second.

    Parameters
    ----------
    gc : (N,) GC fraction of the positives.
    n_wanted : (N,) negatives wanted for each.

    Returns
    -------
    Frame ``parent`` (row of the positive), ``chrom, start, end`` and ``sequence`` (upper case), ordered by parent and
    position; at most ``n_wanted.sum()`` rows.
    """
    regions = background.regions[background.regions["split"] == split]
    slots = _slots(gc_bin(gc, background.gc_bins), n_wanted, rng)
    forbidden, found, budget = background.forbidden, [], background.candidates_per_negative * len(slots)
    left = budget
    for _ in range(_MAX_ROUNDS):
        n = min(left, _WINDOWS_PER_ROUND, _room(regions, forbidden, width))
        if slots.empty or n == 0:
            break
        left -= n
        windows = draw_windows(n, width, regions, forbidden, background.genome.chrom_sizes, rng)
        windows, bases = _with_gc(windows, background, width)
        pairs, slots = _pair(slots, windows, _offsets(left, budget, rng))
        chosen = windows.iloc[pairs["window"].to_numpy()].drop(columns="bin").reset_index(drop=True)
        texts = [row.tobytes().decode() for row in bases[pairs["window"].to_numpy()]]
        found.append(chosen.assign(parent=pairs["parent"].to_numpy(), sequence=pd.Series(texts, dtype="str")))
        forbidden = union(forbidden, chosen)
    return _in_order(found)


def _in_order(found: list[pd.DataFrame]) -> pd.DataFrame:
    columns = ["parent", "chrom", "start", "end", "sequence"]
    if not found:
        return pd.DataFrame(columns=columns)
    return pd.concat(found)[columns].sort_values(["parent", "chrom", "start"], ignore_index=True)


def _slots(bins: np.ndarray, n_wanted: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """One row per negative wanted: `parent`, `bin`; all first negatives stand before all second ones."""
    parent = np.repeat(np.arange(len(bins)), n_wanted)
    turn = np.arange(len(parent)) - np.repeat(np.cumsum(n_wanted) - n_wanted, n_wanted)
    order = np.lexsort((rng.random(len(parent)), turn))
    return pd.DataFrame({"parent": parent[order], "bin": bins[parent[order]]})


def _room(regions: pd.DataFrame, forbidden: pd.DataFrame, width: int) -> int:
    """Windows that one round may ask for: as many as cover a part of what is free."""
    free = subtract(merge(regions), forbidden)
    lengths = (free["end"] - free["start"]).to_numpy()
    return int(np.ceil(_FILL * lengths[lengths >= width].sum() / width))


def _offsets(left: int, budget: int, rng: np.random.Generator) -> list[int]:
    """Bins to look in, relative to the positive's: its own, and late in the search its neighbours in random order."""
    near = [offset for distance in range(1, FURTHEST_BIN + 1) for offset in (distance * rng.permutation([-1, 1]))]
    return [0, *(near if left <= budget / 2 else [])]


def _with_gc(windows: pd.DataFrame, background: Background, width: int) -> tuple[pd.DataFrame, np.ndarray]:
    bases = background.genome.windows(windows["chrom"].to_numpy(object), windows["start"].to_numpy(), width)
    codes = encode(bases)
    assert (codes < 4).all(), "ambiguous bases lie in forbidden regions"
    bases &= 0xDF  # upper case in ASCII
    return windows.assign(bin=gc_bin(gc_fraction(codes), background.gc_bins)), bases


def _pair(slots: pd.DataFrame, windows: pd.DataFrame, offsets: list[int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pair slots and windows bin by bin, first come first served: pairs ``parent, window``, and the unserved slots."""
    slots = slots.reset_index(drop=True)
    window = np.arange(len(windows))
    bins = windows["bin"].to_numpy()
    pairs = []
    for offset in offsets:
        free = pd.DataFrame({"window": window, "bin": bins[window]})
        free["rank"] = free.groupby("bin").cumcount()
        asked = slots.assign(slot=slots.index, bin=slots["bin"] + offset)
        asked["rank"] = asked.groupby("bin").cumcount()
        met = asked.merge(free, on=["bin", "rank"])
        pairs.append(met[["parent", "window"]])
        slots = slots.drop(index=met["slot"])
        window = np.setdiff1d(window, met["window"].to_numpy(), assume_unique=True)
    return pd.concat(pairs, ignore_index=True), slots
