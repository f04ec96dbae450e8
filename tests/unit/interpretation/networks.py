"""Untrained classifiers of every encoder, for the tests of this folder."""

import numpy as np
import pandas as pd
import torch

from bindgram.batch import Features
from bindgram.interpretation.scorer import OneHotScorer
from bindgram.models.bundle import Bundle
from bindgram.models.classifier import Classifier, build_classifier
from bindgram.models.conv import Conv
from bindgram.models.heads import MaxPool
from bindgram.sequence.dna import encode, one_hot, reverse_complement
from bindgram.sequence.kmers import Vocabulary
from bindgram.settings.attribution import AttributionSettings
from bindgram.settings.models import ConvSettings, ModelFile

WIDTH = 25
MOTIF = encode(np.frombuffer(b"GGAAGTGC", np.uint8))  # unlike its other strand
LSTM_DROPOUT = {"embedding": 0.1, "input": 0.1, "weight": 0.1, "hidden": 0.1}
LSTM = {"name": "awd_lstm", "embedding_size": 5, "hidden_size": 6, "n_layers": 2}
ENCODERS = {
    "conv": {"name": "conv", "n_filters": 6, "filter_width": 8},
    "deepsea": {"name": "deepsea", "layers": [6, 5], "filter_width": 5, "pool_width": 3, "dropout": [0.2, 0.2]},
    "danq": {
        "name": "danq",
        "n_filters": 6,
        "filter_width": 5,
        "pool_width": 3,
        "hidden_size": 4,
        "dropout": [0.2, 0.5],
    },
    "symmetric_conv": {
        "name": "symmetric_conv",
        "channels": 8,
        "stem_width": 5,
        "filter_width": 3,
        "dilations": [1, 2],
        "features": 6,
    },
    "awd_lstm": LSTM,
}
HEADS = {"conv": "max_pool", "deepsea": "max_mean_pool", "symmetric_conv": "max_mean_pool"}


def random_bundle(name, *, k=3, stride=1, pair=False, head=None, width=WIDTH):
    """An untrained classifier, stored; its batch normalisation has seen something."""
    recurrent = name == "awd_lstm"
    settings = {
        "pretrained": "none",
        "backward": LSTM if pair else None,
        "adapt": "none",
        "encoder": ENCODERS[name],
        "vocabulary": {"k": k, "stride": stride} if recurrent else None,
        "head": {
            "name": head or HEADS.get(name, "concat_pool"),
            "hidden_size": 7,
            "dropout": 0.3,
            "hidden_dropout": 0.3,
        },
        "finetune": {
            "stages": [{"unfrozen": None, "epochs": 1, "learning_rate": 1.0e-2}],
            "layer_decay": 1.0,
            "weight_decay": 0.0,
            "schedule": "one_cycle",
            "warmup": 0.25,
            "momentum": None,
            "clip_norm": None,
            "batch_size": 8,
            "patience": None,
            "reverse_complement": True,
            "dropout": LSTM_DROPOUT
            if recurrent
            else {"embedding": None, "input": None, "weight": None, "hidden": 0.1}
            if name == "symmetric_conv"
            else None,
            "precision": "32-true",
        },
    }
    model = ModelFile.model_validate(settings | {"backward": None})
    backward = ModelFile.model_validate(settings | {"backward": None}).encoder if pair else None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(k + 10 * stride)
        classifier = build_classifier(model, model.encoder, model.vocabulary, backward)
        for value in classifier.parameters():
            value.data.mul_(2.0)
        for module in classifier.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.1, 0.5)
    vocabulary = Vocabulary(k, stride).to_json() if recurrent else None
    return Bundle(
        "classifier", settings | {"width": width}, vocabulary, classifier.state_dict(), pd.DataFrame(), {}, {}
    )


def scorer_of(name, **options):
    return OneHotScorer(random_bundle(name, **options), torch.device("cpu"))


def random_codes(n, width=WIDTH, seed=0):
    return np.random.default_rng(seed).integers(0, 4, (n, width)).astype(np.uint8)


SETTINGS = AttributionSettings.model_validate(
    {
        "references": 4,
        "integration_steps": 32,
        "batch_size": 64,
        "convergence_tolerance": 0.1,
        "occlusion": {"window_bp": 5, "stride_bp": 1, "draws": 4, "fill": "random"},
        "faithfulness": {"steps": 10, "references": 2},
    }
)


class Bases(torch.nn.Module):
    """An encoder whose features are the bases themselves."""

    def forward(self, batch):
        return Features(batch.one_hot, None, 1.0)


class Weighted(torch.nn.Module):
    """A head that sums features times weights (bp, 4)."""

    def __init__(self, weights):
        super().__init__()
        self.weights = torch.nn.Parameter(torch.from_numpy(weights.astype(np.float32)))

    def forward(self, features, batch):
        return (features.values * self.weights).sum(dim=(1, 2))


def linear_scorer(weights):
    """A scorer that is linear in the bases, and what each base adds on the mean of both strands (bp, 4)."""
    scorer = scorer_of("deepsea", width=len(weights))
    scorer.classifier = Classifier(Bases(), Weighted(weights)).requires_grad_(False)
    return scorer, (weights + weights[::-1, ::-1]) / 2


def motif_scorer(motif=MOTIF, *, width=60, threshold=2):
    """A convolution with one detector, for a motif with at most `threshold` wrong bases; logit 0 without a match."""
    scorer = scorer_of("conv", width=width)
    conv = Conv(ConvSettings(name="conv", n_filters=1, filter_width=len(motif)))
    conv.detectors.weight.data = torch.from_numpy(one_hot(motif[None])[0].T[None].copy())
    conv.detectors.bias.data = torch.tensor([threshold + 1.0 - len(motif)])
    scorer.classifier = Classifier(conv, MaxOfOne()).requires_grad_(False)
    return scorer


class MaxOfOne(MaxPool):
    """The highest value of the only channel."""

    def __init__(self):
        torch.nn.Module.__init__(self)

    def forward(self, features, batch):
        return features.values.amax(dim=1)[:, 0]


def planted(n, *, width=60, motif=MOTIF, seed=0):
    """Sequences with one motif, on either strand, at places (N,); nothing else in them is a match."""
    rng = np.random.default_rng(seed)
    codes, places = [], rng.integers(0, width - len(motif) + 1, n)
    scorer = motif_scorer(motif, width=width)
    while len(codes) < n:
        row, at = rng.integers(0, 4, width).astype(np.uint8), places[len(codes)]
        row[at : at + len(motif)] = motif if rng.random() < 0.5 else reverse_complement(motif)
        if (scorer.features(scorer.one_hot(row[None])).values > 0).sum() == 1:
            codes.append(row)
    return np.stack(codes), places
