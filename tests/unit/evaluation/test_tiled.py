import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, matthews_corrcoef, roc_auc_score

from bindgram.data.tiled import TiledLabels
from bindgram.errors import InputError
from bindgram.evaluation.statistics import bootstrap_metrics
from bindgram.evaluation.tiled import (
    Histogram,
    TiledScores,
    calibrate,
    empty_tiled_result,
    evaluate_tiles,
    fit_temperature,
    prior_shift,
    read_tiled_scores,
    recall_at_fdr,
    write_tiled_scores,
)

NO_TWIN = pd.DataFrame({"label": np.empty(0, np.int8), "score": np.empty(0)})


def evaluated(labels, scores, *, width=200, twin=NO_TWIN, prior=0.01, seed=1, replicates=200):
    """Metrics of tiles from position 0 of chromosome a on."""
    tiled = TiledLabels(np.asarray(labels, np.int8), "a", 0, width, prior)
    scores = np.where(tiled.labels >= 0, scores, np.nan).astype(np.float16)
    return evaluate_tiles(tiled, scores, twin, replicates, 0.95, 1_000_000, np.random.default_rng(seed))


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
    assert found["mcc"] is None
    assert "no_threshold" in found["flag"]


def test_a_rate_is_reached_exactly_at_its_border():
    labels = np.array([1] * 9 + [0] * 3 + [1] * 18 + [0] * 10)
    above = [np.cumsum(labels == value)[None].astype(float) for value in (1, 0)]
    assert recall_at_fdr(*above, 0.1).tolist() == [1.0]  # 27 of 30 calls
    assert recall_at_fdr(*above, 0.0999).tolist() == [9 / 27]
    nothing = np.zeros((1, 3)), np.array([[1.0, 2.0, 3.0]])
    assert np.isnan(recall_at_fdr(*nothing, 0.1)).all()


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
    found = Histogram.of(labels, scores.astype(np.float16).astype(float), np.zeros(len(labels), int))
    values = found.metrics(np.ones((1, 1)), None)
    assert values["auroc"][0] == pytest.approx(0.96, abs=0.005)
    assert values["average_precision"][0] == pytest.approx(expected, abs=0.04)


@settings(max_examples=40)
@given(data=st.data(), n=st.integers(2, 60))
def test_values_equal_those_of_scikit_learn_also_with_ties(data, n):
    labels = np.array(data.draw(st.lists(st.sampled_from([0, 1]), min_size=n, max_size=n)))
    labels[0], labels[1] = 0, 1
    scores = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n)), float)
    threshold = float(data.draw(st.integers(-4, 4)))
    found = Histogram.of(labels, scores, np.arange(n) % 3 if n > 2 else np.zeros(n, int))
    values = found.metrics(np.ones((1, len(found.positives))), threshold)
    assert values["auroc"][0] == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert values["average_precision"][0] == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
    called = scores >= threshold
    assert values["mcc"][0] == pytest.approx(matthews_corrcoef(labels, called), abs=1e-12)
    assert values["recall"][0] == pytest.approx(called[labels == 1].mean())
    if called.any():
        assert values["precision"][0] == pytest.approx((labels[called] == 1).mean())
    best = [
        (scores[labels == 1] >= cut).mean() for cut in set(scores) if (labels[scores >= cut] == 0).mean() <= 0.5 + 1e-12
    ]
    assert values["recall_at_fdr50"][0] == pytest.approx(max(best, default=0.0))


def test_replicates_equal_those_of_single_examples():
    """The matrix of blocks and scores gives what weights of every example give."""
    rng = np.random.default_rng(8)
    labels, blocks = rng.integers(0, 2, 400), np.repeat(np.arange(20), 20)
    scores = np.round(rng.normal(labels, 1), 1)
    ours = Histogram.of(labels, scores, blocks).bootstrap(0.5, 50, np.random.default_rng(3))
    theirs = bootstrap_metrics(labels, scores, blocks, 0.5, 50, np.random.default_rng(3))
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, atol=1e-12)


def test_float16_gives_a_tie_where_it_cannot_tell_scores_apart():
    labels = np.array([1, 0, 1, 0])
    tied = evaluated(labels, [5.0001, 5.0002, 1.0, 0.5])
    assert tied["auroc"] == pytest.approx((0.5 + 1 + 0 + 1) / 4)
    assert tied["average_precision"] == pytest.approx((1 / 2 + 2 / 3) / 2)


@pytest.mark.parametrize(
    ("labels", "reason"), [([], "no test examples"), ([0, -1], "no positives"), ([1, -1], "no negatives among")]
)
def test_one_class_has_no_metrics_and_a_reason(labels, reason):
    found = evaluated(labels, np.ones(len(labels)))
    assert found["reason"].startswith(reason)
    assert found["average_precision"] is None
    assert set(found) == set(empty_tiled_result(""))


def test_the_same_generator_gives_the_same_intervals():
    rng = np.random.default_rng(2)
    labels = (rng.random(5000) < 0.05).astype(int)
    scores = rng.normal(labels * 2, 1)
    assert evaluated(labels, scores, seed=1) == evaluated(labels, scores, seed=1)
    assert evaluated(labels, scores, seed=1) != evaluated(labels, scores, seed=2)


