"""``bindgram extract`` after ``bindgram fetch``: one experiment from a source, lifted over, read by all steps alike."""

import gzip
import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from bindgram.cli import cli
from bindgram.data.peaks import read_assembly_peaks, read_peaks
from bindgram.errors import InputError

CLUSTERS = (
    "585\tchr1\t100\t140\tCTCF\t900\t2\t4,9\t900,12\n"
    "585\tchr1\t120\t160\tREST\t100\t1\t7\t100\n"
    "585\tchr1\t900\t940\tCTCF\t50\t1\t4\t50\n"
)
NARROW = "chr1\t100\t140\tp\t0\t.\t2.5\t-1\t-1\t3\nchr1\t900\t940\tp\t0\t.\t.\t-1\t-1\t-1\n"
OUTPUT = "--output E.gz --record E.json --revision 5"
CHAIN = "chain 1 chr1 1000 + 0 500 chr2 2000 - 100 600 1\n500\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clusters.bed").write_text(CLUSTERS)
    (tmp_path / "peaks.narrowPeak").write_text(NARROW)
    (tmp_path / "x.chain").write_text(CHAIN)
    return tmp_path


def run(*words: str):
    return CliRunner().invoke(cli, list(words), catch_exceptions=False)


def fetch(source: str, kind: str, output: str) -> list[str]:
    run(*f"fetch --source {source} --kind {kind} --output {output} --record {output}.json --revision 1".split())
    return [output, f"{output}.json"]


def extract(source: list[str], format: str, *more: str, tf: str = "CTCF") -> dict:
    named = f"--experiment E --source {source[0]} --source-record {source[1]} --format {format} --tf {tf} --biosample x"
    result = run("extract", *named.split(), *more, *OUTPUT.split())
    assert result.exit_code == 0, result.output
    return json.loads(Path("E.json").read_text())


def lifting() -> list[str]:
    chain = fetch("x.chain", "chain", "chain")
    Path("chrom.sizes").write_text("chr1\t3000\nchr2\t2000\n")
    return ["--chain", chain[0], "--chain-record", chain[1], "--chrom-sizes", "chrom.sizes", "--lift-from", "old"]


def rows(path: str = "E.gz") -> list[list]:
    frame = read_peaks(Path(path), "extracted")
    return frame.drop(columns="line").astype(object).where(frame.drop(columns="line").notna(), None).to_numpy().tolist()


def test_one_experiment_is_taken_out_of_many(folder):
    record = extract(fetch("clusters.bed", "encode_clusters", "pool"), "encode_clusters")
    assert rows() == [["chr1", 100, 140, -1, 900, 2], ["chr1", 900, 940, -1, 50, 1]]
    assert record["n_peaks"] == 2
    assert "n_not_lifted" not in record
    assert record["provenance"]["revisions"] == {"extract": 5, "fetch": 1}
    assert json.loads(Path("pool.json").read_text())["n_tfs"] == 2


def test_peaks_are_lifted_with_their_summits_and_those_that_are_not_are_counted(folder):
    record = extract(fetch("peaks.narrowPeak", "peaks", "source"), "narrowPeak", *lifting())
    # base 100 of chr1 is base 200 of the reverse strand of chr2, which is base 1799
    assert rows() == [["chr2", 1760, 1800, 36, 2.5, 1]]
    assert (record["n_peaks"], record["n_not_lifted"]) == (2, 1)
    assert record["provenance"]["settings"]["lift_from"] == "old"
    assert set(record["provenance"]["inputs"]) == {"source", "chain"}


def test_result_is_narrowpeak_to_other_tools(folder):
    extract(fetch("peaks.narrowPeak", "peaks", "source"), "narrowPeak")
    with gzip.open("E.gz", "rt") as handle:
        assert handle.readline().split("\t")[:10] == ["chr1", "100", "140", "line1", "0", ".", "2.5", "-1", "-1", "3"]
    sorted_by_bedtools = subprocess.run(["bedtools", "sort", "-i", "E.gz"], check=True, capture_output=True, text=True)
    assert len(sorted_by_bedtools.stdout.splitlines()) == 2
    pd.testing.assert_frame_equal(read_peaks(Path("E.gz"), "narrowPeak"), read_peaks(Path("E.gz"), "extracted"))


