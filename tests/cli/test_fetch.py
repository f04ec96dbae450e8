import gzip
import hashlib
import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from bindgram.cli import cli
from bindgram.cli.fetch import KINDS
from bindgram.errors import InputError
from bindgram.genome.fetch import FILE_KINDS
from bindgram.settings.sheets import POOLED_FORMATS

FASTA = b">chr1\nACGTACGT\n>chr2\nGGCC\n"


@pytest.fixture
def arguments(tmp_path):
    (tmp_path / "g.fa.gz").write_bytes(gzip.compress(FASTA, mtime=0))
    (tmp_path / "sizes").write_text("chr1\t8\nchr2\t4\n")
    options = {
        "source": tmp_path / "g.fa.gz",
        "kind": "fasta",
        "chrom-sizes": tmp_path / "sizes",
        "output": tmp_path / "out/genome.fa",
        "record": tmp_path / "out/genome.json",
        "revision": 4,
    }

    def with_changes(**changes):
        return ["fetch", *(f"--{name}={value}" for name, value in (options | changes).items())]

    return with_changes


def test_file_and_record_are_written(tmp_path, arguments):
    sha256 = hashlib.sha256((tmp_path / "g.fa.gz").read_bytes()).hexdigest()
    CliRunner().invoke(cli, arguments(checksum=f"sha256:{sha256}"), catch_exceptions=False)
    assert (tmp_path / "out/genome.fa").read_bytes() == FASTA
    record = json.loads((tmp_path / "out/genome.json").read_text())
    assert record["checksum_verified"] is True
    assert record["sha256"] == record["provenance"]["digest"] == sha256
    assert record["provenance"]["revisions"] == {"fetch": 4}
    assert str(tmp_path) not in json.dumps(record)


def test_same_source_gives_the_same_record(tmp_path, arguments):
    CliRunner().invoke(cli, arguments(), catch_exceptions=False)
    first = (tmp_path / "out/genome.json").read_bytes()
    CliRunner().invoke(cli, arguments(output=tmp_path / "b.fa", record=tmp_path / "b.json"), catch_exceptions=False)
    assert (tmp_path / "b.json").read_bytes() == first


def test_refused_file_leaves_neither_output_nor_record(tmp_path, arguments):
    (tmp_path / "sizes").write_text("chr1\t9\nchr2\t4\n")
    with pytest.raises(InputError, match="wrong assembly"):
        CliRunner().invoke(cli, arguments(), catch_exceptions=False)
    assert list((tmp_path / "out").iterdir()) == []


def test_refusal_is_one_message_and_status_1_and_progress_does_not_fill_the_log(tmp_path, arguments):
    command = [sys.executable, "-c", "from bindgram.cli import main; main()", *arguments(checksum="md5:" + "0" * 32)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"Error: genome.fa: {tmp_path}/g.fa.gz: refused, nothing was written: checksum: got md5:"
    )
    assert f"expected md5:{'0' * 32};" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_local_peaks_are_brought_without_importing_what_takes_long(tmp_path):
    """One process per experiment runs this where Snakemake runs."""
    (tmp_path / "p.bed").write_text("chr1\t1\t5\n")
    options = f"--kind peaks --source {tmp_path}/p.bed --output {tmp_path}/p.gz --record {tmp_path}/p.json --revision 1"
    program = "import sys; from bindgram.cli import cli; cli(sys.argv[1:], standalone_mode=False); print(*sys.modules)"
    command = [sys.executable, "-c", program, "fetch", *options.split()]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert (tmp_path / "p.gz").exists()
    assert not {"numpy", "pandas", "pysam", "requests", "urllib3"} & set(loaded)


def test_kinds_offered_are_those_that_can_be_written():
    assert sorted(KINDS) == sorted([*FILE_KINDS, *POOLED_FORMATS, "bigWig"])  # which is kept as it is
