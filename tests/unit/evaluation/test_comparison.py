import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import friedmanchisquare, wilcoxon
from statsmodels.stats.multitest import multipletests

from bindgram.errors import InputError
from bindgram.evaluation.comparison import (
    COMPARISON_COLUMNS,
    add_rates,
    benjamini_hochberg,
    compare_all,
    rank_all,
    rank_models,
    seed_medians,
    spread_skipped,
    tf_verdict,
    values_by_tf,
)
from bindgram.evaluation.comparison_files import PairFiles, rank_figure, read_all_pairs, rounded, write_comparison_table
from bindgram.evaluation.figures import save_figure
from bindgram.evaluation.pairs import COLUMNS, NUMBERS, write_pairs
from bindgram.settings import Experiment


def pair_rows(differences, tfs=None, *, model="cnn", other="gc", **columns):
    """Rows of one pair: an experiment per difference, with an interval of 0.1 to both sides."""
    n = len(differences)
    differences = np.asarray(differences, dtype=float)
    frame = pd.DataFrame(
        {
            "experiment": [f"E{number}" for number in range(n)],
            "tf": [f"TF{number:02}" for number in range(n)] if tfs is None else tfs,
            "biosample": "K562",
            **{"split": "fold_0", "scheme": "matched", "test_set": "T2", "metric": "auroc"},
            **{"model": model, "other": other, "value": 0.7 + differences, "other_value": 0.7},
            **{"difference": differences, "low": differences - 0.1, "high": differences + 0.1, "p_value": 0.5},
            **{"p_delong": 0.5, "seeds": [f"1={value:+.6f}" for value in differences], "seed_sd": np.nan},
            "verdict": np.where(differences > 0.1, "win", np.where(differences < -0.1, "loss", "tie")),
            **{"flag": "", "status": "ok", "reason": ""},
        }
    )
    return frame.assign(**columns)


def compared(frame, confidence=0.95):
    rows = compare_all(add_rates(spread_skipped(frame)), confidence)
    assert all(tuple(row) == COMPARISON_COLUMNS for row in rows)
    return rows


def test_false_discovery_rates_by_hand():
    """Sorted .01 .02 .03 .5 of 4: .04, .04, .04, .5."""
    assert benjamini_hochberg(np.array([0.5, 0.01, np.nan, 0.03, 0.02])) == pytest.approx(
        [0.5, 0.04, np.nan, 0.04, 0.04], nan_ok=True
    )
    assert np.isnan(benjamini_hochberg(np.array([np.nan]))).all()


def test_false_discovery_rates_are_those_of_statsmodels():
    p_values = np.random.default_rng(0).uniform(size=200) ** 2
    assert benjamini_hochberg(p_values) == pytest.approx(multipletests(p_values, method="fdr_bh")[1], abs=1e-12)


def test_tests_stand_on_means_of_tfs():
    rng = np.random.default_rng(1)
    tfs = [f"TF{number % 9}" for number in range(30)]
    frame = pair_rows(rng.normal(0.1, 0.1, 30), tfs)
    (row,) = compared(frame)
    means = frame.groupby("tf")["difference"].mean().to_numpy()
    assert (row["n_experiments"], row["n_tfs"]) == (30, 9)
    assert row["p_value"] == wilcoxon(means).pvalue
    assert row["median_difference"] == np.median(means)


def test_one_more_experiment_of_a_tf_like_its_others_changes_nothing_over_tfs():
    """Fifty sets of one factor have one vote."""
    frame = pair_rows([0.3, -0.05, 0.02, 0.2, 0.15, -0.3, 0.12])
    again = pd.concat([frame, *[frame[:1].assign(experiment=f"again{number}") for number in range(50)]])
    (one,), (many,) = compared(frame), compared(again)
    over_tfs = (
        "n_tfs",
        "median_difference",
        "hodges_lehmann",
        "low",
        "high",
        "p_value",
        "rank_biserial",
        "tf_wins",
        "tf_losses",
    )
    assert [one[name] for name in over_tfs] == [many[name] for name in over_tfs]
    assert (one["wins"], many["wins"]) == (4, 54)


def test_swapping_models_flips_signs_and_swaps_wins_and_losses():
    frame = pair_rows([0.3, -0.05, 0.02, 0.2, 0.15, -0.3, 0.12])
    swapped = pair_rows(-frame["difference"], model="gc", other="cnn")
    (one,), (other,) = compared(frame), compared(swapped)
    for name in ("median_difference", "hodges_lehmann", "rank_biserial"):
        assert one[name] == pytest.approx(-other[name])
    assert (one["low"], one["high"]) == pytest.approx((-other["high"], -other["low"]))
    assert (one["p_value"], one["wins"], one["tf_wins"]) == (other["p_value"], other["losses"], other["tf_losses"])
    assert one["ties"] == other["ties"]


