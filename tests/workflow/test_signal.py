"""Signal tracks drawn by deepTools: real bigWig files made from the peaks, one broken, one experiment without positives."""

import os
import shutil

import numpy as np
import pyBigWig
import pytest
from matplotlib.image import imread

pytestmark = pytest.mark.workflow

CHROM_BP = 240_000
NAMES = ("planted", "few", "broken")
QC = "results/qc/blocks"


def write_signal(path, peaks):
    """Noise with a bump of 200 bp at each summit, in bins of 20 bp."""
    rng = np.random.default_rng(1)
    bins = rng.gamma(2.0, 0.5, CHROM_BP // 20)
    for line in peaks.read_text().splitlines():
        middle = (int(line.split("\t")[1]) + 50) // 20
        bins[middle - 5 : middle + 5] += 8.0
    signal = pyBigWig.open(str(path), "w")
    signal.addHeader([("chrA", CHROM_BP)])
    signal.addEntries("chrA", 0, values=bins.tolist(), span=20, step=20)
    signal.close()


@pytest.fixture
def signal_project(fresh_project):
    """The tiny project with a signal of each experiment: `few` is skipped, and the signal of `broken` was cut off."""
    data = fresh_project.root / "data"
    for name in ("planted", "few"):
        write_signal(data / f"{name}.bw", data / f"{name}.narrowPeak")
    shutil.copy(data / "few.narrowPeak", data / "broken.narrowPeak")
    whole = (data / "planted.bw").read_bytes()
    (data / "broken.bw").write_bytes(whole[: len(whole) // 2])
    rows = [f"{name}\tPLANTED\tcells\ttoy\tnarrowPeak\tdata/{name}.narrowPeak\tdata/{name}.bw\n" for name in NAMES]
    sheet = "experiment\ttf\tbiosample\tassembly\tformat\tpeaks\tsignal\n" + "".join(rows)
    (fresh_project.root / "config/experiments.tsv").write_text(sheet)
    return fresh_project


def test_signal_is_drawn_and_a_broken_track_stops_its_own_figures_only(signal_project):
    root = signal_project.root
    figures = [f"{QC}/{name}/signal_heatmap.png" for name in NAMES]
    result = signal_project.snakemake("--keep-going", *figures)
    assert result.returncode == 1
    assert [name for name in NAMES if not (root / f"{QC}/{name}/signal_heatmap.png").exists()] == ["broken"]
    log = (root / "results/logs/fetch_signal/broken.log").read_text()
    assert log.startswith("Error: broken.bigWig: data/broken.bw: refused, nothing was written: truncated")
    for name in ("planted", "few"):
        for figure in ("heatmap", "profile"):
            assert imread(root / f"{QC}/{name}/signal_{figure}.png").std() > 0
    groups = (root / f"{QC}/planted/signal_regions.bed").read_text()
    assert [line for line in groups.splitlines() if line.startswith("#")] == ["#positives", "#genomic matched"]
    assert (root / f"{QC}/few/signal_regions.bed").read_text() == ""

    assert (root / "resources/signal/planted.bigWig").is_symlink()
    assert os.readlink(root / "resources/signal/planted.bigWig") == "../../data/planted.bw"
    good = [figure for figure in figures if "broken" not in figure]
    assert signal_project.planned_jobs(*good) == set()

    signal_project.edit("config/experiments.tsv", lambda text: text.replace("data/broken.bw", ""))
    correlation = f"{QC}/signal_correlation.toy.png"
    result = signal_project.snakemake(correlation)
    assert result.returncode == 0, result.stdout
    rows = [line.split("\t") for line in (root / f"{QC}/signal_correlation.toy.tsv").read_text().splitlines()]
    assert [row[0].strip("'") for row in rows if not row[0].startswith("#")] == ["", "planted", "few"]
    assert imread(root / correlation).std() > 0
