import numpy as np
import pytest

from bindgram.interpretation.attribution import attribute
from bindgram.interpretation.gradcam import stretching
from bindgram.interpretation.occlusion import occluded
from bindgram.settings.attribution import OcclusionSettings

from .networks import MOTIF, SETTINGS, motif_scorer, planted, random_codes, scorer_of

HOW = SETTINGS.occlusion


def best_windows(importance, width):
    """Start of the window with the highest sum, of every sequence."""
    sums = np.lib.stride_tricks.sliding_window_view(importance, width, axis=1).sum(axis=2)
    return sums.argmax(axis=1)


def with_occlusion(**changes):
    return SETTINGS.model_copy(update={"occlusion": HOW.model_copy(update=changes)})


@pytest.mark.parametrize("motif", [MOTIF, MOTIF[:7]], ids=["even", "odd"])
def test_the_map_peaks_in_the_middle_of_the_planted_filter_on_either_strand(motif):
    codes, places = planted(20, motif=motif)
    found = attribute("grad_cam", motif_scorer(motif), codes, SETTINGS, np.random.default_rng(1))
    middle = (found.values * np.arange(60)).sum(axis=1) / found.values.sum(axis=1)
    np.testing.assert_allclose(middle, places + (len(motif) - 1) / 2, atol=0.01)
    assert (found.values >= 0).all()


def test_a_head_that_takes_the_maximum_reads_one_place_of_two_sites():
    """The weaker of two sites is not read, so that nothing would change without it."""
    codes, places = planted(10)
    weaker = (places + 30) % 52
    at = weaker[:, None] + np.arange(len(MOTIF))
    np.put_along_axis(codes, at, np.where(np.arange(len(MOTIF)) == 3, 3, MOTIF)[None].repeat(10, axis=0), axis=1)
    found = attribute("grad_cam", motif_scorer(), codes, SETTINGS, np.random.default_rng(1)).values
    apart = np.abs(weaker - places) > 16
    assert apart.any()
    assert (np.take_along_axis(found, at, axis=1)[apart] == 0).all()
    assert (found.argmax(axis=1) - places)[apart].tolist() == [3] * apart.sum()


def test_pooled_positions_are_stretched_to_the_bases_they_hold():
    weights = stretching(3, 8, 3.0).numpy()
    assert weights.shape == (3, 8)
    np.testing.assert_allclose(weights.sum(axis=0), 1)
    np.testing.assert_allclose(weights[:, 4], [0, 1, 0])  # the middle of bases 3, 4 and 5
    np.testing.assert_allclose(weights[:, 5], [0, 2 / 3, 1 / 3])


def test_a_position_more_than_bases_is_half_a_base_off():
    np.testing.assert_allclose(stretching(3, 2, 1.0).numpy().T, [[0.5, 0.5, 0], [0, 0.5, 0.5]])


@pytest.mark.parametrize("name", ["awd_lstm", "danq"])
def test_states_of_an_lstm_have_no_map(name):
    found = attribute("grad_cam", scorer_of(name), random_codes(2), SETTINGS, np.random.default_rng(1))
    assert found.reason.startswith("not defined: Grad-CAM reads maps of a convolution")


@pytest.mark.parametrize("fill", ["random", "shuffle"])
def test_occlusion_finds_the_planted_site(fill):
    codes, places = planted(20)
    settings = with_occlusion(window_bp=8, stride_bp=1, draws=8, fill=fill)
    found = attribute("occlusion", motif_scorer(), codes, settings, np.random.default_rng(1)).values
    assert found.shape == (20, 60)
    shift = np.abs(best_windows(found, 8) - places)
    assert shift.max() <= 4  # at an end, where few windows cover a base, a part of the site is as good as all of it
    assert (shift <= 1).mean() >= 0.75


def test_occlusion_is_the_mean_over_the_windows_that_cover_a_base():
    scorer, codes = scorer_of("deepsea", width=12), random_codes(3, 12)
    settings = with_occlusion(window_bp=4, stride_bp=3, draws=2, fill="random")
    found = attribute("occlusion", scorer, codes, settings, np.random.default_rng(5)).values
    starts = [0, 3, 6, 8]  # the last one ends with the sequence
    made = occluded(codes, np.array(starts), settings.occlusion, np.random.default_rng(5))
    for row in range(3):
        falls = [scorer.score(codes[row : row + 1])[0] - scorer.score(made[row, i]).mean() for i in range(4)]
        for base in range(12):
            covering = [fall for start, fall in zip(starts, falls, strict=True) if start <= base < start + 4]
            assert found[row, base] == pytest.approx(np.mean(covering), abs=1e-5)


def test_only_the_window_is_replaced():
    codes, starts = random_codes(2, 12), np.array([0, 5, 8])
    how = OcclusionSettings(window_bp=4, stride_bp=1, draws=50, fill="random")
    made = occluded(codes, starts, how, np.random.default_rng(1))
    assert made.shape == (2, 3, 50, 12)
    changed = (made != codes[:, None, None]).any(axis=(0, 2))
    for row, start in zip(changed, starts, strict=True):
        assert np.flatnonzero(row).tolist() == list(range(start, start + 4))


def test_a_shuffled_window_keeps_its_letters():
    codes = random_codes(3, 12)
    how = OcclusionSettings(window_bp=5, stride_bp=1, draws=6, fill="shuffle")
    made = occluded(codes, np.array([2]), how, np.random.default_rng(1))
    assert (np.sort(made, axis=-1) == np.sort(codes)[:, None, None]).all()
    assert (made != codes[:, None, None]).any()


def test_a_window_longer_than_the_sequences_is_told():
    found = attribute("occlusion", scorer_of("conv"), random_codes(1), with_occlusion(window_bp=26), None)
    assert found.reason == ("not defined: a window of 26 bp (occlusion.window_bp) is longer than the sequences, 25 bp")