def test_same_inputs_give_the_same_bytes(folder):
    source = fetch("clusters.bed", "encode_clusters", "pool")
    extract(source, "encode_clusters")
    first = Path("E.gz").read_bytes(), Path("E.json").read_bytes()
    extract(source, "encode_clusters")
    assert (Path("E.gz").read_bytes(), Path("E.json").read_bytes()) == first


def test_name_that_is_not_there_names_the_experiment_and_close_names(folder):
    source = fetch("clusters.bed", "encode_clusters", "pool")
    with pytest.raises(InputError, match=r"E: pool: no TF 'CTFC' among the 2 there, such as CTCF"):
        extract(source, "encode_clusters", tf="CTFC")
    assert not Path("E.gz").exists()


def test_experiment_without_a_peak_that_can_be_lifted_gives_an_empty_file(folder):
    Path("peaks.narrowPeak").write_text(NARROW.splitlines()[1] + "\n")
    record = extract(fetch("peaks.narrowPeak", "peaks", "source"), "narrowPeak", *lifting())
    assert (record["n_peaks"], record["n_not_lifted"], rows()) == (1, 1, [])


def test_chain_of_other_names_or_another_assembly_is_refused(folder):
    source = fetch("peaks.narrowPeak", "peaks", "source")
    Path("x.chain").write_text(CHAIN.replace("chr1", "1"))
    with pytest.raises(InputError, match=r"no peak lies on a chromosome of the chain \(1, ...\); the first is on chr1"):
        extract(source, "narrowPeak", *lifting())
    Path("x.chain").write_text(CHAIN.replace("chr1 1000", "chr1 600"))
    with pytest.raises(InputError, match=r"source:2: peak chr1:900-940 lies beyond the end of chr1 in the chain"):
        extract(source, "narrowPeak", *lifting())


@pytest.mark.parametrize(
    ("chain", "said"),
    [
        (CHAIN.replace("2000", "2001"), "chain: leads to another assembly: chr2 has 2001 bp there and 2000 bp in this"),
        (CHAIN.replace("chr2", "2"), r"chain: leads to another assembly: none of its chromosomes \(2, ...\)"),
    ],
)
def test_chain_that_leads_elsewhere_or_is_the_wrong_way_round_is_refused(folder, chain, said):
    Path("x.chain").write_text(chain)
    with pytest.raises(InputError, match=said):
        extract(fetch("peaks.narrowPeak", "peaks", "source"), "narrowPeak", *lifting())


def test_chain_without_its_record_is_refused(folder):
    source = fetch("peaks.narrowPeak", "peaks", "source")
    with pytest.raises(InputError, match="--chrom-sizes and --lift-from are given together"):
        extract(source, "narrowPeak", "--chain", "x.chain")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("chain", "peaks.narrowPeak: not a chain file"),
        ("bigBed", "not a bigBed file"),
        ("remap", r"peaks.narrowPeak:1: summit \(column 7\) '2.5' is not a whole number"),
    ],
)
def test_source_of_another_kind_is_refused_when_it_is_fetched(folder, kind, said):
    with pytest.raises(InputError, match=said):
        fetch("peaks.narrowPeak", kind, "source")
    assert not Path("source").exists()


def test_lifted_peaks_are_held_against_the_assembly_like_all_others(folder):
    extract(fetch("peaks.narrowPeak", "peaks", "source"), "narrowPeak", *lifting())
    assert len(read_assembly_peaks(Path("E.gz"), "extracted", {"chr2": 2000})) == 1
    with pytest.raises(InputError, match=r"E.gz:1: peak chr2:1760-1800 lies beyond the end of chr2"):
        read_assembly_peaks(Path("E.gz"), "extracted", {"chr2": 1700})
