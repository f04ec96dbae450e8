"""The section on methods: what was done, in words made from the settings, ready to paste into a paper.

Data stand here, models and numbers in `bindgram.report.methods_evaluation`. A work is cited as ``[@key]``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bindgram.report.citations import number_citations, reference_lines
from bindgram.report.html import Markup, cell, element, folded, row, table
from bindgram.report.methods_evaluation import evaluation_paragraphs, software
from bindgram.report.versions import flatten, versions_of
from bindgram.settings import Config
from bindgram.settings.filters import FilterSetting, parse_filter

TEXT_ID = "methods-text"  # what the button copies
SCHEME_WORDS = {
    "genomic_matched": "real genomic windows of the same GC content (and repeats, where known)",
    "mononucleotide_shuffle": "shuffles of the positives that keep all base counts",
    "dinucleotide_shuffle": "shuffles of the positives that keep all dinucleotide counts",
    "trinucleotide_shuffle": "shuffles of the positives that keep all trinucleotide counts",
    "neighbour": "windows in the flanks of the same peaks",
    "other_peaks": "peaks of other factors in the same biosample, where this experiment has none",
    "accessible_unbound": "open chromatin without a peak of the experiment",
    "published": "the negatives that were published with the sequences",
}
REPEAT_WORDS = {
    "file": "repeats from the file",
    "soft_masked": "repeats from the lower-case letters",
    "none": "repeats unknown, so that negatives match on GC content and ambiguous bases only",
}
_FILTER_WORDS = {
    "split": "windows not wholly inside one block of the split",
    "blacklist": "windows on the blacklist of the assembly, where there is one [@amemiya2019]",
    "n_fraction": "windows with more than {percent} of bases other than A, C, G and T",
    "soft_masked": "windows with more than {percent} of bases in repeats",
    "duplicate": "windows with the sequence of another, on either strand",
    "peak_width": "peaks narrower than {0} bp or wider than {1} bp",
    "chromosomes": "peaks on other chromosomes than {listed}",
    "keep_strongest": "windows that overlap the window of a stronger peak",
    "merge": "peaks that overlap a stronger one, into which they were merged",
    "support": "peaks with a support below {0}",
    "strength": "peaks with a strength below {0}",
}


def describe_test_set(name: str, config: Config) -> str:
    """One sentence on what a test set holds."""
    known = config.battery.test_sets.get(name)
    scheme, ratio = (known.scheme, known.ratio) if known else ("published", None)
    count = f", {ratio:g} per bound window" if ratio else ""
    return f"Positives: bound windows of the test regions. Negatives: {scheme_in_words(scheme, config)}{count}."


def scheme_in_words(name: str, config: Config) -> str:
    """What a scheme or a mixture gives."""
    if name in SCHEME_WORDS:
        return SCHEME_WORDS[name]
    parts = (f"{100 * share:g} % {SCHEME_WORDS[part]}" for part, share in config.negatives.shares_of(name).items())
    return f"a mixture of {'; '.join(parts)}"


def filter_in_words(setting: FilterSetting) -> str:
    """What a filter of positives takes away."""
    values = setting.value if isinstance(setting.value, tuple) else (setting.value,)
    words = _FILTER_WORDS[str(setting.value) if setting.name == "overlap" else setting.name]
    percent = f"{100 * values[0]:g} %" if isinstance(values[0], float) else ""
    return words.format(*values, percent=percent, listed=", ".join(map(str, values)))


def methods_section(config: Config, upstream: Mapping[str, Any], repeats: Mapping[str, str]) -> list[Markup]:
    """Text with a button that copies it, versions, revisions and settings.

    Parameters
    ----------
    config : the whole configuration of the run.
    upstream : provenance of the metrics table; its revisions are listed.
    repeats : assembly to where its repeats are from, as its tile table has it.
    """
    parts, references = numbered(config, upstream, repeats)
    text = [part for title, words in parts for part in (element("h3", title), element("p", words))]
    text += [element("h3", "References"), *(element("p", line) for line in reference_lines(references))]
    revisions = [row([command, cell(n, number=True)]) for command, n in sorted(upstream.get("revisions", {}).items())]
    settings = [row([element("code", name) for name in pair]) for pair in flatten(config.model_dump())]
    return [
        element(
            "p",
            element("button", "Copy the methods", type="button", class_="plain", data_copies=TEXT_ID),
            class_="noprint",
        ),
        element("div", *text, id=TEXT_ID),
        element("h3", "Versions"),
        table(["Package", "Version"], [row(pair) for pair in versions_of(upstream).items()], sortable=False),
        element("p", "Revisions of the commands that made these results (raised by hand when results change):"),
        table(["Command", "Revision"], revisions, numbers=[1], sortable=False),
        element("h3", "Settings"),
        element("p", "The whole configuration of this run; config/README.md explains every key."),
        folded(f"{len(settings)} settings", table(["Key", "Value"], settings, sortable=False)),
    ]


def methods_markdown(config: Config, upstream: Mapping[str, Any], repeats: Mapping[str, str]) -> str:
    """The same text as Markdown: a heading and a paragraph for each part, and the references."""
    parts, references = numbered(config, upstream, repeats)
    texts = ["# Methods", *(f"## {title}\n\n{words}" for title, words in parts), "## References"]
    return "\n\n".join([*texts, *reference_lines(references)]) + "\n"


def numbered(
    config: Config, upstream: Mapping[str, Any], repeats: Mapping[str, str]
) -> tuple[list[tuple[str, str]], Sequence[str]]:
    """Title and text of every part with numbers for citations, and the references in their order."""
    parts = [*paragraphs(config, repeats), ("Software", software(upstream))]
    texts, references = number_citations(text for _, text in parts)
    return [(title, text) for (title, _), text in zip(parts, texts, strict=True)], references


def paragraphs(config: Config, repeats: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Title and text of what was done, from the settings."""
    yield "Positives", _positives(config)
    yield "Split", _split(config)
    yield "Negatives for training", _negatives(config)
    yield "Test sets", _test_sets(config)
    names = {*config.negatives.schemes, *(made.scheme for made in config.battery.test_sets.values())}
    if any("genomic_matched" in config.negatives.shares_of(name) for name in names):
        yield "Matched genomic windows (genomic_matched)", _genomic(config, repeats)
    yield "Audit of negatives", _audit(config)
    yield from evaluation_paragraphs(config)


