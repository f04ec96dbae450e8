"""Checkpoints: the training state on disk, from which a stopped command goes on as if it had not been stopped.

One file per training, ``s<seed>.<digest>.pt``, holds the newest state, or the result of a training that is finished
while the command is not. The digest is that of everything the training depends on; a file with another digest is
ignored and told what differs. A file is replaced whole, so that two writers leave the later one's, and holds tensors
and plain values only (loaded with ``weights_only=True``).

Signals: before training starts they end the command at once (`bindgram.cli.main`). From then on they are noted, and
the training saves and stops where its state is whole: after a step, or within a validation, which is then repeated.
Of several ranks all stop together; rank 0 writes one file for all, which every rank reads.
"""

import pickle
import signal
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import pandas as pd
import torch

from bindgram.errors import InputError
from bindgram.models.bundle import Bundle
from bindgram.provenance import atomic_path, digest
from bindgram.training.distributed import ALONE, Votes, World
from bindgram.training.progress import announce

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
FORMAT = 2  # raise when the layout of a state changes
UNREADABLE = (OSError, RuntimeError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile)


class Interrupted(SystemExit):
    """A signal asked the command to stop; its exit status is 128 + the signal's number."""


class Checkpoints:
    """The checkpoints of one command, and the signals that stop it.

    Parameters
    ----------
    folder : where they are; None = nothing is saved and signals are not held back.
    minutes : wall time between two saves of a training.
    world : the ranks that train together, and stop together.

    Raises
    ------
    InputError : only one of the two is given.
    """

    def __init__(self, folder: Path | None = None, minutes: float | None = None, world: World = ALONE) -> None:
        if (folder is None) != (minutes is None):
            raise InputError("--checkpoints and --checkpoint-minutes: only one is given; give both or neither")
        self.folder, self.minutes, self.world = folder, minutes, world
        self.signum = 0
        self._votes = Votes(world)
        self._replaced: dict[int, Any] = {}

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for signum, handler in self._replaced.items():
            signal.signal(signum, handler)
        self._replaced.clear()

    def of(self, provenance: Mapping[str, Any], device: torch.device) -> "Checkpoint":
        """The checkpoint of one training, named by its seed and all that its weights depend on.

        On a CPU these are the processor's threads too. Which GPU it is does not count: a job that is queued again may
        get another one.
        """
        described = {
            **provenance,
            "device": device.type,
            "threads": torch.get_num_threads() if device.type == "cpu" else None,
            "torch": str(torch.__version__),
            "checkpoint_format": FORMAT,
        }
        return Checkpoint(self, described)

    def hold_signals(self) -> None:
        """From now on signals are noted, for `check` to act on."""
        if self.folder is not None and not self._replaced:
            self._replaced = {signum: signal.signal(signum, self._note) for signum in SIGNALS}

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self.signum = self.signum or signum

    def check(self) -> None:
        """Raise `Interrupted` if a signal has come, to any rank; all ranks have to ask equally often."""
        (signum,) = self._votes.take(self.signum)
        if signum:
            announce(f"{signal.Signals(signum).name}: training stops")
            raise Interrupted(128 + signum)

    def clear(self) -> None:
        """Remove all checkpoints of the command, and the folder if nothing else is in it."""
        if self.folder is None or not self.folder.is_dir():
            return
        for path in [*self.folder.glob("s*.pt"), *self.folder.glob(".part.*.pt")]:
            path.unlink(missing_ok=True)
        with suppress(OSError):  # something else is in it
            self.folder.rmdir()


