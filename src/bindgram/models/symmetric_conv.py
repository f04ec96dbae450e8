"""Gated dilated convolutions that treat both strands alike: the modern encoder beside the AWD-LSTM.

Channels come in pairs, one for each strand: the reverse complement of an input is its flip over channels and positions
(A, C, G, T are channels 0 to 3), and every layer maps the flip of its input to the flip of its output, since its
filters come in pairs as well, each with its own reverse complement. So half of the weights are free, nothing has to be
learnt twice, and the score of a sequence is that of its reverse complement.

References
----------
Shrikumar, Greenside, Kundaje (2017), Reverse-complement parameter sharing, https://doi.org/10.1101/103663
van den Oord et al. (2016), gated dilated convolutions, https://arxiv.org/abs/1609.03499
Benegas, Batra, Song (2023), a convolutional masked language model of DNA, https://doi.org/10.1073/pnas.2311219120
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from bindgram.batch import Batch, Features
from bindgram.settings.encoders import DropoutSettings, SymmetricConvSettings

N_SPECIAL_TOKENS = 3  # as in bindgram.sequence.kmers, which models may not import; a test ties the two


def with_partners(weight: Tensor) -> Tensor:
    """Free weights of one half of the channels, followed by their reverse complements: flipped in every dimension."""
    return torch.cat([weight, weight.flip(tuple(range(weight.dim())))])


class SymmetricLayer(nn.Module):
    """A convolution with paired filters: the flip of the input gives the flip of the output.

    Values are (batch, positions, channels) with channels adjacent in memory, which is the fast order on CPU and GPU.
    With `gated`, each output is the product of one filter's score and the sigmoid of another's.
    """

    def __init__(self, in_channels: int, out_channels: int, width: int, dilation: int = 1, *, gated: bool) -> None:
        super().__init__()
        bound = (in_channels * width) ** -0.5
        n_sets = 2 if gated else 1
        shape = (n_sets, out_channels // 2, in_channels, width)
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(shape[:2]).uniform_(-bound, bound))
        self.dilation, self.pad = dilation, dilation * (width - 1) // 2
        self.gated = gated

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, positions, in) to (batch, positions, out)."""
        weight = torch.cat([with_partners(part) for part in self.weight])
        bias = torch.cat([with_partners(part) for part in self.bias])
        image = values.transpose(1, 2).unsqueeze(
            2
        )  # a 2-D convolution over one row: the one that is fast in this order
        made = functional.conv2d(image, weight.unsqueeze(2), bias, padding=(0, self.pad), dilation=(1, self.dilation))
        made = made.squeeze(2).transpose(1, 2)
        return functional.glu(made, dim=2) if self.gated else made


class SymmetricNorm(nn.Module):
    """Layer normalisation over the channels of a position, with one scale and shift for the two of a pair."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels // 2))
        self.bias = nn.Parameter(torch.zeros(channels // 2))

    def forward(self, values: Tensor) -> Tensor:
        """Normalise (batch, positions, channels)."""
        return functional.layer_norm(values, values.shape[-1:], with_partners(self.weight), with_partners(self.bias))


class Block(nn.Module):
    """Normalisation, gated dilated convolution and dropout of whole channels, added to what came in."""

    def __init__(self, channels: int, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = SymmetricNorm(channels)
        self.conv = SymmetricLayer(channels, channels, width, dilation, gated=True)
        self.dropout = dropout

    def forward(self, values: Tensor) -> Tensor:
        """Map (batch, positions, channels) to the same shape."""
        made = self.conv(self.norm(values))
        return values + functional.dropout1d(made.transpose(1, 2), self.dropout, self.training).transpose(1, 2)


class SymmetricConv(nn.Module):
    """Encoder: bases to one vector per base; stateless, and each output sees bases on both sides.

    Parameters
    ----------
    settings : sizes; the stem's filters read bases, then comes one block per dilation.
    dropout : its `hidden` is the share of channels dropped from the output of a block, the same at all positions.
    """

    reads = "one_hot"
    strand_symmetric = True
    causal = False
    embedding = None

    def __init__(self, settings: SymmetricConvSettings, dropout: DropoutSettings) -> None:
        super().__init__()
        channels = settings.channels
        self.stem = SymmetricLayer(4, channels, settings.stem_width, gated=False)
        self.blocks = nn.ModuleList(
            Block(channels, settings.filter_width, dilation, dropout.hidden) for dilation in settings.dilations
        )
        self.norm = SymmetricNorm(channels)
        self.last = SymmetricLayer(channels, settings.features, 1, gated=False)
        self.token_channels, self.out_channels = settings.features, settings.features // 2
        self.receptive_field_bp = settings.stem_width + (settings.filter_width - 1) * sum(settings.dilations)

    def initial_state(self, batch_size: int) -> list[tuple[Tensor, Tensor]]:
        """Nothing: each step of a language model is read on its own."""
        return []

    def scan(self, one_hot: Tensor) -> Tensor:
        """Map bases (batch, bp, 4) to (batch, bp, features); the reverse complement gives the flip of both."""
        values = self.stem(one_hot)
        for block in self.blocks:
            values = block(values)
        return functional.gelu(self.last(self.norm(values)))

    def encode(self, tokens: Tensor, state: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Encode (batch, time) tokens of single bases; return (time, batch, features) and no state."""
        return self.scan(_one_hot(tokens, self.stem.weight.dtype)).transpose(0, 1), state

    def forward(self, batch: Batch) -> Features:
        """Encode bases, or tokens of single bases.

        Returns
        -------
        (batch, 2 x bp, features / 2): what the forward strand's channels found from left to right, then what those of
        the reverse strand found from right to left. A maximum or mean over positions is one over both strands.
        """
        one_hot = batch.one_hot
        if one_hot is None:
            assert batch.tokens is not None
            one_hot = _one_hot(batch.tokens, self.stem.weight.dtype)
        forward, reverse = self.scan(one_hot).chunk(2, dim=2)
        return Features(torch.cat([forward, reverse.flip(1, 2)], dim=1), None, 1.0)

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """Parameters from input to output: stem, each block, the last layer."""
        blocks = [list(block.parameters()) for block in self.blocks]
        return [list(self.stem.parameters()), *blocks, [*self.norm.parameters(), *self.last.parameters()]]


def _one_hot(tokens: Tensor, dtype: torch.dtype) -> Tensor:
    """(batch, time) tokens of single bases to (batch, time, 4); a special token, such as ``<unk>``, is no base."""
    return functional.one_hot(tokens, N_SPECIAL_TOKENS + 4)[..., N_SPECIAL_TOKENS:].to(dtype)
