"""Tables of the learning benchmarks in Markdown: means over seeds, paired differences over experiments."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

TIE = 0.001  # smaller differences of means count as ties
REPLICATES = 10_000


def markdown(rows: Sequence[Sequence[object]], header: Sequence[str], title: str) -> None:
    print(f"\n{title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(number(cell) for cell in row) + " |")


def number(cell: object) -> str:
    """Scores as .123, differences keep their sign, nothing for what is missing."""
    if not isinstance(cell, float):
        return str(cell)
    if np.isnan(cell):
        return ""
    return f"{cell:.3f}".replace("0.", ".", 1) if abs(cell) < 1 else f"{cell:.3g}"


def interval(differences: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean by bootstrap over experiments."""
    rng = np.random.default_rng(1)
    drawn = rng.choice(differences, (REPLICATES, len(differences))).mean(axis=1)
    return tuple(np.quantile(drawn, [0.025, 0.975]))


def compare(means: pd.DataFrame, better: str, than: str) -> list[object]:
    """One row: two models over the experiments that both have, from the means over their seeds."""
    both = means[[better, than]].dropna()
    gain = (both[better] - both[than]).to_numpy()
    wins, losses = int((gain > TIE).sum()), int((gain < -TIE).sum())
    low, high = interval(gain)
    p = wilcoxon(gain).pvalue if len(gain) > 5 else float("nan")
    at_least = f"{100 * (gain >= 0).mean():.0f} %"
    span = f"{gain.mean():+.3f} ({low:+.3f} to {high:+.3f})"
    return [f"{better} - {than}", len(gain), span, f"{wins}/{len(gain) - wins - losses}/{losses}", at_least, f"{p:.2g}"]


PAIRS = (
    ("small_pretrained", "small_random"),
    ("small_pretrained", "cnn"),
    ("small_random", "cnn"),
    ("small_pretrained", "likelihood"),
)


def column(row: pd.Series) -> str:
    """Model and what was changed in it."""
    return " ".join(filter(None, (row["model"], row["variant"])))


def epochs(name: str) -> str:
    """The part of a column's name that says how long it was trained."""
    return next((part for part in name.replace(",", " ").split() if part.startswith("epochs=")), "")


def paired_columns(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Columns to compare: of two models that were trained equally long."""
    for better, than in PAIRS:
        for first, second in itertools.product(names, names):
            equal = epochs(first) == epochs(second) or than == "likelihood"
            if first.split()[0] == better and second.split()[0] == than and equal:
                yield first, second


def print_question(rows: pd.DataFrame, question: str, metric: str) -> None:
    """Experiments by models, and the paired comparisons."""
    ours = rows[rows["question"] == question]
    if ours.empty:
        return
    ours = ours.assign(column=ours.apply(column, axis=1))
    means = ours.pivot_table(index="experiment", columns="column", values=metric, aggfunc="mean")
    seeds = ours.groupby("column")["seed"].nunique()
    names = order(means.columns)
    cells = [[name, *(float(means.loc[name, model]) for model in names)] for name in means.index]
    if len(names) > 1:
        both = means.dropna()
        cells.append([f"**mean of {len(both)}**", *(float(both[model].mean()) for model in names)])
    markdown(
        cells, ["experiment", *(f"{name} ({seeds[name]})" for name in names)], f"{question}, test {metric} (seeds)"
    )
    pairs = [compare(means, *pair) for pair in paired_columns(names) if len(means[list(pair)].dropna())]
    header = ["pair", "sets", "mean difference (95 %)", "win/tie/loss", "at least", "Wilcoxon p"]
    markdown(pairs, header, f"{question}, paired, test {metric}")


def print_cost(rows: pd.DataFrame) -> None:
    """CPU time of a training with its scoring."""
    rows = rows[rows["cpu_s"].notna()]
    found = rows.assign(column=rows.apply(column, axis=1)).groupby(["question", "column"])
    cells = [
        [*name, f"{part['n_parameters'].mean():,.0f}", len(part), f"{part['cpu_s'].mean():.0f}"] for name, part in found
    ]
    markdown(cells, ["question", "model", "parameters", "trainings", "CPU seconds of one"], "cost")


def order(names: Sequence[str]) -> list[str]:
    """Language models first, then what they are held against."""
    return sorted(names, key=lambda name: (epochs(name), not name.startswith("small"), name))


def print_efficiency(rows: pd.DataFrame) -> None:
    ours = rows[rows["question"] == "efficiency"]
    for experiment, part in ours.groupby("experiment"):
        metric = "average_precision" if part["collection"].iloc[0] == "dream" else "auroc"
        wide = part.pivot_table(index="n_positives", columns="model", values=metric, aggfunc=["mean", "std", "count"])
        names = order(wide["mean"].columns)
        cells = []
        for n in wide.index:
            row: list[object] = [int(n)]
            for name in names:
                mean, spread, count = (float(wide[part][name].get(n, np.nan)) for part in ("mean", "std", "count"))
                row.append("" if np.isnan(mean) else f"{number(mean)} ± {number(spread) or '?'} ({count:.0f})")
            cells.append(row)
        markdown(cells, ["positives", *names], f"efficiency, {experiment}, test {metric}: mean ± sd over (seeds)")


def print_tables(folder: Path) -> None:
    """Print every table that has rows."""
    files = [path for path in (folder / "runs.tsv", folder / "floor.tsv") if path.exists()]
    if not files:
        raise SystemExit(f"{folder}: no rows yet; run another subcommand first, or name --folder benchmarks/training")
    rows = pd.concat([pd.read_csv(path, sep="\t") for path in files], ignore_index=True)
    rows["variant"] = rows["variant"].fillna("")
    for question, metrics in {
        "dream": ("average_precision", "auroc"),
        "budget": ("average_precision", "auroc"),
        "deepbind": ("auroc",),
        "gue": ("mcc_at_half", "mcc", "auroc"),
    }.items():
        for metric in metrics:
            print_question(rows, question, metric)
    print_efficiency(rows)
    print_cost(rows)
    if (folder / "protocol.tsv").exists():
        table = pd.read_csv(folder / "protocol.tsv", sep="\t")
        markdown(table.to_numpy(object).tolist(), list(table.columns), "protocol")
