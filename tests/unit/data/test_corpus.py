import hashlib
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pysam
import pytest

from bindgram.data import corpus as corpus_module
from bindgram.data.corpus import Corpus, find_contigs, stream_of_sequences, write_corpus
from bindgram.data.masking import Masked
from bindgram.data.splits import Split
from bindgram.errors import InputError
from bindgram.genome.fasta import Genome
from bindgram.provenance import make_provenance
from bindgram.sequence.dna import codes_of, strings_of
from bindgram.sequence.kmers import Vocabulary

BOS, UNK = 2, 1
PROVENANCE = make_provenance("tokenize", 1, {"k": 3})


def make_genome(folder: Path, **sequences: str) -> Genome:
    fasta = folder / "genome.fa"
    lines = [
        f">{name}\n" + "".join(f"{text[i : i + 7]}\n" for i in range(0, len(text), 7))
        for name, text in sequences.items()
    ]
    fasta.write_text("".join(lines))
    pysam.faidx(str(fasta))
    return Genome.open(fasta)


def make_split(*blocks: tuple[str, int, int, str]) -> Split:
    frame = pd.DataFrame(blocks, columns=["chrom", "start", "end", "split"])
    return Split(frame.assign(name=[f"block{number}" for number in range(len(frame))]))


def make_corpus(
    folder: Path, genome: Genome, split: Split, k: int = 3, stride: int = 1, chunk: int = 10, least: int = 1
):
    path = folder / "corpus.h5"
    write_corpus(path, genome, split, Vocabulary(k, stride), chunk, least, PROVENANCE)
    return Corpus.open(path)


def random_text(n: int, letters: str = "ACGT", seed: int = 1) -> str:
    return "".join(np.random.default_rng(seed).choice(list(letters), n))


def text_of(corpus: Corpus, contig) -> str:
    tokens, stride = corpus.stream[contig.first_token : contig.first_token + contig.n_tokens], corpus.vocabulary.stride
    assert (tokens[:stride] == BOS).all()
    return strings_of(corpus.vocabulary.at_every_base.decode(tokens[None, stride:]))[0]


def test_tokens_of_a_small_genome_by_hand(tmp_path):
    genome = make_genome(tmp_path, chr1="AACGNNTTTTAAAA", chr2="ACGT")
    split = make_split(("chr2", 0, 4, "valid"), ("chr1", 0, 10, "train"), ("chr1", 10, 14, "test"))
    corpus = make_corpus(tmp_path, genome, split)
    aac, acg, cgt, ttt = (corpus.vocabulary.id_of(text) for text in ("AAC", "ACG", "CGT", "TTT"))
    assert corpus.tokens("train").tolist() == [BOS, aac, acg, BOS, ttt, ttt]
    assert corpus.tokens("valid").tolist() == [BOS, acg, cgt]
    assert corpus.contigs.to_numpy().tolist() == [
        ["chr1", 0, 4, "train", 0, 3],
        ["chr1", 6, 10, "train", 3, 3],
        ["chr2", 0, 4, "valid", 6, 3],
    ]


def test_lower_case_counts_as_upper_case(tmp_path):
    split = make_split(("chr1", 0, 8, "train"), ("chr1", 8, 16, "valid"))
    corpus = make_corpus(tmp_path, make_genome(tmp_path, chr1="acgtAACCACGTAACC"), split)
    assert corpus.tokens("train").tolist() == corpus.tokens("valid").tolist()
    assert [corpus.counts[name]["n_lower_case"] for name in ("train", "valid")] == [4, 0]


def test_every_n_ends_a_contig_and_iupac_codes_become_unk_inside_one(tmp_path):
    genome = make_genome(tmp_path, chr1="ACGTNACGTnACGRTAC", chr2="ACGT")
    corpus = make_corpus(tmp_path, genome, make_split(("chr1", 0, 17, "train"), ("chr2", 0, 4, "valid")))
    assert [text_of(corpus, contig) for contig in corpus.contigs.itertuples()] == ["ACGT", "ACGT", "ACGNTAC", "ACGT"]
    assert (corpus.tokens("train") == UNK).sum() == 3


def test_letters_contigs_and_tokens_are_counted_and_add_up(tmp_path):
    text = "ACGTacgtNNnACRTACGTNACNNACG"
    genome = make_genome(tmp_path, chr1=text + "TTTTTTTT", chr2="ACGTAC")
    split = make_split(("chr1", 0, 27, "train"), ("chr2", 0, 6, "valid"), ("chr1", 30, 35, "test"))
    counts = make_corpus(tmp_path, genome, split, least=4).counts
    assert counts["train"] == {
        "n_bases": 27,
        "n_lower_case": 5,  # acgt and one n
        "n_ambiguous": 6,
        "n_masked": 0,
        "n_iupac": 1,
        "n_contigs": 2,
        "n_contig_bases": 16,
        "n_short_contigs": 2,  # AC and ACG
        "n_short_contig_bases": 5,
        "n_tokens": 2 * (1 + 6),
        "n_unk": 3,
    }
    assert (counts["n_bases_test"], counts["n_bases_outside"]) == (5, 3)


