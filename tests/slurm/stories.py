"""Runs on the test cluster that something happens to: one function per story, which returns what it saw.

Each story plays in a project folder of its own, so that all can play at the same time: most of a story is waiting for
SLURM and for Snakemake's looks at the queue. The tests say what must be true in the end.
"""

import base64
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml
from cluster import Cluster, slurm

# The small configuration: changes to the tiny project of tests/conftest.py.
CONFIG = {
    "device": "auto",  # jobs ask for a GPU and go on without one that works
    "checkpoint_minutes": 0.05,
}
CNN_EPOCHS = 300  # about 15 s of training
LM_EPOCHS = 8  # likewise
SAVED_EPOCHS = 20  # that are in a checkpoint when a node dies
ENDLESS = 1_000_000
CHECKPOINT_SECONDS = 60 * CONFIG["checkpoint_minutes"]
OPTIONS = (
    *("--set-threads", "pretrain_language_model=1", "finetune_classifier=1", "predict_scores=1", "score_likelihood=1"),
    "interpret_model=1",
    *("--latency-wait", "5"),
)
SLURM_OPTIONS = (*OPTIONS, "--slurm-init-seconds-before-status-checks", "2")
GPU_RULES = (
    *("pretrain_language_model", "adapt_language_model", "finetune_classifier", "predict_scores"),
    *("score_likelihood", "interpret_model"),
)
GPU_PARTITION = ("--set-resources", *(f"{rule}:slurm_partition=gpu" for rule in GPU_RULES))

# Where things are in a project
CNN = "tiny_cnn/blocks/planted/genomic_matched"
CNN_BUNDLE = f"results/models/{CNN}/s1"
CNN_LOG = f"results/logs/finetune_classifier/{CNN}.log"
CNN_CHECKPOINTS = f"results/checkpoints/{CNN}"
LSTM_BUNDLE = "results/models/tiny_lstm/blocks/planted/genomic_matched/s1"
LM_BUNDLE = "results/lm/tiny/toy.blocks"
LM_LOG = "results/logs/pretrain_language_model/tiny/toy.blocks.log"
WEIGHTS = "model.safetensors"

GOOD = ("planted", "control", "few")
UNFETCHED, CRASHING = "unfetched", "crashing"
SHEET_HEADER = "experiment\ttf\tbiosample\tassembly\tformat\tpeaks\tpeaks_checksum\n"
CRASH_MESSAGE = "the machine says no"
# Stands before the real command in PATH: one experiment's negatives crash.
CRASHING_COMMAND = f"""\
#!/bin/bash
if [[ "$1" == negatives && " $* " == *" {CRASHING} "* ]]; then
    echo "{CRASH_MESSAGE}" >&2
    kill -SEGV $$
fi
exec "{Path(sys.executable).with_name("bindgram")}" "$@"
"""

EPOCH = re.compile(r"seed 1, stage 1, epoch (\d+): ")
RESUMED_EPOCH = re.compile(r"goes on from its checkpoint at stage 1, epoch (\d+)")
STEP = re.compile(r": step (\d+)/")
RESUMED_STEP = re.compile(r"goes on from its checkpoint after step (\d+)/")


STARTED: list[subprocess.Popen] = []  # every Snakemake, so that none outlives the tests


def end_all() -> None:
    """Kill what a story that broke off has left running."""
    for process in STARTED:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Folder:
    """A project folder in which Snakemake runs as on a cluster's login node."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.n_drivers = 0

    def copy(self, root: Path) -> "Folder":
        """Another folder with the same files and times."""
        shutil.copytree(self.root, root, symlinks=True)
        return Folder(root)

    def read(self, path: str) -> str:
        """Text of a file; empty while there is none."""
        file = self.root / path
        return file.read_text(errors="replace") if file.exists() else ""

    def forget(self, bundle: str, *logs: str) -> None:
        """Remove a bundle, and what was said when it was made."""
        shutil.rmtree(self.root / bundle)
        for log in logs:
            (self.root / log).unlink()

    def edit_yaml(self, path: str, change: Callable[[dict], object]) -> None:
        file = self.root / path
        value = yaml.safe_load(file.read_text())
        change(value)
        file.write_text(yaml.safe_dump(value, sort_keys=False))

    def files(self, pattern: str) -> dict[str, bytes]:
        """Content by path."""
        return {str(path.relative_to(self.root)): path.read_bytes() for path in self.root.glob(pattern)}

    def start(self, *arguments: str, cluster: bool = True) -> "Driver":
        """Start Snakemake in a process group of its own: through SLURM, or on this machine."""
        self.n_drivers += 1
        profile = ("--profile", "slurm", *SLURM_OPTIONS) if cluster else ("--cores", "2", *OPTIONS)
        path = f"{self.root}/bin{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        log = self.root / f"driver{self.n_drivers}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["snakemake", *profile, *arguments],
                cwd=self.root,
                env=os.environ | {"PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        STARTED.append(process)
        return Driver(process, log)

    def is_noted(self, path: str) -> bool:
        """Whether Snakemake has noted that the job which makes a file has ended; else it would make the file again."""
        mark = base64.urlsafe_b64encode(path.encode()).decode()
        return not (self.root / ".snakemake/incomplete" / mark).exists()

    def jobs(self, cluster: Cluster, rule: str = "") -> list[dict[str, str]]:
        """SLURM's view of the jobs that were sent from here for a rule (or a bundle with it), in order."""
        found = [
            job
            for job in cluster.jobs().values()
            if job["WorkDir"] == str(self.root) and rule in job.get("Comment", "")
        ]
        return sorted(found, key=lambda job: int(job["JobId"]))

    def running_job(self, cluster: Cluster, rule: str) -> dict[str, str]:
        """The one job of a rule that runs now."""
        (job,) = (job for job in self.jobs(cluster, rule) if job["JobState"] == "RUNNING")
        return job


