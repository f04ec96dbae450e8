"""Part of the section on models: scores with fewer training positives, and with permuted labels.

Both are made only when asked for, so a page shows what is there when it is written.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bindgram.errors import InputError
from bindgram.evaluation.controls import ALL, EFFICIENCY_COLUMNS, medians_over_tfs, sizes_of
from bindgram.report.experiments import read_json
from bindgram.report.headline import Headline
from bindgram.report.html import Markup, cell, element, escaped, folded, row, table
from bindgram.report.lines import number

SUSPICIOUS = ("shifted", "scattered")


@dataclass(frozen=True)
class Controls:
    """What the two controls wrote; None where they were not asked for."""

    efficiency: pd.DataFrame | None = None
    figure: bytes = b""
    permuted: Mapping[str, Any] | None = None


def read_controls(efficiency: Path | None, permuted: Path | None) -> Controls:
    """Read the table of ``bindgram data-efficiency``, its figure beside it, and the verdicts of permuted labels.

    Raises
    ------
    InputError : a file is not what it should be.
    """
    made, figure, verdicts = None, b"", None
    if efficiency is not None and efficiency.is_file():
        made = pd.read_csv(efficiency, sep="\t", dtype={"positives": str, "reason": str}, keep_default_na=True)
        if missing := set(EFFICIENCY_COLUMNS) - set(made.columns):
            raise InputError(f"{efficiency}: no column {min(missing)}; it is no table of bindgram data-efficiency")
        drawn = efficiency.with_suffix(".svg")
        figure = drawn.read_bytes() if drawn.is_file() else b""
    if permuted is not None and permuted.is_file():
        verdicts = read_json(permuted)
        if not isinstance(verdicts.get("verdicts"), list):
            raise InputError(f"{permuted}: no list of verdicts; it is not what bindgram permuted-control wrote")
    return Controls(made, figure, verdicts)


def controls_section(controls: Controls, headline: Headline) -> list[Markup]:
    """Both controls, each with the command that makes it where it was not asked for."""
    return [
        element("h3", "With fewer training positives"),
        *(_efficiency(controls, headline) if controls.efficiency is not None else [_not_asked("data_efficiency")]),
        element("h3", "With permuted training labels"),
        *(_permuted(controls.permuted) if controls.permuted is not None else [_not_asked("permuted_control")]),
    ]


def _not_asked(target: str) -> Markup:
    commands = (element("code", f"snakemake {target}"), element("code", "snakemake --forcerun write_report"))
    return element("p", "Not asked for: ", commands[0], " makes it, then ", commands[1], " shows it.", class_="soft")


def _efficiency(controls: Controls, headline: Headline) -> list[Markup]:
    frame = controls.efficiency
    assert frame is not None
    rows = frame[(frame["test_set"] == headline.test_set) & (frame["metric"] == headline.metric)]
    title = f"{headline.title} on {headline.test_set}, median over TFs, by number of training positives"
    parts = []
    if controls.figure:
        data = base64.b64encode(controls.figure).decode("ascii")
        image = Markup(f'<img class="chart" src="data:image/svg+xml;base64,{data}" alt="{escaped(title)}">')
        parts.append(element("figure", image, element("figcaption", f"{title}.")))
    if rows["value"].isna().all():
        reasons = sorted(set(frame["reason"].dropna())) or ["not defined: no score on the headline"]
        return [*parts, element("p", "; ".join(reasons), class_="soft")]
    sizes = sizes_of(frame)
    tables = []
    for (split, scheme), part in rows.groupby(["split", "scheme"], sort=True):
        medians, n_tfs, same = medians_over_tfs(part, sizes)
        which = f"the same {max(n_tfs.values())} TFs at every number" if same else "TFs differ between numbers"
        words = f"{split}, trained against {str(scheme).replace('_', ' ')}: {which}."
        tables += [element("p", words, class_="key"), _efficiency_table(medians, n_tfs, sizes)]
    return [*parts, folded(title, *tables, opened=not controls.figure)]


def _efficiency_table(medians: pd.DataFrame, n_tfs: Mapping[str, int], sizes: Sequence[str]) -> Markup:
    means = medians.groupby(["model", "positives"])["value"].mean()
    heads = ["Model", *("all" if size == ALL else f"{int(size):,}" for size in sizes)]
    rows = [
        row([model, *(_score(means.get((model, size)), n_tfs[size]) for size in sizes)])
        for model in dict.fromkeys(medians["model"])
    ]
    return table(heads, rows, numbers=range(1, len(heads)), sortable=True)


def _score(value: float | None, n_tfs: int) -> Markup:
    if value is None or pd.isna(value):
        return cell("–", number=True)
    return cell(number(value), element("small", f"{n_tfs} TF{'' if n_tfs == 1 else 's'}"), value=value, number=True)


def _permuted(found: Mapping[str, Any]) -> list[Markup]:
    verdicts = found["verdicts"]
    if not any(item["n"] for item in verdicts):
        return [element("p", "not defined: no interval of a model that was trained on permuted labels", class_="soft")]
    confidence = float(found["confidence"])
    bad = [item for item in verdicts if item["verdict"] in SUSPICIOUS]
    measured = [item for item in verdicts if item["n"]]
    words = (
        f"{len(measured) - len(bad)} of {len(measured)} are as expected of chance."
        if bad
        else "All that could be measured is as expected of chance."
    )
    explanation = (
        " AUROC of models whose training and validation labels were permuted; test labels are true. Where "
        f"nothing leaks, {100 * confidence:g} % of the intervals hold 0.5. Scattered: fewer do, yet the areas are "
        "centred on 0.5; shifted: they are not, so something leaks or chooses by true labels."
    )
    heads = [
        "Test set",
        "Model",
        "Split",
        "Against",
        "Verdict",
        "Intervals that hold 0.5",
        "Expected",
        "Centre over TFs",
    ]
    rows = [_verdict_row(item) for item in verdicts]
    text = element("p", element("strong", words), explanation)
    return [text, table(heads, rows, numbers=(5, 6, 7), sortable=True)]


def _verdict_row(item: Mapping[str, Any]) -> Markup:
    suspicious = item["verdict"] in SUSPICIOUS
    centre = item.get("centre")
    low, high = item.get("low"), item.get("high")
    interval = f"{number(low)} to {number(high)}" if low is not None and high is not None else item.get("reason") or ""
    return row(
        [
            *(str(item[name]) for name in ("test_set", "model", "split")),
            str(item["scheme"]).replace("_", " "),
            cell(element("span", item["verdict"], class_="warning" if suspicious else None)),
            cell(f"{item['n_hold_half']} of {item['n']}", value=item["n_hold_half"], number=True),
            cell(f"{item['expected_low']} to {item['expected_high']}", value=item["expected"], number=True),
            cell("–" if centre is None else number(centre), element("small", interval), value=centre, number=True),
        ]
    )
