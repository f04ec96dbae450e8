"""Sequences of a FASTA that is no genome: read once, one record after another, without an index."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bindgram.errors import InputError
from bindgram.genome.text import text_blocks

_HEADER = re.compile(rb"^>(.*)\n", flags=re.MULTILINE)
_SPACE = b" \t\n\r\f\v"
_BASES = b"ACGTRYSWKMBDHVNacgtryswkmbdhvn"  # IUPAC's letters for DNA; all but A, C, G, T are ambiguous


def read_sequences(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield ``(name, letters)`` of every record: the header's first word, and (bp,) uint8 ASCII letters as they stand.

    Raises
    ------
    InputError : not FASTA, no record, a record without a name, or a letter that stands for no base of DNA.
    """
    name, parts = None, []
    for _, block in text_blocks(path):
        before, *records = _HEADER.split(block)
        if before.strip():
            if name is None:
                raise InputError(f"{path}: not FASTA: it begins with {_quoted(before)}, not with > and a name")
            parts.append(before)
        for header, text in zip(records[::2], records[1::2], strict=True):
            if name is not None:
                yield name, _letters(path, name, parts)
            words = header.split()
            if not words:
                raise InputError(
                    f"{path}: a record without a name, after {name or 'the start'!r}; write one behind its >"
                )
            name, parts = words[0].decode(), [text]
    if name is None:
        raise InputError(f"{path}: no sequence in it; a FASTA record is a line > and a name, then lines of bases")
    yield name, _letters(path, name, parts)


def _letters(path: Path, name: str, parts: list[bytes]) -> np.ndarray:
    text = b"".join(parts).translate(None, _SPACE)
    if odd := text.translate(None, _BASES):
        hint = "; RNA: write T for U" if odd[:1] in b"Uu" else ""
        raise InputError(f"{path}: sequence {name!r}: {_quoted(odd[:1])} stands for no base of DNA{hint}")
    return np.frombuffer(text, np.uint8)


def _quoted(text: bytes) -> str:
    return repr(text.strip()[:20].decode("utf-8", "replace"))
