"""A Markov model of bases, fitted on the corpus a language model is trained on: the bar that it has to clear."""

import numpy as np

from bindgram.sequence.kmers import SPECIAL_TOKENS, Vocabulary

CHUNK_TOKENS = 4_000_000


def bases_of_tokens(tokens: np.ndarray, vocabulary: Vocabulary) -> np.ndarray:
    """The first `stride` bases of every k-mer: (tokens * stride,) codes 0-3, and 4 for special tokens."""
    ids = tokens.astype(np.int64) - len(SPECIAL_TOKENS)
    digits = [(ids // 4 ** (vocabulary.k - 1 - place)) % 4 for place in range(vocabulary.stride)]
    return np.where(ids[:, None] < 0, 4, np.stack(digits, axis=1)).astype(np.uint8).reshape(-1)


def count_contexts(bases: np.ndarray, order: int) -> np.ndarray:
    """Counts of (context, next base): (4**order, 4); windows with an ambiguous base do not count."""
    n_windows = len(bases) - order
    if n_windows <= 0:
        return np.zeros((4**order, 4), np.int64)
    codes = np.zeros(n_windows, np.int64)
    clean = np.ones(n_windows, bool)
    for place in range(order + 1):
        column = bases[place : place + n_windows]
        codes = codes * 4 + column
        clean &= column < 4
    return np.bincount(codes[clean], minlength=4 ** (order + 1)).reshape(4**order, 4)


def fit_markov(tokens: np.ndarray, vocabulary: Vocabulary, order: int) -> np.ndarray:
    """Log-probabilities in nats of the next base given `order` bases, one pseudocount each: (4**order, 4)."""
    counts = np.ones((4**order, 4))
    for start in range(0, len(tokens), CHUNK_TOKENS):
        counts += count_contexts(bases_of_tokens(tokens[start : start + CHUNK_TOKENS], vocabulary), order)
    return np.log(counts / counts.sum(axis=1, keepdims=True))


def markov_nats_per_base(log_probabilities: np.ndarray, lanes: np.ndarray, vocabulary: Vocabulary) -> float:
    """Mean negative log-likelihood per base of (lanes, tokens) under a fitted model."""
    order = int(np.log2(len(log_probabilities)) / 2)
    counts = sum(count_contexts(bases_of_tokens(lane, vocabulary), order) for lane in lanes)
    return float(-(counts * log_probabilities).sum() / np.sum(counts))
