import copy

import pytest
import torch

from bindgram.batch import Batch, Features
from bindgram.errors import InputError
from bindgram.models.awd_lstm import AwdLstm
from bindgram.models.classifier import N_SPECIAL_TOKENS, Classifier, build_encoder, transfer_encoder
from bindgram.models.conv import Conv
from bindgram.models.heads import ConcatPool, MaxMeanPool, MaxPool
from bindgram.models.language_model import LanguageModel, build_language_model
from bindgram.models.losses import cross_entropy_sum, masked_binary_cross_entropy
from bindgram.sequence.kmers import SPECIAL_TOKENS, Vocabulary
from bindgram.settings import load_language_model
from bindgram.settings.models import (
    AwdLstmSettings,
    ConcatPoolHead,
    ConvSettings,
    DropoutSettings,
    MaxMeanPoolHead,
    MaxPoolHead,
    VocabularySettings,
)

SIZES = AwdLstmSettings(name="awd_lstm", embedding_size=4, hidden_size=6, n_layers=2)
OFF = DropoutSettings(embedding=0.0, input=0.0, weight=0.0, hidden=0.0)
CONCAT = ConcatPoolHead(name="concat_pool", hidden_size=5, dropout=0.0, hidden_dropout=0.0)
MAX = MaxPoolHead(name="max_pool", hidden_size=5, dropout=0.0, hidden_dropout=0.0)


def make_classifier(seed):
    torch.manual_seed(seed)
    return Classifier(AwdLstm(SIZES, 4**2 + 3, 1, OFF), ConcatPool(CONCAT, 4))


def language_model_state(seed):
    torch.manual_seed(seed)
    return LanguageModel(AwdLstm(SIZES, 4**2 + 3, 1, OFF), 4**2 + 3, 0.0).state_dict()


def test_transfer_moves_every_encoder_tensor_and_reports_it():
    classifier, state = make_classifier(0), language_model_state(1)
    head = copy.deepcopy(classifier.head.state_dict())
    moved = transfer_encoder(classifier, state)
    for name, value in classifier.encoder.state_dict().items():
        assert torch.equal(value, state[f"encoder.{name}"])
    assert all(torch.equal(value, head[name]) for name, value in classifier.head.state_dict().items())
    assert moved["n_tensors"] == moved["n_changed"] == len(classifier.encoder.state_dict())
    assert moved["n_parameters"] == sum(p.numel() for p in classifier.encoder.parameters())


def test_transfer_refuses_weights_that_change_nothing():
    classifier = make_classifier(0)
    same = {f"encoder.{name}": value for name, value in classifier.encoder.state_dict().items()}
    with pytest.raises(ValueError, match="changed no tensor"):
        transfer_encoder(classifier, same)


def test_transfer_refuses_missing_or_extra_tensors():
    state = language_model_state(1)
    state.pop("encoder.embedding")
    with pytest.raises(InputError, match=r"pretrained bundle: encoder: .*1 tensor\(s\) missing: embedding"):
        transfer_encoder(make_classifier(0), state)


def test_conv_scores_a_sequence_and_its_reverse_complement_alike():
    torch.manual_seed(0)
    encoder = Conv(ConvSettings(name="conv", n_filters=3, filter_width=4)).eval()
    head = MaxPool(MAX, 3).eval()
    bases = torch.nn.functional.one_hot(torch.randint(0, 4, (5, 20)), 4).float()
    forward = Batch(one_hot=bases)
    reverse = Batch(one_hot=bases.flip(1, 2))
    torch.testing.assert_close(head(encoder(forward), forward), head(encoder(reverse), reverse))


def test_conv_detector_equals_a_hand_computed_scan():
    encoder = Conv(ConvSettings(name="conv", n_filters=1, filter_width=2)).eval()
    with torch.no_grad():
        encoder.detectors.weight.zero_()
        encoder.detectors.bias.zero_()
        encoder.detectors.weight[0, 0, 0] = 1.0  # A, then
        encoder.detectors.weight[0, 1, 1] = 2.0  # C
    bases = torch.nn.functional.one_hot(torch.tensor([[0, 1, 3]]), 4).float()  # ACT, reverse complement AGT
    values = encoder(Batch(one_hot=bases)).values[0, :, 0]
    assert values.tolist() == [0, 3, 0, 0, 0, 1, 0, 0]


def test_concat_pool_takes_last_maximum_and_mean_of_real_positions():
    values = torch.tensor([[[1.0], [5.0], [3.0], [99.0]]])
    seen = {}

    class Spy(torch.nn.Module):
        def forward(self, pooled):
            seen["pooled"] = pooled
            return pooled

    without_last = MaxMeanPool(MaxMeanPoolHead(name="max_mean_pool", hidden_size=5, dropout=0.0, hidden_dropout=0.0), 1)
    without_last.layers = Spy()
    without_last(Features(values, torch.tensor([[True, True, True, False]]), 1.0), Batch())
    assert seen["pooled"].tolist() == [[5.0, 3.0]]
    head = ConcatPool(CONCAT, 1)
    head.layers = Spy()
    head(Features(values, torch.tensor([[True, True, True, False]]), 1.0), Batch())
    assert seen["pooled"].tolist() == [[3.0, 5.0, 3.0]]
    head(Features(values[:, :3], None, 1.0), Batch())
    assert seen["pooled"].tolist() == [[3.0, 5.0, 3.0]]


def test_masked_losses_ignore_unknown_targets():
    logits = torch.tensor([0.0, 100.0])
    loss = masked_binary_cross_entropy(logits, torch.tensor([1.0, 0.0]), torch.tensor([True, False]))
    assert loss.item() == pytest.approx(0.6931, abs=1e-4)
    classes = cross_entropy_sum(torch.zeros(2, 3, 4), torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, 3) > 0)
    assert [value.item() for value in classes] == [0.0, 0]
    known = torch.tensor([[True, False, False], [False, True, False]])
    nats, n_known = cross_entropy_sum(torch.zeros(2, 3, 4), torch.zeros(2, 3, dtype=torch.long), known)
    assert nats.item() == pytest.approx(2 * 1.3863, abs=1e-4)  # of four equal classes
    assert n_known.item() == 2


def test_vocabulary_size_of_encoders_is_that_of_the_vocabulary():
    assert len(SPECIAL_TOKENS) == N_SPECIAL_TOKENS
    encoder = build_encoder(SIZES, VocabularySettings(k=3, stride=1), OFF)
    assert len(encoder.embedding) == Vocabulary(3, 1).size


@pytest.mark.parametrize(("name", "millions"), [("dflm_k3", 24.5), ("dflm_k4", 24.6), ("dflm_k5", 24.7)])
def test_dflms_language_models_have_24_5_million_parameters(repository, name, millions):
    """By hand: k-mers x 200, and for every LSTM layer 4 x n_out x (n_in + n_out + 2)."""
    lm = load_language_model(repository / f"config/lms/{name}.yaml")
    with torch.device("meta"):
        model = build_language_model(lm, lm.pretrain.dropout)
    sizes = [(200, 800), *[(800, 800)] * 4, (800, 200)]
    n_kmers = 4**lm.vocabulary.k + N_SPECIAL_TOKENS
    expected = n_kmers * 201 + sum(4 * n_out * (n_in + n_out + 2) for n_in, n_out in sizes)  # 201: the decoder's bias
    found = sum(parameter.numel() for parameter in model.parameters())
    assert found == expected
    assert round(found / 1e6, 1) == millions
