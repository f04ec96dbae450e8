import gzip
import hashlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pysam
import pytest

from bindgram.errors import InputError
from bindgram.genome.assembly import write_index
from bindgram.genome.download import InterruptedDownload, Patience
from bindgram.genome.fasta import Genome
from bindgram.genome.fetch import fetch_file

REAL_CHR22 = Path(__file__).resolve().parents[4] / "shared/data/hg38_chr22/hg38.chr22.fa.gz"
AT_ONCE = Patience(attempts=2, first_wait_s=0.0, timeout_s=10.0)
RNG = np.random.default_rng(1)
LINES = ["".join(RNG.choice(list("ACGTacgtN"), 50)) + "\n" for _ in range(400)]
FASTA = "".join([">chr1\n", *LINES[:300], ">chr2\n", *LINES[300:]]).encode()
SEQUENCE = "".join(LINES[:300]).replace("\n", "")
SIZES = "chr1\t15000\nchr2\t5000\n"
BED = b"track x\nchr1\t1\t5\tHigh Signal\nchr2\t0\t7\n"
HTML = b"<!DOCTYPE html>\n<html><body>Sorry</body></html>\n"


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "genome.fa"


@pytest.fixture
def local(tmp_path):
    def write(content: bytes, name="source.fa") -> str:
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


def fetch(source, out, kind="fasta", checksum=None, chrom_sizes=None):
    return fetch_file(source, out, kind, checksum, chrom_sizes, AT_ONCE)


def bgzipped(tmp_path, content: bytes) -> bytes:
    with pysam.BGZFile(str(tmp_path / "b.gz"), "wb") as packed:
        packed.write(content)
    return (tmp_path / "b.gz").read_bytes()


def assert_refused(source, out, said, **how):
    """The fetch is refused, an older file stays, and nothing else is there."""
    for older in (False, True):
        if older:
            out.write_text("older")
        with pytest.raises(InputError, match=rf"refused, nothing was written: .*{said}") as caught:
            fetch(source, out, **how)
        assert str(caught.value).startswith(source)
        assert [path.name for path in out.parent.iterdir()] == [out.name] * older
    assert out.read_text() == "older"
    out.unlink()


def sequence_of(fasta: Path, name="chr1") -> str:
    return fasta.read_text().split(f">{name}\n")[1].split(">")[0].replace("\n", "")


@pytest.mark.parametrize("packing", ["plain", "gzip", "bgzip"])
def test_fasta_is_unpacked_and_recorded(tmp_path, local, out, packing):
    content = {"plain": FASTA, "gzip": gzip.compress(FASTA), "bgzip": bgzipped(tmp_path, FASTA)}[packing]
    record = fetch(local(content), out)
    assert sequence_of(out) == SEQUENCE
    assert record == {
        "source": "source.fa",
        "sha256": hashlib.sha256(content).hexdigest(),
        "n_bytes": len(content),
        "checksum_verified": False,
        "n_sequences": 2,
        "n_bp": 20_000,
    }
    assert [path.name for path in out.parent.iterdir()] == ["genome.fa"]


def test_download_is_verified_and_leaves_only_the_file(site, out):
    site.files["g.fa.gz"] = packed = gzip.compress(FASTA)
    record = fetch(site.url("g.fa.gz"), out, checksum=f"md5:{hashlib.md5(packed).hexdigest()}")
    assert record["checksum_verified"] is True
    assert sequence_of(out) == SEQUENCE
    assert [path.name for path in out.parent.iterdir()] == ["genome.fa"]


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_checksum_may_be_written_in_capitals(local, out, algorithm):
    digest = hashlib.new(algorithm, FASTA).hexdigest().upper()
    assert fetch(local(FASTA), out, checksum=f"{algorithm}:{digest}")["checksum_verified"] is True


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
@pytest.mark.parametrize("remote", [False, True], ids=["path", "http"])
def test_wrong_checksum_is_refused(site, local, out, algorithm, remote):
    site.files["f"] = FASTA
    wrong = hashlib.new(algorithm, b"other").hexdigest()
    source = site.url("f") if remote else local(FASTA)
    assert_refused(
        source, out, f"checksum: got {algorithm}:[0-9a-f]+, expected .*{wrong}", checksum=f"{algorithm}:{wrong}"
    )
    assert len(site.ranges) == 2 * remote  # once without and once with an older file: never asked for again


