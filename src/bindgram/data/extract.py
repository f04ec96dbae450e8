"""Peaks of one experiment, taken out of a source in any format and lifted over, in the form that all steps read.

The form is ``extracted``: narrowPeak with an eleventh column, `support`.
"""

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from bindgram.data.peaks import read_peaks
from bindgram.data.pooled import Wanted, read_pool
from bindgram.errors import InputError
from bindgram.genome.chain import Chain, lift
from bindgram.provenance import atomic_path
from bindgram.settings.sheets import POOLED_FORMATS


def read_source(path: Path, format: str, wanted: Wanted) -> pd.DataFrame:
    """Read the peaks of one experiment from a source as `bindgram fetch` brings it.

    Raises
    ------
    InputError : see `read_peaks` and `read_pool`.
    """
    return read_pool(path, format, wanted) if format in POOLED_FORMATS else read_peaks(path, format)


def lift_peaks(path: Path, peaks: pd.DataFrame, chain: Chain) -> tuple[pd.DataFrame, int]:
    """Lift peaks with their summits; see `lift` for the rule. A summit at the very end counts as the last base.

    Returns
    -------
    Lifted peaks in their order, and how many were not lifted.

    Raises
    ------
    InputError : no chromosome is one of the chain's, or a peak lies beyond the end of one: the chain is another one's.
    """
    sizes = peaks["chrom"].map({name: chain.sizes[code] for name, code in chain.chroms.items()}).astype("float64")
    if len(peaks) and sizes.isna().all():
        raise InputError(
            f"{path}: no peak lies on a chromosome of the chain ({', '.join(list(chain.chroms)[:5])}, ...); the first "
            f"is on {peaks['chrom'].iloc[0]}: the chain is for other names, or for another assembly"
        )
    beyond = peaks[(peaks["end"] > sizes).to_numpy(bool)]
    if len(beyond):
        first = beyond.iloc[0]
        raise InputError(
            f"{path}:{first['line']}: peak {first['chrom']}:{first['start']}-{first['end']} lies beyond the end of "
            f"{first['chrom']} in the chain ({len(beyond)} such peaks); the chain is for another assembly"
        )
    start, end, summit = (peaks[name].to_numpy(np.int64) for name in ("start", "end", "summit"))
    found = lift(peaks, chain, np.where(summit < 0, -1, np.minimum(start + summit, end - 1)))
    kept = found["lifted"].to_numpy()
    place = (found["place"] - found["start"]).where(found["place"] >= 0, -1)
    lifted = peaks.assign(chrom=found["chrom"], start=found["start"], end=found["end"], summit=place)[kept]
    return lifted.reset_index(drop=True), int((~kept).sum())


def check_target(path: Path, chain: Chain, chrom_sizes: Mapping[str, int]) -> None:
    """Refuse a chain that does not lead to the assembly with these lengths (bp): the wrong one, or the wrong way round.

    Raises
    ------
    InputError : a chromosome of both has two lengths, or none is of both.
    """
    sizes = dict(zip(chain.to_chrom, chain.to_size, strict=True))
    shared = [name for name in sizes if name in chrom_sizes]
    wrong = [name for name in shared if sizes[name] != chrom_sizes[name]]
    if wrong:
        raise InputError(
            f"{path}: leads to another assembly: {wrong[0]} has {sizes[wrong[0]]} bp there and "
            f"{chrom_sizes[wrong[0]]} bp in this assembly; give the chain from lift_from to assembly, not the reverse"
        )
    if not shared:
        raise InputError(
            f"{path}: leads to another assembly: none of its chromosomes ({', '.join(list(sizes)[:5])}, ...) is in "
            f"this one ({', '.join(list(chrom_sizes)[:5])}, ...)"
        )


def write_extracted(path: Path, peaks: pd.DataFrame) -> None:
    """Write peaks in the form ``extracted``, gzip, whole or not at all; the name is the line at the source."""
    n = len(peaks)
    strength = pa.array(peaks["strength"].to_numpy(np.float64), from_pandas=True).cast(pa.string()).fill_null(".")
    constant = {name: pa.array([text] * n, pa.string()) for name, text in (("zero", "0"), ("dot", "."), ("none", "-1"))}
    table = pa.table(
        {
            "chrom": pa.array(peaks["chrom"].to_numpy(object), pa.string()),
            **{name: pa.array(peaks[name].to_numpy(np.int64)) for name in ("start", "end")},
            "name": pa.array(("line" + peaks["line"].astype("str")).to_numpy(object), pa.string()),
            "score": constant["zero"],
            "strand": constant["dot"],
            "signalValue": strength,
            "pValue": constant["none"],
            "qValue": constant["none"],
            **{name: pa.array(peaks[name].to_numpy(np.int64)) for name in ("summit", "support")},
        }
    )
    options = pa.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    with (
        atomic_path(path) as part,
        part.open("wb") as raw,
        # no name and no time in the header: the same input gives the same bytes
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
    ):
        if n:
            pa.csv.write_csv(table, packed, options)
