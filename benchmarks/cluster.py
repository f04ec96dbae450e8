"""Run the workflow on all yeast experiments through SLURM, and account for the time.

Usage::

    python benchmarks/cluster.py prepare --data ../shared/data --folder results/cluster
    cd results/cluster && snakemake --profile slurm --configfile yeast.yaml ...
    python benchmarks/cluster.py account --folder results/cluster --jobs FOLDER_OF_CLUSTER/jobs.txt

`prepare` lays out a working directory with the sheet of the experiments that have 50 sites or more. `account` says
where the time of an experiment's job went: its commands (Snakemake's benchmark files), of which interpreter and imports
(measured then, so run it on the same machine), and the rest, which is Snakemake in the job, SLURM and gaps.
benchmarks/cluster.md has the commands of a whole measurement and the results.
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
    "make_positives": "positives",
    "make_negatives": "negatives",
    "make_battery": "battery",
    "score_baselines": "baselines and evaluate",
    "finetune_classifier": "finetune",
    "predict_scores": "predict",
    "evaluate_scores": "evaluate",
    "plot_experiment": "plot",
}
SPLIT = "sacCer3_chromosomes"
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


def commands(folder: Path) -> pd.DataFrame:
    """Wall seconds of every command that an experiment's job ran, from Snakemake's benchmark files."""
    rows = []
    for rule, command in COMMANDS.items():
        for file in sorted((folder / "results/benchmarks" / rule).rglob("*.tsv")):
            parts = file.relative_to(folder / "results/benchmarks" / rule).with_suffix("").parts
            place = parts.index(SPLIT) + 1
            seconds = float(pd.read_csv(file, sep="\t")["s"].iloc[0])
            rows.append((parts[place], command, seconds, datetime.fromtimestamp(file.stat().st_mtime)))
    return pd.DataFrame(rows, columns=("experiment", "command", "seconds", "ended"))


def one_after_another(wide: pd.DataFrame) -> pd.Series:
    """Seconds of an experiment's commands as they follow each other: two pairs of them run side by side."""
    pairs = wide[["negatives", "battery"]].max(axis=1) + wide[["baselines and evaluate", "finetune"]].max(axis=1)
    return wide["positives"] + pairs + wide["predict"] + wide["evaluate"] + wide["plot"]


def finished_jobs(path: Path, since: datetime) -> pd.DataFrame:
    """Start and end of the experiments' jobs in SLURM's list of finished jobs (JobCompLoc)."""
    found = re.findall(r"JobState=COMPLETED.*?StartTime=(\S+) EndTime=(\S+) .*?WorkDir=", path.read_text())
    table = pd.DataFrame(found, columns=("start", "end")).apply(pd.to_datetime)
    return table[table["start"] >= since]


def account(folder: Path, jobs_file: Path, since: datetime) -> None:
    table = commands(folder)
    wide = table.pivot_table(index="experiment", columns="command", values="seconds").dropna()
    ended = table[table["command"] == "plot"].set_index("experiment")["ended"]
    jobs = finished_jobs(jobs_file, since)
    wide = wide[ended.reindex(wide.index) >= jobs["start"].min()]
    start_up = start_up_seconds()
    path = one_after_another(wide)
    starting = one_after_another(pd.DataFrame({name: [start_up[name]] for name in COMMANDS.values()}))[0]
    job = (jobs["end"] - jobs["start"]).dt.total_seconds()
    print(f"{len(wide)} experiments, {len(jobs)} jobs since {jobs['start'].min()}; seconds per experiment:\n")
    print("| | mean | median |")
    print("|---|---|---|")
    print(f"| job of an experiment in SLURM | {job.mean():.1f} | {job.median():.1f} |")
    print(f"| its commands, one after another | {path.mean():.1f} | {path.median():.1f} |")
    print(f"| of these: interpreter and imports, on an idle machine | {starting:.1f} | {starting:.1f} |")
    rest = f"{job.mean() - path.mean():.1f} | {job.median() - path.median():.1f}"
    print(f"| the rest of the job: Snakemake, SLURM, gaps | {rest} |")
    print(f"| of this: CPU of Snakemake's two imports, idle | {2 * start_up['snakemake']:.1f} | |")
    print("\n| command | mean s | median s | of which start, idle |")
    print("|---|---|---|---|")
    for name in wide.columns:
        print(f"| {name} | {wide[name].mean():.2f} | {wide[name].median():.2f} | {start_up[name]:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("prepare", "account"))
    parser.add_argument("--folder", type=Path, required=True, help="working directory")
    parser.add_argument("--data", type=Path, help="folder with sacCer3, for prepare")
    parser.add_argument("--jobs", type=Path, help="jobs.txt in the folder that cluster.py names, for account")
    parser.add_argument(
        "--since", type=datetime.fromisoformat, default=datetime(2000, 1, 1), help="jobs since, for account"
    )
    arguments = parser.parse_args()
    if arguments.action == "prepare":
        arguments.folder.mkdir(parents=True, exist_ok=True)
        prepare(arguments.data.resolve(), arguments.folder.resolve())
    else:
        account(arguments.folder, arguments.jobs, arguments.since)


if __name__ == "__main__":
    main()
