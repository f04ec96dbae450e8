"""Losses over known targets only."""

from torch import Tensor
from torch.nn import functional


def masked_binary_cross_entropy(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Mean binary cross-entropy in nats over the targets whose mask is True; 0 where none is known."""
    losses = functional.binary_cross_entropy_with_logits(logits.float(), targets.float(), reduction="none")
    return (losses * mask).sum() / mask.sum().clamp(min=1)


def masked_cross_entropy(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Mean cross-entropy in nats per known target.

    Parameters
    ----------
    logits : (..., classes).
    targets : (...) class ids; mask : (...) bool.
    """
    losses = functional.cross_entropy(logits.float().flatten(0, -2), targets.flatten(), reduction="none")
    known = mask.flatten()
    return (losses * known).sum() / known.sum().clamp(min=1)
