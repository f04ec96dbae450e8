import tracemalloc

import numpy as np
import pytest

from bindgram.data.two_sided import two_sided_nats_per_base
from bindgram.sequence.dna import codes_of, reverse_complement
from bindgram.sequence.kmers import BOS, Vocabulary

SINGLE = Vocabulary(1, 1)


def by_hand(train, scored, order):
    """Counts of both strands in dictionaries, with four pseudocounts given out as the shorter context says."""

    def windows(codes, width):
        return [tuple(codes[start : start + width].tolist()) for start in range(len(codes) - width + 1)]

    longest = windows(train, 2 * order + 1) + windows(reverse_complement(train), 2 * order + 1)

    def probability(window):
        if not window:
            return 0.25
        cut = (len(longest[0]) - len(window)) // 2
        same = [full[cut : len(full) - cut] for full in longest]
        middle = len(window) // 2
        around = [w[:middle] + w[middle + 1 :] for w in same]
        context = window[:middle] + window[middle + 1 :]
        below = probability(window[1:-1]) if len(window) > 1 else 0.25
        return (same.count(window) + 4 * below) / (around.count(context) + 4)

    return -np.mean([np.log(probability(window)) for window in windows(scored, 2 * order + 1)])


@pytest.mark.parametrize("k", [1, 3])
def test_nats_are_those_counted_by_hand(k):
    rng = np.random.default_rng(0)
    train, scored = (rng.choice(4, n, p=[0.4, 0.3, 0.2, 0.1]).astype(np.uint8) for n in (150, 60))
    vocabulary = Vocabulary(k, 1)
    found = two_sided_nats_per_base(vocabulary.encode(train), vocabulary.encode(scored)[None], vocabulary)
    assert list(found) == [1]  # 4**5 counts are more than 300 bases
    assert found[1] == pytest.approx(by_hand(train, scored, 1))


def test_longer_contexts_come_with_more_bases_and_learn_longer_rules():
    unit = np.random.default_rng(1).integers(0, 4, 300).astype(np.uint8)
    tokens = SINGLE.encode(np.tile(unit, 200))
    found = two_sided_nats_per_base(tokens, tokens[None], SINGLE)
    assert list(found) == [1, 2, 3]
    assert found[1] > found[2] > found[3]
    assert found[3] < 0.3


def test_no_context_reaches_over_a_special_token():
    left, right = SINGLE.encode(codes_of(["ACGTAC", "GGATCC"]))
    apart = np.concatenate([left, [BOS], right])
    both = [two_sided_nats_per_base(apart, lanes, SINGLE)[1] for lanes in (apart[None], np.stack([left, right]))]
    assert both[0] == pytest.approx(both[1])


def test_nothing_to_score_is_no_number():
    tokens = SINGLE.encode(codes_of(["ACGTACGT"]))[0]
    assert np.isnan(two_sided_nats_per_base(tokens, tokens[None, :2], SINGLE)[1])


def test_memory_does_not_grow_with_the_number_of_lanes():
    tokens = SINGLE.encode(np.random.default_rng(3).integers(0, 4, 10_000).astype(np.uint8))
    lanes = tokens[:8000].reshape(400, 20)
    table = 4**7 * np.dtype(np.int64).itemsize
    tracemalloc.start()
    try:
        assert list(two_sided_nats_per_base(tokens, lanes, SINGLE)) == [1, 2, 3]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50 * table
