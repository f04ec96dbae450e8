"""A training that is interrupted, anywhere and more than once, ends with the same bytes as one that is not."""

import os
import signal
import socket

import numpy as np
import pandas as pd
import pytest
import torch

from bindgram.data.examples import ExampleTable
from bindgram.models.bundle import BUNDLE_FILES, save_bundle
from bindgram.sequence.dna import strings_of
from bindgram.sequence.kmers import Vocabulary
from bindgram.settings.models import LanguageModelFile, ModelFile
from bindgram.training import stages
from bindgram.training.checkpoints import Checkpoints, Interrupted
from bindgram.training.logs import LogSettings

CPU = torch.device("cpu")
DROPOUT = {"embedding": 0.1, "input": 0.1, "weight": 0.2, "hidden": 0.1}
ADAMW = {
    "name": "adamw",
    "learning_rate": 1e-2,
    "weight_decay": 1e-2,
    "schedule": "one_cycle",
    "warmup": 0.3,
    "momentum": None,
    "clip_norm": 0.5,
    "nonmonotone_checks": None,
}
NT_ASGD = ADAMW | {
    "name": "nt_asgd",
    "learning_rate": 3.0,
    "schedule": "constant",
    "warmup": None,
    "momentum": None,
    "nonmonotone_checks": 1,
}
STAGE = {
    "optimizer": ADAMW,
    "dropout": DROPOUT | {"output": 0.1},
    "batch_size": 4,
    "accumulation": 1,
    "bptt": 7,
    "variable_bptt": True,
    "epochs": 2,
    "max_tokens": None,
    "validate_every": 5,
    "max_valid_tokens": 700,  # 22 tokens in each of 32 lanes: three batches
    "reverse_complement": True,
    "precision": "32-true",
}
LM = {
    "vocabulary": {"k": 2, "stride": 1},
    "direction": "forward",
    "encoder": {"name": "awd_lstm", "embedding_size": 4, "hidden_size": 6, "n_layers": 2},
    "objective": {"name": "next_token", "ar": 0.1, "tar": 0.1},
    "pretrain": STAGE,
    "adapt": STAGE | {"epochs": 1},
}
FINETUNE = {
    "stages": [
        {"unfrozen": 1, "epochs": 2, "learning_rate": 1e-2},
        {"unfrozen": None, "epochs": 2, "learning_rate": 1e-2},
    ],
    "layer_decay": 1.5,
    "weight_decay": 1e-2,
    "schedule": "one_cycle",
    "warmup": 0.25,
    "momentum": None,
    "clip_norm": 1.0,
    "batch_size": 8,
    "patience": None,
    "reverse_complement": True,
    "dropout": DROPOUT,
    "precision": "32-true",
}
MODEL = {
    "pretrained": "none",
    "backward": None,
    "adapt": "none",
    "encoder": LM["encoder"],
    "vocabulary": LM["vocabulary"],
    "head": {"name": "concat_pool", "hidden_size": 4, "dropout": 0.2, "hidden_dropout": 0.1},
    "finetune": FINETUNE,
}
CNN = MODEL | {
    "encoder": {"name": "conv", "n_filters": 4, "filter_width": 5},
    "vocabulary": None,
    "head": MODEL["head"] | {"name": "max_pool"},
    "finetune": FINETUNE | {"dropout": None},
}


class StoppedAt(Checkpoints):
    """Checkpoints whose process gets a signal just before the training looks for one for the n-th time."""

    def __init__(self, folder, n_checks=None, signum=signal.SIGTERM):
        super().__init__(folder, 1000.0)
        self.n_checks, self.signum_sent, self.n_done = n_checks, signum, 0

    def check(self):
        self.n_done += 1
        if self.n_done == self.n_checks:
            os.kill(os.getpid(), self.signum_sent)
        super().check()


class Corpus:
    provenance = {"digest": "c"}  # noqa: RUF012

    def __init__(self, vocabulary):
        self.vocabulary = Vocabulary(**vocabulary)

    def tokens(self, split):
        rng = np.random.default_rng(len(split))
        return self.vocabulary.encode(rng.integers(0, 4, 200 if split == "train" else 800).astype(np.uint8))


