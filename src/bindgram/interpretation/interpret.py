"""What one classifier has learnt: attributions of its strongest test positives, motifs in them, and a verdict.

Whatever cannot be computed has a reason in its place; nothing is left out.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from bindgram.data.examples import ExampleTable
from bindgram.data.hdf5 import new_hdf5
from bindgram.data.motifs import Motif
from bindgram.errors import InputError
from bindgram.interpretation.attribution import attribute
from bindgram.interpretation.contributions import Attribution
from bindgram.interpretation.discovery import Discovery, Pattern, discover
from bindgram.interpretation.faithfulness import faithfulness
from bindgram.interpretation.logos import aligned_start
from bindgram.interpretation.matching import Match, Verdict, match_patterns, verdict_of, why_unmatched
from bindgram.interpretation.scorer import OneHotScorer
from bindgram.models.bundle import Bundle
from bindgram.provenance import METADATA_KEY, step_rng
from bindgram.sequence.dna import codes_of
from bindgram.settings.base import parse
from bindgram.settings.interpretation import InterpretationSettings

DIGITS = 4  # significant ones of the numbers in the file; HDF5 has all


@dataclass(frozen=True, eq=False)
class Interpretation:
    """What is written of one classifier; `positives` are the sequences that were explained, strongest first."""

    positives: pd.DataFrame
    verdict: Verdict
    reason: str = ""
    attributions: Mapping[str, Attribution] = field(default_factory=dict)
    discovery: Discovery = field(default_factory=Discovery)
    matches: Sequence[Sequence[Match]] = ()
    faithfulness: Mapping[str, Any] | None = None

    @property
    def status(self) -> str:
        """``skipped`` where no sequence could be explained."""
        return "ok" if len(self.positives) else "skipped"


@dataclass(frozen=True)
class Question:
    """Whose motif is looked for, and where."""

    experiment: str
    tf: str
    library: Sequence[Motif]
    library_name: str


def read_settings(text: str) -> InterpretationSettings:
    """Settings of the section `interpretation` from JSON.

    Raises
    ------
    InputError : no JSON, or names key, value and remedy of every problem.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InputError(f"--settings-json: not valid JSON ({error})") from None
    return parse(InterpretationSettings, {"models": None} | value, "--settings-json")


def skipped_interpretation(reason: str) -> Interpretation:
    """The interpretation of an experiment without a model or without test positives."""
    return Interpretation(pd.DataFrame(), Verdict("not defined", f"not defined: {reason}"), reason)


def strongest_positives(
    predictions: pd.DataFrame, test_sets: Mapping[str, ExampleTable], headline: str, n: int
) -> pd.DataFrame:
    """The `n` test positives with the highest scores, strongest first: rows of the example table with ``score``.

    Of the headline test set; of the first that has test positives where the headline was not made.

    Raises
    ------
    InputError : a scored example is not in the test set.
    """
    rows = predictions[(predictions["split"] == "test") & (predictions["label"] == 1)]
    rows = rows[np.isfinite(rows["score"].to_numpy())]
    made = [name for name in test_sets if (rows["test_set"] == name).any()]
    if not made:
        return pd.DataFrame()
    chosen = headline if headline in made else made[0]
    rows = rows[rows["test_set"] == chosen].sort_values(["score", "example_id"], ascending=[False, True]).head(n)
    examples = test_sets[chosen].frame.set_index("example_id")
    if len(missing := rows.loc[~rows["example_id"].isin(examples.index), "example_id"]):
        raise InputError(f"test set {chosen}: has no example {missing.iloc[0]!r}, which was scored; score it again")
    found = examples.loc[rows["example_id"]].reset_index()
    return found.assign(score=rows["score"].to_numpy())


def interpret(
    bundle: Bundle,
    positives: pd.DataFrame,
    question: Question,
    settings: InterpretationSettings,
    *,
    device: torch.device,
    seed: int,
    confidence: float,
) -> Interpretation:
    """Attribute the scores of the strongest positives, find patterns in them, and match these with known motifs.

    Parameters
    ----------
    positives : of `strongest_positives`, one or more rows.
    confidence : coverage of the intervals of faithfulness.
    """
    scorer = OneHotScorer(bundle, device)
    codes = codes_of(positives["sequence"].tolist())
    attributions = {
        method: attribute(
            method, scorer, codes, settings.attribution, step_rng(seed, "interpret", question.experiment, method)
        )
        for method in settings.methods
    }
    chosen = attributions[settings.discovery.method]
    discovery, faithful = Discovery(reason=chosen.reason), None
    if chosen.defined:
        assert chosen.hypothetical is not None
        discovery = discover(codes, chosen.hypothetical, settings.discovery)
        rng = step_rng(seed, "interpret", question.experiment, "faithfulness")
        importance = chosen.importance(codes)
        faithful = faithfulness(
            scorer, codes, importance, settings.attribution.faithfulness, rng, confidence=confidence
        )
    matches = match_patterns(discovery.patterns, question.library, settings.matching)
    verdict = verdict_of(question.tf, discovery, matches, question.library, question.library_name, settings.matching)
    return Interpretation(positives, verdict, "", attributions, discovery, matches, faithful)


