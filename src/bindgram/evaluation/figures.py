"""Figures of one experiment: ROC and precision-recall curves, score distributions, learning curves.

Scalable, the same bytes on every run, in colours that the colour-blind can tell apart (Okabe and Ito 2008). A figure
that has nothing to show says why.
"""

import functools
import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bindgram.errors import InputError
from bindgram.evaluation.metrics import one_class_reason
from bindgram.evaluation.statistics import curve_counts
from bindgram.provenance import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", (0, (5, 2)), (0, (1, 1.3)))
MAX_POINTS = 300
N_BINS = 30
LM_METRICS = {  # of each objective: the column of its reference, and what that is
    "nats_per_base": ("markov_nats_per_base", "best Markov model"),
    "masked_nats_per_base": ("two_sided_masked_nats_per_base", "best counts from both sides"),
}
RC_PARAMS = {
    "svg.hashsalt": "bindgram",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "legend.fontsize": 9,
}
Table = tuple[str, pd.DataFrame, Mapping[str, Any], Mapping[str, Any]]  # model, predictions, their metadata, metrics
Shown = tuple[str, pd.DataFrame, Mapping[str, Any]]  # model, rows of the test set drawn, their metrics


def with_style(draw: Callable[..., "Figure"]) -> Callable[..., "Figure"]:
    """Make a function draw in the style of all figures."""

    @functools.wraps(draw)
    def drawn(*arguments: Any) -> "Figure":
        import matplotlib as mpl

        with mpl.rc_context(RC_PARAMS):
            return draw(*arguments)

    return drawn