def test_experiments_are_corrected_within_a_pair_and_pairs_within_a_test_set():
    strong = pair_rows([0.3] * 8, p_value=[0.001, 0.04, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9])
    weak = pair_rows([0.1, -0.1, 0.2, -0.2, 0.1, -0.3, 0.1, 0.2], other="kmer")
    rows = compared(pd.concat([strong, weak, strong.assign(test_set="T1")]))
    by = {(row["test_set"], row["other"]): row for row in rows}
    assert by["T2", "gc"]["n_better"] == 1  # .04 x 8 / 2 is above .05
    both = multipletests([by["T2", "gc"]["p_value"], by["T2", "kmer"]["p_value"]], method="fdr_bh")[1]
    assert [by["T2", "gc"]["q_value"], by["T2", "kmer"]["q_value"]] == pytest.approx(list(both))
    assert by["T1", "gc"]["q_value"] == by["T1", "gc"]["p_value"]


def test_verdict_of_a_tf_is_that_of_the_majority_of_what_is_decided():
    assert tf_verdict(["win", "tie", "tie"]) == "win"
    assert tf_verdict(["win", "loss", "tie"]) == "tie"
    assert tf_verdict(["win", "loss", "loss"]) == "loss"


def test_seeds_are_shown_as_medians_over_tfs():
    frame = pair_rows([0, 0, 0], ["A", "A", "B"], seeds=["1=+0.1;10=+0.3", "1=+0.3;10=+0.1", "1=+0.6;10=-0.2"])
    assert seed_medians(frame) == pytest.approx({"1": 0.4, "10": 0.0})
    assert list(seed_medians(frame)) == ["1", "10"]


def test_what_is_not_defined_is_counted_and_its_reason_quoted():
    frame = pair_rows([np.nan] * 2, status="not_defined", reason="not defined: jaspar: no motif of X in Y", verdict="")
    (row,) = compared(frame)
    assert (row["n_experiments"], row["n_not_defined"], row["p_value"]) == (0, 2, None)
    assert row["reason"] == "not defined: jaspar: no motif of X in Y"
    part = frame.assign(test_set=["", "T2"], status=["skipped", "not_defined"])
    rows = compared(pd.concat([part, pair_rows([0.1] * 6).assign(experiment=list("abcdef"))]))
    assert [(row["test_set"], row["n_not_defined"], row["n_experiments"]) for row in rows] == [("T2", 2, 6)]


def test_few_tfs_have_an_estimate_but_no_interval():
    (row,) = compared(pair_rows([0.1, 0.2, 0.3]))
    assert row["hodges_lehmann"] == pytest.approx(0.2)
    assert (row["low"], row["reason"]) == (None, "not defined: an interval of 95% needs 6 values, not 3")


def table_of_values(n_tfs=12, models=("a", "b", "c", "d")):
    rng = np.random.default_rng(5)
    shift = np.arange(len(models)) * 0.05
    return pd.DataFrame(rng.normal(0.7, 0.05, (n_tfs, len(models))) + shift, columns=list(models))


def test_ranks_and_critical_difference_are_those_of_the_literature():
    """Demsar 2006, table 5(a): the two-tailed critical values of Nemenyi for .05 are 2.343, 2.569, 2.728 (3 to 5)."""
    for n_models, critical in ((3, 2.343), (4, 2.569), (5, 2.728)):
        found = rank_models(table_of_values(14, tuple("abcde")[:n_models]), 0.95)
        expected = critical * np.sqrt(n_models * (n_models + 1) / (6 * 14))
        assert found["critical_difference"] == pytest.approx(expected, abs=1e-3)
    table = table_of_values()
    found = rank_models(table, 0.95)
    assert found["p_value"] == pytest.approx(friedmanchisquare(*table.to_numpy().T).pvalue)
    assert found["average_ranks"] == pytest.approx((5 - np.argsort(np.argsort(table, axis=1), axis=1) - 1).mean(axis=0))


def test_two_models_differ_in_ranks_just_when_their_distance_exceeds_the_critical_difference():
    found = rank_models(table_of_values(), 0.95)
    ranks = dict(zip(found["models"], found["average_ranks"], strict=True))
    assert {p_value < 0.05 for _, _, p_value in found["pairs"]} == {True, False}
    for one, other, p_value in found["pairs"]:
        assert (abs(ranks[one] - ranks[other]) > found["critical_difference"]) == (p_value < 0.05)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (table_of_values(4), "here are 4 and 4"),
        (table_of_values(9, ("a", "b")), "here are 2 and 9"),
        (table_of_values() * 0, "all models are equal on every TF"),
        (table_of_values(0), "here are 0 and 0"),
    ],
)
def test_ranks_are_not_defined_with_the_reason(table, reason):
    found = rank_models(table, 0.95)
    assert found["status"] == "not_defined"
    assert found["reason"].startswith("not defined: ")
    assert reason in found["reason"]
    assert (found["p_value"], found["critical_difference"], found["average_ranks"]) == (None, None, [])


