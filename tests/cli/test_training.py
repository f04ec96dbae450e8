"""pretrain → adapt → finetune → predict, from file to file, as the workflow calls them."""

import json
import re
import shutil
import signal
import subprocess
import sys

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
from bindgram.sequence.kmers import Vocabulary

OPTIMIZER = {
    "name": "adamw",
    "learning_rate": 1.0e-2,
    "weight_decay": 0.0,
    "schedule": "constant",
    "warmup": None,
    "momentum": None,
    "clip_norm": 1.0,
    "nonmonotone_checks": None,
}
DROPOUT = {"embedding": 0.0, "input": 0.0, "weight": 0.0, "hidden": 0.0}
STAGE = {
    "optimizer": OPTIMIZER,
    "dropout": DROPOUT | {"output": 0.0},
    "batch_size": 4,
    "accumulation": 1,
    "bptt": 8,
    "variable_bptt": False,
    "epochs": 1,
    "max_tokens": 320,
    "validate_every": 5,
    "max_valid_tokens": 640,
    "reverse_complement": True,
    "precision": "32-true",
}
LANGUAGE_MODEL = {
    "vocabulary": {"k": 2, "stride": 1},
    "direction": "forward",
    "encoder": {"name": "awd_lstm", "embedding_size": 4, "hidden_size": 6, "n_layers": 2},
    "objective": {"name": "next_token", "ar": 0.0, "tar": 0.0},
    "pretrain": STAGE,
    "adapt": STAGE,
}
MODEL = {
    "pretrained": "tiny",
    "backward": None,
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
        "momentum": None,
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


def tokenize_toy(folder, k, stride):
    made = run(
        *("tokenize", "--genome", folder / "genome.fa", "--assembly", "toy", "--split", folder / "split.yaml"),
        *("--k", k, "--stride", stride, "--chunk-bp", 1000, "--min-contig-bp", 100, "--record", folder / "genome.json"),
        *("--output", folder / "corpus.h5", "--revision", 1),
    )
    assert made.exit_code == 0, made.output


@pytest.fixture
def folder(tmp_path):
    """Settings, a tokenized toy genome, labelled examples and a test set."""
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(LANGUAGE_MODEL))
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(MODEL))
    rng = np.random.default_rng(0)
    genome = strings_of(rng.integers(0, 4, (1, 6000)).astype(np.uint8))[0]
    (tmp_path / "genome.fa").write_text(f">chrA\n{genome}\n")
    write_json(tmp_path / "genome.json", {"provenance": {"digest": "g", "revisions": {"fetch": 1}}})
    split = {"train": {"a": "chrA:0-4000"}, "valid": {"b": "chrA:4000-5000"}, "test": {"c": "chrA:5000-6000"}}
    (tmp_path / "split.yaml").write_text(yaml.safe_dump({"assemblies": {"toy": split}}))

    pysam.faidx(str(tmp_path / "genome.fa"))
    tokenize_toy(tmp_path, 2, 1)
    write_examples(tmp_path / "labelled.parquet", ExampleTable(examples(16, ["train", "valid"])))
    write_examples(tmp_path / "T1.parquet", ExampleTable(examples(10, ["test", "valid"])))
    return tmp_path


def pretrain(folder):
    return run(
        *("pretrain", "--language-model", folder / "tiny.yaml", "--corpus", folder / "corpus.h5"),
        *("--output", folder / "lm", "--seed", 1, *COMMON),
    )


def test_a_pair_of_language_models_goes_through_all_stages(folder):
    (folder / "back.yaml").write_text(yaml.safe_dump(LANGUAGE_MODEL | {"direction": "backward"}))
    (folder / "pair.yaml").write_text(yaml.safe_dump(MODEL | {"backward": "back"}))
    for name in ("tiny", "back"):
        lm = ("--language-model", folder / f"{name}.yaml")
        made = run("pretrain", *lm, "--corpus", folder / "corpus.h5", "--output", folder / name, "--seed", 1, *COMMON)
        assert made.exit_code == 0, made.output
        adapted = run(
            *("adapt", *lm, "--base", folder / name, "--positives", folder / "labelled.parquet"),
            *("--output", folder / f"{name}_adapted", "--seed", 1, *COMMON),
        )
        assert adapted.exit_code == 0, adapted.output
    given = ["finetune", "--model", folder / "pair.yaml", "--labelled", folder / "labelled.parquet", "--seed", 1]
    given += ["--language-model", folder / "tiny.yaml", "--pretrained", folder / "tiny_adapted"]
    given += ["--output", folder / "classifier", *COMMON]
    lone = run(*given)
    assert lone.exit_code == 1
    assert "backward is back; give --backward-language-model exactly when it names one" in str(lone.exception)
    assert not (folder / "classifier").exists()
    backward = ["--backward-language-model", folder / "back.yaml", "--backward-pretrained", folder / "back_adapted"]
    tuned = run(*given, *backward)
    assert tuned.exit_code == 0, tuned.output
    for name in ("tiny", "back", "tiny_adapted", "back_adapted"):
        shutil.rmtree(folder / name)  # the bundle stands for itself
    scored = run(
        *("score", "--bundle", folder / "classifier/s1", folder / "scores.parquet"),
        *("--test-set", f"T1={folder / 'T1.parquet'}", *COMMON),
    )
    assert scored.exit_code == 0, scored.output
    assert len(read_predictions(folder / "scores.parquet")[0]) == 20


