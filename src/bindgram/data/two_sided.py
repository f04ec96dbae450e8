"""The bar for masked language models: a base counted between the bases on both sides of it.

The probability of a base between `order` bases on each side comes from the counts of training, on both strands, with
four pseudocounts that are shared out as the next shorter context says. No base of a context is hidden: that is more
than a masked model is shown.
"""

from collections.abc import Callable

import numpy as np

from bindgram.data.markov import count_contexts
from bindgram.sequence.kmers import BOS, Vocabulary

MAX_ORDER = 5  # bases on each side: 4**11 counts
PSEUDOCOUNTS = 4.0


def two_sided_nats_per_base(
    tokens: np.ndarray, lanes: np.ndarray, vocabulary: Vocabulary, *, check: Callable[[], None] = lambda: None
) -> dict[int, float]:
    """Mean negative log-likelihood of a base given `order` bases on each side of it, for orders from 1 on.

    Parameters
    ----------
    tokens : (tokens,) training stream of a corpus, one token per base.
    lanes : (lanes, tokens) stretches of such a stream; all bases are scored that have the longest context.
    check : called every so often; may raise to end this.

    Returns
    -------
    Order to nats per base; NaN where nothing is scored. Orders with more counts than there are training bases (both
    strands) are left out, but for the first.
    """
    order = max([1, *(order for order in range(1, MAX_ORDER + 1) if 4 ** (2 * order + 1) <= 2 * len(tokens))])
    trained = _count(tokens, vocabulary, order, check)
    one_after_another = np.pad(lanes, ((0, 0), (1, 0)), constant_values=BOS).reshape(-1)
    scored = _count(one_after_another, vocabulary, order, check)
    n_scored, result = scored.sum(), {}
    tables = [(trained, scored)]
    for _ in range(order):
        tables.append(tuple(_without_ends(table) for table in tables[-1]))
    probabilities = np.full((1, 4, 1), 0.25)
    for number, (counts, asked) in enumerate(reversed(tables)):
        n_sides = len(probabilities)
        below = np.tile(probabilities, (len(counts) // n_sides, 1, 1)).repeat(len(counts) // n_sides, axis=2)
        probabilities = (counts + PSEUDOCOUNTS * below) / (counts.sum(axis=1, keepdims=True) + PSEUDOCOUNTS)
        result[number] = float(-(asked * np.log(probabilities)).sum() / n_scored) if n_scored else float("nan")
    return {number: nats for number, nats in result.items() if number}


def _count(tokens: np.ndarray, vocabulary: Vocabulary, order: int, check: Callable[[], None]) -> np.ndarray:
    """Counts of (left context, base, right context): (4**order, 4, 4**order), of both strands."""
    counts = count_contexts(tokens, vocabulary, 2 * order, reverse_complement=True, check=check)
    return counts[2 * order].reshape(4**order, 4, 4**order)


def _without_ends(table: np.ndarray) -> np.ndarray:
    """The same counts with contexts that are one base shorter on each side."""
    n_shorter = len(table) // 4
    return table.reshape(4, n_shorter, 4, n_shorter, 4).sum(axis=(0, 4))
