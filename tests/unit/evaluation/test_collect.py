import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bindgram.errors import InputError
from bindgram.evaluation.collect import (
    COLUMNS,
    Request,
    collect_metrics,
    format_table,
    read_collected,
    write_collected,
)
from bindgram.settings import Experiment
from bindgram.settings.sheets import slug


def experiment(name: str) -> Experiment:
    return Experiment(experiment=name, tf=f"TF_{name}", biosample="K562", assembly="hg38", format="bed", peaks="p.bed")


def request(folder: Path, *, logs=None, seeds=("1", "2"), experiments=("A",)) -> Request:
    return Request(
        sheet={name: experiment(name) for name in ("A", "B")},
        experiments=experiments,
        models=("cnn",),
        baselines=("kmer",),
        schemes=("matched",),
        seeds=seeds,
        splits=("fold",),
        template=str(folder / "{model}/{split}/{experiment}/{scheme}/s{seed}.json"),
        floor="kmer",
        log_templates=logs,
    )


def metrics(value: float, **changed) -> dict:
    of = {f"{name}{bound}": value for name in ("auroc", "average_precision", "mcc") for bound in ("", ".low", ".high")}
    of |= {"n_positives": 10, "n_negatives": 20, "n_blocks": 5, "threshold": 0.0, "flag": "", "reason": ""}
    provenance = {"version": "0.1", "revisions": {"evaluate": 1, "predict": 3}, "digest": "d"}
    return {"status": "ok", "reason": "", "provenance": provenance} | {f"T1.{k}": v for k, v in of.items()} | changed


def put(folder: Path, model: str, seed: str, values: dict, experiment: str = "A") -> None:
    path = folder / f"{model}/fold/{experiment}/matched/s{seed}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


def complete(folder: Path, **changed) -> None:
    put(folder, "cnn", "1", metrics(0.9, **changed))
    put(folder, "cnn", "2", metrics(0.8))
    put(folder, "kmer", "1", metrics(0.6))


def test_every_value_has_the_floor_of_its_experiment_and_metric_beside_it(tmp_path):
    complete(tmp_path)
    frame = collect_metrics(request(tmp_path)).frame
    assert tuple(frame.columns) == COLUMNS
    chosen = frame[frame["metric"] == "auroc"]
    assert chosen[["model", "seed", "value", "floor"]].values.tolist() == [
        ["cnn", "1", 0.9, 0.6],
        ["cnn", "2", 0.8, 0.6],
        ["kmer", "1", 0.6, 0.6],
    ]
    assert set(chosen["tf"]) == {"TF_A"}
    assert set(chosen["status"]) == {"ok"}


def test_floor_does_not_come_from_another_experiment(tmp_path):
    complete(tmp_path)
    put(tmp_path, "cnn", "1", metrics(0.7), "B")
    put(tmp_path, "kmer", "1", {"status": "skipped", "reason": "few", "provenance": {}}, "B")
    frame = collect_metrics(request(tmp_path, seeds=("1",), experiments=("B", "A"))).frame
    cnn = frame[(frame["model"] == "cnn") & (frame["metric"] == "mcc")]
    assert cnn["experiment"].tolist() == ["A", "B"]
    assert cnn["floor"].iloc[0] == 0.6
    assert pd.isna(cnn["floor"].iloc[1])


def test_absent_metrics_are_refused_with_path_and_remedy(tmp_path):
    put(tmp_path, "cnn", "1", metrics(0.9))
    with pytest.raises(InputError, match=r"s2\.json: no such file \(2 metrics.*missing-as-failed"):
        collect_metrics(request(tmp_path))


def test_absent_metrics_become_failed_rows_that_quote_the_furthest_log(tmp_path):
    complete(tmp_path)
    (tmp_path / "cnn/fold/A/matched/s2.json").unlink()
    (tmp_path / "examples.A.log").write_text("fine\n")
    (tmp_path / "train.cnn.A.s2.log").write_text("step 1\r step 2\nError: old\nError: out of\tmemory\nask for more\n")
    logs = [str(tmp_path / name) for name in ("examples.{experiment}.log", "train.{model}.{experiment}.s{seed}.log")]
    frame = collect_metrics(request(tmp_path, logs=[*logs, str(tmp_path / "evaluate.{seed}.log")])).frame
    failed = frame[frame["status"] == "failed"]
    assert failed[["model", "seed", "test_set", "metric"]].values.tolist() == [["cnn", "2", "", ""]]
    assert failed["reason"].iloc[0].endswith("train.cnn.A.s2.log: Error: out of memory / ask for more")
    assert len(frame) == 3 + 1 + 3


def test_an_empty_log_of_a_rule_that_did_not_start_is_not_quoted(tmp_path):
    complete(tmp_path)
    (tmp_path / "cnn/fold/A/matched/s2.json").unlink()
    (tmp_path / "negatives.log").write_text("Killed\n")
    (tmp_path / "baselines.log").write_text("")
    logs = [str(tmp_path / "negatives.log"), str(tmp_path / "baselines.log")]
    frame = collect_metrics(request(tmp_path, logs=logs)).frame
    assert frame.loc[frame["status"] == "failed", "reason"].iloc[0].endswith("negatives.log: Killed")


