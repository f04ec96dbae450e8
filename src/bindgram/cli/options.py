"""Option types and options that several commands share."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

ExistingFile = click.Path(exists=True, dir_okay=False, path_type=Path)
ExistingDirectory = click.Path(exists=True, file_okay=False, path_type=Path)
NewFile = click.Path(dir_okay=False, path_type=Path)
NewDirectory = click.Path(file_okay=False, path_type=Path)

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

revision_option: Decorator = click.option(
    "--revision", type=click.IntRange(min=0), required=True, help="This command's integer in config/revisions.yaml."
)
seed_option: Decorator = click.option(
    "--seed", type=click.IntRange(min=0), required=True, help="Seed of this step's own generator."
)
threads_option: Decorator = click.option(
    "--threads", type=click.IntRange(min=1), required=True, help="CPU threads to use."
)
device_option: Decorator = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    required=True,
    help="auto: a GPU where one is visible, else CPU; cuda: fail without a GPU.",
)


_checkpoints: Decorator = click.option(
    "--checkpoints", type=NewDirectory, help="Folder of the training state, from which a stopped command goes on."
)
_checkpoint_minutes: Decorator = click.option(
    "--checkpoint-minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="Save the training state every so many minutes; given with --checkpoints.",
)


def checkpoint_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--checkpoints`` and ``--checkpoint-minutes``: both or neither."""
    return _checkpoints(_checkpoint_minutes(function))


_log_options: tuple[Decorator, ...] = (
    click.option("--log-folder", type=NewDirectory, help="Folder of metrics.csv and what TensorBoard reads."),
    click.option("--log-every", type=click.IntRange(min=1), help="Steps between its rows; given with --log-folder."),
    click.option("--tensorboard", is_flag=True, help="Write what TensorBoard reads as well."),
    click.option("--mlflow", metavar="ADDRESS", help="Folder or address of MLflow to log to as well."),
    click.option("--wandb", metavar="PROJECT", help="Project of Weights & Biases to log to as well, offline."),
)


def log_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How to watch a training: five options that become one argument `logs`, what a `LogSettings` is made of."""

    @wraps(function)
    def command(
        *args: Any,
        log_folder: Path | None,
        log_every: int | None,
        tensorboard: bool,
        mlflow: str | None,
        wandb: str | None,
        **others: Any,
    ) -> Any:
        logs = {"folder": log_folder, "every_steps": log_every}
        return function(*args, logs=logs | {"tensorboard": tensorboard, "mlflow": mlflow, "wandb": wandb}, **others)

    decorated: Callable[..., Any] = command
    for option in reversed(_log_options):
        decorated = option(decorated)
    return decorated


_replicates: Decorator = click.option(
    "--replicates", type=click.IntRange(min=1), required=True, help="Bootstrap replicates."
)
_confidence: Decorator = click.option(
    "--confidence",
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    required=True,
    help="Coverage of the intervals.",
)
_max_block_bp: Decorator = click.option(
    "--max-block-bp", type=click.IntRange(min=1), required=True, help="Longest genomic block, in bp."
)


def bootstrap_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--replicates``, ``--confidence`` and ``--max-block-bp`` of the intervals."""
    return _replicates(_confidence(_max_block_bp(function)))


class NamedText(click.ParamType):
    """``NAME=TEXT``; converts to ``(name, text)``."""

    name = "NAME=TEXT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        """Split at the first ``=``."""
        if isinstance(value, tuple):
            return value
        name, separator, text = str(value).partition("=")
        if not separator or not name.strip():
            self.fail(f"{value!r} is not {self.name}", param, ctx)
        return name, self._read(text, param, ctx)

    def _read(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return text


class NamedFile(NamedText):
    """``NAME=PATH`` of an existing file; converts to ``(name, path)``."""

    name = "NAME=PATH"

    def _read(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return ExistingFile.convert(text, param, ctx)


_DRAWN: tuple[Decorator, ...] = (
    click.option(
        "--result",
        "results",
        type=(str, ExistingFile, ExistingFile),
        multiple=True,
        required=True,
        metavar="MODEL PREDICTIONS METRICS",
        help="Predictions and their metrics; repeatable. Results of the same MODEL are its seeds.",
    ),
    click.option(
        "--train-log",
        type=NamedFile(),
        multiple=True,
        help="MODEL=FILE of a training log (TSV); repeatable. Files of the same MODEL are its seeds.",
    ),
    click.option("--positives", type=ExistingFile, required=True, help="Positives of the experiment (Parquet)."),
    click.option(
        "--negatives",
        type=NamedFile(),
        multiple=True,
        help="NAME=FILE of a table with negatives, of training or of a test set (Parquet); repeatable.",
    ),
    click.option(
        "--peaks", type=(str, ExistingFile), metavar="FORMAT FILE", help="Peaks of the experiment as they were called."
    ),
    click.option("--headline", required=True, help="Test set to draw; where it was not made, the first that was."),
)


def drawn_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What figures and panel of an experiment are made of: results, logs, examples, peaks, and the test set to draw."""
    for option in reversed(_DRAWN):
        function = option(function)
    return function


class CommaList(click.ParamType):
    """``A,B,C``; an empty text is an empty list."""

    name = "A,B,C"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Split at commas and refuse repeats."""
        if isinstance(value, tuple):
            return value
        items = tuple(item for item in str(value).split(",") if item)
        if len(set(items)) != len(items):
            self.fail(f"{value!r} names something twice", param, ctx)
        return items
