"""``bindgram panel``: the numbers behind one experiment's panel in the page of the report."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NamedText, NewFile, drawn_options, revision_option
from bindgram.provenance import make_provenance


@click.command()
@click.option(
    "--fact",
    "facts",
    type=NamedText(),
    multiple=True,
    help="What the panel says of the experiment (experiment, tf, biosample, lab, ...); repeatable.",
)
@drawn_options
@click.option("--sanity", type=ExistingFile, help="Sanity checks of the examples (TSV).")
@click.option("--output", type=NewFile, required=True, help="Numbers of the panel (JSON).")
@revision_option
def panel(
    facts: tuple[tuple[str, str], ...],
    results: tuple[tuple[str, Path, Path], ...],
    train_log: tuple[tuple[str, Path], ...],
    positives: Path,
    negatives: tuple[tuple[str, Path], ...],
    peaks: tuple[str, Path] | None,
    sanity: Path | None,
    headline: str,
    output: Path,
    revision: int,
) -> None:
    """Write curves, scores, calibration, learning, examples and strongest sites of one experiment for the report."""
    from bindgram.data.examples import read_examples
    from bindgram.data.peaks import read_peaks
    from bindgram.evaluation.figures import read_training_log
    from bindgram.evaluation.groups import read_sets
    from bindgram.evaluation.predictions import read_predictions
    from bindgram.evaluation.sanity import read_sanity
    from bindgram.report.panel import Examples, make_panel, read_provenance, write_panel
    from bindgram.report.panel_scores import Scored

    scored = [Scored(name, *read_predictions(predictions)) for name, predictions, _ in results]
    inputs = {f"{name}.{number}": read_provenance(metrics) for number, (name, _, metrics) in enumerate(results)}
    sets, reason, of_examples = read_sets(positives, negatives)
    called = read_peaks(peaks[1], peaks[0]) if peaks else None
    examples = Examples(
        sets,
        {name: read_examples(path).frame for name, path in negatives},
        None if called is None else (called["end"] - called["start"]).to_numpy(),
        reason,
    )
    logs = [(name, read_training_log(path)) for name, path in train_log]
    checks = read_sanity(sanity) if sanity else None
    provenance = make_provenance("panel", revision, {"headline": headline}, inputs | of_examples)
    write_panel(output, make_panel(dict(facts), scored, logs, examples, checks, headline), provenance)
