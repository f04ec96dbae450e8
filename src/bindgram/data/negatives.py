"""Negative examples: made from the positives by a scheme, never equal to another example.

A scheme makes the negatives of one split. It is called
``scheme(positives, n_wanted, avoid, rng, background) -> (negatives, counts)`` with the positives of that split, how
many negatives each of them wants, the canonical sequences that no negative may have, and the genomic background (None
where the scheme needs none). `counts` are pairs (reason, n) that say why wanted negatives are missing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from bindgram.data.background import Background, union
from bindgram.data.candidates import Sequences, around, beside
from bindgram.data.examples import COLUMNS, ExampleTable, canonical_sequences, empty_examples
from bindgram.data.filters import Counts, FilterContext, duplicated
from bindgram.data.matching import match_tiles
from bindgram.sequence.dna import AMBIGUOUS, codes_of, encode, strings_of
from bindgram.sequence.shuffles import shuffle_klets
from bindgram.settings.filters import FilterSetting

Scheme = Callable[
    [pd.DataFrame, np.ndarray, set[str], np.random.Generator, Background | None], tuple[pd.DataFrame, Counts]
]
_REDRAWS = 5
PUBLISHED = "published"  # not made: negatives that come with a published set, at the ratio that it has
PUBLISHED_FILTERS = (FilterSetting("n_fraction", 0.0), FilterSetting("duplicate"))
KLET_SCHEMES = {1: "mononucleotide_shuffle", 2: "dinucleotide_shuffle", 3: "trinucleotide_shuffle"}  # by length k


@dataclass(frozen=True)
class Recipe:
    """How the negatives of one table are made.

    `name` is a scheme or a mixture, `shares` the schemes behind it with the share of the negatives that each makes.
    `ratio` negatives are wanted per positive; where fewer than `minimum_fraction` of them can be made in a split, the
    table is skipped. `undefined` says why these positives can have none; "" where they can.
    """

    name: str
    shares: Mapping[str, float]
    ratio: float
    minimum_fraction: float
    undefined: str = ""

    def describe(self) -> dict[str, Any]:
        """Settings for the provenance of the table; a published set has its own ratio."""
        if self.name == PUBLISHED:
            return {"scheme": self.name}
        mixture = {} if self.shares.keys() <= {self.name} else {"shares": dict(self.shares)}
        return {"scheme": self.name, **mixture, "ratio": self.ratio, "minimum_fraction": self.minimum_fraction}

    def why_too_few(self, positives: pd.DataFrame, negatives: pd.DataFrame, splits: Sequence[str]) -> str:
        """Which split has fewer negatives than may be; "" where all have enough."""
        for split in splits:
            n_positives, n_made = (int((frame["split"] == split).sum()) for frame in (positives, negatives))
            if n_made < self.minimum_fraction * (n := count_wanted(n_positives, self.ratio)):
                return (
                    f"{self.name}: {n_made} of {n} negatives could be made in split {split}, less than the fraction "
                    f"{self.minimum_fraction:g} (negatives.minimum_fraction)"
                )
        return ""


def describe_shortage(scheme: str, table: ExampleTable, counts: Counts) -> str:
    """One line for a log: negatives made of those wanted, and why the others are missing."""
    found = dict(counts)
    n_made = sum(n for reason, n in counts if reason.startswith("n_negatives_"))
    after = [reason for reason, _ in counts]
    missing = after[after.index("n_wanted") + 1 :] if "n_wanted" in after else []
    reasons = [f"{reason} {found[reason]:,}" for reason in missing if found[reason] and reason[:2] != "n_"]
    line = (
        f"{scheme}: {n_made:,} of {found['n_wanted']:,} negatives wanted"
        if missing and n_made <= found["n_wanted"]  # a published set brings its own number
        else f"{scheme}: {n_made:,} negatives"
    )
    if reasons:
        line += f"; missing: {', '.join(reasons)}"
    return f"{line}; skipped: {table.reason}" if table.skipped else line


def count_wanted(n: int, ratio: float) -> int:
    """Negatives wanted for `n` positives in all."""
    return n * int(ratio) + round((ratio - int(ratio)) * n)


def spread_ratio(n: int, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """Negatives wanted for each of `n` positives: ``floor(ratio)``, and one more for a random part of them."""
    wanted = np.full(n, int(ratio), dtype=np.int64)
    wanted[rng.permutation(n)[: count_wanted(n, ratio) - wanted.sum()]] += 1
    return wanted


def in_turns(n_wanted: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Row of the positive for each negative wanted, in random order, all first negatives before all second ones."""
    parent = np.repeat(np.arange(len(n_wanted)), n_wanted)
    turn = np.arange(len(parent)) - np.repeat(np.cumsum(n_wanted) - n_wanted, n_wanted)
    return parent[np.lexsort((rng.random(len(parent)), turn))]


