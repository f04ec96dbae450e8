"""The summary page of the report: every experiment and model, the floor beside each score, and what is missing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bindgram.evaluation.metrics import WITHOUT
from bindgram.report.html import Markup, cell, element, escaped, joined, page, row, table
from bindgram.report.methods import describe_test_set
from bindgram.settings import Config

METRIC_NAMES = {"auroc": "AUROC", "average_precision": "Average precision", "mcc": "MCC"}
FLAG_NAMES = {
    "interval_unreliable": "few test blocks: interval unreliable",
    "no_threshold": "no validation twin: no MCC",
}
LEAST_OF_RATIO = 0.95  # of the negatives wanted, below which a test set is not that of its name
IDENTITY = ["experiment", "tf", "biosample", "scheme", "model"]


@dataclass(frozen=True)
class Score:
    """One metric of one model on one test set: means of value and floor over the seeds (and splits, where they stand in
    one line), outermost bounds of their intervals, and whether each interval lies above its floor.
    """

    value: float
    low: float
    high: float
    floor: float
    above: bool
    by_seed: tuple[tuple[str, float], ...]

    @property
    def gain(self) -> float:
        """Difference to the floor; NaN where there is none."""
        return self.value - self.floor


@dataclass(frozen=True)
class Line:
    """One line of the big table: a model of an experiment on one test set."""

    identity: Mapping[str, str]
    scores: Mapping[str, Score]
    n_positives: int
    n_negatives: int
    flags: tuple[str, ...]

    @property
    def prevalence(self) -> float:
        """Share of positives: the average precision of random scores."""
        return self.n_positives / max(1, self.n_positives + self.n_negatives)


def lines_of(
    frame: pd.DataFrame,
    test_set: str,
    suspicious: Mapping[tuple[str, str], str],
    ratio: float | None = None,
    *,
    each_split: bool = True,
) -> list[Line]:
    """Lines of the big table for one test set, experiments and models in the order of the metrics table.

    Parameters
    ----------
    suspicious : of `bindgram.report.audit.suspicious_notes`.
    ratio : negatives per positive that were wanted, where it is known; a line with notably fewer says so.
    each_split : one line per split; else one line for all of them, with the sums of their counts.
    """
    rows = frame[(frame["test_set"] == test_set) & (frame["status"] == "ok")]
    rows = rows[~rows["metric"].str.endswith(WITHOUT)]
    columns = [*IDENTITY, "split"] if each_split else IDENTITY
    lines = []
    for identity, group in rows.groupby(columns, sort=False):
        scores = {str(metric): _score(part) for metric, part in group.groupby("metric", sort=False)}
        flags = sorted({flag for text in group["flag"] for flag in text.split(";") if flag})
        flags += _audit_flags(group, test_set, suspicious)
        counts = group.drop_duplicates("split")[["n_positives", "n_negatives"]].sum().astype(int)
        flags += _shortage_flags(*counts, ratio)
        lines.append(Line(dict(zip(columns, identity, strict=True)), scores, *counts, tuple(flags)))
    return lines


def _ratio(config: Config, test_set: str) -> float | None:
    """Negatives per positive that a test set should have; None where it brings its own."""
    known = config.battery.test_sets.get(test_set)
    return known.ratio if known else None


def _shortage_flags(n_positives: int, n_negatives: int, ratio: float | None) -> list[str]:
    """A note where a test set has fewer negatives than its ratio asks for: average precision is higher with fewer."""
    if ratio is None or n_negatives >= LEAST_OF_RATIO * ratio * n_positives:
        return []
    return [f"{n_negatives / max(1, n_positives):.1f} negatives per positive, {ratio:g} wanted"]


def _audit_flags(rows: pd.DataFrame, test_set: str, suspicious: Mapping[tuple[str, str], str]) -> Iterator[str]:
    """Notes on the negatives that a model of these rows was tested on and trained against."""
    for line in rows.drop_duplicates("split").itertuples(index=False):
        for name, words in ((test_set, "negatives"), (f"labelled/{line.scheme}", "training negatives")):
            for audited in (line.experiment, f"{line.experiment} ({line.split})"):  # as `find_filter_tables` names them
                if note := suspicious.get((audited, name)):
                    yield f"{words} suspicious: {note}"


def _score(rows: pd.DataFrame) -> Score:
    seeds = tuple(zip(rows["seed"], rows["value"].astype(float), strict=True))
    above = bool((rows["low"] > rows["floor"]).all())
    return Score(rows["value"].mean(), rows["low"].min(), rows["high"].max(), rows["floor"].mean(), above, seeds)


def summary_page(
    frame: pd.DataFrame,
    test_set: str,
    metric: str,
    floor: str,
    config: Config,
    provenance: Mapping[str, Any],
    suspicious: Mapping[tuple[str, str], str],
) -> str:
    """The page as HTML.

    Parameters
    ----------
    frame : of `bindgram.evaluation.collect.read_collected`.
    test_set, metric : the headline. floor : the baseline that every score is compared with.
    suspicious : experiment and table to what the audit found; see `bindgram.report.audit`.
    """
    test_sets = sorted({name for name in frame["test_set"] if name}, key=lambda name: (name != test_set, name))
    lines = lines_of(frame, test_set, suspicious, _ratio(config, test_set), each_split=False)
    body: list[Any] = [*headline(lines, test_set, metric, floor, config), status_sentence(frame)]
    body.append(explanation(floor, config, likelihood=frame["model"].str.startswith("likelihood_").any()))
    search = element("input", type="search", data_filters="1", placeholder="Show only rows with these words")
    body.append(element("p", search, class_="noprint"))
    for name in test_sets:
        shown = lines_of(frame, name, suspicious, _ratio(config, name))
        if shown:
            body.append(element("h2", f"Test set {name}" + (" (headline)" if name == test_set else "")))
            body.append(element("p", describe_test_set(name, config)))
            body.append(score_table(shown, metric, floor, config))
    body += missing_section(frame, config)
    return page("Results", body, provenance)


def headline(lines: Sequence[Line], test_set: str, metric: str, floor: str, config: Config) -> list[Markup]:
    """Sentence on the highest model, and a small table of all models.

    Medians are over the experiments that every model has a result for (all, where there is no such experiment), because
    medians over different experiments cannot be compared.
    """
    by_model: dict[str, list[Line]] = {}
    for line in lines:
        if metric in line.scores:
            by_model.setdefault(_model_name(line, config), []).append(line)
    if not by_model:
        return [
            element("p", f"No model has a result on test set {test_set}; see below for the reasons.", class_="lead")
        ]
    names = {name: {line.identity["experiment"] for line in found} for name, found in by_model.items()}
    every, shared = set.union(*names.values()), set.intersection(*names.values())
    if shared:
        by_model = {
            name: [line for line in found if line.identity["experiment"] in shared] for name, found in by_model.items()
        }
    medians = {
        name: float(np.median([line.scores[metric].value for line in found])) for name, found in by_model.items()
    }
    ranked = sorted(medians, key=lambda name: -medians[name])
    trained = [name for name in ranked if by_model[name][0].identity["model"] in config.models] or ranked
    parts = [
        element("p", _headline_sentence(trained[0], by_model[trained[0]], test_set, metric, floor), class_="lead"),
        _model_table(ranked, by_model, metric, floor),
    ]
    if 0 < len(shared) < len(every):
        left_out = (
            f"Left out of this comparison, because not every model has a result: {', '.join(sorted(every - shared))}."
        )
        parts.append(element("p", left_out, class_="key"))
    return parts


def _headline_sentence(name: str, lines: Sequence[Line], test_set: str, metric: str, floor: str) -> str:
    scores = [line.scores[metric] for line in lines]
    compared = [score for score in scores if np.isfinite(score.gain)]
    above = sum(score.gain > 0 for score in compared)
    clearly = sum(score.above for score in compared)
    n = len(scores)
    where = "1 experiment" if n == 1 else f"the median of {n} experiments"
    text = (
        f"On test data that no model was trained on, the highest-scoring model, {name}, reaches {_word(metric)} "
        f"{np.median([score.value for score in scores]):.3f} ({where}; test set {test_set})."
    )
    if compared:
        text += (
            f" The composition floor ({floor}) reaches {np.median([score.floor for score in compared]):.3f}; the model "
            f"is above it in {above} of {len(compared)} experiment(s), with its whole interval in {clearly}."
        )
    return text


def _word(metric: str) -> str:
    name = METRIC_NAMES[metric]
    return name if name.isupper() else name.lower()


def _model_table(ranked: Sequence[str], by_model: Mapping[str, Sequence[Line]], metric: str, floor: str) -> Markup:
    rows = []
    for name in ranked:
        scores = [line.scores[metric] for line in by_model[name]]
        gains = [score.gain for score in scores if np.isfinite(score.gain)]
        median_gain = float(np.median(gains)) if gains else float("nan")
        above, clearly = sum(gain > 0 for gain in gains), sum(score.above for score in scores)
        compared = gains and by_model[name][0].identity["model"] != floor
        cells = [
            name,
            cell(f"{len(scores)}", number=True),
            cell(_number(float(np.median([score.value for score in scores]))), number=True),
            cell(_gain(median_gain), number=True),
            cell(f"{above} of {len(gains)}" if compared else "–", number=True),
            cell(f"{clearly} of {len(gains)}" if compared else "–", number=True),
        ]
        rows.append(row(cells))
    heads = ["Model", "Experiments", f"Median {_word(metric)}", "Median above floor", "Above floor in"]
    heads.append("Whole interval above in")
    return table(heads, rows, numbers=range(1, 6), sortable=False)


def _model_name(line: Line, config: Config) -> str:
    several = len(config.negatives.schemes) > 1
    return f"{line.identity['model']} ({line.identity['scheme']})" if several else line.identity["model"]


def score_table(lines: Sequence[Line], headline_metric: str, floor: str, config: Config) -> Markup:
    """The big table of one test set."""
    others = [name for name in METRIC_NAMES if name != headline_metric]
    floor_heading = joined(["Floor", element("small", floor)])
    heads = ["Experiment", "Model", METRIC_NAMES[headline_metric], "0 to 1", floor_heading, "Above floor"]
    heads += [METRIC_NAMES[name] for name in others] + [joined(["Bound", element("small", "unbound")])]
    heads += [joined(["Seeds", element("small", METRIC_NAMES[headline_metric])]), "Notes"]
    rows = [_score_row(line, headline_metric, others, config) for line in lines]
    return table(heads, rows, numbers=(2, 4, 5, 6, 7, 8), sortable=True)


def _score_row(line: Line, metric: str, others: Sequence[str], config: Config) -> Markup:
    identity, main = line.identity, line.scores.get(metric)
    kind = "" if identity["model"] in config.models else "baseline"
    where = element("small", f"{identity['tf']} · {identity['biosample']}{_of_split(identity['split'], config)}")
    scheme = element("small", identity["scheme"]) if len(config.negatives.schemes) > 1 else ""
    cells = [
        cell(identity["experiment"], where, value=identity["experiment"]),
        cell(identity["model"], scheme, value=identity["model"]),
        _score_cell(main),
        cell(_strip(main, line.prevalence if metric == "average_precision" else 0.5)),
        cell(_number(main.floor), value=_plain(main.floor), number=True) if main else cell(number=True),
        cell(_gain(main.gain), value=_plain(main.gain), number=True) if main else cell(number=True),
        *(_score_cell(line.scores.get(name), with_floor=True) for name in others),
        cell(f"{line.n_positives:,}", element("small", f"{line.n_negatives:,}"), value=line.n_positives, number=True),
        _seed_cell(main),
        cell(*_notes(line.flags)),
    ]
    return row(cells, kind)


def _notes(flags: Sequence[str]) -> list[Markup]:
    """Each note in a line of its own; those of the audit coloured."""
    words = [FLAG_NAMES.get(flag, flag) for flag in flags]
    return [element("div", text, class_="suspicious" if "suspicious" in text else None) for text in words]


def _of_split(split: str, config: Config) -> str:
    return f" · {split}" if len(config.split) > 1 else ""


def _score_cell(score: Score | None, *, with_floor: bool = False) -> Markup:
    if score is None or not np.isfinite(score.value):
        return cell("–", value="", number=True)
    content = [_number(score.value)]
    if np.isfinite(score.low):
        content.append(element("small", f"{_number(score.low)} to {_number(score.high)}"))
    if with_floor and np.isfinite(score.floor):
        content.append(element("small", f"floor {_number(score.floor)}, ", _gain(score.gain)))
    return cell(*content, value=_plain(score.value), number=True)


def _seed_cell(score: Score | None) -> Markup:
    if score is None or len(score.by_seed) < 2:
        return cell(score.by_seed[0][0] if score else "")
    return cell(*(element("small", f"{seed}: {_number(value)}") for seed, value in score.by_seed))


def _strip(score: Score | None, chance: float) -> Markup:
    """A line from 0 to 1 with the interval, the score, the floor and chance."""
    if score is None or not np.isfinite(score.value):
        return Markup("")
    at = {name: f"{4 + 132 * min(1.0, max(0.0, x)):.1f}" for name, x in (("value", score.value), ("chance", chance))}
    marks = ['<line x1="4" x2="136" y1="9" y2="9" stroke="#d3dae1"/>']
    marks.append(f'<line x1="{at["chance"]}" x2="{at["chance"]}" y1="3" y2="15" stroke="#9aa6b2"/>')
    if np.isfinite(score.low):
        low, high = (f"{4 + 132 * x:.1f}" for x in (score.low, score.high))
        marks.append(f'<line x1="{low}" x2="{high}" y1="9" y2="9" stroke="#0072b2" stroke-width="3"/>')
    if np.isfinite(score.floor):
        x = 4 + 132 * score.floor
        marks.append(f'<path d="M{x:.1f} 3l5 6-5 6-5-6z" fill="none" stroke="#d55e00" stroke-width="1.6"/>')
    marks.append(f'<circle cx="{at["value"]}" cy="9" r="4" fill="#0072b2"/>')
    return Markup(f'<svg width="140" height="18" role="img" aria-label="score on a line">{"".join(marks)}</svg>')


def _number(value: float) -> str:
    return f"{value:.3f}".replace("-", "−") if np.isfinite(value) else "–"


def _plain(value: float) -> str:
    return f"{value:.6f}" if np.isfinite(value) else ""


def _gain(value: float) -> Markup:
    if not np.isfinite(value) or value == 0:  # the floor compared with itself
        return escaped("–")
    sign = "+" if value > 0 else "−"
    return element("span", f"{sign}{abs(value):.3f}", class_="up" if value > 0 else "down")


LIKELIHOOD = (
    " A row likelihood_<language model> has seen no peak: it is the language model alone, scoring how much more it"
    " takes a sequence for genomic DNA than a model does that knows only which base tends to follow which"
    " (difference of the log-likelihoods per base; an order-1 Markov model). It tells real DNA from shuffles"
    " without knowing any binding site. So on test sets of shuffles a pretrained model shows binding only as far"
    " as it lies above this row, and a gain counts only where it holds on genomic negatives too."
)


def explanation(floor: str, config: Config, *, likelihood: bool) -> Markup:
    """How to read the table; `likelihood` says whether it has rows of a language model's own."""
    several = " With several seeds: their mean, and the outermost bounds of their intervals." * (len(config.seeds) > 1)
    splits = f" One line for each of the {len(config.split)} splits; at the top stand means over them."
    several += splits * (len(config.split) > 1)
    confidence = f"{100 * config.evaluation.confidence:g} %"
    return element(
        "p",
        f"How to read: small numbers under a score are its {confidence} bootstrap interval.{several} On the line from "
        "0 to 1 the blue dot is the score with its interval, the orange diamond the floor, the grey tick chance. "
        f"The floor ({floor}) is a logistic regression on k-mer counts that knows composition and no motif: only what "
        "lies above it can be called binding specificity. MCC is taken at the threshold that is best on the validation "
        f"twin of the test set. Click a heading to sort. A grey row is a baseline.{LIKELIHOOD if likelihood else ''}",
        class_="key",
    )


