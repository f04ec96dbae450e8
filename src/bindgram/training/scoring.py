"""Scores of a classifier on both strands: the part of training that prediction needs, without the training loop."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from bindgram.errors import InputError
from bindgram.models.bundle import AGAIN, Bundle, check_tensors
from bindgram.models.classifier import build_classifier
from bindgram.models.language_model import LanguageModel, build_language_model
from bindgram.sequence.dna import codes_of
from bindgram.sequence.kmers import Vocabulary
from bindgram.settings.base import parse
from bindgram.settings.models import LanguageModelFile, ModelFile, SameAs
from bindgram.training.loaders import LabelledSequences
from bindgram.training.memory import is_out_of_memory
from bindgram.training.progress import announce

EVAL_BATCH = {"cpu": 128, "cuda": 512}  # a CPU is no faster with more, and needs more memory


@torch.no_grad()
def score_strands(
    model: torch.nn.Module, data: LabelledSequences, device: torch.device, between: Callable[[], None] = lambda: None
) -> np.ndarray:
    """Logits of every sequence on the forward and on the reverse strand: (2, examples) float64.

    A model that treats both strands alike reads one of them. `between` is called before every batch; what it raises
    ends the scoring. Where memory does not suffice for a batch, smaller ones are read.
    """
    model.eval()
    scores, size = np.empty((2, len(data))), EVAL_BATCH[device.type]
    n_read = 1 if getattr(model, "strand_symmetric", False) else 2
    for strand in range(n_read):
        start = 0
        while start < len(data):
            between()
            rows = np.arange(start, min(start + size, len(data)))
            try:
                batch = data.batch(rows, np.full(len(rows), strand == 1), device)
                scores[strand, rows] = model(batch).float().cpu().numpy()
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) or size == 1:
                    raise
                size //= 2
                announce(f"memory does not suffice to score {2 * size} sequences at a time: {size} from now on")
                continue
            start += size
    scores[n_read:] = scores[0]
    return scores


def area_under_roc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Share of the pairs of a positive (label 1) and a negative that the scores order rightly; a tie counts half.

    Equal orders give equal numbers to the last bit, so that epochs can be compared by it. (`bindgram.evaluation` has
    the same with weights; scikit-learn's takes most of a second to import.)
    """
    _, place = np.unique(scores, return_inverse=True)
    positives, negatives = (np.bincount(place, weights=labels == label) for label in (1, 0))
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / (positives.sum() * negatives.sum()))


def classifier_of(bundle: Bundle) -> tuple[torch.nn.Module, Vocabulary | None]:
    """Rebuild the network of a classifier bundle with its weights.

    Raises
    ------
    InputError : its settings are not those of this version, or its weights do not fit them.
    """
    settings: Mapping[str, Any] = {name: value for name, value in bundle.settings.items() if name != "width"}
    where = f"{bundle.where}: config.json: settings"
    shape = settings | {"pretrained": "none", "adapt": "none", "backward": None}
    model = parse(ModelFile, shape, where)
    second = settings.get("backward")
    backward = parse(ModelFile, shape | {"encoder": second}, f"{where}.backward").encoder if second else None
    assert not isinstance(model.encoder, SameAs)
    vocabulary = Vocabulary(model.vocabulary.k, model.vocabulary.stride) if model.vocabulary else None
    _check_vocabulary(bundle, vocabulary)
    classifier = build_classifier(model, model.encoder, model.vocabulary, backward)
    check_tensors(classifier.state_dict(), bundle.state, bundle.where)
    classifier.load_state_dict(dict(bundle.state), strict=True)
    return classifier, vocabulary


def _check_vocabulary(bundle: Bundle, vocabulary: Vocabulary | None) -> None:
    if bundle.vocabulary != (vocabulary.to_json() if vocabulary else None):
        raise InputError(
            f"{bundle.where}: vocabulary.json is not that of the settings in config.json: files of different bundles; "
            f"{AGAIN}"
        )


def language_model_of(bundle: Bundle) -> tuple[LanguageModelFile, LanguageModel, Vocabulary]:
    """Rebuild a language model with its weights, and the settings that it was trained with.

    Raises
    ------
    InputError : it is no language model, its settings are not those of this version, or its weights do not fit them.
    """
    if bundle.kind != "language_model":
        raise InputError(
            f"{bundle.where}: its kind is {bundle.kind}, here a language_model is needed; give another bundle"
        )
    shape = {
        **bundle.settings,
        "pretrain": bundle.settings.get("pretrain", bundle.settings.get("adapt")),
        "adapt": None,
    }
    settings = parse(LanguageModelFile, shape, f"{bundle.where}: config.json: settings")
    vocabulary = Vocabulary(settings.vocabulary.k, settings.vocabulary.stride)
    _check_vocabulary(bundle, vocabulary)
    model = build_language_model(settings, settings.pretrain.dropout)
    check_tensors(model.state_dict(), bundle.state, bundle.where)
    model.load_state_dict(dict(bundle.state), strict=True)
    return settings, model, vocabulary


def labelled_sequences(rows: pd.DataFrame, vocabulary: Vocabulary | None) -> LabelledSequences:
    """Rows of an example table as arrays."""
    return LabelledSequences(codes_of(list(rows["sequence"])), rows["label"].to_numpy("float32"), vocabulary)
