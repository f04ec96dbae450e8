"""bigBed files: the fields of each entry by the names of the file's own autoSql, else by their place as in BED.

References
----------
Kent et al. 2010, https://doi.org/10.1093/bioinformatics/btq351 (layout: header, items counted in front of the data)
"""

import re
import struct
from pathlib import Path
from typing import Any

import pandas as pd

from bindgram.data.peak_lines import Layout, parse_blocks, peak_table
from bindgram.errors import InputError
from bindgram.genome.text import BIGBED_MAGIC

_FIELD = re.compile(r"^\s*\w+(?:\s*\[\w+\]|\s*\([^)]*\))?\s+(\w+)\s*;", re.MULTILINE)
_BED = ("chrom", "start", "end", "name", "score")
_ABSENT = 1 << 30  # column of a field that the file does not have


def read_bigbed(path: Path) -> pd.DataFrame:
    """Read the peaks of a bigBed in file order; `line` counts its entries from 1.

    `signalValue` is the strength, or else `score`; `peak` (bp from start, -1 = not called) the summit; `support`, where
    there is such a field, the support.

    Raises
    ------
    InputError : not a bigBed, a damaged one, or an entry that is no peak.
    """
    n_entries = _count(path)
    try:
        fields, lines = _entries(path)
    except Exception as error:  # of the Rust library, which has no kind of its own for a damaged file
        raise InputError(f"{path}: damaged bigBed ({error}); fetch it again") from None
    except BaseException as error:  # what the Rust library raises where it stumbles over a damaged file
        if type(error).__name__ != "PanicException":
            raise
        raise InputError(f"{path}: damaged bigBed; fetch it again") from None
    block = "".join(f"{line}\n" for line in lines).encode()
    parts = list(parse_blocks(path, [(1, block)] if lines else [], _layout(fields)))
    peaks = parts[0] if parts else peak_table([])
    if not len(peaks) == len(lines) == n_entries:
        raise InputError(f"{path}: damaged bigBed: {len(peaks)} of its {n_entries} entries can be read; fetch it again")
    return peaks


def _count(path: Path) -> int:
    """Entries that a file says it has."""
    try:
        with Path(path).open("rb") as handle:
            header = handle.read(24)
            order = {BIGBED_MAGIC: "<", BIGBED_MAGIC[::-1]: ">"}.get(header[:4])
            if order is None:
                raise InputError(f"{path}: not a bigBed file (it does not begin as one); check the format in the sheet")
            if len(header) == 24:
                handle.seek(struct.unpack(f"{order}Q", header[16:])[0])
                count = handle.read(8)
                if len(count) == 8:
                    return struct.unpack(f"{order}Q", count)[0]
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path}: no such file") from None
    except (OSError, OverflowError, ValueError):
        pass
    raise InputError(f"{path}: truncated or damaged bigBed; fetch it again")


def _entries(path: Path) -> tuple[list[str], list[str]]:
    """Names of the fields, and all entries as lines of text."""
    import pybigtools

    reader: Any = pybigtools.open(str(path))
    try:
        lines = ["\t".join((chrom, *map(str, record))) for chrom in reader.chroms() for record in reader.records(chrom)]
        return _FIELD.findall(reader.sql() or ""), lines
    finally:
        reader.close()


def _layout(fields: list[str]) -> Layout:
    place = {name: index for index, name in enumerate(fields if len(fields) > 3 else _BED)}
    strength = next((name for name in ("signalValue", "score") if name in place), "score")
    needed = max(3, *(place[name] + 1 for name in ("peak", "support") if name in place), 3)
    return Layout(
        "this bigBed",
        tuple(place)[:needed],
        place.get(strength, _ABSENT),
        strength,
        summit=place.get("peak"),
        support=place.get("support"),
    )
