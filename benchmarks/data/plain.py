"""The straightforward way from peaks to examples: bedtools, pyfaidx and plain Python, one window at a time.

It shares no code with bindgram and is written as one would write it for a paper, so it serves two ends: what the fast
way is compared with, and an independent reference for its results. Same steps, same settings: windows around summits,
split blocks, blacklist, N, overlaps, duplicates; GC-matched genomic negatives from random windows of bedtools shuffle;
exact dinucleotide shuffles by random Euler paths; peaks of other factors; tiles of one chromosome.
"""

import gzip
import hashlib
import itertools
import json
import random
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pyfaidx

COMPLEMENT = str.maketrans("ACGTN", "TGCAN")
SPLITS = ("train", "valid", "test")
CANDIDATES = 20  # random windows per negative wanted


def bedtools(*words: object, text: str = "") -> list[list[str]]:
    command = ["bedtools", *(str(word) for word in words)]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode and "could not avoid" not in done.stderr:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[:300]}")
    return [line.split("\t") for line in done.stdout.splitlines()]


def bed(rows: list) -> str:
    return "".join("\t".join(str(cell) for cell in row) + "\n" for row in rows)


def canonical(sequence: str) -> str:
    return min(sequence, sequence.translate(COMPLEMENT)[::-1])


def gc(sequence: str) -> float:
    return (sequence.count("G") + sequence.count("C")) / len(sequence)


def read_peaks(path: Path) -> list[tuple[str, int, int, int, float]]:
    """(chrom, start, end, summit position, strength) of a narrowPeak or BED file."""
    peaks = []
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for line in lines:
            if not line.strip() or line.startswith(("#", "track", "browser")):
                continue
            cells = line.split()
            start, end = int(cells[1]), int(cells[2])
            narrow = len(cells) >= 10
            summit = start + int(cells[9]) if narrow and int(cells[9]) >= 0 else (start + end) // 2
            strength = float(cells[6]) if narrow else float(cells[4]) if len(cells) > 4 else 0.0
            peaks.append((cells[0], start, end, summit, strength))
    return peaks


def positives(experiment: str, peaks: list, settings: dict, fasta: pyfaidx.Fasta) -> list[dict]:
    """Windows that pass all filters, in the order of the file: chrom, start, end, split, strength, sequence."""
    width, rows = settings["width"], []
    for number, (chrom, _, _, summit, strength) in enumerate(peaks):
        start = summit - width // 2
        if chrom in fasta and start >= 0 and start + width <= len(fasta[chrom]):
            rows.append((chrom, start, start + width, number, strength))
    split_of = {}
    for split in SPLITS:
        inside = bedtools("intersect", "-u", "-f", "1.0", "-a", "-", "-b", settings["blocks"][split], text=bed(rows))
        split_of.update({int(cells[3]): split for cells in inside})
    if settings["blacklist"]:
        kept = {
            int(cells[3])
            for cells in bedtools("intersect", "-v", "-a", "-", "-b", settings["blacklist"], text=bed(rows))
        }
    else:
        kept = {row[3] for row in rows}
    found = []
    for chrom, start, end, number, strength in rows:
        if number in split_of and number in kept:
            sequence = str(fasta[chrom][start:end]).upper()
            if all(base in "ACGT" for base in sequence):
                found.append(
                    dict(
                        chrom=chrom, start=start, end=end, split=split_of[number], strength=strength, sequence=sequence
                    )
                )
    found = strongest_first(experiment, found)
    seen, kept = set(), set()
    for number in sorted(
        range(len(found)), key=lambda number: ("test", "valid", "train").index(found[number]["split"])
    ):
        key = canonical(found[number]["sequence"])
        if key not in seen:
            seen.add(key)
            kept.add(number)
    return [row for number, row in enumerate(found) if number in kept]


def strongest_first(experiment: str, rows: list[dict]) -> list[dict]:
    """Rows that overlap no stronger one that stays; of equally strong ones the hash of the id decides."""

    def rank(number: int) -> tuple:
        row = rows[number]
        name = f"{experiment}:{row['chrom']}:{row['start']}-{row['end']}"
        return -row["strength"], hashlib.sha256(name.encode()).digest()

    stays, taken = set(), defaultdict(list)
    for number in sorted(range(len(rows)), key=rank):
        row = rows[number]
        if not any(row["start"] < end and start < row["end"] for start, end in taken[row["chrom"]]):
            taken[row["chrom"]].append((row["start"], row["end"]))
            stays.add(number)
    return [row for number, row in enumerate(rows) if number in stays]


