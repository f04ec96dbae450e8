"""An assembly's FASTA: normalise it while it streams by, check its names and lengths, index it.

`normalise_fasta` brings any FASTA (plain, gzip, bgzip; any line width, Windows line ends) into the one layout that is
used everywhere after: line feeds, 60 bases per line, every sequence named once and not empty, case kept. Memory is
bounded by a block of some MB, whatever the length of the chromosomes.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np

from bindgram.errors import InputError
from bindgram.genome.fasta import read_index
from bindgram.genome.text import GZIP_MAGIC, write_chrom_sizes
from bindgram.provenance import atomic_path

LINE_BASES = 60
_BLOCK_BYTES = 8 << 20
_WHITE_SPACE = b" \t\r\n"
_IUPAC = b"ACGTUNRYSWKMBDHVXacgtunryswkmbdhvx"
# chr1, chrX, chrM, 22, MT, IV, 2L, ...: whole chromosomes; scaffolds, patches and alternative loci have longer names
MAIN_CHROMOSOME = re.compile(r"(chr)?(\d{1,3}[A-Z]?|[IVX]+|[WYZ]|M|MT)")


def fasta_pieces(handle: IO[bytes], block_bytes: int = _BLOCK_BYTES) -> Iterator[tuple[str | None, bytes]]:
    """Cut a FASTA into ``(header, b"")`` and ``(None, sequence text)``; long sequences come in several pieces.

    Raises
    ------
    InputError : it does not begin with ``>``, or ``>`` stands within a line.
    """
    line_start = True
    for block in iter(lambda: handle.read(block_bytes), b""):
        last_line = block.rfind(b"\n") + 1
        if block.startswith(b">", last_line) and (last_line or line_start):
            block += handle.readline()  # a header is never cut in two
        position = 0
        while (mark := block.find(b">", position)) >= 0:
            if not (line_start if mark == 0 else block[mark - 1] in b"\r\n"):
                raise InputError("'>' stands within a line; in FASTA it only begins a line with a name")
            if mark > position:
                yield None, block[position:mark]
            line_end = block.find(b"\n", mark)
            position = len(block) if line_end < 0 else line_end + 1
            yield block[mark + 1 : position].decode("utf-8", "replace").strip(), b""
        if position < len(block):
            yield None, block[position:]
        line_start = block.endswith(b"\n")


class _LineWriter:
    """Writes the bases of one sequence after another in lines of `LINE_BASES`."""

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle
        self._rest = b""

    def write(self, bases: bytes) -> None:
        """Add bases; up to one line of them waits for the next call."""
        bases = self._rest + bases
        n_lines = len(bases) // LINE_BASES
        lines = np.full((n_lines, LINE_BASES + 1), ord("\n"), np.uint8)
        full = np.frombuffer(bases, np.uint8, n_lines * LINE_BASES)
        lines[:, :LINE_BASES] = full.reshape(n_lines, LINE_BASES)
        self._handle.write(lines.data)
        self._rest = bases[n_lines * LINE_BASES :]

    def end_sequence(self) -> None:
        """Write what waits."""
        if self._rest:
            self._handle.write(self._rest + b"\n")
        self._rest = b""


def normalise_fasta(source: IO[bytes], target: IO[bytes], block_bytes: int = _BLOCK_BYTES) -> dict[str, int]:
    """Copy a FASTA into the layout of this module and return the length (bp) of every sequence, in file order.

    Raises
    ------
    InputError : no sequence, one without name or without bases, a name twice, or a letter that is no base.
    """
    sizes: dict[str, int] = {}
    name, writer = None, _LineWriter(target)
    for header, text in fasta_pieces(source, block_bytes):
        if header is not None:
            writer.end_sequence()
            _refuse_empty(name, sizes)
            name = _new_name(header, sizes)
            sizes[name] = 0
            target.write(f">{header}\n".encode())
            continue
        bases = text.translate(None, _WHITE_SPACE)
        if name is None and bases:
            raise InputError(f"not a FASTA: it begins with {text[:20]!r}; a FASTA begins with '>' and a name")
        wrong = bases.translate(None, _IUPAC)
        if wrong:
            raise InputError(f"sequence {name!r} has {chr(wrong[0])!r}, which is no IUPAC letter of a nucleotide")
        if bases:
            sizes[name] += len(bases)
            writer.write(bases)
    writer.end_sequence()
    _refuse_empty(name, sizes)
    if not sizes:
        raise InputError("not a FASTA: no sequence in it; a FASTA begins with '>' and a name")
    return sizes


def _new_name(header: str, sizes: Mapping[str, int]) -> str:
    name = header.split(maxsplit=1)[0] if header else ""
    if not name or header[0].isspace():
        raise InputError(f"sequence {len(sizes) + 1} has no name after '>'")
    if name in sizes:
        raise InputError(f"the name {name!r} stands twice; names are unique")
    return name


def _refuse_empty(name: str | None, sizes: Mapping[str, int]) -> None:
    if name is not None and sizes[name] == 0:
        raise InputError(f"sequence {name!r} is empty; remove it")


def check_sizes(found: Mapping[str, int], expected: Mapping[str, int]) -> None:
    """Compare the sequences of a FASTA with a table of chromosome lengths.

    Every name in the table must be in the FASTA with the same length, and every main chromosome of the FASTA (see
    `MAIN_CHROMOSOME`) must be in the table. Scaffolds that only the FASTA has are no contradiction.

    Raises
    ------
    InputError : a contradiction; the first three of each kind are named.
    """
    missing = [name for name in expected if name not in found]
    different = [
        f"{name} ({found[name]} bp, expected {expected[name]})"
        for name in expected
        if name in found and found[name] != expected[name]
    ]
    unlisted = [name for name in found if name not in expected and MAIN_CHROMOSOME.fullmatch(name)]
    kinds = (("not in the FASTA", missing), ("of another length", different), ("not in the sizes", unlisted))
    problems = [f"{len(names)} {what}: {', '.join(names[:3])}" for what, names in kinds if names]
    if problems:
        raise InputError(
            f"wrong assembly: it contradicts the chromosome sizes: {'; '.join(problems)}. "
            "Give the table of this very FASTA (a subset of chromosomes needs a subset of the table), or none"
        )


def write_index(fasta: Path, fai: Path, chrom_sizes: Path, n_sequences: int, n_bp: int) -> None:
    """Write the faidx index of a plain FASTA and its chromosome lengths, each whole or not at all.

    `n_sequences` and `n_bp` are what the FASTA must have by its record.

    Raises
    ------
    InputError : repeated names, empty sequences, lines of unequal width, no FASTA, or not the one recorded.
    """
    import pysam

    try:
        with Path(fasta).open("rb") as handle:
            _check_names(handle)
        with atomic_path(fai) as part:
            pysam.faidx("--fai-idx", str(part), str(fasta))
            sizes = {name: entry.length for name, entry in read_index(part).items()}
            if (len(sizes), sum(sizes.values())) != (n_sequences, n_bp):
                raise InputError(
                    f"it has {len(sizes)} sequences of {sum(sizes.values())} bp in all, its record says {n_sequences} "
                    f"of {n_bp}; it changed since"
                )
    except (InputError, pysam.SamtoolsError) as error:
        raise InputError(
            f"{fasta}: cannot be indexed: {str(error).strip()}; bindgram fetch --kind fasta gives one that can"
        ) from None
    write_chrom_sizes(chrom_sizes, sizes)


def _check_names(handle: IO[bytes]) -> None:
    """Refuse what faidx passes over: repeated names and empty sequences."""
    if handle.read(2) == GZIP_MAGIC:
        raise InputError("it is compressed")
    handle.seek(0)
    filled: dict[str, int] = {}
    name = None
    for header, text in fasta_pieces(handle):
        if header is not None:
            _refuse_empty(name, filled)
            name = _new_name(header, filled)
            filled[name] = 0
        elif name is not None and not filled[name]:
            filled[name] = int(bool(text.strip()))
    _refuse_empty(name, filled)
