import numpy as np
import pytest

from bindgram.data.markov import bases_of_tokens, count_contexts, fit_markov, markov_nats_per_base
from bindgram.sequence.dna import codes_of
from bindgram.sequence.kmers import Vocabulary


@pytest.mark.parametrize(("k", "stride"), [(1, 1), (3, 1), (4, 2), (6, 3)])
def test_bases_of_tokens_are_the_sequence_read_once(k, stride):
    vocabulary = Vocabulary(k, stride)
    codes = np.random.default_rng(0).integers(0, 4, k + 20 * stride).astype(np.uint8)
    assert bases_of_tokens(vocabulary.encode(codes), vocabulary).tolist() == codes[: 21 * stride].tolist()


def test_contexts_are_counted_by_hand_and_never_across_an_ambiguous_base():
    counts = count_contexts(codes_of(["AACNAC"])[0], 1)
    assert counts[0].tolist() == [1, 2, 0, 0]  # AA once, AC twice
    assert counts.sum() == 3


def test_random_bases_cost_log_four_and_a_fixed_cycle_costs_nothing():
    vocabulary = Vocabulary(3, 1)
    rng = np.random.default_rng(0)
    uniform = vocabulary.encode(rng.integers(0, 4, 200_000).astype(np.uint8))
    model = fit_markov(uniform, vocabulary, 3)
    assert markov_nats_per_base(model, uniform[None], vocabulary) == pytest.approx(np.log(4), abs=0.002)
    cycle = vocabulary.encode(np.tile(np.array([0, 1, 2, 3], np.uint8), 5000))
    assert markov_nats_per_base(fit_markov(cycle, vocabulary, 3), cycle[None], vocabulary) < 0.002
