"""From peaks to finished examples: time, memory and agreement with the straightforward way.

Usage::

    python benchmarks/data.py prepare yeast|dream --data ../shared/data
    python benchmarks/data.py fast yeast|dream      # the workflow's jobs, two at a time
    python benchmarks/data.py together yeast|dream  # the same commands again, in two processes for all
    python benchmarks/data.py plain yeast|dream     # benchmarks/data/plain.py, two at a time
    python benchmarks/data.py tiles yeast|dream     # the tile table, and T4 of all experiments, in one process
    python benchmarks/data.py compare yeast|dream   # both results, experiment by experiment

`fast` runs the workflow up to the labelled tables and test sets, and takes the time of every job from Snakemake's own
benchmark files; `homology` is off, because the plain way has nothing like it. `plain` makes the same tables with
bedtools, pyfaidx and plain Python. In both each experiment has processes of its own.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import re
import resource
import shlex
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pandas as pd
import scipy.stats
import yaml

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ROOT / "benchmarks/data"
sys.path += [str(ROOT / "benchmarks"), str(SETTINGS)]

import cluster  # noqa: E402
import plain  # noqa: E402
import real_data  # noqa: E402

SPLITS = {"yeast": "sacCer3_chromosomes", "dream": "hg19_chr20_chr22"}
ASSEMBLIES = {"yeast": "sacCer3", "dream": "hg19_chr20_chr22"}
TEST_SETS = ("T1", "T2", "T3")
RULES = ("pool_universe", "make_positives", "make_negatives", "make_battery")
SCHEME = "genomic_matched"
CORES = 2


def prepare(name: str, folder: Path, data: Path) -> None:
    """Lay out a working directory with the sheet, the universe and the settings of one benchmark."""
    cluster.prepare(data, folder)
    real_data.join_chromosomes(data / "hg19_chr20_chr22", folder / "genome/hg19.chr20.chr22.fa.gz")
    sheet = folder / "config/experiments.tsv"
    if name == "dream":
        rows = []
        for path in sorted((data / "hg19_chr20_chr22/peaks_dream").glob("*.narrowPeak.gz")):
            tf, biosample = path.name.split(".")[:2]
            peaks = f"data/hg19_chr20_chr22/peaks_dream/{path.name}"
            rows.append((f"{tf}_{biosample}", tf, biosample, ASSEMBLIES[name], "narrowPeak", peaks, ""))
        pd.DataFrame(rows, columns=cluster.COLUMNS).to_csv(sheet, sep="\t", index=False)
    real_data.link(SETTINGS / f"{name}.yaml", folder / f"{name}.yaml")
    experiments = pd.read_csv(sheet, sep="\t")["experiment"]
    (folder / "config/universe.txt").write_text("\n".join(experiments) + "\n")
    print(f"{folder}: {len(experiments)} experiments")


def snakemake(name: str, folder: Path, *targets: str) -> float:
    """Run the workflow up to some targets; return seconds."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "workflow/Snakefile", "--directory", folder]
    command += ["--configfile", folder / f"{name}.yaml", "--cores", CORES, "--quiet", "all", "--", *targets]
    begun = time.perf_counter()
    subprocess.run([str(word) for word in command], check=True)
    return time.perf_counter() - begun


