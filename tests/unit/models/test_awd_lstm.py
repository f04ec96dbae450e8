import copy
import warnings

import pytest
import torch

from bindgram.batch import Batch
from bindgram.models.awd_lstm import (
    AwdLstm,
    WeightDropLstm,
    dropout_mask,
    embed,
    has_bfloat16_lstm,
    locked_dropout,
    one_chunk,
)
from bindgram.settings.models import AwdLstmSettings, DropoutSettings

NO_DROPOUT = DropoutSettings(embedding=0.0, input=0.0, weight=0.0, hidden=0.0)
SIZES = AwdLstmSettings(name="awd_lstm", embedding_size=5, hidden_size=7, n_layers=3)


def test_state_carries_over_so_that_two_halves_equal_the_whole():
    torch.manual_seed(0)
    encoder = AwdLstm(SIZES, 11, 1, NO_DROPOUT)
    tokens = torch.randint(0, 11, (2, 8))
    whole, _ = encoder.encode(tokens, encoder.initial_state(2))
    first, state = encoder.encode(tokens[:, :3], encoder.initial_state(2))
    second, _ = encoder.encode(tokens[:, 3:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)


@pytest.mark.parametrize("rate", [0.02, 0.15, 0.5, 0.999999])
def test_masks_drop_at_their_rate_and_keep_the_mean(rate):
    torch.manual_seed(0)
    mask = dropout_mask((301, 997), rate, torch.zeros(1))
    dropped = (mask == 0).float().mean().item()
    assert dropped == pytest.approx(rate, abs=0.003)
    kept = mask[mask != 0].unique()
    assert len(kept) <= 1  # one scale for all
    assert kept.tolist() == pytest.approx([1 / (1 - rate)] * len(kept), rel=1e-4 if rate < 0.9 else 1.0)


def test_masks_of_neighbours_are_independent():
    torch.manual_seed(0)
    kept = (dropout_mask((40_000, 4), 0.5, torch.zeros(1)) != 0).float()  # each row is made of one random number
    assert (torch.corrcoef(kept.T) - torch.eye(4)).abs().max() < 0.03
    assert kept.mean(dim=0) == pytest.approx([0.5] * 4, abs=0.02)


def test_masks_depend_on_the_generator_of_torch_alone():
    masks = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        masks.append(dropout_mask((7, 5), 0.5, torch.zeros(1, dtype=torch.bfloat16)))
    assert masks[0].dtype == torch.bfloat16
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])


def test_weight_drop_is_off_in_evaluation():
    layer = WeightDropLstm(3, 4, weight_dropout=0.9).eval()
    plain = WeightDropLstm(3, 4, weight_dropout=0.0)
    plain.load_state_dict(layer.state_dict())
    values, state = torch.randn(6, 2, 3), (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4))
    assert torch.equal(layer(values, state)[0], plain(values, state)[0])


def test_one_chunk_holds_the_weights_in_order_and_passes_their_gradients_on():
    weights = [torch.randn(8, 3, requires_grad=True), torch.randn(8, 2, requires_grad=True), torch.randn(8)]
    parts = one_chunk(weights, torch.float32)
    assert all(torch.equal(part, weight) for part, weight in zip(parts, weights, strict=True))
    assert len({part.untyped_storage().data_ptr() for part in parts}) == 1
    assert [part.storage_offset() for part in parts] == [0, 24, 40]
    (parts[0].sum() + 2 * parts[1].sum()).backward()
    assert torch.equal(weights[0].grad, torch.ones(8, 3))
    assert torch.equal(weights[1].grad, torch.full((8, 2), 2.0))
    assert one_chunk(weights, torch.bfloat16)[1].dtype == torch.bfloat16


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
    assert per_token.unique().tolist() == pytest.approx([0.0, 6 / 0.7], rel=1e-4)


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


def run_on(device, encoder, tokens, precision):
    """Output of a training step and gradients, on the CPU."""
    encoder = copy.deepcopy(encoder).to(device).train()
    with torch.autocast(device.type, precision, enabled=precision != torch.float32):
        values, _ = encoder.encode(tokens.to(device), encoder.initial_state(len(tokens)))
    values.float().square().sum().backward()
    return values, [parameter.grad.float().cpu() for parameter in encoder.parameters()]


@pytest.mark.gpu
@pytest.mark.parametrize("precision", [torch.float32, torch.float16, torch.bfloat16])
def test_gpu_uses_fused_kernels_without_a_warning_and_agrees_with_the_cpu(gpu, precision):
    torch.manual_seed(0)
    settings = AwdLstmSettings(name="awd_lstm", embedding_size=40, hidden_size=64, n_layers=3)
    encoder = AwdLstm(settings, 67, 1, NO_DROPOUT)
    tokens = torch.randint(0, 67, (8, 30))
    expected, expected_grads = run_on(torch.device("cpu"), encoder, tokens, torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # among others: weights are not part of single contiguous chunk of memory
        found, grads = run_on(gpu, encoder, tokens, precision)
    wanted = torch.float16 if precision == torch.bfloat16 and not has_bfloat16_lstm(gpu) else precision
    assert found.dtype == wanted
    tolerance = 1e-3 if precision == torch.float32 else 3e-2  # cuDNN may round to TF32
    torch.testing.assert_close(found.float().cpu(), expected, atol=tolerance, rtol=tolerance)
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        assert torch.linalg.vector_norm(grad - expected_grad) <= 2 * tolerance * torch.linalg.vector_norm(expected_grad)


@pytest.mark.gpu
def test_gpu_masks_drop_at_their_rate(gpu):
    mask = dropout_mask((1000, 400), 0.15, torch.zeros(1, device=gpu))
    assert (mask == 0).float().mean().item() == pytest.approx(0.15, abs=0.005)
    assert mask.mean().item() == pytest.approx(1.0, abs=0.01)
