import json

import numpy as np
import pytest

from bindgram.interpretation.faithfulness import faithfulness, ranks
from bindgram.settings.attribution import FaithfulnessSettings

from .networks import linear_scorer, motif_scorer, planted, random_codes

HOW = FaithfulnessSettings(steps=10, references=2)


def run(scorer, codes, importance, seed=1, how=HOW):
    return faithfulness(scorer, codes, importance, how, np.random.default_rng(seed), confidence=0.95)


def truth(codes, places):
    """One at the planted bases, which alone decide the score."""
    return ((np.arange(codes.shape[1]) >= places[:, None]) & (np.arange(codes.shape[1]) < places[:, None] + 8)) * 1.0


def test_the_known_truth_beats_a_random_order():
    codes, places = planted(30)
    found = run(motif_scorer(), codes, truth(codes, places))
    assert found["verdict"] == "yes"
    assert found["reason"] == ""
    assert found["deletion"]["low"] > 0.1
    assert found["insertion"]["low"] > 0.1
    assert found["deletion"]["attribution"][0] == pytest.approx(3.0)  # the whole motif, and two more than the threshold
    assert found["deletion"]["attribution"][2] < found["deletion"]["random"][2]
    assert found["insertion"]["attribution"][2] > found["insertion"]["random"][2]
    json.dumps(found, allow_nan=False)


def test_an_order_at_random_or_turned_round_is_not_faithful():
    codes, places = planted(30)
    assert run(motif_scorer(), codes, np.random.default_rng(3).random(codes.shape))["verdict"] == "no"
    backwards = run(motif_scorer(), codes, -truth(codes, places))
    assert backwards["verdict"] == "no"
    assert backwards["reason"].startswith("the score hangs no more on the first bases")
    assert backwards["insertion"]["high"] < 0


def test_the_interval_covers_zero_for_random_orders_as_often_as_it_says():
    scorer, _ = linear_scorer(np.random.default_rng(0).normal(size=(12, 4)))
    codes, covered = random_codes(25, 12), []
    for seed in range(100):
        importance = np.random.default_rng(1000 + seed).random(codes.shape)
        found = run(scorer, codes, importance, seed, FaithfulnessSettings(steps=4, references=1))
        covered += [found[kind]["low"] <= 0 <= found[kind]["high"] for kind in ("deletion", "insertion")]
    assert 0.88 <= np.mean(covered) <= 1


def test_curves_start_and_end_at_the_sequences_and_their_shuffles():
    codes, places = planted(10)
    found = run(motif_scorer(), codes, truth(codes, places))
    for kind in ("deletion", "insertion"):
        for end in (0, -1):
            assert found[kind]["attribution"][end] == pytest.approx(found[kind]["random"][end])
    assert found["deletion"]["attribution"][0] == pytest.approx(found["insertion"]["attribution"][-1])
    assert found["fractions"][0] == 0
    assert found["fractions"][-1] == 1


def test_equal_scores_equal_attributions_and_single_sequences_are_not_defined():
    codes, places = planted(5)
    flat, _ = linear_scorer(np.zeros((60, 4)))
    assert run(flat, codes, truth(codes, places))["reason"].startswith("not defined: all scores are equal")
    assert run(motif_scorer(), codes, np.ones(codes.shape))["reason"] == (
        "not defined: the attribution puts no base before another"
    )
    lost, _ = linear_scorer(np.full((60, 4), np.nan))
    assert run(lost, codes, truth(codes, places))["reason"] == "not defined: the model gives scores that are no numbers"
    one = run(motif_scorer(), codes[:1], truth(codes, places)[:1])
    assert one["verdict"] == "not defined"
    assert one["reason"] == "not defined: 1 sequence(s), an interval needs two"
    json.dumps(one, allow_nan=False)


def test_equal_seeds_give_equal_results():
    codes, places = planted(5)
    one, other = (run(motif_scorer(), codes, truth(codes, places)) for _ in range(2))
    assert one == other


def test_the_highest_comes_first_and_ties_come_in_any_order():
    importance = np.tile([0.0, 2.0, 1.0, 0.0], (200, 1))
    found = ranks(importance, np.random.default_rng(1))
    assert (found[:, 1] == 0).all()
    assert (found[:, 2] == 1).all()
    assert 0.3 < (found[:, 0] == 2).mean() < 0.7
