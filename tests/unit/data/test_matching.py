import tempfile

import numpy as np
import pandas as pd
import pysam
import pytest

from bindgram.data.background import Background, union
from bindgram.data.matching import draw_windows, gc_bin, match_windows
from bindgram.errors import InputError
from bindgram.genome.fasta import Genome, ambiguous_runs
from bindgram.genome.regions import make_regions, overlaps, subtract

WIDTH = 50


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    """Two chromosomes whose GC fraction rises from 0.2 to 0.8, partly in lower case, with an N run in chrA."""
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    rng = np.random.default_rng(3)
    with path.open("w") as handle:
        for chrom, length in (("chrA", 60_000), ("chrB", 20_000)):
            gc = np.linspace(0.2, 0.8, length)
            strong = rng.random(length) < gc
            bases = np.where(strong, rng.choice(list("GC"), length), rng.choice(list("aT"), length))
            if chrom == "chrA":
                bases[30_000:31_000] = "N"
            handle.write(f">{chrom}\n" + "\n".join("".join(bases[i : i + 61]) for i in range(0, length, 61)) + "\n")
    pysam.faidx(str(path))
    with Genome.open(path) as opened:
        yield opened


def blocks(*rows):
    return pd.DataFrame(rows, columns=["chrom", "start", "end", "split"])


def background_of(genome, regions, forbidden=(), **settings):
    numbers = {"gc_bins": 10, "candidates_per_negative": 50} | settings
    return Background(genome, regions, union(make_regions(list(forbidden)), ambiguous_runs(genome)), **numbers)


ALL = blocks(("chrA", 0, 40_000, "train"), ("chrB", 0, 20_000, "train"), ("chrA", 40_100, 60_000, "valid"))


def drawn(n, regions, forbidden, seed=1):
    return draw_windows(n, WIDTH, regions, forbidden, {"chrA": 60_000, "chrB": 20_000}, np.random.default_rng(seed))


def test_windows_lie_wholly_in_a_region_off_the_forbidden_and_off_each_other():
    regions = make_regions([("chrA", 1000, 3000), ("chrB", 19_000, 20_000)])
    forbidden = make_regions([("chrA", 1500, 2500)])
    windows = drawn(15, regions, forbidden)
    assert len(windows) == 15
    assert (windows["end"] - windows["start"] == WIDTH).all()
    assert subtract(windows, regions).empty
    assert not overlaps(windows, forbidden).any()
    assert all((np.diff(part["start"].sort_values()) >= WIDTH).all() for _, part in windows.groupby("chrom"))


def test_first_and_last_place_of_a_region_are_reached():
    regions = make_regions([("chrA", 100, 160)])
    starts = {drawn(1, regions, make_regions([]), seed)["start"].iloc[0] for seed in range(100)}
    assert starts == set(range(100, 111))


def test_windows_come_from_touching_regions_as_from_one():
    windows = drawn(1, make_regions([("chrA", 100, 130), ("chrA", 130, 150)]), make_regions([]))
    assert windows[["start", "end"]].to_numpy().tolist() == [[100, 150]]


@pytest.mark.parametrize(
    ("regions", "forbidden"), [([("chrA", 0, 49)], []), ([("chrA", 0, 200)], [("chrA", 0, 200)])], ids=["short", "full"]
)
def test_no_room_gives_no_window(regions, forbidden):
    assert drawn(3, make_regions(regions), make_regions(forbidden)).empty


def test_more_windows_than_fit_gives_those_that_fit():
    windows = drawn(100, make_regions([("chrA", 0, 300)]), make_regions([]))
    assert 3 <= len(windows) <= 6


def test_same_generator_draws_the_same_windows_and_another_does_not():
    regions = make_regions([("chrA", 0, 60_000)])
    first, again, other = (drawn(20, regions, make_regions([]), seed) for seed in (5, 5, 6))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_drawing_leaves_no_temporary_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert len(drawn(5, make_regions([("chrA", 0, 60_000)]), make_regions([]))) == 5
    assert list(tmp_path.iterdir()) == []


