"""Files that pool many experiments (ENCODE clusters, ReMap): sorted by TF once, so that one experiment is read at once.

The *pool* is a ZIP archive: entry ``<block>/<TF>`` holds the lines of one TF in one block of the file, as published.
"""

import difflib
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bindgram.data.peak_lines import Block, parse_blocks, peak_table
from bindgram.data.peaks import LAYOUTS, PEAK_COLUMNS
from bindgram.errors import InputError
from bindgram.genome.text import text_blocks

POOL_BLOCK_BYTES = 1 << 26  # of text in memory at a time; some times as much with what is made of it
_FIRST_OF_ZIP = (1980, 1, 1, 0, 0, 0)  # the same input gives the same bytes


@dataclass(frozen=True)
class Wanted:
    """Whose peaks: `peak_name` as it stands in the file, or else those of `tf` (and `biosample`, where it tells)."""

    tf: str
    biosample: str
    peak_name: str | None = None


@dataclass(frozen=True)
class Parts:
    """What a name in a pooled file is made of; without `biosamples` the name is that of the TF alone."""

    tf: str
    biosamples: tuple[str, ...] = ()


def parts_of(name: str, format: str) -> Parts:
    """Take a name apart: TF; EXPERIMENT.TF.BIOSAMPLE or TF:BIOSAMPLE,BIOSAMPLE,... in ReMap.

    Raises
    ------
    InputError : the name is of neither form.
    """
    if format == "encode_clusters":
        return Parts(name)
    tf, colon, biosamples = name.partition(":")
    if not colon:
        _, _, rest = name.partition(".")
        tf, _, biosample = rest.partition(".")
        biosamples = biosample
    listed = tuple(text.strip() for text in biosamples.split(",")) if colon else (biosamples.strip(),)
    if not tf.strip() or not all(listed):
        raise InputError(f"name {name[:60]!r} is neither EXPERIMENT.TF.BIOSAMPLE nor TF:BIOSAMPLE,...")
    return Parts(tf.strip(), listed)


def write_pool(raw: Path, target: Path, format: str) -> dict[str, Any]:
    """Sort a pooled file by TF into `target`, every line checked; memory grows by some 80 MB per million lines.

    Returns
    -------
    ``n_peaks`` and ``n_tfs``.

    Raises
    ------
    InputError : a line that is no peak of this format, by file and line.
    """
    n_peaks, tfs = 0, set[str]()
    with zipfile.ZipFile(target, "w") as pool:
        blocks = text_blocks(raw, POOL_BLOCK_BYTES)
        for number, peaks, lines in _parsed(raw, blocks, format):
            groups = peaks.groupby(_tfs(raw, peaks, format), sort=True).indices
            for tf, rows in groups.items():
                text = b"".join(lines[row] + b"\n" for row in (peaks["line"].to_numpy()[rows] - number))
                pool.writestr(_entry(f"{number:012d}/{tf}"), text, compresslevel=1)
            n_peaks, tfs = n_peaks + len(peaks), tfs | set(groups)
    return {"n_peaks": n_peaks, "n_tfs": len(tfs)}


def read_pool(path: Path, format: str, wanted: Wanted) -> pd.DataFrame:
    """Read the peaks of one experiment from a pool, in the order of the file; `line` counts the lines of its TF.

    Raises
    ------
    InputError : not a pool, or nothing in it is called so; with close names.
    """
    tf = wanted.tf if wanted.peak_name is None else _tf_of(wanted.peak_name, format)
    try:
        with zipfile.ZipFile(path) as pool:
            entries: dict[str, list[str]] = {}
            for entry in pool.namelist():
                entries.setdefault(entry.partition("/")[2], []).append(entry)
            text = b"".join(pool.read(entry) for entry in sorted(entries.get(tf, [])))
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise InputError(f"{path}: not a pool of bindgram fetch ({error}); delete it and run again") from None
    if not text:
        raise InputError(f"{path}: {_unknown('TF', tf, entries)}; name it as the file does in the column peak_name")
    parts = [peaks for _, peaks, _ in _parsed(path, [(1, text)], format)]
    return select_peaks(path, parts[0] if parts else peak_table([]), format, wanted)[list(PEAK_COLUMNS)]


def select_peaks(path: Path, peaks: pd.DataFrame, format: str, wanted: Wanted) -> pd.DataFrame:
    """Choose the peaks of one experiment by their `name`.

    Raises
    ------
    InputError : nothing is called so; with close names.
    """
    known = peaks["name"].unique()
    names = {name: parts_of(name, format) for name in known}
    if wanted.peak_name is not None:
        chosen = [name for name, parts in names.items() if wanted.peak_name in (name, parts.tf)]
        if not chosen:
            raise InputError(f"{path}: {_unknown('name', wanted.peak_name, names)}; correct peak_name")
        return peaks[peaks["name"].isin(chosen)]
    of_tf = {name: parts for name, parts in names.items() if parts.tf == wanted.tf}
    if not of_tf:
        tfs = {parts.tf for parts in names.values()}
        raise InputError(f"{path}: {_unknown('TF', wanted.tf, tfs)}; name it as the file does in the column peak_name")
    chosen = [name for name, parts in of_tf.items() if not parts.biosamples or wanted.biosample in parts.biosamples]
    if not chosen:
        there = {biosample for parts in of_tf.values() for biosample in parts.biosamples}
        raise InputError(
            f"{path}: {_unknown(f'biosample of {wanted.tf}', wanted.biosample, there)}; correct biosample, or give "
            f"peak_name: a name of the file, or {wanted.tf} for all its biosamples"
        )
    return peaks[peaks["name"].isin(chosen)]


def _parsed(path: Path, blocks: Any, format: str) -> Iterator[tuple[int, pd.DataFrame, list[bytes]]]:
    """Yield number of the first line, peaks, and lines of each block."""
    held: list[Block] = []

    def passed() -> Iterator[Block]:
        for block in blocks:
            held.append(block)
            yield block

    for peaks in parse_blocks(path, passed(), LAYOUTS[format]):
        number, block = held[-1]
        held.clear()
        yield number, peaks, block.split(b"\n")


def _tfs(path: Path, peaks: pd.DataFrame, format: str) -> np.ndarray:
    codes, names = pd.factorize(peaks["name"])
    tfs = []
    for code, name in enumerate(names):
        try:
            tfs.append(parts_of(name, format).tf)
        except InputError as error:
            line = peaks["line"].to_numpy()[codes == code][0]
            raise InputError(f"{path}:{line}: {error}; check the format of this experiment in the sheet") from None
    return np.array(tfs, object)[codes] if tfs else np.empty(0, object)


def _tf_of(peak_name: str, format: str) -> str:
    try:
        return parts_of(peak_name, format).tf
    except InputError:
        return peak_name


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _FIRST_OF_ZIP)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    lower = {other.lower(): other for other in sorted(known)}
    close = [lower[text] for text in difflib.get_close_matches(name.lower(), lower, n=5, cutoff=0.5)]
    close = close or sorted(known)[:5]
    return f"no {what} {name!r} among the {len(known)} there, such as {', '.join(close) or '(none)'}"
