"""Fine-tuning: a classifier trained in stages, with gradual unfreezing and discriminative learning rates.

References
----------
Howard, Ruder (2018), Universal Language Model Fine-tuning for Text Classification, https://arxiv.org/abs/1801.06146
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning.fabric import Fabric
from sklearn.metrics import roc_auc_score

from bindgram.errors import InputError
from bindgram.models.classifier import Classifier
from bindgram.models.losses import masked_binary_cross_entropy
from bindgram.settings.models import FinetuneStage, UnfreezeStage
from bindgram.training.device import announce, seeded
from bindgram.training.loaders import LabelledSequences
from bindgram.training.optimizers import discriminative_rates, freeze_below, make_optimizer, make_schedule
from bindgram.training.scoring import score_strands


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
) -> TrainedClassifier:
    """Fine-tune a classifier; keep the weights of the best validation AUROC (strands averaged).

    A stage ends early after `patience` epochs without a better AUROC; the next stage goes on from the weights it has.

    Raises
    ------
    InputError : training diverged.
    """
    with seeded(seed):
        run = _Run(model, settings, train, valid, device, seed)
        for number, stage in enumerate(settings.stages):
            run.train_stage(number, stage)
    return TrainedClassifier(run.best, pd.DataFrame(run.rows), run.metrics())


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
    ) -> None:
        self.settings, self.train, self.valid, self.seed = settings, train, valid, seed
        self.fabric = Fabric(accelerator=device.type, devices=1, precision=settings.precision)
        self.bare = model
        self.model = self.fabric.setup_module(model)
        self.best: dict[str, torch.Tensor] = {}
        self.best_auroc, self.best_loss, self.best_epoch = -1.0, float("inf"), 0
        self.epoch = 0
        self.rows: list[dict[str, Any]] = []

    def train_stage(self, number: int, stage: UnfreezeStage) -> None:
        """Train the last `unfrozen` groups for up to `epochs` epochs."""
        groups = freeze_below(self.bare.parameter_groups(), stage.unfrozen)
        rates = discriminative_rates(stage.learning_rate, self.settings.layer_decay, len(groups))
        optimizer = make_optimizer("adamw", groups, rates, self.settings.weight_decay)
        steps = len(range(0, len(self.train), self.settings.batch_size)) * stage.epochs
        schedule = make_schedule(self.settings.schedule, optimizer, steps, self.settings.warmup)
        optimizer = self.fabric.setup_optimizers(optimizer)
        for epoch_of_stage in range(stage.epochs):
            started = time.monotonic()
            loss = self._train_epoch(optimizer, schedule)
            self._validate(number, loss, optimizer.param_groups[-1]["lr"], time.monotonic() - started)
            waited = self.epoch - self.best_epoch
            if self.settings.patience is not None and min(waited, epoch_of_stage + 1) >= self.settings.patience:
                break

    def _train_epoch(self, optimizer: Any, schedule: Any) -> float:
        self.model.train()
        total = 0.0
        batches = self.train.epoch(
            self.seed,
            self.epoch,
            self.settings.batch_size,
            self.fabric.device,
            reverse_complement=self.settings.reverse_complement,
        )
        for batch in batches:
            loss = masked_binary_cross_entropy(self.model(batch), batch.targets["label"], batch.masks["label"])
            optimizer.zero_grad()
            self.fabric.backward(loss)
            if self.settings.clip_norm is not None:
                # Not finite: a loss scaler skips the step; without one, the next validation says what happened.
                self.fabric.clip_gradients(
                    self.model, optimizer, max_norm=self.settings.clip_norm, error_if_nonfinite=False
                )
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch.targets["label"])
        self.epoch += 1
        return total / len(self.train)

    def _validate(self, stage: int, train_loss: float, rate: float, seconds: float) -> None:
        scores = score_strands(self.model, self.valid, self.fabric.device).mean(axis=0)
        if not np.isfinite(scores).all():
            raise InputError(
                f"fine-tuning diverged: scores are not finite after epoch {self.epoch} (train loss {train_loss:g}); "
                f"lower learning_rate of stage {stage + 1} in the model file, or set clip_norm"
            )
        labels = self.valid.labels
        loss = float(np.mean(np.logaddexp(0, np.where(labels == 1, -scores, scores))))
        auroc = float(roc_auc_score(labels, scores))
        if (auroc, -loss) > (self.best_auroc, -self.best_loss):
            self.best_auroc, self.best_loss, self.best_epoch = auroc, loss, self.epoch
            self.best = {name: value.detach().cpu().clone() for name, value in self.bare.state_dict().items()}
        self.rows.append(
            {
                "stage": stage + 1,
                "epoch": self.epoch,
                "learning_rate": rate,
                "train_loss": train_loss,
                "valid_loss": loss,
                "valid_auroc": auroc,
            }
        )
        announce(
            f"finetune: stage {stage + 1}, epoch {self.epoch}: train loss {train_loss:.4f}, valid loss {loss:.4f}, "
            f"valid AUROC {auroc:.4f}, {len(self.train) / seconds:,.0f} sequences/s on {self.fabric.device}, "
            f"precision {self.settings.precision}"
        )

    def metrics(self) -> dict[str, Any]:
        """Best validation scores and where they were reached."""
        return {
            "valid_auroc": round(self.best_auroc, 6),
            "valid_loss": round(self.best_loss, 6),
            "best_epoch": self.best_epoch,
            "n_epochs": self.epoch,
            "n_parameters": sum(parameter.numel() for parameter in self.bare.parameters()),
        }
