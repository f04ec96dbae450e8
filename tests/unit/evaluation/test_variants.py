import itertools

import numpy as np
import pandas as pd
import pytest

from bindgram.data.examples import ExampleTable, check_examples, skipped_examples, write_examples
from bindgram.errors import InputError
from bindgram.evaluation.variants import count_positives, keep_positives, permute_labels, vary
from bindgram.provenance import step_rng


def labelled(n_train=12, n_valid=4, n_orphans=0, ratio=2):
    """Positives with `ratio` negatives each, and negatives without a parent in training."""
    rng = np.random.default_rng(0)
    rows = []
    for split, n in (("train", n_train), ("valid", n_valid)):
        ids = [f"{split}{number}" for number in range(n)]
        rows += [(name, 1, "peak", None, split) for name in ids]
        rows += [(f"{name}:{turn}", 0, "shuffle", name, split) for name in ids for turn in range(ratio)]
    rows += [(f"orphan{number}", 0, "published", None, "train") for number in range(n_orphans)]
    frame = pd.DataFrame(rows, columns=["example_id", "label", "kind", "parent_id", "split"])
    frame["sequence"] = ["".join(rng.choice(list("ACGT"), 30)) for _ in rows]
    place = pd.DataFrame({"chrom": None, "start": pd.NA, "end": pd.NA, "strand": None}, index=frame.index)
    place = place.astype({"start": "Int64", "end": "Int64"})
    return ExampleTable(pd.concat([frame, place], axis=1), provenance={"settings": {}})


def rng():
    return step_rng(1, "vary", "E")


def train_ids(table, label):
    frame = table.of_split("train")
    return set(frame.loc[frame["label"] == label, "example_id"])


def test_subset_keeps_so_many_positives_and_just_their_negatives():
    table = keep_positives(labelled(), 5, rng())
    kept = train_ids(table, 1)
    assert len(kept) == count_positives(table.frame) == 5
    assert train_ids(table, 0) == {f"{name}:{turn}" for name in kept for turn in (0, 1)}
    check_examples(table.frame)


def test_smaller_subsets_are_part_of_larger_ones():
    tables = [keep_positives(labelled(n_orphans=24), n, rng()) for n in (2, 5, 11)]
    for small, large in itertools.pairwise(tables):
        for label in (0, 1):
            assert train_ids(small, label) < train_ids(large, label)


def test_subset_depends_on_the_seed_and_not_on_the_negatives():
    one, other = (keep_positives(labelled(ratio=ratio), 5, rng()) for ratio in (1, 3))
    assert train_ids(one, 1) == train_ids(other, 1)
    assert train_ids(keep_positives(labelled(), 5, step_rng(2, "vary", "E")), 1) != train_ids(one, 1)


def test_negatives_without_a_parent_keep_their_proportion():
    table = keep_positives(labelled(n_orphans=24), 3, rng())
    assert len([name for name in train_ids(table, 0) if name.startswith("orphan")]) == 6


def test_validation_stays_as_it_is():
    whole = labelled()
    pd.testing.assert_frame_equal(
        keep_positives(whole, 5, rng()).of_split("valid").reset_index(drop=True),
        whole.of_split("valid").reset_index(drop=True),
    )


@pytest.mark.parametrize("n", [12, 500])
def test_as_many_as_there_are_or_more_is_not_defined(n):
    table = keep_positives(labelled(), n, rng())
    assert table.skipped
    assert table.reason.startswith("not defined: 12 training positives")


def test_subset_without_negatives_is_not_defined():
    table = labelled()
    lone = table.frame[(table.frame["label"] == 1) | table.frame["parent_id"].isin(["train0", "valid0"])]
    drawn = [keep_positives(ExampleTable(lone), 1, step_rng(seed, "x")) for seed in range(20)]
    assert {one.reason for one in drawn} >= {"not defined: no negative belongs to the 1 positives drawn"}


def test_permuted_labels_keep_rows_sequences_and_counts_of_each_split(tmp_path):
    whole = labelled(60, 30)
    table = permute_labels(whole, rng())
    pd.testing.assert_frame_equal(table.frame.drop(columns="label"), whole.frame.drop(columns="label"))
    for split in ("train", "valid"):
        ours, theirs = table.of_split(split)["label"], whole.of_split(split)["label"]
        assert ours.sum() == theirs.sum()
        assert 0.2 < (ours == theirs).mean() < 0.8
    write_examples(tmp_path / "permuted.parquet", table)


def test_skipped_table_stays_skipped_with_its_reason():
    skipped = skipped_examples("12 positives in split train", {})
    for variant in ("n5", "permuted"):
        assert vary(skipped, variant, rng()).reason == "12 positives in split train"


@pytest.mark.parametrize("variant", ["n0", "500", "shuffled", ""])
def test_unknown_variant_is_refused_with_what_there_is(variant):
    with pytest.raises(InputError, match="give n250 for 250 training positives, or permuted"):
        vary(labelled(), variant, rng())
