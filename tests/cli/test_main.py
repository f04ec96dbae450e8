"""The entry point: what a user sees, and what a signal or a full disk leaves behind."""

import signal
import subprocess
import sys

import pytest

KILLED = """
import sys
from pathlib import Path
import click
from bindgram import cli
from bindgram.provenance import atomic_path

@cli.cli.command()
def wait():
    with atomic_path(Path(target)) as part:
        part.write_text("half")
        print("half", flush=True)
        sys.stdin.read()

target = sys.argv[1]
sys.argv = ["bindgram", "wait"]
cli.main()
"""
FINISHED = """
import atexit, os, sys
from bindgram import cli

@cli.cli.command()
def finished():
    pass

signum = int(sys.argv[1])
atexit.register(lambda: os.kill(os.getpid(), signum))
sys.argv = ["bindgram", "finished"]
cli.main()
"""
FULL = """
import errno, sys
from bindgram import cli

@cli.cli.command()
def full():
    raise OSError(errno.ENOSPC, "No space left on device", "out.parquet")

sys.argv = ["bindgram", "full"]
cli.main()
"""


def test_input_error_is_one_message_and_status_1(tmp_path):
    (tmp_path / "c.yaml").write_text("sede: 1\n")
    done = subprocess.run(
        [sys.executable, "-c", "from bindgram.cli import main; main()", "check", "--configfile", tmp_path / "c.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "sede: unknown key" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_stopped_command_removes_its_half_written_file(tmp_path, signum):
    target = tmp_path / "out.txt"
    target.write_text("old")
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, target],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "half\n"
        process.send_signal(signum)
        assert process.wait(timeout=20) == 128 + signum
        assert process.stderr.read() == f"{signum.name}: stopped\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]
    assert target.read_text() == "old"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_while_python_shuts_down_does_not_fail_a_finished_command(signum):
    done = subprocess.run(
        [sys.executable, "-c", FINISHED, str(int(signum))], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_is_a_message():
    done = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: out.parquet: the disk is full")
