"""The methods page of the report: what was done, in words made from the settings, and with which versions."""

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from bindgram.evaluation.statistics import BLOCKS_PER_TESTED_LENGTH, MIN_POSITIVE_BLOCKS
from bindgram.report.html import Markup, cell, element, page, row, table
from bindgram.settings import Config

PACKAGES = ("bindgram", "torch", "numpy", "pandas", "scikit-learn", "scipy", "seqpro", "pysam")
PACKAGES += ("matplotlib", "snakemake")
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
REFERENCES = (
    "AWD-LSTM: Merity, Keskar, Socher 2018, Regularizing and optimizing LSTM language models, arXiv:1708.02182.",
    "Fine-tuning with concat pooling and gradual unfreezing: Howard, Ruder 2018, arXiv:1801.06146.",
    "Convolutional baseline and published sequence sets: Alipanahi et al. 2015, doi:10.1038/nbt.3300.",
    "Exact k-let shuffles: Altschul, Erickson 1985, doi:10.1093/oxfordjournals.molbev.a040370.",
    "MCC: Matthews 1975, doi:10.1016/0005-2795(75)90109-9.",
    "Intervals of the audit: DeLong et al. 1988, doi:10.2307/2531595; Obuchowski 1997, doi:10.2307/2533958.",
    "Colours: Okabe, Ito 2008, Color universal design.",
)


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


def methods_page(
    config: Config, upstream: Mapping[str, Any], provenance: Mapping[str, Any], repeats: Mapping[str, str]
) -> str:
    """The page as HTML.

    Parameters
    ----------
    config : the whole configuration of the run.
    upstream : provenance of the metrics table; its revisions are listed.
    repeats : assembly to where its repeats are from, as its tile table has it.
    """
    revisions = [row([command, cell(n, number=True)]) for command, n in sorted(upstream.get("revisions", {}).items())]
    body: list[Any] = [element("h2", title) + element("p", text) for title, text in paragraphs(config, repeats)]
    body = [Markup(part) for part in body]
    body += [
        element("h2", "Versions"),
        table(["Package", "Version"], [row(pair) for pair in versions().items()], sortable=False),
        element("p", "Revisions of the commands that made these results (raised by hand when results change):"),
        table(["Command", "Revision"], revisions, numbers=[1], sortable=False),
        element("h2", "Settings"),
        element("p", "The whole configuration of this run; config/README.md explains every key."),
        table(["Key", "Value"], [row([_code(k), _code(v)]) for k, v in flatten(config.model_dump())], sortable=False),
        element("h2", "References"),
        element("ul", *(element("li", text) for text in REFERENCES)),
    ]
    return page("Methods, settings and versions", body, provenance)


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
    yield "Models and baselines", _models(config)
    yield "Metrics and thresholds", _metrics(config)
    yield "Intervals", _intervals(config)


def _positives(config: Config) -> str:
    settings = config.positives
    least = settings.minimum
    which = ""
    if settings.strongest is not None:
        which = (
            f" Of the windows left, the {settings.strongest:,} strongest were kept, or as many at random where the "
            "peak file ranks none."
        )
    return (
        f"Every peak became one window of {settings.width} bp around its summit, or around its midpoint where the peak "
        "file gives no summit. Windows that leave their chromosome were dropped. Filters, in this order: "
        f"{', '.join(settings.filter_options) or 'none'}.{which} An experiment with fewer than {least.train} training, "
        f"{least.valid} validation or {least.test} test positives is skipped. Published sequence sets without "
        "coordinates keep their own sequences and their own test set; part of their training sequences is set aside "
        "for validation."
    )


def _split_files(config: Config) -> str:
    return ", ".join(f"config/splits/{name}.yaml" for name in config.split)


def _split(config: Config) -> str:
    several = (
        f" There are {len(config.split)} such splits, each with language models, models and test sets of its own; a "
        "summary of an experiment is the mean over them."
    ) * (len(config.split) > 1)
    return (
        f"Regions for training, validation and test were fixed once per assembly ({_split_files(config)}) "
        "before windows, negatives and language-model corpora were made. A window belongs to a split only if it lies "
        "wholly inside one block. No sequence, reverse complement or overlapping interval of a table stands in two "
        "splits: this is checked whenever a table is written. The regions of training and test tables are disjoint, "
        "but a repeat of the genome may occur in both. Language models were pretrained on training regions only; the "
        "weights with the lowest loss on validation regions were kept, and of each classifier those with the highest "
        "AUROC on validation examples. All numbers of this report are of the test split." + several
    )


