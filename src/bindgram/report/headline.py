"""The head of the report: one sentence and a small table on how far the models lie above the floor."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bindgram.report.figure import headline_figure
from bindgram.report.html import Markup, cell, element, row, table
from bindgram.report.lines import median_by_tf, number, summarise, without_homologs
from bindgram.settings import Config


@dataclass(frozen=True)
class Headline:
    """What the head is about: `title` is that of the metric."""

    test_set: str
    metric: str
    title: str
    floor: str


@dataclass(frozen=True)
class Compared:
    """Scores of all models on the headline.

    Attributes
    ----------
    scores : rows of `bindgram.report.lines.summarise` with ``name``, which tells several schemes apart.
    shared : experiments that every trained model has a result for (all, where there is none): medians of models over
        different experiments cannot be compared. Baselines do not count: a factor without a known motif has no score
        of its motif, and stays.
    ranked : names of models, those with higher medians over the shared first. trained : those that are no baselines.
    """

    scores: pd.DataFrame
    shared: frozenset[str]
    ranked: list[str]
    trained: list[str]

    @property
    def best(self) -> str:
        """The trained model with the highest median; a baseline where nothing was trained."""
        return (self.trained or self.ranked)[0]

    def of(self, name: str) -> pd.DataFrame:
        """Scores of one model."""
        return self.scores[self.scores["name"] == name]

    def shared_of(self, name: str) -> pd.DataFrame:
        """Those on the shared experiments."""
        return _on(self.of(name), self.shared)


def _on(scores: pd.DataFrame, experiments: frozenset[str]) -> pd.DataFrame:
    return scores[scores["experiment"].isin(experiments)]


def compare(frame: pd.DataFrame, headline: Headline, config: Config) -> Compared | None:
    """Scores of the headline; None where there are none."""
    rows = frame[(frame["test_set"] == headline.test_set) & (frame["metric"] == headline.metric)]
    scores = summarise(rows[~without_homologs(rows)], ["experiment", "scheme", "model"])
    if scores.empty:
        return None
    several = len(config.negatives.schemes) > 1
    scores["name"] = scores["model"] + (" (" + scores["scheme"] + ")" if several else "")
    of_trained = scores[scores["model"].isin(config.models)]
    sets = [frozenset(group) for _, group in of_trained.groupby("name")["experiment"]]
    shared = frozenset.intersection(*sets) if sets else frozenset()
    shared = shared or frozenset(scores["experiment"])
    medians = _on(scores, shared).groupby("name", sort=False)["value"].median()
    ranked = medians.sort_values(ascending=False, kind="stable").index.tolist()
    names = set(of_trained["name"])
    return Compared(scores, shared, ranked, [name for name in ranked if name in names])


def headline_section(
    frame: pd.DataFrame, compared: Compared | None, headline: Headline, config: Config
) -> list[Markup]:
    """Sentence, figure and table of all models, from the metrics table and `compare` of it."""
    if compared is None:
        text = f"No model has a result on test set {headline.test_set}; the reasons stand under Not there."
        return [element("p", text, class_="lead"), status_sentence(frame)]
    shown = compared.trained or compared.ranked[:1]
    parts = [
        element("p", *_sentence(compared, headline), class_="lead"),
        element("p", *_conditions(compared, headline, config), class_="soft"),
        status_sentence(frame),
        headline_figure(compared.scores, shown, headline.title, headline.floor),
        element("h3", f"All models and baselines, {headline.title} on {headline.test_set}"),
        _model_table(compared, headline),
    ]
    if note := _shared_note(compared):
        parts.append(element("p", note, class_="key"))
    return parts


def _sentence(compared: Compared, headline: Headline) -> list[Markup | str]:
    """Of the best model: how many experiments lie above the floor beyond their interval."""
    best = compared.of(compared.best)
    against = best[best["floor"].notna()]
    n = len(best)
    if against.empty:
        return [
            f"{compared.best} reaches a{'n' if n == 1 and _word(headline.title)[0] in 'aeiouA' else ''} "
            f"{'' if n == 1 else 'median '}{_word(headline.title)} of {number(best['value'].median())} on "
            f"{_experiments(n)}; there is no floor ({headline.floor}) to compare it with."
        ]
    clearly, anyhow = int(against["above"].sum()), int(against["by_value"].sum())
    share = element("strong", f"{clearly} of {_experiments(len(against))}")
    also = "" if anyhow == clearly else f" ({anyhow} by value alone)"
    typical, floor = against["value"].median(), against["floor"].median()
    verdict = " In most it is not better than the floor." if 2 * anyhow < len(against) and len(against) > 1 else ""
    return [
        f"{compared.best} tells bound from unbound DNA better than mere composition, beyond the uncertainty, in ",
        share,
        f"{also}: {'' if len(against) == 1 else 'median '}{_word(headline.title)} {number(typical)} against "
        f"{number(floor)} of the floor.{verdict}",
    ]


def _shared_note(compared: Compared) -> str:
    """On which experiments the table compares, where these are not all."""
    notes, left_out = [], sorted(set(compared.scores["experiment"]) - compared.shared)
    if left_out:
        names = ", ".join(left_out[:20]) + (" ..." if len(left_out) > 20 else "")
        notes.append(
            f"The table compares on the {_experiments(len(compared.shared))} that all trained models have a result "
            f"for; without {names}."
        )
    fewer = [name for name in compared.ranked if len(compared.shared_of(name)) < len(compared.shared)]
    if fewer:
        notes.append(
            f"Of fewer experiments than the others: {', '.join(fewer)}. Their medians are not comparable with those of "
            "the others; the columns above the floor compare within each experiment."
        )
    return " ".join(notes)


def _conditions(compared: Compared, headline: Headline, config: Config) -> list[str]:
    """What the sentence stands on: test set, seeds, and the medians by TF."""
    best = compared.of(compared.best)
    n_tfs = best["tf"].nunique()
    seeds = len(config.seeds)
    who = "trained model" if compared.trained else "baseline (no model has a result here)"
    text = (
        f"Test set {headline.test_set}, regions that no model was trained on. {compared.best} is the {who} with the "
        f"highest median; the floor is {headline.floor}, or chance where that is higher. "
    )
    text += (
        "One training seed: how much training varies is not known. "
        if seeds == 1
        else f"Each score is the mean of {seeds} training seeds; beyond the uncertainty: the intervals of all seeds "
        "lie "
        "above the floor. "
    )
    if len(config.split) > 1:
        text += f"Scores are means over {len(config.split)} splits. "
    if 1 < n_tfs < len(best):
        text += (
            f"Counting every TF once (medians of {n_tfs} TFs): {number(median_by_tf(best, 'value'))} against "
            f"{number(median_by_tf(best, 'floor'))}."
        )
    return [text]


def _experiments(n: int) -> str:
    return "1 experiment" if n == 1 else f"{n:,} experiments"


def _word(title: str) -> str:
    return title if title[:2].isupper() else title[:1].lower() + title[1:]


def _model_table(compared: Compared, headline: Headline) -> Markup:
    several = any(len(seeds) > 1 for seeds in compared.scores["seeds"])
    heads = ["Model", "Kind", "Experiments", "TFs", "Median", "Median, each TF once", "Median above floor"]
    heads += ["Above floor", "Above, beyond the interval", *(["Spread of seeds (median)"] if several else [])]
    rows = [_model_row(name, compared, headline.floor, several=several) for name in compared.ranked]
    return table(heads, rows, numbers=range(2, len(heads)), sortable=True)


def _model_row(name: str, compared: Compared, floor: str, *, several: bool) -> Markup:
    scores = compared.shared_of(name)
    trained, is_floor = name in compared.trained, scores["model"].iloc[0] == floor
    against = scores[scores["floor"].notna()]
    gain = float((against["value"] - against["floor"]).median()) if len(against) else float("nan")
    above, clearly = int(against["by_value"].sum()), int(against["above"].sum())
    counted = len(against) and not is_floor
    cells = [
        element("strong", name) if trained else name,
        "model" if trained else "floor" if is_floor else "baseline",
        cell(f"{len(scores):,}", value=len(scores), number=True),
        cell(f"{scores['tf'].nunique():,}", value=scores["tf"].nunique(), number=True),
        _number_cell(float(scores["value"].median())),
        _number_cell(median_by_tf(scores, "value")),
        cell("–", number=True) if is_floor else cell(gain_text(gain), value=_key(gain), number=True),
        cell(f"{above} of {len(against)}" if counted else "–", value=above if counted else "", number=True),
        cell(f"{clearly} of {len(against)}" if counted else "–", value=clearly if counted else "", number=True),
    ]
    if several:
        spreads = [np.ptp(seeds) for seeds in scores["seeds"] if len(seeds) > 1]
        cells.append(_number_cell(float(np.median(spreads))) if spreads else cell("one seed", number=True))
    return row(cells, "" if trained else "baseline")


def _number_cell(value: float) -> Markup:
    return cell(number(value), value=_key(value), number=True)


def _key(value: float) -> str:
    return f"{value:.6f}" if np.isfinite(value) else ""


def gain_text(value: float) -> Markup:
    """A difference with its sign."""
    if not np.isfinite(value):
        return element("span", "–")
    sign = "+" if value > 0 else "−" if value < 0 else "±"
    return element("span", f"{sign}{abs(value):.3f}", class_="up" if value > 0 else "down")


def status_sentence(frame: pd.DataFrame) -> Markup:
    """How many experiments have results, were skipped, or failed."""
    done = set(frame.loc[frame["status"] == "ok", "experiment"])
    rest = frame[frame["test_set"] == ""]
    failed = set(rest.loc[rest["status"] == "failed", "experiment"])
    skipped = set(rest.loc[rest["status"] == "skipped", "experiment"]) - failed
    parts = [f"{len(done)} of {frame['experiment'].nunique()} experiments have results"]
    without, partly = skipped - done, skipped & done
    parts += [f"{len(without)} {_were(without)} skipped"] if without else []
    parts += [f"{len(partly)} {_were(partly)} skipped for at least one model or baseline"] if partly else []
    parts += [f"{len(failed)} failed for at least one model"] if failed else []
    link = element("a", "reasons", href="#missing")
    return element("p", "; ".join(parts), *([" (", link, ")"] if len(parts) > 1 else []), ".", class_="soft")


def _were(names: set[str]) -> str:
    return "was" if len(names) == 1 else "were"
