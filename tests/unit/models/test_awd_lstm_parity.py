"""AWD-LSTM against a reference written step by step, and against fastai's, on the same weights and masks.

fastai is optional: `make fastai` puts it where these tests and benchmarks/speed_lm.py look for it.
"""

import math
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from bindgram.models.awd_lstm import AwdLstm, dropout_mask
from bindgram.models.language_model import LanguageModel
from bindgram.sequence.kmers import Vocabulary
from bindgram.settings.models import AwdLstmSettings, DropoutSettings, NextTokenSettings
from bindgram.training.objectives import OBJECTIVES

N_TOKENS, BATCH, TIME = 67, 3, 9
SIZES = AwdLstmSettings(name="awd_lstm", embedding_size=6, hidden_size=10, n_layers=3)
NO_DROPOUT = DropoutSettings(embedding=0.0, input=0.0, weight=0.0, hidden=0.0)
DROPOUT = DropoutSettings(embedding=0.1, input=0.3, weight=0.4, hidden=0.2)
OUTPUT_DROPOUT = 0.25
OBJECTIVE = OBJECTIVES["next_token"](NextTokenSettings(name="next_token", ar=2.0, tar=1.0), Vocabulary(3, 1))
CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def make_model(dropout, output_dropout):
    torch.manual_seed(0)
    model = LanguageModel(AwdLstm(SIZES, N_TOKENS, 1, dropout), N_TOKENS, output_dropout)
    torch.nn.init.normal_(model.bias)
    torch.nn.init.normal_(model.encoder.embedding)
    return model


def make_batch():
    torch.manual_seed(1)
    tokens = torch.randint(3, N_TOKENS, (BATCH, TIME + 1))
    return tokens[:, :-1], tokens[:, 1:]


def make_state(model):
    torch.manual_seed(2)
    return [(torch.randn_like(hidden), torch.randn_like(cell)) for hidden, cell in model.encoder.initial_state(BATCH)]


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def draw_masks(model):
    """All masks of one step, drawn as the model draws them: embedding, input, and by layer weights and output."""
    embedding, layers = model.encoder.embedding, model.encoder.layers
    masks = {
        "embedding": dropout_mask((N_TOKENS, 1), DROPOUT.embedding, embedding),
        "input": dropout_mask((1, BATCH, SIZES.embedding_size), DROPOUT.input, embedding)[0],
    }
    for number, layer in enumerate(layers):
        masks[f"weight{number}"] = dropout_mask(layer.weight_hh.shape, DROPOUT.weight, embedding)
        if number < len(layers) - 1:
            masks[f"hidden{number}"] = dropout_mask((1, BATCH, layer.hidden_size), DROPOUT.hidden, embedding)[0]
    masks["output"] = dropout_mask((1, BATCH, SIZES.embedding_size), OUTPUT_DROPOUT, embedding)[0]
    return masks


def reference_step(model, token, state, masks):
    """One token of every sequence through the layers: new state, raw output of the last layer, logits."""
    encoder = model.encoder
    below = (encoder.embedding * masks["embedding"])[token] * masks["input"]
    new_state = []
    for number, (layer, (hidden, cell)) in enumerate(zip(encoder.layers, state, strict=True)):
        dropped = layer.weight_hh * masks[f"weight{number}"]
        gates = below @ layer.weight_ih.T + layer.bias_ih + hidden @ dropped.T + layer.bias_hh
        size = layer.hidden_size
        i, f, g, o = (gates[:, gate * size : (gate + 1) * size] for gate in range(4))
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        new_state.append((hidden, cell))
        below = hidden * masks[f"hidden{number}"] if number < len(encoder.layers) - 1 else hidden
    logits = (below * masks["output"]) @ encoder.embedding.T + model.bias
    return new_state, below, logits


def reference(model, inputs, targets, state, masks):
    """Logits, state and loss, token by token; AR and TAR as sums over all numbers divided by how many there are."""
    state = [(hidden[0], cell[0]) for hidden, cell in state]
    raw, logits, nats = [], [], 0.0
    for time in range(TIME):
        state, output, scores = reference_step(model, inputs[:, time], state, masks)
        raw.append(output)
        logits.append(scores)
        probabilities = scores.exp() / scores.exp().sum(dim=1, keepdim=True)
        nats = nats - sum(probabilities[row, targets[row, time]].log() for row in range(BATCH))
    size = BATCH * SIZES.embedding_size
    ar = sum(((output * masks["output"]) ** 2).sum() for output in raw) / (TIME * size)
    tar = sum(((raw[time + 1] - raw[time]) ** 2).sum() for time in range(TIME - 1)) / ((TIME - 1) * size)
    return torch.stack(logits), state, nats / (BATCH * TIME) + 2.0 * ar + 1.0 * tar


