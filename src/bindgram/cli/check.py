"""``bindgram check``: read the configuration and everything it names, and say what is wrong."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingFile
from bindgram.errors import InputError
from bindgram.settings import load_project
from bindgram.settings.base import read_yaml
from bindgram.settings.config import merge
from bindgram.settings.costs import estimate

COMPLETE = Path("config/config.yaml")  # which the workflow always reads first


@click.command()
@click.option(
    "--configfile",
    "configfiles",
    type=ExistingFile,
    multiple=True,
    help="Configuration (YAML), merged over config/config.yaml as Snakemake does; repeat to merge later files over "
    "earlier ones.",
)
def check(configfiles: tuple[Path, ...]) -> None:
    """Report every problem of a configuration at once, or what it will cost; run it where the workflow runs."""
    if not configfiles and not COMPLETE.is_file():
        raise InputError(f"{COMPLETE}: no such file; work in the checkout, or name a file with --configfile")
    config: dict[str, object] = {}
    complete = [COMPLETE] if COMPLETE.is_file() and not any(path.samefile(COMPLETE) for path in configfiles) else []
    for path in (*complete, *configfiles):
        config = merge(config, read_yaml(path))
    project = load_project(config)
    click.echo(
        f"OK: {len(project.selected)} of {len(project.experiments)} experiments, models {', '.join(project.models)}, "
        f"split {', '.join(project.config.split)}, "
        f"universe of {len(project.universe)}\n{estimate(project).describe()}"
    )
    if notice := project.mask_notice():
        click.echo(notice)
