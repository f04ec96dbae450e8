"""``bindgram data-efficiency``: scores against the number of training positives."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NewFile, revision_option


@click.command("data-efficiency")
@click.option("--metrics", type=ExistingFile, required=True, help="Table of bindgram collect, of all variants.")
@click.option(
    "--labelled-template",
    required=True,
    help="Path of labelled examples, with {split}, {experiment} and {scheme} in braces: their positives are counted.",
)
@click.option("--headline-test-set", required=True, help="Test set of the figure.")
@click.option("--headline-metric", required=True, help="Metric of the figure.")
@click.option("--output", type=NewFile, required=True, help="A row per training, test set and metric (TSV).")
@click.option("--figure", type=NewFile, required=True, help="Curves of the models (SVG).")
@revision_option
def data_efficiency(
    metrics: Path,
    labelled_template: str,
    headline_test_set: str,
    headline_metric: str,
    output: Path,
    figure: Path,
    revision: int,
) -> None:
    """Table and figure of scores against the number of positives that models were trained on."""
    from bindgram.evaluation.collect import read_collected
    from bindgram.evaluation.control_figures import efficiency_figure
    from bindgram.evaluation.controls import count_in_files, efficiency_table, sizes_of, write_table
    from bindgram.evaluation.figures import save_figure
    from bindgram.provenance import make_provenance

    frame, upstream = read_collected(metrics)
    table = efficiency_table(frame, count_in_files(labelled_template))
    settings = {"test_set": headline_test_set, "metric": headline_metric}
    provenance = make_provenance("data-efficiency", revision, settings, {"metrics": upstream})
    write_table(output, table)
    save_figure(efficiency_figure(table, sizes_of(table), headline_test_set, headline_metric), figure, provenance)
