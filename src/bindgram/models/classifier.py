"""Classifiers: an encoder and a head, built from settings, and the transfer of a language model's weights."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bindgram.batch import Batch
from bindgram.models.awd_lstm import AwdLstm
from bindgram.models.bundle import check_tensors
from bindgram.models.conv import Conv
from bindgram.models.danq import DanQ
from bindgram.models.deepsea import DeepSea
from bindgram.models.heads import ConcatPool, MaxMeanPool, MaxPool
from bindgram.models.pair import Pair
from bindgram.models.symmetric_conv import N_SPECIAL_TOKENS, SymmetricConv
from bindgram.settings.encoders import (
    AwdLstmSettings,
    DropoutSettings,
    EncoderSettings,
    SymmetricConvSettings,
    VocabularySettings,
)
from bindgram.settings.models import ModelFile

ENCODERS = {"awd_lstm": AwdLstm, "conv": Conv, "deepsea": DeepSea, "danq": DanQ, "symmetric_conv": SymmetricConv}
HEADS = {"concat_pool": ConcatPool, "max_pool": MaxPool, "max_mean_pool": MaxMeanPool}


class Classifier(nn.Module):
    """An encoder with a head: a `Batch` to one logit per example."""

    def __init__(self, encoder: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, batch: Batch) -> Tensor:
        """Return (batch,) logits."""
        return self.head(self.encoder(batch), batch)

    @property
    def strand_symmetric(self) -> bool:
        """Whether a sequence and its reverse complement have one score, but for rounding.

        So it is where the encoder gives both the same values at positions in another order, and the head asks for none.
        """
        return getattr(self.encoder, "strand_symmetric", False) and isinstance(self.head, MaxPool | MaxMeanPool)

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """Parameters from input to head, for gradual unfreezing and discriminative learning rates."""
        return [*self.encoder.parameter_groups(), list(self.head.parameters())]


def build_encoder(
    settings: EncoderSettings, vocabulary: VocabularySettings | None, dropout: DropoutSettings | None
) -> nn.Module:
    """Build an encoder with random weights."""
    build = ENCODERS[settings.name]
    if isinstance(settings, AwdLstmSettings):
        assert vocabulary is not None
        return build(settings, 4**vocabulary.k + N_SPECIAL_TOKENS, vocabulary.stride, dropout)
    return build(settings, dropout) if isinstance(settings, SymmetricConvSettings) else build(settings)


def build_classifier(
    model: ModelFile,
    encoder: EncoderSettings,
    vocabulary: VocabularySettings | None,
    backward: EncoderSettings | None = None,
) -> Classifier:
    """Build a classifier with random weights from a model file and what it resolves to.

    `backward` is the encoder of its second language model, which reads backwards.
    """
    built = build_encoder(encoder, vocabulary, model.finetune.dropout)
    if backward is not None:
        built = Pair(built, build_encoder(backward, vocabulary, model.finetune.dropout))
    return Classifier(built, HEADS[model.head.name](model.head, built.out_channels))


def transfer_encoder(
    classifier: Classifier, state: Mapping[str, Tensor], backward: Mapping[str, Tensor] | None = None
) -> dict[str, Any]:
    """Copy a language model's encoder, or those of a pair, into a classifier and prove that they arrived.

    Returns
    -------
    ``n_tensors``, ``n_parameters`` moved, and ``n_changed`` tensors whose values differ from before, of both together.

    Raises
    ------
    InputError : a tensor is missing, superfluous or of another shape.
    ValueError : no tensor changed.
    """
    if backward is None:
        return _transfer(classifier.encoder, state, "pretrained bundle")
    pair = classifier.encoder
    one = _transfer(pair.forwards, state, "pretrained bundle")
    other = _transfer(pair.backwards, backward, "backward pretrained bundle")
    return {name: one[name] + other[name] for name in one}


def _transfer(encoder: nn.Module, state: Mapping[str, Tensor], where: str) -> dict[str, int]:
    ours = encoder.state_dict()
    theirs = {name.removeprefix("encoder."): value for name, value in state.items() if name.startswith("encoder.")}
    check_tensors(ours, theirs, f"{where}: encoder")
    before = {name: value.clone() for name, value in ours.items()}
    encoder.load_state_dict(theirs, strict=True)
    after = encoder.state_dict()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    if not changed:
        raise ValueError(f"{where}: loading it changed no tensor of the encoder")
    return {
        "n_tensors": len(theirs),
        "n_parameters": sum(value.numel() for value in theirs.values()),
        "n_changed": len(changed),
    }
