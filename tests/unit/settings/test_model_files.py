"""Language-model and model files: combinations that make no sense are refused with the remedy."""

import copy

import pytest
import yaml

from bindgram.errors import InputError
from bindgram.settings import load_language_model, load_model

DROPOUT = {"embedding": 0.0, "input": 0.0, "weight": 0.0, "hidden": 0.0}
FINETUNE = {
    "stages": [{"unfrozen": 1, "epochs": 1, "learning_rate": 0.01}],
    "layer_decay": 1.0,
    "weight_decay": 0.0,
    "schedule": "one_cycle",
    "warmup": 0.25,
    "momentum": None,
    "clip_norm": None,
    "batch_size": 8,
    "patience": None,
    "reverse_complement": True,
    "dropout": DROPOUT,
    "precision": "32-true",
}
MODEL = {
    "pretrained": "small",
    "backward": None,
    "adapt": "none",
    "encoder": {"same_as": "small"},
    "vocabulary": None,
    "head": {"name": "concat_pool", "hidden_size": 4, "dropout": 0.0, "hidden_dropout": 0.0},
    "finetune": FINETUNE,
}
CONV = {"name": "conv", "n_filters": 4, "filter_width": 8}
DEEPSEA = {"name": "deepsea", "layers": [4, 4], "filter_width": 8, "pool_width": 4, "dropout": [0.2, 0.2]}
SYMMETRIC = {
    "name": "symmetric_conv",
    "channels": 4,
    "stem_width": 5,
    "filter_width": 3,
    "dilations": [1, 2],
    "features": 4,
}
BLOCK_DROPOUT = {"embedding": None, "input": None, "weight": None, "hidden": 0.1}
MASKED = {"name": "masked", "fraction": 0.2, "span": 1}
LSTM = {"name": "awd_lstm", "embedding_size": 4, "hidden_size": 8, "n_layers": 2}
OPTIMIZER = {
    "name": "adamw",
    "learning_rate": 0.01,
    "weight_decay": 0.0,
    "schedule": "one_cycle",
    "warmup": 0.25,
    "momentum": None,
    "clip_norm": None,
    "nonmonotone_checks": None,
}
LANGUAGE_MODEL = {
    "vocabulary": {"k": 3, "stride": 1},
    "direction": "forward",
    "encoder": LSTM,
    "objective": {"name": "next_token", "ar": 2.0, "tar": 1.0},
    "pretrain": {
        "optimizer": OPTIMIZER,
        "dropout": DROPOUT | {"output": 0.0},
        "batch_size": 2,
        "accumulation": 1,
        "bptt": 8,
        "variable_bptt": False,
        "epochs": 1,
        "max_tokens": None,
        "validate_every": 10,
        "max_valid_tokens": 100,
        "reverse_complement": False,
        "precision": "32-true",
    },
    "adapt": None,
}


def changed(settings, **changes):
    """A copy with values replaced; ``a__b=1`` replaces key b of section a."""
    value = copy.deepcopy(settings)
    for path, new in changes.items():
        *parents, last = path.split("__")
        section = value
        for key in parents:
            section = section[key]
        section[last] = new
    return value


@pytest.fixture
def model(write):
    return lambda **changes: load_model(write("m.yaml", yaml.safe_dump(changed(MODEL, **changes))))


@pytest.fixture
def language_model(write):
    return lambda **changes: load_language_model(write("l.yaml", yaml.safe_dump(changed(LANGUAGE_MODEL, **changes))))


def test_model_takes_vocabulary_and_encoder_from_its_language_model(model):
    assert model().language_model == "small"
    assert model(pretrained="none").language_model == "small"


def test_model_with_its_own_encoder_has_no_language_model(model):
    conv = model(pretrained="none", encoder=CONV, finetune__dropout=None)
    assert conv.language_model is None


