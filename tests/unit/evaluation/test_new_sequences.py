from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bindgram.errors import InputError
from bindgram.evaluation import new_sequences
from bindgram.evaluation.likelihood import SequenceModel
from bindgram.evaluation.new_sequences import Ensemble, Tally, classifier_rows, language_model_rows, window_starts
from bindgram.evaluation.targets import LEAVES, Target
from bindgram.sequence.dna import reverse_complement
from bindgram.training.loaders import LabelledSequences
from bindgram.training.scoring import classifier_of, score_strands

CPU = torch.device("cpu")
WIDTH = 40


def target(name, length, seed=1):
    return Target(name, name, 0, length, np.random.default_rng(seed).integers(0, 4, length).astype(np.uint8))


def all_rows(ensemble, targets, stride=20, *, every_window=False):
    return [row for rows in classifier_rows(ensemble, targets, stride, every_window=every_window) for row in rows]


def alone(bundle, codes):
    """Score of one window: the mean of the logits of both strands."""
    model, vocabulary = classifier_of(bundle)
    return score_strands(model, LabelledSequences(codes[None], np.zeros(1, np.float32), vocabulary), CPU).mean()


@given(st.integers(0, 300), st.integers(1, 60), st.integers(1, 80))
def test_windows_are_a_stride_apart_and_reach_the_end(length, width, stride):
    starts = window_starts(length, width, stride)
    if length < width:
        assert len(starts) == 0
        return
    assert starts[0] == 0
    assert starts[-1] == length - width
    assert (np.diff(starts[:-1]) == stride).all()
    assert (np.diff(starts) >= 1).all()
    assert (np.diff(starts) <= stride).all()


@pytest.mark.parametrize("name", ["tiny_cnn", "tiny_lstm"])
def test_a_sequence_of_one_window_has_the_score_of_a_test_example(make_bundle, name):
    bundle, one = make_bundle(name), target("a", WIDTH)
    (row,) = all_rows(Ensemble([bundle], CPU), [one])
    assert row["score"] == pytest.approx(alone(bundle, one.codes), abs=1e-6)
    assert row["score"] == pytest.approx((row["score_forward"] + row["score_reverse"]) / 2)
    assert (row["start"], row["end"], row["n_windows"], row["n_scored"], row["reason"]) == (0, 40, 1, 1, "")
    assert not {"spread", "bound"} & set(row)


def test_both_strands_have_one_score(make_bundle):
    ensemble, one = Ensemble([make_bundle("tiny_lstm")], CPU), target("a", WIDTH)
    there, back = all_rows(ensemble, [one, one._replace(codes=reverse_complement(one.codes))])
    assert there["score"] == pytest.approx(back["score"], abs=1e-6)
    assert there["score_forward"] == pytest.approx(back["score_reverse"], abs=1e-6)


def test_a_long_sequence_has_its_best_window_and_a_window_with_n_is_left_out(make_bundle):
    bundle, one = make_bundle("tiny_cnn"), target("a", 95)
    expected = {start: alone(bundle, one.codes[start : start + WIDTH]) for start in (0, 20, 40, 55)}
    windows = all_rows(Ensemble([bundle], CPU), [one], every_window=True)
    assert {row["start"]: pytest.approx(row["score"], abs=1e-6) for row in windows} == expected
    (row,) = all_rows(Ensemble([bundle], CPU), [one])
    best = max(expected, key=expected.get)
    assert (row["start"], row["end"], row["n_windows"], row["n_scored"]) == (best, best + WIDTH, 4, 4)
    one.codes[best + 39 if best == 0 else best] = 4
    (row,) = all_rows(Ensemble([bundle], CPU), [one])
    assert row["start"] != best
    assert row["n_scored"] < row["n_windows"] == 4


def test_what_cannot_be_scored_has_a_row_with_the_reason(make_bundle):
    ensemble, unknown = Ensemble([make_bundle("tiny_cnn")], CPU), target("n", 60)
    unknown.codes[30] = 4
    gone = Target("gone", "chr1", 5, 30, np.empty(0, np.uint8), LEAVES)
    rows = all_rows(ensemble, [target("short", 39), unknown, target("empty", 0), gone])
    assert [row["name"] for row in rows] == ["short", "n", "empty", "gone"]
    assert [row["reason"] for row in rows] == [
        "39 bp, shorter than a window of 40 bp",
        "a base other than A, C, G, T in every window",
        "0 bp, shorter than a window of 40 bp",
        LEAVES,
    ]
    assert all("score" not in row for row in rows)
    windows = all_rows(ensemble, [unknown], every_window=True)
    assert [row["reason"] for row in windows] == ["a base other than A, C, G, T"] * 2


