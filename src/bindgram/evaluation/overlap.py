"""Overlap of the positives of all experiments of one assembly: table and heatmap.

Experiments of one factor lie side by side where their peaks agree. An experiment that overlaps nothing, or two that are
the same, stand out before any model is trained.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bindgram.data.examples import read_examples
from bindgram.evaluation.figures import stating_figure, with_style
from bindgram.genome.regions import REGION_COLUMNS, PairOverlaps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = (
    *("experiment", "other", "n_regions", "n_regions_other", "n_shared", "n_shared_other"),
    *("bp", "bp_other", "bp_shared", "jaccard"),
)
LARGEST_INCHES = 26.0  # side of the heatmap
MAX_NUMBERED = 12  # experiments up to which the numbers stand in the cells


def read_windows(
    experiments: Sequence[str], template: str, split: str
) -> tuple[list[str], list[pd.DataFrame], dict[str, Mapping[str, Any]]]:
    """Read the windows of the positives of many experiments, without their sequences.

    Returns
    -------
    Names of the experiments that have any with coordinates, their tables, and the provenance of all experiments.
    """
    tables, provenances = {}, {}
    for experiment in experiments:
        examples = read_examples(Path(template.format(experiment=experiment, split=split)), REGION_COLUMNS)
        windows = examples.frame.dropna()
        provenances[experiment] = examples.provenance
        if len(windows):
            tables[experiment] = windows
    return list(tables), list(tables.values()), provenances


def overlap_table(names: Sequence[str], overlaps: PairOverlaps) -> pd.DataFrame:
    """One row per pair of experiments in the order of `names`, with the columns `COLUMNS`."""
    one, other = np.triu_indices(len(names), k=1)
    covered = np.diag(overlaps.bp_shared)
    texts = np.array(names, dtype=object)
    values = (
        *(texts[one], texts[other], overlaps.n_regions[one], overlaps.n_regions[other]),
        *(overlaps.n_shared[one, other], overlaps.n_shared[other, one], covered[one], covered[other]),
        *(overlaps.bp_shared[one, other], overlaps.jaccard[one, other]),
    )
    return pd.DataFrame(dict(zip(COLUMNS, values, strict=True)))


def overlap_text(names: Sequence[str], overlaps: PairOverlaps) -> str:
    """Lines of the table of `overlap_table`, as a TSV file with a header."""
    return overlap_table(names, overlaps).to_csv(sep="\t", index=False, float_format="%.6f", lineterminator="\n")


def order_by_overlap(jaccard: np.ndarray) -> np.ndarray:
    """(N,) order in which alike experiments are neighbours: leaves of an average-linkage tree on 1 - Jaccard index."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    if len(jaccard) < 3:
        return np.arange(len(jaccard))
    return leaves_list(linkage(1 - jaccard[np.triu_indices(len(jaccard), k=1)], method="average"))


@with_style
def overlap_figure(title: str, names: Sequence[str], jaccard: np.ndarray, note: str) -> "Figure":
    """Heatmap of the Jaccard index of every two experiments, in the order of `order_by_overlap`.

    Parameters
    ----------
    jaccard : (N, N). note : what the reader must know beside it, e.g. which experiments are not there.
    """
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

    if len(names) < 2:
        return stating_figure(title, f"Nothing to compare: {len(names)} experiment(s) with positives. {note}")
    order = order_by_overlap(jaccard)
    side = float(np.clip(0.22 * len(names), 3.5, LARGEST_INCHES))
    row_points = 72 * side / len(names)
    label_points = min(9.0, 0.8 * row_points)
    longest = max(map(len, names)) * 0.62 * label_points / 72
    figure = Figure(figsize=(side + longest + 1.6, side + longest + 0.9), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left")
    axes = figure.subplots()
    image = axes.imshow(
        jaccard[np.ix_(order, order)], norm=PowerNorm(0.5, 0, 1), cmap="viridis", interpolation="none", aspect="equal"
    )
    labels = [names[number] for number in order]
    axes.set_xticks(range(len(names)), labels, rotation=90, fontsize=label_points)
    axes.set_yticks(range(len(names)), labels, fontsize=label_points)
    axes.tick_params(length=0, pad=2)
    axes.spines[:].set_visible(False)
    if len(names) <= MAX_NUMBERED:
        _write_numbers(axes, jaccard[np.ix_(order, order)])
    bar = figure.colorbar(image, ax=axes, shrink=min(1.0, 4 / side), anchor=(0, 1), ticks=[0, 0.01, 0.05, 0.2, 0.5, 1])
    bar.set_label("Jaccard index (bp shared / bp of both)")
    bar.ax.set_yticklabels(["0", "0.01", "0.05", "0.2", "0.5", "1"])
    if note:
        axes.set_xlabel(note, loc="left", fontsize=9)
    return figure


def _write_numbers(axes: "Axes", values: np.ndarray) -> None:
    for row, column in np.ndindex(values.shape):
        value = values[row, column]
        colour = "black" if value > 0.45 else "white"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
