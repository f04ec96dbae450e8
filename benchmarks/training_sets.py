"""The examples of the learning benchmarks, made by the workflow: ENCODE-DREAM peaks, DeepBind's sets and GUE's.

Only the jobs up to the labelled tables and the test sets run here; the many trainings run in one process afterwards.
"""

import csv
import gzip
import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from real_data import ROOT, SETTINGS, join_chromosomes, link

SPLIT = "hg19_chr20_chr22"
MIN_PEAKS = 400  # on chr20: fewer leave too few positives to tell models apart
TUNED_ON = ("CEBPB", "CTCF")  # a short and a long motif: learning rates were chosen on their validation splits
SCHEMES = {"dream": "genomic_matched", "deepbind": "dinucleotide_shuffle", "gue": "published"}
TEST_SETS = {"dream": "T2", "deepbind": "published", "gue": "published"}
CONFIGS = {
    "dream": """
positives: {width: 101}
battery:
  test_sets: {T2: {scheme: genomic_matched, ratio: 10.0}}
  max_positives: 400
""",
    "deepbind": "negatives: {schemes: [dinucleotide_shuffle]}\n",
    "gue": "negatives: {schemes: [published]}\n",
}
COMMON = f"""assemblies: config/assemblies.tsv
experiments: config/experiments.tsv
select: {{tiers: []}}
universe: null
split: {SPLIT}
homology: {{action: none}}
device: cpu
"""


def dream_peaks(data: Path) -> dict[str, Path]:
    """One ENCODE-DREAM set per TF: the one with most peaks on chr20, where these are enough; by TF, in order."""
    best: dict[str, tuple[int, Path]] = {}
    for path in sorted((data / "hg19_chr20_chr22/peaks_dream").glob("*.narrowPeak.gz")):
        with gzip.open(path, "rt") as lines:
            n_peaks = Counter(line.split("\t", 1)[0] for line in lines)["chr20"]
        factor = path.name.split(".")[0]
        best[factor] = max(best.get(factor, (MIN_PEAKS, path)), (n_peaks, path), key=lambda found: found[0])
    return {factor: path for factor, (n_peaks, path) in sorted(best.items()) if n_peaks > MIN_PEAKS}


def experiment_id(path: Path) -> str:
    """``CTCF_HepG2`` of CTCF.HepG2.narrowPeak.gz."""
    return "_".join(path.name.split(".")[:2])


def dream_experiments(data: Path, which: str) -> list[str]:
    """Ids of the sets that are compared: ``half``, every second in the order of their TFs; ``rest``; ``tune``."""
    names = {factor: experiment_id(path) for factor, path in dream_peaks(data).items()}
    half = list(names)[::2]
    chosen = {"half": half, "tune": list(TUNED_ON), "rest": [name for name in names if name not in (*half, *TUNED_ON)]}
    return [names[factor] for factor in chosen[which]]


def sheet(collection: str, data: Path) -> list[dict[str, str]]:
    """Rows of the sheet of experiments."""
    if collection == "dream":
        files = {experiment_id(path): {"peaks": path} for path in dream_peaks(data).values()}
        formats = "narrowPeak"
    elif collection == "deepbind":
        files = {
            "_".join(path.name.split("_")[:2]): {
                "peaks": path,
                "test_sequences": path.with_name(path.name.replace("_AC.seq", "_B.seq")),
            }
            for path in sorted((data / "deepbind").glob("*_AC.seq.gz"))
        }
        formats = "deepbind"
    else:
        columns = {"peaks": "train", "valid_sequences": "dev", "test_sequences": "test"}
        files = {
            f"tf{task}_human": {column: data / f"gue_tf/{task}/{name}.csv.gz" for column, name in columns.items()}
            for task in (0, 1)
        }
        formats = "gue"
    rows = []
    for name, paths in files.items():
        row = {"experiment": name, "tf": name.split("_")[0], "biosample": name.split("_")[1], "assembly": SPLIT}
        row |= {"format": formats}
        for column, path in paths.items():
            row[column] = str(Path("data") / path.relative_to(data))
            row[f"{column}_checksum"] = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        rows.append(row)
    return rows


def make_sets(collection: str, data: Path, folder: Path, cores: int) -> None:
    """Make labelled tables and test sets of a collection in ``folder/collection`` with the workflow."""
    work, rows = folder / collection, sheet(collection, data)
    prepare(work, data, rows, "models: [deepbind_cnn]\n" + CONFIGS[collection], SETTINGS)
    run_workflow(work, [path for row in rows for path in table_paths(collection, Path(), row["experiment"])], cores)


def prepare(work: Path, data: Path, rows: list[dict[str, str]], more: str, settings: Path) -> None:
    """Lay out a working directory with a sheet of experiments and the language models and models of `settings`."""
    for part in ("splits", "models", "lms"):
        (work / "config" / part).mkdir(parents=True, exist_ok=True)
        for source in (ROOT / "config" / part, SETTINGS / part, settings / part):
            for file in sorted(source.glob("*.yaml")):
                link(file, work / "config" / part / file.name)
    for name in ("config.yaml", "revisions.yaml"):
        link(ROOT / "config" / name, work / "config" / name)
    link(SETTINGS / "assemblies.tsv", work / "config/assemblies.tsv")
    link(data, work / "data")
    join_chromosomes(data / "hg19_chr20_chr22", work / "genome/hg19.chr20.chr22.fa.gz")
    with (work / "config/experiments.tsv").open("w") as file:
        writer = csv.DictWriter(file, sorted({name for row in rows for name in row}), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    (work / "benchmark.yaml").write_text(COMMON + more)


def run_workflow(work: Path, targets: list[Path], cores: int) -> None:
    """Make files with the workflow in a prepared directory."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "workflow/Snakefile", "--directory", work]
    command += ["--configfile", work / "benchmark.yaml", "--cores", cores, "--rerun-triggers", "mtime", "--quiet"]
    command += ["progress", "--", *targets]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "OMP_NUM_THREADS": str(cores)}
    subprocess.run([str(word) for word in command], check=True, env=environment)


def table_paths(collection: str, work: Path, experiment: str) -> tuple[Path, Path]:
    """Where the labelled table (train and valid) and the test set of an experiment are."""
    labelled = work / f"results/examples/{SPLIT}/{experiment}/labelled/{SCHEMES[collection]}.parquet"
    return labelled, work / f"results/battery/{SPLIT}/{experiment}/{TEST_SETS[collection]}.parquet"
