import numpy as np
import pytest
import torch

from bindgram.errors import InputError
from bindgram.interpretation.attribution import ATTRIBUTIONS, Attribution, attribute
from bindgram.sequence.dna import reverse_complement

from .networks import ENCODERS, SETTINGS, random_codes, scorer_of


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
def test_attributions_of_the_other_strand_are_those_of_this_one_turned_round(name):
    scorer, codes = scorer_of(name), random_codes(3)
    for method in {"ism", "integrated_gradients"} & set(ATTRIBUTIONS):
        ahead, back = (run(method, scorer, read).values for read in (codes, reverse_complement(codes)))
        np.testing.assert_allclose(back, ahead[:, ::-1, ::-1], rtol=1e-4, atol=1e-5)


def test_an_unknown_method_is_named_with_those_there_are():
    with pytest.raises(InputError, match="'lime' is no attribution method; there are ism"):
        run("lime", scorer_of("conv"), random_codes(1))


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
