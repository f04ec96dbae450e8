"""Metrics of one model on its test sets, with intervals; flat, JSON-serialisable, no NaN.

Threshold and calibration come from the validation twin of each test set, never from the test set.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bindgram.evaluation.calibration import MIN_PER_BIN, N_BINS, Calibration, fit_calibration, probabilities
from bindgram.evaluation.metrics import (
    LOG_ODDS,
    METRICS,
    NOT_DEFINED,
    PRIOR,
    RANK_METRICS,
    STRANDS,
    TWIN,
    WITHOUT,
    choose_threshold,
    one_class_reason,
)
from bindgram.evaluation.resampling import FALSE_DISCOVERY_RATES, MAX_FPR, Examples
from bindgram.evaluation.statistics import MIN_POSITIVE_BLOCKS, assign_blocks, effective_blocks, replicate_interval
from bindgram.provenance import step_rng

MIN_PER_CLASS = 20  # test examples; with fewer the result is flagged with their number
MIN_FALSE_CALLS = 10  # negatives that a false discovery rate lets pass at the cut found; with fewer it is flagged
CALIBRATED = ("brier_calibrated", "ece_calibrated")


@dataclass(frozen=True)
class Prevalence:
    """Share of positives in the genome, or None and the reason why it is not known."""

    value: float | None
    reason: str = ""


@dataclass(frozen=True)
class Twin:
    """What the validation twin of a test set gives: each part None with a reason where it cannot be had."""

    threshold: float | None
    calibration: Calibration | None
    no_threshold: str = ""
    no_calibration: str = ""


def why_unusable(labels: np.ndarray, scores: np.ndarray, name: Callable[[int], str], where: str) -> str:
    """Why scores of (N,) examples say nothing, or nothing.

    Parameters
    ----------
    name : of an example, from its number. where : what they are, for the sentence.
    """
    bad = np.flatnonzero(~np.isfinite(scores))
    if len(bad):
        return (
            f"{len(bad)} of {len(scores)} scores of {where} are not finite, first {scores[bad[0]]} of "
            f"{name(int(bad[0]))}; the model diverged: lower its learning rate and train again"
        )
    if reason := one_class_reason(labels, where):
        return reason
    if (scores == scores[0]).all():
        return (
            f"all {len(scores)} scores of {where} are {scores[0]:g}: the model tells nothing apart; look at its "
            "learning curve"
        )
    return ""


def use_twin(twin: pd.DataFrame) -> Twin:
    """Threshold and calibration from the rows of the predictions table that are the validation twin."""
    if twin.empty:
        return Twin(None, None, *2 * ("no validation twin",))
    labels, scores = twin["label"].to_numpy(), twin["score"].to_numpy(np.float64)
    if reason := why_unusable(labels, scores, twin["example_id"].iloc.__getitem__, "the validation twin"):
        return Twin(None, None, reason, reason)
    calibration = fit_calibration(labels, scores)
    falling = "" if calibration else "scores do not rise with the labels on the validation twin: no temperature fits"
    return Twin(choose_threshold(labels, scores), calibration, "", falling)


def undefined_metrics(
    n_positives: int, n_negatives: int, twin: Twin, without_prior: str, without_strands: str, scale: str
) -> dict[str, str]:
    """Metrics that cannot be computed on a test set of both classes, and why.

    Parameters
    ----------
    without_prior, without_strands : why there is no natural prevalence, no difference of the strands; "" if there is.
    """
    n = n_positives + n_negatives
    without = {TWIN: twin.no_threshold, PRIOR: without_prior, STRANDS: without_strands}
    if scale != "log_odds":
        without[LOG_ODDS] = "the model's scores are no log odds, they state no probability"
    reasons = {
        metric.name: next((without[need] for need in metric.needs if without.get(need)), "")
        for metric in METRICS.values()
    }
    for name in CALIBRATED:
        reasons[name] = reasons[name] or twin.no_calibration
    if n < N_BINS * MIN_PER_BIN:
        few = f"{n} test examples do not fill {N_BINS} bins of {MIN_PER_BIN}"
        reasons |= {name: reasons[name] or few for name in ("ece", "ece_calibrated")}
    if n_negatives * MAX_FPR < 1:
        few = f"{n_negatives} negatives do not resolve a false positive rate of {MAX_FPR}"
        reasons["partial_auroc"] = reasons["partial_auroc"] or few
    return {name: reason for name, reason in reasons.items() if reason}


def measure(
    examples: Examples,
    undefined: Mapping[str, str],
    replicates: int,
    confidence: float,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Value, interval and flag of every metric, or the reason why it is not defined.

    No interval is given where all replicates agree, as those of ten examples in perfect order do: the bootstrap does
    not know then how far the value is from being certain.
    """
    n_blocks = effective_blocks(np.bincount(examples.blocks[examples.labels == 1]))
    values = examples.metrics()(np.ones((1, examples.ranked.n_blocks)))
    drawn = examples.bootstrap(replicates, rng)
    result: dict[str, Any] = {}
    for name in METRICS:
        reason = undefined.get(name) or ("" if np.isfinite(values[name][0]) else "no example is called")
        if reason:
            result |= undefined_result([name], f"{NOT_DEFINED}{reason}")
            continue
        metric = METRICS[name]
        low, high = replicate_interval(
            float(values[name][0]), drawn[name], n_blocks, confidence, metric.lowest, metric.highest
        )
        if low is not None and np.isfinite(metric.highest) and np.nanmin(drawn[name]) == np.nanmax(drawn[name]):
            low, high = None, None  # a width of 0 would say that it is certain
        result |= {name: float(values[name][0]), f"{name}.low": low, f"{name}.high": high}
    positives = int((examples.labels == 1).sum())
    prior = examples.prior or positives / len(examples.labels)
    flags = {
        f"{name}.flag": "fdr_unresolved"
        for name, rate in FALSE_DISCOVERY_RATES.items()
        if result[name] is not None
        and result[name] * false_calls(rate, prior, len(examples.labels) - positives) < MIN_FALSE_CALLS
    }
    return result | flags


