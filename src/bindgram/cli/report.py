"""``bindgram report``: everything about a run as one HTML page that stands alone."""

import json
from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NewFile, revision_option
from bindgram.errors import InputError
from bindgram.provenance import digest, make_provenance, write_json, write_text
from bindgram.settings import Config
from bindgram.settings.base import parse

BRACES = "with {experiment}, {split} and {scheme} in braces"


@click.command()
@click.option("--metrics", type=ExistingFile, required=True, help="Table of bindgram collect, its .json beside it.")
@click.option(
    "--filter-template",
    multiple=True,
    help="Path of a table of counts per reason (TSV), with {experiment} and {split} in braces; repeatable. Experiments "
    "without the table are left out.",
)
@click.option("--audit-template", required=True, help="Path of an audit (TSV), in the same way.")
@click.option("--panel-template", help=f"Path of what bindgram panel wrote of an experiment (JSON), {BRACES}.")
@click.option(
    "--interpretation-template",
    help=f"Path of what bindgram interpret found in a model (JSON), {BRACES}, and {{model}} and {{seed}}.",
)
@click.option(
    "--benchmark-template",
    multiple=True,
    help=f"Path of Snakemake's time and memory of a job, {BRACES}, and maybe {{model}}; repeatable.",
)
@click.option("--comparison", type=NewFile, help="What bindgram compare-models wrote (JSON); left out where absent.")
@click.option(
    "--data-efficiency",
    type=NewFile,
    help="Table of bindgram data-efficiency, its figure (.svg) beside it; told as not asked for where absent.",
)
@click.option("--permuted-control", type=NewFile, help="Verdicts of bindgram permuted-control (JSON), in the same way.")
@click.option("--tiled", type=NewFile, help="Table of bindgram collect of the tiled block; left out where absent.")
@click.option(
    "--tiles",
    type=(str, NewFile),
    multiple=True,
    metavar="ASSEMBLY FILE",
    help="Tile table of an assembly, which tells where its repeats are from; repeatable; left out where it is absent.",
)
@click.option("--experiment-sheet", type=ExistingFile, help="Sheet of experiments (TSV), for the digest of its rows.")
@click.option(
    "--positives-template",
    help="Path of positives (Parquet), with {experiment} and {split} in braces, which have the digests of inputs.",
)
@click.option("--config-json", required=True, help="The whole configuration of the run, as JSON.")
@click.option("--output", type=NewFile, required=True, help="The page (HTML).")
@click.option("--methods", type=NewFile, help="Also write the text of the methods (Markdown).")
@click.option("--record", type=NewFile, help="Also write what the run was made with: settings, code, digests (JSON).")
@revision_option
def report(
    metrics: Path,
    filter_template: tuple[str, ...],
    audit_template: str,
    panel_template: str | None,
    interpretation_template: str | None,
    benchmark_template: tuple[str, ...],
    comparison: Path | None,
    data_efficiency: Path | None,
    permuted_control: Path | None,
    tiled: Path | None,
    tiles: tuple[tuple[str, Path], ...],
    experiment_sheet: Path | None,
    positives_template: str | None,
    config_json: str,
    output: Path,
    methods: Path | None,
    record: Path | None,
    revision: int,
) -> None:
    """Write the report of a run: one page with all results, methods and reasons."""
    from bindgram.report.controls import read_controls
    from bindgram.report.experiments import Templates, read_json
    from bindgram.report.methods import methods_markdown
    from bindgram.report.reproducibility import made_with
    from bindgram.report.sources import read_sources, report_page

    try:
        config = parse(Config, json.loads(config_json), "--config-json")
    except json.JSONDecodeError as error:
        raise InputError(f"--config-json: not valid JSON ({error}); give the whole configuration as JSON") from None
    templates = Templates(filter_template, audit_template, panel_template, interpretation_template, benchmark_template)
    sources = read_sources(metrics, tiled, templates, tiles, config)
    compared = read_json(comparison) if comparison is not None and comparison.is_file() else None
    controls = read_controls(data_efficiency, permuted_control)
    settings = {**config.headline.model_dump(), "floor": config.floor}
    provenance = make_provenance("report", revision, settings, {"metrics": sources.upstream})
    files = {"metrics.tsv": metrics, "comparison.json": comparison, "tiled.tsv": tiled}
    files |= {"data_efficiency.tsv": data_efficiency, "permuted_control.json": permuted_control}
    made = made_with(config, experiment_sheet, positives_template, sources.experiments, sources.upstream, files)
    write_text(output, report_page(sources, compared, controls, made, config, provenance))
    if methods is not None:
        write_text(methods, methods_markdown(config, sources.upstream, sources.repeats))
    if record is not None:
        write_json(record, made | {"provenance": provenance | {"digest": digest(made)}})
