"""A made-up run of any size, as the files that `bindgram report` reads; the benchmark of the report's size uses it too.

The first four experiments show what goes wrong: the second was skipped, of the third a model failed, the first has an
unreliable interval, the fourth suspicious negatives, too few of them, and metrics that are not defined.
"""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from bindgram.evaluation.audit import COLUMNS as AUDIT_COLUMNS
from bindgram.evaluation.audit import FEATURES
from bindgram.evaluation.collect import COLUMNS
from bindgram.evaluation.controls import EFFICIENCY_COLUMNS
from bindgram.evaluation.groups import POSITIVES
from bindgram.evaluation.metrics import METRICS
from bindgram.report.panel import Examples, make_panel
from bindgram.report.panel_scores import Scored

ROOT = Path(__file__).resolve().parents[2]
SPLIT, SCHEME = "fold_0", "genomic_matched"
TFS = ("CTCF", "REST", "MAX", "SPI1", "GATA1", "JUND", "CEBPB", "USF1", "YY1", "NRF1", "FOXA1", "E2F4")
BIOSAMPLES = ("K562", "HepG2", "GM12878", "A549", "MCF-7", "H1")
TEST_SETS = ("T1", "T2", "T3")
NO_LOG_ODDS, NO_OTHERS = "not defined: the scores are no log odds", "not defined: no other factor in this biosample"
N_SCORED = 600  # test examples, and as many of the twin
N_PANELS = 5  # that differ


@dataclass(frozen=True)
class Size:
    """How large the run is."""

    n_experiments: int
    models: Sequence[str] = ("awd_lstm", "deepbind_cnn", "danq")
    baselines: Sequence[str] = ("kmer3_lr", "gc", "jaspar", "gkm_svm", "likelihood_awd_lstm")
    seeds: Sequence[int] = (1, 2, 3)
    floor: str = "kmer3_lr"

    @property
    def experiments(self) -> list[tuple[str, str, str]]:
        """Id, TF and biosample of each."""
        return [
            (f"{TFS[i % len(TFS)]}_{i:03d}", TFS[i % len(TFS)], BIOSAMPLES[i % len(BIOSAMPLES)])
            for i in range(self.n_experiments)
        ]


