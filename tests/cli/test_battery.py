from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from bindgram.data.examples import read_examples, write_examples
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
    assert case.battery(*sets, more=["--test-sequences", "test.seq", "--sequence-format", "deepbind"]).exit_code == 0
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


# Rows that resemble training positives

HOMOLOGY = ["--min-identity", "0.8", "--min-coverage", "0.8", "--homology-table", "homology.tsv"]


def copy_a_training_positive_into_test():
    """The first test positive becomes the first training positive with its middle base changed; gives both ids."""
    table = read_examples("positives.parquet")
    frame = table.frame.copy()
    source, copy = (frame.index[frame["split"] == split][0] for split in ("train", "test"))
    text = frame.loc[source, "sequence"]
    middle = len(text) // 2
    frame.loc[copy, "sequence"] = (
        text[:middle] + {"A": "C", "C": "G", "G": "T", "T": "A"}[text[middle]] + text[middle + 1 :]
    )
    write_examples("positives.parquet", replace(table, frame=frame))
    return frame.loc[source, "example_id"], frame.loc[copy, "example_id"]


@pytest.mark.parametrize(("action", "n_rows"), [("report", 36), ("remove", 33)])
def test_rows_that_resemble_a_training_positive_are_listed_and_removed_if_asked(case, action, n_rows):
    source, copy = copy_a_training_positive_into_test()
    assert case.battery(("T1", "dinucleotide_shuffle", "2"), more=["--homology", action, *HOMOLOGY]).exit_code == 0
    found = read_table("homology.tsv")
    assert found[["test_set", "split", "target", "strand"]].drop_duplicates().to_numpy().tolist() == [
        ["T1", "test", source, "+"]
    ]
    assert found["example_id"].tolist() == [copy, f"{copy}:shuffle1", f"{copy}:shuffle2"]
    assert len(read_examples("T1.parquet").frame) == n_rows
    counts = read_table("b.tsv").set_index("reason")["n"]
    assert counts["n_homologous_test"] == 3
    assert counts.get("n_kept_test") == {"report": None, "remove": 15}[action]


def test_options_of_homology_come_together(case):
    with pytest.raises(InputError, match="--homology, --min-identity, --min-coverage and --homology-table"):
        case.battery(("T1", "dinucleotide_shuffle", "2"), more=["--homology", "report"])


def test_twin_of_a_published_set_with_validation_sequences_is_published_too(case):
    case.become_published()
    lines = [line.split("\t")[2:] for line in Path("test.seq").read_text().splitlines()[1:]]
    for name, rows in (("test", lines[:4]), ("valid", lines[4:])):
        Path(f"{name}.csv").write_text("sequence,label\n" + "".join(",".join(row) + "\n" for row in rows))
    more = "--test-sequences test.csv --valid-sequences valid.csv --sequence-format gue"
    assert case.battery(("published", "published", "1"), more=more.split()).exit_code == 0
    own = read_examples("published.parquet").frame
    assert own.groupby(["split", "kind"]).size().to_dict() == {
        ("test", "peak"): 6,
        ("test", "published"): 4,
        ("valid", "peak"): 6,
        ("valid", "published"): 2,
    }
