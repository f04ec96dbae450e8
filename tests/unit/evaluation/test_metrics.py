import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import matthews_corrcoef

from bindgram.evaluation.evaluate import Prevalence, evaluate_predictions
from bindgram.evaluation.metrics import METRICS, NOT_DEFINED, choose_threshold

GENOME = Prevalence(0.1)


def predictions(labels, scores, *, test_set="T1", split="test", chrom=None, start=None, strands=0.5) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "test_set": test_set,
            "example_id": [f"{split}{index}" for index in range(len(labels))],
            "split": split,
            "label": np.array(labels, dtype=np.int8),
            "score": np.array(scores, dtype=float),
            "score_forward": np.array(scores, dtype=float) + strands / 2,
            "score_reverse": np.array(scores, dtype=float) - strands / 2,
            "chrom": chrom,
            "start": np.nan if start is None else start,
        }
    )


def evaluated(*parts: pd.DataFrame, skipped=None, scale="log_odds", prevalence=GENOME, seed=1) -> dict:
    frame = pd.concat(parts, ignore_index=True)
    known = {"scale": scale, "prevalence": prevalence}
    return evaluate_predictions(frame, skipped or {}, 100, 0.95, 1_000_000, seed, **known)


def undefined_of(values: dict, test_set: str = "T1") -> dict[str, str]:
    """Metrics without a value, and the reasons; also that there is either value or reason, and nothing else."""
    reasons = {}
    for name in METRICS:
        keys = [f"{test_set}.{name}{part}" for part in ("", ".low", ".high")]
        if values[keys[0]] is None:
            assert [values[key] for key in keys] == [None] * 3
            reasons[name] = values[f"{test_set}.{name}.reason"]
            assert reasons[name].startswith(NOT_DEFINED)
        else:
            assert f"{test_set}.{name}.reason" not in values
    return reasons


def test_perfect_scores_reach_one_everywhere_and_no_interval_says_that_this_is_certain():
    labels, scores = [1, 1, 0, 0] * 10, [3, 4, 1, 2] * 10
    values = evaluated(predictions(labels, scores), predictions(labels, scores, split="valid"))
    for name in ("auroc", "average_precision", "mcc"):
        assert values[f"T1.{name}"] == 1.0
        assert values[f"T1.{name}.low"] is values[f"T1.{name}.high"] is None
    assert values["T1.strand_difference.low"] == values["T1.strand_difference.high"] == 0.5  # has no highest value
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


def test_constant_scores_are_not_defined_and_never_chance():
    labels = [1, 0, 0, 0] * 10
    values = evaluated(predictions(labels, [0.0] * 40), predictions(labels, labels, split="valid"))
    assert set(undefined_of(values)) == set(METRICS)
    assert values["T1.reason"].startswith(
        "not defined: all 40 scores of the test examples are 0: the model tells nothing"
    )


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


NEED_TWIN = {"mcc", "f1", "accuracy", "precision", "recall", "specificity", "brier_calibrated", "ece_calibrated"}


def test_without_validation_data_threshold_and_calibration_are_not_defined_and_all_else_is():
    values = evaluated(predictions([1, 0] * 40, [1, 0] * 40))
    assert undefined_of(values) == dict.fromkeys(NEED_TWIN, "not defined: no validation twin")
    assert values["T1.auroc"] == 1.0
    assert values["T1.threshold"] is values["T1.temperature"] is None
    assert values["T1.flag"] == "no_threshold"


def test_useless_validation_data_count_as_none_and_are_named():
    test = predictions([1, 0] * 40, [1, 0] * 40)
    for labels, scores, reason in (
        ([1, 1], [0.0, 1.0], "no negatives among the validation twin"),
        ([1, 0], [2.0, 2.0], "all 2 scores of the validation twin are 2"),
        ([1, 0], [np.nan, 2.0], "1 of 2 scores of the validation twin are not finite, first nan of valid0"),
    ):
        found = undefined_of(evaluated(test, predictions(labels, scores, split="valid")))
        assert set(found) == NEED_TWIN
        assert all(reason in text for text in found.values())


def test_scores_that_fall_with_the_labels_on_the_twin_have_a_threshold_and_no_calibration():
    labels = [1, 0] * 40
    twin = predictions(labels, np.linspace(0, 1, 80) - labels, split="valid")
    found = undefined_of(evaluated(predictions(labels, labels), twin))
    assert set(found) == {"brier_calibrated", "ece_calibrated"}
    assert "do not rise with the labels" in found["ece_calibrated"]


def test_ten_examples_have_values_with_their_number_and_no_metric_that_needs_more():
    labels = [1, 0] * 5
    values = evaluated(predictions(labels, np.arange(10.0)), predictions(labels, labels, split="valid"))
    assert undefined_of(values) == {
        "partial_auroc": "not defined: 5 negatives do not resolve a false positive rate of 0.1",
        **dict.fromkeys(("ece", "ece_calibrated"), "not defined: 10 test examples do not fill 10 bins of 5"),
    }
    assert values["T1.auroc"] == 0.4
    assert values["T1.flag"] == "few_positives:5;few_negatives:5;interval_unreliable"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_numbers_are_counted_and_the_remedy_is_told(bad):
    labels = [1, 0] * 20
    scores = np.where(np.arange(40) == 7, bad, np.arange(40.0))
    values = evaluated(predictions(labels, scores), predictions(labels, labels, split="valid"))
    assert set(undefined_of(values)) == set(METRICS)
    assert values["T1.reason"] == (
        f"not defined: 1 of 40 scores of the test examples are not finite, first {bad} of test7; "
        "the model diverged: lower its learning rate and train again"
    )


