from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindgram.data import markov
from bindgram.data.corpus import stream_of_sequences
from bindgram.data.markov import MAX_ORDER, STRENGTHS, count_contexts, markov_nats_per_base
from bindgram.sequence.dna import codes_of
from bindgram.sequence.kmers import N_SPECIAL, Vocabulary

COMPLEMENT = str.maketrans("ACGT", "TGCA")


def text_at(tokens, place, vocabulary):
    return vocabulary.token(int(tokens[place]))


def histories(tokens, vocabulary):
    """Place, known bases before it, and base, of every k-mer's last base; one k-mer after the other, by strings."""
    text = ""
    for place, token in enumerate(tokens):
        if token < N_SPECIAL:
            text = ""
            continue
        word = text_at(tokens, place, vocabulary)
        text = text + word[-1] if text else word
        yield place, text[:-1], text[-1]


def other_strand(tokens, vocabulary):
    words = [text_at(tokens, place, vocabulary) for place in range(len(tokens))]
    turned = [word if word.startswith("<") else word.translate(COMPLEMENT)[::-1] for word in words]
    return [vocabulary.id_of(word) for word in reversed(turned)]


def slow_counts(tokens, vocabulary, order, both):
    """(context, base) to count for the orders 0 to `order`."""
    counts = Counter()
    for strand in [tokens, other_strand(tokens, vocabulary)] if both else [tokens]:
        for _, before, base in histories(strand, vocabulary):
            counts.update((before[len(before) - o :], base) for o in range(order + 1) if len(before) >= o)
    return counts


def slow_probability(counts, context, base, strengths, *, left_out=False):
    """As in the docstring of the module."""
    if strengths:
        shorter, less = context[1:], strengths[:-1]
        below = slow_probability(counts, shorter, base, less, left_out=left_out) if less else 0.25
        n, total = counts[context, base], sum(counts[context, other] for other in "ACGT")
        return (n - left_out + strengths[-1] * below) / (total - left_out + strengths[-1])
    return 0.25


def slow_nats(tokens, lanes, vocabulary, both, top):
    counts = slow_counts(tokens, vocabulary, top, both)
    strengths, results = [], {}
    for order in range(top + 1):
        seen = [(key, n) for key, n in counts.items() if len(key[0]) == order]
        likelihoods = [
            sum(n * np.log(slow_probability(counts, *key, [*strengths, s], left_out=True)) for key, n in seen)
            for s in STRENGTHS
        ]
        strengths.append(STRENGTHS[int(np.argmax(likelihoods))])
        losses = []
        for lane in lanes:
            known = [token >= N_SPECIAL for token in lane]
            stride = vocabulary.stride
            wanted = {
                place - back
                for place in range(stride, len(lane), stride)
                if known[place] and known[place - stride]
                for back in range(stride)
            }
            for place, before, base in histories(lane, vocabulary.at_every_base):
                if place in wanted:
                    context = before[max(len(before) - order, 0) :]
                    losses.append(-np.log(slow_probability(counts, context, base, strengths[: len(context) + 1])))
        results[order] = np.mean(losses) if losses else float("nan")
    return {order: nats for order, nats in results.items() if order}


