"""Known motifs and interpretation: which library, which models, and how attributions become motifs."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bindgram.settings.base import Id, Settings

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
