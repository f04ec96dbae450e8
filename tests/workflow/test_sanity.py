"""Examples that do not agree with the raw files stop their own experiment, before anything is trained on them."""

import dataclasses

import pytest

from bindgram.data.examples import read_examples, write_examples

pytestmark = pytest.mark.workflow


def baseline(name):
    return f"results/metrics/kmer2_lr/blocks/{name}/genomic_matched/s1.json"


def test_failed_check_stops_its_experiment_and_the_others_finish(project):
    path = project.root / "results/battery/blocks/planted/T2.parquet"
    table = read_examples(path)
    frame = table.frame.copy()
    row = frame.index[frame["label"] == 0][0]
    frame.loc[row, ["start", "end"]] += 1
    write_examples(path, dataclasses.replace(table, frame=frame))
    for name in ("planted", "control"):
        (project.root / baseline(name)).unlink()

    result = project.snakemake("--keep-going", baseline("planted"), baseline("control"))
    assert result.returncode == 1, result.stdout
    assert not (project.root / baseline("planted")).exists()
    assert (project.root / baseline("control")).exists()
    log = (project.root / "results/logs/audit_examples/blocks/planted.log").read_text()
    assert f"sequences, T2: 1 of 149: a sequence that is not that of the FASTA; first {frame.loc[row, 'example_id']}" in log

    result = project.snakemake("report_available")
    assert result.returncode == 0, result.stdout
    summary = (project.root / "results/report/available/index.html").read_text()
    assert "sanity check(s) failed" in summary