def test_training_step_equals_the_reference_with_every_dropout_on():
    model = make_model(DROPOUT, OUTPUT_DROPOUT).train()
    (inputs, targets), state = make_batch(), make_state(model)
    torch.manual_seed(3)
    masks = draw_masks(model)
    assert all((mask == 0).any() for mask in masks.values())
    logits, new_state, loss = reference(model, inputs, targets, state, masks)
    expected = gradients(model, loss)
    torch.manual_seed(3)
    scored = OBJECTIVE.score(model, inputs, targets, state)
    torch.testing.assert_close(scored.loss, loss, **CLOSE)
    for ours, (hidden, cell) in zip(scored.state, new_state, strict=True):
        torch.testing.assert_close(ours[0][0], hidden, **CLOSE)
        torch.testing.assert_close(ours[1][0], cell, **CLOSE)
    found = gradients(model, scored.loss)
    assert set(found) == set(expected)
    for name in found:
        torch.testing.assert_close(found[name], expected[name], **CLOSE)
    torch.manual_seed(3)
    torch.testing.assert_close(model(inputs, state).logits, logits, **CLOSE)


def test_evaluation_equals_the_reference_without_masks():
    model = make_model(DROPOUT, OUTPUT_DROPOUT).eval()
    (inputs, targets), state = make_batch(), make_state(model)
    none = {name: torch.ones_like(mask) for name, mask in draw_masks(model).items()}
    logits, _, _ = reference(model, inputs, targets, state, none)
    decoded = model(inputs, state)
    torch.testing.assert_close(decoded.logits, logits, **CLOSE)
    scored = OBJECTIVE.score(model, inputs, targets, state)
    nats = functional.cross_entropy(logits.flatten(0, 1), targets.T.flatten())
    assert scored.loss.item() == pytest.approx(nats.item(), rel=1e-5)  # no penalties
    assert not math.isclose(nats.item(), math.log(N_TOKENS), rel_tol=1e-3)  # the weights do matter


@pytest.fixture
def fastai_model(monkeypatch):
    """fastai's language model of the same sizes: one rate for DropConnect, all other dropouts off."""
    folder = Path(sys.prefix) / "fastai"
    if not folder.is_dir():
        pytest.skip("fastai is not installed; make fastai")
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    from fastai.text.models import awdlstm
    from fastai.text.models.core import LinearDecoder, SequentialRNN

    def build(weight_dropout):
        sizes = (SIZES.embedding_size, SIZES.hidden_size, SIZES.n_layers)
        off = dict.fromkeys(["hidden_p", "input_p", "embed_p"], 0.0)
        encoder = awdlstm.AWD_LSTM(N_TOKENS, *sizes, pad_token=0, weight_p=weight_dropout, **off)
        decoder = LinearDecoder(N_TOKENS, SIZES.embedding_size, 0.0, tie_encoder=encoder.encoder, bias=True)
        return SequentialRNN(encoder, decoder)

    return build


def copy_to_fastai(model, theirs):
    """Copy our weights; return our name and their parameter for each."""
    encoder, decoder = theirs[0], theirs[1]
    pairs = {"encoder.embedding": encoder.encoder.weight, "bias": decoder.decoder.bias}
    for number, layer in enumerate(encoder.rnns):
        stem = f"encoder.layers.{number}"
        pairs[f"{stem}.weight_ih"] = layer.module.weight_ih_l0
        pairs[f"{stem}.weight_hh"] = layer.weight_hh_l0_raw
        pairs[f"{stem}.bias_ih"] = layer.module.bias_ih_l0
        pairs[f"{stem}.bias_hh"] = layer.module.bias_hh_l0
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            pairs[name].copy_(parameter)
    theirs.reset()
    assert decoder.decoder.weight is encoder.encoder.weight
    return pairs


@pytest.mark.parametrize("weight_dropout", [0.0, 0.4])
def test_language_model_equals_fastais_on_copied_weights(fastai_model, weight_dropout):
    model, theirs = make_model(NO_DROPOUT, 0.0).train(), fastai_model(weight_dropout).train()
    pairs = copy_to_fastai(model, theirs)
    inputs, targets = make_batch()
    torch.manual_seed(4)
    logits, raw, dropped = theirs(inputs)
    loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    loss = loss + 2.0 * dropped.pow(2).mean() + (raw[:, 1:] - raw[:, :-1]).pow(2).mean()
    loss.backward()
    torch.manual_seed(4)  # their masks, on our weights before the step
    masks = {}
    for number, layer in enumerate(model.encoder.layers):
        masks[f"encoder.layers.{number}.weight_hh"] = functional.dropout(
            torch.ones_like(layer.weight_hh), weight_dropout
        )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.mul_(masks.get(name, 1.0))
    scored = OBJECTIVE.score(model, inputs, targets, model.encoder.initial_state(BATCH))
    torch.testing.assert_close(
        model(inputs, model.encoder.initial_state(BATCH)).logits, logits.transpose(0, 1), **CLOSE
    )
    torch.testing.assert_close(scored.loss, loss, **CLOSE)
    found = gradients(model, scored.loss)
    assert set(found) == set(pairs)
    for name, parameter in pairs.items():
        torch.testing.assert_close(found[name] * masks.get(name, 1.0), parameter.grad, **CLOSE)


def test_carried_state_equals_fastais(fastai_model):
    model, theirs = make_model(NO_DROPOUT, 0.0).eval(), fastai_model(0.4).eval()
    copy_to_fastai(model, theirs)
    inputs, _ = make_batch()
    state = model.encoder.initial_state(BATCH)
    theirs.reset()
    theirs[0].bs = 1
    for part in (inputs[:, :5], inputs[:, 5:]):
        decoded = model(part, state)
        state = decoded.state
        torch.testing.assert_close(decoded.logits, theirs(part)[0].transpose(0, 1), **CLOSE)
