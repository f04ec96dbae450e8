from itertools import pairwise

import numpy as np
import pandas as pd
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindgram.data.candidates import Sequences, around, beside, stand_apart
from bindgram.data.examples import canonical_sequences
from bindgram.data.splits import Split
from bindgram.genome.fasta import Genome
from bindgram.genome.regions import make_regions, overlaps, subtract

WIDTH = 20
BLOCKS = pd.DataFrame(
    [("chrA", 0, 4000, "train"), ("chrA", 5000, 8000, "test"), ("chrB", 0, 1000, "train")],
    columns=["chrom", "start", "end", "split"],
)


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    """Two chromosomes of 8 and 1 kb; N at chrA:1000-1100; chrA:2000-2100 and chrA:3000-3100 are alike."""
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    letters = np.random.default_rng(1).choice(list("ACGT"), 9000)
    letters[1000:1100] = "N"
    letters[3000:3100] = letters[2000:2100]
    path.write_text(f">chrA\n{''.join(letters[:8000])}\n>chrB\n{''.join(letters[8000:])}\n")
    pysam.faidx(str(path))
    with Genome.open(path) as opened:
        yield opened


def rng(seed=1):
    return np.random.default_rng(seed)


def centres(*positions, chrom="chrA"):
    return pd.DataFrame({"chrom": chrom, "position": list(positions)})


def drawn(genome, candidates, n_wanted=100, forbidden=None, avoid=(), seed=1, split="train"):
    sequences = Sequences(genome, WIDTH, set(avoid))
    windows, counts = around(candidates, n_wanted, WIDTH, split, BLOCKS, forbidden or {}, sequences, rng(seed))
    assert counts[0][1] == len(windows) + sum(n for _, n in counts[1:])
    return windows.sort_values("start"), dict(counts)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 200)), max_size=60), st.integers(1, 30), st.integers(0, 9)
)
def test_chosen_windows_stand_apart_and_no_other_could_join_them(places, width, seed):
    chroms = np.array([chrom for chrom, _ in places], object)
    starts = np.array([start for _, start in places], np.int64)
    chosen = stand_apart(chroms, starts, width, rng(seed))
    for chrom in "ab":
        here = chroms == chrom
        kept = sorted(starts[here & chosen])
        assert all(second - first >= width for first, second in pairwise(kept))
        assert all(any(abs(start - other) < width for other in kept) for start in starts[here & ~chosen])


def test_every_window_of_a_crowd_may_be_the_one_that_stays():
    starts = np.array([0, 3, 6])
    chosen = [tuple(stand_apart(np.repeat("a", 3), starts, 10, rng(seed))) for seed in range(60)]
    assert {sum(kept) for kept in chosen} == {1}
    assert len(set(chosen)) == 3


def test_candidates_on_chromosomes_without_a_block_of_the_split_are_not_looked_at(genome, monkeypatch):
    """Of a universe of millions those of the test chromosomes only cost time; texts and categories draw the same."""
    texts = pd.concat([centres(*range(0, 8000, 90)), centres(*range(0, 1000, 90), chrom="chrB")], ignore_index=True)
    asked = []
    assign = Split.assign
    monkeypatch.setattr(Split, "assign", lambda self, *columns: asked.append(len(columns[0])) or assign(self, *columns))
    named, counts = drawn(genome, texts, 9, split="test")
    assert asked == [int((texts["chrom"] == "chrA").sum())]
    assert counts["n_candidates"] == sum(5010 <= at <= 7990 for at in texts["position"])
    categories = texts.astype({"chrom": "category"})
    pd.testing.assert_frame_equal(drawn(genome, categories, 9, split="test")[0], named)
    assert drawn(genome, texts.iloc[-3:], split="test")[1]["n_candidates"] == 0


def test_window_lies_around_its_candidate_within_one_block_of_the_split(genome):
    windows, counts = drawn(genome, centres(500, 3995, 4500, 6000))  # beyond the block, in none, in that of test
    assert windows[["chrom", "start", "end"]].to_numpy().tolist() == [["chrA", 490, 510]]
    assert counts["n_candidates"] == 1
    assert windows["sequence"].iloc[0] == genome.fetch("chrA", 490, 510).tobytes().decode()


def test_candidates_count_for_the_first_reason_that_applies(genome):
    forbidden = {"near_peak": make_regions([("chrA", 100, 200)]), "blacklist": make_regions([("chrA", 150, 300)])}
    at = centres(91, 110, 160, 290, 310, 400, 405, 1050, 600)
    _, counts = drawn(genome, at, forbidden=forbidden)
    assert counts == {
        "n_candidates": 9,
        "candidate_near_peak": 3,  # 91 ends at 101
        "candidate_blacklist": 1,  # 290; 310 begins at 300
        "candidate_overlap": 1,  # 400 or 405
        "candidate_sequence": 1,  # N
        "candidate_left": 0,
    }


