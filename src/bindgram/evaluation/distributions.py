"""Figure of what an experiment's examples are like: widths of its peaks, GC content, chromosomes, distance to genes."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bindgram.evaluation.figures import stating_figure, styles, thin, with_style
from bindgram.evaluation.groups import POSITIVES
from bindgram.genome.genes import nearest_site
from bindgram.sequence.dna import codes_of, gc_fraction
from bindgram.settings.splits import SPLITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_BINS = 40
LEAST_BP = 10  # that the axis of widths spans
MAX_CHROMS = 40
Sets = Mapping[str, pd.DataFrame]


@with_style
def distribution_figure(
    title: str, sets: Sets, peak_widths: np.ndarray | None, sites: pd.DataFrame | None, reason: str
) -> "Figure":
    """Draw what positives and negatives are like.

    Parameters
    ----------
    sets : rows of the positives and of each set of negatives, by name (`bindgram.evaluation.groups.read_sets`).
    peak_widths : bp of the called peaks; None = the source has no coordinates.
    sites : transcription start sites of the assembly; None = unknown.
    reason : why the experiment was skipped, if it was.
    """
    from matplotlib.figure import Figure

    if POSITIVES not in sets:
        return stating_figure(title, f"Skipped: {reason}")
    placed = {name: rows[rows["chrom"].notna()] for name, rows in sets.items()}
    placed = {name: rows for name, rows in placed.items() if len(rows)}
    colours = {name: colour for name, (colour, _) in styles(list(sets)).items()}
    with_places = POSITIVES in placed
    figure = Figure(figsize=(11, 7.4) if with_places else (7, 4.4), layout="constrained")
    missing = "" if with_places else " (without coordinates: no chromosomes, no genes)"
    figure.suptitle(f"{title} · examples{missing}", x=0.01, ha="left")
    panels = figure.subplot_mosaic([["width", "gc", "tss"], ["chrom"] * 3] if with_places else [["gc"]])
    _draw_gc(panels["gc"], sets, colours)
    if with_places:
        _draw_widths(panels["width"], peak_widths, sets[POSITIVES])
        _draw_sites(panels["tss"], placed, sites, colours)
        _draw_chroms(panels["chrom"], placed, colours)
    handles, labels = panels["gc"].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=2)
    return figure


def _state(axes: "Axes", title: str, text: str) -> None:
    axes.set_title(title)
    axes.set_axis_off()
    axes.text(0, 0.5, text, transform=axes.transAxes, va="center", color="0.35")


def _draw_widths(axes: "Axes", widths: np.ndarray | None, positives: pd.DataFrame) -> None:
    if widths is None or not len(widths):
        return _state(axes, "Width of called peaks", "The called peaks were not given")
    low, high = int(widths.min()), int(widths.max())
    pad = max(0, LEAST_BP - (high - low)) // 2
    if high > 20 * low:
        edges = np.geomspace(low - 0.5, high + 0.5, N_BINS + 1)
        axes.set_xscale("log")
    else:
        step = max(1, -(-(high - low + 1) // N_BINS))  # whole bp, so that no bin holds more widths than another
        edges = np.arange(low - pad, high + pad + step + 1, step) - 0.5
        axes.locator_params(axis="x", integer=True)
    window = len(positives["sequence"].iloc[0])
    axes.stairs(np.histogram(widths, edges)[0], edges, fill=True, color="0.55")
    axes.axvline(window, color="black", linestyle="--", linewidth=1.2)
    axes.set(title=f"Width of {len(widths):,} called peaks", ylabel="peaks")
    axes.set_xlabel(f"bp (dashed: the window, {window} bp)")
    return None


def gc_edges(width: int) -> np.ndarray:
    """Edges of bins of GC fraction that hold the same number of possible values each, for windows of `width` bp."""
    step = max(1, round(width / N_BINS))
    return (np.arange(0, width + step + 1, step) - 0.5) / width


def _draw_gc(axes: "Axes", sets: Sets, colours: Mapping[str, str]) -> None:
    edges = gc_edges(len(sets[POSITIVES]["sequence"].iloc[0]))
    for name, rows in sets.items():
        share = np.histogram(gc_fraction(codes_of(rows["sequence"].tolist())), edges)[0] / len(rows)
        if name == POSITIVES:
            axes.stairs(share, edges, fill=True, color=colours[name], alpha=0.3)
        axes.stairs(share, edges, color=colours[name], linewidth=1.5, label=f"{name} ({len(rows):,})")
    axes.set(title="GC content", xlabel="G + C (fraction)", ylabel="share of the set")


def _draw_sites(axes: "Axes", placed: Sets, sites: pd.DataFrame | None, colours: Mapping[str, str]) -> None:
    title = "Distance to the nearest TSS"
    if sites is None:
        return _state(
            axes, title, "Genes are unknown: name a GTF or\nGFF3 file in the column genes of\nthe sheet of assemblies"
        )
    distances = {name: nearest_site(rows, sites) for name, rows in placed.items()}
    known = {name: np.sort(values[values >= 0]) for name, values in distances.items()}
    if not any(map(len, known.values())):
        return _state(axes, title, "No gene lies on a chromosome\nof the examples")
    for name, values in known.items():
        if len(values):
            x, y = thin(
                np.log10(np.append(1, values.clip(min=1))), np.append(0, np.arange(1, len(values) + 1)) / len(values)
            )
            axes.plot(10**x, y, color=colours[name], linewidth=1.5)
    axes.set_xscale("log")
    axes.set(title=title, xlabel="at most so many bp away", ylabel="share of the set", ylim=(0, 1))
    return None


def _draw_chroms(axes: "Axes", placed: Sets, colours: Mapping[str, str]) -> None:
    if POSITIVES not in placed:
        return _state(axes, "Chromosomes", "The examples have no coordinates")
    positives = placed[POSITIVES]
    counts = positives.groupby(["split", "chrom"]).size()
    shown = counts.sort_values(ascending=False, kind="stable").index[:MAX_CHROMS]
    shown = sorted(shown, key=lambda place: (SPLITS.index(place[0]), natural(place[1])))
    axes.bar(range(len(shown)), counts.reindex(shown), color=colours[POSITIVES], alpha=0.3, width=0.85)
    negatives = {name: rows for name, rows in placed.items() if name != POSITIVES}
    for number, (name, rows) in enumerate(negatives.items()):
        n_positives = positives["split"].isin(set(rows["split"])).sum()
        scaled = rows.groupby(["split", "chrom"]).size().reindex(shown) * n_positives / len(rows)
        x = np.arange(len(shown)) + 0.6 * ((number + 0.5) / len(negatives) - 0.5)  # side by side
        axes.plot(x, scaled, color=colours[name], marker="_", markersize=9, markeredgewidth=2.5, linestyle="")
    axes.set_xticks(range(len(shown)), [chrom for _, chrom in shown], rotation=90 if len(shown) > 12 else 0)
    axes.set_xlim(-0.6, len(shown) - 0.4)
    axes.set_ylim(0, 1.12 * axes.get_ylim()[1])  # room for the names of the splits
    _mark_splits(axes, [split for split, _ in shown])
    left_out = f" (the {MAX_CHROMS} with most of {len(counts)})" if len(counts) > MAX_CHROMS else ""
    axes.set_title(f"Chromosomes{left_out}: positives (bars); negatives (dashes), scaled to as many")
    axes.set_ylabel("examples")
    return None


def _mark_splits(axes: "Axes", splits: Sequence[str]) -> None:
    for split in dict.fromkeys(splits):
        first = splits.index(split)
        if first:
            axes.axvline(first - 0.5, color="0.6", linewidth=1)
        axes.text(first - 0.45, 0.98, split, transform=axes.get_xaxis_transform(), va="top", fontsize=9, color="0.3")


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Key that sorts chromosomes as people do: chr2 before chr10 before chrX."""
    return tuple(
        (not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.findall(r"\d+|\D+", name)
    )
