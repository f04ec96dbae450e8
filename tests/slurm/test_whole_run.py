"""All experiments through SLURM with the shipped profile: two fail for good, Snakemake is killed and started again."""

import csv
import io
import itertools
from pathlib import Path

import pytest
import stories

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

RESULTS = ("results/models/**/model.safetensors", "results/models/**/config.json", "results/metrics/**/*.json")


def rules_of(job):
    return job["Comment"].strip().removeprefix("rule_")


def table_of(run):
    text = run.folder.read("results/report/available/metrics.tsv")
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


def test_the_others_finish_and_equal_a_run_without_cluster_and_faults(whole_run, undisturbed):
    for pattern in RESULTS:
        expected = undisturbed.files(pattern)
        assert len(expected) > 3
        assert whole_run.folder.files(pattern) == expected


def test_report_names_the_failed_experiments_and_their_reasons(whole_run):
    assert whole_run.status == 1
    assert whole_run.report_status == 0
    status = {row["experiment"]: row["status"] for row in table_of(whole_run)}
    assert status == {
        "planted": "ok",
        "control": "ok",
        "few": "skipped",
        stories.UNFETCHED: "failed",
        stories.CRASHING: "failed",
    }
    reasons = {row["experiment"]: row["reason"] for row in table_of(whole_run) if row["status"] == "failed"}
    assert "checksum" in reasons[stories.UNFETCHED]
    assert stories.CRASH_MESSAGE in reasons[stories.CRASHING]
    page = whole_run.folder.read("results/report/available/index.html")
    assert "checksum" in page
    assert stories.CRASH_MESSAGE in page


def test_crash_in_a_bundle_leaves_what_its_other_members_had_finished(whole_run):
    made = whole_run.folder.files(f"results/examples/**/{stories.CRASHING}/positives.parquet")
    assert len(made) == 1
    assert not whole_run.folder.files(f"results/examples/**/{stories.CRASHING}/labelled/*.parquet")


def test_crashing_job_is_tried_twice_by_each_snakemake_at_most(whole_run):
    failed = [job for job in whole_run.jobs if job["JobState"] == "FAILED"]
    assert all("make_negatives" in rules_of(job) for job in failed)
    assert 2 <= len(failed) <= 4


def test_killed_snakemake_is_taken_over_by_the_same_command(whole_run):
    assert any("finetune_classifier" in rules_of(job) for job in whole_run.killed_with if job["JobState"] == "RUNNING")
    assert "LockException" not in whole_run.output
    assert "goes on from its checkpoint" in whole_run.folder.read(stories.CNN_LOG)


def test_killed_snakemake_loses_no_finished_training(whole_run):
    for path, time in whole_run.done_before.items():
        assert Path(path).stat().st_mtime == time, path


def test_no_job_runs_twice_at_the_same_time(whole_run):
    alike = itertools.groupby(sorted(whole_run.jobs, key=rules_of), key=rules_of)
    for name, jobs in alike:
        if "_wildcards_" in name:  # bundles of different experiments have the same name
            times = sorted((job["StartTime"], job["EndTime"]) for job in jobs)
            assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(times)), name


def test_rules_with_a_network_get_a_gpu_in_its_partition_and_the_others_none(whole_run):
    with_network = [job for job in whole_run.jobs if any(rule in rules_of(job) for rule in stories.GPU_RULES)]
    others = [job for job in whole_run.jobs if job not in with_network]
    assert with_network
    assert others
    assert {(job["Partition"], job.get("TresPerJob")) for job in with_network} == {("gpu", "gres:gpu:1")}
    assert {(job["Partition"], job.get("TresPerJob")) for job in others} == {("cpu", None)}
    assert "the job has been given a GPU" in whole_run.folder.read(stories.CNN_LOG)


def test_short_steps_of_an_experiment_share_a_job(whole_run):
    bundles = [job for job in whole_run.jobs if "make_positives" in rules_of(job) and job["JobState"] == "COMPLETED"]
    assert len(bundles) == len(stories.GOOD)
    assert all("make_negatives" in rules_of(job) for job in bundles)
