"""A genome on disk: an indexed FASTA, memory-mapped, read by faidx arithmetic.

The index line of a sequence gives the byte `offset` of its first base, the bases per line and the bytes per line; so
base ``p`` lies at byte ``offset + p // linebases * linewidth + p % linebases``. No sequence is ever held whole.
Coordinates are bp, 0-based and half-open; bases are ASCII codes (uint8) with their case kept.
"""

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from bindgram.errors import InputError
from bindgram.genome.text import GZIP_MAGIC

_CELLS_PER_CHUNK = 500_000  # of the index grid in `Genome.windows`: 4 MB of int64, and some 64 kB of file per window
_SCAN_BP = 8_000_000  # bp held at a time while scanning a chromosome
_LONG_BP = 1_000_000  # reads from this length on are parts of a pass over the genome


@dataclass(frozen=True)
class IndexEntry:
    """One line of a ``.fai``: `length` and `linebases` in bp, `offset` and `linewidth` in bytes."""

    length: int
    offset: int
    linebases: int
    linewidth: int

    def byte_of(self, position: int) -> int:
        """Byte of a base; `position` may be `length` - 1 at most."""
        return self.offset + position // self.linebases * self.linewidth + position % self.linebases


def read_index(path: Path) -> dict[str, IndexEntry]:
    """Read a faidx index: name to entry, in file order.

    Raises
    ------
    InputError : no such file, or a line that is not five columns with whole numbers.
    """
    entries: dict[str, IndexEntry] = {}
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; make it with: samtools faidx {Path(path).with_suffix('')}") from None
    for number, line in enumerate(lines, start=1):
        name, *numbers = line.split("\t")
        if len(numbers) != 4 or not all(cell.isdigit() for cell in numbers) or name in entries:
            raise InputError(f"{path}:{number}: {line!r} is no line of a FASTA index; make the index again")
        entries[name] = IndexEntry(*map(int, numbers))
        if entries[name].linebases < 1:
            raise InputError(f"{path}:{number}: sequence {name!r} is empty; remove it from the FASTA")
    return entries


