import numpy as np
import pandas as pd
import pytest

from bindgram.data.battery import choose_positives, make_test_set, read_published_negatives
from bindgram.data.examples import ExampleTable, canonical_sequences, check_examples, skipped_examples
from bindgram.data.labelled import make_labelled
from bindgram.data.negatives import Recipe
from bindgram.errors import InputError
from bindgram.sequence.dna import strings_of

SHUFFLE = "dinucleotide_shuffle"


def rows_of(*splits, seed=0, width=30, label=1, prefix="e"):
    codes = np.random.default_rng(seed).integers(0, 4, (len(splits), width)).astype(np.uint8)
    return pd.DataFrame(
        {
            "example_id": [f"{prefix}:{i}" for i in range(len(splits))],
            "chrom": None,
            "start": pd.array([pd.NA] * len(splits), dtype="Int64"),
            "end": pd.array([pd.NA] * len(splits), dtype="Int64"),
            "strand": None,
            "label": label,
            "kind": "peak" if label else "published",
            "parent_id": None,
            "split": splits,
            "sequence": strings_of(codes),
        }
    )


POSITIVES = rows_of(*["train"] * 6, *["valid"] * 4, *["test"] * 5)
PUBLISHED = rows_of(*["test"] * 10, seed=3, label=0, prefix="e:test")


def battery_set(
    positives=POSITIVES,
    name="T1",
    scheme=SHUFFLE,
    ratio=2.0,
    max_positives=None,
    seed=1,
    published=PUBLISHED,
    minimum_fraction=0.1,
    undefined="",
):
    table = positives if isinstance(positives, ExampleTable) else ExampleTable(positives)
    recipe = Recipe(scheme, {scheme: 1.0}, ratio, minimum_fraction, undefined)
    made, counts = make_test_set("e", name, recipe, table, max_positives, seed, None, published, {})
    check_examples(made.frame)
    return made, dict(counts)


def sizes(table):
    return table.frame.groupby(["split", "label"]).size().to_dict()


def negatives_of(table):
    return table.frame[table.frame["label"] == 0]


def test_test_rows_and_twin_have_the_same_kind_and_ratio():
    made, counts = battery_set()
    assert sizes(made) == {("test", 0): 10, ("test", 1): 5, ("valid", 0): 8, ("valid", 1): 4}
    assert set(negatives_of(made)["kind"]) == {SHUFFLE}
    assert (counts["n_positives_test"], counts["n_negatives_test"], counts["n_negatives_valid"]) == (5, 10, 8)


def test_no_negative_equals_any_positive_also_those_of_training():
    # In sequences of 6 bp of two letters shuffles meet other positives often.
    codes = np.random.default_rng(1).permutation(np.indices((2,) * 6).reshape(6, -1).T)[:40].astype(np.uint8)
    positives = rows_of(*["train", "valid", "test", "test"] * 10).assign(sequence=strings_of(codes))
    positives = positives[~canonical_sequences(positives["sequence"]).duplicated()]
    made, counts = battery_set(positives, ratio=3.0)
    assert counts["no_new_shuffle"] > 0
    known = canonical_sequences(positives["sequence"])
    assert not canonical_sequences(negatives_of(made)["sequence"]).isin(known).any()


def test_test_set_does_not_depend_on_other_test_sets_but_on_its_name_and_the_seed():
    first, again, renamed, reseeded = (
        set(negatives_of(battery_set(**options)[0])["sequence"]) for options in ({}, {}, {"name": "T9"}, {"seed": 2})
    )
    assert first == again
    assert not first & renamed
    assert not first & reseeded


def test_negatives_of_the_twin_are_not_those_of_training():
    recipe = Recipe(SHUFFLE, {SHUFFLE: 1.0}, 2.0, 0.1)
    _, labelled, _ = make_labelled("e", ExampleTable(POSITIVES), recipe, 1, None, {})
    twin = negatives_of(battery_set()[0])
    assert not set(labelled.frame["sequence"]) & set(twin["sequence"])


def test_same_positives_are_chosen_for_every_test_set():
    chosen = [
        set(made.frame.loc[made.frame["label"] == 1, "example_id"])
        for made, _ in (battery_set(max_positives=3, name=name, ratio=ratio) for name, ratio in (("T1", 1), ("T2", 4)))
    ]
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 6


def test_choice_is_random_and_keeps_the_order_of_the_file():
    picks = [choose_positives(POSITIVES, 2, seed, "e")["example_id"].tolist() for seed in range(30)]
    assert len({tuple(pick) for pick in picks}) > 10
    ids = [int(name.split(":")[1]) for name in picks[0]]
    assert ids[:2] == sorted(ids[:2])
    assert ids[2:] == sorted(ids[2:])


def test_skipped_positives_pass_their_reason_on():
    made, counts = battery_set(skipped_examples("too few peaks", {}))
    assert (made.status, made.reason, counts) == ("skipped", "too few peaks", {})


