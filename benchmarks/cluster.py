"""Run the workflow on all yeast experiments through SLURM, and account for the time.

Usage::

    python benchmarks/cluster.py prepare --data ../shared/data --folder results/cluster
    cd results/cluster && snakemake --profile slurm --configfile yeast.yaml ...
    python benchmarks/cluster.py account --folder results/cluster --log results/cluster/driver.log

`prepare` lays out a working directory with the sheet of the experiments that have 50 sites or more. `account` says
where the time of the cluster's nodes went: the commands (Snakemake's benchmark files), of which interpreter and
imports (measured then, so run it on the same machine), and the rest, which is Snakemake in the jobs, SLURM and
waiting. benchmarks/cluster.md has the commands of a whole measurement and the results.
"""

import argparse
import hashlib
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ROOT / "benchmarks/cluster"
MIN_SITES = 50
COMMANDS = {  # of the rules
    "fetch_peaks": "fetch",
    "make_positives": "positives",
    "make_negatives": "negatives",
    "make_battery": "battery",
    "score_baselines": "baselines and evaluate",
    "finetune_classifier": "finetune",
    "predict_scores": "predict",
    "evaluate_scores": "evaluate",
    "plot_experiment": "plot",
}
COLUMNS = ("experiment", "tf", "biosample", "assembly", "format", "peaks", "peaks_checksum")


def link(target: Path, name: Path) -> None:
    name.unlink(missing_ok=True)
    name.symlink_to(target)


def prepare(data: Path, folder: Path) -> None:
    """Lay out a working directory: code and settings as links, a sheet of the yeast experiments."""
    for part in ("splits", "models", "lms"):
        (folder / "config" / part).mkdir(parents=True, exist_ok=True)
        for source in (ROOT / "config" / part, ROOT / "benchmarks/real_data" / part):
            for file in sorted(source.glob("*.yaml")):
                link(file, folder / "config" / part / file.name)
    for name in ("workflow", "envs", "profiles"):
        link(ROOT / name, folder / name)
    link(ROOT / "profiles/slurm", folder / "slurm")
    for name in ("config.yaml", "revisions.yaml"):
        link(ROOT / "config" / name, folder / "config" / name)
    link(ROOT / "benchmarks/real_data/assemblies.tsv", folder / "config/assemblies.tsv")
    link(SETTINGS / "yeast.yaml", folder / "yeast.yaml")
    link(data, folder / "data")
    table = pd.read_csv(data / "sacCer3/experiments.tsv", sep="\t")
    rows = []
    for row in table[table["n_peaks"] >= MIN_SITES].itertuples():
        digest = hashlib.sha256((data / "sacCer3" / row.peaks).read_bytes()).hexdigest()
        name = Path(row.peaks).stem
        rows.append((name, row.target, "yeast", "sacCer3", "bed", f"data/sacCer3/{row.peaks}", f"sha256:{digest}"))
    sheet = pd.DataFrame(rows, columns=COLUMNS)
    sheet.to_csv(folder / "config/experiments.tsv", sep="\t", index=False)
    print(f"{folder}: {len(sheet)} experiments with {MIN_SITES} sites or more")


def start_up_seconds() -> dict[str, float]:
    """CPU seconds before a command does its work: interpreter and imports, the median of five."""
    imports = {
        "fetch": "bindgram.genome.fetch",
        "positives": "bindgram.data.positives, pyarrow.parquet",
        "negatives": "bindgram.data.negatives, bindgram.data.background",
        "battery": "bindgram.data.battery, bindgram.data.background",
        "baselines": "bindgram.evaluation.baselines, sklearn.linear_model",
        "finetune": "bindgram.training.finetune, bindgram.training.stages",
        "predict": "bindgram.evaluation.predict, bindgram.evaluation.predictions",
        "evaluate": "bindgram.evaluation.metrics, bindgram.evaluation.predictions",
        "plot": "bindgram.evaluation.figures, bindgram.evaluation.predictions, matplotlib.figure",
        "snakemake": "snakemake.cli",
    }
    found = {}
    for name, modules in imports.items():
        code = f"import bindgram.cli, {modules}; import resource; u = resource.getrusage(resource.RUSAGE_SELF)"
        code += "; print(u.ru_utime + u.ru_stime)"
        runs = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(5)]
        found[name] = sorted(runs)[2]
    return found | {"baselines and evaluate": found["baselines"] + found["evaluate"]}


