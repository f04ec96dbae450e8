"""Two runs side by side: which results changed by more than another test set would change them.

Where both runs keep the predictions of the same test examples, the same blocks of the genome are resampled for both,
and the interval is that of the difference. Otherwise the two intervals are taken as independent, which is cautious, and
is said. Different test sets are compared on the examples they share, or not at all.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bindgram.data.examples import read_examples
from bindgram.errors import InputError
from bindgram.evaluation.collect import read_collected, read_metrics
from bindgram.evaluation.metrics import METRICS, one_class_reason
from bindgram.evaluation.pairs import ONE_BLOCK, Measured, Resampling, interval_and_p_value, measure
from bindgram.evaluation.predictions import read_predictions
from bindgram.provenance import write_text

KEYS = ["experiment", "split", "model", "scheme", "seed"]
ROW = ["test_set", "metric"]
COLUMNS = (
    *(*KEYS, "tf", *ROW, "value_a", "value_b", "difference", "low", "high", "p_value", "q_value"),
    *("n_examples", "basis", "group", "note"),
)
BETTER, WORSE, WITHIN, NEW, GONE = "better", "worse", "within the interval", "new", "gone"
REFUSED = "not comparable"
ALPHA = 0.05  # share of false changes among those that are told
PAIRED, UNPAIRED = "paired", "intervals"
NOT_CORRECTED = "beyond its own interval, but not after correction for the number of comparisons"


@dataclass(frozen=True)
class Run:
    """Results of one run: folder, the collected table, and its provenance."""

    folder: Path
    frame: pd.DataFrame
    provenance: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """Read a run from its folder of results, or from the folder in which that stands.

        Raises
        ------
        InputError : there is no collected table.
        """
        results = folder if (folder / "metrics.tsv").is_file() else folder / "results"
        if not (results / "metrics.tsv").is_file():
            raise InputError(f"{folder}: no metrics.tsv; name the folder of results of a run that was collected")
        return cls(results, *read_collected(results / "metrics.tsv"))

    def path(self, kind: str, training: "Training", suffix: str) -> Path:
        """File of a training below ``metrics`` or ``predictions``."""
        folder = self.folder / kind / training.model / training.split / training.experiment / training.scheme
        return folder / f"s{training.seed}{suffix}"


class Training(NamedTuple):
    """One trained model, as in `KEYS`."""

    experiment: str
    split: str
    model: str
    scheme: str
    seed: str


def compare_runs(
    run_a: Run, run_b: Run, test_sets: Sequence[str], metrics: Sequence[str], processes: int
) -> pd.DataFrame:
    """A row of `COLUMNS` for everything that one of the runs has, B less A.

    Parameters
    ----------
    test_sets, metrics : to compare; all where empty.

    Raises
    ------
    InputError : a test set or metric is in neither run.
    """
    frames = [_restricted(run.frame, test_sets, metrics) for run in (run_a, run_b)]
    for option, column, names in (("--test-set", "test_set", test_sets), ("--metric", "metric", metrics)):
        known = set(frames[0][column]) | set(frames[1][column])
        if unknown := [name for name in names if name not in known]:
            raise InputError(
                f"{option}: in neither run: {', '.join(unknown)}; there are {', '.join(sorted(known - {''}))}"
            )
    parts = [{Training(*key): rows for key, rows in frame.groupby(KEYS, sort=False)} for frame in frames]
    nothing = frames[0].iloc[:0]
    tasks = [(key, *(part.get(key, nothing) for part in parts)) for key in sorted({*parts[0], *parts[1]})]
    compare = partial(_compare_training, run_a, run_b)
    if processes == 1:
        rows = [row for task in tasks for row in compare(task)]
    else:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            rows = [row for part in pool.map(compare, tasks, chunksize=8) for row in part]
    return _corrected(pd.DataFrame(rows, columns=list(COLUMNS)))


def _restricted(frame: pd.DataFrame, test_sets: Sequence[str], metrics: Sequence[str]) -> pd.DataFrame:
    """Rows of some test sets and metrics, and those of experiments that have none."""
    kept = pd.Series(True, index=frame.index)
    for column, names in (("test_set", test_sets), ("metric", metrics)):
        kept &= frame[column].isin([*names, ""]) if names else True
    return frame[kept]


def _compare_training(
    run_a: Run, run_b: Run, task: tuple[Training, pd.DataFrame, pd.DataFrame]
) -> list[dict[str, Any]]:
    training, *frames = task
    identity = training._asdict() | {"tf": next(frame["tf"].iloc[0] for frame in frames if len(frame))}
    sides = [_Side(frame) for frame in frames]
    keys = sorted({*sides[0].rows, *sides[1].rows} - {("", "")})
    if not keys:  # neither run has metrics: skipped or failed in both, or only one knows it
        statuses = [side.status or None for side in sides]
        return [identity | _outcome(*statuses, *(side.reason for side in sides))]
    pairs = _Paired(run_a, run_b, training)
    rows = []
    for test_set, metric in keys:
        found = [side.of(test_set, metric) for side in sides]
        row = identity | {"test_set": test_set, "metric": metric}
        row |= {f"value_{name}": one["value"] for name, one in zip("ab", found, strict=True) if one["status"] == "ok"}
        if all(one["status"] == "ok" for one in found):
            rows.append(row | pairs.compare(test_set, metric, *found))
        else:
            rows.append(row | _outcome(*(one["status"] for one in found), *(one["reason"] for one in found)))
    return rows


class _Side:
    """What one run has of a training."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.rows = {(row["test_set"], row["metric"]): row for row in frame.to_dict("records")}
        whole = self.rows.get(("", ""), {})  # skipped or failed as a whole
        self.status, self.reason = whole.get("status"), whole.get("reason", "")

    def of(self, test_set: str, metric: str) -> dict[str, Any]:
        """Row of a metric, or the status of the whole training."""
        absent = {"status": self.status, "reason": self.reason, "value": None}
        return self.rows.get((test_set, metric), absent)


