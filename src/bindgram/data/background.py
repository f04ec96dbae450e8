"""The background of one experiment: where on the genome its negatives may lie."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bindgram.data.examples import ExampleTable
from bindgram.data.matching import Bins
from bindgram.data.peaks import read_assembly_peaks
from bindgram.data.splits import Split
from bindgram.data.tiles import NO_REPEATS, Tiles
from bindgram.errors import InputError
from bindgram.genome.fasta import Genome
from bindgram.genome.regions import extend, merge, read_bed3
from bindgram.provenance import read_record

GENOMIC_SCHEMES = frozenset({"genomic_matched"})  # draw from the genome, so the positives need coordinates


@dataclass(frozen=True)
class Background:
    """Where genomic negatives may lie, and the joint bins in which they match.

    `regions` has columns ``chrom, start, end, split``; `forbidden` is a merged region table.
    """

    genome: Genome
    tiles: Tiles
    regions: pd.DataFrame
    forbidden: pd.DataFrame
    bins: Bins

    def candidates(self, split: str) -> np.ndarray:
        """Numbers of the tiles wholly inside the blocks of `split` that touch nothing forbidden: (N,) int64."""
        free = self.tiles.inside(self.regions[self.regions["split"] == split])
        free &= ~self.tiles.touched(self.forbidden)
        free &= ~self.tiles.blacklisted
        return np.flatnonzero(free)


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
    tiles: Path | None
    assembly: str | None
    split: Path | None
    peaks: Path | None
    peaks_record: Path | None
    format: str | None
    blacklist: Path | None
    exclusion_bp: int
    gc_bins: int
    repeat_bins: int

    def describe(self, scheme: str) -> dict[str, Any]:
        """Settings that bear on `scheme`, for its provenance; ``matched_on`` has repeats only where they are known."""
        if scheme not in GENOMIC_SCHEMES:
            return {}
        described: dict[str, Any] = {name: getattr(self, name) for name in ("exclusion_bp", "gc_bins", "repeat_bins")}
        if self.tiles is not None:
            known = Tiles.open(self.tiles).repeats != NO_REPEATS
            described["matched_on"] = ["gc", *(["repeats"] if known else []), "ambiguous"]
        return described

    def inputs(self, schemes: Collection[str]) -> dict[str, Mapping[str, Any]]:
        """Provenance of what `schemes` draw from, by name; that of the tiles has digests of genome and blacklist."""
        if not GENOMIC_SCHEMES & set(schemes) or self.tiles is None or self.peaks_record is None:
            return {}
        return {"tiles": Tiles.open(self.tiles).provenance, "peaks": read_record(self.peaks_record)}

    @contextmanager
    def open(self, positives: ExampleTable, schemes: Collection[str]) -> Iterator[Background | None]:
        """Open the genome and work out where no negative may lie; None where no scheme draws from the genome.

        Forbidden are all peaks extended by `exclusion_bp` bp, the windows of `positives`, and the blacklist.

        Raises
        ------
        InputError : an option is missing, or a file is not what it should be.
        """
        drawing = [scheme for scheme in schemes if scheme in GENOMIC_SCHEMES and not why_undefined(positives, scheme)]
        if not drawing:
            yield None
            return
        optional = {"blacklist"}
        missing = [
            f"--{name.replace('_', '-')}"
            for name, value in asdict(self).items()
            if value is None and name not in optional
        ]
        if missing:
            raise InputError(f"scheme {drawing[0]} draws from the genome; give {', '.join(missing)} as well")
        with Genome.open(self.genome) as genome:
            yield self._background(genome, positives.frame)

    def _background(self, genome: Genome, positives: pd.DataFrame) -> Background:
        sizes = genome.chrom_sizes
        tiles = Tiles.open(self.tiles)
        _check_tiles(tiles, genome, len(positives["sequence"].iloc[0]))
        regions = Split.load(self.split, self.assembly, sizes).regions
        peaks = _known(read_assembly_peaks(self.peaks, self.format, sizes), sizes)
        parts = [extend(peaks, self.exclusion_bp, sizes), positives]
        if self.blacklist is not None:
            parts.append(_known(read_bed3(self.blacklist), sizes))
        return Background(genome, tiles, regions, union(*parts), Bins(tiles.width, self.gc_bins, self.repeat_bins))


def _check_tiles(tiles: Tiles, genome: Genome, width: int) -> None:
    """Refuse tiles of another genome or width."""
    if tiles.width != width:
        raise InputError(
            f"{tiles.path}: tiles of {tiles.width} bp, but the positives have {width}; give those of {width} bp"
        )
    if tiles.chrom_sizes != genome.chrom_sizes:
        raise InputError(f"{tiles.path}: tiles of another genome than {genome.path}; make them again (bindgram tile)")


def _known(regions: pd.DataFrame, sizes: Mapping[str, int]) -> pd.DataFrame:
    """Leave out regions on other chromosomes: no negative can be drawn there."""
    return regions[regions["chrom"].isin(list(sizes))]


def union(*tables: pd.DataFrame) -> pd.DataFrame:
    """Merge region tables into one."""
    return merge(pd.concat([table[["chrom", "start", "end"]] for table in tables if len(table)] or list(tables)))