@pytest.mark.parametrize(("k", "stride"), [(3, 1), (3, 3), (4, 2), (6, 3), (8, 5)])
def test_every_phase_is_the_k_mers_of_each_contig_at_that_stride_after_one_bos(tmp_path, k, stride):
    text = random_text(300, "ACGTN" + "ACGT" * 10 + "R")
    genome = make_genome(tmp_path, chr1=text)
    corpus = make_corpus(
        tmp_path, genome, make_split(("chr1", 0, 200, "train"), ("chr1", 200, 300, "valid")), k, stride
    )
    contigs = corpus.contigs[corpus.contigs["split"] == "train"]
    starts = set()
    for phase in range(stride):
        found = "".join(chr(token) for token in corpus.tokens("train")[phase::stride])
        expected = []
        for contig in contigs.itertuples():
            start = (phase - contig.first_token) % stride  # of the first k-mer that this phase reads
            codes = codes_of([text[contig.start + start : contig.end]])[0]
            expected += [BOS, *corpus.vocabulary.encode(codes).tolist()]
            starts.add((contig.Index, start))
        assert found == "".join(chr(token) for token in expected)
    assert len(starts) == stride * len(contigs)  # every phase of every contig once


@pytest.mark.parametrize(("k", "stride"), [(1, 1), (3, 2), (4, 4), (6, 3)])
def test_the_stream_looked_up_and_reversed_is_that_of_the_other_strand(tmp_path, k, stride):
    """Against tokenizing the reverse complement of the genome itself: all phases of both strands are in one stream."""
    text = random_text(200, "ACGTN" + "ACGT" * 10 + "R")
    other = text[::-1].translate(str.maketrans("ACGTNR", "TGCANR"))
    streams = []
    for name, sequence in (("one", text), ("other", other)):
        (tmp_path / name).mkdir()
        split = make_split(("chr1", 0, 200, "train"), ("chr2", 0, 9, "valid"))
        genome = make_genome(tmp_path / name, chr1=sequence, chr2="ACGTTGCAA")
        streams.append(make_corpus(tmp_path / name, genome, split, k, stride).tokens("train"))
    table = Vocabulary(k, stride).reverse_complement_ids()
    reversed_stream = table[streams[0]][::-1]
    assert reversed_stream[: -stride or None].tolist() == streams[1][stride:].tolist()  # <bos> leads or follows
    assert {*reversed_stream[-stride:].tolist()} == {*streams[1][:stride].tolist()} == {BOS}


def test_nothing_of_a_test_region_is_in_the_corpus(tmp_path):
    """Train has A and C, valid C and T, and test, between and beside them, is the only one with G."""
    train, valid, test = random_text(150, "AC"), random_text(90, "CT"), random_text(120, "G")
    genome = make_genome(tmp_path, chr1=train + test + valid + test, chr2=test, chr3=test + train)
    split = make_split(
        ("chr1", 0, 150, "train"),
        ("chr1", 150, 270, "test"),
        ("chr1", 270, 360, "valid"),
        ("chr1", 360, 480, "test"),
        ("chr3", 120, 270, "train"),
    )
    for k, stride in ((1, 1), (3, 1), (4, 3)):
        corpus = make_corpus(tmp_path, genome, split, k, stride, chunk=37)
        with_g = {i for i in range(3, corpus.vocabulary.size) if "G" in corpus.vocabulary.token(i)}
        assert not with_g & set(corpus.stream.tolist())
        letters = {name: set() for name in ("train", "valid")}
        for contig in corpus.contigs.itertuples():
            letters[contig.split] |= set(text_of(corpus, contig))
        assert letters == {"train": set("AC"), "valid": set("CT")}


def test_contigs_decode_to_the_text_of_the_genome(tmp_path):
    text = random_text(400, "ACGTN" + "ACGT" * 10)
    genome = make_genome(tmp_path, chr1=text)
    corpus = make_corpus(tmp_path, genome, make_split(("chr1", 20, 250, "train"), ("chr1", 250, 390, "valid")), least=5)
    assert len(corpus.contigs) > 3
    for contig in corpus.contigs.itertuples():
        assert text_of(corpus, contig) == text[contig.start : contig.end]


