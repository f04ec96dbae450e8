"""Fine-tuning: a classifier trained in stages, with gradual unfreezing and discriminative learning rates.

References
----------
Howard, Ruder (2018), Universal Language Model Fine-tuning for Text Classification, https://arxiv.org/abs/1801.06146
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from bindgram.errors import InputError
from bindgram.models.classifier import Classifier
from bindgram.models.losses import masked_binary_cross_entropy
from bindgram.settings.models import FinetuneStage, UnfreezeStage
from bindgram.training.checkpoints import Checkpoint, Interrupted
from bindgram.training.device import describe_device, seeded
from bindgram.training.learner import Learner
from bindgram.training.loaders import LabelledSequences
from bindgram.training.logs import RunLog
from bindgram.training.memory import memory_advice
from bindgram.training.optimizers import discriminative_rates, freeze_below, make_optimizer, make_schedule
from bindgram.training.progress import Progress, announce
from bindgram.training.scoring import area_under_roc, score_strands

# What of `_Run` a checkpoint holds as it is.
FIELDS = (
    "stage",
    "stage_epoch",
    "epoch",
    "step",
    "n_seen",
    "best",
    "best_auroc",
    "best_loss",
    "best_epoch",
    "rows",
)


@dataclass(frozen=True)
class TrainedClassifier:
    """Weights with the best validation AUROC, the log, and what it came to."""

    state: dict[str, torch.Tensor]
    log: pd.DataFrame
    metrics: dict[str, Any]


def train_classifier(
    model: Classifier,
    settings: FinetuneStage,
    train: LabelledSequences,
    valid: LabelledSequences,
    *,
    device: torch.device,
    seed: int,
    checkpoint: Checkpoint,
    log: RunLog | None = None,
) -> TrainedClassifier:
    """Fine-tune a classifier; keep the weights of the best validation AUROC (strands averaged).

    A stage ends early after `patience` epochs without a better AUROC; the next stage goes on from the weights it has.
    An interrupted training goes on from `checkpoint`, with the same weights as one that was not interrupted.

    Raises
    ------
    InputError : training diverged, a stage unfreezes more groups than there are, or the device cannot calculate in
        this precision.
    Interrupted : a signal came; the state is in the checkpoint.
    """
    with seeded(seed, device):
        run = _Run(model, settings, train, valid, device, seed, checkpoint, log or RunLog())
        with memory_advice("finetune", settings.batch_size, model, device):
            run.train_stages()
    return TrainedClassifier(run.best, pd.DataFrame(run.rows), run.metrics())


def train_unfrozen(model: torch.nn.Module) -> None:
    """Set a model to train, but for the statistics of normalisation layers that are frozen.

    Dropout acts in frozen layers too: the layers above learn from what they will read later.
    """
    model.train()
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        if isinstance(module, _BatchNorm) and own and not any(parameter.requires_grad for parameter in own):
            module.eval()


class _Run:
    """One fine-tuning and what it has found so far."""

    def __init__(
        self,
        model: Classifier,
        settings: FinetuneStage,
        train: LabelledSequences,
        valid: LabelledSequences,
        device: torch.device,
        seed: int,
        checkpoint: Checkpoint,
        log: RunLog,
    ) -> None:
        self.settings, self.train, self.valid, self.seed, self.checkpoint = settings, train, valid, seed, checkpoint
        self.model, self.device = model, device
        self.learner = Learner(model, device, settings.precision, settings.clip_norm)
        self.stage, self.stage_epoch, self.epoch, self.step = 0, 0, 0, 0  # done: stages, epochs of this, all, steps
        self.running: float | torch.Tensor = 0.0  # sum of the losses of this epoch's examples; stays on the device
        self.n_seen = 0  # examples of this epoch
        self.best: dict[str, torch.Tensor] = {}
        self.best_auroc, self.best_loss, self.best_epoch = -1.0, float("inf"), 0
        self.rows: list[dict[str, Any]] = []
        self.steps_per_epoch = len(range(0, len(train), settings.batch_size))
        n_steps = self.steps_per_epoch * sum(stage.epochs for stage in settings.stages)
        tokens = min(settings.batch_size, len(train)) * train.n_tokens
        self.progress = Progress("finetune", tokens, n_steps, log, self.learner)

    def train_stages(self) -> None:
        """Run all stages that are left."""
        announce(
            f"finetune: seed {self.seed}, {len(self.train)} examples of {self.train.n_tokens} tokens on "
            f"{describe_device(self.device)}, precision {self.learner.describe_precision()}"
        )
        self.checkpoint.hold_signals()
        saved = self.checkpoint.take_state()
        try:
            with self.progress:
                for number in range(saved["stage"] if saved else 0, len(self.settings.stages)):
                    stage = self._begin_stage(number)
                    if saved:
                        self._restore(saved)
                        saved = None
                    while self.stage_epoch < stage.epochs and not self._waited_enough():
                        self._train_epoch()
                        self._validate()
        except Interrupted as interrupted:
            self.checkpoint.save_and_stop(self._state(), interrupted)
        self.progress.finished(
            f"seed {self.seed}: best valid AUROC {self.best_auroc:.4f}, after epoch {self.best_epoch} of {self.epoch}"
        )

    def _begin_stage(self, number: int) -> UnfreezeStage:
        """Let the last `unfrozen` groups learn, with an optimizer and a schedule of their own."""
        stage = self.settings.stages[number]
        groups = freeze_below(self.model.parameter_groups(), stage.unfrozen)
        rates = discriminative_rates(stage.learning_rate, self.settings.layer_decay, len(groups))
        optimizer = make_optimizer("adamw", groups, rates, self.settings.weight_decay)
        steps = self.steps_per_epoch * stage.epochs
        self.learner.optimizer = optimizer
        self.learner.schedule = make_schedule(
            self.settings.schedule, optimizer, steps, self.settings.warmup, self.settings.momentum
        )
        self.stage, self.stage_epoch = number, 0
        return stage

    def _waited_enough(self) -> bool:
        waited = min(self.epoch - self.best_epoch, self.stage_epoch)
        return self.settings.patience is not None and waited >= self.settings.patience

    def _train_epoch(self) -> None:
        """Run the steps that are left of an epoch."""
        batches = self.train.epoch(
            self.seed,
            self.epoch,
            self.settings.batch_size,
            self.device,
            reverse_complement=self.settings.reverse_complement,
            first=self.step,
        )
        train_unfrozen(self.model)
        for batch in batches:
            labels = batch.targets["label"]
            with self.learner.autocast():
                logits = self.model(batch)
            loss = masked_binary_cross_entropy(logits, labels, batch.masks["label"])
            self.learner.update(loss)
            self.running = self.running + loss.detach().double() * len(labels)
            self.n_seen += len(labels)
            self.step += 1
            where = f"seed {self.seed}, stage {self.stage + 1}, epoch {self.epoch + 1}, "
            n_tokens = len(labels) * self.train.n_tokens
            self.progress.step(self._position(), n_tokens, self._losses, len(labels), where)
            self.checkpoint.check()
            self.checkpoint.save_if_due(self._state)

    def _losses(self) -> dict[str, float]:
        return {"loss": float(self.running) / self.n_seen}

    def _position(self) -> int:
        """Steps done and left out; a stage that ended early counts as done."""
        before = sum(stage.epochs for stage in self.settings.stages[: self.stage])
        return self.steps_per_epoch * (before + self.stage_epoch) + self.step

    def _validate(self) -> None:
        """Score the weights and end the epoch. Nothing is changed if a signal comes meanwhile."""
        train_loss, labels = float(self.running) / len(self.train), self.valid.labels
        with self.progress.paused(), self.learner.autocast():
            scores = score_strands(self.model, self.valid, self.device, self.checkpoint.check).mean(axis=0)
        self.stage_epoch, self.epoch, self.step = self.stage_epoch + 1, self.epoch + 1, 0
        self.running, self.n_seen = 0.0, 0
        if not np.isfinite(scores).all():
            raise InputError(
                f"fine-tuning diverged: scores are not finite after epoch {self.epoch} (train loss {train_loss:g}); "
                f"lower learning_rate of stage {self.stage + 1} in the model file, or set clip_norm"
            )
        loss = float(np.mean(np.logaddexp(0, np.where(labels == 1, -scores, scores))))
        auroc = area_under_roc(labels, scores)
        if (auroc, -loss) > (self.best_auroc, -self.best_loss):
            self.best_auroc, self.best_loss, self.best_epoch = auroc, loss, self.epoch
            self.best = self.learner.weights()
        self.rows.append(
            {
                "stage": self.stage + 1,
                "epoch": self.epoch,
                "learning_rate": self.learner.optimizer.param_groups[-1]["lr"],
                "train_loss": train_loss,
                "valid_loss": loss,
                "valid_auroc": auroc,
            }
        )
        text = (
            f"seed {self.seed}, stage {self.stage + 1}, epoch {self.epoch}: train loss {train_loss:.4f}, "
            f"valid loss {loss:.4f}, valid AUROC {auroc:.4f}, {self.progress.describe_rate()}"
        )
        self.progress.validated(self._position(), self.rows[-1], text)

    def _state(self) -> dict[str, Any]:
        return {
            "learner": self.learner.state(),
            "running": float(self.running),
            "log": self.progress.log.state(),
            **{name: getattr(self, name) for name in FIELDS},
        }

    def _restore(self, saved: dict[str, Any]) -> None:
        self.learner.restore(saved["learner"])
        self.running = saved["running"]
        self.progress.log.restore(saved["log"])
        for name in FIELDS:
            setattr(self, name, saved[name])
        where = f"stage {self.stage + 1}, epoch {self.epoch + 1}, step {self.step + 1}"
        announce(f"finetune: seed {self.seed} goes on from its checkpoint at {where}")

    def metrics(self) -> dict[str, Any]:
        """Best validation scores and where they were reached."""
        return {
            "valid_auroc": round(self.best_auroc, 6),
            "valid_loss": round(self.best_loss, 6),
            "best_epoch": self.best_epoch,
            "n_epochs": self.epoch,
            "n_parameters": sum(parameter.numel() for parameter in self.model.parameters()),
        }
