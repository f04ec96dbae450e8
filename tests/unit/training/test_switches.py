"""Every key of language-model and model files does something: changed, it gives other weights or another log."""

import copy
import typing
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import BaseModel

from bindgram.data.examples import ExampleTable
from bindgram.sequence.dna import strings_of
from bindgram.sequence.kmers import Vocabulary
from bindgram.settings.models import LanguageModelFile, ModelFile
from bindgram.training import stages
from bindgram.training.checkpoints import Checkpoints

CPU = torch.device("cpu")
LSTM = {"name": "awd_lstm", "embedding_size": 4, "hidden_size": 6, "n_layers": 2}
CONV = {"name": "conv", "n_filters": 3, "filter_width": 4}
DEEPSEA = {"name": "deepsea", "layers": [3, 4], "filter_width": 3, "pool_width": 2, "dropout": [0.1, 0.1]}
DANQ = {"name": "danq", "n_filters": 3, "filter_width": 4, "pool_width": 2, "hidden_size": 3, "dropout": [0.1, 0.1]}
SYMMETRIC = {
    "name": "symmetric_conv",
    "channels": 4,
    "stem_width": 3,
    "filter_width": 3,
    "dilations": [1],
    "features": 4,
}
DROPOUT = {"embedding": 0.1, "input": 0.1, "weight": 0.1, "hidden": 0.1}
HIDDEN_ONLY = {"embedding": None, "input": None, "weight": None, "hidden": 0.1}
CYCLE = {"schedule": "one_cycle", "warmup": 0.3, "momentum": [0.8, 0.7]}
CONSTANT = {"schedule": "constant", "warmup": None, "momentum": None}
ADAMW = {"name": "adamw", "learning_rate": 0.02, "weight_decay": 0.1, "clip_norm": 0.1, "nonmonotone_checks": None}
STAGE = {
    "optimizer": ADAMW | CYCLE,
    "dropout": DROPOUT | {"output": 0.1},
    **{"batch_size": 4, "accumulation": 1, "bptt": 8, "variable_bptt": False, "epochs": 1, "max_tokens": 160},
    **{"validate_every": 2, "max_valid_tokens": 64, "reverse_complement": True, "precision": "32-true"},
}
LM = {
    "vocabulary": {"k": 2, "stride": 1},
    "direction": "forward",
    "encoder": LSTM,
    "objective": {"name": "next_token", "ar": 1.0, "tar": 1.0},
    "pretrain": STAGE,
    "adapt": STAGE,
}
FINETUNE = {
    "stages": [{"unfrozen": 2, "epochs": 2, "learning_rate": 0.01}],
    **{"layer_decay": 2.0, "weight_decay": 0.1, **CYCLE, "clip_norm": 0.1, "batch_size": 8, "patience": None},
    **{"reverse_complement": True, "dropout": DROPOUT, "precision": "32-true"},
}
MODEL = {
    **{"pretrained": "none", "backward": None, "adapt": "none", "encoder": LSTM, "vocabulary": {"k": 2, "stride": 1}},
    "head": {"name": "concat_pool", "hidden_size": 4, "dropout": 0.1, "hidden_dropout": 0.1},
    "finetune": FINETUNE,
}


def changed(settings, changes):
    """A copy with values replaced; a dotted key leads into sections, and a number into a list."""
    value = copy.deepcopy(settings)
    for path, new in changes.items():
        *parents, last = path.split(".")
        section = value
        for key in parents:
            section = section[int(key) if key.isdigit() else key]
        section[last] = new
    return value


