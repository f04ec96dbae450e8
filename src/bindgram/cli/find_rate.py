"""``bindgram find-rate``: try learning rates from low to high in one short training."""

from pathlib import Path

import click

from bindgram.cli.options import (
    ExistingDirectory,
    ExistingFile,
    NewFile,
    device_option,
    revision_option,
    seed_option,
    threads_option,
)
from bindgram.errors import InputError

Above0 = click.FloatRange(min=0, min_open=True)


@click.command("find-rate")
@click.option("--language-model", type=ExistingFile, help="Language-model file (YAML): the one to try, or the model's.")
@click.option("--corpus", type=ExistingFile, help="Tokenized genome (HDF5), to try rates of pretraining.")
@click.option("--model", type=ExistingFile, help="Model file (YAML), to try rates of fine-tuning.")
@click.option("--labelled", type=ExistingFile, help="Labelled examples (Parquet); given with --model.")
@click.option("--stage", type=click.IntRange(min=1), help="Stage of fine-tuning, from 1; given with --model.")
@click.option("--pretrained", type=ExistingDirectory, help="Bundle to start from, where the model file says so.")
@click.option("--backward-language-model", type=ExistingFile, help="Second language-model file, of a pair.")
@click.option("--backward-pretrained", type=ExistingDirectory, help="Bundle of that language model.")
@click.option("--steps", type=click.IntRange(min=10), required=True, help="Steps of training.")
@click.option("--lowest", type=Above0, required=True, help="Rate of the first step.")
@click.option("--highest", type=Above0, required=True, help="Rate of the last step, if the loss lasts so long.")
@click.option(
    "--smoothing", type=click.FloatRange(min=0, max=1, max_open=True), required=True, help="Of the losses; 0 = none."
)
@click.option("--output", type=NewFile, required=True, help="Table of the steps (TSV); what it says: OUTPUT.json.")
@seed_option
@threads_option
@device_option
@revision_option
def find_rate(
    language_model: Path | None,
    corpus: Path | None,
    model: Path | None,
    labelled: Path | None,
    stage: int | None,
    pretrained: Path | None,
    backward_language_model: Path | None,
    backward_pretrained: Path | None,
    steps: int,
    lowest: float,
    highest: float,
    smoothing: float,
    output: Path,
    seed: int,
    threads: int,
    device: str,
    revision: int,
) -> None:
    """Raise the learning rate from step to step and say at which the loss fell fastest."""
    of_model = (labelled, stage, model)
    if (corpus is None) == (model is None) or any(given is None for given in of_model) != (model is None):
        raise InputError("give --language-model and --corpus, or --model, --labelled and --stage")
    if corpus is not None and (language_model is None or pretrained or backward_language_model or backward_pretrained):
        raise InputError(
            "--corpus: give --language-model with it, and no bundles; pretraining starts from random weights"
        )
    from bindgram.training.device import choose_device

    chosen = choose_device(device, threads)  # before anything slow

    from bindgram.data.corpus import Corpus
    from bindgram.data.examples import read_examples
    from bindgram.models.bundle import load_bundle
    from bindgram.provenance import atomic_path, make_provenance, write_json
    from bindgram.settings import load_language_model, load_model
    from bindgram.settings.base import parse
    from bindgram.settings.config import FindRateSettings
    from bindgram.training.rates import find_classifier_rate, find_language_model_rate

    given = {"steps": steps, "lowest": lowest, "highest": highest, "smoothing": smoothing}
    sweep = parse(FindRateSettings, given, "options")
    lm = load_language_model(language_model) if language_model else None
    if corpus is not None:
        assert lm is not None
        opened = Corpus.open(corpus)
        inputs = {"corpus": opened.provenance}
        found = find_language_model_rate(lm, opened, sweep, device=chosen, seed=seed)
    else:
        assert model is not None
        assert labelled is not None
        assert stage is not None
        table = read_examples(labelled)
        inputs = {"labelled": table.provenance}
        found = find_classifier_rate(
            load_model(model),
            lm,
            load_bundle(pretrained) if pretrained else None,
            table,
            sweep,
            stage=stage,
            device=chosen,
            seed=seed,
            backward=load_language_model(backward_language_model) if backward_language_model else None,
            backward_pretrained=load_bundle(backward_pretrained) if backward_pretrained else None,
            where=str(model),
        )
    with atomic_path(output) as part:
        found.table.to_csv(part, sep="\t", index=False, float_format="%.6g", lineterminator="\n")
    provenance = make_provenance("find-rate", revision, given, inputs, seed)
    said = {"steepest": found.steepest, "tenth_of_lowest": found.tenth}
    write_json(Path(f"{output}.json"), said | {"provenance": provenance})
    if found.steepest is None:
        click.echo(f"the loss never fell from {lowest:g} on; lower --lowest, or look at {output}")
    else:
        click.echo(
            f"learning rate: {found.steepest:.2g} (the loss falls fastest); {found.tenth:.2g} (a tenth of its lowest)"
        )
