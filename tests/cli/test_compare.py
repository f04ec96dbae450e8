import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from bindgram.cli.compare import compare
from bindgram.data.examples import COLUMNS, ExampleTable, write_examples
from bindgram.errors import InputError
from bindgram.evaluation import runs
from bindgram.evaluation.runs import group_of
from bindgram.provenance import make_provenance, write_json


def check(run, other, *more: str):
    return CliRunner().invoke(compare, [str(run.results), str(other.results), *more], catch_exceptions=False)


def table(run, other, tmp_path, *more: str) -> pd.DataFrame:
    result = check(run, other, *more, "--output", str(tmp_path / "c.tsv"))
    assert result.exit_code == 0
    return pd.read_csv(tmp_path / "c.tsv", sep="\t", dtype={"seed": str}, keep_default_na=False, na_values=[""])


def rows_of(frame, **wanted):
    kept = np.logical_and.reduce([frame[column] == value for column, value in wanted.items()])
    return frame[kept]


def rescore(run, scores, **where) -> None:
    run.predict(scores, **where)
    run.measure(**{name: value for name, value in where.items() if name != "t1"})
    run.collect()


def know(scores: pd.DataFrame, weight: float) -> pd.DataFrame:
    """Scores that know more of the labels."""
    return scores.assign(score=scores["score"] + weight * scores["label"])


def test_run_beside_itself_has_not_changed(run, other_run, tmp_path):
    frame = table(run, other_run, tmp_path)
    same = {"within the interval", "skipped in both", "not defined in both", "not comparable"}
    assert set(frame["group"]) <= same
    tested = frame[frame["p_value"].notna()]
    assert (tested["difference"] == 0).all()
    assert (tested["q_value"] == 1).all()
    assert "within the interval" in check(run, other_run).output


def test_better_scores_on_the_same_examples_are_found_in_pairs(run, other_run, tmp_path):
    rescore(other_run, know(run.scores(0), 2.0))
    frame = table(run, other_run, tmp_path, "--metric", "auroc")
    row = rows_of(frame, experiment="E1", model="cnn").iloc[0]
    assert (row["group"], row["basis"], row["n_examples"]) == ("better", "paired", 80)
    assert 0 < row["low"] < row["difference"] < row["high"]
    assert row["difference"] == pytest.approx(row["value_b"] - row["value_a"], abs=1e-5)
    assert rows_of(frame, group="better")[["experiment", "model"]].values.tolist() == [["E1", "cnn"]]
    text = check(run, other_run, "--metric", "auroc").output
    assert "better: 1 results of 1 experiment(s)" in text
    assert "E1 cnn matched 1 fold_0 T1 auroc: " in text


def test_backwards_it_is_worse_by_as_much(run, other_run, tmp_path):
    rescore(other_run, know(run.scores(0), 2.0))
    there = rows_of(table(run, other_run, tmp_path, "--metric", "auroc"), experiment="E1", model="cnn").iloc[0]
    back = rows_of(table(other_run, run, tmp_path, "--metric", "auroc"), experiment="E1", model="cnn").iloc[0]
    assert back["group"] == "worse"
    assert back["difference"] == -there["difference"]


def test_pairing_sees_what_two_intervals_do_not(run, other_run, tmp_path):
    """A small gain on every positive: the intervals of the two runs overlap, that of the difference leaves out 0."""
    rescore(other_run, know(run.scores(0), 0.5))
    paired = rows_of(table(run, other_run, tmp_path, "--metric", "auroc"), experiment="E1", model="cnn").iloc[0]
    for one in (run, other_run):
        one.place("predictions").unlink()
    alone = rows_of(table(run, other_run, tmp_path, "--metric", "auroc"), experiment="E1", model="cnn").iloc[0]
    assert (paired["basis"], alone["basis"]) == ("paired", "intervals")
    assert paired["p_value"] < alone["p_value"]
    assert paired["high"] - paired["low"] < alone["high"] - alone["low"]
    assert "that the test sets are the same is not known" in alone["note"]


@pytest.mark.parametrize(
    ("metric", "low", "high", "group"),
    [
        ("auroc", 0.1, 0.2, "better"),
        ("auroc", -0.2, -0.1, "worse"),
        ("auroc", -0.1, 0.1, "within the interval"),
        ("brier", -0.2, -0.1, "better"),
        ("brier", 0.1, 0.2, "worse"),
        ("average_precision.without_homologs", 0.1, 0.2, "better"),
    ],
)
def test_of_metrics_that_should_be_low_less_is_better(metric, low, high, group):
    assert group_of(metric, low, high) == group


def test_without_an_interval_nothing_is_said_to_be_within_it(run, other_run, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "interval_and_p_value", lambda *_: (None, None, None))  # all positives in one block
    row = rows_of(table(run, other_run, tmp_path, "--metric", "auroc"), experiment="E1", model="cnn").iloc[0]
    assert (row["group"], row["value_a"]) == ("not comparable", row["value_b"])
    assert row["note"] == "no interval: all positives are in one block, an interval needs two"


def test_other_test_sets_are_refused_without_the_examples_to_look_at(run, other_run, tmp_path):
    rescore(other_run, know(run.scores(0), 2.0), t1="another")
    frame = table(run, other_run, tmp_path, "--metric", "auroc")
    row = rows_of(frame, experiment="E1", model="cnn").iloc[0]
    assert row["group"] == "not comparable"
    assert "test sets differ, no test examples that they share" in row["note"]


