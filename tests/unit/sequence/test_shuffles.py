import gzip
from pathlib import Path

import numpy as np
import pytest

from bindgram.errors import InputError
from bindgram.sequence.dna import codes_of, encode
from bindgram.sequence.kmers import count_kmers
from bindgram.sequence.shuffles import _public_shuffle, _seqpro_shuffle, shuffle_klets

CHR22 = Path(__file__).parents[4] / "shared/data/hg38_chr22"


def random_codes(n: int, width: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 4, (n, width)).astype(np.uint8)


def shuffle_blocks_of_two(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The wrong "dinucleotide shuffle" of earlier systems: permutes non-overlapping pairs."""
    pairs = codes[:, : codes.shape[1] // 2 * 2].reshape(len(codes), -1, 2)
    shuffled = np.stack([rng.permutation(row) for row in pairs]).reshape(len(codes), -1)
    return np.concatenate([shuffled, codes[:, shuffled.shape[1] :]], axis=1)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("width", [5, 101, 200])
def test_k_let_counts_are_kept_exactly_and_the_order_is_not(k, width):
    codes = random_codes(200, width)
    shuffled = shuffle_klets(codes, k, np.random.default_rng(1))
    assert np.array_equal(count_kmers(shuffled, k), count_kmers(codes, k))
    if width > 5:
        assert (shuffled != codes).any(axis=1).mean() > 0.99


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_function_loaded_alone_is_that_of_seqpro(k):
    letters = np.frombuffer(b"ACGT", np.uint8)[random_codes(50, 101)]
    alone, public = (shuffle(letters, k, 4, b"ACGT", 5) for shuffle in (_seqpro_shuffle(), _public_shuffle))
    assert _seqpro_shuffle() is not _public_shuffle  # else every shuffle pays for the import of all of seqpro
    assert np.array_equal(np.asarray(alone).view(np.uint8), np.asarray(public).view(np.uint8))


@pytest.mark.parametrize("k", [2, 3])
def test_first_and_last_letters_stay(k):
    codes = random_codes(200, 50)
    shuffled = shuffle_klets(codes, k, np.random.default_rng(1))
    assert np.array_equal(shuffled[:, : k - 1], codes[:, : k - 1])
    assert np.array_equal(shuffled[:, 1 - k :], codes[:, 1 - k :])


def test_a_shuffle_of_blocks_of_two_is_not_exact():
    codes = random_codes(200, 101)
    blocks = shuffle_blocks_of_two(codes, np.random.default_rng(1))
    assert np.array_equal(count_kmers(blocks, 1), count_kmers(codes, 1))
    assert not np.array_equal(count_kmers(blocks, 2), count_kmers(codes, 2))


def test_every_arrangement_is_drawn_about_equally_often():
    codes = np.repeat(codes_of(["ACAGATA"]), 6000, axis=0)  # A to C, G, T and back, in any of 6 orders
    shuffled = shuffle_klets(codes, 2, np.random.default_rng(1))
    arrangements, counts = np.unique(shuffled, axis=0, return_counts=True)
    assert len(arrangements) == 6
    assert abs(counts - 1000).max() < 150  # five standard deviations


def test_the_generator_alone_decides():
    codes = random_codes(50, 60)
    first, again, other = (shuffle_klets(codes, 2, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_successive_calls_with_one_generator_differ():
    codes, rng = random_codes(50, 60), np.random.default_rng(1)
    assert not np.array_equal(shuffle_klets(codes, 2, rng), shuffle_klets(codes, 2, rng))


def test_the_input_is_left_alone():
    codes = random_codes(20, 30)
    before = codes.copy()
    shuffle_klets(codes, 2, np.random.default_rng(1))
    assert np.array_equal(codes, before)


@pytest.mark.parametrize("text", ["", "A", "AC", "AAAAAAAA"])
def test_what_has_one_arrangement_comes_back(text):
    codes = codes_of([text])
    assert shuffle_klets(codes, 2, np.random.default_rng(1)).tolist() == codes.tolist()


def test_no_sequences_are_no_problem():
    assert shuffle_klets(codes_of([]), 2, np.random.default_rng(1)).shape == (0, 0)


def test_ambiguous_bases_are_refused_by_row():
    with pytest.raises(InputError, match="sequence 2: has a base other than ACGT"):
        shuffle_klets(codes_of(["ACGT", "ACNT"]), 2, np.random.default_rng(1))


def real_windows(n: int, width: int) -> np.ndarray:
    """Random windows without N from chr22, read without any of our own code."""
    with gzip.open(CHR22 / "hg38.chr22.fa.gz") as handle:
        handle.readline()
        letters = np.frombuffer(handle.read(20_000_000).replace(b"\n", b""), np.uint8)
    starts = np.random.default_rng(11).integers(0, len(letters) - width, 4 * n)
    codes = encode(letters[starts[:, None] + np.arange(width)])
    return codes[(codes < 4).all(axis=1)][:n]


def auroc_of_counts(real: np.ndarray, shuffled: np.ndarray, k: int) -> float:
    """Held-out AUROC of a logistic regression on k-mer counts; pairs of original and shuffle stay together."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    half = len(real) // 2
    labels = np.repeat([1, 0], half)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    model.fit(count_kmers(np.concatenate([real[:half], shuffled[:half]]), k), labels)
    scores = model.decision_function(count_kmers(np.concatenate([real[half:], shuffled[half:]]), k))
    return roc_auc_score(labels, scores)


@pytest.mark.realdata
@pytest.mark.skipif(not CHR22.exists(), reason="development data folder shared/data is absent")
def test_dinucleotide_counts_tell_block_shuffles_from_real_dna_but_not_exact_ones():
    real, rng = real_windows(6000, 101), np.random.default_rng(1)
    assert len(real) == 6000
    exact, blocks = shuffle_klets(real, 2, rng), shuffle_blocks_of_two(real, rng)
    assert abs(auroc_of_counts(real, exact, 2) - 0.5) < 0.02
    assert auroc_of_counts(real, blocks, 2) > 0.7
    assert auroc_of_counts(real, exact, 3) > 0.55  # the next order is not kept: this control can fail
