"""An encoder in the manner of DanQ: motif detectors, then an LSTM in both directions over their best matches.

References
----------
Quang, Xie (2016), DanQ: a hybrid convolutional and recurrent deep neural network for quantifying the function of DNA
sequences, Nucleic Acids Research 44, e107.
"""

from torch import nn
from torch.nn import functional

from bindgram.batch import Batch, Features
from bindgram.settings.encoders import DanqSettings


class DanQ(nn.Module):
    """Encoder: one-hot bases to one vector of twice the hidden size per pooled stretch.

    Borders are padded with zeros, where the paper has none, so that short windows keep their ends.
    """

    reads = "one_hot"

    def __init__(self, settings: DanqSettings) -> None:
        super().__init__()
        self.detectors = nn.Conv1d(4, settings.n_filters, settings.filter_width)
        self.lstm = nn.LSTM(settings.n_filters, settings.hidden_size, batch_first=True, bidirectional=True)
        self.pad = ((settings.filter_width - 1) // 2, settings.filter_width // 2)
        self.rates, self.pool_width = settings.dropout, settings.pool_width
        self.out_channels = 2 * settings.hidden_size

    def forward(self, batch: Batch) -> Features:
        """Map (batch, bp, 4) to (batch, positions, 2 x hidden)."""
        assert batch.one_hot is not None
        bases = functional.pad(batch.one_hot.transpose(1, 2), self.pad)
        scores = functional.relu(self.detectors(bases))
        best = functional.max_pool1d(scores, self.pool_width, ceil_mode=True)
        best = functional.dropout(best, self.rates[0], self.training)
        values, _ = self.lstm(best.transpose(1, 2))
        values = functional.dropout(values, self.rates[1], self.training)
        return Features(values, None, float(self.pool_width))

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """Parameters from input to output: detectors, then the LSTM."""
        return [list(self.detectors.parameters()), list(self.lstm.parameters())]