SINGLE = {"vocabulary": {"k": 1, "stride": 1}, "objective": {"name": "masked", "fraction": 0.3, "span": 2}}
SINGLE |= {"encoder": SYMMETRIC} | {
    f"{stage}.dropout": HIDDEN_ONLY | {"output": 0.1} for stage in ("pretrain", "adapt")
}
ASGD = {
    "name": "nt_asgd",
    "learning_rate": 30.0,
    "weight_decay": 0.1,
    "clip_norm": None,
    "nonmonotone_checks": 1,
} | CONSTANT
# Of each stage of language modelling: key, what is changed, and what is changed before, so that it can be.
OF_STAGES = [
    ("optimizer.name", {"optimizer.name": "sgd"}, {}),
    ("optimizer.learning_rate", {"optimizer.learning_rate": 0.01}, {}),
    ("optimizer.weight_decay", {"optimizer.weight_decay": 0.5}, {}),
    (
        "optimizer.schedule",
        {f"optimizer.{key}": value for key, value in CONSTANT.items()},
        {"optimizer.momentum": None},
    ),
    ("optimizer.warmup", {"optimizer.warmup": 0.6}, {}),
    ("optimizer.momentum", {"optimizer.momentum": None}, {}),
    ("optimizer.clip_norm", {"optimizer.clip_norm": None}, {}),
    (
        "optimizer.nonmonotone_checks",
        {"optimizer.nonmonotone_checks": 9},
        {"optimizer": ASGD, "validate_every": 1, "max_tokens": 320},
    ),
    *((f"dropout.{name}", {f"dropout.{name}": 0.5}, {}) for name in (*DROPOUT, "output")),
    ("batch_size", {"batch_size": 8}, {}),
    ("accumulation", {"accumulation": 2}, {}),
    ("bptt", {"bptt": 5}, {}),
    ("variable_bptt", {"variable_bptt": True}, {}),
    ("epochs", {"epochs": 2}, {"max_tokens": None}),
    ("max_tokens", {"max_tokens": 96}, {}),
    ("validate_every", {"validate_every": 3}, {}),
    ("max_valid_tokens", {"max_valid_tokens": 200}, {}),
    ("reverse_complement", {"reverse_complement": False}, {}),
    ("precision", {"precision": "bf16-mixed"}, {}),
]
OF_LANGUAGE_MODELS = [
    ("vocabulary.k", {"vocabulary.k": 3}, {}),
    ("vocabulary.stride", {"vocabulary.stride": 2}, {}),
    ("direction", {"direction": "backward"}, {}),
    ("encoder.name", SINGLE, {}),
    ("encoder.embedding_size", {"encoder.embedding_size": 5}, {}),
    ("encoder.hidden_size", {"encoder.hidden_size": 5}, {}),
    ("encoder.n_layers", {"encoder.n_layers": 1}, {}),
    ("encoder.channels", {"encoder.channels": 6}, SINGLE),
    ("encoder.stem_width", {"encoder.stem_width": 5}, SINGLE),
    ("encoder.filter_width", {"encoder.filter_width": 5}, SINGLE),
    ("encoder.dilations", {"encoder.dilations": [2]}, SINGLE),
    ("encoder.features", {"encoder.features": 6}, SINGLE),
    ("objective.name", {"objective": SINGLE["objective"]}, {}),
    ("objective.ar", {"objective.ar": 0.0}, {}),
    ("objective.tar", {"objective.tar": 0.0}, {}),
    ("objective.fraction", {"objective.fraction": 0.6}, SINGLE),
    ("objective.span", {"objective.span": 4}, SINGLE),
    *((f"pretrain.{key}", *({f"pretrain.{k}": v for k, v in one.items()} for one in both)) for key, *both in OF_STAGES),
]
ADAPT = [(f"adapt.{key}", *({f"adapt.{k}": v for k, v in one.items()} for one in both)) for key, *both in OF_STAGES]


def bare(encoder):
    """Changes that make a model read bases with an encoder of its own."""
    return {"encoder": encoder, "vocabulary": None, "finetune.dropout": None}


OWN = bare(SYMMETRIC) | {"finetune.dropout": HIDDEN_ONLY}
SAME = {"encoder": {"same_as": "tiny"}, "vocabulary": None}
OF_MODELS = [
    ("pretrained", {"pretrained": "tiny"}, SAME),
    ("backward", {"backward": "back"}, SAME),
    ("vocabulary.k", {"vocabulary.k": 3}, {}),
    ("vocabulary.stride", {"vocabulary.stride": 2}, {}),
    ("encoder.same_as", SAME, {"encoder.hidden_size": 7}),
    ("encoder.name", bare(CONV), {}),
    ("encoder.embedding_size", {"encoder.embedding_size": 5}, {}),
    ("encoder.hidden_size", {"encoder.hidden_size": 5}, {}),
    ("encoder.n_layers", {"encoder.n_layers": 1}, {}),
    ("encoder.n_filters", {"encoder.n_filters": 4}, bare(CONV)),
    ("encoder.filter_width", {"encoder.filter_width": 5}, bare(CONV)),
    ("encoder.layers", {"encoder.layers": [3, 5]}, bare(DEEPSEA)),
    ("encoder.pool_width", {"encoder.pool_width": 3}, bare(DEEPSEA)),
    ("encoder.dropout", {"encoder.dropout": [0.5, 0.1]}, bare(DANQ)),
    ("encoder.channels", {"encoder.channels": 6}, OWN),
    ("encoder.stem_width", {"encoder.stem_width": 5}, OWN),
    ("encoder.dilations", {"encoder.dilations": [2]}, OWN),
    ("encoder.features", {"encoder.features": 6}, OWN),
    *(
        (f"encoder.{key}", {f"encoder.{key}": value}, bare(encoder))
        for encoder, values in (
            (DEEPSEA, {"filter_width": 4, "dropout": [0.5, 0.1]}),
            (DANQ, {"n_filters": 4, "filter_width": 5, "pool_width": 3, "hidden_size": 4}),
        )
        for key, value in values.items()
    ),
    ("encoder.filter_width", {"encoder.filter_width": 5}, OWN),
    ("head.name", {"head.name": "max_pool"}, {}),
    ("head.name", {"head.name": "max_mean_pool"}, {}),
    ("head.hidden_size", {"head.hidden_size": 5}, {}),
    ("head.dropout", {"head.dropout": 0.5}, {}),
    ("head.hidden_dropout", {"head.hidden_dropout": 0.5}, {}),
    ("finetune.stages.unfrozen", {"finetune.stages.0.unfrozen": 1}, {}),
    ("finetune.stages.epochs", {"finetune.stages.0.epochs": 3}, {}),
    ("finetune.stages.learning_rate", {"finetune.stages.0.learning_rate": 0.02}, {}),
    ("finetune.layer_decay", {"finetune.layer_decay": 4.0}, {}),
    ("finetune.weight_decay", {"finetune.weight_decay": 0.9}, {}),
    ("finetune.schedule", {f"finetune.{key}": value for key, value in CONSTANT.items()}, {"finetune.momentum": None}),
    ("finetune.warmup", {"finetune.warmup": 0.6}, {}),
    ("finetune.momentum", {"finetune.momentum": None}, {}),
    ("finetune.clip_norm", {"finetune.clip_norm": None}, {}),
    ("finetune.batch_size", {"finetune.batch_size": 5}, {}),
    (
        "finetune.patience",
        {"finetune.patience": 1},
        {"finetune.stages.0.epochs": 8, "finetune.stages.0.learning_rate": 0.3},
    ),
    ("finetune.reverse_complement", {"finetune.reverse_complement": False}, {}),
    *((f"finetune.dropout.{name}", {f"finetune.dropout.{name}": 0.5}, {}) for name in DROPOUT),
    ("finetune.precision", {"finetune.precision": "bf16-mixed"}, {}),
]
# What a model adapts to is decided by the workflow, which gives it another bundle (tests/workflow/test_commands.py).
DECIDED_BY_THE_WORKFLOW = {"adapt"}


