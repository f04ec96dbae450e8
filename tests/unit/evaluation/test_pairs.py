import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, t
from sklearn.metrics import average_precision_score

from bindgram.errors import InputError
from bindgram.evaluation.delong import delong_covariance, delong_test
from bindgram.evaluation.pairs import (
    COLUMNS,
    Resampling,
    Scored,
    compare_pairs,
    compare_two,
    interval_and_p_value,
    measure,
    pairs_of,
    read_pairs,
    seed_differences,
    verdict_of,
    write_pairs,
)

RESAMPLING = Resampling(400, 0.95, 1_000_000, 1)
FINE = {"status": "ok", "reason": ""}


def predictions(scores, labels, test_set="T2", split="test"):
    """Rows of a predictions table, an example every kb."""
    n = len(labels)
    return pd.DataFrame(
        {
            "test_set": test_set,
            "example_id": [f"{split}{number}" for number in range(n)],
            "split": split,
            "label": np.asarray(labels, dtype=np.int8),
            "score": np.asarray(scores, dtype=float),
            "chrom": "chr1",
            "start": np.arange(n) * 1000,
        }
    )


@pytest.fixture
def labels():
    return np.random.default_rng(4).permutation(np.repeat([1, 0], [200, 400]))


@pytest.fixture
def scored(labels):
    """A model with two seeds, a worse one with two, and a baseline that knows nothing."""
    rng = np.random.default_rng(5)
    shifts = {("good", "1"): 2.0, ("good", "2"): 1.9, ("weak", "1"): 1.0, ("weak", "2"): 1.1, ("gc", "1"): 0.0}
    return [
        Scored(model, seed, predictions(rng.normal(size=600) + shift * labels, labels), FINE)
        for (model, seed), shift in shifts.items()
    ]


def row_of(frame, model, other, metric="auroc", test_set="T2"):
    found = frame[(frame[["model", "other", "metric", "test_set"]] == [model, other, metric, test_set]).all(axis=1)]
    assert len(found) == 1
    return found.iloc[0]


def test_every_pair_has_a_model_and_stands_once():
    assert pairs_of(["gc", "b", "kmer", "a"], ["a", "b"]) == [
        ("b", "a"),
        ("b", "gc"),
        ("b", "kmer"),
        ("a", "gc"),
        ("a", "kmer"),
    ]


def test_table_has_every_test_set_metric_and_pair(scored):
    frame = compare_pairs(scored, ["good", "weak"], RESAMPLING)
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == 1 * 2 * 3
    assert frame["status"].eq("ok").all()
    assert row_of(frame, "good", "gc")["verdict"] == "win"
    assert row_of(frame, "good", "weak")["verdict"] == "win"


def test_difference_is_that_of_the_means_over_the_seeds(scored, labels):
    row = row_of(compare_pairs(scored, ["good"], RESAMPLING), "good", "weak", "average_precision")
    values = {(one.model, one.seed): average_precision_score(labels, one.frame["score"]) for one in scored}
    good, weak = ([values[name, seed] for seed in ("1", "2")] for name in ("good", "weak"))
    assert row["value"] == pytest.approx(np.mean(good), abs=1e-12)
    assert row["difference"] == pytest.approx(np.mean(good) - np.mean(weak), abs=1e-12)
    by_seed = dict(part.split("=") for part in row["seeds"].split(";"))
    assert {seed: float(value) for seed, value in by_seed.items()} == pytest.approx(
        {"1": good[0] - weak[0], "2": good[1] - weak[1]}, abs=1e-6
    )
    assert row["seed_sd"] == pytest.approx(np.std([good[0] - weak[0], good[1] - weak[1]], ddof=1), abs=1e-12)


