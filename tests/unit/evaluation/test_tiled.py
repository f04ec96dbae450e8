import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from bindgram.data.tiled import TiledLabels
from bindgram.errors import InputError
from bindgram.evaluation.evaluate import Prevalence, use_twin
from bindgram.evaluation.metrics import METRICS
from bindgram.evaluation.tiled import (
    TiledScores,
    empty_tiled_result,
    evaluate_tiles,
    move_threshold,
    natural_prevalence,
    read_tiled_scores,
    write_tiled_scores,
)

NO_TWIN = pd.DataFrame({"label": np.empty(0, np.int8), "score": np.empty(0), "example_id": []})


def twin_of(labels, scores):
    return pd.DataFrame({"label": labels, "score": scores, "example_id": np.arange(len(labels)).astype(str)})


def evaluated(labels, scores, *, width=200, twin=NO_TWIN, prior=0.01, seed=1, replicates=200, scale="log_odds"):
    """Metrics of tiles from position 0 of chromosome a on."""
    tiled = TiledLabels(np.asarray(labels, np.int8), "a", 0, width, prior)
    scores = np.where(tiled.labels >= 0, scores, np.nan).astype(np.float16)
    return evaluate_tiles(tiled, scores, twin, replicates, 0.95, 1_000_000, np.random.default_rng(seed), scale=scale)


def test_metrics_by_hand():
    #  in order of falling score: 1 1 0 1 0 0 0 1 0 0, with an ignored tile that has no score
    labels = np.array([1, 1, 0, 1, -1, 0, 0, 0, 1, 0, 0])
    found = evaluated(labels, np.arange(11, 0, -1))
    assert (found["n_positives"], found["n_negatives"]) == (4, 6)
    assert (found["n_ignored"], found["prevalence"]) == (1, 0.4)
    assert found["average_precision"] == pytest.approx((1 + 1 + 3 / 4 + 4 / 8) / 4)
    assert found["auroc"] == pytest.approx((6 + 6 + 5 + 2) / 24)
    assert found["recall_at_fdr10"] == 0.5  # the first two; the third call is wrong
    assert found["recall_at_fdr50"] == 1.0  # all four within the first eight calls: half of them right
    assert found["threshold"] is None
    assert (found["mcc"], found["mcc.reason"]) == (None, "not defined: no validation twin")
    assert "no_threshold" in found["flag"]


def test_a_perfect_and_a_random_scorer():
    rng = np.random.default_rng(4)
    labels = (rng.random(40_000) < 1 / 200).astype(int)
    perfect = evaluated(labels, np.where(labels == 1, 3.0, -2.0))
    assert [perfect[name] for name in ("average_precision", "auroc", "recall_at_fdr10", "recall_at_fdr50")] == [1.0] * 4
    random = evaluated(labels, rng.normal(size=len(labels)))
    assert random["auroc.low"] < 0.5 < random["auroc.high"]
    assert random["average_precision"] == pytest.approx(random["prevalence"], rel=0.5)
    assert random["average_precision.low"] < 1.3 * random["prevalence"]
    assert random["recall_at_fdr10"] < 0.02


@pytest.mark.parametrize(("n_negatives", "expected"), [(1, 0.96), (100, 0.48), (500, 0.26)])
def test_one_scorer_has_other_precisions_at_other_prevalences(n_negatives, expected):
    """A scorer of AUROC 0.96: two normal distributions 2.48 standard deviations apart."""
    rng = np.random.default_rng(6)
    n_positives = 4000 if n_negatives == 1 else 1000
    apart = np.sqrt(2) * norm.ppf(0.96)
    scores = np.concatenate([rng.normal(apart, 1, n_positives), rng.normal(0, 1, n_positives * n_negatives)])
    labels = np.repeat([1, 0], [n_positives, n_positives * n_negatives])
    found = evaluated(labels, scores, replicates=2)
    assert found["auroc"] == pytest.approx(0.96, abs=0.005)
    assert found["average_precision"] == pytest.approx(expected, abs=0.04)


def test_float16_gives_a_tie_where_it_cannot_tell_scores_apart():
    labels = np.array([1, 0, 1, 0])
    tied = evaluated(labels, [5.0001, 5.0002, 1.0, 0.5])
    assert tied["auroc"] == pytest.approx((0.5 + 1 + 0 + 1) / 4)
    assert tied["average_precision"] == pytest.approx((1 / 2 + 2 / 3) / 2)


@pytest.mark.parametrize(
    ("labels", "reason"), [([], "no tiles"), ([0, -1], "no positives among the tiles"), ([1, -1], "no negatives among")]
)
def test_one_class_has_no_metrics_and_a_reason(labels, reason):
    found = evaluated(labels, np.ones(len(labels)))
    assert found["reason"].startswith(f"not defined: {reason}")
    assert found["average_precision"] is None
    assert set(found) == set(empty_tiled_result("none"))


def test_the_same_generator_gives_the_same_intervals():
    rng = np.random.default_rng(2)
    labels = (rng.random(5000) < 0.05).astype(int)
    scores = rng.normal(labels * 2, 1)
    assert evaluated(labels, scores, seed=1) == evaluated(labels, scores, seed=1)
    assert evaluated(labels, scores, seed=1) != evaluated(labels, scores, seed=2)


