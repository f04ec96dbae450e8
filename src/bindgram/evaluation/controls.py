"""Tables of two controls: scores against the number of training positives, and scores of permuted training labels.

Both read the table of metrics that ``bindgram collect`` makes of variants (`bindgram.settings.variants`).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bindgram.data.examples import read_examples
from bindgram.errors import InputError
from bindgram.evaluation.metrics import NOT_DEFINED
from bindgram.evaluation.signed_ranks import compare_signed_ranks
from bindgram.evaluation.variants import count_positives
from bindgram.provenance import write_text
from bindgram.settings.variants import PERMUTED, n_of_variant, split_variant

RANKING = ("auroc", "average_precision")
IDENTITY = ["experiment", "tf", "biosample", "split", "scheme"]
EFFICIENCY_COLUMNS = (
    *IDENTITY,
    *("positives", "n_positives", "model", "seed", "test_set", "metric", "value", "low", "high", "status", "reason"),
)
PERMUTED_COLUMNS = (*IDENTITY, *("model", "seed", "test_set", "value", "low", "high", "holds_half"))
PERMUTED_COLUMNS += ("flag", "status", "reason")
VERDICT_KEYS = ("n", "n_hold_half", "expected", "expected_low", "expected_high", "centre", "low", "high")
VERDICT_KEYS += ("verdict", "reason")
ALL = "all"
MIN_WHOLE = 5  # TFs with every number of positives, from which curves are theirs alone
HALF = 0.5


def efficiency_table(metrics: pd.DataFrame, n_positives: Callable[[str, str, str], int]) -> pd.DataFrame:
    """Rows of `EFFICIENCY_COLUMNS` from a collected table whose schemes are variants by number, or no variants.

    Parameters
    ----------
    n_positives : (split, experiment, scheme with its suffix) to the number of training positives.

    Raises
    ------
    InputError : a scheme of the table is one of permuted labels.
    """
    if others := [name for name in metrics["scheme"].unique() if split_variant(name)[1] == PERMUTED]:
        raise InputError(
            f"--metrics: {others[0]} was trained on permuted labels; collect schemes and their -n variants"
        )
    rows = metrics[metrics["metric"].isin(RANKING) | (metrics["metric"] == "")]
    named = [split_variant(scheme) for scheme in rows["scheme"]]
    keys = list(zip(rows["split"], rows["experiment"], rows["scheme"], strict=True))
    counts = {key: n_positives(*key) for key in dict.fromkeys(keys)}
    table = rows.assign(
        n_positives=[counts[key] for key in keys],
        scheme=[scheme for scheme, _ in named],
        positives=[str(n_of_variant(variant) or ALL) for _, variant in named],
    )
    order = ["split", "scheme", "experiment", "model", "seed", "test_set", "metric"]
    size = table["positives"].map(lambda text: np.inf if text == ALL else int(text))
    table = table.assign(_size=size).sort_values([*order, "_size"], kind="stable")
    return table[list(EFFICIENCY_COLUMNS)].reset_index(drop=True)


def sizes_of(table: pd.DataFrame) -> list[str]:
    """Numbers of positives in a table of `efficiency_table`, rising, ``all`` last."""
    return sorted(set(table["positives"]), key=lambda text: np.inf if text == ALL else int(text))


def count_in_files(template: str) -> Callable[[str, str, str], int]:
    """Read numbers of training positives from labelled tables, `template` being their path with names in braces."""

    def count(split: str, experiment: str, scheme: str) -> int:
        path = Path(template.format(split=split, experiment=experiment, scheme=scheme))
        return count_positives(read_examples(path, ("split", "label")).frame)

    return count


def permuted_table(metrics: pd.DataFrame) -> pd.DataFrame:
    """Rows of `PERMUTED_COLUMNS`, one per training and test set, from a collected table of permuted schemes.

    Raises
    ------
    InputError : a scheme of the table has true labels.
    """
    if others := [name for name in metrics["scheme"].unique() if split_variant(name)[1] != PERMUTED]:
        raise InputError(f"--metrics: {others[0]} was trained on true labels; collect schemes that end in -{PERMUTED}")
    rows = metrics[metrics["metric"].isin(["auroc", ""])]
    known = rows["value"].notna() & rows["low"].notna()
    holds = np.where((rows["low"] <= HALF) & (rows["high"] >= HALF), "yes", "no")
    table = rows.assign(
        scheme=[scheme.removesuffix(f"-{PERMUTED}") for scheme in rows["scheme"]],
        holds_half=np.where(known, holds, ""),
    )
    order = ["split", "scheme", "model", "test_set", "experiment", "seed"]
    return table.sort_values(order, kind="stable")[list(PERMUTED_COLUMNS)].reset_index(drop=True)


def permuted_verdicts(table: pd.DataFrame, confidence: float) -> list[dict[str, Any]]:
    """How many intervals hold 0.5, beside the number expected, and where the areas are centred.

    Returns
    -------
    Per split, scheme, model and test set: ``n`` (experiments, first seed), ``n_hold_half``, ``expected`` (number),
    ``expected_low, expected_high`` (central range of as much chance as `confidence`), ``centre, low, high`` (estimate
    of Hodges and Lehmann over TFs), ``reason`` (why there is no interval), and the ``verdict``: ``as expected`` where
    both number and centre are; ``scattered`` where fewer intervals hold 0.5 but the areas are centred on it: training
    picked up a direction by chance, along which the test classes differ; ``shifted`` where they are not centred:
    something leaks, or chooses by true labels.
    """
    from scipy.stats import binom

    found = []
    for key, rows in table[table["test_set"] != ""].groupby(["split", "scheme", "model", "test_set"], sort=True):
        first = rows[rows["seed"] == rows["seed"].iloc[0]]
        known = first[first["holds_half"] != ""]
        n, n_hold = len(known), int((known["holds_half"] == "yes").sum())
        by_tf = (known.groupby("tf")["value"].mean() - HALF).to_numpy(np.float64)
        ranks = compare_signed_ranks(by_tf, confidence)
        least, most = binom.interval(confidence, n, confidence) if n else (0, 0)
        centre, low, high = (None if x is None else HALF + x for x in (ranks.hodges_lehmann, ranks.low, ranks.high))
        values = (n, n_hold, n * confidence, int(least), int(most), centre, low, high)
        verdict = (_verdict(n, n_hold, least, low, high), ranks.undefined)
        of = dict(zip(("split", "scheme", "model", "test_set"), key, strict=True))
        found.append(of | dict(zip(VERDICT_KEYS, (*values, *verdict), strict=True)))
    return found


def describe_verdict(found: Mapping[str, Any]) -> str:
    """One line for a log."""
    name = f"{found['split']} {found['scheme']} {found['model']} {found['test_set']}"
    return (
        f"{name}: {found['n_hold_half']} of {found['n']} intervals hold 0.5, expected {found['expected']:.1f} "
        f"({found['expected_low']} to {found['expected_high']}): {found['verdict']}"
    )


def _verdict(n: int, n_hold: int, least: float, low: float | None, high: float | None) -> str:
    if not n:
        return f"{NOT_DEFINED}no experiment has an interval"
    if low is not None and high is not None and not low <= HALF <= high:
        return "shifted"
    return "as expected" if n_hold >= least else "scattered"


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as TSV, six decimals, nothing for what is not known."""
    write_text(path, frame.to_csv(sep="\t", index=False, float_format="%.6f", lineterminator="\n"))


def medians_over_tfs(table: pd.DataFrame, sizes: Sequence[str]) -> tuple[pd.DataFrame, dict[str, int], bool]:
    """Median over TFs of every model and seed at every size, of one split, scheme, test set and metric.

    Where five TFs or more have every size for every model, only these count: else easy TFs, which have many sites,
    would lift the right end of the curves.

    Returns
    -------
    Frame ``model, seed, positives, x`` (median number of training positives) and ``value``; size to number of TFs;
    whether all sizes have the same TFs.
    """
    known = table[table["value"].notna()]
    cells = known[["tf", "model", "positives"]].drop_duplicates().groupby("tf").size()
    whole = cells.index[cells == known["model"].nunique() * len(sizes)]
    same = len(whole) >= MIN_WHOLE
    used = known[known["tf"].isin(whole)] if same else known
    by_tf = used.groupby(["model", "seed", "positives", "tf"])[["n_positives", "value"]].mean()
    medians = by_tf.groupby(["model", "seed", "positives"]).median().reset_index()
    counts = used.groupby("positives")["tf"].nunique()
    medians = medians.rename(columns={"n_positives": "x"})
    return medians, {size: int(counts.get(size, 0)) for size in sizes}, same
