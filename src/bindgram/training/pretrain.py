"""Language modelling: pretraining on a genome corpus and adaptation to the positives of an experiment.

Recurrent state is carried from step to step (truncated backpropagation through time). Losses are given in nats per
base, under the name of the objective's metric, beside those of its reference: models of counts, fitted on the same
training tokens and scored on the same validation regions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from bindgram.errors import InputError
from bindgram.models.awd_lstm import State
from bindgram.models.bundle import check_tensors
from bindgram.models.language_model import LanguageModel, build_language_model
from bindgram.sequence.kmers import Vocabulary
from bindgram.settings.models import LanguageModelFile, LmStage
from bindgram.training.checkpoints import Checkpoint, Interrupted
from bindgram.training.device import describe_device, seeded
from bindgram.training.footprint import check_vocabulary_fits
from bindgram.training.learner import Learner
from bindgram.training.loaders import Lanes, send, spread_lanes
from bindgram.training.logs import RunLog
from bindgram.training.memory import memory_advice
from bindgram.training.objectives import OBJECTIVES, Objective
from bindgram.training.optimizers import NonMonotoneTrigger, averaged_weights, make_optimizer, make_schedule
from bindgram.training.progress import Progress, announce

N_VALID_LANES = 32
FIELDS = ("step", "validated", "reference", "best", "best_nats", "rows")  # of `_Run`, kept as they are


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
    checkpoint: Checkpoint,
    start: Mapping[str, torch.Tensor] | None = None,
    log: RunLog | None = None,
) -> TrainedLanguageModel:
    """Train a language model for one stage.

    Parameters
    ----------
    settings : vocabulary, encoder, and the stage's own section.
    stage_name : ``pretrain`` or ``adapt``.
    train_tokens, valid_tokens : (tokens,) streams of any unsigned type. A backward language model reads them from their
        ends; the Markov models beside it do not, since theirs is the same entropy in both directions.
    checkpoint : what an interrupted training goes on from, with the same weights as one that was not. Its ranks train
        together, each on its own lanes.
    start : weights to start from, which are validated first and kept if nothing beats them; None = random.
    log : where the numbers of steps go; None = nowhere.

    Returns
    -------
    The weights of the best validation. Without enough validation tokens for one step, those of the end.

    Raises
    ------
    InputError : the vocabulary exceeds memory, training diverged, or the device cannot calculate in this precision.
    Interrupted : a signal came; the state is in the checkpoint.
    """
    stage = settings.pretrain if stage_name == "pretrain" else settings.adapt
    assert stage is not None
    vocabulary = Vocabulary(settings.vocabulary.k, settings.vocabulary.stride)
    check_vocabulary_fits(settings, stage, stage_name, checkpoint.world.size * stage.accumulation, device)
    order = -1 if settings.direction == "backward" else 1
    valid = spread_lanes(valid_tokens, N_VALID_LANES, stage.max_valid_tokens, vocabulary.stride)
    with seeded(seed, device):
        model = build_language_model(settings, stage.dropout)
        if start is not None:
            check_tensors(model.state_dict(), start, "base bundle")
            model.load_state_dict(dict(start), strict=True)
        lanes = Lanes(
            train_tokens[::order],
            vocabulary,
            stage.batch_size,
            stage.bptt,
            stage.reverse_complement,
            lengths_seed=seed if stage.variable_bptt else None,
        )
        objective = OBJECTIVES[settings.objective.name](settings.objective, vocabulary)
        run = _Run(
            *(model, objective, stage, stage_name, lanes, valid, order, device, seed, checkpoint, log or RunLog()),
            start is not None,
        )
        with memory_advice(stage_name, stage.batch_size, model, device, stage.accumulation):
            run.train()
    return TrainedLanguageModel(run.best, pd.DataFrame(run.rows), run.metrics())


class _Run:
    """One stage of training and what it has found so far."""

    def __init__(
        self,
        model: LanguageModel,
        objective: Objective,
        stage: LmStage,
        name: str,
        lanes: Lanes,
        valid: np.ndarray,
        order: int,  # 1, or -1: from the end to the start
        device: torch.device,
        seed: int,
        checkpoint: Checkpoint,
        log: RunLog,
        scores_start: bool,
    ) -> None:
        self.scores_start, self.seed, self.world = scores_start, seed, checkpoint.world
        self.stage, self.name, self.lanes, self.checkpoint = stage, name, lanes, checkpoint
        self.model, self.objective, self.device, self.vocabulary = model, objective, device, lanes.vocabulary
        self.valid_positions = valid  # with every k-mer; the language model reads one phase of them
        self.valid, self.order = valid[:, ::order][:, :: self.vocabulary.stride], order
        if problem := stage.why_not_equal(self.world.size):
            raise InputError(f"language-model file: {name}.{problem}; or use another number of GPUs")
        self.n_parts = self.world.size * stage.accumulation  # of a batch
        self.parts = [
            replace(lanes, rank=self.world.rank * stage.accumulation + number, world_size=self.n_parts)
            for number in range(stage.accumulation)
        ]
        self.tokens_per_step = stage.batch_size * stage.bptt
        self.learner = Learner(model, device, stage.precision, stage.optimizer.clip_norm, self.world)
        wanted = stage.optimizer
        self.learner.optimizer = make_optimizer(
            wanted.name, [list(model.parameters())], [wanted.learning_rate], wanted.weight_decay
        )
        self._plan_steps()
        self.learner.schedule = make_schedule(
            wanted.schedule, self.learner.optimizer, self.n_steps, wanted.warmup, wanted.momentum
        )
        self.trigger = NonMonotoneTrigger(wanted.nonmonotone_checks)
        self.step, self.validated = 0, 0  # steps done, and those done at the last validation
        self.recurrent: list[State] = []  # of each part
        self.running: float | torch.Tensor = 0.0  # sum of the losses since the last validation; stays on the device
        self.loss: float | torch.Tensor = 0.0  # of the last step, with what the objective adds; stays on the device
        self.reference: dict[int, float] | None = None  # nats per base by order
        self.best: dict[str, torch.Tensor] = {}
        self.best_nats = float("inf")
        self.rows: list[dict[str, Any]] = []
        self.n_valid_scored = 0.0  # tokens that the last validation scored
        self.progress = Progress(name, self.tokens_per_step, self.n_steps, log, self.learner)
        if self.world.size > 1:
            torch.manual_seed(self.world.seed(seed, name))  # dropout differs between the ranks, weights do not

    def _plan_steps(self) -> None:
        borders = [self.lanes.borders(epoch) for epoch in range(self.stage.epochs)]
        lengths = np.concatenate([[0], *(np.diff(one) for one in borders)])
        self.epoch_starts = np.cumsum([0, *(len(one) - 1 for one in borders)])  # steps before each epoch
        self.tokens = self.stage.batch_size * np.cumsum(lengths)  # read after each number of steps
        self.n_steps = len(lengths) - 1
        if self.stage.max_tokens is not None:
            self.n_steps = max(1, np.searchsorted(self.tokens, self.stage.max_tokens, side="right").item() - 1)

    def train(self) -> None:
        """Run all steps that are left, validating every `validate_every` steps and at the end."""
        ranks = f"{self.world.size} x " if self.world.size > 1 else ""
        announce(
            f"{self.name}: {self.n_steps} steps of {self.stage.batch_size} x {self.stage.bptt} tokens on "
            f"{ranks}{describe_device(self.device)}, precision {self.learner.describe_precision()}"
        )
        self.checkpoint.hold_signals()
        try:
            if saved := self.checkpoint.take_state():
                self._restore(saved)
            self._validate_if_due()
            with self.progress:
                while self.step < self.n_steps:
                    self._train_step()
                    n_tokens = (self.tokens[self.step] - self.tokens[self.step - 1]).item()
                    self.progress.step(self.step, n_tokens, self._losses)
                    self.checkpoint.check()
                    self.checkpoint.save_if_due(self._state)
                    self._validate_if_due()
        except Interrupted as interrupted:
            self.checkpoint.save_and_stop(self._state(), interrupted)
        self._keep_something()
        self.progress.finished(self._describe_result())

    def _losses(self) -> dict[str, float]:
        mean = float(self.running) / (self.step - self.validated)
        return {"loss": float(self.loss), self.objective.metric: mean}

    def _describe_result(self) -> str:
        """What came out, in a few words."""
        found, metric, reference = self.metrics(), self.objective.metric, self.objective.reference
        if found[f"valid_{metric}"] is None:
            return "no validation; the weights of the end are kept"
        text = f"best {found[f'valid_{metric}']:.4f} {self._unit}"
        if found[f"{reference}_{metric}"] is None:
            return text
        beats = "below" if found[f"beats_{reference}"] else "not below"
        order = found[f"{reference}_best_order"]
        return f"{text}, {beats} {_title(reference)} {found[f'{reference}_{metric}']:.4f} (order {order})"

    @property
    def _unit(self) -> str:
        return self.objective.metric.replace("_", " ")

    def _train_step(self) -> None:
        """Read a batch, in parts: each adds its share of the gradient of the mean over all tokens that are scored."""
        epoch = np.searchsorted(self.epoch_starts, self.step, side="right").item() - 1
        position = self.step - self.epoch_starts[epoch].item()
        if position == 0:
            self._forget()
        self.model.train()
        asked = [self.objective.ask(lanes, position, epoch, self.seed) for lanes in self.parts]
        n_ours = torch.stack([self.objective.counts(*question).sum() for question in asked]).sum()
        n_scored = self.world.sum(send(n_ours, self.device)).clamp(min=1)  # of all ranks
        nats = torch.zeros((), dtype=torch.float64, device=self.device)
        penalty: float | torch.Tensor = 0.0
        for number, question in enumerate(asked):
            inputs, targets = (send(part, self.device) for part in question)
            with self.learner.autocast():
                scored = self.objective.score(self.model, inputs, targets, self.recurrent[number])
            loss = scored.nats / n_scored + scored.penalty / self.n_parts
            self.learner.add_gradient(loss, first=number == 0, last=number == len(self.parts) - 1)
            self.recurrent[number] = [(hidden.detach().float(), cell.detach().float()) for hidden, cell in scored.state]
            nats += scored.nats.detach()
            penalty = penalty + torch.as_tensor(scored.penalty).detach()
        self.learner.step(inputs.shape[1] / self.stage.bptt)
        nats = self.world.sum(nats) / n_scored
        self.loss = nats + penalty / len(self.parts)
        self.running = self.running + nats / self.vocabulary.stride
        self.step += 1

    def _forget(self) -> None:
        """Begin with what the encoder remembers before the first token."""
        n_lanes = self.stage.batch_size // self.n_parts
        self.recurrent = [self.model.encoder.initial_state(n_lanes) for _ in self.parts]

    def _validate_if_due(self) -> None:
        if self.step:
            regular = self.step % self.stage.validate_every == 0 or self.step == self.n_steps
            due = regular and self.step > self.validated
        else:
            due = self.scores_start and not self.rows
        if due:
            self._validate()

    def _validate(self) -> None:
        """Score the weights. Nothing is changed if a signal comes meanwhile."""
        optimizer, n_steps = self.learner.optimizer, self.step - self.validated
        metric, reference = self.objective.metric, self.objective.reference
        with self.progress.paused(), averaged_weights(optimizer, self.trigger):
            if self.reference is None:
                self.reference = self.objective.score_reference(
                    self.lanes.tokens[:: self.order],
                    self.valid_positions,
                    self.vocabulary,
                    reverse_complement=self.stage.reverse_complement,
                    check=self.checkpoint.check,
                )
            nats = self._valid_nats()
            if nats < self.best_nats:
                self.best_nats, self.best = nats, self.learner.weights()
        bar = min(self.reference.values())
        if self.step:
            self.trigger.update(nats, optimizer)
        train_nats = float(self.running) / n_steps if n_steps else float("nan")
        self.rows.append(
            {
                "stage": self.name,
                "tokens": self.tokens[self.step].item(),
                "learning_rate": optimizer.param_groups[0]["lr"],
                f"train_{metric}": train_nats,
                f"valid_{metric}": nats,
                f"{reference}_{metric}": bar,
            }
        )
        self.running, self.validated = 0.0, self.step
        trained = f"train {train_nats:.4f}, {self.progress.rate:,.0f} tokens/s" if n_steps else "before training"
        text = (
            f"step {self.step}/{self.n_steps}: valid {nats:.4f} {self._unit} ({_title(reference)} {bar:.4f}), {trained}"
        )
        self.progress.validated(self.step, self.rows[-1], text)

    @torch.no_grad()
    def _valid_nats(self) -> float:
        """Nats per base of the validation tokens; each rank reads some of the lanes."""
        self.model.eval()
        share = self.world.share(len(self.valid))
        ours = self.valid[share]
        state = self.model.encoder.initial_state(len(ours))
        sums = torch.zeros(2, dtype=torch.float64, device=self.device)
        for start in range(0, self.valid.shape[1] - 1, self.stage.bptt):
            self.checkpoint.check()
            if not len(ours):
                continue
            part = torch.from_numpy(ours[:, start : start + self.stage.bptt + 1].astype(np.int64))
            inputs, targets = (side.to(self.device) for side in self.objective.ask_valid(part, start, share))
            with self.learner.autocast():
                scored = self.objective.score(self.model, inputs, targets, state)
            state = [(hidden.float(), cell.float()) for hidden, cell in scored.state]
            sums += torch.stack([scored.nats, scored.n_scored])
        total, n_scored = self.world.sum(sums).tolist()
        self.n_valid_scored = n_scored
        return total / n_scored / self.vocabulary.stride if n_scored else float("nan")

    def _keep_something(self) -> None:
        """Refuse a diverged training; where nothing could be validated, keep the weights of the end."""
        trained = [row[f"valid_{self.objective.metric}"] for row in self.rows if row["tokens"]]
        if self.n_valid_scored and not np.isfinite(trained).any():
            raise InputError(
                f"{self.name} diverged: no validation loss is finite; lower optimizer.learning_rate of this stage in "
                "the language-model file, or set optimizer.clip_norm"
            )
        if not self.best:
            self.best = self.learner.weights()

    def _state(self) -> dict[str, Any]:
        """What all ranks go on from, at rank 0. All have to ask."""
        own = {
            "generators": self.learner.generators(),
            "recurrent": [
                [(hidden.cpu().clone(), cell.cpu().clone()) for hidden, cell in part] for part in self.recurrent
            ],
        }
        return {
            "learner": self.learner.state(),
            "ranks": self.world.gather(own),
            "trigger": vars(self.trigger),
            "running": float(self.running),
            "log": self.progress.log.state(),
            **{name: getattr(self, name) for name in FIELDS},
        }

    def _restore(self, saved: dict[str, Any]) -> None:
        self.learner.restore(saved["learner"])
        vars(self.trigger).update(saved["trigger"])
        self.running = saved["running"]
        self.progress.log.restore(saved["log"])
        for name in FIELDS:
            setattr(self, name, saved[name])
        announce(f"{self.name}: goes on from its checkpoint after step {self.step}/{self.n_steps}")
        ranks = saved["ranks"]
        if len(ranks) == self.world.size:
            own = ranks[self.world.rank]
            self.learner.restore_generators(own["generators"])
            self.recurrent = [
                [(hidden.to(self.device), cell.to(self.device)) for hidden, cell in part] for part in own["recurrent"]
            ]
        else:
            announce(
                f"{self.name}: the checkpoint is of {len(ranks)} GPU(s), now there are {self.world.size}: weights and "
                "data are the same; dropout draws other numbers, and the lanes forget what they have read so far"
            )
            torch.manual_seed(self.world.seed(self.seed, self.name, str(self.step)))
            self._forget()

    def metrics(self) -> dict[str, Any]:
        """Best validation loss beside those of the reference, and how much was read."""
        metric, reference = self.objective.metric, self.objective.reference
        found = np.isfinite(self.best_nats)
        orders = {str(order): round(nats, 6) for order, nats in (self.reference or {}).items() if np.isfinite(nats)}
        best = min(orders, key=orders.__getitem__, default=None)
        return {
            f"valid_{metric}": round(self.best_nats, 6) if found else None,
            f"{reference}_{metric}": orders.get(best),
            f"{reference}_best_order": None if best is None else int(best),
            f"{reference}_orders": orders,
            f"beats_{reference}": bool(found and best is not None and self.best_nats < orders[best]),
            "train_tokens": self.tokens[self.n_steps].item(),
            "averaged": self.trigger.triggered,
        }


def _title(reference: str) -> str:
    """A reference as lines name it: Markov, Two-sided."""
    return reference.replace("_", "-").capitalize()
