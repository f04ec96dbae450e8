import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, matthews_corrcoef, roc_auc_score

from bindgram.evaluation import statistics
from bindgram.evaluation.statistics import (
    assign_blocks,
    bootstrap_metrics,
    covered_length,
    draw_multiplicities,
    percentile_interval,
    rank_scores,
    replicate_metrics,
)


def scored_examples(n: int = 200, *, tied: bool, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.3).astype(np.int8)
    scores = labels + rng.normal(size=n)
    return labels, np.round(scores, 0) if tied else scores


@pytest.mark.parametrize("tied", [True, False])
def test_weighted_metrics_equal_those_of_scikit_learn_with_sample_weights(tied):
    labels, scores = scored_examples(tied=tied)
    weights = np.random.default_rng(1).poisson(1.0, size=(25, len(labels))).astype(float)
    ours = replicate_metrics(rank_scores(labels, scores), weights, labels == 1, scores, threshold=0.5)
    for row, weight in enumerate(weights):
        expected = {
            "auroc": roc_auc_score(labels, scores, sample_weight=weight),
            "average_precision": average_precision_score(labels, scores, sample_weight=weight),
            "mcc": matthews_corrcoef(labels, scores >= 0.5, sample_weight=weight),
        }
        for name, value in expected.items():
            assert ours[name][row] == pytest.approx(value, abs=1e-12), name


def test_replicates_without_a_class_are_nan_and_left_out_of_the_interval():
    labels, scores = np.array([1, 0, 0]), np.array([2.0, 1.0, 0.0])
    weights = np.array([[0.0, 1, 2], [3, 0, 0], [1, 1, 1]])
    values = replicate_metrics(rank_scores(labels, scores), weights, labels == 1, scores, threshold=1.5)
    for name in ("auroc", "average_precision", "mcc"):
        assert np.isnan(values[name]).tolist() == [True, True, False], name
        assert percentile_interval(values[name], 0.95) == (1.0, 1.0), name
    assert percentile_interval(np.array([np.nan]), 0.95) == (None, None)


def test_constant_scores_of_all_replicates_are_chance():
    labels = np.array([1, 0, 0, 0] * 10)
    values = bootstrap_metrics(labels, np.zeros(40), np.arange(40), 0.0, 50, np.random.default_rng(0))
    assert set(values["auroc"]) == {0.5}
    assert set(values["mcc"]) == {0.0}


def test_percentile_interval_is_central():
    assert percentile_interval(np.arange(101.0), 0.9) == pytest.approx((5.0, 95.0))


def test_bootstrap_does_not_depend_on_memory_chunks(monkeypatch):
    labels, scores = scored_examples(60, tied=False)
    blocks = np.arange(60) // 6
    whole = bootstrap_metrics(labels, scores, blocks, None, 50, np.random.default_rng(3))
    monkeypatch.setattr(statistics, "CHUNK_ELEMENTS", 60 * 7)
    chunked = bootstrap_metrics(labels, scores, blocks, None, 50, np.random.default_rng(3))
    assert set(whole) == {"auroc", "average_precision"}
    for name, values in whole.items():
        assert values.shape == (50,)
        assert np.array_equal(values, chunked[name])


def test_every_replicate_draws_as_many_blocks_as_there_are_each_equally_often():
    counts = draw_multiplicities(10, 5000, np.random.default_rng(0))
    assert (counts.sum(axis=1) == 10).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(10), abs=0.07)
    assert (counts == 0).mean() == pytest.approx(0.9**10, abs=0.01)


def test_examples_of_a_block_are_drawn_together():
    labels = np.array([1, 0] * 20)
    scores = np.where(np.arange(40) < 20, labels, -labels)  # first block perfect, second perfectly wrong
    values = bootstrap_metrics(labels, scores, np.arange(40) // 20, None, 300, np.random.default_rng(0))
    assert set(values["auroc"]) == {
        0.0,
        1.0,
        statistics.replicate_metrics(rank_scores(labels, scores), np.ones((1, 40)), labels == 1, scores, None)["auroc"][
            0
        ],
    }


def test_bootstrap_interval_has_the_width_that_theory_gives():
    rng = np.random.default_rng(5)
    n = 400  # AUROC of shuffled labels: variance (2n + 1) / (12 n n) for n positives and n negatives
    labels = np.repeat([0, 1], n)
    values = bootstrap_metrics(labels, rng.normal(size=2 * n), np.arange(2 * n), None, 2000, rng)
    assert values["auroc"].std() == pytest.approx(np.sqrt((2 * n + 1) / (12 * n * n)), rel=0.1)


def test_blocks_are_pieces_of_chromosomes_of_a_fiftieth_of_the_covered_length():
    start = np.arange(0, 5001, 10)
    chrom = np.full(len(start), "chr1", dtype=object)
    blocks = assign_blocks(chrom, start, max_block_bp=1000)
    assert np.array_equal(blocks, start // 100)


def test_blocks_are_not_longer_than_the_maximum_and_end_with_their_chromosome():
    chrom = np.array(["chr1", "chr1", "chr2", "chr1"], dtype=object)
    start = np.array([0, 99, 0, 100])
    assert assign_blocks(chrom, start, max_block_bp=1).tolist() == [0, 1, 2, 3]
    long = np.arange(0, 100_000, 10)
    blocks = assign_blocks(np.full(len(long), "chr1", dtype=object), long, max_block_bp=500)
    assert np.array_equal(blocks, long // 500)


def test_untested_stretches_between_test_blocks_do_not_lengthen_the_blocks():
    start = np.array([0, 50, 100, 9_000_000, 9_000_050])
    assert covered_length(np.full(5, "chr1", dtype=object), start, max_gap_bp=1000) == 150


def test_examples_without_coordinates_are_blocks_of_their_own():
    chrom = np.array([None, "chr1", None, "chr1"], dtype=object)
    start = np.array([np.nan, 5.0, np.nan, 5.0])
    assert assign_blocks(chrom, start, max_block_bp=1000).tolist() == [0, 1, 2, 1]
    assert assign_blocks(np.array([None, None]), np.array([np.nan, np.nan]), 1000).tolist() == [0, 1]


places = st.tuples(st.sampled_from(["chr1", "chr2", "chr10"]), st.integers(0, 3000))


@given(st.lists(st.none() | places, max_size=40), st.integers(1, 200))
def test_blocks_are_those_of_the_slow_way(rows, max_block_bp):
    chrom = np.array([row[0] if row else None for row in rows], dtype=object)
    start = np.array([row[1] if row else np.nan for row in rows])
    here = np.array([row is not None for row in rows], dtype=bool)
    tested = covered_length(chrom[here], start[here], max_block_bp)
    length = max(1, min(max_block_bp, tested // 50))
    keys = [(row[0], row[1] // length) if row else index for index, row in enumerate(rows)]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    assert assign_blocks(chrom, start, max_block_bp).tolist() == [numbers[key] for key in keys]
