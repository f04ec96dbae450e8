"""``bindgram store``: label the bins of a genome for many experiments at once."""

from pathlib import Path

import click

from bindgram.cli.options import CommaList, ExistingFile, NewFile, revision_option, seed_option
from bindgram.errors import InputError
from bindgram.provenance import make_provenance, read_record


@click.command()
@click.option("--experiment-sheet", type=ExistingFile, required=True, help="Sheet of experiments (TSV).")
@click.option(
    "--experiments", type=CommaList(), required=True, help="Experiment ids, separated by commas: the columns, in order."
)
@click.option("--peaks-template", required=True, help="Path of a peak file, with {experiment} and {format} in braces.")
@click.option("--record-template", required=True, help="Path of its record from bindgram fetch, with the same braces.")
@click.option("--genome", type=ExistingFile, required=True, help="Unpacked FASTA with its index beside it.")
@click.option("--genome-record", type=ExistingFile, required=True, help="Its record from bindgram fetch (JSON).")
@click.option("--assembly", required=True, help="Id of the assembly in the split file and the sheet.")
@click.option("--split", type=ExistingFile, required=True, help="Split file (YAML): regions, and what is held out.")
@click.option("--blacklist", type=ExistingFile, help="BED of regions that no bin may touch (optional).")
@click.option("--blacklist-record", type=ExistingFile, help="Its record; needed with --blacklist.")
@click.option("--bin-bp", type=click.IntRange(min=1), required=True, help="Width of a bin.")
@click.option("--window-bp", type=click.IntRange(min=1), required=True, help="Bin with as many bp on both sides.")
@click.option(
    "--min-overlap",
    type=click.FloatRange(min=0, max=1, min_open=True),
    required=True,
    help="Share of a bin that peaks cover to make it positive; less is unknown.",
)
@click.option(
    "--min-peak-bp",
    type=click.IntRange(min=1),
    required=True,
    help="Shorter peaks count as so many bp around their summit; 1 leaves all as they are.",
)
@click.option(
    "--empty-fraction",
    type=click.FloatRange(min=0, max=1),
    required=True,
    help="Share of the bins without any positive that is kept, at random.",
)
@seed_option
@click.option("--output", type=NewFile, required=True, help="Store (HDF5).")
@revision_option
def store(
    experiment_sheet: Path,
    experiments: tuple[str, ...],
    peaks_template: str,
    record_template: str,
    genome: Path,
    genome_record: Path,
    assembly: str,
    split: Path,
    blacklist: Path | None,
    blacklist_record: Path | None,
    bin_bp: int,
    window_bp: int,
    min_overlap: float,
    min_peak_bp: int,
    empty_fraction: float,
    seed: int,
    output: Path,
    revision: int,
) -> None:
    """Write the matrix of labels of bins by experiments, from one pass over the peaks of all experiments."""
    import pandas as pd

    from bindgram.data.bins import StorePlan, columns_of_sheet
    from bindgram.data.peaks import read_assembly_peaks
    from bindgram.data.splits import Split
    from bindgram.data.store import write_store
    from bindgram.genome.fasta import Genome, ambiguous_runs
    from bindgram.genome.regions import read_blacklist
    from bindgram.settings import load_split, read_experiments

    if (blacklist is None) != (blacklist_record is None):
        raise InputError("--blacklist and --blacklist-record belong together; give both or neither")
    plan = StorePlan(bin_bp, window_bp, min_overlap, min_peak_bp, empty_fraction, seed)
    sheet = read_experiments(experiment_sheet)
    columns = columns_of_sheet(sheet, experiments, assembly, load_split(split).hold_out)

    def path_of(template: str, name: str) -> Path:
        return Path(template.replace("{experiment}", name).replace("{format}", sheet[name].stored_format))

    def peaks_of(name: str) -> pd.DataFrame:
        return read_assembly_peaks(path_of(peaks_template, name), sheet[name].stored_format, opened.chrom_sizes)

    inputs = {"genome": read_record(genome_record)}
    inputs |= {f"peaks of {name}": read_record(path_of(record_template, name)) for name in experiments}
    forbidden = {}
    if blacklist is not None:
        inputs["blacklist"] = read_record(blacklist_record)
    with Genome.open(genome) as opened:
        if blacklist is not None:
            forbidden["blacklist"] = read_blacklist(blacklist, opened.chrom_sizes)
        blocks = Split.load(split, assembly, opened.chrom_sizes)
        forbidden["ambiguous"] = ambiguous_runs(opened)
        settings = {"assembly": assembly, "split": blocks.to_json(), **plan.to_json()}
        settings["columns"] = [column._asdict() for column in columns]
        provenance = make_provenance("store", revision, settings, inputs, seed)
        counts = write_store(output, plan, columns, peaks_of, blocks, opened.chrom_sizes, forbidden, provenance)
    click.echo(f"{assembly}: {counts['n_rows']:,} of {counts['n_bins']:,} bins, {len(columns)} experiments")
