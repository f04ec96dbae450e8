"""What is logged beside the lines: files, resumption, packages that are not there, and that nothing calls home."""

import sys
from importlib import machinery
from types import ModuleType, SimpleNamespace

import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from bindgram.errors import InputError
from bindgram.training import logs
from bindgram.training.logs import LogSettings, RunLog


def lines(folder):
    """Step, metric and value of metrics.csv."""
    rows = [line.split(",") for line in (folder / "metrics.csv").read_text().splitlines()]
    assert rows[0] == list(logs.COLUMNS)
    return [(int(step), metric, float(value)) for step, _, metric, value in rows[1:]]


def scalars(folder):
    """The same of the event file, as TensorBoard itself reads it."""
    events = EventFileLoader(str(folder / "events.tfevents")).Load()
    return [
        (event.step, value.tag, round(value.tensor.float_val[0], 6))
        for event in events
        for value in event.summary.value
    ]


def test_numbers_are_written_as_they_come(tmp_path):
    log = LogSettings(tmp_path, 10).of()
    assert [step for step in range(31) if log.due(step)] == [0, 10, 20, 30]
    log.write(10, {"train/loss": 0.5, "learning_rate": 1e-3})
    assert lines(tmp_path) == [(10, "train/loss", 0.5), (10, "learning_rate", 0.001)]  # while it runs
    log.close(done=True)


def test_without_a_folder_nothing_is_logged():
    log = RunLog()
    assert not log.due(0)
    log.write(1, {"train/loss": 0.5})
    log.close(done=True)
    assert log.state() == {}


def test_tensorboard_reads_what_the_csv_has(tmp_path):
    log = LogSettings(tmp_path, 1, tensorboard=True).of("s1")
    for step in (1, 2):
        log.write(step, {"train/loss": 0.5 / step, "valid/auroc": 0.75})
    log.close(done=True)
    assert scalars(tmp_path / "s1") == lines(tmp_path / "s1")
    assert len(lines(tmp_path / "s1")) == 4


@pytest.mark.parametrize("tensorboard", [False, True])
def test_steps_after_the_checkpoint_are_not_written_twice(tmp_path, tensorboard):
    settings = LogSettings(tmp_path, 1, tensorboard=tensorboard)
    first = settings.of()
    first.write(1, {"train/loss": 0.5})
    state = first.state()
    first.write(2, {"train/loss": 9.0})  # lost with the process
    first.close(done=False)

    second = settings.of()
    second.restore(state)
    second.write(2, {"train/loss": 0.25})
    second.write(3, {"train/loss": 0.125})
    second.close(done=True)
    assert lines(tmp_path) == [(1, "train/loss", 0.5), (2, "train/loss", 0.25), (3, "train/loss", 0.125)]
    if tensorboard:
        assert scalars(tmp_path) == lines(tmp_path)


def test_a_checkpoint_before_the_first_new_row_keeps_the_old_ones(tmp_path):
    settings = LogSettings(tmp_path, 1)
    first = settings.of()
    first.write(1, {"train/loss": 0.5})
    second, third = settings.of(), settings.of()
    second.restore(first.state())
    third.restore(second.state())
    third.write(2, {"train/loss": 0.25})
    assert [step for step, *_ in lines(tmp_path)] == [1, 2]


def test_a_folder_that_cannot_be_written_stops_the_log_and_not_the_training(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    log = LogSettings(tmp_path / "file", 1, tensorboard=True).of()
    for step in (1, 2):
        log.write(step, {"train/loss": 0.5})
    log.close(done=True)
    assert log.state() == {}
    assert capsys.readouterr().err.count("cannot be written") == 1


def test_a_log_that_somebody_removed_does_not_stop_a_checkpoint(tmp_path):
    log = LogSettings(tmp_path, 1).of()
    log.write(1, {"train/loss": 0.5})
    (tmp_path / "metrics.csv").unlink()
    assert log.state()["rows"] == ""


def test_a_training_from_the_beginning_replaces_the_log(tmp_path):
    for value in (1.0, 2.0):
        log = LogSettings(tmp_path, 1).of()
        log.write(1, {"train/loss": value})
        log.close(done=True)
    assert lines(tmp_path) == [(1, "train/loss", 2.0)]


@pytest.mark.parametrize("package", ["mlflow", "wandb"])
def test_what_was_asked_for_and_is_not_installed_is_an_error_at_once(tmp_path, monkeypatch, package):
    monkeypatch.setattr(logs, "find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=rf"--{package} here: not installed here; pip install {package}, or leave it out"
    ):
        LogSettings(tmp_path, 1, **{package: "here"})


@pytest.mark.parametrize(
    "given", [{"folder": "x"}, {"every_steps": 3}, {"tensorboard": True}, {"mlflow": "runs"}, {"wandb": "bindgram"}]
)
def test_options_that_need_each_other(given):
    with pytest.raises(InputError, match="--log-folder"):
        LogSettings(**given)


@pytest.fixture
def package(monkeypatch):
    """Put a module of this name where imports find it."""

    def install(name, **content):
        module = ModuleType(name)
        module.__spec__ = machinery.ModuleSpec(name, None)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)

    return install


def test_wandb_is_offline_and_a_resumed_training_is_the_same_run(tmp_path, monkeypatch, package):
    calls, logged = [], []
    run = SimpleNamespace(log=lambda values, step: logged.append((step, values)), finish=lambda exit_code: None)
    package("wandb", init=lambda **options: calls.append(options) or run)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    settings = LogSettings(tmp_path, 1, wandb="mine")
    first = settings.of()
    first.write(1, {"train/loss": 0.5})
    second = settings.of()
    second.restore(first.state())
    second.write(2, {"train/loss": 0.25})
    assert [call["mode"] for call in calls] == ["offline", "offline"]
    assert {call["project"] for call in calls} == {"mine"}
    assert len({call["id"] for call in calls}) == 1
    assert [call["resume"] for call in calls] == ["allow", "allow"]
    assert logged == [(1, {"train/loss": 0.5}), (2, {"train/loss": 0.25})]


def test_mlflow_gets_every_step_once(tmp_path, monkeypatch, package):
    history = {}

    class Client:
        def __init__(self, tracking_uri):
            assert tracking_uri == "somewhere"

        def get_experiment_by_name(self, name):
            return None

        def create_experiment(self, name):
            return name

        def create_run(self, experiment, run_name):
            history["run"] = []
            return SimpleNamespace(info=SimpleNamespace(run_id="run"))

        def get_metric_history(self, run, name):
            return [metric for metric in history[run] if metric.key == name]

        def log_batch(self, run, metrics):
            history[run] += metrics

        def set_terminated(self, run, status):
            history["status"] = status

    package("mlflow")
    package("mlflow.exceptions", MlflowException=ValueError)
    package("mlflow.entities", Metric=lambda key, value, at, step: SimpleNamespace(key=key, value=value, step=step))
    package("mlflow.tracking", MlflowClient=Client)
    settings = LogSettings(tmp_path, 1, mlflow="somewhere")
    name = "train/tokens_per_second"
    first = settings.of()
    first.write(1, {name: 10.0})
    state = first.state()
    first.write(2, {name: 20.0})  # sent, and then the process is gone
    second = settings.of()
    second.restore(state)
    for step in (2, 3):
        second.write(step, {name: 10.0 * step})
    second.close(done=True)
    assert [(metric.step, metric.value) for metric in history["run"]] == [(1, 10.0), (2, 20.0), (3, 30.0)]
    assert history["status"] == "FINISHED"
    assert logs.os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
