"""Markov models of bases, fitted on the corpus that a language model is trained on: the bar that it has to clear.

A model of order o predicts a base from the o before it, or from as many as its contig has. Its probabilities are those
of order o - 1, corrected by what was counted (a hierarchical Dirichlet prior, MacKay and Peto 1995)::

    P_o(base | context) = (n(context, base) + s * P_(o-1)(base | context without its first base)) / (n(context) + s)

with P_(-1) = 1/4. The strength s of each order is the one of `STRENGTHS` with the best leave-one-out likelihood of the
training bases: each base is predicted by what is counted without it, in all orders. Nothing is tuned on what is scored.

A base is counted or scored where it ends a k-mer: the first k - 1 bases of a contig are context only.

References
----------
MacKay, Peto (1995), A hierarchical Dirichlet language model, https://doi.org/10.1017/S1351324900000218
"""

from collections.abc import Callable

import numpy as np

from bindgram.sequence.kmers import N_SPECIAL, Vocabulary

MAX_ORDER = 11
STRENGTHS = tuple(4.0**power for power in range(8))
CHUNK_TOKENS = 1_000_000


def markov_nats_per_base(
    tokens: np.ndarray,
    lanes: np.ndarray,
    vocabulary: Vocabulary,
    *,
    reverse_complement: bool,
    check: Callable[[], None] = lambda: None,
) -> dict[int, float]:
    """Mean negative log-likelihood per base of Markov models of order 1 to `MAX_ORDER`.

    Parameters
    ----------
    tokens : (tokens,) training stream of a corpus, one token per base; read in pieces.
    lanes : (lanes, tokens) stretches of such a stream. Scored are the bases that a language model predicts which reads
        every `stride`-th token from the first on: those by which a k-mer exceeds the k-mer before.
    reverse_complement : whether the other strand is counted too.
    check : called every so often; may raise to end this.

    Returns
    -------
    Order to nats per base; NaN where nothing is scored. Orders with more (context, base) pairs than there are training
    bases are left out, but for the first.
    """
    n_bases = len(tokens) * (1 + reverse_complement)
    order = max([1, *(order for order in range(1, MAX_ORDER + 1) if 4 ** (order + 1) <= n_bases)])
    counts = count_contexts(tokens, vocabulary, order, reverse_complement=reverse_complement, check=check)
    order = len(counts) - 1
    n_known, codes = _scored(lanes, vocabulary, order)
    log_probabilities, result = np.zeros(len(codes)), {}
    lower = left_out = np.full((1, 4), 0.25)
    for number in range(order + 1):
        check()
        table = counts[number].reshape(-1, *lower.shape)
        strength = _best_strength(table, left_out)
        predicted = n_known >= number
        cells = codes[predicted] & (4 ** (number + 1) - 1)
        log_probabilities[predicted] = np.log(_probabilities_of(cells, table, lower, strength))
        result[number] = -float(log_probabilities.mean()) if len(codes) else float("nan")
        if number < order:
            lower, left_out = _interpolated(table, lower, left_out, strength)
    return {number: nats for number, nats in result.items() if number}


def count_contexts(
    tokens: np.ndarray,
    vocabulary: Vocabulary,
    order: int,
    *,
    reverse_complement: bool,
    check: Callable[[], None] = lambda: None,
) -> list[np.ndarray]:
    """Counts of (context, next base) for the orders 0 to `order`, or to k - 1 if that is more: (4**order, 4) each.

    Contexts are numbers in base 4, the base farthest away first. Bases with a shorter context in their contig than an
    order asks for are not counted in it.
    """
    order = max(order, vocabulary.k - 1)  # then every window of so many bases ends a k-mer, on either strand
    width = order + 1
    full = np.zeros(4**width, np.int64)
    breaks = [np.array([-1])]  # special tokens, and the place before the first
    for start in range(0, len(tokens), CHUNK_TOKENS):
        check()
        piece = np.asarray(tokens[start : start + CHUNK_TOKENS + order])
        special = np.flatnonzero(piece < N_SPECIAL)
        breaks.append(special[special < CHUNK_TOKENS] + start)
        _count_windows(piece, special, width, full)
    near = _near_breaks(tokens, np.concatenate(breaks), vocabulary, order)
    short = [np.zeros(4 ** (number + 1), np.int64) for number in range(width)]  # by the length of the whole context
    _count_each(*near, short)
    full += short[order]
    if reverse_complement:
        every_place = (slice(None, None, -1),) * width
        full += full.reshape((4,) * width)[every_place].transpose().reshape(-1)  # complement, then reverse
        backwards = len(tokens) - 1 - np.concatenate([*breaks[1:], [len(tokens)]])[::-1]
        table = vocabulary.reverse_complement_ids()
        _count_each(*_near_breaks(tokens[::-1], backwards, vocabulary, order, table), short)
    counts = [full]
    for number in reversed(range(order)):
        counts.append(counts[-1].reshape(4, -1).sum(axis=0) + short[number])
    return [table.reshape(-1, 4) for table in reversed(counts)]


def _count_windows(tokens: np.ndarray, special: np.ndarray, width: int, counts: np.ndarray) -> None:
    """Add the windows of the last bases of `width` k-mers in a row, those over special tokens left out."""
    if len(tokens) < width:
        return
    codes = _rolled((tokens.astype(np.uint8) + np.uint8(256 - N_SPECIAL)) & 3, width)
    np.add.at(counts, codes, 1)  # several times as fast as np.bincount where the table is large
    broken = np.unique(special[:, None] - np.arange(width))
    np.subtract.at(counts, codes[broken[(broken >= 0) & (broken < len(codes))]], 1)