def fast(name: str, folder: Path) -> None:
    """Make the examples of all experiments by the workflow, and account for the time."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text()) | yaml.safe_load(
        (folder / f"{name}.yaml").read_text()
    )
    width = config["positives"].get("width", 200)
    shared = snakemake(name, folder, "fetch_all", f"results/tiles/{ASSEMBLIES[name]}.w{width}.h5")
    tables = [
        f"results/{table}"
        for experiment in experiments_of(folder).index
        for table in (
            f"examples/{SPLITS[name]}/{experiment}/labelled/{SCHEME}.parquet",
            f"battery/{SPLITS[name]}/{experiment}/battery.filter.tsv",
        )
    ]
    wall = snakemake(name, folder, *tables)
    jobs = {
        rule: pd.concat(
            [pd.read_csv(path, sep="\t") for path in (folder / "results/benchmarks" / rule).rglob("*.tsv")] or [None]
        )
        for rule in RULES
    }
    n = len(experiments_of(folder))
    rows = {
        rule: {
            "seconds": round(table["s"].sum() / n, 2),
            "cpu_seconds": round(table["cpu_time"].sum() / n, 2),
            "max_rss_mb": float(table["max_rss"].max()),
        }
        for rule, table in jobs.items()
        if table is not None
    }
    result = {"shared_seconds": shared, "wall_seconds": wall, "n_experiments": n, "rules": rows}
    result["seconds_per_experiment"] = sum(row["seconds"] for row in rows.values())
    (folder / f"{name}.fast.json").write_text(json.dumps(result, indent=1))
    print(json.dumps(result, indent=1))


COMMANDS = ("positives", "negatives", "battery")


def together(name: str, folder: Path) -> None:
    """Run the same commands again without a process for each: two processes take half of the experiments each."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "workflow/Snakefile", "--directory", folder]
    command += ["--configfile", folder / f"{name}.yaml", "--dry-run", "--forceall", "--printshellcmds", "examples_all"]
    printed = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    words = [
        shlex.split(line)[2:] for line in printed.stdout.splitlines() if line.startswith("Shell command: bindgram")
    ]
    jobs: dict[str, list] = {}
    for line in words:
        if line[1] in COMMANDS:
            jobs.setdefault(line[line.index("--experiment") + 1], []).append(line[1 : line.index(">")])
    queue = [sorted(commands, key=lambda line: COMMANDS.index(line[0])) for commands in jobs.values()]
    begun = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(CORES) as pool:
        peaks = pool.map(run_commands, [(folder, queue[part::CORES]) for part in range(CORES)])
    result = {
        "wall_seconds": time.perf_counter() - begun,
        "n_experiments": len(queue),
        "max_rss_mb": max(peaks)[0] / 1024,
    }
    result["cpu_seconds_per_experiment"] = sum(peak[1] for peak in peaks) / len(queue)
    (folder / f"{name}.together.json").write_text(json.dumps(result, indent=1))
    print(json.dumps(result, indent=1))


def run_commands(task: tuple) -> tuple[int, float]:
    """Run the commands of some experiments in this process; return its peak memory (kB) and CPU seconds."""
    from bindgram.cli import cli

    folder, queue = task
    os.chdir(folder)
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        for commands in queue:
            for words in commands:
                cli.main(words, standalone_mode=False)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_maxrss, used.ru_utime + used.ru_stime


def experiments_of(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "config/experiments.tsv", sep="\t").set_index("experiment")


