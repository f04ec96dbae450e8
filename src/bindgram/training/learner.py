"""A network with what updates it: device, arithmetic, optimizer and schedule. One step, and the state to go on from."""

from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from bindgram.errors import InputError
from bindgram.models.awd_lstm import WeightDropLstm, has_bfloat16_lstm
from bindgram.training.distributed import ALONE, GradientSum, World

DTYPES = {"32-true": torch.float32, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


class Learner:
    """One network in training.

    Parameters
    ----------
    precision : ``32-true``; ``bf16-mixed`` or ``16-mixed``: weights in 32 bits, products in 16; the latter scales the
        loss.
    clip_norm : longest gradient; None = not clipped.
    world : ranks whose gradients are summed.

    Raises
    ------
    InputError : the device cannot calculate in this precision.
    """

    def __init__(
        self,
        model: nn.Module,
        device: torch.device,
        precision: str,
        clip_norm: float | None,
        world: World = ALONE,
    ) -> None:
        if precision == "16-mixed" and device.type == "cpu":
            raise InputError(
                "precision: 16-mixed needs a GPU, and this job runs on a CPU; set bf16-mixed or 32-true in the file of "
                "the model or language model, or ask for a GPU"
            )
        self.model, self.device, self.precision, self.clip_norm = model.to(device), device, precision, clip_norm
        self.gradients = GradientSum(world, list(self.model.parameters()))
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "16-mixed")
        self.optimizer: torch.optim.Optimizer
        self.schedule: LRScheduler

    def describe_precision(self) -> str:
        """The precision as it is really used."""
        if self.device.type == "cuda" and self.precision == "32-true" and torch.backends.cudnn.allow_tf32:
            return "32-true (cuDNN may round to TF32)"
        if self.device.type == "cuda" and self.precision == "bf16-mixed" and not torch.cuda.is_bf16_supported(False):
            return "bf16-mixed (emulated: this GPU has no bfloat16)"
        has_lstm = any(isinstance(module, WeightDropLstm) for module in self.model.modules())
        in_bf16 = self.device.type == "cuda" and self.precision == "bf16-mixed"
        if in_bf16 and has_lstm and not has_bfloat16_lstm(self.device):
            return "bf16-mixed (but the LSTM in float16, as cuDNN before 9.13 has none in bfloat16)"
        return self.precision

    def autocast(self) -> torch.autocast:
        """Context in which the network calculates in its precision."""
        return torch.autocast(self.device.type, DTYPES[self.precision], enabled=self.precision != "32-true")

    def update(self, loss: torch.Tensor) -> None:
        """One step down the gradient of `loss`, and one of the schedule."""
        self.add_gradient(loss, first=True, last=True)
        self.step()

    def add_gradient(self, loss: torch.Tensor, *, first: bool, last: bool) -> None:
        """Add a part of the gradient of the next step; with the `last` part of each rank, their sum goes to all."""
        if first:
            self.optimizer.zero_grad()
        self.gradients.sends = last
        self.scaler.scale(loss).backward()

    def step(self, rate_factor: float = 1.0) -> None:
        """One step down the gradients, at `rate_factor` times the rate, and one of the schedule."""
        self.gradients.wait()
        if self.clip_norm is not None:
            learning = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
            # Not finite: a loss scaler skips the step; without one, the next validation says what happened.
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(learning, self.clip_norm)
        rates = [group["lr"] for group in self.optimizer.param_groups]
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * rate_factor
        self.scaler.step(self.optimizer)
        self.scaler.update()
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self.schedule.step()

    def weights(self) -> dict[str, torch.Tensor]:
        """A copy of the network's tensors, on the CPU."""
        return {name: value.detach().cpu().clone() for name, value in self.model.state_dict().items()}

    def state(self) -> dict[str, Any]:
        """All that the next step depends on but the data: weights, optimizer, schedule, loss scale, generators."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "generators": self.generators(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state` of the same network, optimizer and schedule."""
        self.model.load_state_dict(state["model"], strict=True)
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
        self.restore_generators(state["generators"])

    def generators(self) -> dict[str, torch.Tensor]:
        """States of the generators of random numbers, by kind of device."""
        states = {"cpu": torch.random.get_rng_state()}
        return states | ({"cuda": torch.cuda.get_rng_state(self.device)} if self.device.type == "cuda" else {})

    def restore_generators(self, states: dict[str, torch.Tensor]) -> None:
        """Go on from `generators`."""
        torch.random.set_rng_state(states["cpu"])
        if "cuda" in states:
            torch.cuda.set_rng_state(states["cuda"], self.device)
