import math

import torch

from bindgram.training.norms import layer_norms, learning_rates


def small_model():
    model = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Linear(1, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[2.0, 3.0]]))
        model[0].bias.fill_(6.0)
        model[1].weight.fill_(-1.0)
        model[1].bias.fill_(0.0)
    return model


def test_norms_are_those_computed_by_hand():
    model = small_model()
    model[1].weight.grad = torch.tensor([[3.0]])
    model[1].bias.grad = torch.tensor([-4.0])
    assert layer_norms(model) == {
        "weight_norm/0": 7.0,
        "weight_norm/1": 1.0,
        "gradient_norm/1": 5.0,  # layer 0 does not learn
    }


def test_norms_add_up_to_that_of_all_weights():
    model = torch.nn.LSTM(3, 4, num_layers=2)
    total = math.sqrt(sum(float((parameter.detach() ** 2).sum()) for parameter in model.parameters()))
    assert math.isclose(math.hypot(*layer_norms(model).values()), total, rel_tol=1e-6)


def test_a_weight_that_two_layers_share_counts_once():
    model = torch.nn.ModuleDict({"embedding": torch.nn.Embedding(3, 2), "decoder": torch.nn.Linear(2, 3)})
    model["decoder"].weight = model["embedding"].weight
    assert set(layer_norms(model)) == {"weight_norm/embedding", "weight_norm/decoder"}
    expected = float(model["decoder"].bias.detach().norm())
    assert math.isclose(layer_norms(model)["weight_norm/decoder"], expected, rel_tol=1e-6)


def test_learning_rates_are_named_by_what_they_are_of():
    model = torch.nn.ModuleDict({"encoder": torch.nn.Linear(1, 1), "head": small_model()})
    groups = [
        {"params": list(model[name].parameters()), "lr": rate} for name, rate in (("encoder", 0.1), ("head", 0.2))
    ]
    assert learning_rates(model, torch.optim.SGD(groups)) == {"learning_rate/encoder": 0.1, "learning_rate/head": 0.2}
    assert learning_rates(model, torch.optim.SGD(model.parameters(), lr=0.3)) == {"learning_rate": 0.3}


def test_groups_without_a_common_name_are_numbered():
    model = small_model()
    groups = [
        {"params": list(model.parameters()), "lr": 0.1},
        {"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.2},
    ]
    assert learning_rates(model, torch.optim.SGD(groups)) == {"learning_rate/0": 0.1, "learning_rate/1": 0.2}
