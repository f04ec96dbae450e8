"""Evaluation and report of 308 yeast experiments: the workflow's own commands, in one process.

Usage::

    python benchmarks/evaluation_yeast.py prepare --data ../shared/data
    python benchmarks/evaluation_yeast.py plan                         # what the workflow would run, from a dry run
    python benchmarks/evaluation_yeast.py run examples training scores # as far as it is not there
    python benchmarks/evaluation_yeast.py run --again evaluation report
    python benchmarks/evaluation_yeast.py open                         # the page in headless Chromium

`plan` lets Snakemake print the command of every job; `run` calls these commands one after another in this process, so
that the time is that of the commands and not of 308 times starting Python. A job whose outputs exist is left out,
unless `--again`. Seconds per rule are added to seconds.tsv in the folder. One thread.
"""

import argparse
import contextlib
import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ROOT / "benchmarks/evaluation"
sys.path += [str(ROOT / "benchmarks")]

import cluster  # noqa: E402

STEPS = {  # rules of each step, in the order in which they need each other
    "examples": "index_genome tile_genome pool_universe prepare_motifs make_positives make_negatives make_battery"
    " audit_examples",
    "training": "finetune_classifier",
    "scores": "predict_scores score_baselines",
    "evaluation": "evaluate_scores compare_pairs compare_models collect_metrics",
    "report": "plot_experiment write_report",
}


