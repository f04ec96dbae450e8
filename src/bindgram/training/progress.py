"""What a training says of itself on standard error: one line at a time, its speed within the first seconds."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

FIRST_SECONDS, EVERY_SECONDS = 3, 15  # after which a finished step is announced: the first time, and from then on
SLOW_SECONDS = 20  # after which a first step that is not finished is announced


_muted = False


def mute() -> None:
    """Announce nothing from now on: of several ranks, one speaks."""
    global _muted
    _muted = True


def announce(text: str) -> None:
    """Print one line of progress to standard error, at once."""
    if not _muted:
        print(text, file=sys.stderr, flush=True)


class Progress:
    """Speed of one training, in tokens per second of training without validation.

    A context manager around all steps. A first step that takes long gets a line before it ends.
    """

    def __init__(self, name: str, tokens_per_step: int) -> None:
        self.name = name
        self.tokens = 0
        self._started, self._idle = time.monotonic(), 0.0
        self._announced: float | None = None
        self._timer = threading.Timer(SLOW_SECONDS, self._announce_slow_step, [tokens_per_step])
        self._timer.daemon = True

    def __enter__(self) -> "Progress":
        self._started, self._idle = time.monotonic(), 0.0
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._timer.cancel()

    @property
    def rate(self) -> float:
        """Tokens per second so far."""
        return self.tokens / max(time.monotonic() - self._started - self._idle, 1e-9)

    def step(self, n_tokens: int, describe: Callable[[], str], left: int | None = None) -> None:
        """Note a finished step; now and then announce it, the speed and the time for the tokens that are left.

        `describe` is called then only, since it may have to wait for a GPU.
        """
        self._timer.cancel()
        self.tokens += n_tokens
        now = time.monotonic()
        since, wait = (self._started, FIRST_SECONDS) if self._announced is None else (self._announced, EVERY_SECONDS)
        if now - since >= wait:
            text = describe()
            self._announced = now
            ahead = "" if left is None else f", {left / self.rate:.0f} s left"
            announce(f"{self.name}: {text}, {self.rate:,.0f} tokens/s{ahead}")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time that is no training, such as a validation."""
        started = time.monotonic()
        try:
            yield
        finally:
            self._idle += time.monotonic() - started

    def _announce_slow_step(self, n_tokens: int) -> None:
        fastest = n_tokens / SLOW_SECONDS
        announce(f"{self.name}: the first step takes longer than {SLOW_SECONDS} s: below {fastest:,.0f} tokens/s")
