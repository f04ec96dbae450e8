"""Shuffles that keep the k-let counts of every sequence exactly (random Eulerian paths).

References
----------
Altschul and Erickson (1985), Mol Biol Evol 2:526; Jiang et al. (2008), uShuffle, BMC Bioinformatics 9:192. The
shuffle itself is seqpro's.
"""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

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
    assert k >= 1
    seed = int(rng.integers(2**31))
    if codes.size == 0 or codes.shape[1] <= k:
        return codes.copy()
    ambiguous = np.flatnonzero((codes >= AMBIGUOUS).any(axis=1))
    if len(ambiguous):
        raise InputError(
            f"sequence {ambiguous[0] + 1}: has a base other than {ALPHABET} and cannot be shuffled; "
            "add the filter n_fraction: 0.0"
        )
    letters = np.ascontiguousarray(decode(codes))
    shuffled = _seqpro_shuffle()(letters, k, len(ALPHABET), ALPHABET.encode(), seed)
    return encode(np.ascontiguousarray(shuffled).view(np.uint8))


@cache
def _seqpro_shuffle() -> Callable[..., np.ndarray]:
    """The compiled function behind ``seqpro.k_shuffle``: (letters as (N, L) uint8, k, letters, alphabet, seed).

    Loaded without the rest of seqpro, whose import compiles numba functions for longer than an experiment's shuffles
    take; through ``seqpro`` itself where a release keeps it elsewhere.
    """
    package = find_spec("seqpro")
    for folder in package.submodule_search_locations or () if package else ():
        for library in sorted(Path(folder).glob("seqpro.*.so")):
            spec = spec_from_file_location("seqpro.seqpro", library)
            if spec is not None and spec.loader is not None:
                module = module_from_spec(spec)
                spec.loader.exec_module(module)
                if hasattr(module, "_k_shuffle"):
                    return module._k_shuffle
    return _public_shuffle


def _public_shuffle(letters: np.ndarray, k: int, n_letters: int, alphabet: bytes, seed: int) -> np.ndarray:
    import seqpro

    return seqpro.k_shuffle(letters.view("S1"), k, seqpro.DNA, length_axis=1, seed=seed)
