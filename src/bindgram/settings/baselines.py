"""Baselines: what stands beside every model, one settings model per kind; in code: `evaluation.baselines.BASELINES`.

Two kinds are not fitted by ``bindgram baseline``: ``model`` is a network, trained by the rules of all models, and
``likelihood`` asks each language model of the run.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from bindgram.settings.base import Settings, parse

AboveZero = Annotated[float, Field(gt=0)]


class KmerBaseline(Settings):
    """Logistic regression on k-mer counts of both strands; `k` = 0 means GC content alone."""

    kind: Literal["kmer"]
    k: Annotated[int, Field(ge=0, le=8)]
    inverse_regularisation: AboveZero


class ModelBaseline(Settings):
    """A network: the name is a file of config/models, trained and scored like every model."""

    kind: Literal["model"]


class LikelihoodBaseline(Settings):
    """Each causal language model of the run, without any labels."""

    kind: Literal["likelihood"]


FittedBaseline = KmerBaseline  # by `bindgram baseline`
Baseline = Annotated[FittedBaseline | ModelBaseline | LikelihoodBaseline, Field(discriminator="kind")]
LIKELIHOOD = "likelihood"  # the name of that baseline, and what the names of its results begin with


class _Fitted(Settings):
    baseline: FittedBaseline


def parse_fitted(value: Any) -> FittedBaseline:
    """Check the settings of a baseline that ``bindgram baseline`` fits.

    Raises
    ------
    InputError : a kind that is not fitted, or wrong settings of one.
    """
    return parse(_Fitted, {"baseline": value}, "settings").baseline
