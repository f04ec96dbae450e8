"""What new scores are made of: records of a FASTA, regions of a BED file, or the windows in their middle."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bindgram.errors import InputError
from bindgram.genome.fasta import Genome
from bindgram.genome.sequences import read_sequences
from bindgram.genome.text import parse_region, region_lines
from bindgram.sequence.dna import encode

LEAVES = "its window leaves the chromosome"


class Target(NamedTuple):
    """A stretch of DNA to score: a record of a FASTA, a region of a BED file, or the window in its middle."""

    name: str
    sequence: str  # record or chromosome that coordinates count in
    start: int  # bp, of its first base
    end: int
    codes: np.ndarray  # (bp,); none where it cannot be scored
    reason: str = ""  # why it cannot


def fasta_targets(path: Path) -> Iterator[Target]:
    """Every record of a FASTA; see `bindgram.genome.sequences.read_sequences`."""
    for name, letters in read_sequences(path):
        yield Target(name, name, 0, len(letters), encode(letters))


class BedRegion(NamedTuple):
    """A line of a BED file; `centre` is the bp to centre a window on: the summit of a narrowPeak, or the midpoint."""

    name: str
    chrom: str
    start: int
    end: int
    centre: int


def bed_regions(path: Path, genome: Genome) -> Iterator[BedRegion]:
    """Every region of a BED file; one whose first line has ten columns, the last a whole number, is a narrowPeak.

    Raises
    ------
    InputError : a line that is no region, a chromosome that the genome does not have, a region or summit outside.
    """
    has_summits = None
    for number, cells in region_lines(path):
        where = f"{path}:{number}"
        chrom, start, end = parse_region(path, number, cells)
        length = genome.chrom_sizes.get(chrom)
        if length is None or end > length:
            found = "is not in the genome" if length is None else f"has {length} bp, the region ends at {end}"
            raise InputError(f"{where}: {chrom!r} {found}; give the genome that the regions are of ({genome.path})")
        if has_summits is None:
            has_summits = len(cells) == 10 and cells[9].strip().removeprefix("-").isdigit()
        offset = cells[9].strip() if has_summits and len(cells) == 10 else "-1"
        if offset != "-1" and not (offset.isdigit() and int(offset) < end - start):
            raise InputError(
                f"{where}: summit {offset!r} is not inside the peak; column 10 is bp from its start, or -1"
            )
        named = len(cells) > 3 and cells[3].strip() not in ("", ".")
        centre = (start + end) // 2 if offset == "-1" else start + int(offset)
        yield BedRegion(cells[3].strip() if named else f"{chrom}:{start}-{end}", chrom, start, end, centre)
    if has_summits is None:
        raise InputError(f"{path}: no region in it; a line is chrom, start and end, separated by tabs")


def bed_targets(path: Path, genome: Genome, width: int | None, *, tiled: bool) -> Iterator[Target]:
    """Every region of a BED file.

    Parameters
    ----------
    width : of the windows to score; None: the region as it stands.
    tiled : take whole regions, which are then tiled; else, and where a region is shorter than a window, the window
        around its centre.
    """
    for region in bed_regions(path, genome):
        start, end = region.start, region.end
        if width is not None and (end - start < width or not tiled):
            start = region.centre - width // 2
            end = start + width
        if start < 0 or end > genome.chrom_sizes[region.chrom]:
            yield Target(region.name, region.chrom, region.start, region.end, np.empty(0, np.uint8), LEAVES)
        else:
            yield Target(region.name, region.chrom, start, end, encode(genome.fetch(region.chrom, start, end)))


def open_targets(
    fasta: Path | None, bed: Path | None, genome: Genome | None, width: int | None, *, tiled: bool
) -> Iterator[Target]:
    """Records of a FASTA, or regions of a BED file, all of whose lines are checked before the first is yielded."""
    if fasta is not None:
        return fasta_targets(fasta)
    assert bed is not None
    assert genome is not None
    for _ in bed_regions(bed, genome):
        pass
    return bed_targets(bed, genome, width, tiled=tiled)
