"""``bindgram score``: score test sets of a run with classifiers, or with the likelihood of a language model."""

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
@click.option(
    "--bundle",
    "bundles",
    type=(ExistingDirectory, NewFile),
    required=True,
    multiple=True,
    metavar="FOLDER PREDICTIONS",
    help="Bundle of a classifier or a causal language model, and its scores to write (Parquet); repeatable.",
)
@click.option(
    "--test-set",
    "test_sets",
    type=NamedFile(),
    multiple=True,
    required=True,
    help="NAME=FILE of a test set; repeatable.",
)
@threads_option
@device_option
@revision_option
def score(
    bundles: tuple[tuple[Path, Path], ...],
    test_sets: tuple[tuple[str, Path], ...],
    threads: int,
    device: str,
    revision: int,
) -> None:
    """Score every example on both strands and average, with one model after another.

    A classifier gives logits; a language model its log-likelihood per base above that of an order-1 Markov model.
    """
    from bindgram.training.device import choose_device

    chosen = choose_device(device, threads)  # before anything slow

    from bindgram.data.examples import read_examples
    from bindgram.errors import InputError
    from bindgram.evaluation.predict import predict_test_sets
    from bindgram.evaluation.predictions import Scale, skipped_reasons, write_predictions
    from bindgram.models.bundle import load_bundle
    from bindgram.provenance import make_provenance

    for option, given in (("--bundle", [str(path) for _, path in bundles]), ("--test-set", [n for n, _ in test_sets])):
        if repeated := sorted({value for value in given if given.count(value) > 1}):
            raise InputError(f"{option}: {', '.join(repeated)} is given twice; each result needs a name of its own")
    tables = {name: read_examples(path) for name, path in test_sets}
    missing = skipped_reasons(tables)
    for folder, output in bundles:
        model = load_bundle(folder)
        inputs = {"bundle": model.provenance} | {name: table.provenance for name, table in tables.items()}
        provenance = make_provenance("score", revision, {}, inputs, packages=["torch"])
        scale: Scale = "arbitrary" if model.kind == "language_model" else "log_odds"
        if model.skipped:
            write_predictions(output, None, model.status, model.reason, provenance, scale=scale)
            continue
        if model.kind == "language_model" and len(missing) == len(tables):  # it knows nothing of the experiment
            reason = "; ".join(sorted(set(missing.values())))
            write_predictions(output, None, "skipped", reason, provenance, missing, scale=scale)
            continue
        scores = predict_test_sets(model, tables, chosen)
        write_predictions(output, scores, "ok", "", provenance, missing, scale=scale)
