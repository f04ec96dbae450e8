"""Options of the commands that make negatives."""

from collections.abc import Callable, Sequence
from typing import Any, get_args

import click

from bindgram.cli.options import Decorator, ExistingFile
from bindgram.errors import InputError
from bindgram.settings.config import Scheme
from bindgram.settings.sheets import StoredFormat

_OPTIONS: tuple[Decorator, ...] = (
    click.option("--genome", type=ExistingFile, help="Indexed FASTA; needed by schemes that draw from the genome."),
    click.option("--assembly", help="Its id in the split file; needed with --genome."),
    click.option("--split", type=ExistingFile, help="Split file; needed with --genome."),
    click.option("--tiles", type=ExistingFile, help="Tile table of the assembly; needed with --genome."),
    click.option("--peaks", type=ExistingFile, help="All peaks of the experiment: no negative near them."),
    click.option("--peaks-record", type=ExistingFile, help="Their record from bindgram fetch or extract (JSON)."),
    click.option("--format", type=click.Choice(get_args(StoredFormat)), help="Format of --peaks."),
    click.option("--blacklist", type=ExistingFile, help="BED of regions where no negative is drawn (optional)."),
    click.option("--exclusion-bp", type=click.IntRange(min=0), required=True, help="Distance to every peak, bp."),
    click.option("--gc-bins", type=click.IntRange(min=1), required=True, help="Bins of GC fraction to match in."),
    click.option("--repeat-bins", type=click.IntRange(min=1), required=True, help="Bins of repeat fraction, likewise."),
    click.option(
        "--neighbour-bp",
        type=click.IntRange(min=1),
        required=True,
        help="Neighbours lie within so many bp of a window.",
    ),
    click.option("--universe", type=ExistingFile, help="Peaks of the biosample (Parquet), for other_peaks."),
    click.option("--tf", help="TF of the experiment: its peaks are no other factor's; needed with --universe."),
    click.option(
        "--leave-out",
        "left_out",
        multiple=True,
        help="Experiment of --universe of which nothing is drawn, as it is held out of training; repeatable.",
    ),
    click.option("--accessibility", type=ExistingFile, help="Peaks of open chromatin, for accessible_unbound."),
    click.option("--accessibility-record", type=ExistingFile, help="Its record; needed with --accessibility."),
)
_RECIPE_OPTIONS: tuple[Decorator, ...] = (
    click.option(
        "--mixture",
        "mixtures",
        type=(str, click.Choice(get_args(Scheme)), click.FloatRange(min=0, min_open=True)),
        multiple=True,
        metavar="NAME SCHEME SHARE",
        help="Part of a mixture that can be used like a scheme: the share that SCHEME makes of it. Repeatable.",
    ),
    click.option(
        "--minimum-fraction",
        type=click.FloatRange(0, 1),
        required=True,
        help="Skip a table with fewer negatives per negative wanted.",
    ),
)


def background_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name a genomic background, in the order of this module."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def recipe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--mixture`` (as `mixtures`) and ``--minimum-fraction``."""
    for option in reversed(_RECIPE_OPTIONS):
        command = option(command)
    return command


def shares_of(name: str, mixtures: Sequence[tuple[str, str, float]]) -> dict[str, float]:
    """Schemes behind a name, with the share of each: itself, or the parts of a mixture.

    Raises
    ------
    InputError : it is neither a scheme nor a mixture, or a part is given twice.
    """
    parts = [(scheme, share) for mixture, scheme, share in mixtures if mixture == name]
    if len(dict(parts)) < len(parts):
        raise InputError(f"--mixture {name}: a scheme is given twice; add up its shares")
    if not parts and name not in get_args(Scheme):
        raise InputError(
            f"scheme {name!r}: neither a scheme ({', '.join(get_args(Scheme))}) nor a mixture; give its parts with "
            "--mixture NAME SCHEME SHARE"
        )
    return dict(parts) or {name: 1.0}
