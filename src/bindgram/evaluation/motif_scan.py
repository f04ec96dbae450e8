"""The known motif of the factor as a baseline: how well the best match of a matrix tells bound from unbound.

A sequence scores the highest log odds (bits, against equal shares of the bases) over all positions of both strands.
Counts get a pseudocount of the root of the number of sites, spread over the bases (Wasserman and Sandelin 2004,
doi:10.1038/nrg1315). A base other than A, C, G, T scores 0, that of the background. Of several motifs of the factor
the one with the highest AUROC on the training examples is taken, the first in the library where several have it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from bindgram.data.motifs import Motif, motifs_of, no_motif
from bindgram.evaluation.fitted import Fitted, Known, Training, Unfitted
from bindgram.evaluation.metrics import auroc
from bindgram.sequence.dna import decode
from bindgram.settings.baselines import MotifBaseline

if TYPE_CHECKING:
    from lightmotif import ScoringMatrix

BACKGROUND = 0.25  # share of each base
_CHUNK_BP = 4_000_000  # scanned at a time


def log_odds(motif: Motif) -> np.ndarray:
    """(W, 4) bits of a motif against the background."""
    pseudocount = np.sqrt(motif.n_sites)
    shares = (motif.n_sites * motif.probabilities + pseudocount * BACKGROUND) / (motif.n_sites + pseudocount)
    return np.log2(shares / BACKGROUND)


def best_matches(codes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Highest score of a (W, 4) matrix, W <= L, over both strands of (N, L) base codes: (N,) float64."""
    n, length = codes.shape
    step = max(1, _CHUNK_BP // max(1, length))
    both = [_scoring_matrix(matrix), _scoring_matrix(matrix[::-1, ::-1])]
    parts = [_best_of(codes[start : start + step], both, len(matrix)) for start in range(0, n, step)]
    return np.concatenate([np.empty(0), *parts])


def _scoring_matrix(matrix: np.ndarray) -> "ScoringMatrix":
    from lightmotif import ScoringMatrix

    values = {base: column.tolist() for base, column in zip("ACGT", matrix.T, strict=True)}
    return ScoringMatrix(values | {"N": [0.0] * len(matrix)})


def _best_of(codes: np.ndarray, strands: Sequence["ScoringMatrix"], width: int) -> np.ndarray:
    """All sequences are one text to the scanner; positions that reach into the next one are left out."""
    import lightmotif

    n, length = codes.shape
    text = lightmotif.stripe(decode(codes).tobytes().decode("ascii"))
    best = np.full(n, -np.inf)
    for matrix in strands:
        found = np.asarray(matrix.calculate(text)).ravel()  # column by column, position after position
        found = found[: n * length].reshape(n, length)[:, : length - width + 1]
        best = np.maximum(best, found.max(axis=1))
    return best


@contextmanager
def fit_motif(settings: MotifBaseline, training: Training, known: Known) -> Iterator[Fitted | Unfitted]:
    """Choose the motif on the training examples; scores are bits, no log odds of being bound."""
    length = training.codes.shape[1]
    motifs = motifs_of(known.motifs, known.tf)
    fitting = [motif for motif in motifs if len(motif.probabilities) <= length]
    if not fitting:
        longer = f"not defined: every motif of {known.tf} in {known.library} is longer than the {length} bp of a window"
        yield Unfitted(longer if motifs else no_motif(known.tf, known.library))
        return
    areas = [auroc(training.labels, best_matches(training.codes, log_odds(motif))) for motif in fitting]
    best = int(np.argmax(areas))
    details = {"motif": fitting[best].label, "library": known.library, "train_auroc": round(areas[best], 6)}
    details["candidates"] = {motif.label: round(area, 6) for motif, area in zip(fitting, areas, strict=True)}
    matrix = log_odds(fitting[best])
    yield Fitted(lambda codes: best_matches(codes, matrix), details)
