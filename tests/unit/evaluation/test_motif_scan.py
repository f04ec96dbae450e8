import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from bindgram.data.motifs import Motif, read_motifs
from bindgram.evaluation import motif_scan
from bindgram.evaluation.fitted import Known, Training, Unfitted
from bindgram.evaluation.motif_scan import best_matches, fit_motif, log_odds
from bindgram.sequence.dna import codes_of, reverse_complement
from bindgram.settings.baselines import MotifBaseline

SETTINGS = MotifBaseline(kind="motif")


def sharp(name: str, tf: str, text: str) -> Motif:
    """A motif that is one sequence."""
    return Motif(name, tf, np.eye(4)[codes_of([text])[0]], 100.0)


def fit(training: Training, tf: str, motifs: list[Motif]):
    with fit_motif(SETTINGS, training, Known(tf, 1, 1, motifs, "mine")) as fitted:
        return fitted


def slow_best(codes: np.ndarray, matrix: np.ndarray) -> list[float]:
    """One position after another, on each strand."""
    best = []
    for sequence in codes:
        scores = []
        for strand in (sequence, reverse_complement(sequence)):
            for start in range(len(strand) - len(matrix) + 1):
                window = strand[start : start + len(matrix)]
                scores.append(sum(row[base] for row, base in zip(matrix, window, strict=True) if base < 4))
        best.append(max(scores))
    return best


def test_log_odds_by_hand():
    # 100 sites and a pseudocount of 10: a base of all sites has (100 + 2.5) / 110, one of none 2.5 / 110
    matrix = log_odds(Motif("m", "X", np.array([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0]]), 100.0))
    assert matrix[0] == pytest.approx([np.log2(102.5 / 110 / 0.25), *3 * [np.log2(2.5 / 110 / 0.25)]])
    assert matrix[1, :2] == pytest.approx(2 * [np.log2(52.5 / 110 / 0.25)])


def test_best_match_by_hand():
    matrix = np.array([[1.0, -1, -2, -3], [-1, 2, -4, -5]])  # AC: 3
    # AC as it stands; its reverse complement GT; CC -1 + 2; neither: AA 1 - 1, and TT of the other strand -3 - 5
    assert best_matches(codes_of(["TACG", "TGTG"]), matrix).tolist() == [3.0, 3.0]
    assert best_matches(codes_of(["CC", "AA"]), matrix).tolist() == [1.0, 0.0]
    assert best_matches(codes_of(["NC", "NN"]), matrix).tolist() == [2.0, 0.0]  # N scores 0


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 9), st.integers(0, 30))
def test_best_match_is_that_of_a_slow_scan_on_both_strands(seed, n, width, more):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 5, (n, width + more)).astype(np.uint8)
    matrix = rng.normal(size=(width, 4))
    found = best_matches(codes, matrix)
    assert found == pytest.approx(slow_best(codes, matrix), abs=1e-5)  # the scanner has single precision
    assert np.allclose(found, best_matches(reverse_complement(codes), matrix), atol=1e-5)


def test_pieces_of_sequences_give_the_same_as_all_at_once(monkeypatch):
    codes = np.random.default_rng(1).integers(0, 4, (50, 30)).astype(np.uint8)
    matrix = log_odds(sharp("m", "X", "ACGTTA"))
    whole = best_matches(codes, matrix)
    monkeypatch.setattr(motif_scan, "_CHUNK_BP", 100)
    assert np.array_equal(best_matches(codes, matrix), whole)


def test_a_match_across_two_sequences_is_none():
    matrix = log_odds(sharp("m", "X", "AAAACCCC"))
    apart, together = best_matches(codes_of(["GTGTGTGTAAAA", "CCCCGTGTGTGT"]), matrix), matrix.max(axis=1).sum()
    assert (apart < together - 10).all()


def planted(word: str, n: int, seed: int) -> Training:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (2 * n, 40)).astype(np.uint8)
    codes[:n, 10 : 10 + len(word)] = codes_of([word])[0]
    codes[: n // 2] = reverse_complement(codes[: n // 2])
    return Training(codes, np.repeat([1, 0], n))


def test_the_motif_that_tells_the_training_examples_apart_is_taken():
    motifs = [sharp("M1", "OTHER", "GATTACAG"), sharp("M2", "MYC", "TTTTCCCC"), sharp("M3", "MAX::MYC", "GATTACAG")]
    fitted = fit(planted("GATTACAG", 100, 1), "myc", motifs)
    assert fitted.details["motif"] == "M3 MAX::MYC"
    assert fitted.details["library"] == "mine"
    assert set(fitted.details["candidates"]) == {"M2 MYC", "M3 MAX::MYC"}
    assert fitted.details["train_auroc"] == fitted.details["candidates"]["M3 MAX::MYC"] > 0.99
    test = planted("GATTACAG", 50, 2)
    assert roc_auc_score(test.labels, fitted.score(test.codes)) > 0.99


def test_without_a_motif_it_is_not_defined():
    training = planted("GATTACAG", 5, 1)
    none, long = fit(training, "CTCF", [sharp("M1", "CTCFL", "ACGT")]), fit(training, "X", [sharp("M", "X", 41 * "A")])
    assert none == Unfitted("not defined: no motif of CTCF in mine")
    assert long == Unfitted("not defined: every motif of X in mine is longer than the 40 bp of a window")


@pytest.mark.realdata
def test_the_motif_of_ctcf_tells_its_peaks_from_their_neighbourhood(real_data):
    with gzip.open(real_data / "hg38_chr22/hg38.chr22.fa.gz", "rt") as packed:
        chromosome = "".join(line.strip() for line in packed if not line.startswith(">")).upper()
    with gzip.open(real_data / "hg38_chr22/peaks_tfbs_clusters/CTCF.bed.gz", "rt") as packed:
        middles = [(int(start) + int(end)) // 2 for _, start, end, *_ in map(str.split, packed)]
    windows = [chromosome[middle + shift - 100 : middle + shift + 100] for shift in (0, 3000) for middle in middles]
    labels = np.repeat([1, 0], len(middles))
    kept = [number for number, text in enumerate(windows) if len(text) == 200 and "N" not in text]
    training = Training(codes_of([windows[number] for number in kept]), labels[kept])
    motifs = read_motifs(real_data / "motifs/jaspar2024_core_human.jaspar")
    fitted = fit(training, "CTCF", motifs)
    assert fitted.details["motif"] == "MA0139.2 CTCF"
    assert 0.78 < fitted.details["train_auroc"] < 0.9  # of all clusters of peaks, weak ones too
    assert fit(training, "HNF1A", motifs).details["train_auroc"] < 0.6
