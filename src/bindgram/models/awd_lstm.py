"""AWD-LSTM: an LSTM regularised by weight drop, variational and embedding dropout.

References
----------
Merity, Keskar, Socher (2017), Regularizing and Optimizing LSTM Language Models, https://arxiv.org/abs/1708.02182
Gal, Ghahramani (2016), A Theoretically Grounded Application of Dropout in RNNs, https://arxiv.org/abs/1512.05287
"""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from bindgram.batch import Batch, Features
from bindgram.settings.models import AwdLstmSettings, DropoutSettings

State = list[tuple[Tensor, Tensor]]  # per layer: hidden and cell, each (1, batch, channels)


def locked_dropout(values: Tensor, rate: float, *, training: bool) -> Tensor:
    """Drop the same channels at every time step (variational dropout).

    Parameters
    ----------
    values : (time, batch, channels).
    rate : probability of dropping a channel of one sequence.
    """
    if not training or rate == 0:
        return values
    mask = values.new_empty(1, values.shape[1], values.shape[2]).bernoulli_(1 - rate).div_(1 - rate)
    return values * mask


def embed(tokens: Tensor, weight: Tensor, rate: float, *, training: bool) -> Tensor:
    """Look up k-mers, dropping whole k-mers from the vocabulary at `rate` (embedding dropout)."""
    if training and rate > 0:
        keep = weight.new_empty(weight.shape[0], 1).bernoulli_(1 - rate).div_(1 - rate)
        weight = weight * keep
    return functional.embedding(tokens, weight)


class WeightDropLstm(nn.Module):
    """One LSTM layer whose hidden-to-hidden weights are dropped, with one mask for all time steps (DropConnect)."""

    def __init__(self, input_size: int, hidden_size: int, weight_dropout: float) -> None:
        super().__init__()
        bound = hidden_size**-0.5
        self.hidden_size = hidden_size
        self.weight_dropout = weight_dropout
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size).uniform_(-bound, bound))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size).uniform_(-bound, bound))
        self.bias_ih = nn.Parameter(torch.empty(4 * hidden_size).uniform_(-bound, bound))
        self.bias_hh = nn.Parameter(torch.empty(4 * hidden_size).uniform_(-bound, bound))
        with torch.no_grad():
            self.bias_hh[hidden_size : 2 * hidden_size].fill_(1.0)  # forget gate: remember at first

    def forward(self, values: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Map (time, batch, input) to (time, batch, hidden) and the last state."""
        weight_hh = functional.dropout(self.weight_hh, self.weight_dropout, self.training)
        weights = (self.weight_ih, weight_hh, self.bias_ih, self.bias_hh)
        values, hidden, cell = torch.lstm(values, state, weights, True, 1, 0.0, self.training, False, False)
        return values, (hidden, cell)


class AwdLstm(nn.Module):
    """Encoder: k-mer tokens to one vector of embedding size per token.

    Parameters
    ----------
    settings : sizes; layers are embedding → hidden → ... → hidden → embedding.
    vocabulary_size : number of tokens, specials included.
    stride : bp between tokens.
    dropout : rates.
    """

    reads = "tokens"

    def __init__(self, settings: AwdLstmSettings, vocabulary_size: int, stride: int, dropout: DropoutSettings) -> None:
        super().__init__()
        self.dropout = dropout
        self.stride = stride
        self.out_channels = settings.embedding_size
        self.embedding = nn.Parameter(torch.empty(vocabulary_size, settings.embedding_size).uniform_(-0.1, 0.1))
        hidden = [settings.hidden_size] * (settings.n_layers - 1)
        sizes = [settings.embedding_size, *hidden, settings.embedding_size]
        self.layers = nn.ModuleList(
            WeightDropLstm(n_in, n_out, dropout.weight) for n_in, n_out in itertools.pairwise(sizes)
        )

    def initial_state(self, batch_size: int) -> State:
        """Zeros for every layer."""
        return [
            (self.embedding.new_zeros(1, batch_size, layer.hidden_size),) * 2  # type: ignore[misc]
            for layer in self.layers
        ]

    def encode(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Encode (batch, time) tokens from a state; return (time, batch, channels) and the new state."""
        values = embed(tokens.T, self.embedding, self.dropout.embedding, training=self.training)
        values = locked_dropout(values, self.dropout.input, training=self.training)
        states: State = []
        for number, (layer, layer_state) in enumerate(zip(self.layers, state, strict=True)):
            values, layer_state = layer(values, layer_state)
            states.append(layer_state)
            if number < len(self.layers) - 1:
                values = locked_dropout(values, self.dropout.hidden, training=self.training)
        return values, states

    def forward(self, batch: Batch) -> Features:
        """Encode whole sequences from the zero state."""
        assert batch.tokens is not None
        values, _ = self.encode(batch.tokens, self.initial_state(len(batch.tokens)))
        return Features(values.transpose(0, 1), None, float(self.stride))

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """Parameters from input to output: embedding, then each layer."""
        return [[self.embedding], *(list(layer.parameters()) for layer in self.layers)]