def klet_shuffle(
    k: int,
    positives: pd.DataFrame,
    n_wanted: np.ndarray,
    avoid: set[str],
    rng: np.random.Generator,
    background: Background | None = None,
) -> tuple[pd.DataFrame, Counts]:
    """Shuffle each positive with the count of every k-let, and its first and last k - 1 bases, kept exactly.

    A shuffle that gives a sequence of `avoid` (its own source among them) or of another shuffle, on either strand, is
    drawn again up to 5 times and then left out. A positive with an ambiguous base is not shuffled.
    """
    parent = np.repeat(np.arange(len(positives)), n_wanted)
    codes = codes_of(positives["sequence"].tolist()) if len(positives) else np.empty((0, 1), np.uint8)
    clear = (codes < 4).all(axis=1)[parent]
    rows = np.flatnonzero(clear)
    texts = pd.Series("", index=np.arange(len(parent)), dtype="str")
    pending = rows
    for _ in range(1 + _REDRAWS):
        if not len(pending):
            break
        texts.iloc[pending] = strings_of(shuffle_klets(codes[parent[pending]], k, rng))
        pending = rows[_not_new(texts.iloc[rows], avoid)]
    kept = np.setdiff1d(rows, pending)
    made = _inherit(positives, parent[kept], KLET_SCHEMES[k], texts.iloc[kept])
    return made, [("ambiguous_parent", int((~clear).sum())), ("no_new_shuffle", len(pending))]


def genomic_matched(
    positives: pd.DataFrame,
    n_wanted: np.ndarray,
    avoid: set[str],
    rng: np.random.Generator,
    background: Background | None,
) -> tuple[pd.DataFrame, Counts]:
    """Draw tiles of the same split, GC, repeat and N content that keep away from peaks and blacklist."""
    if positives.empty:
        return empty_examples(), []
    assert background is not None, "genomic_matched needs a background"
    tiles, bins = background.tiles, background.bins
    codes = codes_of(positives["sequence"].tolist())
    has_gc = (codes < AMBIGUOUS).any(axis=1)
    n_gc, n_ambiguous = ((codes == 1) | (codes == 2)).sum(axis=1), (codes == AMBIGUOUS).sum(axis=1)
    wanted_bins = bins.of(n_gc, tiles.count_repeats(positives), n_ambiguous)
    candidates = background.candidates(positives["split"].iloc[0])
    tile_bins = bins.of(*(counts[candidates] for counts in (tiles.n_gc, tiles.n_repeat, tiles.n_ambiguous)))
    parents, chosen = match_tiles(wanted_bins, np.where(has_gc, n_wanted, 0), tile_bins, bins, rng)
    windows = tiles.regions(candidates[chosen]).assign(parent=parents)
    bases = background.genome.windows(windows["chrom"].to_numpy(object), windows["start"].to_numpy(), tiles.width)
    made = _at(positives, windows.assign(sequence=strings_of(encode(bases))), "genomic_matched")
    again = _not_new(made["sequence"], avoid)
    n_unmatchable = int(n_wanted[~has_gc].sum())
    counts = [("ambiguous_parent", n_unmatchable), ("no_match", int(n_wanted.sum()) - n_unmatchable - len(made))]
    return made[~again], [*counts, ("sequence_of_another_example", int(again.sum()))]


def neighbour(
    positives: pd.DataFrame,
    n_wanted: np.ndarray,
    avoid: set[str],
    rng: np.random.Generator,
    background: Background | None,
) -> tuple[pd.DataFrame, Counts]:
    """Draw windows in the flanks of each positive, on both sides."""
    if positives.empty:
        return empty_examples(), []
    assert background is not None, "neighbour needs a background"
    sequences = Sequences(background.genome, len(positives["sequence"].iloc[0]), avoid)
    forbidden = union(background.near_peaks, background.blacklist, background.taken)
    blocks = background.blocks(positives["split"].iloc[0])
    windows = beside(positives, n_wanted, background.neighbour_bp, blocks, forbidden, sequences, rng)
    made = _at(positives, windows, "neighbour")
    return made, [("no_free_flank", int(n_wanted.sum()) - len(made))]


