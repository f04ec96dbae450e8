"""Labelled examples of one experiment and one scheme: what a classifier is trained and stopped early on."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bindgram.data.background import Background
from bindgram.data.examples import ExampleTable, canonical_sequences, skipped_examples
from bindgram.data.filters import Counts, FilterContext, apply_filters
from bindgram.data.negatives import PUBLISHED, PUBLISHED_FILTERS, Recipe, join_examples, make_negatives
from bindgram.provenance import step_rng

TRAINING_SPLITS = ("train", "valid")


def make_labelled(
    experiment: str,
    positives: ExampleTable,
    recipe: Recipe,
    seed: int,
    background: Background | None,
    provenance: Mapping[str, Any],
    published: pd.DataFrame | None = None,
) -> tuple[ExampleTable, ExampleTable, Counts]:
    """Make negatives for train and valid, and join them with the positives.

    Parameters
    ----------
    recipe : its name may be ``published``: the negatives that came with the positives, at their own ratio.
    published : rows of a published set that are not bound, of all splits.

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
    if recipe.name == PUBLISHED:
        assert published is not None
        made, counts = _published_negatives(positives.frame, published)
    else:
        made, counts = make_negatives(
            experiment, positives.frame, TRAINING_SPLITS, recipe.shares, recipe.ratio, rng, background
        )
    labelled = label_examples(positives.frame, made, TRAINING_SPLITS, provenance)
    if (
        not labelled.skipped
        and recipe.name != PUBLISHED
        and (reason := recipe.why_too_few(positives.frame, made, TRAINING_SPLITS))
    ):
        labelled = skipped_examples(reason, provenance)
    if labelled.skipped:
        return labelled, labelled, counts
    return ExampleTable(made, provenance=provenance), labelled, counts


def _published_negatives(positives: pd.DataFrame, published: pd.DataFrame) -> tuple[pd.DataFrame, Counts]:
    """Published negatives of train and valid, without those that are positives or stand in the published test set."""
    of_test = published["split"] == "test"
    known = set(canonical_sequences(positives["sequence"])) | set(canonical_sequences(published["sequence"][of_test]))
    kept, dropped = apply_filters(published[~of_test], PUBLISHED_FILTERS, FilterContext(known=known))
    n_made = [(f"n_negatives_{split}", int((kept["split"] == split).sum())) for split in TRAINING_SPLITS]
    return kept, [("n_published", int((~of_test).sum())), *dropped, *n_made]


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
