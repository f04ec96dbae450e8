"""``bindgram pretrain``: train a k-mer language model on a genome corpus."""

from pathlib import Path
from typing import Any

import click

from bindgram.cli.options import (
    ExistingFile,
    NewDirectory,
    checkpoint_options,
    device_option,
    log_options,
    revision_option,
    seed_option,
    threads_option,
)


@click.command()
@click.option("--language-model", type=ExistingFile, required=True, help="Language-model file (YAML).")
@click.option("--corpus", type=ExistingFile, required=True, help="Tokenized genome (HDF5).")
@click.option("--output", type=NewDirectory, required=True, help="Folder of the bundle.")
@seed_option
@checkpoint_options
@log_options
@threads_option
@device_option
@revision_option
def pretrain(
    language_model: Path,
    corpus: Path,
    output: Path,
    seed: int,
    checkpoints: Path | None,
    checkpoint_minutes: float | None,
    threads: int,
    device: str,
    revision: int,
    logs: dict[str, Any],
) -> None:
    """Train a language model from random weights; report nats per base beside models of counts."""
    from bindgram.training.device import choose_device
    from bindgram.training.distributed import find_world, joined

    world = find_world()
    chosen = choose_device(device, threads, world)  # before anything slow

    from bindgram.data.corpus import Corpus
    from bindgram.models.bundle import save_bundle
    from bindgram.settings import load_language_model
    from bindgram.training.checkpoints import Checkpoints
    from bindgram.training.logs import LogSettings
    from bindgram.training.progress import announce
    from bindgram.training.stages import pretrain as train

    watched = LogSettings(**logs)
    with joined(world, chosen), Checkpoints(checkpoints, checkpoint_minutes, world) as kept:
        settings = load_language_model(language_model)
        opened = Corpus.open(corpus)
        bundle = train(
            settings, opened, device=chosen, seed=seed, revision=revision, checkpoints=kept, log=watched.of()
        )
        if world.leads:
            save_bundle(output, bundle)
            announce(f"pretrain: the bundle is in {output}")
            kept.clear()
