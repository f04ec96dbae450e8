import json
import subprocess
from shutil import which

import h5py
import numpy as np
import pandas as pd
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindgram.data.peaks import read_assembly_peaks
from bindgram.data.splits import COLUMNS, Split
from bindgram.data.tiled import TiledLabels, label_tiles, read_tiled, tile_block, tile_codes, write_tiled
from bindgram.data.tiles import Tiles, write_tiles
from bindgram.errors import InputError
from bindgram.genome.fasta import Genome
from bindgram.genome.regions import make_regions
from bindgram.genome.text import open_maybe_gzip
from bindgram.provenance import METADATA_KEY
from bindgram.sequence.dna import strings_of

WIDTH = 10
SIZES = {"a": 123, "b": 57}
MASKED = [("a", 88, 91)]  # of N
BLACKLIST = [("a", 10, 11), ("b", 39, 41)]


@pytest.fixture(scope="module")
def genome_path(tmp_path_factory):
    """A genome of two sequences with N at `MASKED`."""
    path = tmp_path_factory.mktemp("tiled") / "genome.fa"
    rng = np.random.default_rng(0)
    texts = {name: rng.choice(list("ACGT"), size) for name, size in SIZES.items()}
    for chrom, start, end in MASKED:
        texts[chrom][start:end] = "N"
    path.write_text("".join(f">{name}\n{''.join(text)}\n" for name, text in texts.items()))
    pysam.faidx(str(path))
    return path


@pytest.fixture(scope="module")
def tiles(genome_path):
    with Genome.open(genome_path) as genome:
        write_tiles(genome_path.with_name("t.h5"), genome, WIDTH, None, make_regions(BLACKLIST), {})
    return Tiles.open(genome_path.with_name("t.h5"))


def peaks_of(*rows):
    frame = pd.DataFrame(rows, columns=["chrom", "start", "end", "summit"])
    return frame.astype({"chrom": "str", "start": int, "end": int, "summit": int})


def split_of(tiled, *blocks):
    return Split(pd.DataFrame(blocks, columns=list(COLUMNS)), tiled)


def test_a_tile_with_a_summit_is_positive_and_one_that_a_peak_only_touches_is_ignored(tiles):
    labels = label_tiles(tiles, peaks_of(("a", 35, 62, 8), ("b", 20, 30, -1), ("gone", 0, 9, 1)))
    of_a, of_b = labels[tiles.of_chrom("a")].tolist(), labels[tiles.of_chrom("b")].tolist()
    #  0-10, blacklist at 10, ..., peak 35-62 with its summit at 43, ..., N 88-91, end of a
    assert of_a == [0, -1, 0, -1, 1, -1, -1, 0, -1, -1, 0, 0]
    assert of_b == [0, 0, 1, -1, -1]


def test_blacklist_and_n_beat_a_summit(tiles):
    labels = label_tiles(tiles, peaks_of(("a", 12, 18, 3), ("a", 80, 100, 15), ("a", 80, 100, 5)))
    assert labels[[1, 8, 9]].tolist() == [-1, -1, -1]


def test_a_summit_that_lies_on_the_end_of_the_peak_or_beyond_the_last_tile_is_no_error(tiles):
    labels = label_tiles(tiles, peaks_of(("a", 25, 30, 5), ("a", 118, 123, 4)))
    assert labels[tiles.of_chrom("a")].tolist() == [0, -1, -1, 1, 0, 0, 0, 0, -1, -1, 0, -1]


def test_the_block_has_the_tiles_wholly_inside_it_and_the_prior_is_that_of_the_training_blocks(tiles):
    split = split_of("middle", ("a", 25, 99, "test", "middle"), ("b", 0, 35, "train", "t"), ("a", 0, 25, "train", "u"))
    made = tile_block(tiles, split, peaks_of(("a", 35, 62, 8), ("b", 21, 29, -1)), {})
    assert (made.chrom, made.start, made.width) == ("a", 30, 10)
    assert made.labels.tolist() == [-1, 1, -1, -1, 0, -1]
    assert made.starts.tolist() == [30, 40, 50, 60, 70, 80]
    assert made.counts() == {"n_positives_test": 1, "n_negatives_test": 1, "n_ignored": 4}
    assert made.prior == 1 / 4  # tiles 0 of a and 0 to 2 of b; tile 1 of a is on the blacklist


@pytest.mark.parametrize(("start", "end"), [(31, 39), (95, 105), (120, 123)])
def test_a_block_without_a_whole_tile_is_empty(tiles, start, end):
    made = tile_block(tiles, split_of("x", ("a", start, end, "test", "x")), peaks_of(), {})
    assert (made.labels.tolist(), made.prior, made.status) == ([], 0.0, "ok")


@st.composite
def peak_rows(draw):
    chrom = draw(st.sampled_from(["a", "b"]))
    start = draw(st.integers(0, SIZES[chrom] - 1))
    length = draw(st.integers(1, SIZES[chrom] - start))
    return chrom, start, start + length, draw(st.integers(-1, length))