class Driver:
    """The Snakemake that a user has started."""

    def __init__(self, process: subprocess.Popen, log: Path) -> None:
        self.process, self.log = process, log

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def wait(self, seconds: float = 600) -> int:
        """Exit status."""
        return self.process.wait(timeout=seconds)

    def wait_until(self, done: Callable[[], bool], what: str, seconds: float = 300) -> None:
        """Wait for something that happens while this Snakemake runs."""
        deadline = time.monotonic() + seconds
        while not done():
            if self.process.poll() is not None or time.monotonic() > deadline:
                ended = self.process.poll()
                raise AssertionError(f"waited in vain for: {what}; Snakemake's exit status: {ended}\n{self.text}")
            time.sleep(0.2)

    def kill(self) -> None:
        """Kill Snakemake and its helpers, as the kernel or a power cut does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def interrupt(self) -> None:
        """Ctrl-C: Snakemake cancels its jobs."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            self.process.wait(timeout=60)


@dataclass
class Fault:
    """What a story with one job that something happens to saw."""

    folder: Folder
    status: int | None  # exit status of Snakemake
    output: str  # of Snakemake
    jobs: list[dict[str, str]]  # all jobs at the end, in order
    log: str  # of the command when it was hit
    last_log: str  # of the attempt after that
    checkpoint_age: float = 0.0  # seconds, when it was hit


def cancelled(cluster: Cluster, folder: Folder) -> Fault:
    """Somebody cancels the running pretraining."""
    folder.forget(LM_BUNDLE, LM_LOG)
    driver = folder.start(f"{LM_BUNDLE}/{WEIGHTS}", *pinned("pretrain_language_model", "--nodelist=bg1"))
    driver.wait_until(lambda: len(STEP.findall(folder.read(LM_LOG))) > 2, "pretraining")
    job = folder.running_job(cluster, "pretrain_language_model")["JobId"]
    slurm("scancel", job)
    driver.wait_until(lambda: cluster.jobs()[job]["JobState"] == "CANCELLED", "the job's end")
    log = folder.read(LM_LOG)
    return Fault(folder, driver.wait(), driver.text, folder.jobs(cluster), log, folder.read(LM_LOG))


def node_death(cluster: Cluster, folder: Folder) -> Fault:
    """The node on which a classifier trains loses its power, after some epochs and a checkpoint."""
    folder.forget(CNN_BUNDLE, CNN_LOG)
    driver = folder.start(f"{CNN_BUNDLE}/{WEIGHTS}", *pinned("finetune_classifier", "--exclude=bg1"))
    driver.wait_until(lambda: len(EPOCH.findall(folder.read(CNN_LOG))) >= SAVED_EPOCHS, "epochs")
    trained_at = time.time()
    saves = folder.root / CNN_CHECKPOINTS
    driver.wait_until(lambda: any(path.stat().st_mtime > trained_at for path in saves.glob("s1.*.pt")), "a checkpoint")
    node = folder.running_job(cluster, "finetune_classifier")["NodeList"]
    age = time.time() - max(path.stat().st_mtime for path in saves.glob("s1.*.pt"))
    cluster.kill_node(node)
    log = folder.read(CNN_LOG)
    status = driver.wait()
    cluster.start_node(node)
    return Fault(folder, status, driver.text, folder.jobs(cluster), log, folder.read(CNN_LOG), age)


def too_little_memory(cluster: Cluster, folder: Folder) -> Fault:
    """The first attempt gets less memory than it takes; the second gets twice as much."""
    folder.forget(LSTM_BUNDLE)
    options = pinned("finetune_classifier", "--nodelist=bg1", "finetune_classifier:mem_mb=450*attempt")
    driver = folder.start(f"{LSTM_BUNDLE}/{WEIGHTS}", *options)
    return Fault(folder, driver.wait(), driver.text, folder.jobs(cluster), "", "")


def asked_to_save(cluster: Cluster, folder: Folder) -> Fault:
    """Somebody sends SIGUSR1 to an endless training."""
    return endless_training(
        cluster, folder, lambda job: slurm("scancel", "--signal=USR1", job), lambda state: state == "FAILED"
    )


