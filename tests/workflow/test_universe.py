"""Test sets drawn from other experiments: a frozen list says which, and no other change reruns anybody."""

import pytest
import yaml

pytestmark = pytest.mark.workflow

SPLIT = "blocks"


@pytest.fixture(scope="module")
def battery(make_tiny_project, open_project, tmp_path_factory):
    """The tiny project with T3, its test sets of two experiments made; ``few`` is in the list and not selected."""
    project = open_project(make_tiny_project(tmp_path_factory.mktemp("universe") / "project"))
    config = yaml.safe_load((project.root / "config/config.yaml").read_text())
    config["universe"] = "config/universe.txt"
    config["battery"]["test_sets"]["T3"] = {"scheme": "other_peaks", "ratio": 1.0}
    config["select"]["experiments"] = ["planted", "control"]
    (project.root / "config/config.yaml").write_text(yaml.safe_dump(config))
    (project.root / "config/universe.txt").write_text("planted\ncontrol\nfew\n")
    result = project.snakemake(*targets())
    assert result.returncode == 0, result.stdout
    return project


def targets():
    return [f"results/battery/blocks/{name}/T3.parquet" for name in ("planted", "control")]


def test_peaks_of_the_whole_list_are_fetched_and_pooled_once(battery):
    assert (battery.root / "results/universe/toy/cells.parquet").is_file()
    assert (battery.root / "resources/peaks/few.narrowPeak.gz").is_file()
    log = (battery.root / "results/logs/make_battery/blocks/planted.log").read_text()
    assert "planted: T3: other_peaks: 0 negatives; skipped: the universe has 2 other factors" in log
    assert "(CONTROL, FEW); 3 needed: other_peaks is not defined" in log
    assert battery.planned_jobs(*targets()) == set()


def test_new_experiment_in_the_sheet_reruns_nobody(battery):
    battery.write_peaks("second", range(900, 230_000, 1200))
    before = (battery.root / "config/experiments.tsv").read_text()
    battery.add_experiment("second")
    battery.edit("config/config.yaml", lambda text: text.replace("  - control", "  - control\n  - second"))
    assert battery.planned_jobs(*targets()) == set()
    # In the list it does, because then they draw from it.
    battery.edit("config/universe.txt", lambda text: text + "second\n")
    jobs = battery.planned_jobs(*targets())
    assert {job for job in jobs if job[0] != "all"} == {
        ("fetch_peaks", "second", "narrowPeak"),
        ("pool_universe", "toy", "cells"),
        ("make_battery", "planted", SPLIT),
        ("make_battery", "control", SPLIT),
    }
    battery.edit("config/universe.txt", lambda text: text.replace("second\n", ""))
    (battery.root / "config/experiments.tsv").write_text(before)
    battery.edit("config/config.yaml", lambda text: text.replace("  - control\n  - second", "  - control"))


def test_order_and_comments_of_the_list_rerun_nothing(battery):
    battery.edit("config/universe.txt", lambda text: "# frozen\nfew\ncontrol\nplanted\n")
    assert battery.planned_jobs(*targets()) == set()


def test_without_a_universe_the_test_set_is_skipped_and_nothing_is_pooled(battery):
    battery.edit("config/config.yaml", lambda text: text.replace("universe: config/universe.txt", "universe: null"))
    jobs = battery.planned_jobs(*targets())
    assert {job[0] for job in jobs} == {"make_battery"}
    battery.edit("config/config.yaml", lambda text: text.replace("universe: null", "universe: config/universe.txt"))


def test_everything_is_fetched_beforehand_too(battery):
    (battery.root / "resources/peaks/few.narrowPeak.gz").rename(battery.root / "kept.gz")
    assert ("fetch_peaks", "few", "narrowPeak") in battery.planned_jobs("fetch_all")
    (battery.root / "kept.gz").rename(battery.root / "resources/peaks/few.narrowPeak.gz")
