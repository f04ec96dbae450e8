"""The methods of models and evaluation, in words made from the settings; see `bindgram.report.methods`."""

from collections.abc import Iterator, Mapping
from typing import Any

from bindgram.evaluation.calibration import N_BINS
from bindgram.evaluation.comparison import MIN_MODELS, MIN_TFS
from bindgram.evaluation.resampling import MAX_FPR
from bindgram.evaluation.statistics import BLOCKS_PER_TESTED_LENGTH, MIN_POSITIVE_BLOCKS
from bindgram.report.versions import versions_of
from bindgram.settings import Config
from bindgram.settings.baselines import GappedKmerBaseline, KmerBaseline, MotifBaseline

_SOFTWARE = {  # package to how it is called in a text
    "bindgram": "bindgram {}",
    "snakemake": "Snakemake {} [@molder2021]",
    "torch": "PyTorch {} [@paszke2019]",
    "scikit-learn": "scikit-learn {} [@pedregosa2011]",
    "scipy": "SciPy {} [@virtanen2020]",
}


def evaluation_paragraphs(config: Config) -> Iterator[tuple[str, str]]:
    """Title and text of each part."""
    yield "Models and baselines", _models(config)
    yield "Metrics and thresholds", _metrics()
    yield "Calibration", _calibration()
    yield "Intervals", _intervals(config)
    yield "Comparison of models", _comparison(config)
    settings = config.model_dump()
    if (settings.get("interpretation") or {}).get("models"):
        yield "Interpretation", interpretation(settings["interpretation"], config.motifs.library)


def _models(config: Config) -> str:
    return (
        "A model that starts from a language model of k-mers (AWD-LSTM [@merity2018]) is that model, fine-tuned by "
        "concat pooling and gradual unfreezing [@howard2018], as for DNA before [@luo2023]; convolutional models "
        "follow DeepBind [@alipanahi2015] and DanQ "
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
        "We report AUROC, average precision (without interpolation [@saito2015]) and the partial AUROC up to a false "
        f"positive rate of {MAX_FPR:g}, standardised to 0.5 for chance and 1 for no error [@mcclish1989]. Average "
        "precision depends on the share of positives, which is its value for random scores: it is compared within a "
        "test set only. Recall at a false discovery rate of 10 % and of 50 % is given at the natural prevalence, the "
        "share of windows that hold a summit in the training regions, by weighting negatives. Calls are made from "
        "the score that maximises the Matthews correlation (MCC [@matthews1975]) on the validation twin of a test "
        "set, never on the test set; with them come MCC, F1, accuracy, precision, recall and specificity. The strand "
        "difference is the mean absolute difference between the scores of a sequence and of its reverse complement. A "
        "metric that cannot be computed (one class only, equal scores, no validation twin) is reported as not defined, "
        "with the reason; it never has a value by convention."
    )


def _calibration() -> str:
    return (
        "Where scores are log odds, their sigmoid is taken as the probability that a model states. It is measured by "
        f"the Brier score [@brier1950] and the expected calibration error over {N_BINS} bins of equally many examples "
        "[@naeini2015], once as stated, and once after a temperature [@guo2017] and an offset were fitted on the "
        "validation twin by maximum likelihood with smoothed targets [@platt1999]. The offset carries the ratio of "
        "classes of the test set."
    )


def _intervals(config: Config) -> str:
    settings = config.evaluation
    return (
        f"Intervals are {100 * settings.confidence:g} % intervals from the spread of {settings.bootstrap_replicates:,} "
        "bootstrap replicates (Student's t after an arcsine transformation of the square root). Whole genomic "
        "blocks were resampled [@kunsch1989], positives and negatives of a block "
        f"together; a block is 1/{BLOCKS_PER_TESTED_LENGTH} of the tested length, at most {settings.max_block_bp:,} "
        f"bp. Examples without coordinates were resampled one by one. With fewer than {MIN_POSITIVE_BLOCKS} blocks "
        "that hold positives the interval is marked as unreliable. Intervals hold for one trained model; how much "
        "training varies is seen in the seeds."
    )


def _comparison(config: Config) -> str:
    settings = config.evaluation
    return (
        "Two models are compared in each experiment on the same replicates of the test set, seeds averaged: a win or a "
        f"loss is an interval of the difference ({100 * settings.confidence:g} %, {settings.bootstrap_replicates:,} "
        "replicates) that leaves out 0. Differences of AUROC are tested by DeLong's method too [@delong1988; "
        "@sun2014]. Across experiments every transcription factor has one vote, the mean of its experiments: over "
        "factors we give the median difference, the estimate of Hodges and Lehmann with its interval [@hodges1963], "
        "Wilcoxon's signed-rank test [@wilcoxon1945] and the rank-biserial correlation as effect size [@kerby2014]. "
        "P-values are corrected over pairs of models, and those of experiments over the experiments [@benjamini1995]. "
        f"With {MIN_MODELS} models and {MIN_TFS} factors or more, ranks are compared by Friedman's test "
        "[@friedman1937] and Nemenyi's critical difference [@demsar2006], as scikit-posthocs computes it "
        "[@terpilowski2019]."
    )


_ATTRIBUTIONS = {
    "ism": "in-silico mutagenesis [@zhou2015]",
    "integrated_gradients": "integrated gradients [@sundararajan2017]",
    "deeplift": "DeepLIFT against dinucleotide shuffles [@shrikumar2017]",
    "grad_cam": "Grad-CAM for convolutional encoders [@selvaraju2017]",
    "occlusion": "occlusion of windows [@zeiler2014]",
}


_RELEASES = {"JASPAR2024": " [@rauluseviciute2024]", "JASPAR2026": " [@jaspar2026]"}


def interpretation(settings: Mapping[str, Any], library: str) -> str:
    """What models have learnt, from the section ``interpretation`` and the name of the library of motifs."""
    methods = "; ".join(_ATTRIBUTIONS[name] for name in settings["methods"])
    discovery, matching = settings["discovery"], settings["matching"]
    return (
        f"The {settings['n_sequences']:,} test positives with the highest scores of a model, at most, were explained "
        f"base by base: {methods}. Whether an explanation is faithful is measured by deleting and inserting bases in "
        "its order and in random order [@petsiuk2018]. Motifs were discovered by TF-MoDISco [@shrikumar2018] in the "
        f"attributions of {discovery['method'].replace('_', ' ')} and compared with those of "
        f"{library}{_RELEASES.get(library, '')} by TOMTOM [@gupta2007]. A model has recovered the known motif of its "
        f"factor where one of its patterns matches it with a q-value of {matching['max_q_value']:g} or less over the "
        "library; where no motif is known, the question is not defined."
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
