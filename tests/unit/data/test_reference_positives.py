"""Positives and filters against an independent slow reference, on real peaks: bedtools command lines and pyfaidx.

The reference shares no code with the package. It works line by line on BED files whose name column is the number of the
peak, and keeps a set of the numbers that are left.
"""

import gzip
import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pysam
import pytest
import yaml

from bindgram.data.filters import MERGED, REASONS
from bindgram.data.peaks import read_assembly_peaks
from bindgram.data.positives import Places, PositivesPlan, genomic_positives
from bindgram.data.splits import Split
from bindgram.data.tiles import Repeats, Tiles, write_tiles
from bindgram.genome.fasta import Genome
from bindgram.genome.regions import read_bed3
from bindgram.provenance import make_provenance
from bindgram.settings.filters import parse_filter_text

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(shutil.which("bedtools") is None, reason="needs bedtools"),
]
DEFAULT = ("split", "blacklist", "n_fraction=0.0", "overlap=keep_strongest", "duplicate")
MERGING = ("overlap=merge", "support=2", "split", "soft_masked=0.5", "duplicate", "overlap=keep_strongest")
OTHERS = ("peak_width=150,400", "duplicate", "strength=50", "chromosomes=chr22,chrIV", "split", "n_fraction=0.01")
SITES = (
    "duplicate",
    "strength=20",
    "chromosomes=chrIV,chrXII,chrXV",
    "soft_masked=0.5",
    "split",
    "overlap=keep_strongest",
)
BLOCKS = {
    "hg19": {
        "train": {"a": "chr20:0-42999000", "b": "chr20:48001000-63025520"},
        "valid": {"c": "chr20:43000000-48000000"},
        "test": {"d": "chr22:0-51304566"},
    },
    "sacCer3": {
        "train": {"a": "chrIV:0-500000", "b": "chrXII:0-1078177", "c": "chrIV:900000-1531933"},
        "valid": {"d": "chrIV:500000-900000", "e": "chrVII:0-1090940"},
        "test": {"f": "chrXV:0-1091291", "g": "chrXVI:0-948066"},
    },
}


@dataclass(frozen=True)
class Case:
    """One assembly on disk: FASTA with index, blacklist, stand-in repeats, and the blocks of a split."""

    name: str
    folder: Path

    @property
    def fasta(self) -> Path:
        return self.folder / "genome.fa"


def unpack(paths: list[Path], target: Path) -> None:
    with target.open("wb") as plain:
        for path in paths:
            with gzip.open(path, "rb") as packed:
                shutil.copyfileobj(packed, plain)


def bedtools(*arguments: object) -> list[list[str]]:
    words = ["bedtools", *map(str, arguments)]
    text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return [line.split("\t") for line in text.splitlines()]


@pytest.fixture(scope="module")
def hg19(real_data, tmp_path_factory) -> Case:
    source, case = real_data / "hg19_chr20_chr22", Case("hg19", tmp_path_factory.mktemp("hg19"))
    unpack([source / "hg19.chr20.fa.gz", source / "hg19.chr22.fa.gz"], case.fasta)
    unpack([source / "hg19-blacklist.v2.bed.gz"], case.folder / "blacklist.bed")
    unpack([source / "peaks_tfbs_clusters/POLR2A.bed.gz"], case.folder / "repeats.bed")
    return finished(case)


@pytest.fixture(scope="module")
def yeast(real_data, tmp_path_factory) -> Case:
    case = Case("sacCer3", tmp_path_factory.mktemp("sacCer3"))
    unpack([real_data / "sacCer3/sacCer3.fa.gz"], case.fasta)
    lines = (real_data / "sacCer3/peaks_chipexo/Abf1.bed").read_text().splitlines()
    places = [line.split("\t")[:2] for line in lines]
    wide = [f"{chrom}\t{max(0, int(start) - 150)}\t{int(start) + 40}\n" for chrom, start in places]
    (case.folder / "repeats.bed").write_text("".join(wide[::2]))
    (case.folder / "blacklist.bed").write_text("chrXII\t440000\t490000\nchrIV\t0\t20000\n")
    return finished(case)


def finished(case: Case) -> Case:
    """Index the genome, and write its blocks as a split file and as BED, and its tiles."""
    pysam.faidx(str(case.fasta))
    blocks = BLOCKS[case.name]
    (case.folder / "split.yaml").write_text(yaml.safe_dump({"assemblies": {case.name: blocks}}))
    places = [
        (split, place.replace(":", "-").split("-")) for split, named in blocks.items() for place in named.values()
    ]
    (case.folder / "blocks.bed").write_text("".join("\t".join([*place, split]) + "\n" for split, place in places))
    with Genome.open(case.fasta) as genome:
        repeats = Repeats.read(case.folder / "repeats.bed", genome.chrom_sizes)
        write_tiles(case.folder / "tiles.h5", genome, 200, repeats, None, make_provenance("tile", 1, {}))
    return case


