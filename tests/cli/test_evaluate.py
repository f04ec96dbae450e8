import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from bindgram.cli.evaluate import evaluate
from bindgram.data.tiled import TiledLabels, write_tiled
from bindgram.errors import InputError
from bindgram.evaluation.predictions import COLUMNS, write_predictions
from bindgram.provenance import make_provenance


def predictions(n: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    frame = pd.DataFrame({"test_set": "T1", "label": labels, "score": labels + rng.normal(size=n)})
    frame["split"] = np.where(np.arange(n) < n // 2, "test", "valid")
    frame["example_id"] = [f"e{index}" for index in range(n)]
    return frame.reindex(columns=COLUMNS)


def run(path, output, *more) -> dict:
    arguments = ["--predictions", str(path), str(output), "--replicates", "100", "--confidence", "0.9"]
    arguments += ["--max-block-bp", "1000", "--seed", "3", "--revision", "2", *map(str, more)]
    result = CliRunner().invoke(evaluate, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(output.read_text())


def test_metrics_are_flat_and_carry_the_revisions_of_all_commands(tmp_path):
    path = tmp_path / "p.parquet"
    provenance = make_provenance("predict", 4, {}, {})
    write_predictions(path, predictions(), "ok", "", provenance, {"T2": "no coordinates"})
    values = run(path, tmp_path / "m.json")
    assert values["T1.auroc.low"] < values["T1.auroc"] < values["T1.auroc.high"]
    assert values["T1.n_positives"] == values["T1.n_negatives"] == 20
    assert values["T2.auroc"] is None
    assert values["T2.reason"] == "no coordinates"
    assert values["status"] == "ok"
    assert values["provenance"]["revisions"] == {"evaluate": 2, "predict": 4}
    first = (tmp_path / "m.json").read_bytes()
    run(path, tmp_path / "m.json")
    assert (tmp_path / "m.json").read_bytes() == first


def test_skipped_predictions_give_skipped_metrics(tmp_path):
    write_predictions(tmp_path / "p.parquet", None, "skipped", "too few peaks", {})
    values = run(tmp_path / "p.parquet", tmp_path / "m.json")
    assert {key: values[key] for key in values if key != "provenance"} == {
        "status": "skipped",
        "reason": "too few peaks",
    }


def test_scores_that_are_not_numbers_are_not_defined_and_do_not_stop_the_job(tmp_path):
    frame = predictions()
    frame.loc[5, "score"] = np.nan
    write_predictions(tmp_path / "p.parquet", frame, "ok", "", {})
    values = run(tmp_path / "p.parquet", tmp_path / "m.json")
    assert (values["status"], values["T1.auroc"]) == ("ok", None)
    assert values["T1.auroc.reason"].startswith("not defined: 1 of 40 scores of the test examples are not finite")


def test_natural_prevalence_comes_from_the_tiles(tmp_path):
    write_predictions(tmp_path / "p.parquet", predictions(), "ok", "", {})
    for name, tiles in (("a", TiledLabels(prior=0.25)), ("b", TiledLabels(status="skipped", reason="no coordinates"))):
        write_tiled(tmp_path / f"{name}.h5", tiles)
    values = run(tmp_path / "p.parquet", tmp_path / "m.json", "--tiled", tmp_path / "a.h5")
    assert values["T1.prior"] == 0.25
    assert values["T1.recall_at_fdr50"] > 0
    assert "tiled" in values["provenance"]["inputs"]
    values = run(tmp_path / "p.parquet", tmp_path / "m.json", "--tiled", tmp_path / "b.h5")
    assert values["T1.recall_at_fdr50.reason"] == "not defined: no natural prevalence: no coordinates"
    values = run(tmp_path / "p.parquet", tmp_path / "m.json")
    assert values["T1.recall_at_fdr50.reason"] == "not defined: no natural prevalence: no tiles were given"


def test_several_predictions_are_evaluated_as_if_alone(tmp_path):
    first, second = predictions(), predictions(40)
    write_predictions(tmp_path / "a.parquet", first, "ok", "", {})
    write_predictions(tmp_path / "b.parquet", second, "ok", "", {})
    run(tmp_path / "a.parquet", tmp_path / "a.json", "--predictions", tmp_path / "b.parquet", tmp_path / "b.json")
    for name in "ab":
        run(tmp_path / f"{name}.parquet", tmp_path / "alone.json")
        assert (tmp_path / "alone.json").read_bytes() == (tmp_path / f"{name}.json").read_bytes()


def test_metrics_are_given_with_and_without_homologs(tmp_path):
    frame = predictions()
    write_predictions(tmp_path / "p.parquet", frame, "ok", "", {})
    test = frame[frame["split"] == "test"]
    gone = test["example_id"].iloc[:12].tolist()
    rows = [f"T1\ttest\t{name}\ttrain\t0.9\t1.0\t+\n" for name in gone] + ["T1\tvalid\te50\ttrain\t0.9\t1.0\t-\n"]
    head = "test_set\tsplit\texample_id\ttarget\tidentity\tcoverage\tstrand\n"
    (tmp_path / "h.tsv").write_text(head + "".join(rows))
    plain = run(tmp_path / "p.parquet", tmp_path / "m.json")
    values = run(tmp_path / "p.parquet", tmp_path / "w.json", "--homologs", tmp_path / "h.tsv")
    left = test[~test["example_id"].isin(gone)]
    pairs = [(p > n) for p in left.loc[left["label"] == 1, "score"] for n in left.loc[left["label"] == 0, "score"]]
    assert values["T1.without_homologs.auroc"] == pytest.approx(np.mean(pairs))
    assert values["T1.without_homologs.n_positives"] == values["T1.without_homologs.n_negatives"] == 14
    assert values["T1.auroc"] == plain["T1.auroc"] != values["T1.without_homologs.auroc"]
    assert not [key for key in plain if "without_homologs" in key]


def test_list_of_homologs_that_leaves_one_class_gives_no_metric(tmp_path):
    frame = predictions()
    write_predictions(tmp_path / "p.parquet", frame, "ok", "", {})
    positives = frame.loc[frame["label"] == 1, "example_id"]
    rows = "".join(f"T1\ttest\t{name}\ttrain\t0.9\t1.0\t+\n" for name in positives)
    (tmp_path / "h.tsv").write_text("test_set\tsplit\texample_id\ttarget\tidentity\tcoverage\tstrand\n" + rows)
    values = run(tmp_path / "p.parquet", tmp_path / "w.json", "--homologs", tmp_path / "h.tsv")
    assert (values["T1.without_homologs.auroc"], values["T1.without_homologs.n_positives"]) == (None, 0)


def test_file_that_is_no_list_of_homologs_is_refused(tmp_path):
    write_predictions(tmp_path / "p.parquet", predictions(), "ok", "", {})
    (tmp_path / "h.tsv").write_text("reason\tn\n")
    with pytest.raises(InputError, match=r"h\.tsv: not a list of homologs of bindgram battery; columns are test_set"):
        run(tmp_path / "p.parquet", tmp_path / "w.json", "--homologs", tmp_path / "h.tsv")
