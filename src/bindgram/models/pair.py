"""Two encoders that read one sequence from both ends, as a pair of language models, forward and backward, does.

References
----------
Howard, Ruder (2018), Universal Language Model Fine-tuning for Text Classification, section 3.3 (there the scores of two
classifiers are averaged; here one head reads the features of both), https://arxiv.org/abs/1801.06146
"""

from dataclasses import replace
from itertools import zip_longest

import torch
from torch import nn

from bindgram.batch import Batch, Features


class Pair(nn.Module):
    """Encoder: one that reads a sequence as it stands beside one that reads it backwards (not complemented).

    The channels of both stand side by side in the order in which each reads, so that a head that pools takes the last,
    highest and mean value of each; position i of one half is not the place in the sequence of position i of the other.
    """

    def __init__(self, forwards: nn.Module, backwards: nn.Module) -> None:
        super().__init__()
        self.forwards = forwards
        self.backwards = backwards
        self.out_channels = forwards.out_channels + backwards.out_channels

    def forward(self, batch: Batch) -> Features:
        """Encode whole sequences in both directions; return the channels of both."""
        ahead, back = self.forwards(batch), self.backwards(turned_round(batch))
        return Features(torch.cat([ahead.values, back.values], dim=2), ahead.mask, ahead.bin_size_bp)

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """Parameters from input to output, the last group of one with the last of the other."""
        groups = (reversed(encoder.parameter_groups()) for encoder in (self.forwards, self.backwards))
        return [[*one, *other] for one, other in zip_longest(*groups, fillvalue=[])][::-1]


def turned_round(batch: Batch) -> Batch:
    """The sequences of a batch from their ends to their starts, on the same strand."""
    return replace(
        batch,
        tokens=None if batch.tokens is None else batch.tokens.flip(1),
        one_hot=None if batch.one_hot is None else batch.one_hot.flip(1),
    )
