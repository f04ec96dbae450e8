"""What a run will cost on GPUs, before any of it has run: tokens that networks read, and hours at measured rates.

An estimate from the configuration, the sheets and the model files alone. It is high where training stops early
(`patience`) or where windows are filtered away, and as good as `costs` in the configuration. Formulas:
config/README.md#costs.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bindgram.settings.adaptation import group_of, pool_of
from bindgram.settings.config import Config, CostSettings
from bindgram.settings.models import LmStage, ModelFile, SameAs, VocabularySettings
from bindgram.settings.project import Project
from bindgram.settings.sheets import Experiment, is_url
from bindgram.settings.splits import SPLITS, AssemblySplit

FORWARD_SHARE = 1 / 3  # of a training step; the gradients take the other two thirds
STRANDS = 2  # predictions are made on both


class Work(NamedTuple):
    """Tokens (bases, for networks that read bases) that one network reads in all its jobs of one kind."""

    kind: str  # pretrain, adapt, finetune, predict or likelihood
    name: str  # of the language-model or model file
    n_jobs: int
    tokens: float


@dataclass(frozen=True)
class Costs:
    """What a run trains and predicts; see `estimate`."""

    n_experiments: int
    n_trained: int  # experiments that train, summed over the splits
    n_splits: int
    n_models: int
    n_baselines: int  # those that are trained as models are
    n_seeds: int
    n_schemes: int
    works: tuple[Work, ...]
    settings: CostSettings
    device: str

    def tokens(self, kind: str) -> float:
        """Tokens of all works of a kind."""
        return sum(work.tokens for work in self.works if work.kind == kind)

    @property
    def pretrain_tokens(self) -> float:
        """Tokens of pretraining and adaptation."""
        return self.tokens("pretrain") + self.tokens("adapt")

    @property
    def finetune_tokens(self) -> float:
        """Tokens of fine-tuning, all models and seeds."""
        return self.tokens("finetune")

    @property
    def predict_tokens(self) -> float:
        """Tokens of predictions on the test sets and their validation twins, both strands."""
        return self.tokens("predict")

    def gpu_hours(self, rates: CostSettings) -> dict[str, float]:
        """Hours of one GPU by kind of work, of the networks whose rates are known (the others: `unrated`)."""
        hours: dict[str, float] = {}
        for work in self.works:
            rate = _rate(work, rates)
            if rate is not None:
                hours[work.kind] = hours.get(work.kind, 0.0) + work.tokens / rate / 3600
        return hours

    def unrated(self, rates: CostSettings) -> tuple[Work, ...]:
        """Works of networks whose rates are not known."""
        return tuple(work for work in self.works if _rate(work, rates) is None)

    def describe(self, asked: Mapping[str, tuple[int, float]] | None = None) -> str:
        """A few lines for whoever plans a run.

        Parameters
        ----------
        asked : what the rules ask for at most: name of a rule to its number of jobs and the hours that each may take.
        """
        device = "CPU" if self.device == "cpu" else "GPU"
        n_classifiers = self.n_trained * (self.n_models + self.n_baselines) * self.n_schemes * self.n_seeds
        splits = f"{self.n_splits} splits, " if self.n_splits > 1 else ""
        baselines = f", {self.n_baselines} baseline(s) to train" if self.n_baselines else ""
        lines = [
            f"{self.n_experiments:,} experiments, {splits}{self.n_models} model(s){baselines}, "
            f"{self.n_schemes} scheme(s) of negatives, {self.n_seeds} seed(s): {n_classifiers:,} classifiers",
            f"tokens to read, at {self.settings.positives_per_experiment:,} positives per experiment: "
            + ", ".join(f"{kind} {_short(self.tokens(kind))}" for kind in dict.fromkeys(w.kind for w in self.works)),
        ]
        hours = self.gpu_hours(self.settings)
        if hours:
            parts = ", ".join(f"{kind} {value:,.1f}" for kind, value in hours.items())
            lines.append(
                f"{device} hours expected: {sum(hours.values()):,.1f} ({parts}); less where training stops early"
            )
        lines += self._hints()
        if asked:
            total = sum(jobs * each for jobs, each in asked.values())
            parts = ", ".join(f"{rule} {jobs:,} x {each:g} h" for rule, (jobs, each) in asked.items() if jobs)
            lines.append(f"{device} hours that the rules ask for, at most: {total:,.0f} ({parts})")
        return "\n".join(lines)

    def _hints(self) -> list[str]:
        """Which rates are not known, and where to find them."""
        names: dict[str, dict[str, None]] = {}
        for work in self.unrated(self.settings):
            names.setdefault(_RATE_KEY[work.kind], {})[work.name] = None
        return [
            f"not estimated: {', '.join(those)}; set costs.{key} to the tokens/s in a training log of your GPU"
            for key, those in names.items()
        ]


_RATE_KEY = {  # what to give first for each kind of work
    "pretrain": "pretraining_tokens_per_second",
    "adapt": "pretraining_tokens_per_second",
    "finetune": "training_tokens_per_second",
    "predict": "training_tokens_per_second",
    "likelihood": "pretraining_tokens_per_second",
}


def _rate(work: Work, rates: CostSettings) -> float | None:
    """Tokens per second; a network of unknown speed predicts as fast as its training reads forwards."""
    if work.kind in ("pretrain", "adapt", "likelihood"):
        rate = rates.pretraining_tokens_per_second.get(work.name)
        return rate and rate / FORWARD_SHARE if work.kind == "likelihood" else rate
    training = rates.training_tokens_per_second.get(work.name)
    if work.kind == "finetune":
        return training
    return rates.prediction_tokens_per_second.get(work.name, training and training / FORWARD_SHARE)


def _short(number: float) -> str:
    for unit, factor in (("T", 1e12), ("G", 1e9), ("M", 1e6)):
        if number >= factor:
            return f"{number / factor:.3g} {unit}"
    return f"{number:,.0f}"


def estimate(project: Project, root: Path = Path()) -> Costs:
    """Count the tokens of a run.

    Parameters
    ----------
    root : where the paths of the assembly sheet begin; local tables of chromosome lengths are read.
    """
    config = project.config
    assemblies = {row.assembly for row in project.selected.values()}
    works: list[Work] = []
    for split in config.split:
        lengths = {name: _split_lengths(project, split, name, root) for name in assemblies}
        works += [*_language_model_works(project, split, lengths), *_classifier_works(project, split, lengths)]
    trained = [name for split in config.split for name in project.trained(split)]
    return Costs(
        len(set(trained)),
        len(trained),
        len(config.split),
        len(config.models),
        len(config.trained_baselines),
        len(config.seeds),
        len(config.negatives.schemes),
        tuple(works),
        config.costs,
        config.device,
    )


Lengths = Mapping[str, float]  # of the splits of an assembly, in bp
# of human chromosome folds, for an assembly whose chromosome lengths are not at hand, and for published sequence sets
TYPICAL: Lengths = {"train": 2.1e9, "valid": 0.2e9, "test": 0.6e9}


def _split_lengths(project: Project, split: str, assembly: str, root: Path) -> Lengths:
    """Length of each split in bp, N included."""
    regions: AssemblySplit | None = project.splits[split].assemblies.get(assembly)
    table = project.assemblies[assembly].chrom_sizes
    sizes = {} if table is None or is_url(table) else _chrom_sizes(root / table)
    lengths = dict.fromkeys(SPLITS, 0.0)
    for block in regions.blocks() if regions else ():
        end = sizes.get(block.chrom) if block.end is None else block.end
        lengths[block.split] += math.nan if end is None else end - block.start
    return lengths if all(length > 0 for length in lengths.values()) else TYPICAL


def _chrom_sizes(path: Path) -> dict[str, int]:
    """Chromosome lengths, leniently: what is wrong with the table is told by the command that reads it."""
    if not path.is_file():
        return {}
    rows = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return {cells[0]: int(cells[1]) for cells in rows if len(cells) > 1 and cells[1].isdigit()}


def _positives(config: Config, row: Experiment, lengths: Mapping[str, Lengths]) -> Lengths:
    """Positives of an experiment in each split: spread evenly over the genome."""
    known = lengths[row.assembly] if row.has_coordinates else TYPICAL
    n = min(config.costs.positives_per_experiment, config.positives.strongest or math.inf)
    return {split: n * length / sum(known.values()) for split, length in known.items()}


def _n_tokens(vocabulary: VocabularySettings | None, width: int) -> int:
    """Tokens of one window; without a vocabulary, its bases."""
    return width if vocabulary is None else max(0, (width - vocabulary.k) // vocabulary.stride + 1)


def _vocabulary(project: Project, model: ModelFile) -> VocabularySettings | None:
    if isinstance(model.encoder, SameAs):
        return project.language_models[model.encoder.same_as].vocabulary
    return model.vocabulary


def _classifier_works(project: Project, split: str, lengths: Mapping[str, Lengths]) -> Iterator[Work]:
    config = project.config
    n_runs = len(config.negatives.schemes) * len(config.seeds)
    n_jobs = len(project.trained(split)) * len(config.negatives.schemes)
    limit = config.battery.max_positives or math.inf
    n_train = n_tested = 0.0  # examples; those of validation are read on both strands, without gradients
    for row in project.trained(split).values():
        positives = _positives(config, row, lengths)
        per_epoch = positives["train"] + positives["valid"] * STRANDS * FORWARD_SHARE
        n_train += per_epoch * (1 + config.negatives.ratio)
        tested = min(positives["test"], limit) + min(positives["valid"], limit)
        n_tested += sum(tested * (1 + test_set.ratio) for test_set in config.battery.test_sets.values())
    for name, model in project.models.items():
        tokens = _n_tokens(_vocabulary(project, model), config.positives.width)
        n_epochs = sum(stage.epochs for stage in model.finetune.stages)
        yield Work("finetune", name, n_jobs, n_train * tokens * n_epochs * n_runs)
        yield Work("predict", name, n_jobs, n_tested * tokens * STRANDS * n_runs)
    for name in project.causal_language_models if config.likelihood else ():
        tokens = _n_tokens(project.language_models[name].vocabulary, config.positives.width)
        yield Work("likelihood", name, n_jobs, n_tested * tokens * STRANDS * len(config.negatives.schemes))


def _language_model_works(project: Project, split: str, lengths: Mapping[str, Lengths]) -> Iterator[Work]:
    """Each language model once per assembly, and once per group of experiments that it adapts to."""
    groups: dict[tuple[str, str], int] = {}  # (language model, how) to how many models share it
    for model in project.models.values():
        for lm in model.starts_from:
            groups[lm, model.adapt] = groups.get((lm, model.adapt), 0) + 1
    for name in dict.fromkeys(lm for lm, _ in groups):
        settings = project.language_models[name]
        per_bp = 1 / settings.vocabulary.stride
        tokens = sum(_stage_tokens(settings.pretrain, splits["train"] * per_bp) for splits in lengths.values())
        yield Work("pretrain", name, len(lengths), tokens)
    for name, how in groups:
        stage = project.language_models[name].adapt
        if how == "none" or stage is None:
            continue
        window = _n_tokens(project.language_models[name].vocabulary, project.config.positives.width) + 1
        streams = [
            sum(_positives(project.config, row, lengths)["train"] for row in rows) * window
            for rows in _pools(project, split, how)
        ]
        yield Work("adapt", name, len(streams), sum(_stage_tokens(stage, stream) for stream in streams))


def _stage_tokens(stage: LmStage, stream: float) -> float:
    """Tokens that a stage of language modelling reads of a stream: both strands, all epochs, unless it ends early."""
    tokens = stream * (2 if stage.reverse_complement else 1) * stage.epochs
    return min(tokens, stage.max_tokens or math.inf)


def _pools(project: Project, split: str, how: str) -> list[list[Experiment]]:
    """Experiments of each group that a language model adapts to."""
    universe = [project.experiments[name] for name in project.universe]
    groups = {(group_of(row, how), row.assembly): row for row in project.trained(split).values()}
    pools = (pool_of(row, how, universe) for row in groups.values())
    return [[row for row in pool if not project.why_held_out(row.experiment, split)] for pool in pools]