def job_seconds(folder: Path) -> pd.DataFrame:
    """Wall and CPU seconds of the commands, one row per rule, from Snakemake's benchmark files."""
    rows = []
    for rule in sorted((folder / "results/benchmarks").iterdir()):
        files = [rule] if rule.is_file() else sorted(rule.rglob("*.tsv"))
        tables = pd.concat([pd.read_csv(file, sep="\t") for file in files])
        name = rule.name.removesuffix(".tsv")
        rows.append((name, len(tables), tables["s"].sum(), tables["cpu_time"].sum(), tables["max_rss"].max()))
    return pd.DataFrame(rows, columns=("rule", "jobs", "wall_s", "cpu_s", "max_rss_mb")).set_index("rule")


def slurm_jobs(text: str) -> int:
    """How many jobs Snakemake submitted."""
    return len(set(re.findall(r"SLURM jobid (\d+)", text)))


def wall_seconds(text: str) -> float:
    """From the first to the last time in what Snakemake printed."""
    stamps = re.findall(r"^\[(\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4})\]", text, flags=re.MULTILINE)
    first, last = (datetime.strptime(stamp, "%a %b %d %H:%M:%S %Y") for stamp in (stamps[0], stamps[-1]))
    return (last - first).total_seconds()


def account(folder: Path, log: Path, n_nodes: int) -> None:
    table = job_seconds(folder)
    start_up = start_up_seconds()
    table["start_up_s"] = [n * start_up.get(COMMANDS.get(rule, ""), 0.0) for rule, n in table["jobs"].items()]
    print(table.round(0).astype(int).to_string())
    text = log.read_text()
    wall, jobs = wall_seconds(text), slurm_jobs(text)
    commands, starting = table["wall_s"].sum(), table["start_up_s"].sum()
    snakemake = 2 * jobs * start_up["snakemake"]
    available = n_nodes * wall
    n = table.loc["make_positives", "jobs"]
    rows = {
        "work of the commands": commands - starting,
        "interpreter and imports of the commands": starting,
        "Snakemake in the jobs (two starts each)": snakemake,
        "the rest: SLURM, gaps between steps, waiting": available - commands - snakemake,
    }
    print(
        f"\n{wall / 60:.1f} min wall, {n} experiments, {jobs} jobs of SLURM, {int(table['jobs'].sum())} of Snakemake\n"
    )
    print(f"| of {n_nodes} nodes | min | s per experiment | share |")
    print("|---|---|---|---|")
    for name, seconds in rows.items():
        print(f"| {name} | {seconds / 60:.1f} | {seconds / n:.1f} | {seconds / available:.0%} |")
    print("\nCPU seconds of interpreter and imports:")
    for name, seconds in start_up.items():
        print(f"- {name}: {seconds:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("prepare", "account"))
    parser.add_argument("--folder", type=Path, required=True, help="working directory")
    parser.add_argument("--data", type=Path, help="folder with sacCer3, for prepare")
    parser.add_argument("--log", type=Path, help="what Snakemake printed, for account")
    parser.add_argument("--nodes", type=int, default=2, help="jobs that run at a time, for account")
    arguments = parser.parse_args()
    if arguments.action == "prepare":
        arguments.folder.mkdir(parents=True, exist_ok=True)
        prepare(arguments.data.resolve(), arguments.folder.resolve())
    else:
        account(arguments.folder, arguments.log, arguments.nodes)


if __name__ == "__main__":
    main()
