"""Expected costs: tokens counted by hand, hours at given rates."""

import shutil

import pytest
import yaml

from bindgram.settings import load_project
from bindgram.settings.config import merge
from bindgram.settings.costs import estimate

CHANGES = {
    "experiments": "config/mine.tsv",
    "assemblies": "config/mine_assemblies.tsv",
    "split": "mine",
    "universe": None,
    "select": {"tiers": []},
    "models": ["awd_lstm", "deepbind_cnn"],
    "seeds": [1, 2],
    "baselines": {"deepbind_cnn": None, "danq": None, "awd_lstm_scratch": None},
    "positives": {"width": 102},
    "negatives": {"ratio": 2.0},
    "battery": {"max_positives": 15},
    "costs": {"positives_per_experiment": 100},
}


@pytest.fixture
def root(tmp_path, repository):
    """Two experiments on a genome of 1,000 bp: 600 train, 100 validate, 300 test."""
    shutil.copytree(repository / "config", tmp_path / "config")
    header = "experiment\ttf\tbiosample\tassembly\tformat\tpeaks\n"
    rows = "".join(f"{name}\tCTCF\tK562\ttoy\tbed\thttps://x/{name}\n" for name in "ab")
    (tmp_path / "config/mine.tsv").write_text(header + rows)
    (tmp_path / "config/mine_assemblies.tsv").write_text(
        "assembly\tfasta\tchrom_sizes\ntoy\thttps://x/g.fa\tconfig/sizes\n"
    )
    (tmp_path / "config/sizes").write_text("c1\t600\nc2\t100\nc3\t300\n")
    split = {"assemblies": {"toy": {"train": ["c1"], "valid": {"v": "c2:0-100"}, "test": ["c3"]}}}
    (tmp_path / "config/splits/mine.yaml").write_text(yaml.safe_dump(split))
    return tmp_path


@pytest.fixture
def costs(config, root):
    return lambda **more: estimate(load_project(merge(merge(config, CHANGES), more), root), root)


def works(found):
    return {(work.kind, work.name): (work.n_jobs, round(work.tokens)) for work in found.works}


def test_tokens_are_those_counted_by_hand(costs):
    found = costs()
    assert (found.n_experiments, found.n_models, found.n_seeds) == (2, 2, 2)
    # of each experiment 60 positives train, 10 validate, 30 test; 102 bp are 100 3-mers with stride 1
    examples = 2 * 2 * (60 + 10 * 2 / 3) * 3  # experiments, seeds, with two negatives per positive
    tested = 2 * 2 * (15 + 10) * (2 + 11 + 11) * 2  # at most 15 positives; 1, 10 and 10 negatives for each; two strands
    assert works(found) == {
        ("pretrain", "awd_lstm"): (1, 600 * 2),
        ("adapt", "awd_lstm"): (2, 2 * 60 * 101 * 2 * 5),
        ("finetune", "awd_lstm"): (2, examples * 100 * 15),
        ("predict", "awd_lstm"): (2, tested * 100),
        ("finetune", "deepbind_cnn"): (2, examples * 102 * 8),
        ("predict", "deepbind_cnn"): (2, tested * 102),
        ("likelihood", "awd_lstm"): (2, tested // 2 * 100),  # once for all seeds
    }
    assert found.pretrain_tokens == pytest.approx(600 * 2 + 2 * 60 * 101 * 2 * 5)
    assert found.finetune_tokens == pytest.approx(examples * (1500 + 816))
    assert found.predict_tokens == pytest.approx(tested * 202)


def test_models_share_one_pretraining_and_one_adaptation(costs, root):
    copy = (root / "config/models/awd_lstm.yaml").read_text()
    (root / "config/models/other.yaml").write_text(copy)
    (root / "config/models/plain.yaml").write_text(copy.replace("adapt: experiment", "adapt: none"))
    kinds = [work.kind for work in costs(models=["awd_lstm", "other", "plain", "awd_lstm_scratch"]).works]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        **{"pretrain": 1, "adapt": 1, "finetune": 4, "predict": 4},
        "likelihood": 1,
    }


def test_strongest_peaks_and_the_end_of_pretraining_limit_the_work(costs, root):
    path = root / "config/lms/awd_lstm.yaml"
    path.write_text(path.read_text().replace("max_tokens: null", "max_tokens: 700", 1))
    assert costs().tokens("pretrain") == 700
    assert costs(positives={"strongest": 50}).finetune_tokens == pytest.approx(costs().finetune_tokens / 2)


def test_hours_are_tokens_by_rates_and_prediction_runs_three_times_as_fast_as_training(costs):
    found = costs(costs={"training_tokens_per_second": {"awd_lstm": 10}})
    tokens = {key: n for key, (_, n) in works(found).items()}
    hours = found.gpu_hours(found.settings)
    assert hours == {
        "finetune": pytest.approx(tokens["finetune", "awd_lstm"] / 36_000),
        "predict": pytest.approx(tokens["predict", "awd_lstm"] / 108_000),
    }
    assert {(work.kind, work.name) for work in found.unrated(found.settings)} == {
        ("pretrain", "awd_lstm"),
        ("adapt", "awd_lstm"),
        ("finetune", "deepbind_cnn"),
        ("predict", "deepbind_cnn"),
        ("likelihood", "awd_lstm"),
    }
    pretrained = costs(costs={"pretraining_tokens_per_second": {"awd_lstm": 5}})
    hours = pretrained.gpu_hours(pretrained.settings)
    assert hours["likelihood"] == pytest.approx(tokens["likelihood", "awd_lstm"] / 15 / 3600)
    measured = costs(costs={"prediction_tokens_per_second": {"awd_lstm": 20}})
    assert measured.gpu_hours(measured.settings) == {
        "predict": pytest.approx(tokens["predict", "awd_lstm"] / 72_000),
    }


def test_description_says_what_is_known_what_is_not_and_what_the_rules_ask_for(costs):
    text = costs(costs={"training_tokens_per_second": {"awd_lstm": 1000}}).describe({"finetune_classifier": (2, 8.0)})
    lines = text.splitlines()
    assert lines[0] == "2 experiments, 2 model(s), 1 scheme(s) of negatives, 2 seed(s): 8 classifiers"
    assert lines[1].startswith("tokens to read, at 100 positives per experiment: pretrain 1,200, adapt 121,200, ")
    assert lines[2] == "GPU hours expected: 0.4 (finetune 0.3, predict 0.0); less where training stops early"
    assert lines[3].startswith("not estimated: awd_lstm; set costs.pretraining_tokens_per_second")
    assert lines[4].startswith("not estimated: deepbind_cnn; set costs.training_tokens_per_second")
    assert lines[5] == "GPU hours that the rules ask for, at most: 16 (finetune_classifier 2 x 8 h)"


def test_unknown_chromosome_lengths_are_no_obstacle(costs, root):
    (root / "config/mine_assemblies.tsv").write_text("assembly\tfasta\ntoy\thttps://x/g.fa\n")
    assert costs().tokens("pretrain") == 2 * 2.1e9


def test_the_517_experiments_are_planned_with_one_model_and_three_seeds(repository, monkeypatch, config):
    monkeypatch.chdir(repository)
    found = estimate(load_project(config))
    assert (found.n_experiments, found.n_models, found.n_seeds) == (517, 1, 3)
    assert 4.0e9 < found.tokens("pretrain") < 5.0e9
