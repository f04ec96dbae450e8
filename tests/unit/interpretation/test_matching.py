"""Patterns against known motifs: TOMTOM against its definition, q-values, and every verdict."""

import numpy as np
import pytest

from bindgram.data.motifs import Motif, jaspar_motifs, motifs_of
from bindgram.interpretation.discovery import Discovery, Pattern
from bindgram.interpretation.interpret import _beside
from bindgram.interpretation.matching import match_patterns, verdict_of, why_unmatched
from bindgram.settings.interpretation import MatchingSettings

SETTINGS = MatchingSettings(trim_bits=0.3, min_bp=5, min_bits=6.0, max_q_value=0.05, n_matches=5)


@pytest.fixture(scope="module")
def library():
    return jaspar_motifs("JASPAR2026", ["fungi"])


def pattern(shares, name="positive_1", n_seqlets=500):
    return Pattern(name, n_seqlets, np.asarray(shares, float), np.asarray(shares, float))


def sharp(motif: Motif) -> np.ndarray:
    """A motif between positions that say nothing."""
    flat = np.full((6, 4), 0.25)
    return np.concatenate([flat, motif.probabilities, flat])


def best_p_by_simulation(query, target, columns, rng, n=4000):
    """P-value of the best alignment of two motifs, by the definition of Gupta et al. (2007), with drawn columns.

    Scores of columns are negative Euclidean distances; a column of the query that nothing stands beside scores as
    the median of all columns. Targets of the same width, drawn column by column, are the null.
    """
    distances = -np.linalg.norm(query[:, None] - columns[None], axis=2)
    medians = np.median(distances, axis=1)

    def best(aligned):  # (draws, query, target) scores less the median
        _, n_query, n_target = aligned.shape
        offsets = range(1 - n_target, n_query)
        sums = [
            sum(aligned[:, place, place - offset] for place in range(max(0, offset), min(n_query, offset + n_target)))
            for offset in offsets
        ]
        return np.max(sums, axis=0)

    both = []
    for strand in (target, target[::-1, ::-1]):
        observed = -np.linalg.norm(query[:, None] - strand[None], axis=2) - medians[:, None]
        both.append(best(observed[None])[0])
    drawn = rng.integers(len(columns), size=(n, len(target)))
    forward = distances[:, drawn].transpose(1, 0, 2) - medians[:, None]
    flipped = -np.linalg.norm(query[:, None, None] - columns[drawn][:, ::-1, ::-1][None], axis=3)
    reverse = flipped.transpose(1, 0, 2) - medians[:, None]
    null = np.maximum(best(forward), best(reverse))
    return (1 + (null >= max(both)).sum()) / (1 + n)


def test_p_values_are_those_of_the_definition(library):
    (reb1,) = motifs_of(library, "REB1")
    found = {match.motif.name: match for match in match_patterns([pattern(sharp(reb1))], library, SETTINGS)[0]}
    core = pattern(sharp(reb1)).trimmed(0.3).probabilities
    columns = np.concatenate(
        [strand for motif in library for strand in (motif.probabilities, motif.probabilities[::-1, ::-1])]
    )
    rng = np.random.default_rng(1)
    names = [name for name in sorted(found) if found[name].p_value > 0.01][::12]
    ours = np.array([found[name].p_value for name in names])
    by_name = {motif.name: motif for motif in library}
    simulated = np.array([best_p_by_simulation(core, by_name[name].probabilities, columns, rng) for name in names])
    assert len(names) > 10
    assert np.corrcoef(np.log(ours), np.log(simulated))[0, 1] > 0.9
    assert np.median(np.abs(np.log2(ours / simulated))) < 0.6
    assert found[reb1.name].p_value < 1e-6


