"""The audit of negatives: how well properties that know no motif tell them from the positives.

A property that a scheme promises to preserve must give an AUROC of 0.5; a set where it gives more was not made as its
name says, and a model trained or tested on it may score by that property alone. Other properties are measured and
printed, and nothing is concluded: the trinucleotides of an exact dinucleotide shuffle, say, differ from its source's.

Most properties are one number per sequence, whose AUROC needs no fit. Counts of k-mers are scored by a logistic
regression in cross-validation. A positive and its own negatives are always in one fold: where they are torn apart, the
regression learns from its neighbour's label, and sets that cannot be told apart score below 0.5.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bindgram.data.examples import ExampleTable
from bindgram.data.negatives import PRESERVES, preserved
from bindgram.data.tiles import NO_REPEATS, Tiles
from bindgram.errors import InputError
from bindgram.evaluation.baselines import fit_logistic
from bindgram.evaluation.statistics import auroc_interval
from bindgram.provenance import step_rng, write_text
from bindgram.sequence.dna import ALPHABET, codes_of, gc_fraction
from bindgram.sequence.kmers import count_kmers

N_FOLDS = 5
INVERSE_REGULARISATION = 1.0
COLUMNS = (
    *("table", "split", "scheme", "feature", "auroc", "low", "high", "higher_in", "judged", "suspicious"),
    *("n_positives", "n_negatives", "median_positives", "median_negatives", "reason"),
)
UNKNOWN_SCHEME = "unknown"


@dataclass(frozen=True)
class AuditSettings:
    """How sets are audited.

    `suspicious_auroc` marks a set where the lower bound for a preserved feature exceeds it; of each set at most
    `max_per_class` positives and as many negatives are looked at; `confidence` is that of the intervals.
    """

    suspicious_auroc: float
    max_per_class: int
    confidence: float
    seed: int


@dataclass(frozen=True)
class Surroundings:
    """What the features of a place need: None where the experiment has no coordinates.

    `tiles` tell the repeats of the assembly; `peaks` are all peaks of the experiment, ``chrom, start, end``.
    """

    tiles: Tiles | None = None
    peaks: pd.DataFrame | None = None


class NotDefined(Exception):
    """Why a feature has no value for a set of sequences."""


def gc(examples: pd.DataFrame, codes: np.ndarray, around: Surroundings) -> np.ndarray:
    """GC fraction of each sequence: (N, 1)."""
    return np.nan_to_num(gc_fraction(codes))[:, None]


def cpg_ratio(codes: np.ndarray) -> np.ndarray:
    """Observed over expected CpG of each sequence, (N,): CpG x length / (C x G); 0 without C or G.

    References
    ----------
    Gardiner-Garden and Frommer 1987, doi:10.1016/0022-2836(87)90689-9. Length is that without ambiguous bases.
    """
    single, pairs = count_kmers(codes, 1).astype(np.float64), count_kmers(codes, 2)
    c, g = ALPHABET.index("C"), ALPHABET.index("G")
    expected = single[:, c] * single[:, g]
    observed = pairs[:, 4 * c + g] * single.sum(axis=1)
    return np.divide(observed, expected, out=np.zeros(len(codes)), where=expected > 0)


def cpg(examples: pd.DataFrame, codes: np.ndarray, around: Surroundings) -> np.ndarray:
    """Observed over expected CpG of each sequence: (N, 1)."""
    return cpg_ratio(codes)[:, None]


def kmer_counts(k: int) -> "Feature":
    """The feature that counts k-mers as they stand, on the forward strand: (N, 4**k)."""

    def count(examples: pd.DataFrame, codes: np.ndarray, around: Surroundings) -> np.ndarray:
        return count_kmers(codes, k).astype(np.float64)

    return count


def repeats(examples: pd.DataFrame, codes: np.ndarray, around: Surroundings) -> np.ndarray:
    """Fraction of each window that lies in repeats: (N, 1)."""
    if around.tiles is None or examples["chrom"].isna().any():
        raise NotDefined("no coordinates")
    if around.tiles.repeats == NO_REPEATS:
        raise NotDefined("the repeats of this assembly are not known")
    return (around.tiles.count_repeats(examples) / (examples["end"] - examples["start"]).to_numpy(np.float64))[:, None]


def peak_distance(examples: pd.DataFrame, codes: np.ndarray, around: Surroundings) -> np.ndarray:
    """Distance in bp from each window to the nearest peak that it does not touch: (N, 1).

    A positive has its own peak, which is left out, so that this tells whether negatives lie as close to other peaks as
    positives do.
    """
    if around.peaks is None or examples["chrom"].isna().any():
        raise NotDefined("no coordinates")
    distances = nearest_peaks(examples, around.peaks)
    if np.isinf(distances).any():
        raise NotDefined("a chromosome has no other peak")
    return distances[:, None]


def nearest_peaks(windows: pd.DataFrame, peaks: pd.DataFrame) -> np.ndarray:
    """Bp between each window and the nearest peak that shares no base with it: (N,), infinite where there is none."""
    found = np.full(len(windows), np.inf)
    rows_of = windows.groupby("chrom", sort=False).indices
    for chrom, group in peaks.groupby("chrom", sort=False):
        rows = rows_of.get(chrom, np.empty(0, np.int64))
        starts, ends = (np.sort(group[name].to_numpy(np.float64)) for name in ("start", "end"))
        left = np.append(-np.inf, ends)[np.searchsorted(ends, windows["start"].to_numpy(np.float64)[rows], "right")]
        right = np.append(starts, np.inf)[np.searchsorted(starts, windows["end"].to_numpy(np.float64)[rows], "left")]
        before, after = windows["start"].to_numpy()[rows] - left, right - windows["end"].to_numpy()[rows]
        found[rows] = np.minimum(before, after)
    return found


Feature = Callable[[pd.DataFrame, np.ndarray, Surroundings], np.ndarray]
FEATURES: dict[str, Feature] = {
    "gc": gc,
    "kmer1": kmer_counts(1),
    "kmer2": kmer_counts(2),
    "kmer3": kmer_counts(3),
    "cpg": cpg,
    "repeats": repeats,
    "peak_distance": peak_distance,
}


def scheme_of(negatives: pd.DataFrame) -> str:
    """Kinds of the negatives, joined by ``+``."""
    return "+".join(sorted(set(negatives["kind"]))) or UNKNOWN_SCHEME


def preserved_features(scheme: str, provenance: Mapping[str, Any], format: str) -> frozenset[str]:
    """Features that the negatives of a set have in common with its positives by construction; those of all kinds in it.

    DeepBind's negatives are dinucleotide shuffles and judged as such; of other published negatives nothing is known.
    Repeats are preserved only where they were matched on.
    """
    named = {"published": "dinucleotide_shuffle"} if format == "deepbind" else {}
    kinds = {named.get(kind, kind): 1.0 for kind in scheme.split("+")}
    common = preserved(kinds) if kinds.keys() <= PRESERVES.keys() else ()
    matched = provenance.get("settings", {}).get("matched_on", ())
    return frozenset(common) - ({"repeats"} - set(matched))


def audit_tables(
    experiment: str, tables: Mapping[str, ExampleTable], format: str, around: Surroundings, settings: AuditSettings
) -> pd.DataFrame:
    """Audit every split of every table.

    Parameters
    ----------
    tables : name to labelled examples.
    format : of the experiment in the sheet.

    Returns
    -------
    Frame with `COLUMNS`, one row per table, split and feature. A skipped table has one row, with its reason.
    """
    rows = []
    for name, table in tables.items():
        if table.skipped:
            rows.append({"table": name, "reason": table.reason})
        for split, examples in table.frame.groupby("split", sort=False):
            rng = step_rng(settings.seed, "audit", experiment, name, split)
            scheme = scheme_of(examples[examples["label"] == 0])
            judged = preserved_features(scheme, table.provenance, format)
            about = {"table": name, "split": split, "scheme": scheme}
            rows += [about | row for row in audit_examples(examples, judged, around, settings, rng)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def audit_examples(
    examples: pd.DataFrame,
    judged: frozenset[str],
    around: Surroundings,
    settings: AuditSettings,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """Audit the examples of one split: one dict per feature, from column `feature` on, or one with a reason."""
    examples = thin(examples, settings.max_per_class, rng)
    codes = codes_of(examples["sequence"].tolist())
    families = family_numbers(examples, codes)
    if len(np.unique(families)) < N_FOLDS or examples["label"].nunique() < 2:
        return [{"reason": f"too few examples: fewer than {N_FOLDS} families, or one class only"}]
    folds = draw_folds(families, rng)
    labels = examples["label"].to_numpy()
    counts = {"n_positives": int((labels == 1).sum()), "n_negatives": int((labels == 0).sum())}
    rows = []
    for name, feature in FEATURES.items():
        row: dict[str, Any] = {"feature": name, "judged": name in judged, "suspicious": False, **counts}
        try:
            values = feature(examples, codes, around)
            row |= measure(values, labels, families, folds, settings)
            row["suspicious"] = row["judged"] and row["low"] > settings.suspicious_auroc
        except NotDefined as reason:
            row |= {"judged": False, "reason": str(reason)}
        rows.append(row)
    return rows


def measure(
    values: np.ndarray, labels: np.ndarray, families: np.ndarray, folds: np.ndarray, settings: AuditSettings
) -> dict[str, Any]:
    """AUROC of (N, F) values with its interval.

    A single column is its own score. Its AUROC is given as 0.5 or more, and `higher_in` says which class has the higher
    values.
    """
    if values.shape[1] > 1:
        scores = cross_validated(values, labels, folds)
        auroc, low, high = auroc_interval(labels, scores, families, settings.confidence)
        return {"auroc": auroc, "low": low, "high": high}
    score = values[:, 0]
    medians = {"median_positives": np.median(score[labels == 1]), "median_negatives": np.median(score[labels == 0])}
    auroc, low, high = auroc_interval(labels, score, families, settings.confidence)
    higher_in = "positives"
    if auroc < 0.5:
        auroc, low, high, higher_in = 1 - auroc, 1 - high, 1 - low, "negatives"
    return {"auroc": auroc, "low": low, "high": high, "higher_in": higher_in if auroc > 0.5 + 1e-9 else "", **medians}


def thin(examples: pd.DataFrame, most: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw at most `most` positives, and at most as many negatives: of positives drawn, or without a parent."""
    positives, negatives = (examples[examples["label"] == label] for label in (1, 0))
    kept = positives.iloc[np.sort(rng.permutation(len(positives))[:most])]
    orphans = ~negatives["parent_id"].isin(positives["example_id"])
    negatives = negatives[orphans | negatives["parent_id"].isin(kept["example_id"])]
    chosen = negatives.iloc[np.sort(rng.permutation(len(negatives))[:most])]
    return pd.concat([kept, chosen])


