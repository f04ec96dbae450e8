"""Ranking metrics of many bootstrap replicates at once.

A replicate is a vector of multiplicities: how often each block, and with it each of its examples, was drawn. All
ranking metrics follow from what stands above each distinct score of a positive, so a ranking is counted once by block
and a thousand replicates are one product of matrices. Counts are whole numbers, hence exact in any order of sums.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from bindgram.evaluation.calibration import N_BINS, bin_numbers
from bindgram.evaluation.statistics import draw_multiplicities, weighted_mcc

CHUNK_ELEMENTS = 2**20  # elements of the largest matrix held at a time
MAX_DENSE = 60  # blocks times distinct scores per example above which examples are weighted one by one
MAX_FPR = 0.1  # of the partial area under the ROC curve
FALSE_DISCOVERY_RATES = {"recall_at_fdr10": 0.1, "recall_at_fdr50": 0.5}
_ROUNDING = 1e-9  # relative, of a rate such as 0.1, which has no exact binary form


@dataclass(frozen=True)
class Curves:
    """What lies above each of the G distinct scores of the positives, from the highest, in R replicates.

    Attributes
    ----------
    gained : (R, G) weight of the positives with this score. above : (R, G) that of the negatives with a higher one.
    called : (R, G) that of the negatives with this score or a higher one; the same array where no negative ties.
    n_positives, n_negatives : (R,) weight of each class.
    """

    gained: np.ndarray
    above: np.ndarray
    called: np.ndarray
    n_positives: np.ndarray
    n_negatives: np.ndarray

    @cached_property
    def true_positives(self) -> np.ndarray:
        """(R, G) weight of the positives with this score or a higher one."""
        return np.cumsum(self.gained, axis=1)

    @cached_property
    def has_both(self) -> np.ndarray:
        """(R,) whether a replicate has both classes."""
        return (self.n_positives > 0) & (self.n_negatives > 0)


@dataclass(frozen=True)
class Ranked:
    """Examples made ready to be resampled by block, each class from the highest score to the lowest.

    Attributes
    ----------
    group : (P,) number of the distinct score of each positive, from the highest. positive_block : (P,).
    called_from, above_from : (N,) number of the first distinct score that is not above, and that is below, each
        negative. negative_block : (N,). n_groups, n_blocks : numbers of distinct scores and of blocks.
    """

    group: np.ndarray
    positive_block: np.ndarray
    called_from: np.ndarray
    above_from: np.ndarray
    negative_block: np.ndarray
    n_groups: int
    n_blocks: int

    @classmethod
    def of(cls, labels: np.ndarray, scores: np.ndarray, blocks: np.ndarray) -> Self:
        """Rank (N,) finite scores of labels 0 or 1 in (N,) blocks numbered from 0."""
        order = np.argsort(-scores, kind="stable")
        positives, negatives = order[labels[order] == 1], order[labels[order] != 1]
        distinct, group = np.unique(-scores[positives], return_inverse=True)
        called_from, above_from = (np.searchsorted(distinct, -scores[negatives], side) for side in ("left", "right"))
        n_blocks = int(blocks.max()) + 1
        return cls(group, blocks[positives], called_from, above_from, blocks[negatives], len(distinct), n_blocks)

    @property
    def tied(self) -> bool:
        """Whether a negative has the score of a positive."""
        return bool((self.called_from != self.above_from).any())

    @property
    def n_examples(self) -> int:
        """Positives and negatives."""
        return len(self.group) + len(self.called_from)

    @property
    def dense(self) -> bool:
        """Whether tables of blocks are small enough to be the faster way."""
        return self.n_blocks * self.n_groups <= MAX_DENSE * self.n_examples

    @property
    def chunk_size(self) -> int:
        """Replicates whose largest matrix has `CHUNK_ELEMENTS` at most."""
        return max(1, CHUNK_ELEMENTS // max(self.n_blocks, self.n_groups if self.dense else self.n_examples))

    def curves(self) -> Callable[[np.ndarray], Curves]:
        """Function from (R, blocks) multiplicities to the curves of these replicates."""
        return self._by_block() if self.dense else self._by_example()

    def _by_block(self) -> Callable[[np.ndarray], Curves]:
        gained = self._count(self.positive_block, self.group)[:, :-1]
        met = np.cumsum(self._count(self.negative_block, self.called_from), axis=1)
        passed = np.cumsum(self._count(self.negative_block, self.above_from), axis=1)
        totals = np.column_stack([gained.sum(axis=1), met[:, -1]])

        def curves(multiplicities: np.ndarray) -> Curves:
            called = multiplicities @ met[:, :-1]
            above = multiplicities @ passed[:, :-1] if self.tied else called
            return Curves(multiplicities @ gained, above, called, *(multiplicities @ totals).T)

        return curves

    def _count(self, block: np.ndarray, group: np.ndarray) -> np.ndarray:
        """(blocks, G + 1) numbers of examples."""
        shape = self.n_blocks, self.n_groups + 1
        counts = np.bincount(block * shape[1] + group, minlength=shape[0] * shape[1])
        return counts.reshape(shape).astype(np.float64)

    def _by_example(self) -> Callable[[np.ndarray], Curves]:
        """The same where tables of blocks would be larger than the weights of all examples."""
        firsts = np.flatnonzero(np.diff(self.group, prepend=-1))
        groups = np.arange(self.n_groups)
        n_called, n_above = (np.searchsorted(start, groups, "right") for start in (self.called_from, self.above_from))

        def curves(multiplicities: np.ndarray) -> Curves:
            gained = np.add.reduceat(multiplicities[:, self.positive_block], firsts, axis=1)
            sums = np.cumsum(multiplicities[:, self.negative_block], axis=1)
            sums = np.pad(sums, ((0, 0), (1, 0)))
            called = sums[:, n_called]
            above = sums[:, n_above] if self.tied else called
            return Curves(gained, above, called, gained.sum(axis=1), sums[:, -1])

        return curves


def auroc(curves: Curves) -> np.ndarray:
    """(R,) area under the ROC curve, ties counting one half; NaN where a replicate lacks a class."""
    below = curves.n_negatives[:, None] - (curves.above + curves.called) / 2
    pairs = np.where(both := curves.has_both, curves.n_positives * curves.n_negatives, 1.0)
    return np.where(both, (curves.gained * below).sum(axis=1) / pairs, np.nan)


def average_precision(curves: Curves) -> np.ndarray:
    """(R,) sum of precision times recall gained at every distinct score; NaN where a replicate lacks a class."""
    found = curves.true_positives
    called = found + curves.called
    precision = np.divide(found, called, out=np.zeros_like(found), where=called > 0)
    positives = np.where(both := curves.has_both, curves.n_positives, 1.0)
    return np.where(both, (curves.gained * precision).sum(axis=1) / positives, np.nan)


RANKS = {"auroc": auroc, "average_precision": average_precision}


def partial_auroc(curves: Curves, max_fpr: float) -> np.ndarray:
    """(R,) area under the ROC curve up to `max_fpr`, standardised so that 0.5 is chance and 1 is no error.

    The curve rises from (above, positives before) to (called, positives then) at every distinct score of a positive,
    and runs level in between.

    References
    ----------
    McClish 1989, doi:10.1177/0272989X8900900307.
    """
    found = curves.true_positives
    before = found - curves.gained
    end = max_fpr * curves.n_negatives[:, None]
    left, right = np.minimum(curves.above, end), np.minimum(curves.called, end)
    reached = np.minimum(np.append(curves.above[:, 1:], np.full((len(found), 1), np.inf), axis=1), end)
    width = curves.called - curves.above
    share = np.divide(right - left, width, out=np.zeros_like(width), where=width > 0)
    rise = (right - left) * (before + curves.gained * share / 2)
    area = (rise + np.maximum(0, reached - right) * found).sum(axis=1)
    pairs = np.where(both := curves.has_both, curves.n_positives * curves.n_negatives, 1.0)
    lowest = max_fpr**2 / 2
    return np.where(both, (1 + (area / pairs - lowest) / (max_fpr - lowest)) / 2, np.nan)


def recall_at_fdr(curves: Curves, rate: float, prior: float | None) -> np.ndarray:
    """(R,) highest recall of the cuts whose false discovery rate is `rate` at most; 0 if none is.

    Parameters
    ----------
    prior : share of positives to which the negatives are weighted; None keeps the share of the examples.

    Returns
    -------
    NaN where a replicate lacks a class.
    """
    found, wrong, both = curves.true_positives, curves.called, curves.has_both
    if prior is not None:
        negatives = np.where(both, curves.n_negatives, 1.0)
        wrong = wrong * (curves.n_positives * (1 - prior) / (prior * negatives))[:, None]
    allowed = (found > 0) & (wrong <= rate * (found + wrong) * (1 + _ROUNDING))
    best = np.where(allowed, found, 0.0).max(axis=1)
    return np.where(both, best / np.where(both, curves.n_positives, 1.0), np.nan)


def curve_metrics(curves: Curves, prior: float | None) -> dict[str, np.ndarray]:
    """All metrics of the curve, (R,) each; `prior` is that of `recall_at_fdr`."""
    found = {name: metric(curves) for name, metric in RANKS.items()}
    found["partial_auroc"] = partial_auroc(curves, MAX_FPR)
    return found | {name: recall_at_fdr(curves, rate, prior) for name, rate in FALSE_DISCOVERY_RATES.items()}


def call_metrics(tp: np.ndarray, fp: np.ndarray, positives: np.ndarray, negatives: np.ndarray) -> dict[str, np.ndarray]:
    """Metrics of calls, (R,) each, from the weights of called and of all examples per class; NaN is 0 / 0."""
    fn, tn = positives - tp, negatives - fp
    return {
        "mcc": weighted_mcc(tp, fp, positives, negatives),
        "f1": _share(2 * tp, 2 * tp + fp + fn),
        "accuracy": _share(tp + tn, positives + negatives),
        "precision": _share(tp, tp + fp),
        "recall": _share(tp, positives),
        "specificity": _share(tn, negatives),
    }


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


@dataclass(frozen=True)
class Examples:
    """Scored examples of one test set, N of them.

    Attributes
    ----------
    labels, scores, blocks : (N,) 0 or 1, finite, and from 0.
    threshold : score from which an example is called. stated, calibrated : (N,) probabilities.
    strands : (N,) difference between the strands. prior : that of `recall_at_fdr`. What is None has no metrics.
    """

    labels: np.ndarray
    scores: np.ndarray
    blocks: np.ndarray
    threshold: float | None = None
    stated: np.ndarray | None = None
    calibrated: np.ndarray | None = None
    strands: np.ndarray | None = None
    prior: float | None = None

    @cached_property
    def ranked(self) -> Ranked:
        """The examples in order of their scores."""
        return Ranked.of(self.labels, self.scores, self.blocks)

    def metrics(self) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
        """Function from (R, blocks) multiplicities to all metrics that can be computed, (R,) each."""
        curves = self.ranked.curves()
        sums, names = self._block_sums()

        def metrics(multiplicities: np.ndarray) -> dict[str, np.ndarray]:
            drawn = curves(multiplicities)
            total = dict(zip(names, (multiplicities @ sums).T, strict=True))
            found = curve_metrics(drawn, self.prior)
            n = drawn.n_positives + drawn.n_negatives
            if self.threshold is not None:
                found |= call_metrics(total["tp"], total["fp"], drawn.n_positives, drawn.n_negatives)
            for suffix in ("", "_calibrated"):
                if f"brier{suffix}" in total:
                    found[f"brier{suffix}"] = _share(total[f"brier{suffix}"], n)
                    gaps = [np.abs(total[f"gap{number}{suffix}"]) for number in range(N_BINS)]
                    found[f"ece{suffix}"] = _share(np.sum(gaps, axis=0), n)
            if self.strands is not None:
                found["strand_difference"] = _share(total["strands"], n)
            return found

        return metrics

    def _block_sums(self) -> tuple[np.ndarray, list[str]]:
        """Sums over the examples of each block, (blocks, K), and their names."""
        positive = self.labels == 1
        columns: dict[str, np.ndarray] = {}
        if self.threshold is not None:
            called = self.scores >= self.threshold
            columns |= {"tp": called & positive, "fp": called & ~positive}
        for suffix, probability in (("", self.stated), ("_calibrated", self.calibrated)):
            if probability is not None:
                gap = probability - positive
                number = bin_numbers(probability)
                columns[f"brier{suffix}"] = gap**2
                columns |= {f"gap{bin_}{suffix}": np.where(number == bin_, gap, 0.0) for bin_ in range(N_BINS)}
        if self.strands is not None:
            columns["strands"] = np.abs(self.strands)
        n_blocks = self.ranked.n_blocks
        sums = [np.bincount(self.blocks, weights=column, minlength=n_blocks) for column in columns.values()]
        return np.stack(sums, axis=1) if sums else np.empty((n_blocks, 0)), list(columns)

    def bootstrap(self, n_replicates: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Metrics of `n_replicates` test sets drawn block by block with replacement, (n_replicates,) each."""
        metrics, ranked = self.metrics(), self.ranked
        size = ranked.chunk_size
        firsts = range(0, n_replicates, size)
        chunks = [
            metrics(draw_multiplicities(ranked.n_blocks, min(size, n_replicates - first), rng)) for first in firsts
        ]
        return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def paired_replicates(
    labels: np.ndarray, scores: np.ndarray, blocks: np.ndarray, n_replicates: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Ranking metrics of M trainings on the same replicates, which are those of `Examples.bootstrap`.

    Parameters
    ----------
    labels : (N,), both classes. scores : (M, N) finite. blocks : (N,) from `assign_blocks`.

    Returns
    -------
    `RANKS` to (M, n_replicates), NaN where a replicate holds one class only.
    """
    multiplicities = draw_multiplicities(int(blocks.max()) + 1, n_replicates, rng)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in RANKS}
    for row in scores:
        ranked = Ranked.of(labels, row, blocks)
        curves, size = ranked.curves(), ranked.chunk_size
        parts = [curves(multiplicities[first : first + size]) for first in range(0, n_replicates, size)]
        for name, metric in RANKS.items():
            drawn[name].append(np.concatenate([metric(part) for part in parts]))
    return {name: np.stack(values) for name, values in drawn.items()}
