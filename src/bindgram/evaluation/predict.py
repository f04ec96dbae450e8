"""Scores of a classifier on the test sets of the battery, and on any sequences."""

from collections.abc import Mapping

import pandas as pd
import torch

from bindgram.data.examples import ExampleTable
from bindgram.errors import InputError
from bindgram.evaluation.predictions import empty_predictions, prediction_rows
from bindgram.models.bundle import Bundle
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
    if bundle.kind != "classifier":
        raise InputError(f"bundle: its kind is {bundle.kind}; only a classifier scores examples, give one")
    model, vocabulary = classifier_of(bundle)
    model.to(device)
    parts = []
    for name, table in test_sets.items():
        if table.frame.empty:
            continue
        width = len(table.frame["sequence"].iloc[0])
        if width != bundle.settings["width"]:
            raise InputError(
                f"test set {name}: windows of {width} bp, but the model was trained on {bundle.settings['width']} bp;"
                " make the test set with the width of training"
            )
        data = labelled_sequences(table.frame, vocabulary)
        forward, reverse = score_strands(model, data, device)
        parts.append(prediction_rows(name, table.frame, (forward + reverse) / 2, forward, reverse))
    return pd.concat(parts, ignore_index=True) if parts else empty_predictions()
