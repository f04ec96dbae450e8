import re

import pytest

from bindgram.report.headline import Headline, compare, headline_section, status_sentence

HEADLINE = Headline("T2", "average_precision", "Average precision", "kmer3_lr")


def section(frame, config):
    return headline_section(frame, compare(frame, HEADLINE, config), HEADLINE, config)


@pytest.fixture
def said(config, visible):
    """Text of the head of a metrics table, for models `a` and `b`."""

    def say(frame, **changed):
        return visible(section(frame, config.model_copy(update={"models": ["a", "b"]} | changed)))

    return say


def test_sentence_counts_experiments_above_the_floor_beyond_their_interval(said, table):
    frame = table(
        ("a", 0.654),
        ("a", 0.25, {"experiment": "E2"}),
        ("a", 0.1, {"experiment": "E3", "tf": "MAX"}),
        ("kmer3_lr", 0.2),
    )
    text = said(frame)
    assert (
        "a tells bound from unbound DNA better than mere composition, beyond the uncertainty, in 1 of 3 experiments (2 "
        "by value alone)" in text
    )
    assert "median average precision 0.250 against 0.200 of the floor" in text
    assert "Counting every TF once (medians of 2 TFs): 0.276 against 0.200" in text


def test_a_single_experiment_has_no_median(said, table):
    text = said(table(("a", 0.654), ("kmer3_lr", 0.2)), seeds=[1])
    assert "in 1 of 1 experiment : average precision 0.654 against 0.200" in text
    assert "One training seed: how much training varies is not known." in text


def test_baseline_is_not_the_best_model_even_where_it_scores_highest(said, table):
    text = said(table(("a", 0.3, {"floor": 0.4}), ("kmer3_lr", 0.4, {"floor": 0.4})))
    assert "a tells bound" in text
    assert "in 0 of 1 experiment" in text
    assert "kmer3_lr floor" in text


def test_models_are_compared_on_the_experiments_that_all_trained_ones_have(said, table):
    """b lacks E2, where a is bad: a is not called worse for it. The baseline that lacks E1 leaves nothing out."""
    rows = [("b", 0.5), ("a", 0.6), ("a", 0.1, {"experiment": "E2"}), ("jaspar", 0.5, {"experiment": "E2"})]
    text = said(table(*rows, ("b", "failed", "out of memory", {"experiment": "E2"})))
    assert "a tells bound" in text
    assert "1 of 2 experiments" in text
    assert "on the 1 experiment that all trained models have a result for; without E2." in text
    assert "2 of 2 experiments have results; 1 failed for at least one model" in text


def test_nothing_to_show_is_said(said, table):
    text = said(table(("a", "failed", "crash")))
    assert "No model has a result on test set T2" in text
    assert "0 of 1 experiments have results" in text


def test_without_a_floor_there_is_no_comparison(said, table):
    text = said(table(("a", 0.5, {"floor": float("nan")})))
    assert "there is no floor (kmer3_lr) to compare it with" in text
    assert "nan" not in text


def test_spread_of_the_seeds_stands_in_the_table(said, table):
    text = said(table(("a", 0.5), ("a", 0.7, {"seed": "2"}), ("kmer3_lr", 0.2)))
    assert re.search(r"a model 1 1 0\.600 .* 0\.200 kmer3_lr", text)
    assert "kmer3_lr floor 1 1 0.200 0.200 – – – one seed" in text


def test_schemes_are_told_apart(config, visible, table):
    several = config.model_copy(
        update={"models": ["a"], "negatives": config.negatives.model_copy(update={"schemes": ["x", "y"]})}
    )
    text = visible(section(table(("a", 0.5, {"scheme": "x"}), ("a", 0.6, {"scheme": "y"})), several))
    assert "a (y) tells bound" in text


def test_a_model_that_is_mostly_below_the_floor_is_said_to_be(said, table):
    rows = [("a", 0.5), ("a", 0.1, {"experiment": "E2"}), ("a", 0.1, {"experiment": "E3"})]
    assert "against 0.200 of the floor. In most it is not better than the floor." in said(table(*rows))
    assert "In most" not in said(table(*rows[:2]))


def test_a_baseline_of_fewer_experiments_is_not_compared_by_its_median(said, table):
    rows = [("a", 0.5), ("a", 0.4, {"experiment": "E2"}), ("jaspar", 0.7)]
    assert "Of fewer experiments than the others: jaspar. Their medians are not comparable" in said(table(*rows))


def test_experiments_that_only_a_baseline_skipped_have_results(table, visible):
    rows = [("a", 0.5), ("b", "skipped", "no motif"), ("a", "skipped", "few", {"experiment": "E2"})]
    text = visible(status_sentence(table(*rows)))
    assert text.startswith("1 of 2 experiments have results; 1 was skipped; 1 was skipped for at least one model or")


def test_a_baseline_is_not_called_a_model(said, table):
    text = said(table(("unknown", 0.5), ("kmer3_lr", 0.2)))
    assert "unknown is the baseline (no model has a result here) with the highest median" in text


def test_skipped_and_failed_experiments_are_counted_once(table, visible):
    rows = [("a", 0.5), ("a", "skipped", "few", {"experiment": "E2"}), ("b", "skipped", "few", {"experiment": "E2"})]
    text = visible(status_sentence(table(*rows, ("b", "failed", "x"))))
    assert text == "1 of 2 experiments have results; 1 was skipped; 1 failed for at least one model ( reasons )."


def test_a_baseline_that_is_not_defined_skips_no_experiment(table, visible):
    nowhere = {"test_set": "", "metric": ""}
    rows = [("a", 0.5), ("gkm_svm", "not_defined", "not defined: gkmtrain not on the PATH", nowhere)]
    assert visible(status_sentence(table(*rows))) == "1 of 1 experiments have results."


@pytest.mark.parametrize("n", [1, 4, 24, 25, 500])
def test_figure_shows_every_experiment_of_every_trained_model(config, table, n):
    rows = [
        (model, 0.3 + 0.001 * i, {"experiment": f"E{i}", "tf": f"TF{i}"})
        for i in range(n)
        for model in ("a", "b", "kmer3_lr")
    ]
    html = "".join(section(table(*rows), config.model_copy(update={"models": ["a", "b"]})))
    figure = re.search(r"<figure.*</figure>", html, flags=re.DOTALL)[0]
    assert len(re.findall(r"<title>E\d+ \(", figure)) == 2 * n
    assert "nan" not in figure
    assert ("TF0<" in figure) == (n <= 24)
    assert len(figure) < 900 * n + 9000


def test_figure_fills_dots_only_where_the_whole_interval_is_above_the_floor(config, table):
    frame = table(("awd_lstm", 0.6), ("awd_lstm", 0.25, {"experiment": "E2"}))
    figure = "".join(section(frame, config))
    assert re.search(r'fill="#0072B2"[^>]*><title>E1 ', figure)
    assert re.search(r'fill="#fff"[^>]*><title>E2 ', figure)
