"""``bindgram evaluate``: metrics with bootstrap intervals of predictions."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NewFile, bootstrap_options, revision_option, seed_option
from bindgram.provenance import digest, make_provenance, write_json


@click.command()
@click.option(
    "--predictions",
    type=(ExistingFile, NewFile),
    multiple=True,
    required=True,
    metavar="PREDICTIONS METRICS",
    help="Predictions table (Parquet) and the flat JSON to write; repeatable.",
)
@bootstrap_options
@seed_option
@revision_option
def evaluate(
    predictions: tuple[tuple[Path, Path], ...],
    replicates: int,
    confidence: float,
    max_block_bp: int,
    seed: int,
    revision: int,
) -> None:
    """Write AUROC, average precision and MCC of every test set; the MCC threshold comes from the validation twin."""
    from bindgram.evaluation.metrics import check_scores, evaluate_predictions
    from bindgram.evaluation.predictions import read_predictions

    settings = {"replicates": replicates, "confidence": confidence, "max_block_bp": max_block_bp}
    for path, output in predictions:
        frame, metadata = read_predictions(path)
        check_scores(frame, path)
        skipped = metadata.get("skipped_test_sets", {})
        values = evaluate_predictions(frame, skipped, replicates, confidence, max_block_bp, seed)
        provenance = make_provenance("evaluate", revision, settings, {"predictions": metadata["provenance"]}, seed)
        values |= {"status": metadata["status"], "reason": metadata["reason"]}
        write_json(output, values | {"provenance": provenance | {"digest": digest(values)}})
