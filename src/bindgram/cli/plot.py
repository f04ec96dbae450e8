"""``bindgram plot``: figures of one experiment."""

import json
from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NewFile, drawn_options, revision_option
from bindgram.provenance import make_provenance


@click.command()
@click.option("--experiment", required=True, help="Experiment id.")
@click.option("--title", required=True, help="Title of the figures.")
@drawn_options
@click.option("--tss", type=ExistingFile, help="Transcription start sites of the assembly (BED).")
@click.option("--curves", type=NewFile, required=True, help="ROC and precision-recall curves (SVG).")
@click.option("--scores", type=NewFile, required=True, help="Score distributions (SVG).")
@click.option("--learning", type=NewFile, required=True, help="Learning curves (SVG).")
@click.option("--distributions", type=NewFile, required=True, help="What positives and negatives are like (SVG).")
@revision_option
def plot(
    experiment: str,
    title: str,
    results: tuple[tuple[str, Path, Path], ...],
    train_log: tuple[tuple[str, Path], ...],
    positives: Path,
    negatives: tuple[tuple[str, Path], ...],
    peaks: tuple[str, Path] | None,
    tss: Path | None,
    headline: str,
    curves: Path,
    scores: Path,
    learning: Path,
    distributions: Path,
    revision: int,
) -> None:
    """Draw curves, scores and learning of the models of one experiment, and what its examples are like."""
    from bindgram.data.peaks import read_peaks
    from bindgram.evaluation.distributions import distribution_figure
    from bindgram.evaluation.figures import curve_figure, learning_figure, read_training_log, save_figure, score_figure
    from bindgram.evaluation.groups import read_sets
    from bindgram.evaluation.predictions import read_predictions
    from bindgram.genome.regions import read_bed3

    tables = [
        (name, *read_predictions(predictions), json.loads(metrics.read_text()))
        for name, predictions, metrics in results
    ]
    logs = [(name, read_training_log(path)) for name, path in train_log]
    settings = {"experiment": experiment, "title": title, "headline": headline}
    inputs = {f"{name}.{number}": metrics["provenance"] for number, (name, _, _, metrics) in enumerate(tables)}
    sets, reason, examples = read_sets(positives, negatives)
    inputs |= examples
    provenance = make_provenance("plot", revision, settings, inputs)
    save_figure(curve_figure(title, tables, headline), curves, provenance)
    save_figure(score_figure(title, tables, headline), scores, provenance)
    save_figure(learning_figure(title, logs, tables), learning, provenance)
    called = read_peaks(peaks[1], peaks[0]) if peaks else None
    widths = None if called is None else (called["end"] - called["start"]).to_numpy()
    sites = read_bed3(tss) if tss else None
    save_figure(distribution_figure(title, sets, widths, sites, reason), distributions, provenance)
