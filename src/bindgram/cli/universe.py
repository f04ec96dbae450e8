"""``bindgram universe``: pool the peaks of all experiments of one biosample in the frozen list."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NewFile, revision_option
from bindgram.errors import InputError

_MEMBER = (str, str, str, ExistingFile, ExistingFile)


@click.command()
@click.option("--assembly", required=True, help="Id of the genome of the coordinates.")
@click.option("--biosample", required=True, help="Cell type or tissue of all experiments.")
@click.option(
    "--peaks",
    "members",
    type=_MEMBER,
    multiple=True,
    required=True,
    metavar="EXPERIMENT TF FORMAT FILE RECORD",
    help="An experiment of the list: its peaks, and the record of their download (JSON). Repeatable.",
)
@click.option("--chrom-sizes", type=ExistingFile, required=True, help="Chromosome lengths of the assembly.")
@click.option("--output", type=NewFile, required=True, help="All peaks in one table (Parquet).")
@revision_option
def universe(
    assembly: str,
    biosample: str,
    members: tuple[tuple[str, str, str, Path, Path], ...],
    chrom_sizes: Path,
    output: Path,
    revision: int,
) -> None:
    """Pool the peaks from which the scheme other_peaks draws, in one pass over the files."""
    from bindgram.data.universe import Member, pool_peaks, write_universe
    from bindgram.genome.text import read_chrom_sizes
    from bindgram.provenance import make_provenance, read_record

    names = [name for name, *_ in members]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"--peaks {', '.join(repeated)} is given twice; ids are unique")
    records = {name: read_record(record) for name, *_, record in members}
    settings = {"assembly": assembly, "biosample": biosample, "factors": {name: tf for name, tf, *_ in members}}
    provenance = make_provenance("universe", revision, settings, records)
    pooled = pool_peaks((Member(*member[:4]) for member in members), read_chrom_sizes(chrom_sizes))
    write_universe(output, pooled, provenance)
    click.echo(f"{biosample}: {len(pooled):,} peaks of {len(members)} experiments")
