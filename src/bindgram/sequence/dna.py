"""DNA as small integers: *codes* A, C, G, T = 0, 1, 2, 3 (either case) and 4 for anything else.

Arrays in, arrays out. The last axis is the position along the sequence.
"""

from collections.abc import Sequence

import numpy as np

from bindgram.errors import InputError

ALPHABET = "ACGT"
AMBIGUOUS = 4

_CODES = np.full(256, AMBIGUOUS, np.uint8)
for _code, _letter in enumerate(ALPHABET):
    _CODES[[ord(_letter), ord(_letter.lower())]] = _code
_LETTERS = np.frombuffer(b"ACGTN".ljust(256, b"N"), np.uint8)
_COMPLEMENTS = np.full(256, AMBIGUOUS, np.uint8)
_COMPLEMENTS[:4] = [3, 2, 1, 0]
_ONE_HOT = np.eye(5, 4, dtype=np.float32)


def _looked_up(values: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Replace bytes by those of a table of 256; several times faster than indexing, which makes 8 bytes of each."""
    found = bytearray(np.ascontiguousarray(values, np.uint8)).translate(table.tobytes())
    return np.frombuffer(found, np.uint8).reshape(np.shape(values))


def encode(letters: np.ndarray) -> np.ndarray:
    """Turn ASCII letters (..., L) uint8 into codes of the same shape."""
    return _looked_up(letters, _CODES)


def decode(codes: np.ndarray) -> np.ndarray:
    """Turn codes (..., L) into upper-case ASCII letters of the same shape; ambiguous bases become N."""
    return _looked_up(codes, _LETTERS)


def codes_of(sequences: Sequence[str]) -> np.ndarray:
    """Stack N texts of equal length as codes (N, L); no texts give (0, 0).

    Raises
    ------
    InputError : the texts differ in length.
    """
    if len(sequences) == 0:
        return np.empty((0, 0), np.uint8)
    width = len(sequences[0])
    for row, text in enumerate(sequences):
        if len(text) != width:
            raise InputError(
                f"sequence {row + 1}: {len(text)} bp, the first has {width}; sequences of one table have equal length"
            )
    # "replace" turns a letter outside ASCII into "?", which is as ambiguous as N
    letters = np.frombuffer("".join(sequences).encode("ascii", "replace"), np.uint8)
    return encode(letters).reshape(len(sequences), width)


def strings_of(codes: np.ndarray) -> list[str]:
    """Return the N texts of codes (N, L)."""
    return [row.tobytes().decode("ascii") for row in decode(codes)]


def reverse_complement(codes: np.ndarray) -> np.ndarray:
    """Read codes (..., L) on the other strand; ambiguous bases stay ambiguous."""
    return _looked_up(codes[..., ::-1], _COMPLEMENTS)


def gc_fraction(codes: np.ndarray) -> np.ndarray:
    """G + C among the unambiguous bases of codes (N, L): (N,) float64 in 0..1, NaN where there are none."""
    n_known = (codes < AMBIGUOUS).sum(axis=-1)
    n_gc = ((codes == 1) | (codes == 2)).sum(axis=-1)
    return np.divide(n_gc, n_known, out=np.full(n_known.shape, np.nan), where=n_known > 0)


def one_hot(codes: np.ndarray) -> np.ndarray:
    """Turn codes (N, L) into (N, L, 4) float32, channels A, C, G, T; an ambiguous base has four zeros."""
    return _ONE_HOT[codes]