def family_numbers(examples: pd.DataFrame, codes: np.ndarray) -> np.ndarray:
    """Number the families, a positive and the negatives made from it: (N,).

    Published negatives come without parents: each is taken for a shuffle of the positive that has the same counts of
    2-mers, or else of 1-mers. Where it is none, it does no harm to share a fold with a stranger.
    """
    family = examples["parent_id"].fillna(examples["example_id"]).to_numpy(object, copy=True)
    positive = (examples["label"] == 1).to_numpy()
    orphan = ~positive & examples["parent_id"].isna().to_numpy()
    for k in (1, 2) if orphan.any() else ():
        counts = [row.tobytes() for row in count_kmers(codes, k)]
        source = {counts[row]: examples["example_id"].iloc[row] for row in np.flatnonzero(positive)}
        family[orphan] = [source.get(counts[row], family[row]) for row in np.flatnonzero(orphan)]
    return pd.factorize(family)[0]


def draw_folds(families: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fold of each example, the same for a whole family: (N,)."""
    return rng.permutation(np.arange(families.max() + 1) % N_FOLDS)[families]


def cross_validated(values: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Score every row by a logistic regression that was fitted to the other folds: (N,) log odds.

    Raises
    ------
    NotDefined : the other folds of some fold have one class only.
    """
    from threadpoolctl import threadpool_limits

    scores = np.empty(len(labels))
    with threadpool_limits(1):  # sums in one order, hence the same bytes on every machine of a kind
        for fold in np.unique(folds):
            held = folds == fold
            if len(np.unique(labels[~held])) < 2:
                raise NotDefined("too few examples for cross-validation")
            model = fit_logistic(values[~held], labels[~held], INVERSE_REGULARISATION)
            scores[held] = model.decision_function(values[held])
    return scores


def write_audit(path: Path, audit: pd.DataFrame) -> None:
    """Write an audit as TSV: numbers to four digits, yes and no, empty where there is no value."""
    rows = [[_cell(value) for value in row] for row in audit[list(COLUMNS)].itertuples(index=False)]
    write_text(path, "".join("\t".join(row) + "\n" for row in [COLUMNS, *rows]))


def _cell(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value).replace("\t", " ")


def read_audit(path: Path) -> pd.DataFrame:
    """Read a table of `write_audit`: the texts of the file, with ``auroc, low, high`` as numbers or NaN.

    Raises
    ------
    InputError : it is no such table.
    """
    try:
        frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        numbers = {name: pd.to_numeric(frame[name]) for name in ("auroc", "low", "high")}
    except (KeyError, ValueError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{path}: not an audit ({error}); make it again with bindgram audit") from None
    if tuple(frame.columns) != COLUMNS:
        raise InputError(f"{path}: not an audit: its columns are not {', '.join(COLUMNS)}; make it again")
    return frame.assign(**numbers)
