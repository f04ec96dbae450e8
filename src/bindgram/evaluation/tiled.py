"""T4, the tiled test block: scores of a model on its tiles, and their metrics at the prevalence of the genome.

Threshold and temperature come from the validation twin of another test set (T2), whose negatives are as many as its
ratio says, and are moved to the tiles by Bayes' rule. With the calibrated log odds ``z = (s - c) / T`` of a score s
under the prior p of the twin, those under the prior q of the tiles are ``z + logit(q) - logit(p)``; a threshold t on
the twin therefore becomes ``t + T * (logit(p) - logit(q))``, higher where positives are rarer. q is the share of
positives among the tiles of the training blocks, so that nothing of the test block enters. T and c are those of
`bindgram.evaluation.calibration`.

References
----------
Saerens, Latinne, Decaestecker 2002, Neural Computation 14, 21, doi:10.1162/089976602753284446, on new priors.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from bindgram.data.hdf5 import new_hdf5
from bindgram.data.tiled import IGNORED, TiledLabels, packing, read_packed
from bindgram.errors import InputError
from bindgram.evaluation.calibration import logit, probabilities
from bindgram.evaluation.evaluate import (
    Prevalence,
    Twin,
    count_flags,
    measure,
    twin_values,
    undefined_metrics,
    undefined_result,
    use_twin,
    why_unusable,
)
from bindgram.evaluation.metrics import METRICS, NOT_DEFINED
from bindgram.evaluation.resampling import Examples
from bindgram.evaluation.statistics import assign_blocks
from bindgram.provenance import METADATA_KEY, digest

_COUNTED = ("n_positives", "n_negatives", "n_ignored")


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

        What is no finite number becomes infinite, so that it is told from an ignored tile.
        """
        scores = np.full(len(tiled.labels), np.nan, np.float16)
        most = np.finfo(np.float16).max
        scores[tiled.labels != IGNORED] = np.where(np.isfinite(logits), np.clip(logits, -most, most), np.inf)
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


def natural_prevalence(tiled: TiledLabels | None) -> Prevalence:
    """Share of positives among the tiles of the training blocks, or why it is not known."""
    if tiled is None:
        return Prevalence(None, "no natural prevalence: no tiles were given")
    if tiled.skipped:
        return Prevalence(None, f"no natural prevalence: {tiled.reason}")
    if not 0 < tiled.prior < 1:
        return Prevalence(None, f"no natural prevalence: it is {tiled.prior:g} among the tiles of the training blocks")
    return Prevalence(tiled.prior)


def move_threshold(twin: Twin, prevalence: Prevalence) -> Twin:
    """What a twin gives for examples of another prevalence; see the module. Nothing where it is not known."""
    if twin.threshold is None:
        return twin
    reason = twin.no_calibration or prevalence.reason
    if twin.calibration is None or prevalence.value is None:
        still = f"the threshold cannot be moved to the tiles: {reason}"
        return replace(twin, threshold=None, no_threshold=still, calibration=None, no_calibration=reason)
    shift = logit(twin.calibration.prior) - logit(prevalence.value)
    return replace(twin, threshold=twin.threshold + twin.calibration.temperature * shift)


def empty_tiled_result(reason: str) -> dict[str, Any]:
    """The result where T4 has no metrics; without a reason: all but the metrics."""
    why = reason if reason.startswith(NOT_DEFINED) else f"{NOT_DEFINED}{reason}"
    known = ("threshold", "temperature", "offset", "twin_threshold", "twin_prior", "prior", "prevalence")
    counts = dict.fromkeys(("n_positives", "n_negatives", "n_ignored", "n_blocks", "n_positive_blocks"), 0)
    values = undefined_result(METRICS, why) if reason else {}
    return values | dict.fromkeys(known) | counts | {"flag": "", "reason": reason}


def evaluate_tiles(
    tiled: TiledLabels,
    scores: np.ndarray,
    twin: pd.DataFrame,
    replicates: int,
    confidence: float,
    max_block_bp: int,
    rng: np.random.Generator,
    *,
    scale: str,
) -> dict[str, Any]:
    """Metrics of the scores (tiles,) of one model on the tiles of one block, with bootstrap intervals over blocks.

    Parameters
    ----------
    twin : rows of the predictions table that give threshold and temperature. scale : of the scores, as it says.

    Returns
    -------
    The keys of `empty_tiled_result`. ``prevalence`` is the share of positives among the tiles that are not ignored;
    all else is as in `bindgram.evaluation.evaluate.evaluate_test_set`.

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
    labels, ours, starts = tiled.labels[known], scores[known].astype(np.float64), tiled.starts[known]
    reason = why_unusable(labels, ours, lambda number: f"{tiled.chrom}:{starts[number]}", "the tiles")
    result = empty_tiled_result(f"{NOT_DEFINED}{reason}" if reason else "")
    counts = tiled.counts()
    result |= {name: counts[f"{name}{'' if name == 'n_ignored' else '_test'}"] for name in _COUNTED}
    result["prevalence"] = float((labels == 1).mean()) if len(labels) else None
    if reason:
        return result
    at_twin, prevalence = use_twin(twin), natural_prevalence(tiled)
    used = move_threshold(at_twin, prevalence)
    stated = used.calibration.log_odds(ours, prevalence.value) if used.calibration else None
    blocks = assign_blocks(np.full(len(labels), tiled.chrom, object), starts, max_block_bp)
    examples = Examples(
        *(labels, ours, blocks, used.threshold, probabilities(ours)),
        None if stated is None else probabilities(stated),
    )
    no_strands = "scores of tiles are means of both strands"
    undefined = undefined_metrics(result["n_positives"], result["n_negatives"], used, "", no_strands, scale)
    result |= measure(examples, undefined, replicates, confidence, rng) | twin_values(used)
    n_positive_blocks = len(np.unique(blocks[labels == 1]))
    return result | {
        "n_blocks": examples.ranked.n_blocks,
        "n_positive_blocks": n_positive_blocks,
        "twin_threshold": at_twin.threshold,
        "twin_prior": at_twin.calibration.prior if at_twin.calibration else None,
        "prior": prevalence.value,
        "flag": count_flags(result["n_positives"], result["n_negatives"], n_positive_blocks, used),
    }
