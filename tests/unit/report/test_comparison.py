import re

import pytest

from bindgram.report.comparison import comparison_section
from bindgram.report.headline import Headline, compare

HEADLINE = Headline("T2", "average_precision", "Average precision", "kmer3_lr")
FAMILY = {"split": "fold_0", "scheme": "genomic_matched", "test_set": "T2", "metric": "average_precision"}
PAIR = FAMILY | {
    **{"model": "a", "other": "b", "n_experiments": 9, "n_tfs": 6, "n_not_defined": 2, "median_difference": 0.2},
    **{"hodges_lehmann": 0.1234, "low": -0.01, "high": 0.2, "p_value": 0.01, "q_value": 0.02, "rank_biserial": 0.5},
    **{"wins": 5, "ties": 3, "losses": 1, "tf_wins": 4, "tf_ties": 1, "tf_losses": 1, "n_better": 1, "n_worse": 0},
    **{"seeds": {"1": 0.1, "2": -0.3}, "reason": ""},
}
RANKING = FAMILY | {
    **{"status": "ok", "reason": "", "n_tfs": 6, "models": ["a", "b", "c"], "average_ranks": [2.5, 1.25, 2.25]},
    **{"statistic": 8.0, "p_value": 0.0001, "critical_difference": 1.35, "pairs": [], "left_out": {"d": "few TFs"}},
}


def made(pairs=(PAIR,), rankings=(RANKING,), **changed):
    return {"status": "ok", "reason": "", "confidence": 0.95, "comparisons": pairs, "rankings": rankings} | changed


def parts(comparison, compared=None):
    return comparison_section(comparison, HEADLINE, {"average_precision": "Average precision"}, compared)


def test_pair_has_difference_interval_correction_effect_wins_and_every_seed(visible):
    text = visible(parts(made()))
    assert "a b 6 9 experiments, 2 not defined +0.123 −0.010 to +0.200 0.020 +0.500 5 / 3 / 1; of TFs 4/1/1" in text
    assert "1: +0.100 2: −0.300" in text
    assert "95 % interval over TFs" in text


def test_bar_of_wins_ties_and_losses_has_their_shares_and_says_them():
    html = "".join(parts(made()))
    assert 'aria-label="5 wins, 3 ties, 1 losses"' in html
    assert re.findall(r'<rect x="[\d.]+" y="3" width="([\d.]+)"', html) == ["83.3", "50.0", "16.7"]


def test_models_are_ranked_best_first_with_bars_of_the_critical_difference(visible):
    html = "".join(parts(made()))
    assert re.findall(r'class="strong">(\w)<', html) == ["b", "c", "a"]
    text = visible(html)
    assert "Average rank over 6 TFs" in text
    assert "Friedman p &lt; 0.001, then Nemenyi; critical difference 1.35" in text
    assert "Left out: d (few TFs)." in text


def test_what_is_not_defined_says_so_with_its_reason(visible):
    unknown = dict.fromkeys(
        ("hodges_lehmann", "low", "high", "p_value", "q_value", "rank_biserial", "median_difference")
    )
    pair = PAIR | unknown | {"n_tfs": 1, "seeds": {}, "reason": "not defined: 1 TF"}
    html = "".join(parts(made([pair], [RANKING | {"status": "not_defined", "reason": "not defined: 2 models"}])))
    assert html.count('<abbr title="not defined: 1 TF">not defined</abbr>') == 3
    text = visible(html)
    assert "Ranks: not defined: 2 models." in text
    assert "not defined not defined: 1 TF" in text
    assert "None" not in text


def test_headline_is_open_and_other_test_sets_and_metrics_are_folded(visible):
    html = "".join(parts(made([PAIR, PAIR | {"test_set": "T1"}], [RANKING])))
    assert "<h3>Average precision on T2</h3>" in html
    assert "<details><summary>Average precision on T1</summary>" in html


def test_splits_are_named_where_there_are_several():
    html = "".join(parts(made([PAIR, PAIR | {"split": "fold_1"}])))
    assert "<h3>Average precision on T2 (fold_1, genomic_matched)</h3>" in html


@pytest.mark.parametrize(
    ("comparison", "words"),
    [
        (None, "Not computed yet"),
        (made(status="not_defined", reason="not defined: one model"), "not defined: one model"),
    ],
)
def test_absent_comparison_is_told_and_medians_by_tf_stand_nevertheless(comparison, words, visible, table, config):
    rows = [
        ("awd_lstm", 0.5),
        ("awd_lstm", 0.7, {"experiment": "E2"}),
        ("gc", 0.3),
        ("gc", 0.6, {"experiment": "E3", "tf": "MAX"}),
    ]
    text = visible(parts(comparison, compare(table(*rows), HEADLINE, config)))
    assert words in text
    assert "Every TF: median Average precision on T2 (2 TFs)" in text
    assert "CTCF 2 0.600 0.300 MAX 1 – 0.600" in text
