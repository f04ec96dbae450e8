import re
import time
from types import SimpleNamespace

import pytest
import torch

from bindgram.training import progress
from bindgram.training.logs import LogSettings, RunLog
from bindgram.training.progress import Progress, clock


@pytest.fixture
def moved(monkeypatch):
    """A clock that stands still until it is moved."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


def watched(n_steps=40, log=None, name="finetune"):
    model = torch.nn.Linear(1, 1)
    learner = SimpleNamespace(model=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.02))
    return Progress(name, 50, n_steps, log or RunLog(), learner)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00:00"), (59.6, "0:01:00"), (3725, "1:02:05"), (360000, "100:00:00")]
)
def test_time_is_told_in_hours_minutes_and_seconds(seconds, text):
    assert clock(seconds) == text


def test_a_line_comes_within_seconds_and_then_every_quarter_of_a_minute(moved, capsys):
    with watched() as shown:
        for second in range(1, 41):
            moved.now = 100.0 + second
            shown.step(second, 50, lambda: {"loss": 0.5, "nats_per_base": 1.25})
    assert capsys.readouterr().err.splitlines() == [
        f"finetune: step {step}/40 ({percent} %), loss 0.5000, nats per base 1.2500, learning rate 0.02, 50 tokens/s, "
        f"{left} left"
        for step, percent, left in [(3, 7.5, "0:00:37"), (18, "45.0", "0:00:22"), (33, 82.5, "0:00:07")]
    ]


def test_losses_are_asked_for_only_when_they_are_shown(moved):
    """They may be on a GPU that would have to be waited for."""
    asked = []
    with watched() as shown:
        for second in range(1, 21):
            moved.now = 100.0 + second
            shown.step(second, 50, lambda: asked.append(1) or {})
    assert len(asked) == 2


def test_lines_of_a_long_training_come_every_two_minutes(moved, capsys):
    with watched(n_steps=20_000) as shown:
        for step in range(1, 10_001):
            moved.now = 100.0 + step
            shown.step(step, 50, dict)
    lines = capsys.readouterr().err.splitlines()
    steps = [int(re.search(r"step (\d+)/", line)[1]) for line in lines]
    assert steps[:3] == [3, 18, 33]
    assert steps[-1] - steps[-2] == 120


def test_sequences_and_where_it_is_are_told(moved, capsys):
    with watched() as shown:
        moved.now += 10
        shown.step(1, 50, dict, 5, "stage 2, epoch 3, ")
    assert capsys.readouterr().err == (
        "finetune: stage 2, epoch 3, step 1/40 (2.5 %), learning rate 0.02, 5 tokens/s (0 sequences/s), 0:06:30 left\n"
    )


def test_time_left_of_a_resumed_training_counts_the_steps_of_this_process(moved, capsys):
    with watched() as shown:
        moved.now += 10
        shown.step(31, 50, dict)
    assert "step 31/40 (77.5 %)" in (said := capsys.readouterr().err)
    assert said.endswith(", 0:01:30 left\n")


def test_validation_is_no_training_time(moved):
    with watched() as shown:
        moved.now += 1
        with shown.paused():
            moved.now += 99
        shown.step(1, 50, dict)
        assert shown.rate == 50


def test_a_first_step_that_does_not_end_is_announced_in_time(monkeypatch, capsys):
    assert progress.SLOW_SECONDS < 30
    monkeypatch.setattr(progress, "SLOW_SECONDS", 0.01)
    with watched(name="pretrain") as shown:
        while not (said := capsys.readouterr().err):
            time.sleep(0.001)
        shown.step(1, 50, dict)
    assert re.fullmatch(r"pretrain: the first step takes longer than 0\.01 s: below 5,000 tokens/s\n", said)


def test_ranks_that_do_not_lead_neither_speak_nor_log(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(progress, "_muted", True)
    with watched(log=LogSettings(tmp_path / "logs", 1).of()) as shown:
        shown.step(1, 50, lambda: pytest.fail("asked"))
        shown.validated(1, {"valid_loss": 1.0}, "valid loss 1")
        shown.finished("done")
    assert capsys.readouterr().err == ""
    assert not (tmp_path / "logs").exists()


def test_every_so_many_steps_losses_rates_and_norms_are_logged(tmp_path):
    with watched(log=LogSettings(tmp_path, 2).of()) as shown:
        for step in range(1, 6):
            shown.step(step, 50, lambda: {"loss": 0.5}, n_sequences=5)
        shown.validated(5, {"stage": 1, "learning_rate": 0.1, "valid_loss": 0.25, "valid_auroc": 0.75}, "text")
    rows = [line.split(",") for line in (tmp_path / "metrics.csv").read_text().splitlines()]
    assert rows[0] == ["step", "seconds", "metric", "value"]
    names = [
        "train/loss",
        "train/tokens_per_second",
        "train/sequences_per_second",
        "learning_rate",
        "weight_norm/model",
    ]
    assert [(row[0], row[2]) for row in rows[1:]] == [
        *(("2", name) for name in names),
        *(("4", name) for name in names),
        ("5", "valid/loss"),
        ("5", "valid/auroc"),
    ]
