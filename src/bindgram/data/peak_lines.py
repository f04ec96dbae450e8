"""Lines of peak files to a table of peaks: fast where a block of lines is clean, line by line where it is not.

The fast way reads a block with pyarrow and gives up at the first sign of anything odd; the careful way reads the same
block line by line, accepts what is odd but right, and names the line that is wrong. Both give the same table.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from bindgram.errors import InputError
from bindgram.genome.text import MAX_COORDINATE, SKIPPED_STARTS, block_lines, parse_region, split_cells

Row = tuple[str, int, int, int, float, int, int, str]
Block = tuple[int, bytes]
PEAK_DTYPES = {
    "chrom": "str",
    "start": "int64",
    "end": "int64",
    "summit": "int64",
    "strength": "float64",
    "support": "int64",
    "line": "int64",
    "name": "str",
}
# what the careful way may read otherwise than pyarrow: lines without a peak, and hexadecimal numbers
_ODD_STARTS = tuple(f"\n{start}".encode() for start in (*SKIPPED_STARTS, "track\n", "\n"))
_ODD_CELLS = (b"0x", b"0X")


@dataclass(frozen=True)
class Layout:
    """Columns of a text format, counted from 0; an optional column may be absent from a file.

    `columns` are those that a line must have. `summit` is an offset from start, `place` of the summit a coordinate.
    `support` holds a count, or the members themselves separated by commas. `pooled`: one file holds the peaks of many
    experiments, told apart by `name`, behind which, where it has a colon, members are listed.
    """

    label: str
    columns: tuple[str, ...]
    strength: int
    strength_name: str
    summit: int | None = None
    place: int | None = None
    support: int | None = None
    pooled: bool = False

    def shift(self, cells: list[str]) -> int:
        """1 where the first line of a pooled file begins with UCSC's bin, as its database tables do, else 0."""
        numbers = len(cells) > 4 and all(cells[i].isdecimal() for i in (0, 2, 3))
        return int(self.pooled and numbers)


def parse_blocks(path: Path, blocks: Iterable[Block], layout: Layout) -> Iterator[pd.DataFrame]:
    """Yield the peaks of each block of lines (`text_blocks`) with the columns of `PEAK_DTYPES`.

    Raises
    ------
    InputError : a line that is no peak of this format, by file and line.
    """
    shift = None
    named = False
    for number, block in blocks:
        if shift is None:
            number, block, named, cells = _without_preamble(number, block, named)
            if cells is None:
                continue
            shift = layout.shift(cells)
        peaks = _fast(number, block, layout, shift)
        yield _careful(path, number, block, layout, shift) if peaks is None else peaks


def peak_table(rows: Iterable[Row]) -> pd.DataFrame:
    """Put peaks into a table with the columns and types of `PEAK_DTYPES`, also when there are none."""
    values = list(zip(*rows, strict=True)) or [()] * len(PEAK_DTYPES)
    columns = zip(PEAK_DTYPES.items(), values, strict=True)
    return pd.DataFrame({name: pd.Series(column, dtype=dtype) for (name, dtype), column in columns})


def _without_preamble(number: int, block: bytes, named: bool) -> tuple[int, bytes, bool, list[str] | None]:
    """Leave out what stands before the first peak; `named` tells whether a line of column names was among it."""
    offset = 0
    while offset < len(block):
        end = block.index(b"\n", offset) + 1
        cells = split_cells(block[offset : end - 1].decode())
        if cells is not None and (named or not _is_header(cells)):
            return number, block[offset:], named, cells
        named |= cells is not None
        number, offset = number + 1, end
    return number, b"", named, None


def _is_header(cells: list[str]) -> bool:
    """Whether a line holds column names, as ``chrom start end`` or ``bin chrom chromStart chromEnd ...``."""
    return any(
        "start" in start.lower() and any(word in end.lower() for word in ("end", "stop"))
        for start, end in pairwise(cells[1:4])
    )


# Careful


