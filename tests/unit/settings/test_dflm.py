"""DFLM's recipe as shipped: `config/dflm.yaml` and the files that it names."""

import pytest
import yaml

from bindgram.settings import load_project
from bindgram.settings.config import merge

NAMES = {"dflm_k3": 3, "dflm_k4": 4, "dflm_k5": 5}
SIZES = {"name": "awd_lstm", "embedding_size": 200, "hidden_size": 800, "n_layers": 6}
LM_DROPOUT = {"output": 0.25, "hidden": 0.1, "input": 0.2, "embedding": 0.02, "weight": 0.15}  # times 0.5
CLASSIFIER_DROPOUT = {"hidden": 0.2, "input": 0.6, "embedding": 0.1, "weight": 0.5}  # times 0.25, and output 0.4
BLOCKS = [(1, 3, 2e-2), (2, 3, 1e-2), (3, 3, 5e-3), (None, 3, 5e-3), (None, 3, 1e-4)]


@pytest.fixture
def project(config, repository):
    changes = yaml.safe_load((repository / "config/dflm.yaml").read_text())
    more = {"models": [*NAMES, "dflm_k3_nt_asgd"]}
    return load_project(merge(merge(config, changes), more), repository, check_files=False)


def test_the_run_is_that_of_dflm_on_exact_shuffles_and_held_out_chromosomes(project, repository):
    changes = yaml.safe_load((repository / "config/dflm.yaml").read_text())
    assert changes["models"] == list(NAMES)
    config = project.config
    assert (config.positives.width, config.negatives.ratio) == (101, 1.0)
    assert config.negatives.schemes == ["dinucleotide_shuffle"]
    assert {row.assembly for row in project.selected.values()} == {"hg19"}
    assert config.split == ["fold_0"]


@pytest.mark.parametrize("name", [*NAMES, "dflm_k3_nt_asgd"])
def test_language_models_are_those_of_dflm(project, name):
    lm = project.language_models[name]
    assert (lm.vocabulary.k, lm.vocabulary.stride) == (NAMES.get(name, 3), 1)
    assert lm.encoder.model_dump() == SIZES
    for stage in (lm.pretrain, lm.adapt):
        assert stage.dropout.model_dump() == pytest.approx({key: rate * 0.5 for key, rate in LM_DROPOUT.items()})
        assert (stage.batch_size, stage.bptt) == (800, 70)
        if name == "dflm_k3_nt_asgd":
            assert (stage.optimizer.name, stage.optimizer.schedule) == ("nt_asgd", "constant")
        else:
            assert (stage.optimizer.name, stage.optimizer.schedule) == ("adamw", "one_cycle")
            assert (stage.optimizer.momentum, stage.optimizer.weight_decay) == ([0.8, 0.7], 1e-2)
    assert lm.adapt.epochs == 10
    assert name == "dflm_k3_nt_asgd" or lm.adapt.optimizer.learning_rate == 1e-2


@pytest.mark.parametrize("name", [*NAMES, "dflm_k3_nt_asgd"])
def test_classifiers_are_those_of_dflm(project, name):
    model = project.models[name]
    assert (model.pretrained, model.adapt) == (name, "tf")
    assert model.head.model_dump() == {
        "name": "concat_pool",
        "hidden_size": 50,
        "dropout": pytest.approx(0.4 * 0.25),
        "hidden_dropout": 0.1,
    }
    tuned = model.finetune
    assert [(stage.unfrozen, stage.epochs, stage.learning_rate) for stage in tuned.stages] == BLOCKS
    assert tuned.dropout.model_dump() == pytest.approx({key: rate * 0.25 for key, rate in CLASSIFIER_DROPOUT.items()})
    assert (tuned.layer_decay, tuned.batch_size, tuned.weight_decay) == (2.6, 400, 1e-2)
    assert (tuned.schedule, tuned.momentum, tuned.patience) == ("one_cycle", [0.8, 0.7], None)
