"""The fixed test battery: the same test sets for every model, each with a validation twin of the same kind and ratio.

One table holds both: rows of split test, and rows of split valid from which thresholds come. The generator of a test
set depends on experiment and test set alone, so that training negatives or other test sets change nothing here.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bindgram.data.background import Background
from bindgram.data.examples import ExampleTable, canonical_sequences, skipped_examples
from bindgram.data.filters import Counts, FilterContext, apply_filters
from bindgram.data.labelled import label_examples
from bindgram.data.negatives import PUBLISHED, PUBLISHED_FILTERS, Recipe, count_wanted, join_examples, make_negatives
from bindgram.data.published import published_negatives
from bindgram.errors import InputError
from bindgram.provenance import step_rng

BATTERY_SPLITS = ("test", "valid")
_TWIN_SCHEME = "dinucleotide_shuffle"  # how the negatives of published sets were made


def choose_positives(frame: pd.DataFrame, max_positives: int | None, seed: int, experiment: str) -> pd.DataFrame:
    """Take at most `max_positives` of test and of valid, at random but the same for every test set, in file order."""
    rng = step_rng(seed, "battery_positives", experiment)
    parts = []
    for split in BATTERY_SPLITS:
        rows = frame[frame["split"] == split]
        n = len(rows) if max_positives is None else min(max_positives, len(rows))
        parts.append(rows.iloc[np.sort(rng.permutation(len(rows))[:n])])
    return join_examples(*parts)


def make_test_set(
    experiment: str,
    name: str,
    recipe: Recipe,
    positives: ExampleTable,
    max_positives: int | None,
    seed: int,
    background: Background | None,
    published: pd.DataFrame | None,
    provenance: Mapping[str, Any],
) -> tuple[ExampleTable, Counts]:
    """Make one test set and its twin.

    Parameters
    ----------
    recipe : its name may be ``published``: the negatives that came with the positives, at their own ratio.
    positives : all positives of the experiment; no negative has the sequence of any of them.
    background : for schemes that need coordinates.
    published : label-0 examples of a published test set.

    Returns
    -------
    The table, skipped with a reason where a split would have one class only or fewer negatives than the recipe allows,
    and pairs (reason, n). An experiment that is held out has rows of that split only: of test without a twin, or the
    twin alone.
    """
    reason = positives.reason if positives.skipped else recipe.undefined
    if reason:
        return skipped_examples(reason, provenance), []
    if recipe.name == PUBLISHED and positives.held_out.get("split") == "valid":
        return skipped_examples(f"{positives.held_out['reason']}, the published test set is of test", provenance), []
    splits = tuple(split for split in BATTERY_SPLITS if split == positives.held_out.get("split", split))
    chosen = choose_positives(positives.frame, max_positives, seed, experiment)
    rng = step_rng(seed, "battery", experiment, name)
    if recipe.name == PUBLISHED:
        assert published is not None
        negatives, counts = _published_negatives(experiment, positives.frame, chosen, published, rng)
    else:
        sequences = positives.frame["sequence"]
        negatives, counts = make_negatives(
            experiment, chosen, splits, recipe.shares, recipe.ratio, rng, background, avoid=sequences
        )
        negatives, counts = _at_one_ratio(chosen, negatives, counts, splits, recipe, rng)
    counts = [(f"n_positives_{split}", int((chosen["split"] == split).sum())) for split in splits] + counts
    table = label_examples(chosen, negatives, splits, provenance)
    if not table.skipped and recipe.name != PUBLISHED:
        reason = recipe.why_too_few(chosen, negatives, splits)
        table = skipped_examples(reason, provenance) if reason else table
    return table, counts


def _at_one_ratio(
    positives: pd.DataFrame,
    negatives: pd.DataFrame,
    counts: Counts,
    splits: Sequence[str],
    recipe: Recipe,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, Counts]:
    """Where one of test set and twin is short of negatives, leave out as many of the other at random."""
    made = {split: negatives[negatives["split"] == split] for split in splits}
    wanted = {split: count_wanted(int((positives["split"] == split).sum()), recipe.ratio) for split in splits}
    fraction = min((len(rows) / wanted[split] for split, rows in made.items() if wanted[split]), default=1.0)
    n_kept = {split: min(len(rows), round(fraction * wanted[split])) for split, rows in made.items()}
    kept = [rows.iloc[np.sort(rng.permutation(len(rows))[: n_kept[split]])] for split, rows in made.items()]
    found = dict(counts) | {f"n_negatives_{split}": n for split, n in n_kept.items()}
    n_gone = sum(map(len, made.values())) - sum(n_kept.values())
    counts = [(reason, n) for reason, n in found.items() if not reason.startswith("n_negatives_")]
    return join_examples(*kept), [
        *counts,
        ("short_twin", n_gone),
        *((reason, n) for reason, n in found.items() if reason.startswith("n_negatives_")),
    ]


def read_published_negatives(
    experiment: str, format: str | None, test: Path | None, valid: Path | None, schemes: Collection[str]
) -> pd.DataFrame | None:
    """Read the negatives of a published test set, and of its validation set, where a scheme asks for them.

    Raises
    ------
    InputError : they are asked for and there is no file.
    """
    if PUBLISHED not in schemes:
        return None
    if test is None or format is None:
        raise InputError(
            f"scheme {PUBLISHED} takes the negatives of a published test set; give --test-sequences, --sequence-format"
        )
    return published_negatives(experiment, format, test, valid)


def _published_negatives(
    experiment: str,
    positives: pd.DataFrame,
    chosen: pd.DataFrame,
    published: pd.DataFrame,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, Counts]:
    """Published negatives; for valid, where none are published, shuffles at the ratio that the test set has."""
    known = set(canonical_sequences(positives["sequence"]))
    kept, dropped = apply_filters(published, PUBLISHED_FILTERS, FilterContext(known=known))
    test, valid = (_in_proportion(kept, positives, chosen, split, rng) for split in BATTERY_SPLITS)
    not_chosen = len(kept) - len(test) - len(valid)
    counts = [("n_published", len(published)), *dropped, ("not_chosen", not_chosen), ("n_negatives_test", len(test))]
    if (published["split"] == "valid").any():
        return join_examples(test, valid), [*counts, ("n_negatives_valid", len(valid))]
    avoid = pd.concat([positives["sequence"], published["sequence"]])
    ratio = len(test) / max(int((chosen["split"] == "test").sum()), 1)
    twin, of_twin = make_negatives(experiment, chosen, ("valid",), _TWIN_SCHEME, ratio, rng, None, avoid=avoid)
    return join_examples(test, twin), [*counts, *of_twin]


def _in_proportion(
    negatives: pd.DataFrame, positives: pd.DataFrame, chosen: pd.DataFrame, split: str, rng: np.random.Generator
) -> pd.DataFrame:
    """Negatives of one split; fewer positives by choice take fewer negatives with them: the ratio stays published."""
    rows = negatives[negatives["split"] == split]
    n_all, n_chosen = (int((frame["split"] == split).sum()) for frame in (positives, chosen))
    n = 0 if not n_all else round(len(rows) * n_chosen / n_all)
    return rows.iloc[np.sort(rng.permutation(len(rows))[:n])]
