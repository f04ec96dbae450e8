"""``bindgram predict``: score new sequences with a trained model, without a workflow."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingDirectory, ExistingFile, NewFile


@click.command()
@click.option(
    "--model",
    "models",
    type=ExistingDirectory,
    required=True,
    multiple=True,
    help="Bundle of a classifier or a language model; repeat to average several, such as the seeds of one training.",
)
@click.option("--fasta", type=ExistingFile, help="Sequences to score, of any number and length; gzip or not.")
@click.option("--bed", type=ExistingFile, help="Regions to score instead (BED or narrowPeak); needs --genome.")
@click.option("--genome", type=ExistingFile, help="Genome of the regions: FASTA with its index (.fai) beside it.")
@click.option(
    "--stride",
    type=click.IntRange(min=1),
    help="Bp between windows over what is longer than a window. Without it, half a window for sequences, and for"
    " regions the one window around the summit or midpoint.",
)
@click.option("--windows", is_flag=True, help="Write every window, not only the highest of each sequence or region.")
@click.option("--output", type=NewFile, required=True, help="Table to write: .tsv or .parquet.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads to use; without it, all of this process.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    help="cuda: fail without a GPU; without it or with auto, a GPU where one is visible.",
)
def predict(
    models: tuple[Path, ...],
    fasta: Path | None,
    bed: Path | None,
    genome: Path | None,
    stride: int | None,
    windows: bool,
    output: Path,
    threads: int | None,
    device: str | None,
) -> None:
    """Score sequences or regions on both strands; one row each, with the reason where one cannot be scored.

    A classifier scores windows of the width it was trained on. A language model gives each sequence as a whole its
    log-likelihood per base.
    """
    import os

    from bindgram.errors import InputError
    from bindgram.evaluation.score_table import check_table_name

    if (fasta is None) == (bed is None):
        raise InputError("give --fasta FILE or --bed FILE, one of the two")
    if (bed is None) != (genome is None):
        raise InputError("--bed and --genome go together: regions are read from the genome; give both or neither")
    if repeated := sorted({str(path) for path in models if models.count(path) > 1}):
        raise InputError(f"--model: {', '.join(repeated)} is given twice; each counts once")
    check_table_name(output)

    from bindgram.training.device import choose_device

    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()  # macOS has no affinity
    chosen = choose_device(device or "auto", threads or own or 1)

    from bindgram.evaluation.new_sequences import predict_new
    from bindgram.models.bundle import load_bundle

    bundles = [load_bundle(path) for path in models]
    predict_new(bundles, chosen, output, fasta=fasta, bed=bed, genome=genome, stride=stride, every_window=windows)
