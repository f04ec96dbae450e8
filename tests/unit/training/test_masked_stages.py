"""A masked language model of a strand-symmetric encoder through all stages: pretrain, adapt, fine-tune, predict."""

import numpy as np
import pandas as pd
import pytest
import torch

from bindgram.data.examples import ExampleTable
from bindgram.errors import InputError
from bindgram.evaluation.predict import predict_test_sets
from bindgram.models.bundle import load_bundle, save_bundle
from bindgram.sequence.dna import strings_of
from bindgram.sequence.kmers import Vocabulary
from bindgram.settings.models import LanguageModelFile, ModelFile
from bindgram.training import stages
from bindgram.training.checkpoints import Checkpoints

RUN = {"device": torch.device("cpu"), "seed": 1, "revision": 1, "checkpoints": Checkpoints()}
DROPOUT = {"embedding": None, "input": None, "weight": None, "hidden": 0.0}
STAGE = {
    "optimizer": {
        "name": "adamw",
        "learning_rate": 2e-2,
        "weight_decay": 0.0,
        "schedule": "one_cycle",
        "warmup": 0.25,
        "momentum": None,
        "clip_norm": 1.0,
        "nonmonotone_checks": None,
    },
    "dropout": DROPOUT | {"output": 0.0},
    "batch_size": 8,
    "accumulation": 1,
    "bptt": 40,
    "variable_bptt": False,
    "epochs": 4,
    "max_tokens": None,
    "validate_every": 20,
    "max_valid_tokens": 4000,
    "reverse_complement": False,
    "precision": "32-true",
}
LM = LanguageModelFile.model_validate(
    {
        "vocabulary": {"k": 1, "stride": 1},
        "direction": "forward",
        "encoder": {
            "name": "symmetric_conv",
            "channels": 12,
            "stem_width": 5,
            "filter_width": 3,
            "dilations": [1, 2, 4],
            "features": 12,
        },
        "objective": {"name": "masked", "fraction": 0.2, "span": 2},
        "pretrain": STAGE,
        "adapt": STAGE | {"epochs": 1, "bptt": 20},
    }
)
MODEL = {
    "pretrained": "tiny",
    "backward": None,
    "adapt": "none",
    "encoder": {"same_as": "tiny"},
    "vocabulary": None,
    "head": {"name": "max_mean_pool", "hidden_size": 8, "dropout": 0.0, "hidden_dropout": 0.0},
    "finetune": {
        "stages": [
            {"unfrozen": 1, "epochs": 1, "learning_rate": 1e-2},
            {"unfrozen": None, "epochs": 3, "learning_rate": 1e-2},
        ],
        "layer_decay": 1.5,
        "weight_decay": 0.0,
        "schedule": "one_cycle",
        "warmup": 0.25,
        "momentum": None,
        "clip_norm": 1.0,
        "batch_size": 16,
        "patience": None,
        "reverse_complement": False,
        "dropout": DROPOUT,
        "precision": "32-true",
    },
}


class StoredCorpus:
    """A repeat of 40 bases, and each base in ten another: what hidden bases are is known from both sides."""

    vocabulary = Vocabulary(1, 1)
    provenance = {"digest": "c", "revisions": {"tokenize": 1}}  # noqa: RUF012

    def tokens(self, split):
        codes = np.tile(np.random.default_rng(0).integers(0, 4, 40), 200)
        rng = np.random.default_rng(len(split))
        changed = rng.random(len(codes)) < 0.1
        return self.vocabulary.encode(np.where(changed, rng.integers(0, 4, len(codes)), codes).astype(np.uint8))


def table(n=60):
    """Positives with a motif, on either strand; the rows of an example table that training and prediction read."""
    rng = np.random.default_rng(0)
    sequences = strings_of(rng.integers(0, 4, (2 * n, 30)).astype(np.uint8))
    for row in range(n):
        motif = "TGACGCAT" if row % 2 else "ATGCGTCA"
        sequences[row] = sequences[row][:11] + motif + sequences[row][19:]
    frame = pd.DataFrame(
        {
            "example_id": [f"e{row}" for row in range(2 * n)],
            "label": np.repeat([1, 0], n),
            "kind": "peak",
            "parent_id": None,
            "strand": None,
            "split": np.where(np.arange(2 * n) % 4 < 2, "train", "valid"),
            "chrom": None,
            "start": pd.NA,
            "end": pd.NA,
            "sequence": sequences,
        }
    )
    return ExampleTable(frame, provenance={"digest": "t", "revisions": {"negatives": 1}})


