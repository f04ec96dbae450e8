import gzip
import shutil
import subprocess

import numpy as np
import pytest

from bindgram.errors import InputError
from bindgram.genome.download import Patience
from bindgram.genome.fetch import fetch_file
from bindgram.genome.genes import nearest_site, read_tss
from bindgram.genome.regions import bed_text, make_regions, read_bed3

needs_bedtools = pytest.mark.skipif(shutil.which("bedtools") is None, reason="bedtools is not installed")

GTF = (
    "#!genome-build toy\n"
    'chr2\tx\tgene\t101\t200\t.\t+\t.\tgene_id "G1"; gene_name "ONE";\n'
    'chr2\tx\ttranscript\t101\t180\t.\t+\t.\tgene_id "G1"; transcript_id "T1";\n'
    'chr2\tx\ttranscript\t131\t200\t.\t+\t.\tgene_id "G1"; transcript_id "T2";\n'
    'chr2\tx\texon\t151\t160\t.\t+\t.\tgene_id "G1";\n'
    'chr1\tx\tgene\t11\t90\t.\t-\t.\tgene_id "G2";\n'
    'chr1\tx\tgene\t500\t600\t.\t.\t.\tgene_id "G3";\n'
)
GFF = (
    "##gff-version 3\n"
    "chr2\tx\tgene\t101\t200\t.\t+\t.\tID=G1;Name=ONE\n"
    "chr2\tx\tmRNA\t131\t200\t.\t+\t.\tID=T2;Parent=G1\n"
    "chr1\tx\tncRNA_gene\t11\t90\t.\t-\t.\tID=G2\n"
    "##FASTA\n>chr1\nACGT\n"
)
SITES = [("chr1", 89, "-", "G2"), ("chr2", 100, "+", "G1"), ("chr2", 130, "+", "G1")]


def write(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda text: text.replace(b"\n", b"\r\n")])
def test_sites_are_the_first_bases_of_genes_and_transcripts_on_their_strand(tmp_path, pack):
    assert read_tss(write(tmp_path / "genes.gtf", pack(GTF.encode()))) == (SITES, 1)
    sites, n_unstranded = read_tss(write(tmp_path / "genes.gff3", pack(GFF.encode())))
    assert [site[:3] for site in sites] == [site[:3] for site in SITES]
    assert n_unstranded == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GTF.replace("\tgene\t11\t", "\tgene\t"), r"genes\.gtf:6: 8 column"),
        (GTF.replace("\t11\t90", "\t0\t90"), r"genes\.gtf:6: start '0' and end '90' are no region"),
        (GTF.replace("\t11\t90", "\t91\t90"), r"genes\.gtf:6: start '91'"),
        (GTF.replace("\t11\t90", "\t1e3\t90"), r"genes\.gtf:6: start '1e3'"),
        ("chr1\t5\t10\tname\n", r"genes\.gtf:1: 4 column\(s\)"),
        ("chr1\tx\texon\t1\t5\t.\t+\t.\tID=1\n", r"genes\.gtf: no gene"),
        ("", r"genes\.gtf: no gene"),
        ("<!DOCTYPE html><html>", "web page"),
    ],
)
def test_what_is_no_file_of_genes_is_refused_by_line(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_tss(write(tmp_path / "genes.gtf", content.encode()))


def test_fetched_genes_are_a_bed_of_their_sites(tmp_path):
    source = write(tmp_path / "genes.gtf.gz", gzip.compress(GTF.encode()))
    record = fetch_file(str(source), tmp_path / "tss.bed", "genes", None, None, Patience())
    assert (tmp_path / "tss.bed").read_text() == (
        "chr1\t89\t90\tG2\t0\t-\nchr2\t100\t101\tG1\t0\t+\nchr2\t130\t131\tG1\t0\t+\n"
    )
    assert (record["n_regions"], record["n_unstranded"]) == (3, 1)


def test_distances_computed_by_hand():
    sites = make_regions([("chr1", 100, 101), ("chr1", 300, 301), ("chr2", 5, 6)])
    regions = make_regions([("chr1", 90, 110), ("chr1", 0, 10), ("chr1", 200, 202), ("chr1", 900, 902), ("chr3", 5, 6)])
    assert nearest_site(regions, sites).tolist() == [0, 95, 99, 601, -1]
    assert nearest_site(regions, sites.iloc[:0]).tolist() == [-1] * 5
    assert nearest_site(regions.iloc[:0], sites).tolist() == []


def closest(regions, sites, folder):
    """Distances by bedtools closest between the middles of the regions and the sites; -1 where there is none."""
    middle = (regions["start"] + regions["end"]) // 2
    for name, frame in (("middles", regions.assign(start=middle, end=middle + 1)), ("sites", sites)):
        frame = frame.assign(row=range(len(frame))).sort_values(["chrom", "start"], kind="stable")
        lines = zip(bed_text(frame).splitlines(), frame["row"], strict=True)
        (folder / f"{name}.bed").write_text("".join(f"{line}\t{row}\n" for line, row in lines))
    command = ["bedtools", "closest", "-d", "-t", "first"]
    command += ["-a", str(folder / "middles.bed"), "-b", str(folder / "sites.bed")]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = {int(cells[3]): int(cells[-1]) for cells in map(str.split, output.splitlines())}
    return [found[row] for row in range(len(regions))]


@needs_bedtools
def test_distances_are_those_of_bedtools(tmp_path):
    rng = np.random.default_rng(2)

    def draw(n, chroms):
        starts = rng.integers(0, 5000, n).tolist()
        widths = rng.integers(1, 60, n).tolist()
        return make_regions(
            list(zip(rng.choice(chroms, n).tolist(), starts, np.add(starts, widths).tolist(), strict=True))
        )

    regions, sites = draw(400, ["chr1", "chr2", "chr10"]), draw(60, ["chr1", "chr10", "chr9"])
    sites["end"] = sites["start"] + 1
    assert nearest_site(regions, sites).tolist() == closest(regions, sites, tmp_path)


@needs_bedtools
@pytest.mark.realdata
def test_distances_between_real_sites_of_yeast_are_those_of_bedtools(real_data, tmp_path):
    regions, sites = (read_bed3(real_data / f"sacCer3/peaks_chipexo/{name}.bed") for name in ("Sua7", "Reb1"))
    sites["end"] = sites["start"] + 1
    assert nearest_site(regions, sites).tolist() == closest(regions, sites, tmp_path)
