"""Replicates of ranking metrics, the same blocks drawn for several scores of the same examples.

Where examples share blocks, a replicate is known from the weights of the blocks alone: of every positive it takes how
many negatives of each block rank above it. One product of matrices then gives a thousand replicates, in place of
a thousand weighted curves over all examples; both ways give the same numbers, since all counts are whole.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bindgram.evaluation.statistics import (
    cumulative_counts,
    draw_multiplicities,
    rank_scores,
    weighted_auroc,
    weighted_average_precision,
)

CURVE_METRICS = {"auroc": weighted_auroc, "average_precision": weighted_average_precision}
MAX_TABLE = 2**24  # elements of the table (positives, blocks); above it the weighted curves are taken
CHUNK_ELEMENTS = 2**18  # elements of the largest matrix of a chunk of replicates: what a cache holds


@dataclass(frozen=True)
class BlockCurve:
    """What a ranking takes to be resampled by blocks. Groups are the G distinct scores that a positive has.

    Attributes
    ----------
    blocks : (P,) block of every positive, from the highest score. ends : (G,) its last positive, of every group.
    above, tied : (G, B) negatives of every block with a higher score than the group, and with the same.
    negatives : (B,) negatives of every block.
    """

    blocks: np.ndarray
    ends: np.ndarray
    above: np.ndarray
    tied: np.ndarray
    negatives: np.ndarray

    def replicate(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics under (R, B) weights of the blocks, each (R,); NaN where a replicate lacks a class."""
        true_positives = np.cumsum(weights[:, self.blocks], axis=1)[:, self.ends]
        gained = np.diff(true_positives, axis=1, prepend=0.0)
        above, tied = weights @ self.above.T, weights @ self.tied.T if self.tied.any() else np.zeros(())
        n_positives, n_negatives = true_positives[:, -1], weights @ self.negatives
        called = true_positives + above + tied
        precision = np.divide(true_positives, called, out=np.zeros_like(called), where=called > 0)
        below = n_negatives[:, None] - above - tied / 2
        both = (n_positives > 0) & (n_negatives > 0)
        pairs = np.where(both, n_positives * n_negatives, 1)
        return {
            "auroc": np.where(both, (gained * below).sum(axis=1) / pairs, np.nan),
            "average_precision": np.where(
                both, (gained * precision).sum(axis=1) / np.where(both, n_positives, 1), np.nan
            ),
        }


def block_curve(labels: np.ndarray, scores: np.ndarray, blocks: np.ndarray) -> BlockCurve:
    """Make ready to resample (N,) `scores` by their (N,) `blocks`; both classes are among the (N,) `labels`."""
    positive = labels == 1
    order = np.argsort(-scores[positive], kind="stable")
    ranked = scores[positive][order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    distinct = -ranked[ends]  # rising
    n_groups, n_blocks = len(ends), int(blocks.max()) + 1
    negatives, of_block = -scores[~positive], blocks[~positive]

    def table(place: np.ndarray, kept: np.ndarray) -> np.ndarray:
        cells = place[kept] * n_blocks + of_block[kept]
        return np.bincount(cells, minlength=(n_groups + 1) * n_blocks).reshape(-1, n_blocks)[:n_groups].astype(float)

    first_below = np.searchsorted(distinct, negatives, side="right")  # first group with a lower score
    same = np.searchsorted(distinct, negatives, side="left")
    return BlockCurve(
        blocks[positive][order],
        ends,
        np.cumsum(table(first_below, np.full(len(negatives), True)), axis=0),
        table(same, same < first_below),
        np.bincount(of_block, minlength=n_blocks).astype(float),
    )


def paired_replicates(
    labels: np.ndarray, scores: np.ndarray, blocks: np.ndarray, n_replicates: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Metrics of M trainings on the same replicates, drawn block by block as ``bindgram evaluate`` draws them.

    Parameters
    ----------
    labels : (N,), both classes. scores : (M, N) finite. blocks : (N,) from `assign_blocks`.

    Returns
    -------
    Metric to (M, n_replicates), NaN where a replicate holds one class only.
    """
    n_blocks = int(blocks.max()) + 1
    small = n_blocks * int((labels == 1).sum()) <= MAX_TABLE
    size = max(1, CHUNK_ELEMENTS // max(n_blocks, int((labels == 1).sum()) if small else len(labels)))
    firsts = range(0, n_replicates, size)
    chunks = [draw_multiplicities(n_blocks, min(size, n_replicates - first), rng) for first in firsts]
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in CURVE_METRICS}
    for row in scores:
        replicate = _by_blocks(labels, row, blocks) if small else _by_examples(labels, row, blocks)
        found = [replicate(weights) for weights in chunks]
        for name, values in drawn.items():
            values.append(np.concatenate([chunk[name] for chunk in found]))
    return {name: np.stack(values) for name, values in drawn.items()}


Replicate = Callable[[np.ndarray], dict[str, np.ndarray]]  # (R, B) weights of the blocks to (R,) values


def _by_blocks(labels: np.ndarray, scores: np.ndarray, blocks: np.ndarray) -> Replicate:
    return block_curve(labels, scores, blocks).replicate


def _by_examples(labels: np.ndarray, scores: np.ndarray, blocks: np.ndarray) -> Replicate:
    ranking = rank_scores(labels, scores)

    def replicate(weights: np.ndarray) -> dict[str, np.ndarray]:
        counts = cumulative_counts(ranking, weights[:, blocks])
        return {name: metric(*counts) for name, metric in CURVE_METRICS.items()}

    return replicate