@pytest.fixture(scope="module")
def pretrained():
    return stages.pretrain(LM, StoredCorpus(), **RUN)


def test_a_masked_language_model_reports_its_own_metric_and_learns_what_both_sides_tell(pretrained):
    assert {"valid_masked_nats_per_base", "two_sided_masked_nats_per_base", "beats_two_sided"} <= set(
        pretrained.metrics
    )
    assert not {"valid_nats_per_base", "markov_nats_per_base", "beats_markov"} & set(pretrained.metrics)
    assert not any(name.removeprefix("train_").removeprefix("valid_") == "nats_per_base" for name in pretrained.log)
    losses = pretrained.log["valid_masked_nats_per_base"]
    assert losses.iloc[-1] < losses.iloc[0] - 0.05
    assert pretrained.metrics["valid_masked_nats_per_base"] == pytest.approx(losses.min(), abs=1e-6)
    assert pretrained.settings["objective"] == {"name": "masked", "fraction": 0.2, "span": 2}


def test_a_batch_in_parts_learns_what_a_whole_one_does():
    """What is hidden belongs to the lane, and the loss is a mean over all that is scored."""
    short = STAGE | {"max_tokens": 3200}
    states = [
        stages.pretrain(
            LM.model_validate(LM.model_dump() | {"pretrain": short | {"accumulation": n}}), StoredCorpus(), **RUN
        ).state
        for n in (1, 2)
    ]
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, rtol=1e-3, atol=1e-4)


def test_adaptation_goes_on_with_the_same_question(pretrained):
    adapted = stages.adapt(LM, pretrained, [table()], **RUN)
    assert adapted.log["tokens"].iloc[0] == 0
    assert np.isfinite(adapted.log["valid_masked_nats_per_base"]).all()


def test_fine_tuning_starts_from_every_tensor_of_the_encoder(pretrained, tmp_path):
    model = ModelFile.model_validate(MODEL)
    bundle = stages.finetune(model, LM, pretrained, table(), **RUN)
    n_tensors = len([name for name in pretrained.state if name.startswith("encoder.")])
    moved = bundle.metrics["transfer"]
    assert moved["n_tensors"] == moved["n_changed"] == n_tensors > 10
    assert moved["n_parameters"] == sum(p.numel() for name, p in pretrained.state.items() if name[:8] == "encoder.")
    save_bundle(tmp_path, bundle)
    rows = predict_test_sets(load_bundle(tmp_path), {"T": table()}, RUN["device"])
    np.testing.assert_allclose(rows["score_forward"], rows["score_reverse"], rtol=0, atol=2e-5)
    assert rows["score_forward"].std() > 1e-2


def test_the_same_encoder_without_a_language_model_reads_bases(pretrained):
    own = {"pretrained": "none", "encoder": LM.encoder.model_dump()}
    by_base = stages.finetune(ModelFile.model_validate(MODEL | own), None, None, table(), **RUN)
    by_token = stages.finetune(ModelFile.model_validate(MODEL | {"pretrained": "none"}), LM, None, table(), **RUN)
    assert by_base.vocabulary is None
    assert by_token.vocabulary["k"] == 1
    assert all(torch.equal(value, by_token.state[name]) for name, value in by_base.state.items())


def test_dropout_rates_of_another_encoder_are_refused_by_name_of_the_file(pretrained):
    wrong = MODEL["finetune"] | {"dropout": DROPOUT | {"weight": 0.1}}
    with pytest.raises(InputError, match=r"mine\.yaml: finetune\.dropout: symmetric_conv has no weight to drop"):
        stages.finetune(
            ModelFile.model_validate(MODEL | {"finetune": wrong}), LM, pretrained, table(), where="mine.yaml", **RUN
        )
