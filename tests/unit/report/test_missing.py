from bindgram.evaluation.metrics import METRICS
from bindgram.report.missing import missing_section


def test_skipped_and_failed_experiments_are_listed_with_reason_and_models(config, visible, table):
    frame = table(
        ("cnn", 0.5),
        ("cnn", "skipped", "12 positives in split test", {"experiment": "E2"}),
        ("awd_lstm", "skipped", "12 positives in split test", {"experiment": "E2"}),
        ("awd_lstm", "failed", "x.log: <Error>"),
        ("cnn", "skipped", "no coordinates", {"experiment": "E3", "test_set": "T9", "metric": "auroc"}),
    )
    text = visible(missing_section(frame, config))
    assert "Failed: 1 experiment" in text
    assert "E1 CTCF · K562 awd_lstm all all x.log: &lt;Error&gt;" in text
    assert "Skipped: 2 experiments" in text
    assert "E2 CTCF · K562 cnn, awd_lstm all all 12 positives in split test" in text
    assert "E3 CTCF · K562 cnn T9 auroc no coordinates" in text


def test_undefined_metrics_stand_by_reason_with_some_of_their_experiments(config, visible, table):
    rows = [
        ("gc", "not_defined", "not defined: no log odds", {"experiment": f"E{i}", "test_set": "T2", "metric": "ece"})
        for i in range(9)
    ]
    text = visible(missing_section(table(*rows), config))
    assert "Not defined: 9 experiments" in text
    assert "E4 , E5 and 3 more gc T2 ece not defined: no log odds" in text


def test_a_baseline_that_is_not_defined_anywhere_is_one_line(config, visible, table):
    reason, nowhere = "not defined: gkmtrain of LS-GKM not on the PATH", {"test_set": "", "metric": ""}
    rows = [("gkm_svm", "not_defined", reason, {"experiment": f"E{i}"} | nowhere) for i in range(50)]
    text = visible(missing_section(table(*rows), config))
    assert text.count("LS-GKM") == 1
    assert "and 44 more gkm_svm all all not defined" in text


def test_all_metrics_are_not_named_one_by_one(config, visible, table):
    rows = [("cnn", "not_defined", "not defined: one class", {"metric": name, "test_set": "T2"}) for name in METRICS]
    assert "E1 cnn T2 all not defined: one class" in visible(missing_section(table(*rows), config))


def test_splits_are_named_where_there_are_several(config, visible, table):
    frame = table(("cnn", "skipped", "held out", {"split": "fold_1"}))
    assert "K562 · fold_1" in visible(missing_section(frame, config.model_copy(update={"split": ["fold_0", "fold_1"]})))


def test_a_complete_run_says_so(config, visible, table):
    assert "Nothing: every experiment" in visible(missing_section(table(("cnn", 0.5)), config))


def test_many_reasons_are_folded(config, table):
    def html(n):
        return "".join(
            missing_section(table(*(("cnn", "failed", f"x{i}", {"experiment": f"E{i}"}) for i in range(n))), config)
        )

    assert '<details open="open">' in html(40)
    assert "<details open" not in html(41)
