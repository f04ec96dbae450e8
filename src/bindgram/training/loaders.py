"""Batches for training. Batch *i* is a pure function of the seed and *i*, so that a run can be repeated or resumed.

Language models read a token stream in parallel lanes (truncated backpropagation through time); classifiers read
labelled examples, optionally as a random one of their two strands.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch

from bindgram.batch import Batch
from bindgram.provenance import step_rng
from bindgram.sequence.dna import one_hot, reverse_complement
from bindgram.sequence.kmers import SPECIAL_TOKENS, Vocabulary


@dataclass(frozen=True)
class Lanes:
    """A token stream of a corpus cut into equal lanes that are read side by side, `bptt` tokens at a time.

    Epoch e reads every `stride`-th token from the e-th on, modulo the stride, so that as many epochs as the stride read
    every k-mer once. With `reverse_complement` (an even number of lanes), the second half of the lanes reads the same
    stretches again on the other strand: the reversed order of reverse-complement k-mers. Several processes read
    different stretches, each both of their strands; together they read what one process would.
    """

    tokens: np.ndarray  # (tokens,) of any unsigned type, one per base, may be memory-mapped
    vocabulary: Vocabulary
    n_lanes: int  # of all processes together
    bptt: int
    reverse_complement: bool
    rank: int = 0
    world_size: int = 1
    lengths_seed: int | None = None  # of steps of variable length; None: all of `bptt` tokens

    @property
    def _n_stretches(self) -> int:
        return self.n_lanes // 2 if self.reverse_complement else self.n_lanes

    @property
    def lane_length(self) -> int:
        """Tokens per lane and epoch; what is left over at the end of the stream is not read."""
        return len(self.tokens) // self._n_stretches // self.vocabulary.stride

    def borders(self, epoch: int) -> np.ndarray:
        """First token of each step of an epoch, and the end of the last; equal in all processes.

        Each step needs one token more than it reads, as the last target.
        """
        return _borders(self.lane_length - 1, self.bptt, self.lengths_seed, epoch)

    @property
    def n_steps(self) -> int:
        """Steps of the first epoch; others have as many, or nearly so where lengths vary."""
        return len(self.borders(0)) - 1

    @property
    def _ours(self) -> slice:
        n = self._n_stretches
        return slice(self.rank * n // self.world_size, (self.rank + 1) * n // self.world_size)

    @property
    def numbers(self) -> np.ndarray:
        """Numbers of this process's lanes among those of all, in the order in which `read` gives them."""
        numbers = np.arange(self._n_stretches)[self._ours]
        return np.concatenate([numbers, self._n_stretches + numbers[::-1]]) if self.reverse_complement else numbers

    @cached_property
    def _strands(self) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Views (lanes of this process, tokens) of the stream, each with the look-up table of its strand."""
        n = self._n_stretches
        width = len(self.tokens) // n
        stretches = np.asarray(self.tokens)[: n * width].reshape(n, width)[self._ours]
        strands = [(stretches, None)]
        if self.reverse_complement:
            strands.append((stretches[::-1, ::-1], self.vocabulary.reverse_complement_ids()))
        return strands

    def read(self, epoch: int, first: int, width: int) -> torch.Tensor:
        """`width` tokens of every lane of this process, from the `first` of an epoch on: (lanes, width) int64."""
        stride = self.vocabulary.stride
        start = epoch % stride + first * stride
        parts = []
        for lanes, table in self._strands:
            part = lanes[:, start : start + (width - 1) * stride + 1 : stride]
            parts.append(part if table is None else table[part])
        return torch.from_numpy(np.concatenate(parts, dtype=np.int64))

    def step(self, number: int, epoch: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and targets of one step of an epoch, each (lanes, tokens) int64."""
        first, end = (int(border) for border in self.borders(epoch)[number : number + 2])
        both = self.read(epoch, first, end - first + 1)
        return both[:, :-1], both[:, 1:]


def send(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Values on a device; to a GPU from pinned memory, so that the copy does not wait for the step before."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values.to(device)


MIN_TOKENS, MAX_MORE = 5, 20  # of a step of variable length: at least, and at most beyond `bptt`


def step_lengths(n: int, bptt: int, seed: int, epoch: int) -> np.ndarray:
    """Tokens of the first `n` steps of an epoch; step i is a function of the seed, the epoch and i alone.

    As in Merity et al. (2017), section 4.1: around `bptt` with probability 0.95, else around half of it, normal with
    standard deviation 5; never below five, as in the authors' code, and, so that memory has a bound, never more than
    four standard deviations above `bptt`.
    """
    halved = step_rng(seed, "bptt halved", f"epoch{epoch}").random(n) >= 0.95
    noise = step_rng(seed, "bptt noise", f"epoch{epoch}").normal(0, 5, n)
    lengths = (np.where(halved, bptt / 2, bptt) + noise).astype(int)
    return lengths.clip(min(MIN_TOKENS, bptt), bptt + MAX_MORE)


@lru_cache(maxsize=2)
def _borders(n_tokens: int, bptt: int, seed: int | None, epoch: int) -> np.ndarray:
    """Borders of the steps over `n_tokens`; a rest too short for a step is not read."""
    if seed is None or n_tokens < bptt:
        return np.arange(0, max(n_tokens, 0) + 1, bptt)
    shortest = min(MIN_TOKENS, bptt)
    ends = np.cumsum(step_lengths(n_tokens // shortest + 1, bptt, seed, epoch))
    borders = np.concatenate([[0], ends[ends < n_tokens], [n_tokens]])
    return borders[:-1] if borders[-1] - borders[-2] < shortest else borders


def spread_lanes(tokens: np.ndarray, n_lanes: int, max_tokens: int, stride: int) -> np.ndarray:
    """`n_lanes` equal stretches, evenly spaced over a stream, with every token in them: (lanes, positions).

    Every `stride`-th token of them is what a language model reads: `max_tokens` in all at most.
    """
    spacing = len(tokens) // n_lanes
    n_read = min(-(-spacing // stride), max_tokens // n_lanes)
    length = max((n_read - 1) * stride + 1, 0)
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
