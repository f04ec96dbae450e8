"""Sanity of an experiment's examples against the raw files: peaks, genome, blocks, blacklist, counts.

Everything is worked out again from what lies on disk, by other means than those that made the tables: intervals by
bedtools, sequences by pysam. A check that fails is a bug, a damaged file or a stale table, never a property of the
data; the experiment stops there, before a model is trained on it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from bindgram.data.examples import COLUMNS as EXAMPLE_COLUMNS
from bindgram.data.examples import ExampleTable, canonical_sequences
from bindgram.data.filters import read_filter_table
from bindgram.data.negatives import KLET_SCHEMES
from bindgram.errors import InputError
from bindgram.evaluation.sanity_case import POSITIVES, Case, Check, Looked, bedtools
from bindgram.evaluation.sanity_places import PLACE_CHECKS
from bindgram.provenance import write_text
from bindgram.sequence.dna import codes_of
from bindgram.sequence.kmers import count_kmers
from bindgram.settings.splits import SPLITS

COLUMNS = ("check", "table", "n_checked", "n_failed", "example")
_NOT_IN_FILTER_SUM = ("n_input", "n_kept", "n_kept_train", "n_kept_valid", "n_kept_test")


def labels_of_kinds(case: Case) -> Looked:
    """Label 1 for peaks and 0 for all others, ids that stand once, and a split that the table has."""
    for name, table in {POSITIVES: case.positives, **case.tables()}.items():
        frame = table.frame
        wanted = {"valid", "test"} if name in case.test_sets else {"train", "valid"}
        splits = set(SPLITS) if name == POSITIVES else wanted
        bad = (frame["label"] == 1) != (frame["kind"] == "peak")
        bad |= frame["example_id"].duplicated(keep=False) | ~frame["split"].isin(splits)
        if name == POSITIVES:
            bad |= frame["label"] != 1
        yield name, frame["example_id"].tolist(), bad.to_numpy(bool)


def positives_unchanged(case: Case) -> Looked:
    """The positives of every table are rows of the table of positives, in all columns."""
    known = set(_tuples(case.positives.frame))
    for name, table in case.tables().items():
        frame = table.frame[table.frame["label"] == 1]
        yield name, frame["example_id"].tolist(), np.array([row not in known for row in _tuples(frame)], bool)


def _tuples(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    plain = frame[list(EXAMPLE_COLUMNS)].astype(object).where(frame[list(EXAMPLE_COLUMNS)].notna(), None)
    return list(plain.itertuples(index=False, name=None))


def parents_of_negatives(case: Case) -> Looked:
    """Every negative but a published one has its parent among the positives of its table, in its own split."""
    for name, table in case.tables().items():
        positives, negatives = (table.frame[table.frame["label"] == label] for label in (1, 0))
        split_of = dict(zip(positives["example_id"], positives["split"], strict=True))
        parents = negatives["parent_id"].map(split_of)
        orphan = (negatives["kind"] == "published") & negatives["parent_id"].isna()
        bad = (parents != negatives["split"]) & ~orphan
        yield name, negatives["example_id"].tolist(), bad.to_numpy(bool)


def negatives_are_no_positives(case: Case) -> Looked:
    """No negative has the sequence of a positive of this experiment, on either strand."""
    known = set(canonical_sequences(case.positives.frame["sequence"]))
    for name, table in case.tables().items():
        negatives = table.frame[table.frame["label"] == 0]
        bad = canonical_sequences(negatives["sequence"]).isin(known)
        yield name, negatives["example_id"].tolist(), bad.to_numpy(bool)


def klets_kept(case: Case) -> Looked:
    """Shuffles have the k-let counts, the first and the last k - 1 bases of their parents."""
    text_of = dict(zip(case.positives.frame["example_id"], case.positives.frame["sequence"], strict=True))
    for name, table in case.tables().items():
        frame = table.frame
        for k, kind in KLET_SCHEMES.items():
            made = frame[(frame["kind"] == kind) & frame["parent_id"].isin(list(text_of))]
            if len(made):
                yield name, made["example_id"].tolist(), _differ(made, made["parent_id"].map(text_of), k)


def _differ(made: pd.DataFrame, parents: pd.Series, k: int) -> np.ndarray:
    width = max(made["sequence"].str.len().max(), parents.str.len().max())
    shuffled, source = (codes_of([text.ljust(width, "N") for text in texts]) for texts in (made["sequence"], parents))
    ends = np.r_[0 : k - 1, width - k + 1 : width]
    counts = (count_kmers(shuffled, k) != count_kmers(source, k)).any(axis=1)
    return counts | (shuffled[:, ends] != source[:, ends]).any(axis=1)


def test_apart_from_training(case: Case) -> Looked:
    """No test example is one of training or early stopping, by id, nor overlaps one; no twin's is one of training."""
    everything = pd.concat([table.frame for table in case.labelled.values()] or [case.positives.frame.iloc[:0]])
    for name, table in case.test_sets.items():
        tested = table.frame.reset_index(drop=True)
        bad = np.zeros(len(tested), bool)
        for split, seen in (("test", everything), ("valid", everything[everything["split"] == "train"])):
            ours = (tested["split"] == split).to_numpy(bool)
            known = set(seen["example_id"])
            bad |= ours & np.array([example in known for example in tested["example_id"]], bool)
            placed = ours & tested["chrom"].notna().to_numpy(bool)
            bad[placed] |= bedtools("intersect", tested[placed], seen[seen["chrom"].notna()])
        yield name, tested["example_id"].tolist(), bad


