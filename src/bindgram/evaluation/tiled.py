"""T4, the tiled test block: scores of a model on its tiles, and their metrics at the prevalence of the genome.

Threshold and temperature come from the validation twin of another test set (T2), whose negatives are as many as its
ratio says, and are moved to the tiles by Bayes' rule. With the calibrated log odds ``z = (s - c) / T`` of a score s
under the prior p of the twin, those under the prior q of the tiles are ``z + logit(q) - logit(p)``; a threshold t on
the twin therefore becomes ``t + T * (logit(p) - logit(q))``, higher where positives are rarer. q is the share of
positives among the tiles of the training blocks, so that nothing of the test block enters. T and c are fitted by
maximum likelihood on the twin (Platt 1999; with his smoothed targets, which keep T above 0 where the classes are
separated).

References
----------
Platt 1999, Probabilistic outputs for support vector machines. Saerens, Latinne, Decaestecker 2002, Neural Computation
14, 21, doi:10.1162/089976602753284446, on new priors.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from bindgram.data.hdf5 import new_hdf5
from bindgram.data.tiled import IGNORED, TiledLabels, packing, read_packed
from bindgram.errors import InputError
from bindgram.evaluation.metrics import choose_threshold, one_class_reason
from bindgram.evaluation.statistics import (
    CHUNK_ELEMENTS,
    MIN_POSITIVE_BLOCKS,
    assign_blocks,
    draw_multiplicities,
    percentile_interval,
    weighted_auroc,
    weighted_average_precision,
    weighted_mcc,
)
from bindgram.provenance import METADATA_KEY, digest

FALSE_DISCOVERY_RATES = {"recall_at_fdr10": 0.1, "recall_at_fdr50": 0.5}
RANKING_METRICS = ("auroc", "average_precision", *FALSE_DISCOVERY_RATES)
CALL_METRICS = ("mcc", "recall", "precision")  # of the tiles at the threshold or above
_NEWTON_STEPS = 100
_ROUNDING = 1e-9  # relative, of a rate such as 0.1, which has no exact binary form


@dataclass(frozen=True)
class TiledScores:
    """Scores of one model on the tiles of a block: (tiles,) float16 logits, NaN for ignored tiles.

    `status` is ``ok`` or ``skipped``; a skipped model has no scores and a `reason`.
    """

    scores: np.ndarray = field(default_factory=lambda: np.empty(0, np.float16))
    status: str = "ok"
    reason: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, tiled: TiledLabels, logits: np.ndarray, provenance: Mapping[str, Any]) -> Self:
        """Scores from the logits of the tiles that are not ignored, in their order, clipped to the range of float16.

        Raises
        ------
        InputError : a logit is not a finite number.
        """
        bad = np.flatnonzero(~np.isfinite(logits))
        if len(bad):
            at = tiled.starts[tiled.labels != IGNORED][bad[0]]
            raise InputError(
                f"{len(bad)} of {len(logits)} scores are not finite, first {logits[bad[0]]} at {tiled.chrom}:{at}; the "
                "model diverged: lower its learning rate and train again"
            )
        scores = np.full(len(tiled.labels), np.nan, np.float16)
        most = np.finfo(np.float16).max
        scores[tiled.labels != IGNORED] = np.clip(logits, -most, most)
        return cls(scores, provenance=provenance)


def write_tiled_scores(path: Path, scored: TiledScores) -> None:
    """Write scores as HDF5, whole or not at all; the ``digest`` of the content joins the provenance."""
    content = digest({"scores": scored.scores.tobytes().hex(), "status": scored.status, "reason": scored.reason})
    metadata = {
        "status": scored.status,
        "reason": scored.reason,
        "provenance": dict(scored.provenance) | {"digest": content},
    }
    with new_hdf5(path) as file:
        file.create_dataset("scores", data=scored.scores, **packing(len(scored.scores)))
        file.attrs[METADATA_KEY] = json.dumps(metadata, sort_keys=True)


def read_tiled_scores(path: Path) -> TiledScores:
    """Read scores of `write_tiled_scores`.

    Raises
    ------
    InputError : the file is missing, damaged, or does not hold scores of tiles.
    """
    what = "scores of tiles; make it with bindgram scan"
    scores, known = read_packed(path, "scores", ("status", "reason", "provenance"), what)
    return TiledScores(scores, **known)


def recall_at_fdr(true_positives: np.ndarray, false_positives: np.ndarray, rate: float) -> np.ndarray:
    """Highest recall of the cuts whose false discovery rate is `rate` at most: (R,) from (R, G) counts; 0 if none is.

    NaN where a replicate has no positives.
    """
    allowed = false_positives <= rate * (true_positives + false_positives) * (1 + _ROUNDING)
    best = np.where(allowed, true_positives, 0.0).max(axis=1)
    positives = true_positives[:, -1]
    return np.divide(best, positives, out=np.full_like(best, np.nan), where=positives > 0)


@dataclass(frozen=True)
class Histogram:
    """Examples counted by block and distinct score, which is all that the metrics of a bootstrap replicate need.

    `positives` and `negatives` are (blocks, G) counts; distinct `scores` (G,) fall. float16 leaves few of them, so that
    a chromosome of tiles is a small matrix.
    """

    positives: np.ndarray
    negatives: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, scores: np.ndarray, blocks: np.ndarray) -> Self:
        """Count (N,) labels 0 or 1 with finite scores."""
        distinct, place = np.unique(-scores, return_inverse=True)
        shape = int(blocks.max()) + 1, len(distinct)
        cell = blocks * shape[1] + place
        counts = [
            np.bincount(cell[labels == value], minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
            for value in (1, 0)
        ]
        return cls(*counts, -distinct)

    def metrics(self, multiplicities: np.ndarray, threshold: float | None) -> dict[str, np.ndarray]:
        """Metrics of replicates in which blocks stand so many times: (R, blocks) to (R,) each."""
        above = [np.cumsum(multiplicities @ counts, axis=1) for counts in (self.positives, self.negatives)]
        found = {"auroc": weighted_auroc(*above), "average_precision": weighted_average_precision(*above)}
        found |= {name: recall_at_fdr(*above, rate) for name, rate in FALSE_DISCOVERY_RATES.items()}
        if threshold is None:
            return found
        n_called = np.count_nonzero(self.scores >= threshold)
        nothing = np.zeros(len(multiplicities))
        tp, fp = (counts[:, n_called - 1] if n_called else nothing for counts in above)
        positives, negatives = (counts[:, -1] for counts in above)
        return found | {
            "mcc": weighted_mcc(tp, fp, positives, negatives),
            "recall": _share(tp, positives),
            "precision": _share(tp, tp + fp),
        }

    def bootstrap(self, threshold: float | None, n_replicates: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Metrics of `n_replicates` draws of the blocks with replacement."""
        n_blocks = len(self.positives)
        size = max(1, CHUNK_ELEMENTS // max(self.positives.shape))
        chunks = [
            self.metrics(draw_multiplicities(n_blocks, min(size, n_replicates - first), rng), threshold)
            for first in range(0, n_replicates, size)
        ]
        return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def fit_temperature(labels: np.ndarray, scores: np.ndarray) -> float | None:
    """Temperature T of ``logit P(label = 1) = (score - c) / T``; None where scores do not rise with the labels.

    Newton's method on the two parameters; see the module for targets and source.
    """
    n_positive, n_negative = (int(np.count_nonzero(labels == value)) for value in (1, 0))
    spread = float(scores.std()) if len(scores) else 0.0
    if not n_positive or not n_negative or spread == 0:
        return None
    targets = np.where(labels == 1, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    design = np.column_stack([(scores - scores.mean()) / spread, np.ones(len(scores))])
    weights = np.array([0.0, np.log((n_positive + 1) / (n_negative + 1))])

    def loss(weights: np.ndarray) -> float:
        z = design @ weights
        return float((np.logaddexp(0, z) - targets * z).sum())

    for _ in range(_NEWTON_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -500, 500)))
        gradient = design.T @ (p - targets)
        hessian = (design * (p * (1 - p) + 1e-12)[:, None]).T @ design
        step, scale, before = np.linalg.solve(hessian, gradient), 1.0, loss(weights)
        while loss(weights - scale * step) > before and scale > 1e-6:
            scale /= 2
        weights = weights - scale * step
        if np.abs(scale * step).max() < 1e-10:
            break
    return spread / float(weights[0]) if weights[0] > 0 else None


