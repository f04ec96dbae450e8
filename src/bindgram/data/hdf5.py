"""New HDF5 files, whole or not at all, also when the disk is full."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import h5py

from bindgram.errors import InputError
from bindgram.provenance import atomic_path


class _Sink:
    """A file that keeps its first write error to itself: HDF5 crashes the process when a write fails as it closes."""

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle
        self.seek, self.tell, self.read, self.readinto = handle.seek, handle.tell, handle.read, handle.readinto
        self.error: OSError | None = None

    def _attempt(self, action: Callable[..., Any], *arguments: Any) -> None:
        try:
            if self.error is None:
                action(*arguments)
        except OSError as error:
            self.error = error

    def write(self, data: Any) -> int:
        """Write all of `data`; after an error, nothing."""
        self._attempt(self._write_all, memoryview(data))
        return len(data)

    def _write_all(self, rest: memoryview) -> None:
        while rest:
            rest = rest[self._handle.write(rest) :]

    def truncate(self, size: int) -> None:
        """Set the size in bytes; after an error, do nothing."""
        self._attempt(self._handle.truncate, size)

    def flush(self) -> None:
        """Nothing to do: the handle is not buffered."""


@contextmanager
def new_hdf5(path: Path) -> Iterator[h5py.File]:
    """Yield a new HDF5 file that replaces `path` when the block succeeds, and vanishes when it does not.

    Raises
    ------
    InputError : the disk did not take it (full, over quota).
    """
    with atomic_path(path) as part, part.open("w+b", buffering=0) as handle:
        sink = _Sink(handle)
        with h5py.File(sink, "w") as file:
            yield file
        if sink.error is not None:
            raise InputError(f"{path}: cannot be written ({sink.error.strerror}); make room and run again")
