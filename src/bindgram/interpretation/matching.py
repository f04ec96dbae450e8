"""Patterns against known motifs: TOMTOM's p-values, q-values over the library, and the verdict.

The verdict answers one question: does what the model has learnt contain a known motif of its own factor?
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.stats import false_discovery_control

from bindgram.data.motifs import Motif, motifs_of, no_motif
from bindgram.interpretation.discovery import Discovery, Pattern
from bindgram.settings.interpretation import MatchingSettings

MIN_LIBRARY = 25  # motifs; the background of TOMTOM's p-values are the columns of all


@dataclass(frozen=True)
class Match:
    """How alike a pattern and a known motif are."""

    motif: Motif
    q_value: float
    p_value: float
    offset: int  # of the motif's first position from the pattern's
    reverse: bool  # whether the motif's reverse complement is what matches

    def to_json(self) -> dict[str, Any]:
        """As it stands in the file."""
        return {"motif": self.motif.name, "tf": self.motif.tf, "q_value": self.q_value, "p_value": self.p_value}


@dataclass(frozen=True)
class Verdict:
    """Whether the known motif was recovered; `q_value` and `pattern` are those of its best match, whatever it is."""

    recovered: Literal["yes", "no", "not defined"]
    reason: str = ""
    known: str | None = None
    q_value: float | None = None
    pattern: str | None = None


def why_unmatched(pattern: Pattern, settings: MatchingSettings) -> str:
    """Why a pattern cannot be compared with known motifs, or ""; a short or vague one matches nearly anything."""
    core = pattern.trimmed(settings.trim_bits)
    if len(core.probabilities) < settings.min_bp:
        return f"not defined: {len(core.probabilities)} informative bp; {settings.min_bp} are needed"
    if (bits := float(core.information.sum())) < settings.min_bits:
        return f"not defined: {bits:.1f} bits; {settings.min_bits:g} are needed"
    return ""


def match_patterns(
    patterns: Sequence[Pattern], library: Sequence[Motif], settings: MatchingSettings
) -> list[list[Match]]:
    """Compare each pattern, cut to its informative part, with every motif of a library on both strands.

    Returns
    -------
    For each pattern all motifs, from the most to the least alike; none for a pattern of `why_unmatched`. p-values are
    TOMTOM's complete scores (Euclidean distance); q-values are those of Benjamini and Hochberg over the library.

    References
    ----------
    Gupta et al. 2007, doi:10.1186/gb-2007-8-2-r24; memelite: https://github.com/jmschrei/memesuite-lite.
    """
    compared = [pattern for pattern in patterns if not why_unmatched(pattern, settings)]
    if not compared or not library:
        return [[] for _ in patterns]
    from memelite import tomtom

    with warnings.catch_warnings(action="ignore"):  # of a small library: see `verdict_of`
        p_values, _, offsets, _, strands = tomtom(
            [pattern.trimmed(settings.trim_bits).probabilities.T for pattern in compared],
            [motif.probabilities.T for motif in library],
            n_jobs=1,
        )[:5]
    found = iter(
        _ranked(library, np.clip(p, 0.0, 1.0), offset, strand)
        for p, offset, strand in zip(p_values, offsets, strands, strict=True)
    )
    return [[] if why_unmatched(pattern, settings) else next(found) for pattern in patterns]


def _ranked(library: Sequence[Motif], p_values: np.ndarray, offsets: np.ndarray, strands: np.ndarray) -> list[Match]:
    q_values = false_discovery_control(p_values)
    order = np.lexsort((np.arange(len(library)), p_values, q_values))
    return [Match(library[i], float(q_values[i]), float(p_values[i]), int(offsets[i]), bool(strands[i])) for i in order]


def verdict_of(
    tf: str,
    discovery: Discovery,
    matches: Sequence[Sequence[Match]],
    library: Sequence[Motif],
    library_name: str,
    settings: MatchingSettings,
) -> Verdict:
    """Whether a positive pattern matches a known motif of the factor.

    A negative pattern speaks against binding, and is no evidence that the motif was learnt.
    """
    if not (known := motifs_of(library, tf)):
        return Verdict("not defined", no_motif(tf, library_name))
    if len(library) < MIN_LIBRARY:
        return Verdict(
            "not defined",
            f"not defined: {library_name} has {len(library)} motifs; p-values need at least {MIN_LIBRARY}",
        )
    if discovery.reason.startswith("not defined"):
        return Verdict("not defined", discovery.reason)
    names = {motif.name for motif in known}
    own = [
        (match.q_value, match.p_value, pattern.name, match)
        for pattern, found in zip(discovery.patterns, matches, strict=True)
        for match in found
        if pattern.positive and match.motif.name in names
    ]
    if not own:
        return Verdict("no", discovery.reason or "no positive pattern with enough information to compare")
    q_value, _, pattern, match = min(own, key=lambda item: item[:3])
    recovered = q_value <= settings.max_q_value
    reason = "" if recovered else f"q-value above {settings.max_q_value:g}"
    return Verdict("yes" if recovered else "no", reason, match.motif.label, q_value, pattern)
