"""``bindgram baseline``: fit and score baselines without a network, among them the composition floor."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bindgram.cli.options import (
    Decorator,
    ExistingFile,
    NamedFile,
    NewFile,
    revision_option,
    seed_option,
    threads_option,
)
from bindgram.errors import InputError
from bindgram.provenance import make_provenance, read_record
from bindgram.settings.baselines import FittedBaseline, MotifBaseline, parse_fitted

if TYPE_CHECKING:
    from bindgram.evaluation.fitted import Known


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
Baselines = tuple[tuple[str, FittedBaseline, Path], ...]
Motifs = tuple[Path, Path] | None  # library and record

tf_option: Decorator = click.option("--tf", help="Factor of the experiment; baselines of kind motif need it.")
motifs_option: Decorator = click.option(
    "--motifs",
    type=(ExistingFile, ExistingFile),
    metavar="LIBRARY RECORD",
    help="Known motifs from bindgram motifs, with their record; baselines of kind motif need them.",
)


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
@tf_option
@motifs_option
@seed_option
@threads_option
@revision_option
def baseline(
    baselines: Baselines,
    labelled: Path,
    test_set: tuple[tuple[str, Path], ...],
    tf: str | None,
    motifs: Motifs,
    seed: int,
    threads: int,
    revision: int,
) -> None:
    """Fit baselines to labelled examples and score the test sets with them; both strands of a sequence score alike."""
    from bindgram.data.examples import read_examples
    from bindgram.evaluation.baselines import score_test_sets
    from bindgram.evaluation.predictions import write_predictions

    known = known_to(baselines, tf, motifs, seed, threads)
    examples = read_examples(labelled)
    tests = {test_name: read_examples(path) for test_name, path in test_set}
    inputs = {"labelled": examples.provenance} | {key: table.provenance for key, table in tests.items()}
    for name, settings, output in baselines:
        result = score_test_sets(examples, tests, settings, known)
        write_predictions(
            output,
            result.frame,
            result.status,
            result.reason,
            provenance_of("baseline", revision, name, settings, inputs, motifs),
            result.skipped_test_sets,
            result.scale,
            result.details,
        )


def known_to(baselines: Baselines, tf: str | None, motifs: Motifs, seed: int, threads: int) -> "Known":
    """What baselines know beside the examples.

    Raises
    ------
    InputError : one of kind motif is given without factor or library.
    """
    from bindgram.data.motifs import read_motifs
    from bindgram.evaluation.fitted import Known

    if not any(isinstance(settings, MotifBaseline) for _, settings, _ in baselines):
        return Known("", seed, threads)
    if tf is None or motifs is None:
        raise InputError("--baseline of kind motif: needs the factor and a library; give --tf and --motifs as well")
    return Known(tf, seed, threads, read_motifs(motifs[0]), motifs[0].stem)


def provenance_of(
    command: str,
    revision: int,
    name: str,
    settings: FittedBaseline,
    inputs: Mapping[str, Mapping[str, Any]],
    motifs: Motifs,
) -> dict[str, Any]:
    """Provenance of the scores of one baseline, with that of the library where it reads one."""
    from bindgram.evaluation.baselines import BASELINES

    packages: Iterable[str] = BASELINES[settings.kind].packages
    if isinstance(settings, MotifBaseline):
        assert motifs is not None  # `known_to` asks for it
        inputs = {**inputs, "motifs": read_record(motifs[1])}
    return make_provenance(command, revision, {"name": name} | settings.model_dump(), inputs, packages=packages)