def false_calls(rate: float, prior: float, n_negatives: int) -> float:
    """Negatives that may be called at full recall for a false discovery rate, where the share `prior` is positive."""
    return rate / (1 - rate) * prior / (1 - prior) * n_negatives


def undefined_result(names: Iterable[str], reason: str) -> dict[str, Any]:
    """Values, bounds and reason of metrics that are not defined."""
    parts = {"": None, ".low": None, ".high": None, ".reason": reason}
    return {f"{name}{part}": value for name in names for part, value in parts.items()}


def count_flags(n_positives: int, n_negatives: int, n_positive_blocks: int, twin: Twin) -> str:
    """What to know of a result before it is believed, separated by ``;``."""
    flags = [f"few_positives:{n_positives}"] * (n_positives < MIN_PER_CLASS)
    flags += [f"few_negatives:{n_negatives}"] * (n_negatives < MIN_PER_CLASS)
    flags += ["interval_unreliable"] * (n_positive_blocks < MIN_POSITIVE_BLOCKS)
    flags += ["no_threshold"] * (twin.threshold is None)
    return ";".join(flags)


def evaluate_test_set(
    test: pd.DataFrame,
    twin: pd.DataFrame,
    replicates: int,
    confidence: float,
    max_block_bp: int,
    rng: np.random.Generator,
    *,
    scale: str,
    prevalence: Prevalence,
) -> dict[str, Any]:
    """Metrics of one test set.

    Parameters
    ----------
    test, twin : rows of the predictions table, of split test and of its validation twin.
    replicates, confidence, max_block_bp : of the bootstrap, see `bindgram.evaluation.statistics`.
    scale : of the scores, see `bindgram.evaluation.predictions.Scale`. prevalence : of positives in the genome.

    Returns
    -------
    The keys of `empty_result`. A metric that is not defined is None and has a reason.
    """
    labels, scores = test["label"].to_numpy(), test["score"].to_numpy(np.float64)
    reason = why_unusable(labels, scores, test["example_id"].iloc.__getitem__, "the test examples")
    result = empty_result(f"{NOT_DEFINED}{reason}" if reason else "")
    result |= {"n_positives": int((labels == 1).sum()), "n_negatives": int((labels == 0).sum())}
    if reason:
        return result
    used = use_twin(twin)
    strands = (test["score_forward"] - test["score_reverse"]).to_numpy(np.float64)
    both_strands = bool(np.isfinite(strands).all())
    undefined = undefined_metrics(
        *(result["n_positives"], result["n_negatives"], used, prevalence.reason),
        *("" if both_strands else "the model reads both strands at once", scale),
    )
    examples = Examples(
        labels,
        scores,
        assign_blocks(test["chrom"].to_numpy(object), test["start"].to_numpy(), max_block_bp),
        used.threshold,
        probabilities(scores),
        probabilities(used.calibration.log_odds(scores)) if used.calibration else None,
        strands if both_strands else None,
        prevalence.value,
    )
    result |= measure(examples, undefined, replicates, confidence, rng) | twin_values(used)
    n_positive_blocks = len(np.unique(examples.blocks[labels == 1]))
    result |= {"n_blocks": examples.ranked.n_blocks, "n_positive_blocks": n_positive_blocks}
    flag = count_flags(result["n_positives"], result["n_negatives"], n_positive_blocks, used)
    return result | {"prior": prevalence.value, "flag": flag}


