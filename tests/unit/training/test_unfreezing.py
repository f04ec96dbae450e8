"""Gradual unfreezing: what is frozen does not move, neither by gradient nor by decay nor by statistics."""

import numpy as np
import pytest
import torch
from torch import nn

from bindgram.batch import Batch, Features
from bindgram.models.awd_lstm import AwdLstm
from bindgram.models.classifier import Classifier
from bindgram.models.heads import ConcatPool
from bindgram.sequence.kmers import Vocabulary
from bindgram.settings.models import AwdLstmSettings, ConcatPoolHead, DropoutSettings, FinetuneStage
from bindgram.training.checkpoints import Checkpoints
from bindgram.training.finetune import train_classifier, train_unfrozen
from bindgram.training.loaders import LabelledSequences
from bindgram.training.optimizers import discriminative_rates

CPU = torch.device("cpu")
DROPOUT = {"embedding": 0.1, "input": 0.1, "weight": 0.1, "hidden": 0.1}
FINETUNE = {
    "stages": [{"unfrozen": 1, "epochs": 1, "learning_rate": 1e-2}],
    "layer_decay": 2.6,
    "weight_decay": 0.5,
    "schedule": "one_cycle",
    "warmup": 0.3,
    "momentum": [0.8, 0.7],
    "clip_norm": 1.0,
    "batch_size": 8,
    "patience": None,
    "reverse_complement": True,
    "dropout": DROPOUT,
    "precision": "32-true",
}
HEAD = ConcatPoolHead(name="concat_pool", hidden_size=4, dropout=0.1, hidden_dropout=0.1)


def sequences(vocabulary):
    rng = np.random.default_rng(0)
    return LabelledSequences(rng.integers(0, 4, (24, 20)).astype(np.uint8), np.arange(24) % 2 * 1.0, vocabulary)


def lstm_classifier():
    sizes = AwdLstmSettings(name="awd_lstm", embedding_size=3, hidden_size=4, n_layers=6)
    return Classifier(AwdLstm(sizes, 4**2 + 3, 1, DropoutSettings(**DROPOUT)), ConcatPool(HEAD, 3))


def finetuned(model, unfrozen, data):
    """Train one stage; tell for each parameter group from input to head whether all, or none, of it has moved."""
    before = [[parameter.detach().clone() for parameter in group] for group in model.parameter_groups()]
    buffers = {name: value.clone() for name, value in model.encoder.named_buffers()}
    stages = [{"unfrozen": unfrozen, "epochs": 1, "learning_rate": 1e-2}]
    checkpoint = Checkpoints().of({"seed": 1}, CPU)
    settings = FinetuneStage.model_validate(FINETUNE | {"stages": stages})
    train_classifier(model, settings, data, data, device=CPU, seed=1, checkpoint=checkpoint)
    moved = [
        {not torch.equal(*pair) for pair in zip(group, old, strict=True)}
        for group, old in zip(model.parameter_groups(), before, strict=True)
    ]
    return moved, {name for name, value in model.encoder.named_buffers() if not torch.equal(value, buffers[name])}


@pytest.mark.parametrize(("unfrozen", "n_still"), [(1, 7), (2, 6), (3, 5), (None, 0)])
def test_the_stages_of_ulmfit_move_the_last_groups_and_no_other(unfrozen, n_still):
    moved, _ = finetuned(lstm_classifier(), unfrozen, sequences(Vocabulary(2, 1)))
    assert moved == [{False}] * n_still + [{True}] * (8 - n_still)  # embedding, six layers, head


def test_rates_fall_by_2_6_from_group_to_group_as_in_ulmfit():
    rates = discriminative_rates(1e-2, 2.6, 5)
    assert rates == pytest.approx([1e-2 / 2.6**4, 1e-2 / 2.6**3, 1e-2 / 2.6**2, 1e-2 / 2.6, 1e-2])


class Normalised(nn.Module):
    """An encoder of bases with batch normalisation."""

    def __init__(self):
        super().__init__()
        self.weights = nn.Linear(4, 3)
        self.normalisation = nn.BatchNorm1d(3)
        self.dropout = nn.Dropout(0.5)

    def forward(self, batch):
        values = self.normalisation(self.weights(batch.one_hot).transpose(1, 2))
        return Features(self.dropout(values).transpose(1, 2), None, 1.0)

    def parameter_groups(self):
        return [list(self.parameters())]


@pytest.mark.parametrize(("unfrozen", "moved"), [(1, False), (2, True)])
def test_statistics_of_frozen_normalisation_do_not_move(unfrozen, moved):
    torch.manual_seed(0)
    groups, buffers = finetuned(Classifier(Normalised(), ConcatPool(HEAD, 3)), unfrozen, sequences(None))
    assert groups == [{moved}, {True}]
    assert ("normalisation.running_mean" in buffers) == moved


def test_frozen_normalisation_uses_the_statistics_it_has_and_frozen_dropout_acts():
    encoder = Normalised()
    encoder.requires_grad_(False)
    train_unfrozen(encoder)
    assert encoder.dropout.training
    ones = Batch(one_hot=torch.ones(2, 5, 4))
    encoder.dropout.p = 0.0
    expected = encoder.weights(ones.one_hot)  # mean 0 and variance 1, as they were made
    torch.testing.assert_close(encoder(ones).values, expected, rtol=1e-4, atol=1e-5)
    encoder.requires_grad_(True)
    train_unfrozen(encoder)
    assert encoder.normalisation.training
