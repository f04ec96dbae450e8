"""``bindgram permuted-control``: what is left of a score after training on permuted labels."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NewFile, revision_option


@click.command("permuted-control")
@click.option("--metrics", type=ExistingFile, required=True, help="Table of bindgram collect, of permuted schemes.")
@click.option(
    "--confidence",
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    required=True,
    help="Coverage of the intervals in the table.",
)
@click.option("--output", type=NewFile, required=True, help="A row per training and test set (TSV).")
@click.option("--verdict", type=NewFile, required=True, help="How many intervals hold 0.5, and where they lie (JSON).")
@revision_option
def permuted_control(metrics: Path, confidence: float, output: Path, verdict: Path, revision: int) -> None:
    """Count the intervals of AUROC that hold 0.5 where labels of training and validation were permuted."""
    from bindgram.evaluation.collect import read_collected
    from bindgram.evaluation.controls import describe_verdict, permuted_table, permuted_verdicts, write_table
    from bindgram.provenance import digest, make_provenance, write_json

    frame, upstream = read_collected(metrics)
    table = permuted_table(frame)
    verdicts = permuted_verdicts(table, confidence)
    provenance = make_provenance("permuted-control", revision, {"confidence": confidence}, {"metrics": upstream})
    values = {"confidence": confidence, "verdicts": verdicts}
    write_table(output, table)
    write_json(verdict, values | {"provenance": provenance | {"digest": digest(values)}})
    for found in verdicts:
        click.echo(describe_verdict(found))