def prior_shift(twin: float, tiles: float) -> float:
    """Log odds of the prior of the twin above that of the tiles."""
    return float(np.log(twin / (1 - twin)) - np.log(tiles / (1 - tiles)))


def calibrate(twin: pd.DataFrame, prior: float) -> dict[str, float | None]:
    """Threshold and temperature for the tiles from the twin (rows of the predictions table, split valid).

    Returns
    -------
    ``temperature``, ``twin_threshold``, ``twin_prior``, ``prior`` and the moved ``threshold``; None where unknown.
    """
    labels, scores = twin["label"].to_numpy(), twin["score"].to_numpy(np.float64)
    found: dict[str, float | None] = {
        "temperature": fit_temperature(labels, scores),
        "twin_threshold": choose_threshold(labels, scores) if len(labels) else None,
        "twin_prior": float((labels == 1).mean()) if len(labels) else None,
        "prior": prior,
        "threshold": None,
    }
    if found["temperature"] is not None and found["twin_threshold"] is not None and 0 < prior < 1:
        found["threshold"] = found["twin_threshold"] + found["temperature"] * prior_shift(found["twin_prior"], prior)
    return found


def empty_tiled_result(reason: str) -> dict[str, Any]:
    """The result where T4 has no metrics."""
    names = (*RANKING_METRICS, *CALL_METRICS)
    values: dict[str, Any] = {f"{name}{bound}": None for name in names for bound in ("", ".low", ".high")}
    values |= dict.fromkeys(("threshold", "temperature", "twin_threshold", "twin_prior", "prior", "prevalence"))
    counts = dict.fromkeys(("n_positives", "n_negatives", "n_ignored", "n_blocks", "n_positive_blocks"), 0)
    return values | counts | {"flag": "", "reason": reason}


