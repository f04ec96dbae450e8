"""``bindgram index``: index a genome and list its chromosome lengths."""

import json
from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NewFile, revision_option
from bindgram.errors import InputError


@click.command()
@click.option("--genome", type=ExistingFile, required=True, help="Unpacked FASTA.")
@click.option("--record", type=ExistingFile, required=True, help="Its record from bindgram fetch (JSON).")
@click.option("--fai", type=NewFile, required=True, help="faidx index to write; <genome>.fai is where others look.")
@click.option("--chrom-sizes", type=NewFile, required=True, help="Table of names and lengths (bp) to write.")
@revision_option
def index(genome: Path, record: Path, fai: Path, chrom_sizes: Path, revision: int) -> None:
    """Write the faidx index and the chromosome lengths of the genome that RECORD describes.

    Both files are plain tables without room for provenance; RECORD is the genome's.
    """
    from bindgram.genome.assembly import write_index

    try:
        known = json.loads(record.read_text(encoding="utf-8"))
        n_sequences, n_bp = known["n_sequences"], known["n_bp"]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{record}: not the record of a FASTA; bindgram fetch --kind fasta writes it") from None
    write_index(genome, fai, chrom_sizes, n_sequences, n_bp)