def test_delong_stands_beside_the_area_only_and_is_that_of_the_mean_of_seeds(scored, labels):
    frame = compare_pairs(scored, ["good"], RESAMPLING)
    scores = np.stack([one.frame["score"] for one in scored])
    expected = delong_test(labels, scores, np.array([0.5, 0.5, 0, 0, -1])).p_value
    assert row_of(frame, "good", "gc")["p_delong"] == pytest.approx(expected, rel=1e-9)
    assert np.isnan(row_of(frame, "good", "gc", "average_precision")["p_delong"])


def test_swapping_models_flips_signs_and_keeps_the_evidence(scored):
    one = row_of(compare_pairs(scored, ["good"], RESAMPLING), "good", "weak")
    two = row_of(compare_pairs(scored, ["weak"], RESAMPLING), "weak", "good")
    assert (one["difference"], one["low"], one["high"]) == pytest.approx(
        (-two["difference"], -two["high"], -two["low"])
    )
    assert (one["p_value"], one["p_delong"]) == pytest.approx((two["p_value"], two["p_delong"]))
    assert (one["verdict"], two["verdict"]) == ("win", "loss")


def test_a_model_against_its_own_scores_is_a_tie_with_p_value_one(scored):
    twin = [Scored("twin", one.seed, one.frame, one.metadata) for one in scored if one.model == "good"]
    row = row_of(compare_pairs([*scored, *twin], ["good"], RESAMPLING), "good", "twin")
    assert (row["difference"], row["low"], row["high"], row["p_value"], row["p_delong"]) == (0, 0, 0, 1, 1)
    assert row["verdict"] == "tie"


def test_replicates_are_shared_so_that_a_common_difficulty_leaves_the_interval(labels):
    rng = np.random.default_rng(6)
    scores = rng.normal(size=600) + labels
    pair = [Scored("a", "1", predictions(scores + 0.05 * rng.normal(size=600), labels), FINE)]
    pair.append(Scored("b", "1", predictions(scores, labels), FINE))
    row = row_of(compare_pairs(pair, ["a"], RESAMPLING), "a", "b")
    alone = delong_covariance(labels, pair[1].frame["score"].to_numpy())[1][0, 0] ** 0.5
    assert row["high"] - row["low"] < 2 * 1.96 * alone / 5


def test_order_of_the_rows_of_a_table_does_not_matter(scored):
    shuffled = [
        Scored(one.model, one.seed, one.frame.sample(frac=1, random_state=number), one.metadata) if number else one
        for number, one in enumerate(scored)
    ]
    pd.testing.assert_frame_equal(
        compare_pairs(scored, ["good"], RESAMPLING), compare_pairs(shuffled, ["good"], RESAMPLING)
    )


def test_other_examples_are_refused(scored):
    other = scored[-1].frame.assign(example_id=lambda frame: "x" + frame["example_id"])
    with pytest.raises(InputError, match="gc, seed 1: scored on other examples of T2"):
        compare_pairs([*scored[:-1], Scored("gc", "1", other, FINE)], ["good"], RESAMPLING)
    with pytest.raises(InputError, match="599 against 600 rows"):
        compare_pairs([*scored[:-1], Scored("gc", "1", scored[-1].frame[1:], FINE)], ["good"], RESAMPLING)


def test_a_model_without_predictions_is_refused(scored):
    with pytest.raises(InputError, match="--models: no predictions of best"):
        compare_pairs(scored, ["good", "best"], RESAMPLING)


def test_a_training_given_twice_is_refused(scored):
    with pytest.raises(InputError, match="given twice: gc seed 1"):
        compare_pairs([*scored, scored[-1]], ["good"], RESAMPLING)


def test_a_model_without_others_has_an_empty_table(tmp_path, scored):
    frame = compare_pairs(scored[:2], ["good"], RESAMPLING)
    write_pairs(tmp_path / "pairs.tsv", frame, {})
    assert read_pairs(tmp_path / "pairs.tsv").empty


