"""What two runs were made with: inputs, settings, code. Beside `bindgram.evaluation.runs`, which compares results."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bindgram.data.examples import read_examples
from bindgram.errors import InputError
from bindgram.evaluation.runs import Run

RECORD = Path("report/reproducibility.json")  # below the results
POSITIVES = "examples/{split}/{experiment}/positives.parquet"
NAMED = 5  # experiments in one line
INSIDE = ("configuration", "code")  # of a record


def read_inputs(template: str, splits: Sequence[str], experiments: Iterable[str]) -> dict[str, dict[str, str]]:
    """Digests of the files that the positives of each experiment were made of, as their producers recorded them.

    Parameters
    ----------
    template : path of positives (Parquet) with ``{experiment}`` and ``{split}`` in braces.

    Returns
    -------
    Experiment to name of an input to its digest; an experiment without positives is left out.

    Raises
    ------
    InputError : the template has something else in braces, or a file is no example table.
    """
    found: dict[str, dict[str, str]] = {}
    for experiment, split in itertools.product(experiments, splits):
        try:
            path = Path(template.format_map({"experiment": experiment, "split": split}))
        except (KeyError, IndexError, ValueError) as error:
            raise InputError(f"template {template}: {error} cannot be filled; use {{experiment}}, {{split}}") from None
        if path.is_file():
            found.setdefault(experiment, {}).update(read_examples(path, ["split"]).provenance["inputs"])
    return found


def read_record(folder: Path) -> dict[str, Any] | None:
    """What the report of a run says it was made with; None without a report.

    Raises
    ------
    InputError : the file is no such record.
    """
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error}); write the report again") from None
    if not isinstance(record, dict) or not set(INSIDE) <= set(record):
        raise InputError(f"{path}: not a record of bindgram report; write the report again")
    return record


def difference_lines(run_a: Run, run_b: Run) -> Iterator[str]:
    """What differs between the makings of two runs, or that nothing does, or that it is not known."""
    records = [read_record(run.folder) for run in (run_a, run_b)]
    known = [record for record in records if record is not None]
    if len(known) == 2:
        settings = [dict(flatten(record["configuration"]["settings"])) for record in known]
        yield from _differing("configuration", *settings)
        yield from _differing("code", *(dict(flatten(record["code"])) for record in known))
    else:
        lacking = " and ".join(name for name, record in zip("AB", records, strict=True) if record is None)
        yield f"configuration and commit: not known, no {RECORD} in {lacking}; write the report there"
    for name in ("revisions", "packages"):
        yield from _differing(name, *(_texts(run.provenance.get(name, {})) for run in (run_a, run_b)))
    yield from _input_lines(run_a, run_b)


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {key: ", ".join(value) if isinstance(value, list) else str(value) for key, value in values.items()}


def flatten(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys and values of nested JSON."""
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from flatten(item, f"{key}.{name}" if key else str(name))
    else:
        yield key, json.dumps(value)


def _differing(what: str, one: Mapping[str, str], other: Mapping[str, str]) -> Iterator[str]:
    keys = [key for key in dict.fromkeys([*one, *other]) if one.get(key) != other.get(key)]
    if not keys:
        yield f"{what}: the same"
    for key in keys:
        yield f"{what}: {key}: {one.get(key, '(absent)')} in A, {other.get(key, '(absent)')} in B"


def _input_lines(run_a: Run, run_b: Run) -> Iterator[str]:
    """Input files that differ, by the digests in the positives; no file but these is read."""
    found = []
    for run in (run_a, run_b):
        names = run.frame["experiment"].unique().tolist()
        found.append(read_inputs(f"{run.folder}/{POSITIVES}", run.frame["split"].unique().tolist(), names))
    both = [name for name in found[0] if name in found[1]]
    changed: dict[str, list[str]] = {}
    for experiment in both:
        one, other = found[0][experiment], found[1][experiment]
        for key in dict.fromkeys([*one, *other]):
            if one.get(key) != other.get(key):
                changed.setdefault(key, []).append(experiment)
    if not changed:
        yield f"inputs: the same for {len(both)} experiment(s) that both have" if both else "inputs: not known"
    for key, experiments in changed.items():
        more = ", ..." * (len(experiments) > NAMED)
        yield f"inputs: {key} of {len(experiments)} experiment(s): {', '.join(experiments[:NAMED])}{more}"