def random_stream(rng, n_bases, vocabulary):
    """Contigs of all lengths, some with an ambiguous base, and too few k-mers for most contexts."""
    sequences = []
    while n_bases > 0:
        length = int(rng.integers(vocabulary.k, 40))
        sequences.append(rng.choice(5, (1, length), p=[0.4, 0.1, 0.2, 0.28, 0.02]).astype(np.uint8))
        n_bases -= length
    return np.concatenate([stream_of_sequences(codes, vocabulary) for codes in sequences])


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize(("k", "stride"), [(1, 1), (2, 2), (3, 1), (5, 2), (6, 3)])
def test_models_are_those_of_a_slow_oracle(k, stride, both):
    vocabulary, rng = Vocabulary(k, stride), np.random.default_rng(k)
    tokens = random_stream(rng, 700, vocabulary)
    lanes = np.stack([random_stream(rng, 150, vocabulary)[: 120 // stride * stride + 1] for _ in range(2)])
    found = markov_nats_per_base(tokens, lanes, vocabulary, reverse_complement=both)
    assert found == pytest.approx(slow_nats(tokens, lanes, vocabulary, both, max(found)), rel=1e-12)
    assert max(found) == max(k - 1, 4 if both and len(tokens) >= 512 else 3)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), k=st.integers(1, 5), order=st.integers(1, 6), chunk=st.integers(1, 200))
def test_counts_are_those_of_strings_whatever_the_pieces(seed, k, order, chunk):
    vocabulary = Vocabulary(k, 1)
    tokens = random_stream(np.random.default_rng(seed), 120, vocabulary)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(markov, "CHUNK_TOKENS", chunk)
        found = count_contexts(tokens, vocabulary, order, reverse_complement=True)
    expected = slow_counts(tokens, vocabulary, max(order, k - 1), both=True)
    assert sum(int(table.sum()) for table in found) == expected.total()
    for (context, base), n in expected.items():
        row = int("".join(str("ACGT".index(letter)) for letter in context) or "0", 4)
        assert found[len(context)][row, "ACGT".index(base)] == n


def test_a_stream_without_k_mers_counts_nothing_and_lanes_without_targets_have_no_loss():
    vocabulary = Vocabulary(3, 1)
    nothing = np.array([1, 2, 1], np.uint8)
    assert sum(table.sum() for table in count_contexts(nothing, vocabulary, 3, reverse_complement=True)) == 0
    found = markov_nats_per_base(nothing, nothing[None], vocabulary, reverse_complement=False)
    assert all(np.isnan(nats) for nats in found.values())
    empty = np.zeros((32, 0), np.uint8)
    assert np.isnan(markov_nats_per_base(empty[0], empty, vocabulary, reverse_complement=True)[1])


@pytest.mark.parametrize(("k", "stride"), [(3, 1), (4, 1), (6, 3), (5, 5)])
def test_random_bases_cost_log_four_at_every_order_and_a_long_cycle_costs_nothing(k, stride):
    vocabulary, rng = Vocabulary(k, stride), np.random.default_rng(0)
    uniform = stream_of_sequences(rng.integers(0, 4, (1, 300_000)).astype(np.uint8), vocabulary)
    held_out = stream_of_sequences(rng.integers(0, 4, (1, 100_000)).astype(np.uint8), vocabulary)[None]
    found = markov_nats_per_base(uniform, held_out, vocabulary, reverse_complement=True)
    assert list(found.values()) == pytest.approx([np.log(4)] * 8, abs=2e-4)  # no order memorises
    cycle = stream_of_sequences(np.tile(codes_of(["ACGGTCA"]), 8000), vocabulary)
    found = markov_nats_per_base(cycle, cycle[None], vocabulary, reverse_complement=False)
    assert found[1] > 0.3
    assert found[6] < 0.001


def test_the_order_follows_the_number_of_bases_up_to_eleven(monkeypatch):
    vocabulary = Vocabulary(3, 1)
    tokens = np.full(4**5, N_SPECIAL, np.uint8)
    assert max(markov_nats_per_base(tokens, tokens[None], vocabulary, reverse_complement=False)) == 4
    assert max(markov_nats_per_base(tokens[1:], tokens[None], vocabulary, reverse_complement=False)) == 3
    monkeypatch.setattr(markov, "MAX_ORDER", 2)
    assert max(markov_nats_per_base(tokens, tokens[None], vocabulary, reverse_complement=False)) == 2
    assert MAX_ORDER == 11


def test_contexts_are_counted_by_hand_and_never_across_an_ambiguous_base():
    tokens = stream_of_sequences(codes_of(["AACNAC"]), Vocabulary(1, 1))
    counts = count_contexts(tokens, Vocabulary(1, 1), 1, reverse_complement=False)
    assert counts[1][0].tolist() == [1, 2, 0, 0]  # AA once, AC twice
    assert counts[1].sum() == 3
    assert counts[0].tolist() == [[3, 2, 0, 0]]
