"""``bindgram compare``: which results of two runs differ by more than another test set would change them."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingDirectory, NewFile

SHOWN = 20  # changes of each kind that are printed; --output has all


@click.command()
@click.argument("run_a", type=ExistingDirectory)
@click.argument("run_b", type=ExistingDirectory)
@click.option("--test-set", "test_sets", multiple=True, help="Compare this test set; repeatable; without it, all.")
@click.option("--metric", "metrics", multiple=True, help="Compare this metric; repeatable; without it, all.")
@click.option("--processes", type=click.IntRange(min=1), help="Processes that compare side by side; without it, one.")
@click.option("--output", type=NewFile, help="Also write every result of both runs, side by side (TSV).")
def compare(
    run_a: Path,
    run_b: Path,
    test_sets: tuple[str, ...],
    metrics: tuple[str, ...],
    processes: int | None,
    output: Path | None,
) -> None:
    """Say what changed from RUN_A to RUN_B, two folders of results: in the results, and in what they were made with.

    A result is better or worse where the interval of the difference leaves out 0 and the change survives correction for
    all that is compared. On the same test examples the difference is resampled in pairs.
    """
    from bindgram.evaluation.run_differences import difference_lines
    from bindgram.evaluation.runs import Run, compare_runs, summary_lines, write_comparison

    one, other = Run.open(run_a), Run.open(run_b)
    frame = compare_runs(one, other, test_sets, metrics, processes or 1)
    if output is not None:
        write_comparison(output, frame)
    click.echo("\n".join([*difference_lines(one, other), *summary_lines(frame, SHOWN)]))