# Threshold and temperature


def test_threshold_moves_by_the_log_odds_of_the_two_priors_times_the_temperature():
    rng = np.random.default_rng(3)
    labels = np.repeat([1, 0], [1000, 10_000])
    twin = use_twin(twin_of(labels, rng.normal(2.0 * labels, 1)))
    moved = move_threshold(twin, Prevalence(1 / 501))
    assert moved.threshold == pytest.approx(twin.threshold + twin.calibration.temperature * np.log(50))
    assert move_threshold(twin, Prevalence(1 / 11)).threshold == pytest.approx(twin.threshold)


def test_a_threshold_that_cannot_be_moved_is_none_and_says_why():
    twin = use_twin(twin_of([1, 0] * 20, np.linspace(0, 1, 40) + [1, 0] * 20))
    moved = move_threshold(twin, natural_prevalence(TiledLabels(prior=0.0)))
    assert (moved.threshold, moved.calibration) == (None, None)
    assert moved.no_threshold.endswith("no natural prevalence: it is 0 among the tiles of the training blocks")
    falling = use_twin(twin_of([1, 0] * 20, np.linspace(0, 1, 40) - [1, 0] * 20))
    assert "no temperature fits" in move_threshold(falling, Prevalence(0.1)).no_threshold
    assert move_threshold(use_twin(NO_TWIN), Prevalence(0.1)).no_threshold == "no validation twin"


def test_calls_at_the_moved_threshold_have_the_posterior_of_the_twins_threshold():
    """Tiles drawn from the twin's classes at another prior: P(label = 1 | score = threshold) is the same in both."""
    rng = np.random.default_rng(11)

    def draw(n_positives, n_negatives):
        labels = np.repeat([1, 0], [n_positives, n_negatives])
        return labels, rng.normal(3.0 * labels, 1.5)

    labels, scores = draw(5_000, 50_000)
    twin = use_twin(twin_of(labels, scores))
    moved = move_threshold(twin, Prevalence(0.01))

    def posterior(score, prior):
        densities = [norm.pdf(score, 3.0 * label, 1.5) * share for label, share in ((1, prior), (0, 1 - prior))]
        return densities[0] / sum(densities)

    at_twin = posterior(twin.threshold, twin.calibration.prior)
    assert posterior(moved.threshold, 0.01) == pytest.approx(at_twin, abs=0.05)
    fitted = twin_of(labels, scores)
    labels, scores = draw(1_000, 99_000)
    assert evaluated(labels, scores, twin=fitted, prior=0.01)["precision.low"] is None  # all positives in one block
    order = rng.permutation(len(labels))
    found = evaluated(labels[order], scores[order], twin=fitted, prior=0.01)
    assert found["precision"] > 0.3
    assert found["ece_calibrated"] < 0.002  # of probabilities moved to the prior of the tiles
    assert found["precision.low"] <= found["precision"] <= found["precision.high"]


# Files


def test_scores_stand_at_the_tiles_that_are_not_ignored_and_are_clipped_to_float16(tmp_path):
    tiled = TiledLabels(np.array([0, -1, 1, -1, 0], np.int8), "a", 0, 10)
    scored = TiledScores.of(tiled, np.array([1.5, 1e6, -1e6]), {"command": "scan"})
    write_tiled_scores(tmp_path / "s.h5", scored)
    read = read_tiled_scores(tmp_path / "s.h5")
    assert read.scores.dtype == np.float16
    np.testing.assert_array_equal(read.scores, np.array([1.5, np.nan, 65504, np.nan, -65504], np.float16))
    assert (read.status, read.provenance["command"], len(read.provenance["digest"])) == ("ok", "scan", 64)


def test_scores_that_are_no_numbers_are_stored_apart_from_ignored_tiles_and_told():
    tiled = TiledLabels(np.array([0, -1, 1], np.int8), "a", 40, 10)
    scored = TiledScores.of(tiled, np.array([1.0, np.nan]), {})
    np.testing.assert_array_equal(scored.scores, np.array([1.0, np.nan, np.inf], np.float16))
    known = {"scale": "log_odds"}
    found = evaluate_tiles(tiled, scored.scores, NO_TWIN, 10, 0.95, 1000, np.random.default_rng(0), **known)
    assert found["reason"].startswith(
        "not defined: 1 of 2 scores of the tiles are not finite, first inf of a:60; the mod"
    )
    assert all(found[name] is None for name in METRICS)


def test_what_holds_no_scores_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"gone\.h5: no readable scores of tiles; make it with bindgram scan"):
        read_tiled_scores(tmp_path / "gone.h5")


def test_scores_of_other_labels_are_refused():
    """Two experiments have as many tiles, but not the same ones are ignored."""
    tiled = TiledLabels(np.array([0, 1, 0, -1], np.int8), "a", 0, 10)
    others = TiledScores.of(TiledLabels(np.array([0, 1, -1, 0], np.int8), "a", 0, 10), np.arange(3.0), {})
    with pytest.raises(InputError, match=r"1 of 3 known tiles have no score.*scan again"):
        evaluate_tiles(tiled, others.scores, NO_TWIN, 10, 0.95, 1000, np.random.default_rng(0), scale="log_odds")
