from typing import get_args

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from bindgram.data.examples import ExampleTable, skipped_examples
from bindgram.evaluation.baselines import BASELINES, composition, score_test_sets
from bindgram.evaluation.fitted import Known
from bindgram.sequence.dna import codes_of
from bindgram.settings.baselines import FittedBaseline, KmerBaseline, MotifBaseline

KNOWN = Known("CTCF", 1, 1)


def kmers(k: int) -> KmerBaseline:
    return KmerBaseline(kind="kmer", k=k, inverse_regularisation=1.0)


def table(sequences: list[str], labels: list[int], split: str = "train") -> ExampleTable:
    n = len(sequences)
    frame = pd.DataFrame(
        {
            "example_id": [f"{split}{index}" for index in range(n)],
            "chrom": None,
            "start": pd.array([pd.NA] * n, dtype="Int64"),
            "label": np.array(labels, dtype=np.int8),
            "parent_id": None,
            "split": split,
            "sequence": sequences,
        }
    )
    return ExampleTable(frame)


def random_dna(n: int, gc: float, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    letters = rng.choice(list("ACGT"), size=(n, 50), p=[(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2])
    return ["".join(row) for row in letters]


def test_counts_of_both_strands_by_hand():
    # AAC and its reverse complement GTT: AA and TT 2 together, AC and GT 2 together
    features = composition(codes_of(["AAC", "GTT"]), 2)
    assert features.shape == (2, 10)  # 6 pairs and 4 palindromes
    assert features[0].tolist() == features[1].tolist()
    assert sorted(features[0][features[0] > 0]) == [1, 1]


def test_a_palindrome_counts_on_both_strands():
    features = composition(codes_of(["ACG"]), 2)  # AC, CG; reverse complement CGT: CG, GT
    assert sorted(features[0][features[0] > 0]) == [1, 2]


@pytest.mark.parametrize(("k", "n_features"), [(0, 1), (1, 2), (2, 10), (3, 32)])
def test_features_are_equal_for_the_other_strand(k, n_features):
    sequences = random_dna(20, 0.4, seed=0)
    other = [text[::-1].translate(str.maketrans("ACGT", "TGCA")) for text in sequences]
    features = composition(codes_of(sequences), k)
    assert features.shape == (20, n_features)
    assert np.array_equal(features, composition(codes_of(other), k))


def test_gc_content_is_the_only_feature_of_k_zero():
    assert composition(codes_of(["GGCA", "ATNN", "NNNN"]), 0).tolist() == [[0.75], [0.0], [0.0]]


def test_composition_is_learnt_and_validation_rows_are_not_fitted():
    train = random_dna(200, 0.6, 1) + random_dna(200, 0.4, 2)
    labels = [1] * 200 + [0] * 200
    misleading = table(train, [1 - label for label in labels], split="valid").frame.assign(
        example_id=[f"v{index}" for index in range(400)]
    )
    labelled = ExampleTable(pd.concat([table(train, labels).frame, misleading, misleading], ignore_index=True))
    test = table(random_dna(100, 0.6, 3) + random_dna(100, 0.4, 4), [1] * 100 + [0] * 100, split="test")
    for k in (0, 1, 3):
        result = score_test_sets(labelled, {"T1": test}, kmers(k), KNOWN)
        assert roc_auc_score(result.frame["label"], result.frame["score"]) > 0.9
        again = score_test_sets(labelled, {"T1": test}, kmers(k), KNOWN)
        assert result.frame.equals(again.frame)


def test_permuted_labels_teach_nothing():
    rng = np.random.default_rng(0)
    labelled = table(random_dna(400, 0.5, 5), rng.integers(0, 2, 400).tolist())
    test = table(random_dna(1000, 0.5, 6), rng.integers(0, 2, 1000).tolist(), split="test")
    result = score_test_sets(labelled, {"T1": test}, kmers(2), KNOWN)
    assert abs(roc_auc_score(result.frame["label"], result.frame["score"]) - 0.5) < 0.06


def test_skips_pass_on_with_their_reason():
    train = table(["ACGT", "GGCC"], [1, 0])
    test = table(["ACGT"], [1], split="test")
    whole = score_test_sets(skipped_examples("too few peaks", {}), {"T1": test}, kmers(1), KNOWN)
    assert (whole.status, whole.reason, len(whole.frame)) == ("skipped", "too few peaks", 0)
    one = score_test_sets(train, {"T1": test, "T2": skipped_examples("no coordinates", {})}, kmers(1), KNOWN)
    assert (one.status, one.skipped_test_sets) == ("ok", {"T2": "no coordinates"})
    assert set(one.frame["test_set"]) == {"T1"}
    none = score_test_sets(train, {"T2": skipped_examples("no coordinates", {})}, kmers(1), KNOWN)
    assert (none.status, none.reason) == ("skipped", "no coordinates")
    single = score_test_sets(table(["ACGT", "GGCC"], [1, 1]), {"T1": test}, kmers(1), KNOWN)
    assert single.reason == "the training examples have one class only"


def test_every_kind_that_is_fitted_has_settings_and_the_other_way_round():
    assert {get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(FittedBaseline)} == set(BASELINES)


def test_a_baseline_that_is_not_defined_is_skipped_with_the_reason():
    train, test = table(["ACGT", "GGCC"], [1, 0]), table(["ACGT"], [1], split="test")
    result = score_test_sets(train, {"T1": test}, MotifBaseline(kind="motif"), Known("CTCF", 1, 1, [], "JASPAR2026"))
    assert (result.status, result.scale, len(result.frame)) == ("skipped", "arbitrary", 0)
    assert result.reason == "not defined: no motif of CTCF in JASPAR2026"
