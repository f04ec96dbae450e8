"""The figure of an interpretation."""

import numpy as np

from bindgram.data.motifs import Motif
from bindgram.evaluation.figures import save_figure
from bindgram.interpretation.discovery import Pattern
from bindgram.interpretation.logos import aligned_start, interpretation_figure, strongest_stretch
from bindgram.interpretation.matching import Match

SHARES = np.eye(4)[[0, 0, 1, 2, 3, 3]]
SITE = {"chrom": "chr1", "start": 5, "end": 11, "strand": "+", "score": 1.5, "sequence": "ACGTNA"}
SITE |= {"importance": [0.5, -0.25, 1.0, 0.0, 0.0, 2.0]}


def test_a_motif_is_drawn_where_it_agrees_best():
    assert aligned_start(SHARES, SHARES[2:4]) == 2
    assert aligned_start(SHARES[2:4], SHARES) == -2
    assert aligned_start(SHARES, SHARES) == 0


def test_of_a_long_sequence_the_stretch_is_shown_that_matters_most():
    assert strongest_stretch(np.array([0, 0, -3.0, 1, 0]), 2) == (2, 4)
    assert strongest_stretch(np.zeros(3), 5) == (0, 3)


def test_patterns_matches_and_sites_are_named_and_the_bytes_are_the_same_again(tmp_path):
    patterns = [Pattern("positive_1", 25, SHARES, SHARES), Pattern("negative_1", 21, SHARES, -SHARES)]
    match = Match(Motif("MA1.1", "MYTF", SHARES[::-1, ::-1]), 0.004, 0.001, 0, True)
    for name in ("one.svg", "two.svg"):
        save_figure(interpretation_figure("a title", patterns, [[match], []], [SITE]), tmp_path / name, {})
    text = (tmp_path / "one.svg").read_text()
    for words in (
        "a title",
        "positive 1",
        "25 seqlets",
        "MA1.1 MYTF, q = 0.004",
        "no match",
        "chr1:5-11 (+), score 1.50",
    ):
        assert words in text, words
    assert (tmp_path / "two.svg").read_text() == text


def test_nothing_to_draw_is_stated(tmp_path):
    save_figure(interpretation_figure("a title", [], [], []), tmp_path / "none.svg", {})
    assert "Nothing to draw" in (tmp_path / "none.svg").read_text()
