"""Scores of any sequences: windows of the training width over sequences of any number and length, read as a stream."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from bindgram.errors import InputError
from bindgram.evaluation.likelihood import SequenceModel
from bindgram.evaluation.score_table import write_table
from bindgram.evaluation.targets import Target, open_targets
from bindgram.genome.fasta import Genome
from bindgram.models.bundle import AGAIN, Bundle
from bindgram.sequence.dna import AMBIGUOUS
from bindgram.training.loaders import LabelledSequences
from bindgram.training.progress import EVERY_SECONDS, announce
from bindgram.training.scoring import classifier_of, score_strands

CLASSIFIER_COLUMNS = (
    *("name", "sequence", "start", "end", "n_windows", "n_scored"),
    *("score", "score_forward", "score_reverse", "spread", "bound", "reason"),
)
LANGUAGE_MODEL_COLUMNS = ("name", "sequence", "start", "end", "log_likelihood", "markov", "score", "spread", "reason")
CHUNK = 8192  # windows scored together
CHUNK_BP = 2_000_000  # bases of sequences whose likelihood is computed together
AMBIGUOUS_WINDOW = "a base other than A, C, G, T"
Row = dict[str, Any]


# Windows


def window_starts(length: int, width: int, stride: int) -> np.ndarray:
    """Starts of windows every `stride` bp, and of one that ends with the sequence, so that every base is in one."""
    if length < width:
        return np.empty(0, np.int64)
    starts = np.arange(0, length - width + 1, stride)
    return starts if starts[-1] == length - width else np.append(starts, length - width)


class Span(NamedTuple):
    """Windows of one target that are scored together."""

    target: Target
    starts: np.ndarray
    last: bool  # whether these are its last windows


def chunks(targets: Iterable[Target], width: int, stride: int) -> Iterator[list[Span]]:
    """Windows of targets in turn, in lists of `CHUNK` windows: of many short ones, or of a part of a long one."""
    waiting: list[Span] = []
    room = CHUNK
    for target in targets:
        starts = window_starts(len(target.codes), width, stride)
        pieces = [starts[:room], *(starts[at : at + CHUNK] for at in range(room, len(starts), CHUNK))]
        for number, piece in enumerate(pieces):
            waiting.append(Span(target, piece, number == len(pieces) - 1))
            room -= len(piece)
            if room <= 0:
                yield waiting
                waiting, room = [], CHUNK
        if len(waiting) >= CHUNK:  # of targets without a window
            yield waiting
            waiting, room = [], CHUNK
    if waiting:
        yield waiting


@dataclass(frozen=True)
class WindowScores:
    """Scores of N windows; NaN where a window has an ambiguous base."""

    forward: np.ndarray  # (N,) means over the models
    reverse: np.ndarray
    spread: np.ndarray  # standard deviation over the models of the means of both strands; NaN for one model

    @property
    def mean(self) -> np.ndarray:
        """(N,) means of both strands."""
        return (self.forward + self.reverse) / 2


class Ensemble:
    """One or several classifiers of one width, whose scores are averaged.

    Raises
    ------
    InputError : a bundle that is skipped, of another kind or another width, or does not fit its settings.
    """

    def __init__(self, bundles: Sequence[Bundle], device: torch.device) -> None:
        check_bundles(bundles, "classifier")
        self.device = device
        self.n_windows = 0  # seen so far
        widths = {bundle.settings.get("width") for bundle in bundles}
        self.width = bundles[0].settings.get("width")
        for bundle in bundles:
            if type(width := bundle.settings.get("width")) is not int or width < 1:
                raise InputError(f"{bundle.where}: config.json: settings.width: {width!r} is no number of bp; {AGAIN}")
        if len(widths) > 1:
            found = ", ".join(f"{bundle.where} {bundle.settings.get('width')}" for bundle in bundles)
            raise InputError(f"--model: windows of one width are averaged (bp: {found}); give models of one width")
        self.models = [classifier_of(bundle) for bundle in bundles]
        for model, _ in self.models:
            model.to(device)
        thresholds = [bundle.metrics.get("threshold") for bundle in bundles]
        known = [float(value["score"]) for value in thresholds if value]
        self.threshold = float(np.mean(known)) if len(known) == len(bundles) else None

    def score(self, spans: Sequence[Span]) -> WindowScores:
        """Score the windows of all spans, one behind the other."""
        offsets = np.arange(self.width)
        windows = [span.target.codes[span.starts[:, None] + offsets] for span in spans]
        codes = np.concatenate([np.empty((0, self.width), np.uint8), *windows])
        self.n_windows += len(codes)
        clean = (codes < AMBIGUOUS).all(axis=1)
        found = np.full((len(self.models), 2, len(codes)), np.nan)
        if clean.any():
            for number, (model, vocabulary) in enumerate(self.models):
                data = LabelledSequences(codes[clean], np.zeros(clean.sum(), np.float32), vocabulary)
                found[number][:, clean] = score_strands(model, data, self.device)
        several = len(self.models) > 1
        spread = found.mean(axis=1).std(axis=0, ddof=1) if several else np.full(len(codes), np.nan)
        return WindowScores(*found.mean(axis=0), spread)


def check_bundles(bundles: Sequence[Bundle], kind: str) -> None:
    """Refuse bundles without a model or of another kind than the first.

    Raises
    ------
    InputError : names the bundle.
    """
    for bundle in bundles:
        if bundle.skipped:
            raise InputError(f"{bundle.where}: holds no model: {bundle.reason}; give another bundle")
        if bundle.kind != kind:
            raise InputError(
                f"{bundle.where}: its kind is {bundle.kind}, the first model's {kind}; give models of one kind"
            )


@dataclass
class _Best:
    """The best window of a target so far, and how many there were."""

    n_windows: int = 0
    n_scored: int = 0
    score: float = -np.inf
    row: Row = field(default_factory=dict)


def classifier_rows(
    ensemble: Ensemble, targets: Iterable[Target], stride: int, *, every_window: bool
) -> Iterator[list[Row]]:
    """Rows of `CLASSIFIER_COLUMNS` in the order of the targets, list by list.

    Parameters
    ----------
    every_window : one row per window; else one per target, for the window with the highest score.
    """
    best = _Best()
    for spans in chunks(targets, ensemble.width, stride):
        scores = ensemble.score(spans)
        rows: list[Row] = []
        first = 0
        for span in spans:
            own = slice(first, first + len(span.starts))
            first = own.stop
            if every_window and len(span.starts):
                rows += [_window_row(ensemble, span, scores, own.start, number) for number in range(len(span.starts))]
                continue
            mean = scores.mean[own]
            best.n_windows += len(mean)
            best.n_scored += int(np.isfinite(mean).sum())
            if np.isfinite(mean).any() and np.nanmax(mean) > best.score:
                number = int(np.nanargmax(mean))
                best.score = float(mean[number])
                best.row = _window_row(ensemble, span, scores, own.start, number)
            if span.last:
                rows.append(_target_row(ensemble, span.target, best))
                best = _Best()
        yield rows


def _window_row(ensemble: Ensemble, span: Span, scores: WindowScores, offset: int, number: int) -> Row:
    at, start = offset + number, span.target.start + int(span.starts[number])
    scored = bool(np.isfinite(scores.mean[at]))
    row: Row = {
        "name": span.target.name,
        "sequence": span.target.sequence,
        "start": start,
        "end": start + ensemble.width,
        "n_windows": 1,
        "n_scored": int(scored),
        "reason": "" if scored else AMBIGUOUS_WINDOW,
    }
    if not scored:
        return row
    row |= {
        "score": float(scores.mean[at]),
        "score_forward": float(scores.forward[at]),
        "score_reverse": float(scores.reverse[at]),
    }
    if np.isfinite(scores.spread[at]):
        row["spread"] = float(scores.spread[at])
    if ensemble.threshold is not None:
        row["bound"] = int(row["score"] >= ensemble.threshold)
    return row


def _target_row(ensemble: Ensemble, target: Target, best: _Best) -> Row:
    counts = {"n_windows": best.n_windows, "n_scored": best.n_scored}
    if best.row:
        return best.row | counts
    reason = target.reason or (
        f"{AMBIGUOUS_WINDOW} in every window"
        if best.n_windows
        else f"{len(target.codes)} bp, shorter than a window of {ensemble.width} bp"
    )
    place = {"name": target.name, "sequence": target.sequence, "start": target.start, "end": target.end}
    return place | counts | {"reason": reason}


def language_model_rows(models: Sequence[SequenceModel], targets: Iterable[Target]) -> Iterator[list[Row]]:
    """Rows of `LANGUAGE_MODEL_COLUMNS`: log-likelihoods in nats per base of whole targets, means of both strands."""
    waiting: list[Target] = []
    n_bp = 0
    for target in targets:
        waiting.append(target)
        n_bp += len(target.codes)
        if n_bp >= CHUNK_BP or len(waiting) >= CHUNK:
            yield _likelihood_rows(models, waiting)
            waiting, n_bp = [], 0
    if waiting:
        yield _likelihood_rows(models, waiting)


def _likelihood_rows(models: Sequence[SequenceModel], targets: Sequence[Target]) -> list[Row]:
    found = [model.score([target.codes for target in targets]) for model in models]
    likelihood = np.stack([one.model.mean(axis=0) for one in found])
    markov = np.stack([one.markov.mean(axis=0) for one in found])
    rows = []
    for number, target in enumerate(targets):
        row: Row = {"name": target.name, "sequence": target.sequence, "start": target.start, "end": target.end}
        above = likelihood[:, number] - markov[:, number]
        if np.isfinite(above).all():
            row |= {
                "log_likelihood": float(likelihood[:, number].mean()),
                "markov": float(markov[:, number].mean()),
                "score": float(above.mean()),
                "reason": "",
            }
            if len(models) > 1:
                row["spread"] = float(above.std(ddof=1))
        else:
            row["reason"] = target.reason or "no k-mer of A, C, G, T that follows another"
        rows.append(row)
    return rows


# From files to a table


def predict_new(
    bundles: Sequence[Bundle],
    device: torch.device,
    output: Path,
    *,
    fasta: Path | None,
    bed: Path | None,
    genome: Path | None,
    stride: int | None,
    every_window: bool,
) -> None:
    """Score a FASTA, or regions of a genome, and write the table; nothing is left where something is wrong.

    Raises
    ------
    InputError : bundles that do not go together, a file that is not what it should be, an option without a meaning.
    """
    kind = bundles[0].kind
    check_bundles(bundles, kind)
    if kind == "language_model" and (stride is not None or every_window):
        raise InputError("--stride, --windows: a language model scores each sequence as a whole; leave them out")
    models = Ensemble(bundles, device) if kind == "classifier" else [SequenceModel(one, device) for one in bundles]
    with Genome.open(genome) if genome is not None else nullcontext() as opened:
        if isinstance(models, Ensemble):
            width = models.width
            targets = open_targets(fasta, bed, opened, width, tiled=stride is not None)
            step = stride or max(1, width // 2)
            columns, parts = CLASSIFIER_COLUMNS, classifier_rows(models, targets, step, every_window=every_window)
        else:
            columns = LANGUAGE_MODEL_COLUMNS
            parts = language_model_rows(models, open_targets(fasta, bed, opened, None, tiled=True))
        tally = Tally(models if isinstance(models, Ensemble) else None)
        metadata = {
            "package": "bindgram",
            "version": version("bindgram"),
            "models": [bundle.provenance.get("digest") for bundle in bundles],
            "stride": stride,
        }
        write_table(output, columns, tally.counted(parts), metadata)
    announce(f"predict: {tally.describe()}")


class Tally:
    """Rows and why some of them have no score, announced as they come."""

    def __init__(self, ensemble: Ensemble | None) -> None:
        self.ensemble = ensemble  # whose windows tell how fast it goes, also within one long sequence
        self.n_rows = 0
        self.reasons: dict[str, int] = {}
        self._started = self._announced = time.monotonic()

    def counted(self, parts: Iterable[list[Row]]) -> Iterator[list[Row]]:
        """Pass lists of rows on."""
        for rows in parts:
            self.n_rows += len(rows)
            for row in rows:
                if row["reason"]:
                    self.reasons[row["reason"]] = self.reasons.get(row["reason"], 0) + 1
            if time.monotonic() - self._announced > EVERY_SECONDS:
                self._announced = time.monotonic()
                announce(f"predict: {self.describe()}")
            yield rows

    def describe(self) -> str:
        """Rows so far, how fast, and the commonest reasons."""
        done, what = (self.ensemble.n_windows, "windows") if self.ensemble else (self.n_rows, "rows")
        rate = done / max(time.monotonic() - self._started, 1e-9)
        windows = f"{done:,} windows, " if self.ensemble else ""
        common = sorted(self.reasons.items(), key=lambda item: -item[1])[:3]
        reasons = "; ".join(f"{count:,} x {reason}" for reason, count in common)
        n_missing = sum(self.reasons.values())
        missing = f", {n_missing:,} without a score ({reasons}{'; ...' if len(self.reasons) > 3 else ''})"
        return f"{self.n_rows:,} rows, {windows}{rate:,.0f} {what} per second{missing if n_missing else ''}"