def _negatives(config: Config) -> str:
    settings = config.negatives
    parts = [f"{settings.ratio:g} per positive, of the same split as the positive it belongs to."]
    parts += [
        f"{name}: {scheme_in_words(name, config)}." for name in settings.schemes if name not in _SCHEME_PARAGRAPHS
    ]
    used = {scheme for name in settings.schemes for scheme in settings.shares_of(name)}
    parts += [f"{name}: {words(config)}" for name, words in _SCHEME_PARAGRAPHS.items() if name in used]
    parts.append(
        f"Where fewer than {settings.minimum_fraction:g} of the negatives wanted could be made in a split, the table "
        "is skipped; above that it has what could be made (see the data page for what is missing and why)."
    )
    return " ".join(parts)


def _shuffled(config: Config) -> str:
    return (
        "an exact shuffle of the positive (Euler path) that keeps all dinucleotide counts and the first and last base; "
        "for published sets without coordinates as well."
    )


def _genomic(config: Config, repeats: Mapping[str, str]) -> str:
    settings = config.negatives
    sources = " ".join(f"{assembly}: {REPEAT_WORDS[source]}." for assembly, source in sorted(repeats.items()))
    return (
        "Windows of the same split as the positive, drawn at random among those that match it on GC content "
        f"({settings.gc_bins} bins), on the share of repeats ({settings.repeat_bins} bins) and on ambiguous bases. "
        f"Peaks of the experiment with {settings.exclusion_bp:,} bp around them, and the blacklist where one is given, "
        "are excluded. Repeats are those of the file that the sheet of assemblies names, else the lower-case letters "
        f"of the genome; where there is neither, repeat content is not matched. {sources}"
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
        "experiments; other experiments of the same TF give none, and their peaks are kept free too. Of peaks that "
        "overlap one is drawn. With fewer than three other factors the scheme is not defined."
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
    chosen = "" if limit is None else f" At most {limit:,} positives per split, drawn at random, enter a test set."
    return (
        f"The same for every model, whatever it was trained on. {sets}{chosen} Each has a validation twin of the same "
        "kind and ratio: where one of the two is short of negatives, as many of the other are left out. Where a test "
        "set is not defined (genomic negatives of sequences without coordinates, too few other factors), it is absent."
    )


def _audit(config: Config) -> str:
    settings = config.audit
    return (
        "Every set of negatives was measured by what knows no motif: GC content, counts of 1- to 3-mers (logistic "
        "regression, cross-validated, a positive and its negatives in one fold), CpG observed over expected, repeats, "
        f"and distance to the nearest other peak; at most {settings.max_per_class:,} examples of each class per set. A "
        "set is suspicious where something that its scheme preserves tells it from the positives with the lower bound "
        f"of the AUROC above {settings.suspicious_auroc:g}. Before training, all examples were checked against the raw "
        "peaks, the genome, the blocks and the blacklist; an experiment that fails there is not trained on."
    )


def _models(config: Config) -> str:
    baselines = ", ".join(
        f"{name} ({'GC content' if item.k == 0 else f'counts of {item.k}-mers on both strands'})"
        for name, item in config.baselines.items()
    )
    return (
        f"Models: {', '.join(config.models)}, trained with seed(s) {', '.join(map(str, config.seeds))}; negatives and "
        "test sets do not depend on them. Scores are the mean of both strands. Baselines, logistic regressions on "
        f"standardised composition fitted to the same training rows: {baselines or 'none'}. The floor beside every "
        f"score is {config.floor}. Where a model starts from a causal language model, that one alone is a baseline too "
        "(likelihood_<name>): its log-likelihood per base less that of an order-1 Markov model of its own training "
        "corpus, mean of both strands, without any labels."
    )


def _metrics(config: Config) -> str:
    return (
        "AUROC, average precision (as scikit-learn defines it, without interpolation) and the Matthews correlation "
        "(MCC). The MCC threshold of a test set maximises MCC on its validation twin; it is never chosen on the test "
        "set. Average precision depends on the share of positives, which is its value for random scores: compare it "
        "within a test set only."
    )


def _intervals(config: Config) -> str:
    settings = config.evaluation
    return (
        f"{100 * settings.confidence:g} % percentile intervals of {settings.bootstrap_replicates:,} bootstrap "
        f"replicates. Whole genomic blocks are resampled, positives and negatives of a block together; a block is 1/"
        f"{BLOCKS_PER_TESTED_LENGTH} of the tested length, at most {settings.max_block_bp:,} bp. Examples without "
        f"coordinates are resampled one by one. With fewer than {MIN_POSITIVE_BLOCKS} blocks that hold positives the "
        "interval is marked as unreliable. Intervals hold for one trained model; how much training varies is seen in "
        "the seeds."
    )


def versions() -> dict[str, str]:
    """Python, and installed packages by name, without importing them."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def flatten(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys and values of nested settings, in their order."""
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from flatten(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, (list, tuple)):
        texts = [", ".join(f"{k}: {v}" for k, v in i.items()) if isinstance(i, Mapping) else str(i) for i in value]
        yield key, ", ".join(texts) or "(empty)"
    else:
        yield key, "(none)" if value is None or value == {} else str(value)


def _code(text: str) -> Markup:
    return element("code", text)
