import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindgram.errors import InputError
from bindgram.sequence.dna import codes_of, encode, reverse_complement, strings_of
from bindgram.sequence.kmers import SPECIAL_TOKENS, Vocabulary, count_kmers

SHAPES = st.integers(1, 5).flatmap(lambda k: st.tuples(st.just(k), st.integers(1, k)))


def tokens_of(text: str, vocabulary: Vocabulary) -> list[int]:
    return vocabulary.encode(codes_of([text]))[0].tolist()


def slow_tokens(text: str, k: int, stride: int) -> list[int]:
    """An obvious oracle: look every k-mer up in the sorted list of all."""
    kmers = ["".join(letters) for letters in itertools.product("ACGT", repeat=k)]
    return [
        3 + kmers.index(text[i : i + k]) if set(text[i : i + k]) <= set("ACGT") else 1
        for i in range(0, len(text) - k + 1, stride)
    ]


def test_ids_are_base_4_numbers_after_the_special_tokens():
    assert SPECIAL_TOKENS == ("<pad>", "<unk>", "<bos>")
    assert tokens_of("AAACGT", Vocabulary(3, 1)) == [3 + 0, 3 + 1, 3 + 6, 3 + 27]


def test_stride_skips_k_mers_and_leaves_a_short_rest_unread():
    assert tokens_of("AAACGTTT", Vocabulary(3, 3)) == [3 + 0, 3 + 27]


@given(SHAPES, st.text("ACGTN", min_size=0, max_size=30))
def test_encode_agrees_with_a_dictionary(shape, text):
    k, stride = shape
    assert tokens_of(text, Vocabulary(k, stride)) == slow_tokens(text, k, stride)


@given(SHAPES, st.integers(0, 40))
def test_number_of_tokens_is_that_of_encode(shape, length):
    vocabulary = Vocabulary(*shape)
    assert vocabulary.encode(np.zeros(length, np.uint8)).shape == (vocabulary.n_tokens(length),)


def test_encode_works_on_the_last_axis_of_any_array():
    codes = np.random.default_rng(0).integers(0, 5, (2, 3, 20)).astype(np.uint8)
    vocabulary = Vocabulary(4, 2)
    tokens = vocabulary.encode(codes)
    assert tokens.shape == (2, 3, 9)
    assert tokens[1, 2].tolist() == vocabulary.encode(codes[1, 2]).tolist()


@pytest.mark.parametrize(("k", "dtype"), [(1, np.uint8), (3, np.uint8), (4, np.uint16), (7, np.uint16), (8, np.uint32)])
def test_the_smallest_type_holds_the_largest_id(k, dtype):
    vocabulary = Vocabulary(k, 1)
    assert vocabulary.dtype == dtype
    assert tokens_of("T" * k, vocabulary) == [vocabulary.size - 1]
    assert tokens_of("N" * k, vocabulary) == [1]


@given(st.integers(1, 8), st.text("ACGT", min_size=8, max_size=40))
def test_decode_of_encode_is_the_sequence_at_stride_1(k, text):
    vocabulary = Vocabulary(k, 1)
    assert strings_of(vocabulary.decode(vocabulary.encode(codes_of([text])))) == [text]


@given(SHAPES, st.text("ACGTN", min_size=5, max_size=40))
def test_decode_never_invents_a_base(shape, text):
    vocabulary = Vocabulary(*shape)
    decoded = strings_of(vocabulary.decode(vocabulary.encode(codes_of([text]))))[0]
    assert len(decoded) <= len(text)
    assert all(ours in (base, "N") for ours, base in zip(decoded, text, strict=False))


@given(st.integers(1, 5), st.text("ACGTN", min_size=5, max_size=40))
def test_tokens_of_the_other_strand_are_the_reversed_look_up(k, text):
    vocabulary, codes = Vocabulary(k, 1), codes_of([text])
    other_strand = vocabulary.encode(reverse_complement(codes))
    assert vocabulary.reverse_complement_ids()[vocabulary.encode(codes)][:, ::-1].tolist() == other_strand.tolist()


def test_reverse_complement_ids_keep_special_tokens_and_are_their_own_inverse():
    vocabulary = Vocabulary(3, 1)
    table = vocabulary.reverse_complement_ids()
    assert table.shape == (67,)
    assert table.dtype == vocabulary.dtype
    assert table[:3].tolist() == [0, 1, 2]
    assert table[vocabulary.id_of("AAC")] == vocabulary.id_of("GTT")
    assert table[table].tolist() == list(range(67))


def test_token_and_id_are_inverse():
    vocabulary = Vocabulary(2, 1)
    texts = [vocabulary.token(identifier) for identifier in range(vocabulary.size)]
    assert texts[:5] == ["<pad>", "<unk>", "<bos>", "AA", "AC"]
    assert [vocabulary.id_of(text) for text in texts] == list(range(19))
    assert vocabulary.id_of("ac") == 4


@pytest.mark.parametrize("token", ["ACG", "AN", "", "<mask>"])
def test_a_token_of_another_vocabulary_is_refused(token):
    with pytest.raises(InputError, match="neither 2 letters"):
        Vocabulary(2, 1).id_of(token)


@pytest.mark.parametrize("identifier", [-1, 19])
def test_an_id_out_of_range_is_refused(identifier):
    with pytest.raises(InputError, match=r"not in 0\.\.18"):
        Vocabulary(2, 1).token(identifier)


@pytest.mark.parametrize(("k", "stride"), [(0, 1), (9, 1), (3, 0), (3, 4)])
def test_impossible_vocabularies_are_refused(k, stride):
    with pytest.raises(InputError, match="vocabulary"):
        Vocabulary(k, stride)


def test_json_round_trip():
    assert Vocabulary.from_json(Vocabulary(5, 2).to_json()) == Vocabulary(5, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"special_tokens": ["<unk>", "<pad>", "<bos>"]}, "special_tokens"),
        ({"k": "3"}, "vocabulary: k"),
        ({"extra": 1}, "keys are k, stride"),
    ],
)
def test_json_that_is_not_ours_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        Vocabulary.from_json(Vocabulary(3, 1).to_json() | change)


def test_counts_by_hand():
    counts = count_kmers(codes_of(["AACAA", "ACNAA"]), 2)
    assert counts.shape == (2, 16)
    assert counts[0].nonzero()[0].tolist() == [0, 1, 4]  # AA, AC, CA
    assert counts[0, [0, 1, 4]].tolist() == [2, 1, 1]
    assert counts.sum(axis=1).tolist() == [4, 2]


def test_counts_do_not_depend_on_the_rows_counted_at_a_time(monkeypatch):
    codes = encode(np.random.default_rng(3).choice(np.frombuffer(b"ACGTN", np.uint8), (50, 30)))
    whole = count_kmers(codes, 3)
    monkeypatch.setattr("bindgram.sequence.kmers._COUNT_CELLS", 500)
    assert np.array_equal(count_kmers(codes, 3), whole)


def test_counts_of_no_sequences():
    assert count_kmers(codes_of([]), 3).shape == (0, 64)
