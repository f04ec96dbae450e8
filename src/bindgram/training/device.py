"""Device, precision and seeds of a training or prediction job."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bindgram.errors import InputError


def choose_device(device: str, threads: int) -> torch.device:
    """Resolve ``auto``, ``cpu`` or ``cuda`` and set the number of CPU threads.

    Raises
    ------
    InputError : ``cuda`` was asked for and no GPU is visible.
    """
    torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: this job sees no GPU; check CUDA_VISIBLE_DEVICES, or use --device cpu")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's generators for the body and restore them afterwards."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def announce(text: str) -> None:
    """Print one line of progress to standard error, at once."""
    print(text, file=sys.stderr, flush=True)
