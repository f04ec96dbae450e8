import itertools

import numpy as np
import pytest
import torch

from bindgram.errors import InputError
from bindgram.interpretation.scorer import OneHotScorer
from bindgram.models.bundle import skipped_bundle
from bindgram.sequence.dna import reverse_complement

from .networks import ENCODERS, random_codes, scorer_of

READERS = [
    *({"name": name} for name in ENCODERS),
    *({"name": "awd_lstm", "k": k, "stride": stride} for k, stride in ((1, 1), (2, 2), (4, 3), (5, 1), (6, 6))),
    {"name": "awd_lstm", "pair": True},
    {"name": "deepsea", "head": "concat_pool"},
    {"name": "symmetric_conv", "head": "concat_pool"},
]


def described(options):
    return "-".join(str(value) for value in options.values())


def gradient_at(scorer, bases):
    with torch.enable_grad():
        bases = bases.clone().requires_grad_()
        scorer(bases).sum().backward()
    return bases.grad


@pytest.mark.parametrize("options", READERS, ids=described)
def test_at_sequences_it_scores_as_prediction_does_also_where_a_base_is_ambiguous(options):
    scorer, codes = scorer_of(**options), random_codes(9)
    codes[3, 7] = codes[4, 0] = codes[4, 1] = codes[5, -1] = 4
    with torch.no_grad():
        found = scorer(scorer.one_hot(codes)).numpy()
    expected = scorer.score(codes)
    assert expected.std() > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("options", READERS, ids=described)
def test_both_strands_have_one_score(options):
    scorer, codes = scorer_of(**options), random_codes(5)
    with torch.no_grad():
        ahead, back = (scorer(scorer.one_hot(read)).numpy() for read in (codes, reverse_complement(codes)))
    np.testing.assert_allclose(ahead, back, atol=1e-5)


@pytest.mark.parametrize("options", READERS, ids=described)
def test_every_base_has_a_gradient_and_it_is_the_slope(options):
    """Central differences of the score itself in double precision."""
    scorer = scorer_of(**options).double()
    bases = torch.from_numpy(np.random.default_rng(1).dirichlet(np.ones(4), (1, 25)).transpose(0, 2, 1))
    slope, step = gradient_at(scorer, bases), 1e-6
    assert ((slope != 0).any(dim=1).sum() >= 10).all()
    rng = np.random.default_rng(2)
    for _ in range(10):
        towards = torch.from_numpy(rng.normal(size=bases.shape))
        with torch.no_grad():
            found = (scorer(bases + step * towards) - scorer(bases - step * towards)) / (2 * step)
        torch.testing.assert_close(found[0], (slope * towards).sum(), rtol=1e-3, atol=1e-5)


def test_between_sequences_an_embedding_is_the_expected_one():
    """The multilinear extension by its definition: the mean over all sequences that the weights could mean."""
    scorer = scorer_of("awd_lstm", k=2, width=3)
    weights = torch.from_numpy(np.random.default_rng(3).dirichlet(np.ones(4), 3).T.astype(np.float32))
    from bindgram.interpretation.scorer import embed_mixtures

    embedding = scorer.classifier.encoder.embedding
    expected = torch.zeros(2, 5)
    for letters in itertools.product(range(4), repeat=3):
        odds = np.prod([weights[letter, place].item() for place, letter in enumerate(letters)])
        tokens = scorer.vocabulary.encode(np.array(letters, np.uint8)).astype(np.int64)
        expected += odds * embedding[torch.from_numpy(tokens)].detach()
    found = embed_mixtures(weights[None], embedding, scorer.vocabulary)[0].detach()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", ["conv", "symmetric_conv"])
def test_an_encoder_that_treats_strands_alike_reads_one(name):
    scorer, read = scorer_of(name), []
    scorer.classifier.encoder.register_forward_hook(lambda module, given, made: read.append(len(given[0].one_hot)))
    scorer(scorer.one_hot(random_codes(3)))
    assert read == [3]


def test_a_bundle_without_a_classifier_is_refused():
    with pytest.raises(InputError, match="holds no trained classifier"):
        OneHotScorer(skipped_bundle("classifier", "too few peaks", {}, {}), torch.device("cpu"))


def test_dropout_is_off_and_scoring_leaves_the_random_state_alone():
    scorer, codes = scorer_of("awd_lstm"), random_codes(2)
    before = torch.random.get_rng_state()
    with torch.no_grad():
        one, other = (scorer(scorer.one_hot(codes)) for _ in range(2))
    assert torch.equal(one, other)
    assert torch.equal(before, torch.random.get_rng_state())
