import json
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from bindgram.cli.collect import collect
from bindgram.cli.evaluate import evaluate
from bindgram.cli.verify import verify
from bindgram.errors import InputError
from bindgram.evaluation.predictions import COLUMNS, write_predictions
from bindgram.provenance import digest, make_provenance, write_text

MODELS, EXPERIMENTS = ("cnn", "kmer"), ("E1", "E2")
SKIPPED = {"T9": "no coordinates"}
SHEET = "experiment\ttf\tbiosample\tassembly\tformat\tpeaks\n"


def predictions(seed: int, n: int = 160) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 4 == 0
    frame = pd.DataFrame({"test_set": "T1", "label": labels.astype(np.int8), "score": labels + rng.normal(size=n)})
    frame["split"] = np.where(np.arange(n) < n // 2, "test", "valid")
    frame["example_id"] = [f"e{index}" for index in range(n)]
    frame["chrom"], frame["start"] = "chr1", pd.array(np.arange(n) * 1000, dtype="Int64")
    return frame.reindex(columns=COLUMNS)


def measure(results, model: str, experiment: str) -> None:
    place = f"{model}/fold_0/{experiment}/matched/s1"
    arguments = ["--predictions", f"{results}/predictions/{place}.parquet", f"{results}/metrics/{place}.json"]
    arguments += ["--replicates", "50", "--confidence", "0.9", "--max-block-bp", "2000", "--seed", "3"]
    homologs = results / f"battery/fold_0/{experiment}/homology.tsv"
    arguments += ["--homologs", str(homologs), "--revision", "2"]
    result = CliRunner().invoke(evaluate, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output


def gather(results) -> None:
    arguments = (
        "--experiments E1,E2 --models cnn --baselines kmer --schemes matched --seeds 1 --splits fold_0 --floor kmer"
    )
    template = f"{results}/metrics/{{model}}/{{split}}/{{experiment}}/{{scheme}}/s{{seed}}.json"
    words = [
        "--experiment-sheet",
        f"{results}/sheet.tsv",
        *arguments.split(),
        "--template",
        template,
        "--revision",
        "1",
    ]
    result = CliRunner().invoke(collect, [*words, "--output", f"{results}/metrics.tsv"], catch_exceptions=False)
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of two experiments, measured and collected by the commands."""
    results = tmp_path_factory.mktemp("run") / "results"
    write_text(results / "sheet.tsv", SHEET + "".join(f"{e}\tCTCF\tK562\thg38\tbed\t{e}.bed\n" for e in EXPERIMENTS))
    for number, (model, experiment) in enumerate((m, e) for m in MODELS for e in EXPERIMENTS):
        homologs = "test_set\tsplit\texample_id\ttarget\tidentity\tcoverage\tstrand\nT1\ttest\te0\tx\t0.9\t1.0\t+\n"
        write_text(results / f"battery/fold_0/{experiment}/homology.tsv", homologs)
        path = results / f"predictions/{model}/fold_0/{experiment}/matched/s1.parquet"
        write_predictions(
            path, predictions(number), "ok", "", make_provenance("score", 1, {}), {"T9": "no coordinates"}
        )
        measure(results, model, experiment)
    gather(results)
    return results


@pytest.fixture
def results(made, tmp_path):
    return shutil.copytree(made, tmp_path / "results")


def check(results, *more: str):
    return CliRunner().invoke(verify, [str(results), *more], catch_exceptions=False)


def metrics_file(results, place="cnn/fold_0/E1/matched/s1"):
    return results / f"metrics/{place}.json"


def predictions_file(results, place="cnn/fold_0/E1/matched/s1"):
    return results / f"predictions/{place}.parquet"


def test_untouched_run_matches_in_all(results):
    result = check(results)
    assert result.output.splitlines() == [
        "predictions  4 match, 0 differ, 0 not checked",
        "metrics      4 match, 0 differ, 0 not checked",
        "table        1 match, 0 differ, 0 not checked",
    ]
    assert result.exit_code == 0


def test_several_processes_find_the_same(results):
    assert check(results, "--processes", "2").output == check(results).output


def test_number_changed_by_hand_is_found_even_without_its_predictions(results):
    path = metrics_file(results)
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"T1.auroc": 0.99}))
    predictions_file(results).unlink()
    result = check(results)
    assert result.exit_code == 1
    assert "metrics/cnn/fold_0/E1/matched/s1.json: provenance.digest: stored" in result.output
    assert "edited after bindgram evaluate wrote it" in result.output


def test_number_changed_with_its_digest_is_found_by_recomputing(results):
    """What a careful forger would do, or another version of the code."""
    path = metrics_file(results)
    values = json.loads(path.read_text())
    provenance = values.pop("provenance")
    true, values["T1.auroc.low"] = values["T1.auroc.low"], 0.001
    path.write_text(json.dumps(values | {"provenance": provenance | {"digest": digest(values)}}))
    result = check(results)
    assert f"T1.auroc.low: stored 0.001, found {true!r}; made by bindgram" in result.output
    assert "metrics      3 match, 1 differ, 0 not checked" in result.output
    assert result.exit_code == 1


def test_metrics_older_than_their_predictions_are_named_with_every_number_that_differs(results):
    write_predictions(predictions_file(results), predictions(99), "ok", "", make_provenance("score", 1, {}))
    result = check(results)
    assert "predictions/cnn/fold_0/E1/matched/s1.parquet: digest in the metrics" in result.output
    assert "written again after the metrics: run snakemake again" in result.output
    assert "T1.auroc: stored" in result.output


def test_predictions_altered_in_place_are_found(results):
    """Other scores under the metadata of the old ones."""
    path = predictions_file(results)
    table = pq.read_table(path)
    scores = pa.array(table["score"].to_numpy() + 1)
    pq.write_table(table.set_column(table.schema.get_field_index("score"), "score", scores), path)
    result = check(results)
    assert "s1.parquet: digest: stored" in result.output
    assert "altered since" in result.output
    assert result.exit_code == 1


def test_what_is_absent_is_said_and_is_no_failure(results):
    predictions_file(results).unlink()
    result = check(results)
    assert "metrics      3 match, 0 differ, 1 not checked" in result.output
    assert "not checked: metrics/cnn/fold_0/E1/matched/s1.json; predictions/cnn" in result.output
    assert result.exit_code == 0


def test_another_list_of_homologs_is_not_taken_for_the_one_that_was_used(results):
    path = results / "battery/fold_0/E1/homology.tsv"
    path.write_text(path.read_text().replace("e0", "e4"))
    result = check(results)
    assert "metrics      2 match, 0 differ, 2 not checked" in result.output
    assert "is the one that was used" in result.output


def test_table_is_held_against_the_files_it_was_collected_from(results):
    write_predictions(predictions_file(results), predictions(99), "ok", "", make_provenance("score", 1, {}))
    measure(results, "cnn", "E1")
    result = check(results)
    assert "table        0 match, 1 differ, 0 not checked" in result.output
    assert "metrics.tsv: metrics/cnn/fold_0/E1/matched/s1.json T1 auroc value: stored" in result.output
    gather(results)
    assert check(results).exit_code == 0


def test_table_changed_by_hand_is_found(results):
    path = results / "metrics.tsv"
    path.write_text(path.read_text().replace("CTCF", "CTCFL"))
    result = check(results)
    assert "metrics.tsv: provenance.digest: stored" in result.output
    assert result.exit_code == 1


def test_report_of_another_table_is_found(results):
    provenance = json.dumps({"inputs": {"metrics": "0" * 64}})
    page = f'<script type="application/json" id="provenance">{provenance}</script>'
    write_text(results / "report/index.html", page)
    assert "report/index.html: digest of metrics.tsv: stored 0000" in check(results).output
    write_text(results / "report/index.html", "<p>something else</p>")
    assert "no provenance in the page" in check(results).output


def test_some_experiments_can_be_checked_alone(results):
    predictions_file(results).unlink()
    result = check(results, "--experiments", "E2")
    assert "metrics      2 match, 0 differ, 0 not checked" in result.output
    with pytest.raises(InputError, match="no metrics of E3"):
        check(results, "--experiments", "E3")


def test_every_finding_can_be_written(results, tmp_path):
    predictions_file(results).unlink()
    check(results, "--output", str(tmp_path / "found.tsv"))
    table = pd.read_csv(tmp_path / "found.tsv", sep="\t", keep_default_na=False)
    assert table["status"].tolist().count("not checked") == 1
    assert len(table) == 8


@pytest.mark.parametrize(
    "place", ["metrics/cnn/fold_0/E1/matched/s1.json", "predictions/cnn/fold_0/E1/matched/s1.parquet"]
)
def test_broken_file_is_a_difference_and_the_rest_is_checked(results, place):
    (results / place).write_text("{")
    result = check(results)
    assert result.exit_code == 1
    assert f"{place}; " in result.output
    assert "metrics      3 match" in result.output


def test_folder_without_metrics_is_refused(tmp_path):
    with pytest.raises(InputError, match="no metrics"):
        check(tmp_path)
