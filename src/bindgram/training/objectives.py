"""Objectives of language models: what a model is asked for, and the loss of its answer.

An objective makes a question of the tokens of one step (`ask`, or `ask_valid` in validation, where it is the same every
time), and scores the answer. Both names of numbers start from its `metric`: only those of one objective compare.

References
----------
Merity et al. (2017), activation and temporal activation regularisation (AR and TAR):
https://arxiv.org/abs/1708.02182, section 4.5
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from bindgram.data.markov import markov_nats_per_base
from bindgram.data.two_sided import two_sided_nats_per_base
from bindgram.models.awd_lstm import State
from bindgram.models.losses import cross_entropy_sum
from bindgram.provenance import step_rng
from bindgram.sequence.kmers import N_SPECIAL, UNK, Vocabulary
from bindgram.settings.models import MaskedSettings, NextTokenSettings
from bindgram.training.loaders import Lanes, target_mask

Question = tuple[Tensor, Tensor]  # inputs and targets, each (lanes, time)


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

    metric, reference = "nats_per_base", "markov"

    def __init__(self, settings: NextTokenSettings, vocabulary: Vocabulary) -> None:
        self.ar, self.tar = settings.ar, settings.tar

    def ask(self, lanes: Lanes, number: int, epoch: int, seed: int) -> Question:
        """Inputs and targets of one step of an epoch."""
        return lanes.step(number, epoch)

    def ask_valid(self, tokens: Tensor, first: int, rows: slice) -> Question:
        """Inputs and targets of (lanes, time + 1) validation tokens, `rows` of all lanes from place `first` on."""
        return tokens[:, :-1], tokens[:, 1:]

    def score_reference(
        self,
        tokens: np.ndarray,
        valid: np.ndarray,
        vocabulary: Vocabulary,
        *,
        reverse_complement: bool,
        check: Callable[[], None],
    ) -> dict[int, float]:
        """Nats per base of Markov models by order, with the arguments of `markov_nats_per_base`."""
        return markov_nats_per_base(tokens, valid, vocabulary, reverse_complement=reverse_complement, check=check)

    def counts(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Which targets are scored: (batch, time) bool."""
        return target_mask(inputs, targets)

    def score(self, model: nn.Module, inputs: Tensor, targets: Tensor, state: State) -> Scored:
        """Run a language model on (batch, time) tokens that follow a state."""
        decoded = model(inputs, state)
        nats, n_scored = cross_entropy_sum(decoded.logits, targets.T, self.counts(inputs, targets).T)
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


class Masked:
    """Predict hidden bases from what is visible around them.

    Stretches of at least `span` tokens become ``<unk>``. A hidden token is scored on its first `stride` bases, and only
    where no visible token has them: with overlapping k-mers the first ones of a stretch share bases with the visible
    ones before it. So every scored token stands for exactly `stride` bases that the model has not seen, as in
    `NextToken`, and a base is asked for once. The sum over the k-mers that begin with these bases is their probability.
    """

    metric, reference = "masked_nats_per_base", "two_sided"

    def __init__(self, settings: MaskedSettings, vocabulary: Vocabulary) -> None:
        self.fraction, self.span, self.vocabulary = settings.fraction, settings.span, vocabulary

    def ask(self, lanes: Lanes, number: int, epoch: int, seed: int) -> Question:
        """Inputs and targets of one step; what is hidden depends on seed, epoch, step and lane alone."""
        rng = step_rng(seed, "masked", f"epoch{epoch}", f"step{number}")
        inputs, _ = lanes.step(number, epoch)
        return self.hide(inputs, self.draw((lanes.n_lanes, inputs.shape[1]), rng)[lanes.numbers])

    def ask_valid(self, tokens: Tensor, first: int, rows: slice) -> Question:
        """Inputs and targets of (lanes, time + 1) validation tokens, `rows` of all lanes from place `first` on."""
        rng = step_rng(0, "masked", "valid", f"place{first}")
        hidden = self.draw((rows.stop, tokens.shape[1] - 1), rng)
        return self.hide(tokens[:, :-1], hidden[rows])

    def draw(self, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        """Draw what is hidden: (lanes, time) bool in stretches of at least `span`, about `fraction` of all."""
        hidden = np.zeros(shape, bool)
        n_starts = shape[1] - self.span + 1
        if n_starts > 0:
            starts = rng.random((shape[0], n_starts)) < 1 - (1 - self.fraction) ** (1 / self.span)
            for place in range(self.span):
                hidden[:, place : place + n_starts] |= starts
        return hidden

    def hide(self, tokens: Tensor, hidden: np.ndarray) -> Question:
        """Replace hidden tokens by ``<unk>``; targets are the tokens to be scored, and ``<unk>`` elsewhere."""
        shared = (self.vocabulary.k - 1) // self.vocabulary.stride  # tokens before one that have bases of its start
        scored = hidden.copy()
        scored[:, :shared] = False  # what came before is not known here
        for back in range(1, shared + 1):
            scored[:, back:] &= hidden[:, :-back]  # nothing where a step has no more tokens than these
        unknown = torch.tensor(UNK)
        inputs = torch.where(torch.from_numpy(hidden), unknown, tokens)
        return inputs, torch.where(torch.from_numpy(scored), tokens, unknown)

    def score_reference(
        self,
        tokens: np.ndarray,
        valid: np.ndarray,
        vocabulary: Vocabulary,
        *,
        reverse_complement: bool,
        check: Callable[[], None],
    ) -> dict[int, float]:
        """Nats per base of counts between bases on both sides, by their number; arguments as of `NextToken`."""
        return two_sided_nats_per_base(tokens, valid, vocabulary, check=check)

    def counts(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Which targets are scored: (batch, time) bool."""
        return targets >= N_SPECIAL

    def score(self, model: nn.Module, inputs: Tensor, targets: Tensor, state: State) -> Scored:
        """Run a language model on (batch, time) tokens, some of them hidden."""
        decoded = model(inputs, state)
        n_endings = 4 ** (self.vocabulary.k - self.vocabulary.stride)  # k-mers that begin with the same bases
        by_start = decoded.logits[..., N_SPECIAL:].float().unflatten(-1, (-1, n_endings)).logsumexp(dim=-1)
        starts = (targets - N_SPECIAL) // n_endings
        nats, n_scored = cross_entropy_sum(by_start, starts.T, self.counts(inputs, targets).T)
        return Scored(nats, n_scored, 0.0, decoded.state)


OBJECTIVES = {"next_token": NextToken, "masked": Masked}
Objective = NextToken | Masked
