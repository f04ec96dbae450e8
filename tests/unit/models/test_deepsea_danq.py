"""The CNNs of the literature: sizes by hand, and what leaves them for windows of our widths."""

import pytest
import torch
from torch.nn.functional import one_hot

from bindgram.batch import Batch
from bindgram.models.classifier import build_classifier
from bindgram.models.danq import DanQ
from bindgram.models.deepsea import DeepSea
from bindgram.settings import load_model
from bindgram.settings.encoders import DanqSettings, DeepSeaSettings

SMALL_DEEPSEA = DeepSeaSettings(name="deepsea", layers=[3, 5], filter_width=4, pool_width=2, dropout=[0.0, 0.0])
SMALL_DANQ = DanqSettings(name="danq", n_filters=3, filter_width=4, pool_width=5, hidden_size=2, dropout=[0.0, 0.0])


def bases(n, width):
    return Batch(one_hot=one_hot(torch.randint(0, 4, (n, width)), 4).float())


def shipped(repository, name):
    model = load_model(repository / f"config/models/{name}.yaml")
    return build_classifier(model, model.encoder, model.vocabulary)


def n_parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_deepsea_has_the_parameters_of_the_paper(repository):
    encoder = shipped(repository, "deepsea_cnn").encoder
    by_hand = [4 * 8 * 320 + 320, 320 * 8 * 480 + 480, 480 * 8 * 960 + 960]
    assert [sum(p.numel() for p in group) for group in encoder.parameter_groups()] == by_hand
    assert n_parameters(encoder) == 4_927_200


def test_danq_has_the_parameters_of_the_paper(repository):
    encoder = shipped(repository, "danq").encoder
    one_direction = 4 * 320 * (320 + 320) + 2 * 4 * 320  # four gates, two biases as in cuDNN
    by_hand = [4 * 26 * 320 + 320, 2 * one_direction]
    assert [sum(p.numel() for p in group) for group in encoder.parameter_groups()] == by_hand
    assert n_parameters(encoder) == 1_677_120


@pytest.mark.parametrize(
    ("name", "width", "shape", "bin_size_bp"),
    [
        ("deepsea_cnn", 101, (7, 960), 16),
        ("deepsea_cnn", 200, (13, 960), 16),
        ("deepsea_cnn", 10, (1, 960), 16),
        ("danq", 101, (8, 640), 13),
        ("danq", 200, (16, 640), 13),
        ("danq", 10, (1, 640), 13),
    ],
)
def test_a_window_of_any_width_leaves_positions(repository, name, width, shape, bin_size_bp):
    classifier = shipped(repository, name).eval()
    batch = bases(2, width)
    features = classifier.encoder(batch)
    assert (*features.values.shape[1:], features.bin_size_bp) == (*shape, bin_size_bp)
    assert classifier(batch).shape == (2,)


def test_deepsea_equals_a_scan_by_hand():
    torch.manual_seed(0)
    encoder, batch = DeepSea(SMALL_DEEPSEA).eval(), bases(1, 6)

    def scan(values, layer):  # values (positions, channels); one zero before and two after, for a width of 4
        padded = torch.cat([torch.zeros(1, values.shape[1]), values, torch.zeros(2, values.shape[1])])
        rows = [(layer.weight * padded[i : i + 4].T).sum(dim=(1, 2)) + layer.bias for i in range(len(values))]
        return torch.stack(rows).relu()

    first = scan(batch.one_hot[0], encoder.layers[0])
    pooled = first.view(3, 2, 3).amax(dim=1)
    torch.testing.assert_close(encoder(batch).values[0], scan(pooled, encoder.layers[1]))


def test_danq_reads_the_best_matches_from_both_ends():
    torch.manual_seed(0)
    encoder, batch = DanQ(SMALL_DANQ).eval(), bases(2, 15)
    values = encoder(batch).values
    changed = batch.one_hot.clone()
    changed[:, 11:] = 1 - changed[:, 11:]  # no filter reaches from there to base 9
    other = encoder(Batch(one_hot=changed)).values
    assert values.shape == (2, 3, 4)
    assert torch.equal(values[:, :2, :2], other[:, :2, :2])  # from left to right: not yet seen
    assert not torch.equal(values[:, 0, 2:], other[:, 0, 2:])  # from right to left: seen by every position


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize(("build", "settings"), [(DeepSea, SMALL_DEEPSEA), (DanQ, SMALL_DANQ)])
def test_every_dropout_rate_changes_the_training_output(build, settings, place):
    torch.manual_seed(0)
    rates = [0.5 if other == place else 0.0 for other in range(2)]
    encoder = build(settings.model_copy(update={"dropout": rates})).train()
    batch = bases(4, 20)
    assert not torch.allclose(encoder(batch).values, encoder.eval()(batch).values)
