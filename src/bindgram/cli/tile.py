"""``bindgram tile``: cut an assembly into windows of one width and count what is in each."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NewFile, revision_option
from bindgram.errors import InputError
from bindgram.provenance import make_provenance, read_record


@click.command()
@click.option("--genome", type=ExistingFile, required=True, help="Unpacked FASTA with its index beside it.")
@click.option("--genome-record", type=ExistingFile, required=True, help="Its record from bindgram fetch (JSON).")
@click.option("--assembly", required=True, help="Id of the assembly.")
@click.option("--width", type=click.IntRange(1, 65_535), required=True, help="Width of a tile, bp.")
@click.option("--blacklist", type=ExistingFile, help="BED of regions where no negative is drawn (optional).")
@click.option("--blacklist-record", type=ExistingFile, help="Its record; needed with --blacklist.")
@click.option(
    "--repeats", type=ExistingFile, help="BED of repeats, instead of the soft masking of the FASTA (optional)."
)
@click.option("--repeats-record", type=ExistingFile, help="Its record; needed with --repeats.")
@click.option("--output", type=NewFile, required=True, help="Tile table (HDF5).")
@revision_option
def tile(
    genome: Path,
    genome_record: Path,
    assembly: str,
    width: int,
    blacklist: Path | None,
    blacklist_record: Path | None,
    repeats: Path | None,
    repeats_record: Path | None,
    output: Path,
    revision: int,
) -> None:
    """Count GC, repeats and ambiguous bases of every window of WIDTH bp, and mark those on the blacklist."""
    from bindgram.data.tiles import Repeats, Tiles, write_tiles
    from bindgram.genome.fasta import Genome
    from bindgram.genome.regions import read_bed3

    optional = {"blacklist": (blacklist, blacklist_record), "repeats": (repeats, repeats_record)}
    for name, (path, record) in optional.items():
        if (path is None) != (record is None):
            raise InputError(f"--{name} and --{name}-record belong together; give both or neither")
    inputs = {"genome": read_record(genome_record)}
    inputs |= {name: read_record(record) for name, (_, record) in optional.items() if record is not None}
    provenance = make_provenance("tile", revision, {"assembly": assembly, "width": width}, inputs)
    with Genome.open(genome) as opened:
        masks = None if repeats is None else Repeats.read(repeats, opened.chrom_sizes)
        write_tiles(output, opened, width, masks, None if blacklist is None else read_bed3(blacklist), provenance)
    tiles = Tiles.open(output)
    click.echo(
        f"{assembly}: {len(tiles)} tiles of {width} bp on {len(tiles.chromosomes)} sequences; repeats: {tiles.repeats}"
    )
