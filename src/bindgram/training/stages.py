"""The stages as functions from inputs to a bundle: pretrain → adapt → fine-tune.

An experiment that cannot be modelled (its tables say ``skipped``) yields a skipped bundle, never an error.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from bindgram.data.corpus import Corpus, stream_of_sequences
from bindgram.data.examples import ExampleTable
from bindgram.data.markov import count_contexts
from bindgram.errors import InputError
from bindgram.models.bundle import Bundle, skipped_bundle
from bindgram.models.classifier import Classifier, build_classifier, transfer_encoder
from bindgram.provenance import make_provenance
from bindgram.sequence.dna import codes_of
from bindgram.sequence.kmers import Vocabulary
from bindgram.settings.encoders import EncoderSettings, wrong_dropout
from bindgram.settings.models import LanguageModelFile, LmStage, ModelFile, SameAs, VocabularySettings
from bindgram.training.checkpoints import Checkpoints
from bindgram.training.finetune import train_classifier
from bindgram.training.loaders import Lanes
from bindgram.training.logs import RunLog
from bindgram.training.pretrain import train_language_model
from bindgram.training.scoring import labelled_sequences

READ_ALIKE = ("vocabulary", "direction", "encoder")  # of language models, where one goes on from another


def pretrain(
    settings: LanguageModelFile,
    corpus: Corpus,
    *,
    device: torch.device,
    seed: int,
    revision: int,
    checkpoints: Checkpoints,
    log: RunLog | None = None,
) -> Bundle:
    """Train a language model from random weights on the train regions of a corpus.

    Raises
    ------
    InputError : the corpus was tokenized with another vocabulary, or is too short for one step.
    """
    check_corpus(settings, corpus)
    used = settings.model_dump(include={*READ_ALIKE, "objective", "pretrain"})
    provenance = make_provenance("pretrain", revision, used, {"corpus": corpus.provenance}, seed, ["torch"])
    streams = {split: corpus.tokens(split) for split in ("train", "valid")}
    return _language_model(settings, "pretrain", streams, used, provenance, device, checkpoints, log)


def check_corpus(settings: LanguageModelFile, corpus: Corpus) -> None:
    """Refuse a corpus on which a language model cannot be pretrained.

    Raises
    ------
    InputError : it was tokenized with another vocabulary, or is too short for one step.
    """
    stage = settings.pretrain
    vocabulary = _vocabulary(settings.vocabulary)
    if corpus.vocabulary != vocabulary:
        found, wanted = (f"k {one.k}, stride {one.stride}" for one in (corpus.vocabulary, vocabulary))
        raise InputError(
            f"{corpus.path}: corpus of {found}; the language model reads {wanted}. Give a corpus made with these: "
            f"bindgram tokenize --k {vocabulary.k} --stride {vocabulary.stride}"
        )
    if short := _too_short(stage, "pretrain", corpus.tokens("train"), vocabulary):
        raise InputError(f"{corpus.path}: {short}")


def adapt(
    settings: LanguageModelFile,
    base: Bundle,
    positives: Sequence[ExampleTable],
    *,
    device: torch.device,
    seed: int,
    revision: int,
    checkpoints: Checkpoints,
    log: RunLog | None = None,
) -> Bundle:
    """Continue a language model on the positives of one experiment, or of several pooled.

    Only training positives are learnt from; validation positives choose the best weights, those of the base among
    them. The bundle is skipped where the positives are too few for one step. Experiments held out of training add
    nothing.

    Raises
    ------
    InputError : the base is no language model or has another vocabulary or encoder, or the file has no adapt stage.
    """
    _check_kind(base, "language_model", "base bundle")
    if settings.adapt is None:
        raise InputError("the language-model file has no adapt stage; add one")
    used = settings.model_dump(include={*READ_ALIKE, "objective", "adapt"})
    for section in READ_ALIKE:
        if base.settings.get(section) != used[section]:
            raise InputError(f"base bundle: {section} is {base.settings.get(section)}, the file says {used[section]}")
    inputs = {f"positives{number}": table.provenance for number, table in enumerate(positives)}
    provenance = make_provenance("adapt", revision, used, {"base": base.provenance, **inputs}, seed, ["torch"])
    usable = [table for table in positives if not table.skipped and not table.held_out]
    if base.skipped or not usable:
        reason = base.reason if base.skipped else positives[0].reason or positives[0].held_out["reason"]
        return skipped_bundle("language_model", reason, used, provenance)
    vocabulary = _vocabulary(settings.vocabulary)
    streams = {
        split: stream_of_sequences(
            codes_of([text for table in usable for text in table.of_split(split)["sequence"]]), vocabulary
        )
        for split in ("train", "valid")
    }
    if short := _too_short(settings.adapt, "adapt", streams["train"], vocabulary):
        return skipped_bundle("language_model", f"positives of the training split: {short}", used, provenance)
    return _language_model(settings, "adapt", streams, used, provenance, device, checkpoints, log, start=base.state)


def _language_model(
    settings: LanguageModelFile,
    stage: str,
    streams: Mapping[str, np.ndarray],
    used: Mapping[str, Any],
    provenance: Mapping[str, Any],
    device: torch.device,
    checkpoints: Checkpoints,
    log: RunLog | None,
    start: Mapping[str, torch.Tensor] | None = None,
) -> Bundle:
    """Train one stage of a language model, or take its result from the checkpoint of an interrupted command."""
    checkpoint = checkpoints.of(provenance, device)
    if done := checkpoint.result:
        return done
    trained = train_language_model(
        settings,
        stage,
        streams["train"],
        streams["valid"],
        device=device,
        seed=provenance["seed"],
        checkpoint=checkpoint,
        start=start,
        log=log,
    )
    vocabulary = _vocabulary(settings.vocabulary)
    metrics = trained.metrics | {"markov1": _order_1(streams["train"], vocabulary)}
    return checkpoint.finish(
        Bundle("language_model", used, vocabulary.to_json(), trained.state, trained.log, provenance, metrics)
    )


def _order_1(tokens: np.ndarray, vocabulary: Vocabulary) -> list[list[float]]:
    """Log-probabilities of the next base on either strand, with which the likelihood of sequences is compared."""
    counts = 1 + count_contexts(tokens, vocabulary, 1, reverse_complement=True)[1]
    return np.log(counts / counts.sum(axis=1, keepdims=True)).round(6).tolist()


def finetune(
    model: ModelFile,
    language_model: LanguageModelFile | None,
    pretrained: Bundle | None,
    labelled: ExampleTable,
    *,
    device: torch.device,
    seed: int,
    revision: int,
    checkpoints: Checkpoints,
    backward: LanguageModelFile | None = None,
    backward_pretrained: Bundle | None = None,
    log: RunLog | None = None,
    where: str = "model file",
) -> Bundle:
    """Train a classifier on labelled examples, from a language model's weights where the model file says so.

    Parameters
    ----------
    backward, backward_pretrained : a second language model, which reads backwards, and its weights.
    where : what messages call the model file.

    Raises
    ------
    InputError : the model file and the bundles do not fit together.
    """
    encoder, vocabulary = resolve_encoder(model, language_model, pretrained, where)
    second = resolve_backward(model, backward, backward_pretrained, vocabulary, where)
    used = model.model_dump() | {
        "encoder": encoder.model_dump(),
        "backward": second.model_dump() if second else None,
        "vocabulary": vocabulary.model_dump() if vocabulary else None,
        "width": len(labelled.frame["sequence"].iloc[0]) if len(labelled.frame) else None,
    }
    given = {"pretrained": pretrained, "backward": backward_pretrained}
    bundles = {name: bundle for name, bundle in given.items() if bundle is not None}
    inputs = {name: bundle.provenance for name, bundle in bundles.items()}
    inputs["labelled"] = labelled.provenance
    provenance = make_provenance("finetune", revision, used, inputs, seed, ["torch"])
    if skip := why_skipped(labelled, bundles.values()):
        return skipped_bundle("classifier", skip, used, provenance)
    checkpoint = checkpoints.of(provenance, device)
    if done := checkpoint.result:
        return done
    words = _vocabulary(vocabulary) if vocabulary else None
    train, valid = (labelled_sequences(labelled.of_split(split), words) for split in ("train", "valid"))
    classifier, transfer = start_classifier(model, encoder, vocabulary, second, bundles.values(), seed, where)
    trained = train_classifier(
        classifier, model.finetune, train, valid, device=device, seed=seed, checkpoint=checkpoint, log=log
    )
    metrics = trained.metrics | {"transfer": transfer, "n_train": len(train), "n_valid": len(valid)}
    return checkpoint.finish(
        Bundle("classifier", used, words.to_json() if words else None, trained.state, trained.log, provenance, metrics)
    )


def why_skipped(labelled: ExampleTable, bundles: Iterable[Bundle]) -> str:
    """Why an experiment cannot be modelled; "" where it can."""
    skips = [source.reason for source in (labelled, *bundles) if source.skipped]
    return skips[0] if skips else _one_class(labelled)


def start_classifier(
    model: ModelFile,
    encoder: EncoderSettings,
    vocabulary: VocabularySettings | None,
    second: EncoderSettings | None,
    bundles: Iterable[Bundle],
    seed: int,
    where: str,
) -> tuple[Classifier, dict[str, Any] | None]:
    """A classifier as fine-tuning begins with it, and what was transferred from language models."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = build_classifier(model, encoder, vocabulary, second)
    _check_unfrozen(model, len(classifier.parameter_groups()), where)
    states = [bundle.state for bundle in bundles]
    return classifier, transfer_encoder(classifier, *states) if states else None


