"""AWD-LSTM: an LSTM regularised by weight drop, variational and embedding dropout.

References
----------
Merity, Keskar, Socher (2017), Regularizing and Optimizing LSTM Language Models, https://arxiv.org/abs/1708.02182
Gal, Ghahramani (2016), A Theoretically Grounded Application of Dropout in RNNs, https://arxiv.org/abs/1512.05287
"""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from bindgram.batch import Batch, Features
from bindgram.settings.models import AwdLstmSettings, DropoutSettings

State = list[tuple[Tensor, Tensor]]  # per layer: hidden and cell, each (1, batch, channels)


def dropout_mask(shape: Sequence[int], rate: float, like: Tensor) -> Tensor:
    """0 for what is dropped, at `rate`, and for the rest what keeps the mean: of the type and device of `like`.

    On a CPU the rate is rounded to a multiple of 2^-16, since one random number of 64 bits serves four places: drawing
    one per place takes a tenth of a training step for the weights of a large LSTM.
    """
    if like.device.type != "cpu":
        return like.new_empty(shape).bernoulli_(1 - rate).div_(1 - rate)
    n, n_dropped = math.prod(shape), min(round(rate * 2**16), 2**16 - 1)
    draws = torch.empty(-(-n // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)[:n].view(shape)
    mask = torch.ge(draws, n_dropped - 2**15, out=like.new_empty(shape))
    return mask.mul_(2**16 / (2**16 - n_dropped))


def locked_dropout(values: Tensor, rate: float, *, training: bool) -> Tensor:
    """Drop the same channels at every time step (variational dropout).

    Parameters
    ----------
    values : (time, batch, channels).
    rate : probability of dropping a channel of one sequence.
    """
    if not training or rate == 0:
        return values
    return values * dropout_mask((1, *values.shape[1:]), rate, values)


def embed(tokens: Tensor, weight: Tensor, rate: float, *, training: bool) -> Tensor:
    """Look up k-mers, dropping whole k-mers from the vocabulary at `rate` (embedding dropout)."""
    if training and rate > 0:
        weight = weight * dropout_mask((len(weight), 1), rate, weight)
    return functional.embedding(tokens, weight)


def calculates_in(values: Tensor) -> torch.dtype:
    """Type in which an LSTM reads values that are on a GPU: that of autocast, where cuDNN has it.

    Left to itself, torch's autocast has cuDNN calculate in float16 whatever its type is.
    """
    if not torch.is_autocast_enabled(values.device.type):
        return values.dtype
    wanted = torch.get_autocast_dtype(values.device.type)
    return torch.float16 if wanted == torch.bfloat16 and not has_bfloat16_lstm(values.device) else wanted


def has_bfloat16_lstm(device: torch.device) -> bool:
    """Whether torch uses cuDNN for an LSTM in bfloat16 on this GPU (https://github.com/pytorch/pytorch/pull/164411)."""
    version = torch.backends.cudnn.version()
    return version is not None and version >= 91300 and torch.cuda.get_device_capability(device) >= (8, 0)


def one_chunk(weights: Sequence[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """Copies of weights in one piece of memory, one after the other.

    cuDNN's fused kernels want an LSTM's so, in the order w_ih, w_hh, b_ih, b_hh; torch would copy any others at every
    call, and warn.
    """
    chunk = torch.cat([weight.flatten() for weight in weights]).to(dtype)
    parts = chunk.split([weight.numel() for weight in weights])
    return [part.view_as(weight) for part, weight in zip(parts, weights, strict=True)]


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
        weight_hh = self.weight_hh
        if self.training and self.weight_dropout > 0:
            weight_hh = weight_hh * dropout_mask(weight_hh.shape, self.weight_dropout, weight_hh)
        weights = [self.weight_ih, weight_hh, self.bias_ih, self.bias_hh]
        if not values.is_cuda:
            return self._run(values, state, weights)
        dtype = calculates_in(values)
        with torch.autocast(values.device.type, enabled=False):
            state = (state[0].to(dtype), state[1].to(dtype))
            return self._run(values.to(dtype), state, one_chunk(weights, dtype))

    def _run(
        self, values: Tensor, state: tuple[Tensor, Tensor], weights: list[Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
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
        return self.scan(embed(tokens.T, self.embedding, self.dropout.embedding, training=self.training), state)

    def scan(self, values: Tensor, state: State) -> tuple[Tensor, State]:
        """Run the layers over embedded tokens (time, batch, embedding) from a state."""
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
        values, _ = self.encode(batch.tokens, self.initial_state(batch.tokens.shape[0]))
        return Features(values.transpose(0, 1), None, float(self.stride))

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """Parameters from input to output: embedding, then each layer."""
        return [[self.embedding], *(list(layer.parameters()) for layer in self.layers)]
