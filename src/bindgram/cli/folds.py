"""``bindgram folds``: split files for k-fold cross-validation over the chromosomes of an assembly."""

import re
from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NewDirectory
from bindgram.errors import InputError
from bindgram.provenance import write_text
from bindgram.settings.base import ID_PATTERN, PATTERN_WORDS


@click.command()
@click.option("--chrom-sizes", type=ExistingFile, required=True, help="Names and lengths of chromosomes (TSV).")
@click.option("--assembly", required=True, help="Its id in the sheet of assemblies.")
@click.option("--k", type=click.IntRange(min=3), required=True, help="Number of folds.")
@click.option(
    "--min-bp", type=click.IntRange(min=1), required=True, help="Shorter chromosomes and scaffolds belong to no split."
)
@click.option("--exclude", multiple=True, help="A chromosome that belongs to no split, such as chrM; repeatable.")
@click.option("--name", required=True, help="The files are NAME_0.yaml, NAME_1.yaml, ...")
@click.option("--output", type=NewDirectory, required=True, help="Folder of the split files: config/splits.")
def folds(
    chrom_sizes: Path, assembly: str, k: int, min_bp: int, exclude: tuple[str, ...], name: str, output: Path
) -> None:
    """Share out chromosomes by length: over the K split files each is tested once and validates once."""
    from bindgram.data.splits import format_fold, make_folds
    from bindgram.genome.text import read_chrom_sizes

    for option, value in (("--assembly", assembly), ("--name", name)):
        if not re.fullmatch(ID_PATTERN, value):
            raise InputError(f"{option} {value!r}: {PATTERN_WORDS[ID_PATTERN]}")
    sizes = read_chrom_sizes(chrom_sizes)
    if unknown := [chrom for chrom in exclude if chrom not in sizes]:
        raise InputError(f"--exclude {', '.join(unknown)}: not in {chrom_sizes}; correct the name")
    wanted = {chrom: size for chrom, size in sizes.items() if chrom not in exclude and size >= min_bp}
    paths = [output / f"{name}_{number}.yaml" for number in range(k)]
    if there := [str(path) for path in paths if path.exists()]:
        raise InputError(f"{', '.join(there)}: there already; choose another --name, or remove them first")
    for number, (path, fold) in enumerate(zip(paths, make_folds(wanted, k), strict=True)):
        write_text(path, format_fold(fold, assembly, f"Fold {number} of {k} by chromosome, made by bindgram folds."))
    names = ", ".join(path.stem for path in paths)
    click.echo(
        f"{len(wanted)} of {len(sizes)} chromosomes in {k} folds: {', '.join(map(str, paths))}\n"
        f"To run one of them, write split: {paths[0].stem} into the configuration; all of them: split: [{names}]"
    )