@pytest.mark.parametrize("checksum", ["md5:12", "sha1:" + "0" * 40, "0" * 32])
def test_checksum_that_is_none_is_refused(local, out, checksum):
    assert_refused(local(FASTA), out, "neither md5:<32 hex digits> nor sha256", checksum=checksum)


@pytest.mark.parametrize("kind", ["fasta", "bed", "peaks"])
@pytest.mark.parametrize("content", [HTML, b"\xef\xbb\xbf\n" + HTML.lower(), gzip.compress(HTML)])
def test_web_page_instead_of_data_is_refused_also_with_status_200(site, out, kind, content):
    site.files["f.gz"] = content
    assert_refused(site.url("f.gz"), out, "web page", kind=kind)


@pytest.mark.parametrize("kind", ["fasta", "bed", "peaks"])
@pytest.mark.parametrize("remote", [False, True], ids=["path", "http"])
@pytest.mark.parametrize("lost", [1, 8, 20, 100])
def test_truncated_gzip_is_refused(site, local, out, kind, remote, lost):
    content = gzip.compress(FASTA if kind == "fasta" else BED * 500, compresslevel=1)
    site.files["f"] = content[:-lost]
    source = site.url("f") if remote else local(content[:-lost])
    assert_refused(source, out, "truncated or damaged gzip", kind=kind)


def test_bgzip_cut_between_two_blocks_is_refused(tmp_path, local, out):
    assert_refused(local(bgzipped(tmp_path, FASTA)[:-28]), out, "end mark of a bgzip file is missing")


def test_content_shorter_than_announced_leaves_nothing(site, out):
    site.files["f"], site.takes_ranges, site.faults = FASTA, False, ["cut 400"] * 2
    with pytest.raises(InputError, match="gave up after 2 attempts"):
        fetch(site.url("f"), out)
    assert list(out.parent.iterdir()) == []


def test_interrupted_download_is_finished_by_the_next_fetch(site, out):
    site.files["f"], site.faults = gzip.compress(FASTA), ["cut 400", "cut 0"]
    with pytest.raises(InterruptedDownload, match="run again to go on from there"):
        fetch(site.url("f"), out)
    assert sorted(path.name for path in out.parent.iterdir()) == ["genome.fa.part", "genome.fa.part.json"]
    fetch(site.url("f"), out)
    assert site.ranges == [None, "bytes=400-", "bytes=400-"]
    assert sequence_of(out) == SEQUENCE
    assert [path.name for path in out.parent.iterdir()] == ["genome.fa"]


def test_part_that_turned_out_wrong_is_not_resumed(site, out):
    site.files["f"], site.faults = gzip.compress(FASTA), ["cut 400", "cut 0"]
    with pytest.raises(InterruptedDownload):
        fetch(site.url("f"), out)
    site.faults = [404]
    with pytest.raises(InputError, match="HTTP status 404"):
        fetch(site.url("f"), out)
    assert list(out.parent.iterdir()) == []


def test_missing_source_is_refused(tmp_path, site, out):
    assert_refused(str(tmp_path / "no.fa"), out, "no such file")
    assert_refused(site.url("no.fa"), out, "HTTP status 404")