def test_scores_that_are_no_log_odds_have_no_probabilities():
    labels = [1, 0] * 40
    values = evaluated(predictions(labels, labels), predictions(labels, labels, split="valid"), scale="arbitrary")
    assert set(undefined_of(values)) == {"brier", "brier_calibrated", "ece", "ece_calibrated", "strand_difference"}
    assert values["T1.mcc"] == 1.0


def test_a_baseline_that_reads_both_strands_has_no_difference_of_strands():
    labels = [1, 0] * 40
    parts = [predictions(labels, labels, split=split, strands=np.nan) for split in ("test", "valid")]
    assert undefined_of(evaluated(*parts)) == {"strand_difference": "not defined: the model reads both strands at once"}


def test_without_natural_prevalence_recall_at_a_discovery_rate_says_why():
    labels = [1, 0] * 40
    parts = [predictions(labels, labels, split=split) for split in ("test", "valid")]
    found = undefined_of(evaluated(*parts, prevalence=Prevalence(None, "no natural prevalence: no coordinates")))
    assert found == dict.fromkeys(
        ("recall_at_fdr10", "recall_at_fdr50"), "not defined: no natural prevalence: no coordinates"
    )


def test_negatives_count_as_often_as_the_natural_prevalence_says():
    """Ten positives, ten negatives, 1 in 11 positive: each negative stands for ten."""
    order = [1] * 4 + [0] + [1] * 6 + [0] * 9
    values = evaluated(predictions(order, -np.arange(20.0)), prevalence=Prevalence(1 / 11))
    assert values["T1.recall_at_fdr10"] == 0.4  # above the first negative
    assert values["T1.recall_at_fdr50"] == 1.0  # 10 right, one wrong that counts as ten
    assert values["T1.recall_at_fdr10.flag"] == values["T1.recall_at_fdr50.flag"] == "fdr_unresolved"
    rare = evaluated(predictions(order, -np.arange(20.0)), prevalence=Prevalence(1 / 12))
    assert rare["T1.recall_at_fdr50"] == 0.4


def test_no_flag_where_the_negatives_resolve_the_discovery_rate():
    rng = np.random.default_rng(0)
    labels = np.repeat([1, 0], [50, 1000])
    values = evaluated(predictions(labels, 4 * labels + rng.normal(size=1050)), prevalence=Prevalence(1 / 51))
    assert values["T1.recall_at_fdr10.flag"] == "fdr_unresolved"  # even at full recall 2.2 negatives may be called
    assert "T1.recall_at_fdr50.flag" not in values  # 20
    poor = evaluated(predictions(labels, labels + rng.normal(size=1050)), prevalence=Prevalence(1 / 51))
    assert poor["T1.recall_at_fdr50.flag"] == "fdr_unresolved"  # a low recall lets few pass


def test_calls_at_a_threshold_that_calls_nothing_have_no_precision():
    labels = [1, 0] * 40
    values = evaluated(predictions(labels, labels), predictions(labels, np.add(labels, 9), split="valid"))
    assert undefined_of(values) == {"precision": "not defined: no example is called"}
    assert (values["T1.recall"], values["T1.f1"], values["T1.specificity"], values["T1.accuracy"]) == (0, 0, 1, 0.5)


def test_strand_difference_and_brier_score_by_hand():
    labels, logit = [1, 0] * 40, np.log(3)
    values = evaluated(predictions(labels, logit * np.where(np.array(labels) == 1, 1, -1), strands=0.25))
    assert values["T1.strand_difference"] == pytest.approx(0.25)
    assert values["T1.brier"] == pytest.approx(1 / 16)  # a probability of three quarters that always holds
    assert values["T1.ece"] == pytest.approx(1 / 4)


def test_calibration_on_the_twin_mends_scores_that_are_stretched_and_shifted():
    rng = np.random.default_rng(3)
    log_odds = rng.normal(-1, 2, size=8000)
    labels = (rng.random(8000) < 1 / (1 + np.exp(-log_odds))).astype(int)
    parts = (
        predictions(labels[:4000], 3 * log_odds[:4000] + 2),
        predictions(labels[4000:], 3 * log_odds[4000:] + 2, split="valid"),
    )
    values = evaluated(*parts)
    assert values["T1.temperature"] == pytest.approx(3, rel=0.1)
    assert values["T1.offset"] == pytest.approx(2, abs=0.3)
    assert values["T1.ece"] > 0.1 > 0.03 > values["T1.ece_calibrated"]
    assert values["T1.brier_calibrated"] < values["T1.brier"]


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
    first, again, other = (evaluated(frame, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first["T1.auroc.low"] < first["T1.auroc"] < first["T1.auroc.high"]
    assert first["T1.auroc"] == other["T1.auroc"]
    assert first["T1.auroc.low"] != other["T1.auroc.low"]


def test_shuffled_labels_hold_one_half_within_the_interval():
    rng = np.random.default_rng(2)
    values = evaluated(predictions(rng.permutation([0, 1] * 200), rng.normal(size=400)))
    assert values["T1.auroc.low"] < 0.5 < values["T1.auroc.high"]
