import pandas as pd
import pytest

from bindgram.evaluation.collect import COLUMNS
from bindgram.report.summary import lines_of, summary_page
from bindgram.settings import Config


def scored(model: str, value: float, *, experiment="E1", seed="1", test_set="T2", floor=0.2, **changed) -> dict:
    known = {
        "experiment": experiment,
        "tf": "CTCF",
        "biosample": "K562",
        "model": model,
        "scheme": "genomic_matched",
        "seed": seed,
        "split": "f",
        "test_set": test_set,
        "metric": "average_precision",
        "value": value,
        "low": value - 0.1,
        "high": value + 0.1,
        "floor": floor,
        "n_positives": 100,
        "n_negatives": 1000,
        "flag": "",
        "status": "ok",
        "reason": "",
    }
    return known | changed


def missing(model: str, status: str, reason: str, **changed) -> dict:
    empty = dict.fromkeys(("value", "low", "high", "floor", "n_positives", "n_negatives"), float("nan"))
    return (
        scored(model, 0.0, **({"test_set": "", "metric": ""} | changed))
        | empty
        | {
            "status": status,
            "reason": reason,
        }
    )


def summary(rows: list[dict], config: Config) -> str:
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return summary_page(frame, "T2", "average_precision", "kmer3_lr", config, {"command": "report"}, {})


def test_seeds_are_averaged_and_their_widest_bounds_kept():
    frame = pd.DataFrame([scored("cnn", 0.6), scored("cnn", 0.8, seed="2"), scored("kmer3_lr", 0.2)])
    cnn, floor = lines_of(frame, "T2", {})
    score = cnn.scores["average_precision"]
    assert score.value == pytest.approx(0.7)
    assert (score.low, score.high) == pytest.approx((0.5, 0.9))
    assert score.gain == pytest.approx(0.5)
    assert score.by_seed == (("1", 0.6), ("2", 0.8))
    assert floor.scores["average_precision"].gain == 0
    assert cnn.prevalence == pytest.approx(1 / 11)


def test_every_score_stands_beside_its_floor_and_the_difference(config, visible):
    text = visible(summary([scored("deepbind_cnn", 0.654), scored("kmer3_lr", 0.2)], config))
    assert "deepbind_cnn 0.654 0.554 to 0.754 0.200 +0.454" in text
    assert "highest-scoring model, deepbind_cnn, reaches average precision 0.654 (1 experiment; test set T2)" in text
    assert "above it in 1 of 1 experiment(s), with its whole interval in 1" in text


def test_baseline_is_not_the_headline_even_where_it_scores_highest(config, visible):
    text = visible(summary([scored("awd_lstm", 0.3, floor=0.4), scored("kmer3_lr", 0.4, floor=0.4)], config))
    assert "highest-scoring model, awd_lstm" in text
    assert "−0.100" in text


def test_models_are_compared_on_the_experiments_that_all_of_them_have(config, visible):
    rows = [
        scored("deepbind_cnn", 0.5),
        scored("awd_lstm", 0.6),
        scored("awd_lstm", 0.1, experiment="E2"),
        missing("deepbind_cnn", "failed", "out of memory", experiment="E2"),
    ]
    text = visible(summary(rows, config))
    assert "awd_lstm, reaches average precision 0.600 (1 experiment" in text
    assert "because not every model has a result: E2." in text
    assert "2 of 2 experiments have results; 1 failed for at least one model" in text


def test_skipped_and_failed_experiments_are_listed_with_reason_and_models(config, visible):
    rows = [
        scored("deepbind_cnn", 0.5),
        missing("deepbind_cnn", "skipped", "12 positives in split test", experiment="E2"),
        missing("awd_lstm", "skipped", "12 positives in split test", experiment="E2"),
        missing("awd_lstm", "failed", "x.log: <Error>"),
        missing("deepbind_cnn", "skipped", "no coordinates", experiment="E3", test_set="T9", metric="auroc"),
    ]
    page = summary(rows, config)
    text = visible(page)
    assert "skipped deepbind_cnn, awd_lstm all 12 positives in split test" in text
    assert "failed awd_lstm all x.log: &lt;Error&gt;" in text
    assert "E3 CTCF · K562 skipped deepbind_cnn T9 no coordinates" in text
    assert "1 was skipped; 1 failed for at least one model" in text


def test_nothing_to_show_is_said(config, visible):
    text = visible(summary([missing("awd_lstm", "failed", "crash")], config))
    assert "No model has a result on test set T2" in text
    assert "0 of 1 experiments have results" in text


