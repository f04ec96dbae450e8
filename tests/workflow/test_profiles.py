"""The profiles and the shipped configuration: what `snakemake --profile` plans from the checkout."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.workflow

GPU_RULES = {
    *("adapt_language_model", "finetune_classifier", "predict_scores", "pretrain_language_model"),
    *("score_likelihood", "interpret_model"),
}


@pytest.fixture(scope="module")
def plan(repository, tmp_path_factory):
    """Plans with a profile, away from the results of the checkout."""

    def make_plan(*arguments, configfile=(), **select):
        root = tmp_path_factory.mktemp("checkout")
        if select:
            (root / "select.yaml").write_text(yaml.safe_dump({"select": select}))
            arguments += ("--configfile", *configfile, "select.yaml")
        for name in ("workflow", "config", "envs", "profiles", "resources"):
            (root / name).symlink_to(repository / name)
        (root / "slurm").symlink_to("profiles/slurm")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        result = subprocess.run(
            [sys.executable, "-m", "snakemake", "--dry-run", *arguments],
            cwd=root,
            env=os.environ | {"PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout
        return result.stdout

    return make_plan


def job_counts(text):
    return {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", text.split("Job stats:")[-1], flags=re.MULTILINE)}


def test_slurm_link_names_the_profile(repository):
    assert (repository / "slurm").is_symlink()
    assert (repository / "slurm/config.yaml").samefile(repository / "profiles/slurm/config.yaml")


def test_slurm_plans_three_jobs_for_each_network_of_an_experiment_and_a_few_others(plan):
    counts = job_counts(plan("--profile", "slurm", first=3))
    of_networks = {name for name, n in counts.items() if n == 3 * 4}  # the model, and three baselines that are trained
    assert of_networks == {"finetune_classifier", "predict_scores", "evaluate_scores"}
    per_experiment = {name: n for name, n in counts.items() if n == 3}
    assert per_experiment.keys() == {
        "adapt_language_model",
        "make_positives",
        "make_negatives",
        "make_battery",
        "audit_examples",
        "score_baselines",
        "score_gapped_kmers",
        "score_likelihood",
        "interpret_model",  # of the model, not of the baselines that are trained
        "compare_pairs",
        "plot_experiment",
    }
    assert counts["fetch_peaks"] > 3  # those of the universe as well
    assert counts["pretrain_language_model"] == counts["fetch_genome"] == counts["fetch_blacklist"] == 1


def test_slurm_asks_a_gpu_for_the_jobs_with_a_network_only(plan):
    text = plan("--profile", "slurm", first=1)
    jobs = re.findall(r"^(?:local)?rule (\w+):$(.*?)^ +resources: (.*?)$", text, flags=re.MULTILINE | re.DOTALL)
    with_gpu = {name for name, _, resources in jobs if re.search(r"\bgpu=1\b", resources)}
    assert with_gpu == GPU_RULES
    assert "interpret_model 1 x 2 h" in text  # told among what the rules ask for
    assert all(re.search(r"\bruntime=\d+", resources) for name, _, resources in jobs if name != "all")


def test_demo_plans_four_factors_and_the_others_are_one_line_away(plan):
    assert job_counts(plan("--profile", "profiles/demo"))["make_positives"] == 4
    assert (
        job_counts(plan("--profile", "profiles/demo", configfile=["config/demo.yaml"], tfs=[]))["make_positives"] == 12
    )


def test_fetch_all_fetches_and_does_nothing_else(plan):
    counts = job_counts(plan("fetch_all", "--profile", "slurm", "--config", "universe=null", first=5))
    assert counts == {"fetch_all": 1, "fetch_blacklist": 1, "fetch_genome": 1, "fetch_peaks": 5, "total": 8}


def test_profiles_rerun_for_data_settings_and_code_but_not_for_an_edited_environment(repository):
    for name in ("demo", "slurm"):
        profile = yaml.safe_load((repository / f"profiles/{name}/config.yaml").read_text())
        assert profile["rerun-triggers"] == ["mtime", "params", "input", "code"]
        assert profile["keep-going"] is True
        assert profile["rerun-incomplete"] is True


def test_profile_settings_name_rules_that_exist(repository):
    rules = set()
    for path in (repository / "workflow/rules").glob("*.smk"):
        rules |= set(re.findall(r"^rule (\w+):", path.read_text(), flags=re.MULTILINE))
    for name in ("demo", "slurm"):
        profile = yaml.safe_load((repository / f"profiles/{name}/config.yaml").read_text())
        assert set(profile.get("set-threads", {})) | set(profile.get("set-resources", {})) <= rules
