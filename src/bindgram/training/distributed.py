"""Ranks: processes, one for each GPU, that train one network together.

torchrun starts them on one node, SLURM's srun on one or several. Every rank has all weights and its own share of the
data; gradients are summed over the ranks, so that the weights stay equal. Rank 0 alone writes and reports.
"""

import os
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from bindgram.errors import InputError
from bindgram.provenance import step_rng
from bindgram.training.progress import mute

MEETING = timedelta(minutes=5)  # for all ranks to start
ANSWER = timedelta(minutes=30)  # for one rank that works while the others wait, as with the Markov model
FIRST_PORT, N_PORTS = 20_000, 10_000  # below the ports that systems give out by themselves


@dataclass(frozen=True)
class World:
    """This process among those that train together; without others, rank 0 of 1.

    Attributes
    ----------
    rank, size : number of this process, and of all.
    local_rank : number of this process on its node.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def leads(self) -> bool:
        """Whether this is the rank that writes and reports."""
        return self.rank == 0

    def share(self, n_items: int) -> slice:
        """Items of this rank: neighbours, as many as other ranks have or one more or less."""
        return slice(n_items * self.rank // self.size, n_items * (self.rank + 1) // self.size)

    def seed(self, seed: int, *where: str) -> int:
        """A seed that every rank has for itself."""
        return int(step_rng(seed, "rank", str(self.rank), *where).integers(2**62))

    def sum(self, values: Tensor) -> Tensor:
        """The sum over the ranks, in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def gather(self, value: Any) -> list[Any]:
        """Values of all ranks in their order, at rank 0; nothing at the others."""
        if self.size == 1:
            return [value]
        found = [None] * self.size if self.leads else None
        dist.gather_object(value, found)
        return found or []

    def everyone(self, value: Any) -> list[Any]:
        """Values of all ranks in their order, at every rank."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def wait(self) -> None:
        """Wait for all ranks."""
        self.everyone(None)


ALONE = World()


class Votes:
    """The largest wish of any rank, told to all of them in the same call.

    With several ranks that is the wish of their call before, so that nobody waits: by now it is known.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._wishes: Tensor | None = None
        self._pending: dist.Work | None = None

    def take(self, *wishes: int) -> list[int]:
        """Vote; every rank has to, equally often and with equally many wishes."""
        if self.world.size == 1:
            return list(wishes)
        if self._pending is not None:
            self._pending.wait()
        decided = [0] * len(wishes) if self._wishes is None else self._wishes.tolist()
        self._wishes = torch.tensor(wishes)
        self._pending = dist.all_reduce(self._wishes, dist.ReduceOp.MAX, async_op=True)
        return decided


class GradientSum:
    """Sums gradients over the ranks while the backward pass goes on to the layers before.

    Nothing is sent in the passes before the last of a step: they only add up.
    """

    def __init__(self, world: World, parameters: Sequence[torch.nn.Parameter]) -> None:
        self.sends = False
        self._pending: list[dist.Work] = []
        if world.size > 1:
            for parameter in parameters:
                parameter.register_post_accumulate_grad_hook(self._send)

    def _send(self, parameter: Tensor) -> None:
        if self.sends:
            assert parameter.grad is not None
            self._pending.append(dist.all_reduce(parameter.grad, async_op=True))

    def wait(self) -> None:
        """Wait until every gradient is the sum of all ranks'."""
        for work in self._pending:
            work.wait()
        self._pending.clear()


def find_world(environ: Mapping[str, str] = os.environ) -> World:
    """Which process of how many this is, by the variables of torchrun, or of an srun with several tasks.

    Raises
    ------
    InputError : a variable is missing or no number.
    """
    if "RANK" in environ and "WORLD_SIZE" in environ:
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    elif environ.get("SLURM_STEP_NUM_TASKS", "1") != "1":  # the step's own: a job has variables outside of steps too
        names = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID")
    else:
        return ALONE
    try:
        rank, size, local_rank = (int(environ[name]) for name in names)
    except (KeyError, ValueError):
        given = ", ".join(f"{name}={environ.get(name)!r}" for name in names)
        raise InputError(f"environment: {given}: must be three numbers, as torchrun or srun sets them") from None
    if not (0 <= local_rank <= rank < size):
        raise InputError(f"environment: rank {rank} of {size} ranks, {local_rank} on its node: cannot be")
    return World(rank, size, local_rank)


