"""Numbers of a training while it runs: ``metrics.csv``, TensorBoard, and MLflow or Weights & Biases when asked for.

Nothing here leaves the machine unless an address was given. What has been logged is part of the checkpoint, so that a
training that goes on from it has every step once.
"""

import csv
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from bindgram.errors import InputError
from bindgram.training.progress import announce, is_muted

COLUMNS = ("step", "seconds", "metric", "value")
CSV_NAME, TENSORBOARD_NAME = "metrics.csv", "events.tfevents"  # TensorBoard finds files by "tfevents" in their name
REMEDY = "pip install {package}, or leave it out (null) under logging: in the configuration"

Values = Mapping[str, float]


@dataclass(frozen=True)
class LogSettings:
    """How a training can be watched.

    Parameters
    ----------
    folder : where its files go; None = nothing is logged.
    every_steps : steps between two rows of losses, norms, learning rates and speed.
    tensorboard : write what TensorBoard reads.
    mlflow : address or folder of MLflow; None = none.
    wandb : project of Weights & Biases, offline unless WANDB_MODE says otherwise; None = none.

    Raises
    ------
    InputError : only one of folder and steps is given, or MLflow or Weights & Biases is not installed.
    """

    folder: Path | None = None
    every_steps: int | None = None
    tensorboard: bool = False
    mlflow: str | None = None
    wandb: str | None = None

    def __post_init__(self) -> None:
        if (self.folder is None) != (self.every_steps is None):
            raise InputError("--log-folder and --log-every: only one is given; give both or neither")
        if self.folder is None and (self.tensorboard or self.mlflow or self.wandb):
            raise InputError("--tensorboard, --mlflow and --wandb need --log-folder")
        for package, wanted in (("mlflow", self.mlflow), ("wandb", self.wandb)):
            if wanted and find_spec(package) is None:
                raise InputError(f"--{package} {wanted}: not installed here; {REMEDY.format(package=package)}")

    def of(self, part: str = "") -> "RunLog":
        """The log of one training, in a folder of its own where the command trains several."""
        return RunLog(self, None if self.folder is None else self.folder / part)


class Sink(Protocol):
    """One place that numbers are written to."""

    def write(self, step: int, wall_time: float, values: Values) -> None:
        """Add the numbers of a step, at a time in seconds since 1970."""

    def close(self, *, done: bool) -> None:
        """Nothing more comes; `done`: training ended, not merely this process."""


class RunLog:
    """What one training logs. Rank 0 alone writes."""

    def __init__(self, settings: LogSettings | None = None, folder: Path | None = None) -> None:
        self.settings, self.folder = settings or LogSettings(), folder
        self._began = time.time()
        self._past = ""  # rows of metrics.csv that come before those of this process
        self._runs: dict[str, str] = {}  # ids of the runs on MLflow and W&B
        self._csv: Any = None
        self._sinks: list[Sink] = []

    @property
    def active(self) -> bool:
        """Whether anything is logged here."""
        return self.folder is not None and not is_muted()

    def due(self, step: int) -> bool:
        """Whether the numbers of this step are wanted."""
        return self.active and step % (self.settings.every_steps or 1) == 0

    def write(self, step: int, values: Values) -> None:
        """Log numbers of a step; names are paths such as ``train/loss``. Where that fails, training goes on without."""
        if not self.active:
            return
        try:
            if self._csv is None:
                self._open()
            self._write(step, values)
        except OSError as error:
            announce(f"logs: {self.folder}: cannot be written ({error}); training goes on without")
            self.folder = None

    def _write(self, step: int, values: Values) -> None:
        now = time.time()
        rows = csv.writer(self._csv, lineterminator="\n")
        rows.writerows((step, f"{now - self._began:.1f}", name, f"{value:.6g}") for name, value in values.items())
        self._csv.flush()
        for sink in self._sinks:
            sink.write(step, now, values)

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds of the log."""
        if not self.active:
            return {}
        text = self._past
        if self._csv is not None:
            with suppress(OSError):  # somebody has removed it
                text = (self.folder / CSV_NAME).read_text(encoding="utf-8")
        return {"rows": text, "seconds": time.time() - self._began, "runs": dict(self._runs)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on after the rows of a checkpoint; later ones of the interrupted process are dropped."""
        self._past, self._runs = state.get("rows", ""), dict(state.get("runs", {}))
        self._began = time.time() - state.get("seconds", 0.0)

    def close(self, *, done: bool) -> None:
        """Nothing more comes from this process."""
        for sink in self._sinks:
            with suppress(OSError):  # told when it was written to
                sink.close(done=done)
        if self._csv is not None:
            with suppress(OSError):
                self._csv.close()
        self._sinks = []

    def _open(self) -> None:
        assert self.folder is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        self._csv = (self.folder / CSV_NAME).open("w", encoding="utf-8", newline="")
        self._csv.write(self._past or ",".join(COLUMNS) + "\n")
        (self.folder / TENSORBOARD_NAME).unlink(missing_ok=True)
        wanted: list[tuple[object, Callable[[], Sink]]] = [
            (self.settings.tensorboard, self._tensorboard),
            (self.settings.mlflow, lambda: _Mlflow(str(self.settings.mlflow), str(self.folder), self._runs)),
            (self.settings.wandb, lambda: _Wandb(str(self.settings.wandb), self.folder, self._runs)),
        ]
        self._sinks = [make() for asked, make in wanted if asked]

    def _tensorboard(self) -> Sink:
        sink = _TensorBoard(self.folder / TENSORBOARD_NAME, self._began)
        for step, seconds, values in _rows(self._past):
            sink.write(step, self._began + seconds, values)
        return sink


