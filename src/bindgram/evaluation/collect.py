"""The tidy table of all metrics: one row per experiment, model, scheme, seed, test set and metric.

Skipped and failed experiments are rows too, with their reason: nothing disappears. Results of different revisions of
one command do not stand in one table; results of different package versions may.
"""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from bindgram.errors import InputError
from bindgram.evaluation.metrics import (
    DEFINITION_COLUMNS,
    METRICS,
    NOT_DEFINED,
    RANK_METRICS,
    WITHOUT,
    definition_rows,
)
from bindgram.provenance import digest, make_provenance, merge_packages, sha256_file, write_json, write_text
from bindgram.settings import Experiment
from bindgram.settings.sheets import slug

COLUMNS = (
    *("experiment", "tf", "biosample", "model", "scheme", "seed", "split", "test_set", "metric", "unit"),
    *("value", "low", "high", "floor", "n_positives", "n_negatives", "flag", "status", "reason"),
)
NUMBERS = ("value", "low", "high", "floor", "n_positives", "n_negatives")
MAX_REASON = 500  # characters of a log that are quoted
QUOTED_LINES = 3


@dataclass(frozen=True)
class Request:
    """What to collect.

    Attributes
    ----------
    sheet : all rows of the experiment sheet. experiments, models, baselines, schemes, seeds, splits : ids.
    template : path of a metrics file with ids in braces. floor : a baseline.
    log_templates : paths of logs in the order of the rules, or None: then absent metrics are refused.
    """

    sheet: Mapping[str, Experiment]
    experiments: Sequence[str]
    models: Sequence[str]
    baselines: Sequence[str]
    schemes: Sequence[str]
    seeds: Sequence[str]
    splits: Sequence[str]
    template: str
    floor: str
    log_templates: Sequence[str] | None


class Cell(NamedTuple):
    """One metrics file that a run should have."""

    split: str
    experiment: str
    model: str
    scheme: str
    seed: str


@dataclass(frozen=True)
class Collected:
    """The table and the provenance of the files it came from: path to provenance."""

    frame: pd.DataFrame
    sources: Mapping[str, Mapping[str, Any]]


def cells(request: Request) -> Iterator[Cell]:
    """Every metrics file of the run; baselines have the first seed only.

    Raises
    ------
    InputError : an experiment is not in the sheet.
    """
    unknown = [name for name in request.experiments if name not in request.sheet]
    if unknown:
        raise InputError(
            f"--experiments: not in the experiment sheet: {', '.join(unknown)}; correct the ids or add rows"
        )
    for split, experiment, scheme in itertools.product(request.splits, request.experiments, request.schemes):
        for model in (*request.models, *request.baselines):
            seeds = request.seeds if model in request.models else request.seeds[:1]
            yield from (Cell(split, experiment, model, scheme, seed) for seed in seeds)


def collect_metrics(request: Request) -> Collected:
    """Read all metrics files into one sorted table.

    Raises
    ------
    InputError : a file is absent (unless logs are to be quoted), not a metrics file, or revisions are mixed.
    """
    sources: dict[str, Mapping[str, Any]] = {}
    rows: list[dict[str, Any]] = []
    absent: list[str] = []
    for cell in cells(request):
        path = Path(_fill(request.template, cell, request, "--template"))
        identity = _identity(cell, request)
        if not path.is_file():
            absent.append(str(path))
            rows.append(identity | {"status": "failed", "reason": failure_reason(cell, request)})
            continue
        values = read_metrics(path)
        sources[str(path)] = values["provenance"]
        rows += [identity | row for row in metric_rows(values)]
    if absent and request.log_templates is None:
        raise InputError(
            f"{absent[0]}: no such file ({len(absent)} metrics file(s) absent); run `bindgram evaluate` for it, or "
            "give --missing-as-failed to list it as failed"
        )
    check_revisions(sources)
    frame = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "floor"])
    return Collected(add_floor(frame, request.floor), sources)


def read_metrics(path: Path) -> dict[str, Any]:
    """Read a metrics file of ``bindgram evaluate``.

    Raises
    ------
    InputError : not JSON, or not a metrics file.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error}); delete it and run again") from None
    if not isinstance(values, dict) or not {"status", "reason", "provenance"} <= set(values):
        raise InputError(f"{path}: not a metrics file of bindgram evaluate; delete it and run again")
    return values


def metric_rows(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of one metrics file: per test set and metric, or one where the experiment is skipped or the model cannot be.

    A model that is not defined (no known motif of the factor, a program that is not installed) skips no experiment.
    """
    if values["status"] != "ok":
        undefined = values["reason"].startswith(NOT_DEFINED)
        return [{"status": "not_defined" if undefined else values["status"], "reason": values["reason"]}]
    test_sets = sorted({key.partition(".")[0] for key in values if key.endswith(".n_positives")})
    rows = []
    for test_set in test_sets:
        of = {
            key.removeprefix(f"{test_set}."): value for key, value in values.items() if key.startswith(f"{test_set}.")
        }
        rows += [_metric_row(of, test_set, metric) for metric in METRICS if metric in of]
        if f"{test_set}.{WITHOUT}.n_positives" in values:
            rows += [_row_without(values, test_set, metric) for metric in RANK_METRICS]
    return rows


