"""Scores of a classifier on the test sets of the battery: tables of examples, and the tiles of a block."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from bindgram.data.examples import ExampleTable
from bindgram.data.tiled import TEST_SET, TiledLabels, tile_codes
from bindgram.errors import InputError
from bindgram.evaluation.predictions import empty_predictions, prediction_rows
from bindgram.genome.fasta import Genome
from bindgram.models.bundle import Bundle
from bindgram.training.loaders import LabelledSequences
from bindgram.training.scoring import classifier_of, labelled_sequences, score_strands


def predict_test_sets(bundle: Bundle, test_sets: Mapping[str, ExampleTable], device: torch.device) -> pd.DataFrame:
    """Score every example of every test set on both strands.

    Parameters
    ----------
    test_sets : name to table; skipped or empty tables contribute no rows.

    Returns
    -------
    Rows of `bindgram.evaluation.predictions.COLUMNS`; ``score`` is the mean of the two strands.

    Raises
    ------
    InputError : the bundle is no classifier, or the width of the sequences is not that of training.
    """
    _check_kind(bundle)
    model, vocabulary = classifier_of(bundle)
    model.to(device)
    parts = []
    for name, table in test_sets.items():
        if table.frame.empty:
            continue
        _check_width(bundle, f"test set {name}", len(table.frame["sequence"].iloc[0]))
        data = labelled_sequences(table.frame, vocabulary)
        forward, reverse = score_strands(model, data, device)
        parts.append(prediction_rows(name, table.frame, (forward + reverse) / 2, forward, reverse))
    return pd.concat(parts, ignore_index=True) if parts else empty_predictions()


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
