"""``bindgram battery``: make the fixed test sets of one experiment, each with its validation twin."""

from pathlib import Path
from typing import Any, get_args

import click

from bindgram.cli.background import background_options, recipe_options, shares_of
from bindgram.cli.options import ExistingFile, NewFile, revision_option, seed_option
from bindgram.errors import InputError
from bindgram.settings.config import HomologyAction
from bindgram.settings.sheets import SEQUENCE_FORMATS

_HOMOLOGY_ACTIONS = [action for action in get_args(HomologyAction) if action != "none"]
_TEST_SET = (str, str, click.FloatRange(min=0, min_open=True), NewFile)


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
@click.option("--test-sequences", type=ExistingFile, help="Published test set, for published.")
@click.option("--valid-sequences", type=ExistingFile, help="Its validation set, where it has one (optional).")
@click.option("--sequence-format", type=click.Choice(SEQUENCE_FORMATS), help="Format of both; given with them.")
@click.option("--tiled", type=NewFile, help="Labels of the tiles of the block that the split file names (HDF5).")
@recipe_options
@background_options
@click.option(
    "--homology",
    type=click.Choice(_HOMOLOGY_ACTIONS),
    help="What to do with rows that resemble a training positive (MMseqs2, both strands): list them, and keep or drop "
    "them. Optional; with the next three.",
)
@click.option("--min-identity", type=click.FloatRange(0, 1), help="Fraction of equal bases from which it does.")
@click.option("--min-coverage", type=click.FloatRange(0, 1), help="Fraction of the row that is aligned, at least.")
@click.option("--homology-table", type=NewFile, help="The list (TSV).")
@seed_option
@click.option("--filter-table", type=NewFile, required=True, help="Counts per test set and reason (TSV).")
@revision_option
def battery(
    experiment: str,
    positives: Path,
    test_sets: tuple[tuple[str, str, float, Path], ...],
    max_positives: int | None,
    test_sequences: Path | None,
    valid_sequences: Path | None,
    sequence_format: str | None,
    mixtures: tuple[tuple[str, str, float], ...],
    minimum_fraction: float,
    tiled: Path | None,
    homology: str | None,
    min_identity: float | None,
    min_coverage: float | None,
    homology_table: Path | None,
    seed: int,
    filter_table: Path,
    revision: int,
    **background: Any,
) -> None:
    """Write test sets that do not depend on training negatives: rows of split test, and a twin of split valid."""
    from bindgram.data.background import BackgroundRequest
    from bindgram.data.battery import PUBLISHED, make_test_set, read_published_negatives
    from bindgram.data.examples import read_examples, write_examples
    from bindgram.data.filters import write_filter_table
    from bindgram.data.homology import HomologySearch, treat_homologs, write_homologs
    from bindgram.data.negatives import Recipe, describe_shortage
    from bindgram.data.tiled import TEST_SET, make_tiled, write_tiled
    from bindgram.provenance import make_provenance

    if any((value is None) != (homology is None) for value in (min_identity, min_coverage, homology_table)):
        raise InputError("--homology, --min-identity, --min-coverage and --homology-table are given together or not")
    names = [name for name, _, _, _ in test_sets]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"--test-set {', '.join(repeated)} is given twice; names are unique")
    table = read_examples(positives)
    request = BackgroundRequest(**background)
    schemes = [scheme for _, scheme, _, _ in test_sets]
    published = read_published_negatives(experiment, sequence_format, test_sequences, valid_sequences, schemes)
    shares = {scheme: {} if scheme == PUBLISHED else shares_of(scheme, mixtures) for scheme in schemes}
    how = {"action": homology, "min_identity": min_identity, "min_coverage": min_coverage} if homology else {}
    made, counts = {}, {}
    with request.open(table, list(dict.fromkeys(part for parts in shares.values() for part in parts))) as opened:
        for name, scheme, ratio, _ in test_sets:
            parts = shares[scheme]
            recipe = Recipe(scheme, parts, ratio, minimum_fraction, request.why_undefined(table, parts))
            settings = {"experiment": experiment, "test_set": name, **recipe.describe()}
            settings |= {"max_positives": max_positives, "held_out": table.held_out, **request.describe(parts)}
            settings["homology"] = how
            inputs = {"positives": table.provenance, **request.inputs(parts)}
            provenance = make_provenance("battery", revision, settings, inputs, seed)
            made[name], counts[name] = make_test_set(
                experiment, name, recipe, table, max_positives, seed, opened, published, provenance
            )
            click.echo(f"{experiment}: {name}: {describe_shortage(scheme, made[name], counts[name])}")
    if homology:
        search = HomologySearch(min_identity, min_coverage)
        made, n_homologous, found = treat_homologs(made, table.of_split("train"), homology, search)
        counts = {name: counts[name] + n_homologous.get(name, []) for name in counts}
        write_homologs(homology_table, found)
    for name, _, _, output in test_sets:
        write_examples(output, made[name])
    rows = [(name, reason, n) for name in names for reason, n in counts[name]]
    if tiled is not None:
        labels = make_tiled(experiment, table, request, revision)
        write_tiled(tiled, labels)
        rows += [(TEST_SET, reason, n) for reason, n in labels.counts().items()]
    write_filter_table(filter_table, rows, ("test_set", "reason", "n"))
