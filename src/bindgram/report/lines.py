"""What the report says of each model on each experiment: scores over the seeds, and what to be wary of.

A score is the mean of its seeds (and splits, where these stand in one line) with the outermost bounds of their
intervals; the values of the seeds stand beside it. Everything is computed for whole tables at once: a run of 500
experiments has half a million rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bindgram.evaluation.evaluate import MIN_FALSE_CALLS, MIN_PER_CLASS
from bindgram.evaluation.metrics import METRICS, WITHOUT
from bindgram.evaluation.statistics import MIN_POSITIVE_BLOCKS
from bindgram.settings import Config

TRAINING = ["experiment", "split", "scheme", "model"]  # what one line of the big table stands for
MEASURED = [*TRAINING, "test_set", "metric"]  # what one score stands for
SUMMARY = ("tf", "biosample", "value", "low", "high", "floor", "above", "by_value", "seeds")
CHANCE = {"auroc": 0.5, "partial_auroc": 0.5, "mcc": 0.0}  # of random scores; average precision: share of positives
FLAG_NAMES = {
    "interval_unreliable": "few test blocks: interval unreliable",
    "no_threshold": "no validation twin: no threshold",
    "fdr_unresolved": "too few negatives for recall at a false discovery rate",
    "few_positives": "few positives",
    "few_negatives": "few negatives",
}
FLAG_MEANINGS = {  # what follows from them
    "few_positives": f"the test set has fewer than {MIN_PER_CLASS} bound sequences; the number is given, and any value "
    "is coarse",
    "few_negatives": f"the test set has fewer than {MIN_PER_CLASS} unbound sequences, in the same way",
    "interval_unreliable": f"bound sequences lie in fewer than {MIN_POSITIVE_BLOCKS} blocks of the genome; an interval "
    "from so few blocks may be too narrow or too wide",
    "no_threshold": "without usable validation examples nothing says from which score on a sequence counts as bound; "
    "metrics of calls are not defined, and areas and average precision stand",
    "fdr_unresolved": f"bound windows are so rare in the genome that at the cut found fewer than {MIN_FALSE_CALLS} of "
    "the unbound test sequences may be called; recall at that false discovery rate is coarse here, and T4 tells it "
    "better",
}
LEAST_OF_RATIO = 0.95  # of the negatives wanted, below which a test set is not that of its name


def summarise(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Scores of `keys` over seeds and whatever else is no key, in the order in which they first appear.

    Parameters
    ----------
    frame : of `bindgram.evaluation.collect.read_collected`.

    Returns
    -------
    columns `keys`, ``value`` and ``floor`` (means), ``low`` and ``high`` (outermost), ``above`` (whether every interval
    is better than its floor, and than chance), ``by_value`` (the same of every value alone), ``seeds`` (their values),
    ``n_positives`` and ``n_negatives`` (largest), ``tf``, ``biosample``. Only rows with a value.
    """
    rows = frame[(frame["status"] == "ok") & frame["value"].notna()]
    if rows.empty:
        return pd.DataFrame(columns=[*keys, *SUMMARY, "n_positives", "n_negatives"])
    # Sums over runs of one group: pandas would call a function for each of a quarter of a million groups.
    groups = rows.groupby(list(keys), sort=False).ngroup().to_numpy()
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    of = {name: rows[name].to_numpy(np.float64)[order] for name in ("value", "low", "high", "floor")}
    counted = np.isfinite(of["floor"])
    with np.errstate(invalid="ignore"):  # without any floor it stays unknown
        floor = np.add.reduceat(np.where(counted, of["floor"], 0.0), starts) / np.add.reduceat(
            counted, starts, dtype=int
        )
    made = rows.iloc[order[starts]][[*keys, *(name for name in ("tf", "biosample") if name not in keys)]]
    return made.reset_index(drop=True).assign(
        value=np.add.reduceat(of["value"], starts) / np.diff(starts, append=len(order)),
        low=np.fmin.reduceat(of["low"], starts),
        high=np.fmax.reduceat(of["high"], starts),
        floor=floor,
        above=np.logical_and.reduceat(_better(rows, "low", "high")[order], starts),
        by_value=np.logical_and.reduceat(_better(rows, "value", "value")[order], starts),
        seeds=[part.tolist() for part in np.split(of["value"], starts[1:])],
        n_positives=np.fmax.reduceat(rows["n_positives"].to_numpy(np.float64)[order], starts),
        n_negatives=np.fmax.reduceat(rows["n_negatives"].to_numpy(np.float64)[order], starts),
    )


