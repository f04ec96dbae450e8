"""The methods of models and evaluation, in words made from the settings; see `bindgram.report.methods`."""

from collections.abc import Iterator, Mapping
from typing import Any

from bindgram.evaluation.statistics import BLOCKS_PER_TESTED_LENGTH, MIN_POSITIVE_BLOCKS
from bindgram.report.versions import versions_of
from bindgram.settings import Config
from bindgram.settings.baselines import GappedKmerBaseline, KmerBaseline, MotifBaseline

_SOFTWARE = {  # package to how it is called in a text
    "bindgram": "bindgram {}",
    "snakemake": "Snakemake {} [@molder2021]",
    "torch": "PyTorch {} [@paszke2019]",
    "scikit-learn": "scikit-learn {} [@pedregosa2011]",
}


def evaluation_paragraphs(config: Config) -> Iterator[tuple[str, str]]:
    """Title and text of each part."""
    yield "Models and baselines", _models(config)
    yield "Metrics and thresholds", _metrics()
    yield "Intervals", _intervals(config)


def _models(config: Config) -> str:
    return (
        "Language models of k-mers (AWD-LSTM [@merity2018]) were fine-tuned by concat pooling and gradual unfreezing "
        "[@howard2018], as for DNA before [@luo2023]; convolutional models follow DeepBind [@alipanahi2015] and DanQ "
        f"[@quang2016]. Models of this run: {', '.join(config.models)}, trained with seed(s) "
        f"{', '.join(map(str, config.seeds))}; negatives and test sets do not depend on them. Scores are the mean of "
        f"both strands. {' '.join(_baselines(config))} The floor beside every score is {config.floor}."
    )


def _baselines(config: Config) -> Iterator[str]:
    """One sentence for each kind of baseline that the run has."""
    if config.trained_baselines:
        yield f"Networks trained alike as baselines: {', '.join(config.trained_baselines)}."
    kmers = {name: item.k for name, item in config.baselines.items() if isinstance(item, KmerBaseline)}
    counted = (f"{name} ({f'counts of {k}-mers on both strands' if k else 'GC content'})" for name, k in kmers.items())
    yield (
        "Further baselines were logistic regressions on standardised composition fitted to the same training rows: "
        f"{', '.join(counted)}."
    )
    for name, item in config.baselines.items():
        if isinstance(item, MotifBaseline):
            yield (
                f"{name} is the best match on either strand of a motif of the factor in {config.motifs.library}, with "
                "a pseudocount of the root of the number of sites [@wasserman2004]; of several motifs the one with the "
                "highest AUROC on the training rows."
            )
        if isinstance(item, GappedKmerBaseline):
            yield (
                f"{name} is a support vector machine on gapped k-mers [@ghandi2014] by LS-GKM [@lee2016], kernel "
                f"{item.kernel}, words of {item.word_length} bp with {item.informative} informative bases and up to "
                f"{item.max_mismatches} mismatches, on at most {item.max_train:,} training rows."
            )
    if config.likelihood:
        yield (
            "Where a model starts from a causal language model, that one alone is a baseline too (likelihood_<name>): "
            "its log-likelihood per base less that of an order-1 Markov model of its own training corpus, mean of both "
            "strands, without any labels."
        )


def _metrics() -> str:
    return (
        "We report AUROC, average precision (without interpolation [@saito2015]) and the Matthews correlation (MCC "
        "[@matthews1975]). The MCC threshold of a test set maximises MCC on its validation twin; it was never chosen "
        "on the test set. Average precision depends on the share of positives, which is its value for random scores: "
        "it is compared within a test set only."
    )


def _intervals(config: Config) -> str:
    settings = config.evaluation
    return (
        f"Intervals are {100 * settings.confidence:g} % percentile intervals of {settings.bootstrap_replicates:,} "
        "bootstrap replicates. Whole genomic blocks were resampled [@kunsch1989], positives and negatives of a block "
        f"together; a block is 1/{BLOCKS_PER_TESTED_LENGTH} of the tested length, at most {settings.max_block_bp:,} "
        f"bp. Examples without coordinates were resampled one by one. With fewer than {MIN_POSITIVE_BLOCKS} blocks "
        "that hold positives the interval is marked as unreliable. Intervals hold for one trained model; how much "
        "training varies is seen in the seeds."
    )


def software(upstream: Mapping[str, Any]) -> str:
    """What was used, with versions.

    Parameters
    ----------
    upstream : provenance of the metrics table; see `versions_of`.
    """
    versions = versions_of(upstream)
    used = [words.format(versions[name]) for name, words in _SOFTWARE.items() if name in versions]
    return f"All steps were run by {', '.join(used[:-1])} and {used[-1]}, on Python {versions['python']}."
