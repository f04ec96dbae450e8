"""A convolutional encoder in the manner of DeepBind: motif detectors that scan both strands.

References
----------
Alipanahi et al. (2015), Predicting the sequence specificities of DNA- and RNA-binding proteins by deep learning,
Nature Biotechnology 33, 831-838.
"""

import torch
from torch import nn
from torch.nn import functional

from bindgram.batch import Batch, Features
from bindgram.settings.models import ConvSettings


class Conv(nn.Module):
    """Encoder: one-hot bases to rectified detector scores at every position of both strands.

    The positions of the reverse strand follow those of the forward strand, so that a maximum over positions is a
    maximum over strands and the score of a sequence equals that of its reverse complement.
    """

    reads = "one_hot"
    strand_symmetric = True

    def __init__(self, settings: ConvSettings) -> None:
        super().__init__()
        self.detectors = nn.Conv1d(4, settings.n_filters, settings.filter_width)
        self.pad = settings.filter_width // 2
        self.out_channels = settings.n_filters

    def forward(self, batch: Batch) -> Features:
        """Scan (batch, bp, 4); return (batch, 2 x positions, filters)."""
        assert batch.one_hot is not None
        forward = batch.one_hot.transpose(1, 2)
        strands = torch.cat([forward, forward.flip(1, 2)])  # A<->T, C<->G is a flip of the channels A, C, G, T
        scores = functional.relu(self.detectors(functional.pad(strands, (self.pad, self.pad))))
        n = forward.shape[0]  # neither len() nor chunk(), by which torch.export fixes the batch size
        both = torch.cat([scores[:n], scores[n:]], dim=2)
        return Features(both.transpose(1, 2), None, 1.0)

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """Parameters from input to output."""
        return [list(self.parameters())]
