"""The metrics: names, units and definitions, in one registry that files, tables and report share.

A metric that cannot be computed is *not defined*: its value is null and its reason begins with ``not defined: ``. It is
never replaced by the value of a coin.
"""

import math
from dataclasses import dataclass

import numpy as np

from bindgram.evaluation.statistics import (
    curve_counts,
    rank_scores,
    weighted_auroc,
    weighted_average_precision,
    weighted_mcc,
)

NOT_DEFINED = "not defined: "
CLASSES, TWIN, LOG_ODDS, PRIOR, STRANDS = "both classes", "validation twin", "log odds", "natural prevalence", "strands"


@dataclass(frozen=True)
class Metric:
    """What a metric is.

    Attributes
    ----------
    name : of files and columns. title : of tables and figures. unit : of the value.
    better : ``higher``, ``lower``, or "" where neither is.
    definition : one sentence. reference : where it comes from, "" where it needs none.
    needs : what it is not defined without, of `CLASSES`, `TWIN`, `LOG_ODDS`, `PRIOR`, `STRANDS`.
    lowest, highest : values that it can have.
    """

    name: str
    title: str
    unit: str
    better: str
    definition: str
    reference: str
    needs: tuple[str, ...]
    lowest: float = 0.0
    highest: float = 1.0


_FAWCETT = "Fawcett 2006, doi:10.1016/j.patrec.2005.10.010"
_DAVIS = "Davis, Goadrich 2006, doi:10.1145/1143844.1143874"
_GUO = "Guo et al. 2017, arXiv:1706.04599"
_CALLS = (CLASSES, TWIN)
_AT_THRESHOLD = "at the threshold of the highest MCC on the validation twin"

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "auroc",
            "AUROC",
            "fraction",
            "higher",
            "Area under the ROC curve: how often a positive scores above a negative, ties counting one half.",
            _FAWCETT,
            (CLASSES,),
        ),
        Metric(
            "average_precision",
            "Average precision",
            "fraction",
            "higher",
            "Sum over all distinct scores of the precision there times the recall gained there, at the ratio of classes"
            " of the test set.",
            _DAVIS,
            (CLASSES,),
        ),
        Metric(
            "partial_auroc",
            "Partial AUROC",
            "fraction",
            "higher",
            "Area under the ROC curve up to a false positive rate of 0.1, standardised to 0.5 for chance and 1 for no"
            " error.",
            "McClish 1989, doi:10.1177/0272989X8900900307",
            (CLASSES,),
        ),
        Metric(
            "recall_at_fdr10",
            "Recall at 10 % FDR",
            "fraction",
            "higher",
            "Highest recall of a cut of which at most 10 % are wrong where positives are as rare as in the genome;"
            " 0 where no cut is that pure.",
            _DAVIS,
            (CLASSES, PRIOR),
        ),
        Metric(
            "recall_at_fdr50",
            "Recall at 50 % FDR",
            "fraction",
            "higher",
            "Highest recall of a cut of which at most 50 % are wrong where positives are as rare as in the genome;"
            " 0 where no cut is that pure.",
            _DAVIS,
            (CLASSES, PRIOR),
        ),
        Metric(
            "mcc",
            "MCC",
            "correlation",
            "higher",
            f"Matthews correlation of calls and labels {_AT_THRESHOLD}; 0 where all calls agree.",
            "Matthews 1975, doi:10.1016/0005-2795(75)90109-9",
            _CALLS,
            lowest=-1.0,
        ),
        Metric(
            "f1",
            "F1",
            "fraction",
            "higher",
            f"Harmonic mean of precision and recall {_AT_THRESHOLD}.",
            "van Rijsbergen 1979, Information Retrieval",
            _CALLS,
        ),
        Metric(
            "accuracy", "Accuracy", "fraction", "higher", f"Share of calls that are right {_AT_THRESHOLD}.", "", _CALLS
        ),
        Metric(
            "precision",
            "Precision",
            "fraction",
            "higher",
            f"Share of the called examples that are positive {_AT_THRESHOLD}, at the ratio of classes of the test set.",
            "",
            _CALLS,
        ),
        Metric(
            "recall",
            "Recall",
            "fraction",
            "higher",
            f"Share of the positives that are called {_AT_THRESHOLD}.",
            "",
            _CALLS,
        ),
        Metric(
            "specificity",
            "Specificity",
            "fraction",
            "higher",
            f"Share of the negatives that are not called {_AT_THRESHOLD}.",
            "",
            _CALLS,
        ),
        Metric(
            "brier",
            "Brier score",
            "squared probability",
            "lower",
            "Mean squared difference between label and stated probability, the sigmoid of the score.",
            "Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2",
            (CLASSES, LOG_ODDS),
        ),
        Metric(
            "brier_calibrated",
            "Brier score, calibrated",
            "squared probability",
            "lower",
            "Brier score of the probabilities after temperature and offset were fitted on the validation twin.",
            _GUO,
            (CLASSES, LOG_ODDS, TWIN),
        ),
        Metric(
            "ece",
            "ECE",
            "probability",
            "lower",
            "Expected calibration error: mean difference between stated probability and share of positives over ten"
            " bins of equally many examples; probabilities as the model states them.",
            "Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602",
            (CLASSES, LOG_ODDS),
        ),
        Metric(
            "ece_calibrated",
            "ECE, calibrated",
            "probability",
            "lower",
            "Expected calibration error after temperature and offset were fitted on the validation twin.",
            _GUO,
            (CLASSES, LOG_ODDS, TWIN),
        ),
        Metric(
            "strand_difference",
            "Strand difference",
            "logit",
            "lower",
            "Mean absolute difference between the score of a sequence and that of its reverse complement.",
            "",
            (STRANDS, LOG_ODDS),
            highest=math.inf,
        ),
    )
}


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve of (N,) labels and scores."""
    return float(weighted_auroc(*curve_counts(labels, scores))[0])


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """Average precision as scikit-learn defines it (no interpolation)."""
    return float(weighted_average_precision(*curve_counts(labels, scores))[0])


def mcc(labels: np.ndarray, scores: np.ndarray, threshold: float) -> float:
    """Matthews correlation of calls at `threshold` or above."""
    called, positive = scores >= threshold, labels == 1
    counts = (called & positive, called & ~positive, positive, ~positive)
    return float(weighted_mcc(*(np.array(np.count_nonzero(part), dtype=np.float64) for part in counts)))


RANK_METRICS = {"auroc": auroc, "average_precision": average_precision}  # also given without homologs
WITHOUT = "without_homologs"


DEFINITION_COLUMNS = ("metric", "title", "unit", "better", "definition", "reference")


def definition_rows() -> list[tuple[str, ...]]:
    """All metrics of the tables by `DEFINITION_COLUMNS`, in the order of the registry."""
    rows = [(m.name, m.title, m.unit, m.better, m.definition, m.reference) for m in METRICS.values()]
    for name in RANK_METRICS:
        m = METRICS[name]
        what = f"{m.definition} Without test examples that resemble a training positive."
        rows.append((f"{name}.{WITHOUT}", f"{m.title} without homologs", m.unit, m.better, what, m.reference))
    return rows


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


def one_class_reason(labels: np.ndarray, where: str = "the test examples") -> str:
    """Why there are no metrics of these labels, or nothing; `where` they are, for the sentence."""
    if not len(labels):
        return f"no {where.removeprefix('the ')}"
    if (labels == 1).all():
        return f"no negatives among {where}"
    return "" if (labels == 1).any() else f"no positives among {where}"