def test_no_sequence_is_drawn_that_another_example_or_window_has_on_either_strand(genome):
    text = genome.fetch("chrA", 490, 510).tobytes().decode()
    windows, counts = drawn(genome, centres(500, 2050, 3050), avoid=canonical_sequences(pd.Series([text])))
    assert len(windows) == 1
    assert windows["start"].iloc[0] in (2040, 3040)
    assert counts["candidate_sequence"] == 2


def test_as_many_windows_are_drawn_as_wanted_and_the_others_are_counted(genome):
    windows, counts = drawn(genome, centres(*range(100, 900, 50)), n_wanted=5)
    assert len(windows) == 5
    assert counts["candidate_left"] == 11
    others = [tuple(drawn(genome, centres(*range(100, 900, 50)), 5, seed=seed)[0]["start"]) for seed in range(5)]
    assert len(set(others)) == 5


def test_nothing_to_draw_from_gives_nothing(genome):
    windows, counts = drawn(genome, centres())
    assert windows.empty
    assert counts["n_candidates"] == 0


def positives_at(*starts, chrom="chrA"):
    return pd.DataFrame({"chrom": chrom, "start": starts, "end": np.array(starts) + WIDTH})


def neighbours(genome, positives, n_wanted, distance=200, forbidden=(), seed=1):
    kept_free = pd.concat([positives[["chrom", "start", "end"]], make_regions(list(forbidden))])
    blocks = BLOCKS[BLOCKS["split"] == "train"]
    sequences = Sequences(genome, WIDTH, set())
    return beside(positives, np.array(n_wanted), distance, blocks, kept_free, sequences, rng(seed))


def test_neighbours_fill_both_flanks_and_no_more(genome):
    windows = neighbours(genome, positives_at(500), [100], distance=100)
    assert set(windows["parent"]) == {0}
    assert windows["start"].min() >= 400
    assert windows["end"].max() <= 620
    assert (windows["start"] < 500).any()
    assert (windows["start"] > 500).any()
    assert (np.diff(np.sort([*windows["start"], 500])) >= WIDTH).all()
    # nowhere is room for one more: gaps are shorter than a window
    taken = pd.concat([windows, positives_at(500)])
    gaps = subtract(make_regions([("chrA", 400, 620)]), taken)
    assert (gaps["end"] - gaps["start"]).max() < WIDTH


def test_every_free_start_of_the_flanks_is_equally_likely(genome):
    starts = [int(neighbours(genome, positives_at(500), [1], 30, seed=seed)["start"].iloc[0]) for seed in range(200)]
    expected = [*range(470, 481), *range(520, 531)]
    found = np.bincount(starts, minlength=531)
    assert sorted(set(starts)) == expected
    assert found[expected].max() < 3 * found[expected].mean()


def test_neighbours_stay_in_the_block_and_off_what_is_forbidden(genome):
    positives = positives_at(10, 3970)
    windows = neighbours(genome, positives, [20, 20], 300, [("chrA", 100, 200), ("chrA", 3700, 3800)])
    assert windows["start"].min() >= 0
    assert windows["end"].max() <= 4000
    assert not overlaps(windows, make_regions([("chrA", 100, 200), ("chrA", 3700, 3800)])).any()
    assert (
        abs(windows["start"].to_numpy() - positives["start"].to_numpy()[windows["parent"].astype(int)]) <= 320
    ).all()


def test_neighbours_hold_no_ambiguous_base_and_no_sequence_twice(genome):
    windows = neighbours(genome, positives_at(1150, 2110, 3110), [30, 30, 30], 200)
    assert not windows["sequence"].str.contains("N").any()
    assert not canonical_sequences(windows["sequence"]).duplicated().any()


@settings(max_examples=30)
@given(st.integers(0, 50), st.integers(1, 6), st.integers(21, 400))
def test_neighbours_of_crowded_peaks_are_apart_and_near_their_own_peak(genome, seed, ratio, distance):
    starts = np.sort(rng(seed).choice(np.arange(100, 3900, 30), 20, replace=False))
    positives = positives_at(*starts)
    windows = neighbours(genome, positives, [ratio] * 20, distance, seed=seed)
    parents = positives.iloc[windows["parent"].astype(int)]
    gap = np.maximum(windows["start"].to_numpy() - parents["end"], parents["start"] - windows["end"].to_numpy())
    assert ((gap >= 0) & (gap + WIDTH <= distance)).all()
    assert (np.diff(np.sort([*windows["start"], *starts])) >= WIDTH).all()
    assert windows["parent"].value_counts().max() <= ratio
    pd.testing.assert_frame_equal(windows, neighbours(genome, positives, [ratio] * 20, distance, seed=seed))
