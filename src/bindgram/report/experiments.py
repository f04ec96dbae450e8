"""What a click on an experiment opens: its data, packed so that hundreds of experiments fit into one page.

The data of each experiment stand in a `script` element of their own, as base64 of gzip, and are unpacked by the browser
when the experiment is opened. What is in them: docs/formats.md, "Report page"; who draws them: `static/panels.js`.
"""

import base64
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from bindgram.errors import InputError
from bindgram.evaluation.metrics import METRICS
from bindgram.report.audit import FEATURE_NAMES, set_name
from bindgram.report.data import REASON_NAMES
from bindgram.report.lines import without_homologs
from bindgram.report.results import read_benchmark, rounded

AUDIT_COLUMNS = ("table", "split", "feature", "auroc", "low", "high", "judged", "suspicious", "reason")


@dataclass(frozen=True)
class Templates:
    """Paths of the files of one experiment, with ids in braces; what is not there is told as missing.

    `filters` and `audit` have experiment and split; `panel` also the scheme; `interpretation` also model and seed;
    `benchmarks` maybe a model.
    """

    filters: Sequence[str]
    audit: str
    panel: str | None
    interpretation: str | None
    benchmarks: Sequence[str]


@dataclass(frozen=True)
class Run:
    """Which trainings a run has."""

    splits: Sequence[str]
    schemes: Sequence[str]
    models: Sequence[str]
    seed: int


def fill(template: str, **values: Any) -> Path:
    """The path of a template.

    Raises
    ------
    InputError : it has something else in braces.
    """
    try:
        return Path(template.format_map(values))
    except (KeyError, IndexError, ValueError) as error:
        raise InputError(f"template {template}: {error} cannot be filled; use {', '.join(sorted(values))}") from None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises
    ------
    InputError : it is none.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error}); delete it and run again") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: not a JSON object; delete it and run again")
    return value


def read_interpretations(template: str | None, run: Run, experiment: str) -> list[dict[str, Any]]:
    """Interpretations of an experiment that are there, each with its split, scheme and model."""
    if template is None:
        return []
    found = []
    for split in run.splits:
        for scheme in run.schemes:
            for model in run.models:
                ids = {"split": split, "scheme": scheme, "model": model, "seed": run.seed}
                path = fill(template, experiment=experiment, **ids)
                if path.is_file():
                    found.append(read_json(path) | ids)
    return found