def configuration(size: Size) -> str:
    """The shipped configuration with models and seeds of the run, as JSON."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    changed = {"models": list(size.models), "seeds": list(size.seeds), "split": SPLIT, "floor": size.floor}
    return json.dumps(config | changed)


def write_run(folder: Path, size: Size) -> list[str]:
    """Write the files of a run; returns the options of `bindgram report` that name them."""
    rng = np.random.default_rng(5)
    frame = metrics_frame(size, rng)
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / "metrics.tsv", sep="\t", index=False, float_format="%.6f", na_rep="")
    provenance = {"n_rows": {}, "provenance": {"revisions": {"collect": 3}, "digest": "d"}}
    (folder / "metrics.tsv.json").write_text(json.dumps(provenance))
    (folder / "comparison.json").write_text(json.dumps(_comparison(size, rng)))
    found = _interpretation(rng)
    for number, (experiment, tf, _) in enumerate(size.experiments):
        _write_experiment(folder / experiment, number, size, rng)
        if number != 1:
            panel = {"experiment": experiment} | _panel(number % N_PANELS, size)
            (folder / experiment / "panel.json").write_text(json.dumps(panel))
            text = json.dumps(found | {"verdict": _verdict(number, tf)})
            (folder / experiment / f"{size.models[0]}.json").write_text(text)
    place = f"{folder}/{{experiment}}"
    options = ["--metrics", f"{folder}/metrics.tsv", "--config-json", configuration(size), "--revision", "1"]
    options += ["--filter-template", f"{place}/positives.filter.tsv", "--audit-template", f"{place}/audit.tsv"]
    options += ["--panel-template", f"{place}/panel.json", "--interpretation-template", f"{place}/{{model}}.json"]
    _write_controls(folder, size)
    options += ["--data-efficiency", f"{folder}/efficiency.tsv", "--permuted-control", f"{folder}/permuted.json"]
    return [*options, "--benchmark-template", f"{place}/{{model}}.tsv", "--comparison", f"{folder}/comparison.json"]


def _write_controls(folder: Path, size: Size) -> None:
    """Scores with fewer positives, with a figure, and verdicts of permuted labels."""
    given = {"split": SPLIT, "scheme": SCHEME, "test_set": "T2"}
    rows = [
        {**given, "experiment": name, "tf": tf, "model": model, "positives": n, "n_positives": n, "value": n / 2000}
        for name, tf, _ in size.experiments[:9]
        for model in size.models
        for n in (250, 1000)
    ]
    frame = pd.DataFrame(rows).assign(metric="average_precision", seed=1).reindex(columns=list(EFFICIENCY_COLUMNS))
    frame.to_csv(folder / "efficiency.tsv", sep="\t", index=False)
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="400" height="90"><path d="M9 80L390 9" stroke="blue"/></svg>'
    (folder / "efficiency.svg").write_text(svg)
    verdict = {"n": 9, "n_hold_half": 5, "expected": 8.55, "expected_low": 7, "expected_high": 9, "centre": 0.49}
    verdict |= {"low": 0.46, "high": 0.52, "verdict": "scattered", "reason": ""}
    verdicts = [given | verdict | {"model": model} for model in size.models]
    (folder / "permuted.json").write_text(json.dumps({"confidence": 0.95, "verdicts": verdicts}))


def metrics_frame(size: Size, rng: np.random.Generator) -> pd.DataFrame:
    """The table of all metrics: every score first, then what went wrong is taken out."""
    learners = [(model, seed) for model in size.models for seed in size.seeds]
    learners += [(model, size.seeds[0]) for model in size.baselines]
    numbers, places, sets, metrics = (
        axis.ravel()
        for axis in np.meshgrid(
            *map(np.arange, (size.n_experiments, len(learners), len(TEST_SETS), len(METRICS))), indexing="ij"
        )
    )
    names = np.array(size.experiments, dtype=object)
    model = np.array([name for name, _ in learners], dtype=object)[places]
    quality = rng.beta(5, 3, size.n_experiments)[numbers]
    baseline = np.isin(model, size.baselines)
    rank = np.array([[*size.models, *size.baselines].index(name) for name, _ in learners])[places]
    value = np.where(baseline, 0.35, 0.9) * (quality - 0.03 * rank) + 0.1 - 0.05 * sets
    value = np.clip(value + rng.normal(0, 0.02, len(value)), 0.01, 0.99)
    n_positives, few = 400 + 3 * numbers, 900 * (numbers == 3)
    frame = pd.DataFrame(
        {
            **{name: names[numbers, at] for at, name in enumerate(("experiment", "tf", "biosample"))},
            **{"model": model, "scheme": SCHEME, "seed": np.array([seed for _, seed in learners])[places]},
            **{"split": SPLIT, "test_set": np.array(TEST_SETS, dtype=object)[sets]},
            "metric": np.array(list(METRICS), dtype=object)[metrics],
            "unit": np.array([metric.unit for metric in METRICS.values()], dtype=object)[metrics],
            **{"value": value, "low": value - 0.04, "high": np.minimum(1, value + 0.04)},
            "floor": 0.35 * quality + 0.1 - 0.05 * sets,
            **{"n_positives": n_positives, "n_negatives": 10 * n_positives - few},
            "flag": np.where((numbers == 0) & (sets == 0), "interval_unreliable", ""),
            **{"status": "ok", "reason": ""},
        }
    )[list(COLUMNS)]
    return _with_problems(frame, numbers, sets, size)


def _with_problems(frame: pd.DataFrame, numbers: np.ndarray, sets: np.ndarray, size: Size) -> pd.DataFrame:
    """The same with experiments that were skipped or failed, and metrics that are not defined."""
    unknown = frame["model"].isin(size.baselines) & frame["metric"].str.startswith(("brier", "ece"))
    for rows, reason in ((unknown, NO_LOG_ODDS), (pd.Series((numbers == 3) & (sets == 2)), NO_OTHERS)):
        frame.loc[rows, ["value", "low", "high", "floor"]] = np.nan
        frame.loc[rows, ["status", "reason"]] = ["not_defined", reason]
    wrong = {
        "skipped": (pd.Series(numbers == 1), "12 positives in split test, fewer than the minimum of 20"),
        "failed": (
            pd.Series(numbers == 2) & (frame["model"] == size.models[-1]),
            "results/logs/finetune_classifier/x.log: Error: <out of memory>",
        ),
    }
    for status, (rows, reason) in wrong.items():
        columns = ["value", "low", "high", "floor", "n_positives", "n_negatives"]
        frame[columns] = frame[columns].astype(object)
        frame.loc[rows, [*columns, "test_set", "metric", "unit", "flag"]] = ""
        frame.loc[rows, ["status", "reason"]] = [status, reason]
    return frame.drop_duplicates(["experiment", "model", "seed", "test_set", "metric"])


def _write_experiment(folder: Path, number: int, size: Size, rng: np.random.Generator) -> None:
    folder.mkdir(exist_ok=True)
    counts = {"n_input": 9000 + number, "blacklist": 12, "overlaps_stronger": 310, "n_kept": 8600, "n_kept_test": 412}
    (folder / "positives.filter.tsv").write_text("reason\tn\n" + "".join(f"{key}\t{n}\n" for key, n in counts.items()))
    lines = ["\t".join(AUDIT_COLUMNS)]
    for table, feature in itertools.product(TEST_SETS, FEATURES):
        suspicious = number == 3 and feature == "gc" and table == "T2"
        auroc = 0.62 if suspicious else 0.5 + rng.uniform(-0.02, 0.02)
        row = {"table": table, "split": "test", "scheme": SCHEME, "feature": feature, "auroc": f"{auroc:.4f}"}
        row |= {"low": f"{auroc - 0.02:.4f}", "high": f"{auroc + 0.02:.4f}", "n_positives": "400"}
        row |= {"judged": "yes" if feature in ("gc", "kmer1") else "no", "suspicious": "yes" if suspicious else "no"}
        lines.append("\t".join(row.get(name, "4000" if name == "n_negatives" else "") for name in AUDIT_COLUMNS))
    (folder / "audit.tsv").write_text("\n".join(lines) + "\n")
    if number != 1:
        for model in size.models:
            (folder / f"{model}.tsv").write_text(f"s\th:m:s\tmax_rss\n{1200 + number:.2f}\t0:20:00\t1912.25\n")


def _noise(rng: np.random.Generator, *shape: int) -> list[Any]:
    return rng.random(shape).round(3).tolist()


@cache
def _panel(number: int, size: Size) -> dict[str, Any]:
    """The panel of an experiment with all its models and seeds; experiments share a few, which are as large as any."""
    rng = np.random.default_rng(number)
    models = [*size.models, *size.baselines]
    results = [
        Scored(model, _scores(2 - 0.2 * place + 0.1 * seed, rng), {"skipped_test_sets": {}, "reason": ""})
        for place, model in enumerate(models)
        for seed in (size.seeds if model in size.models else size.seeds[:1])
    ]
    steps = np.arange(1, 31)
    log = pd.DataFrame({"stage": steps // 11, "train_loss": 0.2 + 0.5 * np.exp(-steps / 6)})
    logs = [(r.model, log + rng.normal(0, 0.01, (30, 1))) for r in results if r.model in size.models]
    logs = [(name, made.assign(stage=log["stage"], valid_loss=made["train_loss"] + 0.02)) for name, made in logs]
    logs = [(name, made.assign(valid_auroc=1 - made["valid_loss"] / 2)) for name, made in logs]
    names = (POSITIVES, "training: genomic matched", *(f"{name}: shuffle" for name in TEST_SETS))
    sets = {
        name: pd.DataFrame(
            {"sequence": ["".join(row) for row in rng.choice(list("ACGT"), (60, 200))], "split": "train"}
        )
        for name in names
    }
    ids, starts = results[0].frame["example_id"], 5000 + 700 * np.arange(len(results[0].frame))
    places = pd.DataFrame({"example_id": ids, "chrom": "chr8", "start": starts, "end": starts + 200})
    places = places.assign(label=results[0].frame["label"])[:N_SCORED]
    facts = {"assembly": "hg38", "split": SPLIT, "scheme": SCHEME, "accession": "ENCSR000EGM"}
    widths = rng.gamma(6, 50, 2000).astype(int) + 120
    return make_panel(facts, results, logs, Examples(sets, {"T2": places}, widths, ""), None, "T2")


def _scores(signal: float, rng: np.random.Generator) -> pd.DataFrame:
    labels = (np.arange(2 * N_SCORED) % 3 == 0).astype(int)
    split = np.repeat(["test", "valid"], N_SCORED)
    ids = [f"{part}{number}" for number, part in enumerate(split)]
    score = signal * labels + rng.normal(size=2 * N_SCORED)
    return pd.DataFrame({"test_set": "T2", "example_id": ids, "split": split, "label": labels, "score": score})


def _verdict(number: int, tf: str) -> dict[str, Any]:
    recovered = ("yes", "no", "not defined")[number % 3]
    if recovered == "not defined":
        reason = f"not defined: no motif of {tf} in JASPAR2026"
        return {"recovered": recovered, "reason": reason, "known": None, "q_value": None, "pattern": None}
    return {"recovered": recovered, "reason": "", "known": f"MA0139.2 {tf}", "q_value": 3e-9, "pattern": "pattern_0"}


def _interpretation(rng: np.random.Generator) -> dict[str, Any]:
    pattern = {
        "n_seqlets": 120,
        "probabilities": _noise(rng, 15, 4),
        "contributions": _noise(rng, 15, 4),
        "matches": [],
    }
    site = {"chrom": "chr1", "strand": "+", "score": 3.2, "sequence": "ACGT" * 50}
    return {
        **{"status": "ok", "reason": "", "method": "ism", "n_sequences": 500, "methods": {}},
        "patterns": [{"name": f"pattern_{i}", **pattern} for i in range(4)],
        "sites": [site | {"start": 1000 * i, "end": 1000 * i + 200, "importance": _noise(rng, 200)} for i in range(10)],
    }


def _comparison(size: Size, rng: np.random.Generator) -> dict[str, Any]:
    """As `bindgram compare-models` writes it, for two test sets."""
    names = [*size.models, *size.baselines]
    family = [{"split": SPLIT, "scheme": SCHEME, "test_set": t, "metric": "average_precision"} for t in ("T1", "T2")]
    pairs = [(one, other) for one in size.models for other in names if one != other]
    n = size.n_experiments
    compared = [
        {
            **{
                "model": one,
                "other": other,
                "n_experiments": n,
                "n_tfs": 12,
                "n_not_defined": 1,
                "median_difference": 0.1,
            },
            **{
                "hodges_lehmann": 0.11,
                "low": 0.05,
                "high": 0.16,
                "p_value": 1e-4,
                "q_value": 3e-4,
                "rank_biserial": 0.9,
            },
            **{"wins": n // 2, "ties": n - n // 2, "losses": 0, "tf_wins": 8, "tf_ties": 4, "tf_losses": 0},
            **{"n_better": 3, "n_worse": 0, "seeds": {"1": 0.1, "2": 0.12}, "reason": ""},
        }
        for one, other in pairs
    ]
    ranking = {"status": "ok", "reason": "", "n_tfs": 12, "models": names, "left_out": {}, "statistic": 9.0}
    ranking |= {"average_ranks": sorted(rng.uniform(1, len(names), len(names)).tolist()), "p_value": 1e-5}
    ranking |= {"critical_difference": 1.7, "pairs": []}
    return {
        **{"status": "ok", "reason": "", "confidence": 0.95, "models": list(size.models)},
        "comparisons": [shared | pair for shared in family for pair in compared],
        "rankings": [shared | ranking for shared in family],
    }