def _metric_row(of: Mapping[str, Any], test_set: str, metric: str) -> dict[str, Any]:
    reason = of.get(f"{metric}.reason", "")
    return {
        "test_set": test_set,
        "metric": metric,
        "unit": METRICS[metric].unit,
        "value": of[metric],
        "low": of[f"{metric}.low"],
        "high": of[f"{metric}.high"],
        "n_positives": of["n_positives"],
        "n_negatives": of["n_negatives"],
        "flag": ";".join(filter(None, (of["flag"], of.get(f"{metric}.flag", "")))),
        "status": _status(of["reason"] or reason),
        "reason": of["reason"] or reason,
    }


def _status(reason: str) -> str:
    """A test set that was not made is skipped; what cannot be computed on one that was made is not defined."""
    if not reason:
        return "ok"
    return "not_defined" if reason.startswith(NOT_DEFINED) else "skipped"


def _row_without(values: Mapping[str, Any], test_set: str, metric: str) -> dict[str, Any]:
    """A metric on the rows that resemble no training positive, without an interval."""
    stem = f"{test_set}.{WITHOUT}"
    value = values[f"{stem}.{metric}"]
    reason = values[f"{stem}.reason"]
    return {
        "test_set": test_set,
        "metric": f"{metric}.{WITHOUT}",
        "unit": METRICS[metric].unit,
        "value": value,
        "n_positives": values[f"{stem}.n_positives"],
        "n_negatives": values[f"{stem}.n_negatives"],
        "flag": "",
        "status": _status(reason),
        "reason": reason,
    }


def _identity(cell: Cell, request: Request) -> dict[str, str]:
    row = request.sheet[cell.experiment]
    return cell._asdict() | {"tf": row.tf, "biosample": row.biosample}


def _fill(template: str, cell: Cell, request: Request, option: str) -> str:
    row = request.sheet[cell.experiment]
    known = cell._asdict() | {"tf": row.tf, "assembly": row.assembly, "biosample": slug(row.biosample)}
    known["family"] = row.family_slug
    try:
        return template.format_map(known)
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(f"{option} {template}: {error} cannot be filled; use {', '.join(sorted(known))}") from None


def failure_reason(cell: Cell, request: Request) -> str:
    """What the log of the furthest rule that started says: from its last ``Error:`` on, or its last lines.

    Snakemake makes empty logs for the rules of a failed bundle that did not start: a log with text goes first, and of
    those one of a job that did not end well.
    """
    paths = [Path(_fill(template, cell, request, "--log-template")) for template in request.log_templates or ()]
    found = [path for path in paths if path.is_file()]
    if not found:
        return "no metrics and no log: the job did not start"
    logs = [(path, _read_lines(path)) for path in found]
    failed = [(path, lines) for path, lines in logs if _error_lines(lines) or _has_traceback(lines)]
    written = [(path, lines) for path, lines in logs if lines]
    unfinished = [(path, lines) for path, lines in written if not _ended_well(path)]
    path, lines = (failed or unfinished or written or logs)[-1]
    errors = _error_lines(lines)
    quoted = lines[errors[-1] :] if errors else lines[-QUOTED_LINES:]
    text = " / ".join(quoted) or "(the log is empty)"
    return f"{path}: {text}"[:MAX_REASON]


def _ended_well(log: Path) -> bool:
    """Whether the job of a log succeeded: Snakemake writes its benchmark file then, and only then."""
    benchmark = Path(str(log).replace("results/logs/", "results/benchmarks/", 1)).with_suffix(".tsv")
    return benchmark.is_file() and benchmark.stat().st_mtime >= log.stat().st_mtime