def undefined_reason(scored, other="gc"):
    row = row_of(compare_pairs(scored, ["good"], RESAMPLING), "good", other)
    assert (row["status"], row["verdict"]) == ("not_defined", "")
    assert row[["difference", "low", "high", "p_value", "p_delong"]].isna().all()
    assert row["reason"].startswith("not defined: ")
    return row["reason"]


def test_unusable_scores_are_not_defined_with_the_reason(scored):
    frame = scored[1].frame
    diverged = Scored("good", "2", frame.assign(score=frame["score"].where(frame.index > 2)), FINE)
    assert "good, seed 2: 3 of 600 scores of T2 are not finite" in undefined_reason([scored[0], diverged, *scored[2:]])
    constant = Scored("gc", "1", frame.assign(score=0.5), FINE)
    assert "gc, seed 1: all 600 scores of T2 are 0.5" in undefined_reason([*scored[:-1], constant])


def test_one_class_and_missing_test_sets_are_not_defined_with_the_reason(scored):
    one_class = [Scored(one.model, one.seed, one.frame.assign(label=1), one.metadata) for one in scored]
    assert "no negatives" in undefined_reason(one_class)
    skipped = Scored("gc", "1", scored[0].frame[:0], {"status": "skipped", "reason": "not defined: no motif of X in Y"})
    assert undefined_reason([*scored[:-1], skipped]) == "not defined: gc: no motif of X in Y"
    without = {"status": "ok", "reason": "", "skipped_test_sets": {"T3": "fewer than three factors"}}
    frame = compare_pairs([Scored(one.model, one.seed, one.frame, without) for one in scored], ["good"], RESAMPLING)
    row = row_of(frame, "good", "gc", test_set="T3")
    assert (row["status"], row["reason"]) == ("not_defined", "not defined: good: fewer than three factors")


def test_a_skipped_experiment_has_a_row_for_every_pair(scored):
    nothing = {"status": "skipped", "reason": "12 positives in split train"}
    frame = compare_pairs([Scored(one.model, one.seed, one.frame[:0], nothing) for one in scored], ["good"], RESAMPLING)
    assert frame["status"].tolist() == ["skipped"] * 2
    assert set(frame["reason"]) == {"not defined: 12 positives in split train"}


