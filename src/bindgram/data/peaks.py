"""Peak files: narrowPeak, broadPeak and BED (gzip or not) to one table of peaks.

A *peak* is a row ``chrom, start, end, summit, strength, line``: bp, 0-based, half-open; `summit` in bp from `start`
(-1 = not called); `strength` is NaN where the file has none; `line` is its line number, for messages.

References
----------
Column order: https://genome.ucsc.edu/FAQ/FAQformat.html (format1 BED, format12 narrowPeak, format13 broadPeak)
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from bindgram.errors import InputError
from bindgram.genome.text import parse_region, region_lines

BED_COLUMNS = ("chrom", "start", "end", "name", "score")
BROADPEAK_COLUMNS = (*BED_COLUMNS, "strand", "signalValue", "pValue", "qValue")
NARROWPEAK_COLUMNS = (*BROADPEAK_COLUMNS, "peak")
_BESIDE_CHROMOSOMES = re.compile(r"^chrUn_|_(?:random|alt|fix|decoy|hap\d+)$")  # names that UCSC gives

Cells = Iterator[tuple[int, list[str]]]
Peak = tuple[str, int, int, int, float, int]


def read_peaks(path: Path, format: str) -> pd.DataFrame:
    """Read a peak file: one row per peak in file order, with the columns of the module docstring.

    Comments, ``track`` and ``browser`` lines are skipped, and so is a first line of column names.

    Raises
    ------
    InputError : missing or damaged file, or a line that is no peak of this format, with its number. A file without
        peaks gives an empty table.
    """
    if format not in PEAK_READERS:
        raise InputError(f"{path}: format {format!r} is not a peak format; use one of {', '.join(PEAK_READERS)}")
    peaks = PEAK_READERS[format](path)
    chroms, starts, ends, summits, strengths, lines = zip(*peaks, strict=True) if peaks else ((),) * 6
    return pd.DataFrame(
        {
            "chrom": pd.Series(chroms, dtype="str"),
            "start": np.array(starts, np.int64),
            "end": np.array(ends, np.int64),
            "summit": np.array(summits, np.int64),
            "strength": np.array(strengths, np.float64),
            "line": np.array(lines, np.int64),
        }
    )


def read_assembly_peaks(path: Path, format: str, chrom_sizes: Mapping[str, int]) -> pd.DataFrame:
    """Read a peak file and refuse peaks of another assembly.

    Contigs beside the chromosomes (``_random``, ``_alt``, ...) may be absent from it, since many FASTA files leave
    them out.

    Raises
    ------
    InputError : see `read_peaks`; or a peak lies on an unknown chromosome or starts beyond the end of its
        chromosome; names file and line.
    """
    peaks = read_peaks(path, format)
    sizes = peaks["chrom"].map(dict(chrom_sizes)).astype("float64")
    aside = peaks["chrom"].str.contains(_BESIDE_CHROMOSOMES)
    unknown = peaks[sizes.isna() & ~aside]
    known = ", ".join(list(chrom_sizes)[:30]) + (", ..." if len(chrom_sizes) > 30 else "")
    if len(unknown):
        first = unknown.iloc[0]
        raise InputError(
            f"{path}:{first['line']}: chromosome {first['chrom']!r} is not in the assembly ({len(unknown)} such "
            f"peaks); it has {len(chrom_sizes)}: {known}. Check the assembly of this experiment in the sheet"
        )
    beyond = peaks[(peaks["start"] >= sizes).to_numpy(bool)]
    if len(beyond):
        first = beyond.iloc[0]
        raise InputError(
            f"{path}:{first['line']}: peak {first['chrom']}:{first['start']}-{first['end']} lies beyond the end of "
            f"{first['chrom']}, which has {chrom_sizes[first['chrom']]} bp ({len(beyond)} such peaks); these are "
            "peaks of another assembly"
        )
    return peaks


def summit_positions(peaks: pd.DataFrame) -> pd.Series:
    """Where the summit of each peak lies, in bp of its chromosome; its midpoint where no summit is called."""
    middle = (peaks["start"] + peaks["end"]) // 2
    return (peaks["start"] + peaks["summit"]).where(peaks["summit"] >= 0, middle)


def read_narrowpeak(path: Path) -> list[Peak]:
    """Peaks with the summit of column 10 and the signalValue of column 7."""
    peaks = []
    for number, cells in _peak_lines(path, "narrowPeak", NARROWPEAK_COLUMNS):
        chrom, start, end = parse_region(path, number, cells)
        summit = _summit(path, number, cells[9], end - start)
        peaks.append((chrom, start, end, summit, _strength(path, number, "signalValue", cells[6]), number))
    return peaks


def read_broadpeak(path: Path) -> list[Peak]:
    """Peaks without a summit, with the signalValue of column 7."""
    return [
        (*parse_region(path, number, cells), -1, _strength(path, number, "signalValue", cells[6]), number)
        for number, cells in _peak_lines(path, "broadPeak", BROADPEAK_COLUMNS)
    ]


def read_bed(path: Path) -> list[Peak]:
    """Peaks without a summit; the score of column 5 is their strength, where the file has it."""
    return [
        (*parse_region(path, number, cells), -1, _strength(path, number, "score", (*cells, ".", ".")[4]), number)
        for number, cells in _peak_lines(path, "BED", BED_COLUMNS[:3])
    ]


PEAK_READERS: dict[str, Callable[[Path], list[Peak]]] = {
    "narrowPeak": read_narrowpeak,
    "broadPeak": read_broadpeak,
    "bed": read_bed,
}


def _peak_lines(path: Path, format: str, columns: tuple[str, ...]) -> Cells:
    for index, (number, cells) in enumerate(region_lines(path)):
        if index == 0 and _is_header(cells):
            continue
        if len(cells) < len(columns):
            raise InputError(
                f"{path}:{number}: {len(cells)} column(s) where {format} has {len(columns)} ({' '.join(columns)}), "
                "separated by tabs; check the format of this experiment in the sheet"
            )
        yield number, cells


def _is_header(cells: list[str]) -> bool:
    """Whether a line holds column names, as ``chrom start end`` or ``seqnames chromStart chromEnd ...``."""
    return len(cells) >= 3 and "start" in cells[1].lower() and any(word in cells[2].lower() for word in ("end", "stop"))


def _summit(path: Path, number: int, cell: str, length: int) -> int:
    text = cell.strip()
    if not text.removeprefix("-").isdecimal() or not text.isascii():
        raise InputError(f"{path}:{number}: summit (column 10) {cell!r} is not a whole number; -1 means not called")
    # ENCODE's own IDR peaks have a few summits that equal the length: the caller rounded, nothing is wrong.
    if not -1 <= int(text) <= length:
        raise InputError(
            f"{path}:{number}: summit {text} lies outside the peak of {length} bp; column 10 is the offset in bp from "
            "start, or -1 where no summit is called"
        )
    return int(text)


def _strength(path: Path, number: int, name: str, cell: str) -> float:
    if cell.strip() == ".":
        return math.nan
    try:
        strength = float(cell)
    except ValueError:
        strength = math.inf
    if not math.isfinite(strength):
        raise InputError(f"{path}:{number}: {name} {cell!r} is not a finite number; put . where there is none")
    return strength
