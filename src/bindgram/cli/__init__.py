"""The ``bindgram`` command: one file per subcommand, torch imported inside the command bodies only."""

import errno
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

import click

from bindgram.cli.adapt import adapt
from bindgram.cli.assess import assess
from bindgram.cli.audit import audit
from bindgram.cli.baseline import baseline
from bindgram.cli.battery import battery
from bindgram.cli.check import check
from bindgram.cli.collect import collect
from bindgram.cli.compare import compare
from bindgram.cli.compare_models import compare_models
from bindgram.cli.data_efficiency import data_efficiency
from bindgram.cli.evaluate import evaluate
from bindgram.cli.export import export
from bindgram.cli.extract import extract
from bindgram.cli.fetch import fetch
from bindgram.cli.find_rate import find_rate
from bindgram.cli.finetune import finetune
from bindgram.cli.folds import folds
from bindgram.cli.index import index
from bindgram.cli.interpret import interpret
from bindgram.cli.motifs import motifs
from bindgram.cli.negatives import negatives
from bindgram.cli.overlap import overlap
from bindgram.cli.pairs import pairs
from bindgram.cli.panel import panel
from bindgram.cli.permuted_control import permuted_control
from bindgram.cli.plot import plot
from bindgram.cli.positives import positives
from bindgram.cli.predict import predict
from bindgram.cli.pretrain import pretrain
from bindgram.cli.publish import publish
from bindgram.cli.regions import regions
from bindgram.cli.report import report
from bindgram.cli.scan import scan
from bindgram.cli.score import score
from bindgram.cli.store import store
from bindgram.cli.tile import tile
from bindgram.cli.tokenize import tokenize
from bindgram.cli.universe import universe
from bindgram.cli.vary import vary
from bindgram.cli.verify import verify
from bindgram.errors import InputError


@click.group()
@click.version_option(package_name="bindgram")
def cli() -> None:
    """From a genome and ChIP-seq peaks to one honest, evaluated binding model per experiment."""


COMMANDS: tuple[click.Command, ...] = (
    adapt,
    assess,
    audit,
    baseline,
    battery,
    check,
    collect,
    compare,
    compare_models,
    data_efficiency,
    evaluate,
    export,
    extract,
    fetch,
    find_rate,
    finetune,
    folds,
    index,
    interpret,
    motifs,
    negatives,
    overlap,
    pairs,
    panel,
    permuted_control,
    plot,
    positives,
    predict,
    pretrain,
    publish,
    regions,
    report,
    scan,
    score,
    store,
    tile,
    tokenize,
    universe,
    vary,
    verify,
)
for command in COMMANDS:
    cli.add_command(command)


def _on_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for signum in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        signal.signal(signum, handler)


def _stop(signum: int, frame: FrameType | None) -> None:
    """Exit with 128 + signal, in order, so that half-written files are removed."""
    os.write(2, f"{signal.Signals(signum).name}: stopped\n".encode())  # print may be what was interrupted
    sys.exit(128 + signum)


def _is_out_of_memory(error: Exception) -> bool:
    """Whether numpy, or torch on a CPU or GPU, got no memory; torch itself is not loaded for every command."""
    return (
        isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "allocate memory" in str(error)
    )


def main() -> None:
    """Entry point: print an `InputError` as one message with exit status 1; anything else is a bug and a traceback."""
    _on_signals(_stop)
    try:
        cli(standalone_mode=True)
    except InputError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        click.echo(f"Error: {error.filename or 'output'}: the disk is full; nothing half-written was kept", err=True)
        sys.exit(1)
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        said = (str(error) or type(error).__name__).splitlines()[0]
        click.echo(f"Error: out of memory ({said}); give the job more (resources mem_mb, or a larger GPU)", err=True)
        sys.exit(1)
    finally:
        # What is done is done: a signal while Python shuts down must not turn a finished command into a failed one.
        _on_signals(signal.SIG_IGN)
