"""What is not there: experiments, models, test sets and metrics without results, each with its reason."""

import pandas as pd

from bindgram.evaluation.metrics import METRICS
from bindgram.report.html import Markup, cell, element, folded, joined, row, table
from bindgram.report.lines import without_homologs
from bindgram.settings import Config

OPEN_ROWS = 40  # a longer table is folded
NAMED = 6  # experiments that are named for one reason
COLUMNS = ["reason", "experiment", "tf", "biosample", "split"]
WORDS = {
    "failed": "Failed: a job stopped; the end of its log is quoted.",
    "skipped": "Skipped: the data do not allow it.",
    "not_defined": "Not defined: the metric, or the whole model, has no value here, so none is given.",
}


def missing_section(frame: pd.DataFrame, config: Config) -> list[Markup]:
    """One table for each status. Failures and skips stand by experiment, undefined metrics by reason."""
    rows = frame[(frame["status"] != "ok") & ~without_homologs(frame)]
    if rows.empty:
        return [element("p", "Nothing: every experiment, model and test set has all its results.")]
    parts = []
    for status in sorted(set(rows["status"]), key=lambda name: ([*WORDS, name].index(name), name)):
        of_status = rows[rows["status"] == status]
        made = _by_reason(of_status) if status == "not_defined" else _by_experiment(of_status, config)
        n = of_status["experiment"].nunique()
        title = f"{status.replace('_', ' ').capitalize()}: {n} {'experiment' if n == 1 else 'experiments'}"
        heads = ["Experiment", "Models", "Test sets", "Metrics", "Reason"]
        unfolded = folded(
            "1 line" if len(made) == 1 else f"{len(made)} lines",
            table(heads, made, sortable=True),
            opened=len(made) <= OPEN_ROWS,
        )
        parts += [element("h3", title), element("p", WORDS.get(status, status), class_="key"), unfolded]
    return parts


def _by_experiment(rows: pd.DataFrame, config: Config) -> list[Markup]:
    made = []
    for (reason, experiment, tf, biosample, split), group in rows.groupby(COLUMNS, sort=False):
        of_split = f" · {split}" if len(config.split) > 1 else ""
        small = element("small", f"{tf} · {biosample}{of_split}")
        made.append(row([cell(_link(experiment), small, value=experiment), *_names(group), reason]))
    return made


def _by_reason(rows: pd.DataFrame) -> list[Markup]:
    """The same reason holds for many experiments: of some of them the names."""
    made = []
    for reason, group in rows.groupby("reason", sort=False):
        names = list(dict.fromkeys(group["experiment"]))
        some = joined([_link(name) for name in names[:NAMED]], ", ")
        more = element("small", f"and {len(names) - NAMED} more") if len(names) > NAMED else ""
        made.append(row([cell(some, more, value=len(names)), *_names(group), reason]))
    return made


def _link(experiment: str) -> Markup:
    return element("a", experiment, href=f"#experiment={experiment}")


def _names(group: pd.DataFrame) -> list[str]:
    """Models, test sets and metrics of some rows."""
    found = {
        name: ", ".join(dict.fromkeys(text for text in group[name] if text)) for name in ("model", "test_set", "metric")
    }
    whole = set(METRICS) <= set(group["metric"])
    return [found["model"], found["test_set"] or "all", "all" if whole else found["metric"] or "all"]
