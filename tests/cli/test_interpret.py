"""`bindgram interpret`: whatever happens, three valid files, and a reason where there is no number."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from bindgram.cli import cli
from bindgram.data.examples import ExampleTable, write_examples
from bindgram.errors import InputError
from bindgram.models.bundle import load_bundle, save_bundle, skipped_bundle
from bindgram.sequence.dna import strings_of

N_POSITIVES = 8


@pytest.fixture
def settings(repository):
    config = yaml.safe_load((repository / "config/config.yaml").read_text())["interpretation"]
    config["attribution"] |= {"references": 2, "integration_steps": 8}
    config["attribution"]["faithfulness"] = {"steps": 4, "references": 1}
    return {name: value for name, value in config.items() if name != "models"} | {"n_sites": 3}


@pytest.fixture
def folder(tmp_path, monkeypatch, make_bundle):
    """An untrained classifier, scored; and the known motifs of yeast."""
    monkeypatch.chdir(tmp_path)
    save_bundle(tmp_path / "model", make_bundle("tiny_cnn", valid_auroc=0.75))
    rng = np.random.default_rng(0)
    n = 2 * N_POSITIVES
    frame = pd.DataFrame(
        {
            "example_id": [f"e{row}" for row in range(2 * n)],
            **{"chrom": None, "start": pd.NA, "end": pd.NA, "strand": None},
            "label": np.arange(2 * n) % 2,
            **{"kind": "published", "parent_id": None},
            "split": np.repeat(["test", "valid"], n),
            "sequence": strings_of(rng.integers(0, 4, (2 * n, 40)).astype(np.uint8)),
        }
    )
    write_examples(tmp_path / "T1.parquet", ExampleTable(frame))
    library = ("--library", "JASPAR2026", "--tax-group", "fungi", "--output", "m.meme", "--record", "m.json")
    assert run("motifs", *library, "--revision", 1).exit_code == 0
    assert score("model").exit_code == 0
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)


def score(model):
    common = ("--test-set", "T1=T1.parquet", "--threads", 1, "--device", "cpu", "--revision", 1)
    return run("score", "--bundle", model, f"{model}.parquet", *common)


def interpret(settings, model="model", tf="Reb1", output="out", predictions=None):
    options = {
        "experiment": "e",
        "tf": tf,
        "title": "a title",
        "model": "tiny",
        "bundle": model,
        "predictions": predictions or f"{model}.parquet",
        "test-set": "T1=T1.parquet",
        "headline": "T2",
        "motifs": "m.meme",
        "motifs-record": "m.json",
        "settings-json": settings if isinstance(settings, str) else json.dumps(settings),
        "confidence": 0.95,
        "seed": 1,
        "threads": 1,
        "device": "cpu",
        "output": f"{output}.json",
        "attributions": f"{output}.h5",
        "figure": f"{output}.svg",
        "revision": 1,
    }
    result = run("interpret", *(word for name, value in options.items() for word in (f"--{name}", value)))
    assert result.exit_code == 0, result.output
    return json.loads(open(f"{output}.json").read())


def test_the_strongest_positives_are_explained_and_too_few_for_motifs_is_stated(folder, settings):
    found = interpret(settings)
    assert (found["status"], found["n_sequences"]) == ("ok", N_POSITIVES)
    assert found["verdict"]["recovered"] == "not defined"
    assert found["verdict"]["reason"] == found["patterns_reason"]
    assert found["patterns_reason"].startswith(
        "not defined: 8 sequences are too few to find patterns in more than 20 seqlets"
    )
    assert found["patterns"] == []
    assert set(found["methods"]) == set(settings["methods"])
    assert found["methods"]["ism"] == {"status": "ok", "reason": ""}
    assert 0 <= found["methods"]["integrated_gradients"]["convergence_error"] <= 0.1
    scores = [site["score"] for site in found["sites"]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert all(len(site["importance"]) == len(site["sequence"]) == 40 for site in found["sites"])
    predictions = pd.read_parquet("model.parquet").query("split == 'test' and label == 1")
    assert scores[0] == pytest.approx(predictions["score"].max(), rel=1e-3)
    with h5py.File("out.h5") as file:
        assert file["attributions/ism"].shape == (N_POSITIVES, 40, 4)
        importance = np.take_along_axis(file["attributions/ism"][0], file["codes"][0][:, None].astype(int), 1)[:, 0]
        np.testing.assert_allclose(importance, found["sites"][0]["importance"], rtol=1e-3)
        assert json.loads(file.attrs["bindgram"]) == found["provenance"]


def test_the_same_inputs_give_the_same_bytes(folder, settings):
    for output in ("one", "two"):
        interpret(settings, output=output)
    for suffix in ("json", "h5", "svg"):
        assert (folder / f"one.{suffix}").read_bytes() == (folder / f"two.{suffix}").read_bytes()


def test_a_factor_without_a_known_motif_is_not_defined(folder, settings):
    found = interpret(settings | {"methods": ["ism"]}, tf="CTCF")
    assert found["verdict"]["reason"] == "not defined: no motif of CTCF in JASPAR2026"
    assert (found["verdict"]["recovered"], found["verdict"]["q_value"]) == ("not defined", None)


def test_a_skipped_model_gives_valid_files_with_its_reason(folder, settings):
    trained = load_bundle(folder / "model")
    save_bundle(folder / "none", skipped_bundle("classifier", "too few peaks", {}, trained.provenance))
    assert score("none").exit_code == 0
    found = interpret(settings, model="none")
    assert (found["status"], found["reason"]) == ("skipped", "too few peaks")
    assert found["verdict"] | {"reason": ""} == {
        "recovered": "not defined", "reason": "", "known": None, "q_value": None, "pattern": None,
    }  # fmt: skip
    assert found["verdict"]["reason"] == "not defined: too few peaks"
    assert found["faithfulness"]["reason"] == "not defined: too few peaks"
    assert (found["sites"], found["patterns"], found["methods"]) == ([], [], {})
    assert "Skipped: too few peaks" in (folder / "out.svg").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("{", "--settings-json: not valid JSON"),
        ({"methods": ["grad_cam"]}, r"discovery\.method 'ism' is not among methods \(grad_cam\); add it"),
        ({"methods": ["ism", "magic"]}, r"--settings-json: methods.*magic"),
        ({"n_sequences": 0}, r"--settings-json: n_sequences"),
    ],
)
def test_wrong_settings_are_refused(folder, settings, changes, message):
    with pytest.raises(InputError, match=message):
        interpret(changes if isinstance(changes, str) else settings | changes)


def test_predictions_of_other_examples_are_refused(folder, settings):
    rows = pd.read_parquet("T1.parquet").assign(example_id=[f"other{row}" for row in range(4 * N_POSITIVES)])
    write_examples(folder / "T1.parquet", ExampleTable(rows))
    with pytest.raises(InputError, match=r"test set T1: has no example 'e.*', which was scored; score it again"):
        interpret(settings)
