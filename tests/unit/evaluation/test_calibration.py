import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from bindgram.evaluation.calibration import (
    Calibration,
    bin_numbers,
    fit_calibration,
    logit,
    probabilities,
    reliability,
)


def drawn(temperature, offset, n=20_000, seed=3):
    """Scores and labels of a logistic model with this temperature: P = sigmoid((s - offset) / T)."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 3, n)
    return (rng.random(n) < 1 / (1 + np.exp(-(scores - offset) / temperature))).astype(np.int8), scores


@pytest.mark.parametrize(("temperature", "offset"), [(0.5, 0.0), (1.0, 4.0), (2.5, -1.0)])
def test_temperature_and_offset_are_found_again(temperature, offset):
    found = fit_calibration(*drawn(temperature, offset))
    assert (found.temperature, found.offset) == (
        pytest.approx(temperature, rel=0.1),
        pytest.approx(offset, abs=0.15),
    )


def test_calibration_is_an_unpenalised_logistic_regression():
    labels, scores = drawn(1.5, 2.0)
    model = LogisticRegression(C=1e9, tol=1e-10).fit(scores[:, None], labels)
    found = fit_calibration(labels, scores)
    assert found.temperature == pytest.approx(1 / model.coef_[0, 0], rel=1e-2)
    np.testing.assert_allclose(
        probabilities(found.log_odds(scores)), model.predict_proba(scores[:, None])[:, 1], atol=2e-3
    )
    assert found.prior == labels.mean()


def test_separated_classes_have_a_temperature_and_useless_scores_have_none():
    labels = np.repeat([1, 0], 50)
    separated = fit_calibration(labels, np.where(labels == 1, 5.0, -5.0) + np.linspace(0, 1, 100))
    assert 0 < separated.temperature < 10
    assert fit_calibration(labels, np.zeros(100)) is None
    assert fit_calibration(labels, np.where(np.arange(100) == 3, np.nan, np.linspace(1, 0, 100))) is None
    assert fit_calibration(labels, np.where(labels == 1, -1.0, 1.0) + np.linspace(0, 1, 100)) is None
    assert fit_calibration(np.ones(5, int), np.arange(5.0)) is None
    assert fit_calibration(np.empty(0, int), np.empty(0)) is None


def test_another_prior_moves_the_log_odds_by_the_difference_of_both():
    fitted = Calibration(2.0, 1.0, prior=1 / 11)
    assert fitted.log_odds(np.array([1.0, 5.0])).tolist() == [0.0, 2.0]
    assert fitted.log_odds(np.array([1.0]), prior=1 / 501)[0] == pytest.approx(-np.log(50))
    assert logit(0.5) == 0.0


def test_probabilities_of_large_log_odds_do_not_overflow():
    with np.errstate(all="raise"):
        assert probabilities(np.array([-700.0, 0.0, 700.0])) == pytest.approx([0.0, 0.5, 1.0])


@pytest.mark.parametrize("digits", [1, 9])
def test_bins_are_those_of_scikit_learns_quantile_strategy(digits):
    rng = np.random.default_rng(1)
    stated = np.round(rng.random(500) ** 2, digits)
    labels = (rng.random(500) < stated).astype(int)
    found = reliability(labels, stated)
    observed, predicted = calibration_curve(labels, stated, n_bins=10, strategy="quantile")
    np.testing.assert_allclose(found.observed, observed, atol=1e-12)
    np.testing.assert_allclose(found.predicted, predicted, atol=1e-12)
    assert found.n.sum() == 500


def test_bins_hold_equally_many_examples_and_equal_probabilities_stay_together():
    assert np.bincount(bin_numbers(np.linspace(0, 1, 100))).tolist() == [10] * 10
    assert len(set(bin_numbers(np.full(30, 0.2)))) == 1