def test_genomic_test_set_of_a_published_experiment_is_skipped():
    made, _ = battery_set(scheme="genomic_matched", undefined="no coordinates")
    assert made.reason == "no coordinates"


def test_split_without_a_negative_skips_the_test_set():
    positives = rows_of("test", "valid").assign(sequence=["A" * 30, "ACGTTGCAAC" * 3])
    made, counts = battery_set(positives)
    assert made.reason == "one class only: no negative could be made in split test"
    assert counts["no_new_shuffle"] == 2


def test_where_the_twin_is_short_of_negatives_the_test_set_gives_up_as_many():
    """Three of four validation positives cannot be shuffled. A threshold comes from the ratio it is used at."""
    positives = rows_of(*["valid"] * 4, *["test"] * 8)
    positives.loc[:2, "sequence"] = ["A" * 30, "C" * 30, "A" * 29 + "C"]
    made, counts = battery_set(positives, ratio=2.0)
    assert sizes(made) == {("test", 0): 4, ("test", 1): 8, ("valid", 0): 2, ("valid", 1): 4}
    assert (counts["no_new_shuffle"], counts["short_twin"]) == (6, 12)
    assert counts["n_wanted"] == 24 == 6 + 12 + counts["n_negatives_test"] + counts["n_negatives_valid"]
    skipped, _ = battery_set(positives, ratio=2.0, minimum_fraction=0.3)
    assert skipped.reason == (
        "dinucleotide_shuffle: 4 of 16 negatives could be made in split test, less than the fraction 0.3 "
        "(negatives.minimum_fraction)"
    )


def test_full_test_set_and_twin_lose_nothing_to_each_other():
    made, counts = battery_set(ratio=1.3)
    assert counts["short_twin"] == 0
    assert sizes(made)["test", 0] == 7
    assert sizes(made)["valid", 0] == 5


def test_published_set_takes_its_own_negatives_and_a_shuffled_twin_of_the_same_ratio():
    made, counts = battery_set(scheme="published", ratio=1.0)
    assert sizes(made) == {("test", 0): 10, ("test", 1): 5, ("valid", 0): 8, ("valid", 1): 4}
    kinds = negatives_of(made).groupby("split")["kind"].unique()
    assert kinds["test"].tolist() == ["published"]
    assert kinds["valid"].tolist() == [SHUFFLE]
    assert set(made.of_split("test").loc[lambda frame: frame["label"] == 0, "sequence"]) == set(PUBLISHED["sequence"])
    assert counts["n_published"] == 10


def test_fewer_chosen_positives_take_fewer_published_negatives():
    made, counts = battery_set(scheme="published", max_positives=2)
    assert sizes(made) == {("test", 0): 4, ("test", 1): 2, ("valid", 0): 4, ("valid", 1): 2}
    assert counts["not_chosen"] == 6


@pytest.mark.parametrize(("sequence", "reason"), [(POSITIVES["sequence"][0], "duplicate"), ("ACGTN" * 6, "n_fraction")])
def test_published_negative_that_is_a_positive_or_ambiguous_is_dropped_and_counted(sequence, reason):
    published = PUBLISHED.copy()
    published.loc[4, "sequence"] = sequence
    made, counts = battery_set(scheme="published", published=published)
    assert counts[reason] == 1
    assert counts["n_negatives_test"] == 9
    assert sequence not in set(negatives_of(made)["sequence"])


def test_published_scheme_without_a_file_names_the_option():
    with pytest.raises(InputError, match="--test-sequences"):
        read_published_negatives("e", "deepbind", None, None, [SHUFFLE, "published"])
    assert read_published_negatives("e", None, None, None, [SHUFFLE]) is None


# Experiments held out of training


def held(split, *splits):
    held_out = {"split": split, "reason": f"held out: TF CTCF is in {split}"}
    return ExampleTable(rows_of(*splits), provenance={"settings": {"held_out": held_out}})


@pytest.mark.parametrize("split", ["test", "valid"])
def test_experiment_that_is_held_out_has_test_sets_of_its_split_only(split):
    made, counts = battery_set(held(split, *[split] * 5))
    assert sizes(made) == {(split, 0): 10, (split, 1): 5}
    assert counts["n_wanted"] == counts[f"n_negatives_{split}"] == 10


def test_published_test_set_of_an_experiment_held_out_has_no_twin():
    made, counts = battery_set(held("test", *["test"] * 5), "published", "published")
    assert sizes(made) == {("test", 0): 10, ("test", 1): 5}
    assert counts["n_negatives_valid"] == 0


def test_published_test_set_is_no_matter_of_validation():
    made, _ = battery_set(held("valid", *["valid"] * 5), "published", "published")
    assert made.reason == "held out: TF CTCF is in valid, the published test set is of test"