def matched(
    rows: list[dict], split: str, ratio: float, settings: dict, forbidden: Path, fasta, seed: int
) -> list[dict]:
    """Genomic windows of the split with the GC content of the positives, none overlapping another."""
    wanted = round(ratio * len(rows))
    if not wanted:
        return []
    template = bed([(rows[0]["chrom"], 0, settings["width"])] * (wanted * CANDIDATES))
    drawn = bedtools(
        "shuffle", "-i", "-", "-g", settings["sizes"], "-incl", settings["blocks"][split], "-excl", forbidden,
        "-f", "1e-9", "-maxTries", "50", "-seed", seed, text=template,
    )  # fmt: skip
    inside = bedtools("intersect", "-u", "-f", "1.0", "-a", "-", "-b", settings["blocks"][split], text=bed(drawn))
    by_bin = defaultdict(list)
    for chrom, start, end in (cells[:3] for cells in inside):
        sequence = str(fasta[chrom][int(start) : int(end)]).upper()
        if all(base in "ACGT" for base in sequence):
            by_bin[int(gc(sequence) * settings["gc_bins"])].append((chrom, int(start), int(end), sequence))
    made, taken = [], defaultdict(list)
    for turn in range(int(ratio) or 1):
        for parent, row in enumerate(rows):
            if turn * len(rows) + parent >= wanted:
                break
            centre = int(gc(row["sequence"]) * settings["gc_bins"])
            for name in (centre, centre - 1, centre + 1):
                while by_bin[name]:
                    chrom, start, end, sequence = by_bin[name].pop()
                    if not any(start < other_end and other_start < end for other_start, other_end in taken[chrom]):
                        taken[chrom].append((start, end))
                        made.append(
                            dict(chrom=chrom, start=start, end=end, split=split, sequence=sequence, parent=parent)
                        )
                        break
                else:
                    continue
                break
    return made


def euler_shuffle(sequence: str, rng: random.Random) -> str:
    """One shuffle with the same dinucleotide counts (Altschul and Erickson 1985)."""
    edges = defaultdict(list)
    for left, right in itertools.pairwise(sequence):
        edges[left].append(right)
    last = sequence[-1]
    while True:  # draw the last edge of every letter until all lead to the end
        chosen = {letter: rng.choice(targets) for letter, targets in edges.items() if letter != last}
        if all(_leads(letter, chosen, last) for letter in chosen):
            break
    order = {}
    for letter, targets in edges.items():
        rest = list(targets)
        if letter in chosen:
            rest.remove(chosen[letter])
        rng.shuffle(rest)
        order[letter] = rest + ([chosen[letter]] if letter in chosen else [])
    letters, used = [sequence[0]], defaultdict(int)
    for _ in range(len(sequence) - 1):
        letter = letters[-1]
        letters.append(order[letter][used[letter]])
        used[letter] += 1
    return "".join(letters)


def _leads(letter: str, chosen: dict, last: str) -> bool:
    for _ in range(5):
        if letter == last:
            return True
        letter = chosen[letter]
    return letter == last


