import pytest
from click.testing import CliRunner

from bindgram.cli import cli
from bindgram.errors import InputError


@pytest.fixture
def fetched(tmp_path):
    (tmp_path / "source.fa").write_text(">chr1 one\nACGTA\n>chr2\nGG\n")
    options = {
        "source": tmp_path / "source.fa",
        "kind": "fasta",
        "output": tmp_path / "genome.fa",
        "record": tmp_path / "genome.json",
        "revision": 1,
    }
    run("fetch", options)
    return {
        "genome": tmp_path / "genome.fa",
        "record": tmp_path / "genome.json",
        "fai": tmp_path / "genome.fa.fai",
        "chrom-sizes": tmp_path / "chrom.sizes",
        "revision": 1,
    }


def run(command, options):
    CliRunner().invoke(cli, [command, *(f"--{key}={value}" for key, value in options.items())], catch_exceptions=False)


def test_index_and_sizes_are_written(tmp_path, fetched):
    run("index", fetched)
    assert (tmp_path / "genome.fa.fai").read_text() == "chr1\t5\t10\t5\t6\nchr2\t2\t22\t2\t3\n"
    assert (tmp_path / "chrom.sizes").read_text() == "chr1\t5\nchr2\t2\n"


def test_genome_that_is_not_the_recorded_one_is_refused(tmp_path, fetched):
    (tmp_path / "genome.fa").write_text(">chr1 one\nACGT\n>chr2\nGG\n")
    with pytest.raises(InputError, match="it changed since"):
        run("index", fetched)
    assert not (tmp_path / "genome.fa.fai").exists()


@pytest.mark.parametrize("text", ["{}", "[]", "no json"])
def test_record_of_something_else_is_refused(tmp_path, fetched, text):
    (tmp_path / "genome.json").write_text(text)
    with pytest.raises(InputError, match=r"genome\.json: not the record of a FASTA"):
        run("index", fetched)
