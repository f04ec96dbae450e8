"""k-mers as tokens: the vocabulary of the language models, and k-mer counts.

The id of a k-mer is its number in base 4 (first base most significant) after the special tokens. Everything is
rolling arithmetic over whole arrays: loops run over the k places of a k-mer, never over bases.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np

from bindgram.errors import InputError
from bindgram.sequence.dna import ALPHABET, AMBIGUOUS, encode, reverse_complement, strings_of
from bindgram.settings.base import parse
from bindgram.settings.models import VocabularySettings

SPECIAL_TOKENS = ("<pad>", "<unk>", "<bos>")
PAD, UNK, BOS = range(3)
N_SPECIAL = len(SPECIAL_TOKENS)
_COUNT_CELLS = 4_000_000  # k-mers counted at a time: 32 MB of int64


@dataclass(frozen=True)
class Vocabulary:
    """Special tokens and all k-mers of `k` bases, read every `stride` bases from the first base on.

    Raises
    ------
    InputError : `k` or `stride` is outside what `settings.models.VocabularySettings` allows.
    """

    k: int
    stride: int

    def __post_init__(self) -> None:
        parse(VocabularySettings, {"k": self.k, "stride": self.stride}, "vocabulary")

    @property
    def size(self) -> int:
        """Number of tokens, special ones included."""
        return 4**self.k + N_SPECIAL

    @property
    def dtype(self) -> np.dtype:
        """Smallest unsigned type that holds every id."""
        return np.min_scalar_type(self.size - 1)

    def n_tokens(self, length: int) -> int:
        """Tokens of a sequence of `length` bp; a rest shorter than the stride is not read."""
        return max(0, (length - self.k) // self.stride + 1)

    def encode(self, codes: np.ndarray) -> np.ndarray:
        """Turn base codes (..., L) into token ids (..., T); a k-mer with an ambiguous base is ``<unk>``."""
        n_tokens = self.n_tokens(codes.shape[-1])
        ids = np.zeros((*codes.shape[:-1], n_tokens), self.dtype)
        if ids.size == 0:
            return ids
        ambiguous = codes == AMBIGUOUS if codes.max() >= AMBIGUOUS else None
        unknown = np.zeros(ids.shape, bool) if ambiguous is not None else None
        for place in range(self.k):
            ids *= 4  # NumPy multiplies bytes twenty times faster than it shifts them
            ids += self._column(codes, place, n_tokens)
            if unknown is not None:
                unknown |= self._column(ambiguous, place, n_tokens)
        ids += N_SPECIAL
        if unknown is not None:
            ids[unknown] = UNK
        return ids

    def _column(self, values: np.ndarray, place: int, n_tokens: int) -> np.ndarray:
        """View of what stands at one place of every k-mer: (..., T)."""
        return values[..., place : place + (n_tokens - 1) * self.stride + 1 : self.stride]

    def decode(self, tokens: np.ndarray) -> np.ndarray:
        """Turn the ids (..., T) of one contiguous stretch into base codes (..., (T - 1) * stride + k).

        A base is ambiguous where no k-mer covers it, such as between ``<unk>``; T = 0 gives no bases.
        """
        n_tokens = tokens.shape[-1]
        length = (n_tokens - 1) * self.stride + self.k if n_tokens else 0
        codes = np.full((*tokens.shape[:-1], length), AMBIGUOUS, np.uint8)
        known = tokens >= N_SPECIAL
        numbers = tokens.astype(np.int64) - N_SPECIAL
        for place in range(self.k if n_tokens else 0):
            digits = (numbers >> 2 * (self.k - 1 - place)) & 3
            np.copyto(self._column(codes, place, n_tokens), digits.astype(np.uint8), where=known)
        return codes

    def kmer_codes(self) -> np.ndarray:
        """Base codes of all k-mers in the order of their ids: (4**k, k)."""
        numbers = np.arange(4**self.k)[:, None]
        return (numbers >> 2 * np.arange(self.k - 1, -1, -1) & 3).astype(np.uint8)

    def reverse_complement_ids(self) -> np.ndarray:
        """Look-up table (size,) from each id to that of its reverse complement; special tokens stay what they are.

        At stride 1, ``table[encode(x)][::-1]`` is the encoding of the other strand of x. The table is read-only.
        """
        return _reverse_complement_ids(self.k)

    @property
    def at_every_base(self) -> "Vocabulary":
        """The same k-mers, read at every base: what a corpus holds, of which a stride takes every so manyth."""
        return Vocabulary(self.k, 1)

    def token(self, identifier: int) -> str:
        """Text of an id: ``<unk>``, ``ACG``."""
        if not 0 <= identifier < self.size:
            raise InputError(f"token id {identifier}: not in 0..{self.size - 1}, the ids of this vocabulary")
        if identifier < N_SPECIAL:
            return SPECIAL_TOKENS[identifier]
        return strings_of(self.decode(np.array([[identifier]])))[0]

    def id_of(self, token: str) -> int:
        """Id of a special token or of a k-mer in either case."""
        if token in SPECIAL_TOKENS:
            return SPECIAL_TOKENS.index(token)
        if len(token) != self.k or set(token.upper()) - set(ALPHABET):
            raise InputError(f"token {token!r}: neither {self.k} letters of {ALPHABET} nor one of {SPECIAL_TOKENS}")
        return int(self.encode(encode(np.frombuffer(token.encode(), np.uint8)))[0])

    def to_json(self) -> dict[str, Any]:
        """All that is needed to rebuild the vocabulary."""
        return {"k": self.k, "stride": self.stride, "special_tokens": list(SPECIAL_TOKENS)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Rebuild a vocabulary from `to_json`.

        Raises
        ------
        InputError : other keys, values out of range, or other special tokens than ours.
        """
        if set(value) != {"k", "stride", "special_tokens"}:
            raise InputError(f"vocabulary: keys are k, stride and special_tokens (got {', '.join(sorted(value))})")
        if value["special_tokens"] != list(SPECIAL_TOKENS):
            raise InputError(
                f"vocabulary: special_tokens: {value['special_tokens']!r} is not {list(SPECIAL_TOKENS)}; "
                "tokenize again with this version"
            )
        return cls(value["k"], value["stride"])


@cache
def _reverse_complement_ids(k: int) -> np.ndarray:
    vocabulary = Vocabulary(k, k)
    kmers = vocabulary.encode(reverse_complement(vocabulary.kmer_codes()))[:, 0]
    table = np.concatenate([np.arange(N_SPECIAL, dtype=vocabulary.dtype), kmers])
    table.flags.writeable = False  # every caller gets this one array
    return table


def count_kmers(codes: np.ndarray, k: int) -> np.ndarray:
    """Count the k-mers of each sequence: codes (N, L) to (N, 4**k) int32, columns in order of k-mer ids.

    k-mers overlap (stride 1); those with an ambiguous base are not counted.
    """
    vocabulary = Vocabulary(k, 1)
    counts = np.empty((len(codes), 4**k), np.int32)
    n_rows = max(1, _COUNT_CELLS // max(codes.shape[-1], vocabulary.size))
    for start in range(0, len(codes), n_rows):
        ids = vocabulary.encode(codes[start : start + n_rows]).astype(np.int64)
        ids += np.arange(len(ids))[:, None] * vocabulary.size
        table = np.bincount(ids.ravel(), minlength=len(ids) * vocabulary.size).reshape(len(ids), vocabulary.size)
        counts[start : start + n_rows] = table[:, N_SPECIAL:]
    return counts