def test_find_rate_writes_its_table_and_says_what_it_found(folder):
    sweep = ["--steps", 12, "--lowest", 1e-4, "--highest", 1.0, "--smoothing", 0.5, "--seed", 1, *COMMON]
    lm = ("--language-model", folder / "tiny.yaml")
    found = run("find-rate", *lm, "--corpus", folder / "corpus.h5", "--output", folder / "rates.tsv", *sweep)
    assert found.exit_code == 0, found.output
    table = pd.read_csv(folder / "rates.tsv", sep="\t")
    record = json.loads((folder / "rates.tsv.json").read_text())
    assert list(table["step"]) == list(range(1, len(table) + 1))
    assert f"learning rate: {record['steepest']:.2g} (the loss falls fastest)" in found.output
    (folder / "scratch.yaml").write_text(yaml.safe_dump(MODEL | {"pretrained": "none", "adapt": "none"}))
    model = ("--model", folder / "scratch.yaml", "--labelled", folder / "labelled.parquet")
    tuned = run("find-rate", *model, *lm, "--stage", 1, "--output", folder / "tuned.tsv", *sweep)
    assert tuned.exit_code == 0, tuned.output
    for wrong in (model, (*lm, *model, "--corpus", folder / "corpus.h5"), lm, ("--corpus", folder / "corpus.h5")):
        refused = run("find-rate", *wrong, "--output", folder / "none.tsv", *sweep)
        assert "give --language-model" in str(refused.exception)
    assert not (folder / "none.tsv").exists()


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
        *("score", "--bundle", folder / "classifier/s1", folder / "scores.parquet"),
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
        "pretrain": 1,
        "score": 1,
        "tokenize": 1,
    }
    assert load_bundle(folder / "classifier/s1").metrics["transfer"]["n_changed"] > 0


@pytest.mark.parametrize(("k", "stride"), [(1, 1), (5, 1), (4, 2), (6, 3), (8, 3), (3, 3)])
def test_every_k_and_stride_goes_through_all_stages(folder, k, stride):
    stage = STAGE | {"epochs": stride + 1, "batch_size": 2, "bptt": 4, "max_tokens": 96, "max_valid_tokens": 192}
    changes = {"vocabulary": {"k": k, "stride": stride}, "pretrain": stage, "adapt": stage}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(LANGUAGE_MODEL | changes))
    tokenize_toy(folder, k, stride)
    made = pretrain(folder)
    assert made.exit_code == 0, made.output
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
        *("score", "--bundle", folder / "classifier/s1", folder / "scores.parquet"),
        *("--test-set", f"T1={folder / 'T1.parquet'}", *COMMON),
    )
    assert scored.exit_code == 0, scored.output
    assert np.isfinite(read_predictions(folder / "scores.parquet")[0]["score"]).all()
    for name in ("lm", "adapted"):
        bundle = load_bundle(folder / name)
        assert not bundle.skipped
        assert bundle.vocabulary == Vocabulary(k, stride).to_json()
        # random bases: near log 4, or, where overlaps are not learnt yet, above
        assert (
            np.log(4) - 0.1 < bundle.metrics["valid_nats_per_base"] < np.log(Vocabulary(k, stride).size) / stride + 0.1
        )


