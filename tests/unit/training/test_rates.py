"""Learning-rate finder: what it reads off losses, and that it leaves no trace."""

import numpy as np
import pandas as pd
import pytest
import torch

from bindgram.data.examples import ExampleTable
from bindgram.errors import InputError
from bindgram.sequence.dna import strings_of
from bindgram.sequence.kmers import Vocabulary
from bindgram.settings.config import FindRateSettings
from bindgram.settings.models import LanguageModelFile, ModelFile
from bindgram.training.rates import find_classifier_rate, find_language_model_rate, smooth, suggest

CPU = torch.device("cpu")
OFF = {"embedding": 0.1, "input": 0.0, "weight": 0.0, "hidden": 0.0}
LM = {
    "vocabulary": {"k": 2, "stride": 1},
    "direction": "forward",
    "encoder": {"name": "awd_lstm", "embedding_size": 4, "hidden_size": 6, "n_layers": 2},
    "objective": {"name": "next_token", "ar": 0.0, "tar": 0.0},
    "pretrain": {
        "optimizer": {
            **{"name": "adamw", "learning_rate": 1e-2, "weight_decay": 0.0, "schedule": "one_cycle", "warmup": 0.3},
            **{"momentum": None, "clip_norm": None, "nonmonotone_checks": None},
        },
        "dropout": OFF | {"output": 0.0},
        **{"batch_size": 4, "accumulation": 1, "bptt": 8, "variable_bptt": True, "epochs": 1, "max_tokens": None},
        **{"validate_every": 5, "max_valid_tokens": 100, "reverse_complement": True, "precision": "32-true"},
    },
    "adapt": None,
}
MODEL = {
    **{"pretrained": "none", "backward": None, "adapt": "none", "encoder": {"same_as": "tiny"}, "vocabulary": None},
    "head": {"name": "concat_pool", "hidden_size": 4, "dropout": 0.0, "hidden_dropout": 0.0},
    "finetune": {
        "stages": [
            {"unfrozen": 1, "epochs": 1, "learning_rate": 1e-2},
            {"unfrozen": None, "epochs": 1, "learning_rate": 1e-2},
        ],
        **{"layer_decay": 2.0, "weight_decay": 0.0, "schedule": "constant", "warmup": None, "momentum": None},
        **{"clip_norm": None, "batch_size": 8, "patience": None, "reverse_complement": True, "dropout": OFF},
        "precision": "32-true",
    },
}
SWEEP = FindRateSettings(steps=30, lowest=1e-4, highest=1e3, smoothing=0.5)


class StoredCorpus:
    """A corpus held in memory."""

    path = "toy.h5"
    vocabulary = Vocabulary(2, 1)

    def tokens(self, split):
        return self.vocabulary.encode(np.tile(np.random.default_rng(0).integers(0, 4, 40), 20).astype(np.uint8))


def labelled(n=40):
    codes = np.random.default_rng(0).integers(0, 4, (n, 20)).astype(np.uint8)
    frame = pd.DataFrame({"label": np.arange(n) % 2, "split": np.where(np.arange(n) < n // 2, "train", "valid")})
    return ExampleTable(frame.assign(sequence=strings_of(codes)))


def language_model_rate(sweep=SWEEP, seed=1, **changes):
    settings = LanguageModelFile.model_validate(LM | changes)
    return find_language_model_rate(settings, StoredCorpus(), sweep, device=CPU, seed=seed)


def classifier_rate(stage, sweep=SWEEP, table=None):
    lm, model = LanguageModelFile.model_validate(LM), ModelFile.model_validate(MODEL)
    return find_classifier_rate(model, lm, None, table or labelled(), sweep, stage=stage, device=CPU, seed=1)


def test_smoothed_losses_are_weighted_means_of_the_past():
    assert smooth([4.0, 1.0], 0.5).tolist() == pytest.approx([4.0, (0.25 * 4 + 0.5 * 1) / 0.75])
    assert smooth([4.0, 1.0, 3.0], 0.0).tolist() == [4.0, 1.0, 3.0]


def test_suggestions_are_the_steepest_fall_and_a_tenth_of_the_lowest():
    rates = 10.0 ** np.arange(-5, 2)
    found = suggest(rates, np.array([5.0, 5.0, 4.9, 3.0, 1.0, 0.9, 50.0]), 0.0)
    assert found.steepest == pytest.approx(1e-2)  # from 4.9 to 1.0 over its two neighbours
    assert found.tenth == pytest.approx(0.1)  # of 1.0, where the loss is 0.9
    assert list(found.table) == ["step", "learning_rate", "loss", "smoothed_loss"]
    rising = suggest(rates, np.arange(7.0), 0.0)
    assert (rising.steepest, rising.tenth) == (None, None)


def test_the_rate_grows_by_one_factor_until_the_loss_diverges():
    found = language_model_rate()
    rates = found.table["learning_rate"].to_numpy()
    assert rates[0] == 1e-4
    assert rates[1:] / rates[:-1] == pytest.approx((1e3 / 1e-4) ** (1 / 29))
    assert len(found.table) < 30  # a rate of 1000 is too high for anything
    below = found.table["smoothed_loss"].to_numpy()[:-1]
    assert (below <= 4 * np.minimum.accumulate(below)).all()
    assert 1e-4 < found.steepest < 10


def test_the_same_seed_gives_the_same_table_and_nothing_is_left_behind():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, two, other = language_model_rate(), language_model_rate(), language_model_rate(seed=2)
    assert torch.equal(before, torch.random.get_rng_state())
    assert one.table.equals(two.table)
    assert not one.table.equals(other.table)
    assert not one.table.equals(language_model_rate(direction="backward").table)


def test_each_stage_of_fine_tuning_has_its_own_sweep():
    head, everything = classifier_rate(1), classifier_rate(2)
    assert head.table["loss"].iloc[0] == everything.table["loss"].iloc[0]  # the same start
    assert not head.table.equals(everything.table)


def test_too_small_steps_change_nothing_and_so_suggest_nothing_wild():
    still = classifier_rate(1, FindRateSettings(steps=10, lowest=1e-12, highest=1e-11, smoothing=0.9))
    assert len(still.table) == 10


def test_what_cannot_be_swept_is_refused():
    with pytest.raises(InputError, match="--stage 3: model file has 2 stages"):
        classifier_rate(3)
    one_class = labelled()
    one_class.frame["label"] = 1
    with pytest.raises(InputError, match="no rate can be found: one class only"):
        classifier_rate(1, table=one_class)
    with pytest.raises(InputError, match="corpus of k 2, stride 1; the language model reads k 3"):
        language_model_rate(vocabulary={"k": 3, "stride": 1})
