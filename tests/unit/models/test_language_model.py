import torch
from torch import nn

from bindgram.models.awd_lstm import AwdLstm
from bindgram.models.language_model import LanguageModel, build_language_model
from bindgram.sequence.kmers import Vocabulary
from bindgram.settings import load_language_model
from bindgram.settings.models import AwdLstmSettings, DropoutSettings

NO_DROPOUT = DropoutSettings(embedding=0.0, input=0.0, weight=0.0, hidden=0.0)
SIZES = AwdLstmSettings(name="awd_lstm", embedding_size=5, hidden_size=7, n_layers=3)


class Stateless(nn.Module):
    """The least that a language model can be made of."""

    embedding = None
    token_channels = 4

    def initial_state(self, batch_size):
        return []

    def encode(self, tokens, state):
        return nn.functional.one_hot(tokens.T % 4, 4).float(), state


def make_model(output_dropout=0.0):
    return LanguageModel(AwdLstm(SIZES, 11, 1, NO_DROPOUT), 11, output_dropout)


def test_decoder_is_tied_to_the_embedding_and_has_a_bias():
    model = make_model()
    nn.init.normal_(model.bias)
    tokens = torch.randint(0, 11, (2, 6))
    values, _ = model.encoder.encode(tokens, model.encoder.initial_state(2))
    decoded = model(tokens, model.encoder.initial_state(2))
    torch.testing.assert_close(decoded.logits, values @ model.encoder.embedding.T + model.bias)
    assert sum(parameter.shape == (11, 5) for parameter in model.parameters()) == 1


def test_output_dropout_drops_channels_before_the_decoder_in_training_alone():
    model = make_model(0.5).train()
    tokens = torch.randint(0, 11, (2, 6))
    decoded = model(tokens, model.encoder.initial_state(2))
    kept = decoded.dropped != 0
    assert 0 < kept.sum() < kept.numel()
    assert torch.equal(kept, kept[:1].expand_as(kept))
    torch.testing.assert_close(decoded.dropped[kept], 2 * decoded.raw[kept])
    torch.testing.assert_close(decoded.logits, decoded.dropped @ model.encoder.embedding.T + model.bias)
    decoded = model.eval()(tokens, model.encoder.initial_state(2))
    assert torch.equal(decoded.dropped, decoded.raw)


def test_encoder_without_an_embedding_gets_a_decoder_of_its_own():
    model = LanguageModel(Stateless(), 7, 0.0)
    decoded = model(torch.tensor([[0, 3, 1]]), [])
    assert decoded.state == []
    torch.testing.assert_close(decoded.logits[1, 0], model.decoder[:, 3])  # the bias is 0 at first
    assert {name for name, _ in model.named_parameters()} == {"bias", "decoder"}


def test_language_model_of_a_file_has_as_many_classes_as_the_vocabulary(repository):
    settings = load_language_model(repository / "config/lms/awd_lstm_demo.yaml")
    model = build_language_model(settings, settings.pretrain.dropout)
    assert len(model.bias) == len(model.encoder.embedding) == Vocabulary(3, 1).size
