"""``bindgram report``: the tables of the report as HTML pages that stand alone."""

import json
from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NewFile, revision_option
from bindgram.errors import InputError
from bindgram.provenance import make_provenance, write_text
from bindgram.settings import Config
from bindgram.settings.base import parse


@click.command()
@click.option("--metrics", type=ExistingFile, required=True, help="Table of bindgram collect, its .json beside it.")
@click.option("--headline-test-set", required=True, help="Test set that stands first.")
@click.option(
    "--headline-metric",
    type=click.Choice(["auroc", "average_precision"]),
    required=True,
    help="Metric that stands first.",
)
@click.option("--floor", required=True, help="Baseline that every score is compared with.")
@click.option(
    "--filter-template",
    multiple=True,
    help="Path of a table of counts per reason (TSV), with {experiment} and {split} in braces; repeatable. Experiments "
    "without the table are left out.",
)
@click.option("--audit-template", required=True, help="Path of an audit (TSV), in the same way.")
@click.option(
    "--tiles",
    type=(str, NewFile),
    multiple=True,
    metavar="ASSEMBLY FILE",
    help="Tile table of an assembly, which tells where its repeats are from; repeatable; left out where it is absent.",
)
@click.option("--config-json", required=True, help="The whole configuration of the run, as JSON.")
@click.option("--summary", type=NewFile, required=True, help="Results of all experiments and models (HTML).")
@click.option("--data", type=NewFile, required=True, help="Counts per filter and split (HTML).")
@click.option("--methods", type=NewFile, required=True, help="Methods, settings and versions (HTML).")
@revision_option
def report(
    metrics: Path,
    headline_test_set: str,
    headline_metric: str,
    floor: str,
    filter_template: tuple[str, ...],
    audit_template: str,
    tiles: tuple[tuple[str, Path], ...],
    config_json: str,
    summary: Path,
    data: Path,
    methods: Path,
    revision: int,
) -> None:
    """Write the summary, the data page and the methods page of the report."""
    from bindgram.data.tiles import Tiles
    from bindgram.evaluation.audit import read_audit
    from bindgram.evaluation.collect import read_collected
    from bindgram.report.audit import suspicious_notes
    from bindgram.report.data import data_page, find_filter_tables
    from bindgram.report.html import page
    from bindgram.report.methods import methods_section
    from bindgram.report.summary import summary_page

    try:
        config = parse(Config, json.loads(config_json), "--config-json")
    except json.JSONDecodeError as error:
        raise InputError(f"--config-json: not valid JSON ({error}); give the whole configuration as JSON") from None
    frame, upstream = read_collected(metrics)
    settings = {"test_set": headline_test_set, "metric": headline_metric, "floor": floor}
    provenance = make_provenance("report", revision, settings, {"metrics": upstream})
    experiments = frame["experiment"].unique().tolist()
    found = find_filter_tables([audit_template], config.split, experiments)
    audits = {experiment: read_audit(path) for experiment, path in found}
    notes = suspicious_notes(audits)
    write_text(summary, summary_page(frame, headline_test_set, headline_metric, floor, config, provenance, notes))
    tables = find_filter_tables(filter_template, config.split, experiments)
    write_text(data, data_page(tables, config.positives.filters, audits, provenance))
    repeats = {assembly: Tiles.open(path).repeats for assembly, path in tiles if path.exists()}
    text = methods_section(config, upstream, repeats)
    write_text(methods, page("Methods, settings and versions", text, provenance))
