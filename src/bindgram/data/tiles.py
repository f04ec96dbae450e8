"""The tile table: an assembly cut into windows of one width, with what is known of each window.

Tile i of a chromosome is ``[i * width, (i + 1) * width)`` bp; what is left at its end is no tile. Coordinates are not
stored: tiles are numbered through the genome, and the table of chromosomes says where each one's begin. The table is
made once per assembly and width, in one pass over the FASTA; negatives are drawn from it, and a tiled chromosome is
labelled by it, without reading the genome again.

Repeats are the lower-case letters of the FASTA (soft masking) or, where a BED file of repeats is given, what it covers.
Their runs are kept too, so that any region's share of them is counted from the same file.
"""

import hashlib
import json
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
import pandas as pd

from bindgram.data.hdf5 import new_hdf5
from bindgram.errors import InputError
from bindgram.genome.fasta import Genome
from bindgram.genome.regions import merge
from bindgram.genome.text import parse_region, region_lines
from bindgram.provenance import METADATA_KEY, digest

CHROMOSOME_COLUMNS = ("chrom", "length", "first_tile", "n_tiles", "first_repeat", "n_repeats")
PROPERTIES: dict[str, type] = {
    "n_gc": np.uint16,
    "n_repeat": np.uint16,
    "n_ambiguous": np.uint16,
    "blacklisted": np.bool_,
}
MAX_WIDTH = int(np.iinfo(np.uint16).max)
REPEAT_SOURCES = SOFT_MASKED, REPEATS_FILE, NO_REPEATS = "soft_masked", "file", "none"

_CHUNK_BP = 8_000_000
_IS_GC = np.zeros(256, np.uint8)
_IS_GC[np.frombuffer(b"GCgc", np.uint8)] = 1
_IS_AMBIGUOUS = np.ones(256, np.uint8)
_IS_AMBIGUOUS[np.frombuffer(b"ACGTacgt", np.uint8)] = 0


