"""``bindgram verify``: recompute the metrics of a run from its predictions, and say whether they match."""

import sys
from pathlib import Path

import click

from bindgram.cli.options import CommaList, ExistingDirectory, NewFile

RESULTS = Path("results")  # where the workflow writes
SHOWN = 20  # differences that are printed; --output has all


@click.command()
@click.argument("results", type=ExistingDirectory, required=False)
@click.option("--experiments", type=CommaList(), help="Check these only, ids separated by commas; without it, all.")
@click.option("--processes", type=click.IntRange(min=1), help="Processes that recompute side by side; without it, one.")
@click.option("--output", type=NewFile, help="Also write every finding (TSV).")
def verify(
    results: Path | None, experiments: tuple[str, ...] | None, processes: int | None, output: Path | None
) -> None:
    """Recompute the metrics in RESULTS (the folder results, if not given) from the predictions, intervals too.

    Compares the collected tables with the metrics and the report with the tables as well. Says of every file whether it
    matches, what is absent and therefore not checked, and of each difference what to do. Exit status 1 if anything
    differs.
    """
    from bindgram.errors import InputError
    from bindgram.evaluation.verify import (
        DIFFERS,
        difference_lines,
        summary_lines,
        unchecked_lines,
        verify_run,
        write_findings,
    )

    folder = results or RESULTS
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; work where the workflow runs, or name its folder of results")
    findings = verify_run(folder, experiments or (), processes or 1)
    if output is not None:
        write_findings(output, findings)
    click.echo("\n".join(summary_lines(findings)))
    for line in [*unchecked_lines(findings), *difference_lines(findings, SHOWN)]:
        click.echo(line)
    if any(one.status == DIFFERS for one in findings):
        sys.exit(1)
