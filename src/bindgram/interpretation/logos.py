"""The figure of an interpretation: patterns beside the known motifs that they match, and the strongest sites.

Letters are drawn by logomaker, in the colours and the style of all figures.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bindgram.data.motifs import BASES, information
from bindgram.evaluation.figures import stating_figure, with_style
from bindgram.interpretation.discovery import Pattern
from bindgram.interpretation.matching import Match

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BASE_COLOURS = {"A": "#009E73", "C": "#0072B2", "G": "#E69F00", "T": "#D55E00"}  # Okabe and Ito 2008
MAX_PATTERNS = 6
MAX_SITES = 5
SITE_BP = 80  # of a longer sequence, the stretch that matters most
_ROW_CM, _WIDTH_IN = 1.15, 10.0


@with_style
def interpretation_figure(
    title: str, patterns: Sequence[Pattern], matches: Sequence[Sequence[Match]], sites: Sequence[Mapping[str, Any]]
) -> "Figure":
    """Draw each pattern (contributions in logits, bits) beside its best match (bits), then the strongest sites.

    Parameters
    ----------
    patterns, matches : as they were found; matches ranked. A pattern is turned to the strand of its match.
    sites : with ``sequence``, ``importance``, ``score`` and, where known, ``chrom, start, end``.
    """
    from matplotlib.figure import Figure

    drawn = list(zip(patterns, matches, strict=True))[:MAX_PATTERNS]
    shown = [site for site in sites if site["importance"]][:MAX_SITES]
    if not drawn and not shown:
        return stating_figure(title, "Nothing to draw: no pattern and no site")
    n_rows = len(drawn) + len(shown)
    figure = Figure(figsize=(_WIDTH_IN, _ROW_CM * n_rows + 0.6), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    grid = figure.add_gridspec(n_rows, 3)
    for row, (pattern, found) in enumerate(drawn):
        _draw_pattern([figure.add_subplot(grid[row, column]) for column in range(3)], pattern, found)
    limits = _limits([np.asarray(site["importance"]) for site in shown])
    for row, site in enumerate(shown, start=len(drawn)):
        _draw_site(figure.add_subplot(grid[row, :]), site, limits)
    return figure


def _draw_pattern(axes: Sequence["Axes"], pattern: Pattern, found: Sequence[Match]) -> None:
    best = found[0] if found else None
    contributions, shares = pattern.contributions, pattern.probabilities
    if best is not None and best.reverse:
        contributions, shares = contributions[::-1, ::-1], shares[::-1, ::-1]
    _letters(axes[0], contributions, f"{pattern.name.replace('_', ' ')}: contribution")
    _letters(axes[1], _bits(shares), f"{pattern.n_seqlets:,} seqlets: bits")
    if best is None:
        axes[2].axis("off")
        axes[2].set_title("no match: too little information", fontweight="normal")
        return
    known = np.zeros_like(shares)
    start = aligned_start(shares, best.motif.probabilities)
    bits = _bits(best.motif.probabilities)
    for place, row in enumerate(bits, start=start):
        if 0 <= place < len(known):
            known[place] = row
    _letters(axes[2], known, f"{best.motif.label}, q = {best.q_value:.1g}")


def aligned_start(shares: np.ndarray, motif: np.ndarray) -> int:
    """Position of a motif's first base in a pattern, on one strand, at which their centred shares agree best."""
    one, other = shares - 0.25, motif - 0.25
    starts = range(1 - len(other), len(one))
    agreement = [
        (one[max(start, 0) : start + len(other)] * other[max(-start, 0) : len(one) - start]).sum() for start in starts
    ]
    return starts[int(np.argmax(agreement))]


def _draw_site(axes: "Axes", site: Mapping[str, Any], limits: tuple[float, float]) -> None:
    importance = np.asarray(site["importance"])
    start, end = strongest_stretch(importance, SITE_BP)
    letters = np.zeros((end - start, len(BASES)))
    for place, base in enumerate(site["sequence"][start:end]):
        if base in BASES:
            letters[place, BASES.index(base)] = importance[start + place]
    where = ""
    if site["chrom"] is not None:
        strand = "" if site["strand"] == "." else f" ({site['strand']})"
        where = f"{site['chrom']}:{site['start'] + start:,}-{site['start'] + end:,}{strand}, "
    _letters(axes, letters, f"{where}score {site['score']:.2f}")
    axes.set_ylim(limits)


def strongest_stretch(importance: np.ndarray, width: int) -> tuple[int, int]:
    """The first window of `width` with the largest sum of absolute importance; all of a shorter sequence."""
    if len(importance) <= width:
        return 0, len(importance)
    sums = np.convolve(np.abs(importance), np.ones(width), mode="valid")
    return int(np.argmax(sums)), int(np.argmax(sums)) + width


def _limits(importance: Sequence[np.ndarray]) -> tuple[float, float]:
    """One scale for all sites."""
    if not importance:
        return 0.0, 1.0
    values = np.concatenate(importance)
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    return (low, high) if high > low else (0.0, 1.0)


def _bits(shares: np.ndarray) -> np.ndarray:
    return shares * information(shares)[:, None]


def _letters(axes: "Axes", heights: np.ndarray, title: str) -> None:
    import logomaker

    frame = pd.DataFrame(heights, columns=list(BASES))
    logomaker.Logo(frame, ax=axes, color_scheme=BASE_COLOURS, flip_below=False, show_spines=False)
    axes.spines["left"].set_visible(True)
    axes.set_xticks([])
    axes.set_title(title, fontweight="normal", fontsize=9)
    axes.tick_params(axis="y", labelsize=7)
