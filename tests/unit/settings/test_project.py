"""A project: everything a configuration names is read and checked together."""

import shutil

import pytest
import yaml

from bindgram.errors import InputError
from bindgram.settings import load_project
from bindgram.settings.config import Selection, merge
from bindgram.settings.selection import select


@pytest.fixture
def root(tmp_path, repository):
    """The demo's configuration, to be spoilt."""
    shutil.copytree(repository / "config", tmp_path / "config")
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources/demo").symlink_to(repository / "resources/demo")
    return tmp_path


@pytest.fixture
def demo(config, repository):
    return merge(config, yaml.safe_load((repository / "config/demo.yaml").read_text()))


def problems(config, root):
    with pytest.raises(InputError) as caught:
        load_project(config, root)
    return str(caught.value)


def test_names_in_select_that_the_sheet_does_not_have_are_named(demo, root):
    demo["select"] |= {"tfs": ["CTCF", "TYPO"], "biosamples": ["nowhere"]}
    text = problems(demo, root)
    assert "select.tfs: not in config/demo_experiments.tsv: TYPO" in text
    assert "select.biosamples: not in config/demo_experiments.tsv: nowhere" in text


def test_project_holds_selected_rows_models_and_their_language_models(demo, root):
    project = load_project(demo, root)
    assert sorted(row.tf for row in project.selected.values()) == ["CEBPB", "CTCF", "SPI1", "USF1"]
    assert len(project.experiments) == 12
    assert set(project.models) == set(demo["models"])
    assert set(project.language_models) == {"awd_lstm_demo"}


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({}, 12),
        ({"tfs": ["REST", "CTCF"]}, 2),
        ({"tfs": ["REST", "CTCF"], "first": 1}, 1),
        ({"experiments": ["MAX_clusters"], "tfs": ["REST"]}, 0),
        ({"biosamples": ["pooled_cell_types"], "first": 3}, 3),
    ],
)
def test_selection_narrows_list_by_list_then_takes_the_first(demo, root, selection, expected):
    experiments = load_project(demo, root).experiments
    nothing = {"experiments": [], "list": None, "tfs": [], "biosamples": [], "tiers": [], "first": None}
    chosen = select(experiments, Selection(**(nothing | selection)), None)
    assert len(chosen) == expected
    assert list(chosen) == [name for name in experiments if name in chosen]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            {"select": {"tfs": ["REST"], "experiments": ["MAX_clusters"]}},
            "select: no row of the experiment sheet matches",
        ),
        ({"floor": "kmer9_lr"}, "floor: 'kmer9_lr' is not a baseline"),
        ({"headline": {"test_set": "T7"}}, "headline.test_set: 'T7' is not in battery.test_sets"),
        ({"models": ["nothing"]}, "config/models/nothing.yaml: no such file"),
        ({"split": "nothing"}, "config/splits/nothing.yaml: no such file"),
        ({"split": "fold_0"}, "'hg38_chr22' is missing; the file has hg19, hg38"),
        ({"assemblies": "config/nothing.tsv"}, "config/nothing.tsv: no such file"),
        ({"assemblies": "config/assemblies.tsv"}, "assembly 'hg38_chr22' is not in config/assemblies.tsv"),
        ({"adaptation_universe": "config/nothing.txt"}, "adaptation_universe lists one experiment id per line"),
        (
            {"baselines": {"cnn_demo": {"k": 1, "inverse_regularisation": 1.0}}},
            "'cnn_demo' is also the name of a model",
        ),
    ],
)
def test_reference_to_nothing_is_named(demo, root, override, message):
    assert message in problems(merge(demo, override), root)


def test_missing_peak_file_is_named_with_its_experiment(demo, root):
    sheet = root / "config/demo_experiments.tsv"
    sheet.write_text(sheet.read_text().replace("peaks/CTCF.bed.gz", "peaks/CTFC.bed.gz"))
    message = problems(demo, root)
    assert "experiment CTCF_clusters: peaks: no such file: resources/demo/peaks/CTFC.bed.gz" in message


def test_adaptation_needs_a_stage_and_a_universe(demo, root):
    path = root / "config/models/awd_lstm_demo.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"adapt": "tf"}))
    message = problems(demo, root)
    assert "adapt: config/lms/awd_lstm_demo.yaml has no adapt stage" in message
    assert "adaptation_universe: required by a model with adapt: tf" in message


def test_problems_of_all_files_come_at_once(demo, root):
    sheet = root / "config/demo_experiments.tsv"
    sheet.write_text(sheet.read_text().replace("\tbed\t", "\tbde\t", 1))
    message = problems(merge(demo, {"floor": "none", "split": "nothing"}), root)
    assert "3 problem(s)" in message
    assert "config/demo_experiments.tsv:2: format" in message
