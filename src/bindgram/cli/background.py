"""Options of the commands that draw genomic negatives."""

from collections.abc import Callable
from typing import Any, get_args

import click

from bindgram.cli.options import Decorator, ExistingFile
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
)


def background_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name a genomic background, in the order of this module."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