@dataclass(frozen=True)
class Tiles:
    """A tile table on disk; its arrays are memory-mapped. Use `Tiles.open`.

    `chromosomes` has the columns ``chrom, length`` (bp) ``, first_tile, n_tiles, first_repeat, n_repeats`` in genome
    order. `n_gc` (among A, C, G, T of either case), `n_repeat`, `n_ambiguous` (other letters) count bp of each tile,
    `blacklisted` tells whether the blacklist touches it: (n_tiles,). `repeats` is ``soft_masked``, ``file`` or ``none``
    (not known). `repeat_start` and `repeat_end` are the runs of repeats in bp, chromosome after chromosome.
    """

    path: Path
    width: int
    repeats: str
    chromosomes: pd.DataFrame
    n_gc: np.ndarray
    n_repeat: np.ndarray
    n_ambiguous: np.ndarray
    blacklisted: np.ndarray
    repeat_start: np.ndarray
    repeat_end: np.ndarray
    provenance: Mapping[str, Any]

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the table of chromosomes and memory-map the rest.

        Raises
        ------
        InputError : the file is missing, damaged, or not a tile table.
        """
        try:
            with h5py.File(path, "r", locking=False) as file:
                known = json.loads(file.attrs[METADATA_KEY])
                records = file["chromosomes"][:]
                arrays = {name: _mapped(path, file[name]) for name in (*PROPERTIES, "repeat_start", "repeat_end")}
        except (OSError, KeyError, ValueError) as error:
            raise InputError(f"{path}: not a readable tile table ({error}); make it with bindgram tile") from None
        chromosomes = pd.DataFrame({name: records[name] for name in CHROMOSOME_COLUMNS})
        chromosomes = chromosomes.assign(chrom=chromosomes["chrom"].str.decode("utf-8"))
        return cls(Path(path), known["width"], known["repeats"], chromosomes, **arrays, provenance=known["provenance"])

    def __len__(self) -> int:
        """Number of tiles."""
        return len(self.n_gc)

    @property
    def chrom_sizes(self) -> dict[str, int]:
        """Chromosome lengths in bp."""
        return dict(zip(self.chromosomes["chrom"], self.chromosomes["length"].tolist(), strict=True))

    def of_chrom(self, chrom: str) -> slice:
        """Numbers of the tiles of one chromosome.

        Raises
        ------
        InputError : the assembly has no such chromosome.
        """
        rows = self.chromosomes[self.chromosomes["chrom"] == chrom]
        if rows.empty:
            known = ", ".join(self.chromosomes["chrom"].head(5))
            raise InputError(f"{self.path}: no chromosome {chrom!r}; it has {len(self.chromosomes)}: {known}, ...")
        first, n = int(rows["first_tile"].iloc[0]), int(rows["n_tiles"].iloc[0])
        return slice(first, first + n)

    def regions(self, numbers: np.ndarray) -> pd.DataFrame:
        """Coordinates of tiles: a frame ``chrom, start, end`` in the order given."""
        numbers = np.asarray(numbers, np.int64)
        firsts = self.chromosomes["first_tile"].to_numpy()
        # Several chromosomes may begin at one number where some have no tile: the last of them has it.
        row = np.searchsorted(firsts, numbers, side="right") - 1
        starts = (numbers - firsts[row]) * self.width
        return pd.DataFrame(
            {"chrom": self.chromosomes["chrom"].to_numpy()[row], "start": starts, "end": starts + self.width}
        ).astype({"chrom": "str"})

    def numbers(self, chroms: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Tile that holds each position (bp): (N,) int64, -1 on other chromosomes and beyond the last whole tile."""
        row = self._rows(chroms)
        tile = np.asarray(positions, np.int64) // self.width
        known = (row >= 0) & (tile >= 0) & (tile < self.chromosomes["n_tiles"].to_numpy()[row])
        return np.where(known, self.chromosomes["first_tile"].to_numpy()[row] + tile, -1)

    def touched(self, regions: pd.DataFrame) -> np.ndarray:
        """Tiles that share 1 bp or more with any of `regions`: (n_tiles,) bool. Other chromosomes touch none."""
        return self._marked(regions["chrom"].to_numpy(), *_touched_tiles(regions, self.width))

    def inside(self, regions: pd.DataFrame) -> np.ndarray:
        """Tiles that lie wholly inside one of `regions`: (n_tiles,) bool."""
        starts, ends = (regions[column].to_numpy(np.int64) for column in ("start", "end"))
        return self._marked(regions["chrom"].to_numpy(), -(-starts // self.width), ends // self.width)

    def _marked(self, chroms: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Mark tiles `first` to `last` (without it) of each chromosome; numbers beyond a chromosome are cut off."""
        row = self._rows(chroms)
        known = row >= 0
        of_chrom = self.chromosomes["first_tile"].to_numpy()[row[known]]
        n = self.chromosomes["n_tiles"].to_numpy()[row[known]]
        return _mark(len(self), *(of_chrom + np.clip(tile[known], 0, n) for tile in (first, last)))

    def _rows(self, chroms: np.ndarray) -> np.ndarray:
        """Row of each name in the table of chromosomes; -1 where it has none."""
        return pd.Index(self.chromosomes["chrom"]).get_indexer(pd.Index(np.asarray(chroms, object)))

    def count_repeats(self, regions: pd.DataFrame) -> np.ndarray:
        """Bp of each region that are repeats: (N,) int64. A region of another chromosome has none."""
        counts = np.zeros(len(regions), np.int64)
        starts, ends = (regions[column].to_numpy(np.int64) for column in ("start", "end"))
        row = self._rows(regions["chrom"].to_numpy())
        for chromosome in np.unique(row[row >= 0]):
            first, n = self.chromosomes[["first_repeat", "n_repeats"]].iloc[chromosome]
            runs = Runs(self.repeat_start[first : first + n], self.repeat_end[first : first + n])
            ours = row == chromosome
            counts[ours] = runs.covered(ends[ours]) - runs.covered(starts[ours])
        return counts


def _touched_tiles(regions: pd.DataFrame, width: int) -> tuple[np.ndarray, np.ndarray]:
    """First tile of its chromosome that each region touches, and the one after the last."""
    return regions["start"].to_numpy(np.int64) // width, -(-regions["end"].to_numpy(np.int64) // width)


def _mark(n: int, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Mark stretches of `n` tiles: (n,) bool."""
    marked = np.zeros(n, bool)
    for begin, end in zip(first.tolist(), last.tolist(), strict=True):
        marked[begin:end] = True
    return marked


def _mapped(path: Path, dataset: h5py.Dataset) -> np.ndarray:
    if dataset.size == 0:
        return np.empty(dataset.shape, dataset.dtype)  # has no place in the file
    if dataset.id.get_offset() is None:
        raise ValueError(f"{dataset.name} is compressed or chunked")
    return np.memmap(path, dataset.dtype, mode="r", offset=dataset.id.get_offset(), shape=dataset.shape)


class Runs:
    """Stretches of one chromosome that neither overlap nor touch, from left to right."""

    def __init__(self, starts: np.ndarray, ends: np.ndarray) -> None:
        self.starts, self.ends = np.asarray(starts, np.int64), np.asarray(ends, np.int64)
        self._before = np.concatenate([[0], np.cumsum(self.ends - self.starts)])

    def covered(self, positions: np.ndarray) -> np.ndarray:
        """Bp of the runs that lie before each position."""
        if not len(self.starts):
            return np.zeros(len(positions), np.int64)
        n_begun = np.searchsorted(self.starts, positions, side="right")
        last = np.maximum(n_begun - 1, 0)
        within = np.minimum(positions, self.ends[last]) - self.starts[last]
        return np.where(n_begun > 0, self._before[last] + within, 0)


@dataclass(frozen=True)
class Repeats:
    """Repeats of a BED file: chromosome name to its runs."""

    runs: Mapping[str, Runs]

    @classmethod
    def read(cls, path: Path, chrom_sizes: Mapping[str, int]) -> Self:
        """Read a BED file of repeats, some millions of lines, line by line; overlapping ones are united.

        Lines of chromosomes that the assembly does not have are left out.

        Raises
        ------
        InputError : a line that is no region or lies beyond the end of its chromosome, or no line of this assembly.
        """
        starts: dict[str, array] = {chrom: array("q") for chrom in chrom_sizes}
        ends: dict[str, array] = {chrom: array("q") for chrom in chrom_sizes}
        for number, cells in region_lines(path):
            chrom, start, end = parse_region(path, number, cells)
            if chrom not in starts:
                continue
            if end > chrom_sizes[chrom]:
                raise InputError(
                    f"{path}:{number}: repeat {chrom}:{start}-{end} lies beyond the end of {chrom}, which has "
                    f"{chrom_sizes[chrom]} bp; these are repeats of another assembly"
                )
            starts[chrom].append(start)
            ends[chrom].append(end)
        if not any(starts.values()):
            raise InputError(
                f"{path}: no repeat on any chromosome of the assembly ({', '.join(list(chrom_sizes)[:5])}, ...); the "
                "names of the chromosomes must be the same, and the format BED (chrom, start, end)"
            )
        return cls({chrom: _united(starts[chrom], ends[chrom]) for chrom in chrom_sizes})


def _united(starts: array, ends: array) -> Runs:
    spans = (np.frombuffer(values, np.int64) if values else np.empty(0, np.int64) for values in (starts, ends))
    united = merge(pd.DataFrame(dict(zip(("start", "end"), spans, strict=True))).assign(chrom=""))
    return Runs(united["start"].to_numpy(), united["end"].to_numpy())


def write_tiles(
    path: Path,
    genome: Genome,
    width: int,
    repeats: Repeats | None,
    blacklist: pd.DataFrame | None,
    provenance: Mapping[str, Any],
    chunk_bp: int = _CHUNK_BP,
) -> None:
    """Write the tile table of a genome, whole or not at all.

    The genome is read once, from left to right; memory holds `chunk_bp` bases, the tiles of one chromosome, and the
    runs of repeats of all.

    Parameters
    ----------
    width : bp of a tile, 65,535 at most.
    repeats : replaces soft masking.
    blacklist : regions ``chrom, start, end``; those of other chromosomes are left out.
    provenance : of `make_provenance`; the file gets it with the ``digest`` of the table added.

    Raises
    ------
    InputError : no chromosome is as long as one tile, the blacklist is that of another assembly, or the disk is full.
    """
    assert 0 < width <= MAX_WIDTH
    lengths = np.fromiter(genome.chrom_sizes.values(), np.int64)
    n_tiles = lengths // width
    if not n_tiles.sum():
        raise InputError(f"{genome.path}: no chromosome has {width} bp, the width of a tile; lower positives.width")
    chromosomes = pd.DataFrame({"chrom": list(genome.chrom_sizes), "length": lengths})
    chromosomes = chromosomes.assign(first_tile=n_tiles.cumsum() - n_tiles, n_tiles=n_tiles)
    blacklisted = dict(tuple((_NO_REGIONS if blacklist is None else blacklist).groupby("chrom")))
    if blacklisted and not set(blacklisted) & set(genome.chrom_sizes):
        raise InputError(
            f"{genome.path}: no region of the blacklist lies on a chromosome of the assembly, one is on "
            f"{min(blacklisted)}; it has {', '.join(list(genome.chrom_sizes)[:5])}, ..."
        )
    with new_hdf5(path) as file:
        datasets = {name: file.create_dataset(name, (int(n_tiles.sum()),), dtype) for name, dtype in PROPERTIES.items()}
        hashers = {name: hashlib.sha256() for name in PROPERTIES}
        runs = []
        for row in chromosomes.itertuples():
            counts, masked = _count(genome, row.chrom, width, chunk_bp)
            runs.append(masked if repeats is None else repeats.runs[row.chrom])
            counts["n_repeat"] = np.diff(runs[-1].covered(np.arange(row.n_tiles + 1) * width))
            regions = blacklisted.get(row.chrom, _NO_REGIONS)
            counts["blacklisted"] = _mark(row.n_tiles, *_touched_tiles(regions, width))
            for name, dtype in PROPERTIES.items():
                values = counts[name].astype(dtype)
                datasets[name][row.first_tile : row.first_tile + row.n_tiles] = values
                hashers[name].update(values)
        hashes = {name: hasher.hexdigest() for name, hasher in hashers.items()}
        hashes |= _write_runs(file, chromosomes, runs)
        source = (
            REPEATS_FILE if repeats is not None else SOFT_MASKED if any(len(r.starts) for r in runs) else NO_REPEATS
        )
        described = {"width": width, "repeats": source}
        known = dict(provenance) | {"digest": digest(hashes | described)}
        metadata = {"status": "ok", "reason": "", **described, "provenance": known}
        file.attrs[METADATA_KEY] = json.dumps(metadata, sort_keys=True)


_NO_REGIONS = pd.DataFrame(
    {"chrom": pd.Series(dtype="str"), "start": pd.Series(dtype=int), "end": pd.Series(dtype=int)}
)


def _count(genome: Genome, chrom: str, width: int, chunk_bp: int) -> tuple[dict[str, np.ndarray], Runs]:
    """Letters of each tile of a chromosome, and its runs of lower case."""
    n_gc, n_ambiguous, edges, inside, position = [], [], [], False, 0
    for position, bases in genome.scan(chrom, max(1, chunk_bp // width) * width):
        n_gc.append(_sums(_IS_GC[bases], width))
        n_ambiguous.append(_sums(_IS_AMBIGUOUS[bases], width))
        lower = bases >= ord("a")
        edges.append(np.flatnonzero(np.diff(lower, prepend=inside)) + position)
        inside, position = bool(lower[-1]), position + len(bases)
    borders = np.concatenate([*edges, [position] if inside else []]).astype(np.int64)
    counts = {"n_gc": np.concatenate(n_gc), "n_ambiguous": np.concatenate(n_ambiguous)}
    return counts, Runs(borders[::2], borders[1::2])


def _sums(flags: np.ndarray, width: int) -> np.ndarray:
    """Sum of each whole tile; what is left at the end belongs to none."""
    n = len(flags) // width
    return flags[: n * width].reshape(n, width).sum(axis=1, dtype=np.uint16)


def _write_runs(file: h5py.File, chromosomes: pd.DataFrame, runs: list[Runs]) -> dict[str, str]:
    """Write the runs of repeats and the table of chromosomes, and return the SHA-256 of each."""
    dtype = np.min_scalar_type(int(chromosomes["length"].max()))
    n_repeats = np.array([len(ours.starts) for ours in runs], np.int64)
    chromosomes = chromosomes.assign(first_repeat=n_repeats.cumsum() - n_repeats, n_repeats=n_repeats)
    names = np.char.encode(chromosomes["chrom"].to_numpy(str), "utf-8")
    records = np.empty(
        len(chromosomes), [(name, names.dtype if name == "chrom" else np.int64) for name in CHROMOSOME_COLUMNS]
    )
    for name in CHROMOSOME_COLUMNS:
        records[name] = names if name == "chrom" else chromosomes[name]
    values = {
        "chromosomes": records,
        "repeat_start": np.concatenate([ours.starts for ours in runs]).astype(dtype),
        "repeat_end": np.concatenate([ours.ends for ours in runs]).astype(dtype),
    }
    for name, content in values.items():
        file.create_dataset(name, data=content)
    return {name: hashlib.sha256(content.tobytes()).hexdigest() for name, content in values.items()}
