import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from bindgram.cli.verify import verify
from bindgram.data.examples import COLUMNS, ExampleTable, write_examples
from bindgram.errors import InputError
from bindgram.provenance import digest, sha256_file, write_text


def check(results, *more: str):
    return CliRunner().invoke(verify, [str(results), *more], catch_exceptions=False)


def test_untouched_run_matches_in_all(run):
    result = check(run.results)
    assert result.output.splitlines() == [
        "predictions  4 match, 0 differ, 0 not checked",
        "metrics      4 match, 0 differ, 0 not checked",
        "table        1 match, 0 differ, 0 not checked",
    ]
    assert result.exit_code == 0


def test_several_processes_find_the_same(run):
    assert check(run.results, "--processes", "2").output == check(run.results).output


def test_number_changed_by_hand_is_found_even_without_its_predictions(run):
    path = run.place("metrics")
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"T1.auroc": 0.99}))
    run.place("predictions").unlink()
    result = check(run.results)
    assert result.exit_code == 1
    assert "metrics/cnn/fold_0/E1/matched/s1.json: provenance.digest: stored" in result.output
    assert "edited after bindgram evaluate wrote it" in result.output


def test_number_changed_with_its_digest_is_found_by_recomputing(run):
    """What a careful forger would do, or another version of the code."""
    path = run.place("metrics")
    values = json.loads(path.read_text())
    provenance = values.pop("provenance")
    true, values["T1.auroc.low"] = values["T1.auroc.low"], 0.001
    path.write_text(json.dumps(values | {"provenance": provenance | {"digest": digest(values)}}))
    result = check(run.results)
    assert f"T1.auroc.low: stored 0.001, found {true!r}; made by bindgram" in result.output
    assert "metrics      3 match, 1 differ, 0 not checked" in result.output
    assert result.exit_code == 1


def test_metrics_older_than_their_predictions_are_named_with_every_number_that_differs(run):
    run.predict(run.scores(99))
    result = check(run.results)
    assert "predictions/cnn/fold_0/E1/matched/s1.parquet: digest in the metrics" in result.output
    assert "written again after the metrics: run snakemake again" in result.output
    assert "T1.auroc: stored" in result.output


def test_predictions_altered_in_place_are_found(run):
    """Other scores under the metadata of the old ones."""
    path = run.place("predictions")
    table = pq.read_table(path)
    scores = pa.array(table["score"].to_numpy() + 1)
    pq.write_table(table.set_column(table.schema.get_field_index("score"), "score", scores), path)
    result = check(run.results)
    assert "s1.parquet: digest: stored" in result.output
    assert "altered since" in result.output
    assert result.exit_code == 1


def test_what_is_absent_is_said_and_is_no_failure(run):
    run.place("predictions").unlink()
    result = check(run.results)
    assert "metrics      3 match, 0 differ, 1 not checked" in result.output
    assert "not checked: metrics/cnn/fold_0/E1/matched/s1.json; predictions/cnn" in result.output
    assert result.exit_code == 0


def test_another_list_of_homologs_is_not_taken_for_the_one_that_was_used(run):
    path = run.results / "battery/fold_0/E1/homology.tsv"
    path.write_text(path.read_text().replace("e0", "e4"))
    result = check(run.results)
    assert "metrics      2 match, 0 differ, 2 not checked" in result.output
    assert "is the one that was used" in result.output


def test_metrics_of_an_older_version_are_not_checked_and_told_once(run):
    for experiment in ("E1", "E2"):
        path = run.place("metrics", experiment=experiment)
        values = json.loads(path.read_text())
        del values["provenance"]["settings"]["prevalence"]
        path.write_text(json.dumps(values))
    result = check(run.results)
    assert "metrics      2 match, 0 differ, 2 not checked" in result.output
    assert result.output.count("recorded less") == 1
    assert "s1.json and 1 more; made by evaluate revision 2 of an older version" in result.output
    assert result.exit_code == 0


def test_table_is_held_against_the_files_it_was_collected_from(run):
    run.predict(run.scores(99))
    run.measure()
    result = check(run.results)
    assert "table        0 match, 1 differ, 0 not checked" in result.output
    assert "metrics.tsv: metrics/cnn/fold_0/E1/matched/s1.json T1 auroc value: stored" in result.output
    run.collect()
    assert check(run.results).exit_code == 0


def test_table_changed_by_hand_is_found(run):
    path = run.results / "metrics.tsv"
    path.write_text(path.read_text().replace("CTCF", "CTCFL"))
    result = check(run.results)
    assert "metrics.tsv: provenance.digest: stored" in result.output
    assert result.exit_code == 1


def page(run, **record) -> None:
    settings = {"seed": 1}
    whole = {"configuration": {"settings": settings, "digest": digest(settings)}, "files": {}, "inputs": {}} | record
    text = f'<script type="application/json" id="reproducibility">{json.dumps(whole)}</script>'
    write_text(run.results / "report/index.html", text)


def test_report_of_this_table_matches(run):
    page(run, files={"metrics.tsv": sha256_file(run.results / "metrics.tsv")})
    result = check(run.results)
    assert "report       1 match, 0 differ, 0 not checked" in result.output
    assert result.exit_code == 0


def test_report_of_another_table_is_found(run):
    page(run, files={"metrics.tsv": "0" * 64})
    assert "report/index.html: digest of metrics.tsv: stored 0000" in check(run.results).output
    page(run, files={"comparison.json": "0" * 64})
    assert "comparison.json is not there" in check(run.results).output
    write_text(run.results / "report/index.html", "<p>something else</p>")
    assert "no record in the page" in check(run.results).output


def test_settings_changed_in_the_page_are_found(run):
    page(run, configuration={"settings": {"seed": 2}, "digest": digest({"seed": 1})})
    assert "report/index.html: configuration: stored" in check(run.results).output


def test_report_on_other_peaks_is_found(run):
    empty = ExampleTable(pd.DataFrame(columns=COLUMNS), "skipped", "x", {"inputs": {"peaks": "new"}})
    write_examples(run.results / "examples/fold_0/E1/positives.parquet", empty)
    page(run, inputs={"E1": {"peaks": "old"}, "E2": {"peaks": "p"}})
    result = check(run.results)
    assert "peaks of E1: stored old, found new" in result.output
    assert "1 experiments of the page have no positives here, first E2" in result.output
    assert result.exit_code == 1


def test_some_experiments_can_be_checked_alone(run):
    run.place("predictions").unlink()
    result = check(run.results, "--experiments", "E2")
    assert "metrics      2 match, 0 differ, 0 not checked" in result.output
    with pytest.raises(InputError, match="no metrics of E3"):
        check(run.results, "--experiments", "E3")


def test_every_finding_can_be_written(run, tmp_path):
    run.place("predictions").unlink()
    check(run.results, "--output", str(tmp_path / "found.tsv"))
    table = pd.read_csv(tmp_path / "found.tsv", sep="\t", keep_default_na=False)
    assert table["status"].tolist().count("not checked") == 1
    assert len(table) == 8


@pytest.mark.parametrize(
    "place", ["metrics/cnn/fold_0/E1/matched/s1.json", "predictions/cnn/fold_0/E1/matched/s1.parquet"]
)
def test_broken_file_is_a_difference_and_the_rest_is_checked(run, place):
    (run.results / place).write_text("{")
    result = check(run.results)
    assert result.exit_code == 1
    assert f"{place}; " in result.output
    assert "metrics      3 match" in result.output


def test_folder_without_metrics_is_refused(tmp_path):
    with pytest.raises(InputError, match="no metrics"):
        check(tmp_path)
