"""Learning-rate finder: a short training whose rate grows from step to step, until the loss says that it is too high.

Nothing of it enters a training: the network is made for it and thrown away.

References
----------
Smith (2017), Cyclical learning rates for training neural networks, section 3.3, https://arxiv.org/abs/1506.01186
"""

from collections.abc import Iterator
from itertools import count, islice
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch.optim.lr_scheduler import LambdaLR

from bindgram.data.corpus import Corpus
from bindgram.data.examples import ExampleTable
from bindgram.errors import InputError
from bindgram.models.bundle import Bundle
from bindgram.models.classifier import Classifier
from bindgram.models.language_model import LanguageModel, build_language_model
from bindgram.models.losses import masked_binary_cross_entropy
from bindgram.sequence.kmers import Vocabulary
from bindgram.settings.config import FindRateSettings
from bindgram.settings.models import FinetuneStage, LanguageModelFile, LmStage, ModelFile
from bindgram.training.device import seeded
from bindgram.training.finetune import train_unfrozen
from bindgram.training.learner import Learner
from bindgram.training.loaders import LabelledSequences, Lanes
from bindgram.training.objectives import OBJECTIVES, Objective
from bindgram.training.optimizers import discriminative_rates, freeze_below, make_optimizer
from bindgram.training.scoring import labelled_sequences
from bindgram.training.stages import check_corpus, resolve_backward, resolve_encoder, start_classifier, why_skipped

TOO_HIGH = 4.0  # times the lowest loss so far: the training has diverged


class Step(NamedTuple):
    """A loss to go down from, at this part of the rate (of a step that is shorter than others)."""

    loss: torch.Tensor
    rate_factor: float


class FoundRate(NamedTuple):
    """What a sweep of rates shows.

    `table` has one row per step: ``step``, ``learning_rate``, ``loss`` and ``smoothed_loss``. `steepest` is the rate at
    which the smoothed loss falls fastest, `tenth` a tenth of the rate at which it is lowest; None where it never fell.
    """

    table: pd.DataFrame
    steepest: float | None
    tenth: float | None


def find_language_model_rate(
    settings: LanguageModelFile, corpus: Corpus, sweep: FindRateSettings, *, device: torch.device, seed: int
) -> FoundRate:
    """Sweep the rates of the stage ``pretrain`` on the train regions of a corpus, from random weights.

    Raises
    ------
    InputError : the corpus was tokenized with another vocabulary, or is too short for one step.
    """
    check_corpus(settings, corpus)
    stage, vocabulary = settings.pretrain, Vocabulary(settings.vocabulary.k, settings.vocabulary.stride)
    with seeded(seed, device):
        model = build_language_model(settings, stage.dropout)
        learner = Learner(model, device, stage.precision, stage.optimizer.clip_norm)
        learner.optimizer = make_optimizer(
            stage.optimizer.name, [list(model.parameters())], [sweep.lowest], stage.optimizer.weight_decay
        )
        objective = OBJECTIVES[settings.objective.name](settings.objective, vocabulary)
        tokens = corpus.tokens("train")[:: -1 if settings.direction == "backward" else 1]
        lengths_seed = seed if stage.variable_bptt else None
        lanes = Lanes(
            tokens, vocabulary, stage.batch_size, stage.bptt, stage.reverse_complement, lengths_seed=lengths_seed
        )
        return _sweep(learner, _language_model_steps(model, objective, lanes, stage, learner, seed), sweep)


