"""What a training says of itself on standard error: one line at a time, its speed within the first seconds."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from bindgram.training.norms import layer_norms, learning_rates

if TYPE_CHECKING:  # they announce
    from bindgram.training.learner import Learner
    from bindgram.training.logs import RunLog

FIRST_SECONDS, EVERY_SECONDS = 3, 15  # after which a finished step is announced: the first time, and from then on
LONGEST_SECONDS, SHARE = 120, 0.05  # in a long training lines come every so great a share of the time so far
SLOW_SECONDS = 20  # after which a first step that is not finished is announced
Describe = Callable[[], dict[str, float]]

_muted = False


def mute() -> None:
    """Announce nothing from now on: of several ranks, one speaks."""
    global _muted
    _muted = True


def is_muted() -> bool:
    """Whether this process is one of those that do not speak."""
    return _muted


def announce(text: str) -> None:
    """Print one line of progress to standard error, at once."""
    if not _muted:
        print(text, file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


class Progress:
    """Speed of one training, in tokens per second of training without validation, and what can be watched of it.

    A context manager around all steps. A first step that takes long gets a line before it ends.

    Parameters
    ----------
    name : what its lines begin with.
    tokens_per_step : of all lanes or sequences.
    n_steps : of the whole training, if it goes on to its end.
    log : where numbers go beside the lines.
    learner : whose learning rates and norms are logged.
    """

    def __init__(self, name: str, tokens_per_step: int, n_steps: int, log: "RunLog", learner: "Learner") -> None:
        self.name, self.n_steps, self.log, self.learner = name, n_steps, log, learner
        self.tokens = self.sequences = 0
        self._first: int | None = None  # steps that were done before this process began
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
        self.log.close(done=kind is None)

    @property
    def rate(self) -> float:
        """Tokens per second so far."""
        return self.tokens / self._seconds

    def describe_rate(self) -> str:
        """Tokens per second so far, and sequences per second where there are such."""
        sequences = f" ({self.sequences / self._seconds:,.0f} sequences/s)" if self.sequences else ""
        return f"{self.rate:,.0f} tokens/s{sequences}"

    def step(self, done: int, n_tokens: int, describe: Describe, n_sequences: int = 0, where: str = "") -> None:
        """Note that step number `done` is finished; now and then announce it, and every so many steps log it.

        `describe` gives its losses. It is called then only, since it may have to wait for a GPU.
        """
        self._timer.cancel()
        self.tokens += n_tokens
        self.sequences += n_sequences
        if self._first is None:
            self._first = done - 1
        now = time.monotonic()
        speaks, logs = self._is_time(now), self.log.due(done)
        values = describe() if speaks or logs else {}
        if speaks:
            self._announced = now
            losses = "".join(f", {name.replace('_', ' ')} {value:.4f}" for name, value in values.items())
            left = (now - self._started) * (self.n_steps - done) / (done - self._first)
            rate = self.learner.optimizer.param_groups[-1]["lr"]
            announce(
                f"{self.name}: {where}step {done}/{self.n_steps} ({100 * done / self.n_steps:.1f} %){losses}, "
                f"learning rate {rate:.2g}, {self.describe_rate()}, {clock(left)} left"
            )
        if logs:
            self._log(done, values)

    def validated(self, done: int, row: dict[str, object], text: str) -> None:
        """Announce a validation, and log the losses and scores among the columns of its row of the training log."""
        announce(f"{self.name}: {text}")
        scores = {name: value for name, value in row.items() if name.startswith("valid_") and isinstance(value, float)}
        self.log.write(done, {name.replace("_", "/", 1): value for name, value in scores.items()})

    def finished(self, text: str) -> None:
        """Announce what came out, and how long this process took for it."""
        key = "training" if self.name == "finetune" else "pretraining"
        took = clock(time.monotonic() - self._started)
        announce(f"{self.name}: {text}; {took}, {self.describe_rate()} (for costs.{key}_tokens_per_second)")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time that is no training, such as a validation."""
        started = time.monotonic()
        try:
            yield
        finally:
            self._idle += time.monotonic() - started

    @property
    def _seconds(self) -> float:
        return max(time.monotonic() - self._started - self._idle, 1e-9)

    def _is_time(self, now: float) -> bool:
        if self._announced is None:
            return now - self._started >= FIRST_SECONDS
        wait = min(max(EVERY_SECONDS, SHARE * (now - self._started)), LONGEST_SECONDS)
        return now - self._announced >= wait

    def _log(self, step: int, values: dict[str, float]) -> None:
        speed = {"tokens_per_second": self.rate}
        if self.sequences:
            speed["sequences_per_second"] = self.sequences / self._seconds
        model, optimizer = self.learner.model, self.learner.optimizer
        self.log.write(
            step,
            {f"train/{name}": value for name, value in (values | speed).items()}
            | learning_rates(model, optimizer)
            | layer_norms(model),
        )

    def _announce_slow_step(self, n_tokens: int) -> None:
        fastest = n_tokens / SLOW_SECONDS
        announce(f"{self.name}: the first step takes longer than {SLOW_SECONDS} s: below {fastest:,.0f} tokens/s")
