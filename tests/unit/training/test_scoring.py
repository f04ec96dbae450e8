import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bindgram.training.scoring import area_under_roc


def test_area_is_the_share_of_pairs_in_the_right_order():
    assert area_under_roc(np.array([1, 0, 1, 0]), np.array([4.0, 3.0, 2.0, 1.0])) == 0.75
    assert area_under_roc(np.array([1, 0]), np.array([0.5, 0.5])) == 0.5


@pytest.mark.parametrize("digits", [0, 1, 9])
def test_area_is_that_of_scikit_learn(digits):
    rng = np.random.default_rng(digits)
    labels = rng.integers(0, 2, 300).astype("float32")
    scores = np.round(labels + rng.normal(size=300), digits)
    assert area_under_roc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
