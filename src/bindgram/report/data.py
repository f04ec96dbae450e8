"""The section on data: how many examples each step kept, and why the others went, over all experiments."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bindgram.data.filters import read_filter_table, reason_of
from bindgram.data.tiled import TEST_SET as TILED
from bindgram.errors import InputError
from bindgram.report.audit import Audits, audit_section
from bindgram.report.html import Markup, cell, element, folded, row, table
from bindgram.settings.filters import FilterSetting, parse_filter

SUFFIX = ".filter"
REASON_NAMES = {
    "n_input": "rows read",
    "not_lifted": "not lifted over",
    "off_chromosome_end": "beyond the chromosome's end",
    "not_bound": "published as unbound",
    "held_out": "experiment is held out of this split",
    "beyond_strongest_n": "weaker than the strongest asked for",
    "random_n": "left out at random (peaks without ranks)",
    "n_published": "published negatives",
    "not_chosen": "left out at random",
    "n_wanted": "wanted",
    "n_kept": "kept",
    "n_kept_train": "kept: train",
    "n_kept_valid": "kept: validation",
    "n_kept_test": "kept: test",
    "outside_split": "not inside one block of the split",
    "blacklist": "on the blacklist",
    "n_fraction": "with N or other ambiguous bases",
    "soft_masked": "in repeats",
    "peak_width": "peak too narrow or too wide",
    "other_chromosome": "on another chromosome",
    "overlaps_stronger": "overlapping a stronger one",
    "merged_into_stronger": "merged into a stronger peak",
    "low_support": "too little support",
    "low_strength": "too weak",
    "duplicate": "same sequence as another",
    "no_match": "no free window of this GC content (and repeats, where known)",
    "n_candidates": "candidates: of other factors, or open chromatin",
    "candidate_near_peak": "candidates: near a peak of the experiment",
    "candidate_peak_of_same_tf": "candidates: on a peak of the same TF",
    "candidate_blacklist": "candidates: on the blacklist",
    "candidate_taken": "candidates: on a negative of another scheme",
    "candidate_overlap": "candidates: on another candidate",
    "candidate_sequence": "candidates: with N, or the sequence of another example",
    "candidate_left": "candidates: not needed",
    "no_free_flank": "no free window in the flanks",
    "no_other_peak": "no other factor's peak left",
    "no_open_chromatin": "no open chromatin left",
    "short_twin": "left out, because the twin is short of negatives",
    "no_new_shuffle": "no new sequence by shuffling",
    "ambiguous_parent": "parent with ambiguous bases",
    "sequence_of_another_example": "sequence of another example",
    "n_homologous_test": "resemble training positives: test",
    "n_homologous_valid": "resemble training positives: validation twin",
    "n_positives_test": "positives: test",
    "n_positives_valid": "positives: validation twin",
    "n_negatives_train": "negatives: train",
    "n_negatives_test": "negatives: test",
    "n_negatives_valid": "negatives: validation",
    "n_ignored": "tiles ignored",
}
POSITIVES = "Positives: from peaks to windows"
Tables = dict[str, dict[str, dict[str, int]]]  # step to experiment to reason to count


def find_filter_tables(
    templates: Sequence[str], splits: Sequence[str], experiments: Iterable[str]
) -> list[tuple[str, Path]]:
    """(experiment, path) of every table that exists, template after template; with several splits each experiment
    stands once for every split, which is named with it.

    Parameters
    ----------
    templates : paths with ``{experiment}`` and ``{split}`` in braces.

    Raises
    ------
    InputError : a template has something else in braces, or not the experiment.
    """
    experiments, found = list(experiments), []
    for template in templates:
        if "{experiment}" not in template:
            raise InputError(f"template {template}: put {{experiment}} where the id of the experiment stands")
        for experiment, split in itertools.product(experiments, splits):
            try:
                path = Path(template.format_map({"experiment": experiment, "split": split}))
            except (KeyError, IndexError, ValueError) as error:
                raise InputError(
                    f"template {template}: {error} cannot be filled; use {{experiment}} and {{split}}"
                ) from None
            if path.is_file():
                found.append((experiment if len(splits) == 1 else f"{experiment} ({split})", path))
    return found


def step_name(path: Path, test_set: str = "") -> str:
    """What a filter table counts, from its folder and name: in the words of the page."""
    stem = path.stem.removesuffix(SUFFIX)
    if test_set:
        return f"Test set {test_set}" if test_set == TILED else f"Test set {test_set} and its validation twin"
    if path.parent.name == "labelled":
        return f"Training negatives: {stem}"
    return {"positives": POSITIVES}.get(stem, stem)


def gather(filter_tables: Sequence[tuple[str, Path]]) -> Tables:
    """Counts of all experiments, step by step, in the order given."""
    steps: Tables = {}
    for experiment, path in filter_tables:
        frame = read_filter_table(path)
        test_sets = frame["test_set"] if "test_set" in frame else pd.Series("", index=frame.index)
        if frame.empty and "test_set" not in frame:
            steps.setdefault(step_name(path), {}).setdefault(experiment, {})
        for test_set, reason, n in zip(test_sets, frame["reason"], frame["n"], strict=True):
            counts = steps.setdefault(step_name(path, test_set), {}).setdefault(experiment, {})
            counts[reason] = counts.get(reason, 0) + n
    return steps


def data_section(steps: Tables, filters: Sequence[Any], audits: Audits) -> list[Markup]:
    """What became of the data of all experiments; that of one stands where it is opened.

    Parameters
    ----------
    steps : of `gather`. filters : of positives, as configured.
    audits : experiment to its audit; see `bindgram.evaluation.audit.read_audit`.
    """
    intro = element(
        "p",
        "Every row that enters a step is kept, or counted with the reason why it is not; it counts for the first "
        "reason "
        "that applies. Here stand all experiments together; open one in the table above for its own counts.",
        class_="key",
    )
    body: list[Markup] = [intro]
    for step, experiments in steps.items():
        body.append(element("h3", step))
        if step == POSITIVES:
            body.append(filter_summary([parse_filter(item) for item in filters], experiments))
        body.append(
            folded(
                f"All reasons ({_experiments(len(experiments))})", reason_table(experiments), opened=step == POSITIVES
            )
        )
    if not steps:
        body.append(element("p", "No counts were given."))
    return [*body, *audit_section(audits)]


def _experiments(n: int) -> str:
    return "1 experiment" if n == 1 else f"{n} experiments"


def filter_summary(filters: Sequence[FilterSetting], experiments: Mapping[str, Mapping[str, int]]) -> Markup:
    """The filters in their order, with their values and with what each took from all experiments together."""
    heads = ["", "Filter", "Value", "Removed", "Of all rows read", "Experiments with any", "Largest part of one"]
    rows = [row([number, *_filter_cells(setting, experiments)]) for number, setting in enumerate(filters, start=1)]
    if not rows:
        return element("p", "No filters are configured.")
    return table(heads, rows, numbers=(0, 3, 4, 5), sortable=False)


def _filter_cells(setting: FilterSetting, experiments: Mapping[str, Mapping[str, int]]) -> list[Any]:
    reason = reason_of(setting)
    counts = {name: (counts[reason], counts["n_input"]) for name, counts in experiments.items() if reason in counts}
    parts = {name: n / n_input for name, (n, n_input) in counts.items() if n}
    removed, n_read = (sum(pair[i] for pair in counts.values()) for i in (0, 1))
    largest = max(parts, key=parts.__getitem__, default="")
    return [
        element("code", setting.name),
        setting.text.removeprefix(setting.name).removeprefix("="),
        _count_cell(removed),
        cell(f"{removed / max(n_read, 1):.2%}", value=removed / max(n_read, 1), number=True),
        cell(f"{len(parts)} of {len(counts)}", value=len(parts), number=True),
        f"{parts[largest]:.1%} ({largest})" if parts else "",
    ]


def reason_table(experiments: Mapping[str, Mapping[str, int]]) -> Markup:
    """One row for each reason, in the order in which they first appear: how often it applied, and where most."""
    reasons = dict.fromkeys(reason for counts in experiments.values() for reason in counts)
    heads = ["What", "All together", "Median of an experiment", "Experiments with any", "Most in one"]
    return table(heads, [_reason_row(reason, experiments) for reason in reasons], numbers=(1, 2, 3), sortable=False)


def _reason_row(reason: str, experiments: Mapping[str, Mapping[str, int]]) -> Markup:
    counts = {name: found[reason] for name, found in experiments.items() if reason in found}
    most = max(counts, key=counts.__getitem__)
    median = float(np.median(list(counts.values())))
    cells = [
        REASON_NAMES.get(reason, reason.replace("_", " ")),
        _count_cell(sum(counts.values())),
        cell(f"{median:,.10g}", value=median, number=True),
        cell(f"{sum(n > 0 for n in counts.values())} of {len(counts)}", number=True),
        f"{counts[most]:,} ({most})" if counts[most] and len(counts) > 1 else "",
    ]
    return row(cells)


def _count_cell(n: int) -> Markup:
    return cell(f"{n:,}", value=n, number=True)
