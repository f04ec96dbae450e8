"""Files of the comparison across experiments: tables of pairs in; JSON, two tables and a figure out."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bindgram.errors import InputError
from bindgram.evaluation.collect import check_revisions, provenance_path
from bindgram.evaluation.comparison import COMPARISON_COLUMNS, EXPERIMENT_COLUMNS, PAIR, compare_all, rank_all
from bindgram.evaluation.figures import stating_figure, with_style
from bindgram.evaluation.metrics import NOT_DEFINED
from bindgram.evaluation.pairs import read_pairs
from bindgram.provenance import digest, write_text
from bindgram.settings import Experiment

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DIGITS = 6  # significant, of the numbers in the JSON file
MAX_PANELS = 6
KEYS = ("status", "reason", "confidence", "headline", "models", "baselines", "comparisons", "rankings")


@dataclass(frozen=True)
class PairFiles:
    """Which tables of pairs to read. `template` is a path with {split}, {experiment} and {scheme} in braces."""

    sheet: Mapping[str, Experiment]
    experiments: Sequence[str]
    splits: Sequence[str]
    schemes: Sequence[str]
    template: str


def read_all_pairs(files: PairFiles, *, missing_as_failed: bool) -> tuple[pd.DataFrame, dict[str, Mapping[str, Any]]]:
    """Read the pairs of all experiments into one table, and the provenance of every file.

    Raises
    ------
    InputError : an experiment is not in the sheet, the template cannot be filled, revisions are mixed, or a file is
        absent, unless these count as failed.
    """
    if unknown := [name for name in files.experiments if name not in files.sheet]:
        raise InputError(f"--experiments: not in the sheet: {', '.join(unknown)}; correct the ids or add rows")
    tables, absent, sources = [], [], {}
    for split, experiment, scheme in itertools.product(files.splits, files.experiments, files.schemes):
        row = files.sheet[experiment]
        of = {"experiment": experiment, "tf": row.tf, "biosample": row.biosample, "split": split, "scheme": scheme}
        path = _fill(files.template, split=split, experiment=experiment, scheme=scheme)
        if missing_as_failed and not path.is_file():
            absent.append(of)
            continue
        tables.append(read_pairs(path).assign(**of))
        sources[str(path)] = _read_provenance(path)
    check_revisions(sources)
    columns = [name for name in EXPERIMENT_COLUMNS if name != "q_value"]
    if not tables:
        return pd.DataFrame(columns=columns), sources
    frame = pd.concat(tables, ignore_index=True)
    return pd.concat([frame, _failed_rows(frame, absent)], ignore_index=True)[columns], sources


def _fill(template: str, **known: str) -> Path:
    try:
        return Path(template.format_map(known))
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(f"--template {template}: {error} cannot be filled; use {', '.join(sorted(known))}") from None


def _read_provenance(path: Path) -> dict[str, Any]:
    beside = provenance_path(path)
    if not beside.is_file():
        raise InputError(f"{beside}: no such file; bindgram pairs writes it beside {path.name}, keep them together")
    return json.loads(beside.read_text(encoding="utf-8"))["provenance"]


def _failed_rows(frame: pd.DataFrame, absent: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    reason = f"{NOT_DEFINED}no table of pairs: a job before it failed or did not run"
    pairs = frame[PAIR].drop_duplicates().to_dict("records")
    rows = [{**of, **pair, "status": "failed", "reason": reason} for of in absent for pair in pairs]
    texts = dict.fromkeys(("test_set", "metric", "verdict", "seeds", "flag"), "")
    return pd.DataFrame([texts | row for row in rows]) if rows else frame.iloc[:0]


def merged_provenance(sources: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Provenance of many files as one input."""
    revisions: dict[str, int] = {}
    for provenance in sources.values():
        revisions.update(provenance.get("revisions", {}))
    return {"digest": digest(sorted(str(one.get("digest")) for one in sources.values())), "revisions": revisions}


