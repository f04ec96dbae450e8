import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from bindgram.evaluation import replicates
from bindgram.evaluation.replicates import block_curve, paired_replicates
from bindgram.evaluation.statistics import (
    cumulative_counts,
    draw_multiplicities,
    rank_scores,
    weighted_auroc,
    weighted_average_precision,
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 40), st.integers(1, 12), st.integers(1, 20))
def test_weights_of_blocks_give_what_repeating_the_examples_gives(seed, n, n_blocks, n_levels):
    rng = np.random.default_rng(seed)
    labels = np.append([0, 1], rng.integers(0, 2, n))
    scores = rng.integers(0, n_levels, len(labels)).astype(float)  # many ties
    blocks = np.append(rng.integers(0, n_blocks, len(labels) - 1), n_blocks - 1)
    weights = rng.integers(0, 3, (4, n_blocks)).astype(float)
    found = block_curve(labels, scores, blocks).replicate(weights)
    for number, weight in enumerate(weights[:, blocks].astype(int)):
        repeated, values = np.repeat(labels, weight), np.repeat(scores, weight)
        if len(set(repeated)) < 2:
            assert np.isnan(found["auroc"][number])
            assert np.isnan(found["average_precision"][number])
            continue
        assert found["auroc"][number] == pytest.approx(roc_auc_score(repeated, values), abs=1e-12)
        assert found["average_precision"][number] == pytest.approx(average_precision_score(repeated, values), abs=1e-12)


@pytest.mark.parametrize("max_table", [0, 2**24])
def test_replicates_are_those_of_the_evaluation_however_they_are_cut(monkeypatch, max_table):
    monkeypatch.setattr(replicates, "MAX_TABLE", max_table)
    monkeypatch.setattr(replicates, "CHUNK_ELEMENTS", 6_000)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 300)
    scores = np.round(rng.normal(size=(2, 300)) + labels, 1)
    blocks = np.repeat(np.arange(60), 5)
    drawn = paired_replicates(labels, scores, blocks, 150, np.random.default_rng(5))
    weights = draw_multiplicities(60, 150, np.random.default_rng(5))
    for number, row in enumerate(scores):
        counts = cumulative_counts(rank_scores(labels, row), weights[:, blocks])
        assert np.allclose(drawn["auroc"][number], weighted_auroc(*counts), atol=1e-12, rtol=0)
        assert np.allclose(drawn["average_precision"][number], weighted_average_precision(*counts), atol=1e-12, rtol=0)