def test_unreliable_intervals_are_said_in_words(config, visible):
    text = visible(summary([scored("awd_lstm", 0.5, flag="interval_unreliable")], config))
    assert "few test blocks: interval unreliable" in text


def test_negative_scores_and_absent_floors_do_not_break_the_table(config, visible):
    rows = [scored("awd_lstm", 0.5, floor=float("nan"))]
    rows.append(scored("awd_lstm", -0.1, metric="mcc", low=float("nan"), high=float("nan"), floor=0.3))
    text = visible(summary(rows, config))
    assert "nan" not in text
    assert "−0.100 floor 0.300, −0.400" in text


def test_page_is_equal_on_every_run(config):
    rows = [scored("awd_lstm", 0.5), scored("kmer3_lr", 0.2)]
    assert summary(rows, config) == summary(rows, config)


def of_folds(model, *values, floors=(0.2, 0.3)):
    pairs = zip(("fold_0", "fold_1"), values, floors, strict=True)
    return [scored(model, value, split=split, floor=floor) for split, value, floor in pairs]


def test_each_split_has_its_line_and_the_summary_their_mean():
    frame = pd.DataFrame([*of_folds("cnn", 0.5, 0.8), *of_folds("kmer3_lr", 0.2, 0.3)])
    assert [line.identity["split"] for line in lines_of(frame, "T2", {})] == ["fold_0", "fold_1"] * 2
    cnn, _ = lines_of(frame, "T2", {}, each_split=False)
    score = cnn.scores["average_precision"]
    assert (score.value, score.floor, score.low, score.high) == pytest.approx((0.65, 0.25, 0.4, 0.9))
    assert (cnn.n_positives, cnn.n_negatives) == (200, 2000)


def test_interval_counts_as_above_only_where_that_of_every_split_is(config):
    frame = pd.DataFrame([*of_folds("cnn", 0.35, 0.35), *of_folds("kmer3_lr", 0.2, 0.3)])
    assert not lines_of(frame, "T2", {}, each_split=False)[0].scores["average_precision"].above


def test_page_names_the_split_of_each_line_where_there_are_several(config, visible):
    rows = [*of_folds("cnn", 0.5, 0.8), *of_folds("kmer3_lr", 0.2, 0.3)]
    rows.append(missing("lstm", "skipped", "held out: TF CTCF is in test", split="fold_1"))
    config = config.model_copy(update={"split": ["fold_0", "fold_1"]})
    text = visible(summary(rows, config))
    assert "CTCF · K562 · fold_0" in text
    assert "reaches average precision 0.650 (1 experiment; test set T2)" in text
    assert "K562 · fold_1 skipped lstm all held out: TF CTCF is in test" in text
    assert "fold" not in visible(summary(rows[:1], config.model_copy(update={"split": ["fold_0"]})))


def test_suspicious_negatives_stand_in_the_notes_of_their_test_set_and_of_models_trained_on_them(config, visible):
    frame = pd.DataFrame([scored("cnn", 0.6)])
    notes = {("E1", "T2"): "GC 0.61 (test)", ("E1", "labelled/genomic_matched"): "GC 0.60 (training)"}
    text = visible(summary_page(frame, "T2", "average_precision", "kmer3_lr", config, {}, notes))
    assert "negatives suspicious: GC 0.61 (test) training negatives suspicious: GC 0.60 (training)" in text
    assert "suspicious" not in visible(summary_page(frame, "T2", "average_precision", "kmer3_lr", config, {}, {}))


def test_suspicious_negatives_of_one_split_stand_beside_the_lines_of_that_split():
    frame = pd.DataFrame(of_folds("cnn", 0.5, 0.8))
    first, second = lines_of(frame, "T2", {("E1 (fold_1)", "T2"): "GC 0.61 (test)"})
    assert first.flags == ()
    assert second.flags == ("negatives suspicious: GC 0.61 (test)",)


def test_test_set_with_fewer_negatives_than_its_ratio_asks_for_says_so():
    frame = pd.DataFrame([scored("cnn", 0.6)])  # 100 positives and 1,000 negatives
    assert [lines_of(frame, "T2", {}, ratio)[0].flags for ratio in (10.0, 10.5, None)] == [()] * 3
    assert lines_of(frame, "T2", {}, 20.0)[0].flags == ("10.0 negatives per positive, 20 wanted",)
