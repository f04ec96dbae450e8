"""Published sequence sets: labelled sequences without coordinates, split by their authors.

``deepbind`` is tab separated with the columns FoldID, EventID, seq, Bound: a training file of positives, and a test
file with positives (Bound = 1) and negatives (0). ``gue`` is comma separated with the columns sequence, label:
training, validation (dev) and test files, each with positives (1) and negatives (0). All may be gzip.

References
----------
deepbind: https://doi.org/10.1038/nbt.3300, gue: https://arxiv.org/abs/2306.15006
"""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from bindgram.data.examples import COLUMNS, canonical_sequences
from bindgram.errors import InputError
from bindgram.genome.text import text_lines
from bindgram.provenance import step_rng

PUBLISHED_VALID_FRACTION = 0.1  # of the unique training sequences of a set that comes without validation
Row = tuple[str, str, int]
_SEPARATORS = {"\t": "tabs", ",": "commas"}
_IUPAC = re.compile("[ACGTUNRYSWKMBDHV]+", re.IGNORECASE)
_AMBIGUOUS = re.compile("[^ACGT]")


def read_sequences(path: Path, format: str) -> pd.DataFrame:
    """Read one file of a sequence set: ``event_id, sequence, label`` in file order.

    Sequences come in upper case, U as T and every other ambiguous base as N.

    Raises
    ------
    InputError : missing or damaged file, wrong header, or a line that is wrong, with its number. A file without
        sequences gives an empty table.
    """
    columns, separator, row = SEQUENCE_READERS[format]
    lines = [(number, line.rstrip()) for number, line in enumerate(text_lines(path), start=1) if line.strip()]
    if lines and tuple(lines[0][1].split(separator)) != columns:
        raise InputError(
            f"{path}:{lines[0][0]}: the first line is {lines[0][1][:60]!r}; it must name "
            f"{' '.join(columns)}, separated by {_SEPARATORS[separator]}"
        )
    rows = []
    for number, line in lines[1:]:
        cells = [cell.strip() for cell in line.split(separator)]
        if len(cells) != len(columns):
            raise InputError(
                f"{path}:{number}: {len(cells)} column(s) where there are {len(columns)} ({' '.join(columns)})"
            )
        rows.append(row(f"{path}:{number}", number, cells))
    _check_rows(path, rows, [number for number, _ in lines[1:]])
    events, sequences, labels = zip(*rows, strict=True) if rows else ((), (), ())
    return pd.DataFrame(
        {
            "event_id": pd.Series(events, dtype="str"),
            "sequence": pd.Series(sequences, dtype="str"),
            "label": np.array(labels, np.int8),
        }
    )


def _deepbind_row(where: str, number: int, cells: list[str]) -> Row:
    _, event, sequence, bound = cells
    sequence = _sequence(where, "seq", sequence)
    if bound not in ("0", "1") or not event:
        raise InputError(
            f"{where}: EventID {event[:40]!r}, Bound {bound[:40]!r}: an id, and 1 (bound) or 0 (not bound) is needed"
        )
    return event, sequence, int(bound)


def _gue_row(where: str, number: int, cells: list[str]) -> Row:
    sequence, label = _sequence(where, "sequence", cells[0]), cells[1]
    if label not in ("0", "1"):
        raise InputError(f"{where}: label {label[:40]!r}: 1 (bound) or 0 (not bound) is needed")
    return f"line{number}", sequence, int(label)


def _sequence(where: str, name: str, text: str) -> str:
    if not _IUPAC.fullmatch(text):
        raise InputError(f"{where}: {name} {text[:40]!r} is not a DNA sequence (letters A, C, G, T, N, IUPAC codes)")
    return _AMBIGUOUS.sub("N", text.upper().replace("U", "T"))


SEQUENCE_READERS: dict[str, tuple[tuple[str, ...], str, Callable[[str, int, list[str]], Row]]] = {
    "deepbind": (("FoldID", "EventID", "seq", "Bound"), "\t", _deepbind_row),
    "gue": (("sequence", "label"), ",", _gue_row),
}


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


def published_rows(
    experiment: str,
    seed: int,
    training: pd.DataFrame,
    valid: pd.DataFrame | None,
    test: pd.DataFrame,
) -> pd.DataFrame:
    """All rows of a set as examples, bound and not bound, each with its split.

    Where there is no file of validation sequences, a tenth of the unique training sequences is drawn: it depends on
    `seed` and `experiment` alone, so that positives and published negatives agree.
    """
    if valid is None:
        splits = draw_validation(training["sequence"], step_rng(seed, "positives", experiment, "validation"))
        parts = [published_examples(experiment, training, splits)]
    else:
        parts = [published_examples(experiment, training, "train"), published_examples(experiment, valid, "valid")]
    return pd.concat([*parts, published_examples(experiment, test, "test")], ignore_index=True)


def all_published_negatives(
    experiment: str, seed: int, format: str, training: Path, valid: Path | None, test: Path
) -> pd.DataFrame:
    """Rows of all files of a set that are not bound, as examples; splits as in `published_rows`."""
    tables = [None if path is None else read_sequences(path, format) for path in (training, valid, test)]
    rows = published_rows(experiment, seed, *tables)
    return rows[rows["label"] == 0].reset_index(drop=True)


def draw_validation(sequences: pd.Series, rng: np.random.Generator) -> np.ndarray:
    """Draw a tenth of the unique sequences for validation, whatever their order: (N,) "train" or "valid".

    Equal sequences, and the two strands of one, come into the same split.
    """
    canonical = canonical_sequences(sequences)
    unique = np.unique(canonical.to_numpy(object))
    chosen = rng.permutation(len(unique))[: round(PUBLISHED_VALID_FRACTION * len(unique))]
    return np.where(canonical.isin(list(unique[chosen])), "valid", "train")


def published_examples(experiment: str, sequences: pd.DataFrame, split: str | np.ndarray) -> pd.DataFrame:
    """Turn rows of `read_sequences` into examples, positives of kind peak and negatives of kind published.

    Parameters
    ----------
    split : of a whole file, or one per row. Ids of validation and test files are marked, because all files may count
        from 1.
    """
    mark = f"{experiment}:{split}:" if isinstance(split, str) and split != "train" else f"{experiment}:"
    positive = (sequences["label"] == 1).to_numpy()
    frame = pd.DataFrame(
        {
            "example_id": mark + sequences["event_id"].to_numpy(object),
            "chrom": None,
            "start": pd.array([pd.NA] * len(sequences), dtype="Int64"),
            "end": pd.array([pd.NA] * len(sequences), dtype="Int64"),
            "strand": None,
            "label": sequences["label"].to_numpy(np.int8),
            "kind": np.where(positive, "peak", "published"),
            "parent_id": None,
            "split": np.broadcast_to(np.asarray(split, dtype=object), len(sequences)),
            "sequence": sequences["sequence"].to_numpy(object),
        },
        index=np.arange(len(sequences)),
    )
    return frame[list(COLUMNS)]


def published_negatives(experiment: str, format: str, test: Path, valid: Path | None = None) -> pd.DataFrame:
    """The published negatives of the test file, and of the validation file where there is one, without parents."""
    files = {"test": test, "valid": valid}
    parts = [
        published_examples(experiment, read_sequences(path, format), split) for split, path in files.items() if path
    ]
    rows = pd.concat(parts, ignore_index=True)
    return rows[rows["label"] == 0].reset_index(drop=True)
