"""``bindgram evaluate``: metrics with bootstrap intervals of predictions."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

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
@click.option(
    "--tiled",
    type=ExistingFile,
    help="Labels of the tiles of bindgram battery (HDF5), which hold the natural prevalence; without it recall at a "
    "false discovery rate is not defined.",
)
@seed_option
@revision_option
def evaluate(
    predictions: tuple[tuple[Path, Path], ...],
    replicates: int,
    confidence: float,
    max_block_bp: int,
    homologs: tuple[Path, ...],
    tiled: Path | None,
    seed: int,
    revision: int,
) -> None:
    """Write all metrics of every test set; threshold and calibration come from the validation twin."""
    import pandas as pd
    from threadpoolctl import threadpool_limits

    from bindgram.data.homology import read_homologs
    from bindgram.data.tiled import read_tiled
    from bindgram.evaluation.evaluate import evaluate_predictions, metrics_without
    from bindgram.evaluation.predictions import read_predictions
    from bindgram.evaluation.tiled import natural_prevalence

    settings: dict[str, Any] = {"replicates": replicates, "confidence": confidence, "max_block_bp": max_block_bp}
    similar = [read_homologs(path) for path in homologs]
    lists = {f"homologs{number}": {"digest": sha256_file(path)} for number, path in enumerate(homologs)}
    tiles = {"tiled": read_tiled(tiled)} if tiled else {}
    prevalence = natural_prevalence(tiles.get("tiled"))
    settings["prevalence"] = asdict(prevalence)
    for path, output in predictions:
        frame, metadata = read_predictions(path)
        known = {"scale": metadata["scale"], "prevalence": prevalence}
        with threadpool_limits(1):  # sums in one order, hence the same bytes on every machine of a kind
            values = evaluate_predictions(
                frame, metadata["skipped_test_sets"], replicates, confidence, max_block_bp, seed, **known
            )
        if similar:
            values |= metrics_without(frame, pd.concat(similar))
        inputs = {"predictions": metadata["provenance"], **lists} | {k: v.provenance for k, v in tiles.items()}
        provenance = make_provenance("evaluate", revision, settings, inputs, seed)
        values |= {"status": metadata["status"], "reason": metadata["reason"]}
        write_json(output, values | {"provenance": provenance | {"digest": digest(values)}})
