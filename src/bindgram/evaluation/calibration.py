"""Whether stated probabilities are the share of positives among examples that are given them, and what to do if not.

A model that is trained on log odds states the probability ``1 / (1 + exp(-score))``. Temperature T and offset c of
``logit P(label = 1) = (score - c) / T`` are fitted on the validation twin by maximum likelihood; the offset carries the
ratio of classes of the test set, which need not be that of training.

References
----------
Platt 1999, Probabilistic outputs for support vector machines (with his smoothed targets, which keep T above 0 where the
classes are separated). Guo, Pleiss, Sun, Weinberger 2017, On calibration of modern neural networks, arXiv:1706.04599.
"""

from dataclasses import dataclass

import numpy as np

N_BINS = 10  # of equally many examples
MIN_PER_BIN = 5  # examples; with fewer the calibration error is not defined
_NEWTON_STEPS = 100


@dataclass(frozen=True)
class Calibration:
    """``logit P(label = 1) = (score - offset) / temperature``, as fitted on examples of which `prior` are positive."""

    temperature: float
    offset: float
    prior: float

    def log_odds(self, scores: np.ndarray, prior: float | None = None) -> np.ndarray:
        """Calibrated log odds of (N,) scores; `prior` is the share of positives there, where it is another one."""
        shift = 0.0 if prior is None else logit(self.prior) - logit(prior)
        return (scores - self.offset) / self.temperature - shift


def logit(probability: float) -> float:
    """Log odds of a probability above 0 and below 1."""
    return float(np.log(probability) - np.log1p(-probability))


def probabilities(log_odds: np.ndarray) -> np.ndarray:
    """``1 / (1 + exp(-log_odds))`` of an array, without overflow."""
    small = np.exp(-np.abs(log_odds))
    return np.where(log_odds >= 0, 1.0, small) / (1 + small)


def fit_calibration(labels: np.ndarray, scores: np.ndarray) -> Calibration | None:
    """Temperature and offset of (N,) scores; None where they do not rise with the labels, or are not finite.

    Newton's method on the two parameters; see the module for targets and source.
    """
    n_positive, n_negative = (int(np.count_nonzero(labels == value)) for value in (1, 0))
    spread = float(scores.std()) if len(scores) else 0.0
    if not n_positive or not n_negative or not 0 < spread < np.inf:
        return None
    targets = np.where(labels == 1, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    middle = float(scores.mean())
    design = np.column_stack([(scores - middle) / spread, np.ones(len(scores))])
    weights = np.array([0.0, np.log((n_positive + 1) / (n_negative + 1))])

    def loss(weights: np.ndarray) -> float:
        z = design @ weights
        return float((np.logaddexp(0, z) - targets * z).sum())

    for _ in range(_NEWTON_STEPS):
        p = probabilities(design @ weights)
        gradient = design.T @ (p - targets)
        hessian = (design * (p * (1 - p) + 1e-12)[:, None]).T @ design
        step, scale, before = np.linalg.solve(hessian, gradient), 1.0, loss(weights)
        while loss(weights - scale * step) > before and scale > 1e-6:
            scale /= 2
        weights = weights - scale * step
        if np.abs(scale * step).max() < 1e-10:
            break
    if weights[0] <= 0:
        return None
    temperature = spread / float(weights[0])
    return Calibration(temperature, middle - float(weights[1]) * temperature, n_positive / (n_positive + n_negative))


def bin_numbers(stated: np.ndarray, n_bins: int = N_BINS) -> np.ndarray:
    """Number of the bin of each of (N,) probabilities: bins of equally many examples, equal probabilities in one."""
    edges = np.quantile(stated, np.linspace(0, 1, n_bins + 1))
    return np.searchsorted(edges[1:-1], stated)


@dataclass(frozen=True)
class Reliability:
    """Of every bin that holds examples, in rising order: mean stated probability, share of positives, examples."""

    predicted: np.ndarray
    observed: np.ndarray
    n: np.ndarray


def reliability(labels: np.ndarray, stated: np.ndarray, n_bins: int = N_BINS) -> Reliability:
    """Reliability diagram of (N,) labels and stated probabilities, N > 0."""
    number = bin_numbers(stated, n_bins)
    n = np.bincount(number, minlength=n_bins)
    held = n > 0
    sums = [np.bincount(number, weights=values, minlength=n_bins)[held] for values in (stated, labels == 1)]
    return Reliability(sums[0] / n[held], sums[1] / n[held], n[held])
