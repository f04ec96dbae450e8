"""``bindgram collect``: one tidy table of the metrics of all experiments and models."""

from pathlib import Path

import click

from bindgram.cli.options import CommaList, ExistingFile, NewFile, revision_option
from bindgram.errors import InputError


@click.command()
@click.option("--experiment-sheet", type=ExistingFile, required=True, help="Sheet of experiments (TSV).")
@click.option("--experiments", type=CommaList(), required=True, help="Experiment ids, separated by commas.")
@click.option("--models", type=CommaList(), required=True, help="Models and baselines that are trained, with commas.")
@click.option("--baselines", type=CommaList(), required=True, help="Other baselines, separated by commas.")
@click.option("--schemes", type=CommaList(), required=True, help="Schemes of training negatives.")
@click.option("--seeds", type=CommaList(), required=True, help="Training seeds; other baselines have the first only.")
@click.option("--splits", type=CommaList(), required=True, help="Names of the split files, separated by commas.")
@click.option(
    "--template",
    required=True,
    help="Path of a metrics file, with {experiment}, {model}, {split}, {scheme} and {seed} in braces.",
)
@click.option("--floor", required=True, help="Baseline whose value stands beside every score.")
@click.option("--missing-as-failed", is_flag=True, help="List absent metrics as failed instead of refusing.")
@click.option(
    "--log-template",
    multiple=True,
    help="Path of a rule's log, in braces as --template and {tf}, {family}, {biosample}, {assembly}; repeatable, in "
    "the order of the rules: the last that exists is quoted as the reason of a failure.",
)
@click.option("--output", type=NewFile, required=True, help="Tidy table (TSV); its provenance goes to OUTPUT.json.")
@click.option("--definitions", type=NewFile, help="Also write what every metric is: unit, definition, source (TSV).")
@revision_option
def collect(
    experiment_sheet: Path,
    experiments: tuple[str, ...],
    models: tuple[str, ...],
    baselines: tuple[str, ...],
    schemes: tuple[str, ...],
    seeds: tuple[str, ...],
    splits: tuple[str, ...],
    template: str,
    floor: str,
    missing_as_failed: bool,
    log_template: tuple[str, ...],
    output: Path,
    definitions: Path | None,
    revision: int,
) -> None:
    """Gather the metrics of all experiments and models in one table; refuse results of mixed revisions."""
    from bindgram.evaluation.collect import Request, collect_metrics, write_collected, write_definitions
    from bindgram.settings import read_experiments

    if floor not in baselines:
        raise InputError(f"--floor {floor}: not one of --baselines {','.join(baselines)}; choose one of them")
    request = Request(
        read_experiments(experiment_sheet),
        experiments,
        models,
        baselines,
        schemes,
        seeds,
        splits,
        template,
        floor,
        log_template if missing_as_failed else None,
    )
    write_collected(output, collect_metrics(request), revision)
    if definitions:
        write_definitions(definitions)
