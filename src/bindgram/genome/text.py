"""Text files as they are published: plain, gzip or bgzip, with lines of a BED file or a table of lengths.

Nothing here needs arrays or tables, so that a command that only brings files starts at once.
"""

import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from bindgram.errors import InputError
from bindgram.provenance import write_text

GZIP_MAGIC = b"\x1f\x8b"
_HTML_STARTS = ("<!doctype html", "<html", "<head", "<?xml")
_SKIPPED_STARTS = ("#", "track ", "track\t", "browser ", "browser\t")


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


def text_lines(path: Path) -> Iterator[str]:
    """Yield every line of a text file, gzip or not, without its line end.

    Windows line ends and a byte order mark are removed; comments and empty lines are kept, so that
    ``enumerate(text_lines(path), start=1)`` gives line numbers.

    Raises
    ------
    InputError : no such file, truncated or damaged gzip, a web page, or not UTF-8 text; with the line reached.
    """
    number, blank = 0, True
    try:
        with open_maybe_gzip(path) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline=None) as text:
            for line in text:
                if blank and looks_like_html(line):
                    raise InputError(f"{path}: a web page (HTML), not data; check the address it came from")
                if "\0" in line:
                    raise InputError(f"{path}:{number + 1}: not a text file (it has zero bytes)")
                number, blank = number + 1, blank and not line.strip()
                yield line.rstrip("\n")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text after line {number}; save it as plain text in UTF-8") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: truncated or damaged gzip after line {number} ({error}); fetch it again") from None


def region_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield ``(line number, cells)`` of a BED-like file without comments, ``track``, ``browser`` and empty lines.

    Cells are separated by tabs, or by any white space in a line that has no tab.

    Raises
    ------
    InputError : see `text_lines`.
    """
    for number, line in enumerate(text_lines(path), start=1):
        if line.strip() and not line.startswith(_SKIPPED_STARTS) and line.strip() != "track":
            yield number, (line.rstrip().split("\t") if "\t" in line else line.split())


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
    return int(text)


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
