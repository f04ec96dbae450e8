"""One whole run on a tiny synthetic genome: what it must learn, what it must not, and what bad data do."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from bindgram.data.examples import read_examples, write_examples
from bindgram.data.store import Store

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


def metrics_table(path):
    return pd.read_csv(path, sep="\t", keep_default_na=False).astype({"experiment": str})


def row_of(table, **wanted):
    for column, value in wanted.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


@pytest.fixture(scope="module")
def table(finished_run):
    return metrics_table(finished_run.root / "results/metrics.tsv")


@pytest.mark.parametrize("model", ["tiny_lstm", "tiny_cnn"])
@pytest.mark.parametrize("test_set", ["T1", "T2"])
def test_planted_motif_is_learnt(table, model, test_set):
    row = row_of(table, experiment="planted", model=model, test_set=test_set, metric="auroc")
    assert float(row["value"]) > 0.9
    # A perfect score has no interval.
    assert float(row["low"] or row["value"]) > float(row["floor"])


def test_permuted_labels_are_not_learnt(project):
    path = project.root / "results/examples/blocks/planted/labelled/genomic_matched.parquet"
    table = read_examples(path)
    rng = np.random.default_rng(3)
    permuted = table.frame.assign(label=table.frame.groupby("split")["label"].transform(rng.permutation))
    write_examples(path, dataclasses.replace(table, frame=permuted))
    target = "results/metrics/tiny_cnn/blocks/planted/genomic_matched/s1.json"
    rules = ("finetune_classifier", "predict_scores", "evaluate_scores")  # audit_examples would notice
    result = project.snakemake(target, "--allowed-rules", *rules)
    assert result.returncode == 0, result.stdout
    metrics = json.loads((project.root / target).read_text())
    assert metrics["T2.auroc.low"] < 0.5 < metrics["T2.auroc.high"]


@pytest.mark.parametrize("model", ["tiny_lstm", "tiny_cnn"])
def test_positives_without_a_signal_give_one_half_within_the_interval(table, model):
    row = row_of(table, experiment="control", model=model, test_set="T2", metric="auroc")
    assert float(row["low"]) < 0.5 < float(row["high"])


def test_exact_shuffles_leave_nothing_to_a_dinucleotide_baseline(table):
    row = row_of(table, experiment="planted", model="kmer2_lr", test_set="T1", metric="auroc")
    assert float(row["value"]) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("test_set", ["T1", "T2"])
def test_likelihood_of_the_language_model_stands_beside_the_models(finished_run, table, test_set):
    row = row_of(table, experiment="control", model="likelihood_tiny", test_set=test_set, metric="auroc")
    assert float(row["low"]) < float(row["value"]) < float(row["high"])
    assert "of the log-likelihoods per base" in (finished_run.root / "results/report/index.html").read_text()


def test_experiment_with_too_few_peaks_is_skipped_with_the_reason(finished_run, table):
    rows = table[table["experiment"] == "few"]
    assert set(rows["model"]) == {"tiny_lstm", "tiny_cnn", "kmer2_lr", "likelihood_tiny"}
    assert set(rows["status"]) == {"skipped"}
    assert rows["reason"].str.contains("fewer than the minimum of 20").all()
    assert "fewer than the minimum of 20" in (finished_run.root / "results/report/index.html").read_text()
    bundle = json.loads(
        (finished_run.root / "results/models/tiny_cnn/blocks/few/genomic_matched/s1/config.json").read_text()
    )
    assert bundle["status"] == "skipped"


def test_language_model_log_stands_beside_a_markov_model(finished_run):
    log = pd.read_csv(finished_run.root / "results/lm/tiny/toy.blocks/train_log.tsv", sep="\t")
    assert log.filter(like="markov").notna().to_numpy().all()
    assert log.filter(like="markov").shape[1] >= 1


def test_whole_report_is_made_in_one_file(project):
    result = project.snakemake("--report", "results/report/bindgram.html")
    assert result.returncode == 0, result.stdout
    html = (project.root / "results/report/bindgram.html").read_text()
    assert "ROC and precision-recall curves" in html
    assert "PLANTED in cells" in html


def test_failed_experiment_is_listed_as_failed_and_the_others_finish(project):
    (project.root / "data/broken.narrowPeak").write_text("<!DOCTYPE html><html>502 Bad Gateway</html>\n")
    project.write_peaks("second", range(900, 230_000, 600))
    project.add_experiment("broken")
    project.add_experiment("second")
    one_model = ("--config", "models=[tiny_cnn]")
    result = project.snakemake("--keep-going", *one_model)
    assert result.returncode == 1
    assert (project.root / "results/metrics/tiny_cnn/blocks/second/genomic_matched/s1.json").is_file()

    result = project.snakemake("report_available", *one_model)
    assert result.returncode == 0, result.stdout
    table = metrics_table(project.root / "results/report/available/metrics.tsv")
    headline = table[table["metric"].isin(["", "average_precision"])]
    status = headline.groupby("experiment")["status"].unique().map(list).to_dict()
    assert status == {"planted": ["ok"], "control": ["ok"], "few": ["skipped"], "second": ["ok"], "broken": ["failed"]}
    reason = table.loc[table["experiment"] == "broken", "reason"].iloc[0]
    assert "HTML" in reason
    assert "HTML" in (project.root / "results/report/available/index.html").read_text()
    assert project.planned_jobs("report_available", *one_model) == {("report_available",)}


def test_tiled_block_is_scored_on_demand(project):
    result = project.snakemake("tiled", "--config", "models=[tiny_cnn]", "select={experiments: [planted, few]}")
    assert result.returncode == 0, result.stdout
    tiled = metrics_table(project.root / "results/tiled.tsv")
    assert set(tiled[tiled["experiment"] == "few"]["status"]) == {"skipped"}
    row = row_of(tiled, experiment="planted", model="tiny_cnn", metric="average_precision")
    assert row["test_set"] == "T4"
    assert float(row["low"]) > float(row["floor"])
    assert float(row_of(tiled, experiment="planted", model="tiny_cnn", metric="precision")["value"]) > 0.5


def test_store_of_labels_is_made_on_demand(project):
    bins = "store={bin_bp: 60, window_bp: 180, empty_fraction: 0.5}"
    result = project.snakemake("store_all", "--config", bins, "select={experiments: [planted, control]}")
    assert result.returncode == 0, result.stdout
    with Store.open(project.root / "results/store/toy.blocks.b60w180.h5") as store:
        assert store.experiments["experiment"].tolist() == ["planted", "control"]
        assert store.experiments["n_positive_train"].gt(100).all()
        assert store.counts["n_empty_left_out"] > 0
        assert store.plan.min_overlap == 0.5


def test_same_inputs_give_the_same_table(finished_run, fresh_project):
    """A second run of one experiment from scratch: its rows are the same bytes."""
    result = fresh_project.snakemake("results/metrics.tsv", "--config", "select={experiments: [planted]}")
    assert result.returncode == 0, result.stdout
    first = (finished_run.root / "results/metrics.tsv").read_text().splitlines()
    again = (fresh_project.root / "results/metrics.tsv").read_text().splitlines()
    assert again == [first[0], *(line for line in first if line.startswith("planted\t"))]
