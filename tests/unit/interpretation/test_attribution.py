import re

import numpy as np
import pytest
import torch

from bindgram.errors import InputError
from bindgram.interpretation.attribution import ATTRIBUTIONS, attribute
from bindgram.interpretation.contributions import Attribution, shuffled_references
from bindgram.sequence.dna import one_hot, reverse_complement

from .networks import ENCODERS, SETTINGS, linear_scorer, random_codes, scorer_of

PATIENT = SETTINGS.model_copy(update={"integration_steps": 256, "batch_size": 512})


def run(method, scorer, codes, settings=SETTINGS, seed=1):
    return attribute(method, scorer, codes, settings, np.random.default_rng(seed))


@pytest.mark.parametrize("name", ENCODERS)
def test_mutagenesis_is_the_double_loop_over_places_and_bases(name):
    scorer, codes = scorer_of(name, width=12), random_codes(2, 12)
    codes[1, 5] = 4
    expected = np.empty((2, 12, 4))
    for row in range(2):
        for place in range(12):
            for base in range(4):
                changed = codes[row : row + 1].copy()
                changed[0, place] = base
                expected[row, place, base] = scorer.score(changed)[0]
    expected -= expected.mean(axis=2, keepdims=True)
    found = run("ism", scorer, codes)
    np.testing.assert_allclose(found.hypothetical, expected, rtol=1e-4, atol=1e-5)
    importance = found.importance(codes)
    assert importance[0, 3] == pytest.approx(expected[0, 3, codes[0, 3]], abs=1e-5)
    assert importance[1, 5] == 0  # there is no base to attribute anything to


def test_mutagenesis_takes_a_model_in_any_batches():
    scorer, codes = scorer_of("awd_lstm"), random_codes(3)
    one, other = (
        run("ism", scorer, codes, SETTINGS.model_copy(update={"batch_size": size})).values for size in (7, 1000)
    )
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("method", ["ism", "integrated_gradients", "grad_cam"])
def test_attributions_of_the_other_strand_are_those_of_this_one_turned_round(method, name):
    scorer, codes = scorer_of(name), random_codes(3)
    ahead, back = (run(method, scorer, read, PATIENT) for read in (codes, reverse_complement(codes)))
    assert ahead.reason == back.reason
    if ahead.hypothetical is not None:
        np.testing.assert_allclose(back.values, ahead.values[:, ::-1, ::-1], rtol=1e-4, atol=1e-5)
    elif ahead.defined:
        np.testing.assert_allclose(back.values, ahead.values[:, ::-1], rtol=1e-4, atol=1e-5)


def test_a_linear_model_is_explained_exactly():
    rng = np.random.default_rng(4)
    scorer, adds = linear_scorer(rng.normal(size=(12, 4)))
    codes = random_codes(5, 12)
    for method in ("ism", "integrated_gradients"):
        expected = np.broadcast_to(adds - adds.mean(axis=1, keepdims=True), (5, 12, 4))
        np.testing.assert_allclose(run(method, scorer, codes).values, expected, atol=1e-5)
    references = shuffled_references(codes, 4, np.random.default_rng(1))
    of_references = (one_hot(references) * adds).sum(axis=3).mean(axis=1)
    found = run("deeplift", scorer, codes)
    np.testing.assert_allclose(found.values, adds - of_references[:, :, None], atol=1e-5)
    assert found.convergence_error < 1e-6


@pytest.mark.parametrize("name", ENCODERS)
def test_integrated_gradients_sum_to_the_score_less_that_of_equal_weights(name):
    scorer, codes = scorer_of(name), random_codes(4)
    with torch.no_grad():
        expected = scorer.score(codes) - scorer(torch.full((1, 4, 25), 0.25)).item()
    found = run("integrated_gradients", scorer, codes, PATIENT)
    error = np.abs(found.importance(codes).sum(axis=1) - expected).sum() / np.abs(expected).sum()
    assert error == pytest.approx(found.convergence_error, abs=1e-4)
    assert error < 0.05


def test_integrated_gradients_do_not_depend_on_the_batch():
    scorer, codes = scorer_of("awd_lstm"), random_codes(3)
    one, other = (
        run("integrated_gradients", scorer, codes, SETTINGS.model_copy(update={"batch_size": size})).values
        for size in (5, 1000)
    )
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_too_few_steps_for_a_path_are_told_and_give_no_attribution():
    rough = SETTINGS.model_copy(update={"integration_steps": 2, "convergence_tolerance": 0.001})
    found = run("integrated_gradients", scorer_of("symmetric_conv"), random_codes(4), rough)
    assert not found.defined
    assert re.match(r"not defined: attributions miss .* by [\d.]+%, more than the 0.1% of convergence_to", found.reason)
    assert found.convergence_error > 0.001


def test_a_model_of_one_score_has_attributions_of_nothing():
    scorer, _ = linear_scorer(np.zeros((12, 4)))
    for method in ("ism", "integrated_gradients", "deeplift", "occlusion"):
        found = run(method, scorer, random_codes(3, 12))
        assert found.defined, method
        assert not found.values.any(), method


def test_an_unknown_method_is_named_with_those_there_are():
    with pytest.raises(InputError, match="'lime' is no attribution method; there are ism"):
        run("lime", scorer_of("conv"), random_codes(1))


def test_sequences_of_another_length_than_in_training_are_refused():
    with pytest.raises(InputError, match="sequences of 24 bp, but the model was trained on 25 bp"):
        run("ism", scorer_of("awd_lstm"), random_codes(1, 24))


def test_scores_that_are_no_numbers_have_no_attribution():
    scorer, _ = linear_scorer(np.full((12, 4), np.nan))
    for method in ("ism", "integrated_gradients", "deeplift", "occlusion"):
        found = run(method, scorer, random_codes(3, 12))
        assert found.reason == "not defined: the model gives scores that are no numbers", method


def test_scores_that_differ_by_rounding_are_equal():
    found = Attribution.converged(np.zeros((2, 3)), np.array([1e-7, -1e-7]), np.array([2e-7, -1e-7]), 0.1)
    assert found.defined


def test_no_sequences_have_no_attribution():
    found = run("ism", scorer_of("conv"), np.empty((0, 25), np.uint8))
    assert not found.defined
    assert found.reason == "not defined: no sequence to explain"
    assert found.hypothetical is None


def test_importance_of_an_attribution_that_is_not_defined_is_a_bug():
    with pytest.raises(AssertionError, match="not defined: no sense"):
        Attribution.not_defined("no sense").importance(random_codes(1))


def test_methods_leave_gradients_and_mode_of_the_model_alone():
    scorer, codes = scorer_of("awd_lstm"), random_codes(2)
    for method in ATTRIBUTIONS:
        run(method, scorer, codes)
    assert not scorer.training
    assert all(value.grad is None for value in scorer.parameters())
    assert torch.is_grad_enabled()
