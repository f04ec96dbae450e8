"""The store for many tasks: one label matrix, bins of a genome by experiments, in HDF5.

``data.bins`` says what a row and a label are. ``labels`` is (rows, experiments) int8, packed in chunks of whole rows. A
row is ``chrom`` (index into ``chromosomes``), ``start`` (bp) of its bin, and ``split`` (0 train, 1 valid, 2 test);
``experiments`` is a table of the columns. The attribute ``bindgram`` holds plan, counts and provenance as JSON.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
import pandas as pd

from bindgram.data.bins import (
    UNKNOWN,
    Column,
    Peaks,
    Rows,
    Spans,
    StorePlan,
    bins_of_blocks,
    dense_labels,
    gather_peaks,
    known_labels,
    label_bins,
    place,
    touched_bins,
)
from bindgram.data.hdf5 import new_hdf5
from bindgram.data.splits import Split
from bindgram.errors import InputError, LeakageError
from bindgram.provenance import METADATA_KEY, digest, step_rng
from bindgram.settings.splits import SPLITS

CHUNK_BYTES = 1 << 16  # of labels that are packed together: what a reader unpacks for one row
CHUNKS_AT_ONCE = 256  # unpacked together at most, where they are neighbours
ROW_COLUMNS = {"chrom": np.uint16, "start": np.uint32, "split": np.uint8}
_NOTHING = Spans(*np.empty((3, 0), np.int32))

Counts = dict[str, Any]


class _Writer:
    """An open store that grows chromosome by chromosome."""

    def __init__(self, file: h5py.File, columns: Sequence[Column]) -> None:
        width = len(columns)
        self.columns = columns
        self.n_rows = 0
        self.tally = np.zeros((len(SPLITS), 3, width), np.int64)  # labels -1, 0 and 1 of every split and column
        chunk = (max(1, CHUNK_BYTES // width), width)
        self.labels = file.create_dataset(
            "labels", (0, width), np.int8, maxshape=(None, width), chunks=chunk, compression="gzip", compression_opts=1
        )
        packed = {"maxshape": (None,), "chunks": (CHUNK_BYTES,), "compression": "gzip", "shuffle": True}
        self.rows = {name: file.create_dataset(name, (0,), dtype, **packed) for name, dtype in ROW_COLUMNS.items()}
        self._hashers = {name: hashlib.sha256() for name in ("labels", *ROW_COLUMNS)}

    def add_rows(self, chrom: int, starts: np.ndarray, splits: np.ndarray) -> None:
        """Append the coordinates of rows, whose labels follow by `add_labels`."""
        for name, values in (("chrom", np.full(len(starts), chrom)), ("start", starts), ("split", splits)):
            self._append(name, self.rows[name], values.astype(ROW_COLUMNS[name]))

    def add_labels(self, labels: np.ndarray, splits: np.ndarray) -> None:
        """Append labels (rows, columns) and count them.

        Raises
        ------
        LeakageError : see `check_held_out`.
        """
        check_held_out(labels, splits, self.columns)
        for number in range(len(SPLITS)):
            ours = labels[splits == number]
            positive, unknown = (np.count_nonzero(ours == value, axis=0) for value in (1, UNKNOWN))
            self.tally[number] += np.array([unknown, len(ours) - positive - unknown, positive])
        self._append("labels", self.labels, labels)

    def _append(self, name: str, dataset: h5py.Dataset, values: np.ndarray) -> None:
        n = len(dataset)
        dataset.resize(n + len(values), axis=0)
        dataset[n:] = values
        self._hashers[name].update(np.ascontiguousarray(values))

    def digests(self) -> dict[str, str]:
        """SHA-256 of what was appended to every dataset."""
        return {name: hasher.hexdigest() for name, hasher in self._hashers.items()}


def write_store(
    path: Path,
    plan: StorePlan,
    columns: Sequence[Column],
    read_peaks: Peaks,
    split: Split,
    chrom_sizes: Mapping[str, int],
    forbidden: Mapping[str, pd.DataFrame],
    provenance: Mapping[str, Any],
) -> Counts:
    """Label the bins of all blocks for all experiments and write them, whole or not at all.

    Memory holds the peaks of all experiments, what is not 0 of one chromosome, and `bins.WRITE_BYTES` of labels.

    Parameters
    ----------
    columns : the experiments, in the order of the columns.
    read_peaks : gives the peaks of one experiment; called once for each.
    forbidden : why a bin is no row (``blacklist``, ``ambiguous``) to regions; the first reason that holds counts.
    provenance : of `make_provenance`; the file gets it with the ``digest`` of its content added.

    Returns
    -------
    Counts as stored: ``n_bins`` = all ``n_<reason>`` + ``n_empty_left_out`` + ``n_rows``, and ``n_rows_<split>``.

    Raises
    ------
    InputError : no experiment, no bin fits a block, a peak file is wrong, or the disk is full.
    LeakageError : windows of two splits overlap, or a held-out experiment would get labels elsewhere.
    """
    if not columns:
        raise InputError("store: no experiment with coordinates on this assembly; choose others with select")
    spans, n_peaks = gather_peaks(columns, read_peaks, plan, chrom_sizes)
    counts = dict.fromkeys(("n_bins", *(f"n_{reason}" for reason in forbidden), "n_empty_left_out", "n_rows"), 0)
    with new_hdf5(path) as file:
        writer = _Writer(file, columns)
        for number, (chrom, size) in enumerate(chrom_sizes.items()):
            blocks = split.regions[split.regions["chrom"] == chrom]
            here = {reason: regions[regions["chrom"] == chrom] for reason, regions in forbidden.items()}
            rows = allowed_rows(blocks, size, plan, here, counts)
            _add_chromosome(writer, number, chrom, size, rows, spans.pop(chrom, _NOTHING), plan, counts)
        if not counts["n_rows"]:
            raise InputError(f"store: no window of {plan.window_bp} bp is left in the blocks of the split ({counts})")
        counts |= {f"n_rows_{name}": int(writer.tally[i, :, 0].sum()) for i, name in enumerate(SPLITS)}
        file.create_dataset("chromosomes", data=np.char.encode(np.array(list(chrom_sizes), str), "utf-8"))
        table = _experiments_table(columns, n_peaks, writer.tally)
        file.create_dataset("experiments", data=table)
        content = writer.digests() | {"experiments": [list(map(str, row)) for row in table.tolist()]}
        metadata = {
            "status": "ok",
            "reason": "",
            "plan": asdict(plan),
            "splits": list(SPLITS),
            "counts": counts,
            "provenance": dict(provenance) | {"digest": digest(content | {"chromosomes": list(chrom_sizes)})},
        }
        file.attrs[METADATA_KEY] = json.dumps(metadata, sort_keys=True)
    return counts


def allowed_rows(
    blocks: pd.DataFrame, size: int, plan: StorePlan, forbidden: Mapping[str, pd.DataFrame], counts: Counts
) -> Rows:
    """Rows of one chromosome that lie in its blocks and touch nothing forbidden; adds to `counts` what went."""
    rows = bins_of_blocks(blocks, plan)
    counts["n_bins"] += len(rows.bins)
    for reason, regions in forbidden.items():
        touched = touched_bins(regions, plan.bin_bp, size // plan.bin_bp)[rows.bins]
        counts[f"n_{reason}"] += int(touched.sum())
        rows = rows.kept(~touched)
    return rows


def _add_chromosome(
    writer: _Writer, number: int, chrom: str, size: int, rows: Rows, spans: Spans, plan: StorePlan, counts: Counts
) -> None:
    """Label the rows of one chromosome, leave out part of those without a positive, and write the others."""
    has_peaks = np.bincount(spans.columns, minlength=len(writer.columns)) > 0
    known = known_labels(writer.columns, has_peaks)
    sparse, n_bins = label_bins(spans, plan), size // plan.bin_bp
    row, _, label = place(sparse, rows, known, n_bins)
    kept = step_rng(plan.seed, "store", chrom).random(len(rows.bins)) < plan.empty_fraction
    kept[row[label == 1]] = True
    counts["n_empty_left_out"] += int((~kept).sum())
    rows = rows.kept(kept)
    counts["n_rows"] += len(rows.bins)
    starts = rows.bins * plan.bin_bp
    check_windows(starts, rows.splits, plan.window_bp, chrom)
    writer.add_rows(number, starts, rows.splits)
    first = 0
    for labels in dense_labels(*place(sparse, rows, known, n_bins), rows, known):
        writer.add_labels(labels, rows.splits[first : first + len(labels)])
        first += len(labels)


def _experiments_table(columns: Sequence[Column], n_peaks: np.ndarray, tally: np.ndarray) -> np.ndarray:
    """One record per column: what it is, its peaks, and how many labels of each value the rows of each split have."""
    texts = {
        name: np.char.encode(np.array([getattr(column, name) for column in columns], str), "utf-8")
        for name in Column._fields
    }
    numbers = {"n_peaks": n_peaks} | {
        f"n_{value}_{name}": tally[i, j]
        for i, name in enumerate(SPLITS)
        for j, value in enumerate(("unknown", "negative", "positive"))
    }
    # HDF5 has no texts of length 0
    types = [(name, f"S{max(values.itemsize, 1)}") for name, values in texts.items()]
    table = np.empty(len(columns), [*types, *((name, np.int64) for name in numbers)])
    for name, values in (texts | numbers).items():
        table[name] = values
    return table


def check_windows(starts: np.ndarray, splits: np.ndarray, window_bp: int, chrom: str) -> None:
    """Refuse windows of two splits that overlap; `starts` rise.

    Raises
    ------
    LeakageError : names the first two. Windows have one width, so that of all that overlap two neighbours do.
    """
    clash = np.flatnonzero((np.diff(splits.astype(np.int64)) != 0) & (np.diff(starts) < window_bp))
    if len(clash):
        first, second = ((int(starts[i]), SPLITS[splits[i]]) for i in (clash[0], clash[0] + 1))
        raise LeakageError(
            f"windows of {window_bp} bp on {chrom} at {first[0]} ({first[1]}) and {second[0]} ({second[1]}) overlap; "
            "leave a gap between the blocks of config/splits"
        )


def check_held_out(labels: np.ndarray, splits: np.ndarray, columns: Sequence[Column]) -> None:
    """Refuse labels of experiments that are held out into another split than that of the row.

    Raises
    ------
    LeakageError : names the first such experiment.
    """
    for number, split in enumerate(SPLITS):
        held = [index for index, column in enumerate(columns) if column.split not in ("train", split)]
        seen = (labels[np.ix_(splits == number, held)] != UNKNOWN).any(axis=0)
        if seen.any():
            column = columns[held[int(np.argmax(seen))]]
            raise LeakageError(f"{column.experiment} is held out into {column.split}, but has labels in {split}")


class Store:
    """A store on disk, for reading. Use `Store.open`, as a context manager.

    `experiments` is a frame, one row per column of labels; `chrom`, `start` (bp of the bin) and `split` (index into
    `SPLITS`) are (rows,) arrays.
    """

    def __init__(self, file: h5py.File, known: Mapping[str, Any]) -> None:
        self._file = file
        self._labels = file["labels"]
        self.plan = StorePlan(**known["plan"])
        self.counts: Counts = known["counts"]
        self.provenance: Mapping[str, Any] = known["provenance"]
        self.chromosomes = np.char.decode(file["chromosomes"][:], "utf-8").astype(object)
        self.chrom, self.start, self.split = (file[name][:] for name in ROW_COLUMNS)
        records = file["experiments"][:]
        frame = pd.DataFrame({name: records[name] for name in records.dtype.names})
        self.experiments = frame.assign(**{name: frame[name].str.decode("utf-8") for name in Column._fields})

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a store and read its tables; labels stay on disk.

        Raises
        ------
        InputError : the file is missing, damaged, or not a store.
        """
        file = None
        try:
            file = h5py.File(path, "r", locking=False)
            return cls(file, json.loads(file.attrs[METADATA_KEY]))
        except (OSError, KeyError, ValueError) as error:
            if file is not None:
                file.close()
            raise InputError(f"{path}: not a readable store ({error}); make it with bindgram store") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.start)

    def rows_of(self, split: str) -> np.ndarray:
        """Numbers of the rows of ``train``, ``valid`` or ``test``, rising."""
        return np.flatnonzero(self.split == SPLITS.index(split))

    def columns_of(self, experiments: Sequence[str]) -> np.ndarray:
        """Numbers of the columns of experiments, in the order given.

        Raises
        ------
        InputError : an experiment is not in the store.
        """
        columns = pd.Index(self.experiments["experiment"]).get_indexer(pd.Index(experiments))
        if (columns < 0).any():
            raise InputError(f"{self._file.filename}: no experiment {experiments[int(np.argmin(columns))]!r} in it")
        return columns

    def regions(self, rows: np.ndarray, *, windows: bool) -> pd.DataFrame:
        """Bins of rows, or their windows: a frame ``chrom, start, end, split`` in the order given."""
        flank = self.plan.flank if windows else 0
        starts = self.start[rows].astype(np.int64)
        return pd.DataFrame(
            {
                "chrom": self.chromosomes[self.chrom[rows]],
                "start": starts - flank,
                "end": starts + self.plan.bin_bp + flank,
                "split": np.array(SPLITS, object)[self.split[rows]],
            }
        )

    def labels(self, rows: np.ndarray, columns: np.ndarray | None = None) -> np.ndarray:
        """Labels of rows in the order given, repeats allowed: (rows, columns) int8; `columns` None means all.

        What is packed together is unpacked once, so rows that lie near each other are read many times as fast.
        """
        rows = np.asarray(rows, np.int64)
        chosen = slice(None) if columns is None else np.asarray(columns)
        labels = np.empty((len(rows), self._labels.shape[1] if columns is None else len(columns)), np.int8)
        order = np.argsort(rows, kind="stable")
        chunk = rows[order] // self._labels.chunks[0]
        near = (np.diff(chunk, prepend=-2) <= 1) & (np.diff(chunk // CHUNKS_AT_ONCE, prepend=-1) == 0)
        for ours in filter(len, np.split(order, np.flatnonzero(~near))):
            low, high = rows[ours[0]], rows[ours[-1]] + 1
            labels[ours] = self._labels[low:high][rows[ours] - low][:, chosen]
        return labels

    def batches(
        self, rows: np.ndarray, columns: np.ndarray | None, batch_size: int, n_chunks: int, rng: np.random.Generator
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield ``(rows, labels)`` of all `rows`, once each, in random order and `batch_size` at a time.

        The chunks of the file come in random order; the rows of `n_chunks` of them at a time are mixed. That is nearly
        as random as single rows and as fast as reading from left to right. The same `rng` gives the same batches.
        """
        chunk = np.sort(np.asarray(rows, np.int64)) // self._labels.chunks[0]
        groups = np.split(np.sort(rows), np.flatnonzero(np.diff(chunk)) + 1) if len(chunk) else []
        order = rng.permutation(len(groups))
        waiting_rows, waiting = np.empty(0, np.int64), np.empty((0, 0), np.int8)
        for begin in range(0, len(order), n_chunks):
            mixed = rng.permutation(np.concatenate([groups[i] for i in order[begin : begin + n_chunks]]))
            labels = self.labels(mixed, columns)
            if len(waiting_rows):
                mixed, labels = np.concatenate([waiting_rows, mixed]), np.concatenate([waiting, labels])
            n = len(mixed) if begin + n_chunks >= len(order) else len(mixed) // batch_size * batch_size
            for first in range(0, n, batch_size):
                yield mixed[first : first + batch_size], labels[first : first + batch_size]
            waiting_rows, waiting = mixed[n:], labels[n:]