@contextmanager
def joined(world: World, device: torch.device) -> Iterator[None]:
    """Meet the other ranks, and part from them in the end. Ranks after the first keep silent but for errors.

    Raises
    ------
    InputError : ranks are missing, have different devices or share a GPU; or one ended before the others.
    """
    if world.size == 1:
        yield
        return
    store = _meet(world)
    if not world.leads:
        mute()
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    try:
        _compare_devices(world, device, store)
        dist.init_process_group(backend, store=store, rank=world.rank, world_size=world.size, timeout=ANSWER)
        world.wait()
        yield
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            reason = str(error).strip().splitlines()[0]
            raise InputError(
                f"rank {world.rank} of {world.size} has lost another rank, whose own message says why ({reason})"
            ) from None
        raise
    dist.destroy_process_group()


def _meet(world: World) -> dist.Store:
    """A store that all ranks have reached."""
    address = meeting_place(world)
    try:
        store, _, _ = next(dist.rendezvous(address, timeout=MEETING))
    except (dist.DistError, ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"rank {world.rank} of {world.size} on {socket.gethostname()} did not meet the others within "
            f"{MEETING.total_seconds() / 60:g} minutes ({address}: {reason}); look for what ended another rank, and "
            "check that nodes reach each other by that name (else set MASTER_ADDR)"
        ) from None
    return store


def meeting_place(world: World, environ: Mapping[str, str] = os.environ) -> str:
    """Where the ranks meet: as torchrun says, or at the first node of an srun, at a port of its own."""
    if "RANK" in environ:
        return "env://"
    job, step = (int(environ.get(name, "0")) for name in ("SLURM_JOB_ID", "SLURM_STEP_ID"))
    host = environ.get("MASTER_ADDR") or first_host(environ["SLURM_STEP_NODELIST"])
    port = environ.get("MASTER_PORT") or FIRST_PORT + (job * 7 + step) % N_PORTS
    return f"tcp://{host}:{port}?rank={world.rank}&world_size={world.size}"


def first_host(nodes: str) -> str:
    """First name in a list of SLURM, such as ``gpu[03-05,9],login``: ``gpu03``."""
    first = re.match(r"(?:[^,\[]|\[[^\]]*\])*", nodes)
    assert first is not None
    return re.sub(r"\[(\w+)[^\]]*\]", r"\1", first[0])


def _compare_devices(world: World, device: torch.device, store: dist.Store) -> None:
    """Refuse ranks that have not the right devices: NCCL would fail, or wait for ever."""
    mine = "cpu"
    if device.type == "cuda":
        mine = f"cuda:{torch.cuda.get_device_properties(device).uuid}"
    store.set(f"device{world.rank}", f"{socket.gethostname()} {mine}")
    if problem := device_problem([store.get(f"device{rank}").decode() for rank in range(world.size)]):
        raise InputError(problem)


def device_problem(devices: Sequence[str]) -> str:
    """Why ranks cannot train together on these devices, ``host cpu`` or ``host cuda:id`` of each; "" where they can."""
    if all(device.endswith(" cpu") for device in devices):
        return ""
    for rank, device in enumerate(devices):
        host = device.split()[0]
        if device.endswith(" cpu"):
            return f"rank {rank} on {host} has no GPU, others have; all need one, or none (`device: cpu`)"
        if device in devices[:rank]:
            return (
                f"ranks {devices.index(device)} and {rank} on {host} have the same GPU; ask for as many GPUs of a node "
                "as it has ranks (pretraining.gpus_per_node of the configuration)"
            )
    return ""
