"""Both strands alike: the flip of an input gives the flip of the output, layer by layer and in the score."""

import pytest
import torch
from torch.nn.functional import conv1d, one_hot

from bindgram.batch import Batch
from bindgram.models.classifier import Classifier
from bindgram.models.heads import MaxMeanPool, MaxPool
from bindgram.models.symmetric_conv import SymmetricConv, SymmetricLayer, SymmetricNorm
from bindgram.sequence.dna import codes_of, reverse_complement
from bindgram.sequence.dna import one_hot as one_hot_of_codes
from bindgram.sequence.kmers import UNK, Vocabulary
from bindgram.settings.encoders import DropoutSettings, SymmetricConvSettings
from bindgram.settings.models import MaxMeanPoolHead, MaxPoolHead

SIZES = SymmetricConvSettings(
    name="symmetric_conv", channels=6, stem_width=5, filter_width=3, dilations=[1, 2], features=8
)
OFF = DropoutSettings(embedding=None, input=None, weight=None, hidden=0.0)
SINGLE = Vocabulary(1, 1)


def make_encoder(dropout=OFF, sizes=SIZES):
    torch.manual_seed(0)
    return SymmetricConv(sizes, dropout).eval()


def bases(n=3, width=20):
    return one_hot(torch.randint(0, 4, (n, width), generator=torch.Generator().manual_seed(1)), 4).float()


@pytest.mark.parametrize("gated", [True, False])
def test_a_layer_maps_the_flip_of_its_input_to_the_flip_of_its_output(gated):
    torch.manual_seed(0)
    layer = SymmetricLayer(4, 6, 5, dilation=2, gated=gated).double()
    values = torch.randn(2, 17, 4, dtype=torch.double)
    torch.testing.assert_close(layer(values.flip(1, 2)), layer(values).flip(1, 2), rtol=0, atol=1e-12)


def test_a_layer_is_a_plain_convolution_with_paired_filters():
    torch.manual_seed(0)
    layer = SymmetricLayer(2, 2, 3, gated=False)
    [[first]], (bias,) = layer.weight.detach(), layer.bias.detach()[0]
    second = torch.stack([first[1].flip(0), first[0].flip(0)])  # channels change places, positions run backwards
    values = torch.randn(1, 2, 7)
    expected = conv1d(values, torch.stack([first, second]), torch.stack([bias, bias]), padding=1)
    torch.testing.assert_close(layer(values.transpose(1, 2)).transpose(1, 2), expected)


def test_normalisation_shares_scale_and_shift_between_the_channels_of_a_pair():
    torch.manual_seed(0)
    norm, values = SymmetricNorm(6), torch.randn(2, 5, 6)
    with torch.no_grad():
        norm.weight.uniform_(-2, 2)
        norm.bias.uniform_(-2, 2)
    torch.testing.assert_close(norm(values.flip(1, 2)), norm(values).flip(1, 2))
    mean, deviation = values.mean(dim=2, keepdim=True), values.std(dim=2, keepdim=True, unbiased=False)
    scaled = (values - mean) / (deviation**2 + 1e-5).sqrt()
    torch.testing.assert_close(norm(values)[..., :3], scaled[..., :3] * norm.weight + norm.bias)


def test_what_is_found_on_one_strand_is_found_flipped_on_the_other():
    encoder = make_encoder().double()
    values = bases().double()
    torch.testing.assert_close(encoder.scan(values.flip(1, 2)), encoder.scan(values).flip(1, 2), rtol=0, atol=1e-12)


@pytest.mark.parametrize("head", [MaxPool(MaxPoolHead(name="max_pool", hidden_size=5, dropout=0, hidden_dropout=0), 4),
                                  MaxMeanPool(MaxMeanPoolHead(name="max_mean_pool", hidden_size=5, dropout=0,
                                                              hidden_dropout=0), 4)])  # fmt: skip
def test_a_sequence_and_its_reverse_complement_have_one_score(head):
    classifier = Classifier(make_encoder(), head).eval()
    values = bases(n=20)
    ours, theirs = classifier(Batch(one_hot=values)), classifier(Batch(one_hot=values.flip(1, 2)))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    assert ours.std() > 1e-3


def test_tokens_of_single_bases_and_one_hot_bases_are_the_same_input():
    encoder = make_encoder()
    codes = codes_of(["ACGTNACGTTGA", "TTTTTNNACGAC"])
    tokens = torch.from_numpy(SINGLE.encode(codes).astype("int64"))
    read = encoder(Batch(one_hot=torch.from_numpy(one_hot_of_codes(codes)))).values
    assert torch.equal(encoder(Batch(tokens=tokens)).values, read)
    other = torch.from_numpy(SINGLE.encode(reverse_complement(codes)).astype("int64"))
    torch.testing.assert_close(encoder(Batch(tokens=other)).values, read.roll(12, dims=1), rtol=0, atol=1e-6)


def test_an_unknown_base_is_no_base():
    """The stem of a stretch of ``<unk>`` gives its bias only, whatever stood there."""
    encoder = make_encoder()
    tokens = torch.full((1, 5), UNK)
    bias = encoder.stem.bias[0]
    torch.testing.assert_close(encoder.stem(one_hot(tokens, 7)[..., 3:].float())[0, 2], torch.cat([bias, bias.flip(0)]))


def test_each_output_sees_the_receptive_field_on_both_sides_and_no_more():
    encoder = make_encoder()
    assert encoder.receptive_field_bp == 5 + 2 * (1 + 2)
    values = bases(1, 31).requires_grad_()
    encoder.scan(values)[0, 15].sum().backward()
    seen = values.grad[0].abs().sum(dim=1).nonzero()[:, 0]
    assert (seen.min().item(), seen.max().item()) == (10, 20)


def test_parameters_are_those_counted_by_hand_in_groups_from_input_to_output():
    encoder = make_encoder()
    stem = 3 * 4 * 5 + 3
    block = 3 + 3 + 2 * (3 * 6 * 3 + 3)  # scale, shift, and two sets of paired filters
    last = 3 + 3 + 4 * 6 + 4
    assert [sum(p.numel() for p in group) for group in encoder.parameter_groups()] == [stem, block, block, last]
    assert sum(p.numel() for p in encoder.parameters()) == stem + 2 * block + last


def test_dropout_drops_whole_channels_of_a_sequence_in_training_only():
    encoder = make_encoder(OFF.model_copy(update={"hidden": 0.5}))
    values = bases()
    torch.testing.assert_close(encoder.scan(values), make_encoder().scan(values))
    encoder.train()
    assert not torch.allclose(encoder.scan(values), encoder.eval().scan(values))
    block = encoder.blocks[0].train()
    at_random = torch.randn(4, 9, 6)
    added = block(at_random) - at_random
    dropped = added.abs().sum(dim=1) < 1e-6  # (sequences, channels)
    assert 0 < dropped.sum() < dropped.numel()


@pytest.mark.gpu
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_gpu_agrees_with_the_cpu_and_keeps_both_strands_alike(gpu, precision):
    encoder, values = make_encoder(), bases(8, 64)
    expected = encoder.scan(values)
    with torch.autocast("cuda", precision, enabled=precision != torch.float32):
        found = encoder.to(gpu).scan(values.to(gpu))
        other = encoder.scan(values.flip(1, 2).to(gpu))
    tolerance = 1e-3 if precision == torch.float32 else 3e-2  # cuDNN may round to TF32
    torch.testing.assert_close(found.float().cpu(), expected, atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(other.flip(1, 2), found, atol=tolerance, rtol=tolerance)
