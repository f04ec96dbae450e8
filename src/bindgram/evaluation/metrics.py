"""Metrics of one model on its test sets, with intervals; flat, JSON-serialisable, no NaN.

Values are those of scikit-learn (tested to 1e-12), computed by the functions of the bootstrap: importing scikit-learn
would take longer than evaluating an experiment.

The threshold of the Matthews correlation is chosen on the validation twin of each test set, never on the test set.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bindgram.errors import InputError
from bindgram.evaluation.statistics import (
    MIN_POSITIVE_BLOCKS,
    assign_blocks,
    bootstrap_metrics,
    curve_counts,
    percentile_interval,
    rank_scores,
    weighted_auroc,
    weighted_average_precision,
    weighted_mcc,
)
from bindgram.provenance import step_rng


def auroc(labels: np.ndarray, scores: np.ndarray, threshold: float | None) -> float:
    """Area under the ROC curve; `threshold` is not used."""
    return float(weighted_auroc(*curve_counts(labels, scores))[0])


def average_precision(labels: np.ndarray, scores: np.ndarray, threshold: float | None) -> float:
    """Average precision as scikit-learn defines it (no interpolation); `threshold` is not used."""
    return float(weighted_average_precision(*curve_counts(labels, scores))[0])


def mcc(labels: np.ndarray, scores: np.ndarray, threshold: float | None) -> float | None:
    """Matthews correlation of calls at `threshold` or above; None without a threshold."""
    if threshold is None:
        return None
    called, positive = scores >= threshold, labels == 1
    counts = (called & positive, called & ~positive, positive, ~positive)
    return float(weighted_mcc(*(np.array(np.count_nonzero(part), dtype=np.float64) for part in counts)))


METRICS: dict[str, Callable[[np.ndarray, np.ndarray, float | None], float | None]] = {
    "auroc": auroc,
    "average_precision": average_precision,
    "mcc": mcc,
}


def check_scores(frame: pd.DataFrame, path: Path) -> None:
    """Refuse scores that are not finite numbers.

    Raises
    ------
    InputError : names the file and the first such example.
    """
    bad = frame[~np.isfinite(frame["score"].to_numpy(np.float64))]
    if len(bad):
        row = bad.iloc[0]
        raise InputError(
            f"{path}: {len(bad)} of {len(frame)} scores are not finite, first {row['score']} of example "
            f"{row['example_id']} in {row['test_set']}; the model diverged: lower its learning rate and train again"
        )


def choose_threshold(labels: np.ndarray, scores: np.ndarray) -> float | None:
    """Score from which calling positive maximises the MCC; None unless both classes are there.

    The threshold lies midway to the next lower score; of equally good ones the highest is taken.
    """
    if len(np.unique(labels)) < 2:
        return None
    ranking = rank_scores(labels, scores)
    true_positives = np.cumsum(ranking.positive)[ranking.ends].astype(np.float64)
    false_positives = ranking.ends + 1.0 - true_positives
    values = weighted_mcc(true_positives, false_positives, true_positives[-1], false_positives[-1])
    best = int(np.argmax(values))
    score = float(ranking.scores[best])
    if best + 1 == len(ranking.scores):
        return score
    lower = float(ranking.scores[best + 1])
    middle = lower + (score - lower) / 2
    return middle if middle > lower else score


def one_class_reason(labels: np.ndarray) -> str:
    """Why a test set has no metrics, or nothing."""
    if not len(labels):
        return "no test examples"
    if (labels == 1).all():
        return "no negatives among the test examples"
    return "" if (labels == 1).any() else "no positives among the test examples"


def evaluate_test_set(
    test: pd.DataFrame,
    twin: pd.DataFrame,
    replicates: int,
    confidence: float,
    max_block_bp: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Metrics of one test set.

    Parameters
    ----------
    test, twin : rows of the predictions table, of split test and of its validation twin.
    replicates, confidence, max_block_bp : of the bootstrap, see `bindgram.evaluation.statistics`.

    Returns
    -------
    ``auroc, auroc.low, auroc.high, ...``, ``n_positives, n_negatives, n_blocks, n_positive_blocks, threshold, flag,
    reason``. Metrics are None, with a reason, where a class is missing.
    """
    labels, scores = test["label"].to_numpy(), test["score"].to_numpy(np.float64)
    result = empty_result(one_class_reason(labels))
    result |= {"n_positives": int((labels == 1).sum()), "n_negatives": int((labels == 0).sum())}
    if result["reason"]:
        return result
    threshold = choose_threshold(twin["label"].to_numpy(), twin["score"].to_numpy(np.float64))
    blocks = assign_blocks(test["chrom"].to_numpy(object), test["start"].to_numpy(), max_block_bp)
    drawn = bootstrap_metrics(labels, scores, blocks, threshold, replicates, rng)
    for name, metric in METRICS.items():
        result[name] = metric(labels, scores, threshold)
        if name in drawn:
            result[f"{name}.low"], result[f"{name}.high"] = percentile_interval(drawn[name], confidence)
    n_positive_blocks = len(np.unique(blocks[labels == 1]))
    flags = ["interval_unreliable"] * (n_positive_blocks < MIN_POSITIVE_BLOCKS) + ["no_threshold"] * (threshold is None)
    n_blocks = int(blocks.max()) + 1
    counts = {"n_blocks": n_blocks, "n_positive_blocks": n_positive_blocks}
    return result | counts | {"threshold": threshold, "flag": ";".join(flags)}


