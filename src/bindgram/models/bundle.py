"""Bundles: a folder with everything needed to use a model elsewhere. The only module of models that touches disk.

``model.safetensors`` (weights, no pickle), ``config.json`` (resolved settings, status, provenance),
``vocabulary.json``, ``train_log.tsv`` and ``README.md`` (the model card). Each file is written whole or not at all and
``config.json`` last, so that a folder with a ``config.json`` is complete. A published bundle has no training log.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from bindgram.errors import InputError
from bindgram.models.card import model_card
from bindgram.provenance import atomic_path, sha256_file, write_json, write_text

FORMAT = 2  # of config.json; raised when a bundle of an older version cannot be read any more
NEEDED_FILES = ("model.safetensors", "config.json", "vocabulary.json")
BUNDLE_FILES = (*NEEDED_FILES, "train_log.tsv", "README.md")
CONFIG_TYPES = {
    "format": int,
    "kind": str,
    "status": str,
    "reason": str,
    "settings": dict,
    "metrics": dict,
    "provenance": dict,
}
CHOICES = {"kind": ("language_model", "classifier"), "status": ("ok", "skipped")}
AGAIN = "copy or train the bundle again"
NAMED = 3  # tensors that a message names


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
    where : what messages call the bundle: its folder once it was read.
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
    where: str = "bundle"

    @property
    def skipped(self) -> bool:
        """Whether no model could be trained for a cause in the data."""
        return self.status == "skipped"


def skipped_bundle(kind: str, reason: str, settings: Mapping[str, Any], provenance: Mapping[str, Any]) -> Bundle:
    """The valid, empty bundle of an experiment that cannot be modelled."""
    return Bundle(kind, settings, None, {}, pd.DataFrame(), provenance, {}, "skipped", reason)


def save_bundle(folder: Path, bundle: Bundle) -> None:
    """Write a bundle with the card of a model that is just trained; ``config.json`` last."""
    (folder / "config.json").unlink(missing_ok=True)
    with atomic_path(folder / "train_log.tsv") as part:
        bundle.log.to_csv(part, sep="\t", index=False, float_format="%.6g", lineterminator="\n")
    write_text(folder / "README.md", model_card(bundle.kind, bundle.reason, bundle.metrics, bundle.provenance))
    write_model(folder, bundle)


def write_model(folder: Path, bundle: Bundle) -> None:
    """Write the files of a bundle that make up the model; ``config.json`` last."""
    (folder / "config.json").unlink(missing_ok=True)
    with atomic_path(folder / "model.safetensors") as part:
        save_file({name: value.detach().cpu().contiguous() for name, value in bundle.state.items()}, part)
    write_json(folder / "vocabulary.json", bundle.vocabulary)
    provenance = dict(bundle.provenance) | {"digest": sha256_file(folder / "model.safetensors")}
    config = {
        "format": FORMAT,
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
    InputError : the folder is not a complete bundle, or its ``config.json`` is not one of this version.
    """
    missing = [name for name in NEEDED_FILES if not (folder / name).is_file()]
    if missing:
        raise InputError(f"{folder}: not a complete bundle, {', '.join(missing)} missing; {AGAIN}")
    path = folder / "config.json"
    config = _read_json(path)
    if not isinstance(config, dict) or not {"kind", "settings", "provenance"} <= set(config):
        raise InputError(f"{path}: not the config.json of a bindgram bundle; {AGAIN}")
    if (found := config.get("format", 1)) != FORMAT:
        raise InputError(
            f"{path}: bundle format {_short(found)}, this version of bindgram reads format {FORMAT}; train it again, "
            "or use the version that wrote it"
        )
    for key, kind in CONFIG_TYPES.items():
        if not isinstance(config.get(key), kind):
            raise InputError(
                f"{path}: {key}: missing or not a {kind.__name__} (got {_short(config.get(key))}); {AGAIN}"
            )
        if key in CHOICES and config[key] not in CHOICES[key]:
            raise InputError(f"{path}: {key}: {_short(config[key])} is not one of {', '.join(CHOICES[key])}; {AGAIN}")
    return config


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({_short(str(error))}); {AGAIN}") from None


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle and check its weights against the digest.

    Raises
    ------
    InputError : the folder is not a complete bundle of this version, or its weights are not those that were saved.
    """
    config = read_bundle_config(folder)
    vocabulary = _read_json(folder / "vocabulary.json")
    if vocabulary is not None and not isinstance(vocabulary, dict):
        raise InputError(
            f"{folder / 'vocabulary.json'}: neither a vocabulary nor null (got {_short(vocabulary)}); {AGAIN}"
        )
    return Bundle(
        kind=config["kind"],
        settings=config["settings"],
        vocabulary=vocabulary,
        state=_read_weights(folder / "model.safetensors", config["provenance"].get("digest")),
        log=_read_log(folder / "train_log.tsv"),
        provenance=config["provenance"],
        metrics=config["metrics"],
        status=config["status"],
        reason=config["reason"],
        where=str(folder),
    )


def _read_weights(path: Path, digest: str | None) -> dict[str, Tensor]:
    """Weights by name.

    Raises
    ------
    InputError : the file is truncated, damaged, or not the one that was saved, or has values that are no numbers.
    """
    try:
        state = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(
            f"{path}: truncated or damaged, {path.stat().st_size:,} bytes ({_short(str(error))}); {AGAIN}"
        ) from None
    if sha256_file(path) != digest:
        raise InputError(f"{path}: differs from the digest in config.json; {AGAIN}")
    unsound = [name for name, value in state.items() if not torch.isfinite(value).all()]
    if unsound:
        raise InputError(f"{path}: values that are not finite in {_named(unsound)}; {AGAIN}")
    return state


def _read_log(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, sep="\t")
    except (FileNotFoundError, pd.errors.EmptyDataError):
        return pd.DataFrame()
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a table ({_short(str(error))}); {AGAIN}") from None


def check_tensors(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], where: str) -> None:
    """Compare names and shapes of stored weights with those that the settings mean.

    Raises
    ------
    InputError : a tensor is missing, superfluous or of another shape; one line that names the first of each.
    """
    common = sorted(set(expected) & set(found))
    shapes = [
        f"{name} is {tuple(found[name].shape)} and not {tuple(expected[name].shape)}"
        for name in common
        if found[name].shape != expected[name].shape
    ]
    problems = [
        f"{len(names)} tensor(s) {what}: {_named(names)}"
        for what, names in (
            ("missing", sorted(set(expected) - set(found))),
            ("superfluous", sorted(set(found) - set(expected))),
            ("of another shape", shapes),
        )
        if names
    ]
    if problems:
        raise InputError(
            f"{where}: model.safetensors does not fit the settings in config.json: {'; '.join(problems)}; {AGAIN}"
        )


def _named(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + ", ..." * (len(names) > NAMED)
