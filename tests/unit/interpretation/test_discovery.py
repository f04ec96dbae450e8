"""Motif discovery: a planted motif is found and matched to its own entry; what cannot be found is stated."""

import numpy as np
import pytest

from bindgram.data.motifs import Motif, information, jaspar_motifs, motifs_of
from bindgram.interpretation.discovery import Discovery, Pattern, discover
from bindgram.interpretation.matching import match_patterns, verdict_of
from bindgram.settings.interpretation import DiscoverySettings, MatchingSettings

DISCOVERY = DiscoverySettings(
    method="ism",
    window_bp=15,
    flank_bp=5,
    pattern_bp=20,
    extension_bp=5,
    min_seqlets=20,
    min_pattern_seqlets=10,
    leiden_runs=2,
)
MATCHING = MatchingSettings(trim_bits=0.3, min_bp=5, min_bits=6.0, max_q_value=0.05, n_matches=5)


@pytest.fixture(scope="module")
def fungi():
    return jaspar_motifs("JASPAR2026", ["fungi"])


def planted(motif: Motif, n: int, length: int, rng: np.random.Generator, sign: float = 1.0):
    """Sequences with one site each, on a random strand and anywhere, and the motif's log odds as attributions."""
    codes = rng.integers(0, 4, (n, length)).astype(np.uint8)
    hypothetical = rng.normal(0, 0.02, (n, length, 4))
    for row in range(n):
        shares = motif.probabilities if rng.random() < 0.5 else motif.probabilities[::-1, ::-1]
        start = rng.integers(length - len(shares) + 1)
        site = slice(start, start + len(shares))
        codes[row, site] = [rng.choice(4, p=position / position.sum()) for position in shares]
        odds = np.log((shares + 0.01) / 1.04 / 0.25)
        hypothetical[row, site] += sign * (odds - odds.mean(axis=1, keepdims=True))
    return codes, hypothetical


@pytest.mark.parametrize(("length", "n"), [(50, 60), (101, 40)])
def test_a_planted_motif_is_found_and_matched_to_its_own_entry(fungi, length, n):
    (reb1,) = motifs_of(fungi, "REB1")
    codes, hypothetical = planted(reb1, n, length, np.random.default_rng(length))
    found = discover(codes, hypothetical, DISCOVERY)
    matches = match_patterns(found.patterns, fungi, MATCHING)
    assert {pattern.positive for pattern in found.patterns} == {True}
    assert sum(pattern.n_seqlets for pattern in found.patterns) > 0.4 * n
    assert matches[0][0].motif.label == reb1.label
    verdict = verdict_of("Reb1", found, matches, fungi, "JASPAR2026", MATCHING)
    assert (verdict.recovered, verdict.known) == ("yes", "MA0363.3 REB1")
    assert verdict.q_value < 1e-3
    other = verdict_of("CBF1", found, matches, fungi, "JASPAR2026", MATCHING)
    assert (other.recovered, other.reason) == ("no", "q-value above 0.05")
    again = discover(codes, hypothetical, DISCOVERY)
    np.testing.assert_array_equal(again.patterns[0].probabilities, found.patterns[0].probabilities)
    np.testing.assert_array_equal(again.patterns[0].contributions, found.patterns[0].contributions)


def test_a_motif_that_speaks_against_binding_is_a_negative_pattern_and_no_recovery(fungi):
    (reb1,) = motifs_of(fungi, "REB1")
    found = discover(*planted(reb1, 60, 101, np.random.default_rng(3), sign=-1.0), DISCOVERY)
    assert {pattern.positive for pattern in found.patterns} == {False}
    assert found.patterns[0].contributions.sum() < 0
    verdict = verdict_of("REB1", found, match_patterns(found.patterns, fungi, MATCHING), fungi, "J", MATCHING)
    assert verdict.recovered == "no"


def test_noise_has_no_pattern_and_says_so(fungi):
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 4, (60, 101)).astype(np.uint8)
    found = discover(codes, rng.normal(0, 1, (60, 101, 4)), DISCOVERY)
    assert found == Discovery(reason="no pattern of 10 seqlets or more in 60 sequences of 101 bp")
    verdict = verdict_of("REB1", found, [], fungi, "JASPAR2026", MATCHING)
    assert (verdict.recovered, verdict.reason) == ("no", found.reason)


@pytest.mark.parametrize(
    ("n", "length", "value", "reason"),
    [
        (20, 50, 1.0, "not defined: 20 sequences are too few to find patterns in more than 20 seqlets"),
        (30, 16, 1.0, "not defined: sequences of 16 bp are too short for seqlets of 15 bp"),
        (30, 50, np.nan, "not defined: attributions that are no finite numbers"),
        (30, 50, 0.0, "not defined: all attributions are 0; the score does not depend on the sequence"),
    ],
)
def test_what_cannot_be_looked_for_is_not_defined(fungi, n, length, value, reason):
    found = discover(np.zeros((n, length), np.uint8), np.full((n, length, 4), value), DISCOVERY)
    assert found == Discovery(reason=reason)
    assert verdict_of("REB1", found, [], fungi, "J", MATCHING).recovered == "not defined"


def test_unknown_bases_and_equal_attributions_everywhere_are_no_error():
    codes = np.full((30, 50), 4, np.uint8)
    codes[:, 10:40] = np.random.default_rng(1).integers(0, 4, (30, 30))
    for hypothetical in (np.ones((30, 50, 4)), np.zeros((30, 50, 4)) + (np.arange(50) == 25)[:, None]):
        assert discover(codes, hypothetical, DISCOVERY).patterns == ()


def test_a_pattern_is_cut_from_its_first_to_its_last_informative_position():
    shares = np.full((9, 4), 0.25)
    shares[2], shares[6] = [1, 0, 0, 0], [0, 0.5, 0.5, 0]
    pattern = Pattern("positive_1", 1000, shares, np.arange(36.0).reshape(9, 4))
    core = pattern.trimmed(0.3)
    np.testing.assert_array_equal(core.probabilities, shares[2:7])
    np.testing.assert_array_equal(core.contributions, pattern.contributions[2:7])
    assert len(pattern.trimmed(1.5).probabilities) == 1
    flat = Pattern("positive_1", 1000, np.full((9, 4), 0.25), np.zeros((9, 4)))
    assert len(flat.trimmed(0.3).probabilities) == 0
    assert flat.shown(0.3) is flat


def test_information_of_few_seqlets_is_less_by_what_chance_gives():
    shares = np.array([[1.0, 0, 0, 0], [0.25, 0.25, 0.25, 0.25]])
    by_chance = 3 / (2 * np.log(2) * 20)
    np.testing.assert_allclose(Pattern("positive_1", 20, shares, shares).information, [2 - by_chance, 0], atol=1e-9)
    assert information(shares)[0] == pytest.approx(2)
