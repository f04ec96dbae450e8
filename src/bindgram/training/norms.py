"""Norms of weights and gradients by layer, and learning rates by parameter group: what a training is watched by."""

from collections.abc import Sequence
from itertools import takewhile

import torch
from torch import nn

DDP_PREFIX = "module."


def layer_norms(model: nn.Module) -> dict[str, float]:
    """Euclidean norms of each layer: ``weight_norm/<layer>``, and ``gradient_norm/<layer>`` of what is learning.

    A layer is a module with parameters of its own. All norms come from the device in one transfer.
    """
    found: dict[str, torch.Tensor] = {}
    for layer, parameters in _layers(model).items():
        found[f"weight_norm/{layer}"] = nn.utils.get_total_norm([parameter.detach() for parameter in parameters])
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if gradients:
            found[f"gradient_norm/{layer}"] = nn.utils.get_total_norm(gradients)
    return dict(zip(found, torch.stack(list(found.values())).tolist(), strict=True)) if found else {}


def learning_rates(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """Learning rate of every parameter group: ``learning_rate`` of one, ``learning_rate/<its layers>`` of several."""
    groups = optimizer.param_groups
    if len(groups) == 1:
        return {"learning_rate": groups[0]["lr"]}
    layer_of = {parameter: layer for layer, parameters in _layers(model).items() for parameter in parameters}
    rates: dict[str, float] = {}
    for number, group in enumerate(groups):
        layers = [layer_of[parameter] for parameter in group["params"] if parameter in layer_of]
        name = f"learning_rate/{_shared(layers) or number}"
        rates[f"{name}.{number}" if name in rates else name] = group["lr"]
    return rates


def _shared(layers: Sequence[str]) -> str:
    """The path that several layers have in common."""
    columns = zip(*(layer.split(".") for layer in layers), strict=False)
    return ".".join(names[0] for names in takewhile(lambda names: len(set(names)) == 1, columns))


def _layers(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Parameters by the module that holds them, each once."""
    layers: dict[str, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        layer = name.removeprefix(DDP_PREFIX).rpartition(".")[0]
        layers.setdefault(layer or "model", []).append(parameter)
    return layers
