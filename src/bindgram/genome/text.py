"""Text files as they are published: plain, gzip or bgzip, with lines of a BED file or a table of lengths.

Nothing here needs arrays or tables, so that a command that only brings files starts at once.
"""

import codecs
import gzip
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from bindgram.errors import InputError
from bindgram.provenance import write_text

GZIP_MAGIC = b"\x1f\x8b"
_HTML_STARTS = ("<!doctype html", "<html", "<head", "<?xml")
SKIPPED_STARTS = ("#", "track ", "track\t", "browser ", "browser\t")
BLOCK_BYTES = 1 << 24
BIGBED_MAGIC = bytes.fromhex("ebf28987")  # of a little-endian file
MAX_COORDINATE = 10**12  # bp; longer than any chromosome
_HTML_REACH = 4096


def looks_like_html(text: str) -> bool:
    """Whether a file that begins with `text` is a web page (of an error, most often) and not data."""
    return text.lstrip("\ufeff \t\r\n").lower().startswith(_HTML_STARTS)


def open_maybe_gzip(path: Path) -> IO[bytes]:
    """Open a plain, gzip or bgzip file for reading bytes; told apart by content, not by name.

    Raises
    ------
    InputError : there is no such file.
    """
    try:
        with Path(path).open("rb") as handle:
            compressed = handle.read(2) == GZIP_MAGIC
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path}: no such file") from None
    return gzip.open(path, "rb") if compressed else Path(path).open("rb")


def text_blocks(path: Path, n_bytes: int = BLOCK_BYTES) -> Iterator[tuple[int, bytes]]:
    """Yield a text file, gzip or not, as ``(number of the first line, whole lines)`` of about `n_bytes` bytes each.

    Every line ends with a line feed, the last one too; Windows line ends and a byte order mark are removed.

    Raises
    ------
    InputError : no such file, truncated or damaged gzip, a web page, or not UTF-8 text; with the line reached.
    """
    number = 1
    for block in _whole_lines(path, n_bytes):
        if number == 1:
            block = block.removeprefix(codecs.BOM_UTF8)
            if looks_like_html(block[:_HTML_REACH].decode("utf-8", "replace")):
                raise InputError(f"{path}: a web page (HTML), not data; check the address it came from")
        _check_text(path, number, block)
        yield number, block
        number += block.count(b"\n")


def _whole_lines(path: Path, n_bytes: int) -> Iterator[bytes]:
    """Cut a file behind line ends; a line that is longer than a block makes the block longer."""
    parts: list[bytes] = []
    n_lines = 0
    try:
        with open_maybe_gzip(path) as raw:
            while chunk := raw.read(n_bytes):
                head, end, tail = chunk.rpartition(b"\n")
                if end:
                    block = _line_feeds(b"".join([*parts, head, end]))
                    parts = []
                    n_lines += block.count(b"\n")
                    yield block
                parts.append(tail)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: truncated or damaged gzip after line {n_lines} ({error}); fetch it again") from None
    if rest := _line_feeds(b"".join(parts)):
        yield rest if rest.endswith(b"\n") else rest + b"\n"


def _line_feeds(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text


def _check_text(path: Path, number: int, block: bytes) -> None:
    if b"\0" in block:
        line = number + block.count(b"\n", 0, block.index(b"\0"))
        if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise InputError(f"{path}: not UTF-8 text (it is UTF-16); save it as plain text in UTF-8")
        raise InputError(f"{path}:{line}: not a text file (it has zero bytes)")
    try:
        block.isascii() or block.decode("utf-8")
    except UnicodeDecodeError as error:
        line = number + block.count(b"\n", 0, error.start)
        raise InputError(f"{path}:{line}: not UTF-8 text; save it as plain text in UTF-8") from None


def block_lines(number: int, block: bytes) -> Iterator[tuple[int, str]]:
    """Yield ``(line number, line)`` of a block of `text_blocks`, without line ends."""
    return enumerate(block.decode("utf-8").removesuffix("\n").split("\n"), start=number)


def text_lines(path: Path) -> Iterator[str]:
    """Yield every line of a text file, gzip or not, without its line end.

    Windows line ends and a byte order mark are removed; comments and empty lines are kept, so that
    ``enumerate(text_lines(path), start=1)`` gives line numbers.

    Raises
    ------
    InputError : see `text_blocks`.
    """
    for number, block in text_blocks(path):
        for _, line in block_lines(number, block):
            yield line


def split_cells(line: str) -> list[str] | None:
    """Cells of a line of a BED-like file; None for a comment, ``track``, ``browser`` or empty line.

    Cells are separated by tabs, or by any white space in a line that has no tab.
    """
    if not line.strip() or line.startswith(SKIPPED_STARTS) or line.strip() == "track":
        return None
    return line.rstrip().split("\t") if "\t" in line else line.split()


def region_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield ``(line number, cells)`` of a BED-like file, see `split_cells`, without the lines that have none.

    Raises
    ------
    InputError : see `text_blocks`.
    """
    for number, line in enumerate(text_lines(path), start=1):
        cells = split_cells(line)
        if cells is not None:
            yield number, cells


def parse_region(path: Path, number: int, cells: list[str]) -> tuple[str, int, int]:
    """Check the first three cells of a BED-like line.

    Raises
    ------
    InputError : too few cells, no chromosome, a coordinate that is no whole number, or an end not after its start.
    """
    where = f"{path}:{number}"
    if len(cells) < 3:
        raise InputError(f"{where}: {len(cells)} column(s); a region needs chrom, start and end, separated by tabs")
    chrom = cells[0].strip()
    if not chrom:
        raise InputError(f"{where}: the chromosome (column 1) is empty")
    start, end = (_whole_number(where, name, cell) for name, cell in (("start", cells[1]), ("end", cells[2])))
    if end <= start:
        raise InputError(f"{where}: end {end} is not after start {start}; BED regions are 0-based and half-open")
    return chrom, start, end


def _whole_number(where: str, name: str, cell: str) -> int:
    text = cell.strip()
    if not (text.isascii() and text.isdigit()):
        raise InputError(
            f"{where}: {name} {cell!r} is not a whole number of 0 or more; delete a header line or put # before it"
        )
    value = int(text[:20])  # a number of more digits is too large already
    if value > MAX_COORDINATE:
        raise InputError(f"{where}: {name} {cell[:40]!r} is too large; no chromosome is so long")
    return value


def read_chrom_sizes(path: Path) -> dict[str, int]:
    """Read chromosome lengths (bp) from a table ``name, length``; further columns (as in ``.fai``) are ignored.

    Raises
    ------
    InputError : a malformed line, a repeated name, a length below 1, or no line at all.
    """
    sizes: dict[str, int] = {}
    for number, cells in region_lines(path):
        where = f"{path}:{number}"
        if len(cells) < 2:
            raise InputError(f"{where}: {cells} has no length; each line is a name, a tab and a length in bp")
        name, length = cells[0].strip(), _whole_number(where, "length", cells[1])
        if name in sizes:
            raise InputError(f"{where}: {name!r} is listed twice; names are unique")
        if length < 1:
            raise InputError(f"{where}: length of {name!r} is {length}; it must be 1 or more")
        sizes[name] = length
    if not sizes:
        raise InputError(f"{path}: no chromosome; each line is a name, a tab and a length in bp")
    return sizes


def write_chrom_sizes(path: Path, sizes: Mapping[str, int]) -> None:
    """Write chromosome lengths (bp) as lines ``name, length``, whole or not at all."""
    write_text(path, "".join(f"{name}\t{length}\n" for name, length in sizes.items()))
