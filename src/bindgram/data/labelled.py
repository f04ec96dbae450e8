"""Labelled examples of one experiment and one scheme: what a classifier is trained and stopped early on."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bindgram.data.background import Background
from bindgram.data.examples import ExampleTable, skipped_examples
from bindgram.data.filters import Counts
from bindgram.data.negatives import Recipe, join_examples, make_negatives
from bindgram.provenance import step_rng

TRAINING_SPLITS = ("train", "valid")


def make_labelled(
    experiment: str,
    positives: ExampleTable,
    recipe: Recipe,
    seed: int,
    background: Background | None,
    provenance: Mapping[str, Any],
) -> tuple[ExampleTable, ExampleTable, Counts]:
    """Make negatives for train and valid, and join them with the positives.

    Returns
    -------
    Negatives, labelled examples, and pairs (reason, n) as `make_negatives` gives them. Both tables are skipped, with
    the same reason, where the positives are, where the experiment is held out of training, where the recipe is not
    defined, where a split has one class only, or fewer negatives than the recipe allows.
    """
    reason = positives.held_out.get("reason") or positives.reason or recipe.undefined
    if reason:
        return skipped_examples(reason, provenance), skipped_examples(reason, provenance), []
    rng = step_rng(seed, "negatives", experiment, recipe.name)
    made, counts = make_negatives(
        experiment, positives.frame, TRAINING_SPLITS, recipe.shares, recipe.ratio, rng, background
    )
    labelled = label_examples(positives.frame, made, TRAINING_SPLITS, provenance)
    if not labelled.skipped and (reason := recipe.why_too_few(positives.frame, made, TRAINING_SPLITS)):
        labelled = skipped_examples(reason, provenance)
    if labelled.skipped:
        return labelled, labelled, counts
    return ExampleTable(made, provenance=provenance), labelled, counts


def label_examples(
    positives: pd.DataFrame, negatives: pd.DataFrame, splits: Sequence[str], provenance: Mapping[str, Any]
) -> ExampleTable:
    """Join positives and negatives of `splits`: split after split, positives before negatives.

    The table is skipped where a split has one class only, and then says which.
    """
    parts = []
    for split in splits:
        for name, rows in (("positive is left", positives), ("negative could be made", negatives)):
            part = rows[rows["split"] == split]
            if part.empty:
                return skipped_examples(f"one class only: no {name} in split {split}", provenance)
            parts.append(part)
    return ExampleTable(join_examples(*parts), provenance=provenance)
