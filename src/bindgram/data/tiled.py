"""Test set T4: one test block tiled without overlap, so that positives are as rare as they are in the genome.

The tiles are those of the assembly's tile table that lie wholly inside the block. Their labels are 1 for a tile that
holds the summit of a peak (its midpoint where none is called), 0 for a tile that no peak touches, and -1, ignored, for
the others: a tile that a peak only touches, and every tile that the blacklist or an ambiguous base touches, summit or
not, as the filters of positives have it. All peaks of the experiment count, not only those that became positives.

Coordinates are implicit: tile i of the file is ``[start + i * width, start + (i + 1) * width)`` bp of ``chrom``.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from bindgram.data.background import BackgroundRequest
from bindgram.data.examples import ExampleTable
from bindgram.data.hdf5 import new_hdf5
from bindgram.data.peaks import read_assembly_peaks, summit_positions
from bindgram.data.splits import Split
from bindgram.data.tiles import Tiles
from bindgram.errors import InputError
from bindgram.genome.fasta import Genome
from bindgram.provenance import METADATA_KEY, digest, make_provenance, read_record
from bindgram.sequence.dna import encode

TEST_SET = "T4"
IGNORED = -1
_CHUNK_TILES = 1 << 14  # whose bases are read at a time
_DESCRIBED = ("chrom", "start", "width", "prior", "status", "reason")  # beside the labels in the file


@dataclass(frozen=True)
class TiledLabels:
    """Labels of the tiles of one block.

    `labels` is (tiles,) int8; `start` and `width` in bp. `prior` is the share of positives among the tiles of the
    training blocks that are not ignored: what can be known of the prevalence without looking at the test block.
    """

    labels: np.ndarray = field(default_factory=lambda: np.empty(0, np.int8))
    chrom: str = ""
    start: int = 0
    width: int = 0
    prior: float = 0.0
    status: str = "ok"
    reason: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def skipped(self) -> bool:
        """Whether there is no T4 for this experiment."""
        return self.status == "skipped"

    @property
    def starts(self) -> np.ndarray:
        """Start of every tile, bp: (tiles,) int64."""
        return self.start + self.width * np.arange(len(self.labels), dtype=np.int64)

    def counts(self) -> dict[str, int]:
        """Tiles of each label."""
        named = {"n_positives_test": 1, "n_negatives_test": 0, "n_ignored": IGNORED}
        return {name: int(np.count_nonzero(self.labels == value)) for name, value in named.items()}


def label_tiles(tiles: Tiles, peaks: pd.DataFrame) -> np.ndarray:
    """Labels of all tiles of a genome for the peaks of one experiment: (tiles,) int8."""
    labels = np.where(tiles.touched(peaks), IGNORED, 0).astype(np.int8)
    numbers = tiles.numbers(peaks["chrom"].to_numpy(object), summit_positions(peaks).to_numpy(np.int64))
    labels[numbers[numbers >= 0]] = 1
    labels[(tiles.n_ambiguous > 0) | tiles.blacklisted] = IGNORED
    return labels


def tile_block(tiles: Tiles, split: Split, peaks: pd.DataFrame, provenance: Mapping[str, Any]) -> TiledLabels:
    """T4 of one experiment: the labels of the tiles of the block that `split` names."""
    region = split.tiled_region()
    assert region is not None
    chrom, start, end = region
    labels = label_tiles(tiles, peaks)
    train = labels[tiles.inside(split.of("train"))]
    n_known = np.count_nonzero(train != IGNORED)
    of_chrom = tiles.of_chrom(chrom)
    first = min(-(-start // tiles.width), of_chrom.stop - of_chrom.start)
    last = max(first, min(end // tiles.width, of_chrom.stop - of_chrom.start))
    return TiledLabels(
        labels[of_chrom.start + first : of_chrom.start + last],
        chrom,
        first * tiles.width,
        tiles.width,
        float(np.count_nonzero(train == 1) / n_known) if n_known else 0.0,
        provenance=provenance,
    )


def tile_codes(tiled: TiledLabels, genome: Genome, chunk_tiles: int = _CHUNK_TILES) -> Iterator[np.ndarray]:
    """Base codes of the tiles that are not ignored, in order and `chunk_tiles` at a time: (tiles, width) uint8."""
    for first in range(0, len(tiled.labels), chunk_tiles):
        known = tiled.labels[first : first + chunk_tiles] != IGNORED
        if known.any():
            start = tiled.start + first * tiled.width
            bases = genome.fetch(tiled.chrom, start, start + len(known) * tiled.width)
            yield encode(bases.reshape(len(known), tiled.width)[known])


def make_tiled(experiment: str, positives: ExampleTable, request: BackgroundRequest, revision: int) -> TiledLabels:
    """Read what `request` names and label the block, or say why there is no T4 for this experiment.

    Raises
    ------
    InputError : the experiment has coordinates and a file is missing, or one is not what it should be.
    """
    settings: dict[str, Any] = {"experiment": experiment, "test_set": TEST_SET, "held_out": positives.held_out}
    inputs = {"positives": positives.provenance}
    reason = _why_undefined(positives)
    if reason:
        return _skipped(reason, make_provenance("battery", revision, settings, inputs))
    needed = ("tiles", "assembly", "split", "peaks", "peaks_record", "format")
    missing = [f"--{name.replace('_', '-')}" for name in needed if getattr(request, name) is None]
    if missing:
        raise InputError(f"--tiled: the tiles of a genome are labelled; give {', '.join(missing)} as well")
    tiles = Tiles.open(request.tiles)
    split = Split.load(request.split, request.assembly, tiles.chrom_sizes)
    settings |= {"split": split.to_json(), "tiled": split.tiled}
    inputs |= {"tiles": tiles.provenance, "peaks": read_record(request.peaks_record)}
    provenance = make_provenance("battery", revision, settings, inputs)
    if not split.tiled:
        return _skipped(f"{request.split.name} names no block of {request.assembly} to tile (key tiled)", provenance)
    return tile_block(tiles, split, read_assembly_peaks(request.peaks, request.format, tiles.chrom_sizes), provenance)


def _skipped(reason: str, provenance: Mapping[str, Any]) -> TiledLabels:
    return TiledLabels(status="skipped", reason=reason, provenance=provenance)


def _why_undefined(positives: ExampleTable) -> str:
    if positives.skipped:
        return positives.reason
    if positives.held_out.get("split") == "valid":
        return f"{positives.held_out['reason']}, {TEST_SET} is of test"
    if positives.frame["chrom"].isna().any():
        return "no coordinates: no chromosome can be tiled"
    return ""


def write_tiled(path: Path, tiled: TiledLabels) -> None:
    """Write labels as HDF5, whole or not at all; the ``digest`` of the content joins the provenance."""
    described = {name: getattr(tiled, name) for name in _DESCRIBED}
    content = digest(described | {"labels": tiled.labels.tobytes().hex()})
    metadata = described | {"counts": tiled.counts(), "provenance": dict(tiled.provenance) | {"digest": content}}
    with new_hdf5(path) as file:
        file.create_dataset("labels", data=tiled.labels, **packing(len(tiled.labels)))
        file.attrs[METADATA_KEY] = json.dumps(metadata, sort_keys=True)


def packing(n: int) -> dict[str, Any]:
    """Options of a packed dataset of `n` values; HDF5 packs nothing that is empty."""
    return {"chunks": (min(n, 1 << 16),), "compression": "gzip", "shuffle": True} if n else {}


def read_tiled(path: Path) -> TiledLabels:
    """Read labels of `write_tiled`.

    Raises
    ------
    InputError : the file is missing, damaged, or does not hold labels of tiles.
    """
    what = "labels of tiles; make it with bindgram battery --tiled"
    labels, known = read_packed(path, "labels", (*_DESCRIBED, "provenance"), what)
    return TiledLabels(labels, **known)


def read_packed(path: Path, name: str, described: Collection[str], what: str) -> tuple[np.ndarray, dict[str, Any]]:
    """One dataset of an HDF5 file, and of the JSON beside it what is `described`; `what` names it in the message.

    Raises
    ------
    InputError : the file is missing, damaged, or something else.
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            known = json.loads(file.attrs[METADATA_KEY])
            return file[name][:], {key: known[key] for key in described}
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: no readable {what} ({error})") from None
