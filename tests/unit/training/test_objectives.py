"""Objectives of language models against values calculated by hand."""

import math

import pytest
import torch

from bindgram.models.language_model import Decoded
from bindgram.sequence.kmers import BOS, UNK, Vocabulary
from bindgram.settings.models import NextTokenSettings
from bindgram.training.objectives import OBJECTIVES


class Fixed(torch.nn.Module):
    """A language model whose answer is given."""

    def __init__(self, decoded):
        super().__init__()
        self.decoded = decoded

    def forward(self, tokens, state):
        return self.decoded


def next_token(ar=0.0, tar=0.0):
    return OBJECTIVES["next_token"](NextTokenSettings(name="next_token", ar=ar, tar=tar), Vocabulary(3, 1))


# One channel of one sequence at three times; the decoder's dropout doubled the first value and dropped the others.
RAW = torch.tensor([1.0, 2.0, 4.0]).view(3, 1, 1)
DROPPED = torch.tensor([2.0, 0.0, 0.0]).view(3, 1, 1)


def test_ar_is_the_mean_square_of_the_dropped_output_and_tar_that_of_the_raw_changes():
    assert next_token(ar=1.0).penalty(RAW, DROPPED).item() == pytest.approx(4 / 3)
    assert next_token(tar=1.0).penalty(RAW, DROPPED).item() == pytest.approx((1 + 4) / 2)
    assert next_token(ar=2.0, tar=3.0).penalty(RAW, DROPPED).item() == pytest.approx(2 * 4 / 3 + 3 * 5 / 2)
    assert next_token().penalty(RAW, DROPPED) == 0


def test_a_single_time_step_has_no_change_to_penalise():
    assert next_token(tar=1.0).penalty(RAW[:1], DROPPED[:1]) == 0


@pytest.mark.parametrize("training", [True, False])
def test_score_counts_k_mers_after_k_mers_and_penalises_in_training_alone(training):
    logits = torch.zeros(4, 1, 7)  # seven equal classes: every target costs log 7
    decoded = Decoded(logits, torch.zeros(4, 1, 1), torch.full((4, 1, 1), 3.0), ["state"])
    tokens = torch.tensor([[BOS, 3, 4, UNK, 5]])
    model = Fixed(decoded).train(training)
    scored = next_token(ar=1.0).score(model, tokens[:, :-1], tokens[:, 1:], [])
    assert scored.n_scored.item() == 1  # 4 after 3
    assert scored.nats.item() == pytest.approx(math.log(7))
    assert scored.loss.item() == pytest.approx(math.log(7) + 9 * training)
    assert scored.state == ["state"]


def test_a_batch_without_scored_tokens_has_loss_zero_and_zero_gradient():
    logits = torch.zeros(2, 1, 7, requires_grad=True)
    tokens = torch.tensor([[BOS, UNK, 3]])
    model = Fixed(Decoded(logits, RAW[:2], DROPPED[:2], [])).train()
    scored = next_token().score(model, tokens[:, :-1], tokens[:, 1:], [])
    scored.loss.backward()
    assert scored.loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))
