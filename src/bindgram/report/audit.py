"""The audit in the report: which sets of negatives can be told from the positives by composition or place alone."""

from collections.abc import Iterator, Mapping

import pandas as pd

from bindgram.evaluation.audit import FEATURES
from bindgram.report.html import Markup, cell, element, joined, row, table

Audits = Mapping[str, pd.DataFrame]  # experiment to its audit
FEATURE_NAMES = {
    "gc": "GC",
    "kmer1": "1-mers",
    "kmer2": "2-mers",
    "kmer3": "3-mers",
    "cpg": "CpG o/e",
    "repeats": "Repeats",
    "peak_distance": "Other peaks",
}
_SPLIT_NAMES = {"train": "training", "valid": "validation", "test": "test"}
_LABELLED = "labelled/"


def set_name(name: str) -> str:
    """A table of examples in the words of the page."""
    if name.startswith(_LABELLED):
        return f"Training negatives: {name.removeprefix(_LABELLED)}"
    return f"Test set {name}"


def audit_section(audits: Audits) -> list[Markup]:
    """Heading, what is suspicious, and a line for each set over all experiments."""
    if not audits:
        return []
    rows = pd.concat([audit.assign(experiment=name) for name, audit in audits.items()], ignore_index=True)
    measured = rows[rows["auroc"].notna()]
    parts = [element("h3", "Audit of the negatives"), _explanation(), _verdict(measured)]
    if measured.empty:
        return parts
    return [*parts, _overview(measured)]


def _explanation() -> Markup:
    return element(
        "p",
        "How well something that knows no motif tells negatives from positives: AUROC of GC content, of counts of "
        "k-mers (logistic regression, cross-validated), of CpG observed over expected, of the share of repeats, and of "
        "the distance to the nearest other peak. 0.5: not at all. Only what the scheme of a set preserves is judged "
        "(dark); all else is for information (grey), and is no mistake of the set, but may be all that a model learns "
        "from it. Suspicious: the whole interval of something preserved lies above the threshold of the configuration.",
        class_="key",
    )


def _verdict(measured: pd.DataFrame) -> Markup:
    found = suspicious_notes_of(measured)
    n_sets = len(measured.drop_duplicates(["experiment", "table"]))
    if not found:
        return element("p", f"None of {n_sets} sets of negatives is suspicious.")
    items = [
        element("li", f"{experiment}, {set_name(name)}: ", element("span", text, class_="suspicious"))
        for (experiment, name), text in list(found.items())[:20]
    ]
    more = [element("li", f"... and {len(found) - 20} more; filter the table of experiments by the warning")] * (
        len(found) > 20
    )
    said = element("span", f"Suspicious: {len(found)} of {n_sets} sets of negatives.", class_="suspicious")
    return joined([element("p", said), element("ul", *items, *more)])


def _overview(measured: pd.DataFrame) -> Markup:
    heads = ["Negatives", "Split", "Experiments", *FEATURE_NAMES.values(), "Suspicious"]
    lines = []
    for (name, split), group in measured.groupby(["table", "split"], sort=False):
        cells = [_summary_cell(group[group["feature"] == feature]) for feature in FEATURES]
        n_experiments = group["experiment"].nunique()
        n = group.loc[group["suspicious"] == "yes", "experiment"].nunique()
        verdict = cell(element("span", f"{n} of {n_experiments}", class_="suspicious"), value=n) if n else cell("none")
        first = [set_name(str(name)), _SPLIT_NAMES[str(split)], cell(f"{n_experiments}", number=True)]
        lines.append(row([*first, *cells, verdict]))
    return table(heads, lines, numbers=range(2, 3 + len(FEATURES)), sortable=False)


def _summary_cell(rows: pd.DataFrame) -> Markup:
    """Median over experiments, and from where to where."""
    if rows.empty:
        return cell("–", number=True)
    values = rows["auroc"]
    if len(values) == 1:
        return cell(_shade(f"{values.iloc[0]:.3f}", rows), number=True)
    spread = _shade(f"{values.min():.2f} to {values.max():.2f}", rows)
    median = _shade(f"{values.median():.3f}", rows.assign(suspicious="no"))
    return cell(median, element("small", spread), number=True)


def _shade(text: str, rows: pd.DataFrame) -> Markup:
    """Coloured where suspicious, grey where nothing is judged."""
    if (rows["suspicious"] == "yes").any():
        return element("span", text, class_="suspicious")
    return element("span", text, class_=None if (rows["judged"] == "yes").any() else "soft")


def suspicious_notes(audits: Audits) -> dict[tuple[str, str], str]:
    """Experiment and table to what is suspicious about it."""
    filled = [audit.assign(experiment=name) for name, audit in audits.items()]
    return suspicious_notes_of(pd.concat(filled, ignore_index=True)) if filled else {}


def suspicious_notes_of(rows: pd.DataFrame) -> dict[tuple[str, str], str]:
    """The same of rows with a column ``experiment``."""
    found = rows[rows["suspicious"] == "yes"]
    groups = found.groupby(["experiment", "table"], sort=False)
    return {(str(experiment), str(name)): "; ".join(_notes(group)) for (experiment, name), group in groups}


def _notes(rows: pd.DataFrame) -> Iterator[str]:
    for feature, group in rows.groupby("feature", sort=False):
        worst = group.loc[group["auroc"].idxmax()]
        yield f"{FEATURE_NAMES[str(feature)]} {worst['auroc']:.2f} ({_SPLIT_NAMES[worst['split']]})"
