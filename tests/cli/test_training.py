"""pretrain → adapt → finetune → predict, from file to file, as the workflow calls them."""

import json

import numpy as np
import pandas as pd
import pysam
import pytest
import yaml
from click.testing import CliRunner

from bindgram.cli import cli
from bindgram.data.examples import ExampleTable, write_examples
from bindgram.evaluation.predictions import read_predictions
from bindgram.models.bundle import BUNDLE_FILES, load_bundle
from bindgram.provenance import write_json
from bindgram.sequence.dna import strings_of

OPTIMIZER = {
    "name": "adamw",
    "learning_rate": 1.0e-2,
    "weight_decay": 0.0,
    "schedule": "constant",
    "warmup": None,
    "clip_norm": 1.0,
    "nonmonotone_checks": None,
}
DROPOUT = {"embedding": 0.0, "input": 0.0, "weight": 0.0, "hidden": 0.0}
STAGE = {
    "optimizer": OPTIMIZER,
    "dropout": DROPOUT | {"output": 0.0},
    "batch_size": 4,
    "bptt": 8,
    "epochs": 1,
    "max_tokens": 320,
    "validate_every": 5,
    "max_valid_tokens": 640,
    "reverse_complement": True,
    "precision": "32-true",
}
LANGUAGE_MODEL = {
    "vocabulary": {"k": 2, "stride": 1},
    "encoder": {"name": "awd_lstm", "embedding_size": 4, "hidden_size": 6, "n_layers": 2},
    "pretrain": STAGE,
    "adapt": STAGE,
}
MODEL = {
    "pretrained": "tiny",
    "adapt": "experiment",
    "encoder": {"same_as": "tiny"},
    "vocabulary": None,
    "head": {"name": "concat_pool", "hidden_size": 4, "dropout": 0.0, "hidden_dropout": 0.0},
    "finetune": {
        "stages": [{"unfrozen": None, "epochs": 1, "learning_rate": 1.0e-2}],
        "layer_decay": 1.0,
        "weight_decay": 0.0,
        "schedule": "constant",
        "warmup": None,
        "clip_norm": None,
        "batch_size": 8,
        "patience": None,
        "reverse_complement": True,
        "dropout": DROPOUT,
        "precision": "32-true",
    },
}
COMMON = ["--threads", "1", "--device", "cpu", "--revision", "1"]


def run(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def examples(n, splits):
    rng = np.random.default_rng(n)
    count = n * len(splits)
    return pd.DataFrame(
        {
            "example_id": [f"e{row}" for row in range(count)],
            "chrom": None,
            "start": pd.NA,
            "end": pd.NA,
            "strand": None,
            "label": np.arange(count) % 2,
            "kind": "published",
            "parent_id": None,
            "split": np.repeat(splits, n),
            "sequence": strings_of(rng.integers(0, 4, (count, 24)).astype(np.uint8)),
        }
    )


@pytest.fixture
def folder(tmp_path):
    """Settings, a tokenized toy genome, labelled examples and a test set."""
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(LANGUAGE_MODEL))
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(MODEL))
    rng = np.random.default_rng(0)
    genome = strings_of(rng.integers(0, 4, (1, 6000)).astype(np.uint8))[0]
    (tmp_path / "genome.fa").write_text(f">chrA\n{genome}\n")
    write_json(tmp_path / "genome.json", {"provenance": {"digest": "g", "revisions": {"fetch": 1}}})
    record = tmp_path / "genome.json"
    split = {"train": {"a": "chrA:0-4000"}, "valid": {"b": "chrA:4000-5000"}, "test": {"c": "chrA:5000-6000"}}
    (tmp_path / "split.yaml").write_text(yaml.safe_dump({"assemblies": {"toy": split}}))

    pysam.faidx(str(tmp_path / "genome.fa"))
    made = run(
        *("tokenize", "--genome", tmp_path / "genome.fa", "--assembly", "toy", "--split", tmp_path / "split.yaml"),
        *("--k", 2, "--stride", 1, "--chunk-bp", 1000, "--min-contig-bp", 100, "--record", record),
        *("--output", tmp_path / "corpus.h5", "--revision", 1),
    )
    assert made.exit_code == 0, made.output
    write_examples(tmp_path / "labelled.parquet", ExampleTable(examples(16, ["train", "valid"])))
    write_examples(tmp_path / "T1.parquet", ExampleTable(examples(10, ["test", "valid"])))
    return tmp_path


def pretrain(folder):
    return run(
        *("pretrain", "--language-model", folder / "tiny.yaml", "--corpus", folder / "corpus.h5"),
        *("--output", folder / "lm", "--seed", 1, *COMMON),
    )