def _careful(path: Path, number: int, block: bytes, layout: Layout, shift: int) -> pd.DataFrame:
    rows = []
    for line, text in block_lines(number, block):
        cells = split_cells(text)
        if cells is not None:
            rows.append(_row(path, line, cells, layout, shift))
    return peak_table(rows)


def _row(path: Path, number: int, cells: list[str], layout: Layout, shift: int) -> Row:
    where = f"{path}:{number}"
    needed = len(layout.columns)
    if len(cells) < needed + shift:
        raise InputError(
            f"{where}: {len(cells) - shift} column(s) where {layout.label} has {needed} ({' '.join(layout.columns)}), "
            "separated by tabs; check the format of this experiment in the sheet"
        )
    cells = cells[shift:]
    chrom, start, end = parse_region(path, number, cells)
    strength = _strength(where, layout.strength_name, cells[layout.strength] if len(cells) > layout.strength else ".")
    name = cells[3].strip() if layout.pooled else ""
    if layout.pooled and not name:
        raise InputError(f"{where}: the name (column {4 + shift}) is empty; it tells whose peak this is")
    summit = _summit(where, cells, start, end, layout)
    return chrom, start, end, summit, strength, _support(where, cells, name, layout), number, name


def _summit(where: str, cells: list[str], start: int, end: int, layout: Layout) -> int:
    index = layout.summit if layout.place is None else layout.place
    if index is None:
        return -1
    text = cells[index].strip()
    if not text.removeprefix("-").isdecimal() or not text.isascii():
        raise InputError(
            f"{where}: summit (column {index + 1}) {text[:40]!r} is not a whole number"
            + ("; -1 means not called" if layout.place is None else "")
        )
    summit = int(text[:20]) - (0 if layout.place is None else start)
    # ENCODE's own IDR peaks have a few summits that equal the length: the caller rounded, nothing is wrong.
    if layout.place is None and not -1 <= summit <= end - start:
        raise InputError(
            f"{where}: summit {text[:40]} lies outside the peak of {end - start} bp; column {index + 1} is the offset "
            "in bp from start, or -1 where no summit is called"
        )
    if layout.place is not None and not 0 <= summit <= end - start:
        raise InputError(f"{where}: summit {text[:40]} (column {index + 1}) lies outside the peak {start}-{end}")
    return summit


def _strength(where: str, name: str, cell: str) -> float:
    if cell.strip() == ".":
        return math.nan
    try:
        strength = float(cell)
    except ValueError:
        strength = math.inf
    if not math.isfinite(strength):
        raise InputError(f"{where}: {name} {cell[:40]!r} is not a finite number; put . where there is none")
    return strength


def _support(where: str, cells: list[str], name: str, layout: Layout) -> int:
    cell = cells[layout.support] if layout.support is not None and len(cells) > layout.support else ""
    support = support_of(cell, name)
    if support is None or (not layout.pooled and layout.support is not None and not cell.strip().isdecimal()):
        raise InputError(f"{where}: support (column {layout.support + 1}) {cell[:40]!r} is not a count of 1 or more")
    return support


def support_of(cell: str, name: str) -> int | None:
    """Experiments behind a peak: a count, the members in a cell, or those behind the colon of a name; else 1.

    None where the cell holds a count that is none.
    """
    text = cell.strip()
    if text.isdecimal() and text.isascii():
        return int(text) if len(text) < 10 and int(text) else None
    members = text if text else name.partition(":")[2]
    return max(1, sum(bool(member.strip()) for member in members.split(",")))


# Fast


def _fast(number: int, block: bytes, layout: Layout, shift: int) -> pd.DataFrame | None:
    """The peaks of a clean block; None where it is not clean, or not surely."""
    body = block.rstrip(b"\n")
    n_columns = body.partition(b"\n")[0].count(b"\t") + 1
    odd = any(start in body or body.startswith(start[1:]) for start in _ODD_STARTS) or not body
    if odd or n_columns < len(layout.columns) + shift or any(cell in body for cell in _ODD_CELLS):
        return None
    types = _column_types(layout, n_columns - shift)
    columns = _read_columns(body, {index + shift: kind for index, kind in types.items()}, n_columns)
    if columns is None or any(column.null_count for i, column in columns.items() if i - shift != layout.strength):
        return None
    columns = {index - shift: column for index, column in columns.items()}
    return _checked(number, columns, layout)


