"""Pairs of models on the same test examples: how much they differ, and whether by more than another test set would.

Blocks of the genome are resampled, and a replicate holds the same blocks for both models, so that what makes a test set
easy for both leaves the difference. A model with several seeds counts as the mean of their metrics: the interval says
what another test set would change for these trainings, and not what other seeds would. The difference of every seed and
their standard deviation stand beside it.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bindgram.errors import InputError
from bindgram.evaluation.collect import provenance_path
from bindgram.evaluation.delong import AreaTest, contrast_test, delong_covariance
from bindgram.evaluation.evaluate import why_unusable
from bindgram.evaluation.metrics import NOT_DEFINED, RANK_METRICS, one_class_reason
from bindgram.evaluation.resampling import paired_replicates
from bindgram.evaluation.statistics import MIN_POSITIVE_BLOCKS, assign_blocks, effective_blocks, replicate_interval
from bindgram.provenance import sha256_file, step_rng, write_json, write_text

COLUMNS = (
    *("test_set", "metric", "model", "other", "value", "other_value", "difference", "low", "high"),
    *("p_value", "p_delong", "verdict", "seeds", "seed_sd", "flag", "status", "reason"),
)
NUMBERS = ("value", "other_value", "difference", "low", "high", "p_value", "p_delong", "seed_sd")


@dataclass(frozen=True)
class Scored:
    """Predictions of one training: `seed` as in paths, rows and metadata as `read_predictions` gives them."""

    model: str
    seed: str
    frame: pd.DataFrame
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Resampling:
    """How test sets are resampled; see `bindgram.evaluation.statistics`. `seed` is that of ``bindgram evaluate``."""

    replicates: int
    confidence: float
    max_block_bp: int
    seed: int


@dataclass(frozen=True)
class Measured:
    """Metrics of several trainings on one test set.

    Attributes
    ----------
    values : metric to (M,) values. drawn : metric to (M, replicates) values, the same blocks drawn for all.
    areas, covariance : of DeLong; None where a class has one example only. n_blocks : `effective_blocks` of the
        positives. flag : as in the metrics.
    """

    values: Mapping[str, np.ndarray]
    drawn: Mapping[str, np.ndarray]
    areas: np.ndarray | None
    covariance: np.ndarray | None
    n_blocks: float
    flag: str


def pairs_of(names: Sequence[str], models: Sequence[str]) -> list[tuple[str, str]]:
    """Every pair with one of `models` in it, once: a model before a baseline, else in the order of `names`."""
    first = [name for name in names if name in models]
    rest = [name for name in names if name not in models]
    return [*itertools.combinations(first, 2), *itertools.product(first, rest)]


def undefined(reason: str) -> str:
    """A reason as tables and pages quote it."""
    return reason if reason.startswith(NOT_DEFINED) else f"{NOT_DEFINED}{reason}"


def compare_pairs(scored: Sequence[Scored], models: Sequence[str], resampling: Resampling) -> pd.DataFrame:
    """Compare all pairs of models on every test set.

    Parameters
    ----------
    scored : all trainings of all models and baselines of one experiment.
    models : those whose pairs are wanted; baselines are not compared with each other.

    Returns
    -------
    A row of `COLUMNS` per test set, metric and pair, also where it is not defined, with the reason.

    Raises
    ------
    InputError : a model of `models` has no predictions, a training is given twice, or two models were scored on
        different examples.
    """
    names = list(dict.fromkeys(one.model for one in scored))
    if missing := [name for name in models if name not in names]:
        raise InputError(f"--models: no predictions of {', '.join(missing)}; give --result for each, or leave them out")
    trainings = Counter((one.model, one.seed) for one in scored)
    if repeated := [f"{model} seed {seed}" for (model, seed), n in trainings.items() if n > 1]:
        raise InputError(f"--result: given twice: {', '.join(repeated)}; give every training once")
    pairs = pairs_of(names, models)
    made = {name for one in scored for name in one.frame["test_set"].unique()}
    made |= {name for one in scored for name in one.metadata.get("skipped_test_sets", {})}
    if not made:
        reason = undefined(next((one.metadata["reason"] for one in scored if one.metadata["reason"]), "no test set"))
        rows = [{"model": one, "other": other, "status": "skipped", "reason": reason} for one, other in pairs]
        return _table(rows)
    rows = [row for test_set in sorted(made) for row in _compare_on(test_set, scored, pairs, resampling)]
    return _table(rows)


def _table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    texts = [name for name in COLUMNS if name not in NUMBERS]
    return frame.assign(**frame[texts].astype(object).fillna(""), **frame[list(NUMBERS)].astype(np.float64))


def _compare_on(
    test_set: str, scored: Sequence[Scored], pairs: Sequence[tuple[str, str]], resampling: Resampling
) -> Iterator[dict[str, Any]]:
    """Rows of one test set."""
    examples, scores, reasons = align_scores(test_set, scored)
    known = [one for one in scores if not reasons.get(one[0])]
    labels = examples["label"].to_numpy() if len(examples) else np.empty(0)
    nothing = one_class_reason(labels) if known else "no model has scores"
    measured = None
    if known and not nothing:
        measured = measure(examples, np.stack([scores[one] for one in known]), test_set, resampling)
        nothing = ONE_BLOCK * (measured.n_blocks <= 1)
    for metric, (model, other) in itertools.product(RANK_METRICS, pairs):
        identity = {"test_set": test_set, "metric": metric, "model": model, "other": other}
        reason = reasons.get(model) or reasons.get(other) or nothing
        if reason or measured is None:
            yield identity | {"status": "not_defined", "reason": undefined(reason)}
            continue
        yield identity | compare_two(measured, metric, known, model, other, resampling.confidence)


ONE_BLOCK = "all positives are in one block, an interval needs two"
SMALLEST_SPREAD = 1e-12  # of a difference: what is below came from rounding
Training = tuple[str, str]  # model and seed


def align_scores(
    test_set: str, scored: Sequence[Scored]
) -> tuple[pd.DataFrame, dict[Training, np.ndarray], dict[str, str]]:
    """Scores of all trainings on the examples of one test set, in one order.

    Returns
    -------
    Test rows of the first training that has any, (N,) scores of each training, and for models that cannot be compared
    the reason. One seed without usable scores takes the model out: the mean of the others would flatter it.

    Raises
    ------
    InputError : trainings were scored on different examples.
    """
    examples: pd.DataFrame | None = None
    scores: dict[Training, np.ndarray] = {}
    reasons: dict[str, str] = {}
    for one in scored:
        rows = one.frame[(one.frame["test_set"] == test_set) & (one.frame["split"] == "test")]
        if rows.empty:
            known = one.metadata.get("skipped_test_sets", {}).get(test_set) or one.metadata["reason"]
            reasons.setdefault(one.model, f"{one.model}: {known or 'no test examples'}".replace(NOT_DEFINED, ""))
            continue
        examples = rows if examples is None else examples
        values = _in_order_of(examples, rows, one)
        scores[one.model, one.seed] = values
        labels, names = examples["label"].to_numpy(), examples["example_id"].to_numpy(object)
        if not one_class_reason(labels) and (reason := why_unusable(labels, values, names.__getitem__, test_set)):
            reasons.setdefault(one.model, f"{one.model}, seed {one.seed}: {reason}")
    return pd.DataFrame() if examples is None else examples, scores, reasons


def _in_order_of(examples: pd.DataFrame, rows: pd.DataFrame, one: Scored) -> np.ndarray:
    keys = ["example_id", "label"]
    if not all(np.array_equal(examples[key].to_numpy(), rows[key].to_numpy()) for key in keys):
        placed = rows.set_index(keys)["score"]
        wanted = pd.MultiIndex.from_frame(examples[keys])
        if len(rows) != len(examples) or placed.index.has_duplicates or not wanted.isin(placed.index).all():
            raise InputError(
                f"{one.model}, seed {one.seed}: scored on other examples of {rows['test_set'].iloc[0]} than the first "
                f"model ({len(rows)} against {len(examples)} rows); score all models on the same test sets again"
            )
        return placed.loc[wanted].to_numpy(np.float64)
    return rows["score"].to_numpy(np.float64)


def measure(examples: pd.DataFrame, scores: np.ndarray, test_set: str, resampling: Resampling) -> Measured:
    """Metrics of M trainings on a test set and on its replicates, which are those of ``bindgram evaluate``.

    Parameters
    ----------
    examples : N test rows of the predictions table, both classes among them. scores : (M, N) finite.
    """
    labels = examples["label"].to_numpy()
    blocks = assign_blocks(examples["chrom"].to_numpy(object), examples["start"].to_numpy(), resampling.max_block_bp)
    rng = step_rng(resampling.seed, "evaluate", test_set)
    values = {name: np.array([metric(labels, row) for row in scores]) for name, metric in RANK_METRICS.items()}
    drawn = paired_replicates(labels, scores, blocks, resampling.replicates, rng)
    n_each = np.bincount(labels == 1, minlength=2)
    areas, covariance = delong_covariance(labels, scores) if n_each.min() > 1 else (None, None)
    positives = np.bincount(blocks[labels == 1])
    flag = "interval_unreliable" if np.count_nonzero(positives) < MIN_POSITIVE_BLOCKS else ""
    return Measured(values, drawn, areas, covariance, effective_blocks(positives), flag)


def compare_two(
    measured: Measured, metric: str, trainings: Sequence[Training], model: str, other: str, confidence: float
) -> dict[str, Any]:
    """One row: `model` minus `other`, seeds averaged.

    Parameters
    ----------
    trainings : (model, seed) of the M rows of `measured`.
    """
    ours, theirs = ([number for number, one in enumerate(trainings) if one[0] == name] for name in (model, other))
    values, drawn = measured.values[metric], measured.drawn[metric]
    value, other_value = values[ours].mean(), values[theirs].mean()
    replicates = drawn[ours].mean(axis=0) - drawn[theirs].mean(axis=0)
    low, high, p_value = interval_and_p_value(float(value - other_value), replicates, measured.n_blocks, confidence)
    per_seed = seed_differences(
        {trainings[n][1]: values[n] for n in ours}, {trainings[n][1]: values[n] for n in theirs}
    )
    area = _test_areas(measured, ours, theirs) if metric == "auroc" else AreaTest(None, None, None)
    return {
        "value": value,
        "other_value": other_value,
        "difference": value - other_value,
        "low": low,
        "high": high,
        "p_value": p_value,
        "p_delong": area.p_value,
        "verdict": verdict_of(low, high),
        "seeds": ";".join(f"{seed}={difference:+.6f}" for seed, difference in per_seed.items()),
        "seed_sd": float(np.std(list(per_seed.values()), ddof=1)) if len(per_seed) > 1 else None,
        "flag": measured.flag,
        "status": "ok",
        "reason": area.reason,
    }


def _test_areas(measured: Measured, ours: Sequence[int], theirs: Sequence[int]) -> AreaTest:
    if measured.areas is None or measured.covariance is None:
        return AreaTest(None, None, None, undefined("DeLong's test needs two examples of each class"))
    weights = np.zeros(len(measured.areas))
    weights[ours] += 1 / len(ours)
    weights[theirs] -= 1 / len(theirs)
    return contrast_test(measured.areas, measured.covariance, weights)


def seed_differences(ours: Mapping[str, float], theirs: Mapping[str, float]) -> dict[str, float]:
    """Difference seed by seed; where one of the two has a single training, every seed of the other against that one."""
    if len(theirs) == 1:
        return {seed: value - next(iter(theirs.values())) for seed, value in ours.items()}
    if len(ours) == 1:
        return {seed: next(iter(ours.values())) - value for seed, value in theirs.items()}
    return {seed: value - theirs[seed] for seed, value in ours.items() if seed in theirs}


def interval_and_p_value(
    difference: float, replicates: np.ndarray, n_blocks: float, confidence: float
) -> tuple[float | None, float | None, float | None]:
    """Interval of a difference from the spread of its replicates, and the two-sided p-value of Student's t that fits.

    The interval holds 0 just when the p-value is above 1 - `confidence`. None where fewer than two replicates or blocks
    are known; the p-value also where all replicates show the same difference.
    """
    from scipy.special import stdtr, stdtrit  # slow to import

    low, high = replicate_interval(difference, replicates, n_blocks, confidence, -np.inf, np.inf)
    if low is None or high is None:
        return None, None, None
    spread = (high - low) / 2 / float(stdtrit(n_blocks - 1, (1 + confidence) / 2))
    if spread <= SMALLEST_SPREAD:
        return difference, difference, 1.0 if abs(difference) <= SMALLEST_SPREAD else None
    return low, high, float(2 * stdtr(n_blocks - 1, -abs(difference) / spread))


def verdict_of(low: float | None, high: float | None) -> str:
    """``win`` where the interval of the difference lies above 0, ``loss`` below it, ``tie`` where it holds 0."""
    if low is None or high is None:
        return ""
    return "win" if low > 0 else "loss" if high < 0 else "tie"


def write_pairs(path: Path, frame: pd.DataFrame, provenance: Mapping[str, Any]) -> None:
    """Write a table of `compare_pairs` as TSV, six significant digits and nothing for what is not known.

    Its provenance goes beside it, ``.json`` appended to the name.
    """
    texts = [name for name in COLUMNS if name not in NUMBERS]
    clean = frame.assign(**{name: [" ".join(str(value).split()) for value in frame[name]] for name in texts})
    write_text(path, clean.to_csv(sep="\t", index=False, float_format="%.6g", lineterminator="\n"))
    counts = frame["status"].value_counts()
    n_rows = {str(name): int(counts[name]) for name in sorted(counts.index)}
    whole = dict(provenance) | {"digest": sha256_file(path)}
    write_json(provenance_path(path), {"n_rows": n_rows, "provenance": whole})


def read_pairs(path: Path) -> pd.DataFrame:
    """Read a table of `write_pairs`, without its provenance.

    Raises
    ------
    InputError : no such file, or another table.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; make it with bindgram pairs")
    frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    if tuple(frame.columns) != COLUMNS:
        raise InputError(f"{path}: not a table of bindgram pairs; columns are {', '.join(COLUMNS)}")
    return frame.assign(**{name: pd.to_numeric(frame[name]) for name in NUMBERS})
