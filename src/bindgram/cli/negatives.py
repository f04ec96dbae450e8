"""``bindgram negatives``: make the negatives of one experiment, and the labelled examples to train on."""

from pathlib import Path
from typing import Any

import click

from bindgram.cli.background import background_options, recipe_options, shares_of
from bindgram.cli.options import ExistingFile, NewFile, revision_option, seed_option
from bindgram.errors import InputError
from bindgram.settings.sheets import SEQUENCE_FORMATS


@click.command()
@click.option("--experiment", required=True, help="Id of the experiment.")
@click.option("--positives", type=ExistingFile, required=True, help="Positive examples (Parquet).")
@click.option("--scheme", required=True, help="How negatives are made: a scheme, or a mixture of --mixture.")
@click.option(
    "--ratio", type=click.FloatRange(min=0, min_open=True), required=True, help="Negatives wanted per positive."
)
@click.option("--training-sequences", type=ExistingFile, help="Training file of a published set, for published.")
@click.option("--valid-sequences", type=ExistingFile, help="Its validation file, where it has one (optional).")
@click.option("--test-sequences", type=ExistingFile, help="Its test file; given with --training-sequences.")
@click.option("--sequence-format", type=click.Choice(SEQUENCE_FORMATS), help="Format of all three; given with them.")
@recipe_options
@background_options
@seed_option
@click.option("--output", type=NewFile, required=True, help="Negatives of train and valid (Parquet).")
@click.option("--labelled", type=NewFile, required=True, help="Positives and negatives of train and valid (Parquet).")
@click.option("--filter-table", type=NewFile, required=True, help="Why wanted negatives are missing (TSV).")
@revision_option
def negatives(
    experiment: str,
    positives: Path,
    scheme: str,
    ratio: float,
    training_sequences: Path | None,
    valid_sequences: Path | None,
    test_sequences: Path | None,
    sequence_format: str | None,
    mixtures: tuple[tuple[str, str, float], ...],
    minimum_fraction: float,
    seed: int,
    output: Path,
    labelled: Path,
    filter_table: Path,
    revision: int,
    **background: Any,
) -> None:
    """Write RATIO negatives per positive of train and valid, made by SCHEME; the test battery makes its own."""
    from bindgram.data.background import BackgroundRequest
    from bindgram.data.examples import read_examples, write_examples
    from bindgram.data.filters import write_filter_table
    from bindgram.data.labelled import make_labelled
    from bindgram.data.negatives import PUBLISHED, Recipe, describe_shortage
    from bindgram.data.published import all_published_negatives
    from bindgram.provenance import make_provenance

    table = read_examples(positives)
    request = BackgroundRequest(**background)
    shares = {scheme: 1.0} if scheme == PUBLISHED else shares_of(scheme, mixtures)
    undefined, published = request.why_undefined(table, shares), None
    if scheme == PUBLISHED and training_sequences is not None:
        if test_sequences is None or sequence_format is None:
            raise InputError("--training-sequences is given; give --test-sequences and --sequence-format as well")
        published = all_published_negatives(
            experiment, seed, sequence_format, training_sequences, valid_sequences, test_sequences
        )
    if scheme == PUBLISHED and (published is None or not (published["split"] == "train").any()):
        undefined = undefined or "no published negatives to train on: published is not defined; use another scheme"
    recipe = Recipe(scheme, shares, ratio, minimum_fraction, undefined)
    settings = {"experiment": experiment, **recipe.describe(), **request.describe(shares)}
    inputs = {"positives": table.provenance, **request.inputs(shares)}
    provenance = make_provenance("negatives", revision, settings, inputs, seed)
    with request.open(table, shares) as opened:
        made, examples, counts = make_labelled(experiment, table, recipe, seed, opened, provenance, published)
    write_examples(output, made)
    write_examples(labelled, examples)
    write_filter_table(filter_table, counts)
    click.echo(f"{experiment}: {describe_shortage(scheme, examples, counts)}")
