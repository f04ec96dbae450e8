import numpy as np
import pandas as pd
import pytest

from bindgram.data.examples import ExampleTable, read_examples, skipped_examples, write_examples
from bindgram.data.labelled import label_examples, make_labelled
from bindgram.data.negatives import Recipe
from bindgram.sequence.dna import strings_of


def positive_rows(*splits, seed=0, width=30):
    codes = np.random.default_rng(seed).integers(0, 4, (len(splits), width)).astype(np.uint8)
    return pd.DataFrame(
        {
            "example_id": [f"e:{i}" for i in range(len(splits))],
            "chrom": None,
            "start": pd.array([pd.NA] * len(splits), dtype="Int64"),
            "end": pd.array([pd.NA] * len(splits), dtype="Int64"),
            "strand": None,
            "label": 1,
            "kind": "peak",
            "parent_id": None,
            "split": splits,
            "sequence": strings_of(codes),
        }
    )


def labelled_of(positives, ratio=1.0, seed=1, scheme="dinucleotide_shuffle", undefined=""):
    recipe = Recipe(scheme, {scheme: 1.0}, ratio, 0.1, undefined)
    return make_labelled("e", positives, recipe, seed, None, {"command": "negatives"})


def test_train_and_valid_are_labelled_and_test_is_left_alone():
    positives = ExampleTable(positive_rows("train", "test", "valid", "train"))
    negatives, labelled, counts = labelled_of(positives, ratio=2.0)
    assert labelled.frame.groupby(["split", "label"]).size().to_dict() == {
        ("train", 0): 4,
        ("train", 1): 2,
        ("valid", 0): 2,
        ("valid", 1): 1,
    }
    assert set(negatives.frame["example_id"]) == set(labelled.frame.loc[labelled.frame["label"] == 0, "example_id"])
    assert dict(counts)["n_negatives_train"] == 4


def test_rows_come_split_after_split_with_positives_first():
    _, labelled, _ = labelled_of(ExampleTable(positive_rows("valid", "train")))
    assert labelled.frame[["split", "label"]].to_numpy().tolist() == [
        ["train", 1],
        ["train", 0],
        ["valid", 1],
        ["valid", 0],
    ]


def test_skipped_positives_stay_skipped_with_their_reason():
    negatives, labelled, counts = labelled_of(skipped_examples("too few peaks", {}))
    assert (negatives.status, labelled.status) == ("skipped", "skipped")
    assert (negatives.reason, labelled.reason) == ("too few peaks", "too few peaks")
    assert counts == []


def test_genomic_scheme_of_a_published_set_is_skipped():
    _, labelled, _ = labelled_of(ExampleTable(positive_rows("train", "valid")), undefined="no universe")
    assert labelled.reason == "no universe"


@pytest.mark.parametrize(
    ("splits", "reason"),
    [
        (("train", "test"), "one class only: no positive is left in split valid"),
        (("train", "valid"), "one class only: no negative could be made in split valid"),
    ],
)
def test_split_with_one_class_skips_the_experiment(splits, reason):
    positives = positive_rows(*splits)
    positives.loc[1, "sequence"] = "A" * 30  # has no other shuffle
    negatives, labelled, _ = labelled_of(ExampleTable(positives))
    assert labelled.reason == reason
    assert negatives.skipped
    assert labelled.frame.empty


def test_table_is_written_and_read_back_and_depends_on_the_seed_alone(tmp_path):
    positives = ExampleTable(positive_rows(*["train", "valid"] * 5))
    paths = [tmp_path / f"{name}.parquet" for name in ("first", "again", "other")]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        write_examples(path, labelled_of(positives, seed=seed)[1])
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert read_examples(paths[0]).provenance["digest"] != read_examples(paths[2]).provenance["digest"]
    assert len(read_examples(paths[0]).frame) == 20


def test_placed_and_unplaced_rows_join_with_whole_coordinates(tmp_path):
    placed = positive_rows("train", "valid").assign(chrom="chrA", start=[0, 500], end=[30, 530], strand=".")
    negatives = positive_rows("train", "valid", seed=9).assign(label=0, example_id=["n1", "n2"])
    write_examples(tmp_path / "x.parquet", label_examples(placed, negatives, ("train", "valid"), {}))
    frame = read_examples(tmp_path / "x.parquet").frame
    assert frame["end"].fillna(-1).astype(int).tolist() == [30, -1, 530, -1]


def test_experiment_that_is_held_out_trains_nothing_and_says_why():
    held_out = {"split": "test", "reason": "held out: TF CTCF is in test"}
    positives = ExampleTable(positive_rows("test", "test"), provenance={"settings": {"held_out": held_out}})
    negatives, labelled, _ = labelled_of(positives)
    assert (negatives.reason, labelled.reason) == ("held out: TF CTCF is in test",) * 2
