"""Lift-over: regions of one assembly to another through a UCSC chain file.

A *block* is a stretch without gaps: `start`, `end` in the assembly that regions come from, and `target`, the position
of its first base in the other one, counted on the strand of its chain.

References
----------
Format: https://genome.ucsc.edu/goldenPath/help/chain.html
Rule: UCSC liftOver's minMatch, https://genome.ucsc.edu/cgi-bin/hgLiftOver
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from bindgram.errors import InputError
from bindgram.genome.text import text_blocks

MIN_MATCH = 0.95  # UCSC liftOver's own default
_HEADER = re.compile(rb"^chain[ \t].*$", re.MULTILINE)
_COMMENT = re.compile(rb"^#.*$", re.MULTILINE)
_REGIONS_AT_A_TIME = 50_000


class Head(NamedTuple):
    """The line that begins a chain; `to_start` and `to_end` count on the strand that `reverse` tells."""

    chrom: str
    size: int
    start: int
    end: int
    to_chrom: str
    to_size: int
    reverse: bool
    to_start: int
    to_end: int


@dataclass(frozen=True)
class Chain:
    """All blocks of a chain file, sorted by chromosome and start, and its chains.

    `chrom` holds positions in `chroms`, whose lengths (bp) are `sizes`; `chain` is the number of the chain of a block.
    `to_chrom`, `to_size` and `reverse` have one value per chain.
    """

    chroms: dict[str, int]
    sizes: np.ndarray
    chrom: np.ndarray
    start: np.ndarray
    end: np.ndarray
    target: np.ndarray
    chain: np.ndarray
    to_chrom: np.ndarray
    to_size: np.ndarray
    reverse: np.ndarray


def read_chain(path: Path) -> Chain:
    """Read a chain file, gzip or not.

    Raises
    ------
    InputError : missing or damaged file, no chain in it, or a chain whose blocks do not fill it, with file and line.
    """
    text = b"".join(block for _, block in text_blocks(path))
    headers = list(_HEADER.finditer(text))
    if not headers or _COMMENT.sub(b"", text[: headers[0].start()]).strip():
        raise InputError(f"{path}: not a chain file: it does not begin with a line 'chain ...'; give a UCSC chain")
    line, offset = 1, 0
    sizes: dict[str, int] = {}
    heads, blocks = [], []
    for header, end in zip(headers, [*(h.start() for h in headers[1:]), len(text)], strict=True):
        line, offset = line + text.count(b"\n", offset, header.start()), header.start()
        where = f"{path}:{line}"
        head = _head(where, header[0].decode())
        if sizes.setdefault(head.chrom, head.size) != head.size:
            raise InputError(
                f"{where}: {head.chrom} has {head.size} bp, and {sizes[head.chrom]} bp in an earlier chain"
            )
        heads.append(head)
        blocks.append(_blocks(where, text[header.end() : end], head))
    return _joined(sizes, heads, blocks)


def _head(where: str, text: str) -> Head:
    cells = text.split()
    numbers = [cells[i] for i in (3, 5, 6, 8, 10, 11)] if len(cells) in (12, 13) else []
    if not numbers or not all(cell.isascii() and cell.isdigit() and len(cell) < 14 for cell in numbers):
        raise InputError(f"{where}: not a chain line (12 or 13 cells, lengths and positions are whole numbers)")
    size, start, end, to_size, to_start, to_end = map(int, numbers)
    if cells[4] != "+" or cells[9] not in ("+", "-"):
        raise InputError(f"{where}: strands {cells[4]!r} and {cells[9]!r}; the first is +, the second + or -")
    if not (0 <= start < end <= size and 0 <= to_start < to_end <= to_size):
        raise InputError(f"{where}: a chain that does not lie within its chromosomes")
    return Head(cells[2], size, start, end, cells[7], to_size, cells[9] == "-", to_start, to_end)


def _blocks(where: str, text: bytes, head: Head) -> np.ndarray:
    """Rows ``start, end, target`` of the blocks of one chain: (3, blocks)."""
    cells = _COMMENT.sub(b"", text).split()
    try:
        numbers = np.array(cells, dtype="S20").astype(np.int64)
    except (ValueError, OverflowError):
        numbers = np.array([-1])
    if len(numbers) % 3 != 1 or (numbers < 0).any() or (numbers[::3] < 1).any():
        raise InputError(f"{where}: the blocks of this chain are not lines of 'size dt dq' and a last 'size'")
    size, dt, dq = numbers[::3], np.append(numbers[1::3], 0), np.append(numbers[2::3], 0)
    start = head.start + np.append(0, np.cumsum(size + dt)[:-1])
    target = head.to_start + np.append(0, np.cumsum(size + dq)[:-1])
    if start[-1] + size[-1] != head.end or target[-1] + size[-1] != head.to_end:
        raise InputError(f"{where}: the blocks of this chain do not add up to its length; the file is damaged or cut")
    return np.stack([start, start + size, target])


def _joined(sizes: dict[str, int], heads: list[Head], blocks: list[np.ndarray]) -> Chain:
    lengths = [block.shape[1] for block in blocks]
    start, end, target = np.concatenate(blocks, axis=1)
    chroms = {name: code for code, name in enumerate(sizes)}
    chrom = np.repeat([chroms[head.chrom] for head in heads], lengths)
    chain = np.repeat(np.arange(len(heads)), lengths)
    order = np.lexsort((chain, start, chrom))
    return Chain(
        chroms,
        np.array(list(sizes.values())),
        *(values[order] for values in (chrom, start, end, target, chain)),
        np.array([head.to_chrom for head in heads], object),
        np.array([head.to_size for head in heads]),
        np.array([head.reverse for head in heads]),
    )


def lift(regions: pd.DataFrame, chain: Chain, places: np.ndarray | None = None) -> pd.DataFrame:
    """Lift regions ``chrom, start, end`` (bp), and one place in each where `places` (bp, -1 = none) gives it.

    A region is lifted where exactly one chain maps at least 95 % of its bases, its place among them, and its length
    changes by no more than that: it then reaches from its first to its last mapped base. On a chain to the reverse
    strand it is mirrored.

    Returns
    -------
    (N,) frame ``chrom, start, end, place, lifted``, in the order of `regions`; rows that are not `lifted` are empty,
    a place that was not given is -1.
    """
    codes = regions["chrom"].map(chain.chroms).fillna(-1).to_numpy(np.int64)
    start, end = regions["start"].to_numpy(np.int64), regions["end"].to_numpy(np.int64)
    places = np.full(len(regions), -1, np.int64) if places is None else places
    parts = [
        _lift(codes[rows], start[rows], end[rows], places[rows], chain)
        for rows in (slice(i, i + _REGIONS_AT_A_TIME) for i in range(0, max(len(regions), 1), _REGIONS_AT_A_TIME))
    ]
    lifted = pd.concat(parts, ignore_index=True)
    lifted.index = regions.index
    return lifted


def _lift(codes: np.ndarray, start: np.ndarray, end: np.ndarray, places: np.ndarray, chain: Chain) -> pd.DataFrame:
    region, block = _pairs(codes, start, end, chain)
    # pieces of one region on one chain stand together, from left to right
    order = np.lexsort((chain.start[block], chain.chain[block], region))
    region, block = region[order], block[order]
    number = chain.chain[block]
    low, high = np.maximum(chain.start[block], start[region]), np.minimum(chain.end[block], end[region])
    shift = chain.target[block] - chain.start[block]
    begins = np.append(True, (np.diff(region) != 0) | (np.diff(number) != 0))[: len(region)]
    first, group = np.flatnonzero(begins), np.cumsum(begins) - 1
    last = np.append(first[1:], len(region))[: len(first)] - 1
    of, which = region[first], number[first]
    length = end[of] - start[of]
    new_start, new_end = (low + shift)[first], (high + shift)[last]
    new_length = new_end - new_start
    enough = np.bincount(group, high - low, minlength=len(of)) >= MIN_MATCH * length
    once = np.bincount(of[enough], minlength=len(codes))[of] == 1
    alike = (new_length >= MIN_MATCH * length) & (new_length * MIN_MATCH <= length)
    holds = (low <= places[region]) & (places[region] < high)
    place = np.full(len(of), -1, np.int64)
    place[group[holds]] = (places[region] + shift)[holds]
    kept = enough & once & alike & ((place >= 0) | (places[of] < 0))
    size, reverse = chain.to_size[which], chain.reverse[which]
    found = {
        "chrom": pd.Series(chain.to_chrom[which], dtype="str"),
        "start": np.where(reverse, size - new_end, new_start),
        "end": np.where(reverse, size - new_start, new_end),
        "place": np.where(reverse & (place >= 0), size - 1 - place, place),
        "lifted": True,
    }
    empty = {"chrom": "", "start": 0, "end": 0, "place": -1, "lifted": False}
    table = pd.DataFrame(found).set_index(of)[kept].reindex(np.arange(len(codes)))
    return table.fillna(empty).astype({"start": "int64", "end": "int64", "place": "int64", "lifted": "bool"})


def _pairs(codes: np.ndarray, start: np.ndarray, end: np.ndarray, chain: Chain) -> tuple[np.ndarray, np.ndarray]:
    """Every region with every block that it overlaps: positions of both."""
    regions, blocks = [], []
    for code in np.unique(codes[codes >= 0]):
        rows = np.flatnonzero(codes == code)
        low, high = np.searchsorted(chain.chrom, [code, code + 1])
        # blocks of different chains may overlap: whatever ends behind the region's start may reach it
        reach = np.maximum.accumulate(chain.end[low:high])
        first = low + np.searchsorted(reach, start[rows], side="right")
        stop = low + np.searchsorted(chain.start[low:high], end[rows], side="left")
        n = np.maximum(stop - first, 0)
        region = np.repeat(rows, n)
        block = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n) + np.repeat(first, n)
        touch = chain.end[block] > start[region]
        regions.append(region[touch])
        blocks.append(block[touch])
    none = [np.empty(0, np.int64)]
    return np.concatenate(regions or none), np.concatenate(blocks or none)
