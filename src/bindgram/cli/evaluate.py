"""``bindgram evaluate``: metrics with bootstrap intervals of predictions."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NewFile, bootstrap_options, revision_option, seed_option
from bindgram.provenance import digest, make_provenance, sha256_file, write_json


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
@click.option(
    "--homologs",
    type=ExistingFile,
    multiple=True,
    help="Rows of test sets that resemble training positives (TSV of bindgram battery): AUROC and average precision "
    "without them are written too. Repeatable, optional.",
)
@seed_option
@revision_option
def evaluate(
    predictions: tuple[tuple[Path, Path], ...],
    replicates: int,
    confidence: float,
    max_block_bp: int,
    homologs: tuple[Path, ...],
    seed: int,
    revision: int,
) -> None:
    """Write AUROC, average precision and MCC of every test set; the MCC threshold comes from the validation twin."""
    import pandas as pd

    from bindgram.data.homology import read_homologs
    from bindgram.evaluation.evaluate import check_scores, evaluate_predictions, metrics_without
    from bindgram.evaluation.predictions import read_predictions

    settings = {"replicates": replicates, "confidence": confidence, "max_block_bp": max_block_bp}
    similar = [read_homologs(path) for path in homologs]
    lists = {f"homologs{number}": {"digest": sha256_file(path)} for number, path in enumerate(homologs)}
    for path, output in predictions:
        frame, metadata = read_predictions(path)
        check_scores(frame, path)
        skipped = metadata.get("skipped_test_sets", {})
        values = evaluate_predictions(frame, skipped, replicates, confidence, max_block_bp, seed)
        if similar:
            values |= metrics_without(frame, pd.concat(similar))
        inputs = {"predictions": metadata["provenance"], **lists}
        provenance = make_provenance("evaluate", revision, settings, inputs, seed)
        values |= {"status": metadata["status"], "reason": metadata["reason"]}
        write_json(output, values | {"provenance": provenance | {"digest": digest(values)}})
