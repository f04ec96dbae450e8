"""Groups of one experiment's examples: its positives, and each kind of negative."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bindgram.data.examples import read_examples
from bindgram.errors import InputError
from bindgram.genome.regions import REGION_COLUMNS, draw_regions, read_bed3
from bindgram.genome.signal import signal_chroms

POSITIVES = "positives"
Groups = tuple[dict[str, pd.DataFrame], str, dict[str, Mapping[str, Any]]]  # rows by name, reason, provenances


def read_groups(paths: Iterable[Path]) -> Groups:
    """Read example tables of one experiment and sort their rows into groups.

    Returns
    -------
    Rows of each group by its name in words, positives first and each row once, though several tables have it; the
    reason of the first table that is skipped, or nothing; the provenance of every table.
    """
    tables = {path: read_examples(path) for path in paths}
    rows = pd.concat([table.frame for table in tables.values()], ignore_index=True)
    rows = rows.drop_duplicates(["label", "kind", "example_id", "sequence"], ignore_index=True)
    names = np.where(rows["label"] == 1, POSITIVES, rows["kind"].str.replace("_", " "))
    groups = {name: rows[names == name] for name in sorted(set(names), key=lambda name: (name != POSITIVES, name))}
    reason = next((table.reason for table in tables.values() if table.skipped), "")
    return groups, reason, {f"{path.parent.name}.{path.stem}": table.provenance for path, table in tables.items()}


def read_sets(positives: Path, negatives: Iterable[tuple[str, Path]]) -> Groups:
    """Read the positives of one experiment, and its negatives set by set.

    Parameters
    ----------
    negatives : name of a set (training, or a test set) and its table, of which the positives are left out.

    Returns
    -------
    As `read_groups`; the name of a set tells what kinds of negatives are in it.
    """
    table = read_examples(positives)
    sets, provenances = {POSITIVES: table.frame}, {"positives": table.provenance}
    for name, path in negatives:
        made = read_examples(path)
        rows = made.frame[made.frame["label"] == 0]
        kinds = " + ".join(sorted(set(rows["kind"].str.replace("_", " "))))
        sets[f"{name}: {kinds}"] = rows
        provenances[f"negatives.{name}"] = made.provenance
    return {name: rows for name, rows in sets.items() if len(rows)}, table.reason, provenances


def read_union(path: Path) -> Groups:
    """Read a BED file of the regions of many experiments as one group, as `read_groups` returns them."""
    return {"union of positives": read_bed3(path)}, "no experiment has positives", {}


def draw_placed(groups: Mapping[str, pd.DataFrame], n_wanted: int, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Draw at most `n_wanted` regions of each group that has coordinates, sorted by chromosome and start."""
    placed = {}
    for name, rows in groups.items():
        regions = rows.loc[rows["chrom"].notna(), list(REGION_COLUMNS)].drop_duplicates()
        regions = regions.astype({"start": np.int64, "end": np.int64})  # where a table has nulls they are not whole
        if len(regions):
            drawn = draw_regions(regions.sort_values(["chrom", "start", "end"], ignore_index=True), n_wanted, rng)
            placed[name] = drawn
    return placed


def grouped_bed_text(groups: Mapping[str, pd.DataFrame]) -> str:
    """Lines of a BED file in which a line ``#name`` ends each group, as deepTools reads them."""
    return "".join(
        regions.to_csv(sep="\t", header=False, index=False, lineterminator="\n") + f"#{name}\n"
        for name, regions in groups.items()
    )


def check_signal(groups: Mapping[str, pd.DataFrame], signal: Path) -> None:
    """Refuse a signal track of another assembly: without a chromosome of the regions, or with one that is shorter.

    Raises
    ------
    InputError : names the file.
    """
    chroms = signal_chroms(signal)
    ends = pd.concat(groups.values()).groupby("chrom", sort=True)["end"].max()
    if not set(ends.index) & set(chroms):
        raise InputError(
            f"{signal}: none of the chromosomes of the examples ({', '.join(ends.index[:5])}) is in it; it has "
            f"{', '.join(list(chroms)[:5])}. Check the columns assembly and signal of this experiment"
        )
    for chrom, end in ends.items():
        if end > chroms.get(chrom, end):
            raise InputError(
                f"{signal}: {chrom} has {chroms[chrom]} bp in it, but an example ends at {end}; it is of another "
                "assembly. Check the columns assembly and signal of this experiment"
            )
