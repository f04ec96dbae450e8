"""Grad-CAM: where a convolutional encoder found what its head looked at.

Grad-CAM weights a channel by its mean gradient over positions, which suits heads that take means. Ours take maxima
too, and what is nowhere near its highest value is not read at all: so each value is weighted by its own gradient,
which is the same where a head takes means (HiResCAM).

References
----------
Draelos, Carin (2020), Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks,
https://arxiv.org/abs/2011.08891
Selvaraju et al. (2017), Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization,
https://arxiv.org/abs/1610.02391
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from bindgram.batch import Batch
from bindgram.interpretation.contributions import Attribution
from bindgram.interpretation.scorer import OneHotScorer
from bindgram.settings.attribution import AttributionSettings


def grad_cam(
    scorer: OneHotScorer, codes: np.ndarray, settings: AttributionSettings, rng: np.random.Generator
) -> Attribution:
    """Rectified sum over an encoder's channels of value times gradient: (N, L), never negative.

    Not captum's `LayerGradCam`, which knows neither the two strands of an encoder's positions nor bases.
    """
    if scorer.recurrent:
        return Attribution.not_defined(
            f"Grad-CAM reads maps of a convolution, and the features of {scorer.encoder_name} are the states of an LSTM"
        )
    maps = []
    for rows in np.array_split(codes, -(-len(codes) // settings.batch_size)):
        bases = scorer.one_hot(rows)
        found = _map_of(scorer, bases)
        if not scorer.strand_symmetric:
            found = (found + _map_of(scorer, bases.flip(1, 2)).flip(1)) / 2
        maps.append(found.float().cpu().numpy())
    return Attribution(np.concatenate(maps))


def _map_of(scorer: OneHotScorer, bases: Tensor) -> Tensor:
    """Map of (N, 4, L) as it stands, stretched to its bases: (N, L)."""
    with torch.no_grad():
        features = scorer.features(bases)
    with torch.enable_grad():
        values = features.values.requires_grad_()
        score = scorer.classifier.head(replace(features, values=values), Batch()).sum()
        (slopes,) = torch.autograd.grad(score, values)
    found = (slopes * values.detach()).sum(dim=2).relu()
    if getattr(scorer.classifier.encoder, "strand_symmetric", False):
        ahead, back = found.chunk(2, dim=1)  # positions of the other strand follow, from its start on
        found = ahead + back.flip(1)
    return found @ stretching(found.shape[1], bases.shape[2], features.bin_size_bp).to(found)


def stretching(n_positions: int, length: int, bin_bp: float) -> Tensor:
    """Linear interpolation between the middles of positions of `bin_bp`: (positions, bases), columns sum to one.

    A convolution with an even filter has one position more than there are bases, half a base to either side.
    """
    overhang = (n_positions - length) / 2 if bin_bp == 1 else 0.0
    at = (np.arange(length) + 0.5) / bin_bp - 0.5 + overhang
    weights = [np.interp(at, np.arange(n_positions), row) for row in np.eye(n_positions)]
    return torch.from_numpy(np.stack(weights))
