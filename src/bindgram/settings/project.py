"""A project: the configuration with everything it names, read and checked together.

Used by the workflow and by ``bindgram check``, so that both say the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bindgram.errors import InputError, raise_all
from bindgram.settings.base import parse
from bindgram.settings.config import Config
from bindgram.settings.models import LanguageModelFile, ModelFile, load_language_model, load_model
from bindgram.settings.selection import read_list, select, selection_problems
from bindgram.settings.sheets import Assembly, Experiment, is_url, read_assemblies, read_experiments
from bindgram.settings.splits import SplitFile, load_split, split_of_assembly


@dataclass(frozen=True)
class Project:
    """A checked configuration and the files it names."""

    config: Config
    assemblies: dict[str, Assembly]
    experiments: dict[str, Experiment]  # all rows of the sheet
    selected: dict[str, Experiment]  # the rows this run uses
    split: SplitFile
    models: dict[str, ModelFile]
    language_models: dict[str, LanguageModelFile]
    universe: tuple[str, ...]  # experiments that may be pooled for adaptation


def load_project(config: Mapping[str, Any], root: Path = Path()) -> Project:
    """Check a merged configuration and everything it names; paths are relative to `root`.

    Raises
    ------
    InputError : lists every problem found, in all files, at once.
    """
    checked = parse(Config, config, "configuration")
    problems: list[str] = []
    assemblies = _collect(problems, lambda: read_assemblies(root / checked.assemblies)) or {}
    experiments = _collect(problems, lambda: read_experiments(root / checked.experiments)) or {}
    split_path = root / f"config/splits/{checked.split}.yaml"
    split = _collect(problems, lambda: load_split(split_path))
    listed = _collect(problems, lambda: read_list(checked.select.list, root, "select.list"))
    selected = select(experiments, checked.select, listed)
    models, language_models = _load_models(checked, root, problems)
    universe = _collect(problems, lambda: read_list(checked.adaptation_universe, root, "adaptation_universe")) or ()
    problems += selection_problems(checked, experiments, listed, selected)
    problems += _sheet_problems(checked, assemblies, selected, root)
    for name in sorted({row.assembly for row in selected.values() if row.has_coordinates}):
        if split is not None and name in assemblies:
            _collect(problems, lambda name=name: split_of_assembly(split, name, split_path))
    problems += _reference_problems(checked, models, universe, experiments)
    raise_all(problems, "configuration")
    assert split is not None
    return Project(checked, assemblies, experiments, selected, split, models, language_models, universe)


def _collect(problems: list[str], read: Callable[[], Any]) -> Any:
    try:
        return read()
    except InputError as error:
        problems.extend(line.removeprefix("  - ") for line in str(error).splitlines() if "problem(s)" not in line)
        return None


def _load_models(
    config: Config, root: Path, problems: list[str]
) -> tuple[dict[str, ModelFile], dict[str, LanguageModelFile]]:
    models: dict[str, ModelFile] = {}
    language_models: dict[str, LanguageModelFile] = {}
    for name in config.models:
        model = _collect(problems, lambda name=name: load_model(root / f"config/models/{name}.yaml"))
        if model is None:
            continue
        models[name] = model
        lm = model.language_model
        if lm is not None and lm not in language_models:
            loaded = _collect(problems, lambda lm=lm: load_language_model(root / f"config/lms/{lm}.yaml"))
            if loaded is not None:
                language_models[lm] = loaded
        if model.adapt != "none" and lm in language_models and language_models[lm].adapt is None:
            problems.append(
                f"config/models/{name}.yaml: adapt: config/lms/{lm}.yaml has no adapt stage; add one or set adapt: none"
            )
    return models, language_models


def _sheet_problems(
    config: Config, assemblies: Mapping[str, Assembly], selected: Mapping[str, Experiment], root: Path
) -> list[str]:
    problems = []
    for row in selected.values():
        where = f"{config.experiments}: experiment {row.experiment}"
        if assemblies and row.assembly not in assemblies:
            known = ", ".join(sorted(assemblies))
            problems.append(f"{where}: assembly {row.assembly!r} is not in {config.assemblies} (it has {known})")
        for column, source in (("peaks", row.peaks), ("test_sequences", row.test_sequences)):
            problems += _missing_file(f"{where}: {column}", source, root)
    for name in sorted({row.assembly for row in selected.values()} & set(assemblies)):
        assembly = assemblies[name]
        for column, source in (
            ("fasta", assembly.fasta),
            ("chrom_sizes", assembly.chrom_sizes),
            ("blacklist", assembly.blacklist),
        ):
            problems += _missing_file(f"{config.assemblies}: assembly {name}: {column}", source, root)
    return problems


def _missing_file(where: str, source: str | None, root: Path) -> list[str]:
    if source is None or is_url(source) or (root / source).is_file():
        return []
    return [f"{where}: no such file: {source}; give a path from the working directory or a URL"]


def _reference_problems(
    config: Config, models: Mapping[str, ModelFile], universe: tuple[str, ...], experiments: Mapping[str, Experiment]
) -> list[str]:
    problems = [
        f"configuration: baselines: {name!r} is also the name of a model; rename one"
        for name in config.baselines
        if name in config.models
    ]
    if config.floor not in config.baselines:
        problems.append(
            f"configuration: floor: {config.floor!r} is not a baseline (choose from {', '.join(config.baselines)})"
        )
    if config.headline.test_set not in config.battery.test_sets:
        problems.append(
            f"configuration: headline.test_set: {config.headline.test_set!r} is not in battery.test_sets "
            f"({', '.join(config.battery.test_sets)})"
        )
    unknown = [name for name in universe if experiments and name not in experiments]
    if unknown:
        problems.append(f"{config.adaptation_universe}: not in the experiment sheet: {', '.join(unknown)}")
    if any(model.adapt == "tf" for model in models.values()) and not universe:
        problems.append("configuration: adaptation_universe: required by a model with adapt: tf; name a list file")
    return problems
