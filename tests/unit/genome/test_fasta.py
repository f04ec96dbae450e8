import gzip
import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pyfaidx
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindgram.errors import InputError
from bindgram.genome import fasta as fasta_module
from bindgram.genome.fasta import Genome, ambiguous_runs

SEQUENCES = {"chr1": "ACGTNacgtnRYKM" * 5 + "A", "chr2": "GGCC", "chrM": "T" * 30}


def write_indexed(
    path: Path, sequences: dict[str, str], width: int = 10, line_end: str = "\n", last: bool = True
) -> Path:
    text = ""
    for name, bases in sequences.items():
        text += f">{name} description{line_end}"
        text += "".join(bases[i : i + width] + line_end for i in range(0, len(bases), width))
    path.write_bytes((text if last else text.removesuffix(line_end)).encode())
    pysam.faidx(str(path))
    return path


@pytest.fixture
def genome(tmp_path):
    with Genome.open(write_indexed(tmp_path / "g.fa", SEQUENCES)) as opened:
        yield opened


def text(bases: np.ndarray) -> str:
    return bases.tobytes().decode()


def test_sizes_are_in_file_order(genome):
    assert list(genome.chrom_sizes.items()) == [("chr1", 71), ("chr2", 4), ("chrM", 30)]


def test_fetch_keeps_case_and_crosses_lines(genome):
    assert text(genome.fetch("chr1", 8, 23)) == SEQUENCES["chr1"][8:23]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False], ids=["line end", "no line end"])
def test_every_region_is_what_pyfaidx_reads(tmp_path, line_end, last):
    path = write_indexed(tmp_path / "g.fa", SEQUENCES, 10, line_end, last)
    with Genome.open(path) as genome, pyfaidx.Fasta(str(path)) as reference:
        for name, bases in SEQUENCES.items():
            for start in range(len(bases)):
                for end in range(start + 1, len(bases) + 1):
                    assert text(genome.fetch(name, start, end)) == reference[name][start:end].seq


def test_empty_region_has_no_bases(genome):
    assert genome.fetch("chr2", 4, 4).shape == (0,)


sequences = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.text("ACGTNacgt", min_size=1, max_size=70), min_size=1, max_size=3
)


@settings(max_examples=60, deadline=None)
@given(sequences, st.integers(1, 25), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.integers(1, 12), st.data())
def test_windows_are_slices_of_the_sequences(content, line_width, line_end, last, width, data):
    long_enough = [name for name in content if len(content[name]) >= width]
    name_list = data.draw(st.lists(st.sampled_from(long_enough), max_size=12)) if long_enough else []
    starts = [data.draw(st.integers(0, len(content[name]) - width)) for name in name_list]
    with tempfile.TemporaryDirectory() as folder:
        path = write_indexed(Path(folder) / "g.fa", content, line_width, line_end, last)
        with Genome.open(path) as genome:
            windows = genome.windows(name_list, np.array(starts, np.int64), width)
            whole = [text(genome.fetch(name, 0, len(content[name]))) for name in content]
    assert windows.shape == (len(starts), width)
    expected = [content[name][start : start + width] for name, start in zip(name_list, starts, strict=True)]
    assert [text(row) for row in windows] == expected
    assert whole == list(content.values())


def test_windows_do_not_depend_on_the_chunks_they_are_read_in(genome, monkeypatch):
    chroms, starts = ["chr1", "chrM", "chr1", "chr1"], np.array([60, 3, 0, 11])
    at_once = genome.windows(chroms, starts, 11)
    monkeypatch.setattr(fasta_module, "_CELLS_PER_CHUNK", 12)
    assert np.array_equal(genome.windows(chroms, starts, 11), at_once)


@pytest.mark.parametrize(("start", "region"), [(-1, "chr2:-1-2"), (2, "chr2:2-5")])
def test_window_that_leaves_its_chromosome_is_named(genome, start, region):
    with pytest.raises(InputError, match=f"g.fa: region {region} leaves the chromosome, which has 4 bp"):
        genome.windows(["chr1", "chr2"], np.array([0, start]), 3)
    with pytest.raises(InputError, match=f"region {region} leaves"):
        genome.fetch("chr2", start, start + 3)


def test_unknown_chromosome_is_named_with_those_there_are(genome):
    with pytest.raises(InputError, match="no chromosome 'chr3'; it has 3: chr1, chr2, chrM"):
        genome.windows(["chr3"], np.array([0]), 3)


def test_fetched_bases_may_be_changed_without_changing_the_genome(genome):
    genome.fetch("chr2", 0, 4)[:] = 0
    assert text(genome.fetch("chr2", 0, 4)) == "GGCC"


@pytest.mark.parametrize(
    "change", [lambda t: t[:40], lambda t: t.replace("chr1", "chromosome1"), lambda t: t[:25] + t[26:]]
)
def test_fasta_that_changed_after_indexing_is_refused(tmp_path, change):
    path = write_indexed(tmp_path / "g.fa", SEQUENCES)
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match="its index does not fit"):
        Genome.open(path)


def test_compressed_fasta_is_refused(tmp_path):
    path = write_indexed(tmp_path / "g.fa", SEQUENCES)
    path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(InputError, match="compressed"):
        Genome.open(path)


def test_missing_index_is_refused_with_the_command_that_makes_it(tmp_path):
    (tmp_path / "g.fa").write_text(">a\nACGT\n")
    with pytest.raises(InputError, match=r"g\.fa\.fai: no such file; make it with: samtools faidx"):
        Genome.open(tmp_path / "g.fa")


def test_missing_fasta_is_refused(tmp_path):
    path = write_indexed(tmp_path / "g.fa", SEQUENCES)
    path.unlink()
    with pytest.raises(InputError, match=r"g\.fa: no such file"):
        Genome.open(path)


def test_index_that_is_no_index_is_refused_by_line(tmp_path):
    path = write_indexed(tmp_path / "g.fa", SEQUENCES)
    shutil.copy(path, f"{path}.fai")
    with pytest.raises(InputError, match=r"fai:1: '>chr1 description' is no line of a FASTA index"):
        Genome.open(path)


@settings(max_examples=60, deadline=None)
@given(sequences, st.integers(1, 20))
def test_ambiguous_runs_are_maximal_whatever_the_chunk(content, chunk_bp):
    with tempfile.TemporaryDirectory() as folder, Genome.open(write_indexed(Path(folder) / "g.fa", content)) as genome:
        runs = ambiguous_runs(genome, chunk_bp)
    expected = [[name, *m.span()] for name, bases in content.items() for m in re.finditer("[^ACGTacgt]+", bases)]
    assert runs.to_numpy().tolist() == expected
    assert [str(kind) for kind in runs.dtypes[1:]] == ["int64", "int64"]


def test_iupac_codes_are_ambiguous(genome):
    assert ambiguous_runs(genome).head(3).to_numpy().tolist() == [["chr1", 4, 5], ["chr1", 9, 14], ["chr1", 18, 19]]
