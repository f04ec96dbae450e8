"""The panel of one experiment: what the page of the report shows of it beside the tables of the run, as compact JSON.

Layout and units: docs/formats.md. A page may hold 500 panels, so that numbers are rounded to what an eye can see and
lines have few points; the seeds of a model are all there.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bindgram.errors import InputError
from bindgram.evaluation.distributions import gc_edges
from bindgram.evaluation.figures import LM_METRICS
from bindgram.evaluation.groups import POSITIVES
from bindgram.evaluation.metrics import NOT_DEFINED
from bindgram.provenance import digest, write_text
from bindgram.report.panel_scores import (
    Scored,
    by_model,
    calibration_of,
    curves_of,
    histogram_of,
    strongest_sites,
    why_undefined,
)
from bindgram.sequence.dna import codes_of, gc_fraction
from bindgram.settings.splits import SPLITS

FIRST_ROWS, OTHER_ROWS = 40, 15  # of a training log: of the first seed, and of each other one
N_WIDTH_BINS = 30


@dataclass(frozen=True)
class Examples:
    """What the models of an experiment were trained and tested on.

    Attributes
    ----------
    sets : rows of the positives and of each set of negatives, by name (`bindgram.evaluation.groups.read_sets`).
    test_sets : all rows of each test set, by name.
    peak_widths : bp of the called peaks; None where the source has no coordinates.
    reason : why the experiment was skipped, if it was.
    """

    sets: Mapping[str, pd.DataFrame]
    test_sets: Mapping[str, pd.DataFrame]
    peak_widths: np.ndarray | None
    reason: str


def make_panel(
    facts: Mapping[str, str],
    results: Sequence[Scored],
    logs: Sequence[tuple[str, pd.DataFrame]],
    examples: Examples,
    sanity: pd.DataFrame | None,
    headline: str,
) -> dict[str, Any]:
    """All numbers of one panel, JSON-serialisable.

    Parameters
    ----------
    facts : of the experiment: id, split, scheme, and what the sheet says of it.
    results : of all models and baselines, the model of the strongest sites first; results of one model are its seeds.
    logs : (model, training log); logs of one model are its seeds.
    sanity : of `bindgram.evaluation.sanity.read_sanity`; None where it was not given.
    headline : test set that is drawn; where it was not made, the first that was.
    """
    models = by_model(results)
    test_set = _test_set(results, headline)
    reasons = [str(result.metadata.get("reason") or "") for result in results]
    reason = examples.reason or (reasons[0] if all(reasons) else "")
    skipped = {name: why for r in results for name, why in r.metadata.get("skipped_test_sets", {}).items()}
    first = next(iter(models.values()), [])
    labels = next((rows["label"] for r in results if len(rows := r.rows(test_set, "test"))), pd.Series(dtype=int))
    drawn = {} if reason else models  # one reason for all of them is said once
    return dict(facts) | {
        "status": "skipped" if reason else "ok",
        "reason": reason,
        "test_set": {
            "name": test_set,
            "n_positives": int((labels == 1).sum()),
            "n_negatives": int((labels == 0).sum()),
        },
        "skipped_test_sets": dict(sorted(skipped.items())),
        "curves": {name: curves_of(seeds, test_set) for name, seeds in drawn.items()},
        "histograms": {name: histogram_of(seeds, test_set) for name, seeds in drawn.items()},
        "calibration": {name: calibration_of(seeds, test_set) for name, seeds in drawn.items()},
        "learning": learning_of(logs),
        "examples": examples_of(examples),
        "sites": _sites(first, test_set, examples.test_sets),
        "details": {name: text for name, seeds in drawn.items() if (text := chosen_by(seeds[0].metadata))},
        "qc": {"sanity": sanity_of(sanity), "counts": counts_of(examples.sets)},
    }


def chosen_by(metadata: Mapping[str, Any]) -> str:
    """What a baseline says that it chose (``details`` of its predictions), in words; "" where it chose nothing."""
    details, words = metadata.get("details") or {}, []
    if "motif" in details:
        others = [f"{name} {area:.3f}" for name, area in details["candidates"].items() if name != details["motif"]]
        words.append(
            f"{details['motif']} of {details['library']}, AUROC {details['train_auroc']:.3f} on training examples"
        )
        words += [f"not chosen: {', '.join(others)}"] * bool(others)
    if "n_trained" in details:
        words.append(f"trained on {details['n_trained']:,} sequences")
    return "; ".join(words)


def _test_set(results: Sequence[Scored], headline: str) -> str:
    made = sorted({name for r in results for name in r.frame.loc[r.frame["split"] == "test", "test_set"]})
    return headline if headline in made or not made else made[0]


def _sites(seeds: Sequence[Scored], test_set: str, test_sets: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    if not seeds:
        return {"reason": f"{NOT_DEFINED}no model has predictions"}
    reason = why_undefined(seeds[0], test_set)
    if reason or test_set not in test_sets:
        return {"model": seeds[0].model, "reason": reason or f"{NOT_DEFINED}the examples of {test_set} were not given"}
    return strongest_sites(seeds, test_set, test_sets[test_set])


def learning_of(logs: Sequence[tuple[str, pd.DataFrame]]) -> list[dict[str, Any]]:
    """One entry per training: ``model``, ``kind`` and the columns to draw, at most `FIRST_ROWS` rows."""
    entries, seen = [], set()
    for name, log in logs:
        if log.empty:
            continue
        rows = _spread(log, OTHER_ROWS if name in seen else FIRST_ROWS)
        seen.add(name)
        entries += [_classifier(name, rows)] if "valid_loss" in log else _language_models(name, log, rows)
    return entries


def _spread(log: pd.DataFrame, n_rows: int) -> pd.DataFrame:
    """At most `n_rows` rows, evenly spaced, both ends among them; numbered from 1 in column ``row``."""
    chosen = np.unique(np.rint(np.linspace(0, len(log) - 1, min(n_rows, len(log)))).astype(int))
    return log.assign(row=np.arange(1, len(log) + 1)).iloc[chosen]


def _classifier(name: str, rows: pd.DataFrame) -> dict[str, Any]:
    entry: dict[str, Any] = {"model": name, "kind": "classifier", "epoch": rows["row"].tolist()}
    entry["stage"] = pd.factorize(rows["stage"])[0].tolist()
    return entry | {column: _numbers(rows[column], 3) for column in ("train_loss", "valid_loss", "valid_auroc")}


def _language_models(name: str, log: pd.DataFrame, rows: pd.DataFrame) -> list[dict[str, Any]]:
    tokens = np.cumsum(np.diff(log["tokens"], prepend=0).clip(min=0)) / 1e6
    return [
        {
            "model": name,
            "kind": "language_model",
            "metric": metric.replace("_", " "),
            "million_tokens": _numbers(pd.Series(tokens)[rows["row"].to_numpy() - 1]),
            "valid": _numbers(rows[f"valid_{metric}"]),
            "reference": _numbers(rows[reference])[-1],
            "reference_name": description,
        }
        for metric, (reference, description) in LM_METRICS.items()
        if f"valid_{metric}" in log
    ]


def _numbers(values: pd.Series, digits: int = 4) -> list[float | None]:
    """Numbers to so many significant digits; null where there is none."""
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in values.astype(np.float64)]


def examples_of(examples: Examples) -> dict[str, Any]:
    """Coarse histograms: GC content of every set, and widths of the called peaks; or a ``reason`` of each."""
    if POSITIVES not in examples.sets:
        reason = {"reason": NOT_DEFINED + (examples.reason or "no positives")}
        return {"gc": reason, "widths": reason}
    window = len(examples.sets[POSITIVES]["sequence"].iloc[0])
    return {"gc": _gc(examples.sets, window), "widths": _widths(examples.peak_widths, window)}


def _gc(sets: Mapping[str, pd.DataFrame], window: int) -> dict[str, Any]:
    edges = gc_edges(window)
    counts = {
        name: np.histogram(gc_fraction(codes_of(rows["sequence"].tolist())), edges)[0] for name, rows in sets.items()
    }
    used = np.flatnonzero(sum(counts.values()))
    kept = slice(used[0], used[-1] + 1)
    return {
        "range": [round(float(edges[used[0]]), 5), round(float(edges[used[-1] + 1]), 5)],
        "sets": {name: values[kept].tolist() for name, values in counts.items()},
    }


def _widths(widths: np.ndarray | None, window: int) -> dict[str, Any]:
    if widths is None or not len(widths):
        return {"reason": f"{NOT_DEFINED}the source has no called peaks with coordinates"}
    low, high = int(widths.min()), int(np.quantile(widths, 0.99))
    step = max(1, -(-(high - low + 1) // N_WIDTH_BINS))  # whole bp, so that no bin holds more widths than another
    edges = np.arange(low, high + step + 1, step)
    counts = np.histogram(np.minimum(widths, edges[-1] - 1), edges)[0]
    found = {"range": [int(edges[0]), int(edges[-1])], "counts": counts.tolist(), "window": window}
    return found | {"median": float(np.median(widths)), "longest": int(widths.max())}


def sanity_of(sanity: pd.DataFrame | None) -> dict[str, Any]:
    """Verdict of the sanity checks: how many, on how many rows, and which failed (none, where anything was trained)."""
    if sanity is None:
        return {"reason": f"{NOT_DEFINED}the sanity checks were not given"}
    failed = sanity[sanity["n_failed"] > 0]
    return {
        "n_checks": len(sanity),
        "n_rows": int(sanity["n_checked"].sum()),
        "failed": [f"{row.check}, {row.table}: {row.n_failed} of {row.n_checked}" for row in failed.itertuples()],
    }


def counts_of(sets: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, int]]:
    """Examples of each set by split."""
    return {
        name: {split: int(n) for split in SPLITS if (n := (rows["split"] == split).sum())}
        for name, rows in sets.items()
    }


def read_provenance(metrics: Path) -> Mapping[str, Any]:
    """Provenance in a file of `bindgram evaluate`.

    Raises
    ------
    InputError : it is no such file.
    """
    try:
        return json.loads(metrics.read_text(encoding="utf-8"))["provenance"]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{metrics}: not metrics of bindgram evaluate; give those of the predictions") from None


def write_panel(path: Path, panel: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
    """Write a panel as JSON without spaces, whole or not at all.

    The digests of the inputs, one for every model and seed, are there as one digest of them all.
    """
    short = dict(provenance) | {"inputs": {"all": digest(provenance["inputs"])}}
    text = json.dumps(dict(panel) | {"provenance": short}, sort_keys=False, separators=(",", ":"), allow_nan=False)
    write_text(path, text + "\n")
