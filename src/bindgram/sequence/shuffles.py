"""Shuffles that keep the k-let counts of every sequence exactly (random Eulerian paths).

References
----------
Altschul and Erickson (1985), Mol Biol Evol 2:526; Jiang et al. (2008), uShuffle, BMC Bioinformatics 9:192. The
shuffle itself is seqpro's.
"""

import numpy as np

from bindgram.errors import InputError
from bindgram.sequence.dna import ALPHABET, AMBIGUOUS, decode, encode


def shuffle_klets(codes: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Shuffle each sequence on its own, keeping the count of every k-let.

    Parameters
    ----------
    codes : (N, L) base codes, A, C, G, T only.
    k : length of the k-lets, >= 1. The first and the last k - 1 bases of every sequence stay in place.
    rng : draws one seed for the whole call; equal generators give equal results, whatever the number of threads.

    Returns
    -------
    (N, L) base codes. A sequence that has a single arrangement, such as a homopolymer, comes back as it is.

    Raises
    ------
    InputError : a sequence has an ambiguous base.
    """
    import seqpro  # slow to import: compiles numba functions

    assert k >= 1
    seed = int(rng.integers(2**31))
    if codes.size == 0 or codes.shape[1] <= k:
        return codes.copy()
    ambiguous = np.flatnonzero((codes >= AMBIGUOUS).any(axis=1))
    if len(ambiguous):
        raise InputError(
            f"sequence {ambiguous[0] + 1}: has a base other than {ALPHABET} and cannot be shuffled; "
            "add the filter 'ambiguous'"
        )
    letters = decode(codes).view("S1")
    shuffled = seqpro.k_shuffle(letters, k, seqpro.DNA, length_axis=1, seed=seed)
    return encode(np.ascontiguousarray(shuffled).view(np.uint8))