class Genome:
    """An indexed, uncompressed FASTA. Use `Genome.open`, best as a context manager."""

    def __init__(self, path: Path, index: dict[str, IndexEntry], mapped: mmap.mmap) -> None:
        self.path = path
        self.chrom_sizes = {name: entry.length for name, entry in index.items()}
        self._index = index
        self._mapped: mmap.mmap | None = mapped
        self._data = np.frombuffer(mapped, np.uint8)

    @classmethod
    def open(cls, fasta: Path) -> Self:
        """Memory-map `fasta`, whose index ``<fasta>.fai`` lies beside it.

        Raises
        ------
        InputError : FASTA or index is missing, the FASTA is compressed, or the index is not that of this FASTA.
        """
        path = Path(fasta)
        index = read_index(path.with_name(path.name + ".fai"))
        if not path.is_file() or not path.stat().st_size or not index:
            raise InputError(f"{path}: no such file, or it or its index is empty")
        with path.open("rb") as handle:
            mapped = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        if mapped[:2] == GZIP_MAGIC:
            raise InputError(f"{path}: compressed; decompress it (bindgram fetch --kind fasta does)")
        genome = cls(path, index, mapped)
        genome._check_index()
        return genome

    def _check_index(self) -> None:
        for name, entry in self._index.items():
            last = entry.byte_of(entry.length - 1)
            line_start = self._data[entry.offset - 1] if entry.offset <= len(self._data) else 0
            after = self._data[last + 1] if last + 1 < len(self._data) else ord("\n")
            if last >= len(self._data) or line_start != ord("\n") or after not in b"\r\n":
                raise InputError(
                    f"{self.path}: its index does not fit at sequence {name!r}; the FASTA changed after indexing, "
                    "delete the .fai and index again"
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the memory map; arrays that were fetched stay valid, they are copies."""
        self._data, self._mapped = np.empty(0, np.uint8), None

    def _entry(self, chrom: str) -> IndexEntry:
        if chrom not in self._index:
            known = ", ".join(list(self._index)[:5])
            raise InputError(f"{self.path}: no chromosome {chrom!r}; it has {len(self._index)}: {known}, ...")
        return self._index[chrom]

    def fetch(self, chrom: str, start: int, end: int) -> np.ndarray:
        """Return the bases of one region: (end - start,) uint8, a copy without line ends.

        Raises
        ------
        InputError : unknown chromosome, or the region leaves it.
        """
        entry = self._entry(chrom)
        if not 0 <= start <= end <= entry.length:
            raise InputError(_leaves(self.path, chrom, start, end, entry.length))
        if start == end:
            return np.empty(0, np.uint8)
        first, last = start // entry.linebases, (end - 1) // entry.linebases
        n_full = last - first  # the last line is apart: nothing need follow its bases in the file
        begin = entry.offset + first * entry.linewidth
        tail = begin + n_full * entry.linewidth
        bases = np.empty(end - first * entry.linebases, np.uint8)
        lines = self._data[begin:tail].reshape(n_full, entry.linewidth)
        bases[: n_full * entry.linebases].reshape(n_full, entry.linebases)[...] = lines[:, : entry.linebases]
        bases[n_full * entry.linebases :] = self._data[tail : tail + len(bases) - n_full * entry.linebases]
        if end - start >= _LONG_BP:
            self._forget()
        return bases[start - first * entry.linebases :]

    def windows(self, chroms: Sequence[str], starts: np.ndarray, width: int) -> np.ndarray:
        """Return the bases of N windows of equal width: (N, width) uint8, in the order given.

        Raises
        ------
        InputError : unknown chromosome, or a window that leaves its chromosome, named by its region.
        """
        assert width > 0
        starts = np.asarray(starts, dtype=np.int64)
        codes, names = pd.factorize(np.asarray(chroms, dtype=object))
        assert len(codes) == len(starts)
        bases = np.empty((len(starts), width), np.uint8)
        rows_per_chunk = max(1, _CELLS_PER_CHUNK // width)
        order = np.argsort(codes, kind="stable")
        rows_of = np.split(order, np.cumsum(np.bincount(codes))[:-1])[: len(names)]  # one empty piece if no windows
        for name, rows in zip(names, rows_of, strict=True):
            self._check_windows(name, starts[rows], width)
            for begin in range(0, len(rows), rows_per_chunk):
                chunk = rows[begin : begin + rows_per_chunk]
                bases[chunk] = self._data[_byte_grid(self._index[name], starts[chunk], width)]
                self._forget()
        return bases

    def _forget(self) -> None:
        """Give back the pages of the file that were read: those of a whole genome would count as memory of this job."""
        if self._mapped is not None:
            self._mapped.madvise(mmap.MADV_DONTNEED)

    def _check_windows(self, chrom: str, starts: np.ndarray, width: int) -> None:
        length = self._entry(chrom).length
        outside = np.flatnonzero((starts < 0) | (starts + width > length))
        if len(outside):
            start = int(starts[outside[0]])
            raise InputError(_leaves(self.path, chrom, start, start + width, length))

    def scan(self, chrom: str, chunk_bp: int = _SCAN_BP) -> Iterator[tuple[int, np.ndarray]]:
        """Yield ``(start, bases)`` of one chromosome in pieces of `chunk_bp`, from left to right."""
        length = self._entry(chrom).length
        for start in range(0, length, chunk_bp):
            yield start, self.fetch(chrom, start, min(start + chunk_bp, length))


def _byte_grid(entry: IndexEntry, starts: np.ndarray, width: int) -> np.ndarray:
    """Bytes of every base of every window: (N, width) int64."""
    line, column = np.divmod(starts, entry.linebases)
    within = column[:, None] + np.arange(width, dtype=np.int64)
    line_ends = within // entry.linebases * (entry.linewidth - entry.linebases)
    return (entry.offset + line * entry.linewidth)[:, None] + within + line_ends


def _leaves(path: Path, chrom: str, start: int, end: int, length: int) -> str:
    return f"{path}: region {chrom}:{start}-{end} leaves the chromosome, which has {length} bp (0-based, half-open)"


def ambiguous_runs(genome: Genome, chunk_bp: int = _SCAN_BP) -> pd.DataFrame:
    """Find the runs of anything but A, C, G, T (either case): a frame ``chrom, start, end``, in genome order.

    Memory is bounded by `chunk_bp`, not by the genome.
    """
    is_base = np.zeros(256, bool)
    is_base[np.frombuffer(b"ACGTacgt", np.uint8)] = True
    frames = [_runs_of(chrom, genome.scan(chrom, chunk_bp), is_base) for chrom in genome.chrom_sizes]
    return pd.concat(frames, ignore_index=True)


def _runs_of(chrom: str, pieces: Iterator[tuple[int, np.ndarray]], is_base: np.ndarray) -> pd.DataFrame:
    edges, inside, position = [], False, 0
    for position, bases in pieces:
        ambiguous = ~is_base[bases]
        edges.append(np.flatnonzero(np.diff(ambiguous, prepend=inside)) + position)
        inside, position = bool(ambiguous[-1]), position + len(bases)
    borders = np.concatenate([*edges, [position] if inside else []]).astype(np.int64)
    return pd.DataFrame(
        {"chrom": pd.Series([chrom] * (len(borders) // 2), dtype="str"), "start": borders[::2], "end": borders[1::2]}
    )
