from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import matthews_corrcoef

from bindgram.errors import InputError
from bindgram.evaluation.evaluate import check_scores, evaluate_predictions
from bindgram.evaluation.metrics import METRICS, choose_threshold


def predictions(labels, scores, *, test_set="T1", split="test", chrom=None, start=None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "test_set": test_set,
            "example_id": [f"{split}{index}" for index in range(len(labels))],
            "split": split,
            "label": np.array(labels, dtype=np.int8),
            "score": np.array(scores, dtype=float),
            "chrom": chrom,
            "start": np.nan if start is None else start,
        }
    )


def evaluated(*parts: pd.DataFrame, skipped=None) -> dict:
    return evaluate_predictions(pd.concat(parts, ignore_index=True), skipped or {}, 100, 0.95, 1_000_000, seed=1)


def test_perfect_scores_reach_one_everywhere():
    labels, scores = [1, 1, 0, 0] * 10, [3, 4, 1, 2] * 10
    values = evaluated(predictions(labels, scores), predictions(labels, scores, split="valid"))
    for name in ("auroc", "average_precision", "mcc"):
        assert values[f"T1.{name}"] == values[f"T1.{name}.low"] == values[f"T1.{name}.high"] == 1.0
    assert values["T1.threshold"] == 2.5
    assert (values["T1.n_positives"], values["T1.n_negatives"]) == (20, 20)
    assert values["T1.flag"] == values["T1.reason"] == ""


def test_threshold_comes_from_the_validation_twin_not_from_the_test_set():
    labels = [1, 1, 0, 0] * 10
    test = predictions(labels, [3, 4, 1, 2] * 10)
    shifted = predictions(labels, [30, 40, 10, 20] * 10, split="valid")
    values = evaluated(test, shifted)
    assert values["T1.threshold"] == 25.0
    assert values["T1.mcc"] == 0.0
    assert values["T1.auroc"] == 1.0


def test_validation_rows_do_not_enter_the_reported_number():
    labels = [1, 0] * 20
    values = evaluated(predictions(labels, [1, 0] * 20), predictions(labels, [0, 1] * 20, split="valid"))
    assert values["T1.auroc"] == 1.0


@pytest.mark.parametrize("digits", [0, 1, 9])
def test_no_threshold_has_a_higher_correlation_than_the_chosen_one(digits):
    rng = np.random.default_rng(digits)
    labels = rng.integers(0, 2, 80)
    scores = np.round(labels + rng.normal(size=80), digits)
    best = max(matthews_corrcoef(labels, scores >= cut) for cut in scores)
    assert matthews_corrcoef(labels, scores >= choose_threshold(labels, scores)) == pytest.approx(best, abs=1e-12)


def test_threshold_between_neighbouring_floats_does_not_call_the_lower_one():
    low = 1.0
    high = np.nextafter(low, 2)
    assert choose_threshold(np.array([1, 0]), np.array([high, low])) == high


def test_constant_scores_are_chance():
    labels = [1, 0, 0, 0] * 10
    values = evaluated(predictions(labels, [0.0] * 40), predictions(labels, [0.0] * 40, split="valid"))
    assert (values["T1.auroc"], values["T1.average_precision"], values["T1.mcc"]) == (0.5, 0.25, 0.0)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([1, 1], "not defined: no negatives among the test examples"),
        ([0, 0], "not defined: no positives among the test examples"),
    ],
)
def test_one_class_gives_no_metrics_but_a_reason(labels, reason):
    values = evaluated(predictions(labels, [1, 2]), predictions([1, 0], [1, 0], split="valid"))
    assert values["T1.reason"] == reason
    assert all(values[f"T1.{name}{bound}"] is None for name in METRICS for bound in ("", ".low", ".high"))
    assert values["T1.n_positives"] + values["T1.n_negatives"] == 2


def test_test_set_without_test_rows_and_skipped_test_set_are_named_with_their_reasons():
    values = evaluated(predictions([1, 0], [1, 0], split="valid"), skipped={"T2": "no coordinates"})
    assert values["T1.reason"] == "not defined: no test examples"
    assert values["T2.reason"] == "no coordinates"
    assert values["T2.auroc"] is None


def test_missing_twin_leaves_out_the_correlation_only():
    values = evaluated(predictions([1, 0] * 20, [1, 0] * 20))
    assert values["T1.auroc"] == 1.0
    assert values["T1.mcc"] is None
    assert values["T1.mcc.low"] is None
    assert values["T1.flag"] == "no_threshold"


@pytest.mark.parametrize(("n_blocks", "flag"), [(19, "interval_unreliable"), (20, "")])
def test_fewer_than_twenty_blocks_with_positives_are_flagged(n_blocks, flag):
    labels = [1, 0, 0] * 60
    start = [(index % n_blocks) * 1_000_000 for index in range(60) for _ in range(3)]
    test = predictions(labels, labels, chrom="chr1", start=start)
    extra = predictions([0] * 40, [0] * 40, chrom="chr1", start=np.arange(100, 140) * 1_000_000)
    values = evaluated(test, extra, predictions(labels, labels, split="valid"))
    assert values["T1.n_positive_blocks"] == n_blocks
    assert values["T1.n_blocks"] == n_blocks + 40
    assert values["T1.flag"] == flag


def test_intervals_are_equal_on_every_run_and_differ_between_seeds():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    frame = predictions(labels, labels + rng.normal(size=60))
    first, again, other = (evaluate_predictions(frame, {}, 100, 0.9, 10**6, seed) for seed in (1, 1, 2))
    assert first == again
    assert first["T1.auroc.low"] < first["T1.auroc"] < first["T1.auroc.high"]
    assert first["T1.auroc"] == other["T1.auroc"]
    assert first["T1.auroc.low"] != other["T1.auroc.low"]


def test_shuffled_labels_hold_one_half_within_the_interval():
    rng = np.random.default_rng(2)
    values = evaluated(predictions(rng.permutation([0, 1] * 200), rng.normal(size=400)))
    assert values["T1.auroc.low"] < 0.5 < values["T1.auroc.high"]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_numbers_are_refused_with_file_and_example(bad):
    with pytest.raises(InputError, match=r"x\.parquet: 1 of 2 scores .* test1 in T1"):
        check_scores(predictions([1, 0], [0.5, bad]), Path("x.parquet"))