def _positives(config: Config) -> str:
    settings = config.positives
    least = settings.minimum
    removed = "; ".join(filter_in_words(parse_filter(item)) for item in settings.filters)
    filters = f" Removed were, in this order: {removed}." if removed else ""
    which = ""
    if settings.strongest is not None:
        which = (
            f" Of the windows left, the {settings.strongest:,} strongest were kept, or as many at random where the "
            "peak file ranks none."
        )
    return (
        f"Every peak became one window of {settings.width} bp around its summit, or around its midpoint where the peak "
        f"file gives no summit. Windows that leave their chromosome were dropped.{filters}{which} An experiment with "
        f"fewer than {least.train} training, {least.valid} validation or {least.test} test positives was skipped. "
        "Published sequence sets without coordinates kept their own sequences and their own test set; part of their "
        "training sequences was set aside for validation."
    )


def _split(config: Config) -> str:
    files = ", ".join(f"config/splits/{name}.yaml" for name in config.split)
    several = (
        f" There are {len(config.split)} such splits, each with language models, models and test sets of its own; a "
        "summary of an experiment is the mean over them."
    ) * (len(config.split) > 1)
    return (
        f"Regions for training, validation and test were fixed once per assembly ({files}) before windows, negatives "
        "and language-model corpora were made. A window belongs to a split only if it lies wholly inside one block. No "
        "sequence, reverse complement or overlapping interval of a table stands in two splits: this was checked "
        "whenever a table was written. The regions of training and test tables are disjoint, but a repeat of the "
        "genome may occur in both. Language models were pretrained on training regions only; the weights with the "
        "lowest loss on validation regions were kept, and of each classifier those with the highest AUROC on "
        f"validation examples. All numbers of this report are of the test split.{several}{_homology(config)}"
    )


def _homology(config: Config) -> str:
    settings = config.homology
    if settings.action == "none":
        return ""
    done = {"report": "listed, and metrics are given with and without them", "remove": "removed"}[settings.action]
    return (
        " Test sequences that resemble a training positive of the experiment on either strand (MMseqs2 "
        f"[@steinegger2017], {100 * settings.min_identity:g} % identity over {100 * settings.min_coverage:g} % of the "
        f"sequence or more) were {done}."
    )


