"""What every fitted baseline has in common: what it is fitted to, and what comes out."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bindgram.data.motifs import Motif
from bindgram.evaluation.predictions import Scale


@dataclass(frozen=True)
class Known:
    """What is known beside the examples. `motifs` and the name of their `library` are there for baselines of motifs."""

    tf: str
    seed: int
    threads: int
    motifs: Sequence[Motif] = ()
    library: str = ""


@dataclass(frozen=True)
class Training:
    """What a baseline is fitted to: (N, L) base codes with (N,) labels 0/1, both classes present."""

    codes: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Fitted:
    """A fitted baseline: `score` takes (N, L) base codes to (N,) scores that are equal for both strands."""

    score: Callable[[np.ndarray], np.ndarray]
    details: Mapping[str, Any] = field(default_factory=dict)  # what it chose


@dataclass(frozen=True)
class Unfitted:
    """A baseline that cannot be fitted here, and why: "not defined: ..."."""

    reason: str


@dataclass(frozen=True)
class Kind:
    """A kind of baseline: `fit` holds what a fitted one needs (files, say) until its context ends."""

    fit: Callable[[Any, Training, Known], AbstractContextManager[Fitted | Unfitted]]
    scale: Scale
    packages: Sequence[str] = ()  # whose versions bear on the scores
    why_no_tiles: str = ""  # why the tiles of T4 are not scored; "" where they are
