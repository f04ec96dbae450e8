"""Permuted-label control over 50 yeast experiments: do 95 % intervals of models that can know nothing hold 0.5?

Usage::

    python benchmarks/permuted_control.py make --data ../shared/data --folder results/permuted
    python benchmarks/permuted_control.py measure --folder results/permuted

`make` runs the commands of the workflow in one process: examples and test sets of the 50 targets with most sites up to
800, then baselines and a small CNN on three tables of each: labels as they are, labels of the training rows permuted
(validation true), labels of training and validation rows permuted (what ``bindgram vary --variant permuted`` makes).
What is there is not made again. `measure` evaluates all of it, and once more with the labels of the test rows permuted
instead, where 0.5 is right by construction whatever the model knows.
"""

import argparse
import contextlib
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from scipy.stats import binom

from bindgram.cli import cli
from bindgram.data.examples import ExampleTable, read_examples, write_examples
from bindgram.evaluation.pairs import Resampling, Scored, measure
from bindgram.evaluation.predictions import read_predictions
from bindgram.evaluation.signed_ranks import hodges_lehmann
from bindgram.evaluation.statistics import replicate_interval
from bindgram.evaluation.variants import permute_labels
from bindgram.provenance import step_rng

ROOT = Path(__file__).resolve().parents[1]
N_EXPERIMENTS = 50
WIDTH = 100
SPLIT = ROOT / "benchmarks/real_data/splits/sacCer3_chromosomes.yaml"
CNN = ROOT / "benchmarks/permuted_control.yaml"
MOST_SITES = 800
BASELINES = {
    "gc": "{kind: kmer, k: 0, inverse_regularisation: 1.0}",
    "kmer3_lr": "{kind: kmer, k: 3, inverse_regularisation: 1.0}",
}
TUNED = "--exclusion-bp 200 --neighbour-bp 5000 --gc-bins 50 --repeat-bins 5 --minimum-fraction 0.1 --seed 1"
TABLES = ("true", "train", "permuted")
TEST_SETS = ("T1", "T2")
RESAMPLING = Resampling(1000, 0.95, 1_000_000, 1)
REVISIONS = yaml.safe_load((ROOT / "config/revisions.yaml").read_text())


def run(command: str, *words: object) -> None:
    """One command of bindgram in this process, silent."""
    arguments = [
        command,
        *(part for word in words for part in ([str(word)] if isinstance(word, Path) else word.split())),
    ]
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        cli.main([*arguments, "--revision", str(REVISIONS[command])], standalone_mode=False)


def make_genome(data: Path, folder: Path) -> str:
    """Genome, index and tiles; return the options that name them."""
    genome, record = folder / "genome.fa", folder / "genome.json"
    if not (folder / "tiles.h5").exists():
        run("fetch", f"--kind fasta --source {data}/sacCer3/sacCer3.fa.gz --output {genome} --record {record}")
        run("index", f"--genome {genome} --record {record} --fai {genome}.fai --chrom-sizes {folder}/chrom.sizes")
        tiles = f"--assembly sacCer3 --width {WIDTH} --output {folder}/tiles.h5"
        run("tile", f"--genome {genome} --genome-record {record} {tiles}")
    return f"--genome {genome} --assembly sacCer3 --split {SPLIT}"


def make_examples(peaks: Path, folder: Path, genome: str) -> None:
    """Positives, labelled examples, test sets T1 (1:1) and T2 (1:5), and both permuted tables."""
    name = folder.name
    packed, record = folder / "peaks.bed.gz", folder / "peaks.json"
    run("fetch", f"--kind peaks --source {peaks} --output {packed} --record {record}")
    called = f"--peaks {packed} --peaks-record {record} --format bed"
    run(
        "positives",
        f"--experiment {name} {called} {genome} --genome-record {folder.parent}/genome.json --width {WIDTH}",
        "--filter split --filter n_fraction=0 --filter overlap=keep_strongest --filter duplicate --seed 1",
        f"--minimum-train 20 --minimum-valid 5 --minimum-test 5 --output {folder}/positives.parquet",
        f"--filter-table {folder}/positives.tsv",
    )
    shared = f"--experiment {name} --positives {folder}/positives.parquet {TUNED} {genome}"
    shared += f" --tiles {folder.parent}/tiles.h5 {called}"
    outputs = f"--output {folder}/negatives.parquet --labelled {folder}/true.parquet --filter-table {folder}/n.tsv"
    run("negatives", f"--scheme genomic_matched --ratio 1 {outputs} {shared}")
    tests = (
        f"--test-set T1 dinucleotide_shuffle 1 {folder}/T1.parquet --test-set T2 genomic_matched 5 {folder}/T2.parquet"
    )
    run("battery", f"{tests} --filter-table {folder}/t.tsv {shared}")
    table = read_examples(folder / "true.parquet")
    if not table.skipped:
        both = permute_labels(table, step_rng(1, "vary", name))
        valid = (table.frame["split"] == "valid").to_numpy()
        train = both.frame.assign(label=np.where(valid, table.frame["label"], both.frame["label"]))
        write_examples(folder / "permuted.parquet", both)
        write_examples(folder / "train.parquet", ExampleTable(train, provenance=table.provenance))