class Reference:
    """The slow way: peaks (chrom, start, end, summit or None, strength or None) to windows and counts."""

    def __init__(self, case: Case, peaks: list[tuple], width: int, folder: Path) -> None:
        import pyfaidx

        self.case, self.folder, self.peaks, self.width = case, folder, dict(enumerate(peaks)), width
        self.support = dict.fromkeys(self.peaks, 1)
        sizes = folder / "sizes"
        lines = Path(f"{case.fasta}.fai").read_text().splitlines()
        sizes.write_text("".join("\t".join(line.split("\t")[:2]) + "\n" for line in lines))
        centres = {
            i: start + summit if summit is not None else (start + end) // 2
            for i, (_, start, end, summit, _) in self.peaks.items()
        }
        bed = self.bed("centres", {i: (self.peaks[i][0], c, c + 1) for i, c in centres.items()})
        right = width - width // 2 - 1
        slopped = bedtools("slop", "-i", bed, "-g", sizes, "-l", width // 2, "-r", right)
        self.windows = {int(i): (c, int(s), int(e)) for c, s, e, i in slopped if int(e) - int(s) == width}
        self.left = set(self.windows)
        self.counts = [("n_input", len(peaks)), ("off_chromosome_end", len(peaks) - len(self.left))]
        cut = self.bed("cut", self.windows)
        inside = bedtools("intersect", "-f", "1.0", "-wa", "-wb", "-a", cut, "-b", case.folder / "blocks.bed")
        self.split = {int(row[3]): row[-1] for row in inside}
        fasta = pyfaidx.Fasta(str(case.fasta))
        self.sequence = {i: str(fasta[c][s:e]).upper() for i, (c, s, e) in self.windows.items()}

    def bed(self, name: str, rows: dict[int, tuple]) -> Path:
        path = self.folder / f"{name}.bed"
        lines = sorted((*place, i) for i, place in rows.items())
        path.write_text("".join(f"{c}\t{s}\t{e}\t{i}\n" for c, s, e, i in lines))
        return path

    def name(self, i: int) -> str:
        chrom, start, end = self.windows[i]
        return f"E:{chrom}:{start}-{end}"

    def rank(self, i: int) -> tuple:
        strength = self.peaks[i][4]
        tie = hashlib.sha256(self.name(i).encode()).digest()
        return strength is None, 0 if strength is None else -strength, tie, i

    def apply(self, text: str) -> None:
        name, _, value = text.partition("=")
        windows = self.bed("windows", {i: self.windows[i] for i in self.left})
        stay, reason = getattr(self, f"filter_{name}")(windows, value)
        assert stay <= self.left
        self.counts.append((reason, len(self.left) - len(stay)))
        self.left = stay

    def filter_split(self, windows: Path, value: str) -> tuple[set[int], str]:
        return self.left & set(self.split), "outside_split"

    def filter_blacklist(self, windows: Path, value: str) -> tuple[set[int], str]:
        clean = bedtools("intersect", "-v", "-a", windows, "-b", self.case.folder / "blacklist.bed")
        return {int(row[3]) for row in clean}, "blacklist"

    def filter_n_fraction(self, windows: Path, value: str) -> tuple[set[int], str]:
        counted = bedtools("nuc", "-fi", self.case.fasta, "-bed", windows)[1:]
        few = {int(row[3]) for row in counted if (int(row[-3]) + int(row[-2])) / self.width <= float(value)}
        return few, "n_fraction"

    def filter_soft_masked(self, windows: Path, value: str) -> tuple[set[int], str]:
        covered = bedtools("coverage", "-a", windows, "-b", self.case.folder / "repeats.bed")
        return {int(row[3]) for row in covered if int(row[5]) / self.width <= float(value)}, "soft_masked"

    def filter_chromosomes(self, windows: Path, value: str) -> tuple[set[int], str]:
        return {i for i in self.left if self.windows[i][0] in value.split(",")}, "other_chromosome"

    def filter_peak_width(self, windows: Path, value: str) -> tuple[set[int], str]:
        low, high = map(int, value.split(","))
        return {i for i in self.left if low <= self.peaks[i][2] - self.peaks[i][1] <= high}, "peak_width"

    def filter_support(self, windows: Path, value: str) -> tuple[set[int], str]:
        return {i for i in self.left if self.support[i] >= int(value)}, "low_support"

    def filter_strength(self, windows: Path, value: str) -> tuple[set[int], str]:
        least = float(value)
        known = {i for i in self.left if self.peaks[i][4] is not None}
        return {i for i in known if self.peaks[i][4] >= least}, "low_strength"

    def filter_duplicate(self, windows: Path, value: str) -> tuple[set[int], str]:
        complement = str.maketrans("ACGT", "TGCA")
        order = {"test": 0, "valid": 1, "train": 2}
        stay, seen = set(), set()
        for i in sorted(self.left, key=lambda i: (order.get(self.split.get(i, ""), 3), i)):
            text = self.sequence[i]
            if not {text, text.translate(complement)[::-1]} & seen:
                stay.add(i)
                seen.add(text)
        return stay, "duplicate"

    def filter_overlap(self, windows: Path, value: str) -> tuple[set[int], str]:
        return self.thinned(windows) if value == "keep_strongest" else self.merged()

    def thinned(self, windows: Path) -> tuple[set[int], str]:
        neighbours: dict[int, set[int]] = {i: set() for i in self.left}
        for row in bedtools("intersect", "-wa", "-wb", "-a", windows, "-b", windows):
            neighbours[int(row[3])].add(int(row[7]))
        stay: set[int] = set()
        for i in sorted(self.left, key=self.rank):
            if not neighbours[i] & stay:
                stay.add(i)
        return stay, "overlaps_stronger"

    def merged(self) -> tuple[set[int], str]:
        peaks = self.bed("peaks", {i: self.peaks[i][:3] for i in self.left})
        stay = set()
        in_order = self.folder / "sorted.bed"
        in_order.write_text("".join("\t".join(row) + "\n" for row in bedtools("sort", "-i", peaks)))
        for chrom, start, end, members in bedtools("merge", "-d", "-1", "-c", "4", "-o", "collapse", "-i", in_order):
            numbers = [int(i) for i in members.split(",")]
            best = min(numbers, key=self.rank)
            self.support[best] = sum(self.support[i] for i in numbers)
            self.peaks[best] = (chrom, int(start), int(end), *self.peaks[best][3:])
            stay.add(best)
        return stay, "merged_into_stronger"


def made_by_us(case: Case, path: Path, format: str, width: int, filters: tuple[str, ...]):
    settings = tuple(parse_filter_text(text) for text in filters)
    plan = PositivesPlan("E", width, None, settings, dict.fromkeys(("train", "valid", "test"), 0), 1)
    with Genome.open(case.fasta) as genome:
        split = Split.load(case.folder / "split.yaml", case.name, genome.chrom_sizes)
        peaks = read_assembly_peaks(path, format, genome.chrom_sizes)
        places = Places(read_bed3(case.folder / "blacklist.bed"), Tiles.open(case.folder / "tiles.h5"))
        return genomic_positives(plan, peaks, genome, split, places, {})


def peaks_of(path: Path, format: str) -> list[tuple]:
    rows = []
    for line in path.read_text().splitlines():
        cells = line.split("\t")
        strength, summit = (cells[6], int(cells[9])) if format == "narrowPeak" else (cells[4], None)
        rows.append((cells[0], int(cells[1]), int(cells[2]), summit, float(strength)))
    return rows


def compare(case: Case, path: Path, format: str, width: int, filters: tuple[str, ...], folder: Path) -> dict[str, int]:
    """Ids, splits and sequences in file order, and the count of every reason, are equal; return the counts."""
    reference = Reference(case, peaks_of(path, format), width, folder)
    for text in filters:
        reference.apply(text)
    table, counts = made_by_us(case, path, format, width, filters)
    inside = sorted(reference.left)
    assert counts[: len(reference.counts)] == reference.counts
    assert dict(counts)["n_kept"] == len(inside)
    expected = [(reference.name(i), reference.split.get(i, ""), reference.sequence[i]) for i in inside]
    expected = [(name, split, "".join(b if b in "ACGT" else "N" for b in text)) for name, split, text in expected]
    assert list(table.frame[["example_id", "split", "sequence"]].itertuples(index=False, name=None)) == expected
    return dict(counts)


@pytest.mark.parametrize("filters", [DEFAULT, MERGING, OTHERS], ids=["default", "merging", "others"])
@pytest.mark.parametrize("name", ["E2F1.GM12878", "CTCF.K562"])
def test_dream_positives_are_those_of_bedtools_and_pyfaidx(real_data, hg19, tmp_path, name, filters):
    peaks = tmp_path / "peaks.narrowPeak"
    unpack([real_data / f"hg19_chr20_chr22/peaks_dream/{name}.narrowPeak.gz"], peaks)
    counts = compare(hg19, peaks, "narrowPeak", 200, filters, tmp_path)
    assert counts["n_kept"] > 0


@pytest.mark.parametrize("filters", [DEFAULT, SITES], ids=["default", "sites"])
@pytest.mark.parametrize("name", ["Sua7", "Reb1"])
def test_yeast_positives_are_those_of_bedtools_and_pyfaidx(real_data, yeast, tmp_path, name, filters):
    counts = compare(yeast, real_data / f"sacCer3/peaks_chipexo/{name}.bed", "bed", 201, filters, tmp_path)
    assert counts["n_kept"] > 0


def test_every_filter_removes_something_in_these_comparisons(real_data, hg19, yeast, tmp_path):
    """Else their agreement would say nothing."""
    peaks = tmp_path / "peaks.narrowPeak"
    unpack([real_data / "hg19_chr20_chr22/peaks_dream/E2F1.GM12878.narrowPeak.gz"], peaks)
    counts = [made_by_us(hg19, peaks, "narrowPeak", 200, filters)[1] for filters in (DEFAULT, MERGING, OTHERS)]
    sites = real_data / "sacCer3/peaks_chipexo/Sua7.bed"
    counts += [made_by_us(yeast, sites, "bed", 201, filters)[1] for filters in (DEFAULT, SITES)]
    removed = {reason for rows in counts for reason, n in rows if n}
    assert removed >= {*REASONS.values(), MERGED} - {"n_fraction"}  # the test of this one is test_filters.py
