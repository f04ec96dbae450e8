"""A classifier as a function of one-hot bases: the one door through which attribution methods see every model.

An encoder that reads k-mers is not differentiable in its tokens. It is continued to any mixture of bases by the
multilinear extension: the weight of a k-mer is the product of the weights of its bases, and what the model reads is
the weighted mean of the k-mers' embeddings. At sequences (one base everywhere) this is the embedding of the token
itself. Weights that do not sum to one, as at an ambiguous base, leave the rest to the embedding of ``<unk>``.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from bindgram.batch import Batch, Features
from bindgram.errors import InputError
from bindgram.models.awd_lstm import AwdLstm, WeightDropLstm
from bindgram.models.bundle import Bundle
from bindgram.models.pair import Pair
from bindgram.sequence.dna import one_hot
from bindgram.sequence.kmers import N_SPECIAL, UNK, Vocabulary
from bindgram.training.loaders import LabelledSequences
from bindgram.training.scoring import classifier_of, score_strands

MIXTURE_CELLS = 2**24  # weights of k-mers held at a time: 64 MB of float32


class OneHotScorer(nn.Module):
    """One-hot bases (N, 4, L), channels A, C, G, T, to (N,) logits; differentiable, and deterministic (no dropout).

    The score is the mean of both strands, as in prediction; a model that treats both alike reads one.

    Raises
    ------
    InputError : the bundle holds no classifier.
    """

    def __init__(self, bundle: Bundle, device: torch.device) -> None:
        super().__init__()
        if bundle.kind != "classifier" or bundle.skipped:
            raise InputError(f"{bundle.where}: holds no trained classifier; give one to interpret")
        self.classifier, self.vocabulary = classifier_of(bundle)
        self.device = device
        self.width = int(bundle.settings["width"])
        self.encoder_name = str(bundle.settings["encoder"]["name"])
        self.to(device).train(False).requires_grad_(False)

    @property
    def strand_symmetric(self) -> bool:
        """Whether a sequence and its reverse complement have one score anyway."""
        return bool(getattr(self.classifier, "strand_symmetric", False))

    @property
    def recurrent(self) -> bool:
        """Whether the encoder's features are the states of an LSTM."""
        return any(isinstance(module, nn.LSTM | WeightDropLstm) for module in self.classifier.encoder.modules())

    @property
    def max_batch(self) -> int:
        """Sequences whose mixtures of k-mers fit in `MIXTURE_CELLS`; for an encoder of bases any number."""
        if not self._reads_tokens or self.vocabulary is None:
            return MIXTURE_CELLS
        n_tokens = self.vocabulary.n_tokens(self.width)
        return max(1, MIXTURE_CELLS // (2 * n_tokens * 4**self.vocabulary.k))  # of both strands

    @property
    def _reads_tokens(self) -> bool:
        return isinstance(self.classifier.encoder, AwdLstm | Pair)

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode, whatever a library that borrows the model asks for."""
        return super().train(False)

    def forward(self, bases: Tensor) -> Tensor:
        """Score (N, 4, L): (N,) logits."""
        if self.strand_symmetric:
            return self.score_strand(bases)
        strands = torch.cat([bases, bases.flip(1, 2)])  # A<->T, C<->G is a flip of the channels
        return self.score_strand(strands).reshape(2, -1).mean(dim=0)

    def score_strand(self, bases: Tensor) -> Tensor:
        """Logits (N,) of (N, 4, L) as it stands."""
        return self.classifier.head(self.features(bases), Batch())

    def features(self, bases: Tensor) -> Features:
        """What the encoder makes of (N, 4, L) as it stands."""
        encoder = self.classifier.encoder
        if not self._reads_tokens:
            return encoder(Batch(one_hot=bases.transpose(1, 2)))
        if isinstance(encoder, AwdLstm):
            return self._read(encoder, bases)
        ahead, back = self._read(encoder.forwards, bases), self._read(encoder.backwards, bases, backwards=True)
        return Features(torch.cat([ahead.values, back.values], dim=2), None, ahead.bin_size_bp)

    def _read(self, encoder: nn.Module, bases: Tensor, *, backwards: bool = False) -> Features:
        assert isinstance(encoder, AwdLstm)
        assert self.vocabulary is not None
        embedded = embed_mixtures(bases, encoder.embedding, self.vocabulary)
        embedded = embedded.flip(1) if backwards else embedded
        values, _ = encoder.scan(embedded.transpose(0, 1), encoder.initial_state(len(bases)))
        return Features(values.transpose(0, 1), None, float(encoder.stride))

    def differentiable(self) -> AbstractContextManager[None]:
        """Context in which gradients are computed: cuDNN has none for an LSTM outside training."""
        return torch.backends.cudnn.flags(enabled=False) if self.device.type == "cuda" else nullcontext()

    def one_hot(self, codes: np.ndarray) -> Tensor:
        """Base codes (N, L) as (N, 4, L) on the model's device; an ambiguous base has four zeros."""
        return torch.from_numpy(one_hot(codes)).transpose(1, 2).contiguous().to(self.device)

    def score(self, codes: np.ndarray) -> np.ndarray:
        """Logits (N,) float64 of base codes (N, L), as `bindgram predict` computes them."""
        data = LabelledSequences(np.asarray(codes), np.zeros(len(codes), np.float32), self.vocabulary)
        return score_strands(self.classifier, data, self.device).mean(axis=0)


def embed_mixtures(bases: Tensor, embedding: Tensor, vocabulary: Vocabulary) -> Tensor:
    """Mean embedding of the k-mers at every place: (N, 4, L) to (N, tokens, channels).

    The weight of a k-mer is the product of those of its bases, what is left is ``<unk>``'s.
    """
    n_tokens = vocabulary.n_tokens(bases.shape[2])
    weights = bases.new_ones(len(bases), n_tokens, 1)
    end = (n_tokens - 1) * vocabulary.stride + 1
    for place in range(vocabulary.k):
        column = bases[:, :, place : place + end : vocabulary.stride].transpose(1, 2)
        weights = (weights.unsqueeze(3) * column.unsqueeze(2)).flatten(2)
    rest = 1 - weights.sum(dim=2, keepdim=True)
    return weights @ embedding[N_SPECIAL:] + rest * embedding[UNK]
