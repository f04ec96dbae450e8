"""Metrics of one model on its test sets, with intervals; flat, JSON-serialisable, no NaN.

The threshold of the calls is chosen on the validation twin of each test set, never on the test set.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bindgram.errors import InputError
from bindgram.evaluation.metrics import (
    METRICS,
    NOT_DEFINED,
    RANK_METRICS,
    WITHOUT,
    auroc,
    average_precision,
    choose_threshold,
    mcc,
    one_class_reason,
)
from bindgram.evaluation.statistics import MIN_POSITIVE_BLOCKS, assign_blocks, bootstrap_metrics, percentile_interval
from bindgram.provenance import step_rng


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
    reason = one_class_reason(labels)
    result = empty_result(f"{NOT_DEFINED}{reason}" if reason else "")
    result |= {"n_positives": int((labels == 1).sum()), "n_negatives": int((labels == 0).sum())}
    if reason:
        return result
    threshold = choose_threshold(twin["label"].to_numpy(), twin["score"].to_numpy(np.float64))
    blocks = assign_blocks(test["chrom"].to_numpy(object), test["start"].to_numpy(), max_block_bp)
    drawn = bootstrap_metrics(labels, scores, blocks, threshold, replicates, rng)
    values = {"auroc": auroc(labels, scores), "average_precision": average_precision(labels, scores)}
    if threshold is not None:
        values["mcc"] = mcc(labels, scores, threshold)
    for name in METRICS:
        if name in values:
            result[name] = values[name]
            result[f"{name}.low"], result[f"{name}.high"] = percentile_interval(drawn[name], confidence)
        else:
            result[f"{name}.reason"] = f"{NOT_DEFINED}no validation twin to choose a threshold on"
    n_positive_blocks = len(np.unique(blocks[labels == 1]))
    flags = ["interval_unreliable"] * (n_positive_blocks < MIN_POSITIVE_BLOCKS) + ["no_threshold"] * (threshold is None)
    n_blocks = int(blocks.max()) + 1
    counts = {"n_blocks": n_blocks, "n_positive_blocks": n_positive_blocks}
    return result | counts | {"threshold": threshold, "flag": ";".join(flags)}


def empty_result(reason: str) -> dict[str, Any]:
    """The result of a test set without metrics; each metric has the reason, if there is one."""
    values: dict[str, Any] = {f"{name}{bound}": None for name in METRICS for bound in ("", ".low", ".high")}
    if reason:
        why = reason if reason.startswith(NOT_DEFINED) else f"{NOT_DEFINED}{reason}"
        values |= {f"{name}.reason": why for name in METRICS}
    counts = dict.fromkeys(("n_positives", "n_negatives", "n_blocks", "n_positive_blocks"), 0)
    return values | counts | {"threshold": None, "flag": "", "reason": reason}


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
        found: dict[str, Any] = {
            name: value(labels, scores.astype(np.float64)) if known else None for name, value in RANK_METRICS.items()
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
