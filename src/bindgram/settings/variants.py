"""Variants of training data: a scheme of negatives with a suffix, such as ``genomic_matched-n500``.

``-n500`` trains on 500 of the positives with their negatives, ``-permuted`` on labels that are permuted. All rules take
such a name where they take a scheme.
"""

import re
from typing import Annotated

from pydantic import Field, field_validator

from bindgram.settings.base import Settings

PERMUTED = "permuted"
VARIANT = rf"n[1-9][0-9]*|{PERMUTED}"  # regular expression of the suffix, without its hyphen
_NAMED = re.compile(rf"(.+)-({VARIANT})")


class DataEfficiencySettings(Settings):
    """Numbers of training positives that scores are traced over, beside all of them."""

    positives: Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=1)]

    @field_validator("positives")
    @classmethod
    def _rising(cls, value: list[int]) -> list[int]:
        if sorted(set(value)) != value:
            raise ValueError(f"{value} does not rise from number to number; sort it and leave out repeats")
        return value


def split_variant(scheme: str) -> tuple[str, str]:
    """The scheme and the suffix of a name; ("neighbour", "") where it has none."""
    named = _NAMED.fullmatch(scheme)
    return (named[1], named[2]) if named else (scheme, "")


def n_of_variant(variant: str) -> int | None:
    """Number of positives of a suffix; None where it is none of a number."""
    return int(variant[1:]) if re.fullmatch(VARIANT, variant) and variant != PERMUTED else None
