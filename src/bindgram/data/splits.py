"""Splits of one assembly: which stretches of the genome train, validate and test.

A split is fixed before windows, negatives and corpora are made. Bases outside every block belong to no split.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import yaml

from bindgram.errors import InputError, raise_all
from bindgram.settings.splits import SPLITS, Block, load_split, split_of_assembly

COLUMNS = ("chrom", "start", "end", "split", "name")


@dataclass(frozen=True)
class Split:
    """Blocks of one assembly in file order: `regions` is a frame ``chrom, start, end, split, name`` (bp, half-open).

    `tiled` is the name of the test block that T4 tiles, "" where the split file names none.
    """

    regions: pd.DataFrame
    tiled: str = ""

    @classmethod
    def load(cls, path: Path, assembly: str, chrom_sizes: Mapping[str, int]) -> Self:
        """Read the blocks of one assembly from a split file and check them against its chromosomes.

        Raises
        ------
        InputError : the file is wrong, lacks the assembly, or names a block that the assembly does not have.
        """
        assembly_split = split_of_assembly(load_split(path), assembly, path)
        blocks, tiled = assembly_split.blocks(), assembly_split.tiled_block()
        problems = [problem for block in blocks if (problem := _problem(block, chrom_sizes))]
        raise_all(problems, f"{path}: assemblies.{assembly}")
        rows = [
            (block.chrom, block.start, block.end or chrom_sizes[block.chrom], block.split, block.name)
            for block in blocks
        ]
        return cls(pd.DataFrame(rows, columns=list(COLUMNS)), tiled.name if tiled else "")

    def of(self, split: str) -> pd.DataFrame:
        """Blocks of ``train``, ``valid`` or ``test``, in file order."""
        return self.regions[self.regions["split"] == split].reset_index(drop=True)

    def tiled_region(self) -> tuple[str, int, int] | None:
        """The test block that T4 tiles: chrom, start, end; None where the split file names none."""
        rows = self.regions[self.regions["name"] == self.tiled]
        return next(rows[["chrom", "start", "end"]].itertuples(index=False, name=None), None)

    def assign(self, chroms: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Tell the split of each of N regions: (N,) object array, "" where it is not wholly inside one block."""
        chroms, starts, ends = np.asarray(chroms, object), np.asarray(starts), np.asarray(ends)
        splits = np.full(len(chroms), "", object)
        by_chrom = pd.Series(np.arange(len(chroms))).groupby(chroms).indices
        for chrom, blocks in self.regions.sort_values("start").groupby("chrom"):
            rows = by_chrom.get(chrom, np.empty(0, np.int64))
            block = np.searchsorted(blocks["start"].to_numpy(), starts[rows], side="right") - 1
            inside = (block >= 0) & (ends[rows] <= blocks["end"].to_numpy()[block])
            splits[rows[inside]] = blocks["split"].to_numpy(object)[block[inside]]
        return splits

    def to_json(self) -> dict[str, dict[str, str]]:
        """Blocks as in a split file, with every end written out: split to name to ``chrom:start-end``."""
        described: dict[str, dict[str, str]] = {}
        for row in self.regions.itertuples(index=False):
            described.setdefault(row.split, {})[row.name] = f"{row.chrom}:{row.start}-{row.end}"
        return described


def _problem(block: Block, chrom_sizes: Mapping[str, int]) -> str | None:
    size = chrom_sizes.get(block.chrom)
    where = f"{block.split}.{block.name}"
    if size is None:
        known = ", ".join(list(chrom_sizes)[:5])
        return f"{where}: no chromosome {block.chrom!r}; the assembly has {len(chrom_sizes)}: {known}, ..."
    if (block.end or size) > size:
        return f"{where}: ends at {block.end}, beyond {block.chrom}, which has {size} bp; shorten the block"
    return None


def make_folds(chrom_sizes: Mapping[str, int], k: int) -> list[dict[str, list[str]]]:
    """Share out chromosomes for cross-validation over `k` folds, balanced by length, without randomness.

    The longest chromosome goes first, each to the fold that is shortest so far. Fold i tests its chromosomes, validates
    on those of fold i + 1 (the first after the last) and trains on all others.

    Returns
    -------
    For each fold the names of ``train, valid, test``, in the order of `chrom_sizes`.

    Raises
    ------
    InputError : fewer chromosomes than folds.
    """
    if len(chrom_sizes) < k:
        raise InputError(
            f"{len(chrom_sizes)} chromosome(s) for {k} folds; choose fewer folds, or name blocks of chromosomes by hand"
        )
    lengths, fold_of = [0] * k, dict[str, int]()
    for chrom in sorted(chrom_sizes, key=chrom_sizes.__getitem__, reverse=True):
        fold_of[chrom] = lengths.index(min(lengths))
        lengths[fold_of[chrom]] += chrom_sizes[chrom]
    roles = ["test", "valid", *["train"] * (k - 2)]  # of a chromosome's own fold, the one before it, and the others
    return [
        {split: [chrom for chrom in chrom_sizes if roles[(fold_of[chrom] - fold) % k] == split] for split in SPLITS}
        for fold in range(k)
    ]


def format_fold(fold: Mapping[str, list[str]], assembly: str, title: str) -> str:
    """Text of a split file with the chromosomes of one fold of `make_folds`; the first of test is tiled."""
    regions = {split: list(chroms) for split, chroms in fold.items()} | {"tiled": fold["test"][0]}
    text = yaml.safe_dump({"assemblies": {assembly: regions}}, sort_keys=False, default_flow_style=None, width=10**6)
    return f"# {title}\n{text}"
