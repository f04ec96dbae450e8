import pytest
import torch

from bindgram.batch import Batch
from bindgram.models.awd_lstm import AwdLstm, WeightDropLstm, embed, locked_dropout
from bindgram.settings.models import AwdLstmSettings, DropoutSettings

NO_DROPOUT = DropoutSettings(embedding=0.0, input=0.0, weight=0.0, hidden=0.0)
SIZES = AwdLstmSettings(name="awd_lstm", embedding_size=5, hidden_size=7, n_layers=3)


def reference_lstm(layer, values):
    """One LSTM layer, step by step, from the equations; gates in the order input, forget, cell, output."""
    hidden = values.new_zeros(values.shape[1], layer.hidden_size)
    cell = torch.zeros_like(hidden)
    steps = []
    for step in values:
        gates = step @ layer.weight_ih.T + layer.bias_ih + hidden @ layer.weight_hh.T + layer.bias_hh
        i, f, g, o = gates.chunk(4, dim=1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        steps.append(hidden)
    return torch.stack(steps)


def test_encoder_equals_the_equations_layer_by_layer():
    torch.manual_seed(0)
    encoder = AwdLstm(SIZES, vocabulary_size=11, stride=1, dropout=NO_DROPOUT)
    tokens = torch.randint(0, 11, (3, 9))
    values = encoder.embedding[tokens].transpose(0, 1)
    for layer in encoder.layers:
        values = reference_lstm(layer, values)
    features = encoder(Batch(tokens=tokens))
    torch.testing.assert_close(features.values, values.transpose(0, 1))
    assert features.values.shape == (3, 9, 5)


def test_state_carries_over_so_that_two_halves_equal_the_whole():
    torch.manual_seed(0)
    encoder = AwdLstm(SIZES, 11, 1, NO_DROPOUT)
    tokens = torch.randint(0, 11, (2, 8))
    whole, _ = encoder.encode(tokens, encoder.initial_state(2))
    first, state = encoder.encode(tokens[:, :3], encoder.initial_state(2))
    second, _ = encoder.encode(tokens[:, 3:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)


def test_weight_drop_zeroes_hidden_weights_with_one_mask_for_all_steps():
    torch.manual_seed(1)
    layer = WeightDropLstm(3, 4, weight_dropout=0.5).train()
    values = torch.randn(6, 2, 3)
    state = (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4))
    torch.manual_seed(2)
    output, _ = layer(values, state)
    torch.manual_seed(2)
    mask = torch.nn.functional.dropout(torch.ones_like(layer.weight_hh), 0.5)
    assert (mask == 0).any()
    with torch.no_grad():
        layer.weight_hh.mul_(mask)
    torch.testing.assert_close(output, reference_lstm(layer, values))


def test_weight_drop_is_off_in_evaluation():
    layer = WeightDropLstm(3, 4, weight_dropout=0.9).eval()
    values, state = torch.randn(6, 2, 3), (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4))
    torch.testing.assert_close(layer(values, state)[0], reference_lstm(layer, values))


def test_locked_dropout_drops_the_same_channels_at_every_step_and_keeps_the_mean():
    torch.manual_seed(0)
    dropped = locked_dropout(torch.ones(10, 200, 30), 0.4, training=True)
    assert torch.equal(dropped, dropped[:1].expand_as(dropped))
    assert not torch.equal(dropped[:, 0], dropped[:, 1])
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.03)


def test_embedding_dropout_drops_whole_k_mers_everywhere():
    torch.manual_seed(0)
    tokens = torch.arange(100).repeat(2, 1)
    looked_up = embed(tokens, torch.ones(100, 6), 0.3, training=True)
    per_token = looked_up.sum(dim=-1)
    assert torch.equal(per_token[0], per_token[1])
    assert per_token.unique().tolist() == pytest.approx([0.0, 6 / 0.7])


@pytest.mark.parametrize("name", ["embedding", "input", "weight", "hidden"])
def test_every_dropout_rate_changes_the_training_output(name):
    encoder_off = AwdLstm(SIZES, 11, 1, NO_DROPOUT).train()
    encoder_on = AwdLstm(SIZES, 11, 1, NO_DROPOUT.model_copy(update={name: 0.5})).train()
    encoder_on.load_state_dict(encoder_off.state_dict())
    batch = Batch(tokens=torch.randint(0, 11, (2, 6)))
    torch.manual_seed(0)
    assert not torch.allclose(encoder_on(batch).values, encoder_off(batch).values)


def test_parameter_groups_run_from_input_to_output_and_cover_all():
    encoder = AwdLstm(SIZES, 11, 1, NO_DROPOUT)
    groups = encoder.parameter_groups()
    assert groups[0][0] is encoder.embedding
    assert len(groups) == 4
    assert {id(p) for group in groups for p in group} == {id(p) for p in encoder.parameters()}
