from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from bindgram.data import markov
from bindgram.data.examples import ExampleTable, empty_examples
from bindgram.errors import InputError
from bindgram.evaluation.predict import predict_test_sets, predict_tiles
from bindgram.models.bundle import load_bundle, save_bundle
from bindgram.sequence.dna import strings_of
from bindgram.sequence.kmers import Vocabulary
from bindgram.settings.models import LanguageModelFile, ModelFile
from bindgram.training import stages
from bindgram.training.checkpoints import Checkpoints

CPU = torch.device("cpu")
OPTIMIZER = {
    "name": "adamw",
    "learning_rate": 3e-2,
    "weight_decay": 0.0,
    "schedule": "one_cycle",
    "warmup": 0.25,
    "momentum": None,
    "clip_norm": 1.0,
    "nonmonotone_checks": None,
}
LM_STAGE = {
    "optimizer": OPTIMIZER,
    "dropout": {"embedding": 0.0, "input": 0.0, "weight": 0.0, "hidden": 0.0, "output": 0.0},
    "batch_size": 8,
    "accumulation": 1,
    "bptt": 16,
    "variable_bptt": False,
    "epochs": 4,
    "max_tokens": None,
    "validate_every": 20,
    "max_valid_tokens": 6000,
    "reverse_complement": True,
    "precision": "32-true",
}
LM = {
    "vocabulary": {"k": 2, "stride": 1},
    "direction": "forward",
    "encoder": {"name": "awd_lstm", "embedding_size": 16, "hidden_size": 24, "n_layers": 2},
    "objective": {"name": "next_token", "ar": 0.0, "tar": 0.0},
    "pretrain": LM_STAGE,
    "adapt": LM_STAGE | {"epochs": 1},
}
HEAD = {"name": "concat_pool", "hidden_size": 8, "dropout": 0.0, "hidden_dropout": 0.0}
FINETUNE = {
    "stages": [
        {"unfrozen": 1, "epochs": 1, "learning_rate": 1e-2},
        {"unfrozen": None, "epochs": 2, "learning_rate": 1e-2},
    ],
    "layer_decay": 1.5,
    "weight_decay": 0.0,
    "schedule": "one_cycle",
    "warmup": 0.25,
    "momentum": None,
    "clip_norm": 1.0,
    "batch_size": 16,
    "patience": None,
    "reverse_complement": True,
    "dropout": {"embedding": 0.0, "input": 0.0, "weight": 0.0, "hidden": 0.0},
    "precision": "32-true",
}
MODEL = {
    "pretrained": "tiny",
    "backward": None,
    "adapt": "none",
    "encoder": {"same_as": "tiny"},
    "vocabulary": None,
    "head": HEAD,
    "finetune": FINETUNE,
}
SCRATCH = MODEL | {"pretrained": "none"}
CNN = MODEL | {
    "pretrained": "none",
    "encoder": {"name": "conv", "n_filters": 8, "filter_width": 8},
    "head": HEAD | {"name": "max_pool"},
    "finetune": FINETUNE
    | {"dropout": None, "layer_decay": 1.0, "stages": [{"unfrozen": None, "epochs": 15, "learning_rate": 2e-2}]},
}


