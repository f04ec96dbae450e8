"""``bindgram pairs``: differences between the models of one experiment."""

from pathlib import Path

import click

from bindgram.cli.options import CommaList, ExistingFile, NewFile, bootstrap_options, revision_option, seed_option


@click.command()
@click.option(
    "--result",
    "results",
    type=(str, str, ExistingFile),
    multiple=True,
    required=True,
    metavar="MODEL SEED PREDICTIONS",
    help="A training and its predictions (Parquet); repeatable. Results of the same MODEL are its seeds.",
)
@click.option(
    "--models", type=CommaList(), required=True, help="Models whose pairs are wanted; the others are baselines."
)
@bootstrap_options
@seed_option
@click.option("--output", type=NewFile, required=True, help="Table of all pairs (TSV); provenance in OUTPUT.json.")
@revision_option
def pairs(
    results: tuple[tuple[str, str, Path], ...],
    models: tuple[str, ...],
    replicates: int,
    confidence: float,
    max_block_bp: int,
    seed: int,
    output: Path,
    revision: int,
) -> None:
    """Compare every pair of models on every test set: block bootstrap of the difference, and DeLong's test."""
    from bindgram.evaluation.pairs import Resampling, Scored, compare_pairs, write_pairs
    from bindgram.evaluation.predictions import read_predictions
    from bindgram.provenance import make_provenance

    scored = [Scored(model, of, *read_predictions(path)) for model, of, path in results]
    resampling = Resampling(replicates, confidence, max_block_bp, seed)
    settings = {"replicates": replicates, "confidence": confidence, "max_block_bp": max_block_bp}
    inputs = {f"{one.model}.{one.seed}": one.metadata["provenance"] for one in scored}
    provenance = make_provenance("pairs", revision, settings | {"models": list(models)}, inputs, seed)
    write_pairs(output, compare_pairs(scored, models, resampling), provenance)
