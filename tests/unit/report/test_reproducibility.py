import json
import re
import subprocess

import pytest

from bindgram.provenance import digest
from bindgram.report import reproducibility
from bindgram.report.html import joined
from bindgram.report.reproducibility import (
    RECORD_KEYS,
    code_version,
    commit_in_words,
    reproducibility_record,
    reproducibility_section,
)
from bindgram.settings import Experiment

ROW = Experiment(experiment="E1", tf="CTCF", biosample="K562", assembly="hg38", format="bed", peaks="e1.bed")
INPUTS = {"E1": {"genome": "g", "peaks": "p1"}, "E2": {"genome": "g", "peaks": "p2", "blacklist": "b"}}


def record(config, **changed):
    given = {
        "sheet": {"E1": ROW},
        "upstream": {"revisions": {"score": 2}},
        "inputs": INPUTS,
        "files": {"metrics.tsv": "m"},
    }
    return reproducibility_record(config, **given | changed)


def git(folder, *words):
    subprocess.run(["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A package in a checkout of its own."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package/__init__.py").write_text("")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "x")
    monkeypatch.setattr(reproducibility.bindgram, "__file__", str(tmp_path / "package/__init__.py"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_commit_of_a_clean_checkout_is_known(checkout):
    known = code_version()
    assert re.fullmatch("[0-9a-f]{40}", known["commit"])
    assert (known["checkout_of"], known["uncommitted_changes"]) == ("package", False)
    assert commit_in_words(known) == f", package at commit {known['commit']}"


def test_uncommitted_changes_are_told_and_untracked_files_are_none(checkout):
    (checkout / "new.py").write_text("")
    assert code_version()["uncommitted_changes"] is False
    (checkout / "package/__init__.py").write_text("changed = True")
    assert commit_in_words(code_version()).endswith(", with uncommitted changes")


def test_package_that_is_only_installed_below_a_checkout_has_no_commit(checkout, monkeypatch):
    """A virtual environment in the checkout of something else."""
    (checkout / ".venv").mkdir()
    (checkout / ".venv/__init__.py").write_text("")
    monkeypatch.setattr(reproducibility.bindgram, "__file__", str(checkout / ".venv/__init__.py"))
    assert code_version()["commit"] is None
    assert commit_in_words(code_version()) == ", not run from a git checkout"


def test_commit_of_the_workflow_stands_for_an_installed_package(checkout, monkeypatch):
    monkeypatch.setattr(reproducibility.bindgram, "__file__", str(checkout / "elsewhere/__init__.py"))
    (checkout / "workflow").mkdir()
    (checkout / "workflow/Snakefile").write_text("")
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "y")
    assert code_version()["checkout_of"] == "workflow"


def test_digests_depend_on_settings_rows_and_inputs_alone(config):
    one = record(config)
    assert one == record(config)
    assert tuple(one) == RECORD_KEYS
    assert one["configuration"]["digest"] == digest(config.model_dump(mode="json"))
    other = record(config, sheet={"E1": ROW.model_copy(update={"peaks": "other.bed"})})
    assert other["sheet"]["digest"] != one["sheet"]["digest"]
    assert other["configuration"] == one["configuration"]
    assert record(config, inputs={})["inputs_digest"] != one["inputs_digest"]


def test_section_tells_each_digest_once_and_holds_the_record_for_programs(config, visible):
    made = record(config)
    page = joined(reproducibility_section(made))
    assert json.loads(re.search(r'id="reproducibility">(.*?)</script>', page)[1]) == made
    text = visible(page)
    assert "Genome of 2 experiment(s) g" in text
    assert "Blacklist of 1 experiment(s) b" in text
    assert "E1 peaks p1 E2 peaks p2" in text
    assert "score 2." in text
    assert f"Configuration {made['configuration']['digest']}" in text


def test_record_cannot_end_its_script_element(config):
    page = joined(reproducibility_section(record(config, files={"</script><b>": "x"})))
    assert "</script><b>" not in page