def verdicts_of(interpretations: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[tuple[str, ...], dict[str, Any]]:
    """Verdict on the motif, by experiment, split, scheme and model."""
    found = {}
    for experiment, items in interpretations.items():
        for item in items:
            verdict = item.get("verdict") or {}
            found[experiment, item["split"], item["scheme"], item["model"]] = {
                "recovered": verdict.get("recovered", "not defined"),
                "reason": verdict.get("reason") or item.get("reason") or "",
                "known": verdict.get("known"),
                "q_value": verdict.get("q_value"),
            }
    return found


class Absent(NamedTuple):
    """What has no value, and why."""

    split: str
    scheme: str
    test_set: str
    metric: str
    model: str
    status: str
    reason: str


class About(NamedTuple):
    """What the metrics table knows of one experiment.

    `scores` maps split, scheme, test set, metric and model to mean, low, high, floor, the values of the seeds,
    and 1 where every interval is better than floor and chance.
    """

    tf: str
    biosample: str
    scores: dict[tuple[str, ...], list[Any]]
    absent: list[Absent]


def about_experiments(frame: pd.DataFrame, scores: pd.DataFrame) -> dict[str, About]:
    """What is known of each experiment; the whole table at once, because asking it 500 times takes long.

    Parameters
    ----------
    frame : of `bindgram.evaluation.collect.read_collected`. scores : of it, by `bindgram.report.lines.MEASURED`.
    """
    first = frame.drop_duplicates("experiment")[["experiment", "tf", "biosample"]]
    found = {name: About(tf, biosample, {}, []) for name, tf, biosample in first.itertuples(index=False, name=None)}
    numbers = zip(*(map(rounded, scores[name].tolist()) for name in ("value", "low", "high", "floor")), strict=True)
    above = scores["above"].astype(int).tolist()
    keys = zip(*(scores[name].tolist() for name in ("split", "scheme", "test_set", "metric", "model")), strict=True)
    for name, key, values, seeds, better in zip(
        scores["experiment"], keys, numbers, scores["seeds"], above, strict=True
    ):
        found[name].scores[key] = [*values, list(map(rounded, seeds)), better]
    rows = frame[(frame["status"] != "ok") & ~without_homologs(frame)]
    for name, *values in rows[["experiment", *Absent._fields]].itertuples(index=False, name=None):
        found[name].absent.append(Absent(*values))
    return found


def experiment_data(
    experiment: str,
    about: About,
    titles: Mapping[str, str],
    filters: Mapping[str, Mapping[str, int]],
    audit: pd.DataFrame | None,
    interpretations: Sequence[Mapping[str, Any]],
    warnings: Mapping[tuple[str, ...], Sequence[str]],
    templates: Templates,
    run: Run,
) -> dict[str, Any]:
    """All that the page shows of one experiment when it is opened.

    Parameters
    ----------
    about : of `about_experiments`. titles : metric to title.
    filters : step to reason to count. audit : its audit, or None. warnings : of `bindgram.report.lines.warnings_of`.
    """
    return {
        "experiment": experiment,
        "tf": about.tf,
        "biosample": about.biosample,
        "metrics": _metrics(about, titles),
        "problems": _problems(about.absent),
        "warnings": _warnings(warnings),
        "panels": list(_panels(experiment, templates.panel, run)),
        "interpretations": list(interpretations),
        "audit": _audit(audit),
        "filters": [
            {
                "step": step,
                "counts": [[REASON_NAMES.get(reason, reason.replace("_", " ")), n] for reason, n in counts.items()],
            }
            for step, counts in filters.items()
        ],
        "costs": list(_costs(experiment, templates.benchmarks, run)),
    }


def _metrics(about: About, titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each split, scheme and test set: metrics by models; a value is as in `About.scores`, or its reason."""
    values: dict[tuple[str, ...], Any] = dict(about.scores)
    for line in about.absent:
        if line.test_set:
            values.setdefault(line[:5], line.reason)
    made: dict[tuple[str, ...], dict[str, Any]] = {}
    for (split, scheme, test_set, metric, model), value in values.items():
        place = made.setdefault((split, scheme, test_set), {"models": [], "values": {}})
        if model not in place["models"]:
            place["models"].append(model)
        place["values"].setdefault(metric, {})[model] = value
    return [
        {
            "split": split,
            "scheme": scheme,
            "testSet": test_set,
            "models": place["models"],
            "rows": [
                _metric_row(metric, titles, [by_model.get(model) for model in place["models"]])
                for metric, by_model in sorted(place["values"].items(), key=lambda item: _place(item[0], titles))
            ],
        }
        for (split, scheme, test_set), place in sorted(made.items())
    ]


def _metric_row(metric: str, titles: Mapping[str, str], values: Sequence[Any]) -> list[Any]:
    """Title, values, name, and which way is better."""
    return [titles.get(metric, metric), values, metric, METRICS[metric].better if metric in METRICS else ""]


def _place(metric: str, titles: Mapping[str, str]) -> tuple[int, str]:
    order = {name: place for place, name in enumerate(titles)}
    return order.get(metric, len(order)), metric


def _warnings(warnings: Mapping[tuple[str, ...], Sequence[str]]) -> list[list[str]]:
    """Each note once, with the models that it stands beside."""
    models: dict[str, dict[str, None]] = {}
    for (_, _, _, model), notes in warnings.items():
        for note in notes:
            models.setdefault(note, {})[model] = None
    return [[note, ", ".join(names)] for note, names in models.items()]


def _problems(absent: Sequence[Absent]) -> list[list[str]]:
    """Status, reason, models and test sets of what is not there."""
    found: dict[tuple[str, str], tuple[dict[str, None], dict[str, None]]] = {}
    for line in absent:
        models, test_sets = found.setdefault((line.status, line.reason), ({}, {}))
        models[line.model] = None
        test_sets[line.test_set or "all"] = None
    return [[*key, ", ".join(models), ", ".join(test_sets)] for key, (models, test_sets) in found.items()]


def _panels(experiment: str, template: str | None, run: Run) -> Iterator[dict[str, Any]]:
    """What `bindgram panel` wrote, for each split and scheme; its absence is told."""
    for split in run.splits:
        for scheme in run.schemes:
            ids = {"split": split, "scheme": scheme}
            path = fill(template, experiment=experiment, **ids) if template else None
            if path is not None and path.is_file():
                yield read_json(path) | ids
            else:
                yield ids | {"status": "missing", "reason": "curves and scores were not computed yet"}


def _audit(audit: pd.DataFrame | None) -> list[dict[str, Any]]:
    if audit is None:
        return []
    rows = audit[[name for name in AUDIT_COLUMNS if name in audit]]
    return [
        {
            "set": set_name(str(line.table)),
            "split": line.split,
            "feature": FEATURE_NAMES.get(str(line.feature), str(line.feature)),
            "auroc": rounded(line.auroc),
            "low": rounded(line.low),
            "high": rounded(line.high),
            "judged": str(line.judged) == "yes",
            "suspicious": str(line.suspicious) == "yes",
            "reason": line.reason if isinstance(line.reason, str) else "",
        }
        for line in rows.itertuples(index=False)
    ]


def _costs(experiment: str, templates: Sequence[str], run: Run) -> Iterator[dict[str, Any]]:
    """Seconds and MB of the jobs whose benchmark is there; `model` is empty where one job served all."""
    for template in templates:
        for split in run.splits:
            for scheme in run.schemes:
                for model in run.models if "{model}" in template else ("",):
                    cost = read_benchmark(
                        fill(template, experiment=experiment, split=split, scheme=scheme, model=model)
                    )
                    if cost:
                        job = Path(template.partition("{")[0]).name
                        yield {
                            "job": job,
                            "model": model,
                            "split": split,
                            "scheme": scheme,
                            "s": cost[0],
                            "mb": cost[1],
                        }


def pack(data: Mapping[str, Any]) -> str:
    """Base64 of gzip of the JSON; the same bytes for the same data."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=6, mtime=0)).decode("ascii")
