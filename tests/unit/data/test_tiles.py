import subprocess
from shutil import which

import numpy as np
import pandas as pd
import pysam
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bindgram.data.tiles import Repeats, Tiles, write_tiles
from bindgram.errors import InputError
from bindgram.genome.fasta import Genome
from bindgram.genome.regions import make_regions
from bindgram.genome.text import open_maybe_gzip

SEQUENCES = {"chrA": "ACGTNgcgaaTTacgRGGCC", "short": "ACG", "chrB": "nnnnnGGGGGaC"}


def written(folder, sequences, width, *, repeats=None, blacklist=None, chunk_bp=8_000_000):
    """The tile table of some sequences, read back; `repeats` are lines of a BED file."""
    path = folder / "genome.fa"
    path.write_text("".join(f">{name}\n{text}\n" for name, text in sequences.items()))
    path.with_name("genome.fa.fai").unlink(missing_ok=True)
    pysam.faidx(str(path))
    with Genome.open(path) as genome:
        masks = None
        if repeats is not None:
            (folder / "repeats.bed").write_text("".join(f"{line}\n" for line in repeats))
            masks = Repeats.read(folder / "repeats.bed", genome.chrom_sizes)
        write_tiles(folder / "tiles.h5", genome, width, masks, blacklist, {"command": "tile"}, chunk_bp)
    return Tiles.open(folder / "tiles.h5")


def test_each_tile_has_its_letters_and_what_is_left_at_the_end_is_no_tile(tmp_path):
    tiles = written(tmp_path, SEQUENCES, 5)
    assert tiles.regions(np.arange(len(tiles))).to_numpy().tolist() == [
        *[["chrA", start, start + 5] for start in (0, 5, 10, 15)],
        *[["chrB", start, start + 5] for start in (0, 5)],
    ]
    assert tiles.n_gc.tolist() == [2, 3, 2, 4, 0, 5]  # ACGTN gcgaa TTacg RGGCC nnnnn GGGGG
    assert tiles.n_ambiguous.tolist() == [1, 0, 0, 1, 5, 0]
    assert tiles.n_repeat.tolist() == [0, 5, 3, 0, 5, 0]
    assert not tiles.blacklisted.any()
    assert (tiles.width, tiles.repeats) == (5, "soft_masked")
    assert tiles.chrom_sizes == {"chrA": 20, "short": 3, "chrB": 12}
    assert tiles.of_chrom("chrB") == slice(4, 6)


def test_repeats_are_unknown_without_lower_case_and_without_a_file(tmp_path):
    tiles = written(tmp_path, {"a": "ACGTACGT"}, 4)
    assert tiles.repeats == "none"
    assert tiles.n_repeat.tolist() == [0, 0]
    assert tiles.count_repeats(make_regions([("a", 0, 8)])).tolist() == [0]


def test_a_file_of_repeats_replaces_soft_masking_and_its_overlaps_count_once(tmp_path):
    lines = ["chrA\t2\t4\tAlu", "chrA\t3\t7\tL1", "chrA\t7\t8", "chrA\t19\t20", "other\t0\t1000000"]
    tiles = written(tmp_path, SEQUENCES, 5, repeats=lines)
    assert tiles.repeats == "file"
    assert tiles.n_repeat.tolist() == [3, 3, 0, 1, 0, 0]
    asked = make_regions([("chrA", 0, 20), ("chrB", 0, 5), ("chrA", 3, 4), ("chrA", 8, 19), ("unknown", 0, 9)])
    assert tiles.count_repeats(asked).tolist() == [7, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["chrA\t0\t21"], r"repeats\.bed:1: repeat chrA:0-21 lies beyond the end of chrA, which has 20 bp"),
        (["1\t0\t5", "2\t0\t5"], r"repeats\.bed: no repeat on any chromosome of the assembly \(chrA, short, chrB"),
        (["chrA\t5\t2"], r"repeats\.bed:1: end 2 is not after start 5"),
        ([], r"no repeat on any chromosome"),
    ],
)
def test_repeats_of_another_assembly_are_refused(tmp_path, lines, message):
    with pytest.raises(InputError, match=message):
        written(tmp_path, SEQUENCES, 5, repeats=lines)
    assert not (tmp_path / "tiles.h5").exists()


