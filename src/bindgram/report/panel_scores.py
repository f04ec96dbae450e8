"""Numbers of one experiment's panel that come from predictions: curves, distributions, calibration, strongest windows.

A model has an entry for every seed, in the order given. What cannot be computed is an entry ``{"reason": "not defined:
..."}``. Rates and probabilities are whole thousandths: finer than a line on the page, and a third of the bytes.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bindgram.evaluation import calibration
from bindgram.evaluation.evaluate import undefined_metrics, use_twin, why_unusable
from bindgram.evaluation.metrics import NOT_DEFINED
from bindgram.evaluation.statistics import curve_counts

FIRST_POINTS, OTHER_POINTS = 50, 25  # of a curve, at most: of the first seed, and of each other one
TOLERANCE = 0.0005  # of a curve: half the step of the numbers that are written
N_BINS = 30  # of scores
N_SITES = 20


@dataclass(frozen=True)
class Scored:
    """Predictions of one model and seed: rows of the predictions table, and its metadata."""

    model: str
    frame: pd.DataFrame
    metadata: Mapping[str, Any]

    def rows(self, test_set: str, split: str) -> pd.DataFrame:
        """Rows of one test set: of split test, or of its twin (valid)."""
        return self.frame[(self.frame["test_set"] == test_set) & (self.frame["split"] == split)]


def by_model(results: Sequence[Scored]) -> dict[str, list[Scored]]:
    """Model to its seeds, in the order given."""
    models: dict[str, list[Scored]] = {}
    for result in results:
        models.setdefault(result.model, []).append(result)
    return models


def why_undefined(result: Scored, test_set: str) -> str:
    """Why nothing can be said about the scores of a test set, beginning with "not defined: "; or nothing."""
    known = result.metadata.get("reason") or result.metadata.get("skipped_test_sets", {}).get(test_set)
    if known:
        return NOT_DEFINED + known.removeprefix(NOT_DEFINED)
    rows = result.rows(test_set, "test")
    labels, scores = rows["label"].to_numpy(), rows["score"].to_numpy(np.float64)
    reason = why_unusable(labels, scores, rows["example_id"].iloc.__getitem__, "the test examples")
    return NOT_DEFINED + reason if reason else ""


def curves_of(seeds: Sequence[Scored], test_set: str) -> dict[str, Any]:
    """ROC and precision-recall curves of one model: ``roc``, ``pr``, of each seed [x, y] in thousandths.

    A seed without curves is null, and ``reason`` says why.
    """
    curves: dict[str, Any] = {"roc": [], "pr": []}
    for number, seed in enumerate(seeds):
        reason = why_undefined(seed, test_set)
        if reason:
            curves["reason"] = reason
        n_points = OTHER_POINTS if number else FIRST_POINTS
        found = (None, None) if reason else _curves(seed.rows(test_set, "test"), n_points)
        curves["roc"].append(found[0])
        curves["pr"].append(found[1])
    return curves


def _curves(rows: pd.DataFrame, n_points: int) -> tuple[list[list[int]], list[list[int]]]:
    counted = curve_counts(rows["label"].to_numpy(), rows["score"].to_numpy(np.float64))
    true_positives, false_positives = (counts[0] for counts in counted)
    recall = true_positives / true_positives[-1]
    roc = simplified(np.append(0.0, false_positives / false_positives[-1]), np.append(0.0, recall), n_points)
    precision = true_positives / (true_positives + false_positives)
    pr = simplified(np.append(0.0, recall), np.append(1.0, precision), n_points)
    return [thousandths(axis) for axis in roc], [thousandths(axis) for axis in pr]


def simplified(x: np.ndarray, y: np.ndarray, n_points: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of a curve that stand for it: the one farthest from the drawn line is added until all are near enough.

    Near is `TOLERANCE`, unless `n_points` are reached before (Douglas and Peucker 1973,
    doi:10.3138/FM57-6770-U75U-7727).
    """
    kept, pieces = [0, len(x) - 1], [_farthest(x, y, 0, len(x) - 1)]
    while pieces and len(kept) < n_points:
        distance, first, middle, last = heapq.heappop(pieces)
        if -distance <= TOLERANCE:
            break
        kept.append(middle)
        heapq.heappush(pieces, _farthest(x, y, first, middle))
        heapq.heappush(pieces, _farthest(x, y, middle, last))
    chosen = np.sort(kept)
    return x[chosen], y[chosen]


def _farthest(x: np.ndarray, y: np.ndarray, first: int, last: int) -> tuple[float, int, int, int]:
    """Distance (negative, so that the farthest comes first) of the point farthest from a chord, and where it is."""
    along = np.array([x[last] - x[first], y[last] - y[first]])
    from_x, from_y = x[first : last + 1] - x[first], y[first : last + 1] - y[first]
    length = np.hypot(*along)
    distances = np.abs(along[0] * from_y - along[1] * from_x) / length if length else np.hypot(from_x, from_y)
    middle = int(np.argmax(distances))
    return -float(distances[middle]), first, first + middle, last


