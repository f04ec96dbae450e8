import pytest

from bindgram.report.headline import Headline
from bindgram.report.lines import MEASURED, summarise
from bindgram.report.results import read_benchmark, read_costs, results_data

HEADLINE = Headline("T2", "average_precision", "Average precision", "kmer3_lr")
KEY = ("E1", "fold_0", "genomic_matched", "awd_lstm")


def made(frame, config, warnings=(), verdicts=(), costs=()):
    return results_data(
        frame,
        summarise(frame, MEASURED),
        HEADLINE,
        {"auroc": "AUROC"},
        dict(warnings),
        dict(verdicts),
        dict(costs),
        config,
    )


def test_line_has_value_interval_floor_and_seeds_of_each_metric_and_test_set(table, config):
    frame = table(
        ("awd_lstm", 0.61239),
        ("awd_lstm", 0.7, {"seed": "2"}),
        ("awd_lstm", 0.9, {"test_set": "T1", "metric": "auroc"}),
    )
    data = made(frame, config)
    (line,) = data["lines"]
    assert data["testSets"] == ["T1", "T2", "T3", "T4"]
    assert data["metrics"] == [["average_precision", "average_precision"], ["auroc", "AUROC"]]
    assert line["v"][0][1] == [0.6562, 0.5124, 0.8, 0.2, 1, [0.6124, 0.7]]
    assert line["v"][1][0][:2] == [0.9, 0.8]
    assert line["v"][0][2] is None
    assert line["n"] == [[100, 1000], [100, 1000], None, None]


def test_skipped_and_failed_experiments_are_lines_with_their_reason(table, config):
    data = made(table(("awd_lstm", "failed", "x.log: <Error>"), ("gc", 0.5, {"experiment": "E2"})), config)
    line = data["lines"][0]
    assert (line["status"], data["texts"][line["why"]]) == ("failed", "x.log: <Error>")
    assert line["v"] == [[None] * 4]
    assert [model["baseline"] for model in data["models"]] == [False, True]


def test_undefined_metric_has_its_reason_in_place_of_a_value(table, config):
    at = {"test_set": "T3", "metric": "average_precision"}
    data = made(table(("awd_lstm", 0.5), ("awd_lstm", "not_defined", "not defined: one class", at)), config)
    cells = data["lines"][0]["v"][0]
    assert data["texts"][cells[2]] == "not defined: one class"
    assert data["lines"][0]["status"] == "ok"


def test_tiled_test_set_says_how_to_get_it_where_it_was_not_measured(table, config):
    data = made(table(("awd_lstm", 0.5)), config)
    assert "tiled.in_report: true" in data["texts"][data["lines"][0]["v"][0][3]]
    data = made(table(("awd_lstm", 0.5), ("awd_lstm", 0.4, {"test_set": "T4"})), config)
    assert data["lines"][0]["v"][0][3][0] == 0.4


def test_warnings_stand_once_and_lines_name_their_number(table, config):
    keys = [KEY, ("E2", *KEY[1:])]
    data = made(
        table(("awd_lstm", 0.5), ("awd_lstm", 0.5, {"experiment": "E2"})), config, {key: ["odd"] for key in keys}
    )
    assert data["texts"].count("odd") == 1
    assert [data["texts"][line["w"][0]] for line in data["lines"]] == ["odd", "odd"]


def test_verdict_and_cost_stand_in_the_line_of_their_training(table, config):
    verdict = {"recovered": "yes", "reason": "", "known": "MA1 CTCF", "q_value": 1e-9}
    data = made(table(("awd_lstm", 0.5), ("gc", 0.3)), config, {}, {KEY: verdict}, {KEY: [60.0, 900.0]})
    assert [(line["motif"], line["cost"]) for line in data["lines"]] == [(verdict, [60.0, 900.0]), (None, None)]


def test_costs_are_summed_over_jobs_and_their_memory_is_the_highest(tmp_path):
    for job, seconds, memory in (("finetune", 100.5, 800.0), ("predict", 20.0, 900.0)):
        (tmp_path / f"{job}.E1.awd_lstm.tsv").write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:01:40\t{memory}\n")
    templates = [f"{tmp_path}/{job}.{{experiment}}.{{model}}.tsv" for job in ("finetune", "predict")]
    assert read_costs(templates, [KEY, ("E2", *KEY[1:])]) == {KEY: [120.5, 900.0]}


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("s\tmax_rss\n0.5\t-\n", (0.5, 0.0)),
        ("s\tmax_rss\n", None),
        ("", None),
        ("s\tmax_rss\n1\n", None),
        ("s\tmax_rss\nx\t1\n", None),
        ("a\tb\n1\t2\n", None),
    ],
)
def test_benchmark_files_that_were_cut_off_are_no_cost(tmp_path, text, cost):
    (tmp_path / "b.tsv").write_text(text)
    assert read_benchmark(tmp_path / "b.tsv") == cost


def test_absent_benchmark_is_no_cost(tmp_path):
    assert read_benchmark(tmp_path / "b.tsv") is None