def test_rows_do_not_depend_on_how_windows_are_put_together(make_bundle, monkeypatch):
    ensemble = Ensemble([make_bundle("tiny_cnn")], CPU)
    targets = [target(f"t{seed}", length, seed) for seed, length in enumerate([40, 700, 10, 41, 300, 0, 90])]
    together = {every: all_rows(ensemble, targets, 7, every_window=every) for every in (True, False)}
    monkeypatch.setattr(new_sequences, "CHUNK", 5)
    for every, expected in together.items():
        found = all_rows(ensemble, targets, 7, every_window=every)
        assert [row["name"] for row in found] == [row["name"] for row in expected]
        for one, other in zip(found, expected, strict=True):
            assert one == {key: pytest.approx(value, abs=1e-5) for key, value in other.items()}


def test_several_models_are_averaged_with_their_spread_and_threshold(make_bundle):
    thresholds = ({"test_set": "T2", "score": -1e9}, {"test_set": "T2", "score": 0.0})
    bundles = [make_bundle("tiny_cnn", seed, threshold=thresholds[seed]) for seed in (0, 1)]
    one = target("a", WIDTH)
    (row,) = all_rows(Ensemble(bundles, CPU), [one])
    scores = [alone(bundle, one.codes) for bundle in bundles]
    assert row["score"] == pytest.approx(np.mean(scores), abs=1e-6)
    assert row["spread"] == pytest.approx(np.std(scores, ddof=1), abs=1e-6)
    assert row["bound"] == 1  # above the mean of both thresholds
    (row,) = all_rows(Ensemble([*bundles, make_bundle("tiny_cnn", 2)], CPU), [one])
    assert "bound" not in row


def test_models_that_do_not_go_together_are_refused(make_bundle):
    with pytest.raises(InputError, match=r"windows of one width are averaged .* give models of one width"):
        Ensemble([make_bundle("tiny_cnn"), make_bundle("tiny_cnn", width=50)], CPU)
    with pytest.raises(InputError, match="its kind is language_model"):
        Ensemble([make_bundle("tiny_cnn"), make_bundle("language_model")], CPU)


def test_a_language_model_scores_whole_sequences(make_bundle):
    models = [SequenceModel(make_bundle("language_model", seed), CPU) for seed in (0, 1)]
    targets = [target("a", 70), target("b", 3), target("c", 500, 2)]
    rows = [row for rows in language_model_rows(models, targets) for row in rows]
    expected = [model.score([targets[2].codes]) for model in models]
    assert rows[2]["log_likelihood"] == pytest.approx(np.mean([one.model for one in expected]), abs=1e-5)
    assert rows[2]["score"] == pytest.approx(rows[2]["log_likelihood"] - rows[2]["markov"])
    assert rows[2]["spread"] > 0
    assert rows[1]["reason"] == "no k-mer of A, C, G, T that follows another"
    assert "score" not in rows[1]


@pytest.mark.parametrize("width", [None, 0, -5, True, "40", 40.0])
def test_a_width_that_is_no_number_of_bp_is_refused(make_bundle, width):
    bundle = make_bundle("tiny_cnn")
    with pytest.raises(InputError, match=r"settings.width: .* is no number of bp"):
        Ensemble([replace(bundle, settings={**bundle.settings, "width": width})], CPU)


def test_files_of_another_vocabulary_are_refused(make_bundle):
    cnn, lstm, lm = (make_bundle(name) for name in ("tiny_cnn", "tiny_lstm", "language_model"))
    longer = {**lm.vocabulary, "k": 4}
    for bundle, vocabulary in ((cnn, lm.vocabulary), (lstm, None), (lstm, longer)):
        with pytest.raises(InputError, match=r"vocabulary\.json is not that of the settings"):
            Ensemble([replace(bundle, vocabulary=vocabulary)], CPU)
    with pytest.raises(InputError, match=r"vocabulary\.json is not that of the settings"):
        SequenceModel(replace(lm, vocabulary=longer), CPU)


def test_progress_counts_windows_where_a_sequence_has_many(make_bundle):
    ensemble = Ensemble([make_bundle("tiny_cnn")], CPU)
    tally = Tally(ensemble)
    assert (
        len(
            [
                row
                for rows in tally.counted(classifier_rows(ensemble, [target("a", 95)], 20, every_window=False))
                for row in rows
            ]
        )
        == 1
    )
    assert tally.describe().startswith("1 rows, 4 windows, ")