def plain_settings(name: str, folder: Path) -> dict:
    """Settings of the plain way: those of the configuration, with the splits, the blacklist and N as BED files."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    for section, values in yaml.safe_load((folder / f"{name}.yaml").read_text()).items():
        config[section] = {**config[section], **values} if isinstance(values, dict) else values
    made = folder / "plain"
    made.mkdir(exist_ok=True)
    assembly = ASSEMBLIES[name]
    genome = folder / f"resources/assemblies/{assembly}/genome.fa"
    sizes = dict(line.split("\t")[:2] for line in Path(f"{genome}.fai").read_text().splitlines())
    (made / "sizes").write_text("".join(f"{chrom}\t{size}\n" for chrom, size in sizes.items()))
    split = yaml.safe_load((folder / f"config/splits/{SPLITS[name]}.yaml").read_text())["assemblies"][assembly]
    blocks = {}
    for part in plain.SPLITS:
        regions = split[part].values() if isinstance(split[part], dict) else split[part]
        blocks[part] = made / f"{part}.bed"
        cut = [re.fullmatch(r"([^:]+)(?::(\d+)-(\d+))?", region).groups() for region in regions]
        blocks[part].write_text(plain.bed([(chrom, start or 0, end or sizes[chrom]) for chrom, start, end in cut]))
    runs = made / "n.bed"
    runs.write_text(plain.bed(plain.runs_of_n(genome)))
    blacklist = folder / f"resources/assemblies/{assembly}/blacklist.bed"
    return {
        "width": config["positives"]["width"],
        "minimum": config["positives"]["minimum"],
        "blocks": blocks,
        "sizes": made / "sizes",
        "genome": genome,
        "blacklist": blacklist if blacklist.exists() else None,
        "runs_of_n": runs if runs.stat().st_size else None,
        "gc_bins": config["negatives"]["gc_bins"],
        "exclusion_bp": config["negatives"]["exclusion_bp"],
        "ratio": config["negatives"]["ratio"],
        "T2": config["battery"]["test_sets"]["T2"]["ratio"],
        "T3": config["battery"]["test_sets"]["T3"]["ratio"],
        "tiled": split.get("tiled"),
    }


def plain_one(task: tuple) -> tuple[str, float, int, float]:
    """One experiment in a process of its own: name, seconds, peak memory (kB) of Python or bedtools, CPU seconds."""
    experiment, peaks, others, settings, folder = task
    begun = time.perf_counter()
    plain.make_examples(experiment, peaks, others, settings, folder)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    return experiment, time.perf_counter() - begun, max(one.ru_maxrss for one in used), cpu


def plain_all(name: str, folder: Path, first: int | None) -> None:
    """Make the examples of all experiments by the plain way, two at a time."""
    table, settings = experiments_of(folder), plain_settings(name, folder)
    tasks = []
    for row in table[:first].itertuples():
        same = (table["biosample"] == row.biosample) & (table["tf"] != row.tf)
        others = [folder / path for path in table["peaks"][same]]
        tasks.append((row.Index, folder / row.peaks, others, settings, folder / "plain" / row.Index))
    begun = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(CORES, maxtasksperchild=1) as pool:
        done = list(pool.imap_unordered(plain_one, tasks))
    seconds = [one[1] for one in done]
    result = {"wall_seconds": time.perf_counter() - begun, "n_experiments": len(done)}
    result |= {"seconds_per_experiment": sum(seconds) / len(done), "slowest_seconds": max(seconds)}
    result["cpu_seconds_per_experiment"] = sum(one[3] for one in done) / len(done)
    result["max_rss_mb"] = max(one[2] for one in done) / 1024
    (folder / f"{name}.plain.json").write_text(json.dumps(result, indent=1))
    print(json.dumps(result, indent=1))


def tiles(name: str, folder: Path) -> None:
    """Make the tile table of the assembly, and label the tiled block for every experiment, in this one process."""
    from bindgram.data.peaks import read_assembly_peaks
    from bindgram.data.splits import Split
    from bindgram.data.tiled import tile_block, write_tiled
    from bindgram.data.tiles import Tiles, write_tiles
    from bindgram.genome.fasta import Genome

    made = folder / "tiles"
    made.mkdir(exist_ok=True)
    begun = time.perf_counter()
    with Genome.open(folder / f"resources/assemblies/{ASSEMBLIES[name]}/genome.fa") as genome:
        write_tiles(made / "tiles.h5", genome, 200, None, None, {})
    seconds = [time.perf_counter() - begun]
    table = Tiles.open(made / "tiles.h5")
    split = Split.load(folder / f"config/splits/{SPLITS[name]}.yaml", ASSEMBLIES[name], table.chrom_sizes)
    experiments = experiments_of(folder)
    for row in experiments.itertuples():
        peaks = read_assembly_peaks(folder / row.peaks, row.format, table.chrom_sizes)
        write_tiled(made / f"{row.Index}.h5", tile_block(table, split, peaks, {}))
    seconds.append(time.perf_counter() - begun - seconds[0])
    result = {"tile_table_seconds": seconds[0], "n_experiments": len(experiments), "labels_seconds": seconds[1]}
    (folder / f"{name}.tiles.json").write_text(json.dumps(result, indent=1))
    print(json.dumps(result, indent=1))


def compare(name: str, folder: Path) -> None:
    """Positives must be the same rows; negatives as many, clear of every peak, and of the same GC content."""
    done = [experiment for experiment in experiments_of(folder).index if (folder / "plain" / experiment).is_dir()]
    rows = [compare_one(name, folder, experiment) for experiment in done]
    table = pd.DataFrame([row for row in rows if row])
    table.to_csv(folder / f"{name}.compare.tsv", sep="\t", index=False, float_format="%.4f")
    same = table["positives_equal"].all() and table["T4_equal"].all()
    print(f"{len(table)} experiments compared; positives and T4 {'equal in all' if same else 'DIFFER'}")
    print(table.drop(columns=["experiment"]).astype(float).agg(["sum", "median", "max"]).round(4).T.to_string())


def compare_one(name: str, folder: Path, experiment: str) -> dict | None:
    """What two ways made of one experiment; None where both skip it."""
    tables = {
        "positives": f"results/examples/{SPLITS[name]}/{experiment}/positives.parquet",
        "negatives": f"results/examples/{SPLITS[name]}/{experiment}/negatives/{SCHEME}.parquet",
        **{test_set: f"results/battery/{SPLITS[name]}/{experiment}/{test_set}.parquet" for test_set in TEST_SETS},
    }
    ours = {kind: pd.read_parquet(folder / path) for kind, path in tables.items()}
    theirs = plain.read_examples(folder / "plain" / experiment)
    if not theirs or ours["positives"].empty:
        assert not theirs, f"{experiment}: only bindgram skips it"
        assert ours["positives"].empty, f"{experiment}: only the plain way skips it"
        return None
    columns = ["chrom", "start", "end", "split", "sequence"]
    here = sorted(ours["positives"][columns].itertuples(index=False, name=None))
    there = sorted(tuple(row[column] for column in columns) for row in theirs["positives"])
    row = {"experiment": experiment, "n_positives": len(here), "positives_equal": here == there}
    for kind in ("negatives", *TEST_SETS):
        made = ours[kind][ours[kind]["label"] == 0]
        row[f"n_{kind}"], row[f"n_{kind}_plain"] = len(made), len(theirs[kind])
        gc = [[plain.gc(text) for text in texts] for texts in (made["sequence"], [r["sequence"] for r in theirs[kind]])]
        if all(gc):
            row[f"{kind}_gc_distance"] = float(scipy.stats.ks_2samp(*gc).statistic)
    with h5py.File(folder / f"results/battery/{SPLITS[name]}/{experiment}/T4.h5") as file:
        labels = file["labels"][:]
    row["T4_equal"] = theirs["T4"] == [int((labels == value).sum()) for value in (1, 0, -1)]
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["prepare", "fast", "together", "plain", "tiles", "compare"])
    parser.add_argument("name", choices=sorted(SPLITS))
    parser.add_argument("--data", type=Path, help="folder with hg19_chr20_chr22 and sacCer3, for prepare")
    parser.add_argument("--folder", type=Path, default=ROOT / "results/data_benchmark", help="where to work")
    parser.add_argument("--first", type=int, help="only the first N experiments, for plain")
    arguments = parser.parse_args()
    folder = (arguments.folder / arguments.name).resolve()
    if arguments.step == "prepare":
        prepare(arguments.name, folder, arguments.data.resolve())
    elif arguments.step == "fast":
        fast(arguments.name, folder)
    elif arguments.step == "tiles":
        tiles(arguments.name, folder)
    elif arguments.step == "together":
        together(arguments.name, folder)
    elif arguments.step == "plain":
        plain_all(arguments.name, folder, arguments.first)
    else:
        compare(arguments.name, folder)


if __name__ == "__main__":
    main()