@pytest.mark.parametrize("remote", [False, True], ids=["path", "http"])
def test_agreeing_chromosome_sizes_pass(site, local, out, remote):
    site.files["sizes"] = SIZES.encode()
    sizes = site.url("sizes") if remote else local(SIZES.encode(), "sizes")
    assert fetch(local(FASTA), out, chrom_sizes=sizes)["n_sequences"] == 2


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        (SIZES.replace("5000\n", "5001\n", 1), "chr1 .15000 bp, expected 15001."),
        (SIZES.replace("chr", ""), "2 not in the FASTA: 1, 2"),
        (SIZES + "chr3\t7\n", "1 not in the FASTA: chr3"),
        ("chr1\t15000\n", "1 not in the sizes: chr2"),
        ("chr1\n", "sizes:1: .*no length"),
    ],
)
def test_wrong_assembly_is_refused(site, local, out, sizes, said):
    site.files["f"] = gzip.compress(FASTA)
    assert_refused(site.url("f"), out, said, chrom_sizes=local(sizes.encode(), "sizes"))


def test_chromosome_sizes_are_for_a_fasta_only(local, out):
    assert_refused(local(BED), out, "compared with a fasta only", kind="bed", chrom_sizes=local(b"chr1\t9\n", "sizes"))


@pytest.mark.parametrize("content", [BED, gzip.compress(BED), b"\xef\xbb\xbf" + BED.replace(b"\n", b"\r\n")])
def test_bed_is_unpacked_with_line_feeds(local, out, content):
    assert fetch(local(content), out, kind="bed")["n_regions"] == 2
    assert out.read_bytes() == BED


def test_bed_with_a_wrong_line_is_refused_by_line(local, out):
    assert_refused(local(BED + b"chr1\t9\t3\n"), out, ":4: end 3 is not after start 9", kind="bed")


def test_packed_peaks_stay_as_published(local, out):
    content = gzip.compress(BED, mtime=1234)
    assert fetch(local(content), out, kind="peaks")["n_lines"] == 3
    assert out.read_bytes() == content


def test_plain_peaks_are_packed_into_the_same_bytes_every_time(local, out):
    fetch(local(BED), out, kind="peaks")
    first = out.read_bytes()
    fetch(local(BED, "elsewhere.bed"), out, kind="peaks")
    assert out.read_bytes() == first
    assert gzip.decompress(first) == BED


def test_empty_peaks_pass_because_the_experiment_is_skipped_later_with_a_reason(local, out):
    assert fetch(local(b""), out, kind="peaks")["n_lines"] == 0
    assert gzip.decompress(out.read_bytes()) == b""


def test_spreadsheet_instead_of_peaks_is_refused(local, out):
    assert_refused(local(b"PK\x03\x04\x14\x00\x06\x00\x08\x00"), out, "not a text file", kind="peaks")


def test_record_has_no_password_and_no_absolute_path(site, local, out):
    site.files["f"] = FASTA
    with_password = site.url("f").replace("http://", "http://me:secret@")
    assert fetch(with_password, out)["source"] == site.url("f")
    assert fetch(local(FASTA), out)["source"] == "source.fa"
    assert fetch(os.path.relpath(local(FASTA)), out)["source"] == os.path.relpath(local(FASTA))


def test_full_disk_is_told_and_leaves_the_older_file(local, out):
    out.write_text("older")
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from bindgram.genome.download import Patience\n"
        "from bindgram.genome.fetch import fetch_file\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (5000, {resource.RLIM_INFINITY}))\n"
        "fetch_file(sys.argv[1], Path(sys.argv[2]), 'fasta', None, None, Patience())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, local(FASTA), str(out)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "InputError" in done.stderr.splitlines()[-1]
    assert "File too large; see to free space" in done.stderr.splitlines()[-1]
    assert out.read_text() == "older"
    assert [path.name for path in out.parent.iterdir()] == ["genome.fa"]


@pytest.mark.realdata
@pytest.mark.skipif(not REAL_CHR22.exists(), reason="development data folder ../shared/data is absent")
def test_real_chromosome_arrives_base_by_base(out):
    record = fetch(str(REAL_CHR22), out)
    write_index(out, out.with_name("genome.fa.fai"), out.with_name("sizes"), record["n_sequences"], record["n_bp"])
    with Genome.open(out) as genome:
        bases = genome.fetch("chr22", 0, genome.chrom_sizes["chr22"])
    assert hashlib.md5(bases.tobytes().upper()).hexdigest() == "221733a2a15e2de66d33e73d126c5109"
