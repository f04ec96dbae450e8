import numpy as np
import pytest

from bindgram.evaluation.figures import save_figure
from bindgram.evaluation.overlap import COLUMNS, order_by_overlap, overlap_figure, overlap_table
from bindgram.genome.regions import make_regions, pair_overlaps

NAMES = ["A", "B", "C", "D"]


def toy_overlaps():
    """A and C are the same, B and D share half of a region."""
    tables = [[(0, 10), (20, 30)], [(100, 120)], [(0, 10), (20, 30)], [(110, 130)]]
    return pair_overlaps([make_regions([("chr1", *region) for region in table]) for table in tables])


def test_table_has_one_row_per_pair():
    table = overlap_table(NAMES, toy_overlaps())
    assert list(table) == list(COLUMNS)
    pairs = list(zip(table["experiment"], table["other"], strict=True))
    assert pairs == [("A", "B"), ("A", "C"), ("A", "D"), ("B", "C"), ("B", "D"), ("C", "D")]
    same, half = table.iloc[1], table.iloc[4]
    assert same["jaccard"] == 1
    assert half[["n_shared", "bp", "bp_other", "bp_shared"]].tolist() == [1, 20, 20, 10]
    assert half["jaccard"] == pytest.approx(10 / 30)


def test_alike_experiments_are_neighbours():
    order = "".join(NAMES[number] for number in order_by_overlap(toy_overlaps().jaccard))
    assert sorted(order) == NAMES
    assert "AC" in order or "CA" in order
    assert "BD" in order or "DB" in order


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_experiments_are_stated(tmp_path, n):
    figure = overlap_figure("Overlap", NAMES[:n], np.ones((n, n)), "Without positives: few")
    save_figure(figure, tmp_path / "figure.svg", {})
    text = (tmp_path / "figure.svg").read_text()
    assert f"{n} experiment(s) with positives" in text
    assert "few" in text


def test_figure_is_labelled_and_the_same_bytes_again(tmp_path):
    for name in ("one", "two"):
        save_figure(overlap_figure("Overlap", NAMES, toy_overlaps().jaccard, ""), tmp_path / f"{name}.svg", {})
    text = (tmp_path / "one.svg").read_text()
    assert text.count(">C</text>") == 2
    assert ">0.33</text>" in text
    assert (tmp_path / "two.svg").read_text() == text


def test_figure_of_500_experiments_has_small_labels_and_no_numbers(tmp_path):
    names = [f"experiment_{number}" for number in range(500)]
    save_figure(overlap_figure("Overlap", names, np.eye(500), ""), tmp_path / "figure.svg", {})
    text = (tmp_path / "figure.svg").read_text()
    assert text.count("experiment_499") == 2
    assert ">1.00</text>" not in text
    assert len(text) < 2_000_000
