"""Negative examples: made from the positives by a scheme, never equal to another example.

A scheme makes the negatives of one split. It is called
``scheme(positives, n_wanted, avoid, rng, background) -> (negatives, counts)`` with the positives of that split, how
many negatives each of them wants, the canonical sequences that no negative may have, and the genomic background (None
where the scheme needs none). `counts` are pairs (reason, n) that say why wanted negatives are missing.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd

from bindgram.data.background import Background
from bindgram.data.examples import COLUMNS, canonical_sequences, empty_examples
from bindgram.data.filters import Counts, FilterContext, duplicated
from bindgram.data.matching import match_tiles
from bindgram.sequence.dna import AMBIGUOUS, codes_of, encode, strings_of
from bindgram.sequence.shuffles import shuffle_klets

Scheme = Callable[
    [pd.DataFrame, np.ndarray, set[str], np.random.Generator, Background | None], tuple[pd.DataFrame, Counts]
]
_REDRAWS = 5
KLET_SCHEMES = {1: "mononucleotide_shuffle", 2: "dinucleotide_shuffle", 3: "trinucleotide_shuffle"}  # by length k


def spread_ratio(n: int, ratio: float, rng: np.random.Generator) -> np.ndarray:
    """Negatives wanted for each of `n` positives: ``floor(ratio)``, and one more for a random part of them."""
    wanted = np.full(n, int(ratio), dtype=np.int64)
    wanted[rng.permutation(n)[: round((ratio - int(ratio)) * n)]] += 1
    return wanted


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
    windows = tiles.regions(candidates[chosen])
    bases = background.genome.windows(windows["chrom"].to_numpy(object), windows["start"].to_numpy(), tiles.width)
    made = _inherit(positives, parents, "genomic_matched", pd.Series(strings_of(encode(bases)), dtype="str"))
    made = made.assign(strand=".", **{column: windows[column].to_numpy() for column in ("chrom", "start", "end")})
    again = _not_new(made["sequence"], avoid)
    n_unmatchable = int(n_wanted[~has_gc].sum())
    counts = [("ambiguous_parent", n_unmatchable), ("no_match", int(n_wanted.sum()) - n_unmatchable - len(made))]
    return made[~again], [*counts, ("sequence_of_another_example", int(again.sum()))]


NEGATIVE_SCHEMES: dict[str, Scheme] = {
    **{name: partial(klet_shuffle, k) for k, name in KLET_SCHEMES.items()},
    "genomic_matched": genomic_matched,
}
# What the negatives of a scheme have in common with the positives by construction: an audit judges only these.
# kmer1 to kmer3 are counts of k-mers on both strands.
PRESERVES: dict[str, tuple[str, ...]] = {
    "mononucleotide_shuffle": ("gc", "kmer1"),
    "dinucleotide_shuffle": ("gc", "kmer1", "kmer2", "cpg"),
    "trinucleotide_shuffle": ("gc", "kmer1", "kmer2", "kmer3", "cpg"),
    "genomic_matched": ("gc", "repeats"),
}


def make_negatives(
    experiment: str,
    positives: pd.DataFrame,
    splits: Sequence[str],
    scheme: str,
    ratio: float,
    rng: np.random.Generator,
    background: Background | None = None,
    avoid: pd.Series | None = None,
) -> tuple[pd.DataFrame, Counts]:
    """Make the negatives of some splits, no two alike and none like a positive, on either strand.

    Parameters
    ----------
    positives : examples of all splits; negatives are made for the rows of `splits`.
    scheme : key of `NEGATIVE_SCHEMES`.
    ratio : negatives wanted per positive; exact over a split, up to rounding.
    avoid : sequences that no negative may have; those of `positives` where None.

    Returns
    -------
    Example rows, and pairs (reason, n): ``n_wanted``, why some are missing, ``n_negatives_<split>``; the first is the
    sum of the others.
    """
    taken = set(canonical_sequences(positives["sequence"] if avoid is None else avoid))
    parts, counts, n_wanted = [empty_examples()], dict[str, int](), 0
    for split in splits:
        sources = positives[positives["split"] == split]
        wanted = spread_ratio(len(sources), ratio, rng)
        made, missing = NEGATIVE_SCHEMES[scheme](sources, wanted, taken, rng, background)
        taken |= set(canonical_sequences(made["sequence"]))
        parts.append(_named(made, experiment))
        n_wanted += int(wanted.sum())
        for reason, n in missing:
            counts[reason] = counts.get(reason, 0) + n
    counts |= {f"n_negatives_{split}": len(made) for split, made in zip(splits, parts[1:], strict=True)}
    return join_examples(*parts), [("n_wanted", n_wanted), *counts.items()]


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