def make_predictions(folder: Path) -> None:
    tests = f"--test-set T1={folder}/T1.parquet --test-set T2={folder}/T2.parquet"
    for name in TABLES:
        done = folder / f"{name}.cnn.parquet"
        if done.exists():
            continue
        words = [f"--labelled {folder}/{name}.parquet {tests}"]
        arguments = [part for word in words for part in word.split()]
        for baseline, settings in BASELINES.items():
            arguments += ["--baseline", baseline, settings, f"{folder}/{name}.{baseline}.parquet"]
        cli.main(
            ["baseline", *arguments, "--seed", "1", "--threads", "1", "--revision", str(REVISIONS["baseline"])],
            standalone_mode=False,
        )
        device = "--threads 1 --device cpu"
        run("finetune", f"--model {CNN} --labelled {folder}/{name}.parquet --output {folder}/{name} --seed 1 {device}")
        run("score", f"--bundle {folder}/{name}/s1 {done} {tests} {device}")


def make(data: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    genome = make_genome(data, folder)
    table = pd.read_csv(data / "sacCer3/experiments.tsv", sep="\t").sort_values(
        "n_peaks", ascending=False, kind="stable"
    )
    for row in table[table["n_peaks"] <= MOST_SITES].drop_duplicates("target").head(N_EXPERIMENTS).itertuples():
        target = folder / Path(row.peaks).stem
        if not (target / "permuted.parquet").exists():
            make_examples(data / "sacCer3" / row.peaks, target, genome)
        make_predictions(target)
        print(f"{target.name}: {row.n_peaks} sites", flush=True)


def intervals(path: Path, *, permuted_test: bool) -> list[dict]:
    """Area and interval of one table of predictions on each test set."""
    frame, metadata = read_predictions(path)
    rows = []
    for test_set in TEST_SETS:
        examples = frame[(frame["test_set"] == test_set) & (frame["split"] == "test")]
        if permuted_test:
            rng = step_rng(1, "permuted_test", path.parent.name, path.stem, test_set)
            examples = examples.assign(label=rng.permutation(examples["label"].to_numpy()))
        scored = Scored("", "", examples, metadata)
        measured = measure(scored.frame, examples["score"].to_numpy()[None], test_set, RESAMPLING)
        value = float(measured.values["auroc"][0])
        low, high = replicate_interval(
            value, measured.drawn["auroc"][0], measured.n_blocks, RESAMPLING.confidence, 0, 1
        )
        rows.append({"test_set": test_set, "value": value, "low": low, "high": high, "flag": measured.flag})
    return rows


def measure_all(folder: Path) -> pd.DataFrame:
    rows = []
    for target in sorted(path for path in folder.iterdir() if (path / "permuted.cnn.parquet").exists()):
        for model in (*BASELINES, "cnn"):
            for table in (*TABLES, "test"):
                path = target / f"{'true' if table == 'test' else table}.{model}.parquet"
                found = intervals(path, permuted_test=table == "test")
                rows += [{"experiment": target.name, "model": model, "labels": table} | row for row in found]
    return pd.DataFrame(rows)


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (labels, test_set, model), group in frame.groupby(["labels", "test_set", "model"]):
        n = len(group)
        holds = int(((group["low"] <= 0.5) & (group["high"] >= 0.5)).sum())
        centre, low, high = hodges_lehmann(group["value"].to_numpy() - 0.5, 0.95)
        expected = binom.interval(0.95, n, 0.95)
        rows.append(
            {
                **{"labels": labels, "test_set": test_set, "model": model, "n": n, "hold_half": holds},
                "expected": f"{expected[0]:.0f} to {expected[1]:.0f}",
                "centre": f"{0.5 + centre:.3f} ({0.5 + low:.3f} to {0.5 + high:.3f})",
                "spread": group["value"].std(),
                "half_width": (group["high"] - group["low"]).median() / 2,
                "unreliable": int((group["flag"] != "").sum()),
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["make", "measure"])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    parser.add_argument("--folder", type=Path, default=ROOT / "results/permuted")
    arguments = parser.parse_args()
    if arguments.step == "make":
        make(arguments.data.resolve(), arguments.folder.resolve())
        return
    frame = measure_all(arguments.folder)
    frame.to_csv(arguments.folder / "intervals.tsv", sep="\t", index=False)
    table = summarise(frame)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    (arguments.folder / "summary.json").write_text(json.dumps(table.to_dict("records"), indent=1))


if __name__ == "__main__":
    main()
