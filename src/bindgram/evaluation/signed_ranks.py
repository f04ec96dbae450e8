"""Paired differences by their signed ranks: location with an interval, test and effect size.

Nothing is assumed of the differences but that they are independent and, for the estimate of Hodges and Lehmann,
symmetric about their centre.
"""

import math
from dataclasses import dataclass

import numpy as np

from bindgram.evaluation.statistics import midranks


@dataclass(frozen=True)
class SignedRanks:
    """What paired differences say. None with a reason in `undefined` where a value is not defined.

    Attributes
    ----------
    n : differences. median : of them. hodges_lehmann : median of the means of all two of them, each with itself too.
    low, high : interval of the latter. p_value : two-sided, of Wilcoxon. rank_biserial : -1 to 1.
    """

    n: int
    median: float | None
    hodges_lehmann: float | None
    low: float | None
    high: float | None
    p_value: float | None
    rank_biserial: float | None
    undefined: str = ""


def compare_signed_ranks(differences: np.ndarray, confidence: float) -> SignedRanks:
    """All of it for (N,) finite differences."""
    n = len(differences)
    if n == 0:
        return SignedRanks(0, None, None, None, None, None, None, "not defined: no difference is known")
    estimate, low, high = hodges_lehmann(differences, confidence)
    needed = least_for_interval(confidence)
    short = f"not defined: an interval of {confidence:.0%} needs {needed} values, not {n}"
    return SignedRanks(
        n,
        float(np.median(differences)),
        estimate,
        low,
        high,
        wilcoxon_p_value(differences),
        rank_biserial(differences),
        short if n < needed else "",
    )


def least_for_interval(confidence: float) -> int:
    """Fewest differences from which an interval of this confidence can be had: one sign for all is rarer than that."""
    return math.ceil(1 - math.log2(1 - confidence))


def hodges_lehmann(differences: np.ndarray, confidence: float) -> tuple[float, float | None, float | None]:
    """Median of the Walsh averages, and the interval that inverts the exact signed-rank test.

    Parameters
    ----------
    differences : (N,), N >= 1. confidence : the interval has this or more.

    Returns
    -------
    Estimate, low, high; (estimate, None, None) below `least_for_interval`.

    References
    ----------
    Hodges and Lehmann 1963, doi:10.1214/aoms/1177704172; Hollander, Wolfe, Chicken 2014, Nonparametric Statistical
    Methods, section 3.3.
    """
    n = len(differences)
    rows, columns = np.triu_indices(n)
    averages = np.sort((differences[rows] + differences[columns]) / 2)
    estimate = float(np.median(averages))
    below = np.cumsum(signed_rank_distribution(n))
    n_outside = int(np.searchsorted(below, (1 - confidence) / 2, side="right"))  # averages cut off at either end
    if n_outside == 0:
        return estimate, None, None
    return estimate, float(averages[n_outside - 1]), float(averages[-n_outside])


def signed_rank_distribution(n: int) -> np.ndarray:
    """Chance of every sum of positive ranks, 0 to n (n + 1) / 2, where each of n ranks is positive by a fair coin."""
    chance = np.zeros(n * (n + 1) // 2 + 1)
    chance[0] = 1.0
    for rank in range(1, n + 1):
        chance[rank:] = (chance[rank:] + chance[:-rank]) / 2  # the right side is made before the left is written
        chance[:rank] /= 2
    return chance


def wilcoxon_p_value(differences: np.ndarray) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test without the differences of 0; 1 where all are.

    Exact up to 50 differences without ties, else by the normal approximation.

    References
    ----------
    Wilcoxon 1945, doi:10.2307/3001968; `scipy.stats.wilcoxon`.
    """
    from scipy.stats import wilcoxon

    known = differences[differences != 0]
    return float(wilcoxon(known, zero_method="wilcox").pvalue) if len(known) else 1.0


def rank_biserial(differences: np.ndarray) -> float:
    """Matched-pairs rank-biserial correlation: share of the rank sum that is positive less the share that is negative.

    1 where all differences are positive, -1 where all are negative, 0 where they balance or are all 0.

    References
    ----------
    Kerby 2014, doi:10.2466/11.IT.3.1.
    """
    known = differences[differences != 0]
    if not len(known):
        return 0.0
    ranks = midranks(np.abs(known))
    return float((ranks * np.sign(known)).sum() / ranks.sum())
