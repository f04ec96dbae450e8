"""``bindgram baseline``: fit and score baselines without a network, among them the composition floor."""

from pathlib import Path
from typing import Any

import click

from bindgram.cli.options import ExistingFile, NamedFile, NewFile, revision_option
from bindgram.errors import InputError
from bindgram.provenance import make_provenance
from bindgram.settings.baselines import FittedBaseline, parse_fitted


class BaselineSettings(click.ParamType):
    """Settings of a fitted baseline, as they stand in the configuration: ``{kind: kmer, k: 3, ...}``."""

    name = "SETTINGS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> FittedBaseline:
        """Read YAML (or JSON) and check it."""
        if not isinstance(value, str):
            return value
        import yaml

        try:
            return parse_fitted(yaml.safe_load(value))
        except (yaml.YAMLError, InputError) as error:
            self.fail(f"{value!r}: {error}", param, ctx)


BASELINE = (str, BaselineSettings(), NewFile)


@click.command()
@click.option(
    "--baseline",
    "baselines",
    type=BASELINE,
    multiple=True,
    required=True,
    metavar="NAME SETTINGS OUTPUT",
    help="A baseline to fit: name in the results, settings as in the configuration, such as '{kind: kmer, k: 3,"
    " inverse_regularisation: 1.0}', predictions table (Parquet) to write. Repeatable.",
)
@click.option("--labelled", type=ExistingFile, required=True, help="Labelled examples; split train is fitted.")
@click.option("--test-set", type=NamedFile(), multiple=True, required=True, help="NAME=FILE of a test set; repeatable.")
@revision_option
def baseline(
    baselines: tuple[tuple[str, FittedBaseline, Path], ...],
    labelled: Path,
    test_set: tuple[tuple[str, Path], ...],
    revision: int,
) -> None:
    """Fit baselines to labelled examples and score the test sets with them; both strands of a sequence score alike."""
    from bindgram.data.examples import read_examples
    from bindgram.evaluation.baselines import BASELINES, score_test_sets
    from bindgram.evaluation.predictions import write_predictions

    examples = read_examples(labelled)
    tests = {test_name: read_examples(path) for test_name, path in test_set}
    inputs = {"labelled": examples.provenance} | {key: table.provenance for key, table in tests.items()}
    for name, settings, output in baselines:
        result = score_test_sets(examples, tests, settings)
        used = {"name": name} | settings.model_dump()
        packages = BASELINES[settings.kind].packages
        provenance = make_provenance("baseline", revision, used, inputs, packages=packages)
        write_predictions(
            output,
            result.frame,
            result.status,
            result.reason,
            provenance,
            result.skipped_test_sets,
            result.scale,
            result.details,
        )
