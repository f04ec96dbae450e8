"""Verify a run: do its numbers follow from its predictions, its table from its numbers, its report from its table?

Seeds, blocks and thresholds are fixed, so intervals are recomputed as exactly as values. What a file says of its inputs
(digests in its provenance) is compared with what these files hold now. Nothing is written, and no genome is read.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd

from bindgram.errors import InputError
from bindgram.evaluation.collect import NUMBERS, metric_rows, read_collected, read_metrics
from bindgram.evaluation.predictions import content_digest, read_predictions
from bindgram.evaluation.recompute import Unknown, recompute
from bindgram.evaluation.run_differences import POSITIVES, read_inputs
from bindgram.provenance import digest, sha256_file, write_text

TOLERANCE = 1e-9  # relative; another processor may round the last digits otherwise
PRINTED = 6e-7  # of a table with six decimals
MATCH, DIFFERS, NOT_CHECKED = "match", "differs", "not checked"
AGAIN = "run snakemake again, which makes it anew"
TABLES = {"metrics.tsv": "metrics", "tiled.tsv": "tiled"}  # collected table to the folder of its files
REPORTS = ("report/index.html", "report/available/index.html")


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    Attributes
    ----------
    check : metrics, predictions, table or report. file : below the results.
    status : `MATCH`, `DIFFERS` or `NOT_CHECKED`. key, stored, found : what differs, "" where nothing does.
    reason : why it was not checked, or what to do about a difference.
    """

    check: str
    file: str
    status: str
    key: str = ""
    stored: str = ""
    found: str = ""
    reason: str = ""

    def __str__(self) -> str:
        what = f": {self.key}: stored {self.stored}, found {self.found}" if self.key else ""
        return f"{self.file}{what}; {self.reason}"


