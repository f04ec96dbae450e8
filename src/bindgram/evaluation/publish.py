"""Bundles to give away: a folder as Hugging Face lays it out, with a card that knows the test results and the cost."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bindgram.errors import InputError
from bindgram.models.bundle import NEEDED_FILES, Bundle, write_model
from bindgram.models.card import Published, published_card
from bindgram.provenance import write_text

PUBLISHED_FILES = (*NEEDED_FILES, "README.md")
KEPT = {".git", ".gitattributes", ".gitignore", ".cache"}  # of a clone of a repository


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds anything but a published bundle, which would be published with it.

    Raises
    ------
    InputError : names what is in it.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--output {folder}: a file; give a folder")
    others = sorted({path.name for path in folder.iterdir()} - KEPT - set(PUBLISHED_FILES)) if folder.exists() else []
    if others:
        raise InputError(
            f"--output {folder}: holds {', '.join(others[:3])} already; give a new folder, or that of a model"
        )


def check_scored_by(bundle: Bundle, predictions: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    """Make sure that metrics are those of predictions, and these those of a bundle.

    Raises
    ------
    InputError : they are of another model.
    """
    scored = predictions["inputs"].get("bundle")
    if scored != bundle.provenance.get("digest"):
        raise InputError(f"--results: the predictions are not those of {bundle.where}; give those of this model")
    if metrics["inputs"].get("predictions") != predictions["digest"]:
        raise InputError("--results: the metrics are not those of the predictions; give files of one evaluation")


def threshold_of(metrics: Mapping[str, Any], test_set: str) -> dict[str, Any] | None:
    """Test set and score from which its validation twin says to call; None where the twin gave none.

    Raises
    ------
    InputError : there is no such test set in the metrics.
    """
    if f"{test_set}.n_positives" not in metrics:
        known = sorted(key.removesuffix(".n_positives") for key in metrics if key.endswith(".n_positives"))
        raise InputError(f"--threshold-of {test_set}: not in the metrics; choose from {', '.join(known) or 'none'}")
    score = metrics.get(f"{test_set}.threshold")
    return None if score is None else {"test_set": test_set, "score": score}


def read_cost(path: Path) -> tuple[float, float, float]:
    """Seconds, CPU seconds and peak memory (MB) of a job from the benchmark file that Snakemake wrote.

    Raises
    ------
    InputError : it is no such file.
    """
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle, delimiter="\t"))
        return tuple(float(rows[-1][name]) for name in ("s", "cpu_time", "max_rss"))  # type: ignore[return-value]
    except (KeyError, ValueError, IndexError, TypeError):
        raise InputError(f"{path}: not a benchmark file of Snakemake (columns s, cpu_time, max_rss)") from None


def publish(bundle: Bundle, published: Published, folder: Path) -> None:
    """Write weights, config, vocabulary and card; ``config.json`` last. It is a bundle as well.

    Its metrics get ``test``, the flat metrics of the test sets, and ``threshold`` where there is one.
    """
    metrics = dict(bundle.metrics)
    for name, value in (("test", published.metrics), ("threshold", published.threshold)):
        metrics.pop(name, None)
        if value:
            metrics[name] = dict(value)
    card = published_card(bundle.kind, bundle.reason, bundle.settings, metrics, bundle.provenance, published)
    (folder / "config.json").unlink(missing_ok=True)
    write_text(folder / "README.md", card)
    write_model(
        folder,
        Bundle(
            kind=bundle.kind,
            settings=bundle.settings,
            vocabulary=bundle.vocabulary,
            state=bundle.state,
            log=bundle.log,
            provenance=bundle.provenance,
            metrics=metrics,
            status=bundle.status,
            reason=bundle.reason,
        ),
    )
