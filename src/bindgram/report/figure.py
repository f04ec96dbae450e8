"""The figure of the report's head, as SVG: every experiment's score with interval and seeds, beside its floor.

Few experiments stand one below the other with their names; many stand side by side, sorted, one panel for each model.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from bindgram.report.html import Markup, escaped
from bindgram.report.lines import number

COLOURS = (
    "#0072B2",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
    "#000000",
)  # Okabe and Ito 2008; the floor has its own
FLOOR = "#D55E00"
NAMED = 24  # more experiments than this stand side by side, without names
MOST_MODELS = 6
WIDTH = 1120
Scale = Callable[[float], float]


def headline_figure(scores: pd.DataFrame, models: Sequence[str], title: str, floor: str) -> Markup:
    """Figure with its legend and a line on how to read it.

    Parameters
    ----------
    scores : rows of `bindgram.report.lines.summarise` with ``name``.
    models : names to draw, the best first; its scores give the order of the experiments.
    """
    models = list(models)[:MOST_MODELS]
    shown = scores[scores["name"].isin(models)]
    first = shown[shown["name"] == models[0]].sort_values(
        ["value", "experiment"], ascending=[False, True], kind="stable"
    )
    order = first["experiment"].tolist()
    order += [name for name in dict.fromkeys(shown["experiment"]) if name not in set(order)]
    draw = _rows if len(order) <= NAMED else _panels
    caption = (
        f"Dot: {title} (mean of the seeds); line: its interval; small strokes: single seeds. Orange: the floor "
        f"({floor}) of the same experiment. A filled dot has its whole interval above the floor, and above chance; a "
        "hollow one has not."
    )
    figure = draw(shown, models, order, title)
    return Markup(f'<figure class="headline">{figure}<figcaption>{escaped(caption)}</figcaption></figure>')


def _scale(shown: pd.DataFrame, start: float, stop: float) -> tuple[Scale, list[float]]:
    """Position of a value, and ticks; the axis holds all values and reaches 1."""
    values = pd.concat([shown["value"], shown["low"], shown["floor"], shown["seeds"].explode().astype(float)])
    low = float(np.nanmin(values))
    bottom = math.floor(low * 10) / 10 if low < 0 or low > 0.25 else 0.0
    top = max(1.0, math.ceil(float(np.nanmax(values)) * 10) / 10)
    step = 0.1 if top - bottom <= 0.7 else 0.2
    ticks = [tick for tick in np.arange(0, 11) * step + bottom if tick <= top + 1e-9]
    return lambda value: start + (value - bottom) / (top - bottom) * (stop - start), [round(float(t), 3) for t in ticks]


def _text(x: float, y: float, text: str, **attributes: str) -> str:
    given = "".join(f' {name.rstrip("_").replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{given}>{escaped(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width:g}"/>'


def _dot(x: float, y: float, radius: float, colour: str, *, filled: bool, tip: str) -> str:
    fill = colour if filled else "#fff"
    shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{fill}" stroke="{colour}" stroke-width="1.4"'
    return f"{shape}><title>{escaped(tip)}</title></circle>"


def _tip(name: str, score: pd.Series) -> str:
    seeds = ", ".join(number(value) for value in score["seeds"])
    return (
        f"{score['experiment']} ({score['tf']} in {score['biosample']}), {name}: {number(score['value'])}, interval "
        f"{number(score['low'])} to {number(score['high'])}, seeds {seeds}, floor {number(score['floor'])}"
    )


def _svg(height: float, marks: Sequence[str], label: str) -> str:
    start = f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escaped(label)}" class="plot">'
    return f"{start}{''.join(marks)}</svg>"


def _legend(models: Sequence[str], y: float, x: float) -> list[str]:
    marks = []
    for name, colour in zip(models, COLOURS, strict=False):
        marks += [_dot(x, y - 4, 4, colour, filled=True, tip=name), _text(x + 9, y, name, class_="strong")]
        x += 30 + 7.4 * len(name)
    return [*marks, _diamond(x, y - 4), _text(x + 9, y, "floor")]


def _diamond(x: float, y: float) -> str:
    return f'<path d="M{x:.1f} {y - 5:.1f}l4.5 5-4.5 5-4.5-5z" fill="#fff" stroke="{FLOOR}" stroke-width="1.7"/>'


def _rows(shown: pd.DataFrame, models: Sequence[str], order: Sequence[str], title: str) -> str:
    """One row for each experiment with its name; a line for each model."""
    left, top, each = 250, 44, 13
    row_height = max(each * len(models) + 12, 34)  # two lines of text
    bottom = top + row_height * len(order)
    at, ticks = _scale(shown, left, WIDTH - 30)
    marks = _legend(models, 18, left)
    for tick in ticks:
        marks += [_line(at(tick), top - 8, at(tick), bottom, "#e3e8ed", 1)]
        marks += [_text(at(tick), bottom + 16, f"{tick:g}", text_anchor="middle")]
    marks.append(_text((left + WIDTH - 30) / 2, bottom + 34, title, text_anchor="middle"))
    by_name = {key: group.iloc[0] for key, group in shown.groupby(["experiment", "name"])}
    for line, experiment in enumerate(order):
        y = top + line * row_height
        label = next(by_name[experiment, name] for name in models if (experiment, name) in by_name)
        marks.append(_text(left - 14, y + row_height / 2, label["tf"], text_anchor="end", class_="strong"))
        marks.append(
            _text(left - 14, y + row_height / 2 + 12, _cut(label["biosample"], 34), text_anchor="end", class_="soft")
        )
        if line:
            marks.append(_line(left - 240, y - 2, WIDTH - 30, y - 2, "#eef1f4", 1))
        first = y + row_height / 2 - 2 - each * (len(models) - 1) / 2
        for place, (name, colour) in enumerate(zip(models, COLOURS, strict=False)):
            if (experiment, name) in by_name:
                marks += _horizontal(by_name[experiment, name], name, at, first + place * each, colour)
        floor = label["floor"]
        if np.isfinite(floor):
            marks += [_line(at(floor), y + 3, at(floor), y + row_height - 7, FLOOR, 1.6)]
            marks += [_diamond(at(floor), y + row_height / 2 - 2)]
    return _svg(bottom + 42, marks, f"{title} of every experiment and model beside its floor")


def _horizontal(score: pd.Series, name: str, at: Scale, y: float, colour: str) -> list[str]:
    marks = []
    if np.isfinite(score["low"]):
        marks.append(_line(at(score["low"]), y, at(score["high"]), y, colour, 2))
    if len(score["seeds"]) > 1:
        marks += [_line(at(value), y - 4, at(value), y + 4, colour, 1) for value in score["seeds"]]
    return [*marks, _dot(at(score["value"]), y, 4, colour, filled=bool(score["above"]), tip=_tip(name, score))]


def _cut(text: str, n: int) -> str:
    return text if len(text) <= n else f"{text[: n - 1]}…"


def _panels(shown: pd.DataFrame, models: Sequence[str], order: Sequence[str], title: str) -> str:
    """One panel for each model, the best one higher; the experiments side by side in one order."""
    left, right, top = 54, WIDTH - 14, 30
    x_of = {experiment: left + 8 + (right - left - 16) * (i + 0.5) / len(order) for i, experiment in enumerate(order)}
    gap = (right - left - 16) / len(order)
    marks: list[str] = []
    for place, (name, colour) in enumerate(zip(models, COLOURS, strict=False)):
        height = 240 if place == 0 else 130
        at, ticks = _scale(shown, top + height, top)
        scores = shown[shown["name"] == name]
        clearly = int(scores["above"].sum())
        label = f"{name}: {clearly} of {len(scores)} above the floor beyond the interval"
        marks.append(_text(left, top - 9, label, class_="strong"))
        for tick in ticks:
            marks += [_line(left, at(tick), right, at(tick), "#e3e8ed", 1)]
            marks += [_text(left - 8, at(tick) + 4, f"{tick:g}", text_anchor="end")]
        # The floor of all experiments as one path of short strokes, under the dots: one element, not hundreds.
        known = [
            (x_of[e], floor)
            for e, floor in zip(scores["experiment"], scores["floor"], strict=True)
            if np.isfinite(floor)
        ]
        half = max(1.2, min(5.0, gap * 0.45))
        strokes = "".join(f"M{x - half:.1f} {at(floor):.1f}h{2 * half:.1f}" for x, floor in known)
        marks.append(f'<path d="{strokes}" stroke="{FLOOR}" stroke-width="2" fill="none"/>')
        marks += _vertical(scores, name, x_of, at, gap, colour)
        top += height + 34
    text = f"{len(order)} experiments, in the order of {models[0]}; orange strokes: the floor; vertical axis: {title}"
    marks.append(_text((left + right) / 2, top - 14, text, text_anchor="middle"))
    return _svg(top, marks, f"{title} of every experiment beside its floor, one panel for each model")


def _vertical(scores: pd.DataFrame, name: str, x_of: dict[str, float], at: Scale, gap: float, colour: str) -> list[str]:
    lines, dots = [], []
    radius = max(1.1, min(3.4, gap * 0.42))
    stroke = max(0.7, min(2.0, gap * 0.35))
    seeds = []
    for _, score in scores.iterrows():
        x = x_of[score["experiment"]]
        if np.isfinite(score["low"]):
            lines.append(f"M{x:.1f} {at(score['low']):.1f}V{at(score['high']):.1f}")
        if len(score["seeds"]) > 1:
            seeds += [f"M{x - 1.6 * radius:.1f} {at(v):.1f}h{3.2 * radius:.1f}" for v in score["seeds"]]
        dots.append(_dot(x, at(score["value"]), radius, colour, filled=bool(score["above"]), tip=_tip(name, score)))
    paths = [(lines, stroke, 0.45), (seeds, 0.6, 0.8)]
    drawn = [
        f'<path d="{"".join(d)}" stroke="{colour}" stroke-width="{w:g}" stroke-opacity="{o:g}"/>'
        for d, w, o in paths
        if d
    ]
    return [*drawn, *dots]