def test_a_model_with_values_on_few_tfs_leaves_the_ranks_and_not_the_tfs():
    table = table_of_values().assign(jaspar=[0.6] * 5 + [np.nan] * 7)
    table.loc[0, "a"] = np.nan
    found = rank_models(table, 0.95)
    assert found["left_out"] == {"jaspar": "not defined: values on 5 of 12 TFs"}
    assert (found["n_tfs"], found["models"]) == (11, ["a", "b", "c", "d"])


def test_values_are_means_over_the_experiments_of_a_tf():
    frame = pd.concat(
        [pair_rows([0.1, 0.3, 0.2], ["A", "A", "B"]), pair_rows([0.0, 0.0], ["A", "A"], other="kmer", other_value=0.9)]
    )
    frame = frame.drop_duplicates(["experiment", "other"])
    table = values_by_tf(frame)
    assert list(table.columns) == ["cnn", "gc", "kmer"]
    assert table.loc["A"].tolist() == pytest.approx([0.9, 0.7, 0.9])
    assert np.isnan(table.loc["B", "kmer"])


def sheet(*names):
    row = {"biosample": "K562", "assembly": "hg38", "format": "bed", "peaks": "p.bed"}
    return {name: Experiment(experiment=name, tf=f"TF_{name}", **row) for name in names}


def write_one(folder, name, **columns):
    frame = pair_rows([0.2]).assign(**columns)[list(COLUMNS)].astype(dict.fromkeys(NUMBERS, float))
    write_pairs(folder / f"{name}.tsv", frame, {"digest": name, "revisions": {"pairs": columns.get("revision", 1)}})


def test_tables_of_all_experiments_are_read_into_one(tmp_path):
    for name in ("A", "B"):
        write_one(tmp_path, name)
    files = PairFiles(sheet("A", "B", "C"), ["A", "B"], ["f"], ["s"], f"{tmp_path}/{{experiment}}.tsv")
    frame, sources = read_all_pairs(files, missing_as_failed=False)
    assert frame["tf"].tolist() == ["TF_A", "TF_B"]
    assert len(sources) == 2
    files = PairFiles(sheet("A", "B", "C"), ["A", "C"], ["f"], ["s"], f"{tmp_path}/{{experiment}}.tsv")
    with pytest.raises(InputError, match=r"C\.tsv: no such file"):
        read_all_pairs(files, missing_as_failed=False)
    frame, _ = read_all_pairs(files, missing_as_failed=True)
    rows = compare_all(add_rates(spread_skipped(frame)), 0.95)
    assert [(row["test_set"], row["n_experiments"], row["n_not_defined"]) for row in rows] == [("T2", 1, 1)]


def test_unknown_experiments_and_templates_are_refused(tmp_path):
    with pytest.raises(InputError, match="--experiments: not in the sheet: Z"):
        read_all_pairs(PairFiles(sheet("A"), ["Z"], ["f"], ["s"], "x"), missing_as_failed=True)
    with pytest.raises(InputError, match="cannot be filled; use experiment, scheme, split"):
        read_all_pairs(PairFiles(sheet("A"), ["A"], ["f"], ["s"], "{seed}.tsv"), missing_as_failed=True)


def test_nothing_at_all_is_compared_without_a_crash(tmp_path):
    files = PairFiles(sheet("A"), ["A"], ["f"], ["s"], f"{tmp_path}/{{experiment}}.tsv")
    frame, _ = read_all_pairs(files, missing_as_failed=True)
    pairs = add_rates(spread_skipped(frame))
    assert compare_all(pairs, 0.95) == rank_all(pairs, 0.95) == []


def test_figure_has_the_same_bytes_every_time_and_names_every_model(tmp_path):
    ranking = rank_models(table_of_values(12, ("cnn", "gc", "kmer3_lr", "awd_lstm")), 0.95)
    rankings = [{"split": "fold_0", "scheme": "genomic_matched"} | ranking]
    for name in ("one", "two"):
        save_figure(rank_figure("Ranks", rankings, 0.95), tmp_path / f"{name}.svg", {})
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    assert all(name in text for name in ("cnn", "gc", "kmer3_lr", "awd_lstm", "12 TFs", "genomic matched"))


def test_figure_without_ranks_says_why(tmp_path):
    rankings = [{"split": "f", "scheme": "s"} | rank_models(table_of_values(3), 0.95)]
    save_figure(rank_figure("Ranks", rankings, 0.95), tmp_path / "ranks.svg", {})
    assert "here are 4 and 3" in (tmp_path / "ranks.svg").read_text()


def test_numbers_are_rounded_and_tables_written(tmp_path):
    assert rounded({"a": [1 / 3, {"b": 2e-9 / 3}], "n": 7, "none": None}) == {
        "a": [0.333333, {"b": 6.66667e-10}],
        "n": 7,
        "none": None,
    }
    rows = compared(pair_rows([0.1] * 6))
    write_comparison_table(tmp_path / "c.tsv", rows)
    table = pd.read_csv(tmp_path / "c.tsv", sep="\t")
    assert tuple(table.columns) == COMPARISON_COLUMNS
    assert table.loc[0, "seeds"] == "1=+0.100000"
    json.dumps(rounded(rows), allow_nan=False)