def table(n=30):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "example_id": [f"e{row}" for row in range(2 * n)],
            "label": np.arange(2 * n) % 2,
            "split": np.repeat(["train", "valid"], n),
            "sequence": strings_of(rng.integers(0, 4, (2 * n, 20)).astype(np.uint8)),
        }
    )
    return ExampleTable(frame, provenance={"digest": "t"})


def pretraining(optimizer, **changes):
    settings = LanguageModelFile.model_validate(LM | {"pretrain": STAGE | {"optimizer": optimizer}} | changes)
    corpus = Corpus(changes.get("vocabulary", LM["vocabulary"]))

    def train(checkpoints, log=None):
        return stages.pretrain(settings, corpus, device=CPU, seed=1, revision=1, checkpoints=checkpoints, log=log)

    return train


def adaptation():
    base = pretraining(ADAMW)(Checkpoints())
    settings = LanguageModelFile.model_validate(LM)

    def train(checkpoints):
        return stages.adapt(settings, base, [table()], device=CPU, seed=1, revision=1, checkpoints=checkpoints)

    return train


def finetuning(model):
    settings = ModelFile.model_validate(model)

    def train(checkpoints, log=None):
        return stages.finetune(
            settings, None, None, table(), device=CPU, seed=1, revision=1, checkpoints=checkpoints, log=log
        )

    return train


BLOCK_DROPOUT = {"embedding": None, "input": None, "weight": None, "hidden": 0.2, "output": 0.1}
MASKED = {
    "vocabulary": {"k": 1, "stride": 1},
    "encoder": {
        "name": "symmetric_conv",
        "channels": 4,
        "stem_width": 3,
        "filter_width": 3,
        "dilations": [1, 2],
        "features": 4,
    },
    "objective": {"name": "masked", "fraction": 0.3, "span": 2},
    "pretrain": STAGE | {"dropout": BLOCK_DROPOUT},
    "adapt": None,
}

# Grows worse, so that the best weights are not the last ones.
WORSENING = ADAMW | {"learning_rate": 2.0, "weight_decay": 0.0, "warmup": 0.6}
PATIENT = CNN["finetune"] | {"stages": [stage | {"epochs": 5} for stage in FINETUNE["stages"]], "patience": 1}
TRAININGS = {
    "pretrain, AdamW": lambda: pretraining(WORSENING),
    "pretrain, NT-ASGD": lambda: pretraining(NT_ASGD),
    "pretrain, masked": lambda: pretraining(ADAMW, **MASKED),
    "adapt": adaptation,
    "finetune, LSTM": lambda: finetuning(MODEL),
    "finetune, CNN": lambda: finetuning(CNN),
    "finetune, patience": lambda: finetuning(CNN | {"finetune": PATIENT}),
}


def bundle_bytes(folder, bundle):
    save_bundle(folder, bundle)
    return {name: (folder / name).read_bytes() for name in BUNDLE_FILES}


def interrupted(train, folder, n_checks, signum=signal.SIGTERM):
    """Run a training until its n-th look for a signal, as a command would."""
    with StoppedAt(folder, n_checks, signum) as checkpoints, pytest.raises(Interrupted) as stopped:
        train(checkpoints)
    assert stopped.value.code == 128 + signum