@pytest.mark.parametrize(("k", "stride"), [(1, 1), (3, 1), (5, 1), (4, 3), (5, 5)])
def test_the_file_does_not_depend_on_the_chunk_size(tmp_path, k, stride):
    genome = make_genome(
        tmp_path, chr1=random_text(500, "ACGTN" + "acgtACGTR" * 20), chr2="N" * 40, chr3=random_text(60)
    )
    split = make_split(("chr1", 3, 300, "train"), ("chr2", 0, 40, "train"), ("chr3", 0, 60, "valid"))
    digests = set()
    for chunk in (1, 2, 7, 64, 1000):
        make_corpus(tmp_path, genome, split, k, stride, chunk, least=6)
        digests.add(hashlib.sha256((tmp_path / "corpus.h5").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_contigs_shorter_than_a_k_mer_are_left_out_whatever_the_least_length(tmp_path):
    genome = make_genome(tmp_path, chr1="ACNACGTNACG", chr2="ACGT")
    corpus = make_corpus(tmp_path, genome, make_split(("chr1", 0, 11, "train"), ("chr2", 0, 4, "valid")), k=4)
    assert corpus.contigs["start"].tolist() == [3, 0]


def test_validation_regions_may_be_all_n(tmp_path):
    split = make_split(("chr1", 0, 8, "train"), ("chr1", 8, 12, "valid"))
    corpus = make_corpus(tmp_path, make_genome(tmp_path, chr1="ACGTACGTNNNN"), split)
    assert len(corpus.tokens("valid")) == 0
    assert corpus.counts["valid"]["n_ambiguous"] == 4


def test_training_regions_without_a_contig_are_refused_and_nothing_is_written(tmp_path):
    split = make_split(("chr1", 0, 8, "train"), ("chr1", 8, 12, "valid"))
    with pytest.raises(InputError, match=r"no stretch of 20 bp without N; lower corpus\.min_contig_bp"):
        make_corpus(tmp_path, make_genome(tmp_path, chr1="ACGTACGTNNNN"), split, least=20)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["genome.fa", "genome.fa.fai"]


@pytest.fixture
def small(tmp_path) -> tuple[Genome, Split]:
    split = make_split(("chr1", 0, 60, "train"), ("chr1", 60, 100, "valid"))
    return make_genome(tmp_path, chr1=random_text(100)), split


@pytest.mark.parametrize(("k", "dtype"), [(3, np.uint8), (4, np.uint16), (8, np.uint32)])
def test_tokens_are_one_memory_mappable_piece_of_the_smallest_type(tmp_path, small, k, dtype):
    corpus = make_corpus(tmp_path, *small, k=k)
    with h5py.File(tmp_path / "corpus.h5") as file:
        dataset = file["tokens"]
        assert (dataset.chunks, dataset.compression, dataset.dtype) == (None, None, dtype)
        assert np.array_equal(dataset[:], corpus.stream)
    assert isinstance(corpus.tokens("train"), np.memmap)
    assert not corpus.tokens("train").flags.writeable


def test_open_gives_back_what_was_written(tmp_path, small):
    corpus = make_corpus(tmp_path, *small, k=4, stride=2)
    assert corpus.vocabulary == Vocabulary(4, 2)
    assert {name: corpus.provenance[name] for name in PROVENANCE} == PROVENANCE
    assert len(corpus.tokens("train")) == corpus.counts["train"]["n_tokens"] == 2 + 60 - 3


def test_the_digest_follows_tokens_and_vocabulary(tmp_path, small):
    genome, split = small
    moved_border = make_split(("chr1", 0, 61, "train"), ("chr1", 61, 100, "valid"))
    made = [(split, 3, 1), (split, 3, 1), (split, 3, 2), (split, 2, 1), (moved_border, 3, 1)]
    digests = [make_corpus(tmp_path, genome, blocks, k, s).provenance["digest"] for blocks, k, s in made]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_a_failure_while_writing_leaves_the_old_file(tmp_path, small, monkeypatch):
    make_corpus(tmp_path, *small)
    before = (tmp_path / "corpus.h5").read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(corpus_module, "_contig_records", full_disk)
    with pytest.raises(OSError, match="No space left"):
        make_corpus(tmp_path, *small, k=2)
    assert (tmp_path / "corpus.h5").read_bytes() == before
    assert not list(tmp_path.glob(".part*"))


def test_many_contigs_and_a_long_provenance_fit(tmp_path):
    text = "ACGTN" * 2000
    genome = make_genome(tmp_path, chr1=text)
    path = tmp_path / "corpus.h5"
    split = make_split(("chr1", 0, 9000, "train"), ("chr1", 9000, 10000, "valid"))
    long = make_provenance("tokenize", 1, {"split": {f"block{i}": "chr1:0-100" for i in range(5000)}})
    write_corpus(path, genome, split, Vocabulary(3, 1), 1000, 1, long)
    corpus = Corpus.open(path)
    assert len(corpus.contigs) == 2000
    assert len(corpus.provenance["settings"]["split"]) == 5000


def test_memory_is_bounded_by_the_chunk_not_by_the_genome(tmp_path):
    chunk, n_bases = 10_000, 1_000_000
    genome = make_genome(tmp_path, chr1=random_text(n_bases))
    split = make_split(("chr1", 0, 800_000, "train"), ("chr1", 800_000, n_bases, "valid"))
    find_contigs(genome, split, 1, chunk)  # imports and caches of the first call are not the corpus's
    tracemalloc.start()
    try:
        make_corpus(tmp_path, genome, split, k=5, chunk=chunk)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30 * chunk + 300_000 < n_bases


@pytest.mark.parametrize("content", [b"", b"<html>", None])
def test_a_file_that_is_no_corpus_is_refused(tmp_path, content):
    path = tmp_path / "other.h5"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"other\.h5: not a readable corpus"):
        Corpus.open(path)


def test_a_truncated_corpus_is_refused(tmp_path, small):
    make_corpus(tmp_path, *small)
    path = tmp_path / "corpus.h5"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a readable corpus"):
        Corpus.open(path)


def test_a_corpus_laid_out_otherwise_is_refused(tmp_path, small):
    make_corpus(tmp_path, *small)
    path = tmp_path / "corpus.h5"
    with h5py.File(path, "r+") as file:
        contigs = file["contigs"][:]
        contigs["n_tokens"] -= 1
        file["contigs"][:] = contigs
    with pytest.raises(InputError, match="laid out otherwise than here; make it with bindgram tokenize"):
        Corpus.open(path)


def test_an_hdf5_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["tokens"] = np.arange(4)
    with pytest.raises(InputError, match="not a readable corpus"):
        Corpus.open(path)


def test_compressed_tokens_are_refused(tmp_path, small):
    make_corpus(tmp_path, *small)
    path = tmp_path / "corpus.h5"
    with h5py.File(path, "r+") as file:
        tokens = file["tokens"][:]
        del file["tokens"]
        file.create_dataset("tokens", data=tokens, compression="gzip")
    with pytest.raises(InputError, match="compressed or chunked"):
        Corpus.open(path)


def test_a_stream_leads_each_sequence_with_bos():
    vocabulary = Vocabulary(3, 1)
    stream = stream_of_sequences(codes_of(["AAAA", "ACNA"]), vocabulary)
    assert stream.tolist() == [BOS, 3, 3, BOS, UNK, UNK]
    assert stream.dtype == vocabulary.dtype
    at_stride_two = stream_of_sequences(codes_of(["AAAA", "ACNA"]), Vocabulary(3, 2))
    assert at_stride_two.tolist() == [BOS, BOS, 3, 3, BOS, BOS, UNK, UNK]


def test_a_stream_of_no_sequences_is_empty():
    assert stream_of_sequences(codes_of([]), Vocabulary(3, 1)).tolist() == []


def test_masked_places_come_into_no_contig_and_are_counted_once(tmp_path):
    text = random_text(100)
    text = text[:30] + "N" + text[31:]
    genome = make_genome(tmp_path, chr1=text)
    split = make_split(("chr1", 0, 60, "train"), ("chr1", 60, 100, "valid"))
    masked = Masked({"chr1": np.array([[10, 14], [29, 33], [58, 63]])}, {"set": {"n_found": 3}})
    path = tmp_path / "corpus.h5"
    for chunk in (1, 9, 1000):
        write_corpus(path, genome, split, Vocabulary(3, 1), chunk, 1, PROVENANCE, masked)
        corpus = Corpus.open(path)
        assert corpus.contigs[["start", "end"]].to_numpy().tolist() == [[0, 10], [14, 29], [33, 58], [63, 100]]
        assert [text_of(corpus, contig) for contig in corpus.contigs.itertuples()] == [
            text[:10], text[14:29], text[33:58], text[63:],
        ]  # fmt: skip
        tallies = [corpus.counts[name] for name in ("train", "valid")]
        assert [tally["n_masked"] for tally in tallies] == [4 + 3 + 2, 3]
        assert [tally["n_ambiguous"] for tally in tallies] == [1, 0]
        assert corpus.counts["masked"] == {"set": {"n_found": 3}}
