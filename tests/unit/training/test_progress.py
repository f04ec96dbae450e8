import re
import time

import pytest

from bindgram.training import progress
from bindgram.training.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is moved."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


def test_speed_is_announced_within_seconds_and_then_every_quarter_of_a_minute(clock, capsys):
    with Progress("finetune", 50) as shown:
        for second in range(1, 41):
            clock.now = 100.0 + second
            shown.step(50, lambda: f"step {clock.now - 100:g}", 50 * (40 - second))
    assert capsys.readouterr().err.splitlines() == [
        "finetune: step 3, 50 tokens/s, 37 s left",
        "finetune: step 18, 50 tokens/s, 22 s left",
        "finetune: step 33, 50 tokens/s, 7 s left",
    ]


def test_a_first_step_that_took_long_is_announced_when_it_ends(clock, capsys):
    with Progress("pretrain", 50) as shown:
        clock.now += 25
        shown.step(50, lambda: "step 1")
    assert capsys.readouterr().err == "pretrain: step 1, 2 tokens/s\n"


def test_validation_is_no_training_time(clock):
    with Progress("pretrain", 50) as shown:
        clock.now += 1
        with shown.paused():
            clock.now += 99
        shown.step(50, lambda: "step 1")
        assert shown.rate == 50


def test_a_first_step_that_does_not_end_is_announced_in_time(monkeypatch, capsys):
    assert progress.SLOW_SECONDS < 30
    monkeypatch.setattr(progress, "SLOW_SECONDS", 0.01)
    with Progress("pretrain", 50) as shown:
        while not (said := capsys.readouterr().err):
            time.sleep(0.001)
        shown.step(50, lambda: "step 1")
    assert re.fullmatch(r"pretrain: the first step takes longer than 0\.01 s: below 5,000 tokens/s\n", said)