def thousandths(values: np.ndarray) -> list[int]:
    """Fractions as whole thousandths."""
    return np.rint(1000 * np.asarray(values, dtype=np.float64)).astype(int).tolist()


def histogram_of(seeds: Sequence[Scored], test_set: str) -> dict[str, Any]:
    """Counts of scores of one model: ``range`` of `N_BINS` bins, ``positives`` and ``negatives`` of each seed.

    The range holds 99.8 % of the scores; what lies beyond is counted in the outermost bins.
    """
    reasons = [why_undefined(seed, test_set) for seed in seeds]
    defined = [seed.rows(test_set, "test") for seed, reason in zip(seeds, reasons, strict=True) if not reason]
    if not defined:
        return {"reason": reasons[0]}
    low, high = np.quantile(np.concatenate([rows["score"] for rows in defined]), [0.001, 0.999])
    if low == high:  # nearly all are equal
        low, high = low - 0.5, low + 0.5
    digits = 3 - int(np.floor(np.log10(high - low)))
    low, high = round(float(low), digits), round(float(high), digits)
    edges = np.linspace(low, high, N_BINS + 1)
    found: dict[str, Any] = {"range": [low, high], "scale": seeds[0].metadata.get("scale", "log_odds")}
    for name, label in (("positives", 1), ("negatives", 0)):
        groups = [rows.loc[rows["label"] == label, "score"].to_numpy(np.float64) for rows in defined]
        found[name] = [np.histogram(group.clip(low, high), edges)[0].tolist() for group in groups]
    return found


def calibration_of(seeds: Sequence[Scored], test_set: str) -> dict[str, Any]:
    """Reliability of one model's probabilities, ``before`` and ``after`` temperature scaling on the validation twin.

    Returns
    -------
    ``temperature`` of each seed; ``before`` and ``after`` of each seed [predicted, observed, n], bins without examples
    left out, the first two in thousandths. Or ``reason``; a twin that is missing is the reason of ``after`` alone.
    """
    reasons = [why_undefined(seed, test_set) for seed in seeds]
    if any(reasons):
        return {"reason": next(filter(None, reasons))}
    found: dict[str, Any] = {"temperature": [], "before": [], "after": []}
    for seed in seeds:
        test, twin = seed.rows(test_set, "test"), use_twin(seed.rows(test_set, "valid"))
        labels, scores = test["label"].to_numpy(), test["score"].to_numpy(np.float64)
        n_positives, n_negatives = int((labels == 1).sum()), int((labels == 0).sum())
        undefined = undefined_metrics(n_positives, n_negatives, twin, "", "", seed.metadata.get("scale", "log_odds"))
        if "ece" in undefined:
            return {"reason": NOT_DEFINED + undefined["ece"]}
        fitted = twin.calibration
        found["before"].append(reliability(labels, scores))
        found["temperature"].append(None if fitted is None else float(f"{fitted.temperature:.4g}"))
        found["after"].append(None if fitted is None else reliability(labels, fitted.log_odds(scores)))
        if fitted is None:
            found["reason"] = f"{NOT_DEFINED}calibrated probabilities: {undefined['ece_calibrated']}"
    return found


def reliability(labels: np.ndarray, logits: np.ndarray) -> list[list[int]]:
    """Mean prediction, share of positives (both in thousandths) and number of examples per bin of equally many."""
    found = calibration.reliability(labels, calibration.probabilities(logits))
    return [thousandths(found.predicted), thousandths(found.observed), found.n.tolist()]


def strongest_sites(seeds: Sequence[Scored], test_set: str, examples: pd.DataFrame) -> dict[str, Any]:
    """The test windows that a model is surest to be bound, strongest first.

    Parameters
    ----------
    examples : rows of the test set, which know the place of each example.

    Returns
    -------
    ``model``, ``windows``: each [chrom, start, end (bp, 0-based, half-open), label, score, lowest and highest of the
    seeds]; the score is the mean of the seeds. A window without a place has its id in place of chrom, and start -1. Or
    ``reason``.
    """
    reason = next(filter(None, (why_undefined(seed, test_set) for seed in seeds)), "")
    if reason:
        return {"model": seeds[0].model, "reason": reason}
    scores = pd.concat([seed.rows(test_set, "test").set_index("example_id")["score"] for seed in seeds], axis=1)
    summary = pd.DataFrame({"mean": scores.mean(axis=1), "low": scores.min(axis=1), "high": scores.max(axis=1)})
    top = summary.sort_values("mean", ascending=False, kind="stable").head(N_SITES)
    rows = top.join(examples.set_index("example_id")[["chrom", "start", "end", "label"]])
    return {"model": seeds[0].model, "windows": [_window(example_id, row) for example_id, row in rows.iterrows()]}


def _window(example_id: Any, row: pd.Series) -> list[Any]:
    placed = not pd.isna(row["chrom"])
    place = [row["chrom"], int(row["start"]), int(row["end"])] if placed else [str(example_id), -1, -1]
    return [*place, int(row["label"]), *(round(float(row[name]), 3) for name in ("mean", "low", "high"))]
