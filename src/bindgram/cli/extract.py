"""``bindgram extract``: take the peaks of one experiment out of a source, lifted over where a chain is given."""

from pathlib import Path
from typing import get_args

import click

from bindgram.cli.options import ExistingFile, NewFile, revision_option
from bindgram.errors import InputError
from bindgram.provenance import make_provenance, read_record, sha256_file, write_json
from bindgram.settings.sheets import SEQUENCE_FORMATS, PeakFormat

FORMATS = [format for format in get_args(PeakFormat) if format not in SEQUENCE_FORMATS]


@click.command()
@click.option("--experiment", required=True, help="Id of the experiment; begins the messages.")
@click.option("--source", type=ExistingFile, required=True, help="As bindgram fetch brings it.")
@click.option("--source-record", type=ExistingFile, required=True, help="Its record from bindgram fetch (JSON).")
@click.option("--format", "format_", type=click.Choice(FORMATS), required=True, help="Format of the source.")
@click.option("--tf", required=True, help="Whose peaks, where the source holds those of many TFs.")
@click.option("--biosample", required=True, help="In which cells, where the source tells.")
@click.option("--peak-name", help="Name in the source instead of TF and biosample (optional).")
@click.option("--chain", type=ExistingFile, help="UCSC chain from the source's assembly to the one wanted (optional).")
@click.option("--chain-record", type=ExistingFile, help="Its record from bindgram fetch (JSON).")
@click.option("--chrom-sizes", type=ExistingFile, help="Lengths of the assembly wanted; given with --chain.")
@click.option("--lift-from", help="Name of the source's assembly, for the record; given with --chain.")
@click.option("--output", type=NewFile, required=True, help="Peaks: narrowPeak with an 11th column, support (gzip).")
@click.option("--record", type=NewFile, required=True, help="How many peaks were taken and lifted (JSON).")
@revision_option
def extract(
    experiment: str,
    source: Path,
    source_record: Path,
    format_: str,
    tf: str,
    biosample: str,
    peak_name: str | None,
    chain: Path | None,
    chain_record: Path | None,
    chrom_sizes: Path | None,
    lift_from: str | None,
    output: Path,
    record: Path,
    revision: int,
) -> None:
    """Write the peaks of one experiment in the one form that all steps read."""
    from bindgram.data.extract import check_target, lift_peaks, read_source, write_extracted
    from bindgram.data.pooled import Wanted
    from bindgram.genome.chain import MIN_MATCH, read_chain
    from bindgram.genome.text import read_chrom_sizes

    if len({value is None for value in (chain, chain_record, chrom_sizes, lift_from)}) > 1:
        raise InputError(
            f"{experiment}: --chain, --chain-record, --chrom-sizes and --lift-from are given together or not at all"
        )
    inputs = {"source": read_record(source_record)}
    wanted = {"tf": tf, "biosample": biosample, "peak_name": peak_name}
    settings = {"experiment": experiment, "format": format_, **wanted, "lift_from": lift_from}
    try:
        peaks = read_source(source, format_, Wanted(**wanted))
        counts = {"n_peaks": len(peaks)}
        if chain is not None:
            inputs["chain"] = read_record(chain_record)
            settings["min_match"] = MIN_MATCH
            way = read_chain(chain)
            check_target(chain, way, read_chrom_sizes(chrom_sizes))
            peaks, counts["n_not_lifted"] = lift_peaks(source, peaks, way)
    except InputError as error:
        raise InputError(f"{experiment}: {error}") from None
    write_extracted(output, peaks)
    provenance = make_provenance("extract", revision, settings, inputs) | {"digest": sha256_file(output)}
    write_json(record, counts | {"provenance": provenance})
    click.echo(f"{experiment}: {len(peaks)} of {counts['n_peaks']} peaks")