def resolve_encoder(
    model: ModelFile, language_model: LanguageModelFile | None, pretrained: Bundle | None, where: str
) -> tuple[EncoderSettings, VocabularySettings | None]:
    """The encoder and vocabulary that a model file means: its own, its language model's, or its bundle's.

    Raises
    ------
    InputError : a language model or a bundle is missing, superfluous or of another architecture.
    """
    if (pretrained is None) != (model.pretrained == "none"):
        raise InputError(f"{where}: pretrained is {model.pretrained!r}; give --pretrained exactly when it is a model")
    if language_model is not None and not isinstance(model.encoder, SameAs):
        raise InputError(f"{where}: its encoder is its own, {model.encoder.name!r}; leave out --language-model")
    if isinstance(model.encoder, SameAs):
        if language_model is None:
            raise InputError(f"{where}: encoder is that of {model.encoder.same_as!r}; give --language-model")
        _check_direction(language_model, "forward", model.encoder.same_as)
        encoder, vocabulary = language_model.encoder, language_model.vocabulary
    else:
        encoder, vocabulary = model.encoder, model.vocabulary
    if wrong := wrong_dropout(encoder, model.finetune.dropout):
        raise InputError(f"{where}: finetune.{wrong}")
    if pretrained is not None:
        _check_reads_alike(pretrained, "pretrained bundle", vocabulary, "forward", encoder, where)
    return encoder, vocabulary


