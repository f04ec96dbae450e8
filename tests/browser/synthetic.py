"""A made-up run of any size, as the files that `bindgram report` reads; the benchmark of the report's size uses it too.

The first four experiments show what goes wrong: one was skipped, of one a model failed, one has metrics that are not
defined, one has suspicious negatives.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from bindgram.evaluation.audit import COLUMNS as AUDIT_COLUMNS
from bindgram.evaluation.audit import FEATURES
from bindgram.evaluation.collect import COLUMNS, format_table
from bindgram.evaluation.groups import POSITIVES
from bindgram.evaluation.metrics import METRICS
from bindgram.report.panel import Examples, make_panel
from bindgram.report.panel_scores import Scored

ROOT = Path(__file__).resolve().parents[2]
SPLIT, SCHEME = "fold_0", "genomic_matched"
TFS = ("CTCF", "REST", "MAX", "SPI1", "GATA1", "JUND", "CEBPB", "USF1", "YY1", "NRF1", "FOXA1", "E2F4")
BIOSAMPLES = ("K562", "HepG2", "GM12878", "A549", "MCF-7", "H1")
TEST_SETS = ("T1", "T2", "T3")
UNDEFINED = "not defined: the scores are no log odds"
N_SCORED = 600  # test examples, and as many of the twin
N_PANELS = 20  # that differ


@dataclass(frozen=True)
class Size:
    """How large the run is."""

    n_experiments: int
    models: Sequence[str] = ("awd_lstm", "deepbind_cnn", "danq")
    baselines: Sequence[str] = ("kmer3_lr", "gc", "jaspar", "gkm_svm", "likelihood_awd_lstm")
    seeds: Sequence[int] = (1, 2, 3)
    floor: str = "kmer3_lr"


def configuration(size: Size) -> str:
    """The shipped configuration with models and seeds of the run, as JSON."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    return json.dumps(
        config | {"models": list(size.models), "seeds": list(size.seeds), "split": SPLIT, "floor": size.floor}
    )


