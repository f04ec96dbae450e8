"""``bindgram fetch``: bring one file from a URL or a local path, verified."""

from pathlib import Path
from typing import Any

import click

from bindgram.cli.options import NewFile, revision_option
from bindgram.errors import InputError
from bindgram.provenance import make_provenance, write_json
from bindgram.settings.sheets import POOLED_FORMATS

KINDS = {
    "fasta": "written unpacked, 60 bases per line",
    "bed": "written unpacked, every line checked",
    "peaks": "kept as published in gzip; plain text is packed",
    "genes": "GTF or GFF3, of which the transcription start sites are written as BED",
    "bigWig": "kept as published; a local one is linked to, not copied",
    "chain": "as peaks, every chain checked",
    "bigBed": "kept as published",
} | dict.fromkeys(POOLED_FORMATS, "sorted by TF into a pool")


@click.command()
@click.option("--source", required=True, help="http, https or ftp URL, or a local path.")
@click.option(
    "--kind",
    type=click.Choice(sorted(KINDS)),
    required=True,
    help="; ".join(f"{kind}: {what}" for kind, what in KINDS.items()) + ".",
)
@click.option(
    "--checksum", help="md5:<hex> or sha256:<hex> of the file at the source; without it, it is only recorded."
)
@click.option("--chrom-sizes", help="Table (path or URL) of the chromosome lengths that a fasta must agree with.")
@click.option("--output", type=NewFile, required=True, help="The file; an interrupted download waits in <output>.part.")
@click.option("--record", type=NewFile, required=True, help="Where the file came from and its SHA-256 (JSON).")
@revision_option
def fetch(
    source: str, kind: str, checksum: str | None, chrom_sizes: str | None, output: Path, record: Path, revision: int
) -> None:
    """Bring one file, refuse it when it is wrong, go on where an earlier download was interrupted.

    A network or a server that fails is tried again several times, with growing pauses, before this command gives up. A
    file that is not there, or that is refused, ends it at once: to run it again would bring the same.
    """
    from bindgram.genome.download import Patience
    from bindgram.genome.fetch import fetch_file

    try:
        found = fetch_file(source, output, kind, checksum, chrom_sizes, Patience(), _writers(kind))
    except InputError as error:
        raise type(error)(f"{output.name}: {error}") from None  # the name tells the row of the sheet
    settings = {"source": found["source"], "kind": kind, "checksum": checksum}
    provenance = make_provenance("fetch", revision, settings) | {"digest": found["sha256"]}
    write_json(record, found | {"provenance": provenance})


def _writers(kind: str) -> dict[str, Any] | None:
    """What writes a pool, which needs to know peaks; None for the kinds that `fetch_file` knows itself."""
    if kind not in POOLED_FORMATS:
        return None
    from bindgram.data.pooled import write_pool

    return {kind: lambda raw, target, sizes: write_pool(raw, target, kind)}
