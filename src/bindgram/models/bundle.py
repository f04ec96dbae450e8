"""Bundles: a folder with everything needed to use a model elsewhere. The only module of models that touches disk.

``model.safetensors`` (weights, no pickle), ``config.json`` (resolved settings, status, provenance),
``vocabulary.json``, ``train_log.tsv`` and ``README.md`` (the model card). Each file is written whole or not at all and
``config.json`` last, so that a folder with a ``config.json`` is complete.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors.torch import load_file, save_file
from torch import Tensor

from bindgram.errors import InputError
from bindgram.provenance import atomic_path, sha256_file, write_json, write_text

BUNDLE_FILES = ("model.safetensors", "config.json", "vocabulary.json", "train_log.tsv", "README.md")
CONFIG_KEYS = ("kind", "status", "reason", "settings", "metrics", "provenance")


@dataclass(frozen=True)
class Bundle:
    """A model as stored.

    Attributes
    ----------
    kind : ``language_model`` or ``classifier``.
    settings : resolved settings, enough to build the network.
    vocabulary : JSON of the vocabulary, or None where the encoder reads bases.
    state : tensor name to values, on the CPU.
    log : training log, one row per validation.
    metrics : what training found, such as the best validation score.
    """

    kind: str
    settings: Mapping[str, Any]
    vocabulary: Mapping[str, Any] | None
    state: Mapping[str, Tensor]
    log: pd.DataFrame
    provenance: Mapping[str, Any]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    status: str = "ok"
    reason: str = ""

    @property
    def skipped(self) -> bool:
        """Whether no model could be trained for a cause in the data."""
        return self.status == "skipped"


def skipped_bundle(kind: str, reason: str, settings: Mapping[str, Any], provenance: Mapping[str, Any]) -> Bundle:
    """The valid, empty bundle of an experiment that cannot be modelled."""
    return Bundle(kind, settings, None, {}, pd.DataFrame(), provenance, {}, "skipped", reason)


def save_bundle(folder: Path, bundle: Bundle) -> None:
    """Write a bundle; ``config.json`` last."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").unlink(missing_ok=True)
    with atomic_path(folder / "model.safetensors") as part:
        save_file({name: value.detach().cpu().contiguous() for name, value in bundle.state.items()}, part)
    write_json(folder / "vocabulary.json", bundle.vocabulary)
    with atomic_path(folder / "train_log.tsv") as part:
        bundle.log.to_csv(part, sep="\t", index=False, float_format="%.6g", lineterminator="\n")
    write_text(folder / "README.md", model_card(bundle))
    provenance = dict(bundle.provenance) | {"digest": sha256_file(folder / "model.safetensors")}
    config = {
        "kind": bundle.kind,
        "status": bundle.status,
        "reason": bundle.reason,
        "settings": dict(bundle.settings),
        "metrics": dict(bundle.metrics),
        "provenance": provenance,
    }
    write_json(folder / "config.json", config)


def read_bundle_config(folder: Path) -> dict[str, Any]:
    """Read ``config.json`` of a bundle.

    Raises
    ------
    InputError : the folder is not a complete bundle, or its ``config.json`` is not one of ours.
    """
    missing = [name for name in BUNDLE_FILES if not (folder / name).is_file()]
    if missing:
        raise InputError(f"{folder}: not a complete bundle, {', '.join(missing)} missing; train or copy it again")
    config = _read_json(folder / "config.json")
    lacking = [key for key in CONFIG_KEYS if not isinstance(config, dict) or key not in config]
    if lacking:
        raise InputError(f"{folder / 'config.json'}: {', '.join(lacking)} missing; train or copy the bundle again")
    return config


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error}); train or copy the bundle again") from None


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle and check its weights against the digest.

    Raises
    ------
    InputError : the folder is not a complete bundle, or its weights are not those that were saved.
    """
    config = read_bundle_config(folder)
    weights = folder / "model.safetensors"
    if sha256_file(weights) != config["provenance"].get("digest"):
        raise InputError(f"{weights}: differs from the digest in config.json; copy or train the bundle again")
    try:
        log = pd.read_csv(folder / "train_log.tsv", sep="\t")
    except pd.errors.EmptyDataError:
        log = pd.DataFrame()
    return Bundle(
        kind=config["kind"],
        settings=config["settings"],
        vocabulary=_read_json(folder / "vocabulary.json"),
        state=load_file(weights),
        log=log,
        provenance=config["provenance"],
        metrics=config["metrics"],
        status=config["status"],
        reason=config["reason"],
    )


def model_card(bundle: Bundle) -> str:
    """The README of a bundle: what it is, from what, how good, for what."""
    title = "Language model of k-mers" if bundle.kind == "language_model" else "Binding classifier"
    if bundle.skipped:
        return f"# {title}\n\nNot trained: {bundle.reason}.\n"
    use = {
        "language_model": "Starting point for classifiers of the same assembly and split. Not a classifier itself.",
        "classifier": "Scores windows of the training width for binding in the biosample of its experiment. Scores are"
        " logits relative to the training ratio of negatives, not probabilities of occupancy.",
    }[bundle.kind]
    metrics = "\n".join(f"- {name}: {value}" for name, value in sorted(bundle.metrics.items()))
    provenance = json.dumps(dict(bundle.provenance), indent=1, sort_keys=True)
    return (
        f"# {title}\n\n{use}\n\n## Validation\n\n{metrics}\n\nTest scores stand in the run's metrics, not here:"
        f" training never sees them.\n\n## Provenance\n\n```json\n{provenance}\n```\n"
    )
