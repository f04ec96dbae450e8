"""Figure of data efficiency: scores against the number of training positives."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from bindgram.evaluation.controls import ALL, medians_over_tfs
from bindgram.evaluation.figures import stating_figure, styles, with_style
from bindgram.evaluation.metrics import METRICS, NOT_DEFINED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_PANELS = 4


@with_style
def efficiency_figure(table: pd.DataFrame, sizes: Sequence[str], test_set: str, metric: str) -> "Figure":
    """One curve per model: the median over TFs of the mean of seeds; dots are the medians of single seeds.

    Parameters
    ----------
    table : of `bindgram.evaluation.controls.efficiency_table`. sizes : numbers of positives as in it, ``all`` last.
    """
    from matplotlib.figure import Figure

    title = f"{METRICS[metric].title} on {test_set} against training positives, median over TFs"
    rows = table[(table["test_set"] == test_set) & (table["metric"] == metric)]
    panels = [(key, part) for key, part in rows.groupby(["split", "scheme"], sort=True) if part["value"].notna().any()]
    if not panels:
        reasons = sorted({reason for reason in table["reason"] if reason}) or [f"{NOT_DEFINED}no scores"]
        return stating_figure(title, "; ".join(reasons))
    panels = panels[:MAX_PANELS]
    n_rows = -(-rows["model"].nunique() // 3)
    figure = Figure(figsize=(max(5.2 * len(panels), 6.5), 4.4 + 0.22 * n_rows), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left")
    for axes, ((split, scheme), part) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _draw_curves(axes, part, sizes)
        axes.set(title=f"{split}, trained against {scheme.replace('_', ' ')}", ylabel=METRICS[metric].title)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=3)
    return figure


def _draw_curves(axes: "Axes", part: pd.DataFrame, sizes: Sequence[str]) -> None:
    medians, n_tfs, same = medians_over_tfs(part, sizes)
    for name, (colour, line) in styles(list(dict.fromkeys(part["model"]))).items():
        rows = medians[medians["model"] == name]
        if rows.empty:
            continue
        axes.plot(rows["x"], rows["value"], linestyle="", marker=".", markersize=5, color=colour, alpha=0.6)
        curve = rows.groupby("positives")[["x", "value"]].mean().sort_values("x")
        axes.plot(curve["x"], curve["value"], color=colour, linestyle=line, linewidth=1.6, label=name, gid=name)
    axes.set_xscale("log")
    shown = medians.groupby("positives")["x"].median().sort_values()
    ticks = {x: _tick(size, x, n_tfs[size], same=same) for size, x in shown.items()}
    axes.set_xticks(list(ticks), list(ticks.values()), rotation=45, ha="right", fontsize=8)
    axes.minorticks_off()
    which = f"the same {max(n_tfs.values())} TFs at every number" if same else "TFs differ between numbers"
    axes.set_xlabel(f"training positives ({which})")


def _tick(size: str, x: float, n_tfs: int, *, same: bool) -> str:
    number = f"all, {x:,.0f}" if size == ALL else f"{int(size):,}"
    return number if same else f"{number}\n{n_tfs} TFs"
