"""bindgram publish: a bundle and its results to a folder in the layout of Hugging Face, and back."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from click.testing import CliRunner

from bindgram.cli import cli
from bindgram.data.examples import ExampleTable, write_examples
from bindgram.models.bundle import load_bundle, save_bundle, skipped_bundle
from bindgram.sequence.dna import strings_of

BENCHMARK = "s\th:m:s\tmax_rss\tcpu_time\n61.5\t0:01:01\t812.25\t118.0\n"


def run(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path, monkeypatch, make_bundle):
    """A classifier with its predictions, metrics and benchmark, in the working folder."""
    monkeypatch.chdir(tmp_path)
    save_bundle(tmp_path / "model", make_bundle("tiny_cnn", valid_auroc=0.75))
    save_bundle(tmp_path / "other", make_bundle("tiny_cnn", seed=1))
    save_bundle(tmp_path / "lm", make_bundle("language_model", valid_nats_per_base=1.25))
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "example_id": [f"e{row}" for row in range(80)],
            **{"chrom": None, "start": pd.NA, "end": pd.NA, "strand": None},
            "label": np.arange(80) % 2,
            **{"kind": "published", "parent_id": None},
            "split": np.repeat(["test", "valid"], 40),
            "sequence": strings_of(rng.integers(0, 4, (80, 40)).astype(np.uint8)),
        }
    )
    write_examples(tmp_path / "T1.parquet", ExampleTable(frame))
    for name in ("model", "other"):
        common = ("--test-set", "T1=T1.parquet", "--threads", 1, "--device", "cpu", "--revision", 1)
        assert run("score", "--bundle", name, f"{name}.parquet", *common).exit_code == 0
    numbers = ("--replicates", 50, "--confidence", 0.95, "--max-block-bp", 1000, "--seed", 1, "--revision", 1)
    assert run("evaluate", "--predictions", "model.parquet", "model.json", *numbers).exit_code == 0
    (tmp_path / "benchmark.tsv").write_text(BENCHMARK)
    return tmp_path


def publish(model="model", *more, output="out"):
    return run("publish", "--model", model, "--name", "my-model", "--license", "mit", "--output", output, *more)


FULL = (
    *("--results", "model.parquet", "model.json", "--threshold-of", "T1", "--benchmark", "training=benchmark.tsv"),
    *("--data", "factor=MAX", "--data", "test blocks=chr8, chr9", "--dataset", "ENCSR000AAA", "--tag", "MAX"),
)


def front_matter(text):
    assert text.startswith("---\n")
    return yaml.safe_load(text.split("---\n")[1])


def test_published_folder_has_four_files_and_a_card_with_all_that_is_known(folder):
    result = publish("model", *FULL)
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in (folder / "out").iterdir())
    assert names == ["README.md", "config.json", "model.safetensors", "vocabulary.json"]
    card = (folder / "out/README.md").read_text()
    metrics = json.loads((folder / "model.json").read_text())
    block = front_matter(card)
    assert block["license"] == "mit"
    assert block["library_name"] == "bindgram"
    assert {"genomics", "MAX"} <= set(block["tags"])
    assert block["datasets"] == ["ENCSR000AAA"]
    (model,) = block["model-index"]
    (found,) = model["results"]
    assert found["dataset"] == {"type": "bindgram", "name": "test set T1"}
    assert {one["type"]: one["value"] for one in found["metrics"]} == {
        "roc_auc": metrics["T1.auroc"],
        "average_precision": metrics["T1.average_precision"],
        "matthews_correlation": metrics["T1.mcc"],
    }
    low, high = metrics["T1.auroc.low"], metrics["T1.auroc.high"]
    assert f"| T1 | {metrics['T1.auroc']:.3f} ({low:.3f} to {high:.3f}) |" in card
    assert "95 % intervals" in card
    for text in (
        "| test blocks | chr8, chr9 |",
        "| training | 62 | 118 | 812 |",
        "valid_auroc: 0.75",
        "windows of 40 bp",
    ):
        assert text in card
    for heading in ("Intended use", "Data", "Validation", "Results on test data", "Limits", "Cost", "Licence"):
        assert f"## {heading}\n" in card


def test_a_published_folder_is_a_bundle_with_its_results_and_threshold(folder):
    publish("model", *FULL)
    metrics = json.loads((folder / "model.json").read_text())
    loaded, original = load_bundle(folder / "out"), load_bundle(folder / "model")
    assert (loaded.provenance, loaded.settings) == (original.provenance, original.settings)
    assert all(torch.equal(value, loaded.state[name]) for name, value in original.state.items())
    assert loaded.metrics["test"]["T1.auroc"] == metrics["T1.auroc"]
    assert loaded.metrics["threshold"] == {"test_set": "T1", "score": metrics["T1.threshold"]}
    (folder / "s.fa").write_text(">a\n" + "ACGTACGTAC" * 4 + "\n")
    for model in ("out", "model"):
        run("predict", "--model", model, "--fasta", "s.fa", "--output", f"{model}.tsv", "--device", "cpu")
    published, plain = (pd.read_csv(f"{model}.tsv", sep="\t") for model in ("out", "model"))
    assert published["score"][0] == plain["score"][0]
    assert published["bound"][0] == int(published["score"][0] >= metrics["T1.threshold"])
    assert plain["bound"].isna().all()


def test_publishing_again_gives_the_same_bytes_and_keeps_a_clone(folder):
    publish("model", *FULL)
    (folder / "out/.git").mkdir()
    before = {path.name: path.read_bytes() for path in (folder / "out").iterdir() if path.is_file()}
    assert publish("out", *FULL).exit_code == 0
    assert {path.name: path.read_bytes() for path in (folder / "out").iterdir() if path.is_file()} == before
    assert (folder / "out/.git").is_dir()


def test_a_language_model_has_its_nats_per_base(folder):
    assert publish("lm").exit_code == 0
    (model,) = front_matter((folder / "out/README.md").read_text())["model-index"]
    assert model["results"][0]["metrics"] == [{"type": "nats_per_base", "name": "nats per base", "value": 1.25}]


def test_an_experiment_that_was_skipped_has_a_card_that_says_so(folder):
    save_bundle(folder / "skipped", skipped_bundle("classifier", "12 positives", {"width": 40}, {}))
    assert publish("skipped").exit_code == 0
    assert "Not trained: 12 positives." in (folder / "out/README.md").read_text()
    assert load_bundle(folder / "out").skipped


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        ("other", FULL, "the predictions are not those of other; give those of this model"),
        ("model", ("--results", "other.parquet", "model.json"), "the predictions are not those of model"),
        ("model", ("--results", "model.parquet", "model.json"), "the metrics are not those of the predictions"),
        ("model", ("--threshold-of", "T1"), "give --results as well"),
        ("model", (*FULL, "--threshold-of", "T2"), "--threshold-of T2: not in the metrics; choose from T1"),
        ("model", ("--benchmark", "x=T1.parquet"), "T1.parquet: not a benchmark file of Snakemake"),
        ("model", ("--benchmark", "x=model.json"), "model.json: not a benchmark file of Snakemake"),
    ],
)
def test_what_does_not_belong_together_is_refused_and_nothing_written(folder, model, arguments, message):
    if message.startswith("the metrics"):
        values = json.loads((folder / "model.json").read_text())
        values["provenance"]["inputs"]["predictions"] = "0"
        (folder / "model.json").write_text(json.dumps(values))
    result = publish(model, *arguments)
    assert result.exit_code == 1
    assert message in str(result.exception)
    assert not (folder / "out").exists()


def test_a_folder_with_something_else_in_it_is_left_alone(folder):
    (folder / "out").mkdir()
    (folder / "out/notes.txt").write_text("mine")
    result = publish()
    assert "--output out: holds notes.txt already; give a new folder" in str(result.exception)
    assert [path.name for path in (folder / "out").iterdir()] == ["notes.txt"]


def test_export_is_written_where_its_name_says(folder):
    assert "end in .pt2" in str(run("export", "--model", "model", "--output", "x.onnx").exception)
    assert "its kind is language_model" in str(run("export", "--model", "lm", "--output", "x.pt2").exception)
    assert not (folder / "x.pt2").exists()
