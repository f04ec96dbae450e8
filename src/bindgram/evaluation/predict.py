"""Scores of a model on the test sets of the battery: tables of examples, and the tiles of a block."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch

from bindgram.data.examples import ExampleTable
from bindgram.data.tiled import TEST_SET, TiledLabels, tile_codes
from bindgram.errors import InputError
from bindgram.evaluation.likelihood import SequenceModel, above_markov
from bindgram.evaluation.predictions import empty_predictions, prediction_rows
from bindgram.genome.fasta import Genome
from bindgram.models.bundle import Bundle
from bindgram.sequence.dna import codes_of
from bindgram.training.loaders import LabelledSequences
from bindgram.training.scoring import classifier_of, labelled_sequences, score_strands


def predict_test_sets(bundle: Bundle, test_sets: Mapping[str, ExampleTable], device: torch.device) -> pd.DataFrame:
    """Score every example of every test set on both strands.

    A classifier gives logits. A language model, which knows no labels, gives what its log-likelihood per base is above
    that of an order-1 Markov model (nats).

    Parameters
    ----------
    test_sets : name to table; skipped or empty tables contribute no rows.

    Returns
    -------
    Rows of `bindgram.evaluation.predictions.COLUMNS`; ``score`` is the mean of the two strands.

    Raises
    ------
    InputError : the sequences have another width than those a classifier was trained on; or see `SequenceModel`.
    """
    score = _likelihood_of(bundle, device) if bundle.kind == "language_model" else _logits_of(bundle, device)
    parts = []
    for name, table in test_sets.items():
        if table.frame.empty:
            continue
        forward, reverse = score(name, table.frame)
        parts.append(prediction_rows(name, table.frame, (forward + reverse) / 2, forward, reverse))
    return pd.concat(parts, ignore_index=True) if parts else empty_predictions()


Scorer = Callable[[str, pd.DataFrame], np.ndarray]  # name and rows of a test set to (2, rows): both strands


def _logits_of(bundle: Bundle, device: torch.device) -> Scorer:
    model, vocabulary = classifier_of(bundle)
    model.to(device)

    def score(name: str, rows: pd.DataFrame) -> np.ndarray:
        _check_width(bundle, f"test set {name}", len(rows["sequence"].iloc[0]))
        return score_strands(model, labelled_sequences(rows, vocabulary), device)

    return score


def _likelihood_of(bundle: Bundle, device: torch.device) -> Scorer:
    model = SequenceModel(bundle, device)
    return lambda name, rows: above_markov(model.score(codes_of(list(rows["sequence"]))))


def predict_tiles(bundle: Bundle, tiled: TiledLabels, genome: Genome, device: torch.device) -> np.ndarray:
    """Score the tiles that are not ignored on both strands, piece by piece from left to right.

    Returns
    -------
    (tiles that are not ignored,) float64 logits, means of the two strands.

    Raises
    ------
    InputError : the bundle is no classifier, or the width of the tiles is not that of training.
    """
    _check_kind(bundle)
    _check_width(bundle, f"test set {TEST_SET}", tiled.width)
    model, vocabulary = classifier_of(bundle)
    model.to(device)
    parts = [np.empty(0)]
    for codes in tile_codes(tiled, genome):
        data = LabelledSequences(codes, np.zeros(len(codes), np.float32), vocabulary)
        parts.append(score_strands(model, data, device).mean(axis=0))
    return np.concatenate(parts)


def _check_kind(bundle: Bundle) -> None:
    if bundle.kind != "classifier":
        raise InputError(f"bundle: its kind is {bundle.kind}; only a classifier scores examples, give one")


def _check_width(bundle: Bundle, what: str, width: int) -> None:
    if width != bundle.settings["width"]:
        raise InputError(
            f"{what}: windows of {width} bp, but the model was trained on {bundle.settings['width']} bp;"
            " make the test set with the width of training"
        )