def _outcome(status_a: str | None, status_b: str | None, reason_a: str, reason_b: str) -> dict[str, Any]:
    """Group of a result that one of the runs does not have."""
    if status_a is None:
        return {"group": NEW, "note": reason_b}
    if status_b is None:
        return {"group": GONE, "note": reason_a}
    words = {"ok": "ok", "skipped": "skipped", "failed": "failed", "not_defined": "not defined"}
    if status_a == status_b:
        return {"group": f"{words[status_b]} in both", "note": reason_b}
    return {"group": f"became {words[status_b]}", "note": reason_b or reason_a}


class _Paired:
    """Test examples that two runs of a training share, read once."""

    def __init__(self, run_a: Run, run_b: Run, training: Training) -> None:
        self.runs, self.training = (run_a, run_b), training
        paths = [run.path("predictions", training, ".parquet") for run in self.runs]
        self.tables = [read_predictions(path) for path in paths] if all(path.is_file() for path in paths) else None
        settings = run_b.path("metrics", training, ".json")
        self.provenance = read_metrics(settings)["provenance"] if settings.is_file() else None
        self.measured: dict[str, Any] = {}

    def compare(self, test_set: str, metric: str, row_a: Mapping[str, Any], row_b: Mapping[str, Any]) -> dict[str, Any]:
        """Difference of a metric that both runs have."""
        base = {"difference": row_b["value"] - row_a["value"]}
        if self.tables is None or self.provenance is None:
            counts = [[row[f"n_{name}"] for name in ("positives", "negatives")] for row in (row_a, row_b)]
            if counts[0] != counts[1]:
                return {"group": REFUSED, "note": f"test sets of other sizes, {counts[0]} and {counts[1]}"}
            if self.provenance is None:
                return {"group": REFUSED, "note": "no metrics file: the coverage of the intervals is not known"}
            why = "predictions are not there for both: that the test sets are the same is not known"
            return base | _unpaired(row_a, row_b, self.provenance["settings"]["confidence"], metric) | {"note": why}
        if test_set not in self.measured:
            self.measured[test_set] = self._measure(test_set)
        measured, note, n_examples, whole = self.measured[test_set]
        if measured is None:
            return {"group": REFUSED, "note": note}
        confidence = self.provenance["settings"]["confidence"]
        if metric in measured.drawn:
            return {"note": note, "n_examples": n_examples} | _paired(measured, metric, confidence)
        if not whole:
            return {"group": REFUSED, "note": note}
        return base | _unpaired(row_a, row_b, confidence, metric) | {"n_examples": n_examples}

    def _measure(self, test_set: str) -> tuple[Any, str, int, bool]:
        """Metrics of both on the examples they share, a note, how many these are, and whether they are all."""
        assert self.tables is not None
        assert self.provenance is not None
        rows = [frame[(frame["test_set"] == test_set) & (frame["split"] == "test")] for frame, _ in self.tables]
        digests = [metadata["provenance"]["inputs"].get(test_set) for _, metadata in self.tables]
        whole, note = digests[0] == digests[1] and digests[0] is not None, ""
        if not whole:
            kept = self._shared(test_set)
            rows = [part[part["example_id"].isin(kept)] for part in rows]
            note = f"test sets differ: compared on the {len(kept):,} examples that they share"
        joined = rows[1].merge(
            rows[0][["example_id", "label", "score"]], on=["example_id", "label"], suffixes=("", "_a")
        )
        reason = one_class_reason(joined["label"].to_numpy())
        if reason:
            return None, f"test sets differ, {reason} that they share", len(joined), whole
        settings = self.provenance["settings"]
        resampling = Resampling(
            settings["replicates"], settings["confidence"], settings["max_block_bp"], self.provenance["seed"]
        )
        scores = joined[["score_a", "score"]].to_numpy(np.float64).T
        if not np.isfinite(scores).all():
            return None, "scores are not finite", len(joined), whole
        return measure(joined, scores, test_set, resampling), note, len(joined), whole

    def _shared(self, test_set: str) -> set[str]:
        """Ids of test examples with the same label and sequence in both runs."""
        place = Path("battery") / self.training.split / self.training.experiment / f"{test_set}.parquet"
        paths = [run.folder / place for run in self.runs]
        if not all(path.is_file() for path in paths):
            return set()
        columns = ["example_id", "label", "split", "sequence"]
        tables = [read_examples(path, columns).frame for path in paths]
        both = tables[0].merge(tables[1], on=columns)
        return set(both.loc[both["split"] == "test", "example_id"])


