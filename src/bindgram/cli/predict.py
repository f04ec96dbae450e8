"""``bindgram predict``: score test sets with a classifier bundle."""

from pathlib import Path

import click

from bindgram.cli.options import (
    ExistingDirectory,
    NamedFile,
    NewFile,
    device_option,
    revision_option,
    threads_option,
)


@click.command()
@click.option("--bundle", type=ExistingDirectory, required=True, help="Classifier bundle.")
@click.option(
    "--test-set",
    "test_sets",
    type=NamedFile(),
    multiple=True,
    required=True,
    help="NAME=FILE of a test set; repeatable.",
)
@click.option("--output", type=NewFile, required=True, help="Scores (Parquet).")
@threads_option
@device_option
@revision_option
def predict(
    bundle: Path, test_sets: tuple[tuple[str, Path], ...], output: Path, threads: int, device: str, revision: int
) -> None:
    """Score every example on both strands and average."""
    from bindgram.data.examples import read_examples
    from bindgram.evaluation.predict import predict_test_sets
    from bindgram.evaluation.predictions import skipped_reasons, write_predictions
    from bindgram.models.bundle import load_bundle
    from bindgram.provenance import make_provenance
    from bindgram.training.device import choose_device

    model = load_bundle(bundle)
    tables = {name: read_examples(path) for name, path in test_sets}
    inputs = {"bundle": model.provenance} | {name: table.provenance for name, table in tables.items()}
    provenance = make_provenance("predict", revision, {}, inputs)
    if model.skipped:
        write_predictions(output, None, model.status, model.reason, provenance)
        return
    frame = predict_test_sets(model, tables, choose_device(device, threads))
    write_predictions(output, frame, "ok", "", provenance, skipped_reasons(tables))