@pytest.mark.parametrize("vocabulary", [None, {"k": 1, "stride": 1}])
def test_a_symmetric_encoder_reads_bases_with_or_without_a_vocabulary_of_them(model, vocabulary):
    read = model(pretrained="none", encoder=SYMMETRIC, vocabulary=vocabulary, finetune__dropout=BLOCK_DROPOUT)
    assert read.finetune.dropout.hidden == 0.1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": {"same_as": "other"}}, "same_as: small"),
        (
            {"pretrained": "none", "adapt": "experiment"},
            "needs the name of a language model in pretrained; set adapt: none",
        ),
        ({"vocabulary": {"k": 3, "stride": 1}}, "comes from the language model; set vocabulary: null"),
        ({"pretrained": "none", "encoder": LSTM}, "awd_lstm reads k-mers; give k and stride"),
        (
            {"pretrained": "none", "encoder": CONV, "vocabulary": {"k": 3, "stride": 1}, "finetune__dropout": None},
            "conv reads one-hot bases; set vocabulary: null",
        ),
        (
            {"pretrained": "none", "encoder": CONV},
            "finetune.dropout: required for awd_lstm and symmetric_conv and null",
        ),
        ({"finetune__dropout": None}, "finetune.dropout: encoders of language models have dropout rates; give them"),
        (
            {"pretrained": "none", "encoder": SYMMETRIC},
            "finetune.dropout: symmetric_conv has no embedding, input, weight",
        ),
        (
            {
                "pretrained": "none",
                "encoder": LSTM,
                "vocabulary": {"k": 3, "stride": 1},
                "finetune__dropout__weight": None,
            },
            "finetune.dropout: awd_lstm needs a rate for weight; 0.0 = no dropout",
        ),
        (
            {"pretrained": "none", "encoder": SYMMETRIC, "vocabulary": {"k": 3, "stride": 1}},
            "symmetric_conv reads one-hot bases; set vocabulary: null, or k: 1, stride: 1",
        ),
        ({"pretrained": "none", "encoder": SYMMETRIC | {"channels": 7}}, "channels: must be even"),
        ({"pretrained": "none", "encoder": SYMMETRIC | {"filter_width": 4}}, "filter_width: must be odd"),
        ({"pretrained": "none", "encoder": DEEPSEA | {"dropout": [0.2]}}, "dropout: one rate for each of the 2 layers"),
        ({"adapt": "factor"}, "adapt"),
        ({"pretrained": "none", "encoder": CONV, "finetune__dropout": None, "backward": "b"}, "backward: needs"),
        (
            {"pretrained": "a/bundle", "encoder": LSTM, "vocabulary": {"k": 3, "stride": 1}, "backward": "b"},
            "backward: needs",
        ),
        ({"head__name": "mean_pool"}, "head"),
        ({"finetune__stages": []}, "finetune.stages"),
        ({"finetune__layer_decay": 0.5}, "finetune.layer_decay"),
        ({"finetune__batchsize": 8}, "finetune.batchsize: unknown key"),
    ],
)
def test_senseless_model_is_refused(model, changes, message):
    with pytest.raises(InputError, match=message):
        model(**changes)


def test_nt_asgd_is_a_choice_with_its_own_settings(language_model):
    averaging = {
        "pretrain__optimizer": OPTIMIZER
        | {"name": "nt_asgd", "schedule": "constant", "warmup": None, "nonmonotone_checks": 5}
    }
    assert language_model(**averaging).pretrain.optimizer.name == "nt_asgd"


def test_model_of_a_pair_refers_to_two_language_models(model):
    assert model(backward="other").language_models == model(backward="other").starts_from == ["small", "other"]
    scratch = model(pretrained="none", backward="other")
    assert (scratch.language_models, scratch.starts_from) == (["small", "other"], [])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocabulary__stride": 4}, "stride 4 > k 3 would skip bases"),
        ({"pretrain__optimizer__name": "nt_asgd"}, "nt_asgd averages at a constant learning rate"),
        (
            {
                "pretrain__optimizer__name": "nt_asgd",
                "pretrain__optimizer__schedule": "constant",
                "pretrain__optimizer__warmup": None,
            },
            "nonmonotone_checks: required for nt_asgd",
        ),
        ({"pretrain__optimizer__nonmonotone_checks": 5}, "nonmonotone_checks: required for nt_asgd and null for"),
        ({"encoder": CONV}, "encoder: .*'awd_lstm', 'symmetric_conv'"),
        ({"encoder": SYMMETRIC}, "vocabulary: symmetric_conv reads single bases; set k: 1, stride: 1"),
        (
            {"encoder": SYMMETRIC, "vocabulary": {"k": 1, "stride": 1}},
            "objective: symmetric_conv sees both sides of a base, and so the answer of next_token; set name: masked",
        ),
        (
            {"encoder": SYMMETRIC, "vocabulary": {"k": 1, "stride": 1}, "objective": MASKED},
            "pretrain.dropout: symmetric_conv has no embedding, input, weight to drop; set null",
        ),
        ({"objective": MASKED}, "objective.span: must be 3 or more, the vocabulary's k .got 1.: the bases of fewer"),
        ({"objective": MASKED | {"span": 9}}, "pretrain.bptt: must be 9 or more, objective.span .got 8."),
        ({"objective": MASKED | {"fraction": 1.0}}, "objective.fraction"),
        ({"objective": {"name": "mask"}}, "objective: .*'next_token', 'masked'"),
        (
            {"pretrain__dropout__weight": None},
            "pretrain.dropout: awd_lstm needs a rate for weight; 0.0 = no dropout",
        ),
        ({"pretrain__dropout__embedding": 1.0}, "pretrain.dropout.embedding"),
        ({"pretrain__precision": "8-bit"}, "pretrain.precision"),
    ],
)
def test_senseless_language_model_is_refused(language_model, changes, message):
    with pytest.raises(InputError, match=message):
        language_model(**changes)


@pytest.mark.parametrize("folder", ["models", "lms"])
def test_shipped_files_are_right(repository, folder):
    load = {"models": load_model, "lms": load_language_model}[folder]
    paths = sorted([*repository.glob(f"config/{folder}/*.yaml"), *repository.glob(f"benchmarks/*/{folder}/*.yaml")])
    assert len({path.parent for path in paths}) >= 2
    for path in paths:
        load(path)
