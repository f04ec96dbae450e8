import gzip
import io
import tracemalloc

import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindgram.errors import InputError
from bindgram.genome.assembly import check_sizes, normalise_fasta, write_index

sequence = st.text("ACGTNacgtnRYK", min_size=1, max_size=200)


def normalised(text: bytes, block_bytes: int = 1 << 20) -> tuple[dict[str, int], str]:
    target = io.BytesIO()
    sizes = normalise_fasta(io.BufferedReader(io.BytesIO(text)), target, block_bytes)
    return sizes, target.getvalue().decode()


def test_lines_of_unequal_width_are_rewrapped():
    sizes, text = normalised(b">a one\r\nACG\r\n\r\nTTTTT\r\n>b\nNNN")
    assert sizes == {"a": 8, "b": 3}
    assert text == ">a one\nACGTTTTT\n>b\nNNN\n"


def test_line_holds_sixty_bases():
    _, text = normalised(b">a\n" + b"A" * 121)
    assert text == ">a\n" + "A" * 60 + "\n" + "A" * 60 + "\nA\n"


@settings(max_examples=150, deadline=None)
@given(
    st.lists(sequence, min_size=1, max_size=4),
    st.integers(1, 90),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(1, 120),
    st.booleans(),
)
def test_result_does_not_depend_on_layout_or_block(sequences, width, line_end, block_bytes, last_line_end):
    lines = [
        line
        for i, bases in enumerate(sequences)
        for line in (f">s{i} of x", *(bases[j : j + width] for j in range(0, len(bases), width)))
    ]
    raw = line_end.join(lines) + (line_end if last_line_end else "")
    sizes, text = normalised(raw.encode(), block_bytes)
    assert sizes == {f"s{i}": len(bases) for i, bases in enumerate(sequences)}
    records = [record.split("\n") for record in text.split(">")[1:]]
    assert ["".join(lines[1:]) for lines in records] == sequences
    assert [lines[0] for lines in records] == [f"s{i} of x" for i in range(len(sequences))]
    assert all(len(line) == 60 for lines in records for line in lines[1:-2])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "no sequence in it"),
        (b"ACGT\n", "begins with b'ACGT"),
        (b">a\nAC\n>a\nAC\n", "the name 'a' stands twice"),
        (b">a\nAC\n>b\n>c\nAC\n", "sequence 'b' is empty"),
        (b">a\nAC\n>b\n", "sequence 'b' is empty"),
        (b">\nAC\n", "sequence 1 has no name"),
        (b">a\nMKLV\n", "sequence 'a' has 'L', which is no IUPAC letter"),
        (b">a\nAC-GT\n", "sequence 'a' has '-'"),
        (b">a\nAC>b\nGT\n", "'>' stands within a line"),
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 3, 1000])
def test_broken_fasta_is_refused_with_the_sequence(text, said, block_bytes):
    if block_bytes < 1000 and said.startswith("begins"):
        said = "begins with b'A"
    with pytest.raises(InputError, match=said):
        normalised(text, block_bytes)


def test_memory_is_bounded_by_a_block_and_not_by_the_chromosome(tmp_path):
    with gzip.open(tmp_path / "big.fa.gz", "wb", compresslevel=1) as packed:
        packed.write(b">a\n")
        for _ in range(200):
            packed.write(b"A" * 1_000_000)  # one line of 200 MB
    tracemalloc.start()
    with gzip.open(tmp_path / "big.fa.gz") as source, (tmp_path / "big.fa").open("wb") as target:
        sizes = normalise_fasta(source, target)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sizes == {"a": 200_000_000}
    assert peak < 100e6


FOUND = {"chr1": 10, "chr2": 20, "chrX": 30, "chr1_KI270706v1_random": 4, "chrUn_x": 5}


def test_equal_sizes_agree_whatever_scaffolds_the_fasta_adds():
    check_sizes(FOUND, {"chrX": 30, "chr2": 20, "chr1": 10})


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ({**FOUND, "chr1": 11}, r"1 of another length: chr1 \(10 bp, expected 11\)"),
        ({**FOUND, "chr3": 1, "chr4": 1, "chr5": 1, "chr6": 1}, "4 not in the FASTA: chr3, chr4, chr5"),
        ({"chr1": 10}, "2 not in the sizes: chr2, chrX"),
        ({"1": 10, "2": 20, "X": 30}, "3 not in the FASTA: 1, 2, X; 3 not in the sizes: chr1, chr2, chrX"),
        ({**FOUND, "chrUn_x": 6}, "1 of another length: chrUn_x"),
    ],
)
def test_contradicting_sizes_are_named(expected, said):
    with pytest.raises(InputError, match=f"wrong assembly.*{said}"):
        check_sizes(FOUND, expected)


@pytest.mark.parametrize("name", ["chr1", "chr22", "chrX", "chrM", "MT", "IV", "chrXII", "2L", "chr3R", "17", "Z", "W"])
def test_main_chromosomes_may_not_be_missing_from_the_sizes(name):
    with pytest.raises(InputError, match=f"1 not in the sizes: {name}"):
        check_sizes({"a": 1, name: 2}, {"a": 1})


@pytest.mark.parametrize("name", ["chr1_random", "GL000194.1", "KI270728.1", "chrUn", "chrEBV", "scaffold_1", "NC_1"])
def test_scaffolds_may_be_missing_from_the_sizes(name):
    check_sizes({"a": 1, name: 2}, {"a": 1})


def index(tmp_path, text: bytes, n_sequences=2, n_bp=7):
    (tmp_path / "g.fa").write_bytes(text)
    write_index(tmp_path / "g.fa", tmp_path / "g.fa.fai", tmp_path / "sizes", n_sequences, n_bp)


def test_index_is_that_of_samtools(tmp_path):
    index(tmp_path, b">a x\nACG\nTT\n>b\nAC\n")
    assert (tmp_path / "sizes").read_text() == "a\t5\nb\t2\n"
    ours = (tmp_path / "g.fa.fai").read_text()
    pysam.faidx(str(tmp_path / "g.fa"))
    assert ours == (tmp_path / "g.fa.fai").read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b">a\nACG\n>a\nACGT\n", "the name 'a' stands twice"),
        (b">a\nACGTACG\n>b\n", "sequence 'b' is empty"),
        (b">a\n\n>b\nACGTACG\n", "sequence 'a' is empty"),
        (b">a\nAC\nACG\n>b\nAC\n", "cannot be indexed"),
        (b"ACG\n", "cannot be indexed"),
        (b"", "cannot be indexed"),
        (gzip.compress(b">a\nACG\n", mtime=0), "it is compressed"),
        (b">a\nACG\n>b\nACG\n", "it has 2 sequences of 6 bp in all, its record says 2 of 7"),
    ],
)
def test_fasta_that_cannot_be_indexed_leaves_nothing(tmp_path, text, said):
    with pytest.raises(InputError, match=rf"g\.fa: .*{said}"):
        index(tmp_path, text)
    assert [path.name for path in tmp_path.iterdir()] == ["g.fa"]
