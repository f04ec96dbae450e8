"""``bindgram finetune``: train the classifier of one experiment."""

from pathlib import Path

import click

from bindgram.cli.options import (
    ExistingDirectory,
    ExistingFile,
    NewDirectory,
    device_option,
    revision_option,
    seed_option,
    threads_option,
)


@click.command()
@click.option("--model", type=ExistingFile, required=True, help="Model file (YAML).")
@click.option("--language-model", type=ExistingFile, help="Language-model file that the model's encoder names.")
@click.option("--pretrained", type=ExistingDirectory, help="Bundle to start from, where the model file says so.")
@click.option("--labelled", type=ExistingFile, required=True, help="Labelled train and valid examples (Parquet).")
@click.option("--output", type=NewDirectory, required=True, help="Folder of the bundle.")
@seed_option
@threads_option
@device_option
@revision_option
def finetune(
    model: Path,
    language_model: Path | None,
    pretrained: Path | None,
    labelled: Path,
    output: Path,
    seed: int,
    threads: int,
    device: str,
    revision: int,
) -> None:
    """Fine-tune a classifier with gradual unfreezing; keep the weights of the best validation."""
    from bindgram.data.examples import read_examples
    from bindgram.models.bundle import load_bundle, save_bundle
    from bindgram.settings import load_language_model, load_model
    from bindgram.training.device import choose_device
    from bindgram.training.stages import finetune as train

    bundle = train(
        load_model(model),
        load_language_model(language_model) if language_model else None,
        load_bundle(pretrained) if pretrained else None,
        read_examples(labelled),
        device=choose_device(device, threads),
        seed=seed,
        revision=revision,
    )
    save_bundle(output, bundle)