def other_peaks(
    rows: list[dict], split: str, ratio: float, settings: dict, others: list, near: Path, fasta, rng
) -> list[dict]:
    """Windows around the summits of other factors, away from the peaks of this one."""
    width = settings["width"]
    windows = [
        (chrom, summit - width // 2, summit - width // 2 + width)
        for chrom, _, _, summit, _ in others
        if summit >= width
    ]
    inside = bedtools("intersect", "-u", "-f", "1.0", "-a", "-", "-b", settings["blocks"][split], text=bed(windows))
    away = bedtools("intersect", "-v", "-a", "-", "-b", near, text=bed(inside))
    rng.shuffle(away)
    made, taken, wanted = [], defaultdict(list), round(ratio * len(rows))
    for chrom, start, end in away:
        if len(made) == wanted:
            break
        start, end = int(start), int(end)
        sequence = str(fasta[chrom][start:end]).upper()
        clash = any(start < other_end and other_start < end for other_start, other_end in taken[chrom])
        if not clash and all(base in "ACGT" for base in sequence):
            taken[chrom].append((start, end))
            made.append(dict(chrom=chrom, start=start, end=end, split=split, sequence=sequence))
    return made


def tiles(peaks: list, settings: dict, folder: Path) -> tuple[int, int, int]:
    """Tiles of the named chromosome that are positive, negative, ignored."""
    chrom, width = settings["tiled"], settings["width"]
    size = dict(line.split("\t")[:2] for line in Path(settings["sizes"]).read_text().splitlines())[chrom]
    name = folder / "tiles.bed"
    name.write_text(
        bed(
            [
                row
                for row in bedtools("makewindows", "-g", "-", "-w", width, text=f"{chrom}\t{size}\n")
                if int(row[2]) - int(row[1]) == width
            ]
        )
    )
    summits = bed(sorted((chrom_, summit, summit + 1) for chrom_, _, _, summit, _ in peaks if chrom_ == chrom))
    touched = bed(sorted((chrom_, start, end) for chrom_, start, end, _, _ in peaks if chrom_ == chrom))
    positive = {row[1] for row in bedtools("intersect", "-u", "-a", name, "-b", "-", text=summits)}
    ignored = {row[1] for row in bedtools("intersect", "-u", "-a", name, "-b", "-", text=touched)}
    ignored -= positive
    for path in (settings["blacklist"], settings["runs_of_n"]):
        if path:
            ignored |= {row[1] for row in bedtools("intersect", "-u", "-a", name, "-b", path)}
    positive -= ignored
    n = sum(1 for _ in name.open())
    return len(positive), n - len(positive) - len(ignored), len(ignored)


def runs_of_n(genome: Path) -> list[tuple[str, int, int]]:
    fasta = pyfaidx.Fasta(str(genome), sequence_always_upper=True)
    return [
        (chrom, run.start(), run.end())
        for chrom in list(fasta.keys())  # its own iterator gives sequences
        for run in re.finditer("[^ACGT]+", str(fasta[chrom][:]))
    ]


def make_examples(
    experiment: str, peaks_path: Path, others: list[Path], settings: dict, folder: Path, seed: int = 1
) -> dict:
    """All tables of one experiment, written as TSV into `folder`; returns them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    fasta = pyfaidx.Fasta(str(settings["genome"]), sequence_always_upper=True)
    peaks = read_peaks(peaks_path)
    made = {"positives": positives(experiment, peaks, settings, fasta)}
    of = {split: [row for row in made["positives"] if row["split"] == split] for split in SPLITS}
    if any(len(of[split]) < n for split, n in settings["minimum"].items()):
        (folder / "examples.json").unlink(missing_ok=True)
        return {}
    near = folder / "near.bed"
    flank = settings["exclusion_bp"]
    near.write_text(bed(sorted((chrom, max(0, start - flank), end + flank) for chrom, start, end, _, _ in peaks)))
    forbidden = folder / "forbidden.bed"
    more = "".join(
        bed([line.split("\t")[:3] for line in Path(path).read_text().splitlines()])
        for path in (settings["blacklist"], settings["runs_of_n"])
        if path
    )
    forbidden.write_text(
        near.read_text() + bed([(row["chrom"], row["start"], row["end"]) for row in made["positives"]]) + more
    )
    made["negatives"] = [
        row
        for split in ("train", "valid")
        for row in matched(of[split], split, settings["ratio"], settings, forbidden, fasta, seed)
    ]
    known = {canonical(row["sequence"]) for row in made["positives"]}
    made["T1"] = [
        {"split": split, "sequence": shuffled}
        for split in ("test", "valid")
        for row in of[split]
        if canonical(shuffled := euler_shuffle(row["sequence"], rng)) not in known
    ]
    made["T2"] = [
        row
        for split in ("test", "valid")
        for row in matched(of[split], split, settings["T2"], settings, forbidden, fasta, seed + 1)
    ]
    pooled = [peak for path in others for peak in read_peaks(path)]
    made["T3"] = [
        row
        for split in ("test", "valid")
        for row in other_peaks(of[split], split, settings["T3"], settings, pooled, near, fasta, rng)
    ]
    made["T4"] = tiles(peaks, settings, folder) if settings["tiled"] else None
    (folder / "examples.json").write_text(json.dumps(made))
    return made


def read_examples(folder: Path) -> dict:
    """What `make_examples` wrote; empty for an experiment with too few positives."""
    path = folder / "examples.json"
    return json.loads(path.read_text()) if path.exists() else {}
