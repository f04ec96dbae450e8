"""``bindgram pairs`` and ``bindgram compare-models``, one after the other."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from bindgram.cli.compare_models import compare_models
from bindgram.cli.pairs import pairs
from bindgram.errors import InputError
from bindgram.evaluation.predictions import write_predictions
from bindgram.provenance import make_provenance

SHEET = "experiment\ttf\tbiosample\tassembly\tformat\tpeaks\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Predictions of a model with two seeds and of two baselines, for eight experiments of seven TFs."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    labels = np.tile([1, 0], 100).astype(np.int8)
    rows = pd.DataFrame({"test_set": "T2", "split": "test", "label": labels, "chrom": "chr1"})
    rows["example_id"] = [f"e{number}" for number in range(200)]
    rows["start"] = np.arange(200) * 1000
    rows[["score_forward", "score_reverse"]] = np.nan
    lines = [f"E{number}\tTF{max(1, number)}\tK562\thg38\tbed\tp.bed\n" for number in range(8)]
    (tmp_path / "sheet.tsv").write_text(SHEET + "".join(lines))
    for number in range(8):
        for name, shift in (("cnn.1", 1.5), ("cnn.2", 1.4), ("gc.1", 0.2), ("kmer.1", 0.8)):
            frame = rows.assign(score=rng.normal(size=200) + shift * labels)
            provenance = make_provenance("score", 2, {})
            write_predictions(tmp_path / f"E{number}.{name}.parquet", frame, "ok", "", provenance)
    return tmp_path


def compare_one(experiment, *more):
    arguments = ["--models", "cnn", "--replicates", "100", "--confidence", "0.95", "--max-block-bp", "1000000"]
    arguments += ["--seed", "1", "--revision", "1", "--output", f"{experiment}.tsv"]
    for name in ("cnn 1", "cnn 2", "kmer 1", "gc 1"):
        arguments += ["--result", *name.split(), f"{experiment}.{name.replace(' ', '.')}.parquet"]
    result = CliRunner().invoke(pairs, [*arguments, *more], catch_exceptions=False)
    assert result.exit_code == 0, result.output


def compare_many(*more, experiments="E0,E1,E2,E3,E4,E5,E6,E7"):
    arguments = ["--experiment-sheet", "sheet.tsv", "--experiments", experiments, "--models", "cnn", "--schemes", "s"]
    arguments += ["--splits", "f", "--template", "{experiment}.tsv", "--confidence", "0.95", "--revision", "1"]
    arguments += ["--headline-test-set", "T2", "--headline-metric", "auroc", "--output", "c.json", "--table", "c.tsv"]
    arguments += ["--experiment-table", "e.tsv", "--figure", "c.svg", *more]
    result = CliRunner().invoke(compare_models, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads((open("c.json")).read())


def test_pairs_of_all_experiments_become_one_comparison(folder):
    for number in range(8):
        compare_one(f"E{number}")
    values = compare_many()
    assert (values["status"], values["models"], values["baselines"]) == ("ok", ["cnn"], ["kmer", "gc"])
    by = {(row["metric"], row["other"]): row for row in values["comparisons"]}
    assert len(by) == 4
    assert by["auroc", "gc"]["n_experiments"] == 8
    assert by["auroc", "gc"]["n_tfs"] == 7
    assert by["auroc", "gc"]["rank_biserial"] == 1
    assert by["auroc", "gc"]["p_value"] == pytest.approx(2 / 2**7)
    assert set(by["auroc", "gc"]["seeds"]) == {"1", "2"}
    ranking = next(one for one in values["rankings"] if one["metric"] == "auroc")
    assert (ranking["status"], ranking["n_tfs"]) == ("ok", 7)
    assert values["provenance"]["revisions"] == {"compare-models": 1, "pairs": 1, "score": 2}
    assert len(pd.read_csv("e.tsv", sep="\t")) == 8 * 4
    assert "critical difference" in (folder / "c.svg").read_text()


def test_same_inputs_give_the_same_bytes(folder):
    names = ("E0.tsv", "E0.tsv.json", "c.json", "c.tsv", "e.tsv", "c.svg")
    compare_one("E0")
    compare_many(experiments="E0")
    first = [(folder / name).read_bytes() for name in names]
    compare_one("E0")
    compare_many(experiments="E0")
    assert [(folder / name).read_bytes() for name in names] == first


def test_one_experiment_has_wins_but_no_interval_and_no_ranks(folder):
    compare_one("E0")
    values = compare_many(experiments="E0")
    row = values["comparisons"][0]
    assert (row["n_tfs"], row["low"]) == (1, None)
    assert row["reason"] == "not defined: an interval of 95% needs 6 values, not 1"
    assert values["rankings"][0]["reason"].endswith("here are 3 and 1")
    assert "here are 3 and 1" in (folder / "c.svg").read_text()


def test_absent_tables_are_refused_unless_they_count_as_failed(folder):
    compare_one("E0")
    with pytest.raises(InputError, match=r"E1\.tsv: no such file"):
        compare_many(experiments="E0,E1")
    values = compare_many("--missing-as-failed", experiments="E0,E1")
    assert {(row["n_experiments"], row["n_not_defined"]) for row in values["comparisons"]} == {(1, 1)}
    failed = pd.read_csv("e.tsv", sep="\t").query("status == 'failed'")
    assert set(failed["reason"]) == {"not defined: no table of pairs: a job before it failed or did not run"}
    (folder / "E0.tsv").unlink()
    assert compare_many("--missing-as-failed", experiments="E0,E1")["reason"].startswith("not defined: ")
