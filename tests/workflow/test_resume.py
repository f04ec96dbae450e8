"""A training that is stopped by a signal is taken up by Snakemake's retry, where it was."""

import signal
import threading
import time
from contextlib import suppress

import psutil
import pytest
import yaml

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

TARGET = "results/lm/tiny/toy.blocks/config.json"
LOG = "results/logs/pretrain_language_model/tiny/toy.blocks.log"


def training_processes():
    """Processes below this one that run `bindgram pretrain`."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has ended meanwhile
            if process.cmdline()[2:3] == ["pretrain"]:
                found.append(process)
    return found


def stop_training_once(log, found):
    """Wait until the log tells of a validation, note the process and send it SIGUSR1."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if log.is_file() and "pretrain: step 50/" in log.read_text():
            found += training_processes()
            for process in found:
                process.send_signal(signal.SIGUSR1)
            return
        time.sleep(0.05)


def test_a_retry_goes_on_from_the_checkpoint_and_ends_with_the_same_bundle(fresh_project):
    root = fresh_project.root
    settings = yaml.safe_load((root / "config/lms/tiny.yaml").read_text())
    settings["pretrain"] |= {"epochs": 2, "max_tokens": 400_000}
    (root / "config/lms/tiny.yaml").write_text(yaml.safe_dump(settings))
    result = fresh_project.snakemake(TARGET)
    assert result.returncode == 0, result.stdout
    whole = {path.name: path.read_bytes() for path in (root / TARGET).parent.iterdir()}
    assert "goes on from its checkpoint" not in (root / LOG).read_text()

    for path in (root / TARGET).parent.iterdir():
        path.unlink()
    (root / LOG).unlink()
    found = []
    stopper = threading.Thread(target=stop_training_once, args=(root / LOG, found))
    stopper.start()
    result = fresh_project.snakemake("--retries", "1", TARGET)
    stopper.join()
    assert len(found) == 1
    assert result.returncode == 0, result.stdout
    assert "Trying to restart job" in result.stdout
    assert "goes on from its checkpoint" in (root / LOG).read_text()
    assert {path.name: path.read_bytes() for path in (root / TARGET).parent.iterdir()} == whole
    assert not (root / "results/checkpoints/tiny/toy.blocks").exists()
