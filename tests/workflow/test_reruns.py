"""What a change reruns after a finished run, from the dry run's jobs: exactly those that depend on it."""

import re
import subprocess

import pytest
import yaml

pytestmark = pytest.mark.workflow

REPORT = {("write_report",), ("all",)}
ENDS = {("collect_metrics",), ("compare_models",), *REPORT}
OVERLAP = {("measure_overlap", "toy", "blocks")}
EXPERIMENTS = ("planted", "control", "few")
MODELS = ("tiny_lstm", "tiny_cnn")
SCHEME, SPLIT = "genomic_matched", "blocks"


def preparation(experiment):
    """Jobs that make an experiment's tables; wildcards in the order of their names."""
    return {
        ("fetch_peaks", experiment, "narrowPeak"),
        ("make_positives", experiment, SPLIT),
        ("make_negatives", experiment, SCHEME, SPLIT),
        *battery(experiment),
    }


def battery(experiment):
    return {("make_battery", experiment, SPLIT), *audit(experiment)}


def audit(experiment):
    return {("audit_examples", experiment, SPLIT)}


def training(experiment, model):
    return {("finetune_classifier", experiment, model, SCHEME, SPLIT), *scoring(experiment, model)}


def scoring(experiment, model):
    return {(rule, experiment, model, SCHEME, SPLIT) for rule in ("predict_scores", "evaluate_scores")}


def quick_baselines(experiment):
    return {("score_baselines", experiment, SCHEME, SPLIT)}


def baseline(experiment):
    return quick_baselines(experiment) | likelihood(experiment)


def likelihood(experiment):
    """Score of the language model alone; the first seed."""
    return {("score_likelihood", experiment, "tiny", SCHEME, "1", SPLIT)}


def figures(experiment):
    return {("plot_experiment", experiment, SCHEME, SPLIT)}


def compared(experiment):
    """Jobs that read the scores of all models of an experiment."""
    return figures(experiment) | {("compare_pairs", experiment, SCHEME, SPLIT)}


def interpretation(experiment, models=MODELS):
    """What models have learnt; the first seed."""
    return {("interpret_model", experiment, model, SCHEME, "1", SPLIT) for model in models}


def whole(experiment):
    """All jobs that belong to one experiment."""
    trained = set().union(*(training(experiment, model) for model in MODELS))
    return (
        preparation(experiment) | trained | baseline(experiment) | compared(experiment) | interpretation(experiment)
    )


def of_all(*jobs_of_experiment):
    return set().union(*(jobs(name) for jobs in jobs_of_experiment for name in EXPERIMENTS))


def change_yaml(project, path, change):
    def rewrite(text):
        value = yaml.safe_load(text)
        change(value)
        return yaml.safe_dump(value, sort_keys=False)

    project.edit(path, rewrite)


def test_nothing_runs_again_without_a_change(finished_run):
    assert finished_run.planned_jobs() == set()


def test_whole_run_is_this_list_of_jobs(fresh_project):
    genome = {
        ("fetch_genome", "toy"),
        ("index_genome", "toy"),
        ("tile_genome", "toy", "60"),
        ("tokenize_genome", "toy", "3", SPLIT, "1"),
        ("pretrain_language_model", "toy", "tiny", SPLIT),
        ("prepare_motifs", "JASPAR2026"),
    }
    assert fresh_project.planned_jobs() == genome | of_all(whole) | OVERLAP | ENDS


def test_report_waits_for_all_that_it_shows(fresh_project):
    plan = fresh_project.snakemake("--dry-run").stdout.partition("rule write_report:")[2]
    waits = set(re.search(r"^ +input: (.*)$", plan, flags=re.MULTILINE)[1].split(", "))
    cell = f"{SPLIT}/planted/{SCHEME}"
    shown = {f"results/interpretation/{model}/{cell}/s1.json" for model in MODELS}
    shown |= {f"results/report/panels/{cell}.json", f"results/qc/{SPLIT}/planted/audit.tsv"}
    assert waits >= shown | {"results/metrics.tsv", "results/comparison.json"}


def test_new_experiment_runs_its_own_jobs_only(project):
    project.write_peaks("second", range(900, 230_000, 1200))
    project.add_experiment("second")
    assert project.planned_jobs() == whole("second") | OVERLAP | ENDS


def test_changed_peak_file_reruns_its_experiment_only(project):
    project.write_peaks("planted", range(300, 230_000, 1200))
    assert project.planned_jobs() == whole("planted") | OVERLAP | ENDS


def test_changed_fine_tuning_setting_reruns_from_fine_tuning_of_that_model_on(project):
    change_yaml(project, "config/models/tiny_cnn.yaml", lambda model: model["finetune"].update(batch_size=64))
    expected = of_all(lambda name: training(name, "tiny_cnn") | interpretation(name, ["tiny_cnn"]), compared)
    assert project.planned_jobs() == expected | ENDS


@pytest.mark.parametrize(
    ("section", "changed"), [("pretrain", {"bptt": 24}), ("pretrain", {"accumulation": 2}), ("objective", {"ar": 0.5})]
)
def test_changed_pretraining_setting_reruns_from_pretraining_on(project, section, changed):
    change_yaml(project, "config/lms/tiny.yaml", lambda lm: lm[section].update(changed))
    expected = of_all(lambda name: training(name, "tiny_lstm") | interpretation(name, ["tiny_lstm"]))
    expected |= of_all(likelihood, compared)
    assert project.planned_jobs() == expected | ENDS | {("pretrain_language_model", "toy", "tiny", SPLIT)}


