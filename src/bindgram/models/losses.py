"""Losses over known targets only."""

import torch
from torch import Tensor
from torch.nn import functional

IGNORED = -100  # class of a target that is not scored


def masked_binary_cross_entropy(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Mean binary cross-entropy in nats over the targets whose mask is True; 0 where none is known."""
    losses = functional.binary_cross_entropy_with_logits(logits.float(), targets.float(), reduction="none")
    return (losses * mask).sum() / mask.sum().clamp(min=1)


def cross_entropy_sum(logits: Tensor, targets: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of the cross-entropies in nats of the targets whose mask is True, and their number.

    Parameters
    ----------
    logits : (..., classes).
    targets : (...) class ids; mask : (...) bool.
    """
    classes = torch.where(mask, targets, IGNORED).flatten()
    nats = functional.cross_entropy(logits.float().flatten(0, -2), classes, ignore_index=IGNORED, reduction="sum")
    return nats, mask.sum()
