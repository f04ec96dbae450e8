import collections

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from bindgram.data.matching import Bins, match_tiles

BINS = Bins(20, gc=4, repeats=2)


def rng(seed=1):
    return np.random.default_rng(seed)


def joint(gc=0, repeat=0, ambiguous=0):
    """Number of a joint bin of `BINS`."""
    return (ambiguous * 2 + repeat) * 4 + gc


def bins_of(*windows, bins=BINS):
    """Joint bins of windows given as counts (GC, repeat, ambiguous) in bp."""
    return bins.of(*np.array(windows, np.uint16).T).tolist()


def matched(wanted, n_wanted, tiles, seed=1, bins=BINS):
    """Pairs (positive, tile) of positives and tiles in the given joint bins."""
    parents, chosen = match_tiles(np.array(wanted), np.array(n_wanted), np.array(tiles, np.uint8), bins, rng(seed))
    return list(zip(parents.tolist(), chosen.tolist(), strict=True))


def test_bins_of_gc_and_repeats_are_equal_and_closed_at_one():
    assert bins_of((0, 0, 0), (4, 0, 0), (5, 0, 0), (19, 0, 0), (20, 0, 0)) == [0, 0, 1, 3, 3]
    assert bins_of((0, 9, 0), (0, 10, 0), (20, 20, 0)) == [joint(), joint(repeat=1), joint(3, 1)]


def test_gc_is_a_share_of_the_unambiguous_bases():
    assert bins_of((4, 0, 12), (3, 0, 16)) == [joint(gc=2, ambiguous=6), joint(gc=3, ambiguous=8)]


def test_no_ambiguous_base_is_a_bin_of_its_own_and_a_window_without_any_other_is_in_none():
    windows = [(5, 0, n) for n in (0, 1, 2, 3)] + [(0, 0, 20), (0, 20, 20)]
    assert bins_of(*windows) == [joint(1, 0, n) for n in (0, 1, 1, 2)] + [len(BINS)] * 2


def test_many_windows_are_binned_as_one_is():
    counts = np.stack([rng().integers(0, 101, 1_200_000), rng(2).integers(0, 101, 1_200_000)])
    bins = Bins(100, gc=50, repeats=5)
    found = bins.of(*counts, np.zeros(1_200_000, np.uint16))
    rows = [0, 999_999, 1_000_000, 1_199_999]
    assert found[rows].tolist() == [int(bins.of(*counts[:, [i]], np.zeros(1))[0]) for i in rows]
    assert found.dtype == np.uint16


def test_bins_beside_do_not_leave_their_row():
    all_bins = np.arange(16)
    for kind, axis in (("gc", 2), ("repeats", 1)):
        for step in (-1, 1):
            grid = all_bins.reshape(2, 2, 4)  # ambiguous, repeats, GC
            expected = np.roll(grid, -step, axis=axis)
            expected[(slice(None),) * axis + ((-1 if step == 1 else 0),)] = -1
            assert (BINS.beside(all_bins, kind, step) == expected.ravel()).all()


def test_each_positive_gets_tiles_of_its_own_bin():
    tiles = [joint(1)] * 4 + [joint(2)] * 2 + [joint(3)] * 5
    found = matched([joint(1), joint(2), joint(3)], [3, 0, 4], tiles)
    assert [parent for parent, _ in found] == [0] * 3 + [2] * 4
    assert all(tiles[tile] == joint(parent + 1) for parent, tile in found)
    assert len({tile for _, tile in found}) == 7


def test_neighbouring_gc_serves_where_the_own_bin_is_used_up_then_neighbouring_repeats():
    tiles = [joint(1), joint(2), joint(2), joint(1, 1)]
    assert {tile for _, tile in matched([joint(1)], [2], tiles)} < {0, 1, 2}
    assert {tile for _, tile in matched([joint(1)], [4], tiles)} == {0, 1, 2, 3}


def test_farther_bins_and_other_shares_of_ambiguous_bases_never_serve():
    tiles = [joint(3), joint(2, 1), joint(1, 0, 1), len(BINS)]
    assert matched([joint(1)], [4], tiles) == []


def test_own_bin_serves_its_own_positives_before_a_neighbour():
    for seed in range(10):
        assert matched([joint(1), joint(2)], [1, 1], [joint(2)], seed) == [(1, 0)]


def test_shortage_is_spread_before_anyone_gets_seconds_also_over_bins():
    tiles = [joint(2)] * 11
    for seed in range(10):
        found = collections.Counter(
            parent for parent, _ in matched([joint(1)] * 4 + [joint(2)] * 4, [5] * 8, tiles, seed)
        )
        assert sum(found.values()) == 11
        assert set(found) == set(range(8))
        assert max(found.values()) == 2


def test_same_generator_draws_the_same_and_another_does_not():
    tiles = [joint(1)] * 100
    draws = [matched([joint(1)] * 3, [4] * 3, tiles, seed) for seed in (5, 5, 6)]
    assert draws[0] == draws[1] != draws[2]


def test_every_tile_of_a_bin_is_equally_likely():
    tiles = [joint(1), joint(3)] * 10
    counts = np.zeros(20, int)
    for seed in range(2000):
        counts[[tile for _, tile in matched([joint(1)], [3], tiles, seed)]] += 1
    assert (counts[1::2] == 0).all()
    assert chisquare(counts[::2]).pvalue > 0.001


@pytest.mark.parametrize(("wanted", "n_wanted", "tiles"), [([], [], [1, 2]), ([1], [3], []), ([1], [0], [1])])
def test_nothing_wanted_or_nothing_there_gives_nothing(wanted, n_wanted, tiles):
    found = match_tiles(
        np.array(wanted, np.uint8), np.array(n_wanted, np.int64), np.array(tiles, np.uint8), BINS, rng()
    )
    assert [len(rows) for rows in found] == [0, 0]


def most_that_can_be_had(wanted, n_wanted, tiles):
    """Tiles in the own bins, one by one: what is found is never less."""
    left = collections.Counter(tiles)
    n = 0
    for bin_, count in zip(wanted, n_wanted, strict=True):
        served = min(count, left[bin_])
        left[bin_] -= served
        n += served
    return n


@given(
    positives=st.lists(st.tuples(st.integers(0, 15), st.integers(0, 4)), max_size=12),
    tiles=st.lists(st.integers(0, 15), max_size=40),
    seed=st.integers(0, 100),
)
@settings(max_examples=300)
def test_draws_are_without_replacement_in_reach_and_complete(positives, tiles, seed):
    wanted, n_wanted = ([row[i] for row in positives] for i in (0, 1))
    found = matched(np.array(wanted, np.int64), np.array(n_wanted, np.int64), tiles, seed)
    assert len({tile for _, tile in found}) == len(found)
    n_found = collections.Counter(parent for parent, _ in found)
    assert all(n_found[parent] <= n_wanted[parent] for parent in n_found)
    free = collections.Counter(tiles) - collections.Counter(tiles[tile] for _, tile in found)
    for parent, tile in found:
        assert tiles[tile] in reach(wanted[parent])
    for parent, n in enumerate(n_wanted):
        assert n_found[parent] == n or not any(free[bin_] for bin_ in reach(wanted[parent]))
    assert len(found) >= most_that_can_be_had(wanted, n_wanted, tiles)


def reach(bin_):
    """The bin and those beside it, by arithmetic on one number."""
    gc, repeat = bin_ % 4, bin_ // 4 % 2
    near = [bin_] + [bin_ + step for step in (-1, 1) if 0 <= gc + step < 4]
    return near + [bin_ + 4 * step for step in (-1, 1) if 0 <= repeat + step < 2]