def test_blacklist_marks_every_tile_that_it_touches(tmp_path):
    blacklist = make_regions([("chrA", 4, 6), ("chrA", 15, 100), ("chrB", 10, 12), ("elsewhere", 0, 9)])
    assert written(tmp_path, SEQUENCES, 5, blacklist=blacklist).blacklisted.tolist() == [
        *(True, True, False, True),
        *(False, False),
    ]


def test_a_blacklist_of_another_assembly_is_refused_and_an_empty_one_is_none(tmp_path):
    with pytest.raises(
        InputError, match=r"no region of the blacklist lies on a chromosome .* one is on 1; it has chrA"
    ):
        written(tmp_path, SEQUENCES, 5, blacklist=make_regions([("2", 0, 5), ("1", 0, 5)]))
    assert not written(tmp_path, SEQUENCES, 5, blacklist=make_regions([])).blacklisted.any()


def test_a_genome_shorter_than_a_tile_is_refused(tmp_path):
    with pytest.raises(InputError, match="no chromosome has 21 bp, the width of a tile"):
        written(tmp_path, SEQUENCES, 21)


@pytest.mark.parametrize("text", ["", "no HDF5"])
def test_another_file_is_no_tile_table(tmp_path, text):
    (tmp_path / "x.h5").write_text(text)
    with pytest.raises(InputError, match=r"x\.h5: not a readable tile table .* make it with bindgram tile"):
        Tiles.open(tmp_path / "x.h5")


def test_a_corpus_or_other_hdf5_is_no_tile_table(tmp_path):
    import h5py

    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["bindgram"] = "{}"
    with pytest.raises(InputError, match="not a readable tile table"):
        Tiles.open(tmp_path / "x.h5")
    with pytest.raises(InputError, match="not a readable tile table"):
        Tiles.open(tmp_path / "absent.h5")


def test_unknown_chromosome_is_named_with_those_there_are(tmp_path):
    with pytest.raises(InputError, match=r"no chromosome '1'; it has 3: chrA, short, chrB"):
        written(tmp_path, SEQUENCES, 5).of_chrom("1")


def test_same_genome_gives_the_same_bytes_whatever_the_chunk_and_another_width_another_digest(tmp_path):
    contents, digests = set(), set()
    for chunk_bp, width in ((8_000_000, 5), (7, 5), (1, 5), (7, 4)):
        digests.add(written(tmp_path, SEQUENCES, width, chunk_bp=chunk_bp).provenance["digest"])
        contents.add((tmp_path / "tiles.h5").read_bytes())
    assert len(contents) == len(digests) == 2


# Against a loop over bases

CHROMS = ["c1", "c2", "c3"]
letters = st.text(alphabet="ACGTacgtNnRS", min_size=1, max_size=60)
spans = st.lists(
    st.tuples(st.sampled_from([*CHROMS, "absent"]), st.integers(0, 70), st.integers(1, 30)).map(
        lambda row: (row[0], row[1], row[1] + row[2])
    ),
    max_size=8,
)


def covered(chrom, position, regions):
    return any(name == chrom and start <= position < end for name, start, end in regions)


