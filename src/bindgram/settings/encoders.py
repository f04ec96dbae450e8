"""Encoders as they stand in language-model and model files: sizes, what each reads, and which dropout rates it has."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from bindgram.settings.base import Settings

Fraction = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[int, Field(gt=0)]


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError("must be odd, so that a filter has a middle and reads alike from both strands")
    return value


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even: one half of the channels for each strand")
    return value


Odd = Annotated[int, Field(gt=0), AfterValidator(_odd)]
Even = Annotated[int, Field(gt=0), AfterValidator(_even)]


class VocabularySettings(Settings):
    """k-mers of `k` bases, one every `stride` bases."""

    k: Annotated[int, Field(ge=1, le=8)]
    stride: Positive

    @model_validator(mode="after")
    def _no_gaps(self) -> "VocabularySettings":
        if self.stride > self.k:
            raise ValueError(f"stride {self.stride} > k {self.k} would skip bases")
        return self


class AwdLstmSettings(Settings):
    """AWD-LSTM (Merity et al. 2017): sizes of embedding and hidden layers; the last layer has embedding size."""

    name: Literal["awd_lstm"]
    embedding_size: Positive
    hidden_size: Positive
    n_layers: Positive


class ConvSettings(Settings):
    """One convolution over one-hot bases, as in DeepBind (Alipanahi et al. 2015)."""

    name: Literal["conv"]
    n_filters: Positive
    filter_width: Positive


class DeepSeaSettings(Settings):
    """Convolutions with pooling between them, as in DeepSEA (Zhou and Troyanskaya 2015)."""

    name: Literal["deepsea"]
    layers: Annotated[list[Positive], Field(min_length=1)]  # filters of each convolution
    filter_width: Positive
    pool_width: Positive
    dropout: list[Fraction]  # after each convolution

    @model_validator(mode="after")
    def _one_rate_per_layer(self) -> "DeepSeaSettings":
        if len(self.dropout) != len(self.layers):
            raise ValueError(f"dropout: one rate for each of the {len(self.layers)} layers (got {len(self.dropout)})")
        return self


class DanqSettings(Settings):
    """A convolution, pooling, and an LSTM in both directions, as in DanQ (Quang and Xie 2016)."""

    name: Literal["danq"]
    n_filters: Positive
    filter_width: Positive
    pool_width: Positive
    hidden_size: Positive  # of the LSTM, each direction
    dropout: Annotated[list[Fraction], Field(min_length=2, max_length=2)]  # after pooling and after the LSTM


class SymmetricConvSettings(Settings):
    """Gated dilated convolutions that treat both strands alike; one block per dilation."""

    name: Literal["symmetric_conv"]
    channels: Even
    stem_width: Odd
    filter_width: Odd
    dilations: Annotated[list[Positive], Field(min_length=1)]
    features: Even


EncoderSettings = AwdLstmSettings | ConvSettings | DeepSeaSettings | DanqSettings | SymmetricConvSettings
LmEncoderSettings = AwdLstmSettings | SymmetricConvSettings  # those that give one vector per token
SINGLE_BASES = VocabularySettings(k=1, stride=1)


class DropoutSettings(Settings):
    """Dropout rates of an encoder that can be pretrained; null where it has no such thing (see `DROPOUTS`)."""

    embedding: Fraction | None
    input: Fraction | None
    weight: Fraction | None
    hidden: Fraction


class LmDropoutSettings(DropoutSettings):
    """Dropout rates of the language model: the encoder's and that of the decoder's input."""

    output: Fraction


DROPOUTS = {"awd_lstm": {"embedding", "input", "weight", "hidden"}, "symmetric_conv": {"hidden"}}


def wrong_dropout(encoder: EncoderSettings, dropout: DropoutSettings | None) -> str:
    """What is wrong with the dropout section for this encoder; "" where it fits."""
    has = DROPOUTS.get(encoder.name)
    if has is None or dropout is None:
        fitting = has is None and dropout is None
        return "" if fitting else f"dropout: required for {' and '.join(DROPOUTS)} and null for other encoders"
    given = {name for name in DropoutSettings.model_fields if getattr(dropout, name) is not None}
    if missing := sorted(has - given):
        return f"dropout: {encoder.name} needs a rate for {', '.join(missing)}; 0.0 = no dropout"
    if superfluous := sorted(given - has):
        return f"dropout: {encoder.name} has no {', '.join(superfluous)} to drop; set null"
    return ""


def wrong_vocabulary(encoder: EncoderSettings, vocabulary: VocabularySettings | None) -> str:
    """What is wrong with the vocabulary for this encoder; "" where it fits."""
    if isinstance(encoder, AwdLstmSettings):
        return "" if vocabulary else "vocabulary: awd_lstm reads k-mers; give k and stride"
    if isinstance(encoder, SymmetricConvSettings) and vocabulary == SINGLE_BASES:
        return ""
    also = ", or k: 1, stride: 1" if isinstance(encoder, SymmetricConvSettings) else ""
    return f"vocabulary: {encoder.name} reads one-hot bases; set vocabulary: null{also}" if vocabulary else ""
