"""``bindgram motifs``: the library of known motifs."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NewFile, revision_option


@click.command()
@click.option("--library", required=True, help="Name of the library: a JASPAR release, unless --file is given.")
@click.option("--tax-group", multiple=True, help="Group of species, such as vertebrates; repeatable, none means all.")
@click.option("--file", type=ExistingFile, help="Motifs of your own, in the MEME text format or JASPAR's, instead.")
@click.option("--output", type=NewFile, required=True, help="Motifs in the MEME text format.")
@click.option("--record", type=NewFile, required=True, help="Where they came from, and their SHA-256 (JSON).")
@revision_option
def motifs(
    library: str, tax_group: tuple[str, ...], file: Path | None, output: Path, record: Path, revision: int
) -> None:
    """Write the known motifs that models are compared with, from a release of JASPAR (offline) or from a file."""
    from bindgram.data.motifs import jaspar_motifs, read_motifs, write_motifs
    from bindgram.provenance import make_provenance, sha256_file, write_json

    found = read_motifs(file) if file else jaspar_motifs(library, tax_group)
    write_motifs(output, found)
    settings = {"library": library, "file": file.name if file else None, "tax_groups": [] if file else [*tax_group]}
    inputs = {"file": {"digest": sha256_file(file)}} if file else {}
    provenance = make_provenance("motifs", revision, settings, inputs) | {"digest": sha256_file(output)}
    write_json(record, {"library": library, "n_motifs": len(found), "provenance": provenance})