def rounded(value: Any) -> Any:
    """Nested lists and mappings with their floats at `DIGITS` significant digits."""
    if isinstance(value, Mapping):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def comparison_values(
    pairs: pd.DataFrame, models: Sequence[str], confidence: float, headline: Mapping[str, str]
) -> dict[str, Any]:
    """What stands in the JSON file, by `KEYS`.

    Parameters
    ----------
    pairs : rows of all experiments, after `bindgram.evaluation.comparison.add_rates`.
    models : the configured ones; whatever else was compared is a baseline.
    headline : ``test_set`` and ``metric``.
    """
    compared = compare_all(pairs, confidence)
    names = dict.fromkeys([*pairs["model"], *pairs["other"]])
    status = ("ok", "") if compared else ("not_defined", f"{NOT_DEFINED}no pair of models was compared")
    baselines = [name for name in names if name not in models]
    ranked = rank_all(pairs, confidence)
    values = (*status, confidence, dict(headline), list(models), baselines, compared, ranked)
    return rounded(dict(zip(KEYS, values, strict=True)))


def write_experiment_table(path: Path, frame: pd.DataFrame) -> None:
    """Write every pair of every experiment as TSV, ``q_value`` included."""
    order = ["split", "scheme", "test_set", "metric", "model", "other", "experiment"]
    frame = frame.sort_values(order, kind="stable")[list(EXPERIMENT_COLUMNS)]
    write_text(path, frame.to_csv(sep="\t", index=False, float_format=f"%.{DIGITS}g", lineterminator="\n"))


def write_comparison_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the rows of `bindgram.evaluation.comparison.compare_all` as TSV."""
    frame = pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))
    frame["seeds"] = [";".join(f"{seed}={value:+.6f}" for seed, value in row["seeds"].items()) for row in rows]
    write_text(path, frame.to_csv(sep="\t", index=False, float_format=f"%.{DIGITS}g", lineterminator="\n"))


@with_style
def rank_figure(title: str, rankings: Sequence[Mapping[str, Any]], confidence: float) -> "Figure":
    """Critical-difference diagrams after Demsar 2006, one panel per ranking, those without ranks left out.

    Parameters
    ----------
    rankings : of `bindgram.evaluation.comparison.rank_all`, of one test set and metric.
    """
    from matplotlib.figure import Figure

    shown = [ranking for ranking in rankings if ranking["status"] == "ok"][:MAX_PANELS]
    if not shown:
        reasons = sorted({ranking["reason"] for ranking in rankings}) or [
            f"{NOT_DEFINED}no pair was compared on this test set"
        ]
        return stating_figure(title, "; ".join(reasons))
    heights = [1.6 + 0.24 * len(ranking["models"]) for ranking in shown]
    figure = Figure(figsize=(9.5, sum(heights) + 0.6), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left")
    figure.supxlabel("1 = best; a bar joins models that cannot be told apart", x=0.01, ha="left", fontsize=9)
    panels = figure.subplots(len(shown), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, ranking in zip(panels, shown, strict=True):
        _draw_ranks(axes, ranking, confidence)
    return figure


def _draw_ranks(axes: "Axes", ranking: Mapping[str, Any], confidence: float) -> None:
    from scikit_posthocs import critical_difference_diagram

    models = ranking["models"]
    ranks = pd.Series(ranking["average_ranks"], index=models)
    p_values = pd.DataFrame(1.0, index=models, columns=models)
    for one, other, p_value in ranking["pairs"]:
        p_values.loc[one, other] = p_values.loc[other, one] = p_value
    critical_difference_diagram(
        ranks,
        p_values,
        alpha=1 - confidence,
        ax=axes,
        label_fmt_left="{label} {rank:.2f}",
        label_fmt_right="{rank:.2f} {label}",
        text_h_margin=0.04,
        color_palette=dict.fromkeys(models, "#000000"),
        crossbar_props={"color": "#D55E00", "linewidth": 3},
    )
    axes.set_title(
        f"{ranking['split']}, trained against {ranking['scheme'].replace('_', ' ')} · {ranking['n_tfs']} TFs · "
        f"Friedman p {ranking['p_value']:.2g} · critical difference {ranking['critical_difference']:.2f}",
        fontsize=9,
        fontweight="normal",
    )
