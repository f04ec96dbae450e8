"""What a vocabulary costs in memory, known before anything is allocated: a k that cannot fit is refused at once.

All numbers are least amounts, so that nothing is refused that could run; `training.memory` has the rest.
"""

import os
from pathlib import Path

import torch

from bindgram.errors import InputError
from bindgram.sequence.kmers import N_SPECIAL
from bindgram.settings.models import LanguageModelFile, LmStage
from bindgram.training.memory import PER_PARAMETER

PER_LOGIT = 8  # bytes: log-probability and gradient in 32 bits
LIMIT = Path("/sys/fs/cgroup/memory.max")  # of the job, where it has one


def check_vocabulary_fits(
    settings: LanguageModelFile, stage: LmStage, name: str, n_parts: int, device: torch.device
) -> None:
    """Refuse a vocabulary whose embedding and predictions alone are larger than the memory of the device.

    Parameters
    ----------
    name : of the stage in the language-model file.
    n_parts : pieces that a batch is computed in: ranks times accumulation.

    Raises
    ------
    InputError : says what they need, and which batch_size, accumulation or k would leave room.
    """
    k, memory = settings.vocabulary.k, memory_of(device)
    lanes = stage.batch_size // n_parts
    channels = getattr(settings.encoder, "embedding_size", 1)

    def needed(k: int, lanes: int) -> int:
        return (4**k + N_SPECIAL) * (PER_PARAMETER * channels + PER_LOGIT * lanes * stage.bptt)

    if needed(k, lanes) <= memory:
        return
    size, embedding = 4**k + N_SPECIAL, needed(k, 0)
    per_lane = needed(k, 1) - embedding
    fitting = max((memory - embedding) // per_lane, 0)
    remedies = [f"{name}.accumulation to {stage.accumulation * -(-lanes // fitting)} or more"] if fitting else []
    remedies += [f"{name}.batch_size to {fitting * n_parts // 2 * 2} or less"] if fitting * n_parts > 1 else []
    smaller = next((one for one in range(k - 1, 0, -1) if needed(one, lanes) <= memory), None)
    remedies += [f"vocabulary.k to {smaller} or less"] if smaller else []
    raise InputError(
        f"language-model file: vocabulary.k: k {k} makes {size:,} tokens; their embedding with its optimizer takes "
        f"{_gb(embedding)}, predicting {lanes} x {stage.bptt} of them {_gb(needed(k, lanes) - embedding)}, and the "
        f"{'GPU' if device.type == 'cuda' else 'job'} has {_gb(memory)}; "
        f"set {', or '.join(remedies) or f'{name}.bptt to less'}"
    )


def memory_of(device: torch.device) -> int:
    """Bytes that a GPU has; of a CPU those of the machine, or what the job may have of them."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = LIMIT.read_text().strip() if LIMIT.is_file() else "max"
    return min(machine, int(limit)) if limit.isdigit() else machine


def _gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"