def evaluate_tiles(
    tiled: TiledLabels,
    scores: np.ndarray,
    twin: pd.DataFrame,
    replicates: int,
    confidence: float,
    max_block_bp: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Metrics of the scores (tiles,) of one model on the tiles of one block, with bootstrap intervals over blocks.

    Returns
    -------
    The keys of `empty_tiled_result`. ``prevalence`` is the share of positives among the tiles that are not ignored;
    ``flag`` and ``reason`` are those of `bindgram.evaluation.metrics.evaluate_test_set`.

    Raises
    ------
    InputError : a tile that is not ignored has no score: these are scores of another experiment.
    """
    known = tiled.labels != IGNORED
    if np.isnan(scores[known]).any():
        raise InputError(
            f"{np.isnan(scores[known]).sum()} of {known.sum()} known tiles have no score; the scores are "
            "those of other labels: scan again with the labels of this experiment"
        )
    labels, ours = tiled.labels[known], scores[known].astype(np.float64)
    counts = tiled.counts()
    result = empty_tiled_result(one_class_reason(labels)) | {
        "n_positives": counts["n_positives_test"],
        "n_negatives": counts["n_negatives_test"],
        "n_ignored": counts["n_ignored"],
    }
    if len(labels):
        result["prevalence"] = float((labels == 1).mean())
    if result["reason"]:
        return result
    calibrated = calibrate(twin, tiled.prior)
    threshold = calibrated["threshold"]
    chroms = np.full(len(labels), tiled.chrom, object)
    blocks = assign_blocks(chroms, tiled.starts[known], max_block_bp)
    histogram = Histogram.of(labels, ours, blocks)
    n_blocks = len(histogram.positives)
    values = histogram.metrics(np.ones((1, n_blocks)), threshold)
    drawn = histogram.bootstrap(threshold, replicates, rng)
    for name, value in values.items():
        result[name] = float(value[0]) if np.isfinite(value[0]) else None
        result[f"{name}.low"], result[f"{name}.high"] = percentile_interval(drawn[name], confidence)
    n_positive_blocks = int((histogram.positives.sum(axis=1) > 0).sum())
    flags = ["interval_unreliable"] * (n_positive_blocks < MIN_POSITIVE_BLOCKS) + ["no_threshold"] * (threshold is None)
    blocks_counted = {"n_blocks": n_blocks, "n_positive_blocks": n_positive_blocks}
    return result | blocks_counted | calibrated | {"flag": ";".join(flags)}
