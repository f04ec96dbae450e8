import warnings

import numpy as np
import pytest
import torch
from captum.attr import DeepLift

from bindgram.interpretation import deeplift as module
from bindgram.interpretation.contributions import shuffled_references
from bindgram.interpretation.deeplift import deeplift, deeplift_against
from bindgram.models.classifier import Classifier
from bindgram.models.deepsea import DeepSea
from bindgram.sequence.dna import one_hot, reverse_complement
from bindgram.settings.encoders import DeepSeaSettings

from .networks import SETTINGS, random_codes, scorer_of

CONVOLUTIONS = [
    {"name": "conv"},
    {"name": "conv", "head": "concat_pool"},
    {"name": "deepsea"},
    {"name": "deepsea", "head": "max_pool"},
    {"name": "symmetric_conv"},
    {"name": "symmetric_conv", "head": "concat_pool"},
]


def described(options):
    return "-".join(options.values())


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=described)
def test_contributions_sum_to_the_difference_from_the_references(options):
    scorer, codes = scorer_of(**options), random_codes(5)
    codes[1, 4] = 4
    references = shuffled_references(codes, 3, np.random.default_rng(1))
    found = deeplift_against(scorer, codes, references, SETTINGS)
    assert found.convergence_error < 1e-5
    expected = scorer.score(codes) - scorer.score(references.reshape(-1, 25)).reshape(5, 3).mean(axis=1)
    np.testing.assert_allclose(found.importance(codes).sum(axis=1), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=described)
def test_the_other_strand_against_the_other_strands_of_the_references_is_this_one_turned_round(options):
    scorer, codes = scorer_of(**options), random_codes(3)
    references = shuffled_references(codes, 2, np.random.default_rng(1))
    ahead, back = (
        deeplift_against(scorer, turn(codes), turn(references), SETTINGS).values
        for turn in (lambda read: read, reverse_complement)
    )
    np.testing.assert_allclose(back, ahead[:, ::-1, ::-1], rtol=1e-3, atol=1e-4)


class Dense(torch.nn.Module):
    """A head that reads all positions."""

    def __init__(self, n):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(n, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))

    def forward(self, features, batch):
        return self.layers(features.values.transpose(1, 2).flatten(1))[:, 0]


def test_it_is_captums_on_a_network_of_modules():
    """Without maxima: captum's rule for them misses the difference of scores by more than half of it."""
    torch.manual_seed(0)
    scorer, codes = scorer_of("deepsea"), random_codes(4)
    encoder = DeepSea(DeepSeaSettings(name="deepsea", layers=[6], filter_width=5, pool_width=3, dropout=[0.0]))
    scorer.classifier = Classifier(encoder, Dense(6 * 25)).requires_grad_(False)
    pad = torch.nn.ConstantPad1d(encoder.pad, 0.0)
    network = torch.nn.Sequential(
        pad, encoder.layers[0], torch.nn.ReLU(), torch.nn.Flatten(), *scorer.classifier.head.layers
    )
    references = shuffled_references(codes, 1, np.random.default_rng(1))
    bases, others = (torch.from_numpy(one_hot(read)).transpose(1, 2) for read in (codes, references[:, 0]))
    torch.testing.assert_close(network(bases)[:, 0], scorer.score_strand(bases))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum tells that it uses hooks
        ahead = DeepLift(network).attribute(bases, others)
        back = DeepLift(network).attribute(bases.flip(1, 2), others.flip(1, 2)).flip(1, 2)
    expected = ((ahead + back) / 2).sum(dim=1).detach().numpy()
    assert np.abs(expected).max() > 1e-3
    found = deeplift_against(scorer, codes, references, SETTINGS)
    np.testing.assert_allclose(found.importance(codes), expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["conv", "deepsea", "symmetric_conv"])
def test_operations_without_a_rule_are_noticed(name, monkeypatch):
    """The danger of hooks: a function that they do not see counts as linear, in silence."""
    monkeypatch.setattr(module, "REROUTED", {})
    found = deeplift(scorer_of(name), random_codes(6), SETTINGS, np.random.default_rng(1))
    assert not found.defined
    assert "more than the 10.0% of convergence_tolerance" in found.reason


@pytest.mark.parametrize("name", ["awd_lstm", "danq"])
def test_gates_of_an_lstm_have_no_rule(name):
    found = deeplift(scorer_of(name), random_codes(2), SETTINGS, np.random.default_rng(1))
    assert found.reason.startswith(f"not defined: DeepLIFT has no rule for the gates of the LSTM in {name}")


def test_references_are_dinucleotide_shuffles_and_keep_ambiguous_bases_in_place():
    codes = random_codes(4, 40)
    codes[0, [3, 9]] = 4
    found = shuffled_references(codes, 3, np.random.default_rng(1))
    assert found.shape == (4, 3, 40)
    assert ((found[0] == 4) == (codes[0] == 4)).all()
    pairs = [np.sort(rows[..., :-1].astype(int) * 4 + rows[..., 1:]) for rows in (codes[1:, None], found[1:])]
    assert (pairs[0] == pairs[1]).all()
    assert not (found[1, 0] == found[1, 1]).all()
    again = shuffled_references(codes, 3, np.random.default_rng(1))
    assert (again == found).all()
