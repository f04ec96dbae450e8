"""``bindgram compare-models``: the differences between models over all experiments."""

from pathlib import Path

import click

from bindgram.cli.options import CommaList, ExistingFile, NewFile, revision_option


@click.command("compare-models")
@click.option("--experiment-sheet", type=ExistingFile, required=True, help="Sheet of experiments (TSV).")
@click.option("--experiments", type=CommaList(), required=True, help="Experiment ids, separated by commas.")
@click.option("--models", type=CommaList(), required=True, help="Models, separated by commas; others are baselines.")
@click.option("--schemes", type=CommaList(), required=True, help="Schemes of training negatives.")
@click.option("--splits", type=CommaList(), required=True, help="Names of the split files, separated by commas.")
@click.option(
    "--template", required=True, help="Path of a table of pairs, with {experiment}, {split} and {scheme} in braces."
)
@click.option("--missing-as-failed", is_flag=True, help="Count absent tables as failed instead of refusing.")
@click.option(
    "--confidence",
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    required=True,
    help="Coverage of the intervals; what is left of 1 is the false discovery rate and the level of the tests.",
)
@click.option("--headline-test-set", required=True, help="Test set of the figure.")
@click.option("--headline-metric", required=True, help="Metric of the figure.")
@click.option("--output", type=NewFile, required=True, help="All of it, with provenance (JSON).")
@click.option("--table", type=NewFile, required=True, help="A row per pair of models (TSV).")
@click.option("--experiment-table", type=NewFile, required=True, help="A row per pair and experiment (TSV).")
@click.option("--figure", type=NewFile, required=True, help="Average ranks with the critical difference (SVG).")
@revision_option
def compare_models(
    experiment_sheet: Path,
    experiments: tuple[str, ...],
    models: tuple[str, ...],
    schemes: tuple[str, ...],
    splits: tuple[str, ...],
    template: str,
    missing_as_failed: bool,
    confidence: float,
    headline_test_set: str,
    headline_metric: str,
    output: Path,
    table: Path,
    experiment_table: Path,
    figure: Path,
    revision: int,
) -> None:
    """Test over TFs whether models differ, with effect sizes and corrections, and rank them."""
    from bindgram.evaluation.comparison import add_rates, spread_skipped
    from bindgram.evaluation.comparison_files import (
        PairFiles,
        comparison_values,
        merged_provenance,
        rank_figure,
        read_all_pairs,
        write_comparison_table,
        write_experiment_table,
    )
    from bindgram.evaluation.figures import save_figure
    from bindgram.provenance import digest, make_provenance, write_json
    from bindgram.settings import read_experiments

    files = PairFiles(read_experiments(experiment_sheet), experiments, splits, schemes, template)
    read, sources = read_all_pairs(files, missing_as_failed=missing_as_failed)
    pairs = add_rates(spread_skipped(read))
    headline = {"test_set": headline_test_set, "metric": headline_metric}
    settings = {"confidence": confidence, "headline": headline, "models": list(models)}
    provenance = make_provenance("compare-models", revision, settings, {"pairs": merged_provenance(sources)})
    values = comparison_values(pairs, models, confidence, headline)
    compared, ranked = values["comparisons"], values["rankings"]
    title = f"Average rank over TFs · test set {headline_test_set} · {headline_metric.replace('_', ' ')}"
    drawn = [one for one in ranked if (one["test_set"], one["metric"]) == (headline_test_set, headline_metric)]
    write_experiment_table(experiment_table, pairs)
    write_comparison_table(table, compared)
    save_figure(rank_figure(title, drawn, confidence), figure, provenance)
    write_json(output, values | {"provenance": provenance | {"digest": digest(values)}})
