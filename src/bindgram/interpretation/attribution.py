"""Attributions: how much each base of a sequence adds to a classifier's score, by several methods.

`ATTRIBUTIONS` maps the name of a method to a function ``(scorer, codes, settings, rng) -> Attribution``. Scores are
logits, the mean of both strands; a positive attribution speaks for binding. A method that does not fit an encoder, or
whose result cannot be trusted, gives an attribution that is not defined and says why; it is never wrong in silence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from bindgram.errors import InputError
from bindgram.interpretation.scorer import OneHotScorer
from bindgram.sequence.dna import one_hot
from bindgram.settings.attribution import AttributionSettings


@dataclass(frozen=True)
class Attribution:
    """What a method says of N sequences.

    Attributes
    ----------
    values : (N, L, 4) hypothetical contributions, what each base would add if it stood at a place, for methods that
        give them (as motif discovery wants them); (N, L) otherwise; None where not defined.
    reason : "" or ``not defined: ...``.
    convergence_error : for methods whose attributions should sum to a difference of scores, how far they are off: the
        sum over sequences of the absolute error as a share of that of the differences; None for others.
    """

    values: np.ndarray | None
    reason: str = ""
    convergence_error: float | None = None

    @classmethod
    def not_defined(cls, why: str, convergence_error: float | None = None) -> Self:
        """An attribution that does not exist, and why."""
        return cls(None, f"not defined: {why}", convergence_error)

    @property
    def defined(self) -> bool:
        """Whether there are values."""
        return self.values is not None

    @property
    def hypothetical(self) -> np.ndarray | None:
        """(N, L, 4) hypothetical contributions; None where the method gives none."""
        return self.values if self.values is not None and self.values.ndim == 3 else None

    def importance(self, codes: np.ndarray) -> np.ndarray:
        """(N, L) attribution of the bases that stand in the sequences; 0 for an ambiguous one, where hypothetical."""
        assert self.values is not None, self.reason
        return (self.values * one_hot(codes)).sum(axis=2) if self.values.ndim == 3 else self.values


Method = Callable[[OneHotScorer, np.ndarray, AttributionSettings, np.random.Generator], Attribution]


def attribute(
    method: str, scorer: OneHotScorer, codes: np.ndarray, settings: AttributionSettings, rng: np.random.Generator
) -> Attribution:
    """Attribute the scores of base codes (N, L) by a method of `ATTRIBUTIONS`.

    Raises
    ------
    InputError : there is no such method.
    """
    if method not in ATTRIBUTIONS:
        raise InputError(f"{method!r} is no attribution method; there are {', '.join(ATTRIBUTIONS)}")
    if codes.size == 0:
        return Attribution.not_defined("no sequence to explain")
    return ATTRIBUTIONS[method](scorer, codes, settings, rng)


def in_silico_mutagenesis(
    scorer: OneHotScorer, codes: np.ndarray, settings: AttributionSettings, rng: np.random.Generator
) -> Attribution:
    """Score with each base at each place, less the mean of the four: hypothetical contributions (N, L, 4).

    tangermeme's `fast` is off, since it decides by the clock which of two roundings a result has.
    """
    from tangermeme.saturation_mutagenesis import saturation_mutagenesis

    found = saturation_mutagenesis(
        _Column(scorer),
        scorer.one_hot(codes),
        batch_size=min(settings.batch_size, scorer.max_batch),
        hypothetical=True,
        fast=False,
        device=str(scorer.device),
    )
    return Attribution(found.transpose(1, 2).numpy().astype(np.float32))


class _Column(torch.nn.Module):
    """A scorer whose result is a column (N, 1), as tangermeme wants it."""

    def __init__(self, scorer: OneHotScorer) -> None:
        super().__init__()
        self.scorer = scorer

    def forward(self, bases: torch.Tensor) -> torch.Tensor:
        """Score (N, 4, L): (N, 1) logits."""
        return self.scorer(bases)[:, None]


ATTRIBUTIONS: dict[str, Method] = {"ism": in_silico_mutagenesis}