def other_peaks(
    positives: pd.DataFrame,
    n_wanted: np.ndarray,
    avoid: set[str],
    rng: np.random.Generator,
    background: Background | None,
) -> tuple[pd.DataFrame, Counts]:
    """Draw windows around summits of other factors' peaks in the same biosample, where no peak of this TF is near."""
    if positives.empty:
        return empty_examples(), []
    assert background is not None, "other_peaks needs a background"
    assert background.other_peaks is not None
    peaks = background.other_peaks
    same_tf = (peaks["tf"] == background.tf).to_numpy(bool)
    centres = peaks.loc[~same_tf, ["chrom", "summit"]].rename(columns={"summit": "position"})
    # Another experiment of this TF found these: they may be bound.
    kept_free = {"peak_of_same_tf": peaks[same_tf]}
    windows, counts = _around(centres, kept_free, positives, n_wanted, avoid, rng, background)
    made = _at(positives, windows, "other_peaks")
    return made, [*counts, ("no_other_peak", int(n_wanted.sum()) - len(made))]


def accessible_unbound(
    positives: pd.DataFrame,
    n_wanted: np.ndarray,
    avoid: set[str],
    rng: np.random.Generator,
    background: Background | None,
) -> tuple[pd.DataFrame, Counts]:
    """Draw windows around summits of open chromatin without a peak of the experiment near."""
    if positives.empty:
        return empty_examples(), []
    assert background is not None, "accessible_unbound needs a background"
    assert background.open_chromatin is not None
    windows, counts = _around(background.open_chromatin, {}, positives, n_wanted, avoid, rng, background)
    made = _at(positives, windows, "accessible_unbound")
    return made, [*counts, ("no_open_chromatin", int(n_wanted.sum()) - len(made))]


def _around(
    centres: pd.DataFrame,
    kept_free: Mapping[str, pd.DataFrame],
    positives: pd.DataFrame,
    n_wanted: np.ndarray,
    avoid: set[str],
    rng: np.random.Generator,
    background: Background,
) -> tuple[pd.DataFrame, Counts]:
    """Draw windows around candidates and give them to positives at random, each its first before any its second."""
    width = len(positives["sequence"].iloc[0])
    forbidden = {"near_peak": background.near_peaks, **kept_free, "blacklist": background.blacklist}
    if len(background.taken):
        forbidden["taken"] = background.taken
    windows, counts = around(
        centres, int(n_wanted.sum()), width, positives["split"].iloc[0], background.regions, forbidden,
        Sequences(background.genome, width, avoid), rng,
    )  # fmt: skip
    parents = in_turns(n_wanted, rng)[: len(windows)]
    return windows.assign(parent=parents).sort_values(["parent", "chrom", "start"]), counts


NEGATIVE_SCHEMES: dict[str, Scheme] = {
    **{name: partial(klet_shuffle, k) for k, name in KLET_SCHEMES.items()},
    "genomic_matched": genomic_matched,
    "neighbour": neighbour,
    "other_peaks": other_peaks,
    "accessible_unbound": accessible_unbound,
}
FEATURES = ("gc", "kmer1", "kmer2", "kmer3", "cpg", "repeats")
# What the negatives of a scheme have in common with the positives by construction: an audit judges only these.
# kmer1 to kmer3 are counts of k-mers, as the sequence stands.
PRESERVES: dict[str, tuple[str, ...]] = {
    "mononucleotide_shuffle": ("gc", "kmer1"),
    "dinucleotide_shuffle": ("gc", "kmer1", "kmer2", "cpg"),
    "trinucleotide_shuffle": ("gc", "kmer1", "kmer2", "kmer3", "cpg"),
    "genomic_matched": ("gc", "repeats"),
    "neighbour": (),
    "other_peaks": (),
    "accessible_unbound": (),
    "published": (),
}


def preserved(shares: Mapping[str, float]) -> tuple[str, ...]:
    """What a mixture preserves: what all of its schemes do."""
    common = set.intersection(*(set(PRESERVES[scheme]) for scheme in shares))
    return tuple(name for name in FEATURES if name in common)


