"""Models compared across experiments: one vote per TF, however many experiments it has.

An experiment gives the difference of two models (`bindgram.evaluation.pairs`). Differences of one TF are averaged
before anything is tested, so that fifty CTCF sets do not outvote ten other factors. Over TFs come Wilcoxon's test, the
estimate of Hodges and Lehmann with its interval and an effect size, corrected over the pairs after Benjamini and
Hochberg; over experiments come wins, ties and losses, and how many stay when each p-value is corrected for the number
of experiments.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bindgram.evaluation.metrics import NOT_DEFINED
from bindgram.evaluation.signed_ranks import compare_signed_ranks

FAMILY = ["split", "scheme", "test_set", "metric"]
PAIR = ["model", "other"]
VERDICTS = ("win", "tie", "loss")
MIN_MODELS, MIN_TFS = 3, 5  # of the test of Friedman
MIN_SHARE = 0.5  # of the TFs on which a model has values, below which ranks leave it out
EXPERIMENT_COLUMNS = (
    *(
        "experiment",
        "tf",
        "biosample",
        "split",
        "scheme",
        "test_set",
        "metric",
        "model",
        "other",
        "value",
        "other_value",
    ),
    *("difference", "low", "high", "p_value", "q_value", "p_delong", "verdict", "seeds", "seed_sd"),
    *("flag", "status", "reason"),
)
COMPARISON_COLUMNS = (
    *FAMILY,
    *PAIR,
    *("n_experiments", "n_tfs", "n_not_defined", "median_difference", "hodges_lehmann", "low", "high"),
    *("p_value", "q_value", "rank_biserial", "wins", "ties", "losses", "tf_wins", "tf_ties", "tf_losses"),
    *("n_better", "n_worse", "seeds", "reason"),
)


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """False discovery rates of (N,) p-values; NaN stays NaN and does not count.

    References
    ----------
    Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    from scipy.stats import false_discovery_control

    rates = np.full(len(p_values), np.nan)
    known = np.isfinite(p_values)
    if known.any():
        rates[known] = false_discovery_control(p_values[known], method="bh")
    return rates


def add_rates(frame: pd.DataFrame) -> pd.DataFrame:
    """Add ``q_value``: the p-values of each pair corrected over the experiments it was compared on."""
    rates = frame.groupby([*FAMILY, *PAIR], sort=False)["p_value"].transform(
        lambda values: benjamini_hochberg(values.to_numpy(np.float64))
    )
    return frame.assign(q_value=rates.astype(np.float64))


