"""Faults of one job: what is lost, what comes out. Each is played by a story of the same name in stories.py."""

import re

import pytest
import stories

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

SLACK_SECONDS = 2.0  # for a checkpoint that was due when the machine was busy


def states(fault):
    return [job["JobState"] for job in fault.jobs]


def numbers(pattern, text):
    return [int(number) for number in pattern.findall(text)]


def assert_same_files(fault, undisturbed, bundle):
    assert fault.status == 0, fault.output
    assert fault.folder.files(f"{bundle}/*") == undisturbed.files(f"{bundle}/*")


def test_cancelled_training_is_sent_again_and_loses_nothing(fault, undisturbed):
    cancelled = fault("cancelled")
    assert states(cancelled) == ["CANCELLED", "COMPLETED"]
    assert "SIGTERM: training stops" in cancelled.log
    (resumed,) = numbers(stories.RESUMED_STEP, cancelled.last_log)
    assert resumed >= numbers(stories.STEP, cancelled.log)[-1] > 0
    assert_same_files(cancelled, undisturbed, stories.LM_BUNDLE)


def test_dead_node_costs_the_training_since_the_last_checkpoint(fault, undisturbed):
    death = fault("node_death")
    assert states(death)[-1] == "COMPLETED"
    started = [int(job["Restarts"]) for job in death.jobs]
    assert len(started) + sum(started) == 2, death.jobs
    assert "training stops" not in death.log
    assert death.checkpoint_age < stories.CHECKPOINT_SECONDS + SLACK_SECONDS
    (resumed,) = numbers(stories.RESUMED_EPOCH, death.last_log)
    assert stories.SAVED_EPOCHS <= resumed <= numbers(stories.EPOCH, death.log)[-1] + 1
    assert_same_files(death, undisturbed, stories.CNN_BUNDLE)


def test_job_that_took_too_much_memory_is_sent_again_with_more(fault, undisturbed):
    hungry = fault("too_little_memory")
    assert states(hungry)[-1] == "COMPLETED"
    assert set(states(hungry)[:-1]) <= {"FAILED", "OUT_OF_MEMORY", "CANCELLED"}
    asked = [re.search(r"mem=(\d+)M", job["TRES"])[1] for job in hungry.jobs]
    assert asked == ["450", "900"]
    assert "exceeded memory limit" in hungry.output
    assert_same_files(hungry, undisturbed, stories.LSTM_BUNDLE)


@pytest.mark.parametrize(
    ("story", "sent", "state"), [("asked_to_save", "SIGUSR1", "FAILED"), ("out_of_time", "SIGTERM", "TIMEOUT")]
)
def test_signal_reaches_the_training_which_saves_and_goes_on_in_the_next_job(fault, story, sent, state):
    saved = fault(story)
    assert states(saved)[0] == state
    assert f"{sent}: training stops" in saved.log
    assert re.search(r"checkpoint \S+: saved", saved.log)
    (resumed,) = numbers(stories.RESUMED_EPOCH, saved.last_log)
    assert resumed >= numbers(stories.EPOCH, saved.log)[-1]
