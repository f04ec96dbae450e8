"""``bindgram finetune``: train the classifiers of one experiment, one per seed."""

from pathlib import Path
from typing import Any

import click

from bindgram.cli.options import (
    ExistingDirectory,
    ExistingFile,
    NewDirectory,
    checkpoint_options,
    device_option,
    log_options,
    revision_option,
    threads_option,
)


@click.command()
@click.option("--model", type=ExistingFile, required=True, help="Model file (YAML).")
@click.option("--language-model", type=ExistingFile, help="Language-model file that the model's encoder names.")
@click.option("--pretrained", type=ExistingDirectory, help="Bundle to start from, where the model file says so.")
@click.option(
    "--backward-language-model", type=ExistingFile, help="Second language-model file, of one that reads backwards."
)
@click.option("--backward-pretrained", type=ExistingDirectory, help="Bundle of that language model.")
@click.option("--labelled", type=ExistingFile, required=True, help="Labelled train and valid examples (Parquet).")
@click.option("--output", type=NewDirectory, required=True, help="Folder of the bundles s<seed>.")
@click.option(
    "--seed",
    "seeds",
    type=click.IntRange(min=0),
    required=True,
    multiple=True,
    help="Seed of one training; repeat to train several, one after another.",
)
@checkpoint_options
@log_options
@threads_option
@device_option
@revision_option
def finetune(
    model: Path,
    language_model: Path | None,
    pretrained: Path | None,
    backward_language_model: Path | None,
    backward_pretrained: Path | None,
    labelled: Path,
    output: Path,
    seeds: tuple[int, ...],
    checkpoints: Path | None,
    checkpoint_minutes: float | None,
    threads: int,
    device: str,
    revision: int,
    logs: dict[str, Any],
) -> None:
    """Fine-tune a classifier with gradual unfreezing; keep the weights of the best validation."""
    from bindgram.training.device import choose_device

    chosen = choose_device(device, threads)  # before anything slow

    from bindgram.data.examples import read_examples
    from bindgram.errors import InputError
    from bindgram.models.bundle import load_bundle, save_bundle
    from bindgram.settings import load_language_model, load_model
    from bindgram.training.checkpoints import Checkpoints
    from bindgram.training.logs import LogSettings
    from bindgram.training.progress import announce
    from bindgram.training.stages import finetune as train

    if len(set(seeds)) < len(seeds):
        raise InputError(f"--seed {' '.join(map(str, seeds))}: a seed is given twice; seeds are unique")
    watched = LogSettings(**logs)
    with Checkpoints(checkpoints, checkpoint_minutes) as kept:
        settings = load_model(model)
        lm_settings = load_language_model(language_model) if language_model else None
        start = load_bundle(pretrained) if pretrained else None
        pair = {
            "backward": load_language_model(backward_language_model) if backward_language_model else None,
            "backward_pretrained": load_bundle(backward_pretrained) if backward_pretrained else None,
        }
        table = read_examples(labelled)
        common = {"device": chosen, "revision": revision, "checkpoints": kept, "where": str(model)} | pair
        for seed in seeds:
            kept.check()
            try:
                bundle = train(settings, lm_settings, start, table, seed=seed, log=watched.of(f"s{seed}"), **common)
            except InputError as error:
                raise InputError(f"seed {seed}: {error}") from None
            save_bundle(output / f"s{seed}", bundle)
            announce(f"finetune: the bundle of seed {seed} is in {output / f's{seed}'}")
        kept.clear()
