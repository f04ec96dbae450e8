"""The universe without experiments that are held out of training."""

import pytest

from bindgram.data.universe import Member, Universe, pool_peaks, write_universe


@pytest.fixture
def universe(tmp_path):
    """Four factors in one biosample; FOXA1 has two experiments."""
    members = []
    factors = ["FOXA1", "FOXA1", "CTCF", "MAX", "REST"]
    for start, (experiment, tf) in enumerate(zip("abcde", factors, strict=True)):
        (tmp_path / f"{experiment}.bed").write_text(f"chr1\t{100 * start}\t{100 * start + 50}\n")
        members.append(Member(experiment, tf, "bed", tmp_path / f"{experiment}.bed"))
    write_universe(tmp_path / "universe.parquet", pool_peaks(members, {"chr1": 1000}), {})
    return Universe.open(tmp_path / "universe.parquet")


def test_peaks_of_experiments_left_out_are_not_drawn_from(universe):
    kept = universe.without(["b", "c", "unknown"])
    assert kept.factors == {"FOXA1": {"a": 1}, "MAX": {"d": 1}, "REST": {"e": 1}}
    assert kept.peaks()[["tf", "start"]].to_numpy().tolist() == [["FOXA1", 0], ["MAX", 300], ["REST", 400]]
    assert universe.without([]).peaks().equals(universe.peaks())


def test_factor_counts_only_with_an_experiment_that_is_not_left_out(universe):
    assert universe.why_too_small("REST") == ""
    assert "2 other factors with peaks in this biosample (FOXA1, MAX)" in universe.without(["c"]).why_too_small("REST")