def out_of_time(cluster: Cluster, folder: Folder) -> Fault:
    """An endless training reaches its job's time limit."""
    return endless_training(
        cluster,
        folder,
        lambda job: slurm("scontrol", "update", f"JobId={job}", "EndTime=now"),
        lambda state: state == "TIMEOUT",
    )


def endless_training(
    cluster: Cluster, folder: Folder, hit: Callable[[str], object], ended: Callable[[str], bool]
) -> Fault:
    """A training without end is hit; its next attempt is watched until it trains."""
    folder.forget(CNN_BUNDLE, CNN_LOG)
    folder.edit_yaml("config/models/tiny_cnn.yaml", lambda model: model["finetune"]["stages"][0].update(epochs=ENDLESS))
    driver = folder.start(f"{CNN_BUNDLE}/{WEIGHTS}", *pinned("finetune_classifier", "--nodelist=bg1"))
    try:
        driver.wait_until(lambda: len(EPOCH.findall(folder.read(CNN_LOG))) > 5, "training")
        job = folder.running_job(cluster, "finetune_classifier")["JobId"]
        hit(job)
        driver.wait_until(lambda: ended(cluster.jobs()[job]["JobState"]), "the job's end")
        log = folder.read(CNN_LOG)
        driver.wait_until(lambda: trains_again(folder.read(CNN_LOG)), "training from the checkpoint")
        return Fault(folder, None, driver.text, folder.jobs(cluster), log, folder.read(CNN_LOG))
    finally:
        driver.interrupt()


def trains_again(log: str) -> bool:
    """True when a training has gone on from a checkpoint for an epoch."""
    resumed = RESUMED_EPOCH.search(log)
    return bool(resumed and EPOCH.search(log, resumed.end()))


def pinned(rule: str, where: str, *more: str) -> tuple[str, ...]:
    """Options that keep a job on, or away from, a node: so that one story's dead node is not another's."""
    return ("--set-resources", f"{rule}:slurm_extra='{where}'", *more)


@dataclass
class WholeRun:
    """What the story of a whole run saw."""

    folder: Folder
    killed_with: list[dict[str, str]]  # jobs when the first Snakemake was killed
    done_before: dict[str, float]  # times of the bundles that Snakemake had noted as finished then, by path
    status: int  # exit status of the second Snakemake
    output: str  # of the second Snakemake
    report_status: int
    jobs: list[dict[str, str]]


def whole_run(cluster: Cluster, folder: Folder) -> WholeRun:
    """All experiments, two of which fail for good; Snakemake is killed in the middle and started again."""
    (folder.root / "bin").mkdir()
    command = folder.root / "bin/bindgram"
    command.write_text(CRASHING_COMMAND)
    command.chmod(0o755)
    with (folder.root / "config/experiments.tsv").open("a") as sheet:
        sheet.write(sheet_row(UNFETCHED, "planted", "md5:" + 32 * "0"))
        sheet.write(sheet_row(CRASHING, "planted"))
    arguments = (*GPU_PARTITION, "--retries", "1")
    first = folder.start(*arguments)
    first.wait_until(lambda: bool(EPOCH.search(folder.read(CNN_LOG))), "training", 300)
    first.kill()
    killed_with = folder.jobs(cluster)
    done_before = {  # of a file that no rule declares: Snakemake sets the times of declared ones afterwards
        str(path.with_name("README.md")): path.with_name("README.md").stat().st_mtime
        for path in folder.root.glob("results/models/**/config.json")
        if folder.is_noted(str(path.relative_to(folder.root)))
    }
    second = folder.start(*arguments)
    status = second.wait()
    report = folder.start("report_available", "--cores", "1", cluster=False)
    return WholeRun(folder, killed_with, done_before, status, second.text, report.wait(), folder.jobs(cluster))


def sheet_row(name: str, peaks: str, checksum: str = "") -> str:
    """Row of the experiment sheet."""
    return f"{name}\t{name.upper()}\tcells\ttoy\tnarrowPeak\tdata/{peaks}.narrowPeak\t{checksum}\n"


def prepare(root: Path, repository: Path) -> Folder:
    """Make the tiny project a checkout with the SLURM profile and the small configuration."""
    shutil.copytree(repository / "profiles", root / "profiles")
    (root / "slurm").symlink_to("profiles/slurm")
    folder = Folder(root)
    folder.edit_yaml("config/config.yaml", lambda config: config.update(CONFIG))
    folder.edit_yaml(
        "config/models/tiny_cnn.yaml", lambda model: model["finetune"]["stages"][0].update(epochs=CNN_EPOCHS)
    )
    folder.edit_yaml("config/lms/tiny.yaml", lambda lm: lm["pretrain"].update(epochs=LM_EPOCHS, max_tokens=None))
    (root / "config/experiments.tsv").write_text(SHEET_HEADER + "".join(sheet_row(name, name) for name in GOOD))
    return folder
