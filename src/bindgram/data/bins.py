"""Labels of many experiments on the bins of a genome, without the file that holds them (that is ``data.store``).

Bin i of a chromosome is ``[i * bin_bp, (i + 1) * bin_bp)``. Its *window*, what a model reads, reaches as many bp to
either side. A *row* is a bin whose window lies wholly inside one block of the split and that touches neither the
blacklist nor an ambiguous base; a column is an experiment. Labels are those of DeepSEA (Zhou and Troyanskaya 2015,
doi:10.1038/nmeth.3547), with a third value for what is not known:

- 1: the peaks of the experiment, united, cover at least `min_overlap` of the bin;
- -1: they touch the bin and cover less; or the experiment has no peak on the whole chromosome (a file of some
  chromosomes, a chromosome that the cells have not), so that nothing says it was looked for there; or the experiment is
  held out into another split than that of the row;
- 0: no peak touches the bin.

A peak shorter than `min_peak_bp` counts as a window of that width around its summit, since it could fill no bin.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from bindgram.data.peaks import summit_positions
from bindgram.errors import raise_all
from bindgram.genome.regions import merge
from bindgram.settings.base import parse
from bindgram.settings.config import StoreSettings
from bindgram.settings.sheets import Experiment
from bindgram.settings.splits import SPLITS, HoldOut, split_of_experiment

UNKNOWN = -1
WRITE_BYTES = 1 << 26  # of labels that are held in memory at a time

Peaks = Callable[[str], pd.DataFrame]  # experiment to its peaks, of `read_assembly_peaks`


class Column(NamedTuple):
    """An experiment of the store; `split` is that into which it is held out, or train."""

    experiment: str
    tf: str
    biosample: str
    family: str
    split: str


def columns_of_sheet(
    sheet: Mapping[str, Experiment], experiments: Sequence[str], assembly: str, hold_out: HoldOut
) -> list[Column]:
    """The columns of chosen experiments in the order given.

    Raises
    ------
    InputError : an experiment is not in the sheet, is of another assembly, or has no coordinates.
    """
    problems = [
        f"{name}: not in the experiment sheet"
        if name not in sheet
        else f"{name}: its assembly is {sheet[name].assembly}, not {assembly}"
        if sheet[name].assembly != assembly
        else f"{name}: format {sheet[name].format} has no coordinates"
        for name in experiments
        if name not in sheet or sheet[name].assembly != assembly or not sheet[name].has_coordinates
    ]
    raise_all(problems, "--experiments")
    rows = [sheet[name] for name in experiments]
    return [
        Column(row.experiment, row.tf, row.biosample, row.family or "", split_of_experiment(row, hold_out))
        for row in rows
    ]


@dataclass(frozen=True)
class StorePlan:
    """How a store is made.

    `bin_bp`, `window_bp` and `min_peak_bp` in bp; `min_overlap` is a share of the bin; `empty_fraction` is the share of
    the rows without any label 1 that is kept, drawn with `seed`.

    Raises
    ------
    InputError : values that `settings.config.StoreSettings` does not allow.
    """

    bin_bp: int
    window_bp: int
    min_overlap: float
    min_peak_bp: int
    empty_fraction: float
    seed: int

    def __post_init__(self) -> None:
        parse(StoreSettings, self.to_json(), "store")

    def to_json(self) -> dict[str, float]:
        """All of it but the seed."""
        return {name: value for name, value in asdict(self).items() if name != "seed"}

    @property
    def flank(self) -> int:
        """Bp of the window on each side of the bin."""
        return (self.window_bp - self.bin_bp) // 2

    @property
    def min_covered_bp(self) -> int:
        """Bp of a bin that make it positive, at least 1."""
        return max(1, math.ceil(round(self.min_overlap * self.bin_bp, 6)))  # 0.55 * 200 is 110.00000000000001


class Spans(NamedTuple):
    """United peaks of all experiments on one chromosome, in bp, and the column of each: three (N,) arrays."""

    starts: np.ndarray
    ends: np.ndarray
    columns: np.ndarray


class Sparse(NamedTuple):
    """What is not 0: `bins` (rising), `columns` and `labels` (1 or -1), each (N,)."""

    bins: np.ndarray
    columns: np.ndarray
    labels: np.ndarray


def gather_peaks(
    columns: Sequence[Column], read: Peaks, plan: StorePlan, chrom_sizes: Mapping[str, int]
) -> tuple[dict[str, Spans], np.ndarray]:
    """Read the peaks of all experiments, each once, and sort them by chromosome.

    Returns
    -------
    Chromosome to its peaks, and the number of peaks of every experiment: (columns,) int64.
    """
    found: dict[str, list[Spans]] = {}
    n_peaks = np.zeros(len(columns), np.int64)
    for number, column in enumerate(columns):
        peaks = read(column.experiment)
        n_peaks[number] = len(peaks)
        united = merge(widened(peaks[peaks["chrom"].isin(list(chrom_sizes))], plan.min_peak_bp, chrom_sizes))
        for chrom, rows in united.groupby("chrom", sort=False):
            spans = rows["start"].to_numpy(np.int32), rows["end"].to_numpy(np.int32)
            found.setdefault(chrom, []).append(Spans(*spans, np.full(len(rows), number, np.int32)))
    return {chrom: Spans(*map(np.concatenate, zip(*parts, strict=True))) for chrom, parts in found.items()}, n_peaks


def widened(peaks: pd.DataFrame, min_bp: int, chrom_sizes: Mapping[str, int]) -> pd.DataFrame:
    """Replace every peak shorter than `min_bp` by that many bp around its summit; cut all at the chromosome ends.

    Of a peak that reaches beyond its chromosome, with the summit far behind the end, nothing is left.
    """
    short = (peaks["end"] - peaks["start"] < min_bp).to_numpy(bool)
    first = summit_positions(peaks) - min_bp // 2
    starts = np.where(short, first, peaks["start"])
    ends = np.where(short, first + min_bp, peaks["end"])
    sizes = peaks["chrom"].map(dict(chrom_sizes)).to_numpy(np.int64)
    cut = peaks[["chrom"]].assign(start=np.maximum(starts, 0), end=np.minimum(ends, sizes))
    return cut[cut["start"] < cut["end"]]


def label_bins(spans: Spans, plan: StorePlan) -> Sparse:
    """Labels of the bins of one chromosome that peaks touch, in the order of bins and columns."""
    first = spans.starts.astype(np.int64) // plan.bin_bp
    n_bins = (spans.ends.astype(np.int64) - 1) // plan.bin_bp - first + 1
    span = np.repeat(np.arange(len(first)), n_bins)
    bins = first[span] + np.arange(len(span)) - np.repeat(np.cumsum(n_bins) - n_bins, n_bins)
    starts, ends = bins * plan.bin_bp, (bins + 1) * plan.bin_bp
    covered = np.minimum(ends, spans.ends[span]) - np.maximum(starts, spans.starts[span])
    columns = spans.columns[span]
    order = np.lexsort((columns, bins))
    bins, columns = bins[order], columns[order]
    heads = np.flatnonzero((np.diff(bins, prepend=-1) != 0) | (np.diff(columns, prepend=-1) != 0))
    covered = np.add.reduceat(covered[order], heads) if len(heads) else covered
    labels = np.where(covered >= plan.min_covered_bp, 1, UNKNOWN).astype(np.int8)
    return Sparse(bins[heads], columns[heads], labels)


def touched_bins(regions: pd.DataFrame, bin_bp: int, n_bins: int) -> np.ndarray:
    """Bins of one chromosome that share 1 bp or more with any of `regions`: (n_bins,) bool."""
    marks = np.zeros(n_bins + 1, np.int64)
    for column, offset, step in (("start", 0, 1), ("end", bin_bp - 1, -1)):
        bins = (regions[column].to_numpy(np.int64) + offset) // bin_bp
        np.add.at(marks, np.minimum(bins, n_bins), step)
    return np.cumsum(marks[:-1]) > 0


@dataclass(frozen=True)
class Rows:
    """Rows of one chromosome from left to right: `bins` and `splits` (index into `SPLITS`), each (N,)."""

    bins: np.ndarray
    splits: np.ndarray

    def kept(self, mask: np.ndarray) -> "Rows":
        """The rows where `mask` is True."""
        return Rows(self.bins[mask], self.splits[mask])


def bins_of_blocks(blocks: pd.DataFrame, plan: StorePlan) -> Rows:
    """Bins whose window lies wholly inside one of the blocks of one chromosome."""
    bins, splits = [np.empty(0, np.int64)], [np.empty(0, np.uint8)]
    for block in blocks.sort_values("start").itertuples():
        first = -(-(block.start + plan.flank) // plan.bin_bp)
        ours = np.arange(first, max(first, (block.end - plan.flank) // plan.bin_bp))
        bins.append(ours)
        splits.append(np.full(len(ours), SPLITS.index(block.split), np.uint8))
    return Rows(np.concatenate(bins), np.concatenate(splits))


def known_labels(columns: Sequence[Column], has_peaks: np.ndarray) -> np.ndarray:
    """Whether an experiment has labels on one chromosome in the rows of each split: (splits, columns) bool.

    `has_peaks` (columns,) tells which have any peak on the chromosome.
    """
    allowed = [[column.split in ("train", split) for column in columns] for split in SPLITS]
    return np.array(allowed, bool) & has_peaks


def place(sparse: Sparse, rows: Rows, known: np.ndarray, n_bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels that are not 0 as ``(row, column, label)``, without those of bins that are no row and those not known."""
    row_of_bin = np.full(n_bins + 1, -1, np.int64)
    row_of_bin[rows.bins] = np.arange(len(rows.bins))
    row = row_of_bin[np.minimum(sparse.bins, n_bins)]
    kept = row >= 0
    kept[kept] = known[rows.splits[row[kept]], sparse.columns[kept]]
    return row[kept], sparse.columns[kept], sparse.labels[kept]


def dense_labels(
    row: np.ndarray, column: np.ndarray, label: np.ndarray, rows: Rows, known: np.ndarray
) -> Iterator[np.ndarray]:
    """The label matrix of one chromosome in pieces of `WRITE_BYTES`, from the first row on: (rows, columns) int8."""
    empty = np.where(known, 0, UNKNOWN).astype(np.int8)
    n_rows = max(1, WRITE_BYTES // known.shape[1])
    for first in range(0, len(rows.bins), n_rows):
        labels = empty[rows.splits[first : first + n_rows]]
        ours = slice(*np.searchsorted(row, [first, first + n_rows]))
        labels[row[ours] - first, column[ours]] = label[ours]
        yield labels