def verify_run(results: Path, experiments: Sequence[str], processes: int) -> list[Finding]:
    """Everything that can be checked in a folder of results, in the order of the files.

    Parameters
    ----------
    experiments : ids to restrict the check to; all where it is empty.

    Raises
    ------
    InputError : the folder has no metrics, or an experiment has none.
    """
    paths = _metrics_files(results, experiments)
    found: list[Finding] = []
    check = partial(verify_metrics, results)
    if processes == 1:
        for path in paths:
            found += check(path)
    else:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            for part in pool.map(check, paths, chunksize=max(1, min(32, len(paths) // (4 * processes)))):
                found += part
    for name, folder in TABLES.items():
        if (results / name).is_file():
            found += verify_table(results, name, folder, experiments)
    for name in REPORTS:
        if (results / name).is_file():
            found += verify_report(results, name)
    return found


def _metrics_files(results: Path, experiments: Sequence[str]) -> list[Path]:
    paths = sorted((results / "metrics").rglob("s*.json"))
    if not paths:
        raise InputError(f"{results}: no metrics (metrics/MODEL/SPLIT/EXPERIMENT/SCHEME/sSEED.json); name the results")
    known = {experiment_of(path) for path in paths}
    if unknown := [name for name in experiments if name not in known]:
        raise InputError(f"--experiments: no metrics of {', '.join(unknown)} in {results}; correct the ids")
    return [path for path in paths if not experiments or experiment_of(path) in experiments]


def experiment_of(path: Path) -> str:
    """Experiment of a file in ``MODEL/SPLIT/EXPERIMENT/SCHEME/``."""
    return path.parts[-3]


def verify_metrics(results: Path, path: Path) -> list[Finding]:
    """Recompute one metrics file from its predictions: one finding of each file, or one for every difference."""
    name = str(path.relative_to(results))
    try:
        stored = read_metrics(path)
    except InputError as error:
        return [Finding("metrics", name, DIFFERS, reason=str(error))]
    provenance = stored.pop("provenance")
    if digest(stored) != provenance.get("digest"):
        why = f"edited after bindgram evaluate wrote it: delete it and {AGAIN}"
        edited = Finding("metrics", name, DIFFERS, "provenance.digest", provenance.get("digest"), digest(stored), why)
    else:
        edited = None
    predictions = results / "predictions" / path.relative_to(results / "metrics").with_suffix(".parquet")
    if not predictions.is_file():
        absent = f"{predictions.relative_to(results)} is not there"
        return [edited or Finding("metrics", name, NOT_CHECKED, reason=absent)]
    try:
        frame, metadata = read_predictions(predictions)
    except InputError as error:
        unreadable = Finding("predictions", str(predictions.relative_to(results)), DIFFERS, reason=str(error))
        return [*filter(None, [edited]), unreadable]
    found = [_verify_predictions(str(predictions.relative_to(results)), frame, metadata, provenance)]
    return [*found, *([edited] if edited else _compare(results, name, path, stored, provenance, frame, metadata))]


def _verify_predictions(
    name: str, frame: pd.DataFrame, metadata: Mapping[str, Any], provenance: Mapping[str, Any]
) -> Finding:
    recorded = metadata["provenance"]["digest"]
    now = content_digest(frame, metadata)
    if now != recorded:
        return Finding("predictions", name, DIFFERS, "digest", recorded, now, f"altered since: delete it and {AGAIN}")
    used = provenance["inputs"].get("predictions")
    if now != used:
        why = f"written again after the metrics: {AGAIN}"
        return Finding("predictions", name, DIFFERS, "digest in the metrics", used, now, why)
    return Finding("predictions", name, MATCH)


def _compare(
    results: Path,
    name: str,
    path: Path,
    stored: Mapping[str, Any],
    provenance: Mapping[str, Any],
    frame: pd.DataFrame,
    metadata: Mapping[str, Any],
) -> list[Finding]:
    folder = results / "battery" / Path(*path.parts[-4:-2])
    try:
        computed = recompute(frame, metadata, provenance, folder)
    except Unknown as reason:
        return [Finding("metrics", name, NOT_CHECKED, reason=str(reason))]
    except InputError as error:
        return [Finding("metrics", name, DIFFERS, reason=str(error))]
    made_by = f"bindgram {provenance['version']}, evaluate revision {provenance['revision']}"
    why = f"made by {made_by}; if this is another version, verify with that one, else {AGAIN}"
    differing = [
        Finding("metrics", name, DIFFERS, key, _text(stored.get(key)), _text(computed.get(key)), why)
        for key in sorted({*stored, *computed})
        if not same(stored.get(key, ...), computed.get(key, ...))
    ]
    return differing or [Finding("metrics", name, MATCH)]


def same(stored: Any, found: Any) -> bool:
    """Whether two values of a metrics file are equal, numbers within `TOLERANCE`."""
    if isinstance(stored, float) and isinstance(found, (int, float)) and not isinstance(found, bool):
        return abs(stored - found) <= TOLERANCE * max(1.0, abs(stored))
    return type(stored) is type(found) and stored == found


def _text(value: Any) -> str:
    return "(absent)" if value is None else repr(value) if isinstance(value, float) else str(value)


def verify_table(results: Path, name: str, folder: str, experiments: Sequence[str]) -> list[Finding]:
    """A collected table against its own digest and against the metrics files."""
    try:
        frame, provenance = read_collected(results / name)
    except InputError as error:
        return [Finding("table", name, DIFFERS, reason=str(error))]
    now = sha256_file(results / name)
    found = []
    if now != provenance.get("digest"):
        why = f"edited after bindgram collect wrote it: delete it and {AGAIN}"
        found.append(Finding("table", name, DIFFERS, "provenance.digest", str(provenance.get("digest")), now, why))
    keys = ["model", "split", "experiment", "scheme", "seed"]
    chosen = frame[frame["experiment"].isin(experiments)] if experiments else frame
    absent, digests = [], []
    for values, rows in chosen.groupby(keys, sort=False):
        path = results / folder / Path(*map(str, values[:-1])) / f"s{values[-1]}.json"
        metrics = _metrics_of(path)
        if metrics:
            digests.append(str(metrics["provenance"].get("digest")))
            found += _verify_rows(name, path, results, rows, metrics)
        elif not (rows["status"] == "failed").all():
            absent.append(str(path.relative_to(results)))
    made_of = provenance.get("inputs", {}).get("metrics")
    if not experiments and not absent and digest(sorted(digests)) != made_of:
        why = f"its metrics files were written again: {AGAIN}"
        found.append(Finding("table", name, DIFFERS, "inputs.metrics", str(made_of), digest(sorted(digests)), why))
    if absent:
        why = f"{len(absent)} metrics file(s) of its rows cannot be read, first {absent[0]}"
        found.append(Finding("table", name, NOT_CHECKED, reason=why))
    return found or [Finding("table", name, MATCH)]


def _metrics_of(path: Path) -> dict[str, Any]:
    """A metrics file; nothing where it is absent or broken."""
    try:
        return read_metrics(path)
    except (InputError, OSError):
        return {}


def _verify_rows(
    name: str, path: Path, results: Path, rows: pd.DataFrame, metrics: Mapping[str, Any]
) -> Iterator[Finding]:
    """Rows of one training in the table against its metrics file."""
    where, why = str(path.relative_to(results)), f"the table is older than the file: {AGAIN}"
    listed = {(row["test_set"], row["metric"]): row for row in rows.to_dict("records")}
    made = {(row.get("test_set", ""), row.get("metric", "")): row for row in metric_rows(metrics)}
    for key in sorted({*listed, *made}):
        row = " ".join(filter(None, [where, *key]))
        if key not in listed or key not in made:
            stands, lacks = ("the table", "the file") if key in listed else ("the file", "the table")
            yield Finding("table", name, DIFFERS, row, f"in {stands}", f"not in {lacks}", why)
            continue
        for column, value in made[key].items():
            if not _same_cell(column, listed[key][column], value):
                yield Finding("table", name, DIFFERS, f"{row} {column}", str(listed[key][column]), str(value), why)


def _same_cell(column: str, printed: Any, value: Any) -> bool:
    if column not in NUMBERS:
        return printed == " ".join(str(value).split())
    if value is None or pd.isna(printed):
        return value is None and pd.isna(printed)
    return abs(printed - value) <= PRINTED


def verify_report(results: Path, name: str) -> list[Finding]:
    """What a page says it was made of against these files, and its digests against what it says."""
    record = _embedded((results / name).read_text(encoding="utf-8"), "reproducibility")
    if record is None:
        return [Finding("report", name, NOT_CHECKED, reason="no record in the page; write it with this version")]
    found = []
    settings = record["configuration"]
    if digest(settings["settings"]) != settings["digest"]:
        values = (settings["digest"], digest(settings["settings"]), f"the page was edited: {AGAIN}")
        found.append(Finding("report", name, DIFFERS, "configuration", *values))
    for file, stored in record["files"].items():
        beside = (results / name).parent / file
        path = beside if beside.is_file() else results / file
        if not path.is_file():
            found.append(Finding("report", name, NOT_CHECKED, f"digest of {file}", stored, "", f"{file} is not there"))
        elif (now := sha256_file(path)) != stored:
            why = f"the page is older than the file: {AGAIN}"
            found.append(Finding("report", name, DIFFERS, f"digest of {file}", stored, now, why))
    return [*found, *_verify_inputs(results, name, record["inputs"])] or [Finding("report", name, MATCH)]


def _verify_inputs(results: Path, name: str, recorded: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """Digests of input files in a page against those in the positives of its experiments; no input is read."""
    splits = sorted(path.name for path in (results / "examples").glob("*") if path.is_dir())
    now = read_inputs(f"{results}/{POSITIVES}", splits, recorded)
    absent = [experiment for experiment in recorded if experiment not in now]
    if absent:
        why = f"{len(absent)} experiments of the page have no positives here, first {absent[0]}"
        yield Finding("report", name, NOT_CHECKED, reason=why)
    for experiment, digests in now.items():
        for key in sorted({*digests, *recorded[experiment]}):
            stored, found = recorded[experiment].get(key, "(absent)"), digests.get(key, "(absent)")
            if stored != found:
                why = f"positives were made again since, of another file: {AGAIN}"
                yield Finding("report", name, DIFFERS, f"{key} of {experiment}", stored, found, why)


def _embedded(page: str, identifier: str) -> dict[str, Any] | None:
    """JSON in a script element of a page, or None."""
    found = re.search(rf'<script type="application/json" id="{identifier}">(.*?)</script>', page, flags=re.DOTALL)
    try:
        return json.loads(found[1]) if found else None
    except ValueError:
        return None


def summary_lines(findings: Iterable[Finding]) -> list[str]:
    """For each kind of check how many files match, differ and were not checked."""
    statuses: dict[str, dict[str, str]] = {}
    for one in findings:
        files = statuses.setdefault(one.check, {})
        if files.get(one.file) != DIFFERS:
            files[one.file] = one.status
    lines = []
    for check, files in statuses.items():
        match, differ, not_checked = (list(files.values()).count(status) for status in (MATCH, DIFFERS, NOT_CHECKED))
        lines.append(f"{check:12s} {match} match, {differ} differ, {not_checked} not checked")
    return lines


def unchecked_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Every reason why files were not checked, with their number and the first of them."""
    reasons: dict[str, list[str]] = {}
    for one in findings:
        if one.status == NOT_CHECKED:
            reasons.setdefault(one.reason, []).append(one.file)
    for reason, files in reasons.items():
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        yield f"{NOT_CHECKED}: {files[0]}{more}; {reason}"


def difference_lines(findings: Iterable[Finding], shown: int) -> Iterator[str]:
    """The first `shown` differences, one by one, and how many there are beyond."""
    differing = [one for one in findings if one.status == DIFFERS]
    yield from (f"{DIFFERS}: {one}" for one in differing[:shown])
    if len(differing) > shown:
        yield f"... and {len(differing) - shown} more differences; --output FILE lists all"


def write_findings(path: Path, findings: Iterable[Finding]) -> None:
    """Write all findings as TSV."""
    frame = pd.DataFrame(findings, columns=[field.name for field in fields(Finding)])
    write_text(path, frame.to_csv(sep="\t", index=False, lineterminator="\n"))
