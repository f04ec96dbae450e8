import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindgram.errors import InputError
from bindgram.sequence import dna

TEXTS = st.lists(st.text("ACGTN", min_size=7, max_size=7), min_size=1, max_size=5)


def letters(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def test_encode_reads_either_case_and_marks_all_else_ambiguous():
    assert dna.encode(letters("ACGTacgtNnRU-*")).tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 4, 4, 4, 4, 4, 4]


def test_decode_gives_upper_case_and_n():
    assert dna.decode(np.array([3, 2, 1, 0, 4], np.uint8)).tobytes() == b"TGCAN"


@given(TEXTS)
def test_strings_survive_a_round_trip(texts):
    assert dna.strings_of(dna.codes_of(texts)) == texts


def test_no_sequences_give_an_empty_array():
    assert dna.codes_of([]).shape == (0, 0)


def test_sequences_of_unequal_length_are_refused_by_row():
    with pytest.raises(InputError, match="sequence 3: 2 bp, the first has 3"):
        dna.codes_of(["ACG", "TTT", "AC"])


def test_letters_outside_ascii_are_ambiguous_and_keep_the_length():
    assert dna.codes_of(["AéC"]).tolist() == [[0, 4, 1]]


def test_reverse_complement_by_hand():
    assert dna.strings_of(dna.reverse_complement(dna.codes_of(["AACGN"]))) == ["NCGTT"]


@given(TEXTS)
def test_reverse_complement_twice_is_the_identity(texts):
    codes = dna.codes_of(texts)
    assert np.array_equal(dna.reverse_complement(dna.reverse_complement(codes)), codes)


def test_gc_fraction_counts_known_bases_only():
    fractions = dna.gc_fraction(dna.codes_of(["GCAT", "GNNN", "NNNN"]))
    assert fractions[:2].tolist() == [0.5, 1.0]
    assert np.isnan(fractions[2])


def test_one_hot_has_channels_acgt_and_zeros_for_ambiguous_bases():
    hot = dna.one_hot(dna.codes_of(["GN"]))
    assert hot.dtype == np.float32
    assert hot.tolist() == [[[0, 0, 1, 0], [0, 0, 0, 0]]]
