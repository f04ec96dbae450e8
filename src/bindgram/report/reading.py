"""How to read the report: for a biologist, and what each metric and test set means."""

from bindgram.evaluation.metrics import METRICS
from bindgram.report.html import Markup, element, row, table
from bindgram.report.lines import FLAG_MEANINGS, FLAG_NAMES
from bindgram.report.methods import describe_test_set
from bindgram.settings import Config


def reading_section(config: Config, *, likelihood: bool) -> list[Markup]:
    """Questions of somebody who knows the factor and not the method; `likelihood` says whether there is such a row."""
    confidence = f"{100 * config.evaluation.confidence:g} %"
    test_set = config.headline.test_set
    floor = config.floor
    asked = [
        (
            "Can I trust the model of my factor?",
            f"Find it in the table by its name. Look at {test_set}, then at the floor below the score: a model that "
            "knows "
            "nothing but the composition of the sequences ("
            + floor
            + "). A score in blue lies above the floor with its "
            "whole interval. What does not is no evidence of a binding motif, however high it is. Then read the "
            "warnings, and "
            "open the experiment: the seeds should agree, and the calibration curve should follow the diagonal.",
        ),
        (
            "What did it learn?",
            "The column Motif says whether patterns that drive the scores match the motif that JASPAR has for the "
            "factor. No "
            "means that the model separates bound from unbound without it: by a partner's motif, by composition, or by "
            "chance. Not defined means that nothing is known to compare with, and says why.",
        ),
        (
            "Why are there several test sets?",
            "Negatives (unbound sequences) of several kinds ask different questions. A model that is good against "
            "shuffles "
            "and not against real genomic windows has learnt what real DNA looks like, not what binds. "
            + " ".join(f"{name}. {describe_test_set(name, config)}" for name in config.battery.test_sets)
            + " T4. Every window of a region of the test chromosomes, as rare as bound windows really are.",
        ),
        (
            "How sure are the numbers?",
            f"The small numbers are {confidence} intervals from resampling blocks of the genome; they hold for the "
            "trained "
            "model. How much training itself varies is seen in the seeds, which are shown one by one. With few test "
            "blocks an "
            "interval is marked as unreliable.",
        ),
        (
            "What are these models not?",
            "They read a short window of DNA. They know nothing of the cell: chromatin, partners, dose. A score is "
            "evidence "
            "that a sequence can be bound, not that it is bound in your cells. Scores are log odds under the ratio of "
            "negatives in training, no probabilities of binding.",
        ),
    ]
    meanings = [f"{FLAG_NAMES[name]}: {meaning}." for name, meaning in FLAG_MEANINGS.items()]
    asked.append(("What do the warnings mean?", " ".join(text[0].upper() + text[1:] for text in meanings)))
    if likelihood:
        asked.append(("What is likelihood_...?", LIKELIHOOD))
    return [part for question, answer in asked for part in (element("h3", question), element("p", answer))]


LIKELIHOOD = (
    "A row likelihood_<language model> has seen no peak: it is the language model alone, scoring how much more it "
    "takes a "
    "sequence for genomic DNA than a model does that knows only which base tends to follow which (difference of the "
    "log-likelihoods per base; an order-1 Markov model). It tells real DNA from shuffles without knowing any binding "
    "site. So "
    "on test sets of shuffles a pretrained model shows binding only as far as it lies above this row, and a gain "
    "counts only "
    "where it holds on genomic negatives too."
)


def definitions_section() -> list[Markup]:
    """One row for each metric: name, unit, which way is better, what it is and where it is from."""
    better = {"higher": "higher is better", "lower": "lower is better"}
    rows = [
        row([element("strong", item.title), item.unit, better.get(item.better, ""), item.definition, item.reference])
        for item in METRICS.values()
    ]
    heads = ["Metric", "Unit", "", "What it is", "Reference"]
    text = "A metric that cannot be computed has no value but a reason, which starts with “not defined”."
    return [element("p", text, class_="key"), table(heads, rows, sortable=False)]