@pytest.mark.parametrize("name", TRAININGS)
def test_a_training_interrupted_anywhere_ends_with_the_same_bytes(name, tmp_path):
    """A training looks for a signal after every step and before every batch of a validation."""
    train = TRAININGS[name]()
    with StoppedAt(tmp_path / "whole") as counting:
        expected = bundle_bytes(tmp_path / "expected", train(counting))
    assert counting.n_done > 15
    for n_checks in range(1, counting.n_done + 1, max(1, counting.n_done // 16)):
        folder = tmp_path / f"c{n_checks}"
        interrupted(train, folder, n_checks)
        with Checkpoints(folder, 1000.0) as checkpoints:
            assert bundle_bytes(tmp_path / "resumed", train(checkpoints)) == expected, n_checks


@pytest.mark.parametrize("name", ["pretrain, NT-ASGD", "finetune, LSTM"])
def test_a_training_interrupted_after_every_few_steps_ends_with_the_same_bytes(name, tmp_path):
    train = TRAININGS[name]()
    expected = bundle_bytes(tmp_path / "expected", train(Checkpoints()))
    n_stops = 0
    while True:
        with StoppedAt(tmp_path / "c", 9) as checkpoints:
            try:
                bundle = train(checkpoints)
                break
            except Interrupted:
                n_stops += 1
    assert n_stops >= 2
    assert bundle_bytes(tmp_path / "resumed", bundle) == expected


def test_the_trainings_above_have_what_could_be_lost():
    assert TRAININGS["pretrain, NT-ASGD"]()(Checkpoints()).metrics["averaged"] is True
    losses = TRAININGS["pretrain, AdamW"]()(Checkpoints()).log["valid_nats_per_base"]
    assert 0 < losses.argmin() < len(losses) - 2
    patient = TRAININGS["finetune, patience"]()(Checkpoints())
    assert patient.metrics["n_epochs"] < 10


@pytest.mark.parametrize("name", ["pretrain, AdamW", "finetune, CNN"])
def test_saving_after_every_step_changes_nothing(name, tmp_path):
    train = TRAININGS[name]()
    expected = bundle_bytes(tmp_path / "expected", train(Checkpoints()))
    with Checkpoints(tmp_path / "c", 1e-9) as checkpoints:
        assert bundle_bytes(tmp_path / "saved", train(checkpoints)) == expected


@pytest.mark.parametrize("train", [pretraining(ADAMW), finetuning(MODEL)], ids=["pretrain", "finetune"])
def test_logs_of_a_resumed_training_have_every_step_once_and_change_no_weight(train, tmp_path):
    def logged(folder):
        rows = pd.read_csv(folder / "metrics.csv")
        return rows[~rows["metric"].str.endswith("_per_second")].drop(columns="seconds")

    expected = bundle_bytes(tmp_path / "unwatched", train(Checkpoints()))
    settings = [LogSettings(tmp_path / name, 1, tensorboard=True) for name in ("whole", "parts")]
    train(Checkpoints(), settings[0].of())
    with StoppedAt(tmp_path / "c", 9) as checkpoints, pytest.raises(Interrupted):
        train(checkpoints, settings[1].of())
    with Checkpoints(tmp_path / "c", 1000.0) as checkpoints:
        bundle = train(checkpoints, settings[1].of())
    assert bundle_bytes(tmp_path / "watched", bundle) == expected
    whole = logged(tmp_path / "whole")
    pd.testing.assert_frame_equal(logged(tmp_path / "parts"), whole)
    assert {"train/loss", "learning_rate", "valid/loss", "valid/nats_per_base"} & set(whole["metric"])
    assert whole["metric"].str.startswith("gradient_norm/encoder.layers.").any()


@pytest.mark.parametrize("train", [pretraining(ADAMW), finetuning(MODEL)], ids=["pretrain", "finetune"])
def test_training_calls_nobody(train, tmp_path, monkeypatch):
    for owner, name in ((socket.socket, "connect"), (socket.socket, "sendto"), (socket, "getaddrinfo")):
        monkeypatch.setattr(owner, name, lambda *args: pytest.fail("training wants to reach somebody"))
    train(Checkpoints(), LogSettings(tmp_path, 1, tensorboard=True).of())
    assert (tmp_path / "events.tfevents").stat().st_size > 1000


def test_a_resumed_training_does_not_repeat_its_steps(tmp_path, capsys):
    train = TRAININGS["pretrain, AdamW"]()
    interrupted(train, tmp_path / "c", 7, signal.SIGUSR1)
    assert "SIGUSR1: training stops" in capsys.readouterr().err
    with StoppedAt(tmp_path / "c") as checkpoints:
        train(checkpoints)
    lines = capsys.readouterr().err
    assert "goes on from its checkpoint after step " in lines
    with StoppedAt(tmp_path / "whole") as whole:
        train(whole)
    assert checkpoints.n_done < whole.n_done - 3


def test_other_settings_start_from_the_beginning(tmp_path, capsys):
    interrupted(TRAININGS["finetune, CNN"](), tmp_path / "c", 7)
    other = finetuning(CNN | {"finetune": CNN["finetune"] | {"layer_decay": 1.0}})
    with Checkpoints(tmp_path / "c", 1000.0) as checkpoints:
        found = bundle_bytes(tmp_path / "found", other(checkpoints))
    assert "(differs in: settings.finetune.layer_decay): ignored" in capsys.readouterr().err
    assert found == bundle_bytes(tmp_path / "expected", other(Checkpoints()))
