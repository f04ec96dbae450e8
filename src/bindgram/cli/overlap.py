"""``bindgram overlap``: overlap of the positives of all experiments of one assembly."""

from pathlib import Path

import click

from bindgram.cli.options import CommaList, NewFile, revision_option, seed_option


@click.command()
@click.option("--experiments", type=CommaList(), required=True, help="Experiment ids, separated by commas.")
@click.option("--template", required=True, help="Path of positives, with {experiment} and {split} in braces.")
@click.option("--split", required=True, help="Name of the split.")
@click.option("--assembly", required=True, help="Assembly of all these experiments, for the title.")
@click.option("--max-regions", type=click.IntRange(min=1), required=True, help="Regions of the union, at most.")
@seed_option
@click.option("--table", type=NewFile, required=True, help="One row per pair of experiments (TSV).")
@click.option("--figure", type=NewFile, required=True, help="Heatmap of experiments by experiments (SVG).")
@click.option(
    "--union", type=NewFile, required=True, help="A random part of the regions of all experiments, merged (BED)."
)
@revision_option
def overlap(
    experiments: tuple[str, ...],
    template: str,
    split: str,
    assembly: str,
    max_regions: int,
    seed: int,
    table: Path,
    figure: Path,
    union: Path,
    revision: int,
) -> None:
    """Measure how much the positives of each two experiments overlap."""
    from bindgram.evaluation.figures import save_figure
    from bindgram.evaluation.overlap import overlap_figure, overlap_text, read_windows
    from bindgram.genome.regions import bed_text, draw_regions, pair_overlaps
    from bindgram.provenance import make_provenance, step_rng, write_text

    names, tables, provenances = read_windows(experiments, template, split)
    settings = {"assembly": assembly, "split": split, "max_regions": max_regions}
    provenance = make_provenance("overlap", revision, settings, provenances, seed)
    found = pair_overlaps(tables)
    absent = [name for name in experiments if name not in names]
    note = f"Without positives: {', '.join(absent)}" if absent else ""
    write_text(table, overlap_text(names, found))
    save_figure(overlap_figure(f"Overlap of positives on {assembly}", names, found.jaccard, note), figure, provenance)
    write_text(union, bed_text(draw_regions(found.union, max_regions, step_rng(seed, "overlap", assembly))))