def write_run(folder: Path, size: Size) -> list[str]:
    """Write the files of a run; returns the options of `bindgram report` that name them."""
    rng = np.random.default_rng(5)
    (folder / "x").mkdir(parents=True, exist_ok=True)
    experiments = [
        (f"{TFS[i % len(TFS)]}_{i:03d}", TFS[i % len(TFS)], BIOSAMPLES[i % len(BIOSAMPLES)])
        for i in range(size.n_experiments)
    ]
    quality = rng.beta(5, 3, size.n_experiments)
    rows = [
        row
        for e, q in zip(experiments, quality, strict=True)
        for row in _rows(e, float(q), experiments.index(e), size, rng)
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    (folder / "metrics.tsv").write_text(format_table(frame))
    (folder / "metrics.tsv.json").write_text(
        json.dumps({"n_rows": {}, "provenance": {"revisions": {"collect": 3}, "digest": "d"}})
    )
    for number, (experiment, _, _) in enumerate(experiments):
        _write_experiment(folder / "x", experiment, number, size, rng)
    braces = f"{folder}/x/{{experiment}}"
    options = ["--metrics", f"{folder}/metrics.tsv", "--config-json", configuration(size), "--revision", "1"]
    options += ["--filter-template", f"{braces}/positives.filter.tsv", "--audit-template", f"{braces}.audit.tsv"]
    options += ["--panel-template", f"{braces}.panel.json", "--interpretation-template", f"{braces}.{{model}}.json"]
    return [*options, "--benchmark-template", f"{folder}/x/finetune.{{experiment}}.{{model}}.tsv"]


def _rows(
    experiment: tuple[str, str, str], quality: float, number: int, size: Size, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    name, tf, biosample = experiment
    shared = {"experiment": name, "tf": tf, "biosample": biosample, "split": SPLIT, "scheme": SCHEME}
    empty = {"test_set": "", "metric": "", "unit": "", "flag": ""}
    for place, model in enumerate([*size.models, *size.baselines]):
        for seed in size.seeds if model in size.models else size.seeds[:1]:
            known = shared | {"model": model, "seed": str(seed)}
            if number == 1:
                yield (
                    known
                    | empty
                    | {"status": "skipped", "reason": "12 positives in split test, fewer than the minimum of 20"}
                )
            elif number == 2 and model == size.models[-1]:
                yield (
                    known
                    | empty
                    | {"status": "failed", "reason": "results/logs/finetune_classifier/x.log: Error: <out of memory>"}
                )
            else:
                yield from _metric_rows(known, model, quality - 0.03 * place, number, size, rng)


def _metric_rows(
    known: dict[str, Any], model: str, quality: float, number: int, size: Size, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    baseline = model in size.baselines
    for t, test_set in enumerate(TEST_SETS):
        for metric, what in METRICS.items():
            about = {
                "test_set": test_set,
                "metric": metric,
                "unit": what.unit,
                "flag": "",
                "status": "ok",
                "reason": "",
            }
            about |= {"n_positives": 400 + 3 * number, "n_negatives": 4000 + 30 * number - 900 * (number == 3)}
            if (number == 3 and test_set == "T3") or (baseline and metric.startswith(("brier", "ece"))):
                yield (
                    known
                    | about
                    | {
                        "status": "not_defined",
                        "reason": UNDEFINED if baseline else "not defined: no other factor in this biosample",
                    }
                )
                continue
            centre = (0.35 if baseline else 0.9) * quality + 0.1 - 0.05 * t
            value = float(np.clip(centre + rng.normal(0, 0.02), 0.01, 0.99))
            if number == 0 and test_set == "T1":
                about["flag"] = "interval_unreliable"
            yield (
                known
                | about
                | {
                    "value": value,
                    "low": value - 0.04,
                    "high": min(1.0, value + 0.04),
                    "floor": 0.35 * quality + 0.1 - 0.05 * t,
                }
            )


def _write_experiment(folder: Path, name: str, number: int, size: Size, rng: np.random.Generator) -> None:
    counts = {"n_input": 9000 + number, "blacklist": 12, "overlaps_stronger": 310, "n_kept": 8600, "n_kept_test": 412}
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "positives.filter.tsv").write_text(
        "reason\tn\n" + "".join(f"{key}\t{n}\n" for key, n in counts.items())
    )
    rows = []
    for table in TEST_SETS:
        for feature in FEATURES:
            auroc = 0.62 if number == 3 and feature == "gc" else 0.5 + rng.uniform(-0.02, 0.02)
            suspicious = number == 3 and feature == "gc" and table == "T2"
            rows.append(
                {
                    "table": table,
                    "split": "test",
                    "scheme": SCHEME,
                    "feature": feature,
                    "auroc": f"{auroc:.4f}",
                    "low": f"{auroc - 0.02:.4f}",
                }
            )
            rows[-1] |= {
                "high": f"{auroc + 0.02:.4f}",
                "judged": "yes" if feature in ("gc", "kmer1") else "no",
                "suspicious": "yes" if suspicious else "no",
            }
            rows[-1] |= {"n_positives": "400", "n_negatives": "4000"}
    pd.DataFrame(rows).reindex(columns=list(AUDIT_COLUMNS)).to_csv(
        folder / f"{name}.audit.tsv", sep="\t", index=False, na_rep=""
    )
    if number != 1:
        (folder / f"{name}.panel.json").write_text(json.dumps({"experiment": name} | _panel(number % N_PANELS, size)))
        (folder / f"{name}.{size.models[0]}.json").write_text(json.dumps(_interpretation(name, number, size, rng)))
        for model in size.models:
            (folder / f"finetune.{name}.{model}.tsv").write_text(
                f"s\th:m:s\tmax_rss\n{1200 + number:.2f}\t0:20:00\t1912.25\n"
            )


def _noise(rng: np.random.Generator, *shape: int, digits: int = 3) -> list[Any]:
    return rng.random(shape).round(digits).tolist()


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


def _interpretation(name: str, number: int, size: Size, rng: np.random.Generator) -> dict[str, Any]:
    recovered = ("yes", "no", "not defined")[number % 3]
    verdict = {
        "recovered": recovered,
        "reason": "",
        "known": f"MA0139.2 {name.split('_')[0]}",
        "q_value": 3e-9,
        "pattern": "pattern_0",
    }
    if recovered == "not defined":
        verdict |= {
            "reason": f"not defined: no motif of {name.split('_')[0]} in JASPAR2026",
            "known": None,
            "q_value": None,
        }
    return {
        "status": "ok",
        "reason": "",
        "model": size.models[0],
        "method": "ism",
        "n_sequences": 500,
        "verdict": verdict,
        "patterns": [
            {
                "name": f"pattern_{i}",
                "n_seqlets": 120,
                "probabilities": _noise(rng, 15, 4),
                "contributions": _noise(rng, 15, 4),
                "matches": [],
            }
            for i in range(4)
        ],
        "sites": [
            {
                "chrom": "chr1",
                "start": 1000 * i,
                "end": 1000 * i + 200,
                "strand": "+",
                "score": 3.2,
                "sequence": "ACGT" * 50,
                "importance": _noise(rng, 200),
            }
            for i in range(10)
        ],
        "methods": {},
    }
