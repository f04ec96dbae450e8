"""``bindgram baseline``: fit and score a logistic regression on k-mer counts, the composition floor."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NamedFile, NewFile, revision_option
from bindgram.provenance import make_provenance


@click.command()
@click.option("--name", required=True, help="Name of the baseline in the results.")
@click.option("--k", type=click.IntRange(min=0, max=8), required=True, help="k-mer length; 0: GC content alone.")
@click.option(
    "--inverse-regularisation",
    type=click.FloatRange(min=0, min_open=True),
    required=True,
    help="Inverse strength of the L2 penalty; larger fits closer.",
)
@click.option("--labelled", type=ExistingFile, required=True, help="Labelled examples; split train is fitted.")
@click.option("--test-set", type=NamedFile(), multiple=True, required=True, help="NAME=FILE of a test set; repeatable.")
@click.option("--output", type=NewFile, required=True, help="Predictions table (Parquet).")
@revision_option
def baseline(
    name: str,
    k: int,
    inverse_regularisation: float,
    labelled: Path,
    test_set: tuple[tuple[str, Path], ...],
    output: Path,
    revision: int,
) -> None:
    """Fit a logistic regression on counts of k-mers of both strands and score the test sets with it."""
    from bindgram.data.examples import read_examples
    from bindgram.evaluation.baselines import score_test_sets
    from bindgram.evaluation.predictions import write_predictions

    examples = read_examples(labelled)
    tests = {test_name: read_examples(path) for test_name, path in test_set}
    result = score_test_sets(examples, tests, k, inverse_regularisation)
    settings = {"name": name, "k": k, "inverse_regularisation": inverse_regularisation}
    inputs = {"labelled": examples.provenance} | {key: table.provenance for key, table in tests.items()}
    provenance = make_provenance("baseline", revision, settings, inputs)
    write_predictions(output, result.frame, result.status, result.reason, provenance, result.skipped_test_sets)
