"""The table of all experiments: its data as JSON, which `static/page.js` sorts, filters and draws, and its frame.

A line is one model on one experiment (and split, and scheme of negatives). What is not there has its reason instead:
skipped and failed experiments are lines too.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bindgram.report.headline import Headline
from bindgram.report.html import Markup, element
from bindgram.report.lines import MEASURED, TRAINING, without_homologs
from bindgram.settings import Config

TILED = "T4"
SHOWN = ("average_precision", "auroc", "mcc")  # metrics that the table can show, beside that of the headline
Key = tuple[str, ...]  # experiment, split, scheme, model


def results_data(
    frame: pd.DataFrame,
    scores: pd.DataFrame,
    headline: Headline,
    titles: Mapping[str, str],
    warnings: Mapping[Key, Sequence[str]],
    verdicts: Mapping[Key, Mapping[str, Any]],
    costs: Mapping[Key, Sequence[float]],
    config: Config,
) -> dict[str, Any]:
    """What the table shows; texts that many lines share stand once, in ``texts``, and lines have their number.

    Parameters
    ----------
    frame : of `bindgram.evaluation.collect.read_collected`. scores : of it, by `bindgram.report.lines.MEASURED`.
    titles : metric to its title.
    warnings : of `bindgram.report.lines.warnings_of`. verdicts : verdict on the motif.
    costs : seconds, and highest memory in MB.

    Returns
    -------
    JSON-serialisable; its layout stands in docs/formats.md, "Report page".
    """
    known = set(frame["metric"])
    metrics = [name for name in dict.fromkeys([headline.metric, *SHOWN]) if name in known] or [headline.metric]
    test_sets = _test_sets(frame, headline, config)
    texts: dict[str, int] = {}
    values = _values(scores[scores["metric"].isin(metrics)])
    reasons = _reasons(frame)
    identities = frame.drop_duplicates(TRAINING)[[*TRAINING, "tf", "biosample"]]
    experiments = identities.drop_duplicates("experiment")
    places = {name: number for number, name in enumerate(experiments["experiment"])}
    models = _models(identities["model"], config)
    model_places = {name: number for number, name in enumerate(models)}
    lines = []
    for identity in identities.itertuples(index=False):
        key = (identity.experiment, identity.split, identity.scheme, identity.model)
        whole = reasons.get((*key, "", ""))
        cells = [
            [_cell((*key, test_set, metric), values, reasons, texts) for test_set in test_sets] for metric in metrics
        ]
        lines.append(
            {
                "e": places[identity.experiment],
                "m": model_places[identity.model],
                "split": identity.split,
                "scheme": identity.scheme,
                "status": whole[0] if whole else "ok",
                "why": _number_of(texts, whole[1]) if whole else None,
                "n": _counts(key, test_sets, metrics, values),
                "v": cells,
                "w": [_number_of(texts, text) for text in warnings.get(key, ())],
                "motif": verdicts.get(key),
                "cost": costs.get(key),
            }
        )
    return {
        "experiments": experiments[["experiment", "tf", "biosample"]].to_numpy().tolist(),
        "models": [{"name": name, "baseline": name not in config.models} for name in models],
        "metrics": [[name, titles.get(name, name)] for name in metrics],
        "testSets": test_sets,
        "headline": headline.test_set,
        "floor": headline.floor,
        "browser": config.report.browser,
        "several": {
            "splits": len(config.split) > 1,
            "schemes": len(config.negatives.schemes) > 1,
            "seeds": len(config.seeds) > 1,
        },
        "texts": list(texts),
        "lines": lines,
    }


def _test_sets(frame: pd.DataFrame, headline: Headline, config: Config) -> list[str]:
    """Test sets in their order; T4 has its place even where it was not measured."""
    found = {name for name in frame["test_set"] if name} | set(config.battery.test_sets)
    return sorted(found | {TILED} | {headline.test_set})


def _models(names: pd.Series, config: Config) -> list[str]:
    """Trained models first, in the order of the configuration."""
    order = {name: place for place, name in enumerate(config.models)}
    return sorted(dict.fromkeys(names), key=lambda name: order.get(name, len(order)))


def _values(scores: pd.DataFrame) -> dict[Key, list[Any]]:
    """Value, low, high, floor, above, seeds, positives and negatives of each score."""
    columns = [
        scores[name] for name in ("value", "low", "high", "floor", "above", "seeds", "n_positives", "n_negatives")
    ]
    keys = scores[MEASURED].itertuples(index=False, name=None)
    return {
        key: [*map(rounded, numbers), int(above), [rounded(seed) for seed in seeds], int(n_positives), int(n_negatives)]
        for key, *numbers, above, seeds, n_positives, n_negatives in zip(keys, *columns, strict=True)
    }


def rounded(value: float, digits: int = 4) -> float | None:
    """A number for JSON; null for what is not one."""
    return round(float(value), digits) if math.isfinite(value) else None


def _reasons(frame: pd.DataFrame) -> dict[Key, tuple[str, str]]:
    """(status, reason) of what has no value: by training, test set and metric, both empty for the whole experiment."""
    rows = frame[(frame["status"] != "ok") & ~without_homologs(frame)].drop_duplicates(
        [*TRAINING, "test_set", "metric"]
    )
    keys = rows[[*TRAINING, "test_set", "metric"]].itertuples(index=False, name=None)
    return dict(zip(keys, zip(rows["status"], rows["reason"], strict=True), strict=True))


def _number_of(texts: dict[str, int], text: str) -> int:
    return texts.setdefault(text, len(texts))


def _cell(
    key: Key, scores: Mapping[Key, list[Any]], reasons: Mapping[Key, tuple[str, str]], texts: dict[str, int]
) -> Any:
    """Value, low, high, floor, above, seeds; or the number of the reason why there is none; or null."""
    if key in scores:
        return scores[key][:6]
    *training, test_set, _ = key
    if key in reasons:
        return _number_of(texts, reasons[key][1])
    if test_set == TILED and (*training, "", "") not in reasons:
        return _number_of(
            texts,
            "not measured: scoring the tiled block takes time; set tiled.in_report: true to have it here",
        )
    return None


def _counts(key: Key, test_sets: Sequence[str], metrics: Sequence[str], scores: Mapping[Key, list[Any]]) -> Any:
    """Positives and negatives of each test set."""
    counts = []
    for test_set in test_sets:
        found = next(
            (scores[(*key, test_set, metric)] for metric in metrics if (*key, test_set, metric) in scores), None
        )
        counts.append(found[6:] if found else None)
    return counts


def read_costs(templates: Sequence[str], keys: Sequence[Key]) -> dict[Key, list[float]]:
    """Seconds (sum) and highest memory (MB) of the jobs of each training, from the benchmark files that are there.

    Parameters
    ----------
    templates : paths of Snakemake's benchmark files with experiment, split, scheme and model in braces.
    """
    found: dict[Key, list[float]] = {}
    for key in keys:
        values = dict(zip(TRAINING, key, strict=True))
        for template in templates:
            cost = read_benchmark(Path(template.format_map(values)))
            if cost:
                before = found.get(key, [0.0, 0.0])
                found[key] = [round(before[0] + cost[0], 1), max(before[1], cost[1])]
    return found


def read_benchmark(path: Path) -> tuple[float, float] | None:
    """Seconds and highest memory (MB) of a job; None where there is no benchmark, or one that was cut off."""
    if not path.is_file():
        return None
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    if len(lines) < 2 or not {"s", "max_rss"} <= set(lines[0]) or len(lines[1]) != len(lines[0]):
        return None
    values = dict(zip(lines[0], lines[1], strict=True))
    try:
        seconds = float(values["s"])
    except ValueError:
        return None
    memory = values["max_rss"]
    return seconds, float(memory) if memory.replace(".", "", 1).isdigit() else 0.0  # "-" for a job of a moment


def results_section(headline: Headline) -> list[Markup]:
    """The frame that `static/page.js` fills."""
    no_script = element(
        "noscript",
        element(
            "p",
            "The table of all experiments, and the details of each, need JavaScript, which this browser does not run. "
            "All "
            "numbers stand in results/metrics.tsv too; the rest of this page can be read without.",
            class_="warning",
        ),
    )
    key = (
        "One line is one model on one experiment. Open an experiment by its name: curves, calibration, what was "
        "learnt, what "
        f"was filtered. Small under a score: its interval, and the floor ({headline.floor}). Blue: the whole interval "
        "lies above the floor, and above chance. Click a heading to sort, and again to turn round."
    )
    return [
        no_script,
        element("p", key, class_="key"),
        element("div", id="controls", class_="controls noprint", role="search", aria_label="Filter the table"),
        element("p", "", id="shown", class_="soft", role="status", aria_live="polite"),
        element("div", element("table", id="results", class_="results"), class_="wide"),
        element("p", "", id="more", class_="noprint"),
    ]
