import numpy as np
import pandas as pd
import pytest

from bindgram.evaluation.distributions import distribution_figure, gc_edges, natural
from bindgram.evaluation.figures import save_figure


def rows(n, chrom, split="train", width=20, seed=1):
    rng = np.random.default_rng(seed)
    letters = np.array(list("ACGT"))
    starts = np.sort(rng.integers(0, 10_000, n))
    return pd.DataFrame(
        {
            "chrom": chrom,
            "start": starts if chrom else np.nan,
            "end": starts + width if chrom else np.nan,
            "split": split,
            "sequence": ["".join(letters[rng.integers(0, 4, width)]) for _ in range(n)],
        }
    )


def text_of(figure, folder):
    save_figure(figure, folder / "figure.svg", {})
    return (folder / "figure.svg").read_text()


def panels(figure):
    return {axes.get_title(loc="left"): axes for axes in figure.axes}


SITES = pd.DataFrame({"chrom": ["chr1"], "start": [5000], "end": [5001]})


def test_every_set_is_named_with_its_size(tmp_path):
    sets = {"positives": rows(90, "chr1"), "T1: dinucleotide shuffle": rows(40, None, seed=2)}
    text = text_of(distribution_figure("CTCF", sets, np.array([100, 200, 400]), SITES, ""), tmp_path)
    for part in ("positives (90)", "T1: dinucleotide shuffle (40)", "Width of 3 called peaks", "the window, 20 bp"):
        assert part in text
    assert text == text_of(distribution_figure("CTCF", sets, np.array([100, 200, 400]), SITES, ""), tmp_path)


def test_shares_of_gc_content_sum_to_one():
    figure = distribution_figure("CTCF", {"positives": rows(90, "chr1")}, np.array([100]), None, "")
    stairs = panels(figure)["GC content"].patches[-1].get_data()
    assert stairs.values.sum() == pytest.approx(1)


@pytest.mark.parametrize("width", [10, 20, 60, 101, 200, 1000])
def test_bins_of_gc_content_hold_equally_many_possible_values(width):
    counts = np.histogram(np.arange(width + 1) / width, gc_edges(width))[0]
    assert set(counts[:-1]) == {max(1, round(width / 40))}
    assert counts.sum() == width + 1


def test_negatives_are_scaled_to_the_positives_of_their_splits():
    positives = pd.concat([rows(30, "chr1"), rows(10, "chr2"), rows(7, "chr3", "test")])
    negatives = pd.concat([rows(60, "chr1"), rows(20, "chr2")])
    figure = distribution_figure("CTCF", {"positives": positives, "training: x": negatives}, np.array([100]), None, "")
    axes = next(axes for title, axes in panels(figure).items() if title.startswith("Chromosomes"))
    assert [bar.get_height() for bar in axes.patches] == [30, 10, 7]
    assert np.nan_to_num(axes.lines[0].get_ydata(), nan=-1).tolist() == [30, 10, -1]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["chr1", "chr2", "chr3"]


def test_distances_are_drawn_as_shares():
    positives = pd.DataFrame(
        {
            "chrom": "chr1",
            "start": [4990, 4900, 0, 0],
            "end": [5010, 5000, 2, 2],
            "split": "train",
            "sequence": "ACGT" * 5,
        }
    )
    figure = distribution_figure("CTCF", {"positives": positives}, np.array([100]), SITES, "")
    curve = panels(figure)["Distance to the nearest TSS"].lines[0].get_xydata()
    assert curve[1:].tolist() == [
        [1, 0.25],
        [pytest.approx(50), 0.5],
        [pytest.approx(4999), 0.75],
        [pytest.approx(4999), 1],
    ]


def test_what_cannot_be_drawn_is_stated(tmp_path):
    some = {"positives": rows(9, "chr1")}
    assert "Genes are unknown" in text_of(distribution_figure("CTCF", some, np.array([100]), None, ""), tmp_path)
    elsewhere = SITES.assign(chrom="1")
    assert "No gene lies on a chromosome" in text_of(distribution_figure("C", some, None, elsewhere, ""), tmp_path)
    assert "without coordinates" in text_of(
        distribution_figure("C", {"positives": rows(9, None)}, None, None, ""), tmp_path
    )
    assert "Skipped: 5 peaks" in text_of(distribution_figure("C", {}, None, None, "5 peaks"), tmp_path)


@pytest.mark.parametrize("widths", [[200], [200, 201], [1, 100_000], range(1, 5000)])
def test_every_peak_is_in_a_bin_of_the_widths(widths):
    widths = np.array(widths)
    figure = distribution_figure("CTCF", {"positives": rows(9, "chr1")}, widths, None, "")
    axes = panels(figure)[f"Width of {len(widths):,} called peaks"]
    assert axes.patches[0].get_data().values.sum() == len(widths)


def test_chromosomes_are_sorted_as_people_do():
    assert sorted(["chrX", "chr10", "chr2", "chr2_alt", "chrI"], key=natural) == [
        "chr2",
        "chr2_alt",
        "chr10",
        "chrI",
        "chrX",
    ]
