"""Batches for training. Batch *i* is a pure function of the seed and *i*, so that a run can be repeated or resumed.

Language models read a token stream in parallel lanes (truncated backpropagation through time); classifiers read
labelled examples, optionally as a random one of their two strands.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from bindgram.batch import Batch
from bindgram.provenance import step_rng
from bindgram.sequence.dna import one_hot, reverse_complement
from bindgram.sequence.kmers import SPECIAL_TOKENS, Vocabulary


@dataclass(frozen=True)
class Lanes:
    """A token stream cut into equal lanes that are read side by side, `bptt` tokens at a time.

    With `reverse_complement` (an even number of lanes), the second half of the lanes reads the whole stream again on
    the other strand: the reversed order of reverse-complement k-mers.
    """

    tokens: np.ndarray  # (tokens,) of any unsigned type, may be memory-mapped
    vocabulary: Vocabulary
    n_lanes: int
    bptt: int
    reverse_complement: bool

    @property
    def lane_length(self) -> int:
        """Tokens per lane; what is left over at the end of the stream is not read."""
        return len(self.tokens) // (self.n_lanes // 2 if self.reverse_complement else self.n_lanes)

    @property
    def n_steps(self) -> int:
        """Steps of one pass; each needs one token more than it reads, as the last target."""
        return max((self.lane_length - 1) // self.bptt, 0)

    def step(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and targets of one step, each (lanes, bptt) int64."""
        first = number * self.bptt
        width = self.bptt + 1
        n_forward = self.n_lanes // 2 if self.reverse_complement else self.n_lanes
        starts = np.arange(n_forward) * self.lane_length + first
        rows = [self.tokens[start : start + width] for start in starts]
        if self.reverse_complement:
            table = self.vocabulary.reverse_complement_ids()
            ends = len(self.tokens) - np.arange(n_forward) * self.lane_length - first
            rows += [table[self.tokens[end - width : end]][::-1] for end in ends]
        both = torch.from_numpy(np.stack(rows).astype(np.int64))
        return both[:, :-1], both[:, 1:]


def spread_lanes(tokens: np.ndarray, n_lanes: int, max_tokens: int) -> np.ndarray:
    """`n_lanes` equal stretches, evenly spaced over a stream, of `max_tokens` in all at most: (lanes, tokens)."""
    spacing = len(tokens) // n_lanes
    length = min(spacing, max_tokens // n_lanes)
    return np.stack([tokens[lane * spacing : lane * spacing + length] for lane in range(n_lanes)])


def target_mask(inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Targets that count: k-mers that follow k-mers, so that every one stands for exactly `stride` new bases."""
    n_special = len(SPECIAL_TOKENS)
    return (inputs >= n_special) & (targets >= n_special)


@dataclass(frozen=True)
class LabelledSequences:
    """Sequences of equal length with 0/1 labels."""

    codes: np.ndarray  # (examples, bp) uint8 base codes
    labels: np.ndarray  # (examples,) float32
    vocabulary: Vocabulary | None  # None: the encoder reads one-hot bases

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def n_tokens(self) -> int:
        """Tokens of one sequence: its k-mers, or its bases where the encoder reads those."""
        width = self.codes.shape[1]
        return width if self.vocabulary is None else self.vocabulary.n_tokens(width)

    def batch(self, rows: np.ndarray, reverse: np.ndarray, device: torch.device) -> Batch:
        """Make a batch of `rows`, those where `reverse` is True as their reverse complement."""
        codes = self.codes[rows]
        codes[reverse] = reverse_complement(codes[reverse])
        targets = {"label": torch.from_numpy(self.labels[rows]).to(device)}
        masks = {"label": torch.ones(len(rows), dtype=torch.bool, device=device)}
        if self.vocabulary is None:
            return Batch(one_hot=torch.from_numpy(one_hot(codes)).to(device), targets=targets, masks=masks)
        tokens = torch.from_numpy(self.vocabulary.encode(codes).astype(np.int64)).to(device)
        return Batch(tokens=tokens, targets=targets, masks=masks)

    def epoch(
        self,
        seed: int,
        epoch: int,
        batch_size: int,
        device: torch.device,
        *,
        reverse_complement: bool,
        first: int = 0,
    ) -> Iterator[Batch]:
        """One pass in random order, from its batch `first` on; each example on a random strand if `reverse_complement`.

        A last batch of a single example joins the one before it, since batch normalisation needs two.
        """
        rng = step_rng(seed, "finetune", f"epoch{epoch}")
        order = rng.permutation(len(self))
        flips = rng.random(len(self)) < 0.5 if reverse_complement else np.zeros(len(self), bool)
        borders = list(range(0, len(self), batch_size))
        if len(self) - borders[-1] == 1 and len(borders) > 1:
            borders.pop()
        for start, end in list(zip(borders, [*borders[1:], len(self)], strict=True))[first:]:
            yield self.batch(order[start:end], flips[start:end], device)
