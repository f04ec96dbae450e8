"""Device and seeds of a training or prediction job."""

import ctypes
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bindgram.errors import InputError
from bindgram.training.distributed import ALONE, World, find_world
from bindgram.training.progress import announce

PROMISES = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "SLURM_GPUS", "SLURM_GPUS_ON_NODE")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
REMEDY = (
    "check the partition and its GPUs in the profile, and that the environment has a CUDA build of torch; or accept a "
    "CPU with `device: auto`, or ask for none with `device: cpu`, in the configuration (`--device` of the command)"
)


def choose_device(device: str, threads: int, world: World | None = None) -> torch.device:
    """Resolve ``auto``, ``cpu`` or ``cuda``, set the number of CPU threads, and announce what the job has.

    Parameters
    ----------
    world : this process among those that train together, for commands that several can share. Each rank of a node gets
        a GPU of its own: the one that SLURM shows to it alone, or that with its number.

    Raises
    ------
    InputError : ``cuda`` was asked for and no GPU can be used; the message says what is seen. Or several processes were
        started for a command that is one.
    """
    if world is None and (others := find_world()).size > 1:
        raise InputError(
            f"{others.size} processes were started together, and each would do the same: only pretrain and adapt share "
            "their work; start this command once (without torchrun, or with srun --ntasks=1)"
        )
    world = world or ALONE
    torch.set_num_threads(threads)
    keep_freed_memory()
    problem = "" if device == "cpu" else _why_no_gpu(world)
    if device == "cuda" and problem:
        raise InputError(f"--device cuda: this job was promised a GPU, but {problem} ({_seen()}); {REMEDY}")
    chosen = torch.device("cpu" if device == "cpu" or problem else "cuda")
    if chosen.type == "cuda" and world.size > 1:
        chosen = torch.device("cuda", torch.cuda.current_device())
    whose = "" if world.size == 1 else f"rank {world.rank} of {world.size} on {socket.gethostname()}: "
    announce(f"{whose}device: {describe_device(chosen)}")
    if problem and any(os.environ.get(name) for name in PROMISES):
        announce(f"device: auto: the job has been given a GPU, but {problem} ({_seen()}); it goes on without")
    return chosen


def keep_freed_memory() -> None:
    """Have glibc keep the arrays of one batch for the next; giving them back takes a CNN longer than its arithmetic.

    Nothing happens with other C libraries. See mallopt(3).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the most that glibc takes
    mallopt(M_TRIM_THRESHOLD, 256 << 20)


def describe_device(device: torch.device) -> str:
    """Name of the GPU, or CPU and its number of threads."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} ({torch.get_num_threads()} CPU threads)"
    return f"CPU, {torch.get_num_threads()} threads"


def _why_no_gpu(world: World) -> str:
    """Why torch cannot use a GPU here; "" where it can. Makes a rank's own GPU the one that "cuda" means."""
    if torch.version.cuda is None:
        return "this torch is a CPU-only build"
    if not torch.cuda.is_available():
        return "torch sees none"
    try:
        if world.size > 1:
            torch.cuda.set_device(min(world.local_rank, torch.cuda.device_count() - 1))
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