def counts_add_up(case: Case) -> Looked:
    """Filter tables: rows in = rows out + reasons, and rows out = rows of the table."""
    for name, counts in case.filter_tables.items():
        table = case.positives if name == POSITIVES else case.tables().get(name)
        if table is None:
            continue
        sums = _sums_of_positives(counts) if name == POSITIVES else _sums_of_negatives(counts)
        if not table.skipped:
            sums |= _rows_of(name, counts, table)
        labels = [f"{what}: {left} in the counts, {right} found" for what, (left, right) in sums.items()]
        yield name, labels, np.array([left != right for left, right in sums.values()], bool)


def peaks_counted(case: Case) -> Looked:
    """The peaks read for the positives are as many as the file has now."""
    if case.places is not None and POSITIVES in case.filter_tables:
        counts, n_peaks = case.filter_tables[POSITIVES], len(case.places.peaks)
        n_read = counts.get("n_input", 0) - counts.get("not_lifted", 0)  # those have no place in the file
        yield POSITIVES, [f"{n_read} in the counts, {n_peaks} in the file"], np.array([n_read != n_peaks])


def filter_counts(paths: Iterable[Path]) -> dict[str, dict[str, int]]:
    """Counts per reason of filter tables, by the names of a `Case`: from the path of the file, or its test sets."""
    found: dict[str, dict[str, int]] = {}
    for path in paths:
        frame = read_filter_table(path)
        stem = path.name.removesuffix(".filter.tsv")
        name = f"labelled/{stem}" if path.parent.name == "labelled" else stem
        groups = frame.groupby("test_set", sort=False) if "test_set" in frame else [(name, frame)]
        found |= {str(key): dict(zip(rows["reason"], rows["n"], strict=True)) for key, rows in groups}
    return found