def interpretation_json(
    found: Interpretation, model: str, settings: InterpretationSettings, provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """The interpretation as it stands in its JSON file."""
    chosen = found.attributions.get(settings.discovery.method)
    reason = chosen.reason if chosen is not None else f"not defined: {found.reason}"
    return {
        "status": found.status,
        "reason": found.reason,
        "model": model,
        "method": settings.discovery.method,
        "n_sequences": len(found.positives),
        "verdict": rounded(asdict(found.verdict)),
        "patterns_reason": found.discovery.reason,
        "patterns": [
            rounded(_pattern_json(pattern, matches, settings))
            for pattern, matches in zip(found.discovery.patterns, found.matches, strict=True)
        ],
        "sites": rounded(sites_of(found, settings)),
        "faithfulness": rounded(found.faithfulness or {"verdict": "not defined", "reason": reason, "fractions": None}),
        "methods": rounded({name: _method_json(made) for name, made in found.attributions.items()}),
        "provenance": dict(provenance),
    }


def _method_json(made: Attribution) -> dict[str, Any]:
    """Whether a method gave attributions, and how far their sums are off where they have to sum to something."""
    told: dict[str, Any] = {"status": "ok" if made.defined else "not_defined", "reason": made.reason}
    if made.convergence_error is not None and math.isfinite(made.convergence_error):
        told["convergence_error"] = made.convergence_error
    return told


def _pattern_json(pattern: Pattern, matches: Sequence[Match], settings: InterpretationSettings) -> dict[str, Any]:
    core = pattern.shown(settings.matching.trim_bits)
    listed = [match.to_json() for match in matches[: settings.matching.n_matches]]
    if listed:
        listed[0] |= _beside(core, matches[0])
    return {
        "name": pattern.name,
        "n_seqlets": pattern.n_seqlets,
        "probabilities": core.probabilities.tolist(),
        "contributions": core.contributions.tolist(),
        "matches": listed,
        "reason": why_unmatched(pattern, settings.matching),
    }


def _beside(core: Pattern, best: Match) -> dict[str, Any]:
    """What it takes to draw the most similar motif beside a pattern that is turned to its strand."""
    shares, known = core.probabilities, best.motif.probabilities
    start = aligned_start(shares[::-1, ::-1] if best.reverse else shares, known)
    return {"reverse": best.reverse, "start": start, "probabilities": known.tolist()}


def sites_of(found: Interpretation, settings: InterpretationSettings) -> list[dict[str, Any]]:
    """The strongest sites, with the importance of each base; none where it is not defined."""
    chosen = found.attributions.get(settings.discovery.method)
    if chosen is None or not chosen.defined:
        return []
    rows = found.positives.head(settings.n_sites)
    importance = chosen.importance(codes_of(found.positives["sequence"].tolist()))
    placed = rows[["chrom", "start", "end", "strand"]].astype(object)
    placed = placed.where(placed.notna(), None).to_dict("records")
    return [
        place | {"score": float(score), "sequence": sequence, "importance": values.astype(float).tolist()}
        for place, score, sequence, values in zip(placed, rows["score"], rows["sequence"], importance, strict=False)
    ]


def rounded(value: Any) -> Any:
    """Nested lists and mappings with their floats rounded to `DIGITS` significant digits."""
    if isinstance(value, Mapping):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def write_attributions(path: Path, found: Interpretation, provenance_json: str) -> None:
    """Write sequences, attributions of every method, and whole patterns as HDF5, whole or not at all."""
    with new_hdf5(path) as file:
        file.attrs[METADATA_KEY] = provenance_json
        if not len(found.positives):
            return
        file["example_id"] = found.positives["example_id"].to_numpy(object)
        file["codes"] = codes_of(found.positives["sequence"].tolist())
        file["score"] = found.positives["score"].to_numpy(np.float64)
        for name, made in found.attributions.items():
            if made.defined:
                file.create_dataset(f"attributions/{name}", data=made.values, compression="gzip", shuffle=True)
        for pattern in found.discovery.patterns:
            group = file.create_group(f"patterns/{pattern.name}")
            group.attrs["n_seqlets"] = pattern.n_seqlets
            group["probabilities"], group["contributions"] = pattern.probabilities, pattern.contributions