def _read_lines(path: Path) -> list[str]:
    lines = [" ".join(line.split()) for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    return [line for line in lines if line]


def _error_lines(lines: Sequence[str]) -> list[int]:
    return [number for number, line in enumerate(lines) if line.startswith("Error:")]


def _has_traceback(lines: Sequence[str]) -> bool:
    return any(line.startswith("Traceback") for line in lines)


def check_revisions(sources: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse files made by different revisions of one command.

    Raises
    ------
    InputError : lists commands, revisions and files.
    """
    found: dict[str, dict[int, list[str]]] = {}
    for path, provenance in sources.items():
        for command, revision in provenance.get("revisions", {}).items():
            found.setdefault(command, {}).setdefault(revision, []).append(path)
    mixed = [
        f"  - {command} revision {revision}: {len(paths)} file(s): {', '.join(paths[:3])}{', ...' * (len(paths) > 3)}"
        for command, by_revision in sorted(found.items())
        if len(by_revision) > 1
        for revision, paths in sorted(by_revision.items())
    ]
    if mixed:
        lines = ["mixed revisions: these metrics were not made alike; rerun the older ones:", *mixed]
        raise InputError("\n".join(lines))


def add_floor(frame: pd.DataFrame, floor: str) -> pd.DataFrame:
    """Put the value of the baseline `floor` on the same split, experiment, scheme, test set and metric beside each."""
    keys = ["experiment", "split", "scheme", "test_set", "metric"]
    known = frame[(frame["model"] == floor) & (frame["status"] == "ok")]
    beside = known[[*keys, "value"]].rename(columns={"value": "floor"})
    texts = ["test_set", "metric", "unit", "flag"]  # all unknown where every job failed
    frame = frame.assign(**frame[texts].astype(object).fillna("")).merge(beside, on=keys, how="left")
    order = frame["seed"].map(lambda seed: (len(seed), seed))  # 2 before 10
    frame = frame.assign(_seed=order).sort_values(
        ["experiment", "split", "scheme", "model", "_seed", "test_set", "metric"], kind="stable"
    )
    return frame[list(COLUMNS)].reset_index(drop=True)


def format_table(frame: pd.DataFrame) -> str:
    """The table as TSV text: six decimals, counts as integers, nothing for what is not known."""
    text = frame.astype(object).copy()
    for column in NUMBERS:
        style = "{:.0f}" if column.startswith("n_") else "{:.6f}"
        numbers = pd.to_numeric(frame[column], errors="coerce")
        text[column] = ["" if pd.isna(value) else style.format(value) for value in numbers]
    for column in set(COLUMNS) - set(NUMBERS):
        text[column] = [" ".join(str(value).split()) for value in frame[column]]
    lines = ["\t".join(COLUMNS), *("\t".join(row) for row in text.itertuples(index=False))]
    return "\n".join(lines) + "\n"


def provenance_path(table: Path) -> Path:
    """The file beside a collected table that holds its provenance: ``.json`` appended to the name."""
    return table.with_name(table.name + ".json")


def write_collected(path: Path, collected: Collected, revision: int) -> None:
    """Write the table, and beside it (``.json`` appended) how many rows have which status, and the provenance."""
    write_text(path, format_table(collected.frame))
    sources = dict(collected.sources)
    revisions: dict[str, int] = {}
    for provenance in sources.values():
        revisions.update(provenance.get("revisions", {}))
    merged = {"digest": digest(sorted(str(p.get("digest")) for p in sources.values())), "revisions": revisions}
    merged["packages"] = merge_packages(sources.values())
    provenance = make_provenance("collect", revision, {}, {"metrics": merged}) | {"digest": sha256_file(path)}
    counts = collected.frame["status"].value_counts()
    versions = sorted({str(source.get("version")) for source in sources.values()})
    write_json(
        provenance_path(path),
        {
            "n_rows": {str(name): int(counts[name]) for name in sorted(counts.index)},
            "versions": versions,
            "provenance": provenance,
        },
    )


def write_definitions(path: Path) -> None:
    """Write what every metric of the table is, as TSV with the columns `DEFINITION_COLUMNS`."""
    write_text(path, "".join("\t".join(row) + "\n" for row in (DEFINITION_COLUMNS, *definition_rows())))


def read_collected(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read a table of `write_collected`: rows, and the provenance stored beside it.

    Raises
    ------
    InputError : the table or its provenance is not what ``bindgram collect`` writes.
    """
    beside = provenance_path(path)
    if not beside.is_file():
        raise InputError(f"{beside}: no such file; bindgram collect writes it beside {path.name}, keep them together")
    frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    if tuple(frame.columns) != COLUMNS:
        raise InputError(f"{path}: not a table of bindgram collect; columns are {', '.join(COLUMNS)}")
    for column in NUMBERS:
        frame[column] = pd.to_numeric(frame[column])
    return frame, json.loads(beside.read_text(encoding="utf-8"))["provenance"]
