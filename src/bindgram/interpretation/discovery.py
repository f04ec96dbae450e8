"""Motif discovery: what recurs in the attributions of many sequences, by TF-MoDISco.

The patterns are found by modisco-lite: stretches of a sequence that stand out (seqlets) are clustered by how alike
their contributions are. *Positive* patterns speak for binding, *negative* ones against it. What cannot be found, for
want of sequences or of seqlets, has a reason.
"""

import contextlib
import io
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bindgram.data.motifs import information
from bindgram.sequence.dna import one_hot
from bindgram.settings.interpretation import DiscoverySettings

_SCALE_FLOOR = 1e-12  # largest attribution below which a model says nothing about any base


@dataclass(frozen=True, eq=False)
class Pattern:
    """A recurring pattern; rows of the (W, 4) matrices are positions, columns A, C, G, T."""

    name: str  # positive_1, positive_2, ..., negative_1, ..., each sign by falling number of seqlets
    n_seqlets: int
    probabilities: np.ndarray  # of the bases in the seqlets
    contributions: np.ndarray  # mean contribution of each base that stands in a seqlet, as it is; in logits

    @property
    def positive(self) -> bool:
        """Whether it speaks for binding."""
        return self.name.startswith("positive")

    @property
    def information(self) -> np.ndarray:
        """(W,) bits, less what so few seqlets would show by chance (Schneider et al. 1986)."""
        by_chance = 3 / (2 * np.log(2) * self.n_seqlets)
        return np.maximum(information(self.probabilities) - by_chance, 0.0)

    def trimmed(self, bits: float) -> "Pattern":
        """From its first to its last position with `bits` or more; no position where there is none."""
        informative = np.flatnonzero(self.information >= bits)
        core = slice(informative[0], informative[-1] + 1) if len(informative) else slice(0, 0)
        return replace(self, probabilities=self.probabilities[core], contributions=self.contributions[core])

    def shown(self, bits: float) -> "Pattern":
        """As `trimmed`, but whole where no position has so many bits."""
        core = self.trimmed(bits)
        return core if len(core.probabilities) else self


@dataclass(frozen=True)
class Discovery:
    """Patterns of both signs, positive ones first; without any, why: `reason` begins with ``not defined`` where
    nothing could be looked for.
    """

    patterns: tuple[Pattern, ...] = ()
    reason: str = ""


def discover(codes: np.ndarray, hypothetical: np.ndarray, settings: DiscoverySettings) -> Discovery:
    """Find patterns in the attributions of N sequences.

    Parameters
    ----------
    codes : (N, L) base codes.
    hypothetical : (N, L, 4) hypothetical contributions: what each base would add if it stood at a place.
    settings : seqlets are `window_bp` wide with `flank_bp` on both sides. Sequences are padded with bases that are not
        known and add nothing, so that a motif at the border is a seqlet as well.

    Returns
    -------
    The same on every run: the libraries draw with fixed seeds, and on one thread here.

    References
    ----------
    TF-MoDISco: Shrikumar et al. 2018, https://arxiv.org/abs/1811.00416; https://github.com/jmschrei/tfmodisco-lite.
    """
    n_sequences, length = codes.shape
    if reason := _why_not(codes, hypothetical, settings):
        return Discovery(reason=reason)
    pad = settings.flank_bp + settings.extension_bp
    bases = np.pad(one_hot(codes).astype(np.float64), ((0, 0), (pad, pad), (0, 0)))
    contributions = np.pad(hypothetical.astype(np.float64), ((0, 0), (pad, pad), (0, 0)))
    try:
        positive, negative = _run_modisco(bases, contributions, settings)
    except (ValueError, IndexError, ZeroDivisionError) as error:  # of a null distribution without any spread
        return Discovery(reason=f"not defined: modisco-lite finds no seqlets in these attributions ({error})")
    patterns = [*_patterns("positive", positive), *_patterns("negative", negative)]
    if not patterns:
        least = settings.min_pattern_seqlets
        return Discovery(reason=f"no pattern of {least} seqlets or more in {n_sequences} sequences of {length} bp")
    return Discovery(tuple(patterns))


def _why_not(codes: np.ndarray, hypothetical: np.ndarray, settings: DiscoverySettings) -> str:
    """Why nothing can be looked for, or ""."""
    n_sequences, length = codes.shape
    if n_sequences <= settings.min_seqlets:
        least = settings.min_seqlets
        return f"not defined: {n_sequences} sequences are too few to find patterns in more than {least} seqlets"
    if length < settings.window_bp + 2:
        return f"not defined: sequences of {length} bp are too short for seqlets of {settings.window_bp} bp"
    if not np.isfinite(hypothetical).all():
        return "not defined: attributions that are no finite numbers"
    if np.abs(hypothetical * one_hot(codes)).max() < _SCALE_FLOOR:
        return "not defined: all attributions are 0; the score does not depend on the sequence"
    return ""


def _run_modisco(
    bases: np.ndarray, contributions: np.ndarray, settings: DiscoverySettings
) -> tuple[Iterable[Any], Iterable[Any]]:
    """Positive and negative patterns as modisco-lite has them."""
    import modiscolite.precompile
    import modiscolite.tfmodisco
    import numba

    modiscolite.precompile.start()  # keeps what it compiles for the next job, but not after the next lines
    n_threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
            found = modiscolite.tfmodisco.TFMoDISco(
                bases,
                contributions,
                sliding_window_size=settings.window_bp,
                flank_size=settings.flank_bp,
                trim_to_window_size=settings.pattern_bp,
                initial_flank_to_add=settings.extension_bp,
                min_metacluster_size=settings.min_seqlets,
                final_min_cluster_size=settings.min_pattern_seqlets,
                min_num_to_trim_to=settings.min_pattern_seqlets,
                n_leiden_runs=settings.leiden_runs,
            )
    finally:
        numba.set_num_threads(n_threads)
    return found[0] or [], found[1] or []


def _patterns(sign: str, found: Iterable[Any]) -> list[Pattern]:
    by_size = sorted(found, key=lambda pattern: -len(pattern.seqlets))
    return [
        Pattern(
            f"{sign}_{number}",
            len(pattern.seqlets),
            _shares(np.asarray(pattern.sequence)),
            np.asarray(pattern.contrib_scores),
        )
        for number, pattern in enumerate(by_size, start=1)
    ]


def _shares(bases: np.ndarray) -> np.ndarray:
    """Shares of the bases at each position; equal where all seqlets reach beyond their sequences."""
    known = bases.sum(axis=1, keepdims=True)
    return np.where(known > 0, bases / np.where(known > 0, known, 1), 0.25)
