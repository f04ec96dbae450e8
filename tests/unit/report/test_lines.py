import pytest

from bindgram.evaluation.evaluate import Twin, count_flags
from bindgram.report.lines import (
    FLAG_MEANINGS,
    FLAG_NAMES,
    TRAINING,
    flag_in_words,
    median_by_tf,
    number,
    summarise,
    warnings_of,
)

KEYS = [*TRAINING, "test_set", "metric"]


def test_seeds_are_averaged_and_their_widest_bounds_and_each_value_kept(table):
    (score,) = summarise(table(("cnn", 0.6), ("cnn", 0.8, {"seed": "2"})), KEYS).itertuples()
    assert (score.value, score.low, score.high, score.floor) == pytest.approx((0.7, 0.5, 0.9, 0.2))
    assert score.seeds == [0.6, 0.8]
    assert score.above


def test_score_is_above_the_floor_only_where_the_interval_of_every_seed_is(table):
    scores = summarise(table(("cnn", 0.6), ("cnn", 0.29, {"seed": "2"}), ("gc", 0.5, {"floor": float("nan")})), KEYS)
    assert scores["above"].tolist() == [False, False]


@pytest.mark.parametrize(
    ("metric", "value", "floor", "above"),
    [
        ("auroc", 0.55, 0.4, False),  # its interval reaches down to 0.45, above the floor and below chance
        ("auroc", 0.65, 0.4, True),
        ("auroc", 0.65, 0.6, False),
        ("average_precision", 0.18, 0.05, False),  # 100 of 1,100 are positive
        ("average_precision", 0.20, 0.05, True),
        ("mcc", 0.05, -0.2, False),
        ("recall_at_fdr10", 0.2, 0.05, True),
        ("brier", 0.2, 0.35, True),  # lower is better
        ("brier", 0.2, 0.25, False),
        ("auroc", 0.9, float("nan"), False),
    ],
)
def test_interval_is_above_only_where_it_is_better_than_the_floor_and_than_chance(table, metric, value, floor, above):
    (score,) = summarise(table(("cnn", value, {"metric": metric, "floor": floor})), KEYS).itertuples()
    assert score.above == above


def test_splits_are_averaged_where_they_are_no_key(table):
    frame = table(("cnn", 0.5, {"split": "a"}), ("cnn", 0.8, {"split": "b", "floor": 0.3}))
    (score,) = summarise(frame, ["experiment", "model"]).itertuples()
    assert (score.value, score.floor) == pytest.approx((0.65, 0.25))


def test_rows_without_a_value_have_no_score(table):
    assert summarise(table(("cnn", "skipped", "few"), ("cnn", "not_defined", "x", {"test_set": "T2"})), KEYS).empty


def test_each_tf_counts_once_in_the_median_by_tf(table):
    rows = [("cnn", value, {"experiment": f"E{i}"}) for i, value in enumerate((0.9, 0.9, 0.9))]
    rows.append(("cnn", 0.5, {"experiment": "X", "tf": "MAX"}))
    scores = summarise(table(*rows), KEYS)
    assert median_by_tf(scores, "value") == pytest.approx(0.7)
    assert scores["value"].median() == pytest.approx(0.9)


def warned(config, frame, **suspicious):
    return warnings_of(frame, {("E1", name.replace("_", "/", 1)): text for name, text in suspicious.items()}, config)


def test_flags_are_said_in_words_and_once(table, config):
    frame = table(
        ("cnn", 0.5, {"flag": "interval_unreliable;no_threshold"}), ("cnn", 0.5, {"metric": "auroc", "flag": "odd_one"})
    )
    notes = warned(config, frame)["E1", "fold_0", "genomic_matched", "cnn"]
    assert notes == ["T2: few test blocks: interval unreliable", "T2: no validation twin: no threshold", "T2: odd one"]


def test_every_flag_that_metrics_can_have_is_explained():
    twin = Twin(None, None, "no validation twin", "no validation twin")
    flags = [flag.partition(":")[0] for flag in count_flags(3, 3, 3, twin).split(";")]
    assert {*flags, "fdr_unresolved"} == set(FLAG_MEANINGS) == set(FLAG_NAMES)
    assert flag_in_words("few_positives:3") == "few positives (3)"


def test_a_seed_without_values_is_said_where_the_mean_leaves_it_out(table, config):
    rows = [("cnn", 0.9, {"metric": name}) for name in ("auroc", "mcc")]
    rows += [("cnn", "not_defined", "not defined: nan", {"seed": "2", "metric": "auroc", "test_set": "T2"})]
    rows += [("cnn", 0.9, {"test_set": "T1", "seed": seed}) for seed in "12"]
    notes = warned(config, table(*rows))["E1", "fold_0", "genomic_matched", "cnn"]
    assert [note for note in notes if "seeds" in note] == ["T2: only 1 of 2 seeds have values, the mean is theirs"]


def test_suspicious_negatives_stand_beside_models_tested_on_them_and_trained_on_them(table, config):
    frame = table(("cnn", 0.6), ("cnn", 0.6, {"test_set": "T1"}), ("cnn", 0.6, {"experiment": "E2"}))
    found = warned(config, frame, T2="GC 0.61 (test)", labelled_genomic_matched="GC 0.60 (training)")
    notes = found["E1", "fold_0", "genomic_matched", "cnn"]
    assert [note for note in notes if "suspicious" in note] == [
        "T2: negatives suspicious: GC 0.61 (test)",
        "training: negatives suspicious: GC 0.60 (training)",
    ]
    assert not any("suspicious" in note for note in found["E2", "fold_0", "genomic_matched", "cnn"])


def test_suspicious_negatives_of_one_split_stand_beside_that_split(table, config):
    frame = table(("cnn", 0.5, {"split": "a"}), ("cnn", 0.5, {"split": "b"}))
    found = warnings_of(frame, {("E1 (b)", "T2"): "GC 0.61"}, config)
    assert [any("suspicious" in note for note in notes) for notes in found.values()] == [False, True]


@pytest.mark.parametrize(("n_negatives", "said"), [(1000, False), (951, False), (940, True)])
def test_fewer_negatives_than_the_ratio_asks_for_are_said(table, config, n_negatives, said):
    notes = warned(config, table(("cnn", 0.5, {"n_negatives": n_negatives})))["E1", "fold_0", "genomic_matched", "cnn"]
    assert ("T2: 9.4 negatives per positive, 10 wanted" in notes) == said


def test_numbers_have_a_minus_and_what_is_unknown_a_dash():
    assert [number(value) for value in (0.12345, -0.1, float("nan"))] == ["0.123", "−0.100", "–"]
