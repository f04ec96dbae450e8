"""The background of one experiment: where on the genome its negatives may lie."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bindgram.data.examples import ExampleTable
from bindgram.data.peaks import read_assembly_peaks
from bindgram.data.splits import Split
from bindgram.errors import InputError
from bindgram.genome.fasta import Genome, ambiguous_runs
from bindgram.genome.regions import extend, merge, read_bed3

GENOMIC_SCHEMES = frozenset({"genomic_matched"})  # draw from the genome, so the positives need coordinates
MATCHED_ON = ("gc",)


@dataclass(frozen=True)
class Background:
    """Where genomic negatives may lie and how many are tried.

    `regions` has columns ``chrom, start, end, split``; `forbidden` is a merged region table. `gc_bins` is the number of
    equal bins of GC fraction; `candidates_per_negative` windows are drawn, at most, for each negative wanted.
    """

    genome: Genome
    regions: pd.DataFrame
    forbidden: pd.DataFrame
    gc_bins: int
    candidates_per_negative: int


def why_undefined(positives: ExampleTable, scheme: str) -> str:
    """Why `scheme` can make no negatives for these positives; "" where it can."""
    if positives.skipped:
        return positives.reason
    if scheme in GENOMIC_SCHEMES and positives.frame["chrom"].isna().any():
        return f"no coordinates: {scheme} is not defined; use dinucleotide_shuffle"
    return ""


@dataclass(frozen=True)
class BackgroundRequest:
    """What a background is made from; files may be missing where no scheme draws from the genome.

    `peaks` are all peaks of the experiment, also those that became no positive; `blacklist` is always optional.
    """

    genome: Path | None
    assembly: str | None
    split: Path | None
    peaks: Path | None
    format: str | None
    blacklist: Path | None
    exclusion_bp: int
    gc_bins: int
    candidates_per_negative: int

    def describe(self, scheme: str) -> dict[str, Any]:
        """Settings that bear on `scheme`, for its provenance; repeat content is not among `matched_on`."""
        if scheme not in GENOMIC_SCHEMES:
            return {}
        numbers = ("exclusion_bp", "gc_bins", "candidates_per_negative")
        described = {name: getattr(self, name) for name in numbers}
        return described | {"matched_on": list(MATCHED_ON), "blacklist": self.blacklist is not None}

    @contextmanager
    def open(self, positives: ExampleTable, schemes: Collection[str]) -> Iterator[Background | None]:
        """Open the genome and work out where no negative may lie; None where no scheme draws from the genome.

        Forbidden are all peaks extended by `exclusion_bp` bp, the windows of `positives`, the blacklist and every run
        of ambiguous bases.

        Raises
        ------
        InputError : an option is missing, or a file is not what it should be.
        """
        drawing = [scheme for scheme in schemes if scheme in GENOMIC_SCHEMES and not why_undefined(positives, scheme)]
        if not drawing:
            yield None
            return
        optional = {"blacklist"}
        missing = [f"--{name}" for name, value in asdict(self).items() if value is None and name not in optional]
        if missing:
            raise InputError(f"scheme {drawing[0]} draws from the genome; give {', '.join(missing)} as well")
        with Genome.open(self.genome) as genome:
            yield self._background(genome, positives.frame)

    def _background(self, genome: Genome, positives: pd.DataFrame) -> Background:
        sizes = genome.chrom_sizes
        regions = Split.load(self.split, self.assembly, sizes).regions
        peaks = _known(read_assembly_peaks(self.peaks, self.format, sizes), sizes)
        parts = [extend(peaks, self.exclusion_bp, sizes), positives, ambiguous_runs(genome)]
        if self.blacklist is not None:
            parts.append(_known(read_bed3(self.blacklist), sizes))
        return Background(genome, regions, union(*parts), self.gc_bins, self.candidates_per_negative)


def _known(regions: pd.DataFrame, sizes: Mapping[str, int]) -> pd.DataFrame:
    """Leave out regions on other chromosomes: no negative can be drawn there."""
    return regions[regions["chrom"].isin(list(sizes))]


def union(*tables: pd.DataFrame) -> pd.DataFrame:
    """Merge region tables into one."""
    return merge(pd.concat([table[["chrom", "start", "end"]] for table in tables if len(table)] or list(tables)))
