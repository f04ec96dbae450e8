"""Faithfulness: whether the bases that an attribution puts first are those that the score hangs on.

In order of attribution, bases are replaced by those of a shuffle of the sequence (deletion), and inserted into the
shuffle (insertion). A faithful attribution makes the score fall, and rise, sooner than a random order does; how much
sooner is the area between the two curves.

References
----------
Petsiuk, Das, Saenko (2018), RISE: Randomized Input Sampling for Explanation, https://arxiv.org/abs/1806.07421
"""

from typing import Any

import numpy as np
from scipy import stats

from bindgram.interpretation.contributions import ROUNDING, shuffled_references
from bindgram.interpretation.scorer import OneHotScorer
from bindgram.settings.attribution import FaithfulnessSettings

CHUNK = 4096  # sequences made at a time


def faithfulness(
    scorer: OneHotScorer,
    codes: np.ndarray,
    importance: np.ndarray,
    settings: FaithfulnessSettings,
    rng: np.random.Generator,
    *,
    confidence: float,
) -> dict[str, Any]:
    """Insertion and deletion curves of N sequences by their attribution (N, L), beside those of random orders.

    Returns
    -------
    ``verdict`` (yes: both areas are above zero with their intervals; no; not defined), ``reason``, ``n_sequences``,
    ``fractions`` of bases changed, and, each for ``deletion`` and ``insertion``: mean scores (logits) in order of
    ``attribution`` and at ``random``, ``area`` between them in the direction that a faithful attribution has
    (logits), with its interval over sequences, ``low`` and ``high``. All JSON; null where not defined.
    """
    if len(codes) < 2:
        return _not_defined(len(codes), f"{len(codes)} sequence(s), an interval needs two")
    if np.ptp(importance, axis=1).max() == 0:
        return _not_defined(len(codes), "the attribution puts no base before another")
    fractions = np.arange(settings.steps + 1) / settings.steps
    n_changed = np.round(fractions * codes.shape[1]).astype(int)
    curves = np.zeros((2, 2, len(codes), len(fractions)))  # deletion, insertion; attribution, random; ...
    references = shuffled_references(codes, settings.references, rng)
    rows = np.array_split(np.arange(len(codes)), -(-len(codes) * 4 * len(fractions) // CHUNK))
    for number in range(settings.references):
        for part in rows:
            orders = ranks(importance[part], rng), ranks(np.zeros_like(importance[part]), rng)
            curves[:, :, part] += _curves(scorer, codes[part], references[part, number], orders, n_changed)
    curves /= settings.references
    if not np.isfinite(curves).all():
        return _not_defined(len(codes), "the model gives scores that are no numbers")
    if np.ptp(curves) < ROUNDING:
        return _not_defined(len(codes), "all scores are equal, with and without the sequences' own bases")
    deletion, insertion = (
        _compared(*both, fractions, sign, confidence) for both, sign in zip(curves, (-1, 1), strict=True)
    )
    faithful = deletion["low"] > 0 and insertion["low"] > 0
    reason = "" if faithful else "the score hangs no more on the first bases of the attribution than on any others"
    return {
        "verdict": "yes" if faithful else "no",
        "reason": reason,
        "n_sequences": len(codes),
        "fractions": fractions.tolist(),
        "deletion": deletion,
        "insertion": insertion,
    }


def ranks(importance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Place of each base in the order of attribution (N, L), the highest first; ties in random order."""
    order = np.lexsort((rng.random(importance.shape), -importance), axis=1)
    return np.argsort(order, axis=1)


def _curves(
    scorer: OneHotScorer,
    codes: np.ndarray,
    references: np.ndarray,
    orders: tuple[np.ndarray, np.ndarray],
    n_changed: np.ndarray,
) -> np.ndarray:
    """Scores (deletion and insertion, orders, N, steps)."""
    first = np.stack(orders)[:, :, None] < n_changed[:, None]  # (orders, N, steps, L)
    own, other = codes[:, None], references[:, None]
    made = np.stack([np.where(first, other, own), np.where(first, own, other)])
    return scorer.score(made.reshape(-1, codes.shape[1])).reshape(made.shape[:-1])


def _compared(
    attribution: np.ndarray, random: np.ndarray, fractions: np.ndarray, sign: int, confidence: float
) -> dict[str, Any]:
    """Mean curves of scores (N, steps) and the area between them, with the interval of its mean (Student's t)."""
    areas = sign * np.trapezoid(attribution - random, fractions, axis=1)
    half = stats.t.ppf((1 + confidence) / 2, len(areas) - 1) * areas.std(ddof=1) / np.sqrt(len(areas))
    return {
        "attribution": attribution.mean(axis=0).tolist(),
        "random": random.mean(axis=0).tolist(),
        "area": float(areas.mean()),
        "low": float(areas.mean() - half),
        "high": float(areas.mean() + half),
    }


def _not_defined(n_sequences: int, why: str) -> dict[str, Any]:
    return {
        "verdict": "not defined",
        "reason": f"not defined: {why}",
        "n_sequences": n_sequences,
        "fractions": None,
        "deletion": None,
        "insertion": None,
    }
