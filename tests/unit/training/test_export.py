import numpy as np
import pytest
import torch

from bindgram.errors import InputError
from bindgram.evaluation.new_sequences import Ensemble, Span
from bindgram.evaluation.targets import Target
from bindgram.models.bundle import skipped_bundle
from bindgram.sequence.kmers import Vocabulary
from bindgram.training.export import export_classifier, kmer_tokens, save_exported

WIDTH = 40


@pytest.mark.parametrize(("k", "stride"), [(1, 1), (3, 1), (6, 3), (5, 2)])
def test_tokens_are_those_of_the_vocabulary(k, stride):
    codes = np.random.default_rng(k).integers(0, 5, (20, 31)).astype(np.uint8)
    vocabulary = Vocabulary(k, stride)
    assert (
        kmer_tokens(torch.from_numpy(codes.astype(np.int64)), vocabulary).tolist() == vocabulary.encode(codes).tolist()
    )


@pytest.mark.parametrize("name", ["tiny_cnn", "tiny_lstm"])
def test_exported_scores_are_those_of_prediction_for_any_batch_size(make_bundle, tmp_path, name):
    bundle = make_bundle(name)
    save_exported(tmp_path / "model.pt2", export_classifier(bundle))
    program = torch.export.load(tmp_path / "model.pt2").module()
    ensemble = Ensemble([bundle], torch.device("cpu"))
    for n in (1, 2, 65):
        codes = np.random.default_rng(n).integers(0, 4, (n, WIDTH)).astype(np.uint8)
        expected = ensemble.score([Span(Target("a", "a", 0, WIDTH, row), np.array([0]), True) for row in codes]).mean
        found = program(torch.from_numpy(codes.astype(np.int64))).detach().numpy()
        assert found == pytest.approx(expected, abs=1e-5)
        assert np.ptp(expected) > 1e-3 or n == 1


def test_what_is_no_classifier_is_refused(make_bundle):
    with pytest.raises(InputError, match="its kind is language_model; give the bundle of a classifier"):
        export_classifier(make_bundle("language_model"))
    with pytest.raises(InputError, match="holds no model: too few peaks"):
        export_classifier(skipped_bundle("classifier", "too few peaks", {}, {}))
