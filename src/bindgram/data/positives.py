"""Positives: from peaks, or from a published sequence set, to label-1 examples with a count for every row that goes.

Windows of one width lie around the summit of each peak (the midpoint where no summit is called). Published sets have
no coordinates: their splits are drawn or published, and filters that look at places or peaks do not apply to them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bindgram.data.examples import COLUMNS, ExampleTable, skipped_examples
from bindgram.data.filters import (
    Counts,
    FilterContext,
    applicable,
    apply_filters,
    check_sum,
    kept_counts,
    rank_by_strength,
)
from bindgram.data.peaks import summit_positions
from bindgram.data.published import published_rows
from bindgram.data.splits import Split
from bindgram.data.tiles import NO_REPEATS, Tiles
from bindgram.errors import InputError
from bindgram.genome.fasta import Genome
from bindgram.provenance import step_rng
from bindgram.sequence.dna import encode, strings_of
from bindgram.settings.filters import FilterSetting
from bindgram.settings.splits import SPLITS

_FOR_FILTERS = ("peak_start", "peak_end", "strength", "support")  # what they look at beside the example


@dataclass(frozen=True)
class PositivesPlan:
    """How the positives of one experiment are made.

    `width` in bp; `strongest` None keeps all; `filters` in order; `minimum` positives for each split; `seed` is that of
    the configuration; `held_out` is the split that the whole experiment is held out into, "" where it may train.
    """

    experiment: str
    width: int
    strongest: int | None
    filters: tuple[FilterSetting, ...]
    minimum: Mapping[str, int]
    seed: int
    held_out: str = ""

    def rng(self, purpose: str) -> np.random.Generator:
        """Return the generator of one draw, independent of all others."""
        return step_rng(self.seed, "positives", self.experiment, purpose)


@dataclass(frozen=True)
class Places:
    """What filters know of an assembly beyond its bases: `blacklist` is a frame ``chrom, start, end``."""

    blacklist: pd.DataFrame | None = None
    tiles: Tiles | None = None


def genomic_positives(
    plan: PositivesPlan,
    peaks: pd.DataFrame,
    genome: Genome,
    split: Split,
    places: Places,
    provenance: Mapping[str, Any],
    n_not_lifted: int | None = None,
) -> tuple[ExampleTable, Counts]:
    """Make the positives of a peak table (`read_assembly_peaks`): examples, and the rows of the filter table.

    `n_not_lifted` counts peaks that have no place on this assembly and are not in the table; None = lifted by nobody.

    Raises
    ------
    InputError : a filter lacks what it needs in this assembly.
    """
    _check_applicable(plan.filters, genome, places)
    windows = summit_windows(peaks, plan.width, genome.chrom_sizes)
    frame = _placed_examples(plan, windows, genome, split)
    if places.tiles is not None:
        frame["n_repeat"] = places.tiles.count_repeats(windows)
    frame, held_out = _only_held(plan, frame)
    frame, counts = apply_filters(frame, plan.filters, FilterContext(places.blacklist))
    not_lifted = [] if n_not_lifted is None else [("not_lifted", n_not_lifted)]
    before = [("n_input", len(peaks) + (n_not_lifted or 0)), *not_lifted]
    counts = [*before, ("off_chromosome_end", len(peaks) - len(windows)), *held_out, *counts]
    return _finish(plan, "" if len(peaks) else "no peaks in file", frame, counts, provenance)


def published_positives(
    plan: PositivesPlan,
    training: pd.DataFrame,
    test: pd.DataFrame,
    provenance: Mapping[str, Any],
    valid: pd.DataFrame | None = None,
) -> tuple[ExampleTable, Counts]:
    """Make the positives of a published set from its two or three tables (`read_sequences`).

    Rows that are not bound count as ``not_bound``: the battery takes those of the test file as published negatives.
    `plan.strongest` thins the training file only, so that published validation and test sets stay as published.

    Raises
    ------
    InputError : the sequences of the tables differ in length.
    """
    tables = {"training": training, "validation": valid, "test": test}
    lengths = {name: sorted(set(table["sequence"].str.len())) for name, table in tables.items() if table is not None}
    if len({length for found in lengths.values() for length in found}) > 1:
        raise InputError(f"{plan.experiment}: training, validation and test sequences differ in length (bp): {lengths}")
    everything = published_rows(plan.experiment, plan.seed, training, valid, test).assign(strength=np.nan)
    reason = "" if len(everything) else "no sequences in file"
    bound = everything[everything["label"] == 1]
    frame, held_out = _only_held(plan, bound)
    frame, counts = apply_filters(frame, applicable(plan.filters, placed=False), FilterContext())
    counts = [("n_input", len(everything)), ("not_bound", len(everything) - len(bound)), *held_out, *counts]
    published = ("test",) if valid is None else ("valid", "test")
    return _finish(plan, reason, frame, counts, provenance, frame["split"].isin(published))


def summit_windows(peaks: pd.DataFrame, width: int, chrom_sizes: Mapping[str, int]) -> pd.DataFrame:
    """Cut one window of `width` bp around the summit (or midpoint) of every peak.

    Returns
    -------
    `peaks` in input order, with the `start` and `end` of the windows; those of the peaks are `peak_start` and
    `peak_end`. A window that leaves its chromosome is dropped, never clipped, because the models need equal lengths.

    References
    ----------
    narrowPeak column 10: https://genome.ucsc.edu/FAQ/FAQformat.html#format12
    """
    centre = summit_positions(peaks)
    windows = peaks.assign(
        start=centre - width // 2,
        end=centre - width // 2 + width,
        peak_start=peaks["start"],
        peak_end=peaks["end"],
    )
    sizes = windows["chrom"].map(dict(chrom_sizes)).astype("float64")  # NaN on a contig that the FASTA leaves out
    leaves = (windows["start"] < 0) | (windows["end"] > sizes)
    return windows[~leaves]


def _placed_examples(plan: PositivesPlan, windows: pd.DataFrame, genome: Genome, split: Split) -> pd.DataFrame:
    """Windows as examples of kind peak, with what filters look at beside; `split` is "" outside of the blocks."""
    chroms, starts, ends = (windows[column].to_numpy() for column in ("chrom", "start", "end"))
    names = windows["chrom"] + ":" + windows["start"].astype(str) + "-" + windows["end"].astype(str)
    frame = windows.assign(
        example_id=plan.experiment + ":" + names,
        strand=".",
        label=np.int8(1),
        kind="peak",
        parent_id=None,
        split=split.assign(chroms, starts, ends),
        sequence=_sequences(genome, chroms, starts, plan.width),
    )
    return frame[[*COLUMNS, *_FOR_FILTERS]]


def _sequences(genome: Genome, chroms: np.ndarray, starts: np.ndarray, width: int) -> np.ndarray:
    """Upper-case texts of the windows, ambiguous bases as N; all N on a contig that the FASTA leaves out."""
    here = np.isin(chroms.astype(object), list(genome.chrom_sizes))
    texts = np.full(len(chroms), "N" * width, object)
    if here.any():
        texts[here] = strings_of(encode(genome.windows(chroms[here], starts[here], width)))
    return texts


def _only_held(plan: PositivesPlan, frame: pd.DataFrame) -> tuple[pd.DataFrame, Counts]:
    """Of an experiment that is held out, the rows of the split it is held out into, and how many others there are.

    Windows outside every block are left to the filter of the split.
    """
    if not plan.held_out:
        return frame, []
    elsewhere = frame["split"].isin(SPLITS) & (frame["split"] != plan.held_out)
    return frame[~elsewhere], [("held_out", int(elsewhere.sum()))]


def _check_applicable(filters: Sequence[FilterSetting], genome: Genome, places: Places) -> None:
    """Refuse filters that would do nothing, or remove everything, because the assembly is not the one in mind."""
    wanted, known = dict(filters), set(genome.chrom_sizes)
    has = f"it has {', '.join(list(genome.chrom_sizes)[:30])}"
    listed = set() if places.blacklist is None else set(places.blacklist["chrom"])
    if "blacklist" in wanted and listed and not listed & known:
        raise InputError(
            f"{genome.path}: filter blacklist: no region of the blacklist lies on a chromosome of the assembly, one is "
            f"on {min(listed)}; {has}"
        )
    if "soft_masked" in wanted and places.tiles is None:
        raise InputError("filter soft_masked: give the tile table of the assembly, which knows repeats (--tiles)")
    if "soft_masked" in wanted and places.tiles.repeats == NO_REPEATS:
        raise InputError(
            f"{genome.path}: filter soft_masked: the genome has no lower-case bases and no file of repeats; name one "
            "in the sheet of assemblies (column repeats), or remove the filter"
        )
    chroms = wanted.get("chromosomes", known)
    if not known & set(chroms):
        raise InputError(f"{genome.path}: filter chromosomes: the assembly has none of {', '.join(chroms)}; {has}")


def keep_strongest(frame: pd.DataFrame, n: int, rng: np.random.Generator) -> tuple[pd.DataFrame, tuple[str, int]]:
    """Keep the `n` rows of highest `strength` (`rank_by_strength`), in input order, and count the others.

    Where strengths tell nothing (none, or all equal) the rows are drawn at random, and counted as ``random_n``.
    """
    n_gone = max(0, len(frame) - n)
    if frame["strength"].nunique() < 2:
        rows = np.sort(rng.permutation(len(frame))[:n])
        return frame.iloc[rows], ("random_n", n_gone)
    return frame.iloc[np.sort(rank_by_strength(frame)[:n])], ("beyond_strongest_n", n_gone)


def _finish(
    plan: PositivesPlan,
    reason: str,
    frame: pd.DataFrame,
    counts: Counts,
    provenance: Mapping[str, Any],
    fixed: pd.Series | None = None,
) -> tuple[ExampleTable, Counts]:
    """Thin the rows that are not `fixed`, count what is left, and skip the experiment if that is too little."""
    if plan.strongest is not None:
        fixed = pd.Series(False, index=frame.index) if fixed is None else fixed
        strongest, count = keep_strongest(frame[~fixed], plan.strongest, plan.rng("strongest"))
        frame = frame[fixed | frame.index.isin(strongest.index)]
        counts = [*counts, count]
    counts = [*counts, *kept_counts(frame)]
    check_sum(dict(counts))
    needed = {plan.held_out: plan.minimum[plan.held_out]} if plan.held_out else plan.minimum
    reason = reason or _shortage(frame, needed)
    if reason:
        return skipped_examples(reason, provenance), counts
    return ExampleTable(frame[list(COLUMNS)].reset_index(drop=True), provenance=provenance), counts


def _shortage(frame: pd.DataFrame, minimum: Mapping[str, int]) -> str:
    n_kept = {split: int((frame["split"] == split).sum()) for split in minimum}
    return "; ".join(
        f"{split}: {n} positives, fewer than the minimum of {minimum[split]}"
        for split, n in n_kept.items()
        if n < minimum[split]
    )
