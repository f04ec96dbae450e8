"""Uncertainty of the metrics: bootstrap over genomic blocks, all replicates at once.

A replicate is a vector of multiplicities: how often each block, and with it each of its examples, was drawn. Metrics
of a replicate are metrics of the original examples with these weights, so scores are sorted once and a chunk of
replicates is one matrix. Ties share one point of the curve, as in scikit-learn.

`auroc_interval` is the interval in closed form, for many quick questions where a bootstrap would be too slow.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

BLOCKS_PER_TESTED_LENGTH = 50
MIN_POSITIVE_BLOCKS = 20  # fewer blocks that hold positives: the interval is flagged as unreliable


def covered_length(chrom: np.ndarray, start: np.ndarray, max_gap_bp: int) -> int:
    """Length in bp that the examples cover: distances between neighbours, without gaps above `max_gap_bp`.

    A stretch without any example that is longer than the longest block was not tested (it lies between test blocks).
    """
    total = 0
    for _, starts in pd.Series(start).groupby(np.asarray(chrom, dtype=object), sort=True):
        gaps = np.diff(np.sort(starts.to_numpy(np.int64)))
        total += int(gaps[gaps <= max_gap_bp].sum())
    return total


def assign_blocks(chrom: np.ndarray, start: np.ndarray, max_block_bp: int) -> np.ndarray:
    """Number the block of every example.

    Blocks are ``(chrom, start // length)`` with length = min(`max_block_bp`, tested length / 50). An example without
    coordinates is a block of its own.

    Parameters
    ----------
    chrom : (N,) names or null. start : (N,) bp or null.

    Returns
    -------
    (N,) int64, from 0 without gaps.
    """
    placed = ~pd.isna(chrom)
    keys = -1 - np.arange(len(placed), dtype=np.int64)  # below 0: without coordinates
    if placed.any():
        starts = np.asarray(start[placed], dtype=np.int64)
        tested = covered_length(chrom[placed], starts, max_block_bp)
        length = max(1, min(max_block_bp, tested // BLOCKS_PER_TESTED_LENGTH))
        pieces = starts // length
        keys[placed] = pd.factorize(chrom[placed])[0] * (pieces.max() + 1) + pieces
    return pd.factorize(keys)[0].astype(np.int64)


@dataclass(frozen=True)
class Ranking:
    """Examples in order of falling score.

    Attributes
    ----------
    order : (N,) indices of the examples. positive : (N,) labels in this order.
    ends : (G,) position of the last example of every group of equal scores. scores : (G,) score of the group.
    """

    order: np.ndarray
    positive: np.ndarray
    ends: np.ndarray
    scores: np.ndarray


def rank_scores(labels: np.ndarray, scores: np.ndarray) -> Ranking:
    """Sort examples by falling score and find groups of ties."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    return Ranking(order, labels[order] == 1, ends, ranked[ends])


def cumulative_counts(ranking: Ranking, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight of positives and of negatives at or above every distinct score: two (R, G) arrays from (R, N) weights."""
    ranked = weights[:, ranking.order]
    above = np.cumsum(ranked, axis=1)[:, ranking.ends]
    true_positives = np.cumsum(ranked * ranking.positive, axis=1)[:, ranking.ends]
    return true_positives, above - true_positives


def curve_counts(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positives and negatives at or above every distinct score, from the highest: two (1, G) arrays."""
    return cumulative_counts(rank_scores(labels, scores), np.ones((1, len(labels))))


def weighted_auroc(true_positives: np.ndarray, false_positives: np.ndarray) -> np.ndarray:
    """(R,) area under the ROC curve, trapezoids over ties; NaN where a replicate lacks a class."""
    before = np.pad(true_positives, ((0, 0), (1, 0)))[:, :-1]
    steps = np.diff(false_positives, axis=1, prepend=0.0)
    area = (steps * (before + true_positives)).sum(axis=1) / 2
    return _divide(area, true_positives[:, -1] * false_positives[:, -1])


def weighted_average_precision(true_positives: np.ndarray, false_positives: np.ndarray) -> np.ndarray:
    """(R,) sum of precision times recall gained at every distinct score; NaN where a replicate lacks a class."""
    gained = np.diff(true_positives, axis=1, prepend=0.0)
    called = true_positives + false_positives
    precision = np.divide(true_positives, called, out=np.zeros_like(called), where=called > 0)
    area = _divide((gained * precision).sum(axis=1), true_positives[:, -1])
    return np.where(false_positives[:, -1] > 0, area, np.nan)


def weighted_mcc(
    called_positives: np.ndarray, called_negatives: np.ndarray, positives: np.ndarray, negatives: np.ndarray
) -> np.ndarray:
    """Matthews correlation from the weights of called and of all examples per class; 0 where all calls agree.

    References
    ----------
    Matthews 1975, doi:10.1016/0005-2795(75)90109-9.
    """
    tp, fp = called_positives, called_negatives
    fn, tn = positives - tp, negatives - fp
    scale = np.sqrt((tp + fp) * (tp + fn)) * np.sqrt((tn + fp) * (tn + fn))
    both = (positives > 0) & (negatives > 0)
    mcc = np.divide(tp * tn - fp * fn, scale, out=np.zeros_like(scale), where=scale > 0)
    return np.where(both, mcc, np.nan)


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0)


def draw_multiplicities(n_blocks: int, n_replicates: int, rng: np.random.Generator) -> np.ndarray:
    """Draw as many blocks as there are, with replacement: (n_replicates, n_blocks) counts, rows sum to `n_blocks`."""
    drawn = rng.integers(0, n_blocks, size=(n_replicates, n_blocks))
    flat = drawn + n_blocks * np.arange(n_replicates)[:, None]
    counts = np.bincount(flat.ravel(), minlength=n_replicates * n_blocks)
    return counts.reshape(n_replicates, n_blocks).astype(np.float64)


def percentile_interval(values: np.ndarray, confidence: float) -> tuple[float, float] | tuple[None, None]:
    """Central interval that holds `confidence` of the replicates; (None, None) where no replicate had both classes."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None, None
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def effective_blocks(counts: np.ndarray) -> float:
    """Number of equally large blocks that would be as informative as blocks with these (B,) numbers of examples.

    References
    ----------
    Kish 1965, Survey Sampling.
    """
    return float(counts.sum() ** 2 / (counts.astype(np.float64) ** 2).sum())


def replicate_interval(
    value: float, drawn: np.ndarray, n_blocks: float, confidence: float, lowest: float, highest: float
) -> tuple[float, float] | tuple[None, None]:
    """Interval of a metric from the spread of its replicates; (None, None) where two of them are not known.

    Student's t with `n_blocks` - 1 degrees of freedom around the value, on the scale of the arcsine of the square root
    of its place between `lowest` and `highest`, where the spread depends little on the value and no bound leaves the
    range. The spread of replicates of n blocks is too small by sqrt((n - 1) / n). A percentile interval has neither
    correction and holds the truth too seldom where blocks are few (benchmarks/evaluation.md).

    Parameters
    ----------
    drawn : (R,) replicates, NaN where one is not defined. n_blocks : `effective_blocks` of the positives.
    lowest, highest : values that the metric can have; without a highest one, the scale is that of the metric.

    References
    ----------
    Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 12 (t intervals, transformations).
    """
    from scipy.special import stdtrit  # slow to import

    known = drawn[np.isfinite(drawn)]
    if len(known) < 2 or n_blocks <= 1:
        return None, None
    bounded = np.isfinite(highest)
    places = np.append(value, known)
    if bounded:
        places = np.arcsin(np.sqrt(np.clip((places - lowest) / (highest - lowest), 0, 1)))
    spread = float(places[1:].std(ddof=1)) * np.sqrt(n_blocks / (n_blocks - 1))
    reach = float(stdtrit(n_blocks - 1, (1 + confidence) / 2)) * spread
    low, high = places[0] - reach, places[0] + reach
    if not bounded:
        return max(lowest, float(low)), float(high)
    ends = lowest + (highest - lowest) * np.sin(np.clip([low, high], 0, np.pi / 2)) ** 2
    return min(value, float(ends[0])), max(value, float(ends[1]))  # whatever the rounding


def auroc_interval(
    labels: np.ndarray, scores: np.ndarray, clusters: np.ndarray, confidence: float
) -> tuple[float, float, float]:
    """Area under the ROC curve with an interval in closed form, for examples that come in clusters.

    The influence of each example is that of DeLong et al.; influences are summed over a cluster before they are
    squared, so that a positive and the negatives made from it count as one draw. With every example its own cluster
    this is DeLong's variance, up to the factors n / (n - 1).

    Parameters
    ----------
    labels : (N,) 0 or 1, both present. scores : (N,) finite. clusters : (N,) integers, two or more of them.

    Returns
    -------
    Value, lower and upper bound, within 0 and 1.

    References
    ----------
    DeLong, DeLong, Clarke-Pearson 1988, doi:10.2307/2531595; Obuchowski 1997 (clusters), doi:10.2307/2533958;
    Sun and Xu 2014 (by ranks), doi:10.1109/LSP.2014.2337313.
    """
    positive = labels == 1
    n_positives, n_negatives = int(positive.sum()), int((~positive).sum())
    placement = np.empty(len(scores))
    placement[positive], placement[~positive] = area_placements(labels, scores)
    value = float(placement[positive].mean())
    influence = (placement - value) / np.where(positive, n_positives, n_negatives)
    _, cluster = np.unique(clusters, return_inverse=True)
    sums = np.bincount(cluster, weights=influence)
    deviation = float(np.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum()))
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * deviation
    return value, max(0.0, value - reach), min(1.0, value + reach)


def area_placements(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of the negatives below each positive, and of the positives above each negative, ties counting half.

    Parameters
    ----------
    labels : (N,) 0 or 1, both present. scores : (N,) finite.

    Returns
    -------
    (P,) and (N - P,), in the order of the examples; the mean of either is the area under the ROC curve.
    """
    positive = labels == 1
    n_positives, n_negatives = int(positive.sum()), int((~positive).sum())
    ranks = midranks(scores)
    below = (ranks[positive] - midranks(scores[positive])) / n_negatives
    above = 1 - (ranks[~positive] - midranks(scores[~positive])) / n_positives
    return below, above


def midranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values sharing the mean of theirs: (N,) float64, as `scipy.stats.rankdata` gives them."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[group]
