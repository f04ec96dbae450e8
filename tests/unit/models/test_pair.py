import pytest
import torch

from bindgram.batch import Batch
from bindgram.models.awd_lstm import AwdLstm
from bindgram.models.classifier import Classifier
from bindgram.models.heads import ConcatPool
from bindgram.models.pair import Pair
from bindgram.settings.models import AwdLstmSettings, ConcatPoolHead, DropoutSettings

OFF = DropoutSettings(embedding=0.0, input=0.0, weight=0.0, hidden=0.0)


def encoder(seed, n_layers=2):
    torch.manual_seed(seed)
    return AwdLstm(AwdLstmSettings(name="awd_lstm", embedding_size=4, hidden_size=6, n_layers=n_layers), 19, 1, OFF)


def test_the_second_half_is_the_encoder_on_the_reversed_sequence():
    one, tokens = encoder(0), torch.randint(0, 19, (3, 7))
    values = Pair(one, one)(Batch(tokens=tokens)).values
    assert values.shape == (3, 7, 8)
    torch.testing.assert_close(values[..., :4], one(Batch(tokens=tokens)).values)
    torch.testing.assert_close(values[..., 4:], one(Batch(tokens=tokens.flip(1))).values)


def test_the_two_halves_of_one_encoder_change_places_when_the_sequence_is_reversed():
    one, tokens = encoder(0), torch.randint(0, 19, (3, 7))
    pair = Pair(one, one)
    there, back = (pair(Batch(tokens=read)).values for read in (tokens, tokens.flip(1)))
    torch.testing.assert_close(there, back.roll(4, dims=2))


def test_the_head_reads_the_last_value_of_each_direction():
    """The state after the whole sequence: at its end, and, read backwards, at its start."""
    pair, seen = Pair(encoder(0), encoder(1)), {}

    class Spy(torch.nn.Module):
        def forward(self, pooled):
            seen["pooled"] = pooled
            return pooled

    head = ConcatPool(ConcatPoolHead(name="concat_pool", hidden_size=5, dropout=0.0, hidden_dropout=0.0), 8)
    head.layers = Spy()
    tokens = torch.randint(0, 19, (2, 9))
    Classifier(pair, head)(Batch(tokens=tokens))
    last = [
        half(Batch(tokens=read)).values[:, -1]
        for half, read in ((pair.forwards, tokens), (pair.backwards, tokens.flip(1)))
    ]
    torch.testing.assert_close(seen["pooled"][:, :8], torch.cat(last, dim=1))


@pytest.mark.parametrize("n_layers", [1, 2, 3])
def test_parameter_groups_of_both_go_in_step_from_the_head(n_layers):
    one, other = encoder(0), encoder(1, n_layers)
    groups = Pair(one, other).parameter_groups()
    ours, theirs = one.parameter_groups(), other.parameter_groups()
    assert len(groups) == max(len(ours), len(theirs))
    for back in range(1, len(groups) + 1):
        expected = [*(ours[-back] if back <= len(ours) else []), *(theirs[-back] if back <= len(theirs) else [])]
        assert [id(parameter) for parameter in groups[-back]] == [id(parameter) for parameter in expected]
    assert sum(map(len, groups)) == len(list(Pair(one, other).parameters()))