def _negatives(config: Config) -> str:
    settings = config.negatives
    parts = [f"{settings.ratio:g} negatives per positive were made, in the split of the positive they belong to."]
    parts += [
        f"{name}: {scheme_in_words(name, config)}." for name in settings.schemes if name not in _SCHEME_PARAGRAPHS
    ]
    used = {scheme for name in settings.schemes for scheme in settings.shares_of(name)}
    parts += [f"{name}: {words(config)}" for name, words in _SCHEME_PARAGRAPHS.items() if name in used]
    parts.append(
        f"Where fewer than {settings.minimum_fraction:g} of the negatives wanted could be made in a split, the table "
        "was skipped; above that it has what could be made."
    )
    return " ".join(parts)


def _shuffled(config: Config) -> str:
    return (
        "an exact shuffle of the positive (Euler path [@altschul1985]) that keeps all dinucleotide counts and the "
        "first and last base; for published sets without coordinates as well."
    )


def _genomic(config: Config, repeats: Mapping[str, str]) -> str:
    settings = config.negatives
    sources = " ".join(f"{assembly}: {REPEAT_WORDS[source]}." for assembly, source in sorted(repeats.items()))
    return (
        "Windows of the same split as the positive were drawn at random among those that match it on GC content "
        f"({settings.gc_bins} bins), on the share of repeats ({settings.repeat_bins} bins) and on ambiguous bases. "
        f"Peaks of the experiment with {settings.exclusion_bp:,} bp around them, and the blacklist where one is given, "
        "were excluded. Repeats are those of the file that the sheet of assemblies names, else the lower-case letters "
        f"of the genome; where there is neither, repeat content was not matched. {sources}"
    ).rstrip()


def _neighbours(config: Config) -> str:
    return (
        f"windows within {config.negatives.neighbour_bp:,} bp of the positive, on both sides, at least "
        f"{config.negatives.exclusion_bp:,} bp from every peak of the experiment, off the blacklist, without "
        "ambiguous bases and without overlaps."
    )


def _others(config: Config) -> str:
    return (
        "windows around summits of other factors' peaks in the same biosample, at least "
        f"{config.negatives.exclusion_bp:,} bp from every peak of the experiment, drawn from a frozen list of "
        "experiments; other experiments of the same TF gave none, and their peaks were kept free too. Of peaks that "
        "overlap one was drawn. With fewer than three other factors the scheme is not defined."
    )


def _accessible(config: Config) -> str:
    return (
        f"windows around summits of open chromatin, {config.negatives.exclusion_bp:,} bp or more from every peak of "
        "the experiment; not defined without a file of open chromatin."
    )


_SCHEME_PARAGRAPHS = {
    "dinucleotide_shuffle": _shuffled,
    "neighbour": _neighbours,
    "other_peaks": _others,
    "accessible_unbound": _accessible,
}


def _test_sets(config: Config) -> str:
    limit = config.battery.max_positives
    sets = " ".join(f"{name}: {describe_test_set(name, config)}" for name in config.battery.test_sets)
    chosen = "" if limit is None else f" At most {limit:,} positives per split, drawn at random, entered a test set."
    return (
        f"Test sets are the same for every model, whatever it was trained on. {sets}{chosen} Each has a validation "
        "twin of the same kind and ratio: where one of the two was short of negatives, as many of the other were left "
        "out. Where a test set is not defined (genomic negatives of sequences without coordinates, too few other "
        "factors), it is absent."
    )


def _audit(config: Config) -> str:
    settings = config.audit
    return (
        "Every set of negatives was measured by what knows no motif: GC content, counts of 1- to 3-mers (logistic "
        "regression, cross-validated, a positive and its negatives in one fold), CpG observed over expected, repeats, "
        f"and distance to the nearest other peak; at most {settings.max_per_class:,} examples of each class per set, "
        "with intervals in closed form for examples in clusters [@delong1988; @obuchowski1997]. A set is suspicious "
        "where something that its scheme preserves tells it from the positives with the lower bound of the AUROC above "
        f"{settings.suspicious_auroc:g}. Before training, all examples were checked against the raw peaks, the genome, "
        "the blocks and the blacklist; an experiment that failed there was not trained on."
    )
