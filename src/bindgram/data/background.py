"""The background of one experiment: where on the genome its negatives may lie, and what they are drawn from."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bindgram.data.examples import ExampleTable
from bindgram.data.matching import Bins
from bindgram.data.peaks import read_assembly_peaks, read_open_chromatin
from bindgram.data.splits import Split
from bindgram.data.tiles import NO_REPEATS, Tiles
from bindgram.data.universe import Universe
from bindgram.errors import InputError
from bindgram.genome.fasta import Genome
from bindgram.genome.regions import extend, make_regions, merge, read_blacklist
from bindgram.provenance import read_record
from bindgram.settings.config import GENOMIC_SCHEMES

_SETTINGS = {  # that bear on a scheme
    "genomic_matched": ("exclusion_bp", "gc_bins", "repeat_bins"),
    "neighbour": ("exclusion_bp", "neighbour_bp"),
    "other_peaks": ("exclusion_bp", "tf", "left_out"),
    "accessible_unbound": ("exclusion_bp",),
}
_OPTIONAL = {"blacklist", "universe", "tf", "accessibility", "accessibility_record"}


@dataclass(frozen=True)
class Background:
    """Where genomic negatives may lie, the joint bins in which they match, and the candidates of some schemes.

    `regions` has columns ``chrom, start, end, split``. `near_peaks` (peaks of the experiment with what is around them,
    and its positives), `blacklist` and `taken` (negatives that another scheme of a mixture has made) are region tables.
    Neighbours lie within `neighbour_bp` bp of their positive. Candidates are None where no scheme asks for them:
    `other_peaks` has the columns ``experiment, tf, chrom, summit, start, end`` (of the biosample, those of `tf` among
    them), `open_chromatin` ``chrom, position`` (bp).
    """

    genome: Genome
    tiles: Tiles
    regions: pd.DataFrame
    near_peaks: pd.DataFrame
    blacklist: pd.DataFrame
    taken: pd.DataFrame
    bins: Bins
    neighbour_bp: int
    tf: str | None
    other_peaks: pd.DataFrame | None
    open_chromatin: pd.DataFrame | None

    def candidates(self, split: str) -> np.ndarray:
        """Numbers of the tiles wholly inside the blocks of `split` that touch nothing forbidden: (N,) int64."""
        free = self.tiles.inside(self.blocks(split))
        free &= ~self.tiles.touched(union(self.near_peaks, self.blacklist, self.taken))
        free &= ~self.tiles.blacklisted
        return np.flatnonzero(free)

    def blocks(self, split: str) -> pd.DataFrame:
        """Rows of `regions` of one split."""
        return self.regions[self.regions["split"] == split]


@dataclass(frozen=True)
class BackgroundRequest:
    """What a background is made from; files may be missing where no scheme draws from the genome.

    `peaks` are all peaks of the experiment, also those that became no positive. `blacklist`, `universe` and
    `accessibility` are always optional; without the last two the schemes that draw from them are not defined.
    Nothing is drawn from the experiments of the universe that are `left_out`.
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
    neighbour_bp: int
    universe: Path | None
    tf: str | None
    accessibility: Path | None
    accessibility_record: Path | None
    left_out: tuple[str, ...]

    def why_undefined(self, positives: ExampleTable, schemes: Iterable[str]) -> str:
        """Why one of `schemes` can make no negatives for these positives; "" where all can.

        Raises
        ------
        InputError : the universe is not one, or is given without `tf`.
        """
        if positives.skipped:
            return positives.reason
        return next(filter(None, (self._why_undefined(positives, scheme) for scheme in schemes)), "")

    def _why_undefined(self, positives: ExampleTable, scheme: str) -> str:
        if scheme in GENOMIC_SCHEMES and positives.frame["chrom"].isna().any():
            return f"no coordinates: {scheme} is not defined; use dinucleotide_shuffle"
        reason = ""
        if scheme == "other_peaks":
            if self.universe is not None and self.tf is None:
                raise InputError("--universe is given without --tf; name the TF whose peaks are not those of others")
            reason = _NO_UNIVERSE if self.universe is None else self._open_universe().why_too_small(self.tf)
        if scheme == "accessible_unbound" and self.accessibility is None:
            reason = "no open chromatin (column accessibility of the sheet)"
        return f"{reason}: {scheme} is not defined" if reason else ""

    def _open_universe(self) -> Universe:
        return Universe.open(self.universe).without(self.left_out)

    def describe(self, schemes: Collection[str]) -> dict[str, Any]:
        """Settings that bear on `schemes`, for provenance; ``matched_on`` has repeats only where they are known."""
        names = {name for scheme in schemes for name in _SETTINGS.get(scheme, ())}
        described: dict[str, Any] = {name: getattr(self, name) for name in sorted(names)}
        if "genomic_matched" in schemes and self.tiles is not None:
            known = Tiles.open(self.tiles).repeats != NO_REPEATS
            described["matched_on"] = ["gc", *(["repeats"] if known else []), "ambiguous"]
        return described

    def inputs(self, schemes: Collection[str]) -> dict[str, Mapping[str, Any]]:
        """Provenance of what `schemes` draw from, by name; that of the tiles has digests of genome and blacklist."""
        if not GENOMIC_SCHEMES & set(schemes) or self.tiles is None or self.peaks_record is None:
            return {}
        found: dict[str, Mapping[str, Any]] = {
            "tiles": Tiles.open(self.tiles).provenance,
            "peaks": read_record(self.peaks_record),
        }
        if "other_peaks" in schemes and self.universe is not None:
            found["universe"] = Universe.open(self.universe).provenance
        if "accessible_unbound" in schemes and self.accessibility_record is not None:
            found["accessibility"] = read_record(self.accessibility_record)
        return found

    @contextmanager
    def open(self, positives: ExampleTable, schemes: Collection[str]) -> Iterator[Background | None]:
        """Open the genome and work out where no negative may lie; None where no scheme draws from the genome.

        Forbidden are all peaks extended by `exclusion_bp` bp, the windows of `positives` and the blacklist.

        Raises
        ------
        InputError : an option is missing, or a file is not what it should be.
        """
        drawing = [
            scheme for scheme in schemes if scheme in GENOMIC_SCHEMES and not self.why_undefined(positives, [scheme])
        ]
        if not drawing:
            yield None
            return
        missing = [
            f"--{name.replace('_', '-')}"
            for name, value in asdict(self).items()
            if value is None and name not in _OPTIONAL
        ]
        if "accessible_unbound" in drawing and self.accessibility_record is None:
            missing.append("--accessibility-record")
        if missing:
            raise InputError(f"scheme {drawing[0]} draws from the genome; give {', '.join(missing)} as well")
        with Genome.open(self.genome) as genome:
            tiles = Tiles.open(self.tiles)
            _check_tiles(tiles, genome, positives)
            yield self._background(genome, tiles, positives.frame, drawing)

    def _background(
        self, genome: Genome, tiles: Tiles, positives: pd.DataFrame, schemes: Collection[str]
    ) -> Background:
        sizes = genome.chrom_sizes
        peaks = _known(read_assembly_peaks(self.peaks, self.format, sizes), sizes)
        open_chromatin = read_open_chromatin(self.accessibility, sizes) if "accessible_unbound" in schemes else None
        return Background(
            genome=genome,
            tiles=tiles,
            regions=Split.load(self.split, self.assembly, sizes).regions,
            near_peaks=union(extend(peaks, self.exclusion_bp, sizes), positives),
            blacklist=make_regions([]) if self.blacklist is None else read_blacklist(self.blacklist, sizes),
            taken=make_regions([]),
            bins=Bins(tiles.width, self.gc_bins, self.repeat_bins),
            neighbour_bp=self.neighbour_bp,
            tf=self.tf,
            other_peaks=self._open_universe().peaks() if "other_peaks" in schemes else None,
            open_chromatin=open_chromatin,
        )