def _rolled(bases: np.ndarray, width: int) -> np.ndarray:
    """The number in base 4 of each window of `width` bases, by windows of 1, 2, 4, ... bases."""
    codes, done, power, size = None, 0, bases, 1
    while True:
        if width & size:
            kind = np.min_scalar_type(4 ** (done + size) - 1)
            if codes is None:
                codes = power
            else:  # windows of `done` bases behind this one
                n = len(bases) - done - size + 1
                codes = (power[:n].astype(kind) << 2 * done) | codes[size : size + n]
            done += size
        size *= 2
        if size > width:
            return codes.astype(np.int64)
        kind, n = np.min_scalar_type(4**size - 1), len(bases) - size + 1
        power = (power[:n].astype(kind) << size) | power[size // 2 : size // 2 + n]


def _near_breaks(
    tokens: np.ndarray, breaks: np.ndarray, vocabulary: Vocabulary, order: int, table: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The first `order` k-mers after special tokens, as `_windows_at` gives them.

    Parameters
    ----------
    breaks : places of the special tokens and -1, ascending.
    table : what tokens are looked up in; then only those are of interest whose context is shorter than `order`.
    """
    places = np.unique(np.minimum(breaks[:, None] + np.arange(1, order + 1), len(tokens) - 1))
    places = places[places >= 0]
    run = places - breaks[np.searchsorted(breaks, places, side="right") - 1] - 1
    n_known = np.minimum(run + vocabulary.k - 1, order)
    wanted = (run >= 0) & ((n_known < order) | (table is None))
    return n_known[wanted], _windows_at(tokens, places[wanted], vocabulary, order, table)


def _windows_at(
    tokens: np.ndarray, places: np.ndarray, vocabulary: Vocabulary, order: int, table: np.ndarray | None = None
) -> np.ndarray:
    """The last `order` + 1 bases that end with each of some k-mers, as a number; first digits unknown are arbitrary."""

    def numbers(at: np.ndarray) -> np.ndarray:
        found = tokens[np.maximum(at, 0)]
        return np.maximum((found if table is None else table[found]).astype(np.int64) - N_SPECIAL, 0)

    codes = np.zeros(len(places), np.int64)
    for distance in range(order + 1 - vocabulary.k, 0, -1):  # k - 1 more bases are those of the k-mer itself
        codes = (codes << 2) + (numbers(places - distance) >> 2 * (vocabulary.k - 1))
    return (codes << 2 * vocabulary.k) + numbers(places)


def _count_each(n_known: np.ndarray, codes: np.ndarray, counts: list[np.ndarray]) -> None:
    """Count bases, each with the whole of its known context."""
    for number in np.unique(n_known):
        np.add.at(counts[number], codes[n_known == number] & (4 ** (int(number) + 1) - 1), 1)


def _scored(lanes: np.ndarray, vocabulary: Vocabulary, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each base that a language model predicts: known bases before it, `order` at most, and `_windows_at`."""
    counts, windows = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for lane in lanes:
        known = lane >= N_SPECIAL
        read = known[:: vocabulary.stride]
        places = np.flatnonzero(np.repeat(read[1:] & read[:-1], vocabulary.stride)) + 1
        breaks = np.concatenate([[-1], np.flatnonzero(~known)])
        run = places - breaks[np.searchsorted(breaks, places) - 1] - 1
        counts.append(np.minimum(run + vocabulary.k - 1, order))
        windows.append(_windows_at(lane, places, vocabulary, order))
    return np.concatenate(counts), np.concatenate(windows)


def _best_strength(table: np.ndarray, left_out: np.ndarray) -> float:
    """The strength with the best leave-one-out likelihood.

    Parameters
    ----------
    table : (bases, contexts of the order below, 4) counts.
    left_out : (contexts of the order below, 4) probabilities of the order below, as `_interpolated` gives them.
    """
    likelihoods = np.zeros(len(STRENGTHS))
    for block in table:
        counted = block > 0
        n, total, below = (
            block[counted],
            np.broadcast_to(block.sum(axis=1)[:, None], block.shape)[counted],
            left_out[counted],
        )
        for number, strength in enumerate(STRENGTHS):
            likelihoods[number] += n @ np.log((n - 1 + strength * below) / (total - 1 + strength))
    return STRENGTHS[int(likelihoods.argmax())]


def _interpolated(
    table: np.ndarray, lower: np.ndarray, left_out: np.ndarray, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of an order, and those of each base where one occurrence of it is not counted: (contexts, 4)."""
    totals = table.sum(axis=-1, keepdims=True)
    full = (table + strength * lower) / (totals + strength)
    without = (np.maximum(table - 1, 0) + strength * left_out) / (np.maximum(totals - 1, 0) + strength)
    return full.reshape(-1, 4), without.reshape(-1, 4)


def _probabilities_of(cells: np.ndarray, table: np.ndarray, lower: np.ndarray, strength: float) -> np.ndarray:
    """Interpolated probabilities of some (context, base) pairs, given by their numbers."""
    counts, flat = table.reshape(-1, 4), lower.reshape(-1)
    contexts = cells // 4
    return (counts[contexts, cells % 4] + strength * flat[cells % len(flat)]) / (
        counts[contexts].sum(axis=1) + strength
    )
