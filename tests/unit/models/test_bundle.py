import json

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bindgram.errors import InputError
from bindgram.models.bundle import (
    BUNDLE_FILES,
    FORMAT,
    NEEDED_FILES,
    Bundle,
    check_tensors,
    load_bundle,
    save_bundle,
    skipped_bundle,
)


def make_bundle():
    log = pd.DataFrame({"stage": [1], "epoch": [2], "valid_auroc": [0.75]})
    return Bundle(
        "classifier", {"width": 8}, {"k": 3}, {"w": torch.arange(6.0)}, log, {"command": "finetune"}, {"a": 1}
    )


def test_bundle_round_trip(tmp_path):
    save_bundle(tmp_path / "b", make_bundle())
    loaded = load_bundle(tmp_path / "b")
    assert torch.equal(loaded.state["w"], torch.arange(6.0))
    assert loaded.settings == {"width": 8}
    assert loaded.vocabulary == {"k": 3}
    assert loaded.log.to_dict("list") == {"stage": [1], "epoch": [2], "valid_auroc": [0.75]}
    assert loaded.metrics == {"a": 1}
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == sorted(BUNDLE_FILES)


def test_same_bundle_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        save_bundle(tmp_path / name, make_bundle())
    for name in BUNDLE_FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_skipped_bundle_has_all_files_and_its_reason(tmp_path):
    save_bundle(tmp_path, skipped_bundle("classifier", "12 positives", {}, {}))
    loaded = load_bundle(tmp_path)
    assert loaded.skipped
    assert loaded.reason == "12 positives"
    assert "12 positives" in (tmp_path / "README.md").read_text()


def test_incomplete_bundle_is_refused_by_name_of_the_missing_file(tmp_path):
    save_bundle(tmp_path, make_bundle())
    (tmp_path / "vocabulary.json").unlink()
    with pytest.raises(InputError, match=r"vocabulary\.json missing"):
        load_bundle(tmp_path)


def test_weights_that_differ_from_the_digest_are_refused(tmp_path):
    save_bundle(tmp_path, make_bundle())
    config = json.loads((tmp_path / "config.json").read_text())
    config["provenance"]["digest"] = "0" * 64
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="differs from the digest"):
        load_bundle(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("config.json", "{", "not valid JSON"),
        ("config.json", "[" * 100_000, "not valid JSON"),
        ("config.json", "[]", "not the config.json of a bindgram bundle"),
        ("config.json", '{"kind": "classifier"}', "not the config.json of a bindgram bundle"),
        ("config.json", '{"model_type": "bert", "vocab_size": 30522}', "not the config.json of a bindgram bundle"),
        ("vocabulary.json", "", "not valid JSON"),
        ("vocabulary.json", "[3, 1]", r"neither a vocabulary nor null \(got \[3, 1\]\)"),
        ("train_log.tsv", "a\tb\n1\n1\t2\t3\t4\n", "not a table"),
    ],
)
def test_a_damaged_json_file_is_refused_by_name(tmp_path, name, text, message):
    save_bundle(tmp_path, make_bundle())
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=f"{name}: {message}"):
        load_bundle(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", None, "bundle format 1, this version of bindgram reads format"),
        ("format", 3, "bundle format 3, this version"),
        ("kind", "diffusion", "kind: 'diffusion' is not one of language_model, classifier"),
        ("kind", 7, r"kind: missing or not a str \(got 7\)"),
        ("status", "fine", "status: 'fine' is not one of ok, skipped"),
        ("metrics", None, r"metrics: missing or not a dict \(got None\)"),
        ("settings", [], "settings: missing or not a dict"),
    ],
)
def test_a_config_of_another_version_or_kind_is_refused_by_its_key(tmp_path, key, value, message):
    save_bundle(tmp_path, make_bundle())
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    if value is None:
        del config[key]
    else:
        config[key] = value
    path.write_text(json.dumps(config))
    with pytest.raises(InputError, match=rf"config\.json: {message}") as refused:
        load_bundle(tmp_path)
    assert "\n" not in str(refused.value)


def test_the_format_is_stored():
    assert FORMAT == 2, "a new format needs a message for bundles of the old one"


def test_a_bundle_without_its_log_and_card_is_whole(tmp_path):
    save_bundle(tmp_path, make_bundle())
    for name in set(BUNDLE_FILES) - set(NEEDED_FILES):
        (tmp_path / name).unlink()
    loaded = load_bundle(tmp_path)
    assert loaded.log.empty
    assert loaded.where == str(tmp_path)


@pytest.mark.parametrize("n_bytes", [0, 5, 8, 40, -1])
def test_truncated_weights_are_refused_with_their_size(tmp_path, n_bytes):
    save_bundle(tmp_path, make_bundle())
    path = tmp_path / "model.safetensors"
    kept = path.read_bytes()[:n_bytes]
    path.write_bytes(kept)
    with pytest.raises(InputError, match=rf"model\.safetensors: truncated or damaged, {len(kept)} bytes") as refused:
        load_bundle(tmp_path)
    assert "\n" not in str(refused.value)


@settings(max_examples=60)
@given(st.sampled_from(BUNDLE_FILES[:3]), st.integers(0, 10_000), st.binary(min_size=1, max_size=9))
def test_damaged_bytes_are_refused_or_change_nothing(tmp_path_factory, name, place, bytes_there):
    folder = tmp_path_factory.mktemp("b")
    save_bundle(folder, make_bundle())
    whole = (folder / name).read_bytes()
    place %= len(whole)
    (folder / name).write_bytes(whole[:place] + bytes_there + whole[place + len(bytes_there) :])
    unchanged = (folder / name).read_bytes() == whole
    try:
        loaded = load_bundle(folder)
    except InputError as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert not unchanged
        assert str(folder / name) in refused or name == "config.json"
        assert "\n" not in refused
    else:
        assert torch.equal(loaded.state["w"], torch.arange(6.0))


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    weights = {"fine": torch.ones(2), "bad": torch.tensor([1.0, float("nan")])}
    save_bundle(tmp_path, Bundle("classifier", {}, None, weights, pd.DataFrame(), {}))
    with pytest.raises(InputError, match=r"model\.safetensors: values that are not finite in bad; copy or train"):
        load_bundle(tmp_path)


def test_tensors_that_do_not_fit_are_all_named_in_one_line():
    expected = {"a": torch.ones(2), "b": torch.ones(3, 4), "c": torch.ones(1)}
    found = {"a": torch.ones(2), "b": torch.ones(4, 3), **{f"x{n}": torch.ones(1) for n in range(5)}}
    check_tensors(expected, expected, "here")
    with pytest.raises(InputError) as refused:
        check_tensors(expected, found, "results/models/x/s1")
    assert str(refused.value) == (
        "results/models/x/s1: model.safetensors does not fit the settings in config.json: 1 tensor(s) missing: c; "
        "5 tensor(s) superfluous: x0, x1, x2, ...; 1 tensor(s) of another shape: b is (4, 3) and not (3, 4); "
        "copy or train the bundle again"
    )