def test_other_test_sets_are_compared_on_what_they_share(run, other_run, tmp_path):
    """Of the 80 examples 8 have another sequence under the same id."""
    rescore(other_run, know(run.scores(0), 2.0), t1="another")
    for number, one in enumerate((run, other_run)):
        frame = run.scores(0).query("split == 'test'")
        texts = [f"{np.base_repr(index, 4).zfill(5)}".translate(str.maketrans("0123", "ACGT")) for index in range(80)]
        changed = [f"{text}{'GT'[number and index < 8]}" for index, text in enumerate(texts)]
        rows = frame.assign(sequence=changed, kind="peak", parent_id=None, end=frame["start"] + 6, strand=".")
        examples = ExampleTable(rows[list(COLUMNS)], provenance=make_provenance("battery", 1, {}))
        write_examples(one.results / "battery/fold_0/E1/T1.parquet", examples)
    frame = table(run, other_run, tmp_path)
    row = rows_of(frame, experiment="E1", model="cnn", metric="auroc").iloc[0]
    assert (row["basis"], row["n_examples"], row["group"]) == ("paired", 72, "better")
    assert row["note"] == "test sets differ: compared on the 72 examples that they share"
    assert set(rows_of(frame, experiment="E1", model="cnn", metric="mcc", test_set="T1")["group"]) == {"not comparable"}


def test_what_one_run_does_not_have_is_new_gone_skipped_or_failed(run, other_run, tmp_path):
    rescore(other_run, None, experiment="E1")
    other_run.place("metrics", experiment="E2").unlink()
    other_run.collect()
    run.place("metrics", model="kmer").unlink()
    run.collect(experiments="E1")
    frame = table(run, other_run, tmp_path, "--metric", "auroc")
    groups = {
        (row.experiment, row.model): (row.group, row.note) for row in frame[frame["test_set"] != "T9"].itertuples()
    }
    assert groups["E1", "cnn"] == ("became skipped", "too few peaks")
    assert groups["E1", "kmer"][0] == "became ok"
    assert groups["E2", "kmer"][0] == "new"
    assert groups["E2", "cnn"][0] == "new"
    back = table(other_run, run, tmp_path, "--metric", "auroc")
    assert set(rows_of(back, experiment="E2")["group"]) == {"gone"}


def test_chance_changes_do_not_survive_the_correction(run, other_run, tmp_path):
    """The bound for one of many: q-values are those of Benjamini and Hochberg by hand."""
    rescore(other_run, run.scores(50))
    frame = table(run, other_run, tmp_path)
    tested = frame[frame["p_value"].notna()].sort_values("p_value")
    by_hand = tested["p_value"].to_numpy() * len(tested) / np.arange(1, len(tested) + 1)
    assert tested["q_value"].to_numpy() == pytest.approx(np.minimum.accumulate(by_hand[::-1])[::-1], rel=1e-3)
    lost = frame[frame["note"].fillna("").str.contains("not after correction")]
    assert set(lost["group"]) <= {"within the interval"}


def test_differences_of_making_are_told(run, other_run):
    settings = {"seed": 1, "positives": {"width": 101}}
    code = {"version": "0.1.0", "commit": "abc", "uncommitted_changes": False}
    write_json(run.results / "report/reproducibility.json", {"configuration": {"settings": settings}, "code": code})
    assert "configuration and commit: not known, no report/reproducibility.json in B" in check(run, other_run).output
    changed = {
        "configuration": {"settings": settings | {"positives": {"width": 201}}},
        "code": code | {"commit": "def"},
    }
    write_json(other_run.results / "report/reproducibility.json", changed)
    text = check(run, other_run).output
    assert "configuration: positives.width: 101 in A, 201 in B" in text
    assert 'code: commit: "abc" in A, "def" in B' in text
    assert "revisions: the same" in text
    assert "inputs: not known" in text


def test_inputs_that_differ_are_named_by_experiment(run, other_run):
    for one, peaks in ((run, "p"), (other_run, "q")):
        for experiment, own in (("E1", "same"), ("E2", peaks)):
            empty = ExampleTable(
                pd.DataFrame(columns=COLUMNS), "skipped", "x", {"inputs": {"peaks": own, "genome": "g"}}
            )
            write_examples(one.results / f"examples/fold_0/{experiment}/positives.parquet", empty)
    assert "inputs: peaks of 1 experiment(s): E2" in check(run, other_run).output


def test_several_processes_find_the_same(run, other_run, tmp_path):
    rescore(other_run, know(run.scores(0), 2.0))
    assert table(run, other_run, tmp_path, "--processes", "2").equals(table(run, other_run, tmp_path))


def test_what_cannot_be_compared_is_refused(run, other_run, tmp_path):
    with pytest.raises(InputError, match="--metric: in neither run: auc; there are "):
        check(run, other_run, "--metric", "auc")
    (other_run.results / "metrics.tsv").unlink()
    with pytest.raises(InputError, match=r"no metrics\.tsv; name the folder of results"):
        check(run, other_run)


def test_folder_above_the_results_names_the_run_too(run, other_run):
    arguments = [str(run.results.parent), str(other_run.results)]
    assert CliRunner().invoke(compare, arguments, catch_exceptions=False).exit_code == 0


def test_broken_record_is_refused(run, other_run):
    write_json(run.results / "report/reproducibility.json", {})
    with pytest.raises(InputError, match="not a record of bindgram report"):
        check(run, other_run)
    (run.results / "report/reproducibility.json").write_text(json.dumps([])[:-1])
    with pytest.raises(InputError, match="not valid JSON"):
        check(run, other_run)
