"""The configuration: ``config/config.yaml``, complete, with overrides from a second file merged over it.

No field has a default: those live in ``config/config.yaml`` only.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, ValidationError, field_validator, model_validator

from bindgram.settings.base import Id, Settings, parse, read_yaml
from bindgram.settings.baselines import LIKELIHOOD, Baseline, FittedBaseline, LikelihoodBaseline, ModelBaseline
from bindgram.settings.filters import FilterItem, check_filters, parse_filter
from bindgram.settings.interpretation import InterpretationSettings, MotifSettings
from bindgram.settings.variants import DataEfficiencySettings, split_variant

HomologyAction = Literal["report", "remove", "none"]
Scheme = Literal[
    "mononucleotide_shuffle",
    "dinucleotide_shuffle",
    "trinucleotide_shuffle",
    "genomic_matched",
    "neighbour",
    "other_peaks",
    "accessible_unbound",
]
# Schemes that draw from the genome, so that the positives need coordinates.
GENOMIC_SCHEMES = frozenset({"genomic_matched", "neighbour", "other_peaks", "accessible_unbound"})
SchemeName = Scheme | Id  # or a mixture; `load_project` checks that there is one
TrainingScheme = Literal["published"] | SchemeName  # test sets of that name are made without being asked for
Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Ratio = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(gt=0)]
Ids = list[Id]
Shares = Annotated[dict[Scheme, Rate], Field(min_length=1)]
Names = list[str]  # named here, because a section with a key `list` cannot use the type of that name
Tiers = list[Count]


class Selection(Settings):
    """Which rows of the experiment sheet are used: those that pass every restriction, then the first `first`."""

    experiments: Ids
    list: str | None
    tfs: Names
    biosamples: Names
    tiers: Tiers
    first: Positive | None


class PositivesSettings(Settings):
    """How peaks become positives."""

    width: Annotated[int, Field(ge=10, le=1000)]
    strongest: Positive | None
    filters: list[FilterItem]
    minimum: "MinimumPositives"

    @field_validator("filters")
    @classmethod
    def _unique_filters(cls, value: list[Any]) -> list[Any]:
        return [setting.item for setting in check_filters(parse_filter(item) for item in value)]

    @property
    def filter_options(self) -> list[str]:
        """The filters in order, as values of the option ``--filter``."""
        return [parse_filter(item).text for item in self.filters]

    @property
    def needs_tiles(self) -> bool:
        """Whether a filter looks at repeats, which the tile table of the assembly knows."""
        return any(parse_filter(item).name == "soft_masked" for item in self.filters)


class MinimumPositives(Settings):
    """Fewest positives per split for an experiment to be modelled."""

    train: Positive
    valid: Positive
    test: Positive


class NegativesSettings(Settings):
    """How training negatives are made."""

    schemes: Annotated[list[TrainingScheme], Field(min_length=1)]
    ratio: Ratio
    mixtures: dict[Id, Shares]
    minimum_fraction: Annotated[float, Field(ge=0, le=1)]
    exclusion_bp: Count
    neighbour_bp: Positive
    gc_bins: Positive
    repeat_bins: Positive

    @field_validator("schemes")
    @classmethod
    def _unique(cls, value: list[str]) -> list[str]:
        return _unique(value)

    @field_validator("mixtures")
    @classmethod
    def _whole(cls, value: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        for name, shares in value.items():
            if name in get_args(Scheme) or name == "published":
                raise ValueError(f"{name!r} is the name of a scheme; rename the mixture")
            if split_variant(name)[1]:
                raise ValueError(f"{name!r} ends like a variant of training data; rename the mixture")
            if abs(sum(shares.values()) - 1) > 1e-6:
                raise ValueError(f"{name}: the shares sum up to {sum(shares.values()):g}; make it 1")
        return value

    def shares_of(self, name: str) -> dict[str, float]:
        """Schemes behind the name of a scheme or mixture, with the share of each."""
        return dict(self.mixtures.get(name, {name: 1.0}))


class TestSetSettings(Settings):
    """One test set of the battery."""

    scheme: SchemeName
    ratio: Ratio


class BatterySettings(Settings):
    """The fixed test sets, the same for every model."""

    test_sets: Annotated[dict[Id, TestSetSettings], Field(min_length=1)]
    max_positives: Positive | None

    @field_validator("test_sets")
    @classmethod
    def _published_is_reserved(cls, value: dict[str, TestSetSettings]) -> dict[str, TestSetSettings]:
        if "published" in value:
            raise ValueError("the name 'published' is reserved for test sets that come with a sequence set; rename it")
        if "T4" in value:
            raise ValueError("the name 'T4' is reserved for the tiled block of the split file; rename it")
        return value


class TiledSettings(Settings):
    """The tiled block, test set T4."""

    twin: Id
    in_report: bool


class QcSettings(Settings):
    """Quality control: what is compared and drawn beside the results."""

    overlap: bool
    union_regions: Positive
    signal: bool
    regions_per_group: Positive
    flank_bp: Positive
    bin_bp: Positive

    @model_validator(mode="after")
    def _whole_bins(self) -> "QcSettings":
        if self.flank_bp % self.bin_bp:
            raise ValueError(f"flank_bp {self.flank_bp} is no multiple of bin_bp {self.bin_bp}; change one")
        return self


class StoreSettings(Settings):
    """Bins and labels of the store for many tasks."""

    bin_bp: Positive
    window_bp: Positive
    min_overlap: Annotated[float, Field(gt=0, le=1)]
    min_peak_bp: Positive
    empty_fraction: Annotated[float, Field(ge=0, le=1)]

    @model_validator(mode="after")
    def _window_is_symmetric(self) -> Self:
        if self.window_bp < self.bin_bp or (self.window_bp - self.bin_bp) % 2:
            raise ValueError(
                f"window_bp {self.window_bp}: a window is its bin of {self.bin_bp} bp and as many bp on both sides; "
                "give bin_bp plus an even number"
            )
        return self


class HomologySettings(Settings):
    """What becomes of test rows that resemble a training positive; both thresholds are fractions."""

    action: HomologyAction
    min_identity: Annotated[float, Field(ge=0, le=1)]
    min_coverage: Annotated[float, Field(ge=0, le=1)]


class AuditSettings(Settings):
    """How negatives are audited."""

    suspicious_auroc: Annotated[float, Field(ge=0.5, le=1)]
    max_per_class: Annotated[int, Field(ge=10)]


class EvaluationSettings(Settings):
    """Statistics of the scores."""

    bootstrap_replicates: Annotated[int, Field(ge=100)]
    confidence: Annotated[float, Field(gt=0, lt=1)]
    max_block_bp: Positive


class PublishSettings(Settings):
    """What the cards of published models say."""

    license: Annotated[str, Field(pattern=r"^[A-Za-z0-9.+-]+$")]


class ReportSettings(Settings):
    """The page of the report."""

    browser: str | None

    @field_validator("browser")
    @classmethod
    def _link(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.startswith(("https://", "http://")):
            raise ValueError(f"{value!r} is no web address; begin with https://, or write null for no links")
        try:
            value.format(assembly="a", chrom="c", start=1, end=2)
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(
                f"{value!r}: {error} cannot be filled; use {{assembly}}, {{chrom}}, {{start}} and {{end}}"
            ) from None
        return value


class FindRateSettings(Settings):
    """The learning-rate finder: a short training whose rate grows from step to step."""

    steps: Annotated[int, Field(ge=10)]
    lowest: Rate
    highest: Rate
    smoothing: Annotated[float, Field(ge=0, lt=1)]

    @model_validator(mode="after")
    def _grows(self) -> "FindRateSettings":
        if self.lowest >= self.highest:
            raise ValueError(f"lowest {self.lowest:g}: must be below highest, {self.highest:g}")
        return self


class CostSettings(Settings):
    """What a dry run needs to estimate GPU hours: rates by the name of the model (or language model) file."""

    positives_per_experiment: Positive
    pretraining_tokens_per_second: dict[Id, Rate]
    training_tokens_per_second: dict[Id, Rate]
    prediction_tokens_per_second: dict[Id, Rate]


class LoggingSettings(Settings):
    """How a training can be watched while it runs."""

    every_steps: Positive
    tensorboard: bool
    mlflow: str | None
    wandb: str | None


class CorpusSettings(Settings):
    """Tokenization of the genome."""

    chunk_bp: Annotated[int, Field(ge=1000)]
    min_contig_bp: Positive
    mask: str | None


class PretrainingSettings(Settings):
    """GPUs that pretrain one language model together."""

    nodes: Positive
    gpus_per_node: Positive

    @property
    def n_gpus(self) -> int:
        """On all nodes."""
        return self.nodes * self.gpus_per_node


class Config(Settings):
    """Everything a run needs to know, in one object."""

    seed: Count
    assemblies: str
    experiments: str
    select: Selection
    split: Annotated[list[Id], Field(min_length=1)]
    models: Annotated[list[Id], Field(min_length=1)]
    seeds: Annotated[list[Count], Field(min_length=1)]
    baselines: dict[Id, Baseline]
    floor: Id
    universe: str | None
    device: Literal["auto", "cpu", "cuda"]
    pretraining: PretrainingSettings
    checkpoint_minutes: Rate
    logging: LoggingSettings
    container: str | None
    corpus: CorpusSettings
    positives: PositivesSettings
    negatives: NegativesSettings
    battery: BatterySettings
    tiled: TiledSettings
    motifs: MotifSettings
    interpretation: InterpretationSettings
    qc: QcSettings
    store: StoreSettings
    homology: HomologySettings
    audit: AuditSettings
    evaluation: EvaluationSettings
    headline: "Headline"
    data_efficiency: DataEfficiencySettings
    report: ReportSettings
    publish: PublishSettings
    find_rate: FindRateSettings
    costs: CostSettings

    def schemes_in_use(self) -> set[str]:
        """Schemes that negatives and test sets are made by, those behind mixtures among them."""
        names = [*self.negatives.schemes, *(made.scheme for made in self.battery.test_sets.values())]
        return {scheme for name in names for scheme in self.negatives.shares_of(name)}

    @property
    def trained(self) -> list[str]:
        """Names of all networks that are trained, for every seed: models, then baselines of kind ``model``."""
        return list(dict.fromkeys([*self.models, *self._of_kind(ModelBaseline)]))

    @property
    def trained_baselines(self) -> list[str]:
        """Baselines of kind ``model``; one that is among `models` as well is a model."""
        return self.trained[len(self.models) :]

    @property
    def interpreted(self) -> list[str]:
        """Names of the networks whose attributions and motifs are looked at."""
        asked = self.interpretation.models
        return list(self.models) if asked == "all" else list(asked or [])

    @property
    def fitted(self) -> dict[str, FittedBaseline]:
        """Baselines that ``bindgram baseline`` fits to the examples, for the first seed only."""
        return self._of_kind(FittedBaseline)

    @property
    def likelihood(self) -> bool:
        """Whether the language models of the run score the test sets themselves."""
        return bool(self._of_kind(LikelihoodBaseline))

    def _of_kind(self, kinds: Any) -> dict[str, Any]:
        return {name: baseline for name, baseline in self.baselines.items() if isinstance(baseline, kinds)}

    @field_validator("baselines", mode="before")
    @classmethod
    def _null_leaves_out(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {name: baseline for name, baseline in value.items() if baseline is not None}

    @field_validator("baselines")
    @classmethod
    def _likelihood_has_its_name(cls, value: dict[str, Baseline]) -> dict[str, Baseline]:
        for name, baseline in value.items():
            if (name == LIKELIHOOD) != isinstance(baseline, LikelihoodBaseline):
                raise ValueError(f"{name}: {LIKELIHOOD!r} is the name of the baseline of that kind, and of no other")
        return value

    @field_validator("split", mode="before")
    @classmethod
    def _one_name_is_a_list(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("models", "seeds", "split")
    @classmethod
    def _unique_items(cls, value: list[Any]) -> list[Any]:
        return _unique(value)


class Headline(Settings):
    """The number that the report puts first."""

    test_set: Id
    metric: Literal["auroc", "average_precision"]


def _unique(value: list[Any]) -> list[Any]:
    repeated = sorted({str(item) for item in value if value.count(item) > 1})
    if repeated:
        raise ValueError(f"{', '.join(repeated)} given twice; keep one")
    return value


def merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Merge nested mappings; lists and scalars of `override` replace those of `base` (as Snakemake does)."""
    merged = dict(base)
    for key, value in override.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def parse_config(value: Mapping[str, Any], where: str) -> Config:
    """Check a merged configuration.

    Snakemake passes what stands within brackets of ``--config 'select={first: 5}'`` as text: text where a number or
    true or false is wanted is read as one, and the text ``null`` is null.

    Raises
    ------
    InputError : names key, value and remedy of every problem.
    """
    value = _with_nulls(value)
    try:
        return Config.model_validate(value)
    except ValidationError as error:
        for item in error.errors():
            convert = _CONVERSIONS.get(item["type"])
            if convert is not None and isinstance(item["input"], str):
                with suppress(ValueError, KeyError):
                    _replace(value, item["loc"], convert(item["input"]))
    return parse(Config, value, where)


_CONVERSIONS: dict[str, Callable[[str], Any]] = {
    "int_type": int,
    "float_type": float,
    "bool_type": {"true": True, "false": False}.__getitem__,
}


def _with_nulls(value: Any) -> Any:
    """A deep copy of nested mappings and lists, with None for the text ``null``."""
    if isinstance(value, Mapping):
        return {key: _with_nulls(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_nulls(inner) for inner in value]
    return None if value == "null" else value


def _replace(value: Any, path: Sequence[str | int], new: Any) -> None:
    *parents, last = path
    for part in parents:
        if not isinstance(value, Mapping) or part in value:  # else the kind of one of several models, which is no key
            value = value[part]
    value[last] = new


def load_config(*paths: Path) -> Config:
    """Read configuration files, later ones over earlier ones, and check the result.

    Raises
    ------
    InputError : names file, key, value and remedy of every problem.
    """
    merged: dict[str, Any] = {}
    for path in paths:
        merged = merge(merged, read_yaml(path))
    return parse_config(merged, " + ".join(str(path) for path in paths))