def _paired(measured: Measured, metric: str, confidence: float) -> dict[str, Any]:
    """B less A on the same replicates, with the interval and the p-value of pairs of models."""
    value_a, value_b = (float(value) for value in measured.values[metric])
    replicates = measured.drawn[metric][1] - measured.drawn[metric][0]
    difference = value_b - value_a
    low, high, p_value = interval_and_p_value(difference, replicates, measured.n_blocks, confidence)
    found = {"value_a": value_a, "value_b": value_b, "difference": difference, "low": low, "high": high}
    if low is None or high is None:
        return found | {"group": REFUSED, "note": f"no interval: {ONE_BLOCK}"}
    return found | {"p_value": p_value, "basis": PAIRED, "group": group_of(metric, low, high)}


def _unpaired(row_a: Mapping[str, Any], row_b: Mapping[str, Any], confidence: float, metric: str) -> dict[str, Any]:
    """B less A from two intervals, taken as independent and normal."""
    widths = [row["high"] - row["low"] for row in (row_a, row_b)]
    if not all(np.isfinite(width) for width in widths):
        return {"group": REFUSED, "note": "no interval"}
    reach = NormalDist().inv_cdf((1 + confidence) / 2)
    spread = float(np.hypot(*widths)) / (2 * reach)
    difference = row_b["value"] - row_a["value"]
    low, high = difference - reach * spread, difference + reach * spread
    found = {"low": low, "high": high, "p_value": _p_value(difference, spread), "basis": UNPAIRED}
    return found | {"group": group_of(metric, low, high)}


def _p_value(difference: float, spread: float) -> float:
    if not spread > 0:
        return 1.0 if difference == 0 else 0.0
    return 2 * NormalDist().cdf(-abs(difference) / spread)


def group_of(metric: str, low: float, high: float) -> str:
    """Better, worse or within the interval, as the metric has it."""
    if low <= 0 <= high:
        return WITHIN
    known = METRICS.get(metric.partition(".")[0])
    rises = low > 0
    return BETTER if rises == (known is None or known.better != "lower") else WORSE


def _corrected(frame: pd.DataFrame) -> pd.DataFrame:
    """Q-values over all comparisons; a change that does not survive them is within the interval, with a note.

    References
    ----------
    Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    from scipy.stats import false_discovery_control  # slow to import

    frame = frame.astype(dict.fromkeys(("p_value", "q_value"), np.float64))
    tested = frame["p_value"].notna()
    if tested.any():
        frame.loc[tested, "q_value"] = false_discovery_control(frame.loc[tested, "p_value"])
    lost = frame["group"].isin([BETTER, WORSE]) & (frame["q_value"] > ALPHA)
    frame["note"] = frame["note"].fillna("")
    frame.loc[lost, "note"] = [f"{NOT_CORRECTED}; {note}".removesuffix("; ") for note in frame.loc[lost, "note"]]
    frame.loc[lost, "group"] = WITHIN
    return frame


def write_comparison(path: Path, frame: pd.DataFrame) -> None:
    """Write the rows as TSV, six significant digits and nothing for what is not known."""
    text = frame.to_csv(sep="\t", index=False, float_format="%.6g", lineterminator="\n")
    write_text(path, text)


def summary_lines(frame: pd.DataFrame, shown: int) -> Iterator[str]:
    """How many results are in each group, and the largest changes of each that is no mere absence."""
    counts = frame["group"].value_counts()
    yield f"{len(frame)} results compared, {frame['experiment'].nunique()} experiments"
    for group in sorted(counts.index):
        experiments = frame.loc[frame["group"] == group, "experiment"].nunique()
        yield f"  {group}: {counts[group]} results of {experiments} experiment(s)"
    for basis, words in ((PAIRED, "same examples, paired"), (UNPAIRED, "from two intervals, unpaired and cautious")):
        if n := int((frame["basis"] == basis).sum()):
            yield f"  {n} compared on {words}" if basis == PAIRED else f"  {n} compared {words}"
    for group in (WORSE, BETTER):
        changed = frame[frame["group"] == group].sort_values("difference", key=np.abs, ascending=False)
        if len(changed):
            yield f"{group} (false discovery rate {ALPHA:g}), largest first:"
        for row in changed.head(shown).to_dict("records"):
            place = " ".join(str(row[name]) for name in ("experiment", "model", "scheme", "seed", "split", *ROW))
            change = f"{row['value_a']:.4f} to {row['value_b']:.4f}, {row['difference']:+.4f}"
            interval = f"({row['low']:+.4f} to {row['high']:+.4f})"
            yield f"  {place}: {change} {interval}, q {row['q_value']:.2g}, {row['basis']}"
