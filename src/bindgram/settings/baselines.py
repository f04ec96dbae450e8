"""Baselines: what stands beside every model, one settings model per kind; in code: `evaluation.baselines.BASELINES`.

Two kinds are not fitted by ``bindgram baseline``: ``model`` is a network, trained by the rules of all models, and
``likelihood`` asks each language model of the run.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from bindgram.settings.base import Settings, parse

Positive = Annotated[int, Field(gt=0)]
AboveZero = Annotated[float, Field(gt=0)]


class KmerBaseline(Settings):
    """Logistic regression on k-mer counts of both strands; `k` = 0 means GC content alone."""

    kind: Literal["kmer"]
    k: Annotated[int, Field(ge=0, le=8)]
    inverse_regularisation: AboveZero


class MotifBaseline(Settings):
    """The known motif of the factor that tells the training examples apart best."""

    kind: Literal["motif"]


class GappedKmerBaseline(Settings):
    """Support vector machine on gapped k-mers, by LS-GKM (Lee 2016, doi:10.1093/bioinformatics/btw142).

    Every key is the option of ``gkmtrain`` that stands beside it, but `max_train`: training sequences of both classes
    together, at most.
    """

    kind: Literal["gapped_kmer_svm"]
    kernel: Annotated[int, Field(ge=0, le=5)]  # -t
    word_length: Annotated[int, Field(ge=3, le=12)]  # -l
    informative: Positive  # -k
    max_mismatches: Annotated[int, Field(ge=0, le=4)]  # -d
    gamma: AboveZero  # -g, of the kernels 3 and 5
    regularisation: AboveZero  # -c
    positive_weight: AboveZero  # -w
    epsilon: AboveZero  # -e
    max_train: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _fits_into_the_word(self) -> Self:
        if self.informative > self.word_length:
            raise ValueError(f"informative {self.informative}: more than word_length {self.word_length}; lower it")
        return self


class ModelBaseline(Settings):
    """A network: the name is a file of config/models, trained and scored like every model."""

    kind: Literal["model"]


class LikelihoodBaseline(Settings):
    """Each causal language model of the run, without any labels."""

    kind: Literal["likelihood"]


FittedBaseline = KmerBaseline | MotifBaseline | GappedKmerBaseline  # by `bindgram baseline`
Baseline = Annotated[FittedBaseline | ModelBaseline | LikelihoodBaseline, Field(discriminator="kind")]
LIKELIHOOD = "likelihood"  # the name of that baseline, and what the names of its results begin with


class _Fitted(Settings):
    baseline: Annotated[FittedBaseline, Field(discriminator="kind")]


def parse_fitted(value: Any) -> FittedBaseline:
    """Check the settings of a baseline that ``bindgram baseline`` fits.

    Raises
    ------
    InputError : a kind that is not fitted, or wrong settings of one.
    """
    return parse(_Fitted, {"baseline": value}, "settings").baseline
