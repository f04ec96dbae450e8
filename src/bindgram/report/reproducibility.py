"""The section on reproducibility: digests of all that a report rests on, for readers and for ``bindgram verify``.

Nothing large is read: every producer hashed what it read, and its digest stands in the provenance of what it wrote.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import bindgram
from bindgram.evaluation.run_differences import read_inputs
from bindgram.provenance import digest, sha256_file
from bindgram.report.html import Markup, cell, element, row, table
from bindgram.report.versions import versions_of
from bindgram.settings import Config, Experiment, read_experiments

RECORD_ID = "reproducibility"  # of the script element with the record
RECORD_KEYS = ("configuration", "sheet", "code", "python_and_packages", "revisions", "seed", "training_seeds")
RECORD_KEYS += ("inputs", "inputs_digest", "files")
OF_ALL = ("genome", "blacklist", "tiles")  # inputs that many experiments share


def code_version() -> dict[str, Any]:
    """Version of the package and, where it or the workflow runs from a checkout, the commit of that.

    Returns
    -------
    ``version``; ``commit`` (None where it is not known), ``checkout_of`` (``package`` or ``workflow``) and
    ``uncommitted_changes``, which counts tracked files only.
    """
    known = {"version": version("bindgram"), "commit": None, "checkout_of": None, "uncommitted_changes": None}
    places = {"package": (Path(bindgram.__file__).parent, "__init__.py"), "workflow": (Path("workflow"), "Snakefile")}
    for name, (folder, file) in places.items():
        if not folder.is_dir() or _git(folder, "ls-files", "--error-unmatch", file) is None:
            continue
        changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
        commit = _git(folder, "rev-parse", "HEAD")
        return known | {"commit": commit, "checkout_of": name, "uncommitted_changes": bool(changes)}
    return known


def _git(folder: Path, *words: str) -> str | None:
    """What git says, or None where there is no git, or no checkout."""
    command = ["git", "-C", str(folder), *words]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def made_with(
    config: Config,
    sheet: Path | None,
    positives: str | None,
    experiments: Sequence[str],
    upstream: Mapping[str, Any],
    files: Mapping[str, Path | None],
) -> dict[str, Any]:
    """Read what `reproducibility_record` wants.

    Parameters
    ----------
    sheet : of experiments, or None. positives : path with ``{experiment}`` and ``{split}`` in braces, or None.
    experiments : of the report. upstream : provenance of the metrics table.
    files : name of a file that the report was made of to its path; those that are not there are left out.

    Raises
    ------
    InputError : the sheet or a table of positives is not what it should be.
    """
    rows = read_experiments(sheet) if sheet is not None else {}
    inputs = read_inputs(positives, config.split, experiments) if positives is not None else {}
    digests = {name: sha256_file(path) for name, path in files.items() if path is not None and path.is_file()}
    chosen = {name: rows[name] for name in experiments if name in rows}
    return reproducibility_record(config, chosen, upstream, inputs, digests)


def reproducibility_record(
    config: Config,
    sheet: Mapping[str, Experiment],
    upstream: Mapping[str, Any],
    inputs: Mapping[str, Mapping[str, str]],
    files: Mapping[str, str],
) -> dict[str, Any]:
    """All that a report rests on, as JSON.

    Parameters
    ----------
    sheet : the rows of the experiments in the report. upstream : provenance of the metrics table.
    inputs : of `read_inputs`. files : name of a file that the report was made of to its digest.
    """
    settings = config.model_dump(mode="json")
    rows = {name: sheet[name].model_dump(mode="json") for name in sorted(sheet)}
    return {
        "configuration": {"digest": digest(settings), "settings": settings},
        "sheet": {"path": config.experiments, "digest": digest(rows), "n_experiments": len(rows)},
        "code": code_version(),
        "python_and_packages": versions_of(upstream),
        "revisions": dict(upstream.get("revisions", {})),
        "seed": config.seed,
        "training_seeds": config.seeds,
        "inputs": {name: dict(sorted(digests.items())) for name, digests in sorted(inputs.items())},
        "inputs_digest": digest(inputs),
        "files": dict(files),
    }


def reproducibility_section(record: Mapping[str, Any]) -> list[Markup]:
    """What the record says, how to check it, and the record itself for programs."""
    code, sheet = record["code"], record["sheet"]
    lines = [
        ("Configuration", record["configuration"]["digest"]),
        (f"Experiment sheet {sheet['path']}: the {sheet['n_experiments']} rows of this report", sheet["digest"]),
        ("Input files, all together", record["inputs_digest"]),
        *((f"File {name}", value) for name, value in record["files"].items()),
        *(_shared_inputs(record["inputs"])),
    ]
    seeds = ", ".join(map(str, record["training_seeds"]))
    stored = json.dumps(dict(record), sort_keys=True).replace("<", "\\u003c")
    return [
        element(
            "p", f"This report was written by bindgram {code['version']}{commit_in_words(code)}. {_revisions(record)}"
        ),
        element(
            "p",
            f"Seed {record['seed']} of all steps, training seed(s) {seeds}. The same settings, sheet, files and "
            "versions give the same examples, test sets, baselines and intervals; trained weights are the same on the "
            "same kind of machine with as many threads. ",
            element("code", "bindgram verify"),
            " in the folder of the run recomputes every metric from the stored predictions and compares this page with "
            "the files; ",
            element("code", "bindgram compare RUN_A RUN_B"),
            " says which experiments differ between two runs.",
        ),
        table(["SHA-256 of", "Digest"], [row([name, element("code", value)]) for name, value in lines], sortable=False),
        _input_table(record["inputs"]),
        Markup(f'<script type="application/json" id="{RECORD_ID}">{stored}</script>'),
    ]


def commit_in_words(code: Mapping[str, Any]) -> str:
    """Commit of `code_version` as the rest of a sentence."""
    if code["commit"] is None:
        return ", not run from a git checkout"
    changed = ", with uncommitted changes" if code["uncommitted_changes"] else ""
    return f", {code['checkout_of']} at commit {code['commit']}{changed}"


def _revisions(record: Mapping[str, Any]) -> str:
    listed = ", ".join(f"{name} {number}" for name, number in sorted(record["revisions"].items()))
    return f"Results were made by these revisions of its commands: {listed}." if listed else ""


def _shared_inputs(inputs: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str]]:
    """Each digest of a file that many experiments share, with how many."""
    counts: dict[tuple[str, str], int] = {}
    for digests in inputs.values():
        for name in OF_ALL:
            if name in digests:
                counts[name, digests[name]] = counts.get((name, digests[name]), 0) + 1
    words = {"genome": "Genome", "blacklist": "Blacklist", "tiles": "Tile table"}
    return [(f"{words[name]} of {n} experiment(s)", value) for (name, value), n in sorted(counts.items())]


def _input_table(inputs: Mapping[str, Mapping[str, str]]) -> Markup:
    """Digests of the files of each experiment alone, folded."""
    lines = [
        row([experiment, name.replace("_", " "), cell(element("code", value))])
        for experiment, digests in inputs.items()
        for name, value in digests.items()
        if name not in OF_ALL
    ]
    if not lines:
        return element("p", "No positives were given, so that digests of peaks are not known.")
    listed = table(["Experiment", "File", "SHA-256"], lines, sortable=False)
    return element("details", element("summary", f"Files of the experiments ({len(lines)})"), listed)
