import html

import numpy as np
import pandas as pd
from click.testing import CliRunner

from bindgram.cli.plot import plot
from bindgram.data.examples import COLUMNS as EXAMPLE_COLUMNS
from bindgram.data.examples import ExampleTable, skipped_examples, write_examples
from bindgram.evaluation.predictions import COLUMNS, write_predictions
from bindgram.provenance import make_provenance, write_json


def run(folder, *more: str) -> dict[str, str]:
    names = ("curves", "scores", "learning", "distributions")
    outputs = [word for name in names for word in (f"--{name}", str(folder / f"{name}.svg"))]
    arguments = ["--experiment", "E1", "--title", "CTCF <in> K562", "--headline", "T2", "--revision", "1"]
    arguments += [
        "--positives",
        str(folder / "positives.parquet"),
        "--result",
        "cnn",
        str(folder / "p.parquet"),
        str(folder / "m.json"),
        *outputs,
        *more,
    ]
    result = CliRunner().invoke(plot, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return {name: (folder / f"{name}.svg").read_text() for name in names}


def write_positives(path):
    rows = [(f"e{i}", "chr1", 100 * i, 100 * i + 4, ".", 1, "peak", None, "train", "ACGT"[i % 4] * 4) for i in range(3)]
    frame = pd.DataFrame(rows, columns=list(EXAMPLE_COLUMNS))
    write_examples(path, ExampleTable(frame, provenance=make_provenance("positives", 1, {})))


def test_figures_are_drawn_twice_the_same(tmp_path):
    write_positives(tmp_path / "positives.parquet")
    (tmp_path / "peaks.bed").write_text("chr1\t0\t30\nchr1\t90\t190\n")
    (tmp_path / "tss.bed").write_text("chr1\t110\t111\n")
    labels = np.arange(60) % 3 == 0
    frame = pd.DataFrame({"test_set": "T2", "split": "test", "label": labels.astype(int), "score": np.arange(60.0)})
    frame = frame.assign(example_id=[f"e{i}" for i in range(60)]).reindex(columns=COLUMNS)
    write_predictions(tmp_path / "p.parquet", frame, "ok", "", make_provenance("predict", 1, {}))
    values = {"T2.auroc": 0.75, "T2.average_precision": 0.5, "provenance": make_provenance("predict", 1, {})}
    write_json(tmp_path / "m.json", values)
    (tmp_path / "log.tsv").write_text("stage\tepoch\ttrain_loss\tvalid_loss\tvalid_auroc\nall\t1\t0.6\t0.7\t0.8\n")
    log = ["--train-log", f"cnn={tmp_path / 'log.tsv'}", "--tss", str(tmp_path / "tss.bed")]
    log += ["--peaks", "bed", str(tmp_path / "peaks.bed"), "--negatives", f"T2={tmp_path / 'positives.parquet'}"]
    first = run(tmp_path, *log)
    assert "CTCF &lt;in&gt; K562 · test set T2: 20 bound, 40 unbound" in first["curves"]
    assert "unbound (negatives)" in first["scores"]
    assert "Validation AUROC" in first["learning"]
    assert "Width of 2 called peaks" in first["distributions"]
    assert "positives (3)" in first["distributions"]
    assert '"revisions": {"plot": 1, "positives": 1, "predict": 1}' in html.unescape(first["curves"])
    assert run(tmp_path, *log) == first


def test_skipped_experiment_has_figures_that_state_the_reason(tmp_path):
    write_examples(tmp_path / "positives.parquet", skipped_examples("12 positives in split test", {}))
    write_predictions(tmp_path / "p.parquet", None, "skipped", "12 positives in split test", {})
    write_json(tmp_path / "m.json", {"provenance": {}})
    (tmp_path / "log.tsv").write_text("\n")
    figures = run(tmp_path, "--train-log", f"cnn={tmp_path / 'log.tsv'}")
    assert all("Skipped: 12 positives in split test" in text for text in figures.values())
