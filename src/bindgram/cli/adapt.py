"""``bindgram adapt``: continue a language model on the positives of an experiment."""

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
    seed_option,
    threads_option,
)


@click.command()
@click.option("--language-model", type=ExistingFile, required=True, help="Language-model file (YAML).")
@click.option("--base", type=ExistingDirectory, required=True, help="Bundle of the pretrained language model.")
@click.option(
    "--positives", type=ExistingFile, required=True, multiple=True, help="Positives (Parquet); repeat to pool."
)
@click.option("--output", type=NewDirectory, required=True, help="Folder of the bundle.")
@seed_option
@checkpoint_options
@log_options
@threads_option
@device_option
@revision_option
def adapt(
    language_model: Path,
    base: Path,
    positives: tuple[Path, ...],
    output: Path,
    seed: int,
    checkpoints: Path | None,
    checkpoint_minutes: float | None,
    threads: int,
    device: str,
    revision: int,
    logs: dict[str, Any],
) -> None:
    """Adapt a language model to positive sequences of the training split."""
    from bindgram.training.device import choose_device
    from bindgram.training.distributed import find_world, joined

    world = find_world()
    chosen = choose_device(device, threads, world)  # before anything slow

    from bindgram.data.examples import read_examples
    from bindgram.models.bundle import load_bundle, save_bundle
    from bindgram.settings import load_language_model
    from bindgram.training.checkpoints import Checkpoints
    from bindgram.training.logs import LogSettings
    from bindgram.training.progress import announce
    from bindgram.training.stages import adapt as train

    watched = LogSettings(**logs)
    with joined(world, chosen), Checkpoints(checkpoints, checkpoint_minutes, world) as kept:
        settings = load_language_model(language_model)
        tables = [read_examples(path) for path in positives]
        start = load_bundle(base)
        bundle = train(
            settings, start, tables, device=chosen, seed=seed, revision=revision, checkpoints=kept, log=watched.of()
        )
        if world.leads:
            save_bundle(output, bundle)
            announce(f"adapt: the bundle is in {output}")
            kept.clear()