def find_classifier_rate(
    model: ModelFile,
    language_model: LanguageModelFile | None,
    pretrained: Bundle | None,
    labelled: ExampleTable,
    sweep: FindRateSettings,
    *,
    stage: int,
    device: torch.device,
    seed: int,
    backward: LanguageModelFile | None = None,
    backward_pretrained: Bundle | None = None,
    where: str = "model file",
) -> FoundRate:
    """Sweep the rates of one stage of fine-tuning, from the weights that fine-tuning starts from.

    `stage` counts from 1; the other arguments are those of `bindgram.training.stages.finetune`.

    Raises
    ------
    InputError : the model file and the bundles do not fit together, there is no such stage, or nothing to train on.
    """
    encoder, vocabulary = resolve_encoder(model, language_model, pretrained, where)
    second = resolve_backward(model, backward, backward_pretrained, vocabulary, where)
    bundles = [bundle for bundle in (pretrained, backward_pretrained) if bundle is not None]
    if reason := why_skipped(labelled, bundles):
        raise InputError(f"{where}: no rate can be found: {reason}")
    settings = model.finetune
    if stage > len(settings.stages):
        raise InputError(f"--stage {stage}: {where} has {len(settings.stages)} stages of fine-tuning; give one of them")
    classifier, _ = start_classifier(model, encoder, vocabulary, second, bundles, seed, where)
    words = Vocabulary(vocabulary.k, vocabulary.stride) if vocabulary else None
    train = labelled_sequences(labelled.of_split("train"), words)
    with seeded(seed, device):
        learner = Learner(classifier, device, settings.precision, settings.clip_norm)
        groups = freeze_below(classifier.parameter_groups(), settings.stages[stage - 1].unfrozen)
        rates = discriminative_rates(sweep.lowest, settings.layer_decay, len(groups))
        learner.optimizer = make_optimizer("adamw", groups, rates, settings.weight_decay)
        return _sweep(learner, _classifier_steps(classifier, train, settings, learner, seed), sweep)


def _language_model_steps(
    model: LanguageModel, objective: Objective, lanes: Lanes, stage: LmStage, learner: Learner, seed: int
) -> Iterator[Step]:
    model.train()
    for epoch in count():
        state = model.encoder.initial_state(stage.batch_size)
        for position in range(len(lanes.borders(epoch)) - 1):
            inputs, targets = (part.to(learner.device) for part in objective.ask(lanes, position, epoch, seed))
            with learner.autocast():
                scored = objective.score(model, inputs, targets, state)
            yield Step(scored.loss, inputs.shape[1] / stage.bptt)
            state = [(hidden.detach().float(), cell.detach().float()) for hidden, cell in scored.state]


def _classifier_steps(
    model: Classifier, train: LabelledSequences, settings: FinetuneStage, learner: Learner, seed: int
) -> Iterator[Step]:
    train_unfrozen(model)
    for epoch in count():
        for batch in train.epoch(
            seed, epoch, settings.batch_size, learner.device, reverse_complement=settings.reverse_complement
        ):
            with learner.autocast():
                logits = model(batch)
            yield Step(masked_binary_cross_entropy(logits, batch.targets["label"], batch.masks["label"]), 1.0)


def _sweep(learner: Learner, steps: Iterator[Step], sweep: FindRateSettings) -> FoundRate:
    """Train while the rate grows by one factor per step, from `lowest` to `highest`, or until the loss diverges."""
    growth = (sweep.highest / sweep.lowest) ** (1 / (sweep.steps - 1))
    learner.schedule = LambdaLR(learner.optimizer, lambda step: growth**step)
    losses: list[float] = []
    for step in islice(steps, sweep.steps):
        losses.append(step.loss.item())
        smoothed = smooth(losses, sweep.smoothing)
        if not np.isfinite(losses[-1]) or smoothed[-1] > TOO_HIGH * smoothed.min():
            break
        learner.add_gradient(step.loss, first=True, last=True)
        learner.step(rate_factor=step.rate_factor)
    rates = sweep.lowest * growth ** np.arange(len(losses))
    return suggest(rates, np.array(losses), sweep.smoothing)


def smooth(losses: list[float] | np.ndarray, smoothing: float) -> np.ndarray:
    """Exponential moving average of losses, without the bias towards 0 of its first values."""
    mean, result = 0.0, []
    for number, loss in enumerate(losses, start=1):
        mean = smoothing * mean + (1 - smoothing) * loss
        result.append(mean / (1 - smoothing**number))
    return np.array(result)


def suggest(rates: np.ndarray, losses: np.ndarray, smoothing: float) -> FoundRate:
    """Read rates off the losses of a sweep."""
    smoothed = smooth(losses, smoothing)
    table = pd.DataFrame(
        {
            "step": np.arange(1, len(rates) + 1),
            "learning_rate": rates,
            "loss": losses,
            "smoothed_loss": smoothed,
        }
    )
    finite = smoothed[np.isfinite(smoothed)]
    lowest = int(finite.argmin()) if len(finite) else 0
    if lowest < 2:
        return FoundRate(table, None, None)
    slopes = np.gradient(finite[: lowest + 1], np.log(rates[: lowest + 1]))
    return FoundRate(table, float(rates[slopes.argmin()]), float(rates[lowest] / 10))