class Checkpoint:
    """The state of one training on disk; see `Checkpoints.of`."""

    def __init__(self, owner: Checkpoints, described: Mapping[str, Any]) -> None:
        self.owner, self.described = owner, dict(described)
        self.label = f"s{described['seed']}"
        self.path = owner.folder and owner.folder / f"{self.label}.{digest(self.described)[:16]}.pt"
        self._saved = time.monotonic()
        self._due = Votes(owner.world)
        self._found = self._load()
        self._compare_ranks()

    @property
    def world(self) -> World:
        """The ranks that train together."""
        return self.owner.world

    def take_state(self) -> dict[str, Any] | None:
        """State to go on from, of `save`; once, so that its memory can be freed."""
        return self._found.pop("state", None)

    @property
    def result(self) -> Bundle | None:
        """Bundle of the training where it is finished, of `finish`."""
        if "result" not in self._found:
            return None
        announce(f"checkpoint {self.path}: this training is finished, its bundle is written again")
        stored = self._found["result"]
        return Bundle(**stored | {"log": pd.DataFrame(stored["log"])})

    def hold_signals(self) -> None:
        """From now on signals are noted, for `check` to act on."""
        self.owner.hold_signals()

    def check(self) -> None:
        """Raise `Interrupted` if a signal has come."""
        self.owner.check()

    def save(self, state: Mapping[str, Any]) -> None:
        """Replace the file by one with this state; say so where that fails, and go on."""
        self._write({"state": dict(state)})

    def save_if_due(self, state: Callable[[], Mapping[str, Any]]) -> None:
        """Save when the last save is `minutes` ago, by the clock of rank 0; all ranks have to ask equally often."""
        if self.owner.minutes is None:
            return
        waited = time.monotonic() - self._saved >= 60 * self.owner.minutes
        if any(self._due.take(int(waited and self.world.leads))):
            self.save(state())

    def save_and_stop(self, state: Mapping[str, Any], interrupted: Interrupted) -> None:
        """Save, say how long it took, and raise `interrupted`."""
        started = time.monotonic()
        if self._write({"state": dict(state)}):
            assert self.path is not None
            cost = f"{self.path.stat().st_size / 1e6:,.1f} MB, {time.monotonic() - started:.1f} s"
            announce(f"checkpoint {self.path}: saved ({cost}); the same command goes on from it")
        self.world.wait()  # whoever ends first has the others ended, by what started the ranks
        raise interrupted

    def finish(self, bundle: Bundle) -> Bundle:
        """Keep the bundle of the finished training until the command has succeeded."""
        self._write({"result": vars(bundle) | {"log": bundle.log.to_dict("records")}})
        return bundle

    def _write(self, content: dict[str, Any]) -> bool:
        if self.path is None or not self.world.leads:
            return False
        try:
            with atomic_path(self.path) as part, part.open("wb") as handle:
                torch.save({"described": self.described, **content}, handle)
        except (OSError, RuntimeError) as error:
            announce(f"checkpoint {self.path}: cannot be saved ({error}); training goes on without")
            return False
        finally:
            self._saved = time.monotonic()
        for path in self._others():
            path.unlink(missing_ok=True)
        return True

    def _compare_ranks(self) -> None:
        """Refuse ranks that would not go on from the same state."""
        found = self._found.get("state", {}).get("step", "no state") if "result" not in self._found else "a result"
        seen = self.world.everyone({"described": self.described, "found": found})
        for rank, other in enumerate(seen):
            if differences := _differences(seen[0]["described"], other["described"]):
                raise InputError(
                    f"rank {rank} differs from rank 0 in {', '.join(differences)}: all ranks need the same software, "
                    "files and options"
                )
            if other["found"] != seen[0]["found"]:
                raise InputError(
                    f"checkpoint {self.path}: rank 0 finds {seen[0]['found']}, rank {rank} {other['found']}: "
                    "--checkpoints must be on a file system that all nodes share"
                )

    def _others(self) -> list[Path]:
        assert self.owner.folder is not None
        return sorted(path for path in self.owner.folder.glob(f"{self.label}.*.pt") if path != self.path)

    def _load(self) -> dict[str, Any]:
        if self.path is None:
            return {}
        found = _read(self.path) if self.path.is_file() else {}
        if found:
            return found
        for path in self._others():
            if other := _read(path, mmap=True):
                differences = ", ".join(_differences(other["described"], self.described))
                announce(
                    f"checkpoint {path} was made with other settings or inputs (differs in: {differences}): ignored, "
                    "training starts from the beginning"
                )
        return {}


def _read(path: Path, *, mmap: bool = False) -> dict[str, Any]:
    """Content of a checkpoint; empty, with a message, where it cannot be read."""
    try:
        if not mmap and not _is_whole(path):
            raise ValueError("a part of it is damaged")
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
        if "described" in found:
            return found
        reason = "it is no checkpoint of bindgram"
    except pickle.UnpicklingError:
        reason = "it is damaged, or holds more than tensors and plain values"
    except UNREADABLE as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
    announce(f"checkpoint {path} cannot be read ({reason}): ignored, training starts from the beginning")
    return {}


def _is_whole(path: Path) -> bool:
    """Whether all parts of a checkpoint, which is a ZIP file, have their checksum; torch does not look."""
    with zipfile.ZipFile(path) as file:
        return file.testzip() is None


def _differences(old: Any, new: Any, key: str = "") -> list[str]:
    """Dotted names of the values that differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = sorted({*old, *new})
        return [found for name in names for found in _differences(old.get(name), new.get(name), f"{key}{name}.")]
    return [] if old == new else [key.removesuffix(".")]
