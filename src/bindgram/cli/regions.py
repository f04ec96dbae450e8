"""``bindgram regions``: the regions around which deepTools reads signal tracks."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NewFile, revision_option, seed_option


@click.command()
@click.option("--name", required=True, help="Id of the experiment, or of the assembly.")
@click.option("--title", required=True, help="Title of the figures.")
@click.option("--examples", type=ExistingFile, multiple=True, help="Examples of the experiment (Parquet); repeatable.")
@click.option("--union", type=ExistingFile, help="Regions of many experiments (BED), instead of --examples.")
@click.option("--signal", type=ExistingFile, multiple=True, required=True, help="Signal (bigWig); repeatable.")
@click.option("--max-regions", type=click.IntRange(min=1), required=True, help="Regions of each group, at most.")
@seed_option
@click.option("--output", type=NewFile, required=True, help="Regions by group (BED); empty where there are none.")
@click.option(
    "--figure", type=NewFile, multiple=True, help="Figure (PNG) that is written where there are none: it says why."
)
@revision_option
def regions(
    name: str,
    title: str,
    examples: tuple[Path, ...],
    union: Path | None,
    signal: tuple[Path, ...],
    max_regions: int,
    seed: int,
    output: Path,
    figure: tuple[Path, ...],
    revision: int,
) -> None:
    """Write positives and each kind of negative, where they have coordinates, as groups of regions for deepTools."""
    from bindgram.evaluation.figures import save_figure, stating_figure
    from bindgram.evaluation.groups import check_signal, draw_placed, grouped_bed_text, read_groups, read_union
    from bindgram.provenance import make_provenance, step_rng, write_text

    groups, reason, provenances = read_union(union) if union else read_groups(examples)
    placed = draw_placed(groups, max_regions, step_rng(seed, "regions", name))
    for path in signal if placed else ():
        check_signal(placed, path)
    if not placed:
        provenance = make_provenance("regions", revision, {"name": name, "max_regions": max_regions}, provenances, seed)
        text = f"Skipped: {reason}" if reason else "Nothing to draw: the examples have no coordinates"
        for path in figure:
            save_figure(stating_figure(title, text), path, provenance)
    write_text(output, grouped_bed_text(placed))
