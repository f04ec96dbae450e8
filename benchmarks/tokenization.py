"""Speed and memory of ``bindgram tokenize`` beside a plain NumPy rolling encode of the same bases, in one run.

Usage: python benchmarks/tokenization.py [--fasta genome.fa[.gz]] [--k 3 5] [--chunk-bp 1000000 8000000] [--repeats 3]

The file is not called tokenize.py because that would hide the standard module of that name from its neighbours.
"""

import argparse
import gzip
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pysam

from bindgram.data.corpus import write_corpus
from bindgram.data.splits import Split
from bindgram.genome.fasta import Genome
from bindgram.sequence.kmers import Vocabulary

CHR22 = Path(__file__).parents[2] / "shared/data/hg38_chr22/hg38.chr22.fa.gz"


def unpack(source: Path, folder: Path) -> Path:
    fasta = folder / "genome.fa"
    with gzip.open(source) if source.suffix == ".gz" else source.open("rb") as packed, fasta.open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    pysam.faidx(str(fasta))
    return fasta


def split_of(genome: Genome, folder: Path) -> Path:
    """All of the genome to train, but for the last 2 x 1 % of its longest chromosome."""
    longest = max(genome.chrom_sizes, key=genome.chrom_sizes.__getitem__)
    size = genome.chrom_sizes[longest]
    first, second = size - 2 * size // 100, size - size // 100
    train = {name: name for name in genome.chrom_sizes if name != longest} | {"long": f"{longest}:0-{first}"}
    blocks = {
        "train": train,
        "valid": {"valid": f"{longest}:{first}-{second}"},
        "test": {"test": f"{longest}:{second}-{size}"},
    }
    path = folder / "split.yaml"
    path.write_text(json.dumps({"assemblies": {"genome": blocks}}))
    return path


def plain_rolling_encode(letters: np.ndarray, k: int) -> np.ndarray:
    """The whole genome in memory, one pass per place: what one would write without a second thought."""
    table = np.full(256, 4, np.uint8)
    for code, base in enumerate("ACGT"):
        table[[ord(base), ord(base.lower())]] = code
    codes = table[letters]
    n = len(codes) - k + 1
    ids, bad = np.zeros(n, Vocabulary(k, 1).dtype), np.zeros(n, bool)
    for place in range(k):
        column = codes[place : place + n]
        ids *= 4
        ids += column
        bad |= column > 3
    ids += 3
    ids[bad] = 1
    return ids


def best_seconds(action: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def peak_memory(fasta: Path, split: Path, folder: Path, k: int, chunk_bp: int) -> dict[str, float]:
    """Peak of a fresh ``bindgram tokenize`` in MB: all pages, and those of its own (not the mapped FASTA's)."""
    record = folder / "genome.json"
    record.write_text(json.dumps({"provenance": {}}))
    options = {"genome": fasta, "assembly": "genome", "split": split, "k": k, "stride": 1, "chunk-bp": chunk_bp}
    options |= {"min-contig-bp": 1000, "record": record, "output": folder / "cli.h5", "revision": 1}
    command = [sys.executable, "-c", "from bindgram.cli import main; main()", "tokenize"]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peaks = {"VmHWM": 0.0, "RssAnon": 0.0}
    while child.poll() is None:
        try:
            lines = Path(f"/proc/{child.pid}/status").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            break
        for line in lines:
            name, _, value = line.partition(":")
            if name in peaks:
                peaks[name] = max(peaks[name], int(value.split()[0]) / 1024)
        time.sleep(0.005)
    assert child.wait() == 0
    return peaks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fasta", type=Path, default=CHR22)
    parser.add_argument("--k", type=int, nargs="+", default=[3, 5])
    parser.add_argument("--chunk-bp", type=int, nargs="+", default=[1_000_000, 8_000_000])
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fasta = unpack(chosen.fasta, folder)
        with Genome.open(fasta) as genome:
            split_path = split_of(genome, folder)
            split = Split.load(split_path, "genome", genome.chrom_sizes)
            letters = np.concatenate([genome.fetch(chrom, 0, size) for chrom, size in genome.chrom_sizes.items()])
            print(
                f"{chosen.fasta.name}: {len(letters) / 1e6:.1f} Mbp; {platform.machine()}, {platform.python_version()}"
            )
            print(
                "| k | chunk (bp) | plain (Mbp/s) | tokenize (Mbp/s) | ratio | peak RSS (MB) | of it own pages (MB) |"
            )
            print("|---|---|---|---|---|---|---|")
            for k in chosen.k:
                plain = best_seconds(lambda k=k: plain_rolling_encode(letters, k), chosen.repeats)
                for chunk_bp in chosen.chunk_bp:
                    output, vocabulary = folder / "corpus.h5", Vocabulary(k, 1)
                    ours = best_seconds(
                        lambda o=output, v=vocabulary, c=chunk_bp: write_corpus(o, genome, split, v, c, 1000, {}),
                        chosen.repeats,
                    )
                    peaks = peak_memory(fasta, split_path, folder, k, chunk_bp)
                    speeds = [len(letters) / seconds / 1e6 for seconds in (plain, ours)]
                    print(
                        f"| {k} | {chunk_bp:,} | {speeds[0]:.0f} | {speeds[1]:.0f} | {speeds[0] / speeds[1]:.2f} "
                        f"| {peaks['VmHWM']:.0f} | {peaks['RssAnon']:.0f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
