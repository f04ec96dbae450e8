"""``bindgram baseline``: fit and score logistic regressions on k-mer counts, among them the composition floor."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NamedFile, NewFile, revision_option
from bindgram.provenance import make_provenance

BASELINE = (str, click.IntRange(min=0, max=8), click.FloatRange(min=0, min_open=True), NewFile)


@click.command()
@click.option(
    "--baseline",
    "baselines",
    type=BASELINE,
    multiple=True,
    required=True,
    metavar="NAME K INVERSE_REGULARISATION OUTPUT",
    help="A baseline to fit: name in the results, k-mer length (0: GC content alone), inverse strength of the L2"
    " penalty (larger fits closer), predictions table (Parquet) to write. Repeatable.",
)
@click.option("--labelled", type=ExistingFile, required=True, help="Labelled examples; split train is fitted.")
@click.option("--test-set", type=NamedFile(), multiple=True, required=True, help="NAME=FILE of a test set; repeatable.")
@revision_option
def baseline(
    baselines: tuple[tuple[str, int, float, Path], ...],
    labelled: Path,
    test_set: tuple[tuple[str, Path], ...],
    revision: int,
) -> None:
    """Fit logistic regressions on counts of k-mers of both strands and score the test sets with them."""
    from bindgram.data.examples import read_examples
    from bindgram.evaluation.baselines import score_test_sets
    from bindgram.evaluation.predictions import write_predictions

    examples = read_examples(labelled)
    tests = {test_name: read_examples(path) for test_name, path in test_set}
    inputs = {"labelled": examples.provenance} | {key: table.provenance for key, table in tests.items()}
    for name, k, inverse_regularisation, output in baselines:
        result = score_test_sets(examples, tests, k, inverse_regularisation)
        settings = {"name": name, "k": k, "inverse_regularisation": inverse_regularisation}
        provenance = make_provenance("baseline", revision, settings, inputs, packages=["scikit-learn"])
        write_predictions(output, result.frame, result.status, result.reason, provenance, result.skipped_test_sets)
