"""Baselines that are fitted to labelled examples without a network, one entry of `BASELINES` for each kind.

What they explain is no achievement of a model, so that they stand beside every score: composition (the floor), the
known motif of the factor, and gapped k-mers.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bindgram.data.examples import ExampleTable
from bindgram.data.tiled import TiledLabels, tile_codes
from bindgram.errors import InputError
from bindgram.evaluation.fitted import Fitted, Kind, Known, Training, Unfitted
from bindgram.evaluation.gapped_kmer import SLOW_ON_TILES, fit_gapped_kmers
from bindgram.evaluation.motif_scan import fit_motif
from bindgram.evaluation.predictions import Scale, empty_predictions, prediction_rows, skipped_reasons
from bindgram.genome.fasta import Genome
from bindgram.sequence.dna import codes_of, gc_fraction
from bindgram.sequence.kmers import N_SPECIAL, Vocabulary, count_kmers
from bindgram.settings.baselines import FittedBaseline, KmerBaseline

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

MAX_ITERATIONS = 5000


@dataclass(frozen=True)
class ScoredTestSets:
    """Predictions of one baseline; see `bindgram.evaluation.predictions.write_predictions`."""

    frame: pd.DataFrame
    scale: Scale
    status: str = "ok"
    reason: str = ""
    skipped_test_sets: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


def composition(codes: np.ndarray, k: int) -> np.ndarray:
    """Features of (N, L) base codes that are equal for both strands.

    Returns
    -------
    (N, F) float64: the GC fraction for `k` = 0, else counts of every k-mer in sequence and reverse complement together,
    one column per pair of k-mers that are each other's reverse complement.
    """
    if k == 0:
        return np.nan_to_num(gc_fraction(codes))[:, None]
    counts = np.asarray(count_kmers(codes, k), dtype=np.float64)
    reverse = Vocabulary(k, k).reverse_complement_ids()[N_SPECIAL:].astype(np.int64) - N_SPECIAL
    both = counts + counts[:, reverse]
    return both[:, np.arange(4**k) <= reverse]


def fit_logistic(features: np.ndarray, labels: np.ndarray, inverse_regularisation: float) -> "Pipeline":
    """Fit standardised features to 0/1 labels; no randomness in it (L-BFGS)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = LogisticRegression(C=inverse_regularisation, max_iter=MAX_ITERATIONS)
    return make_pipeline(StandardScaler(), model).fit(features, labels)


@contextmanager
def fit_kmers(settings: KmerBaseline, training: Training, _known: Known) -> Iterator[Fitted]:
    """Logistic regression on composition; scores are log odds."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # sums in one order, hence the same bytes on every machine of a kind
        features = composition(training.codes, settings.k)
        model = fit_logistic(features, training.labels, settings.inverse_regularisation)
        yield Fitted(lambda codes: model.decision_function(composition(codes, settings.k)))


BASELINES: dict[str, Kind] = {
    "kmer": Kind(fit_kmers, "log_odds", ["scikit-learn"]),
    "motif": Kind(fit_motif, "arbitrary", ["lightmotif"]),
    "gapped_kmer_svm": Kind(fit_gapped_kmers, "arbitrary", why_no_tiles=SLOW_ON_TILES),
}


def why_untrained(labelled: ExampleTable) -> str:
    """Why no baseline can be fitted to the training rows; "" where one can."""
    one_class = labelled.of_split("train")["label"].nunique() < 2
    return labelled.reason if labelled.skipped else "the training examples have one class only" * one_class


def score_test_sets(
    labelled: ExampleTable, tests: Mapping[str, ExampleTable], settings: FittedBaseline, known: Known
) -> ScoredTestSets:
    """Fit on the training rows of `labelled` and score every row of every test set.

    Returns
    -------
    Predictions, or a skip with its reason where the experiment is skipped, has one class only, or the baseline is not
    defined for it.
    """
    kind = BASELINES[settings.kind]
    skipped = skipped_reasons(tests)
    reason = why_untrained(labelled)
    if not reason and len(skipped) == len(tests):
        reason = "; ".join(sorted(set(skipped.values())))
    elif reason:
        skipped = {}
    if reason:
        return ScoredTestSets(empty_predictions(), kind.scale, "skipped", reason, skipped)
    with kind.fit(settings, _training(labelled), known) as fitted:
        if isinstance(fitted, Unfitted):
            return ScoredTestSets(empty_predictions(), kind.scale, "skipped", fitted.reason, skipped)
        rows = [
            prediction_rows(name, table.frame, fitted.score(codes_of(table.frame["sequence"].tolist())))
            for name, table in tests.items()
            if name not in skipped
        ]
    frame = pd.concat(rows, ignore_index=True)
    return ScoredTestSets(frame, kind.scale, skipped_test_sets=skipped, details=fitted.details)


def score_tiles(
    labelled: ExampleTable, tiled: TiledLabels, genome: Genome, settings: FittedBaseline, known: Known
) -> np.ndarray | Unfitted:
    """Fit on the training rows of `labelled` and score the tiles that are not ignored: (tiles,) scores.

    Raises
    ------
    InputError : the training sequences have another width than the tiles.
    """
    kind = BASELINES[settings.kind]
    reason = why_untrained(labelled) or tiled.reason or kind.why_no_tiles
    if reason:
        return Unfitted(reason)
    training = _training(labelled)
    width = training.codes.shape[1]
    if width != tiled.width:
        raise InputError(f"tiles of {tiled.width} bp, but training examples of {width} bp; make both with one width")
    with kind.fit(settings, training, known) as fitted:
        if isinstance(fitted, Unfitted):
            return fitted
        return np.concatenate([np.empty(0), *map(fitted.score, tile_codes(tiled, genome))])


def _training(labelled: ExampleTable) -> Training:
    rows = labelled.of_split("train")
    return Training(codes_of(rows["sequence"].tolist()), rows["label"].to_numpy())
