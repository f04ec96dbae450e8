import numpy as np
import pandas as pd
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindgram.data.masking import Masked, find_sequences
from bindgram.genome.fasta import Genome
from bindgram.sequence.dna import codes_of

COMPLEMENT = str.maketrans("ACGTN", "TGCAN")


def make_genome(folder, **sequences):
    fasta = folder / "genome.fa"
    fasta.write_text("".join(f">{name}\n{text}\n" for name, text in sequences.items()))
    pysam.faidx(str(fasta))
    return Genome.open(fasta)


def blocks_of(*rows):
    return pd.DataFrame(rows, columns=["chrom", "start", "end"])


def random_text(n, seed=0, letters="ACGT"):
    return "".join(np.random.default_rng(seed).choice(list(letters), n))


def other_strand(text):
    return text.translate(COMPLEMENT)[::-1]


def slow(texts, blocks, sequences):
    """All (sequence, chrom, start, end cut to the block), by comparing at every place."""
    found = set()
    for chrom, start, end in blocks:
        text = texts[chrom].upper()
        for number, sequence in enumerate(sequences):
            for strand in (sequence, other_strand(sequence)):
                for place in range(max(start - len(strand) + 1, 0), min(end, len(text) - len(strand) + 1)):
                    letters = text[place : place + len(strand)]
                    if all(wanted in ("N", letter) for wanted, letter in zip(strand, letters, strict=True)):
                        found.add((number, chrom, max(place, start), min(place + len(strand), end)))
    return found


def masked_bases(masked, chrom, length):
    return np.flatnonzero(masked.within(chrom, 0, length)).tolist()


@pytest.mark.parametrize("chunk_bp", [1, 7, 40, 1000])
@pytest.mark.parametrize("width", [16, 20, 40])
def test_places_are_those_of_comparing_every_base_whatever_the_chunk(tmp_path, width, chunk_bp):
    unit = random_text(25, 1)
    texts = {
        "chr1": random_text(60, 2) + unit * 5 + "A" * 50 + random_text(60, 3).lower() + "NNN" + unit * 2,
        "chr2": other_strand(unit * 4) + "A" * 20 + random_text(30, 4) + "R" + random_text(60, 5),
    }
    blocks = [("chr1", 10, 200), ("chr1", 210, 300), ("chr2", 0, 150), ("chr2", 170, len(texts["chr2"]))]
    with_n = list((unit * 3)[3 : 3 + width])
    with_n[0] = with_n[-1] = "N"
    sequences = [(unit * 3)[:width], "A" * width, random_text(width, 9), "".join(with_n)]
    sequences += [texts["chr1"][190 : 190 + width].upper(), other_strand(texts["chr2"][140 : 140 + width].upper())]
    genome = make_genome(tmp_path, **texts)
    masked = find_sequences(genome, blocks_of(*blocks), {"set": codes_of(sequences)}, chunk_bp)
    expected = slow(texts, blocks, sequences)
    searched = {
        n
        for n, text in enumerate(sequences)
        if any(len(part) >= (32 if width >= 32 else 16) for part in text.replace("R", "N").split("N"))
    }
    expected = {hit for hit in expected if hit[0] in searched}
    assert len(expected) > 10
    bases = {(chrom, base) for _, chrom, start, end in expected for base in range(start, end)}
    assert {(c, base) for c in texts for base in masked_bases(masked, c, len(texts[c]))} == bases
    counts = masked.counts["set"]
    assert counts["n_sequences"] == len(sequences)
    assert counts["n_found"] == len({hit[0] for hit in expected})
    assert counts["n_not_searched"] == len(sequences) - len(searched)
    assert counts["n_bases"] == len(bases)
    assert counts["n_places"] == len({(chrom, start) for _, chrom, start, _ in expected})


def test_sets_are_counted_apart_and_masked_together(tmp_path):
    text = random_text(300)
    genome = make_genome(tmp_path, chr1=text)
    sets = {
        "one": codes_of([text[20:60], text[30:70]]),
        "other": codes_of([other_strand(text[50:82]), random_text(32, 8)]),
        "none": codes_of([]),
    }
    masked = find_sequences(genome, blocks_of(("chr1", 0, 300)), sets, 1000)
    assert masked_bases(masked, "chr1", 300) == list(range(20, 82))
    assert masked.counts["one"] == {
        "n_sequences": 2, "n_not_searched": 0, "n_found": 2, "n_places": 2, "n_bases": 50,
    }  # fmt: skip
    assert masked.counts["other"]["n_found"] == 1
    assert masked.counts["none"] == dict.fromkeys(masked.counts["one"], 0)


def test_sequences_too_short_or_too_ambiguous_to_search_are_counted(tmp_path):
    text = random_text(100)
    genome = make_genome(tmp_path, chr1=text)
    sets = {"short": codes_of([text[:15]]), "unclear": codes_of([text[:15] + "N" + text[16:30]])}
    masked = find_sequences(genome, blocks_of(("chr1", 0, 100)), sets, 1000)
    assert [masked.counts[name]["n_not_searched"] for name in sets] == [1, 1]
    assert not masked.within("chr1", 0, 100).any()


@settings(max_examples=50)
@given(
    places=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5)), max_size=5),
    start=st.integers(0, 30),
    length=st.integers(0, 20),
)
def test_within_is_true_for_exactly_the_bases_of_places(places, start, length):
    bases = {base for low, n in places for base in range(low, low + n)}
    edges = sorted(base for base in bases if base - 1 not in bases), sorted(b + 1 for b in bases if b + 1 not in bases)
    masked = Masked({"chr1": np.array(list(zip(*edges, strict=True))).reshape(-1, 2)})
    expected = [base in bases for base in range(start, start + length)]
    assert masked.within("chr1", start, start + length).tolist() == expected
    assert not masked.within("chr2", start, start + length).any()
