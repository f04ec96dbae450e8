"""Known motifs and interpretation: which library, which models, and how attributions become motifs."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from bindgram.settings.attribution import AttributionSettings
from bindgram.settings.base import Id, Settings

Method = Literal["ism", "integrated_gradients", "deeplift", "grad_cam", "occlusion"]
HYPOTHETICAL = ("ism", "integrated_gradients", "deeplift")  # methods that say what any base would add at a place
Positive = Annotated[int, Field(gt=0)]

# Releases and groups of JASPAR CORE, as pyjaspar ships them.
RELEASES = ("JASPAR2014", "JASPAR2016", "JASPAR2018", "JASPAR2020", "JASPAR2022", "JASPAR2024", "JASPAR2026")
TaxGroup = Literal["vertebrates", "plants", "insects", "nematodes", "fungi", "urochordates"]


class MotifSettings(Settings):
    """The library of known motifs: of a JASPAR release, or of a file."""

    library: Id
    tax_groups: list[TaxGroup]
    file: Annotated[str, Field(min_length=1)] | None

    @model_validator(mode="after")
    def _known_release(self) -> Self:
        if self.file is None and self.library not in RELEASES:
            raise ValueError(
                f"library {self.library!r} is no JASPAR release ({', '.join(RELEASES)}); give one, or name a file"
            )
        return self


class DiscoverySettings(Settings):
    """How attributions become patterns.

    Seqlets are found in windows of `window_bp` with `flank_bp` on both sides; patterns are `pattern_bp` wide and
    extended by `extension_bp` on both sides.
    """

    method: Method
    window_bp: Annotated[int, Field(ge=5)]
    flank_bp: Annotated[int, Field(ge=1)]
    pattern_bp: Annotated[int, Field(ge=5)]
    extension_bp: Annotated[int, Field(ge=0)]
    min_seqlets: Annotated[int, Field(ge=10)]
    min_pattern_seqlets: Annotated[int, Field(ge=5)]
    leiden_runs: Positive


class MatchingSettings(Settings):
    """How patterns are compared with known motifs."""

    trim_bits: Annotated[float, Field(ge=0, lt=2)]
    min_bp: Positive
    min_bits: Annotated[float, Field(ge=0)]
    max_q_value: Annotated[float, Field(gt=0, lt=1)]
    n_matches: Positive


class InterpretationSettings(Settings):
    """What is done with which models."""

    models: Literal["all"] | list[Id] | None
    n_sequences: Positive
    n_sites: Positive
    methods: Annotated[list[Method], Field(min_length=1)]
    attribution: AttributionSettings
    discovery: DiscoverySettings
    matching: MatchingSettings

    @field_validator("models", mode="before")
    @classmethod
    def _one_name_is_a_list(cls, value: Any) -> Any:
        if isinstance(value, str) and value != "all":
            raise ValueError(f"neither 'all' nor a list; write [{value}] for one model, or null for none")
        return value

    @field_validator("models", "methods")
    @classmethod
    def _unique(cls, value: Any) -> Any:
        names = value if isinstance(value, list) else []
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{', '.join(repeated)} given twice; keep one")
        return value

    @model_validator(mode="after")
    def _discovery_has_its_attributions(self) -> Self:
        if self.discovery.method not in self.methods:
            raise ValueError(
                f"discovery.method {self.discovery.method!r} is not among methods ({', '.join(self.methods)}); add it"
            )
        if self.discovery.method not in HYPOTHETICAL:
            raise ValueError(
                f"discovery.method {self.discovery.method!r} says nothing of bases that do not stand in a sequence; "
                f"take {' or '.join(HYPOTHETICAL)}"
            )
        return self