def test_a_corpus_of_another_vocabulary_is_refused_by_name_and_nothing_is_written(folder):
    tokenize_toy(folder, 4, 2)
    result = pretrain(folder)
    assert result.exit_code == 1
    assert "corpus.h5: corpus of k 4, stride 2; the language model reads k 2, stride 1" in str(result.exception)
    assert "bindgram tokenize --k 2 --stride 1" in str(result.exception)
    assert not (folder / "lm").exists()


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
    assert run("score", *pairs[0], *pairs[1], *test_set, *COMMON).exit_code == 0
    assert (
        run("score", "--bundle", folder / "classifier/s2", folder / "alone.parquet", *test_set, *COMMON).exit_code == 0
    )
    assert (folder / "s2.parquet").read_bytes() == (folder / "alone.parquet").read_bytes()
    assert (folder / "s1.parquet").read_bytes() != (folder / "s2.parquet").read_bytes()


def test_two_bundles_with_one_output_are_refused(folder):
    scratch(folder, 1)
    pair = ("--bundle", folder / "classifier/s1", folder / "scores.parquet")
    result = run("score", *pair, *pair, "--test-set", f"T1={folder / 'T1.parquet'}", *COMMON)
    assert "scores.parquet is given twice" in str(result.exception)


def test_pretraining_logs_nats_per_base_beside_the_markov_model(folder):
    result = pretrain(folder)
    assert "Markov" in result.stderr
    assert "tokens/s" in result.stderr
    config = json.loads((folder / "lm/config.json").read_text())
    assert {"valid_nats_per_base", "markov_nats_per_base", "markov_best_order", "markov_orders", "beats_markov"} <= set(
        config["metrics"]
    )


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
        *("score", "--bundle", folder / "lm", folder / "scores.parquet"),
        *("--test-set", f"T1={folder / 'T1.parquet'}", *COMMON),
    )
    assert result.exit_code == 1
    assert "not a complete bundle" in str(result.exception)
    assert not (folder / "scores.parquet").exists()


# Signals, as they reach a job on a cluster

SLOW_LM = LANGUAGE_MODEL | {"pretrain": STAGE | {"epochs": 6, "max_tokens": None, "validate_every": 100}}
SLOW_FINETUNE = MODEL["finetune"] | {"stages": [{"unfrozen": None, "epochs": 150, "learning_rate": 1.0e-2}]}
SLOW = MODEL | {"pretrained": "none", "adapt": "none", "finetune": SLOW_FINETUNE}


def pretrain_command(folder, output):
    (folder / "slow_lm.yaml").write_text(yaml.safe_dump(SLOW_LM))
    return [
        *("pretrain", "--language-model", folder / "slow_lm.yaml", "--corpus", folder / "corpus.h5"),
        *("--output", output, "--seed", 1, *COMMON),
    ]


def finetune_command(folder, output):
    (folder / "slow.yaml").write_text(yaml.safe_dump(SLOW))
    return [
        *("finetune", "--model", folder / "slow.yaml", "--language-model", folder / "tiny.yaml"),
        *("--labelled", folder / "labelled.parquet", "--output", output, "--seed", 1, "--seed", 2, *COMMON),
    ]


BINDGRAM = [sys.executable, "-c", "from bindgram.cli import main; main()"]


def interrupt(command, line, signum, start=(), expected=None):
    """Run a command as a process, send it a signal once its log has a line that starts so, and return its log."""
    program = [*start, *BINDGRAM, *map(str, command)]
    log = []
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True) as process:
        for text in process.stderr:
            log.append(text)
            if text.startswith(line):
                process.send_signal(signum)
        status = process.wait(timeout=60)
    expected = expected or (-signum if signum == signal.SIGKILL else 128 + signum)
    assert status == expected, "".join(log)
    return "".join(log)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGUSR1])
def test_an_interrupted_pretraining_goes_on_to_the_same_bundle(folder, signum):
    assert run(*pretrain_command(folder, folder / "whole")).exit_code == 0
    kept = ("--checkpoints", folder / "checkpoints", "--checkpoint-minutes", 10)
    command = [*pretrain_command(folder, folder / "lm"), *kept]
    log = interrupt(command, "pretrain: step 100/", signum)
    assert f"{signum.name}: training stops" in log
    assert not (folder / "lm").exists()
    resumed = run(*command)
    assert resumed.exit_code == 0, resumed.output
    assert "pretrain: goes on from its checkpoint after step " in resumed.stderr
    assert contents(folder / "lm") == contents(folder / "whole")
    assert not (folder / "checkpoints").exists()


