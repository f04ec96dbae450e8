"""How classifiers are interpreted: what each attribution method needs to know."""

from typing import Annotated, Literal

from pydantic import Field

from bindgram.settings.base import Settings

Positive = Annotated[int, Field(gt=0)]


class OcclusionSettings(Settings):
    """Windows of `window_bp`, one every `stride_bp`, whose letters are replaced `draws` times.

    `fill`: ``random`` inserts letters drawn at equal odds, ``shuffle`` permutes those of the window.
    """

    window_bp: Positive
    stride_bp: Positive
    draws: Positive
    fill: Literal["random", "shuffle"]


class FaithfulnessSettings(Settings):
    """Curves of `steps` equal steps against `references` shuffles and as many random orders of the bases."""

    steps: Annotated[int, Field(ge=2)]
    references: Positive


class AttributionSettings(Settings):
    """What attribution methods need to know.

    `references`: dinucleotide shuffles that DeepLIFT compares a sequence with; `integration_steps`: points on the path
    of integrated gradients; `batch_size`: sequences that a model reads at a time; `convergence_tolerance`: largest
    error of a sum of attributions, as a share of the score that they should explain, with which they still stand.
    """

    references: Positive
    integration_steps: Annotated[int, Field(ge=2)]
    batch_size: Positive
    convergence_tolerance: Annotated[float, Field(gt=0, lt=1)]
    occlusion: OcclusionSettings
    faithfulness: FaithfulnessSettings