class StoredCorpus:
    """A corpus held in memory."""

    path, provenance = "toy.h5", {"digest": "c", "revisions": {"tokenize": 1}}

    def __init__(self, vocabulary):
        self.vocabulary = vocabulary

    def tokens(self, split):
        codes = np.random.default_rng(split == "train").integers(0, 4, 500).astype(np.uint8)
        return self.vocabulary.at_every_base.encode(codes)


def examples(width=24):
    codes = np.random.default_rng(0).integers(0, 4, (48, width)).astype(np.uint8)
    labels, split = np.arange(48) % 2, np.where(np.arange(48) < 32, "train", "valid")
    frame = pd.DataFrame({"label": labels, "split": split, "sequence": strings_of(codes)})
    return ExampleTable(frame, provenance={"digest": "t", "revisions": {"negatives": 1}})


COMMON = {"device": CPU, "seed": 1, "revision": 1, "checkpoints": Checkpoints()}


def pretrained(settings):
    settings = LanguageModelFile.model_validate(settings)
    vocabulary = Vocabulary(settings.vocabulary.k, settings.vocabulary.stride)
    return stages.pretrain(settings, StoredCorpus(vocabulary), **COMMON)


@cache
def base():
    return pretrained(LM)


def adapted(settings):
    return stages.adapt(LanguageModelFile.model_validate(settings), base(), [examples()], **COMMON)


def finetuned(settings):
    model = ModelFile.model_validate(settings)
    lm = LanguageModelFile.model_validate(LM) if model.language_model else None
    back = LanguageModelFile.model_validate(LM | {"direction": "backward"}) if model.backward else None
    start = base() if model.pretrained != "none" else None
    return stages.finetune(model, lm, start, examples(), backward=back, **COMMON)


def outcome(bundle):
    """What is left of a training: weights by name, and the log."""
    assert not bundle.skipped, bundle.reason
    return {name: value.tolist() for name, value in bundle.state.items()}, bundle.log.to_csv()


@pytest.mark.parametrize(
    ("train", "settings", "changes", "before"),
    [
        *(pytest.param(pretrained, LM, new, old, id=f"lm-{key}") for key, new, old in OF_LANGUAGE_MODELS),
        *(pytest.param(adapted, LM, new, old, id=f"lm-{key}") for key, new, old in ADAPT),
        *(pytest.param(finetuned, MODEL, new, old, id=f"model-{key}") for key, new, old in OF_MODELS),
    ],
)
def test_a_changed_key_changes_weights_or_log(train, settings, changes, before):
    start = changed(settings, before)
    assert outcome(train(start)) != outcome(train(changed(start, changes)))


def keys_of(model, prefix=""):
    """Dotted keys of a settings model, of all members of a union."""
    found = set()
    for name, field in model.model_fields.items():
        sections = [
            part for part in parts_of(field.annotation) if isinstance(part, type) and issubclass(part, BaseModel)
        ]
        found |= set().union(*(keys_of(part, f"{prefix}{name}.") for part in sections)) if sections else {prefix + name}
    return found


def parts_of(annotation):
    members = typing.get_args(annotation)
    return [part for member in members for part in parts_of(member)] if members else [annotation]


def test_every_declared_key_is_tested():
    assert keys_of(LanguageModelFile) == {key for key, *_ in (*OF_LANGUAGE_MODELS, *ADAPT)}
    assert keys_of(ModelFile) - DECIDED_BY_THE_WORKFLOW == {key for key, *_ in OF_MODELS}
