"""Every encoder through the same stages: what the registry promises."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch

from bindgram.data.examples import ExampleTable
from bindgram.evaluation.predict import predict_test_sets
from bindgram.models.bundle import load_bundle, save_bundle
from bindgram.models.classifier import ENCODERS, build_classifier
from bindgram.sequence.dna import codes_of, reverse_complement, strings_of
from bindgram.sequence.kmers import Vocabulary
from bindgram.settings.encoders import DROPOUTS, EncoderSettings
from bindgram.settings.models import ModelFile
from bindgram.training import stages
from bindgram.training.checkpoints import Checkpoints
from bindgram.training.export import export_classifier
from bindgram.training.loaders import LabelledSequences
from bindgram.training.scoring import score_strands

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
    other_strand = table()
    codes = codes_of(list(other_strand.frame["sequence"]))
    other_strand.frame["sequence"] = strings_of(reverse_complement(codes))
    turned = predict_test_sets(stored, {"T": other_strand}, CPU)  # a symmetric model reads one strand only
    np.testing.assert_allclose(turned["score_forward"], rows["score_reverse"], rtol=0, atol=1e-5)
    if name in ("deepsea", "danq", "symmetric_conv"):  # the others: test_export
        exported = export_classifier(stored).module()
        codes = torch.from_numpy(codes_of(list(table().frame["sequence"])).astype(np.int64))
        np.testing.assert_allclose(exported(codes).detach(), rows["score"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("head", ["concat_pool", "max_pool", "max_mean_pool"])
@pytest.mark.parametrize("name", SIZES)
def test_one_strand_is_read_where_both_give_one_score(name, head):
    file = model_file(name)
    file = ModelFile.model_validate(file.model_dump() | {"head": file.head.model_dump() | {"name": head}})
    model = build_classifier(file, file.encoder, file.vocabulary).eval()
    generator = torch.Generator().manual_seed(1)
    for weights in model.parameters():
        torch.nn.init.uniform_(weights, -0.8, 0.8, generator=generator)
    codes = codes_of(list(table().frame["sequence"]))
    vocabulary = Vocabulary(3, 1) if file.vocabulary else None
    data = LabelledSequences(codes, np.zeros(len(codes), np.float32), vocabulary)
    with torch.no_grad():
        there, back = (
            model(data.batch(np.arange(len(codes)), np.full(len(codes), turned), CPU)).numpy()
            for turned in (False, True)
        )
    symmetric = name in SYMMETRIC and head != "concat_pool"
    assert model.strand_symmetric == symmetric == np.allclose(there, back, rtol=0, atol=1e-5)
    np.testing.assert_allclose(score_strands(model, data, CPU), [there, back], rtol=0, atol=1e-5)