def test_q_values_are_those_of_benjamini_and_hochberg_over_the_library(library):
    (reb1,) = motifs_of(library, "REB1")
    (found,) = match_patterns([pattern(sharp(reb1))], library, SETTINGS)
    assert len(found) == len(library)
    p = np.array([match.p_value for match in found])
    assert (np.diff(p) >= 0).all()
    expected = [min((p[j] * len(p) / (j + 1)) for j in range(i, len(p))) for i in range(len(p))]
    np.testing.assert_allclose([match.q_value for match in found], np.minimum(expected, 1))


def test_both_strands_are_compared_and_flanks_without_information_do_not_count(library):
    (reb1,) = motifs_of(library, "REB1")
    shares = sharp(reb1)
    one, other, bare = match_patterns(
        [pattern(shares), pattern(shares[::-1, ::-1]), pattern(reb1.probabilities)], library, SETTINGS
    )
    assert [found[0].motif.name for found in (one, other, bare)] == [reb1.name] * 3
    assert one[0].reverse != other[0].reverse
    assert one[0].p_value == bare[0].p_value


def test_a_short_or_vague_pattern_is_not_compared(library):
    short = pattern([[1, 0, 0, 0]] * 4)
    vague = pattern([[0.7, 0.1, 0.1, 0.1]] * 8)
    assert why_unmatched(short, SETTINGS) == "not defined: 4 informative bp; 5 are needed"
    assert why_unmatched(vague, SETTINGS) == "not defined: 5.1 bits; 6 are needed"
    assert match_patterns([short, vague], library, SETTINGS) == [[], []]
    verdict = verdict_of("REB1", Discovery((short, vague)), [[], []], library, "J", SETTINGS)
    assert (verdict.recovered, verdict.reason) == ("no", "no positive pattern with enough information to compare")


def test_the_verdict_needs_a_known_motif_and_a_library_large_enough(library):
    (reb1,) = motifs_of(library, "REB1")
    found = Discovery((pattern(sharp(reb1)),))
    unknown = verdict_of("CTCF", found, [[]], library, "JASPAR2026", SETTINGS)
    assert (unknown.recovered, unknown.reason) == ("not defined", "not defined: no motif of CTCF in JASPAR2026")
    small = verdict_of("REB1", found, [[]], [reb1], "mine", SETTINGS)
    assert small.reason == "not defined: mine has 1 motifs; p-values need at least 25"


def test_the_best_of_several_positive_patterns_decides(library):
    (reb1,), (cbf1,) = motifs_of(library, "REB1"), motifs_of(library, "CBF1")
    patterns = (pattern(sharp(cbf1)), pattern(sharp(reb1), "positive_2"), pattern(sharp(reb1), "negative_1"))
    matches = match_patterns(patterns, library, SETTINGS)
    verdict = verdict_of("Reb1", Discovery(patterns), matches, library, "J", SETTINGS)
    assert (verdict.recovered, verdict.known, verdict.pattern) == ("yes", reb1.label, "positive_2")
    only_negative = (patterns[0], patterns[2])
    verdict = verdict_of("Reb1", Discovery(only_negative), [matches[0], matches[2]], library, "J", SETTINGS)
    assert (verdict.recovered, verdict.pattern) == ("no", "positive_1")


def test_nothing_to_compare_gives_nothing(library):
    assert match_patterns([], library, SETTINGS) == []
    assert match_patterns([pattern([[1, 0, 0, 0]] * 8)], [], SETTINGS) == [[]]


def test_best_match_is_written_so_that_it_can_be_drawn_beside_its_pattern(library):
    (reb1,) = motifs_of(library, "REB1")
    turned = pattern(sharp(reb1)[::-1, ::-1])
    (found,) = match_patterns([turned], library, SETTINGS)
    beside = _beside(turned, found[0])
    (same,) = match_patterns([pattern(sharp(reb1))], library, SETTINGS)
    assert beside["reverse"] is found[0].reverse
    assert beside["start"] == _beside(pattern(sharp(reb1)), same[0])["start"]
    assert beside["probabilities"] == reb1.probabilities.tolist()
