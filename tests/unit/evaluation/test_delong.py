import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from bindgram.evaluation.delong import delong_covariance, delong_test
from bindgram.evaluation.statistics import area_placements, auroc_interval

# DeLong et al. 1988: 43 patients with all three tests; albumin, total protein, K-G score, outcome. The numbers below
# are those of SAS/STAT's documentation of PROC LOGISTIC, "Comparing Receiver Operating Characteristic Curves".
PATIENTS = """
3.0 5.8 10 0 3.2 6.3 5 1 3.9 6.8 3 1 2.8 4.8 6 0 3.2 5.8 3 1 0.9 4.0 5 0 2.5 5.7 8 0 1.6 5.6 5 1 3.8 5.7 5 1
3.7 6.7 6 1 3.2 5.4 4 1 3.8 6.6 6 1 4.1 6.6 5 1 3.6 5.7 5 1 4.3 7.0 4 1 3.6 6.7 4 0 2.3 4.4 6 1 4.2 7.6 4 0
4.0 6.6 6 0 3.5 5.8 6 1 3.8 6.8 7 1 3.0 4.7 8 0 4.5 7.4 5 1 3.7 7.4 5 1 3.1 6.6 6 1 4.1 8.2 6 1 4.3 7.0 5 1
4.3 6.5 4 1 3.2 5.1 5 1 2.6 4.7 6 1 3.3 6.8 6 0 1.7 4.0 7 0 3.7 6.1 5 1 3.3 6.3 7 1 4.2 7.7 6 1 3.5 6.2 5 1
2.9 5.7 9 0 2.1 4.8 7 1 2.8 6.2 8 0 4.0 7.0 7 1 3.3 5.7 6 1 3.7 6.9 5 1 3.6 6.6 5 1
"""


@pytest.fixture(scope="module")
def patients():
    """Outcome, and scores of albumin, K-G score (the lower the better) and total protein."""
    table = np.array(PATIENTS.split(), dtype=float).reshape(-1, 4)
    return table[:, 3].astype(int), np.stack([table[:, 0], -table[:, 2], table[:, 1]])


def u_statistics(labels, scores):
    """Areas and covariance by comparing every positive with every negative."""
    wins = np.array(
        [[[float(p > n) + 0.5 * (p == n) for n in row[labels == 0]] for p in row[labels == 1]] for row in scores]
    )
    below, above = wins.mean(axis=2), wins.mean(axis=1)
    covariance = np.cov(below) / below.shape[1] + np.cov(above) / above.shape[1]
    return wins.mean(axis=(1, 2)), np.atleast_2d(covariance)


def test_areas_and_standard_errors_are_the_published_ones(patients):
    areas, covariance = delong_covariance(*patients)
    assert areas == pytest.approx([0.7366, 0.7258, 0.6478], abs=5e-5)
    assert np.sqrt(np.diag(covariance)) == pytest.approx([0.0927, 0.1028, 0.1000], abs=5e-5)


@pytest.mark.parametrize(
    ("weights", "difference", "error", "p_value"),
    [([1, -1, 0], 0.0108, 0.0953, 0.9102), ([0, -1, 1], -0.0780, 0.1046, 0.4561)],
)
def test_differences_and_their_p_values_are_the_published_ones(patients, weights, difference, error, p_value):
    found = delong_test(*patients, np.array(weights))
    assert (found.difference, found.standard_error) == pytest.approx((difference, error), abs=5e-5)
    assert found.p_value == pytest.approx(p_value, abs=5e-5)


def test_joint_test_of_three_curves_has_the_published_statistic(patients):
    areas, covariance = delong_covariance(*patients)
    contrast = np.array([[1, -1, 0], [0, -1, 1]])
    step = contrast @ areas
    assert step @ np.linalg.solve(contrast @ covariance @ contrast.T, step) == pytest.approx(2.5340, abs=5e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 12), st.integers(2, 15), st.integers(2, 4), st.booleans())
def test_ranks_give_what_comparing_all_pairs_gives(seed, n_positives, n_negatives, n_models, tied):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat([1, 0], [n_positives, n_negatives]))
    scores = rng.normal(size=(n_models, len(labels))) + labels
    scores = np.round(scores) if tied else scores
    areas, covariance = delong_covariance(labels, scores)
    slow_areas, slow_covariance = u_statistics(labels, scores)
    assert np.allclose(areas, slow_areas, atol=1e-12, rtol=0)
    assert np.allclose(covariance, slow_covariance, atol=1e-12, rtol=0)
    assert np.allclose(areas, [roc_auc_score(labels, row) for row in scores], atol=1e-12, rtol=0)


def test_variance_of_one_model_is_that_of_the_interval_in_closed_form_up_to_its_factors():
    rng = np.random.default_rng(3)
    labels = np.repeat([1, 0], [4000, 5000])
    scores = rng.normal(size=9000) + labels
    areas, covariance = delong_covariance(labels, scores)
    value, low, high = auroc_interval(labels, scores, np.arange(9000), 0.95)
    assert areas[0] == pytest.approx(value, abs=1e-12)
    assert (high - low) / 2 / 1.959964 == pytest.approx(covariance[0, 0] ** 0.5, rel=1e-3)


def test_placements_of_a_small_example_by_hand():
    below, above = area_placements(np.array([1, 0, 1, 0]), np.array([3.0, 3.0, 1.0, 0.0]))
    assert below.tolist() == [0.75, 0.5]  # above one negative, tied with the other; above one of two
    assert above.tolist() == [0.25, 1.0]


def test_swapping_models_flips_the_sign_and_keeps_the_p_value(patients):
    labels, scores = patients
    one, other = (delong_test(labels, scores, sign * np.array([1, -1, 0])) for sign in (1, -1))
    assert one.difference == -other.difference
    assert one.p_value == other.p_value


def test_mean_of_seeds_is_one_contrast(patients):
    labels, scores = patients
    twice = delong_test(labels, scores[[0, 0, 1]], np.array([0.5, 0.5, -1]))
    once = delong_test(labels, scores[:2], np.array([1, -1]))
    assert twice.p_value == pytest.approx(once.p_value, rel=1e-12)


def test_model_against_itself_differs_by_nothing(patients):
    labels, scores = patients
    found = delong_test(labels, scores[[0, 0]], np.array([1, -1]))
    assert (found.difference, found.p_value) == (0, 1)


def test_test_is_not_defined_without_variance_or_with_one_example_of_a_class():
    labels = np.array([1, 1, 0, 0])
    perfect, wrong = np.array([3.0, 4, 1, 2]), np.array([1.0, 2, 3, 4])
    found = delong_test(labels, np.stack([perfect, wrong]), np.array([1, -1]))
    assert (found.difference, found.p_value) == (1, None)
    assert found.reason.startswith("not defined: ")
    found = delong_test(labels[1:], np.stack([perfect, wrong])[:, 1:], np.array([1, -1]))
    assert found.p_value is None
    assert "1 positive(s) and 2 negative(s)" in found.reason


def test_p_values_are_uniform_where_two_models_are_equally_good():
    rng = np.random.default_rng(11)
    labels = np.repeat([1, 0], [60, 120])
    p_values = []
    for _ in range(400):
        shared, own = rng.normal(size=180), rng.normal(size=(2, 180))
        p_values.append(delong_test(labels, labels + shared + own, np.array([1, -1])).p_value)
    assert 0.025 < np.mean(np.array(p_values) < 0.05) < 0.08
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.05)
