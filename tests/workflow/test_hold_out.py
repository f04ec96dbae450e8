"""Experiments held out of training: they are filtered, tested and reported, and train nothing."""

import json

import pytest
import yaml

from bindgram.data.examples import read_examples

pytestmark = pytest.mark.workflow

REASON = "held out: TF CONTROL is in test"


@pytest.fixture
def held(fresh_project):
    """The tiny project with the TF of the experiment `control` held out into test."""

    def change(text):
        return yaml.safe_dump(yaml.safe_load(text) | {"hold_out": {"test": {"tfs": ["CONTROL"]}}}, sort_keys=False)

    fresh_project.edit("config/splits/blocks.yaml", change)
    return fresh_project


def test_held_out_experiment_is_tested_and_trains_nothing(held):
    metrics = "results/metrics/kmer2_lr/blocks/{}/genomic_matched/s1.json"
    result = held.snakemake(*(metrics.format(name) for name in ("control", "planted")))
    assert result.returncode == 0, result.stdout
    examples = {name: held.root / f"results/examples/blocks/{name}" for name in ("control", "planted")}
    positives = read_examples(examples["control"] / "positives.parquet")
    assert set(positives.frame["split"]) == {"test"}
    assert set(read_examples(examples["planted"] / "positives.parquet").frame["split"]) == {"train", "valid", "test"}
    assert read_examples(examples["control"] / "labelled/genomic_matched.parquet").reason == REASON
    for test_set in ("T1", "T2"):
        table = read_examples(held.root / f"results/battery/blocks/control/{test_set}.parquet")
        assert (table.status, set(table.frame["split"]), set(table.frame["label"])) == ("ok", {"test"}, {0, 1})
    values = {name: json.loads((held.root / metrics.format(name)).read_text()) for name in examples}
    assert (values["control"]["status"], values["control"]["reason"]) == ("skipped", REASON)
    assert values["planted"]["status"] == "ok"


def test_training_negatives_take_nothing_from_what_is_held_out(held):
    """In a universe of five factors the negatives of `planted` leave out the one that is held out; its test set does not."""
    for name in ("second", "third"):
        held.write_peaks(name, range(900, 230_000, 1200))
        held.add_experiment(name)
    (held.root / "config/universe.txt").write_text("planted\ncontrol\nfew\nsecond\nthird\n")
    held.edit("config/config.yaml", lambda text: text.replace("universe: null", "universe: config/universe.txt"))

    def use_other_peaks(text):
        config = yaml.safe_load(text)
        config["negatives"]["schemes"] = ["other_peaks"]
        config["battery"]["test_sets"]["T3"] = {"scheme": "other_peaks", "ratio": 1.0}
        return yaml.safe_dump(config, sort_keys=False)

    held.edit("config/config.yaml", use_other_peaks)
    stem = "results/{}/blocks/planted/{}.parquet"
    targets = (stem.format("examples", "labelled/other_peaks"), stem.format("battery", "T3"))
    printed = held.snakemake("--dry-run", "--printshellcmds", *targets).stdout
    commands = {line.split()[3]: line for line in printed.splitlines() if line.startswith("Shell command: bindgram")}
    assert "--leave-out control" in commands["negatives"]
    assert "--universe" in commands["battery"]
    assert "--leave-out" not in commands["battery"]


def adapted(text):
    lm = yaml.safe_load(text)
    return yaml.safe_dump(lm | {"adapt": lm["pretrain"]}, sort_keys=False)


def test_pool_of_a_tf_leaves_out_what_is_held_out(held):
    """Two experiments of one TF, one of them in a biosample that is held out."""
    held.write_peaks("second", range(900, 230_000, 1200))
    held.edit("config/experiments.tsv", lambda text: text + "second\tPLANTED\tothers\ttoy\tnarrowPeak\tdata/second.narrowPeak\n")
    hold_out = "hold_out: {test: {biosamples: [others]}}\n"
    held.edit("config/splits/blocks.yaml", lambda text: text.partition("hold_out")[0] + hold_out)
    (held.root / "config/universe.txt").write_text("planted\nsecond\ncontrol\nfew\n")
    held.edit("config/config.yaml", lambda text: text.replace("universe: null", "universe: config/universe.txt"))
    held.edit("config/lms/tiny.yaml", adapted)
    held.edit("config/models/tiny_lstm.yaml", lambda text: text.replace("adapt: none", "adapt: tf"))
    bundle = "results/lm/tiny/toy.blocks.tf-PLANTED/config.json"
    planned = held.planned_jobs(bundle)
    assert ("make_positives", "planted", "blocks") in planned
    assert ("make_positives", "second", "blocks") not in planned
