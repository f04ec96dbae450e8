import base64
import gzip
import json

import pandas as pd
import pytest

from bindgram.errors import InputError
from bindgram.report.experiments import (
    Run,
    Templates,
    about_experiments,
    experiment_data,
    pack,
    read_interpretations,
    verdicts_of,
)
from bindgram.report.lines import MEASURED, summarise

RUN = Run(["fold_0"], ["genomic_matched"], ["awd_lstm", "gc"], 1)


def made(frame, tmp_path, audit=None, filters=None, interpretations=(), warnings=None, panel="{experiment}.json"):
    templates = Templates([], "", f"{tmp_path}/{panel}", None, [f"{tmp_path}/train.{{experiment}}.{{model}}.tsv"])
    return experiment_data(
        "E1",
        about_experiments(frame, summarise(frame, MEASURED))["E1"],
        {"auroc": "AUROC"},
        filters or {},
        audit,
        interpretations,
        warnings or {},
        templates,
        RUN,
    )


def test_metrics_stand_by_test_set_with_models_as_columns_and_reasons_in_place_of_values(table, tmp_path):
    at = {"test_set": "T2", "metric": "ece"}
    frame = table(
        ("awd_lstm", 0.5, {"metric": "auroc"}), ("gc", 0.3, {"metric": "auroc"}), ("awd_lstm", 0.1, {"metric": "ece"})
    )
    frame = pd.concat([frame, table(("gc", "not_defined", "not defined: no log odds", at))])
    (found,) = made(frame, tmp_path)["metrics"]
    assert (found["testSet"], found["models"]) == ("T2", ["awd_lstm", "gc"])
    assert found["rows"] == [
        ["AUROC", [[0.5, 0.4, 0.6, 0.2, [0.5], 0], [0.3, 0.2, 0.4, 0.2, [0.3], 0]], "auroc", "higher"],
        ["ece", [[0.1, 0.0, 0.2, 0.2, [0.1], 0], "not defined: no log odds"], "ece", "lower"],
    ]


def test_problems_and_warnings_stand_once_with_their_models(table, tmp_path):
    frame = table(("awd_lstm", "skipped", "few"), ("gc", "skipped", "few"))
    key = ("E1", "fold_0", "genomic_matched")
    data = made(frame, tmp_path, warnings={(*key, "awd_lstm"): ["odd"], (*key, "gc"): ["odd", "worse"]})
    assert data["problems"] == [["skipped", "few", "awd_lstm, gc", "all"]]
    assert data["warnings"] == [["odd", "awd_lstm, gc"], ["worse", "gc"]]


def test_panel_that_is_not_there_is_told_as_missing_and_one_that_is_passes_whole(table, tmp_path):
    frame = table(("awd_lstm", 0.5))
    (panel,) = made(frame, tmp_path)["panels"]
    assert (panel["status"], panel["split"], panel["scheme"]) == ("missing", "fold_0", "genomic_matched")
    (tmp_path / "E1.json").write_text('{"status": "ok", "curves": {"awd_lstm": [1]}}')
    (panel,) = made(frame, tmp_path)["panels"]
    assert panel["curves"] == {"awd_lstm": [1]}


@pytest.mark.parametrize(("text", "message"), [("{", "not valid JSON"), ("[]", "not a JSON object")])
def test_panel_that_is_no_json_object_is_refused_by_name(table, tmp_path, text, message):
    (tmp_path / "E1.json").write_text(text)
    with pytest.raises(InputError, match=rf"E1\.json: {message}"):
        made(table(("awd_lstm", 0.5)), tmp_path)


def test_template_with_other_braces_is_refused(table, tmp_path):
    with pytest.raises(InputError, match="cannot be filled; use experiment, scheme, split"):
        made(table(("awd_lstm", 0.5)), tmp_path, panel="{fold}.json")


def test_reasons_of_filters_are_words_and_costs_have_their_job(table, tmp_path):
    (tmp_path / "train.E1.awd_lstm.tsv").write_text("s\tmax_rss\n90\t512\n")
    data = made(table(("awd_lstm", 0.5)), tmp_path, filters={"Positives": {"n_input": 9, "odd_one": 2}})
    assert data["filters"] == [{"step": "Positives", "counts": [["rows read", 9], ["odd one", 2]]}]
    (cost,) = data["costs"]
    assert (cost["model"], cost["s"], cost["mb"]) == ("awd_lstm", 90.0, 512.0)


def test_interpretations_that_are_there_are_read_with_their_model(tmp_path):
    (tmp_path / "E1.awd_lstm.1.json").write_text('{"status": "ok", "verdict": {"recovered": "no", "q_value": null}}')
    found = read_interpretations(f"{tmp_path}/{{experiment}}.{{model}}.{{seed}}.json", RUN, "E1")
    assert [(item["model"], item["split"], item["scheme"], item["seed"]) for item in found] == [
        ("awd_lstm", "fold_0", "genomic_matched", 1)
    ]
    (verdict,) = verdicts_of({"E1": found}).items()
    assert verdict == (
        ("E1", "fold_0", "genomic_matched", "awd_lstm"),
        {"recovered": "no", "reason": "", "known": None, "q_value": None},
    )
    assert read_interpretations(None, RUN, "E1") == []


def test_interpretation_that_was_skipped_is_not_defined_with_its_reason():
    item = {"status": "skipped", "reason": "no positives", "split": "s", "scheme": "x", "model": "m"}
    (verdict,) = verdicts_of({"E1": [item]}).values()
    assert (verdict["recovered"], verdict["reason"]) == ("not defined", "no positives")


def test_packed_data_come_back_and_are_the_same_bytes(table, tmp_path):
    data = made(table(("awd_lstm", 0.5)), tmp_path)
    assert json.loads(gzip.decompress(base64.b64decode(pack(data)))) == data
    assert pack(data) == pack(data)
    assert set(pack({"x": "</script>"})) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
