"""``bindgram export``: a classifier as a program for torch alone."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingDirectory, NewFile
from bindgram.errors import InputError


@click.command()
@click.option("--model", type=ExistingDirectory, required=True, help="Bundle of a classifier.")
@click.option(
    "--output", type=NewFile, required=True, help="Program to write (torch.export), a name that ends in .pt2."
)
def export(model: Path, output: Path) -> None:
    """Write a classifier as a program that torch.export.load reads where there is no bindgram.

    It takes base codes (batch, width) as int64, A, C, G, T = 0, 1, 2, 3 and 4 for any other, in batches of any size,
    and gives logits (batch,), means of both strands: the scores of bindgram predict.
    """
    if output.suffix != ".pt2":
        raise InputError(f"--output {output}: programs of torch.export end in .pt2; rename it")

    from bindgram.models.bundle import load_bundle
    from bindgram.training.export import export_classifier, save_exported

    save_exported(output, export_classifier(load_bundle(model)))