def _column_types(layout: Layout, n_columns: int) -> dict[int, pa.DataType]:
    text = pa.dictionary(pa.int32(), pa.string())
    types = {0: text, 1: pa.uint64(), 2: pa.uint64(), layout.strength: pa.float64()}
    types |= {index: pa.int64() for index in (layout.summit, layout.place) if index is not None}
    types |= {layout.support: text} if layout.support is not None else {}
    types |= {3: text} if layout.pooled else {}
    return {index: kind for index, kind in types.items() if index < n_columns}


def _read_columns(body: bytes, types: dict[int, pa.DataType], n_columns: int) -> dict[int, pa.Array] | None:
    names = [f"c{index}" for index in range(n_columns)]
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(body),
            pa.csv.ReadOptions(column_names=names, use_threads=False),
            pa.csv.ParseOptions(delimiter="\t", quote_char=False, escape_char=False, ignore_empty_lines=False),
            pa.csv.ConvertOptions(
                column_types={names[index]: kind for index, kind in types.items()},
                include_columns=[names[index] for index in types],
                null_values=["."],
                strings_can_be_null=False,
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, pa.ArrowNotImplementedError):
        return None  # the careful way reads the block again and names the line, or finds nothing wrong with it
    return {index: table.column(names[index]).combine_chunks() for index in types}


def _checked(number: int, columns: dict[int, pa.Array], layout: Layout) -> pd.DataFrame | None:
    n = len(columns[0])
    chroms = _texts(columns[0])
    start, end = (columns[index].to_numpy() for index in (1, 2))
    strength = np.full(n, np.nan)
    if layout.strength in columns:
        strength = columns[layout.strength].to_numpy(zero_copy_only=False)
        if np.isfinite(strength).sum() != n - columns[layout.strength].null_count:
            return None
    if chroms is None or not ((start < end) & (end <= MAX_COORDINATE)).all():
        return None
    start, end = start.astype(np.int64), end.astype(np.int64)
    summit = np.full(n, -1, np.int64)
    if layout.summit is not None or layout.place is not None:
        index = layout.summit if layout.place is None else layout.place
        summit = columns[index].to_numpy() - (0 if layout.place is None else start)
        if not ((summit >= (-1 if layout.place is None else 0)) & (summit <= end - start)).all():
            return None
    name = _texts(columns[3]) if layout.pooled else pd.Series("", index=range(n), dtype="str")
    support = None if name is None else _supports(columns, layout, n)
    if support is None:
        return None
    line = np.arange(number, number + n)
    values = (chroms, start, end, summit, strength, support, line, name)
    return pd.DataFrame(dict(zip(PEAK_DTYPES, values, strict=True)))


def _texts(column: pa.DictionaryArray) -> pd.Series | None:
    """Texts of a column; None where one is empty or has white space around it."""
    known = column.dictionary.to_pylist()
    if any(not text or text != text.strip() for text in known):
        return None
    return pd.Series(column.cast(pa.string()).to_pandas(), dtype="str")


def _supports(columns: dict[int, pa.Array], layout: Layout, n: int) -> np.ndarray | None:
    """Support of each peak, worked out once for each text; None where one is no support."""
    if layout.support in columns:
        column = columns[layout.support]
        found = [support_of(cell, "") for cell in column.dictionary.to_pylist()]
        if not layout.pooled and not all(cell.strip().isdecimal() for cell in column.dictionary.to_pylist()):
            return None
    elif layout.pooled:
        column = columns[3]
        found = [support_of("", name) for name in column.dictionary.to_pylist()]
    else:
        return np.ones(n, np.int64)
    return None if None in found else np.array(found, np.int64)[column.indices.to_numpy()]