def status_sentence(frame: pd.DataFrame) -> Markup:
    """How many experiments have results, were skipped, or failed."""
    done = frame.loc[frame["status"] == "ok", "experiment"].nunique()
    rest = frame[frame["test_set"] == ""]
    counts = {status: rest.loc[rest["status"] == status, "experiment"].nunique() for status in ("skipped", "failed")}
    text = f"{done} of {frame['experiment'].nunique()} experiments have results"
    extra = [f"{n} {'was' if n == 1 else 'were'} skipped" for n in [counts["skipped"]] if n]
    extra += [f"{n} failed for at least one model" for n in [counts["failed"]] if n]
    return element("p", "; ".join([text, *extra]) + (" (reasons at the end)." if extra else "."))


def missing_section(frame: pd.DataFrame, config: Config) -> list[Markup]:
    """Experiments, models and test sets without results, with the reason; one row per reason."""
    rows = frame[frame["status"] != "ok"]
    if rows.empty:
        return [element("h2", "Skipped and failed"), element("p", "None.")]
    shown = []
    for (experiment, tf, biosample, split, status, reason), group in rows.groupby(
        ["experiment", "tf", "biosample", "split", "status", "reason"], sort=False
    ):
        models = list(dict.fromkeys(group["model"]))
        test_sets = [name for name in dict.fromkeys(group["test_set"]) if name]
        name = cell(experiment, element("small", f"{tf} · {biosample}{_of_split(split, config)}"), value=experiment)
        shown.append(row([name, status, ", ".join(models), ", ".join(test_sets) or "all", reason]))
    heads = ["Experiment", "Status", "Models", "Test sets", "Reason"]
    text = "Skipped: the data do not allow it. Failed: the job stopped; the end of its log is quoted."
    return [element("h2", "Skipped and failed"), element("p", text), table(heads, shown, sortable=True)]
