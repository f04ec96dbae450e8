import json

import pandas as pd
import pytest
from click.testing import CliRunner

from bindgram.cli.collect import collect
from bindgram.errors import InputError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sheet.tsv").write_text(
        "experiment\ttf\tbiosample\tassembly\tformat\tpeaks\n"
        "E1\tCTCF\tK562\thg38\tbed\tp.bed\nE2\tMAX\tK562\thg38\tbed\tp.bed\n"
    )
    values = {
        f"T1.{name}{bound}": 0.5 for name in ("auroc", "average_precision", "mcc") for bound in ("", ".low", ".high")
    }
    values |= {"T1.n_positives": 4, "T1.n_negatives": 4, "T1.flag": "", "T1.reason": ""}
    values |= {"status": "ok", "reason": "", "provenance": {"revisions": {"evaluate": 1}, "digest": "x"}}
    for model in ("cnn", "gc"):
        (tmp_path / f"{model}.E1.1.json").write_text(json.dumps(values))
    return tmp_path


def run(*more: str, experiments: str = "E1") -> None:
    arguments = ["--experiment-sheet", "sheet.tsv", "--experiments", experiments, "--models", "cnn"]
    arguments += ["--baselines", "gc", "--schemes", "matched", "--seeds", "1", "--splits", "f", "--floor", "gc"]
    arguments += ["--template", "{model}.{experiment}.{seed}.json", "--output", "metrics.tsv", "--revision", "1", *more]
    result = CliRunner().invoke(collect, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output


def test_table_and_provenance_are_written(folder):
    run()
    frame = pd.read_csv(folder / "metrics.tsv", sep="\t")
    assert frame[["experiment", "tf", "model", "metric"]].drop_duplicates().shape == (6, 4)
    assert json.loads((folder / "metrics.tsv.json").read_text())["n_rows"] == {"ok": 6}


def test_absent_metrics_are_refused_unless_they_count_as_failed(folder):
    with pytest.raises(InputError, match=r"cnn\.E2\.1\.json: no such file"):
        run(experiments="E1,E2")
    assert not (folder / "metrics.tsv").exists()
    (folder / "train.E2.log").write_text("Error: disk full\n")
    run("--missing-as-failed", "--log-template", "train.{experiment}.log", experiments="E1,E2")
    frame = pd.read_csv(folder / "metrics.tsv", sep="\t")
    assert set(frame.loc[frame["experiment"] == "E2", "reason"]) == {"train.E2.log: Error: disk full"}
    assert json.loads((folder / "metrics.tsv.json").read_text())["n_rows"] == {"failed": 2, "ok": 6}


def test_floor_must_be_a_baseline(folder):
    with pytest.raises(InputError, match="--floor cnn: not one of --baselines gc"):
        run("--floor", "cnn")


def test_ids_given_twice_are_refused(folder):
    result = CliRunner().invoke(collect, ["--experiments", "E1,E1"])
    assert result.exit_code == 2
    assert "names something twice" in result.output