def test_a_log_with_an_error_is_quoted_rather_than_a_later_one_without(tmp_path):
    complete(tmp_path)
    (tmp_path / "cnn/fold/A/matched/s2.json").unlink()
    (tmp_path / "pretrain.log").write_text("Traceback (most recent call last):\nKeyError: 'x'\n")
    (tmp_path / "positives.log").write_text("all is well\n")
    logs = [str(tmp_path / "pretrain.log"), str(tmp_path / "positives.log")]
    frame = collect_metrics(request(tmp_path, logs=logs)).frame
    assert frame.loc[frame["status"] == "failed", "reason"].iloc[0].endswith("KeyError: 'x'")


def test_a_log_of_a_job_that_ended_well_is_not_quoted(tmp_path):
    complete(tmp_path)
    (tmp_path / "cnn/fold/A/matched/s2.json").unlink()
    for rule, text in (("negatives", "killed by signal 11\n"), ("battery", "149 of 149 negatives\n")):
        for kind in ("logs", "benchmarks"):
            (tmp_path / f"results/{kind}/{rule}").mkdir(parents=True)
        (tmp_path / f"results/logs/{rule}/A.log").write_text(text)
    (tmp_path / "results/benchmarks/battery/A.tsv").write_text("s\n1\n")
    logs = [str(tmp_path / f"results/logs/{rule}/A.log") for rule in ("negatives", "battery")]
    frame = collect_metrics(request(tmp_path, logs=logs)).frame
    assert frame.loc[frame["status"] == "failed", "reason"].iloc[0].endswith("killed by signal 11")


def test_log_of_the_biosample_is_quoted(tmp_path):
    (tmp_path / f"pool.{slug('K562, treated')}.log").write_text("Error: x.bed.gz:7: no\n")
    asked = request(tmp_path, logs=[str(tmp_path / "pool.{biosample}.log")])
    asked.sheet["A"] = asked.sheet["A"].model_copy(update={"biosample": "K562, treated"})
    frame = collect_metrics(asked).frame
    assert set(frame["reason"].str.contains("Error: x.bed.gz:7: no")) == {True}


def test_failure_without_any_log_says_so(tmp_path):
    complete(tmp_path)
    (tmp_path / "kmer/fold/A/matched/s1.json").unlink()
    frame = collect_metrics(request(tmp_path, logs=[])).frame
    assert frame.loc[frame["model"] == "kmer", "reason"].tolist() == ["no metrics and no log: the job did not start"]
    assert frame["floor"].isna().all()


def test_model_that_is_not_defined_is_one_row_and_skips_no_experiment(tmp_path):
    complete(tmp_path)
    reason = "not defined: no motif of X in JASPAR2026"
    put(tmp_path, "cnn", "2", {"status": "skipped", "reason": reason, "provenance": {"revisions": {}}})
    frame = collect_metrics(request(tmp_path)).frame
    row = frame[(frame["model"] == "cnn") & (frame["seed"] == "2")]
    assert row[["test_set", "metric", "status", "reason"]].values.tolist() == [["", "", "not_defined", reason]]


def test_skipped_experiment_is_one_row_and_skipped_test_set_keeps_its_reason(tmp_path):
    complete(tmp_path, **{"T1.reason": "no coordinates", "T1.auroc": None})
    put(tmp_path, "cnn", "2", {"status": "skipped", "reason": "too few peaks", "provenance": {"revisions": {}}})
    frame = collect_metrics(request(tmp_path)).frame
    first, second = (frame[(frame["model"] == "cnn") & (frame["seed"] == seed)] for seed in "12")
    assert first[["metric", "status", "reason"]].values.tolist() == [
        [name, "skipped", "no coordinates"] for name in ("auroc", "average_precision", "mcc")
    ]
    assert second[["metric", "status", "reason"]].values.tolist() == [["", "skipped", "too few peaks"]]


def test_mixed_revisions_are_refused_and_name_command_revision_and_file(tmp_path):
    complete(tmp_path, provenance={"version": "0.1", "revisions": {"evaluate": 2, "predict": 3}})
    with pytest.raises(InputError) as error:
        collect_metrics(request(tmp_path))
    text = str(error.value)
    assert "evaluate revision 1: 2 file(s)" in text
    assert "evaluate revision 2: 1 file(s)" in text
    assert "cnn/fold/A/matched/s1.json" in text
    assert "predict" not in text


def test_mixed_versions_are_accepted(tmp_path):
    complete(tmp_path, provenance={"version": "0.2", "revisions": {"evaluate": 1}})
    write_collected(tmp_path / "m.tsv", collect_metrics(request(tmp_path)), revision=1)
    assert json.loads((tmp_path / "m.tsv.json").read_text())["versions"] == ["0.1", "0.2"]


