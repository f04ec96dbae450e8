"""Seconds and memory of planning (a dry run), for more and more experiments, beside Snakemake's own floor.

Usage: python benchmarks/plan.py [--experiments 250 500 1000 2000] [--repeats 3]

The floor is a workflow of as many jobs with nothing in its rules: one input, one output, one log, a shell command. What
bindgram's rules add (inputs, parameters, resources, environments, groups) is the difference. Nothing is built.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
N_RULES = 10  # per experiment, as with the shipped configuration
HEADER = "experiment\ttf\tbiosample\tassembly\tformat\tpeaks\n"
FLOOR = """
N = {n}
rule all:
    input: expand("out/{{i}}.{last}", i=range(N))
rule first:
    output: "out/{{i}}.0"
    log: "logs/{{i}}.0"
    shell: "touch {{output}}"
"""
FLOOR_RULE = """
rule step{k}:
    input: "out/{{i}}.{before}"
    output: "out/{{i}}.{k}"
    log: "logs/{{i}}.{k}"
    shell: "touch {{output}}"
"""


def measure(folder: Path, arguments: list[str]) -> tuple[float, float, int]:
    """CPU seconds, peak MB and jobs of a dry run."""
    command = [
        "/usr/bin/time",
        "-f",
        "TIME %U %S %M",
        sys.executable,
        "-m",
        "snakemake",
        "--dry-run",
        "--quiet",
        "rules",
    ]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        [*command, *arguments], cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )
    text = result.stdout + result.stderr
    if result.returncode:
        sys.exit(text[-3000:])
    user, system, peak = re.search(r"TIME (\S+) (\S+) (\d+)", text).groups()
    total = re.findall(r"^total +(\d+)", text, flags=re.MULTILINE)
    return float(user) + float(system), int(peak) / 1024, int(total[-1])


def lay_out(folder: Path, n: int) -> list[str]:
    """A checkout with a sheet of `n` experiments behind URLs; returns the arguments of Snakemake."""
    for name in ("workflow", "envs", "profiles"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "slurm").symlink_to(ROOT / "profiles/slurm")
    (folder / "config").mkdir()
    for path in (ROOT / "config").iterdir():
        (folder / "config" / path.name).symlink_to(path)
    rows = (f"E{i}\tTF{i % 200}\tcells\thg38\tnarrowPeak\thttps://example.org/E{i}.bed.gz\n" for i in range(n))
    (folder / "sheet.tsv").write_text(HEADER + "".join(rows))
    (folder / "mine.yaml").write_text("experiments: sheet.tsv\nselect: {tiers: []}\n")
    return ["--profile", "slurm", "--configfile", "mine.yaml"]


def lay_out_floor(folder: Path, n: int) -> list[str]:
    """A workflow with as many jobs and nothing in its rules."""
    rules = "".join(FLOOR_RULE.format(k=k, before=k - 1) for k in range(1, N_RULES))
    (folder / "Snakefile").write_text(FLOOR.format(n=n, last=N_RULES - 1) + rules)
    return ["--cores", "1"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, nargs="+", default=[250, 500, 1000, 2000])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print("| experiments | jobs | CPU s | MB | ms per job | floor: jobs | CPU s | ms per job |")
    print("|---|---|---|---|---|---|---|---|")
    for n in arguments.experiments:
        cells = []
        for prepare in (lay_out, lay_out_floor):
            with tempfile.TemporaryDirectory() as name:
                words = prepare(Path(name), n)
                runs = sorted(measure(Path(name), words) for _ in range(arguments.repeats))
                cells.append(runs[len(runs) // 2])
        (ours, peak, jobs), (floor, _, floor_jobs) = cells
        print(
            f"| {n} | {jobs:,} | {ours:.1f} | {peak:.0f} | {1000 * ours / jobs:.2f} "
            f"| {floor_jobs:,} | {floor:.1f} | {1000 * floor / floor_jobs:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
