"""Heads: from an encoder's features to one score per example."""

import torch
from torch import Tensor, nn

from bindgram.batch import Batch, Features
from bindgram.settings.models import ConcatPoolHead, MaxMeanPoolHead, MaxPoolHead


class ConcatPool(nn.Module):
    """Last, maximum and mean over positions → hidden layer → score.

    References
    ----------
    Howard, Ruder (2018), Universal Language Model Fine-tuning for Text Classification, https://arxiv.org/abs/1801.06146
    """

    def __init__(self, settings: ConcatPoolHead, in_channels: int) -> None:
        super().__init__()
        self.layers = _scorer(3 * in_channels, settings)

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """Return (batch,) logits."""
        if features.mask is None:
            last = features.values[:, -1]
        else:
            n_real = features.mask.sum(dim=1, keepdim=True)
            last = features.values.take_along_dim(n_real[..., None] - 1, dim=1)[:, 0]
        return self.layers(torch.cat([last, _highest(features), _mean(features)], dim=1))[:, 0]


class MaxMeanPool(nn.Module):
    """Maximum and mean over positions → hidden layer → score; unlike `ConcatPool`, no position counts more."""

    def __init__(self, settings: MaxMeanPoolHead, in_channels: int) -> None:
        super().__init__()
        self.layers = _scorer(2 * in_channels, settings)

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """Return (batch,) logits."""
        return self.layers(torch.cat([_highest(features), _mean(features)], dim=1))[:, 0]


class MaxPool(nn.Module):
    """Maximum over positions → hidden layer → score."""

    def __init__(self, settings: MaxPoolHead, in_channels: int) -> None:
        super().__init__()
        self.layers = _scorer(in_channels, settings)

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """Return (batch,) logits."""
        return self.layers(_highest(features))[:, 0]


def _highest(features: Features) -> Tensor:
    return _masked(features, -torch.inf).amax(dim=1)


def _mean(features: Features) -> Tensor:
    if features.mask is None:
        return features.values.mean(dim=1)
    return _masked(features, 0.0).sum(dim=1) / features.mask.sum(dim=1, keepdim=True)


def _masked(features: Features, fill: float) -> Tensor:
    if features.mask is None:
        return features.values
    return features.values.masked_fill(~features.mask[..., None], fill)


def _scorer(in_channels: int, settings: ConcatPoolHead | MaxPoolHead | MaxMeanPoolHead) -> nn.Sequential:
    return nn.Sequential(
        nn.BatchNorm1d(in_channels),
        nn.Dropout(settings.dropout),
        nn.Linear(in_channels, settings.hidden_size),
        nn.ReLU(),
        nn.BatchNorm1d(settings.hidden_size),
        nn.Dropout(settings.hidden_dropout),
        nn.Linear(settings.hidden_size, 1),
    )
