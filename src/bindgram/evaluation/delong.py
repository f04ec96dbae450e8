"""Covariance of areas under ROC curves of several scores of the same examples, and the test of their differences.

By ranks, in O(models x examples x log examples), after Sun and Xu 2014, doi:10.1109/LSP.2014.2337313; the statistics
are those of DeLong, DeLong, Clarke-Pearson 1988, doi:10.2307/2531595. Examples count as independent: where they come in
blocks of the genome, a test that resamples the blocks stands beside this one.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from bindgram.evaluation.statistics import area_placements

RELATIVE_ROUNDING = 1e-12  # of a variance: what is below came from rounding


@dataclass(frozen=True)
class AreaTest:
    """Test that a weighted sum of areas is 0.

    Attributes
    ----------
    difference : the weighted sum. standard_error : of it. p_value : two-sided. None where they are not defined; then
        `reason` says why.
    """

    difference: float | None
    standard_error: float | None
    p_value: float | None
    reason: str = ""


def delong_covariance(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Areas under the ROC curves of M models on the same examples, and their covariance.

    Parameters
    ----------
    labels : (N,) 0 or 1, two or more of each. scores : (M, N) finite.

    Returns
    -------
    (M,) areas and (M, M) covariance.
    """
    placed = [area_placements(labels, row) for row in np.atleast_2d(scores)]
    below, above = (np.stack(part) for part in zip(*placed, strict=True))
    covariance = np.atleast_2d(np.cov(below)) / below.shape[1] + np.atleast_2d(np.cov(above)) / above.shape[1]
    return below.mean(axis=1), covariance


def contrast_test(areas: np.ndarray, covariance: np.ndarray, weights: np.ndarray) -> AreaTest:
    """Test that `areas`, times `weights`, sum up to 0.

    Parameters
    ----------
    areas, covariance : (M,) and (M, M), of `delong_covariance`.
    weights : (M,); 1 and -1 compare two models, 1/3, 1/3, 1/3, -1 the mean of three seeds with one model.
    """
    difference = float(weights @ areas)
    variance = float(weights @ covariance @ weights)
    if variance <= RELATIVE_ROUNDING * float(np.abs(weights) @ np.abs(covariance) @ np.abs(weights)):
        if abs(difference) <= RELATIVE_ROUNDING:
            return AreaTest(difference, 0.0, 1.0)
        return AreaTest(difference, 0.0, None, "not defined: the areas differ without any variance")
    standard_error = variance**0.5
    p_value = 2 * NormalDist().cdf(-abs(difference) / standard_error)
    return AreaTest(difference, standard_error, p_value)


def delong_test(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> AreaTest:
    """`contrast_test` of the areas of (M, N) finite `scores` with (N,) `labels` 0 or 1."""
    n_positives = int((labels == 1).sum())
    n_negatives = len(labels) - n_positives
    if min(n_positives, n_negatives) < 2:
        counts = f"{n_positives} positive(s) and {n_negatives} negative(s)"
        return AreaTest(None, None, None, f"not defined: a variance needs two examples of each class, not {counts}")
    return contrast_test(*delong_covariance(labels, scores), weights)
