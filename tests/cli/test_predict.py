"""bindgram predict: new sequences and regions, from file to file."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pysam
import pytest
from click.testing import CliRunner

from bindgram.cli import cli
from bindgram.evaluation.new_sequences import CLASSIFIER_COLUMNS, LANGUAGE_MODEL_COLUMNS
from bindgram.models.bundle import save_bundle


@pytest.fixture
def folder(tmp_path, monkeypatch, make_bundle):
    """Bundles, a genome of two chromosomes and sequences, in the working folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("tiny_cnn", "language_model"):
        save_bundle(tmp_path / name, make_bundle(name))
    save_bundle(tmp_path / "wide", make_bundle("tiny_cnn", width=50))
    letters = np.random.default_rng(0).choice(list("ACGT"), (2, 300))
    one, two = ("".join(row) for row in letters)
    (tmp_path / "genome.fa").write_text(f">chrA\n{one}\n>chrB\n{two[:100]}\n")
    pysam.faidx("genome.fa")
    (tmp_path / "s.fa").write_text(f">first of all\n{one[80:120]}\n>long\n{one}\n>short\nACGT\n")
    (tmp_path / "r.bed").write_text("chrA\t90\t110\tmine\nchrB\t0\t10\nchrA\t100\t221\t.\n")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(cli, ["predict", "--device", "cpu", "--threads", "1", *map(str, arguments)])


def table(path="out.tsv"):
    return pd.read_csv(path, sep="\t", keep_default_na=False, dtype=str)


def test_sequences_of_a_fasta(folder):
    result = run("--model", "tiny_cnn", "--fasta", "s.fa", "--output", "out.tsv")
    assert result.exit_code == 0, result.output
    found = table()
    assert tuple(found.columns) == CLASSIFIER_COLUMNS
    assert found["name"].tolist() == ["first", "long", "short"]
    assert found["n_windows"].tolist() == ["1", "14", "0"]
    assert found["score"][2] == ""
    assert found["reason"].tolist() == ["", "", "4 bp, shorter than a window of 40 bp"]
    assert "3 rows" in result.stderr
    assert "1 without a score (1 x 4 bp, shorter" in result.stderr


def test_windows_of_regions_are_those_of_the_sequences_there(folder):
    assert run("--model", "tiny_cnn", "--bed", "r.bed", "--genome", "genome.fa", "--output", "out.tsv").exit_code == 0
    found = table()
    assert found["name"].tolist() == ["mine", "chrB:0-10", "chrA:100-221"]
    assert found[["sequence", "start", "end"]].values.tolist() == [
        ["chrA", "80", "120"],
        ["chrB", "0", "10"],
        ["chrA", "140", "180"],
    ]
    assert found["reason"].tolist() == ["", "its window leaves the chromosome", ""]
    run("--model", "tiny_cnn", "--fasta", "s.fa", "--output", "s.tsv")
    assert found["score"][0] == table("s.tsv")["score"][0]


def test_with_a_stride_regions_are_tiled_and_every_window_may_be_written(folder):
    common = ("--model", "tiny_cnn", "--bed", "r.bed", "--genome", "genome.fa", "--stride", 30)
    assert run(*common, "--windows", "--output", "w.tsv").exit_code == 0
    assert run(*common, "--output", "out.parquet").exit_code == 0
    windows, best = table("w.tsv"), pd.read_parquet("out.parquet")
    assert windows["start"].tolist() == ["80", "0", "100", "130", "160", "181"]
    last = windows[2:].astype({"score": float})
    assert best["score"][2] == pytest.approx(last["score"].max(), abs=1e-6)
    assert best["n_windows"].tolist() == [1, 0, 4]
    metadata = json.loads(pq.read_schema("out.parquet").metadata[b"bindgram"])
    assert metadata["models"] == [json.loads((folder / "tiny_cnn/config.json").read_text())["provenance"]["digest"]]


def test_a_narrow_peak_is_centred_on_its_summit_and_one_without_on_its_midpoint(folder):
    line = "chrA\t100\t200\tpeak{}\t0\t.\t1\t-1\t-1\t{}\n"
    (folder / "p.narrowPeak").write_text(line.format(1, 30) + line.format(2, -1))
    run("--model", "tiny_cnn", "--bed", "p.narrowPeak", "--genome", "genome.fa", "--output", "out.tsv")
    assert table()["start"].tolist() == ["110", "130"]


def test_a_language_model_gives_log_likelihoods(folder):
    assert run("--model", "language_model", "--fasta", "s.fa", "--output", "out.tsv").exit_code == 0
    found = table()
    assert tuple(found.columns) == LANGUAGE_MODEL_COLUMNS
    assert found["end"].tolist() == ["40", "300", "4"]
    above = found["log_likelihood"].astype(float) - found["markov"].astype(float)
    assert found["score"].astype(float).tolist() == pytest.approx(above.tolist(), abs=2e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--fasta s.fa --bed r.bed --genome genome.fa", "one of the two"),
        ("", "one of the two"),
        ("--bed r.bed", "--bed and --genome go together"),
        ("--fasta s.fa --genome genome.fa", "--bed and --genome go together"),
        ("--fasta s.fa --output out.csv", "its name tells the format; end it in .tsv or .parquet"),
        ("--fasta s.fa --model tiny_cnn", "is given twice"),
        ("--fasta s.fa --model wide", "give models of one width"),
        ("--fasta s.fa --model language_model", "its kind is language_model, the first model's classifier"),
        ("--fasta genome.fa.fai", "not FASTA"),
        ("--bed s.fa --genome genome.fa", "s.fa:1: "),
        ("--bed r.bed --genome s.fa", "s.fa.fai: no such file; make it with: samtools faidx"),
        ("--bed outside.bed --genome genome.fa", "outside.bed:2: 'chrB' has 100 bp, the region ends at 101; give the"),
        ("--bed other.bed --genome genome.fa", "other.bed:1: '1' is not in the genome; give the genome"),
        ("--bed summit.bed --genome genome.fa", "summit.bed:1: summit '100' is not inside the peak"),
        ("--bed empty.bed --genome genome.fa", "empty.bed: no region in it"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(folder, arguments, message):
    (folder / "outside.bed").write_text("chrA\t0\t50\nchrB\t0\t101\n")
    (folder / "other.bed").write_text("1\t0\t50\n")
    (folder / "summit.bed").write_text("chrA\t100\t200\tp\t0\t.\t1\t-1\t-1\t100\n")
    (folder / "empty.bed").write_text("# nothing\n")
    output = () if "--output" in arguments else ("--output", "out.tsv")
    result = run("--model", "tiny_cnn", *arguments.split(), *output)
    assert result.exit_code == 1
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not [path for path in folder.iterdir() if "out" in path.name and path.name != "outside.bed"]


def test_a_stride_has_no_meaning_for_a_language_model(folder):
    result = run("--model", "language_model", "--fasta", "s.fa", "--output", "out.tsv", "--stride", 5)
    assert "--stride, --windows: a language model scores each sequence as a whole" in str(result.exception)


def test_a_mistake_late_in_a_fasta_leaves_no_table(folder):
    with (folder / "s.fa").open("a") as handle:
        handle.write(">protein\nMKVLE\n")
    result = run("--model", "tiny_cnn", "--fasta", "s.fa", "--output", "out.tsv")
    assert "sequence 'protein': 'L' stands for no base" in str(result.exception)
    assert not list(folder.glob("*out.tsv"))
