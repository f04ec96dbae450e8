"""``bindgram interpret``: what a classifier has learnt, and whether that is the known motif."""

import json
from pathlib import Path

import click

from bindgram.cli.options import (
    ExistingDirectory,
    ExistingFile,
    NamedFile,
    NewFile,
    device_option,
    revision_option,
    seed_option,
    threads_option,
)


@click.command()
@click.option("--experiment", required=True, help="Experiment id.")
@click.option("--tf", required=True, help="Factor whose known motif is looked for.")
@click.option("--title", required=True, help="Title of the figure.")
@click.option("--model", required=True, help="Name of the model.")
@click.option("--bundle", type=ExistingDirectory, required=True, help="Bundle of its classifier.")
@click.option("--predictions", type=ExistingFile, required=True, help="Its scores of the test sets (Parquet).")
@click.option(
    "--test-set",
    "test_sets",
    type=NamedFile(),
    multiple=True,
    required=True,
    help="NAME=FILE of a test set; repeatable.",
)
@click.option("--headline", required=True, help="Test set whose positives are explained; else the first that was made.")
@click.option("--motifs", type=ExistingFile, required=True, help="Known motifs of bindgram motifs (MEME).")
@click.option("--motifs-record", type=ExistingFile, required=True, help="Their record (JSON).")
@click.option("--settings-json", required=True, help="Section `interpretation` of the configuration, as JSON.")
@click.option(
    "--confidence",
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    required=True,
    help="Coverage of the intervals.",
)
@seed_option
@threads_option
@device_option
@click.option("--output", type=NewFile, required=True, help="Verdict, patterns, matches and sites (JSON).")
@click.option("--attributions", type=NewFile, required=True, help="Sequences and attributions of every method (HDF5).")
@click.option("--figure", type=NewFile, required=True, help="Logos (SVG).")
@revision_option
def interpret(
    experiment: str,
    tf: str,
    title: str,
    model: str,
    bundle: Path,
    predictions: Path,
    test_sets: tuple[tuple[str, Path], ...],
    headline: str,
    motifs: Path,
    motifs_record: Path,
    settings_json: str,
    confidence: float,
    seed: int,
    threads: int,
    device: str,
    output: Path,
    attributions: Path,
    figure: Path,
    revision: int,
) -> None:
    """Explain the scores of the strongest test positives, and say whether the known motif is what drives them."""
    from bindgram.training.device import choose_device

    chosen = choose_device(device, threads)  # before anything slow

    from bindgram.data.examples import read_examples
    from bindgram.data.motifs import read_motifs
    from bindgram.evaluation.figures import save_figure, stating_figure
    from bindgram.evaluation.predictions import read_predictions
    from bindgram.interpretation import interpret as steps
    from bindgram.interpretation.logos import interpretation_figure
    from bindgram.models.bundle import load_bundle
    from bindgram.provenance import make_provenance, read_record, write_json

    settings = steps.read_settings(settings_json)
    trained = load_bundle(bundle)
    scores, known = read_predictions(predictions)
    tables = {name: read_examples(path) for name, path in test_sets}
    library_record = read_record(motifs_record)
    inputs = {"bundle": trained.provenance, "predictions": known["provenance"], "motifs": library_record}
    provenance = make_provenance("interpret", revision, settings.model_dump(mode="json"), inputs, seed)

    if trained.skipped:
        found = steps.skipped_interpretation(trained.reason)
    elif not len(positives := steps.strongest_positives(scores, tables, headline, settings.n_sequences)):
        found = steps.skipped_interpretation(known["reason"] or "no test positive with a score")
    else:
        question = steps.Question(experiment, tf, read_motifs(motifs), library_record["settings"]["library"])
        found = steps.interpret(trained, positives, question, settings, device=chosen, seed=seed, confidence=confidence)
    steps.write_attributions(attributions, found, json.dumps(provenance, sort_keys=True))
    drawn = (
        stating_figure(title, f"Skipped: {found.reason}")
        if found.status == "skipped"
        else interpretation_figure(
            title,
            [pattern.shown(settings.matching.trim_bits) for pattern in found.discovery.patterns],
            found.matches,
            steps.sites_of(found, settings),
        )
    )
    save_figure(drawn, figure, provenance)
    write_json(output, steps.interpretation_json(found, model, settings, provenance))