def test_comment_in_a_settings_file_reruns_nothing(project):
    for path in ("config/models/tiny_cnn.yaml", "config/lms/tiny.yaml", "config/splits/blocks.yaml"):
        project.edit(path, lambda text: "# a thought\n" + text)
    assert project.planned_jobs() == set()


def test_blocks_of_another_assembly_rerun_nothing(project):
    other = {"train": ["chr1"], "valid": ["chr2"], "test": ["chr3"]}
    change_yaml(project, "config/splits/blocks.yaml", lambda split: split["assemblies"].update(other=other))
    assert project.planned_jobs() == set()


def test_raised_revision_reruns_that_command_and_all_that_depends_on_it(project):
    change_yaml(project, "config/revisions.yaml", lambda revisions: revisions.update(battery=revisions["battery"] + 1))
    scores = of_all(lambda name: set().union(*(scoring(name, model) for model in MODELS)), baseline)
    assert project.planned_jobs() == of_all(battery, compared, interpretation) | scores | ENDS


@pytest.mark.parametrize("command", ["evaluate", "plot", "report"])
def test_revision_that_equals_another_number_is_noticed(project, command):
    """Snakemake compares parameters as a set of values: a revision of 200 would hide behind 200 replicates."""
    change_yaml(project, "config/revisions.yaml", lambda revisions: revisions.update({command: 200}))
    assert len(project.planned_jobs()) > 1


def test_changed_value_of_a_filter_reruns_from_the_positives_on(project):
    def change(config):
        config["positives"]["filters"] = [
            {"n_fraction": 0.5} if item == {"n_fraction": 0.0} else item for item in config["positives"]["filters"]
        ]

    change_yaml(project, "config/config.yaml", change)
    jobs = project.planned_jobs()
    assert {("make_positives", name, SPLIT) for name in ("planted",)} <= jobs
    assert not any(job[0].startswith(("fetch", "index", "tile", "tokenize", "pretrain")) for job in jobs)


def test_audit_that_is_made_again_trains_nothing_again(project):
    change_yaml(project, "config/config.yaml", lambda config: config["audit"].update(suspicious_auroc=0.7))
    assert project.planned_jobs() == of_all(audit) | REPORT


def test_new_test_set_leaves_trained_models_alone(project):
    new = {"T9": {"scheme": "dinucleotide_shuffle", "ratio": 2.0}}
    change_yaml(project, "config/config.yaml", lambda config: config["battery"]["test_sets"].update(new))
    scores = of_all(lambda name: set().union(*(scoring(name, model) for model in MODELS)), baseline)
    assert project.planned_jobs() == of_all(battery, compared, interpretation) | scores | ENDS


WATCHED = {"every_steps": 1, "tensorboard": False, "mlflow": "runs", "wandb": "mine"}
GPUS = {"nodes": 2, "gpus_per_node": 2}
LICENSE = {"license": "cc-by-4.0"}
NO_LINKS = {"browser": None}
FEWER_POSITIVES = {"positives": [10]}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("device", "auto"),
        ("checkpoint_minutes", 30),
        ("pretraining", GPUS),
        ("logging", WATCHED),
        ("publish", LICENSE),
        ("report", NO_LINKS),
        ("data_efficiency", FEWER_POSITIVES),
    ],
)
def test_what_bears_on_no_result_reruns_the_page_only(project, key, value):
    change_yaml(project, "config/config.yaml", lambda config: config.update({key: value}))
    assert project.planned_jobs() == REPORT


def test_changed_interpretation_reruns_interpretations_and_the_page_only(project):
    change_yaml(project, "config/config.yaml", lambda config: config["interpretation"].update(n_sites=5))
    assert project.planned_jobs() == of_all(interpretation) | REPORT


def test_fewer_interpreted_models_rerun_the_page_only(project):
    change_yaml(project, "config/config.yaml", lambda config: config["interpretation"].update(models=["tiny_cnn"]))
    assert project.planned_jobs() == REPORT


def test_other_library_of_motifs_reruns_what_compares_with_it(project):
    """No baseline of the tiny project scans for motifs."""
    change_yaml(project, "config/config.yaml", lambda config: config["motifs"].update(library="JASPAR2024"))
    assert project.planned_jobs() == {("prepare_motifs", "JASPAR2024")} | of_all(interpretation) | REPORT


def test_new_baseline_trains_no_network_again(project):
    new = {"gc": {"kind": "kmer", "k": 0, "inverse_regularisation": 1.0}}
    change_yaml(project, "config/config.yaml", lambda config: config["baselines"].update(new))
    assert project.planned_jobs() == of_all(quick_baselines, compared) | ENDS


def test_commit_reruns_nothing(project):
    """The commit stands in the report as it was when that was written."""
    for command in (["init", "-q"], ["-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", *command], cwd=project.root, check=True)
    assert project.planned_jobs() == set()


def test_title_of_an_experiment_reruns_its_figures_and_the_tables_only(project):
    project.edit(
        "config/experiments.tsv", lambda text: text.replace("planted\tPLANTED\tcells", "planted\tPLANTED\tliver")
    )
    assert project.planned_jobs() == figures("planted") | interpretation("planted") | ENDS