def _sums_of_positives(counts: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    reasons = sum(n for reason, n in counts.items() if reason not in _NOT_IN_FILTER_SUM)
    return {"n_input": (counts.get("n_input", 0), counts.get("n_kept", 0) + reasons)}


def _sums_of_negatives(counts: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """``n_wanted`` is the sum of the rows after it; ``n_published`` of those up to ``n_wanted`` of the twin."""
    sums: dict[str, tuple[int, int]] = {}
    whole = None
    for reason, n in counts.items():
        if reason in ("n_wanted", "n_published"):
            whole = reason
            sums[whole] = (n, 0)
        elif whole is not None and not reason.startswith(("n_homologous", "n_kept")):
            sums[whole] = (sums[whole][0], sums[whole][1] + n)
    return sums


def _rows_of(name: str, counts: Mapping[str, int], table: ExampleTable) -> dict[str, tuple[int, int]]:
    """Rows that are counted, and rows of the table."""
    rows: dict[str, tuple[int, int]] = {}
    for split in SPLITS:
        labels = table.frame.loc[table.frame["split"] == split, "label"]
        positives, negatives, kept = (f"n_{what}_{split}" for what in ("positives", "negatives", "kept"))
        if kept in counts:
            rows[kept] = (counts[kept], len(labels))
        if kept in counts and positives in counts:  # a test set whose homologs were taken out
            left = counts[positives] + counts.get(negatives, 0) - counts.get(f"n_homologous_{split}", 0)
            rows[f"{kept} without homologs"] = (left, counts[kept])
        elif kept not in counts:
            found = {positives: int((labels == 1).sum()), negatives: int((labels == 0).sum())}
            rows |= {reason: (counts[reason], n) for reason, n in found.items() if reason in counts}
    return rows


CHECKS: dict[str, Check] = {
    "labels": labels_of_kinds,
    "positives_unchanged": positives_unchanged,
    "parents": parents_of_negatives,
    "negatives_are_no_positives": negatives_are_no_positives,
    "klet_counts": klets_kept,
    "test_apart_from_training": test_apart_from_training,
    "counts_add_up": counts_add_up,
    "peaks_counted": peaks_counted,
}
MEANINGS = {
    "labels": "a label, id or split that the table cannot have",
    "positives_unchanged": "a positive that is not, or not so, in the table of positives",
    "parents": "a negative whose parent is not a positive of its table and split",
    "negatives_are_no_positives": "a negative with the sequence of a positive",
    "klet_counts": "a shuffle with other k-let counts or ends than its parent",
    "test_apart_from_training": "a test example among the training examples, or overlapping one",
    "counts_add_up": "a filter table whose counts do not add up",
    "peaks_counted": "a peak file with another number of peaks than the positives were made of",
    "positives_on_peaks": "a positive that overlaps no peak of the file",
    "summits": "a positive without the summit of a peak at its centre",
    "negatives_off_peaks": "a negative within the exclusion distance of a peak",
    "negatives_off_positives": "a negative that overlaps a positive",
    "blacklist": "a window on the blacklist",
    "inside_blocks": "a window outside its chromosome or the blocks of its split",
    "sequences": "a sequence that is not that of the FASTA",
}


def check_sanity(case: Case) -> pd.DataFrame:
    """Run all checks, those of places only where there are coordinates; see `run_checks`."""
    return run_checks(case, CHECKS | (PLACE_CHECKS if case.places is not None else {}))


def run_checks(case: Case, checks: Mapping[str, Check]) -> pd.DataFrame:
    """Frame with `COLUMNS`, one row per check and table that it applies to; ``example`` is the first that fails."""
    rows = [
        (name, table, len(ids), int(bad.sum()), next((ids[at] for at in np.flatnonzero(bad)), ""))
        for name, check in checks.items()
        for table, ids, bad in check(case)
        if len(ids)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write_sanity(path: Path, sanity: pd.DataFrame) -> None:
    """Write the table of `check_sanity` as TSV."""
    lines = [COLUMNS, *sanity[list(COLUMNS)].itertuples(index=False)]
    write_text(path, "".join("\t".join(str(cell) for cell in line) + "\n" for line in lines))


def read_sanity(path: Path) -> pd.DataFrame:
    """Read a table of `write_sanity`.

    Raises
    ------
    InputError : it is no such table.
    """
    try:
        frame = pd.read_csv(path, sep="\t", keep_default_na=False, dtype={"example": str})
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a table of sanity checks ({error}); make it again with bindgram audit") from None
    if tuple(frame.columns) != COLUMNS:
        raise InputError(f"{path}: not sanity checks: its columns are not {', '.join(COLUMNS)}; make it again")
    return frame


def refuse_failures(experiment: str, sanity: pd.DataFrame) -> None:
    """Stop an experiment with a failed check.

    Raises
    ------
    InputError : names every check that failed, with the first example.
    """
    failed = sanity[sanity["n_failed"] > 0]
    if failed.empty:
        return
    lines = [
        f"  - {row.check}, {row.table}: {row.n_failed} of {row.n_checked}: {MEANINGS[row.check]}; first {row.example}"
        for row in failed.itertuples(index=False)
    ]
    raise InputError(
        "\n".join(
            [
                f"{experiment}: {len(failed)} sanity check(s) failed; nothing is trained on these examples",
                *lines,
                "Delete the tables named here (results/examples, results/battery) and run again. If it fails again, "
                "the tables were made of other peaks or another genome, or this is a bug: please report it.",
            ]
        )
    )
