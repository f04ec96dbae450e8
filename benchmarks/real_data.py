"""Run bindgram on real data sets that are not part of the checkout, and print a table of test scores.

Usage: python benchmarks/real_data.py deepbind|hg19|yeast --data ../shared/data [-- more Snakemake arguments]

Runs the workflow in its own folder (results/real_data), so that nothing meets the results of another run. The three
benchmarks share that folder and with it the genomes and language models; the table of each is kept as NAME.metrics.tsv.
"""

import argparse
import os
import platform
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ROOT / "benchmarks/real_data"
SHEETS = {"deepbind": "deepbind.tsv", "hg19": "hg19.tsv", "yeast": "yeast.tsv"}
TEST_SETS = {"deepbind": ["published"], "hg19": ["T1", "T2"], "yeast": ["T1", "T2"]}


def link(target: Path, name: Path) -> None:
    name.unlink(missing_ok=True)
    name.symlink_to(target)


def prepare(benchmark: str, data: Path, folder: Path) -> None:
    """Lay out a working directory: data and settings as links, files of the same name taken from the benchmark."""
    for part in ("splits", "models", "lms"):
        (folder / "config" / part).mkdir(parents=True, exist_ok=True)
        for source in (ROOT / "config" / part, SETTINGS / part):
            for file in sorted(source.glob("*.yaml")):
                link(file, folder / "config" / part / file.name)
    for name in ("config.yaml", "revisions.yaml"):
        link(ROOT / "config" / name, folder / "config" / name)
    link(SETTINGS / "assemblies.tsv", folder / "config/assemblies.tsv")
    link(SETTINGS / SHEETS[benchmark], folder / "config/experiments.tsv")
    link(SETTINGS / "deepbind_sets.txt", folder / "config/deepbind_sets.txt")
    link(data, folder / "data")
    join_chromosomes(data / "hg19_chr20_chr22", folder / "genome/hg19.chr20.chr22.fa.gz")


def join_chromosomes(source: Path, target: Path) -> None:
    """Two gzip files one after the other are one gzip file."""
    if target.exists():
        return
    target.parent.mkdir(exist_ok=True)
    part = target.with_suffix(".part")
    with part.open("wb") as joined:
        for chrom in ("chr20", "chr22"):
            with (source / f"hg19.{chrom}.fa.gz").open("rb") as packed:
                shutil.copyfileobj(packed, joined)
    part.rename(target)


def run_workflow(benchmark: str, folder: Path, cores: int, more: list[str]) -> None:
    training = ("pretrain_language_model", "adapt_language_model", "finetune_classifier", "predict_scores")
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "workflow/Snakefile", "--directory", folder]
    command += ["--configfile", SETTINGS / f"{benchmark}.yaml", "--cores", cores, "--set-threads"]
    command += [*(f"{rule}={cores}" for rule in training), "--rerun-triggers", "mtime", "params", "input", "--quiet"]
    command += ["progress", *more, "--", "results/metrics.tsv"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "OMP_NUM_THREADS": str(cores)}
    subprocess.run([str(word) for word in command], check=True, env=environment)
    if (folder / "results/metrics.tsv").exists():  # not after a dry run
        shutil.copy(folder / "results/metrics.tsv", folder / f"{benchmark}.metrics.tsv")


def score_table(metrics: pd.DataFrame, test_set: str, metric: str) -> pd.DataFrame:
    """One row per experiment, one column per model, in the order of the table's models."""
    rows = metrics[(metrics["test_set"] == test_set) & (metrics["metric"] == metric)]
    wide = rows.pivot_table(index="experiment", columns="model", values="value", aggfunc="mean")
    counts = rows.groupby("experiment")[["n_positives", "n_negatives"]].first().astype("Int64")
    return counts.join(wide.round(3))


def print_markdown(table: pd.DataFrame, title: str) -> None:
    print(f"\n{title}\n")
    print("| experiment | " + " | ".join(table.columns) + " |")
    print("|" + "---|" * (len(table.columns) + 1))
    for name, row in table.iterrows():
        cells = [f"{value:.3f}" if isinstance(value, float) else str(value) for value in row]
        print(f"| {name} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmark", choices=sorted(SHEETS))
    parser.add_argument("--data", type=Path, required=True, help="folder with deepbind, hg19_chr20_chr22 and sacCer3")
    parser.add_argument("--folder", type=Path, default=ROOT / "results/real_data", help="where to work")
    parser.add_argument("--cores", type=int, default=1)
    parser.epilog = "Arguments after -- go to Snakemake."
    words = sys.argv[1:]
    border = words.index("--") if "--" in words else len(words)
    arguments = parser.parse_args(words[:border])
    folder = arguments.folder.resolve()
    prepare(arguments.benchmark, arguments.data.resolve(), folder)
    run_workflow(arguments.benchmark, folder, arguments.cores, words[border + 1 :])
    table = folder / f"{arguments.benchmark}.metrics.tsv"
    if not table.exists():
        return  # a dry run
    metrics = pd.read_csv(table, sep="\t")
    for test_set in TEST_SETS[arguments.benchmark]:
        for metric in ("auroc", "average_precision"):
            print_markdown(score_table(metrics, test_set, metric), f"{arguments.benchmark}, {test_set}, {metric}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"\nCPU time {(used.ru_utime + used.ru_stime) / 60:.1f} min, {platform.machine()}, {arguments.cores} core(s)")


if __name__ == "__main__":
    main()
