"""Matched genomic windows against bedtools command lines, on real peaks.

The windows that may be drawn are the same, each negative lies in a bin that the reference allows for its positive, none
is missing where one was left, and every window of a bin is drawn equally often. Repeats are stand-ins: the genome at
hand is not soft-masked.
"""

import collections
import gzip
import json
import shutil
import subprocess

import numpy as np
import pysam
import pytest
import yaml
from scipy.stats import kstest

from bindgram.data.background import BackgroundRequest
from bindgram.data.negatives import make_negatives
from bindgram.data.peaks import read_assembly_peaks
from bindgram.data.positives import Places, PositivesPlan, genomic_positives
from bindgram.data.splits import Split
from bindgram.data.tiles import Repeats, Tiles, write_tiles
from bindgram.genome.fasta import Genome
from bindgram.genome.regions import read_bed3
from bindgram.settings.filters import parse_filter_text

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(shutil.which("bedtools") is None, reason="needs bedtools"),
]
WIDTH, EXCLUSION, GC_BINS, REPEAT_BINS, RATIO = 200, 500, 50, 5, 10
BLOCKS = {"train": (0, 30_000_000), "valid": (30_000_000, 38_000_100), "test": (38_000_150, 51_304_566)}


def bedtools(folder, command):
    """Rows that a bedtools command line, run in `folder`, gives."""
    told = subprocess.run(["bedtools", *command.split()], check=True, capture_output=True, text=True, cwd=folder)
    return [line.split("\t") for line in told.stdout.splitlines()]


def write_rows(path, rows):
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))


@pytest.fixture(scope="module")
def case(tmp_path_factory, real_data):
    """chr22 of hg19 with stand-in repeats, its tiles, peaks of MAX, and what negatives are drawn from."""
    folder, source = tmp_path_factory.mktemp("chr22"), real_data / "hg19_chr20_chr22"
    for name, path in (
        ("genome.fa", "hg19.chr22.fa.gz"),
        ("blacklist.bed", "hg19-blacklist.v2.bed.gz"),
        ("all_peaks.bed", "peaks_dream/MAX.K562.narrowPeak.gz"),
    ):
        (folder / name).write_bytes(gzip.decompress((source / path).read_bytes()))
    lines = [line for line in (folder / "all_peaks.bed").read_text().splitlines() if line.startswith("chr22\t")]
    (folder / "peaks.bed").write_text("\n".join(lines) + "\n")
    pysam.faidx(str(folder / "genome.fa"))
    rng = np.random.default_rng(5)
    starts = np.cumsum(rng.integers(50, 3000, 30_000))
    rows = [
        ("chr22", start, start + length) for start, length in zip(starts, rng.integers(20, 2000, 30_000), strict=True)
    ]
    write_rows(folder / "repeats.bed", [row for row in rows if row[2] < 51_304_566])
    blocks = {split: {split: f"chr22:{start}-{end}"} for split, (start, end) in BLOCKS.items()}
    (folder / "split.yaml").write_text(yaml.safe_dump({"assemblies": {"hg19": blocks}}))
    (folder / "peaks.json").write_text(json.dumps({"provenance": {}}))
    with Genome.open(folder / "genome.fa") as genome:
        repeats = Repeats.read(folder / "repeats.bed", genome.chrom_sizes)
        write_tiles(folder / "tiles.h5", genome, WIDTH, repeats, read_bed3(folder / "blacklist.bed"), {})
    return folder


