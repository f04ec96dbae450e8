"""Optimizers and learning-rate schedules over parameter groups.

References
----------
Smith (2018), one-cycle: https://arxiv.org/abs/1803.09820
Merity et al. (2017), NT-ASGD: https://arxiv.org/abs/1708.02182, algorithm 1
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR


class AveragedSgd(torch.optim.SGD):
    """SGD that keeps the mean of the weights it passes, from `start_averaging` on, those of then included."""

    def start_averaging(self) -> None:
        """Begin the mean with the weights as they are."""
        for group in self.param_groups:
            group["n_averaged"] = 1
            for parameter in group["params"]:
                self.state[parameter]["mean"] = parameter.detach().clone()

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Step down the gradients, and take the new weights into the mean."""
        loss = super().step(closure)
        for group in self.param_groups:
            if group.get("n_averaged"):
                group["n_averaged"] += 1
                means = [self.state[parameter]["mean"] for parameter in group["params"]]
                torch._foreach_lerp_(means, group["params"], 1 / group["n_averaged"])
        return loss


def discriminative_rates(rate: float, decay: float, n_groups: int) -> list[float]:
    """Learning rate per group from input to head: the head gets `rate`, each group below it 1/`decay` of the next."""
    return [rate / decay ** (n_groups - 1 - group) for group in range(n_groups)]


def freeze_below(groups: Sequence[Sequence[nn.Parameter]], unfrozen: int | None) -> list[Sequence[nn.Parameter]]:
    """Let the last `unfrozen` groups learn (None: all) and freeze the others; return the learning ones."""
    first = 0 if unfrozen is None else max(0, len(groups) - unfrozen)
    for number, group in enumerate(groups):
        for parameter in group:
            parameter.requires_grad_(number >= first)
            if number < first:
                parameter.grad = None  # what an earlier stage left would count when the norm is clipped
    return list(groups[first:])


def make_optimizer(
    name: str, groups: Sequence[Sequence[nn.Parameter]], rates: Sequence[float], weight_decay: float
) -> torch.optim.Optimizer:
    """``adamw``, ``sgd``, or ``nt_asgd``: SGD that averages its weights from when `NonMonotoneTrigger` says so."""
    parameters = [{"params": list(group), "lr": rate} for group, rate in zip(groups, rates, strict=True)]
    if name == "adamw":
        # Fused: one pass over weights, gradients and moments instead of one per operation.
        return torch.optim.AdamW(parameters, betas=(0.9, 0.99), weight_decay=weight_decay, fused=True)
    kinds = {"sgd": torch.optim.SGD, "nt_asgd": AveragedSgd}
    return kinds[name](parameters, weight_decay=weight_decay)


def make_schedule(
    name: str,
    optimizer: torch.optim.Optimizer,
    n_steps: int,
    warmup: float | None,
    momentum: Sequence[float] | None,
) -> LRScheduler:
    """``one_cycle`` or ``constant``.

    One cycle takes each group up to its own rate over the fraction `warmup` of all steps and down to almost nothing,
    and AdamW's first beta from `momentum`[0] to `momentum`[1] and back (None: it stays as it is).
    """
    if name == "constant":
        return LambdaLR(optimizer, lambda step: 1.0)
    rates = [group["lr"] for group in optimizer.param_groups]
    n_steps = max(n_steps, 2)
    if warmup * n_steps == 1:  # a rise over zero steps, by which torch divides: start at the top instead
        warmup /= 2
    high, low = momentum or (0.0, 0.0)
    return OneCycleLR(
        optimizer,
        max_lr=rates,
        total_steps=n_steps,
        pct_start=warmup,
        cycle_momentum=momentum is not None,
        max_momentum=high,
        base_momentum=low,
    )


class NonMonotoneTrigger:
    """Start averaging when a validation loss is above the best of all but the last `patience` (None: never).

    As in the authors' code, https://github.com/salesforce/awd-lstm-lm, main.py.
    """

    def __init__(self, patience: int | None) -> None:
        self.patience = patience
        self.losses: list[float] = []
        self.triggered = False

    def update(self, loss: float, optimizer: torch.optim.Optimizer) -> None:
        """Note a validation loss; switch the optimizer to averaging once the loss stops improving."""
        older = self.losses[: -self.patience] if self.patience else []
        if not self.triggered and older and loss > min(older):
            self.triggered = True
            assert isinstance(optimizer, AveragedSgd)
            optimizer.start_averaging()
        self.losses.append(loss)


@contextmanager
def averaged_weights(optimizer: torch.optim.Optimizer, trigger: NonMonotoneTrigger) -> Iterator[None]:
    """Put the averaged weights in place for the body (validation, saving) and the running ones back after it."""
    if not trigger.triggered:
        yield
        return
    running = {}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            running[parameter] = parameter.detach().clone()
            parameter.data.copy_(optimizer.state[parameter]["mean"])
    try:
        yield
    finally:
        for parameter, value in running.items():
            parameter.data.copy_(value)