def twin_values(twin: Twin) -> dict[str, Any]:
    """Threshold, temperature and offset as they are written."""
    known = twin.calibration
    return {
        "threshold": twin.threshold,
        "temperature": known.temperature if known else None,
        "offset": known.offset if known else None,
    }


def empty_result(reason: str) -> dict[str, Any]:
    """The result of a test set without metrics; each metric has the reason. Without a reason: all but the metrics."""
    why = reason if reason.startswith(NOT_DEFINED) else f"{NOT_DEFINED}{reason}"
    counts = dict.fromkeys(("n_positives", "n_negatives", "n_blocks", "n_positive_blocks"), 0)
    known = dict.fromkeys(("threshold", "temperature", "offset", "prior"))
    values = undefined_result(METRICS, why) if reason else {}
    return values | counts | known | {"flag": "", "reason": reason}


def metrics_without(frame: pd.DataFrame, homologs: pd.DataFrame) -> dict[str, Any]:
    """Metrics of every test set of a predictions table without the rows that resemble training positives.

    Parameters
    ----------
    homologs : of `bindgram.data.homology`; those of a test set leave it together, so that its ratio stays.

    Returns
    -------
    ``<test_set>.without_homologs.<name>`` of the metrics that need no threshold (None where they are not defined, with
    the ``reason``) and of the numbers of positives and negatives.
    """
    values: dict[str, Any] = {}
    for test_set, rows in frame[frame["split"] == "test"].groupby("test_set"):
        gone = rows["example_id"].isin(homologs.loc[homologs["test_set"] == test_set, "example_id"])
        labels, names = (rows.loc[~gone, column].to_numpy() for column in ("label", "example_id"))
        scores = rows.loc[~gone, "score"].to_numpy(np.float64)
        reason = why_unusable(labels, scores, names.__getitem__, "the test examples without homologs")
        found: dict[str, Any] = {
            name: None if reason else value(labels, scores) for name, value in RANK_METRICS.items()
        }
        found |= {"n_positives": int((labels == 1).sum()), "n_negatives": int((labels == 0).sum())}
        found["reason"] = f"{NOT_DEFINED}{reason}" if reason else ""
        values |= {f"{test_set}.{WITHOUT}.{name}": value for name, value in found.items()}
    return values


def evaluate_predictions(
    frame: pd.DataFrame,
    skipped_test_sets: Mapping[str, str],
    replicates: int,
    confidence: float,
    max_block_bp: int,
    seed: int,
    *,
    scale: str,
    prevalence: Prevalence,
) -> dict[str, Any]:
    """Metrics of every test set of a predictions table, flat: ``<test_set>.<metric>`` and so on.

    The blocks drawn depend on `seed` and test set alone, so models scored on the same examples share their replicates
    and can be compared in pairs. Other parameters: see `evaluate_test_set`.
    """
    values: dict[str, Any] = {}
    for test_set in sorted(set(frame["test_set"]) | set(skipped_test_sets)):
        rows = frame[frame["test_set"] == test_set]
        if test_set in skipped_test_sets:
            result = empty_result(skipped_test_sets[test_set])
        else:
            test, twin = rows[rows["split"] == "test"], rows[rows["split"] == "valid"]
            rng = step_rng(seed, "evaluate", test_set)
            result = evaluate_test_set(
                test, twin, replicates, confidence, max_block_bp, rng, scale=scale, prevalence=prevalence
            )
        values |= {f"{test_set}.{name}": value for name, value in result.items()}
    return values
