"""``bindgram evaluate``: metrics with bootstrap intervals of one model's predictions."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NewFile, revision_option, seed_option
from bindgram.provenance import digest, make_provenance, write_json


@click.command()
@click.option("--predictions", type=ExistingFile, required=True, help="Predictions table (Parquet).")
@click.option("--replicates", type=click.IntRange(min=1), required=True, help="Bootstrap replicates.")
@click.option(
    "--confidence",
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    required=True,
    help="Coverage of the intervals.",
)
@click.option("--max-block-bp", type=click.IntRange(min=1), required=True, help="Longest genomic block, in bp.")
@seed_option
@click.option("--output", type=NewFile, required=True, help="Flat JSON of the metrics.")
@revision_option
def evaluate(
    predictions: Path,
    replicates: int,
    confidence: float,
    max_block_bp: int,
    seed: int,
    output: Path,
    revision: int,
) -> None:
    """Write AUROC, average precision and MCC of every test set; the MCC threshold comes from the validation twin."""
    from bindgram.evaluation.metrics import check_scores, evaluate_predictions
    from bindgram.evaluation.predictions import read_predictions

    frame, metadata = read_predictions(predictions)
    check_scores(frame, predictions)
    values = evaluate_predictions(
        frame, metadata.get("skipped_test_sets", {}), replicates, confidence, max_block_bp, seed
    )
    settings = {"replicates": replicates, "confidence": confidence, "max_block_bp": max_block_bp}
    provenance = make_provenance("evaluate", revision, settings, {"predictions": metadata["provenance"]}, seed)
    values |= {"status": metadata["status"], "reason": metadata["reason"]}
    write_json(output, values | {"provenance": provenance | {"digest": digest(values)}})