def empty_result(reason: str) -> dict[str, Any]:
    """The result of a test set without metrics."""
    values: dict[str, Any] = {f"{name}{bound}": None for name in METRICS for bound in ("", ".low", ".high")}
    counts = dict.fromkeys(("n_positives", "n_negatives", "n_blocks", "n_positive_blocks"), 0)
    return values | counts | {"threshold": None, "flag": "", "reason": reason}


RANK_METRICS = ("auroc", "average_precision")  # need no threshold
WITHOUT = "without_homologs"


def metrics_without(frame: pd.DataFrame, homologs: pd.DataFrame) -> dict[str, Any]:
    """Metrics of every test set of a predictions table without the rows that resemble training positives.

    Parameters
    ----------
    homologs : of `bindgram.data.homology`; those of a test set leave it together, so that its ratio stays.

    Returns
    -------
    ``<test_set>.without_homologs.<name>`` of the metrics that need no threshold (None where a class is missing) and of
    the numbers of positives and negatives.
    """
    values: dict[str, Any] = {}
    for test_set, rows in frame[frame["split"] == "test"].groupby("test_set"):
        gone = rows["example_id"].isin(homologs.loc[homologs["test_set"] == test_set, "example_id"])
        labels, scores = (rows.loc[~gone, column].to_numpy() for column in ("label", "score"))
        known = not one_class_reason(labels)
        found = {
            name: METRICS[name](labels, scores.astype(np.float64), None) if known else None for name in RANK_METRICS
        }
        found |= {"n_positives": int((labels == 1).sum()), "n_negatives": int((labels == 0).sum())}
        values |= {f"{test_set}.{WITHOUT}.{name}": value for name, value in found.items()}
    return values


def evaluate_predictions(
    frame: pd.DataFrame,
    skipped_test_sets: Mapping[str, str],
    replicates: int,
    confidence: float,
    max_block_bp: int,
    seed: int,
) -> dict[str, Any]:
    """Metrics of every test set of a predictions table, flat: ``<test_set>.<metric>`` and so on.

    The blocks drawn depend on `seed` and test set alone, so models scored on the same examples share their replicates
    and can be compared in pairs.
    """
    values: dict[str, Any] = {}
    for test_set in sorted(set(frame["test_set"]) | set(skipped_test_sets)):
        rows = frame[frame["test_set"] == test_set]
        if test_set in skipped_test_sets:
            result = empty_result(skipped_test_sets[test_set])
        else:
            test, twin = rows[rows["split"] == "test"], rows[rows["split"] == "valid"]
            rng = step_rng(seed, "evaluate", test_set)
            result = evaluate_test_set(test, twin, replicates, confidence, max_block_bp, rng)
        values |= {f"{test_set}.{name}": value for name, value in result.items()}
    return values
