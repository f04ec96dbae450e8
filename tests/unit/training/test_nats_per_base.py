"""Nats per base of a model that knows the distribution: exact for every k and stride, through a whole training."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from bindgram.data.corpus import stream_of_sequences
from bindgram.models.language_model import Decoded
from bindgram.sequence.kmers import N_SPECIAL, Vocabulary
from bindgram.settings.models import LanguageModelFile
from bindgram.training import pretrain
from bindgram.training.checkpoints import Checkpoints

CPU = torch.device("cpu")
STAGE = {
    "optimizer": {
        "name": "adamw",
        "learning_rate": 1e-2,
        "weight_decay": 0.0,
        "schedule": "constant",
        "warmup": None,
        "momentum": None,
        "clip_norm": None,
        "nonmonotone_checks": None,
    },
    "dropout": {"embedding": 0.0, "input": 0.0, "weight": 0.0, "hidden": 0.0, "output": 0.0},
    "batch_size": 8,
    "accumulation": 1,
    "bptt": 7,
    "variable_bptt": False,
    "max_tokens": None,
    "validate_every": 20,
    "max_valid_tokens": 6000,
    "reverse_complement": True,
    "precision": "32-true",
}


class Oracle(nn.Module):
    """Knows that k-mers overlap, and with what probability each base follows, whatever came before."""

    def __init__(self, vocabulary, probabilities):
        super().__init__()
        self.vocabulary, self.bias = vocabulary, nn.Parameter(torch.zeros(1))
        self.encoder = SimpleNamespace(initial_state=lambda batch_size: [])
        words = Vocabulary(vocabulary.stride, 1).kmer_codes()  # all that a token may bring
        self.log_probabilities = torch.from_numpy(np.log(probabilities)[words].sum(axis=1)).float()

    def forward(self, inputs, state):
        n_new = 4**self.vocabulary.stride
        overlap = (inputs.T - N_SPECIAL).clamp(min=0) % 4 ** (self.vocabulary.k - self.vocabulary.stride)
        allowed = N_SPECIAL + overlap[..., None] * n_new + torch.arange(n_new)
        logits = torch.full((*overlap.shape, self.vocabulary.size), -1e4)
        logits.scatter_(2, allowed, self.log_probabilities.expand(allowed.shape))
        return Decoded(logits + self.bias, logits, logits, state)


def train(monkeypatch, vocabulary, probabilities):
    """Metrics and log of a training of the oracle on random contigs, some of them with an unknown base."""
    rng = np.random.default_rng(0)

    def stream(n_contigs):
        contigs = [rng.choice(4, (1, int(rng.integers(60, 90))), p=probabilities) for _ in range(n_contigs)]
        for contig in contigs[::4]:
            contig[0, 40] = 4
        return np.concatenate([stream_of_sequences(contig.astype(np.uint8), vocabulary) for contig in contigs])

    monkeypatch.setattr(pretrain, "build_language_model", lambda *_: Oracle(vocabulary, probabilities))
    settings = {
        "vocabulary": {"k": vocabulary.k, "stride": vocabulary.stride},
        "encoder": {"name": "awd_lstm", "embedding_size": 1, "hidden_size": 1, "n_layers": 1},  # not built
        "direction": "forward",
        "objective": {"name": "next_token", "ar": 0.0, "tar": 0.0},
        "pretrain": STAGE | {"epochs": vocabulary.stride},
        "adapt": None,
    }
    return pretrain.train_language_model(
        LanguageModelFile(**settings),
        "pretrain",
        stream(40),
        stream(60),
        device=CPU,
        seed=1,
        checkpoint=Checkpoints().of({"seed": 1}, CPU),
    )


@pytest.mark.parametrize(("k", "stride"), [(1, 1), (3, 1), (4, 1), (5, 1), (4, 2), (6, 3), (5, 5)])
def test_random_bases_cost_exactly_log_four_per_base(monkeypatch, k, stride):
    trained = train(monkeypatch, Vocabulary(k, stride), [0.25] * 4)
    assert trained.metrics["valid_nats_per_base"] == pytest.approx(np.log(4), abs=2e-6)
    assert trained.log["train_nats_per_base"].to_numpy() == pytest.approx(np.log(4), abs=2e-6)


@pytest.mark.parametrize(("k", "stride"), [(3, 1), (6, 3)])
def test_bases_of_unequal_frequency_cost_their_entropy(monkeypatch, k, stride):
    probabilities = np.array([0.4, 0.1, 0.1, 0.4])  # the same on both strands
    trained = train(monkeypatch, Vocabulary(k, stride), probabilities)
    entropy = -(probabilities * np.log(probabilities)).sum()
    assert trained.metrics["valid_nats_per_base"] == pytest.approx(entropy, abs=0.03)
    assert trained.log["train_nats_per_base"].to_numpy() == pytest.approx(entropy, abs=0.05)
