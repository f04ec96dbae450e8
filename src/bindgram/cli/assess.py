"""``bindgram assess``: metrics, with bootstrap intervals, of scores on the tiles of a test block."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NewFile, bootstrap_options, revision_option, seed_option
from bindgram.provenance import digest, make_provenance, step_rng, write_json


@click.command()
@click.option(
    "--scores",
    type=(ExistingFile, ExistingFile, NewFile),
    multiple=True,
    required=True,
    metavar="SCORES PREDICTIONS METRICS",
    help="Scores of the tiles (HDF5), predictions of the same model, flat JSON to write; repeatable.",
)
@click.option("--tiled", type=ExistingFile, required=True, help="Labels of the tiles from bindgram battery (HDF5).")
@click.option("--twin", required=True, help="Test set whose validation twin gives threshold and temperature.")
@bootstrap_options
@seed_option
@revision_option
def assess(
    scores: tuple[tuple[Path, Path, Path], ...],
    tiled: Path,
    twin: str,
    replicates: int,
    confidence: float,
    max_block_bp: int,
    seed: int,
    revision: int,
) -> None:
    """Write all metrics at the natural prevalence; threshold and calibration come from the twin, moved to it."""
    from threadpoolctl import threadpool_limits

    from bindgram.data.tiled import TEST_SET, read_tiled
    from bindgram.errors import InputError
    from bindgram.evaluation.predictions import read_predictions
    from bindgram.evaluation.tiled import empty_tiled_result, evaluate_tiles, read_tiled_scores

    tiles = read_tiled(tiled)
    settings = {"twin": twin, "replicates": replicates, "confidence": confidence, "max_block_bp": max_block_bp}
    for path, predictions, output in scores:
        scored = read_tiled_scores(path)
        frame, metadata = read_predictions(predictions)
        status, reason = scored.status, scored.reason
        if tiles.skipped and metadata["status"] == "ok":  # the model is there, only this test set is not
            status, reason, values = "ok", "", empty_tiled_result(tiles.reason)
        elif scored.status == "skipped":
            values = empty_tiled_result(reason)
        elif len(scored.scores) != len(tiles.labels):
            raise InputError(f"{path}: {len(scored.scores)} scores of {len(tiles.labels)} tiles; scan again")
        else:
            rows = frame[(frame["test_set"] == twin) & (frame["split"] == "valid")]
            rng = step_rng(seed, "evaluate", TEST_SET)
            with threadpool_limits(1):  # sums in one order, hence the same bytes on every machine of a kind
                values = evaluate_tiles(
                    tiles, scored.scores, rows, replicates, confidence, max_block_bp, rng, scale=metadata["scale"]
                )
        values = {f"{TEST_SET}.{name}": value for name, value in values.items()} | {"status": status, "reason": reason}
        inputs = {"scores": scored.provenance, "tiled": tiles.provenance, "predictions": metadata["provenance"]}
        provenance = make_provenance("assess", revision, settings, inputs, seed)
        write_json(output, values | {"provenance": provenance | {"digest": digest(values)}})
