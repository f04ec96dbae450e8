"""What the sanity checks look at: the examples of one experiment, and its raw files."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from bindgram.data.examples import ExampleTable
from bindgram.errors import InputError

POSITIVES = "positives"


@dataclass(frozen=True)
class Places:
    """Raw files of an experiment with coordinates.

    `peaks` is the table of `read_assembly_peaks`; `blocks` is a frame ``chrom, start, end, split``; `blacklist` is None
    where the assembly has none.
    """

    genome: Path
    chrom_sizes: Mapping[str, int]
    peaks: pd.DataFrame
    blocks: pd.DataFrame
    blacklist: pd.DataFrame | None
    exclusion_bp: int


@dataclass(frozen=True)
class Case:
    """Everything of one experiment that is checked.

    `labelled` and `test_sets` are example tables by name; `filter_tables` are counts per reason of the tables, by the
    same names and `POSITIVES`; `places` is None for sequences without coordinates.
    """

    experiment: str
    positives: ExampleTable
    labelled: Mapping[str, ExampleTable]
    test_sets: Mapping[str, ExampleTable]
    filter_tables: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    places: Places | None = None
    seed: int = 0

    def tables(self) -> dict[str, ExampleTable]:
        """Labelled tables and test sets, by name."""
        return {**self.labelled, **self.test_sets}

    def rows(self) -> pd.DataFrame:
        """All positives once, and the negatives of every table; the column ``table`` says of which."""
        frames = [self.positives.frame.assign(table=POSITIVES)]
        for name, table in self.tables().items():
            frames.append(table.frame[table.frame["label"] == 0].assign(table=name))
        filled = [frame for frame in frames if len(frame)]
        return pd.concat(filled, ignore_index=True) if filled else frames[0]


# What a check gives for each table: its name, the ids of all examples that were looked at, and which of them fail.
Looked = Iterable[tuple[str, Sequence[str], np.ndarray]]
Check = Callable[[Case], Looked]


def by_table(rows: pd.DataFrame, bad: np.ndarray) -> Looked:
    """One result for every table among `rows`."""
    bad = np.asarray(bad, bool)
    for name, at in rows.reset_index(drop=True).groupby("table", sort=False).indices.items():
        yield str(name), rows["example_id"].iloc[at].tolist(), bad[at]


def bedtools(command: str, windows: pd.DataFrame, others: pd.DataFrame, *options: str) -> np.ndarray:
    """Tell which windows ``bedtools <command> -u`` reports against `others`: (N,) bool.

    Raises
    ------
    InputError : bedtools is not installed.
    """
    if shutil.which("bedtools") is None:
        raise InputError("bedtools is not on the PATH; install it (apt install bedtools, or conda install bedtools)")
    found = np.zeros(len(windows), bool)
    if windows.empty or others.empty:
        return found
    with tempfile.TemporaryDirectory(prefix="bindgram.") as name:
        folder = Path(name)
        _write_bed(folder / "a.bed", windows)
        _write_bed(folder / "b.bed", others)
        arguments = ["bedtools", command, "-u", "-a", str(folder / "a.bed"), "-b", str(folder / "b.bed"), *options]
        result = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True)
    found[[int(line.rsplit("\t", 1)[1]) for line in result.stdout.splitlines()]] = True
    return found


def _write_bed(path: Path, regions: pd.DataFrame) -> None:
    """Write regions with their numbers; what bedtools refuses is made 1 bp long, and reported by `inside_blocks`."""
    starts = regions["start"].to_numpy(np.int64).clip(min=0)
    table = pd.DataFrame(
        {
            "chrom": regions["chrom"].to_numpy(object),
            "start": starts,
            "end": np.maximum(regions["end"].to_numpy(np.int64), starts + 1),
            "number": np.arange(len(regions)),
        }
    )
    table.to_csv(path, sep="\t", header=False, index=False)
