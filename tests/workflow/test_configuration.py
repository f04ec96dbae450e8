"""Wrong configuration stops Snakemake with one message that lists every problem, before any job."""

import pytest

pytestmark = pytest.mark.workflow


def test_misspelt_key_and_duplicate_experiment_come_in_one_message_each(fresh_project):
    fresh_project.add_experiment("planted")
    fresh_project.edit("config/models/tiny_cnn.yaml", lambda text: text.replace("batch_size", "batchsize"))
    result = fresh_project.snakemake("--dry-run")
    assert result.returncode == 1
    assert "config/experiments.tsv:5: experiment 'planted' repeats line 2; ids are unique" in result.stdout
    assert "config/models/tiny_cnn.yaml: finetune.batchsize: unknown key" in result.stdout
    assert "config/models/tiny_cnn.yaml: finetune.batch_size: required key is missing" in result.stdout
    assert "Traceback" not in result.stdout


def test_misspelt_key_of_the_configuration_is_named(fresh_project):
    result = fresh_project.snakemake("--dry-run", "--config", "modles=[tiny_cnn]")
    assert result.returncode == 1
    assert "modles: unknown key; check the spelling" in result.stdout
    assert "Traceback" not in result.stdout


def test_missing_peak_file_is_named_with_its_experiment(fresh_project):
    (fresh_project.root / "data/few.narrowPeak").unlink()
    result = fresh_project.snakemake("--dry-run")
    assert result.returncode == 1
    assert "experiment few: peaks: no such file: data/few.narrowPeak" in result.stdout


def test_unknown_experiment_in_a_target_is_named(fresh_project):
    result = fresh_project.snakemake("--dry-run", "results/examples/blocks/nobody/positives.parquet")
    assert result.returncode == 1
    assert "no experiment 'nobody'" in result.stdout


def test_tiled_block_belongs_to_a_run_whose_report_shall_show_it(fresh_project):
    page = ("results/report/index.html", "--dry-run")
    assert "collect_tiles" not in fresh_project.snakemake(*page).stdout
    fresh_project.edit("config/config.yaml", lambda text: text.replace("in_report: false", "in_report: true"))
    assert "collect_tiles" in fresh_project.snakemake(*page).stdout
