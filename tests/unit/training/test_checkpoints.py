import os
import signal

import pandas as pd
import pytest
import torch

from bindgram.errors import InputError
from bindgram.models.bundle import Bundle
from bindgram.training.checkpoints import Checkpoints, Interrupted

CPU = torch.device("cpu")
PROVENANCE = {
    "command": "finetune",
    "seed": 3,
    "settings": {"rate": 0.1, "stages": [1, 2]},
    "inputs": {"labelled": "a"},
}
STATE = {"step": 7, "weights": {"w": torch.arange(5.0)}, "rows": [{"loss": 0.1, "stage": "x", "none": None}]}


@pytest.fixture
def opened(tmp_path):
    """Open the checkpoint of a training, as a command does when it starts."""

    def of(provenance=PROVENANCE, minutes=10.0):
        return Checkpoints(tmp_path / "c", minutes).of(provenance, CPU)

    return of


def files(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_state_comes_back_as_it_was_and_once(opened):
    opened().save(STATE)
    found = opened()
    state = found.take_state()
    assert torch.equal(state["weights"].pop("w"), torch.arange(5.0))
    assert state == STATE | {"weights": {}}
    assert found.take_state() is None


def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint = Checkpoints().of(PROVENANCE, CPU)
    checkpoint.save(STATE)
    checkpoint.save_if_due(lambda: STATE)
    assert checkpoint.take_state() is None
    assert files(tmp_path) == []


def test_only_the_newest_state_is_kept(opened, tmp_path):
    checkpoint = opened()
    checkpoint.save(STATE)
    checkpoint.save(STATE | {"step": 8})
    assert len(files(tmp_path / "c")) == 1
    assert opened().take_state()["step"] == 8


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"settings": {"rate": 0.2, "stages": [1, 2]}}, "settings.rate"),
        ({"settings": {"rate": 0.1, "stages": [1, 2], "new": 1}}, "settings.new"),
        ({"inputs": {"labelled": "b"}}, "inputs.labelled"),
        ({"command": "adapt", "inputs": {"base": "a"}}, "command, inputs.base, inputs.labelled"),
    ],
)
def test_a_checkpoint_of_other_settings_or_inputs_is_ignored_and_told_what_differs(opened, change, named, capsys):
    opened().save(STATE)
    assert opened(PROVENANCE | change).take_state() is None
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert f"was made with other settings or inputs (differs in: {named}): ignored, training starts" in lines[0]
    assert opened().take_state() is not None


def test_another_number_of_threads_makes_another_training(opened, capsys):
    opened().save(STATE)
    torch.set_num_threads(2)  # conftest.py sets it back
    assert opened().take_state() is None
    assert "(differs in: threads)" in capsys.readouterr().err


def test_the_first_save_removes_the_checkpoint_of_other_settings(opened, tmp_path):
    opened().save(STATE)
    old = files(tmp_path / "c")
    opened(PROVENANCE | {"command": "adapt"}).save(STATE)
    assert len(files(tmp_path / "c")) == 1
    assert files(tmp_path / "c") != old


def test_seeds_have_checkpoints_of_their_own(opened, tmp_path, capsys):
    opened().save(STATE)
    opened(PROVENANCE | {"seed": 33}).save(STATE | {"step": 1})
    assert len(files(tmp_path / "c")) == 2
    assert opened().take_state()["step"] == 7
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"no checkpoint"]
)
def test_a_damaged_checkpoint_is_ignored_with_a_message(opened, damage, capsys):
    checkpoint = opened()
    checkpoint.save(STATE)
    checkpoint.path.write_bytes(damage(checkpoint.path.read_bytes()))
    assert opened().take_state() is None
    error = capsys.readouterr().err
    assert error.startswith(f"checkpoint {checkpoint.path} cannot be read (")
    assert error.endswith("): ignored, training starts from the beginning\n")