@given(
    texts=st.lists(letters, min_size=3, max_size=3), width=st.integers(1, 9), regions=spans, chunk_bp=st.integers(1, 40)
)
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tiles_equal_a_loop_over_bases(tmp_path, texts, width, regions, chunk_bp):
    texts = ["ACGTACGTAC" + texts[0], *texts[1:]]
    sequences = dict(zip(CHROMS, texts, strict=True))
    regions = [*regions, ("c3", 0, 1)]
    blacklist = make_regions(regions)
    tiles = written(tmp_path, sequences, width, blacklist=blacklist, chunk_bp=chunk_bp)
    expected = [(name, i) for name, text in sequences.items() for i in range(0, len(text) - width + 1, width)]
    assert [tuple(row) for row in tiles.regions(np.arange(len(tiles)))[["chrom", "start"]].to_numpy()] == expected
    pieces = [sequences[name][start : start + width] for name, start in expected]
    assert tiles.n_gc.tolist() == [sum(base in "GCgc" for base in piece) for piece in pieces]
    assert tiles.n_ambiguous.tolist() == [sum(base not in "ACGTacgt" for base in piece) for piece in pieces]
    assert tiles.n_repeat.tolist() == [sum(base.islower() for base in piece) for piece in pieces]
    touched = [any(covered(name, start + i, regions) for i in range(width)) for name, start in expected]
    assert tiles.touched(blacklist).tolist() == tiles.blacklisted.tolist() == touched
    inside = [
        any(chrom == name and a <= start and start + width <= b for chrom, a, b in regions) for name, start in expected
    ]
    assert tiles.inside(blacklist).tolist() == inside
    places = [(name, position) for name in (*CHROMS, "absent") for position in range(75)]
    numbers = {(name, start + i): tile for tile, (name, start) in enumerate(expected) for i in range(width)}
    chroms, positions = zip(*places, strict=True)
    found = tiles.numbers(np.array(chroms, object), np.array(positions))
    assert found.tolist() == [numbers.get(place, -1) for place in places]
    within = [(name, start, min(end, len(sequences[name]))) for name, start, end in regions if name in sequences]
    asked = [row for row in within if row[1] < row[2]]
    lower = [sum(base.islower() for base in sequences[name][start:end]) for name, start, end in asked]
    assert tiles.count_repeats(make_regions(asked)).tolist() == lower


@given(regions=spans.filter(lambda rows: any(chrom != "absent" for chrom, _, _ in rows)), width=st.integers(1, 9))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_repeats_of_a_file_equal_a_loop_over_bases(tmp_path, regions, width):
    sequences = dict.fromkeys(CHROMS, "A" * 100)
    tiles = written(tmp_path, sequences, width, repeats=["\t".join(map(str, row)) for row in regions])
    places = tiles.regions(np.arange(len(tiles)))
    expected = [sum(covered(row.chrom, p, regions) for p in range(row.start, row.end)) for row in places.itertuples()]
    assert tiles.n_repeat.tolist() == expected
    assert tiles.count_repeats(places).tolist() == expected


# Real data


@pytest.mark.realdata
@pytest.mark.skipif(which("bedtools") is None, reason="bedtools is not on the PATH")
def test_counts_of_a_real_chromosome_equal_those_of_bedtools(real_data, tmp_path):
    """Every second line of chr22 in lower case, so that it has repeats."""
    with open_maybe_gzip(real_data / "hg19_chr20_chr22/hg19.chr22.fa.gz") as handle:
        lines = handle.read().decode().splitlines()
    masked = [line.lower() if i % 2 else line for i, line in enumerate(lines[1:])]
    (tmp_path / "genome.fa").write_text("\n".join([lines[0], *masked]) + "\n")
    pysam.faidx(str(tmp_path / "genome.fa"))
    with Genome.open(tmp_path / "genome.fa") as genome:
        write_tiles(tmp_path / "tiles.h5", genome, 200, None, None, {})
        half = genome.chrom_sizes["chr22"] // 2
    tiles = Tiles.open(tmp_path / "tiles.h5")
    every = tiles.regions(np.arange(0, len(tiles), 7))  # bedtools takes its time
    every.to_csv(tmp_path / "windows.bed", sep="\t", header=False, index=False)
    command = ["bedtools", "nuc", "-fi", tmp_path / "genome.fa", "-bed", tmp_path / "windows.bed"]
    told = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    header = [name.split("_", 1)[1] for name in told[0].split("\t")]
    table = pd.DataFrame([line.split("\t") for line in told[1:]], columns=header)
    counts = table[["num_C", "num_G", "num_N", "num_oth"]].astype(int)
    assert len(table) > 30_000
    assert counts["num_N"].sum() > 1_000_000
    assert (tiles.n_gc[::7] == counts["num_C"] + counts["num_G"]).all()
    assert (tiles.n_ambiguous[::7] == counts["num_N"] + counts["num_oth"]).all()
    assert abs(int(tiles.n_repeat.sum()) - half) < 400
