"""Peak files of every format to one table of peaks.

A *peak* is a row ``chrom, start, end, summit, strength, support, line``: bp, 0-based, half-open; `summit` in bp from
`start` (-1 = not called); `strength` is NaN where the file has none; `support` is the number of experiments, replicates
or cell types behind the peak where the file tells, else 1; `line` is its line number, for messages.

References
----------
Column order: https://genome.ucsc.edu/FAQ/FAQformat.html (format1 BED, format12 narrowPeak, format13 broadPeak)
ENCODE clusters: https://genome.ucsc.edu/cgi-bin/hgTables, table encRegTfbsClustered (bin, then BED5, sourceCount, ...)
ReMap 2022: https://doi.org/10.1093/nar/gkab996; names EXPERIMENT.TF.BIOSAMPLE or TF:BIOSAMPLE,..., summit = thickStart
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pandas as pd

from bindgram.data.bigbed import read_bigbed
from bindgram.data.peak_lines import PEAK_DTYPES, Layout, parse_blocks, peak_table
from bindgram.errors import InputError
from bindgram.genome.text import region_lines, text_blocks

BED_COLUMNS = ("chrom", "start", "end", "name", "score")
BROADPEAK_COLUMNS = (*BED_COLUMNS, "strand", "signalValue", "pValue", "qValue")
NARROWPEAK_COLUMNS = (*BROADPEAK_COLUMNS, "peak")
REMAP_COLUMNS = (*BED_COLUMNS, "strand", "thickStart", "thickEnd")
PEAK_COLUMNS = tuple(name for name in PEAK_DTYPES if name != "name")
LAYOUTS = {
    "narrowPeak": Layout("narrowPeak", NARROWPEAK_COLUMNS, 6, "signalValue", summit=9),
    "broadPeak": Layout("broadPeak", BROADPEAK_COLUMNS, 6, "signalValue"),
    "bed": Layout("BED", BED_COLUMNS[:3], 4, "score"),
    "extracted": Layout("extracted", (*NARROWPEAK_COLUMNS, "support"), 6, "signalValue", summit=9, support=10),
    "encode_clusters": Layout("encode_clusters", BED_COLUMNS[:4], 4, "score", support=5, pooled=True),
    "remap": Layout("remap", REMAP_COLUMNS, 4, "score", place=6, pooled=True),
}
_BESIDE_CHROMOSOMES = re.compile(r"^chrUn_|_(?:random|alt|fix|decoy|hap\d+)$")  # names that UCSC gives


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
    if peaks["name"].nunique() > 1:
        raise InputError(f"{path}: {peaks['name'].nunique()} names in it; take one out with bindgram extract")
    return peaks[list(PEAK_COLUMNS)]


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
    unknown = peaks[sizes.isna()]
    unknown = unknown[~unknown["chrom"].str.contains(_BESIDE_CHROMOSOMES)]
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


def read_open_chromatin(path: Path, chrom_sizes: Mapping[str, int]) -> pd.DataFrame:
    """Read peaks of open chromatin: ``chrom, position`` (bp) of their summits, or midpoints where none is called.

    A file whose first line has the ten columns of narrowPeak, the last one a whole number, is read as such, any other
    as BED.

    Raises
    ------
    InputError : see `read_assembly_peaks`.
    """
    first = next((cells for _, cells in region_lines(path)), [])
    is_narrowpeak = len(first) == len(NARROWPEAK_COLUMNS) and first[-1].strip().removeprefix("-").isdecimal()
    peaks = read_assembly_peaks(path, "narrowPeak" if is_narrowpeak else "bed", chrom_sizes)
    return pd.DataFrame({"chrom": peaks["chrom"], "position": summit_positions(peaks)})


def summit_positions(peaks: pd.DataFrame) -> pd.Series:
    """Where the summit of each peak lies, in bp of its chromosome; its midpoint where no summit is called."""
    middle = (peaks["start"] + peaks["end"]) // 2
    return (peaks["start"] + peaks["summit"]).where(peaks["summit"] >= 0, middle)


def read_text_peaks(path: Path, format: str) -> pd.DataFrame:
    """Read all peaks of a text format (`LAYOUTS`), with their `name` where one file holds many experiments."""
    parts = list(parse_blocks(path, text_blocks(path), LAYOUTS[format]))
    return pd.concat(parts, ignore_index=True) if parts else peak_table([])


PEAK_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    **{format: partial(read_text_peaks, format=format) for format in LAYOUTS},
    "bigBed": read_bigbed,
}
