"""Language models: an encoder that reads tokens in order, and a decoder to the vocabulary.

References
----------
Press, Wolf (2017), Using the Output Embedding to Improve Language Models, https://arxiv.org/abs/1608.05859
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from bindgram.models.awd_lstm import State, locked_dropout
from bindgram.models.classifier import N_SPECIAL_TOKENS, build_encoder
from bindgram.settings.models import LanguageModelFile, LmDropoutSettings


class Decoded(NamedTuple):
    """What a language model makes of one batch, time first."""

    logits: Tensor  # (time, batch, vocabulary)
    raw: Tensor  # (time, batch, channels): what the encoder gives
    dropped: Tensor  # the same after the dropout before the decoder
    state: State  # of the encoder after the last token


class LanguageModel(nn.Module):
    """An encoder and a linear decoder, tied to the encoder's embedding where it has one.

    Parameters
    ----------
    encoder : has ``initial_state(batch_size)``, ``encode(tokens, state)`` from (batch, time) to (time, batch, channels)
        and the new state, ``embedding``, the (vocabulary, channels) weights or None, and in the latter case
        ``token_channels``. The state of one that reads each batch for itself is [].
    vocabulary_size : number of tokens, specials included.
    output_dropout : rate at which channels are dropped before the decoder, the same at all times.
    """

    def __init__(self, encoder: nn.Module, vocabulary_size: int, output_dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.output_dropout = output_dropout
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))
        if encoder.embedding is None:
            channels = encoder.token_channels
            bound = channels**-0.5
            self.decoder = nn.Parameter(torch.empty(vocabulary_size, channels).uniform_(-bound, bound))

    def forward(self, tokens: Tensor, state: State) -> Decoded:
        """Decode (batch, time) tokens that follow a state."""
        raw, state = self.encoder.encode(tokens, state)
        dropped = locked_dropout(raw, self.output_dropout, training=self.training)
        weight = self.decoder if self.encoder.embedding is None else self.encoder.embedding
        return Decoded(functional.linear(dropped, weight, self.bias), raw, dropped, state)


def build_language_model(settings: LanguageModelFile, dropout: LmDropoutSettings) -> LanguageModel:
    """Build a language model with random weights."""
    encoder = build_encoder(settings.encoder, settings.vocabulary, dropout)
    return LanguageModel(encoder, 4**settings.vocabulary.k + N_SPECIAL_TOKENS, dropout.output)
