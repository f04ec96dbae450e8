"""``bindgram vary``: a variant of the labelled examples of one experiment."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NewFile, revision_option, seed_option


@click.command()
@click.option("--experiment", required=True, help="Id of the experiment.")
@click.option("--labelled", type=ExistingFile, required=True, help="Labelled examples of train and valid (Parquet).")
@click.option(
    "--variant",
    required=True,
    help="n250: 250 of the training positives with their negatives, the same for every scheme and part of any larger "
    "number; permuted: labels permuted within training and within validation.",
)
@seed_option
@click.option("--output", type=NewFile, required=True, help="The variant (Parquet).")
@revision_option
def vary(experiment: str, labelled: Path, variant: str, seed: int, output: Path, revision: int) -> None:
    """Make a variant of the training data; test sets are not touched."""
    from dataclasses import replace

    from bindgram.data.examples import read_examples, write_examples
    from bindgram.evaluation.variants import vary as vary_examples
    from bindgram.provenance import make_provenance, step_rng

    table = read_examples(labelled)
    settings = {"experiment": experiment, "variant": variant, "held_out": dict(table.held_out)}
    provenance = make_provenance("vary", revision, settings, {"labelled": table.provenance}, seed)
    varied = vary_examples(table, variant, step_rng(seed, "vary", experiment))
    write_examples(output, replace(varied, provenance=provenance))
