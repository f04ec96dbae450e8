import numpy as np
import torch

from bindgram.settings.models import LanguageModelFile
from bindgram.training.checkpoints import Checkpoints
from bindgram.training.loaders import step_lengths
from bindgram.training.pretrain import train_language_model

SEED, BPTT = 3, 20
SGD = {
    "name": "sgd",
    "learning_rate": 0.5,
    "weight_decay": 0.0,
    "schedule": "constant",
    "warmup": None,
    "momentum": None,
    "clip_norm": None,
    "nonmonotone_checks": None,
}


def train(settings_of_stage, max_tokens):
    stage = {
        "optimizer": SGD,
        "dropout": {"embedding": 0.0, "input": 0.0, "weight": 0.0, "hidden": 0.0, "output": 0.0},
        "batch_size": 2,
        "accumulation": 1,
        "bptt": BPTT,
        "variable_bptt": True,
        "epochs": 1,
        "max_tokens": max_tokens,
        "validate_every": 1,
        "max_valid_tokens": 640,
        "reverse_complement": False,
        "precision": "32-true",
    }
    settings = LanguageModelFile.model_validate(
        {
            "vocabulary": {"k": 2, "stride": 1},
            "encoder": {"name": "awd_lstm", "embedding_size": 4, "hidden_size": 6, "n_layers": 2},
            "objective": {"name": "next_token", "ar": 0.0, "tar": 0.0},
            "direction": "forward",
            "pretrain": stage | settings_of_stage,
            "adapt": None,
        }
    )
    rng = np.random.default_rng(0)
    streams = (rng.integers(3, 19, size).astype(np.uint8) for size in (400, 800))
    device = torch.device("cpu")
    checkpoint = Checkpoints().of({"seed": SEED}, device)
    return train_language_model(settings, "pretrain", *streams, device=device, seed=SEED, checkpoint=checkpoint)


def test_a_step_of_variable_length_is_one_of_that_length_at_a_rate_in_proportion():
    length = int(step_lengths(1, BPTT, SEED, 0)[0])
    assert length != BPTT
    drawn = train({}, 1)
    fixed = {"bptt": length, "variable_bptt": False, "optimizer": SGD | {"learning_rate": 0.5 * length / BPTT}}
    expected = train(fixed, 1)
    assert drawn.log["tokens"].tolist() == expected.log["tokens"].tolist() == [2 * length]
    for name, value in drawn.state.items():
        torch.testing.assert_close(value, expected.state[name])


def test_steps_end_before_more_than_max_tokens_are_read():
    lengths = step_lengths(4, BPTT, SEED, 0)
    enough = 2 * int(lengths[:3].sum())
    assert train({}, enough).metrics["train_tokens"] == enough
    assert train({}, enough - 1).metrics["train_tokens"] == 2 * lengths[:2].sum()
