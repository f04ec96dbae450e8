"""Variants of the labelled examples of one experiment: fewer training positives, or permuted labels.

Validation rows of a subset and all test sets stay as they are, so that every number of positives is measured alike.
"""

import numpy as np
import pandas as pd

from bindgram.data.examples import ExampleTable, skipped_examples
from bindgram.data.labelled import TRAINING_SPLITS
from bindgram.errors import InputError
from bindgram.settings.variants import PERMUTED, n_of_variant


def vary(table: ExampleTable, variant: str, rng: np.random.Generator) -> ExampleTable:
    """The variant of a labelled table that a suffix names (`bindgram.settings.variants.VARIANT`).

    Parameters
    ----------
    rng : the same for all numbers of positives, so that a smaller subset is part of every larger one.

    Raises
    ------
    InputError : no such variant.
    """
    n = n_of_variant(variant)
    if n is None and variant != PERMUTED:
        raise InputError(f"--variant {variant}: not known; give n250 for 250 training positives, or {PERMUTED}")
    if table.skipped:
        return table
    return permute_labels(table, rng) if n is None else keep_positives(table, n, rng)


def keep_positives(table: ExampleTable, n: int, rng: np.random.Generator) -> ExampleTable:
    """Keep `n` training positives, drawn at random, with the negatives made from them.

    Negatives without a parent (published ones) are kept in the same proportion. Skipped where there are not more than
    `n` positives, since the result would be that of all of them under another name.
    """
    train = (table.frame["split"] == "train").to_numpy()
    positive = train & (table.frame["label"] == 1).to_numpy()
    n_positives = int(positive.sum())
    if n >= n_positives:
        reason = f"not defined: {n_positives} training positives; a subset of {n} needs more"
        return skipped_examples(reason, table.provenance)
    drawn = _draw(positive, n, rng)
    parents = set(table.frame.loc[drawn, "example_id"])
    orphan = train & ~positive & table.frame["parent_id"].isna().to_numpy()
    kept = ~train | drawn | (train & table.frame["parent_id"].isin(parents).to_numpy())
    kept |= _draw(orphan, round(int(orphan.sum()) * n / n_positives), rng)
    frame = table.frame[kept].reset_index(drop=True)
    if frame.loc[frame["split"] == "train", "label"].nunique() < 2:
        return skipped_examples(f"not defined: no negative belongs to the {n} positives drawn", table.provenance)
    return ExampleTable(frame, provenance=table.provenance)


def _draw(candidates: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """(N,) whether a row is among the first `n` of a random order of the `candidates`, the same order for any `n`."""
    chosen = np.zeros(len(candidates), dtype=bool)
    chosen[rng.permutation(np.flatnonzero(candidates))[:n]] = True
    return chosen


def permute_labels(table: ExampleTable, rng: np.random.Generator) -> ExampleTable:
    """Permute the labels of training and validation rows, each split for itself; sequences and test sets stay.

    Validation labels are permuted too, because a training keeps the weights that validate best: with true labels it
    would choose, among networks that know nothing, one that happens to be right.
    """
    frame = table.frame.copy()
    for split in TRAINING_SPLITS:
        rows = (frame["split"] == split).to_numpy()
        frame.loc[rows, "label"] = rng.permutation(frame.loc[rows, "label"].to_numpy())
    return ExampleTable(frame, provenance=table.provenance)


def count_positives(frame: pd.DataFrame) -> int:
    """Training positives of a labelled table."""
    return int(((frame["split"] == "train") & (frame["label"] == 1)).sum())
