"""An encoder in the manner of DeepSEA: convolutions that see ever wider stretches, with pooling between them.

References
----------
Zhou, Troyanskaya (2015), Predicting effects of noncoding variants with deep learning-based sequence model, Nature
Methods 12, 931-934.
"""

import itertools

from torch import nn
from torch.nn import functional

from bindgram.batch import Batch, Features
from bindgram.settings.encoders import DeepSeaSettings


class DeepSea(nn.Module):
    """Encoder: one-hot bases to one vector per pooled stretch.

    Each convolution is rectified; a maximum over `pool_width` positions follows all but the last. Borders are padded
    with zeros, where the paper has none: its windows of 1,000 bp can lose some, those of 100 bp would vanish.
    """

    reads = "one_hot"

    def __init__(self, settings: DeepSeaSettings) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv1d(n_in, n_out, settings.filter_width) for n_in, n_out in itertools.pairwise([4, *settings.layers])
        )
        self.pad = ((settings.filter_width - 1) // 2, settings.filter_width // 2)
        self.rates, self.pool_width = settings.dropout, settings.pool_width
        self.out_channels = settings.layers[-1]
        self.bin_size_bp = float(settings.pool_width ** (len(settings.layers) - 1))

    def forward(self, batch: Batch) -> Features:
        """Map (batch, bp, 4) to (batch, positions, filters of the last convolution)."""
        assert batch.one_hot is not None
        values = batch.one_hot.transpose(1, 2)
        for number, (layer, rate) in enumerate(zip(self.layers, self.rates, strict=True)):
            values = functional.relu(layer(functional.pad(values, self.pad)))
            if number < len(self.layers) - 1:
                values = functional.max_pool1d(values, self.pool_width, ceil_mode=True)
            values = functional.dropout(values, rate, self.training)
        return Features(values.transpose(1, 2), None, self.bin_size_bp)

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """Parameters from input to output: one group per convolution."""
        return [list(layer.parameters()) for layer in self.layers]
