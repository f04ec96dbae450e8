"""Likelihood of sequences under a language model, without any labels.

A model of the genome tells real DNA from shuffles by itself: its log-likelihood per base, less that of an order-1
Markov model of the same corpus, is a floor for whatever is scored against shuffles.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from bindgram.errors import InputError
from bindgram.models.bundle import Bundle
from bindgram.sequence.dna import AMBIGUOUS, reverse_complement
from bindgram.sequence.kmers import BOS, PAD
from bindgram.training.loaders import target_mask
from bindgram.training.scoring import language_model_of

BATCH = 256  # sequences
CELLS = 32_000_000  # logits held at a time: 128 MB
TOKENS = 4_000_000  # of a batch of sequences


class Likelihood(NamedTuple):
    """Log-likelihoods in nats per base of N sequences, each (2, N): as they stand, and their other strand.

    NaN where no k-mer follows another.
    """

    model: np.ndarray
    markov: np.ndarray


class SequenceModel:
    """A causal language model that is ready to tell how likely sequences are.

    Raises
    ------
    InputError : the bundle is no language model, its objective is masked, or it has no Markov model.
    """

    def __init__(self, bundle: Bundle, device: torch.device) -> None:
        settings, self.model, self.vocabulary = language_model_of(bundle)
        if settings.objective.name != "next_token":
            raise InputError(
                f"{bundle.where}: its objective is {settings.objective.name}; only a model that predicts the next token"
                " gives a sequence a likelihood"
            )
        self.markov = _markov(bundle)
        self.order = -1 if settings.direction == "backward" else 1  # in which it reads
        self.device = device
        self.model.to(device).eval()

    def score(self, sequences: Sequence[np.ndarray]) -> Likelihood:
        """Score base codes of any lengths on both strands."""
        strands = [list(sequences), [reverse_complement(codes) for codes in sequences]]
        nats = np.stack([self._nats_per_base(strand) for strand in strands])
        markov = np.array([[markov_per_base(codes, self.markov) for codes in strand] for strand in strands])
        return Likelihood(-nats, markov.reshape(nats.shape))

    def _nats_per_base(self, sequences: list[np.ndarray]) -> np.ndarray:
        found = np.empty(len(sequences))
        tokens = [self._tokens(codes) for codes in sequences]
        order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))  # little padding
        for rows in _batches(order, tokens):
            nats, n_scored = self._nats([tokens[row] for row in rows])
            n_bases = n_scored * self.vocabulary.stride
            found[rows] = np.divide(nats, n_bases, out=np.full(len(rows), np.nan), where=n_bases > 0)
        return found

    def _tokens(self, codes: np.ndarray) -> np.ndarray:
        return np.concatenate([[BOS], self.vocabulary.encode(codes)[:: self.order]]).astype(np.int64)

    @torch.no_grad()
    def _nats(self, tokens: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Sums of the cross-entropies of k-mers that follow k-mers, and how many there are, per sequence."""
        length = max(len(row) for row in tokens)
        padded = np.full((len(tokens), length), PAD, np.int64)
        for number, row in enumerate(tokens):
            padded[number, : len(row)] = row
        both = torch.from_numpy(padded).to(self.device)
        state = self.model.encoder.initial_state(len(tokens))
        nats = torch.zeros(len(tokens), dtype=torch.float64, device=self.device)
        n_scored = torch.zeros(len(tokens), dtype=torch.int64, device=self.device)
        step = max(1, CELLS // (len(tokens) * self.vocabulary.size)) if state else length
        for start in range(0, length - 1, step):
            inputs, targets = both[:, start : start + step], both[:, start + 1 : start + step + 1]
            inputs = inputs[:, : targets.shape[1]]
            decoded = self.model(inputs, state)
            state, mask = decoded.state, target_mask(inputs, targets)
            losses = functional.cross_entropy(
                decoded.logits.float().flatten(0, 1), targets.T.flatten(), reduction="none"
            )
            nats += (losses.view(targets.T.shape).T * mask).sum(dim=1)
            n_scored += mask.sum(dim=1)
        return nats.cpu().numpy(), n_scored.cpu().numpy()


def _batches(order: Sequence[int], tokens: Sequence[np.ndarray]) -> list[list[int]]:
    """Rows in order, cut into batches of a bounded number of sequences and of tokens with padding."""
    batches: list[list[int]] = []
    for row in order:
        full = not batches or len(batches[-1]) == BATCH or (len(batches[-1]) + 1) * len(tokens[row]) > TOKENS
        if full:
            batches.append([])
        batches[-1].append(row)
    return batches


def _markov(bundle: Bundle) -> np.ndarray:
    """(4, 4) log-probabilities of the next base."""
    try:
        found = np.array(bundle.metrics["markov1"], dtype=np.float64)
    except (KeyError, TypeError, ValueError):
        found = np.empty(0)
    if found.shape != (4, 4):
        raise InputError(
            f"{bundle.where}: config.json: metrics.markov1: no order-1 Markov model (4 x 4); train it again"
        )
    return found


def markov_per_base(codes: np.ndarray, log_probabilities: np.ndarray) -> float:
    """Mean log-probability in nats of each base of (L,) codes given the one before; NaN where no base follows one.

    Parameters
    ----------
    log_probabilities : (4, 4), of `bindgram.data.markov.fit_markov` of order 1.
    """
    before, after = codes[:-1], codes[1:]
    known = (before < AMBIGUOUS) & (after < AMBIGUOUS)
    return float(log_probabilities[before[known], after[known]].mean()) if known.any() else float("nan")


def above_markov(likelihood: Likelihood) -> np.ndarray:
    """How much more likely than under the Markov model, in nats per base: (2, N); 0 where nothing can be scored."""
    return np.nan_to_num(likelihood.model - likelihood.markov)