@pytest.fixture(scope="module")
def request_(case):
    return BackgroundRequest(
        genome=case / "genome.fa", tiles=case / "tiles.h5", assembly="hg19", split=case / "split.yaml",
        peaks=case / "peaks.bed", peaks_record=case / "peaks.json", format="narrowPeak", blacklist=None,
        exclusion_bp=EXCLUSION, gc_bins=GC_BINS, repeat_bins=REPEAT_BINS, neighbour_bp=0,
        universe=None, tf=None, accessibility=None, accessibility_record=None, left_out=(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def positives(case):
    with Genome.open(case / "genome.fa") as genome:
        split = Split.load(case / "split.yaml", "hg19", genome.chrom_sizes)
        peaks = read_assembly_peaks(case / "peaks.bed", "narrowPeak", genome.chrom_sizes)
        places = Places(read_bed3(case / "blacklist.bed"), Tiles.open(case / "tiles.h5"))
        filters = tuple(map(parse_filter_text, ("split", "blacklist", "n_fraction=0", "duplicate")))
        plan = PositivesPlan("MAX", WIDTH, None, filters, {"train": 1, "valid": 1, "test": 1}, 1)
        return genomic_positives(plan, peaks, genome, split, places, {})[0]


def properties(folder, name):
    """Joint bin of each window of a BED file, by bedtools: window to (bin of GC, bin of repeats, any N)."""
    covered = {tuple(row[:3]): int(row[4]) for row in bedtools(folder, f"coverage -a {name} -b repeats.bed")}
    found = {}
    for chrom, start, end, _, _, _, n_c, n_g, _, n_n, n_other, _ in bedtools(folder, f"nuc -fi genome.fa -bed {name}")[
        1:
    ]:
        n_ambiguous = int(n_n) + int(n_other)
        gc = (int(n_c) + int(n_g)) / max(WIDTH - n_ambiguous, 1)
        repeat = covered[chrom, start, end] / WIDTH
        bins = (min(int(gc * GC_BINS + 1e-9), GC_BINS - 1), min(int(repeat * REPEAT_BINS + 1e-9), REPEAT_BINS - 1))
        found[chrom, int(start), int(end)] = (*bins, n_ambiguous > 0)
    return found


@pytest.fixture(scope="module")
def candidates(case, positives):
    """Windows that may be drawn for test, by bedtools, with their bins."""
    write_rows(case / "sizes", [("chr22", 51_304_566)])
    write_rows(case / "block.bed", [("chr22", *BLOCKS["test"])])
    write_rows(case / "positives.bed", positives.frame[["chrom", "start", "end"]].to_numpy().tolist())
    write_rows(case / "windows.bed", bedtools(case, f"makewindows -g sizes -w {WIDTH}")[:-1])
    write_rows(case / "near.bed", bedtools(case, f"slop -i peaks.bed -g sizes -b {EXCLUSION}"))
    write_rows(case / "inside.bed", bedtools(case, "intersect -u -f 1.0 -a windows.bed -b block.bed"))
    write_rows(case / "free.bed", bedtools(case, "intersect -v -a inside.bed -b near.bed positives.bed blacklist.bed"))
    return properties(case, "free.bed")


def test_windows_that_may_be_drawn_are_those_of_bedtools(request_, positives, candidates):
    with request_.open(positives, ["genomic_matched"]) as background:
        found = background.tiles.regions(background.candidates("test"))
    assert list(found.itertuples(index=False, name=None)) == list(candidates)
    assert len(candidates) > 50_000


def drawn(request_, positives, seed):
    with request_.open(positives, ["genomic_matched"]) as background:
        rng = np.random.default_rng(seed)
        return make_negatives("MAX", positives.frame, ("test",), "genomic_matched", RATIO, rng, background)


def test_negatives_have_the_bin_of_their_positive_and_none_is_missing_that_was_left(
    case, request_, positives, candidates
):
    made, counts = drawn(request_, positives, 1)
    own = properties(case, "positives.bed")
    wanted = positives.of_split("test")
    bins = {row.example_id: own[row.chrom, row.start, row.end] for row in wanted.itertuples()}
    got = collections.Counter(made["parent_id"])
    left = collections.Counter(candidates.values())
    steps = collections.Counter()
    for row in made.itertuples():
        found = candidates[row.chrom, row.start, row.end]
        left[found] -= 1
        steps[tuple(int(a) - int(b) for a, b in zip(found, bins[row.parent_id], strict=True))] += 1
    assert set(steps) <= {(0, 0, 0), (-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0)}
    assert steps[0, 0, 0] > 0.8 * len(made)
    again = dict(counts)["sequence_of_another_example"]
    short = [name for name in bins if got[name] < RATIO]
    assert sum(RATIO - got[name] for name in short) == dict(counts)["no_match"] + again
    if not again:
        for gc, repeat, ambiguous in (bins[name] for name in short):
            near = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)]
            assert not any(left[gc + a, repeat + b, ambiguous] for a, b in near)
    assert dict(counts)["no_match"] < 0.15 * len(bins) * RATIO


def test_every_window_of_a_bin_is_drawn_equally_often(request_, positives, candidates):
    """Of windows in the order of the chromosome, the place of those that are drawn is uniform within their bin."""
    in_bin = collections.defaultdict(list)
    for window, bin_ in candidates.items():
        in_bin[bin_].append(window)
    place = {
        window: (number + 0.5) / len(windows) for windows in in_bin.values() for number, window in enumerate(windows)
    }
    places = []
    for seed in range(3):
        made, _ = drawn(request_, positives, seed)
        places += [place[row.chrom, row.start, row.end] for row in made.itertuples()]
    assert len(places) > 5000
    assert kstest(places, "uniform").pvalue > 0.001