@settings(max_examples=60)
@given(rows=st.lists(peak_rows(), max_size=5))
def test_labels_equal_those_found_base_by_base(tiles, rows):
    labels = label_tiles(tiles, peaks_of(*rows))
    number = 0
    for chrom, size in SIZES.items():
        for start in range(0, size - WIDTH + 1, WIDTH):
            bases = range(start, start + WIDTH)
            bad = any(c == chrom and s <= base < e for c, s, e in MASKED + BLACKLIST for base in bases)
            summits = [s + q if q >= 0 else (s + e) // 2 for c, s, e, q in rows if c == chrom]
            touched = any(c == chrom and s <= base < e for c, s, e, _ in rows for base in bases)
            expected = -1 if bad else 1 if any(q in bases for q in summits) else -1 if touched else 0
            assert labels[number] == expected, (chrom, start)
            number += 1
    assert number == len(labels)


@pytest.mark.parametrize("chunk_tiles", [1, 2, 100])
def test_sequences_are_those_of_the_tiles_that_are_not_ignored(tiles, genome_path, chunk_tiles):
    split = split_of("middle", ("a", 20, 99, "test", "middle"))
    made = tile_block(tiles, split, peaks_of(("a", 35, 62, 8)), {})
    with Genome.open(genome_path) as genome:
        texts = [text for codes in tile_codes(made, genome, chunk_tiles) for text in strings_of(codes)]
        known = made.starts[made.labels >= 0]
        assert known.tolist() == [20, 40, 70]
        assert texts == [genome.fetch("a", start, start + 10).tobytes().decode() for start in known]


def test_labels_come_back_from_disk_and_take_few_bytes(tmp_path):
    labels = np.zeros(250_000, np.int8)
    labels[::500] = 1
    labels[3::90] = -1
    written = TiledLabels(labels, "chr22", 400, 200, 0.002, provenance={"command": "battery"})
    write_tiled(tmp_path / "T4.h5", written)
    assert (tmp_path / "T4.h5").stat().st_size < 20_000
    read = read_tiled(tmp_path / "T4.h5")
    assert (read.labels == labels).all()
    assert (read.chrom, read.start, read.width, read.prior, read.status) == ("chr22", 400, 200, 0.002, "ok")
    assert len(read.provenance["digest"]) == 64
    write_tiled(tmp_path / "again.h5", written)
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "T4.h5").read_bytes()


def test_a_skipped_t4_is_a_file_without_tiles_and_a_reason(tmp_path):
    write_tiled(tmp_path / "T4.h5", TiledLabels(status="skipped", reason="no coordinates"))
    read = read_tiled(tmp_path / "T4.h5")
    assert (read.skipped, read.reason, len(read.labels)) == (True, "no coordinates", 0)


def test_what_holds_no_labels_is_refused(tmp_path):
    (tmp_path / "T4.h5").write_text("x")
    with pytest.raises(InputError, match=r"T4\.h5: no readable labels of tiles; make it with bindgram battery"):
        read_tiled(tmp_path / "T4.h5")
    with h5py.File(tmp_path / "store.h5", "w") as file:  # what else has a dataset of this name
        file["labels"] = np.zeros((2, 2), np.int8)
        file.attrs[METADATA_KEY] = json.dumps({"status": "ok", "reason": "", "counts": {}, "provenance": {}})
    with pytest.raises(InputError, match=r"store\.h5: no readable labels of tiles; make it with bindgram battery"):
        read_tiled(tmp_path / "store.h5")


@pytest.mark.realdata
@pytest.mark.skipif(which("bedtools") is None, reason="bedtools is not installed")
def test_labels_of_real_peaks_are_those_of_bedtools(real_data, tmp_path):
    """Yeast's chrIV with real N-free sequence; a blacklist of a few stretches."""
    folder = real_data / "sacCer3"
    lines = {name: [] for name in ("genome.fa", "blacklist.bed", "tiles.bed", "peaks.bed", "summits.bed")}
    with open_maybe_gzip(folder / "sacCer3.fa.gz") as handle:
        keep = False
        for line in handle:
            keep = line.strip() == b">chrIV" if line.startswith(b">") else keep
            lines["genome.fa"] += [line.decode()] if keep else []
    (tmp_path / "genome.fa").write_text("".join(lines["genome.fa"]))
    pysam.faidx(str(tmp_path / "genome.fa"))
    blacklist = make_regions([("chrIV", start, start + 777) for start in range(5_000, 1_500_000, 90_000)])
    with Genome.open(tmp_path / "genome.fa") as genome:
        write_tiles(tmp_path / "t.h5", genome, 200, None, blacklist, {})
    tiles = Tiles.open(tmp_path / "t.h5")
    source = (folder / "peaks_chipexo/Reb1.bed").read_text().splitlines()
    sites = [line.split("\t") for line in source if line.startswith("chrIV\t")]
    wide = [(int(start) - 150, int(start) + 170) for _, start, *_ in sites]
    (tmp_path / "x.bed").write_text("".join(f"chrIV\t{start}\t{end}\n" for start, end in wide))
    labels = label_tiles(tiles, read_assembly_peaks(tmp_path / "x.bed", "bed", tiles.chrom_sizes))

    rows = {
        "tiles.bed": [(i * 200, i * 200 + 200) for i in range(len(tiles))],
        "peaks.bed": wide,
        "summits.bed": [((start + end) // 2, (start + end) // 2 + 1) for start, end in wide],
        "blacklist.bed": blacklist[["start", "end"]].itertuples(index=False, name=None),
    }
    for name, spans in rows.items():
        (tmp_path / name).write_text("".join(f"chrIV\t{start}\t{end}\n" for start, end in spans))

    def touched(name):
        command = ["bedtools", "intersect", "-c", "-a", "tiles.bed", "-b", name]
        output = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
        return np.array([int(line.split("\t")[3]) > 0 for line in output.splitlines()])

    expected = np.where(touched("summits.bed"), 1, np.where(touched("peaks.bed"), -1, 0))
    expected = np.where(touched("blacklist.bed"), -1, expected)
    assert (labels == expected).all()
    assert (labels == 1).sum() > 50