def make_negatives(
    experiment: str,
    positives: pd.DataFrame,
    splits: Sequence[str],
    scheme: str | Mapping[str, float],
    ratio: float,
    rng: np.random.Generator,
    background: Background | None = None,
    avoid: pd.Series | None = None,
) -> tuple[pd.DataFrame, Counts]:
    """Make the negatives of some splits, no two alike and none like a positive, on either strand.

    Parameters
    ----------
    positives : examples of all splits; negatives are made for the rows of `splits`.
    scheme : key of `NEGATIVE_SCHEMES`; or a mixture: such keys and the share of the negatives that each of them makes.
    ratio : negatives wanted per positive; exact over a split, up to rounding.
    avoid : sequences that no negative may have; those of `positives` where None.

    Returns
    -------
    Example rows, and pairs (reason, n): first what became of candidates, then ``n_wanted``, why some are missing,
    ``n_negatives_<split>``; ``n_wanted`` is the sum of those that follow it.
    """
    taken = set(canonical_sequences(positives["sequence"] if avoid is None else avoid))
    shares = {scheme: 1.0} if isinstance(scheme, str) else scheme
    made = {split: [empty_examples()] for split in splits}
    counts, n_wanted = dict[str, int](), 0
    for split in splits:
        sources = positives[positives["split"] == split]
        wanted = spread_ratio(len(sources), ratio, rng)
        n_wanted += int(wanted.sum())
        for name, part in _spread_shares(wanted, shares, rng).items():
            drawn, found = NEGATIVE_SCHEMES[name](sources, part, taken, rng, _without(background, made[split]))
            taken |= set(canonical_sequences(drawn["sequence"]))
            made[split].append(drawn)
            for reason, n in found:
                counts[reason] = counts.get(reason, 0) + n
    parts = {split: join_examples(*tables) for split, tables in made.items()}
    named = join_examples(*(_named(table, experiment) for table in parts.values()))
    of_candidates = {reason: n for reason, n in counts.items() if reason.startswith(("candidate_", "n_candidates"))}
    missing = {reason: n for reason, n in counts.items() if reason not in of_candidates}
    missing |= {f"n_negatives_{split}": len(table) for split, table in parts.items()}
    return named, [*of_candidates.items(), ("n_wanted", n_wanted), *missing.items()]


def _spread_shares(
    n_wanted: np.ndarray, shares: Mapping[str, float], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Negatives that each scheme makes for each positive: exact shares over all, up to rounding, drawn at random."""
    if len(shares) == 1:
        return {scheme: n_wanted for scheme in shares}
    slots = rng.permutation(np.repeat(np.arange(len(n_wanted)), n_wanted))
    ends = np.round(np.cumsum(list(shares.values())) / sum(shares.values()) * len(slots)).astype(np.int64)
    parts = np.split(slots, ends[:-1])
    return {scheme: np.bincount(part, minlength=len(n_wanted)) for scheme, part in zip(shares, parts, strict=True)}


def _without(background: Background | None, made: Sequence[pd.DataFrame]) -> Background | None:
    """The background for the next scheme of a mixture, which keeps off the windows of those before."""
    placed = [table[table["chrom"].notna()] for table in made]
    if background is None or not sum(map(len, placed)):
        return background
    return replace(background, taken=union(background.taken, *placed))


def join_examples(*parts: pd.DataFrame) -> pd.DataFrame:
    """Put example rows of several tables into one, in the order given."""
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True)[list(COLUMNS)] if filled else empty_examples()


def _named(made: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Give ids: by place where there is one, else by parent and number."""
    placed = made["chrom"].notna()
    places = made["chrom"].astype(str) + ":" + made["start"].astype(str) + "-" + made["end"].astype(str)
    turns = made.groupby("parent_id").cumcount() + 1
    shuffles = made["parent_id"].astype(str) + ":shuffle" + turns.astype(str)
    return made.assign(example_id=(experiment + ":" + made["kind"] + ":" + places).where(placed, shuffles))


def _not_new(sequences: pd.Series, avoid: set[str]) -> np.ndarray:
    """Whether each sequence, on either strand, is in `avoid` or stands earlier in the table: (N,) bool."""
    return duplicated(pd.DataFrame({"sequence": sequences, "split": ""}), FilterContext(known=avoid))


def _at(positives: pd.DataFrame, windows: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Negatives at the places of `windows`, whose column `parent` is the row of the positive."""
    made = _inherit(positives, windows["parent"].to_numpy(np.int64), kind, windows["sequence"])
    return made.assign(strand=".", **{column: windows[column].to_numpy() for column in ("chrom", "start", "end")})


def _inherit(positives: pd.DataFrame, parent: np.ndarray, kind: str, sequences: pd.Series) -> pd.DataFrame:
    """Negatives without coordinates and ids yet: label 0, with the split of their parents."""
    sources = positives.iloc[parent]
    made = pd.DataFrame(
        {
            "example_id": "",
            "chrom": None,
            "start": pd.array([pd.NA] * len(parent), dtype="Int64"),
            "end": pd.array([pd.NA] * len(parent), dtype="Int64"),
            "strand": None,
            "label": np.int8(0),
            "kind": kind,
            "parent_id": sources["example_id"].to_numpy(),
            "split": sources["split"].to_numpy(),
            "sequence": sequences.to_numpy(),
        },
        index=np.arange(len(parent)),
    )
    return made[list(COLUMNS)]
