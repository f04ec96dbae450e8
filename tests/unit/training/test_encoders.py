"""Every encoder through the same stages: what the registry promises."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch

from bindgram.data.examples import ExampleTable
from bindgram.evaluation.predict import predict_test_sets
from bindgram.models.bundle import load_bundle, save_bundle
from bindgram.models.classifier import ENCODERS
from bindgram.sequence.dna import codes_of, strings_of
from bindgram.settings.encoders import DROPOUTS, EncoderSettings
from bindgram.settings.models import ModelFile
from bindgram.training import stages
from bindgram.training.checkpoints import Checkpoints
from bindgram.training.export import export_classifier

CPU = torch.device("cpu")
SIZES = {
    "awd_lstm": {"embedding_size": 4, "hidden_size": 6, "n_layers": 2},
    "conv": {"n_filters": 4, "filter_width": 5},
    "deepsea": {"layers": [4, 6, 8], "filter_width": 4, "pool_width": 3, "dropout": [0.1, 0.1, 0.2]},
    "danq": {"n_filters": 4, "filter_width": 6, "pool_width": 5, "hidden_size": 3, "dropout": [0.1, 0.2]},
    "symmetric_conv": {"channels": 4, "stem_width": 5, "filter_width": 3, "dilations": [1, 2], "features": 6},
}
SYMMETRIC = {"conv", "symmetric_conv"}


def model_file(name):
    has = DROPOUTS.get(name)
    rates = has and {rate: 0.1 if rate in has else None for rate in ("embedding", "input", "weight", "hidden")}
    finetune = {
        "stages": [
            {"unfrozen": 1, "epochs": 1, "learning_rate": 1e-2},
            {"unfrozen": None, "epochs": 1, "learning_rate": 1e-2},
        ],
        "layer_decay": 1.5,
        "weight_decay": 0.0,
        "schedule": "one_cycle",
        "warmup": 0.25,
        "momentum": None,
        "clip_norm": 1.0,
        "batch_size": 8,
        "patience": None,
        "reverse_complement": True,
        "dropout": rates,
        "precision": "32-true",
    }
    return ModelFile.model_validate(
        {
            "pretrained": "none",
            "backward": None,
            "adapt": "none",
            "encoder": {"name": name} | SIZES[name],
            "vocabulary": {"k": 3, "stride": 1} if name == "awd_lstm" else None,
            "head": {"name": "max_mean_pool", "hidden_size": 4, "dropout": 0.1, "hidden_dropout": 0.1},
            "finetune": finetune,
        }
    )


def table():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "example_id": [f"e{row}" for row in range(40)],
            "label": np.arange(40) % 2,
            "split": np.repeat(["train", "valid"], 20),
            "sequence": strings_of(rng.integers(0, 4, (40, 33)).astype(np.uint8)),
        }
    ).assign(kind="peak", parent_id=None, chrom=None, start=pd.NA, end=pd.NA, strand=None)
    return ExampleTable(frame, provenance={"digest": "t", "revisions": {}})


def test_the_registry_has_what_settings_can_name():
    named = {get_args(settings.model_fields["name"].annotation)[0] for settings in get_args(EncoderSettings)}
    assert named == set(ENCODERS) == set(SIZES)
    assert set(DROPOUTS) == {"awd_lstm", "symmetric_conv"}


@pytest.mark.parametrize("name", SIZES)
def test_every_encoder_is_trained_stored_scored_on_both_strands_and_exported(name, tmp_path):
    bundle = stages.finetune(
        model_file(name), None, None, table(), device=CPU, seed=1, revision=1, checkpoints=Checkpoints()
    )
    save_bundle(tmp_path, bundle)
    stored = load_bundle(tmp_path)
    rows = predict_test_sets(stored, {"T": table()}, CPU)
    strands = rows["score_forward"], rows["score_reverse"]
    np.testing.assert_allclose(rows["score"], np.mean(strands, axis=0))
    assert np.allclose(*strands, rtol=0, atol=1e-5) == (name in SYMMETRIC)
    if name in ("deepsea", "danq", "symmetric_conv"):  # the others: test_export
        exported = export_classifier(stored).module()
        codes = torch.from_numpy(codes_of(list(table().frame["sequence"])).astype(np.int64))
        np.testing.assert_allclose(exported(codes).detach(), rows["score"], rtol=0, atol=1e-5)
