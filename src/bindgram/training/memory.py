"""Memory that does not suffice: one line that says which setting to lower, and by how much."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from bindgram.errors import InputError

UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
ASKED = re.compile(r"allocate ([\d.]+) (bytes|[KMGT]iB)")
# What other errors than `torch.OutOfMemoryError` and `MemoryError` say: the CPU's allocator, cuBLAS and cuDNN.
SAYINGS = ("can't allocate memory", "not enough memory", "_STATUS_ALLOC_FAILED", "CUDA out of memory")
PER_PARAMETER = 16  # bytes: weight, gradient and two averages of the optimizer, 32 bits each
USABLE = 0.9  # of what is free: the rest is lost between blocks


@contextmanager
def memory_advice(
    section: str, batch_size: int, model: nn.Module, device: torch.device, accumulation: int | None = None
) -> Iterator[None]:
    """Turn a lack of memory in the body into advice.

    Parameters
    ----------
    section : of the settings file, such as ``pretrain``.
    batch_size : its value there.
    model : what is trained.
    accumulation : its value there; None = this section has no such key.

    Raises
    ------
    InputError : the device, or the CPU, has too little memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        fixed = PER_PARAMETER * sum(parameter.numel() for parameter in model.parameters())
        wanted = _bytes_asked(error)
        factor = _factor(wanted, fixed, device) if device.type == "cuda" else 2
        whose = f"{_whose(error, device)}{_asked(wanted)}"
        raise InputError(f"out of memory ({whose}): {_remedy(section, batch_size, accumulation, factor)}") from None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory, of the CPU or a GPU, does not suffice."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(saying in str(error) for saying in SAYINGS)


def parts_needed(asked: int, allocated: int, free: int, fixed: int) -> int | None:
    """Into how many parts a batch has to be cut to fit; None where even a small one does not.

    Parameters
    ----------
    asked : bytes that could not be had.
    allocated : bytes that were in use then; the batch needs them and `asked` at least, less what is `fixed`.
    free : bytes that were not in use.
    fixed : bytes that do not depend on the batch.
    """
    room = USABLE * (allocated + free) - fixed
    if room <= 0:
        return None
    return max(2, math.ceil((allocated + asked - fixed) / room))


def _factor(asked: int, fixed: int, device: torch.device) -> int | None:
    allocated = torch.cuda.memory_allocated(device)
    unused = torch.cuda.memory_reserved(device) - allocated
    return parts_needed(asked, allocated, torch.cuda.mem_get_info(device)[0] + unused, fixed)


def _bytes_asked(error: BaseException) -> int:
    found = ASKED.search(str(error))
    return round(float(found[1]) * UNITS[found[2]]) if found else 0


def _asked(n_bytes: int) -> str:
    return f", {n_bytes / 1e9:,.1f} GB more were asked for" if n_bytes else ""


def _whose(error: BaseException, device: torch.device) -> str:
    on_cpu = isinstance(error, MemoryError) or "allocate memory" in str(error) or "not enough memory" in str(error)
    return "CPU" if on_cpu or device.type == "cpu" else torch.cuda.get_device_name(device)


def _remedy(section: str, batch_size: int, accumulation: int | None, factor: int | None) -> str:
    larger = "or give the job more memory (resources mem_mb of its rule, or a larger GPU)"
    if factor is None or batch_size <= 2:
        return f"the network itself is too large here; choose a smaller encoder, {larger}"
    lower = max(2, batch_size // factor // 2 * 2)
    advice = f"lower {section}.batch_size from {batch_size} to {lower}"
    if accumulation is not None:
        parts = _divisor(batch_size, accumulation * factor)
        advice = (
            f"set {section}.accumulation from {accumulation} to {parts}, which reads the same batch in smaller parts, "
            f"or {advice}"
        )
    return f"{advice}, {larger}"


def _divisor(batch_size: int, at_least: int) -> int:
    """The least number of equal, even parts of a batch that is not below `at_least`."""
    return next((n for n in range(at_least, batch_size) if batch_size % (2 * n) == 0), batch_size)
