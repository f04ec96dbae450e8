"""``bindgram battery``: make the fixed test sets of one experiment, each with its validation twin."""

from pathlib import Path
from typing import Any, get_args

import click

from bindgram.cli.background import background_options
from bindgram.cli.options import ExistingFile, NewFile, revision_option, seed_option
from bindgram.errors import InputError
from bindgram.settings.config import Scheme

_SCHEMES = click.Choice([*get_args(Scheme), "published"])
_TEST_SET = (str, _SCHEMES, click.FloatRange(min=0, min_open=True), NewFile)


@click.command()
@click.option("--experiment", required=True, help="Id of the experiment.")
@click.option("--positives", type=ExistingFile, required=True, help="Positive examples (Parquet).")
@click.option(
    "--test-set",
    "test_sets",
    type=_TEST_SET,
    multiple=True,
    required=True,
    metavar="NAME SCHEME RATIO OUTPUT",
    help="A test set to write (Parquet); SCHEME published takes the negatives of --test-sequences. Repeatable.",
)
@click.option("--max-positives", type=click.IntRange(min=1), help="At most so many positives of a split (optional).")
@click.option("--test-sequences", type=ExistingFile, help="Published test set (DeepBind format), for published.")
@background_options
@seed_option
@click.option("--filter-table", type=NewFile, required=True, help="Counts per test set and reason (TSV).")
@revision_option
def battery(
    experiment: str,
    positives: Path,
    test_sets: tuple[tuple[str, str, float, Path], ...],
    max_positives: int | None,
    test_sequences: Path | None,
    seed: int,
    filter_table: Path,
    revision: int,
    **background: Any,
) -> None:
    """Write test sets that do not depend on training negatives: rows of split test, and a twin of split valid."""
    from bindgram.data.background import BackgroundRequest
    from bindgram.data.battery import make_test_set, read_published_negatives
    from bindgram.data.examples import read_examples, write_examples
    from bindgram.data.filters import write_filter_table
    from bindgram.provenance import make_provenance

    names = [name for name, _, _, _ in test_sets]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"--test-set {', '.join(repeated)} is given twice; names are unique")
    table = read_examples(positives)
    request = BackgroundRequest(**background)
    schemes = [scheme for _, scheme, _, _ in test_sets]
    published = read_published_negatives(experiment, test_sequences, schemes)
    rows = []
    with request.open(table, schemes) as opened:
        for name, scheme, ratio, output in test_sets:
            settings = {"experiment": experiment, "test_set": name, "scheme": scheme, "ratio": ratio}
            settings |= {"max_positives": max_positives, "held_out": table.held_out, **request.describe(scheme)}
            inputs = {"positives": table.provenance, **request.inputs([scheme])}
            provenance = make_provenance("battery", revision, settings, inputs, seed)
            made, counts = make_test_set(
                experiment, name, scheme, ratio, table, max_positives, seed, opened, published, provenance
            )
            write_examples(output, made)
            rows += [(name, reason, n) for reason, n in counts]
    write_filter_table(filter_table, rows, ("test_set", "reason", "n"))