def styles(names: Sequence[str]) -> dict[str, tuple[str, Any]]:
    """Colour and line style of every name, in order; seven colours, then the same with dashes."""
    unique = list(dict.fromkeys(names))
    return {
        name: (COLOURS[number % len(COLOURS)], LINES[number // len(COLOURS) % len(LINES)])
        for number, name in enumerate(unique)
    }


def thin(x: np.ndarray, y: np.ndarray, n_points: int = MAX_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most `n_points` points of a curve, evenly spaced along it, ends kept."""
    if len(x) <= n_points:
        return x, y
    along = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    chosen = np.searchsorted(along, np.linspace(0, along[-1], n_points))
    chosen = np.unique(np.append(chosen.clip(max=len(x) - 1), [0, len(x) - 1]))
    chosen = chosen if len(chosen) <= n_points else np.delete(chosen, len(chosen) // 2)
    return x[chosen], y[chosen]


def drawn_test_set(tables: Sequence[Table], headline: str) -> str:
    """The headline test set, or the first one with test rows where the headline was not made for this experiment."""
    made = sorted({name for _, frame, *_ in tables for name in frame.loc[frame["split"] == "test", "test_set"]})
    return headline if headline in made or not made else made[0]


def test_rows(table: Table, test_set: str) -> pd.DataFrame:
    """Test rows of one test set; none where a class is missing."""
    frame = table[1]
    rows = frame[(frame["test_set"] == test_set) & (frame["split"] == "test")]
    return rows.iloc[:0] if one_class_reason(rows["label"].to_numpy()) else rows


def metrics_of(table: Table, test_set: str) -> dict[str, Any]:
    """Metrics of one test set, without its name."""
    return {
        name.removeprefix(f"{test_set}."): value for name, value in table[3].items() if name.startswith(f"{test_set}.")
    }


def reason_of(tables: Sequence[Table], test_set: str) -> str:
    """Why there is nothing to draw."""
    for _, _, metadata, _ in tables:
        known = metadata.get("reason") or metadata.get("skipped_test_sets", {}).get(test_set)
        if known:
            return f"Skipped: {known}"
    return f"Nothing to draw: test set {test_set} lacks positives or negatives"


@with_style
def stating_figure(title: str, text: str) -> "Figure":
    """A figure that states why there is no other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 2.2), layout="constrained")
    figure.suptitle(title, fontweight="bold", x=0.02, ha="left")
    figure.text(0.02, 0.45, "\n".join(textwrap.wrap(text, 80)), va="center", fontsize=11)
    return figure


@with_style
def curve_figure(title: str, tables: Sequence[Table], headline: str) -> "Figure":
    """ROC and precision-recall curves of all models on one test set, with the chance lines.

    Parameters
    ----------
    tables : (model, predictions, metadata, metrics); tables of the same model are its seeds, drawn in one colour. The
        legend quotes the metrics, so that figure and table agree.
    headline : test set to draw, see `drawn_test_set`.
    """
    from matplotlib.figure import Figure

    test_set = drawn_test_set(tables, headline)
    shown = [
        (table[0], rows, metrics_of(table, test_set)) for table in tables if len(rows := test_rows(table, test_set))
    ]
    if not shown:
        return stating_figure(title, reason_of(tables, test_set))
    n_rows = -(-(len({name for name, *_ in shown}) + 1) // 2)  # of the legend: two columns, one entry for chance
    figure = Figure(figsize=(10, 5.5 + 0.22 * n_rows), layout="constrained")
    roc, recall = figure.subplots(1, 2)
    labels = shown[0][1]["label"].to_numpy()
    n_positives, prevalence = int(labels.sum()), float(labels.mean())
    figure.suptitle(
        f"{title} · test set {test_set}: {n_positives:,} bound, {len(labels) - n_positives:,} unbound",
        x=0.01,
        ha="left",
    )
    _draw_roc(roc, shown)
    _draw_precision_recall(recall, shown, prevalence)
    return figure


def _draw_roc(axes: "Axes", shown: Sequence[Shown]) -> None:
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle=":", label="chance .500")
    for name, curves, (colour, line), label in _curves(shown, "auroc"):
        for number, (true_positives, false_positives) in enumerate(curves):
            x, y = (np.append(0.0, counts / counts[-1]) for counts in (false_positives, true_positives))
            x, y = thin(x, y)
            axes.plot(x, y, color=colour, linestyle=line, linewidth=1.6, label=label if not number else None, gid=name)
    axes.set(title="ROC", xlabel="False positive rate", ylabel="True positive rate (recall)", xlim=(0, 1), ylim=(0, 1))
    _finish(axes, "area under the curve")


def _draw_precision_recall(axes: "Axes", shown: Sequence[Shown], prevalence: float) -> None:
    chance = f"chance {_number(prevalence)}"
    axes.plot([0, 1], [prevalence] * 2, color="0.6", linewidth=1, linestyle=":", label=chance)
    for name, curves, (colour, line), label in _curves(shown, "average_precision"):
        for number, (true_positives, false_positives) in enumerate(curves):
            recall, precision = true_positives / true_positives[-1], true_positives / (true_positives + false_positives)
            x, y = thin(np.append(0.0, recall), np.append(1.0, precision))
            label_once = label if not number else None
            axes.plot(x, y, color=colour, linestyle=line, linewidth=1.6, label=label_once, gid=name)
    axes.set(title="Precision-recall", xlabel="Recall", ylabel="Precision", xlim=(0, 1), ylim=(0, 1.01))
    _finish(axes, "average precision")


def _curves(shown: Sequence[Shown], metric: str) -> list[tuple[Any, ...]]:
    look = styles([name for name, _, _ in shown])
    found = []
    for name, style in look.items():
        seeds = [(rows, values) for model, rows, values in shown if model == name]
        curves = [
            [counts[0] for counts in curve_counts(rows["label"].to_numpy(), rows["score"].to_numpy())]
            for rows, _ in seeds
        ]
        mean = float(np.mean([values[metric] for _, values in seeds]))
        n_seeds = f" (mean of {len(curves)} seeds)" if len(curves) > 1 else ""
        found.append((name, curves, style, f"{name} {_number(mean)}{n_seeds}"))
    return found


def _number(value: float) -> str:
    return f"{value:.3f}".removeprefix("0") if value < 1 else f"{value:.3f}"


def _finish(axes: "Axes", legend_title: str) -> None:
    axes.legend(
        title=legend_title, alignment="left", loc="upper left", bbox_to_anchor=(0, -0.14), borderaxespad=0, ncols=2
    )


@with_style
def score_figure(title: str, tables: Sequence[Table], headline: str) -> "Figure":
    """Distributions of the scores of positives and negatives, one panel per model (first seed)."""
    from matplotlib.figure import Figure

    test_set = drawn_test_set(tables, headline)
    first = {name: rows for name, rows in reversed([(t[0], test_rows(t, test_set)) for t in tables])}
    shown = [(name, first[name]) for name in dict.fromkeys(t[0] for t in tables) if len(first[name])]
    if not shown:
        return stating_figure(title, reason_of(tables, test_set))
    n_columns = min(3, len(shown))
    n_rows = -(-len(shown) // n_columns)
    figure = Figure(figsize=(3.3 * n_columns + 0.4, 2.6 * n_rows + 0.8), layout="constrained")
    figure.suptitle(f"{title} · test set {test_set}", x=0.01, ha="left")
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes, (name, rows) in zip(panels, shown, strict=False):
        _draw_scores(axes, name, rows)
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=2)
    return figure


def _draw_scores(axes: "Axes", name: str, rows: pd.DataFrame) -> None:
    scores = rows["score"].to_numpy()
    low, high = np.quantile(scores, [0.001, 0.999])
    edges = np.linspace(low, high if high > low else low + 1, N_BINS + 1)
    for label, colour, text in ((0, COLOURS[1], "unbound (negatives)"), (1, COLOURS[0], "bound (positives)")):
        group = scores[rows["label"].to_numpy() == label].clip(edges[0], edges[-1])
        share = np.histogram(group, edges)[0] / len(group)
        axes.stairs(share, edges, fill=True, color=colour, alpha=0.35)
        axes.stairs(share, edges, color=colour, linewidth=1.4, label=text)
    axes.set(title=name, xlabel="score (logit)", ylabel="share of examples")


@with_style
def learning_figure(title: str, logs: Sequence[tuple[str, pd.DataFrame]], tables: Sequence[Table] = ()) -> "Figure":
    """Loss and validation score against training time.

    Parameters
    ----------
    logs : (model, log) with the columns of ``train_log.tsv``; logs of the same model are its seeds. Logs of language
        models have a panel per objective, in nats per base, with a model of counts for comparison.
    tables : predictions of the experiment, of which a reason for a skip is taken.
    """
    from matplotlib.figure import Figure

    classifiers = [(name, log) for name, log in logs if "valid_loss" in log and len(log)]
    panels: list[Callable[[Any], None]] = []
    if classifiers:
        panels.append(lambda axes: _draw_losses(axes, classifiers))
        panels.append(lambda axes: _draw_validation(axes, classifiers))
    for metric in LM_METRICS:
        language_models = [(name, log) for name, log in logs if f"valid_{metric}" in log and len(log)]
        if language_models:
            panels.append(functools.partial(_draw_language_models, logs=language_models, metric=metric))
    if not panels:
        return stating_figure(title, _no_log_reason(tables))
    figure = Figure(figsize=(4.3 * len(panels) + 0.6, 4.4), layout="constrained")
    figure.suptitle(f"{title} · training", x=0.01, ha="left")
    for axes, draw in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        draw(axes)
    return figure


def _no_log_reason(tables: Sequence[Table]) -> str:
    reasons = [metadata["reason"] for _, _, metadata, _ in tables if metadata.get("reason")]
    return f"Skipped: {reasons[0]}" if reasons else "Nothing to draw: no model of this experiment has a training log"


def _draw_losses(axes: "Axes", logs: Sequence[tuple[str, pd.DataFrame]]) -> None:
    for name, log, colour, first in _coloured(logs):
        step = np.arange(1, len(log) + 1)
        axes.plot(step, log["train_loss"], color=colour, linestyle=":", linewidth=1.2)
        axes.plot(step, log["valid_loss"], color=colour, linewidth=1.6, label=name if first else None)
    axes.plot([], [], color="0.3", linestyle=":", label="(dotted: training)")
    axes.set(title="Loss", xlabel="epoch (all stages)", ylabel="cross-entropy (nats)")
    _integer_steps(axes)
    axes.legend()


def _draw_validation(axes: "Axes", logs: Sequence[tuple[str, pd.DataFrame]]) -> None:
    for name, log, colour, first in _coloured(logs):
        step = np.arange(1, len(log) + 1)
        axes.plot(step, log["valid_auroc"], color=colour, linewidth=1.6, marker=".", label=name if first else None)
        for border in np.flatnonzero(np.diff(pd.factorize(log["stage"])[0])) + 1.5:
            axes.plot([border] * 2, [0, 0.05], color=colour, linewidth=1, transform=axes.get_xaxis_transform())
    axes.set(title="Validation AUROC", xlabel="epoch (ticks inside: next stage)", ylabel="AUROC")
    _integer_steps(axes)
    axes.legend(loc="lower right")


def _draw_language_models(axes: "Axes", logs: Sequence[tuple[str, pd.DataFrame]], metric: str) -> None:
    reference, description = LM_METRICS[metric]
    for name, log, colour, first in _coloured(logs):
        tokens = np.cumsum(np.diff(log["tokens"], prepend=0).clip(min=0)) / 1e6
        label = name if first else None
        axes.plot(tokens, log[f"valid_{metric}"], color=colour, linewidth=1.6, marker=".", label=label)
        axes.axhline(log[reference].iloc[-1], color=colour, linestyle="--", linewidth=1)
    axes.plot([], [], color="0.3", linestyle="--", label=f"(dashed: {description})")
    axes.set(title="Language model, held-out regions", xlabel="million tokens read", ylabel=metric.replace("_", " "))
    axes.legend()


def _coloured(logs: Sequence[tuple[str, pd.DataFrame]]) -> list[tuple[str, pd.DataFrame, str, bool]]:
    look = styles([name for name, _ in logs])
    names = [name for name, _ in logs]
    return [(name, log, look[name][0], names.index(name) == number) for number, (name, log) in enumerate(logs)]


def _integer_steps(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def read_training_log(path: Path) -> pd.DataFrame:
    """Read a ``train_log.tsv``; a skipped model's log is empty.

    Raises
    ------
    InputError : not a training log.
    """
    try:
        log = pd.read_csv(path, sep="\t")
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a tab-separated training log ({error}); train the model again") from None
    known = [{"valid_loss", "train_loss", "valid_auroc"}, *({"tokens", f"valid_{metric}"} for metric in LM_METRICS)]
    if "stage" not in log or not any(columns <= set(log) for columns in known):
        raise InputError(f"{path}: not a training log (columns {', '.join(log)}); give train_log.tsv of a bundle")
    return log


def save_figure(figure: "Figure", path: Path, provenance: Mapping[str, Any]) -> None:
    """Write a figure as SVG or PNG, by its suffix, whole or not at all, without a date and with its provenance."""
    import matplotlib as mpl

    metadata: dict[str, str | None] = {"Description": json.dumps(dict(provenance), sort_keys=True)}
    metadata |= {"Date": None, "Creator": "bindgram"} if path.suffix == ".svg" else {"Software": "bindgram"}
    with mpl.rc_context(RC_PARAMS), atomic_path(path) as part:
        figure.savefig(part, format=path.suffix[1:], metadata=metadata, dpi=150)