def test_a_pretraining_by_torchrun_passes_on_signals_and_saves(folder, repository):
    """Two processes, started as the workflow does for two GPUs of a node; what is left goes on as one."""
    common = (repository / "workflow/rules/common.smk").read_text()
    signals = re.search(r'"(--signals-to-handle [A-Z0-9,]+)"', common)[1].split()
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *signals]
    kept = ("--checkpoints", folder / "checkpoints", "--checkpoint-minutes", 10)
    command = [*pretrain_command(folder, folder / "lm"), *kept]
    log = interrupt(command, "pretrain: step 100/", signal.SIGUSR1, [*start, "--no-python"], expected=1)
    assert log.count("SIGUSR1: training stops") == log.count(": saved (") == 1
    assert not (folder / "lm").exists()
    resumed = run(*command)
    assert "goes on from its checkpoint after step " in resumed.stderr
    assert "the checkpoint is of 2 GPU(s), now there are 1" in resumed.stderr
    assert set(contents(folder / "lm")) == set(BUNDLE_FILES)


def test_a_seed_that_was_finished_comes_back_after_its_bundle_was_removed(folder):
    assert run(*finetune_command(folder, folder / "whole")).exit_code == 0
    kept = ("--checkpoints", folder / "checkpoints", "--checkpoint-minutes", 10)
    command = [*finetune_command(folder, folder / "classifier"), *kept]
    interrupt(command, "finetune: seed 2, stage 1, epoch 2:", signal.SIGUSR1)
    shutil.rmtree(folder / "classifier")  # as Snakemake does after a failed job
    resumed = run(*command)
    assert resumed.exit_code == 0, resumed.output
    assert "finetune: seed 2 goes on from its checkpoint" in resumed.stderr
    assert "finetune: seed 1" not in resumed.stderr
    assert contents(folder / "classifier") == contents(folder / "whole")
    assert not (folder / "checkpoints").exists()


def test_a_killed_training_goes_on_from_its_last_periodic_checkpoint(folder):
    assert run(*pretrain_command(folder, folder / "whole")).exit_code == 0
    command = [*pretrain_command(folder, folder / "lm"), "--checkpoints", folder / "checkpoints"]
    interrupt([*command, "--checkpoint-minutes", 0.001], "pretrain: step 300/", signal.SIGKILL)
    resumed = run(*command, "--checkpoint-minutes", 10)
    assert "goes on from its checkpoint after step " in resumed.stderr
    assert contents(folder / "lm") == contents(folder / "whole")
    assert not (folder / "checkpoints").exists()


def test_a_seed_that_diverges_is_named(folder):
    stages = [{"unfrozen": None, "epochs": 1, "learning_rate": 1.0e30}]
    (folder / "model.yaml").write_text(
        yaml.safe_dump(SLOW | {"finetune": MODEL["finetune"] | {"stages": stages, "clip_norm": None}})
    )
    result = run(
        *("finetune", "--model", folder / "model.yaml", "--language-model", folder / "tiny.yaml"),
        *("--labelled", folder / "labelled.parquet", "--output", folder / "classifier", "--seed", 7, *COMMON),
    )
    assert str(result.exception).startswith("seed 7: fine-tuning diverged")


def test_one_checkpoint_option_without_the_other_is_refused(folder):
    result = run(*pretrain_command(folder, folder / "lm"), "--checkpoints", folder / "checkpoints")
    assert "give both or neither" in str(result.exception)


def test_a_language_model_that_no_encoder_names_is_refused(folder):
    own = {"encoder": LANGUAGE_MODEL["encoder"], "vocabulary": LANGUAGE_MODEL["vocabulary"]}
    (folder / "model.yaml").write_text(yaml.safe_dump(SLOW | own))
    result = run(
        *("finetune", "--model", folder / "model.yaml", "--language-model", folder / "tiny.yaml"),
        *("--labelled", folder / "labelled.parquet", "--output", folder / "classifier", "--seed", 1, *COMMON),
    )
    assert f"{folder / 'model.yaml'}: its encoder is its own, 'awd_lstm'; leave out" in str(result.exception)


def test_more_groups_than_the_model_has_are_refused(folder):
    stages = [{"unfrozen": 1, "epochs": 1, "learning_rate": 1.0}, {"unfrozen": 5, "epochs": 1, "learning_rate": 1.0}]
    (folder / "model.yaml").write_text(yaml.safe_dump(SLOW | {"finetune": MODEL["finetune"] | {"stages": stages}}))
    result = run(
        *("finetune", "--model", folder / "model.yaml", "--language-model", folder / "tiny.yaml"),
        *("--labelled", folder / "labelled.parquet", "--output", folder / "classifier", "--seed", 1, *COMMON),
    )
    assert "model.yaml: finetune.stages.1.unfrozen: must be 4 or less" in str(result.exception)
    assert "(got 5)" in str(result.exception)