def prepare(data: Path, folder: Path) -> None:
    """Lay out the working directory: code and settings as links, the sheet, and the list that others draw from."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster.prepare(data, folder)
    for file in sorted((SETTINGS / "models").glob("*.yaml")):
        cluster.link(file, folder / "config/models" / file.name)
    cluster.link(SETTINGS / "yeast.yaml", folder / "yeast.yaml")
    experiments = pd.read_csv(folder / "config/experiments.tsv", sep="\t")["experiment"]
    (folder / "config/universe.txt").write_text("\n".join(experiments) + "\n")


def snakemake(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "workflow/Snakefile", "--directory", folder]
    command += ["--configfile", folder / "yeast.yaml", "--cores", "1", *words]
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def plan(folder: Path, target: str) -> None:
    """Fetch what is fetched, and keep the rule, the outputs and the command of every job behind the target."""
    snakemake(folder, "--quiet", "all", "--rerun-triggers", "mtime", "--", "fetch_all")
    printed = snakemake(folder, "--dry-run", "--forceall", "--printshellcmds", "--", target)
    (folder / "plan.txt").write_text(printed)
    jobs = []
    for text in re.split(r"^ *(?:local)?rule ", printed, flags=re.MULTILINE)[1:]:
        rule = text.split(":")[0]
        command = re.search(r"^ *Shell command: (.*)$", text, flags=re.MULTILINE)
        output = re.search(r"^ *output: (.*)$", text, flags=re.MULTILINE)
        if command:
            outputs = output[1].split(", ") if output else []
            jobs.append({"rule": rule, "outputs": outputs, "command": command[1]})
    (folder / "plan.json").write_text(json.dumps(jobs, indent=1))
    counts = Counter(job["rule"] for job in jobs)
    print("\n".join(f"{n:6d} {rule}" for rule, n in counts.items()))


def words_of(command: str) -> list[list[str]]:
    """The commands of a shell line of the workflow: in brackets and with && between them, or one; without its log."""
    line = re.sub(r"\s*>\s*\S+ 2>&1$", "", command).strip().removeprefix("exec ")
    lines = shlex.split(line.removeprefix("(").removesuffix(")"))
    commands: list[list[str]] = [[]]
    for word in lines:
        if word == "&&":
            commands.append([])
        else:
            commands[-1].append(word)
    return commands


def call(words: list[str]) -> None:
    """Run one command; those of bindgram in this process."""
    from bindgram.cli import cli

    if words[0] == "bindgram":
        cli.main(words[1:], standalone_mode=False)
    else:
        subprocess.run(words, check=True)


def run(folder: Path, steps: list[str], again: bool, part: int, parts: int) -> None:
    """Run the jobs of some steps, or a part of them, and add what each rule took to seconds.tsv."""
    jobs = json.loads((folder / "plan.json").read_text())
    os.chdir(folder)
    for rule in [rule for step in steps for rule in STEPS.get(step, step).split()]:
        todo = [job for job in jobs if job["rule"] == rule]
        todo = [job for job in todo[part::parts] if again or not all(Path(path).exists() for path in job["outputs"])]
        begun, used = time.perf_counter(), cpu_seconds()
        failed = run_jobs(todo)
        row = [rule, len(todo), len(failed), time.perf_counter() - begun, cpu_seconds() - used, peak_mb()]
        with Path("seconds.tsv").open("a") as table:
            table.write("\t".join(f"{value:.1f}" if isinstance(value, float) else str(value) for value in row) + "\n")
        print(f"{rule}: {row[1]} jobs, {row[2]} failed, {row[3]:.1f} s, CPU {row[4]:.1f} s, peak {row[5]:.0f} MB")


def run_jobs(jobs: list[dict]) -> list[str]:
    """Run jobs one after another; outputs of those that failed, whose error goes to failed.log."""
    failed = []
    for number, job in enumerate(jobs):
        if number % 50 == 0:
            print(f"  {time.strftime('%H:%M:%S')} {job['rule']} {number}/{len(jobs)}", flush=True)
        try:
            with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
                for words in words_of(job["command"]):
                    call(words)
        except Exception as error:  # a benchmark goes on, and says so
            failed.append(job["outputs"][0])
            with Path("failed.log").open("a") as log:
                log.write(f"{job['rule']} {job['outputs'][0]}: {type(error).__name__}: {error}\n")
    return failed


def open_page(folder: Path) -> None:
    """Open the report in headless Chromium: seconds until it stands, of a sort and of a panel; pictures beside it."""
    from playwright.sync_api import sync_playwright

    path = folder / "results/report/index.html"
    complaints: list[str] = []
    with sync_playwright() as started:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda asked: complaints.append(asked.url) if not asked.url.startswith("file:") else None)
        begun = time.perf_counter()
        page.goto(path.as_uri())
        found = {"megabytes": path.stat().st_size / 1e6, "seconds_to_load": time.perf_counter() - begun}
        timing = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd / 1000"
        found["seconds_to_dom_content_loaded"] = page.evaluate(timing)
        page.screenshot(path=folder / "report.png")
        begun = time.perf_counter()
        page.locator("#results th", has_text="T2").locator("button").click()
        found["seconds_to_sort"] = time.perf_counter() - begun
        begun = time.perf_counter()
        page.locator("#results tbody tr button").first.click()
        page.locator("#results tr.opened svg").first.wait_for()
        found["seconds_to_open_an_experiment"] = time.perf_counter() - begun
        page.screenshot(path=folder / "report_opened.png")
        browser.close()
    found["complaints"] = complaints
    (folder / "opened.json").write_text(json.dumps(found, indent=1))
    print(json.dumps(found, indent=1))


def cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("prepare", "plan", "run", "open"))
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"of run: {', '.join(STEPS)}, or a rule")
    parser.add_argument("--folder", type=Path, default=ROOT / "results/evaluation_yeast", help="where to work")
    parser.add_argument("--data", type=Path, help="folder with sacCer3, for prepare")
    parser.add_argument("--target", default="all", help="of plan: what is asked of the workflow")
    parser.add_argument("--part", default="0/1", help="of run: every so manieth job, from the first or a later one")
    parser.add_argument("--again", action="store_true", help="of run: what is there as well")
    arguments = parser.parse_intermixed_args()
    folder = arguments.folder.resolve()
    if arguments.action == "prepare":
        prepare(arguments.data.resolve(), folder)
    elif arguments.action == "plan":
        plan(folder, arguments.target)
    elif arguments.action == "run":
        run(folder, arguments.steps, arguments.again, *map(int, arguments.part.split("/")))
    else:
        open_page(folder)


if __name__ == "__main__":
    main()