def test_missing_bedtools_is_explained(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="bedtools is not on the PATH"):
        drawn(1, make_regions([("chrA", 0, 60_000)]), make_regions([]))


def test_gc_bins_are_equal_and_closed_at_one():
    assert gc_bin(np.array([0.0, 0.0199, 0.02, 0.58, 1.0]), 50).tolist() == [0, 0, 1, 29, 49]


def test_each_positive_gets_what_it_wants_from_its_own_bin(genome):
    gc = np.array([0.3, 0.5, 0.5, 0.7])
    wanted = np.array([3, 0, 2, 4])
    made = match_windows(gc, wanted, WIDTH, "train", background_of(genome, ALL), np.random.default_rng(1))
    assert made["parent"].tolist() == [0] * 3 + [2] * 2 + [3] * 4
    found = made["sequence"].str.count("[GC]").to_numpy() / WIDTH
    assert (gc_bin(found, 10) == gc_bin(gc[made["parent"]], 10)).all()


def test_sequences_are_those_of_the_places_in_upper_case(genome):
    made = match_windows(
        np.array([0.4]), np.array([5]), WIDTH, "valid", background_of(genome, ALL, gc_bins=1), np.random.default_rng(1)
    )
    for row in made.itertuples():
        assert row.sequence == genome.fetch(row.chrom, row.start, row.end).tobytes().decode().upper()
    assert made["sequence"].str.fullmatch("[ACGT]{50}").all()


def test_windows_keep_to_the_split_and_off_peaks_and_ambiguous_bases_over_all_rounds(genome):
    forbidden = [("chrA", 0, 10_000), ("chrA", 35_000, 38_000)]
    background = background_of(genome, ALL, forbidden, gc_bins=1)
    # 300 windows are more than one round may place in what is free, so later rounds must avoid earlier windows.
    made = match_windows(np.full(300, 0.5), np.ones(300, int), WIDTH, "train", background, np.random.default_rng(2))
    assert len(made) == 300
    assert subtract(made, ALL[ALL["split"] == "train"]).empty
    assert not overlaps(made, background.forbidden).any()
    assert union(made)["end"].sub(union(made)["start"]).sum() == 300 * WIDTH


class RepeatedUnit:
    """A genome of ACGT over and over: every window of 52 bp has GC 0.5, bin 5 of 10. Counts the windows asked for."""

    def __init__(self):
        self.chrom_sizes = {"chrA": 4000}
        self.n_windows = 0

    def windows(self, chroms, starts, width):
        self.n_windows += len(starts)
        bases = np.resize(np.frombuffer(b"ACGT", np.uint8), 4000)
        return np.stack([bases[start : start + width] for start in starts])


def match_in_repeated_unit(gc, candidates_per_negative):
    genome = RepeatedUnit()
    background = Background(genome, blocks(("chrA", 0, 4000, "train")), make_regions([]), 10, candidates_per_negative)
    return genome, match_windows(gc, np.ones(len(gc), int), 52, "train", background, np.random.default_rng(1))


def test_neighbouring_bin_serves_where_the_own_is_empty_and_farther_ones_never_do():
    _, made = match_in_repeated_unit(np.array([0.25, 0.45, 0.5, 0.65, 0.75]), 20)
    assert made["parent"].tolist() == [1, 2, 3]


def test_no_more_candidates_are_drawn_than_the_settings_allow():
    genome, made = match_in_repeated_unit(np.full(20, 0.99), 7)
    assert made.empty
    assert genome.n_windows == 7 * 20


def test_shortage_is_spread_before_anyone_gets_seconds(genome):
    scarce = blocks(("chrA", 0, 900, "train"))
    background = background_of(genome, scarce, gc_bins=1)
    made = match_windows(np.full(8, 0.2), np.full(8, 4), WIDTH, "train", background, np.random.default_rng(1))
    n_each = made.groupby("parent").size().reindex(range(8), fill_value=0)
    assert 8 <= len(made) < 18
    assert n_each.min() >= 1
    assert n_each.max() - n_each.min() <= 1