def test_unknown_experiment_is_refused(tmp_path):
    with pytest.raises(InputError, match="not in the experiment sheet: X"):
        collect_metrics(request(tmp_path, experiments=("A", "X")))


def test_template_with_an_unknown_name_is_refused(tmp_path):
    broken = Request(**{**vars(request(tmp_path)), "template": "{modle}.json"})
    with pytest.raises(InputError, match="modle"):
        collect_metrics(broken)


@pytest.mark.parametrize("text", ["{", "[1]", "{}"])
def test_damaged_metrics_file_is_refused_by_name(tmp_path, text):
    complete(tmp_path)
    (tmp_path / "cnn/fold/A/matched/s1.json").write_text(text)
    with pytest.raises(InputError, match=r"s1\.json: not "):
        collect_metrics(request(tmp_path))


def test_seeds_are_sorted_as_numbers(tmp_path):
    for seed in ("2", "10"):
        put(tmp_path, "cnn", seed, metrics(0.5))
    put(tmp_path, "kmer", "10", metrics(0.5))
    frame = collect_metrics(request(tmp_path, seeds=("10", "2"))).frame
    assert frame.loc[frame["model"] == "cnn", "seed"].unique().tolist() == ["2", "10"]


def test_table_has_six_decimals_and_no_words_for_what_is_missing(tmp_path):
    complete(tmp_path, **{"T1.mcc": None, "T1.mcc.low": None, "T1.mcc.high": None})
    lines = format_table(collect_metrics(request(tmp_path)).frame).splitlines()
    assert lines[1].split("\t")[5:17] == [
        *("1", "fold", "T1", "auroc", "fraction"),
        *("0.900000", "0.900000", "0.900000", "0.600000", "10", "20", ""),
    ]
    assert lines[3].split("\t")[8:14] == ["mcc", "correlation", "", "", "", "0.600000"]
    assert "nan" not in "\n".join(lines).lower()


def test_what_was_written_is_read_back_and_equal_on_every_run(tmp_path):
    complete(tmp_path)
    for name in ("one", "two"):
        write_collected(tmp_path / f"{name}.tsv", collect_metrics(request(tmp_path)), revision=4)
    assert (tmp_path / "one.tsv").read_bytes() == (tmp_path / "two.tsv").read_bytes()
    assert (tmp_path / "one.tsv.json").read_bytes() == (tmp_path / "two.tsv.json").read_bytes()
    frame, provenance = read_collected(tmp_path / "one.tsv")
    assert frame["value"].tolist() == [0.9] * 3 + [0.8] * 3 + [0.6] * 3
    assert frame["seed"].tolist()[:6] == ["1"] * 3 + ["2"] * 3
    assert provenance["revisions"] == {"collect": 4, "evaluate": 1, "predict": 3}
    assert str(tmp_path) not in (tmp_path / "one.tsv.json").read_text()


def test_each_split_has_its_rows_and_its_own_floor(tmp_path):
    for split, change in (("fold", 0.0), ("other", 0.1)):
        for model, seed, value in (("cnn", "1", 0.9), ("cnn", "2", 0.8), ("kmer", "1", 0.6)):
            path = tmp_path / f"{model}/{split}/A/matched/s{seed}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(metrics(value - change)))
    frame = collect_metrics(replace(request(tmp_path), splits=("fold", "other"))).frame
    cnn = frame[(frame["model"] == "cnn") & (frame["metric"] == "auroc")]
    assert cnn[["split", "seed", "value", "floor"]].to_numpy().tolist() == [
        ["fold", "1", 0.9, 0.6],
        ["fold", "2", 0.8, 0.6],
        ["other", "1", 0.8, 0.5],
        ["other", "2", pytest.approx(0.7), 0.5],
    ]


def test_metrics_without_homologs_are_rows_with_a_floor_and_no_interval(tmp_path):
    def more(value, reason=""):
        found = dict.fromkeys(("auroc", "average_precision"), value) | {"n_positives": 7, "n_negatives": 7}
        return {f"T1.without_homologs.{key}": what for key, what in (found | {"reason": reason}).items()}

    put(tmp_path, "cnn", "1", metrics(0.9, **more(0.8)))
    put(tmp_path, "cnn", "2", metrics(0.8, **more(None, "not defined: no positives")))
    put(tmp_path, "kmer", "1", metrics(0.6, **more(0.5)))
    frame = collect_metrics(request(tmp_path)).frame
    rows = frame[(frame["model"] == "cnn") & (frame["seed"] == "1")].set_index("metric")
    assert rows.loc["auroc.without_homologs", ["value", "floor", "n_positives"]].tolist() == [0.8, 0.5, 7]
    assert np.isnan(rows.loc["auroc.without_homologs", "low"])
    other = frame[(frame["seed"] == "2") & (frame["metric"] == "average_precision.without_homologs")].iloc[0]
    assert (other["status"], other["reason"], other["unit"]) == ("not_defined", "not defined: no positives", "fraction")
