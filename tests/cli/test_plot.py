import html

import numpy as np
import pandas as pd
from click.testing import CliRunner

from bindgram.cli.plot import plot
from bindgram.evaluation.predictions import COLUMNS, write_predictions
from bindgram.provenance import make_provenance, write_json


def run(folder, *more: str) -> dict[str, str]:
    names = ("curves", "scores", "learning")
    outputs = [word for name in names for word in (f"--{name}", str(folder / f"{name}.svg"))]
    arguments = ["--experiment", "E1", "--title", "CTCF <in> K562", "--headline", "T2", "--revision", "1"]
    arguments += ["--result", "cnn", str(folder / "p.parquet"), str(folder / "m.json"), *outputs, *more]
    result = CliRunner().invoke(plot, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return {name: (folder / f"{name}.svg").read_text() for name in names}


def test_three_figures_are_drawn_twice_the_same(tmp_path):
    labels = np.arange(60) % 3 == 0
    frame = pd.DataFrame({"test_set": "T2", "split": "test", "label": labels.astype(int), "score": np.arange(60.0)})
    frame = frame.assign(example_id=[f"e{i}" for i in range(60)]).reindex(columns=COLUMNS)
    write_predictions(tmp_path / "p.parquet", frame, "ok", "", make_provenance("predict", 1, {}))
    values = {"T2.auroc": 0.75, "T2.average_precision": 0.5, "provenance": make_provenance("predict", 1, {})}
    write_json(tmp_path / "m.json", values)
    (tmp_path / "log.tsv").write_text("stage\tepoch\ttrain_loss\tvalid_loss\tvalid_auroc\nall\t1\t0.6\t0.7\t0.8\n")
    log = ("--train-log", f"cnn={tmp_path / 'log.tsv'}")
    first = run(tmp_path, *log)
    assert "CTCF &lt;in&gt; K562 · test set T2: 20 bound, 40 unbound" in first["curves"]
    assert "unbound (negatives)" in first["scores"]
    assert "Validation AUROC" in first["learning"]
    assert '"revisions": {"plot": 1, "predict": 1}' in html.unescape(first["curves"])
    assert run(tmp_path, *log) == first


def test_skipped_experiment_has_three_figures_that_state_the_reason(tmp_path):
    write_predictions(tmp_path / "p.parquet", None, "skipped", "12 positives in split test", {})
    write_json(tmp_path / "m.json", {"provenance": {}})
    (tmp_path / "log.tsv").write_text("\n")
    figures = run(tmp_path, "--train-log", f"cnn={tmp_path / 'log.tsv'}")
    assert all("Skipped: 12 positives in split test" in text for text in figures.values())