def _rows(text: str) -> Iterator[tuple[int, float, dict[str, float]]]:
    """Rows of a metrics.csv, those of one step and time together."""
    together: dict[tuple[str, str], dict[str, float]] = {}
    for row in csv.DictReader(text.splitlines()):
        together.setdefault((row["step"], row["seconds"]), {})[row["metric"]] = float(row["value"])
    for (step, seconds), values in together.items():
        yield int(step), float(seconds), values


class _TensorBoard:
    """An event file. TensorBoard's own record writer is enough: `torch.utils.tensorboard` names files by the clock."""

    def __init__(self, path: Path, began: float) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._summary = Event, Summary
        self._writer = RecordWriter(path.open("wb"))
        self._write(Event(wall_time=began, file_version="brain.Event:2"))

    def write(self, step: int, wall_time: float, values: Values) -> None:
        made = [self._summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._write(self._event(wall_time=wall_time, step=step, summary=self._summary(value=made)))

    def _write(self, event: Any) -> None:
        self._writer.write(event.SerializeToString())
        self._writer.flush()

    def close(self, *, done: bool) -> None:
        self._writer.close()


class _Mlflow:
    def __init__(self, address: str, title: str, runs: dict[str, str]) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow.entities import Metric
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        self._metric, self._client, self._error = Metric, MlflowClient(tracking_uri=address), MlflowException
        self._sent = -1  # steps that an interrupted process has sent after its checkpoint are not sent again
        if "mlflow" in runs:
            history = self._client.get_metric_history(runs["mlflow"], "train/tokens_per_second")
            self._sent = max((point.step for point in history), default=-1)
        else:
            found = self._client.get_experiment_by_name("bindgram")
            experiment = found.experiment_id if found else self._client.create_experiment("bindgram")
            runs["mlflow"] = self._client.create_run(experiment, run_name=title).info.run_id
        self._run = runs["mlflow"]

    def write(self, step: int, wall_time: float, values: Values) -> None:
        if step > self._sent:
            at = int(1000 * wall_time)
            metrics = [self._metric(name, value, at, step) for name, value in values.items()]
            try:
                self._client.log_batch(self._run, metrics)
            except self._error as error:
                raise OSError(f"MLflow: {str(error).splitlines()[0]}") from None

    def close(self, *, done: bool) -> None:
        self._client.set_terminated(self._run, "FINISHED" if done else "KILLED")


class _Wandb:
    def __init__(self, project: str, folder: Path | None, runs: dict[str, str]) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        mode = os.environ.get("WANDB_MODE", "offline")
        runs.setdefault("wandb", uuid.uuid4().hex[:12])
        # A run that goes on refuses steps that it has already.
        self._run = wandb.init(
            project=project, dir=str(folder), name=str(folder), id=runs["wandb"], resume="allow", mode=mode
        )

    def write(self, step: int, wall_time: float, values: Values) -> None:
        self._run.log(dict(values), step=step)

    def close(self, *, done: bool) -> None:
        self._run.finish(exit_code=0 if done else 1)
