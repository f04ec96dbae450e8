"""Published sequence sets (DeepBind's format): labelled sequences without coordinates, split by their authors.

A file is tab separated, gzip or not, with the columns FoldID, EventID, seq, Bound. The training file holds positives
only; the test file holds positives (Bound = 1) and the published negatives (Bound = 0).
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from bindgram.data.examples import COLUMNS
from bindgram.errors import InputError
from bindgram.genome.text import text_lines

PUBLISHED_COLUMNS = ("FoldID", "EventID", "seq", "Bound")
_IUPAC = re.compile("[ACGTUNRYSWKMBDHV]+", re.IGNORECASE)
_AMBIGUOUS = re.compile("[^ACGT]")


def read_published(path: Path) -> pd.DataFrame:
    """Read one sequence set: ``event_id, sequence, label`` in file order.

    Sequences come in upper case, U as T and every other ambiguous base as N.

    Raises
    ------
    InputError : missing or damaged file, wrong header, or a line that is wrong, with its number. A file without
        sequences gives an empty table.
    """
    lines = [(number, line.rstrip()) for number, line in enumerate(text_lines(path), start=1) if line.strip()]
    if lines and tuple(lines[0][1].split("\t")) != PUBLISHED_COLUMNS:
        raise InputError(
            f"{path}:{lines[0][0]}: the first line is {lines[0][1][:60]!r}; it must name "
            f"{' '.join(PUBLISHED_COLUMNS)}, separated by tabs"
        )
    rows = [_row(path, number, line.split("\t")) for number, line in lines[1:]]
    _check_rows(path, rows, [number for number, _ in lines[1:]])
    events, sequences, labels = zip(*rows, strict=True) if rows else ((), (), ())
    return pd.DataFrame(
        {
            "event_id": pd.Series(events, dtype="str"),
            "sequence": pd.Series(sequences, dtype="str"),
            "label": np.array(labels, np.int8),
        }
    )


def _row(path: Path, number: int, cells: list[str]) -> tuple[str, str, int]:
    where = f"{path}:{number}"
    if len(cells) != len(PUBLISHED_COLUMNS):
        raise InputError(f"{where}: {len(cells)} column(s) where there are 4 ({' '.join(PUBLISHED_COLUMNS)})")
    _, event, sequence, bound = (cell.strip() for cell in cells)
    if not _IUPAC.fullmatch(sequence):
        raise InputError(f"{where}: seq {sequence[:40]!r} is not a DNA sequence (letters A, C, G, T, N, IUPAC codes)")
    if bound not in ("0", "1") or not event:
        raise InputError(
            f"{where}: EventID {event!r}, Bound {bound!r}: an id, and 1 (bound) or 0 (not bound) is needed"
        )
    return event, _AMBIGUOUS.sub("N", sequence.upper().replace("U", "T")), int(bound)


def _check_rows(path: Path, rows: list[tuple[str, str, int]], numbers: list[int]) -> None:
    first_line: dict[str, int] = {}
    for number, (event, sequence, _) in zip(numbers, rows, strict=True):
        if event in first_line:
            raise InputError(f"{path}:{number}: EventID {event!r} repeats line {first_line[event]}; ids are unique")
        if len(sequence) != len(rows[0][1]):
            raise InputError(
                f"{path}:{number}: seq has {len(sequence)} bp where the first has {len(rows[0][1])}; "
                "all sequences of a set have one length"
            )
        first_line[event] = number


def published_examples(experiment: str, sequences: pd.DataFrame, split: str | np.ndarray) -> pd.DataFrame:
    """Turn rows of `read_published` into examples, positives of kind peak and negatives of kind published.

    Parameters
    ----------
    split : of all rows, or one per row. Ids of test examples are marked, because both files may count from 1.
    """
    split = np.broadcast_to(np.asarray(split, dtype=object), len(sequences))
    positive = (sequences["label"] == 1).to_numpy()
    marks = np.where(split == "test", f"{experiment}:test:", f"{experiment}:")
    frame = pd.DataFrame(
        {
            "example_id": marks + sequences["event_id"].to_numpy(object),
            "chrom": None,
            "start": pd.array([pd.NA] * len(sequences), dtype="Int64"),
            "end": pd.array([pd.NA] * len(sequences), dtype="Int64"),
            "strand": None,
            "label": sequences["label"].to_numpy(np.int8),
            "kind": np.where(positive, "peak", "published"),
            "parent_id": None,
            "split": split,
            "sequence": sequences["sequence"].to_numpy(object),
        },
        index=np.arange(len(sequences)),
    )
    return frame[list(COLUMNS)]


def published_negatives(experiment: str, path: Path) -> pd.DataFrame:
    """The published negatives of a test file as examples of split test, without parents."""
    sequences = read_published(path)
    return published_examples(experiment, sequences[sequences["label"] == 0], "test")