def test_a_changed_byte_is_noticed(opened, capsys):
    checkpoint = opened()
    checkpoint.save({"weights": torch.ones(10_000)})
    data = bytearray(checkpoint.path.read_bytes())
    data[len(data) // 2] ^= 1
    checkpoint.path.write_bytes(data)
    assert opened().take_state() is None
    assert "cannot be read" in capsys.readouterr().err


def test_a_damaged_checkpoint_of_other_settings_is_no_crash(opened):
    checkpoint = opened()
    checkpoint.save(STATE)
    checkpoint.path.write_bytes(b"x")
    assert opened(PROVENANCE | {"command": "adapt"}).take_state() is None


def test_a_pickle_that_would_run_code_is_refused(opened, tmp_path, capsys):
    checkpoint = opened()
    checkpoint.path.parent.mkdir()
    torch.save({"described": {}, "state": Evil(str(tmp_path / "ran"))}, checkpoint.path)
    assert opened().take_state() is None
    assert not (tmp_path / "ran").exists()
    assert "cannot be read" in capsys.readouterr().err


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_checkpoint_that_cannot_be_written_is_a_message_and_no_crash(opened, tmp_path, capsys):
    checkpoint = opened()
    (tmp_path / "c").write_text("a file where the folder should be")
    checkpoint.save(STATE)
    assert "cannot be saved" in capsys.readouterr().err


def test_saves_are_due_after_the_minutes_are_over(opened, tmp_path):
    patient, hasty = opened(), opened(minutes=1e-9)
    patient.save_if_due(lambda: STATE)
    assert files(tmp_path / "c") == []
    hasty.save_if_due(lambda: STATE)
    assert len(files(tmp_path / "c")) == 1


def test_a_finished_training_hands_back_its_bundle(opened, capsys):
    log = pd.DataFrame([{"stage": 1, "loss": 0.1 + 0.2}, {"stage": 2, "loss": float("nan")}])
    bundle = Bundle("classifier", {"a": [1]}, None, {"w": torch.ones(2)}, log, PROVENANCE, {"n": 2, "m": None})
    checkpoint = opened()
    checkpoint.save(STATE)
    checkpoint.finish(bundle)
    found = opened()
    again = found.result
    assert found.take_state() is None
    assert torch.equal(again.state["w"], bundle.state["w"])
    pd.testing.assert_frame_equal(again.log, log, check_exact=True)
    assert (again.kind, again.settings, again.vocabulary, again.provenance, again.metrics, again.status) == (
        "classifier",
        {"a": [1]},
        None,
        PROVENANCE,
        {"n": 2, "m": None},
        "ok",
    )
    assert "is finished" in capsys.readouterr().err


def test_success_removes_all_checkpoints_and_their_folder(tmp_path):
    kept = Checkpoints(tmp_path / "c", 1.0)
    for seed in (1, 2):
        kept.of(PROVENANCE | {"seed": seed}, CPU).save(STATE)
    (tmp_path / "c/.part.abc.s1.x.pt").write_text("of a process that was killed")
    kept.clear()
    assert files(tmp_path) == []
    kept.clear()


def test_success_leaves_what_is_not_a_checkpoint(tmp_path):
    kept = Checkpoints(tmp_path, 1.0)
    kept.of(PROVENANCE, CPU).save(STATE)
    (tmp_path / "notes.txt").write_text("mine")
    kept.clear()
    assert files(tmp_path) == ["notes.txt"]


def test_the_folder_and_the_minutes_go_together(tmp_path):
    for arguments in ((tmp_path, None), (None, 1.0)):
        with pytest.raises(InputError, match="--checkpoints and --checkpoint-minutes"):
            Checkpoints(*arguments)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_signals_are_held_until_the_training_looks_and_handlers_come_back(tmp_path, signum):
    before = signal.getsignal(signum)
    with Checkpoints(tmp_path, 1.0) as kept:
        kept.hold_signals()
        kept.check()
        os.kill(os.getpid(), signum)
        os.kill(os.getpid(), signal.SIGTERM)  # a second one changes nothing
        with pytest.raises(Interrupted) as stopped:
            kept.check()
        assert stopped.value.code == 128 + signum
    assert signal.getsignal(signum) is before


def test_without_a_folder_signals_are_not_held():
    before = signal.getsignal(signal.SIGTERM)
    with Checkpoints() as kept:
        kept.hold_signals()
        assert signal.getsignal(signal.SIGTERM) is before
