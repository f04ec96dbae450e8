"""Genomic regions: read BED-like text and do interval arithmetic.

A *region* is a row ``chrom, start, end`` in bp, 0-based and half-open, as in BED. Nothing here opens a FASTA or knows
what a label is.
"""

import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from bindgram.errors import InputError
from bindgram.provenance import write_text

REGION_COLUMNS = ("chrom", "start", "end")
GZIP_MAGIC = b"\x1f\x8b"
_HTML_STARTS = ("<!doctype html", "<html", "<head", "<?xml")
_SKIPPED_STARTS = ("#", "track ", "track\t", "browser ", "browser\t")
_CHROM_STRIDE = np.int64(1) << 40  # longer than any chromosome: keys of two chromosomes never meet


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


def read_bed3(path: Path) -> pd.DataFrame:
    """Read the first three columns of a BED file (gzip or not) as a frame ``chrom, start, end`` in file order.

    Raises
    ------
    InputError : a line that is no region, with file and line number. An empty file gives an empty frame.
    """
    return make_regions([parse_region(path, number, cells) for number, cells in region_lines(path)])


def make_regions(rows: list[tuple[str, int, int]]) -> pd.DataFrame:
    """Put ``(chrom, start, end)`` tuples into a frame with whole-number coordinates, also when there are none."""
    chroms, starts, ends = zip(*rows, strict=True) if rows else ((), (), ())
    return pd.DataFrame(
        {"chrom": pd.Series(chroms, dtype="str"), "start": np.array(starts, np.int64), "end": np.array(ends, np.int64)}
    )


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


def overlaps(regions: pd.DataFrame, others: pd.DataFrame) -> np.ndarray:
    """Tell for each of N regions whether it shares 1 bp or more with any of `others`: (N,) bool."""
    (starts, ends), (other_starts, other_ends), _ = _keys(regions, others)
    other_starts, other_ends = _merged(other_starts, other_ends)
    first = np.searchsorted(other_ends, starts, side="right")
    return np.append(other_starts, np.iinfo(np.int64).max)[first] < ends


def merge(regions: pd.DataFrame) -> pd.DataFrame:
    """Unite overlapping and touching regions; the result is sorted by chrom (as text) and start."""
    (starts, ends), _, names = _keys(regions, regions.iloc[:0])
    return _frame(*_merged(starts, ends), names)


def subtract(regions: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Return the pieces of each region that no other covers, in the order of `regions`, each from left to right."""
    (starts, ends), (other_starts, other_ends), names = _keys(regions, others)
    other_starts, other_ends = _merged(other_starts, other_ends)
    first = np.searchsorted(other_ends, starts, side="right")
    n_holes = np.searchsorted(other_starts, ends, side="left") - first
    row = np.repeat(np.arange(len(regions)), n_holes + 1)
    piece = np.arange(len(row)) - np.repeat(np.cumsum(n_holes + 1) - (n_holes + 1), n_holes + 1)
    hole = first[row] + piece
    padded_starts, padded_ends = np.append(other_starts, 0), np.append(other_ends, 0)
    left = np.where(piece == 0, starts[row], padded_ends[hole - 1])
    right = np.where(piece == n_holes[row], ends[row], padded_starts[np.minimum(hole, len(other_starts))])
    kept = left < right
    return _frame(left[kept], right[kept], names)


def extend(regions: pd.DataFrame, flank: int, chrom_sizes: Mapping[str, int]) -> pd.DataFrame:
    """Lengthen every region by `flank` bp on both sides, cut off at the chromosome ends; other columns are kept.

    Raises
    ------
    InputError : a region on a chromosome that the assembly does not have.
    """
    assert flank >= 0
    lengths = regions["chrom"].map(dict(chrom_sizes))
    if lengths.isna().any():
        unknown = sorted(set(regions["chrom"][lengths.isna()]))
        raise InputError(
            f"region on unknown chromosome {unknown[0]!r} ({len(unknown)} such name(s)); "
            f"the assembly has {', '.join(list(chrom_sizes)[:5])}, ..."
        )
    starts = np.maximum(regions["start"].to_numpy(np.int64) - flank, 0)
    ends = np.minimum(regions["end"].to_numpy(np.int64) + flank, lengths.to_numpy(np.int64))
    return regions.assign(start=starts, end=ends)


Span = tuple[np.ndarray, np.ndarray]


def _keys(regions: pd.DataFrame, others: pd.DataFrame) -> tuple[Span, Span, np.ndarray]:
    """Put both tables on one axis, chromosome after chromosome; return spans and the names in axis order."""
    chroms = np.concatenate([regions["chrom"].to_numpy(object), others["chrom"].to_numpy(object)])
    codes, names = pd.factorize(chroms, sort=True)
    shift = codes.astype(np.int64) * _CHROM_STRIDE
    n = len(regions)
    spans = [
        (frame["start"].to_numpy(np.int64) + offset, frame["end"].to_numpy(np.int64) + offset)
        for frame, offset in ((regions, shift[:n]), (others, shift[n:]))
    ]
    return spans[0], spans[1], names


def _merged(starts: np.ndarray, ends: np.ndarray) -> Span:
    if not len(starts):
        return starts, ends
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], ends[order]
    reach = np.maximum.accumulate(ends)
    first = np.append(True, starts[1:] > reach[:-1])
    last = np.append(first[1:], True)
    return starts[first], reach[last]


def _frame(starts: np.ndarray, ends: np.ndarray, names: np.ndarray) -> pd.DataFrame:
    chroms = np.asarray(names, dtype=object)[starts // _CHROM_STRIDE] if len(starts) else []
    return pd.DataFrame(
        {"chrom": pd.Series(chroms, dtype="str"), "start": starts % _CHROM_STRIDE, "end": ends % _CHROM_STRIDE}
    )
