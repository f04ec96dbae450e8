"""DeepLIFT against shuffles of the same sequence, for convolutional encoders, with tangermeme's rules.

The rules attach to modules, while encoders call functions. So the network runs with each such function replaced by a
module that does the same, and a result whose contributions do not sum to the difference of scores is refused: that is
how an operation without a rule, which would count as linear, shows.

References
----------
Shrikumar, Greenside, Kundaje (2017), Learning Important Features Through Propagating Activation Differences,
https://arxiv.org/abs/1704.02685
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from bindgram.batch import Batch, Features
from bindgram.interpretation.contributions import Attribution, shuffled_references
from bindgram.interpretation.scorer import OneHotScorer
from bindgram.models.conv import Conv
from bindgram.settings.attribution import AttributionSettings


def deeplift(
    scorer: OneHotScorer, codes: np.ndarray, settings: AttributionSettings, rng: np.random.Generator
) -> Attribution:
    """Hypothetical contributions (N, L, 4), means over `references` dinucleotide shuffles of each sequence."""
    if scorer.recurrent:
        return Attribution.not_defined(
            f"DeepLIFT has no rule for the gates of the LSTM in {scorer.encoder_name}; integrated_gradients and ism "
            "fit every encoder"
        )
    return deeplift_against(scorer, codes, shuffled_references(codes, settings.references, rng), settings)


def deeplift_against(
    scorer: OneHotScorer, codes: np.ndarray, references: np.ndarray, settings: AttributionSettings
) -> Attribution:
    """DeepLIFT of base codes (N, L) against given references (N, references, L)."""
    from tangermeme.deep_lift_shap import deep_lift_shap

    bases = scorer.one_hot(codes)
    others = scorer.one_hot(references.reshape(-1, codes.shape[1])).reshape(*references.shape[:2], *bases.shape[1:])
    network = _Network(scorer).train(False)
    with torch.no_grad():
        network(bases[:1])  # makes the modules that rules will attach to
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is checked below, and of ambiguous bases
        multipliers = deep_lift_shap(
            network,
            bases.cpu(),
            references=others.cpu(),
            batch_size=settings.batch_size,
            raw_outputs=True,
            only_warn=True,
            device=str(scorer.device),
        )
    bases, others = bases.cpu(), others.cpu()
    expected = scorer.score(codes)[:, None] - scorer.score(references.reshape(-1, codes.shape[1])).reshape(
        references.shape[:2]
    )
    found = (multipliers * (bases[:, None] - others)).sum(dim=(2, 3)).double().numpy()
    hypothetical = (multipliers - (multipliers * others).sum(dim=2, keepdim=True)).mean(dim=1)
    return Attribution.converged(
        hypothetical.transpose(1, 2).numpy(), found - expected, expected, settings.convergence_tolerance
    )


class _Network(nn.Module):
    """A scorer whose functions are modules, and which never stacks strands: a batch is sequences, then references."""

    def __init__(self, scorer: OneHotScorer) -> None:
        super().__init__()
        self.scorer = scorer
        self.modules_of = _Modules()

    def forward(self, bases: Tensor) -> Tensor:
        """Score (N, 4, L): (N, 1) logits."""
        strands = [bases] if self.scorer.strand_symmetric else [bases, bases.flip(1, 2)]
        with _Rerouted(self.modules_of):
            scores = [self.scorer.classifier.head(self._features(strand), Batch()) for strand in strands]
        return torch.stack(scores).mean(dim=0)[:, None]

    def _features(self, bases: Tensor) -> Features:
        encoder = self.scorer.classifier.encoder
        if not isinstance(encoder, Conv):
            return self.scorer.features(bases)
        padded = (functional.pad(strand, (encoder.pad, encoder.pad)) for strand in (bases, bases.flip(1, 2)))
        scores = [functional.relu(encoder.detectors(strand)) for strand in padded]
        return Features(torch.cat(scores, dim=2).transpose(1, 2), None, 1.0)


class _Modules(nn.ModuleDict):
    """Modules that stand for functions, made when they are first asked for."""

    def of(self, kind: Callable[..., nn.Module], **options: Any) -> nn.Module:
        """The module of a kind with these options."""
        name = f"{kind.__name__} {options}".replace(".", ",")
        if name not in self:
            self[name] = kind(**options)
        return self[name]


def _relu(modules: _Modules, values: Tensor, inplace: bool = False) -> Tensor:
    return modules.of(nn.ReLU)(values)


def _gelu(modules: _Modules, values: Tensor, approximate: str = "none") -> Tensor:
    return modules.of(nn.GELU, approximate=approximate)(values)


def _glu(modules: _Modules, values: Tensor, dim: int = -1) -> Tensor:
    return modules.of(nn.GLU, dim=dim)(values)


def _layer_norm(
    modules: _Modules, values: Tensor, shape: Sequence[int], weight: Tensor, bias: Tensor, eps: float = 1e-5
) -> Tensor:
    norm = modules.of(nn.LayerNorm, normalized_shape=tuple(shape), eps=eps, elementwise_affine=False)
    return norm(values) * weight + bias


def _max_pool(modules: _Modules, values: Tensor, kernel_size: int, **options: Any) -> Tensor:
    options = {name: options[name] for name in ("stride", "padding", "dilation", "ceil_mode") if name in options}
    return modules.of(nn.MaxPool1d, kernel_size=kernel_size, **options)(values)


def _highest(modules: _Modules, values: Tensor, dim: int) -> Tensor:
    assert dim == 1, "the heads take maxima over positions"
    return modules.of(nn.MaxPool1d, kernel_size=values.shape[1])(values.transpose(1, 2))[:, :, 0]


REROUTED: dict[Callable[..., Any], Callable[..., Tensor]] = {
    functional.relu: _relu,
    functional.gelu: _gelu,
    functional.glu: _glu,
    functional.layer_norm: _layer_norm,
    functional.max_pool1d: _max_pool,
    torch.Tensor.amax: _highest,
}


class _Rerouted(TorchFunctionMode):
    """Context in which functions of `REROUTED` run as modules."""

    def __init__(self, modules: _Modules) -> None:
        super().__init__()
        self.held = modules

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in REROUTED:
            return REROUTED[func](self.held, *args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))