def resolve_backward(
    model: ModelFile,
    language_model: LanguageModelFile | None,
    pretrained: Bundle | None,
    vocabulary: VocabularySettings | None,
    where: str,
) -> EncoderSettings | None:
    """The encoder of the second language model, which reads backwards; None where the model file names none.

    Raises
    ------
    InputError : it is missing, superfluous, reads forwards, or reads other k-mers than the first.
    """
    if (language_model is None) != (model.backward is None):
        raise InputError(
            f"{where}: backward is {model.backward or 'null'}; give --backward-language-model exactly when it names one"
        )
    if (pretrained is None) != (language_model is None or model.pretrained == "none"):
        raise InputError(
            f"{where}: backward is {model.backward or 'null'} and pretrained {model.pretrained!r}; give "
            "--backward-pretrained exactly when both are language models"
        )
    if language_model is None:
        return None
    _check_direction(language_model, "backward", model.backward)
    if language_model.vocabulary != vocabulary:
        raise InputError(f"{where}: backward: {model.backward} reads other k-mers than the forward language model")
    if pretrained is not None:
        _check_reads_alike(
            pretrained, "backward pretrained bundle", vocabulary, "backward", language_model.encoder, where
        )
    return language_model.encoder


def _check_direction(language_model: LanguageModelFile, direction: str, name: str | None) -> None:
    if language_model.direction != direction:
        raise InputError(
            f"language model {name}: direction is {language_model.direction}, here a {direction} one is needed"
        )


def _check_reads_alike(
    bundle: Bundle,
    what: str,
    vocabulary: VocabularySettings | None,
    direction: str,
    encoder: EncoderSettings,
    where: str,
) -> None:
    """Refuse a bundle whose language model is not the one that a model file means."""
    _check_kind(bundle, "language_model", what)
    expected = (vocabulary.model_dump() if vocabulary else None, direction, encoder.model_dump())
    for section, ours in zip(READ_ALIKE, expected, strict=True):
        if bundle.settings.get(section) != ours:
            raise InputError(f"{what}: {section} is {bundle.settings.get(section)}, {where} means {ours}")


def _check_unfrozen(model: ModelFile, n_groups: int, where: str) -> None:
    for number, stage in enumerate(model.finetune.stages):
        if stage.unfrozen is not None and stage.unfrozen > n_groups:
            raise InputError(
                f"{where}: finetune.stages.{number}.unfrozen: must be {n_groups} or less, the parameter groups of the "
                f"model (got {stage.unfrozen}); null = all"
            )


def _vocabulary(settings: VocabularySettings) -> Vocabulary:
    return Vocabulary(settings.k, settings.stride)


def _too_short(stage: LmStage, name: str, tokens: np.ndarray, vocabulary: Vocabulary) -> str:
    """Why a token stream does not give one training step; "" where it does."""
    lanes = Lanes(tokens, vocabulary, stage.batch_size, stage.bptt, stage.reverse_complement)
    if lanes.n_steps:
        return ""
    n_stretches = stage.batch_size // 2 if stage.reverse_complement else stage.batch_size
    needed = n_stretches * (stage.bptt + 1) * vocabulary.stride
    return (
        f"{len(tokens)} tokens, one step needs {needed}; lower {name}.batch_size or {name}.bptt in the language-model "
        "file"
    )


def _one_class(labelled: ExampleTable) -> str:
    """Which split has one class only; "" where none has."""
    lacking = [split for split in ("train", "valid") if labelled.of_split(split)["label"].nunique() < 2]
    return f"one class only in split {' and '.join(lacking)} of the labelled examples" if lacking else ""


def _check_kind(bundle: Bundle, kind: str, what: str) -> None:
    if bundle.kind != kind:
        raise InputError(f"{what}: its kind is {bundle.kind}, here a {kind} is needed; give another bundle")