_NO_UNIVERSE = "no experiment of the biosample in the universe, or no universe"


def _check_tiles(tiles: Tiles, genome: Genome, positives: ExampleTable) -> None:
    """Refuse tiles of another width or genome than the positives, or of another genome than the one at hand."""
    width = len(positives.frame["sequence"].iloc[0])
    digests = [known.get("inputs", {}).get("genome") for known in (tiles.provenance, positives.provenance)]
    if tiles.width != width:
        raise InputError(
            f"{tiles.path}: tiles of {tiles.width} bp, but the positives have {width}; give those of {width} bp"
        )
    if tiles.chrom_sizes != genome.chrom_sizes:
        raise InputError(f"{tiles.path}: tiles of another genome than {genome.path}; make them again (bindgram tile)")
    if all(digests) and len(set(digests)) > 1:
        raise InputError(
            f"{tiles.path}: these are the tiles of another genome than the one that the positives were cut from; make "
            "the older of the two again"
        )


def _known(regions: pd.DataFrame, sizes: Mapping[str, int]) -> pd.DataFrame:
    """Leave out regions on other chromosomes: no negative can be drawn there."""
    return regions[regions["chrom"].isin(list(sizes))]


def union(*tables: pd.DataFrame) -> pd.DataFrame:
    """Merge region tables into one."""
    return merge(pd.concat([table[["chrom", "start", "end"]] for table in tables if len(table)] or list(tables)))
