"""The masked objective: what is hidden, what is scored, and that nothing of the answer is left in the question."""

import numpy as np
import pytest
import torch

from bindgram.models.language_model import Decoded
from bindgram.sequence.kmers import BOS, N_SPECIAL, UNK, Vocabulary
from bindgram.settings.models import MaskedSettings, NextTokenSettings
from bindgram.training.loaders import Lanes
from bindgram.training.objectives import OBJECTIVES


def masked(k=1, stride=1, fraction=0.3, span=None):
    settings = MaskedSettings(name="masked", fraction=fraction, span=span or k)
    return OBJECTIVES["masked"](settings, Vocabulary(k, stride))


def lanes_of(k=1, stride=1, n_lanes=4, bptt=60, **share):
    codes = np.random.default_rng(0).integers(0, 4, 4000).astype(np.uint8)
    stream = np.concatenate([[BOS], Vocabulary(k, 1).encode(codes)]).astype(np.uint8)
    return Lanes(stream, Vocabulary(k, stride), n_lanes, bptt, reverse_complement=n_lanes > 1, **share)


def runs(hidden):
    """Lengths of the stretches of True in one row."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], hidden.astype(int), [0]])))
    return edges[1::2] - edges[::2]


@pytest.mark.parametrize("span", [1, 3, 8])
def test_tokens_are_hidden_in_stretches_of_the_span_at_least_and_in_the_wanted_share(span):
    hidden = masked(span=span, fraction=0.2).draw((200, 300), np.random.default_rng(0))
    assert min(length for row in hidden for length in runs(row)) == span
    assert hidden.mean() == pytest.approx(0.2, abs=0.015)


def test_a_step_without_room_for_a_stretch_hides_nothing():
    assert not masked(span=5, fraction=0.9).draw((3, 4), np.random.default_rng(0)).any()


def test_what_is_hidden_depends_on_seed_epoch_and_step_alone():
    objective, lanes = masked(), lanes_of()
    first = objective.ask(lanes, 1, 0, seed=1)[0]
    assert torch.equal(objective.ask(lanes, 1, 0, seed=1)[0], first)
    others = [
        objective.ask(lanes, 1, 1, seed=1),
        objective.ask(lanes, 2, 0, seed=1),
        objective.ask(lanes, 1, 0, seed=2),
    ]
    assert all(not torch.equal(other == UNK, first == UNK) for other, _ in others)


def test_parts_of_a_batch_hide_what_the_whole_batch_does():
    objective = masked()
    whole = objective.ask(lanes_of(), 3, 0, seed=1)
    parts = [objective.ask(lanes_of(rank=rank, world_size=2), 3, 0, seed=1) for rank in range(2)]
    for side in range(2):
        rows = {tuple(row.tolist()) for row in whole[side]}
        assert {tuple(row.tolist()) for part in parts for row in part[side]} == rows
    valid = torch.randint(3, 7, (4, 61))
    asked = objective.ask_valid(valid, 0, slice(0, 4))[0]
    assert torch.equal(objective.ask_valid(valid[2:], 0, slice(2, 4))[0], asked[2:])


@pytest.mark.parametrize(("k", "stride"), [(1, 1), (3, 1), (4, 2), (3, 3), (5, 2)])
def test_a_base_that_is_scored_is_in_no_visible_token(k, stride):
    """Changing it changes no input: what the model is asked for cannot be read off anything it is given."""
    vocabulary, objective = Vocabulary(k, stride), masked(k, stride)
    codes = np.random.default_rng(1).integers(0, 4, k + 199 * stride).astype(np.uint8)
    hidden = objective.draw((1, 200), np.random.default_rng(2))

    def question(codes):
        return objective.hide(torch.from_numpy(vocabulary.encode(codes[None]).astype(np.int64)), hidden)

    inputs, targets = question(codes)
    scored = (targets[0] >= N_SPECIAL).nonzero()[:, 0].tolist()
    assert len(scored) > 3
    for base in (token * stride + place for token in scored for place in range(stride)):
        changed = codes.copy()
        changed[base] = (changed[base] + 1) % 4
        assert torch.equal(question(changed)[0], inputs)
    before = [token for token in range(1, 200) if hidden[0, token] and token not in scored]
    for token in before:  # not scored: its first base can be read off a token before the stretch, or before the step
        shared = (k - 1) // stride
        assert token < shared or not hidden[0, token - shared : token].all()


@pytest.mark.parametrize(("k", "stride"), [(2, 1), (5, 1), (8, 1), (8, 2)])
def test_a_short_step_is_asked_for_what_the_start_of_a_long_one_is(k, stride):
    """Validation ends, and steps of variable length may come, with fewer tokens than share bases."""
    objective, rng = masked(k, stride), np.random.default_rng(0)
    hidden = rng.random((50, 12)) < 0.9
    tokens = torch.from_numpy(rng.integers(N_SPECIAL, N_SPECIAL + 4**k, hidden.shape))
    inputs, targets = objective.hide(tokens, hidden)
    assert (targets >= N_SPECIAL).any()
    for n_tokens in range(1, 12):
        short = objective.hide(tokens[:, :n_tokens], hidden[:, :n_tokens])
        assert torch.equal(short[0], inputs[:, :n_tokens])
        assert torch.equal(short[1], targets[:, :n_tokens])


def test_hidden_tokens_are_unknown_and_special_ones_are_never_scored():
    tokens = torch.tensor([[BOS, 3, 4, UNK, 5, 6]])
    inputs, targets = masked().hide(tokens, np.array([[True, True, False, True, False, True]]))
    assert inputs.tolist() == [[UNK, UNK, 4, UNK, 5, UNK]]
    assert targets.tolist() == [[BOS, 3, UNK, UNK, UNK, 6]]
    assert (targets >= N_SPECIAL).tolist() == [[False, True, False, False, False, True]]


class Fixed(torch.nn.Module):
    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, tokens, state):
        return Decoded(self.logits, self.logits, self.logits, state)


def test_a_scored_token_costs_the_nats_of_its_first_bases():
    """2-mers: the probability of A first is that of AA, AC, AG and AT together; specials take no part."""
    probabilities = torch.full((16,), 0.5 / 12)
    probabilities[:4] = torch.tensor([0.1, 0.2, 0.05, 0.15])
    logits = torch.cat([torch.full((N_SPECIAL,), 9.0), probabilities.log()]).expand(3, 1, -1)
    targets = torch.tensor([[N_SPECIAL + 2, UNK, N_SPECIAL + 9]])  # AG, not scored, GC
    scored = masked(2, 1).score(Fixed(logits), targets, targets, [])
    assert scored.n_scored.item() == 2
    assert scored.nats.item() == pytest.approx(-np.log(0.5) - np.log(0.5 / 3), abs=1e-5)
    whole = masked(2, 2).score(Fixed(logits), targets, targets, [])
    assert whole.nats.item() == pytest.approx(-np.log(0.05) - np.log(0.5 / 12), abs=1e-5)


def test_the_bar_of_each_objective_is_that_of_its_question():
    """Every second base is the sum of its neighbours: any is known from both sides, but these from nothing before."""
    free = np.random.default_rng(0).integers(0, 4, 40_000).astype(np.uint8)
    codes = np.stack([free, (free + np.roll(free, -1)) % 4], axis=1).ravel()
    vocabulary = Vocabulary(1, 1)
    tokens = vocabulary.encode(codes)
    next_token = OBJECTIVES["next_token"](NextTokenSettings(name="next_token", ar=0.0, tar=0.0), vocabulary)
    bars = [
        objective.score_reference(tokens, tokens[None], vocabulary, reverse_complement=False, check=lambda: None)
        for objective in (masked(), next_token)
    ]
    assert min(bars[0].values()) < 0.5
    assert min(bars[1].values()) > np.log(4) / 2