def test_few_blocks_with_positives_are_flagged_and_one_has_no_interval(scored):
    few, one = (
        [Scored(one.model, one.seed, one.frame.assign(start=one.frame.index // size), one.metadata) for one in scored]
        for size in (100, 1000)
    )
    assert set(compare_pairs(few, ["good"], RESAMPLING)["flag"]) == {"interval_unreliable"}
    assert undefined_reason(one) == "not defined: all positives are in one block, an interval needs two"


def test_unequal_blocks_count_for_what_they_are_worth(labels):
    """Most positives in one block: its interval has few degrees of freedom, however many other blocks there are."""
    rng = np.random.default_rng(0)
    starts = np.where(np.arange(600) < 450, 0, np.arange(600)) * 1_000_000
    rows = predictions(labels, labels).assign(start=starts)
    scores = rng.normal(size=(2, 600)) + labels
    measured = measure(rows, scores, "T2", RESAMPLING)
    in_first = labels[:450].sum()
    n_blocks = 200**2 / (in_first**2 + (200 - in_first))
    assert 1 < n_blocks < 3
    assert measured.n_blocks == pytest.approx(n_blocks)
    row = compare_two(measured, "auroc", [("a", "1"), ("b", "1")], "a", "b", 0.95)
    spread = (measured.drawn["auroc"][0] - measured.drawn["auroc"][1]).std(ddof=1) * np.sqrt(n_blocks / (n_blocks - 1))
    assert row["high"] - row["low"] == pytest.approx(2 * t.ppf(0.975, n_blocks - 1) * spread)


def test_seeds_are_paired_by_name_and_a_single_training_meets_all():
    assert seed_differences({"1": 0.9, "2": 0.8}, {"1": 0.5}) == pytest.approx({"1": 0.4, "2": 0.3})
    assert seed_differences({"1": 0.5}, {"1": 0.9, "2": 0.8}) == pytest.approx({"1": -0.4, "2": -0.3})
    assert seed_differences({"1": 0.9, "2": 0.8}, {"2": 0.5, "1": 0.6}) == pytest.approx({"1": 0.3, "2": 0.3})


@pytest.mark.parametrize(("low", "high", "verdict"), [(0.1, 0.2, "win"), (-0.1, 0.2, "tie"), (-0.2, -0.1, "loss")])
def test_verdict_is_that_of_the_interval(low, high, verdict):
    assert verdict_of(low, high) == verdict
    assert verdict_of(0.0, high) == ("tie" if high >= 0 else "loss")


def test_interval_and_p_value_by_hand():
    """Replicates with a standard deviation of 1, ten blocks: spread sqrt(10 / 9), t quantile 2.2622 with 9 degrees."""
    replicates = np.array([-1.0, 0, 1]) + 5
    low, high, p_value = interval_and_p_value(2.0, replicates, 10, 0.95)
    assert (low, high) == pytest.approx((2 - 2.262157 * (10 / 9) ** 0.5, 2 + 2.262157 * (10 / 9) ** 0.5), abs=1e-6)
    assert p_value == pytest.approx(2 * t.sf(2 / (10 / 9) ** 0.5, 9))
    assert interval_and_p_value(0.0, np.zeros(9), 10, 0.95) == (0, 0, 1)
    assert interval_and_p_value(0.5, np.full(9, 0.5), 10, 0.95) == (0.5, 0.5, None)
    assert interval_and_p_value(0.5, np.array([np.nan, 0.5]), 10, 0.95) == (None, None, None)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 60))
def test_interval_holds_zero_just_when_the_p_value_is_large(seed, n_blocks):
    rng = np.random.default_rng(seed)
    low, high, p_value = interval_and_p_value(rng.normal(0, 3), rng.normal(size=50), n_blocks, 0.95)
    assert (low <= 0 <= high) == (p_value >= 0.05)


def test_equally_good_models_win_as_often_as_the_interval_says():
    """Two models with scores of equal quality on clustered examples; the interval is to hold 0 in 95 %."""
    rng = np.random.default_rng(8)
    labels = np.tile([1, 0, 0], 300)
    ties = 0
    for _ in range(60):
        of_block = np.repeat(rng.normal(size=(2, 90)), 10, axis=1)
        own = labels + of_block + rng.normal(size=(2, 900))
        pair = [Scored(name, "1", predictions(row, labels), FINE) for name, row in zip("ab", own, strict=True)]
        ties += row_of(compare_pairs(pair, ["a"], Resampling(200, 0.95, 10_000, 1)), "a", "b")["verdict"] == "tie"
    assert ties / 60 > 0.95 - norm.isf(0.001) * (0.95 * 0.05 / 60) ** 0.5


def test_table_survives_the_disk(tmp_path, scored):
    frame = compare_pairs(scored, ["good"], RESAMPLING)
    write_pairs(tmp_path / "pairs.tsv", frame, {"command": "pairs", "revisions": {"pairs": 1}})
    read = read_pairs(tmp_path / "pairs.tsv")
    pd.testing.assert_frame_equal(read, frame, check_dtype=False, rtol=1e-5)
    beside = json.loads((tmp_path / "pairs.tsv.json").read_text())
    assert beside["n_rows"] == {"ok": 4}
    assert len(beside["provenance"]["digest"]) == 64
    (tmp_path / "other.tsv").write_text("a\tb\n")
    with pytest.raises(InputError, match="not a table of bindgram pairs"):
        read_pairs(tmp_path / "other.tsv")
    with pytest.raises(InputError, match="no such file; make it with bindgram pairs"):
        read_pairs(tmp_path / "none.tsv")
