import copy

import pytest
import torch

from bindgram.errors import InputError
from bindgram.settings import load_language_model
from bindgram.settings.models import LanguageModelFile
from bindgram.training import footprint, pretrain
from bindgram.training.checkpoints import Checkpoints
from bindgram.training.footprint import check_vocabulary_fits, memory_of

CPU = torch.device("cpu")
GB = 10**9


@pytest.fixture
def large(repository):
    """The large language model, at k = 8."""
    settings = load_language_model(repository / "config/lms/awd_lstm.yaml").model_dump()
    return LanguageModelFile(**(settings | {"vocabulary": {"k": 8, "stride": 1}}))


def refusal(settings, monkeypatch, memory, n_parts=1):
    monkeypatch.setattr(footprint, "memory_of", lambda device: memory)
    with pytest.raises(InputError) as caught:
        check_vocabulary_fits(settings, settings.pretrain, "pretrain", n_parts, CPU)
    return str(caught.value)


def test_a_k_that_cannot_fit_says_what_it_takes_and_what_would_fit(large, monkeypatch):
    """65,539 x (16 x 200 + 8 x 800 x 70) bytes = 0.2 + 29.4 GB."""
    text = refusal(large, monkeypatch, 16 * GB)
    assert "vocabulary.k: k 8 makes 65,539 tokens; their embedding with its optimizer takes 0.2 GB" in text
    assert "predicting 800 x 70 of them 29.4 GB, and the job has 16.0 GB" in text
    assert "set pretrain.accumulation to 2 or more, or pretrain.batch_size to 430 or less" in text
    assert "or vocabulary.k to 7 or less" in text


def test_what_is_advised_fits_and_what_fits_is_not_refused(large, monkeypatch):
    refusal(large, monkeypatch, 29 * GB)
    monkeypatch.setattr(footprint, "memory_of", lambda device: 30 * GB)
    check_vocabulary_fits(large, large.pretrain, "pretrain", 1, CPU)
    monkeypatch.setattr(footprint, "memory_of", lambda device: 16 * GB)
    check_vocabulary_fits(large, large.pretrain, "pretrain", 2, CPU)
    smaller = copy.deepcopy(large)
    object.__setattr__(smaller.pretrain, "batch_size", 430)
    check_vocabulary_fits(smaller, smaller.pretrain, "pretrain", 1, CPU)
    seven = large.model_dump() | {"vocabulary": {"k": 7, "stride": 1}}
    check_vocabulary_fits(LanguageModelFile(**seven), large.pretrain, "pretrain", 1, CPU)


def test_where_not_even_one_lane_fits_a_smaller_k_is_left(large, monkeypatch):
    text = refusal(large, monkeypatch, GB // 5)
    assert "accumulation" not in text
    assert "set vocabulary.k to 4 or less" in text


def test_training_is_refused_before_the_model_is_built(large, monkeypatch):
    monkeypatch.setattr(footprint, "memory_of", lambda device: GB)
    monkeypatch.setattr(pretrain, "build_language_model", lambda *_: pytest.fail("built"))
    tokens = torch.zeros(100, dtype=torch.int32).numpy()
    with pytest.raises(InputError, match="k 8 makes"):
        pretrain.train_language_model(
            large, "pretrain", tokens, tokens, device=CPU, seed=1, checkpoint=Checkpoints().of({"seed": 1}, CPU)
        )


@pytest.mark.parametrize(("limit", "expected"), [("max\n", None), ("1000000\n", 1_000_000), (None, None)])
def test_memory_of_a_job_is_its_limit_where_it_has_one(tmp_path, monkeypatch, limit, expected):
    monkeypatch.setattr(footprint, "LIMIT", tmp_path / "memory.max")
    if limit is not None:
        (tmp_path / "memory.max").write_text(limit)
    found = memory_of(CPU)
    assert found == expected if expected else found > GB
