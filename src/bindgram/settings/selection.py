"""Which rows of the experiment sheet a run uses: the section ``select`` of the configuration."""

from collections.abc import Collection, Mapping
from pathlib import Path

from bindgram.errors import InputError
from bindgram.settings.base import with_suggestions
from bindgram.settings.config import Config, Selection
from bindgram.settings.sheets import Experiment, Sheet

COLUMN_OF = {"experiments": "experiment", "list": "experiment", "tfs": "tf", "biosamples": "biosample", "tiers": "tier"}


def read_list(name: str | None, root: Path, key: str) -> tuple[str, ...] | None:
    """Read a file with one experiment id per line; ``#`` begins a comment. None where `key` names no file.

    Raises
    ------
    InputError : there is no such file, or it names nothing.
    """
    if name is None:
        return None
    path = root / name
    if not path.is_file():
        raise InputError(f"configuration: {key}: {path}: no such file; {key} lists one experiment id per line")
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8-sig").splitlines())
    ids = tuple(dict.fromkeys(line for line in lines if line))
    if not ids:
        raise InputError(f"configuration: {key}: {path}: no experiment in it; write one id per line, or set it to null")
    return ids


def select(
    experiments: Mapping[str, Experiment], wanted: Selection, listed: Collection[str] | None
) -> dict[str, Experiment]:
    """The rows that pass every restriction of ``select``, in sheet order, then the first ``first`` of them.

    Parameters
    ----------
    listed : ids in the file that ``select.list`` names; None = no such restriction.
    """
    rows = list(experiments.values())
    for key, allowed in _restrictions(wanted, listed).items():
        column = COLUMN_OF[key]
        rows = [row for row in rows if getattr(row, column) in allowed]
    return {row.experiment: row for row in rows[: wanted.first]}


def _restrictions(wanted: Selection, listed: Collection[str] | None) -> dict[str, dict[str | int, None]]:
    """Key of ``select`` to the values that it allows, in the order given; keys that do not restrict are left out."""
    named = {
        "experiments": wanted.experiments,
        "list": listed or (),
        "tfs": wanted.tfs,
        "biosamples": wanted.biosamples,
        "tiers": wanted.tiers,
    }
    return {key: dict.fromkeys(values) for key, values in named.items() if values}


def selection_problems(
    config: Config, sheet: Sheet[Experiment], listed: Collection[str] | None, selected: Mapping[str, Experiment]
) -> list[str]:
    """Names in ``select`` that would narrow the run silently, because no row has them or their tier is left out.

    A row with mistakes counts as well: what is wrong with it is said elsewhere.
    """
    lines = [line.cells for line in sheet.lines]
    restrictions = _restrictions(config.select, listed)
    tiers = {str(tier): None for tier in restrictions.get("tiers", {})}
    problems: list[str] = []
    if tiers and not any("tier" in cells for cells in lines):
        problems.append(
            f"configuration: select.tiers: [{', '.join(tiers)}], but {config.experiments} has no tiers; "
            "set select.tiers: [], or add a column tier"
        )
        del restrictions["tiers"]
        tiers = {}
    for key, names in restrictions.items():
        where = f"configuration: select.{key}"
        tiers_of: dict[str, set[str]] = {}
        for cells in lines:
            if COLUMN_OF[key] in cells:
                tiers_of.setdefault(cells[COLUMN_OF[key]], set()).add(cells.get("tier", "none"))
        unknown = [name for name in names if str(name) not in tiers_of]
        if unknown:
            problems.append(f"{where}: not in {config.experiments}: {with_suggestions(unknown, tiers_of)}")
        dropped = [name for name in names if tiers and tiers_of.get(str(name), tiers.keys()).isdisjoint(tiers)]
        if dropped:
            has = sorted(set().union(*(tiers_of[str(name)] for name in dropped)))
            problems.append(
                f"{where}: left out by select.tiers [{', '.join(tiers)}], because their tier is {' or '.join(has)}: "
                f"{with_suggestions(dropped, ())}; add the tier to select.tiers, or set it to []"
            )
    if not selected and not problems and not sheet.problems:
        problems.append(f"configuration: select: no row of {config.experiments} passes all restrictions; loosen it")
    return problems
