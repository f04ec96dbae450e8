"""Attributions: how much each base of a sequence adds to a classifier's score, by several methods.

`ATTRIBUTIONS` maps the name of a method to a function ``(scorer, codes, settings, rng) -> Attribution``. Scores are
logits, the mean of both strands; a positive attribution speaks for binding. A method that does not fit an encoder, or
whose result cannot be trusted, gives an attribution that is not defined and says why; it is never wrong in silence.
"""

from collections.abc import Callable

import numpy as np
import torch

from bindgram.errors import InputError
from bindgram.interpretation.contributions import Attribution
from bindgram.interpretation.deeplift import deeplift
from bindgram.interpretation.gradcam import grad_cam
from bindgram.interpretation.occlusion import occlusion
from bindgram.interpretation.scorer import OneHotScorer
from bindgram.settings.attribution import AttributionSettings

Method = Callable[[OneHotScorer, np.ndarray, AttributionSettings, np.random.Generator], Attribution]


def attribute(
    method: str, scorer: OneHotScorer, codes: np.ndarray, settings: AttributionSettings, rng: np.random.Generator
) -> Attribution:
    """Attribute the scores of base codes (N, L) by a method of `ATTRIBUTIONS`.

    Raises
    ------
    InputError : there is no such method, or the model was trained on sequences of another length.
    """
    if method not in ATTRIBUTIONS:
        raise InputError(f"{method!r} is no attribution method; there are {', '.join(ATTRIBUTIONS)}")
    if codes.size == 0:
        return Attribution.not_defined("no sequence to explain")
    if codes.shape[1] != scorer.width:
        raise InputError(
            f"sequences of {codes.shape[1]} bp, but the model was trained on {scorer.width} bp; "
            "give sequences of the width of training"
        )
    found = ATTRIBUTIONS[method](scorer, codes, settings, rng)
    if found.values is not None and not np.isfinite(found.values).all():
        return Attribution.not_defined("the model gives scores that are no numbers")
    return found


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


def integrated_gradients(
    scorer: OneHotScorer, codes: np.ndarray, settings: AttributionSettings, rng: np.random.Generator
) -> Attribution:
    """Mean gradient on the way from all four bases at equal weights: hypothetical contributions (N, L, 4).

    What a base would add is its slope less the mean slope of the four. Those of a sequence sum to its score less that
    of equal weights, but for the error of `integration_steps`.

    References
    ----------
    Sundararajan, Taly, Yan (2017), Axiomatic Attribution for Deep Networks, https://arxiv.org/abs/1703.01365
    """
    from captum.attr import IntegratedGradients

    size, steps = min(settings.batch_size, scorer.max_batch), settings.integration_steps
    method = IntegratedGradients(scorer, multiply_by_inputs=False)
    slopes, differences = [], []
    with scorer.differentiable():
        for rows in np.array_split(codes, -(-len(codes) // max(1, size // steps))):
            bases = scorer.one_hot(rows)
            even = torch.full_like(bases, 0.25)
            slope = method.attribute(
                bases, even, n_steps=steps, method="gausslegendre", internal_batch_size=max(size, len(rows))
            )
            with torch.no_grad():
                differences.append((scorer(bases) - scorer(even[:1])).double().cpu().numpy())
            sums = (slope * (bases - even)).sum(dim=(1, 2)).double().cpu().numpy()
            slopes.append(slope.float().cpu().numpy())
            differences[-1] = np.stack([differences[-1], sums - differences[-1]])
    values = np.concatenate(slopes)
    values -= values.mean(axis=1, keepdims=True)
    expected, errors = np.concatenate(differences, axis=1)
    return Attribution.converged(values.transpose(0, 2, 1), errors, expected, settings.convergence_tolerance)


ATTRIBUTIONS: dict[str, Method] = {
    "ism": in_silico_mutagenesis,
    "integrated_gradients": integrated_gradients,
    "deeplift": deeplift,
    "grad_cam": grad_cam,
    "occlusion": occlusion,
}