def spread_skipped(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a skipped experiment a row for every test set and metric that the others have, so that it is counted."""
    skipped = frame[frame["test_set"] == ""].drop(columns=["test_set", "metric"])
    known = frame.loc[frame["test_set"] != "", ["test_set", "metric"]].drop_duplicates()
    if skipped.empty or known.empty:
        return frame
    spread = skipped.merge(known, how="cross")[list(frame.columns)]
    return pd.concat([frame[frame["test_set"] != ""], spread], ignore_index=True)


def compare_all(frame: pd.DataFrame, confidence: float) -> list[dict[str, Any]]:
    """Every pair of models over all experiments, per split, scheme, test set and metric.

    Parameters
    ----------
    frame : rows of `pairs` of all experiments, with the columns experiment, tf, split and scheme, after `add_rates`.

    Returns
    -------
    Mappings of `COMPARISON_COLUMNS`; values are None where they are not defined, and ``reason`` says why.
    """
    rows = []
    for _, family in frame[frame["test_set"] != ""].groupby(FAMILY, sort=True):
        compared = [
            dict(zip([*FAMILY, *PAIR], key, strict=True)) | compare_pair(pair, confidence)
            for key, pair in family.groupby([*FAMILY, *PAIR], sort=False)
        ]
        p_values = np.array([np.nan if row["p_value"] is None else row["p_value"] for row in compared])
        for row, rate in zip(compared, benjamini_hochberg(p_values), strict=True):
            row["q_value"] = float(rate) if np.isfinite(rate) else None
        rows += compared
    return [{name: row[name] for name in COMPARISON_COLUMNS} for row in rows]


def compare_pair(pair: pd.DataFrame, confidence: float) -> dict[str, Any]:
    """One pair over all experiments; rows as for `compare_all`."""
    known = pair[pair["status"] == "ok"]
    by_tf = known.groupby("tf", sort=True)["difference"].mean()
    ranks = compare_signed_ranks(by_tf.to_numpy(np.float64), confidence)
    verdicts = Counter(known["verdict"])
    of_tfs = Counter(tf_verdict(list(rows)) for _, rows in known.groupby("tf", sort=True)["verdict"])
    clear = known[known["q_value"] <= 1 - confidence]
    reasons = pair.loc[pair["status"] != "ok", "reason"]
    return {
        "n_experiments": len(known),
        "n_tfs": ranks.n,
        "n_not_defined": len(pair) - len(known),
        "median_difference": ranks.median,
        "hodges_lehmann": ranks.hodges_lehmann,
        "low": ranks.low,
        "high": ranks.high,
        "p_value": ranks.p_value,
        "rank_biserial": ranks.rank_biserial,
        **{name: verdicts[verdict] for name, verdict in zip(("wins", "ties", "losses"), VERDICTS, strict=True)},
        **{name: of_tfs[verdict] for name, verdict in zip(("tf_wins", "tf_ties", "tf_losses"), VERDICTS, strict=True)},
        "n_better": int((clear["difference"] > 0).sum()),
        "n_worse": int((clear["difference"] < 0).sum()),
        "seeds": seed_medians(known),
        "reason": ranks.undefined if ranks.n or reasons.empty else _commonest(reasons),
    }


def _commonest(reasons: pd.Series) -> str:
    reason = sorted(Counter(reasons).items(), key=lambda item: (-item[1], item[0]))[0][0]
    return reason if reason.startswith(NOT_DEFINED) else f"{NOT_DEFINED}{reason}"


def tf_verdict(verdicts: Sequence[str]) -> str:
    """Verdict of a TF from those of its experiments: which of wins and losses are more; a tie where they balance."""
    balance = sum((verdict == "win") - (verdict == "loss") for verdict in verdicts)
    return "win" if balance > 0 else "loss" if balance < 0 else "tie"


def seed_medians(known: pd.DataFrame) -> dict[str, float]:
    """Median over TFs of the difference, seed by seed."""
    rows = [
        (tf, *part.split("=", 1))
        for tf, seeds in zip(known["tf"], known["seeds"], strict=True)
        for part in str(seeds).split(";")
        if part
    ]
    table = pd.DataFrame(rows, columns=["tf", "seed", "difference"]).astype({"difference": np.float64})
    medians = table.groupby(["seed", "tf"])["difference"].mean().groupby("seed").median()
    return {str(seed): float(medians[seed]) for seed in sorted(medians.index, key=lambda seed: (len(seed), seed))}


def values_by_tf(family: pd.DataFrame) -> pd.DataFrame:
    """Mean value of every model on every TF, from the rows of all pairs of one family.

    Returns
    -------
    (TFs, models) frame, NaN where a model has no value; models in order of their first appearance.
    """
    known = family[family["status"] == "ok"]
    parts = [
        known[["experiment", "tf", name, value]].set_axis(["experiment", "tf", "model", "value"], axis=1)
        for name, value in (("model", "value"), ("other", "other_value"))
    ]
    order = list(dict.fromkeys([*family["model"], *family["other"]]))
    long = pd.concat(parts).drop_duplicates(["experiment", "model"])
    table = long.groupby(["tf", "model"])["value"].mean().unstack("model")
    return table.reindex(columns=order).sort_index()


def rank_models(table: pd.DataFrame, confidence: float) -> dict[str, Any]:
    """Friedman's test over all models at once, average ranks and the critical difference of Nemenyi.

    Parameters
    ----------
    table : (TFs, models) of values, the higher the better; of `values_by_tf`.

    Returns
    -------
    ``status, reason, n_tfs, left_out`` (models with values on less than half of the TFs, to why), ``models`` with their
    ``average_ranks`` (1 = best), ``statistic``, ``p_value``, ``critical_difference``, and ``pairs``: (model, other,
    p-value) of every two. TFs on which a remaining model has no value are left out.

    References
    ----------
    Friedman 1937, doi:10.1080/01621459.1937.10503522; Nemenyi 1963; Demsar 2006, JMLR 7:1-30.
    """
    from scipy.stats import friedmanchisquare, studentized_range

    shares = table.notna().mean() if len(table) else pd.Series(0.0, index=table.columns)
    left_out = {
        str(name): f"{NOT_DEFINED}values on {table[name].notna().sum()} of {len(table)} TFs"
        for name in table.columns
        if shares[name] < MIN_SHARE or not len(table)
    }
    whole = table.drop(columns=list(left_out)).dropna()
    n_tfs, n_models = whole.shape
    result: dict[str, Any] = {"status": "ok", "reason": "", "n_tfs": n_tfs, "left_out": left_out}
    result |= dict.fromkeys(("statistic", "p_value", "critical_difference"))
    result |= {"models": list(whole.columns), "average_ranks": [], "pairs": []}
    reason = ""
    if n_models < MIN_MODELS or n_tfs < MIN_TFS:
        reason = f"ranks need {MIN_MODELS} models and {MIN_TFS} TFs with values of all; here are {n_models} and {n_tfs}"
    elif (whole.nunique(axis=1) == 1).all():
        reason = "all models are equal on every TF"
    if reason:
        return result | {"status": "not_defined", "reason": f"{NOT_DEFINED}{reason}"}
    from scikit_posthocs import posthoc_nemenyi_friedman

    tested = friedmanchisquare(*(whole[name] for name in whole.columns))
    between = posthoc_nemenyi_friedman(whole.to_numpy())
    quantile = studentized_range.ppf(confidence, n_models, np.inf) / np.sqrt(2)
    rows, columns = np.triu_indices(n_models, k=1)
    return result | {
        "average_ranks": whole.rank(axis=1, ascending=False).mean().tolist(),
        "statistic": float(tested.statistic),
        "p_value": float(tested.pvalue),
        "critical_difference": float(quantile * np.sqrt(n_models * (n_models + 1) / (6 * n_tfs))),
        "pairs": [
            [whole.columns[row], whole.columns[column], float(between.iloc[row, column])]
            for row, column in zip(rows, columns, strict=True)
        ],
    }


def rank_all(frame: pd.DataFrame, confidence: float) -> list[dict[str, Any]]:
    """`rank_models` of every split, scheme, test set and metric."""
    found = []
    for key, family in frame[frame["test_set"] != ""].groupby(FAMILY, sort=True):
        ranked: Mapping[str, Any] = rank_models(values_by_tf(family), confidence)
        found.append(dict(zip(FAMILY, key, strict=True)) | ranked)
    return found
