"""Places of given sequences in a genome, on both strands: what a corpus must not hold because it is tested on.

A sequence is found where all its bases are those of the genome; a base of it that is no A, C, G or T fits any letter.
Of every sequence one word is looked for first, so that whole sequences are compared at few places.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bindgram.genome.fasta import Genome
from bindgram.sequence import dna

WORDS_BP = (32, 16)  # lengths of words: the first that sequences have room for
_TABLE_BITS = 24
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # of Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4)
_COMPARED_AT_A_TIME = 100_000


@dataclass(frozen=True)
class Masked:
    """Stretches of a genome that a corpus leaves out, and per set of sequences what was found."""

    places: Mapping[str, np.ndarray] = field(default_factory=dict)  # chrom to (places, 2): start, end; disjoint
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def within(self, chrom: str, start: int, end: int) -> np.ndarray:
        """Whether each base of a region is left out: (end - start,) bool."""
        inside = np.zeros(end - start, bool)
        if chrom in self.places:
            places = self.places[chrom]
            first, last = np.searchsorted(places[:, 1], start, side="right"), np.searchsorted(places[:, 0], end)
            for low, high in places[first:last]:
                inside[max(low - start, 0) : high - start] = True
        return inside


def find_sequences(genome: Genome, blocks: pd.DataFrame, sets: Mapping[str, np.ndarray], chunk_bp: int) -> Masked:
    """Find sets of sequences in blocks of a genome, also where they only reach into a block.

    Parameters
    ----------
    blocks : frame with ``chrom, start, end``.
    sets : name to codes (sequences, bp).
    chunk_bp : bases held in memory at a time; the result does not depend on it.

    Returns
    -------
    Places within the blocks, and counts of each set: ``n_sequences``; of them ``n_found``, and ``n_not_searched``, the
    ones that have no word of `WORDS_BP` without an ambiguous base; ``n_places``, and the bases in them, ``n_bases``.
    """
    counts, hits = {}, [pd.DataFrame(columns=["set", "row", "chrom", "start", "end"])]
    for width in sorted({codes.shape[1] for codes in sets.values()}):
        names = [name for name, codes in sets.items() if codes.shape[1] == width]
        searched = {name: _with_a_word(sets[name]) for name in names}
        for name in names:
            counts[name] = {"n_sequences": len(sets[name]), "n_not_searched": len(sets[name]) - len(searched[name])}
        patterns = _Patterns.of(list(searched.values()))
        for block in blocks.itertuples():
            found = _find_in_block(genome, block.chrom, block.start, block.end, patterns, chunk_bp)
            hits.append(found.assign(set=np.array(names, object)[found["set"]]))
    table = pd.concat(hits, ignore_index=True).drop_duplicates(["set", "row", "chrom", "start", "end"])
    for name in counts:
        ours = table[table["set"] == name]
        spans = [_united(places) for _, places in ours.groupby("chrom")]
        counts[name] |= {"n_found": ours["row"].nunique(), "n_places": len(ours.drop_duplicates(["chrom", "start"]))}
        counts[name] |= {"n_bases": sum(int(np.diff(places).sum()) for places in spans)}
    return Masked({chrom: _united(places) for chrom, places in table.groupby("chrom")}, counts)


def _united(places: pd.DataFrame) -> np.ndarray:
    """Regions that overlap or touch, as one: (regions, 2), ascending."""
    ordered = places.sort_values("start")
    starts, ends = (ordered[name].to_numpy(np.int64) for name in ("start", "end"))
    reach = np.maximum.accumulate(ends)
    first = np.flatnonzero(np.concatenate([[True], starts[1:] > reach[:-1]]))
    return np.stack([starts[first], reach[np.concatenate([first[1:] - 1, [len(ends) - 1]])]], axis=1)


def _word_bp(width: int) -> int:
    return next((size for size in WORDS_BP if size <= width), WORDS_BP[-1])


def _clean(codes: np.ndarray) -> np.ndarray:
    """Where words without an ambiguous base begin: (sequences, positions) bool."""
    size = _word_bp(codes.shape[1])
    before = np.pad(np.cumsum(codes >= dna.AMBIGUOUS, axis=1), ((0, 0), (1, 0)))
    return before[:, size:] == before[:, :-size]


def _with_a_word(codes: np.ndarray) -> np.ndarray:
    return codes[_clean(codes).any(axis=1)] if codes.shape[1] >= WORDS_BP[-1] else codes[:0]


def _words(codes: np.ndarray, size: int) -> np.ndarray:
    """Words of `size` bases, a power of two, from each position on: (..., L) to (..., L - size + 1) uint64."""
    words, done = (codes & 3).astype(np.uint64), 1
    while done < size:
        words = (words[..., :-done] << np.uint64(2 * done)) | words[..., done:]
        done *= 2
    return words


def _hashes(words: np.ndarray) -> np.ndarray:
    return (words * _MULTIPLIER) >> np.uint64(64 - _TABLE_BITS)


@dataclass(frozen=True)
class _Patterns:
    """Sequences of one width on both strands, ordered by the word that is looked for."""

    codes: np.ndarray  # (patterns, bp)
    owner: np.ndarray  # (patterns,) number of the set
    row: np.ndarray  # (patterns,) number of the sequence among all sets
    offset: np.ndarray  # (patterns,) where the word begins
    word: np.ndarray  # (patterns,) ascending
    table: np.ndarray  # whether a hash is that of a word

    @classmethod
    def of(cls, sets: Sequence[np.ndarray]) -> "_Patterns":
        forward = np.concatenate(sets)
        codes = np.concatenate([forward, dna.reverse_complement(forward)])
        owner = np.tile(np.repeat(np.arange(len(sets)), [len(part) for part in sets]), 2)
        row = np.tile(np.arange(len(forward)), 2)
        if not len(codes):
            return cls(codes, owner, row, row, np.zeros(0, np.uint64), np.zeros(0, bool))
        words = _words(codes, _word_bp(codes.shape[1]))
        # the word of least hash is hardly ever one that fills the genome, such as AAAA...
        offset = np.where(_clean(codes), _hashes(words), np.uint64(1 << _TABLE_BITS)).argmin(axis=1)
        word = words[np.arange(len(codes)), offset]
        order = np.argsort(word, kind="stable")
        table = np.zeros(1 << _TABLE_BITS, bool)
        table[_hashes(word)] = True
        return cls(codes[order], owner[order], row[order], offset[order], word[order], table)


def _find_in_block(
    genome: Genome, chrom: str, start: int, end: int, patterns: _Patterns, chunk_bp: int
) -> pd.DataFrame:
    """Places of patterns that have a base in a region: frame ``set, row, chrom, start, end``, cut to the region."""
    width = patterns.codes.shape[1]
    numbers, starts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    first, last = max(start - width + 1, 0), min(end + width - 1, genome.chrom_sizes[chrom])
    for position in range(first, last - width + 1, chunk_bp) if len(patterns.codes) else ():
        codes = dna.encode(genome.fetch(chrom, position, min(position + chunk_bp + width - 1, last)))
        pattern, place = _find(codes, patterns)
        numbers.append(pattern)
        starts.append(place + position)
    number, place = np.concatenate(numbers), np.concatenate(starts)
    return pd.DataFrame(
        {
            "set": patterns.owner[number],
            "row": patterns.row[number],
            "chrom": chrom,
            "start": np.maximum(place, start),
            "end": np.minimum(place + width, end),
        }
    )


def _find(codes: np.ndarray, patterns: _Patterns) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of a pattern and the position where it stands in `codes`."""
    width = patterns.codes.shape[1]
    words = _words(codes, _word_bp(width))
    hit = np.flatnonzero(patterns.table[_hashes(words)])
    low, high = (np.searchsorted(patterns.word, words[hit], side=side) for side in ("left", "right"))
    n_each = high - low
    pattern = np.repeat(low - np.cumsum(n_each) + n_each, n_each) + np.arange(n_each.sum())
    place = np.repeat(hit, n_each) - patterns.offset[pattern]
    inside = (place >= 0) & (place <= len(codes) - width)
    pattern, place = pattern[inside], place[inside]
    windows = np.lib.stride_tricks.sliding_window_view(codes, width)
    equal = np.zeros(len(place), bool)
    for start in range(0, len(place), _COMPARED_AT_A_TIME):
        part = slice(start, start + _COMPARED_AT_A_TIME)
        wanted = patterns.codes[pattern[part]]
        equal[part] = ((windows[place[part]] == wanted) | (wanted >= dna.AMBIGUOUS)).all(axis=1)
    return pattern[equal], place[equal]
