"""Objectives of language models: what a model is asked for, and the loss of its answer.

References
----------
Merity et al. (2017), activation and temporal activation regularisation (AR and TAR):
https://arxiv.org/abs/1708.02182, section 4.5
"""

from typing import NamedTuple

from torch import Tensor, nn

from bindgram.models.awd_lstm import State
from bindgram.models.losses import cross_entropy_sum
from bindgram.settings.models import NextTokenSettings
from bindgram.training.loaders import target_mask


class Scored(NamedTuple):
    """One batch as an objective sees it.

    `nats` and `n_scored` are sums, so that parts of a batch add up to the same loss however it was divided.
    """

    nats: Tensor  # sum of the cross-entropies of the scored tokens, with its gradient
    n_scored: Tensor  # number of scored tokens
    penalty: Tensor | float  # mean over the whole batch; 0 in evaluation
    state: State  # of the encoder after the last token

    @property
    def loss(self) -> Tensor:
        """What training minimises: nats per scored token and the penalty."""
        return self.nats / self.n_scored.clamp(min=1) + self.penalty


class NextToken:
    """Predict each k-mer from those before it; AR and TAR keep the encoder's output small and slow."""

    def __init__(self, settings: NextTokenSettings) -> None:
        self.ar, self.tar = settings.ar, settings.tar

    def score(self, model: nn.Module, inputs: Tensor, targets: Tensor, state: State) -> Scored:
        """Run a language model on (batch, time) tokens that follow a state."""
        decoded = model(inputs, state)
        nats, n_scored = cross_entropy_sum(decoded.logits, targets.T, target_mask(inputs, targets).T)
        penalty = self.penalty(decoded.raw, decoded.dropped) if model.training else 0.0
        return Scored(nats, n_scored, penalty, decoded.state)

    def penalty(self, raw: Tensor, dropped: Tensor) -> Tensor | float:
        """AR of the output after dropout and TAR of the output before it, both (time, batch, channels).

        Mean squares, as in the authors' code (https://github.com/salesforce/awd-lstm-lm, main.py), where the paper
        writes L2 norms.
        """
        penalty: Tensor | float = 0.0
        if self.ar:
            penalty = penalty + self.ar * dropped.float().square().mean()
        if self.tar and len(raw) > 1:
            penalty = penalty + self.tar * raw.float().diff(dim=0).square().mean()
        return penalty


OBJECTIVES = {"next_token": NextToken}