def test_the_four_stages_hand_on_their_bundles(folder):
    assert pretrain(folder).exit_code == 0
    adapted = run(
        *("adapt", "--language-model", folder / "tiny.yaml", "--base", folder / "lm"),
        *("--positives", folder / "labelled.parquet", "--output", folder / "adapted", "--seed", 1, *COMMON),
    )
    assert adapted.exit_code == 0, adapted.output
    tuned = run(
        *("finetune", "--model", folder / "model.yaml", "--language-model", folder / "tiny.yaml"),
        *("--pretrained", folder / "adapted", "--labelled", folder / "labelled.parquet"),
        *("--output", folder / "classifier", "--seed", 1, *COMMON),
    )
    assert tuned.exit_code == 0, tuned.output
    scored = run(
        *("predict", "--bundle", folder / "classifier/s1", folder / "scores.parquet"),
        *("--test-set", f"T1={folder / 'T1.parquet'}", *COMMON),
    )
    assert scored.exit_code == 0, scored.output
    for name in ("lm", "adapted", "classifier/s1"):
        assert sorted(path.name for path in (folder / name).iterdir()) == sorted(BUNDLE_FILES)
    frame, metadata = read_predictions(folder / "scores.parquet")
    assert len(frame) == 20
    assert metadata["provenance"]["revisions"] == {
        "adapt": 1,
        "fetch": 1,
        "finetune": 1,
        "predict": 1,
        "pretrain": 1,
        "tokenize": 1,
    }
    assert load_bundle(folder / "classifier/s1").metrics["transfer"]["n_changed"] > 0


def scratch(folder, *seeds, output="classifier"):
    """Fine-tune from random weights."""
    (folder / "scratch.yaml").write_text(yaml.safe_dump(MODEL | {"pretrained": "none", "adapt": "none"}))
    return run(
        *("finetune", "--model", folder / "scratch.yaml", "--language-model", folder / "tiny.yaml"),
        *("--labelled", folder / "labelled.parquet", "--output", folder / output),
        *(word for seed in seeds for word in ("--seed", seed)),
        *COMMON,
    )


def test_several_seeds_in_one_command_give_the_bundles_of_one_command_each(folder):
    assert scratch(folder, 1, 2).exit_code == 0
    assert scratch(folder, 2, output="alone").exit_code == 0
    assert sorted(path.name for path in (folder / "classifier").iterdir()) == ["s1", "s2"]
    for name in BUNDLE_FILES:
        together, alone = (folder / output / "s2" / name for output in ("classifier", "alone"))
        assert together.read_bytes() == alone.read_bytes()
    assert load_bundle(folder / "classifier/s1").provenance["seed"] == 1


def test_a_seed_given_twice_is_refused(folder):
    assert "a seed is given twice" in str(scratch(folder, 1, 2, 1).exception)


def test_several_bundles_are_scored_in_one_command(folder):
    scratch(folder, 1, 2)
    pairs = [("--bundle", folder / f"classifier/s{seed}", folder / f"s{seed}.parquet") for seed in (1, 2)]
    test_set = ("--test-set", f"T1={folder / 'T1.parquet'}")
    assert run("predict", *pairs[0], *pairs[1], *test_set, *COMMON).exit_code == 0
    assert (
        run("predict", "--bundle", folder / "classifier/s2", folder / "alone.parquet", *test_set, *COMMON).exit_code
        == 0
    )
    assert (folder / "s2.parquet").read_bytes() == (folder / "alone.parquet").read_bytes()
    assert (folder / "s1.parquet").read_bytes() != (folder / "s2.parquet").read_bytes()


def test_two_bundles_with_one_output_are_refused(folder):
    scratch(folder, 1)
    pair = ("--bundle", folder / "classifier/s1", folder / "scores.parquet")
    result = run("predict", *pair, *pair, "--test-set", f"T1={folder / 'T1.parquet'}", *COMMON)
    assert "scores.parquet is given twice" in str(result.exception)


def test_pretraining_logs_nats_per_base_beside_the_markov_model(folder):
    result = pretrain(folder)
    assert "Markov" in result.stderr
    assert "tokens/s" in result.stderr
    config = json.loads((folder / "lm/config.json").read_text())
    assert {"valid_nats_per_base", "markov3_nats_per_base", "beats_markov3"} <= set(config["metrics"])


def test_a_misspelt_key_of_a_model_file_is_named(folder):
    (folder / "model.yaml").write_text(yaml.safe_dump(MODEL | {"pretraned": "tiny"}))
    result = run(
        *("finetune", "--model", folder / "model.yaml", "--labelled", folder / "labelled.parquet"),
        *("--output", folder / "classifier", "--seed", 1, *COMMON),
    )
    assert result.exit_code == 1
    assert "pretraned: unknown key" in str(result.exception)


def test_a_folder_that_is_no_bundle_is_refused(folder):
    (folder / "lm").mkdir()
    result = run(
        *("predict", "--bundle", folder / "lm", folder / "scores.parquet"),
        *("--test-set", f"T1={folder / 'T1.parquet'}", *COMMON),
    )
    assert result.exit_code == 1
    assert "not a complete bundle" in str(result.exception)
    assert not (folder / "scores.parquet").exists()
