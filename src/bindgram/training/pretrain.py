"""Language modelling: pretraining on a genome corpus and adaptation to the positives of an experiment.

A plain loop on Lightning Fabric, because recurrent state is carried from step to step (truncated backpropagation
through time), which Lightning's Trainer does not do. Losses are given in nats per base, beside those of an order-3
Markov model fitted on the same training tokens and scored on the same validation tokens.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning.fabric import Fabric

from bindgram.data.markov import fit_markov, markov_nats_per_base
from bindgram.errors import InputError
from bindgram.models.awd_lstm import AwdLstm, LanguageModel, State
from bindgram.models.classifier import build_encoder
from bindgram.models.losses import masked_cross_entropy
from bindgram.sequence.kmers import Vocabulary
from bindgram.settings.models import LanguageModelFile, LmStage
from bindgram.training.device import announce, seeded
from bindgram.training.loaders import Lanes, spread_lanes, target_mask
from bindgram.training.optimizers import NonMonotoneTrigger, averaged_weights, make_optimizer, make_schedule

MARKOV_ORDER = 3
PROGRESS_SECONDS = 15
N_VALID_LANES = 32


@dataclass(frozen=True)
class TrainedLanguageModel:
    """Weights with the lowest validation loss, the log, and what it came to."""

    state: dict[str, torch.Tensor]
    log: pd.DataFrame
    metrics: dict[str, Any]


def train_language_model(
    settings: LanguageModelFile,
    stage_name: str,
    train_tokens: np.ndarray,
    valid_tokens: np.ndarray,
    *,
    device: torch.device,
    seed: int,
    start: Mapping[str, torch.Tensor] | None = None,
) -> TrainedLanguageModel:
    """Train a language model for one stage.

    Parameters
    ----------
    settings : vocabulary, encoder, and the stage's own section.
    stage_name : ``pretrain`` or ``adapt``.
    train_tokens, valid_tokens : (tokens,) streams of any unsigned type.
    start : weights to start from; None = random.

    Returns
    -------
    The weights of the best validation. Without enough validation tokens for one step, those of the end.

    Raises
    ------
    InputError : training diverged.
    """
    stage = settings.pretrain if stage_name == "pretrain" else settings.adapt
    assert stage is not None
    vocabulary = Vocabulary(settings.vocabulary.k, settings.vocabulary.stride)
    markov = fit_markov(train_tokens, vocabulary, MARKOV_ORDER)
    valid = spread_lanes(valid_tokens, N_VALID_LANES, stage.max_valid_tokens)
    with seeded(seed):
        encoder = build_encoder(settings.encoder, settings.vocabulary, stage.dropout)
        assert isinstance(encoder, AwdLstm)
        model = LanguageModel(encoder, stage.dropout.output)
        if start is not None:
            model.load_state_dict(dict(start), strict=True)
        lanes = Lanes(train_tokens, vocabulary, stage.batch_size, stage.bptt, stage.reverse_complement)
        run = _Run(model, stage, stage_name, lanes, valid, vocabulary, device)
        run.markov = markov_nats_per_base(markov, valid, vocabulary)
        run.train()
    return TrainedLanguageModel(run.best, pd.DataFrame(run.rows), run.metrics())


class _Run:
    """One stage of training and what it has found so far."""

    def __init__(
        self,
        model: LanguageModel,
        stage: LmStage,
        name: str,
        lanes: Lanes,
        valid: np.ndarray,
        vocabulary: Vocabulary,
        device: torch.device,
    ) -> None:
        self.stage, self.name, self.lanes, self.valid, self.vocabulary = stage, name, lanes, valid, vocabulary
        self.fabric = Fabric(accelerator=device.type, devices=1, precision=stage.precision)
        rate = stage.optimizer.learning_rate
        optimizer = make_optimizer(
            stage.optimizer.name, [list(model.parameters())], [rate], stage.optimizer.weight_decay
        )
        self.model, self.optimizer = self.fabric.setup(model, optimizer)
        self.n_steps = self._count_steps()
        self.schedule = make_schedule(stage.optimizer.schedule, optimizer, self.n_steps, stage.optimizer.warmup)
        self.trigger = NonMonotoneTrigger(stage.optimizer.nonmonotone_checks)
        self.markov = float("nan")
        self.best: dict[str, torch.Tensor] = {}
        self.best_nats = float("inf")
        self.rows: list[dict[str, Any]] = []
        self.started = time.monotonic()
        self.announced = self.started

    def _count_steps(self) -> int:
        steps = self.lanes.n_steps * self.stage.epochs
        if self.stage.max_tokens is not None:
            steps = min(steps, max(1, self.stage.max_tokens // (self.stage.batch_size * self.stage.bptt)))
        return steps

    def train(self) -> None:
        """Run all steps, validating every `validate_every` steps and at the end."""
        announce(
            f"{self.name}: {self.n_steps} steps of {self.stage.batch_size} x {self.stage.bptt} tokens on "
            f"{self.fabric.device}, precision {self.stage.precision}; order-{MARKOV_ORDER} Markov model: "
            f"{self.markov:.4f} nats per base on the validation regions"
        )
        state: State = self.model.encoder.initial_state(self.stage.batch_size)
        running, n_running = 0.0, 0
        for step in range(self.n_steps):
            position = step % self.lanes.n_steps
            if position == 0:
                state = self.model.encoder.initial_state(self.stage.batch_size)
            loss, state = self._step(position, state)
            running, n_running = running + loss, n_running + 1
            self._progress(step, running / n_running)
            if (step + 1) % self.stage.validate_every == 0 or step + 1 == self.n_steps:
                self._validate(step + 1, running / n_running)
                running, n_running = 0.0, 0
        if not self.best:
            if self.rows and target_mask(self.valid[:, :-1], self.valid[:, 1:]).any():
                raise InputError(
                    f"{self.name} diverged: no validation loss is finite; lower optimizer.learning_rate of this stage "
                    "in the language-model file, or set optimizer.clip_norm"
                )
            self._keep()

    def _step(self, position: int, state: State) -> tuple[float, State]:
        inputs, targets = (part.to(self.fabric.device) for part in self.lanes.step(position))
        self.model.train()
        logits, state = self.model(inputs, state)
        loss = masked_cross_entropy(logits, targets.T, target_mask(inputs, targets).T)
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        if self.stage.optimizer.clip_norm is not None:
            # Not finite: a loss scaler skips the step; without one, the next validation says what happened.
            self.fabric.clip_gradients(
                self.model, self.optimizer, max_norm=self.stage.optimizer.clip_norm, error_if_nonfinite=False
            )
        self.optimizer.step()
        self.schedule.step()
        return loss.item() / self.vocabulary.stride, [(h.detach(), c.detach()) for h, c in state]

    def _validate(self, step: int, train_nats: float) -> None:
        with averaged_weights(self.optimizer, self.trigger):
            nats = self._valid_nats()
            if nats < self.best_nats:
                self.best_nats = nats
                self._keep()
        self.trigger.update(nats, self.optimizer)
        self.rows.append(
            {
                "stage": self.name,
                "tokens": step * self.stage.batch_size * self.stage.bptt,
                "learning_rate": self.optimizer.param_groups[0]["lr"],
                "train_nats_per_base": train_nats,
                "valid_nats_per_base": nats,
                "markov3_nats_per_base": self.markov,
            }
        )
        announce(
            f"{self.name}: step {step}/{self.n_steps}: train {train_nats:.4f}, valid {nats:.4f} nats per base"
            f" (Markov {self.markov:.4f})"
        )

    @torch.no_grad()
    def _valid_nats(self) -> float:
        self.model.eval()
        state = self.model.encoder.initial_state(len(self.valid))
        total, n_targets = 0.0, 0
        for start in range(0, self.valid.shape[1] - 1, self.stage.bptt):
            part = torch.from_numpy(self.valid[:, start : start + self.stage.bptt + 1].astype(np.int64))
            inputs, targets = (side.to(self.fabric.device) for side in (part[:, :-1], part[:, 1:]))
            logits, state = self.model(inputs, state)
            mask = target_mask(inputs, targets)
            n_known = int(mask.sum())
            total += masked_cross_entropy(logits, targets.T, mask.T).item() * n_known
            n_targets += n_known
        return total / max(n_targets, 1) / self.vocabulary.stride if n_targets else float("nan")

    def _keep(self) -> None:
        self.best = {name: value.detach().cpu().clone() for name, value in self.model.module.state_dict().items()}

    def _progress(self, step: int, train_nats: float) -> None:
        now = time.monotonic()
        if now - self.announced < PROGRESS_SECONDS and step != 4:
            return
        self.announced = now
        rate = (step + 1) / (now - self.started)
        tokens = rate * self.stage.batch_size * self.stage.bptt
        announce(
            f"{self.name}: step {step + 1}/{self.n_steps}, {train_nats:.4f} nats per base, {tokens:,.0f} tokens/s, "
            f"{(self.n_steps - step - 1) / rate:.0f} s left"
        )

    def metrics(self) -> dict[str, Any]:
        """Best validation loss beside the Markov model's, and how much was read."""
        found = np.isfinite(self.best_nats)
        return {
            "valid_nats_per_base": round(self.best_nats, 6) if found else None,
            "markov3_nats_per_base": round(self.markov, 6) if np.isfinite(self.markov) else None,
            "beats_markov3": bool(found and self.best_nats < self.markov),
            "train_tokens": self.n_steps * self.stage.batch_size * self.stage.bptt,
            "averaged": self.trigger.triggered,
        }
