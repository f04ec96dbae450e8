from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindgram.evaluation.resampling import Examples
from bindgram.evaluation.statistics import (
    assign_blocks,
    auroc_interval,
    covered_length,
    draw_multiplicities,
    effective_blocks,
    midranks,
    percentile_interval,
    replicate_interval,
)


def scored_examples(n: int = 200, *, tied: bool, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.3).astype(np.int8)
    scores = labels + rng.normal(size=n)
    return labels, np.round(scores, 0) if tied else scores


def test_percentiles_leave_out_replicates_without_a_class():
    assert percentile_interval(np.array([np.nan, 1.0, 1.0]), 0.95) == (1.0, 1.0)
    assert percentile_interval(np.array([np.nan]), 0.95) == (None, None)


def test_percentile_interval_is_central():
    assert percentile_interval(np.arange(101.0), 0.9) == pytest.approx((5.0, 95.0))


def test_every_replicate_draws_as_many_blocks_as_there_are_each_equally_often():
    counts = draw_multiplicities(10, 5000, np.random.default_rng(0))
    assert (counts.sum(axis=1) == 10).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(10), abs=0.07)
    assert (counts == 0).mean() == pytest.approx(0.9**10, abs=0.01)


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


def slow_delong(positives, negatives):
    """AUROC and DeLong's variance, pair by pair."""
    wins = np.array([[1.0 if x > y else 0.5 if x == y else 0.0 for y in negatives] for x in positives])
    value = wins.mean()
    variance = wins.mean(axis=1).var(ddof=1) / len(positives) + wins.mean(axis=0).var(ddof=1) / len(negatives)
    return value, variance


def test_interval_by_hand():
    """Two positives above, one below both negatives: AUROC 4/6; influences 1/9, 1/9, -2/9 and 0, 0."""
    labels, scores = np.array([1, 1, 1, 0, 0]), np.array([5.0, 4.0, 1.0, 2.0, 3.0])
    value, low, high = auroc_interval(labels, scores, np.arange(5), 0.6826894921)
    deviation = np.sqrt(5 / 4 * 6 / 81)
    assert (value, low, high) == pytest.approx((2 / 3, 2 / 3 - deviation, 2 / 3 + deviation))


@pytest.mark.parametrize("ties", [False, True])
def test_interval_of_single_examples_is_that_of_delong(ties):
    rng = np.random.default_rng(4)
    labels = np.repeat([1, 0], [300, 500])
    scores = rng.normal(size=800) + 0.4 * labels
    scores = np.round(scores, 1) if ties else scores
    value, low, high = auroc_interval(labels, scores, np.arange(800), 0.95)
    slow, variance = slow_delong(scores[labels == 1], scores[labels == 0])
    assert value == pytest.approx(slow, abs=1e-12)
    assert high - low == pytest.approx(2 * 1.959963985 * np.sqrt(variance), rel=5e-3)


def test_interval_of_clusters_is_as_wide_as_a_bootstrap_of_clusters():
    rng = np.random.default_rng(5)
    shared = rng.normal(size=200)
    clusters = np.tile(np.arange(200), 4)
    labels = np.repeat([1, 0, 0, 0], 200)
    scores = shared[clusters] + 0.7 * rng.normal(size=800) + 0.4 * labels
    value, low, high = auroc_interval(labels, scores, clusters, 0.95)
    drawn = Examples(labels, scores, clusters).bootstrap(2000, rng)["auroc"]
    assert high - low == pytest.approx(2 * 1.96 * drawn.std(), rel=0.06)
    assert value == pytest.approx(drawn.mean(), abs=0.005)
    single = auroc_interval(labels, scores, np.arange(800), 0.95)
    assert high - low < 0.8 * (single[2] - single[1])


def test_pairs_with_equal_scores_give_one_half_without_doubt():
    scores = np.random.default_rng(6).normal(size=50)
    interval = auroc_interval(np.repeat([1, 0], 50), np.tile(scores, 2), np.tile(np.arange(50), 2), 0.95)
    assert interval == pytest.approx((0.5, 0.5, 0.5), abs=1e-9)