class StoredCorpus:
    """A corpus held in memory."""

    def __init__(self, n_bases=6000):
        self.path = Path("toy.h5")
        self.vocabulary = Vocabulary(2, 1)
        self.provenance = {"digest": "c", "revisions": {"tokenize": 1}}
        rng = np.random.default_rng(0)
        unit = rng.integers(0, 4, 40).astype(np.uint8)
        self.codes = np.tile(unit, n_bases // 40)  # a repeat: easy for a network, hard for a Markov model of low order

    def tokens(self, split):
        return self.vocabulary.encode(self.codes)


def planted_table(n=120, motif="TGACTCAT", seed=0):
    """Positives with a motif at a random place, negatives without; rows of train and valid."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (2 * n, 30)).astype(np.uint8)
    sequences = strings_of(codes)
    for row in range(n):
        at = rng.integers(0, 22)
        sequences[row] = sequences[row][:at] + motif + sequences[row][at + 8 :]
    frame = pd.DataFrame(
        {
            "example_id": [f"e{row}" for row in range(2 * n)],
            "chrom": None,
            "start": pd.NA,
            "end": pd.NA,
            "strand": None,
            "label": [1] * n + [0] * n,
            "kind": "peak",
            "parent_id": None,
            "split": np.where(np.arange(2 * n) % 4 == 0, "valid", "train"),
            "sequence": sequences,
        }
    )
    return ExampleTable(frame, provenance={"digest": "t", "revisions": {"negatives": 1}})


def pretrain(settings, corpus, seed=1, checkpoints=None):
    settings = LanguageModelFile.model_validate(settings)
    checkpoints = checkpoints or Checkpoints()
    return stages.pretrain(settings, corpus, device=CPU, seed=seed, revision=1, checkpoints=checkpoints)


def lm_bundle(seed=1):
    return pretrain(LM, StoredCorpus(), seed)


def adapt(base, tables, settings=LM, checkpoints=None):
    settings = LanguageModelFile.model_validate(settings)
    checkpoints = checkpoints or Checkpoints()
    return stages.adapt(settings, base, tables, device=CPU, seed=1, revision=1, checkpoints=checkpoints)


def tune(model, table, pretrained=None, seed=1, checkpoints=None, **backward):
    model = ModelFile.model_validate(model)
    return stages.finetune(
        model,
        LanguageModelFile.model_validate(LM) if model.language_model else None,
        pretrained,
        table,
        device=CPU,
        seed=seed,
        revision=1,
        checkpoints=checkpoints or Checkpoints(),
        **backward,
    )


def test_a_language_model_of_a_repeat_beats_markov_models_and_says_so_in_its_log(monkeypatch):
    monkeypatch.setattr(markov, "MAX_ORDER", 3)
    bundle = lm_bundle()
    assert bundle.metrics["valid_nats_per_base"] < bundle.metrics["markov_nats_per_base"]
    assert bundle.metrics["beats_markov"] is True
    assert [*bundle.metrics["markov_orders"]] == ["1", "2", "3"]
    assert bundle.metrics["markov_best_order"] == 3
    assert {"tokens", "train_nats_per_base", "valid_nats_per_base", "markov_nats_per_base"} <= set(bundle.log)
    assert bundle.provenance["revisions"] == {"pretrain": 1, "tokenize": 1}


def test_the_kept_weights_are_those_of_the_best_validation():
    bundle = lm_bundle()
    assert bundle.metrics["valid_nats_per_base"] == pytest.approx(bundle.log["valid_nats_per_base"].min(), abs=1e-6)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    one, two, other = lm_bundle(1), lm_bundle(1), lm_bundle(2)
    assert all(torch.equal(one.state[name], two.state[name]) for name in one.state)
    assert not all(torch.equal(one.state[name], other.state[name]) for name in one.state)


def test_training_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    lm_bundle()
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_corpus_of_another_vocabulary_is_refused():
    settings = LM | {"vocabulary": {"k": 3, "stride": 1}}
    with pytest.raises(InputError, match=r"toy.h5: corpus of k 2, stride 1; the language model reads k 3, stride 1"):
        pretrain(settings, StoredCorpus())


def test_a_corpus_too_short_for_one_step_is_refused():
    with pytest.raises(InputError, match="one step needs"):
        pretrain(LM, StoredCorpus(40))


def test_adaptation_starts_from_the_base_and_changes_it():
    base = lm_bundle()
    adapted = adapt(base, [planted_table()])
    assert set(adapted.state) == set(base.state)
    assert not torch.equal(adapted.state["encoder.embedding"], base.state["encoder.embedding"])
    assert adapted.provenance["revisions"] == {"adapt": 1, "negatives": 1, "pretrain": 1, "tokenize": 1}


def test_adaptation_scores_its_base_first():
    base = lm_bundle()
    log = adapt(base, [planted_table()]).log
    assert log["tokens"].iloc[0] == 0
    assert np.isnan(log["train_nats_per_base"].iloc[0])
    assert (log["tokens"].diff().iloc[1:] > 0).all()


def test_adaptation_that_only_harms_keeps_the_base():
    base = lm_bundle()
    stage = LM["adapt"] | {"optimizer": OPTIMIZER | {"learning_rate": 100.0}}
    adapted = adapt(base, [planted_table()], LM | {"adapt": stage})
    assert adapted.metrics["valid_nats_per_base"] == pytest.approx(adapted.log["valid_nats_per_base"].iloc[0], abs=1e-6)
    assert all(torch.equal(adapted.state[name], base.state[name]) for name in base.state)


def test_adaptation_that_diverges_is_refused_and_not_covered_by_its_base():
    stage = LM["adapt"] | {"optimizer": OPTIMIZER | {"learning_rate": 1e38}}
    with pytest.raises(InputError, match="adapt diverged"):
        adapt(lm_bundle(), [planted_table()], LM | {"adapt": stage})


def test_adaptation_of_a_skipped_experiment_is_skipped_with_its_reason():
    skipped = ExampleTable(empty_examples(), "skipped", "12 positives", {})
    bundle = adapt(lm_bundle(), [skipped])
    assert bundle.skipped
    assert bundle.reason == "12 positives"


def split_replaced(table, split, seed):
    """The table with other sequences in one split."""
    frame, others = table.frame.copy(), planted_table(seed=seed).frame
    frame.loc[frame["split"] == split, "sequence"] = others.loc[frame["split"] == split, "sequence"]
    return ExampleTable(frame, provenance=table.provenance)


def test_adaptation_learns_from_training_rows_of_experiments_that_are_not_held_out():
    short = LM | {"pretrain": LM_STAGE | {"max_tokens": 256}, "adapt": LM_STAGE | {"epochs": 1, "max_tokens": 1024}}
    base, table, more = pretrain(short, StoredCorpus()), planted_table(), planted_table(seed=4)
    table.frame.loc[::5, "split"] = "test"
    hold_out = {"split": "test", "reason": "held out: x"}
    held_out = ExampleTable(more.frame, provenance=more.provenance | {"settings": {"held_out": hold_out}})
    adapted = adapt(base, [table], short)
    learnt = adapted.log["train_nats_per_base"]
    for same in ([split_replaced(table, "test", seed=3)], [table, held_out]):
        assert all(torch.equal(adapted.state[name], value) for name, value in adapt(base, same, short).state.items())
    assert adapt(base, [split_replaced(table, "valid", seed=3)], short).log["train_nats_per_base"].equals(learnt)
    for other in ([split_replaced(table, "train", seed=3)], [table, more]):
        assert not adapt(base, other, short).log["train_nats_per_base"].equals(learnt)


def test_adaptation_to_positives_too_few_for_one_step_is_skipped_instead_of_doing_nothing():
    bundle = adapt(lm_bundle(), [planted_table(n=1)])
    assert bundle.skipped
    assert "one step needs 68" in bundle.reason  # 4 lanes on each strand, 17 tokens each


def test_adaptation_refuses_a_classifier_as_its_base():
    classifier = tune(SCRATCH, planted_table())
    with pytest.raises(InputError, match="kind is classifier"):
        adapt(classifier, [planted_table()])


def test_a_language_model_that_diverges_is_refused():
    stage = LM_STAGE | {"optimizer": OPTIMIZER | {"learning_rate": 1e38}}
    settings = LM | {"pretrain": stage}
    with pytest.raises(InputError, match="pretrain diverged"):
        pretrain(settings, StoredCorpus())


def test_a_classifier_that_diverges_is_refused():
    stages = [{"unfrozen": None, "epochs": 2, "learning_rate": 1e38}]
    with pytest.raises(InputError, match="fine-tuning diverged"):
        tune(SCRATCH | {"finetune": FINETUNE | {"stages": stages}}, planted_table())


def test_fine_tuning_is_skipped_where_a_split_has_one_class():
    table = planted_table()
    positives = ExampleTable(table.frame[(table.frame["label"] == 1) | (table.frame["split"] == "train")])
    assert "one class only in split valid" in tune(SCRATCH, positives).reason


def test_fine_tuning_moves_the_language_models_weights_and_reports_it():
    bundle = tune(MODEL, planted_table(), lm_bundle())
    assert bundle.metrics["transfer"]["n_changed"] == bundle.metrics["transfer"]["n_tensors"]
    assert tune(SCRATCH, planted_table()).metrics["transfer"] is None


def test_pretrained_and_random_weights_give_different_classifiers():
    table = planted_table()
    started, random = tune(MODEL, table, lm_bundle()), tune(SCRATCH, table)
    assert not torch.equal(started.state["encoder.embedding"], random.state["encoder.embedding"])


def test_head_only_stage_leaves_the_encoder_untouched():
    one_stage = MODEL | {"finetune": FINETUNE | {"stages": FINETUNE["stages"][:1]}}
    base = lm_bundle()
    bundle = tune(one_stage, planted_table(), base)
    for name, value in base.state.items():
        if name.startswith("encoder."):
            assert torch.equal(bundle.state[name], value)


def test_a_bundle_is_required_exactly_when_the_model_starts_from_one():
    with pytest.raises(InputError, match="--pretrained"):
        tune(MODEL, planted_table())
    with pytest.raises(InputError, match="--pretrained"):
        tune(SCRATCH, planted_table(), lm_bundle())


def test_a_planted_motif_is_learned_and_survives_the_round_trip_through_a_bundle(tmp_path):
    bundle = tune(CNN, planted_table(n=300))
    save_bundle(tmp_path, bundle)
    test = planted_table(n=80, seed=9)
    scores = predict_test_sets(load_bundle(tmp_path), {"T1": test}, CPU)
    bound = scores["label"] == 1
    wins = (scores["score"][bound].to_numpy()[:, None] > scores["score"][~bound].to_numpy()).mean()
    assert wins > 0.9
    assert scores["score"].to_numpy() == pytest.approx(scores[["score_forward", "score_reverse"]].mean(axis=1))


def test_prediction_refuses_windows_of_another_width():
    bundle = tune(SCRATCH, planted_table())
    other = planted_table(n=4)
    other.frame["sequence"] = other.frame["sequence"].str[:20]
    with pytest.raises(InputError, match="windows of 20 bp"):
        predict_test_sets(bundle, {"T1": other}, CPU)


def test_tiles_are_scored_by_classifiers_only():
    with pytest.raises(InputError, match="kind is language_model"):
        predict_tiles(lm_bundle(), None, None, CPU)


def test_fine_tuning_of_skipped_labels_is_skipped_with_the_reason():
    skipped = ExampleTable(empty_examples(), "skipped", "12 positives", {})
    assert tune(SCRATCH, skipped).reason == "12 positives"


def test_early_stopping_ends_a_stage_after_patience_epochs_without_a_better_auroc():
    constant = FINETUNE | {
        "stages": [{"unfrozen": None, "epochs": 50, "learning_rate": 1e-9}],
        "patience": 3,
        "layer_decay": 1.0,
    }
    bundle = tune(SCRATCH | {"finetune": constant}, planted_table())
    assert bundle.metrics["n_epochs"] == bundle.metrics["best_epoch"] + 3
    assert len(bundle.log) == bundle.metrics["n_epochs"]


def test_a_model_may_start_from_a_bundle_given_by_path_if_the_encoder_is_the_same():
    own = MODEL | {"pretrained": "elsewhere/lm", "encoder": LM["encoder"], "vocabulary": LM["vocabulary"]}
    assert tune(own, planted_table(), lm_bundle()).metrics["transfer"]["n_changed"] > 0
    other = own | {"encoder": LM["encoder"] | {"hidden_size": 30}}
    with pytest.raises(InputError, match="encoder is"):
        tune(other, planted_table(), lm_bundle())


BACKWARD = LM | {"direction": "backward", "pretrain": LM_STAGE | {"max_tokens": 512, "reverse_complement": True}}
AHEAD = BACKWARD | {"direction": "forward"}


class ReversedCorpus(StoredCorpus):
    """The same bases from their end to their start."""

    def tokens(self, split):
        return super().tokens(split)[::-1]


def test_a_backward_language_model_is_a_forward_one_of_the_reversed_stream():
    backward, forward = pretrain(BACKWARD, StoredCorpus()), pretrain(AHEAD, ReversedCorpus())
    assert all(torch.equal(backward.state[name], forward.state[name]) for name in forward.state)
    assert backward.log["train_nats_per_base"].equals(forward.log["train_nats_per_base"])
    ahead = pretrain(AHEAD, StoredCorpus())
    assert not torch.equal(ahead.state["bias"], backward.state["bias"])
    assert backward.metrics["markov_orders"] == ahead.metrics["markov_orders"]  # which read forwards beside both
    assert backward.settings["direction"] == "backward"


PAIR = MODEL | {"backward": "back", "finetune": FINETUNE | {"stages": FINETUNE["stages"][:1]}}


def pair_of(**changes):
    """Arguments of a second language model, pretrained briefly."""
    settings = BACKWARD | changes
    return {
        "backward": LanguageModelFile.model_validate(settings),
        "backward_pretrained": pretrain(settings, StoredCorpus()),
    }


def test_a_pair_starts_from_both_language_models_and_its_bundle_stands_for_itself(tmp_path):
    table, forward = planted_table(), pretrain(AHEAD, StoredCorpus())
    smaller = {"encoder": LM["encoder"] | {"hidden_size": 10, "n_layers": 1}}  # the two need not be of one size
    second = pair_of(**smaller)
    bundle = tune(PAIR, table, forward, **second)
    for half, start in (("forwards", forward), ("backwards", second["backward_pretrained"])):
        for name, value in start.state.items():
            if name.startswith("encoder."):  # which the only stage leaves as it is
                assert torch.equal(bundle.state[f"encoder.{half}.{name.removeprefix('encoder.')}"], value)
    assert bundle.metrics["transfer"]["n_changed"] == bundle.metrics["transfer"]["n_tensors"] == 9 + 5
    assert bundle.settings["backward"] == BACKWARD["encoder"] | smaller["encoder"]
    assert set(bundle.provenance["inputs"]) == {"labelled", "pretrained", "backward"}
    save_bundle(tmp_path, bundle)
    scores = predict_test_sets(load_bundle(tmp_path), {"T1": table}, CPU)
    again = table.frame.assign(sequence=[text.translate(COMPLEMENT)[::-1] for text in table.frame["sequence"]])
    other_strand = predict_test_sets(bundle, {"T1": ExampleTable(again)}, CPU)
    assert other_strand["score_reverse"].tolist() == pytest.approx(scores["score_forward"].tolist(), abs=1e-6)
    assert other_strand["score"].tolist() == pytest.approx(scores["score"].tolist(), abs=1e-6)


COMPLEMENT = str.maketrans("ACGT", "TGCA")


def test_a_pair_from_random_weights_takes_no_bundle():
    scratch = PAIR | {"pretrained": "none"}
    bundle = tune(scratch, planted_table(), backward=LanguageModelFile.model_validate(BACKWARD))
    assert bundle.metrics["transfer"] is None
    assert any(name.startswith("encoder.backwards.") for name in bundle.state)
    assert "pretrained" not in bundle.provenance["inputs"]


def test_a_pair_that_does_not_fit_is_refused():
    table, forward, second = planted_table(), pretrain(AHEAD, StoredCorpus()), pair_of()
    ahead = {"backward": LanguageModelFile.model_validate(AHEAD), "backward_pretrained": forward}
    cases = [
        (PAIR, forward, {}, "backward is back; give --backward-language-model"),
        (MODEL, forward, second, "backward is null; give --backward-language-model"),
        (PAIR, forward, second | {"backward_pretrained": None}, "give --backward-pretrained exactly"),
        (PAIR | {"pretrained": "none"}, None, second, "give --backward-pretrained exactly"),
        (PAIR, forward, ahead, "language model back: direction is forward, here a backward one is needed"),
        (PAIR, forward, second | {"backward_pretrained": forward}, "backward pretrained bundle: direction is forward"),
        (MODEL, second["backward_pretrained"], {}, "pretrained bundle: direction is backward"),
        (MODEL, tune(SCRATCH, table), {}, "pretrained bundle: its kind is classifier"),
    ]
    for model, start, backward, message in cases:
        with pytest.raises(InputError, match=message):
            tune(model, table, start, **backward)
    other = LanguageModelFile.model_validate(BACKWARD | {"vocabulary": {"k": 3, "stride": 1}})
    with pytest.raises(InputError, match="back reads other k-mers"):
        tune(PAIR, table, forward, backward=other, backward_pretrained=second["backward_pretrained"])


def test_adaptation_refuses_a_base_that_reads_the_other_way():
    base = pretrain(AHEAD, StoredCorpus())
    with pytest.raises(InputError, match="direction is forward, the file says backward"):
        adapt(base, [planted_table()], BACKWARD)
