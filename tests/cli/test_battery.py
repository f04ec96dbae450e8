from pathlib import Path

import pandas as pd
import pytest

from bindgram.data.examples import read_examples
from bindgram.errors import InputError


def read_table(path):
    return pd.read_csv(path, sep="\t")


def test_battery_writes_every_test_set_with_its_twin(case):
    assert (
        case.battery(("T1", "dinucleotide_shuffle", "1"), ("T2", "genomic_matched", "4"), more=case.genome).exit_code
        == 0
    )
    for name, n_negatives in (("T1", 6), ("T2", 24)):
        frame = read_examples(f"{name}.parquet").frame
        assert frame.groupby(["split", "label"]).size().to_dict() == {
            ("test", 0): n_negatives,
            ("test", 1): 6,
            ("valid", 0): n_negatives,
            ("valid", 1): 6,
        }
    counts = read_table("b.tsv")
    assert list(counts.columns) == ["test_set", "reason", "n"]
    made = counts.set_index(["test_set", "reason"])["n"]
    assert made["T2", "n_wanted"] == made["T2", "n_negatives_test"] + made["T2", "n_negatives_valid"] == 48


def test_adding_a_test_set_leaves_the_others_as_they_are(case):
    case.battery(("T1", "dinucleotide_shuffle", "1"))
    alone = Path("T1.parquet").read_bytes()
    case.battery(("T0", "genomic_matched", "1"), ("T1", "dinucleotide_shuffle", "1"), more=case.genome)
    assert Path("T1.parquet").read_bytes() == alone


def test_battery_takes_at_most_so_many_positives(case):
    case.battery(("T1", "dinucleotide_shuffle", "2"), more=["--max-positives", "2"])
    frame = read_examples("T1.parquet").frame
    assert frame.groupby(["split", "label"]).size().tolist() == [4, 2, 4, 2]


def test_published_experiment_has_its_own_set_and_skips_the_genomic_one(case):
    case.become_published()
    sets = (("T1", "dinucleotide_shuffle", "1"), ("T2", "genomic_matched", "10"), ("published", "published", "1"))
    assert case.battery(*sets, more=["--test-sequences", "test.seq"]).exit_code == 0
    assert read_examples("T1.parquet").status == "ok"
    assert read_examples("T2.parquet").status == "skipped"
    own = read_examples("published.parquet").frame
    assert own.groupby(["split", "kind"]).size().to_dict() == {
        ("test", "peak"): 6,
        ("test", "published"): 6,
        ("valid", "dinucleotide_shuffle"): 6,
        ("valid", "peak"): 6,
    }


def test_test_sets_with_one_name_are_refused(case):
    with pytest.raises(InputError, match="T1 is given twice"):
        case.battery(("T1", "dinucleotide_shuffle", "1"), ("T1", "dinucleotide_shuffle", "2"))