def test_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(7)
    labels, clusters = np.repeat([1, 0, 0], 60), np.tile(np.arange(60), 3)
    truth = NormalDist().cdf(0.5 / np.sqrt(2))
    held = 0
    for _ in range(400):
        scores = np.sqrt(0.5) * (rng.normal(size=60)[clusters] + rng.normal(size=180)) + 0.5 * labels
        # Positives and negatives of one cluster are compared with those of all others, which are independent of them.
        _, low, high = auroc_interval(labels, scores, clusters, 0.9)
        held += low < truth < high
    assert 0.85 < held / 400 < 0.95


def test_ranks_of_ties_are_shared():
    assert midranks(np.array([3.0, 1.0, 3.0, 7.0, 3.0])).tolist() == [3, 1, 3, 5, 3]


def test_interval_of_replicates_by_hand():
    """Places of 0.25 and 0.75 are pi / 6 and pi / 3: the spread of both is pi / (6 sqrt 2), t of 3 at 0.9 is 1.6377."""
    reach = 1.637744 * np.pi / (6 * np.sqrt(2)) * np.sqrt(4 / 3)
    low, high = replicate_interval(0.5, np.array([0.25, np.nan, 0.75]), 4, 0.8, 0.0, 1.0)
    assert (low, high) == pytest.approx((np.sin(np.pi / 4 - reach) ** 2, np.sin(np.pi / 4 + reach) ** 2), abs=1e-6)
    shifted = replicate_interval(0.0, np.array([-0.5, 0.5]), 4, 0.8, -1.0, 1.0)
    assert shifted == pytest.approx((2 * low - 1, 2 * high - 1))
    plain = replicate_interval(2.0, np.array([1.0, 3.0]), 4, 0.8, 0.0, np.inf)
    assert plain == pytest.approx((0.0, 2 + 1.637744 * np.sqrt(2) * np.sqrt(4 / 3)))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30), st.floats(0, 1), st.integers(2, 100))
def test_interval_of_replicates_holds_the_value_and_stays_in_range(drawn, value, n_blocks):
    low, high = replicate_interval(value, np.array(drawn), n_blocks, 0.95, 0.0, 1.0)
    assert 0 <= low <= value <= high <= 1


def test_equal_blocks_count_in_full_and_unequal_ones_less():
    assert effective_blocks(np.array([3, 3, 3, 0])) == 3.0
    assert effective_blocks(np.array([9, 1])) == pytest.approx(100 / 82)


def test_no_interval_without_two_replicates_or_two_blocks():
    assert replicate_interval(0.5, np.array([0.4, np.nan]), 9, 0.95, 0.0, 1.0) == (None, None)
    assert replicate_interval(0.5, np.array([0.4, 0.6]), 1, 0.95, 0.0, 1.0) == (None, None)


def test_interval_holds_the_truth_more_often_than_percentiles_do_where_blocks_are_few():
    rng = np.random.default_rng(3)
    labels, blocks = np.tile([1, 0, 0, 0], 60), np.repeat(np.arange(12), 20)
    truth, held = NormalDist().cdf(1.5 / np.sqrt(2 * 1.25)), {"ours": 0, "percentile": 0}
    for _ in range(200):
        scores = rng.normal(size=240) + 1.5 * labels + 0.5 * rng.normal(size=12)[blocks]
        examples = Examples(labels, scores, blocks)
        drawn = examples.bootstrap(100, rng)["auroc"]
        value = float(examples.metrics()(np.ones((1, 12)))["auroc"][0])
        for name, (low, high) in (
            ("ours", replicate_interval(value, drawn, 12, 0.9, 0.0, 1.0)),
            ("percentile", percentile_interval(drawn, 0.9)),
        ):
            held[name] += low <= truth <= high
    assert held["percentile"] < held["ours"]
    assert 0.86 < held["ours"] / 200 < 0.95
