"""Baselines without a network: logistic regression on the composition of both strands.

What counts of short k-mers explain is no binding motif, so this floor stands beside every score.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bindgram.data.examples import ExampleTable
from bindgram.data.tiled import TiledLabels, tile_codes
from bindgram.errors import InputError
from bindgram.evaluation.predictions import empty_predictions, prediction_rows, skipped_reasons
from bindgram.genome.fasta import Genome
from bindgram.sequence.dna import codes_of, gc_fraction
from bindgram.sequence.kmers import N_SPECIAL, Vocabulary, count_kmers

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

MAX_ITERATIONS = 5000


@dataclass(frozen=True)
class ScoredTestSets:
    """Predictions of one baseline; see `bindgram.evaluation.predictions.write_predictions`."""

    frame: pd.DataFrame
    status: str = "ok"
    reason: str = ""
    skipped_test_sets: Mapping[str, str] = field(default_factory=dict)


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


def why_untrained(labelled: ExampleTable) -> str:
    """Why no baseline can be fitted to the training rows; "" where one can."""
    one_class = labelled.of_split("train")["label"].nunique() < 2
    return labelled.reason if labelled.skipped else "the training examples have one class only" * one_class


def score_tiles(
    labelled: ExampleTable, tiled: TiledLabels, genome: Genome, k: int, inverse_regularisation: float
) -> np.ndarray:
    """Fit on the training rows of `labelled` and score the tiles that are not ignored: (tiles,) log odds.

    Raises
    ------
    InputError : the training sequences have another width than the tiles.
    """
    from threadpoolctl import threadpool_limits

    train = labelled.of_split("train")
    width = len(train["sequence"].iloc[0])
    if width != tiled.width:
        raise InputError(f"tiles of {tiled.width} bp, but training examples of {width} bp; make both with one width")
    with threadpool_limits(1):
        model = fit_logistic(_features(train, k), train["label"].to_numpy(), inverse_regularisation)
        parts = [model.decision_function(composition(codes, k)) for codes in tile_codes(tiled, genome)]
    return np.concatenate([np.empty(0), *parts])


def score_test_sets(
    labelled: ExampleTable, tests: Mapping[str, ExampleTable], k: int, inverse_regularisation: float
) -> ScoredTestSets:
    """Fit on the training rows of `labelled` and score every row of every test set.

    Returns
    -------
    Predictions, or a skip with its reason where the experiment is skipped or has one class only.
    """
    from threadpoolctl import threadpool_limits

    reason = why_untrained(labelled)
    if reason:
        return ScoredTestSets(empty_predictions(), "skipped", reason)
    train = labelled.of_split("train")
    skipped = skipped_reasons(tests)
    if len(skipped) == len(tests):
        return ScoredTestSets(empty_predictions(), "skipped", "; ".join(sorted(set(skipped.values()))), skipped)
    with threadpool_limits(1):  # sums in one order, hence the same bytes on every machine of a kind
        model = fit_logistic(_features(train, k), train["label"].to_numpy(), inverse_regularisation)
        rows = [
            prediction_rows(name, table.frame, model.decision_function(_features(table.frame, k)))
            for name, table in tests.items()
            if name not in skipped
        ]
    return ScoredTestSets(pd.concat(rows, ignore_index=True), skipped_test_sets=skipped)


def _features(examples: pd.DataFrame, k: int) -> np.ndarray:
    return composition(codes_of(examples["sequence"].tolist()), k)
