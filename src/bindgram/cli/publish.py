"""``bindgram publish``: a bundle with its test results as a folder that Hugging Face and others can take."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingDirectory, ExistingFile, NamedFile, NamedText, NewDirectory
from bindgram.errors import InputError


@click.command()
@click.option("--model", type=ExistingDirectory, required=True, help="Bundle of a classifier or a language model.")
@click.option("--name", required=True, help="Name of the model in its card.")
@click.option("--license", "license_name", required=True, help="Licence of the weights: an identifier such as mit.")
@click.option(
    "--results",
    type=(ExistingFile, ExistingFile),
    metavar="PREDICTIONS METRICS",
    help="Predictions of this model and the metrics made of them; checked to be of this bundle. Optional.",
)
@click.option("--threshold-of", help="Test set whose threshold the model is published with, to call bound or not.")
@click.option(
    "--data",
    type=NamedText(),
    multiple=True,
    help="NAME=TEXT: a fact on the data, for the card; repeatable. Say experiment, factor, assembly and splits.",
)
@click.option("--dataset", "datasets", multiple=True, help="Identifier of a data set; repeatable.")
@click.option("--tag", "tags", multiple=True, help="One more tag; repeatable.")
@click.option(
    "--benchmark",
    "benchmarks",
    type=NamedFile(),
    multiple=True,
    help="NAME=FILE: what a job took, by Snakemake; repeatable.",
)
@click.option("--output", type=NewDirectory, required=True, help="Folder to write; may be a clone of a repository.")
def publish(
    model: Path,
    name: str,
    license_name: str,
    results: tuple[Path, Path] | None,
    threshold_of: str | None,
    data: tuple[tuple[str, str], ...],
    datasets: tuple[str, ...],
    tags: tuple[str, ...],
    benchmarks: tuple[tuple[str, Path], ...],
    output: Path,
) -> None:
    """Write weights, config, vocabulary and a model card in the layout of Hugging Face; nothing is sent anywhere.

    The folder is a bundle too: bindgram predict reads it, and so does pretrained: in a model file.
    """
    from bindgram.evaluation import publish as publishing
    from bindgram.evaluation.collect import read_metrics
    from bindgram.evaluation.predictions import read_predictions
    from bindgram.models.bundle import load_bundle
    from bindgram.models.card import Published

    if threshold_of and not results:
        raise InputError("--threshold-of: comes from metrics; give --results as well")
    publishing.check_folder(output)
    bundle = load_bundle(model)
    metrics, confidence = {}, None
    if results:
        predictions = read_predictions(results[0])[1]["provenance"]
        metrics = read_metrics(results[1])
        provenance = metrics.pop("provenance")
        publishing.check_scored_by(bundle, predictions, provenance)
        confidence = provenance["settings"].get("confidence")
    published = Published(
        name=name,
        license=license_name,
        data=dict(data),
        datasets=datasets,
        tags=tags,
        metrics=metrics,
        confidence=confidence,
        threshold=publishing.threshold_of(metrics, threshold_of) if threshold_of and not bundle.skipped else None,
        costs={job: publishing.read_cost(path) for job, path in benchmarks},
    )
    publishing.publish(bundle, published, output)
