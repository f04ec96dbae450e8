import itertools

import numpy as np
import pytest
import torch

from bindgram.errors import InputError
from bindgram.evaluation import likelihood
from bindgram.evaluation.likelihood import Likelihood, SequenceModel, above_markov, markov_per_base
from bindgram.sequence.dna import reverse_complement
from bindgram.sequence.kmers import BOS
from bindgram.training.scoring import language_model_of

CPU = torch.device("cpu")


def sequences(*lengths):
    rng = np.random.default_rng(3)
    return [rng.integers(0, 4, length).astype(np.uint8) for length in lengths]


def step_by_step(bundle, codes):
    """Log-likelihood per base: one token after another, each k-mer that follows a k-mer being one new base."""
    _, model, vocabulary = language_model_of(bundle)
    model.eval()
    tokens = [BOS, *vocabulary.encode(codes).tolist()]
    state, total, n_scored = model.encoder.initial_state(1), 0.0, 0
    for before, after in itertools.pairwise(tokens):
        decoded = model(torch.tensor([[before]]), state)
        state = decoded.state
        if before >= 3 and after >= 3:
            total += torch.log_softmax(decoded.logits[0, 0].double(), dim=0)[after].item()
            n_scored += 1
    return total / n_scored


def test_likelihood_is_that_of_one_token_after_another_on_each_strand(make_bundle):
    bundle, (codes,) = make_bundle("language_model"), sequences(30)
    codes[11] = 4
    found = SequenceModel(bundle, CPU).score([codes])
    with torch.no_grad():
        expected = [step_by_step(bundle, codes), step_by_step(bundle, reverse_complement(codes))]
    assert found.model[:, 0] == pytest.approx(expected, abs=1e-5)


def test_a_backward_model_reads_from_the_end(make_bundle):
    bundle, (codes,) = make_bundle("language_model"), sequences(20)
    ahead = SequenceModel(bundle, CPU).score([codes]).model
    bundle.settings["direction"] = "backward"
    palindrome = np.concatenate([codes, reverse_complement(codes)])
    _, model, vocabulary = language_model_of(bundle)
    tokens = torch.tensor([[BOS, *vocabulary.encode(palindrome)[::-1].tolist()]])
    with torch.no_grad():
        logits = model.eval()(tokens[:, :-1], model.encoder.initial_state(1)).logits[:, 0]
    expected = -torch.nn.functional.cross_entropy(logits[1:], tokens[0, 2:]).item()
    assert SequenceModel(bundle, CPU).score([palindrome]).model.ravel() == pytest.approx([expected] * 2, abs=1e-5)
    assert SequenceModel(bundle, CPU).score([codes]).model != pytest.approx(ahead, abs=1e-5)


def test_sequences_of_any_lengths_are_scored_as_if_alone(make_bundle, monkeypatch):
    model, codes = SequenceModel(make_bundle("language_model"), CPU), sequences(50, 4, 200, 3, 90, 2, 0)
    alone = np.hstack([model.score([one]).model for one in codes])
    together = model.score(codes).model
    monkeypatch.setattr(likelihood, "CELLS", 7 * 200)  # a few tokens at a time, with the state carried on
    monkeypatch.setattr(likelihood, "BATCH", 3)
    in_parts = model.score(codes).model
    assert np.allclose(together, alone, atol=1e-5, equal_nan=True)
    assert np.allclose(in_parts, alone, atol=1e-5, equal_nan=True)
    assert np.isnan(alone[0]).tolist() == [False, False, False, True, False, True, True]  # 3 bp: no second k-mer


def test_markov_part_is_the_mean_over_known_pairs_by_hand():
    table = np.log(np.array([[0.1, 0.2, 0.3, 0.4], [0.25] * 4, [0.7, 0.1, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1]]))
    codes = np.array([0, 1, 4, 2, 0, 3], np.uint8)  # A C N G A T: pairs AC, GA, AT
    assert markov_per_base(codes, table) == pytest.approx((np.log(0.2) + np.log(0.7) + np.log(0.4)) / 3)
    assert np.isnan(markov_per_base(np.array([0, 4, 1], np.uint8), table))
    assert np.isnan(markov_per_base(np.empty(0, np.uint8), table))


def test_what_cannot_be_scored_is_as_likely_as_under_the_markov_model():
    found = above_markov(Likelihood(np.array([[-1.0, np.nan]] * 2), np.array([[-1.5, np.nan]] * 2)))
    assert found.tolist() == [[0.5, 0.0], [0.5, 0.0]]


def test_bundles_without_a_likelihood_are_refused(make_bundle):
    with pytest.raises(InputError, match="its kind is classifier, here a language_model is needed"):
        SequenceModel(make_bundle("tiny_cnn"), CPU)
    with pytest.raises(InputError, match=r"metrics\.markov1: no order-1 Markov model"):
        SequenceModel(make_bundle("language_model", markov1=[[0.0]]), CPU)
    masked = make_bundle("language_model")
    masked.settings["objective"] = {"name": "masked", "fraction": 0.15, "span": 3}
    with pytest.raises(InputError, match="masked"):
        SequenceModel(masked, CPU)


def test_a_language_model_whose_weights_do_not_fit_is_refused(make_bundle):
    bundle = make_bundle("language_model")
    bundle.state.pop("bias")
    with pytest.raises(InputError, match=r"1 tensor\(s\) missing: bias"):
        SequenceModel(bundle, CPU)
