"""What data loaders make and models read: the torch dataclasses between data and models."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Sequences with their targets.

    Attributes
    ----------
    tokens : (batch, tokens) int64 k-mer ids, for encoders that read k-mers.
    one_hot : (batch, bp, 4) float32, for encoders that read bases; an ambiguous base is all zero.
    targets : target name to values, (batch,) or (batch, targets).
    masks : target name to bool, same shape; False = unknown, not part of the loss.
    """

    tokens: Tensor | None = None
    one_hot: Tensor | None = None
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    masks: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Features:
    """What an encoder makes of a batch.

    Attributes
    ----------
    values : (batch, positions, channels).
    mask : (batch, positions) bool, False = padding; None = all positions are real.
    bin_size_bp : bp per position.
    """

    values: Tensor
    mask: Tensor | None
    bin_size_bp: float
