import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    f1_score,
    matthews_corrcoef,
    precision_score,
    recall_score,
    roc_auc_score,
)

from bindgram.evaluation import resampling
from bindgram.evaluation.calibration import probabilities
from bindgram.evaluation.resampling import Examples, Ranked, curve_metrics, paired_replicates, recall_at_fdr


def expected(labels, scores, weights, threshold):
    """Metrics of scikit-learn, under weights."""
    called, weighted = scores >= threshold, {"sample_weight": weights}
    return {
        "auroc": roc_auc_score(labels, scores, **weighted),
        "average_precision": average_precision_score(labels, scores, **weighted),
        "partial_auroc": roc_auc_score(labels, scores, max_fpr=0.1, **weighted),
        "mcc": matthews_corrcoef(labels, called, **weighted),
        "f1": f1_score(labels, called, **weighted),
        "accuracy": accuracy_score(labels, called, **weighted),
        "precision": precision_score(labels, called, zero_division=np.nan, **weighted),
        "recall": recall_score(labels, called, **weighted),
        "specificity": recall_score(1 - labels, ~called, **weighted),
        "brier": brier_score_loss(labels, probabilities(scores), **weighted),
    }


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 60), st.integers(1, 30), st.sampled_from([0, 10**6]))
def test_metrics_of_every_replicate_are_those_of_scikit_learn_with_weights(seed, n, n_levels, max_dense):
    rng = np.random.default_rng(seed)
    labels = np.append([0, 1], rng.integers(0, 2, n))
    scores = rng.integers(0, n_levels, n + 2) / 4 - 1  # many ties, exact in binary
    blocks = np.append(rng.integers(0, 6, n + 1), 5)
    weights = rng.integers(0, 3, (2, 6)).astype(float)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resampling, "MAX_DENSE", max_dense)
        found = Examples(labels, scores, blocks, 0.5, probabilities(scores)).metrics()(weights)
    for number, weight in enumerate(weights[:, blocks]):
        if len(set(labels[weight > 0])) < 2:
            for name in ("auroc", "average_precision", "partial_auroc", "recall_at_fdr50", "mcc"):
                assert np.isnan(found[name][number]), name
            continue
        for name, value in expected(labels, scores, weight, 0.5).items():
            assert found[name][number] == pytest.approx(value, abs=1e-12, nan_ok=True), name


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 40), st.floats(0.01, 0.9), st.sampled_from([0.1, 0.5]))
def test_recall_at_a_discovery_rate_is_that_of_the_best_of_all_cuts(seed, n, prior, rate):
    rng = np.random.default_rng(seed)
    labels = np.append([0, 1], rng.integers(0, 2, n))
    scores = np.round(labels + rng.normal(size=n + 2), 1)
    curves = Ranked.of(labels, scores, np.zeros(n + 2, int)).curves()(np.ones((1, 1)))
    best = 0.0
    for cut in set(scores):
        true, false = (scores[labels == 1] >= cut).mean() * prior, (scores[labels == 0] >= cut).mean() * (1 - prior)
        if true > 0 and false / (true + false) <= rate + 1e-12:
            best = max(best, (scores[labels == 1] >= cut).mean())
    assert recall_at_fdr(curves, rate, prior)[0] == pytest.approx(best)
    natural = recall_at_fdr(curves, rate, float(labels.mean()))[0]
    assert recall_at_fdr(curves, rate, None)[0] == pytest.approx(natural)


def test_a_rate_is_reached_exactly_at_its_border():
    labels = np.array([1] * 9 + [0] * 3 + [1] * 18 + [0] * 10)
    curves = Ranked.of(labels, -np.arange(40.0), np.zeros(40, int)).curves()(np.ones((1, 1)))
    assert recall_at_fdr(curves, 0.1, None).tolist() == [1.0]  # 27 of 30 calls
    assert recall_at_fdr(curves, 0.0999, None).tolist() == [9 / 27]


def test_calibration_error_of_a_replicate_weighs_the_bins_of_all_examples():
    rng = np.random.default_rng(2)
    labels, scores = rng.integers(0, 2, 200), rng.normal(size=200)
    blocks = np.arange(200) % 7
    stated = probabilities(scores)
    weights = rng.integers(0, 4, (3, 7)).astype(float)
    found = Examples(labels, scores, blocks, None, stated, strands=scores).metrics()(weights)
    bins = np.argsort(np.argsort(stated)) * 10 // 200
    for number, weight in enumerate(weights[:, blocks]):
        gaps = [abs((weight * (stated - labels))[bins == one].sum()) for one in range(10)]
        assert found["ece"][number] == pytest.approx(sum(gaps) / weight.sum(), abs=1e-12)
        assert found["strand_difference"][number] == pytest.approx(np.average(np.abs(scores), weights=weight))


@pytest.mark.parametrize("max_dense", [0, 10**6])
def test_bootstrap_draws_the_same_replicates_in_chunks_of_any_size(monkeypatch, max_dense):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    examples = Examples(labels, rng.normal(size=60) + labels, np.arange(60) // 6)
    monkeypatch.setattr(resampling, "MAX_DENSE", max_dense)
    whole = examples.bootstrap(50, np.random.default_rng(3))
    monkeypatch.setattr(resampling, "CHUNK_ELEMENTS", 60 * 7)
    chunked = examples.bootstrap(50, np.random.default_rng(3))
    for name, values in whole.items():
        assert values.shape == (50,)
        assert np.array_equal(values, chunked[name])


def test_examples_of_a_block_are_drawn_together():
    labels = np.array([1, 0] * 20)
    scores = np.where(np.arange(40) < 20, labels, -labels)  # first block perfect, second perfectly wrong
    drawn = Examples(labels, scores.astype(float), np.arange(40) // 20).bootstrap(300, np.random.default_rng(0))
    assert set(drawn["auroc"]) == {0.0, 1.0, curve_metrics_of_all(labels, scores)["auroc"][0]}


def curve_metrics_of_all(labels, scores):
    curves = Ranked.of(labels, scores.astype(float), np.zeros(len(labels), int)).curves()
    return curve_metrics(curves(np.ones((1, 1))), None)


def test_spread_of_the_replicates_is_what_theory_gives():
    rng = np.random.default_rng(5)
    n = 400  # AUROC of shuffled labels: variance (2n + 1) / (12 n n) for n positives and n negatives
    labels = np.repeat([0, 1], n)
    drawn = Examples(labels, rng.normal(size=2 * n), np.arange(2 * n)).bootstrap(1000, rng)
    assert drawn["auroc"].std() == pytest.approx(np.sqrt((2 * n + 1) / (12 * n * n)), rel=0.1)


@pytest.mark.parametrize("max_dense", [0, 10**6])
def test_pairs_see_the_replicates_of_the_evaluation_however_these_are_cut(monkeypatch, max_dense):
    rng = np.random.default_rng(0)
    labels, blocks = rng.integers(0, 2, 300), np.repeat(np.arange(60), 5)
    scores = np.round(rng.normal(size=(2, 300)) + labels, 1)
    alone = [Examples(labels, row, blocks).bootstrap(150, np.random.default_rng(5)) for row in scores]
    monkeypatch.setattr(resampling, "MAX_DENSE", max_dense)
    monkeypatch.setattr(resampling, "CHUNK_ELEMENTS", 6_000)
    together = paired_replicates(labels, scores, blocks, 150, np.random.default_rng(5))
    assert set(together) == {"auroc", "average_precision"}
    for name, drawn in together.items():
        assert np.array_equal(drawn, np.stack([values[name] for values in alone]))
