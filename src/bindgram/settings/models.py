"""Language-model files (``config/lms``) and model files (``config/models``).

A language model names a vocabulary, an encoder and how to pretrain and adapt it. A model names what it starts from, an
encoder, a head and how to fine-tune, so that a fine-tuning variant never pretrains again.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bindgram.settings.adaptation import Adaptation
from bindgram.settings.base import Id, Settings, parse, read_yaml
from bindgram.settings.encoders import (
    SINGLE_BASES,
    DropoutSettings,
    EncoderSettings,
    Fraction,
    LmDropoutSettings,
    LmEncoderSettings,
    Positive,
    SymmetricConvSettings,
    VocabularySettings,
    wrong_dropout,
    wrong_vocabulary,
)
from bindgram.settings.encoders import AwdLstmSettings as AwdLstmSettings  # parts of the files described here
from bindgram.settings.encoders import ConvSettings as ConvSettings

Rate = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Warmup = Annotated[float, Field(gt=0, lt=1)]  # fraction of the steps in which the learning rate rises
Momentum = Annotated[list[Fraction], Field(min_length=2, max_length=2)]  # at the lowest and at the highest rate
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


class OptimizerSettings(Settings):
    """How weights are updated.

    ``nt_asgd`` starts averaging when the validation loss is above the best of all but the last `nonmonotone_checks`.
    """

    name: Literal["adamw", "sgd", "nt_asgd"]
    learning_rate: Rate
    weight_decay: NonNegative
    schedule: Literal["one_cycle", "constant"]
    warmup: Warmup | None
    momentum: Momentum | None
    clip_norm: Rate | None
    nonmonotone_checks: Positive | None

    @model_validator(mode="after")
    def _asgd_is_constant(self) -> "OptimizerSettings":
        if self.name == "nt_asgd" and self.schedule != "constant":
            raise ValueError("nt_asgd averages at a constant learning rate; set schedule: constant")
        _check_cycle(self.schedule, self.warmup, self.momentum)
        if (self.name == "nt_asgd") != (self.nonmonotone_checks is not None):
            raise ValueError("nonmonotone_checks: required for nt_asgd and null for others")
        return self


class NextTokenSettings(Settings):
    """Predict each k-mer from those before it, with the weights of AR and TAR (Merity et al. 2017, alpha and beta)."""

    name: Literal["next_token"]
    ar: NonNegative
    tar: NonNegative


class MaskedSettings(Settings):
    """Predict hidden tokens from those around them: `fraction` of all, in stretches of at least `span` tokens."""

    name: Literal["masked"]
    fraction: Annotated[float, Field(gt=0, lt=1)]
    span: Positive


Objective = Annotated[NextTokenSettings | MaskedSettings, Field(discriminator="name")]


class LmStage(Settings):
    """One stage of language modelling. An epoch is one pass; `max_tokens` ends a stage early.

    `batch_size` is that of all GPUs together; each reads its share in `accumulation` parts, one after another.
    """

    optimizer: OptimizerSettings
    dropout: LmDropoutSettings
    batch_size: Positive
    accumulation: Positive
    bptt: Positive
    variable_bptt: bool
    epochs: Positive
    max_tokens: Positive | None
    validate_every: Positive
    max_valid_tokens: Annotated[int, Field(ge=64)]
    reverse_complement: bool
    precision: Precision

    @model_validator(mode="after")
    def _parts_are_equal(self) -> "LmStage":
        if problem := self.why_not_equal(n_gpus=1):
            raise ValueError(problem)
        return self

    def why_not_equal(self, n_gpus: int) -> str:
        """Why `batch_size` cannot be shared equally, half of each part on the other strand; "" where it can."""
        unit = n_gpus * self.accumulation * (2 if self.reverse_complement else 1)
        if self.batch_size % unit == 0:
            return ""
        reasons = [f"{n_gpus} GPUs"] * (n_gpus > 1) + [f"accumulation {self.accumulation}"] * (self.accumulation > 1)
        reasons += ["reverse_complement, half on each strand"] * self.reverse_complement
        below = self.batch_size // unit * unit
        near = f"{below} or {below + unit}" if below else f"{unit}"
        wanted = f"a multiple of {unit} ({'; '.join(reasons)}), such as {near}"
        return f"batch_size: must be {wanted} (got {self.batch_size})"


class LanguageModelFile(Settings):
    """A language model: vocabulary, encoder, objective, pretraining, and adaptation where models ask for it.

    A ``backward`` one reads every sequence from its end to its start, on the same strand.
    """

    vocabulary: VocabularySettings
    direction: Literal["forward", "backward"]
    encoder: Annotated[LmEncoderSettings, Field(discriminator="name")]
    objective: Objective
    pretrain: LmStage
    adapt: LmStage | None

    @model_validator(mode="after")
    def _fits_the_encoder(self) -> "LanguageModelFile":
        if isinstance(self.encoder, SymmetricConvSettings) and self.vocabulary != SINGLE_BASES:
            raise ValueError("vocabulary: symmetric_conv reads single bases; set k: 1, stride: 1")
        if isinstance(self.encoder, SymmetricConvSettings) and self.objective.name == "next_token":
            raise ValueError(
                "objective: symmetric_conv sees both sides of a base, and so the answer of next_token; set name: masked"
            )
        if self.direction == "backward" and self.objective.name != "next_token":
            raise ValueError(f"direction: {self.objective.name} sees both sides; set direction: forward")
        span = self.objective.span if isinstance(self.objective, MaskedSettings) else None
        if span is not None and span < self.vocabulary.k:
            raise ValueError(
                f"objective.span: must be {self.vocabulary.k} or more, the vocabulary's k (got {span}): the bases of "
                "fewer hidden k-mers could be read off their neighbours"
            )
        for name, stage in (("pretrain", self.pretrain), ("adapt", self.adapt)):
            if stage and (wrong := wrong_dropout(self.encoder, stage.dropout)):
                raise ValueError(f"{name}.{wrong}")
            if stage and span is not None and stage.bptt < span:
                raise ValueError(f"{name}.bptt: must be {span} or more, objective.span (got {stage.bptt})")
        return self


class ConcatPoolHead(Settings):
    """Last, max and mean over positions, then one hidden layer (Howard and Ruder 2018)."""

    name: Literal["concat_pool"]
    hidden_size: Positive
    dropout: Fraction
    hidden_dropout: Fraction


class MaxPoolHead(Settings):
    """Max over positions, then one hidden layer."""

    name: Literal["max_pool"]
    hidden_size: Positive
    dropout: Fraction
    hidden_dropout: Fraction


class MaxMeanPoolHead(Settings):
    """Max and mean over positions, then one hidden layer."""

    name: Literal["max_mean_pool"]
    hidden_size: Positive
    dropout: Fraction
    hidden_dropout: Fraction


class UnfreezeStage(Settings):
    """Epochs with the last `unfrozen` parameter groups trained (null: all)."""

    unfrozen: Positive | None
    epochs: Positive
    learning_rate: Rate


class FinetuneStage(Settings):
    """How a classifier is trained."""

    stages: Annotated[list[UnfreezeStage], Field(min_length=1)]
    layer_decay: Annotated[float, Field(ge=1)]
    weight_decay: NonNegative
    schedule: Literal["one_cycle", "constant"]
    warmup: Warmup | None
    momentum: Momentum | None
    clip_norm: Rate | None
    batch_size: Annotated[int, Field(ge=2)]  # batch normalisation needs two
    patience: Positive | None
    reverse_complement: bool
    dropout: DropoutSettings | None
    precision: Precision

    @model_validator(mode="after")
    def _cycle_fits(self) -> "FinetuneStage":
        _check_cycle(self.schedule, self.warmup, self.momentum)
        return self


class SameAs(Settings):
    """Take vocabulary and encoder of a language model, not its weights."""

    same_as: Id


class ModelFile(Settings):
    """A classifier: what it starts from, encoder, head, and fine-tuning.

    `pretrained` is ``none``, the name of a language model, or the path of a bundle (with a ``/``). `backward` names a
    second language model, one that reads backwards; the model starts from its weights where it does from the first's.
    """

    pretrained: str
    backward: Id | None
    adapt: Adaptation
    encoder: Annotated[EncoderSettings, Field(discriminator="name")] | SameAs
    vocabulary: VocabularySettings | None
    head: Annotated[ConcatPoolHead | MaxPoolHead | MaxMeanPoolHead, Field(discriminator="name")]
    finetune: FinetuneStage

    @model_validator(mode="after")
    def _consistent(self) -> "ModelFile":
        is_name = self.pretrained != "none" and "/" not in self.pretrained
        if is_name and self.encoder != SameAs(same_as=self.pretrained):
            raise ValueError(f"encoder: a pretrained model says 'encoder: {{same_as: {self.pretrained}}}'")
        if self.backward is not None and (not isinstance(self.encoder, SameAs) or "/" in self.pretrained):
            raise ValueError("backward: needs 'encoder: {same_as: <a forward language model>}'; set backward: null")
        if not is_name and self.adapt != "none":
            raise ValueError("adapt: needs the name of a language model in pretrained; set adapt: none")
        if isinstance(self.encoder, SameAs):
            if self.vocabulary is not None:
                raise ValueError("vocabulary: comes from the language model; set vocabulary: null")
            if self.finetune.dropout is None:
                raise ValueError("finetune.dropout: encoders of language models have dropout rates; give them")
        elif wrong := wrong_vocabulary(self.encoder, self.vocabulary):
            raise ValueError(wrong)
        elif wrong := wrong_dropout(self.encoder, self.finetune.dropout):
            raise ValueError(f"finetune.{wrong}")
        return self

    @property
    def language_model(self) -> str | None:
        """Name of the language-model file this model refers to, if any."""
        return self.encoder.same_as if isinstance(self.encoder, SameAs) else None

    @property
    def language_models(self) -> list[str]:
        """Names of all language-model files this model refers to, the forward one first."""
        return [name for name in (self.language_model, self.backward) if name is not None]

    @property
    def starts_from(self) -> list[str]:
        """Names of the language models whose weights it starts from; a bundle given by its path has none."""
        return [] if self.pretrained == "none" or "/" in self.pretrained else self.language_models


def _check_cycle(schedule: str, warmup: float | None, momentum: list[float] | None) -> None:
    if (schedule == "one_cycle") != (warmup is not None):
        raise ValueError("warmup: required for schedule one_cycle and null for constant")
    if schedule != "one_cycle" and momentum is not None:
        raise ValueError("momentum: goes with schedule one_cycle; set null for constant")


def load_language_model(path: Path) -> LanguageModelFile:
    """Read a language-model file; `InputError` names every problem."""
    return parse(LanguageModelFile, read_yaml(path), str(path))


def load_model(path: Path) -> ModelFile:
    """Read a model file; `InputError` names every problem."""
    return parse(ModelFile, read_yaml(path), str(path))