# Threshold and temperature


def drawn_twin(temperature, offset, n=20_000, seed=3):
    """Scores whose probabilities are those of a logistic model with this temperature: P = sigmoid((s - offset) / T)."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 3, n)
    labels = (rng.random(n) < 1 / (1 + np.exp(-(scores - offset) / temperature))).astype(np.int8)
    return pd.DataFrame({"label": labels, "score": scores})


@pytest.mark.parametrize(("temperature", "offset"), [(0.5, 0.0), (1.0, 4.0), (2.5, -1.0)])
def test_temperature_is_found_again(temperature, offset):
    twin = drawn_twin(temperature, offset)
    assert fit_temperature(twin["label"].to_numpy(), twin["score"].to_numpy()) == pytest.approx(temperature, rel=0.1)


def test_temperature_is_that_of_an_unpenalised_logistic_regression():
    twin = drawn_twin(1.5, 2.0)
    model = LogisticRegression(C=1e9, tol=1e-10).fit(twin[["score"]], twin["label"])
    found = fit_temperature(twin["label"].to_numpy(), twin["score"].to_numpy())
    assert found == pytest.approx(1 / model.coef_[0, 0], rel=1e-2)


def test_separated_classes_have_a_temperature_and_useless_scores_have_none():
    labels = np.repeat([1, 0], 50)
    separated = fit_temperature(labels, np.where(labels == 1, 5.0, -5.0) + np.linspace(0, 1, 100))
    assert 0 < separated < 10
    assert fit_temperature(labels, np.zeros(100)) is None
    assert fit_temperature(labels, np.where(labels == 1, -1.0, 1.0) + np.linspace(0, 1, 100)) is None
    assert fit_temperature(np.ones(5, int), np.arange(5.0)) is None
    assert fit_temperature(np.empty(0, int), np.empty(0)) is None


def test_threshold_moves_by_the_log_odds_of_the_two_priors_times_the_temperature():
    assert prior_shift(1 / 11, 1 / 501) == pytest.approx(np.log(50))
    twin = drawn_twin(2.0, 1.0)
    moved = calibrate(twin, 1 / 501)
    shift = np.log(moved["twin_prior"] / (1 - moved["twin_prior"])) - np.log(1 / 500)
    assert moved["threshold"] == pytest.approx(moved["twin_threshold"] + moved["temperature"] * shift)
    same = calibrate(twin, moved["twin_prior"])
    assert same["threshold"] == pytest.approx(same["twin_threshold"])
    assert calibrate(twin, 0.0)["threshold"] is None
    assert calibrate(NO_TWIN, 0.1)["threshold"] is None


def test_calls_at_the_moved_threshold_have_the_posterior_of_the_twins_threshold():
    """Tiles drawn from the twin's classes at another prior: P(label = 1 | score = threshold) is the same in both."""
    rng = np.random.default_rng(11)

    def draw(n_positives, n_negatives):
        labels = np.repeat([1, 0], [n_positives, n_negatives])
        return labels, rng.normal(3.0 * labels, 1.5)

    labels, scores = draw(5_000, 50_000)
    moved = calibrate(pd.DataFrame({"label": labels, "score": scores}), 0.01)

    def posterior(score, prior):
        densities = [norm.pdf(score, 3.0 * label, 1.5) * share for label, share in ((1, prior), (0, 1 - prior))]
        return densities[0] / sum(densities)

    at_twin = posterior(moved["twin_threshold"], moved["twin_prior"])
    assert posterior(moved["threshold"], 0.01) == pytest.approx(at_twin, abs=0.05)
    labels, scores = draw(1_000, 99_000)
    found = evaluated(labels, scores, twin=pd.DataFrame({"label": labels, "score": scores}), prior=0.01)
    assert found["precision"] > 0.3
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


def test_a_score_that_is_no_number_is_named_by_its_place():
    tiled = TiledLabels(np.array([0, -1, 1], np.int8), "a", 40, 10)
    with pytest.raises(InputError, match=r"1 of 2 scores are not finite, first nan at a:60; the model diverged"):
        TiledScores.of(tiled, np.array([1.0, np.nan]), {})


def test_what_holds_no_scores_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"gone\.h5: no readable scores of tiles; make it with bindgram scan"):
        read_tiled_scores(tmp_path / "gone.h5")


def test_scores_of_other_labels_are_refused():
    """Two experiments have as many tiles, but not the same ones are ignored."""
    tiled = TiledLabels(np.array([0, 1, 0, -1], np.int8), "a", 0, 10)
    others = TiledScores.of(TiledLabels(np.array([0, 1, -1, 0], np.int8), "a", 0, 10), np.arange(3.0), {})
    with pytest.raises(InputError, match=r"1 of 3 known tiles have no score.*scan again"):
        evaluate_tiles(tiled, others.scores, NO_TWIN, 10, 0.95, 1000, np.random.default_rng(0))
