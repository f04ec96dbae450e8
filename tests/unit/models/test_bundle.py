import json

import pandas as pd
import pytest
import torch

from bindgram.errors import InputError
from bindgram.models.bundle import BUNDLE_FILES, Bundle, load_bundle, save_bundle, skipped_bundle


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
        ("config.json", '{"kind": "classifier"}', "status, reason, settings, metrics, provenance missing"),
        ("vocabulary.json", "", "not valid JSON"),
    ],
)
def test_a_damaged_json_file_is_refused_by_name(tmp_path, name, text, message):
    save_bundle(tmp_path, make_bundle())
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=f"{name}: {message}"):
        load_bundle(tmp_path)
