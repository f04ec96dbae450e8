"""Shipped data: the demo, the sheets and the splits agree with each other."""

import csv
import gzip
import hashlib
import itertools
import json

import pytest

from bindgram.settings import load_project, read_assemblies, read_experiments
from bindgram.settings.base import read_yaml
from bindgram.settings.splits import load_split


def read_sizes(path):
    return {name: int(size) for name, size in (line.split() for line in path.read_text().splitlines())}


def test_demo_data_stay_under_twelve_megabytes(repository):
    files = [path for path in (repository / "resources/demo").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 12_000_000


def test_demo_files_have_the_checksums_of_the_sheets(repository):
    sources = [
        (row.fasta, row.fasta_checksum) for row in read_assemblies(repository / "config/demo_assemblies.tsv").values()
    ]
    sources += [
        (row.peaks, row.peaks_checksum) for row in read_experiments(repository / "config/demo_experiments.tsv").values()
    ]
    assert len(sources) == 13
    for path, checksum in sources:
        assert "sha256:" + hashlib.sha256((repository / path).read_bytes()).hexdigest() == checksum


def test_demo_genome_is_chr22_of_grch38(repository):
    """MD5 of the upper-case sequence, as in the M5 tag of SAM headers."""
    with gzip.open(repository / "resources/demo/hg38.chr22.fa.gz", "rb") as handle:
        header, *lines = handle.read().split(b"\n")
    sequence = b"".join(lines)
    assert header == b">chr22"
    assert len(sequence) == read_sizes(repository / "resources/demo/chr22.chrom.sizes")["chr22"]
    assert hashlib.md5(sequence.upper()).hexdigest() == "221733a2a15e2de66d33e73d126c5109"


def test_demo_blocks_share_the_sequenced_part_as_intended(repository):
    regions = load_split(repository / "config/splits/chr22_blocks.yaml").assemblies["hg38_chr22"]
    lengths = {"train": 0, "valid": 0, "test": 0}
    for block in regions.blocks():
        lengths[block.split] += block.end - block.start
    total = sum(lengths.values())
    assert {split: round(n / total, 2) for split, n in lengths.items()} == {"train": 0.70, "valid": 0.12, "test": 0.18}
    ends = sorted((block.start, block.end) for block in regions.blocks())
    assert {right[0] - left[1] for left, right in itertools.pairwise(ends)} == {1000}


@pytest.mark.parametrize("number", range(5))
def test_folds_name_chromosomes_that_the_assemblies_have(repository, number):
    split = load_split(repository / f"config/splits/fold_{number}.yaml")
    for assembly in ("hg38", "hg19"):
        sizes = read_sizes(repository / f"config/assemblies/{assembly}.chrom.sizes")
        assert {block.chrom for block in split.assemblies[assembly].blocks()} <= set(sizes)


def test_folds_test_every_chromosome_exactly_once(repository):
    tested = []
    for number in range(5):
        split = load_split(repository / f"config/splits/fold_{number}.yaml")
        tested += [block.chrom for block in split.assemblies["hg38"].blocks() if block.split == "test"]
    assert sorted(tested) == sorted([*(f"chr{n}" for n in range(1, 23)), "chrX", "chrY"])


@pytest.mark.realdata
def test_folds_say_what_their_source_says(repository, real_data):
    expected = json.loads((real_data / "experiments/folds.json").read_text())
    assert sorted(expected) == sorted(path.stem for path in (repository / "config/splits").glob("fold_*.yaml"))
    for name, fold in expected.items():
        split = load_split(repository / f"config/splits/{name}.yaml")
        for assembly in ("hg38", "hg19"):
            regions = split.assemblies[assembly].regions()
            assert {key: sorted(blocks.values()) for key, blocks in regions.items()} == {
                key: sorted(fold[key]) for key in ("train", "valid", "test")
            }


def test_every_shipped_split_names_what_is_tiled(repository):
    paths = sorted((repository / "config/splits").glob("*.yaml"))
    blocks = {path.stem: [row.tiled_block() for row in load_split(path).assemblies.values()] for path in paths}
    assert all(block is not None for found in blocks.values() for block in found)
    assert {name: found[0].name for name, found in blocks.items() if name != "chr22_blocks"} == {
        "fold_0": "chr6",
        "fold_1": "chr8",
        "fold_2": "chr12",
        "fold_3": "chr10",
        "fold_4": "chr7",
    }


SHEETS = {"hg38": "experiments.tsv", "hg19": "experiments_hg19.tsv"}


def test_sheet_has_the_517_experiments(repository):
    rows = read_experiments(repository / "config/experiments.tsv")
    first_tier = [row for row in rows.values() if row.tier == 1]
    assert (len(rows), len(first_tier)) == (982, 517)
    assert len({row.tf for row in first_tier}) == 175
    assert all(row.peaks.startswith("https://www.encodeproject.org/files/ENCFF") for row in rows.values())


@pytest.mark.parametrize(("assembly", "n_selected"), [("hg38", 517), ("hg19", 476)])
def test_one_line_of_the_configuration_chooses_the_sheet(repository, monkeypatch, assembly, n_selected):
    monkeypatch.chdir(repository)
    config = read_yaml(repository / "config/config.yaml") | {"experiments": f"config/{SHEETS[assembly]}"}
    selected = load_project(config).selected
    assert len(selected) == n_selected
    assert {row.assembly for row in selected.values()} == {assembly}


@pytest.mark.realdata
@pytest.mark.parametrize(("assembly", "tiers"), [("hg38", "1234"), ("hg19", "56")])
def test_shipped_sheet_says_what_its_source_says(repository, real_data, assembly, tiers):
    with (real_data / f"experiments/experiments_{assembly}.tsv").open(encoding="utf-8") as source:
        expected = list(csv.DictReader(source, delimiter="\t"))
    with (real_data / "experiments/factors.tsv").open(encoding="utf-8") as source:
        family = {fact["tf"]: fact["dbd_family"] for fact in csv.DictReader(source, delimiter="\t")}
    rows = list(read_experiments(repository / "config" / SHEETS[assembly]).values())
    assert len(rows) == len(expected)
    for row, fact in zip(rows, expected, strict=True):
        assert row.experiment == fact["experiment"].replace(".", "-")
        assert (row.tf, row.biosample, row.assembly) == (fact["tf"], fact["biosample"], assembly)
        assert (row.peaks, row.peaks_checksum) == (fact["peaks_url"], f"md5:{fact['md5']}" if fact["md5"] else None)
        assert (row.accession, row.lab, row.treatment or "none") == (fact["accession"], fact["lab"], fact["treatment"])
        assert row.frip == (float(fact["frip"]) if fact["frip"] else None)
        assert row.tier == tiers.index(fact["tier"]) + 1
        assert (row.family or "") == family[row.tf].replace("Unknown", "")


@pytest.mark.realdata
def test_shipped_assemblies_say_what_their_source_says(repository, real_data):
    with (real_data / "experiments/assemblies.tsv").open(encoding="utf-8") as source:
        expected = {fact["assembly"]: fact for fact in csv.DictReader(source, delimiter="\t")}
    rows = read_assemblies(repository / "config/assemblies.tsv")
    assert set(rows) == set(expected) == {"hg38", "hg19"}
    for name, row in rows.items():
        fact = expected[name]
        sha256 = fact["fasta_sha256"]
        assert (row.fasta, row.blacklist) == (fact["fasta_url"], fact["blacklist_url"])
        assert row.fasta_checksum == (f"sha256:{sha256}" if sha256 else f"md5:{fact['fasta_md5']}")
        assert row.blacklist_checksum == f"md5:{fact['blacklist_md5']}"
        sizes = read_sizes(repository / f"config/assemblies/{name}.chrom.sizes")
        assert sizes == read_sizes(real_data / f"experiments/{name}.full.chrom.sizes")