def _better(rows: pd.DataFrame, least: str, most: str) -> np.ndarray:
    """Whether columns `least` and `most` lie on the better side of the floor, (N,).

    A floor below chance is no bar: where nothing can be learnt, half of the floors lie there. Chance is that of random
    scores; metrics without one are compared with the floor alone.
    """
    n = rows["n_positives"] + rows["n_negatives"]
    chance = rows["metric"].map(CHANCE).astype(float).fillna(-np.inf)
    chance = chance.mask(rows["metric"] == "average_precision", rows["n_positives"] / n)
    bar = rows["floor"].where(rows["floor"].isna(), np.maximum(rows["floor"], chance))
    lower = rows["metric"].isin([name for name, metric in METRICS.items() if metric.better == "lower"])
    return np.where(lower, rows[most] < rows["floor"], rows[least] > bar)


def without_homologs(frame: pd.DataFrame) -> pd.Series:
    """Rows whose metric was measured without the test sequences that resemble training positives."""
    return frame["metric"].str.endswith(WITHOUT)


def warnings_of(
    frame: pd.DataFrame, suspicious: Mapping[tuple[str, str], str], config: Config
) -> dict[tuple[str, ...], list[str]]:
    """What to be wary of, in words, by experiment, split, scheme and model.

    Parameters
    ----------
    suspicious : of `bindgram.report.audit.suspicious_notes`.
    """
    columns = [*TRAINING, "test_set", "flag", "n_positives", "n_negatives"]
    seen = frame.loc[(frame["status"] == "ok") & ~without_homologs(frame), columns].drop_duplicates()
    found: dict[tuple[str, ...], list[str]] = {}
    for line in seen.itertuples(index=False):
        notes = found.setdefault((line.experiment, line.split, line.scheme, line.model), [])
        notes += [f"{line.test_set}: {flag_in_words(flag)}" for flag in line.flag.split(";") if flag]
        notes += [
            f"{line.test_set}: {note}" for note in _shortage(line.test_set, line.n_positives, line.n_negatives, config)
        ]
        for table, words in ((line.test_set, line.test_set), (f"labelled/{line.scheme}", "training")):
            for audited in (line.experiment, f"{line.experiment} ({line.split})"):  # as `find_filter_tables` names them
                if note := suspicious.get((audited, table)):
                    notes.append(f"{words}: negatives suspicious: {note}")
    for *key, test_set, n, n_all in _lost_seeds(frame):
        found[tuple(key)].append(f"{test_set}: only {n} of {n_all} seeds have values, the mean is theirs")
    return {key: list(dict.fromkeys(notes)) for key, notes in found.items()}


def _lost_seeds(frame: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Training, test set, number of seeds with values there and of all seeds, where some have none."""
    known = frame[(frame["status"] == "ok") & ~without_homologs(frame)]
    n = known.groupby([*TRAINING, "test_set"], sort=False)["seed"].nunique().rename("n").reset_index()
    n_all = frame.groupby(TRAINING, sort=False)["seed"].nunique().rename("n_all").reset_index()
    both = n.merge(n_all, on=TRAINING)
    return both[both["n"] < both["n_all"]].itertuples(index=False, name=None)


def flag_in_words(flag: str) -> str:
    """A flag of the metrics, with its number where it has one."""
    name, _, n = flag.partition(":")
    return FLAG_NAMES.get(name, name.replace("_", " ")) + (f" ({n})" if n else "")


def _shortage(test_set: str, n_positives: float, n_negatives: float, config: Config) -> list[str]:
    """A note where a test set has fewer negatives than its ratio asks for: average precision is higher with fewer."""
    known = config.battery.test_sets.get(test_set)
    if known is None or n_negatives >= LEAST_OF_RATIO * known.ratio * n_positives:
        return []
    return [f"{n_negatives / max(1, n_positives):.1f} negatives per positive, {known.ratio:g} wanted"]


def median_by_tf(scores: pd.DataFrame, column: str) -> float:
    """Median over TFs of the medians of their experiments, so that a factor with many experiments counts once."""
    known = scores[scores[column].notna()]
    return float(known.groupby("tf")[column].median().median()) if len(known) else float("nan")


def number(value: float, digits: int = 3) -> str:
    """A number for the page; what is not known is a dash."""
    return f"{value:.{digits}f}".replace("-", "−") if np.isfinite(value) else "–"
