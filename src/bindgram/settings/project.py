"""A project: the configuration with everything it names, read and checked together.

Used by the workflow and by ``bindgram check``, so that both say the same.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from bindgram.errors import InputError, raise_all
from bindgram.settings.adaptation import POOLED, pool_of
from bindgram.settings.base import named_file, suggestion, with_suggestions
from bindgram.settings.baselines import LIKELIHOOD, KmerBaseline
from bindgram.settings.config import Config, Scheme, parse_config
from bindgram.settings.encoders import wrong_dropout
from bindgram.settings.models import LanguageModelFile, ModelFile, load_language_model, load_model
from bindgram.settings.selection import read_list, select, selection_problems
from bindgram.settings.sheets import (
    Assembly,
    Experiment,
    Sheet,
    missing_files,
    read_sheet,
    unknown_assembly,
)
from bindgram.settings.splits import SplitFile, hold_out_problems, load_split, split_of_assembly, why_held_out


@dataclass(frozen=True)
class Project:
    """A checked configuration and the files it names."""

    config: Config
    assemblies: dict[str, Assembly]
    experiments: dict[str, Experiment]  # all rows of the sheet
    selected: dict[str, Experiment]  # the rows this run uses
    splits: dict[str, SplitFile]  # by name
    models: dict[str, ModelFile]  # all networks that are trained: models, and baselines of kind `model`
    language_models: dict[str, LanguageModelFile]
    universe: tuple[str, ...]  # the frozen list of experiments that others draw from, as far as the sheet has them
    masked: tuple[str, ...]  # published sets whose test sequences no corpus holds, in order of their names

    @property
    def others(self) -> dict[str, Experiment]:
        """Experiments whose peaks `other_peaks` draws from, by id: of the universe, in biosamples of selected rows."""
        return others_of(self.config, {name: self.experiments[name] for name in sorted(self.universe)}, self.selected)

    def why_held_out(self, experiment: str, split: str) -> str:
        """Why nothing of an experiment of the sheet may train in that split file; "" where all of it may."""
        return why_held_out(self.experiments[experiment], self.splits[split].hold_out)

    @property
    def causal_language_models(self) -> list[str]:
        """Language models that a network of this run starts from and that predict the next token."""
        names = dict.fromkeys(name for model in self.models.values() for name in model.starts_from)
        return [name for name in names if self.language_models[name].objective.name == "next_token"]

    def mask_notice(self) -> str:
        """Which selected published sets are tested on sequences that a model may be pretrained on; "" where none is."""
        if all(model.pretrained == "none" for model in self.models.values()):
            return ""
        names = [name for name, row in self.selected.items() if not row.has_coordinates and name not in self.masked]
        if not names:
            return ""
        listed = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        return (
            f"Published test sequences of {len(names)} selected set(s) ({listed}) are not masked from the corpus of "
            "the language models: list them in corpus.mask (config/README.md#masked-test-sequences)"
        )

    def trained(self, split: str) -> dict[str, Experiment]:
        """The selected rows that are not held out of training in that split file."""
        return {name: row for name, row in self.selected.items() if not self.why_held_out(name, split)}


def others_of(
    config: Config, universe: Mapping[str, Experiment], selected: Mapping[str, Experiment]
) -> dict[str, Experiment]:
    """Rows of the universe that schemes of this run draw from: peaks on a genome, in biosamples of selected rows."""
    if "other_peaks" not in config.schemes_in_use():
        return {}
    places = {(row.assembly, row.biosample) for row in selected.values() if row.has_coordinates}
    return {
        name: row for name, row in universe.items() if row.has_coordinates and (row.assembly, row.biosample) in places
    }


def load_project(config: Mapping[str, Any], root: Path = Path(), *, check_files: bool = True) -> Project:
    """Check a merged configuration and everything it names; paths are relative to `root`.

    Parameters
    ----------
    check_files : whether local files that the sheets name must be there. A job of a run that was checked when it was
        planned does without: a file that has gone since then is the matter of its own experiment only.

    Raises
    ------
    InputError : lists every problem found, in all files, at once.
    """
    checked = parse_config(config, "configuration")
    problems: list[str] = []
    assemblies = _collect(problems, lambda: read_sheet(root / checked.assemblies, Assembly))
    experiments = _collect(problems, lambda: read_sheet(root / checked.experiments, Experiment))
    split_paths = {name: root / f"config/splits/{name}.yaml" for name in checked.split}
    loaded = {
        name: _collect(problems, lambda path=path: load_split(named_file(path))) for name, path in split_paths.items()
    }
    splits = {name: split for name, split in loaded.items() if split is not None}
    listed = _collect(problems, lambda: read_list(checked.select.list, root, "select.list"))
    models, language_models = _load_models(checked, root, problems)
    universe = _collect(problems, lambda: read_list(checked.universe, root, "universe")) or ()
    masked = sorted(_collect(problems, lambda: read_list(checked.corpus.mask, root, "corpus.mask")) or ())
    selected = select(experiments.rows, checked.select, listed) if experiments else {}
    used = {row.assembly for row in selected.values()}
    if experiments:
        listed_rows = {name: experiments.rows[name] for name in universe if name in experiments.rows}
        read = selected | others_of(checked, listed_rows, selected)
        problems += _mask_problems(checked, masked, experiments)
        read |= {name: experiments.rows[name] for name in masked if name in experiments.rows}
        _check_rows(checked, experiments, assemblies, read, root if check_files else None)
        problems += selection_problems(checked, experiments, listed, selected)
        problems += experiments.complaints()
    if assemblies:
        if check_files:
            for line in assemblies.lines:
                if not line.right or line.cells["assembly"] in used:
                    missing_files(assemblies, line, root)
        problems += assemblies.complaints()
    known = {row.assembly for row in selected.values() if row.has_coordinates}
    for split_name, split in splits.items():
        path = split_paths[split_name]
        for name in sorted(known & set(assemblies.rows if assemblies else ())):
            _collect(problems, lambda split=split, name=name, path=path: split_of_assembly(split, name, path))
        if experiments:
            problems += _hold_out_problems(checked, split, path, experiments, selected)
    if check_files:
        problems += _bundle_problems(models, root)
        if checked.motifs.file is not None and not (root / checked.motifs.file).is_file():
            problems.append(
                f"configuration: motifs.file: {checked.motifs.file}: no such file; give MEME or JASPAR text, or null"
            )
    for name, settings in language_models.items():
        if uneven := settings.pretrain.why_not_equal(checked.pretraining.n_gpus):
            problems.append(f"config/lms/{name}.yaml: pretrain.{uneven}; or change `pretraining` in the configuration")
    problems += _reference_problems(checked, models, universe, experiments)
    if experiments and not experiments.problems:
        problems += _pool_problems(checked, models, universe, experiments, selected)
    raise_all(problems, "configuration")
    assert len(splits) == len(checked.split)
    assert assemblies is not None
    assert experiments is not None
    universe = tuple(name for name in universe if name in experiments.rows)
    return Project(
        checked, assemblies.rows, experiments.rows, selected, splits, models, language_models, universe, tuple(masked)
    )


def _check_rows(
    config: Config,
    experiments: Sheet[Experiment],
    assemblies: Sheet[Assembly] | None,
    used: Mapping[str, Experiment],
    root: Path | None,
) -> None:
    """Complain of assemblies and files (under `root`, if given) of the rows that are used or have mistakes."""
    known = {line.cells["assembly"] for line in assemblies.lines if "assembly" in line.cells} if assemblies else set()
    for line in experiments.lines:
        if line.right and line.cells["experiment"] not in used:
            continue
        if known:
            unknown_assembly(experiments, line, known, config.assemblies)
        if root is not None:
            missing_files(experiments, line, root)


def _hold_out_problems(
    config: Config, split: SplitFile, path: Path, experiments: Sheet[Experiment], selected: Mapping[str, Experiment]
) -> list[str]:
    """Names that hold out nothing, and a hold-out that leaves nothing to train; a sheet with mistakes comes first."""
    if experiments.problems:
        return []
    problems = hold_out_problems(split.hold_out, experiments.rows.values(), path, config.experiments)
    if selected and all(why_held_out(row, split.hold_out) for row in selected.values()):
        problems.append(
            f"{path}: hold_out: all selected experiments are held out, none is left to train; hold out less"
        )
    return problems


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
    for name in config.trained:
        model = _collect(problems, lambda name=name: load_model(named_file(root / f"config/models/{name}.yaml")))
        if model is None:
            continue
        models[name] = model
        for lm in model.language_models:
            if lm in language_models:
                continue
            loaded = _collect(problems, lambda lm=lm: load_language_model(named_file(root / f"config/lms/{lm}.yaml")))
            if loaded is not None:
                language_models[lm] = loaded
        where = f"config/models/{name}.yaml"
        problems += [f"{where}: {problem}" for problem in _language_model_problems(model, language_models)]
    return models, language_models


def _language_model_problems(model: ModelFile, language_models: Mapping[str, LanguageModelFile]) -> list[str]:
    """What does not fit between a model and its language models, as far as these could be read."""
    problems = []
    known = {name: language_models[name] for name in model.language_models if name in language_models}
    for name, lm in known.items():
        if wrong := wrong_dropout(lm.encoder, model.finetune.dropout):
            problems.append(f"finetune.{wrong}")
        if model.adapt != "none" and lm.adapt is None:
            problems.append(f"adapt: config/lms/{name}.yaml has no adapt stage; add one or set adapt: none")
        key, direction = ("backward", "backward") if name == model.backward else ("encoder.same_as", "forward")
        if lm.direction != direction:
            problems.append(f"{key}: direction of config/lms/{name}.yaml is {lm.direction}; name a {direction} one")
    if len({(lm.vocabulary.k, lm.vocabulary.stride) for lm in known.values()}) > 1:
        problems.append(
            f"backward: config/lms/{model.backward}.yaml has another vocabulary than {model.language_model}"
        )
    return problems


def _mask_problems(config: Config, masked: Collection[str], experiments: Sheet[Experiment]) -> list[str]:
    where = f"configuration: corpus.mask: {config.corpus.mask}"
    known = {line.cells.get("experiment", "") for line in experiments.lines}
    if unknown := [name for name in masked if name not in known]:
        return [f"{where}: not in {config.experiments}: {with_suggestions(unknown, known)}; it would mask nothing"]
    placed = [name for name in masked if name in experiments.rows and experiments.rows[name].has_coordinates]
    problem = (
        f"{where}: {', '.join(placed[:3])}: no published sequence set, its test regions are in no corpus; take it out"
    )
    return [problem] if placed else []


def _reference_problems(
    config: Config, models: Mapping[str, ModelFile], universe: Collection[str], experiments: Sheet[Experiment] | None
) -> list[str]:
    problems = [
        f"configuration: baselines: {name!r} is also the name of a model; rename one"
        for name in config.fitted
        if name in config.models
    ]
    problems += [
        f"configuration: {name!r} is what the likelihood of language model {lm} is called; rename the other"
        for lm in dict.fromkeys(lm for model in models.values() for lm in model.starts_from)
        if (name := f"{LIKELIHOOD}_{lm}") in (*config.models, *config.baselines)
    ]
    floors = [name for name, baseline in config.baselines.items() if isinstance(baseline, KmerBaseline)]
    if config.floor not in floors:
        problems.append(
            f"configuration: floor: {config.floor!r} is not a baseline of kind kmer (choose from "
            f"{', '.join(floors) or 'none: add one'}){suggestion(config.floor, floors)}"
        )
    known = [*get_args(Scheme), *config.negatives.mixtures]
    named = [("negatives.schemes", name) for name in config.negatives.schemes if name != "published"]
    named += [(f"battery.test_sets.{key}.scheme", made.scheme) for key, made in config.battery.test_sets.items()]
    problems += [
        f"configuration: {key}: {name!r} is neither a scheme nor a mixture (negatives.mixtures); choose from "
        f"{', '.join(known)}{suggestion(name, known)}"
        for key, name in named
        if name not in known
    ]
    test_sets = config.battery.test_sets
    problems += [
        f"configuration: {key}: {name!r} is not in battery.test_sets ({', '.join(test_sets)})"
        f"{suggestion(name, test_sets)}"
        for key, name in (("headline.test_set", config.headline.test_set), ("tiled.twin", config.tiled.twin))
        if name not in test_sets
    ]
    problems += [
        f"configuration: interpretation.models: {name!r} is not trained; choose from "
        f"{', '.join(config.trained)}{suggestion(name, config.trained)}"
        for name in config.interpreted
        if name not in config.trained
    ]
    if experiments is not None:
        ids = {line.cells.get("experiment", "") for line in experiments.lines}
        if universe and ids.isdisjoint(universe):
            more = f", ... ({len(universe)} ids)" if len(universe) > 3 else ""
            problems.append(
                f"configuration: universe: {config.universe} lists nothing that is in {config.experiments}: "
                f"{with_suggestions(list(universe)[:3], ids)}{more}; name a list of this sheet "
                "(config/README.md#universe says how to freeze one), or set universe: null, which leaves other_peaks "
                "and its test sets out"
            )
    return problems


def _bundle_problems(models: Mapping[str, ModelFile], root: Path) -> list[str]:
    """Bundles that models start from by path, which are not there."""
    return [
        f"config/models/{name}.yaml: pretrained: no bundle in {model.pretrained} (config.json is missing); give the "
        "folder of a bundle, or the name of a language model"
        for name, model in models.items()
        if "/" in model.pretrained and not (root / model.pretrained / "config.json").is_file()
    ]


def _pool_problems(
    config: Config,
    models: Mapping[str, ModelFile],
    universe: Collection[str],
    experiments: Sheet[Experiment],
    selected: Mapping[str, Experiment],
) -> list[str]:
    """Models that adapt to a pool of experiments where there is none."""
    problems = []
    listed = [experiments.rows[name] for name in universe if name in experiments.rows]
    for name, model in models.items():
        if model.adapt not in POOLED:
            continue
        where = f"config/models/{name}.yaml: adapt: {model.adapt}"
        pooled = [row for row in selected.values() if row.has_coordinates]
        if not universe:
            problems.append(f"configuration: universe: required by a model with adapt: {model.adapt}; name a list file")
        elif model.adapt == "family" and pooled and not any(row.families for row in pooled):
            problems.append(f"{where}: {config.experiments} has no column family, or nothing in it; fill it, or use tf")
        elif alone := [row.experiment for row in pooled if not pool_of(row, model.adapt, listed)]:
            more = f", ... ({len(alone)} in all)" if len(alone) > 5 else ""
            problems.append(
                f"{where}: {config.universe} has nothing to pool for {', '.join(alone[:5])}{more}; add experiments of "
                "their TFs to a list of your own, or use a model with adapt: experiment"
            )
    return problems
