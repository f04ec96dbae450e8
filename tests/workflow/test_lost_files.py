"""A peak file that disappears or changes between planning and running stops its own experiment only."""

import hashlib
import os
import shutil
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow

LOST, OTHERS = "few", ("planted", "control")


def positives(name):
    return f"results/examples/blocks/{name}/positives.parquet"


@pytest.fixture
def run_with_accident(fresh_project, tmp_path_factory, monkeypatch):
    """Runs the positives of all experiments; `accident`, a shell command, happens while the genome is fetched."""

    def run(accident):
        folder = tmp_path_factory.mktemp("bin")
        bindgram = shutil.which("bindgram", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        wrapper = folder / "bindgram"
        wrapper.write_text(f'#!/bin/sh\ncase "$*" in *"--kind fasta"*) {accident};; esac\nexec {bindgram} "$@"\n')
        wrapper.chmod(0o755)
        python = folder / "python"
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(python))  # whose folder the project puts first on the PATH
        return fresh_project.snakemake("--keep-going", "--cores", "1", *map(positives, (LOST, *OTHERS)))

    return run


def test_lost_peak_file_stops_its_experiment_only(fresh_project, run_with_accident):
    result = run_with_accident(f"rm data/{LOST}.narrowPeak")
    assert result.returncode != 0
    assert all((fresh_project.root / positives(name)).exists() for name in OTHERS), result.stdout
    assert not (fresh_project.root / positives(LOST)).exists()
    log = (fresh_project.root / f"results/logs/fetch_peaks/{LOST}.narrowPeak.log").read_text()
    assert f"data/{LOST}.narrowPeak" in log


def test_changed_checksum_stops_its_experiment_only(fresh_project, run_with_accident):
    digest = hashlib.sha256((fresh_project.root / f"data/{LOST}.narrowPeak").read_bytes()).hexdigest()
    rows = (fresh_project.root / "config/experiments.tsv").read_text().splitlines()
    rows = [
        f"{row}\t{'peaks_checksum' if not number else f'sha256:{digest}' if row.startswith(LOST) else ''}"
        for number, row in enumerate(rows)
    ]
    (fresh_project.root / "config/experiments.tsv").write_text("\n".join(rows) + "\n")
    result = run_with_accident(f"echo >> data/{LOST}.narrowPeak")
    assert result.returncode != 0
    assert all((fresh_project.root / positives(name)).exists() for name in OTHERS), result.stdout
    assert not (fresh_project.root / positives(LOST)).exists()
    log = (fresh_project.root / f"results/logs/fetch_peaks/{LOST}.narrowPeak.log").read_text()
    assert digest in log
    assert "attempt" not in log.lower()  # a refused checksum is not asked for again
