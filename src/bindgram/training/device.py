"""Device and seeds of a training or prediction job."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bindgram.errors import InputError
from bindgram.training.progress import announce

PROMISES = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "SLURM_GPUS", "SLURM_GPUS_ON_NODE")
REMEDY = (
    "check the partition and its GPUs in the profile, and that the environment has a CUDA build of torch; or accept a "
    "CPU with `device: auto`, or ask for none with `device: cpu`, in the configuration (`--device` of the command)"
)


def choose_device(device: str, threads: int) -> torch.device:
    """Resolve ``auto``, ``cpu`` or ``cuda``, set the number of CPU threads, and announce what the job has.

    Raises
    ------
    InputError : ``cuda`` was asked for and no GPU can be used; the message says what is seen.
    """
    torch.set_num_threads(threads)
    problem = "" if device == "cpu" else _why_no_gpu()
    if device == "cuda" and problem:
        raise InputError(f"--device cuda: this job was promised a GPU, but {problem} ({_seen()}); {REMEDY}")
    chosen = torch.device("cpu" if device == "cpu" or problem else "cuda")
    announce(f"device: {describe_device(chosen)}")
    if problem and any(os.environ.get(name) for name in PROMISES):
        announce(f"device: auto: the job has been given a GPU, but {problem} ({_seen()}); it goes on without")
    return chosen


def describe_device(device: torch.device) -> str:
    """Name of the GPU, or CPU and its number of threads."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} ({torch.get_num_threads()} CPU threads)"
    return f"CPU, {torch.get_num_threads()} threads"


def _why_no_gpu() -> str:
    """Why torch cannot use a GPU here; "" where it can."""
    if torch.version.cuda is None:
        return "this torch is a CPU-only build"
    if not torch.cuda.is_available():
        return "torch sees none"
    try:
        torch.zeros(1, device="cuda")
    except RuntimeError as error:
        return f"the GPU does not answer: {str(error).splitlines()[0]}"
    return ""


def _seen() -> str:
    """What the environment says of GPUs."""
    known = ["CUDA_VISIBLE_DEVICES", *(name for name in PROMISES if name in os.environ)]
    values = [f"{name}={os.environ[name]!r}" if name in os.environ else f"{name} is not set" for name in known]
    return ", ".join([*values, f"torch {torch.__version__}"])


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's generators for the body and restore them afterwards."""
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
