import json

import numpy as np
import pandas as pd
from click.testing import CliRunner

from bindgram.cli.panel import panel
from bindgram.data.examples import COLUMNS as EXAMPLE_COLUMNS
from bindgram.data.examples import ExampleTable, skipped_examples, write_examples
from bindgram.errors import InputError
from bindgram.evaluation.predictions import COLUMNS, write_predictions
from bindgram.provenance import make_provenance, write_json


def run(folder, *more: str, fact="tf=CTCF <in> K562"):
    arguments = ["--fact", "experiment=E1", "--fact", fact, "--headline", "T2", "--revision", "1"]
    arguments += ["--positives", str(folder / "positives.parquet"), "--output", str(folder / "panel.json")]
    arguments += ["--result", "cnn", str(folder / "p.parquet"), str(folder / "m.json"), *more]
    return CliRunner().invoke(panel, arguments)


def write_examples_of(path, n=60):
    label = (np.arange(n) % 3 == 0).astype(int)
    kind = np.where(label == 1, "peak", "genomic_matched")
    rows = [
        (f"e{i}", "chr1", 100 * i, 100 * i + 4, ".", label[i], kind[i], None, "test", "ACGT"[i % 4] * 2 + "AC")
        for i in range(n)
    ]
    frame = pd.DataFrame(rows, columns=list(EXAMPLE_COLUMNS)).drop_duplicates("sequence")
    write_examples(path, ExampleTable(frame, provenance=make_provenance("positives", 1, {})))
    return frame


def test_panel_is_written_twice_the_same_with_what_was_given(tmp_path):
    examples = write_examples_of(tmp_path / "positives.parquet")
    frame = examples.assign(test_set="T2", score=np.arange(len(examples), dtype=float)).reindex(columns=COLUMNS)
    write_predictions(tmp_path / "p.parquet", frame, "ok", "", make_provenance("predict", 1, {}))
    write_json(tmp_path / "m.json", {"provenance": make_provenance("predict", 1, {})})
    (tmp_path / "log.tsv").write_text("stage\tepoch\ttrain_loss\tvalid_loss\tvalid_auroc\nall\t1\t0.6\t0.7\t0.8\n")
    (tmp_path / "peaks.bed").write_text("chr1\t0\t30\nchr1\t90\t190\n")
    (tmp_path / "sanity.tsv").write_text("check\ttable\tn_checked\tn_failed\texample\nlabels\tT2\t4\t0\t\n")
    more = ["--train-log", f"cnn={tmp_path / 'log.tsv'}", "--peaks", "bed", str(tmp_path / "peaks.bed")]
    more += ["--negatives", f"T2={tmp_path / 'positives.parquet'}", "--sanity", str(tmp_path / "sanity.tsv")]
    assert run(tmp_path, *more).exit_code == 0
    first = (tmp_path / "panel.json").read_bytes()
    assert run(tmp_path, *more).exit_code == 0
    assert (tmp_path / "panel.json").read_bytes() == first
    made = json.loads(first)
    assert made["tf"] == "CTCF <in> K562"
    assert made["sites"]["windows"][0][:4] == ["chr1", 300, 304, 1]
    assert made["qc"]["sanity"] == {"n_checks": 1, "n_rows": 4, "failed": []}
    assert made["learning"][0]["valid_auroc"] == [0.8]
    assert made["examples"]["widths"]["longest"] == 100
    assert made["provenance"]["revisions"] == {"panel": 1, "positives": 1, "predict": 1}


def test_skipped_experiment_has_a_panel_that_states_the_reason(tmp_path):
    write_examples(tmp_path / "positives.parquet", skipped_examples("12 positives in split test", {}))
    write_predictions(tmp_path / "p.parquet", None, "skipped", "12 positives in split test", {})
    write_json(tmp_path / "m.json", {"provenance": {}})
    assert run(tmp_path).exit_code == 0
    made = json.loads((tmp_path / "panel.json").read_text())
    assert (made["status"], made["reason"], made["curves"]) == ("skipped", "12 positives in split test", {})


def test_fact_without_a_name_is_refused(tmp_path):
    write_examples(tmp_path / "positives.parquet", skipped_examples("no peaks", {}))
    write_predictions(tmp_path / "p.parquet", None, "skipped", "no peaks", {})
    write_json(tmp_path / "m.json", {"provenance": {}})
    result = run(tmp_path, fact="CTCF")
    assert result.exit_code == 2
    assert "'--fact': 'CTCF' is not NAME=TEXT" in result.output


def test_metrics_that_are_none_are_refused_by_name(tmp_path):
    write_examples(tmp_path / "positives.parquet", skipped_examples("no peaks", {}))
    write_predictions(tmp_path / "p.parquet", None, "skipped", "no peaks", {})
    for text in ("[]", "{}", "auroc"):
        (tmp_path / "m.json").write_text(text)
        result = run(tmp_path)
        assert isinstance(result.exception, InputError)
        assert "m.json: not metrics of bindgram evaluate" in str(result.exception)
