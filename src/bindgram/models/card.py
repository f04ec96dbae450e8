"""The model card: the README of a bundle, in words and with the front matter that Hugging Face reads.

References
----------
Mitchell et al. (2019), Model Cards for Model Reporting, https://arxiv.org/abs/1810.03993
https://huggingface.co/docs/hub/model-cards
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

TITLES = {"language_model": "Language model of k-mers", "classifier": "Binding classifier"}
USES = {
    "language_model": "Starting point for classifiers of the same assembly and split, and a measure of how likely a"
    " sequence is in that genome. Not a classifier itself.",
    "classifier": "Scores windows of the training width for binding in the biosample of its experiment. Scores are"
    " logits relative to the training ratio of negatives, not probabilities of occupancy.",
}
LM_TASKS = {"nats_per_base": "language-modeling", "masked_nats_per_base": "fill-mask"}
TAGS = ("biology", "genomics", "dna")
LIMITS = {
    "language_model": (
        "It knows the genome of its training blocks only; a likelihood is no sign of function.",
        "It was not trained on the validation and test blocks of its split: compare models of one split only.",
    ),
    "classifier": (
        "It speaks of one factor in one biosample. Elsewhere chromatin and partners differ.",
        "It reads sequence alone: neither accessibility nor methylation nor what else is bound.",
        "Metrics hold for the negatives and the share of bound windows of each test set; at the prevalence of the"
        " genome precision is far lower.",
        "Not for clinical use.",
    ),
}
METRIC_TYPES = {"auroc": "roc_auc", "average_precision": "average_precision", "mcc": "matthews_correlation"}


@dataclass(frozen=True)
class Published:
    """What a card says beside what a bundle knows.

    Attributes
    ----------
    name : of the model.
    license : identifier such as ``mit``; see the list of Hugging Face.
    data : what it was trained on, name to text. datasets, tags : identifiers.
    metrics : flat metrics of ``bindgram evaluate``, or nothing.
    confidence : coverage of their intervals. threshold : test set and score from which to call, or nothing.
    costs : name of a job to seconds, CPU seconds and peak memory (MB).
    """

    name: str
    license: str
    data: Mapping[str, str]
    datasets: Sequence[str] = ()
    tags: Sequence[str] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    confidence: float | None = None
    threshold: Mapping[str, Any] | None = None
    costs: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)


def model_card(kind: str, reason: str, metrics: Mapping[str, Any], provenance: Mapping[str, Any]) -> str:
    """The README of a model that is just trained: what it is, from what, how good on validation data.

    Parameters
    ----------
    reason : why the model was not trained; "" where it was.
    """
    if reason:
        return f"# {TITLES[kind]}\n\nNot trained: {reason}.\n"
    return (
        f"# {TITLES[kind]}\n\n{USES[kind]}\n\n{_validation(metrics)}\n\nTest scores stand in the run's metrics, not"
        f" here: training never sees them. `bindgram publish` puts both together.\n\n{_provenance(provenance)}"
    )


def published_card(
    kind: str,
    reason: str,
    settings: Mapping[str, Any],
    metrics: Mapping[str, Any],
    provenance: Mapping[str, Any],
    published: Published,
) -> str:
    """The README of a published model: front matter, use, data, results with intervals, limits, cost and licence."""
    parts = [f"{front_matter(kind, metrics, published)}\n# {published.name}"]
    if reason:
        return "\n\n".join([*parts, f"Not trained: {reason}."]) + "\n"
    parts += [f"{TITLES[kind]} made with bindgram.", f"## Intended use\n\n{USES[kind]}", _how_to_use(kind, settings)]
    parts.append("## Data\n\n" + _table(("what", ""), published.data.items()))
    parts.append(_validation(metrics))
    if published.metrics:
        parts.append(_results(published))
    parts.append("## Limits\n\n" + "\n".join(f"- {text}" for text in LIMITS[kind]))
    if published.costs:
        rows = [(name, *(f"{value:,.0f}" for value in values)) for name, values in published.costs.items()]
        parts.append("## Cost\n\n" + _table(("job", "seconds", "CPU seconds", "peak memory, MB"), rows))
    parts.append(f"## Licence\n\n{published.license}")
    parts.append("## Settings\n\n" + _json(settings))
    parts.append(_provenance(provenance).rstrip("\n"))
    return "\n\n".join(parts) + "\n"


def front_matter(kind: str, metrics: Mapping[str, Any], published: Published) -> str:
    """YAML block with the licence, library, tags, datasets and results, as Hugging Face reads them."""
    results = [_result_of(name, published) for name in test_sets_of(published.metrics)]
    for metric, task in LM_TASKS.items():
        if kind == "language_model" and metrics.get(f"valid_{metric}") is not None:
            value = {"type": metric, "name": metric.replace("_", " "), "value": metrics[f"valid_{metric}"]}
            results.append(_result(task, "validation blocks", [value]))
    block: dict[str, Any] = {
        "license": published.license,
        "library_name": "bindgram",
        "tags": list(dict.fromkeys([*TAGS, "bindgram", *published.tags])),
    }
    if published.datasets:
        block["datasets"] = list(published.datasets)
    if results:
        block["model-index"] = [{"name": published.name, "results": results}]
    return f"---\n{yaml.safe_dump(block, sort_keys=False, allow_unicode=True)}---\n"


def test_sets_of(metrics: Mapping[str, Any]) -> list[str]:
    """Test sets that have results."""
    names = (key.removesuffix(".n_positives") for key in metrics if key.endswith(".n_positives"))
    return sorted(name for name in names if "." not in name and not metrics[f"{name}.reason"])


def _result_of(test_set: str, published: Published) -> dict[str, Any]:
    found = published.metrics
    values = [
        {"type": kind, "name": metric, "value": found[f"{test_set}.{metric}"]}
        for metric, kind in METRIC_TYPES.items()
        if found.get(f"{test_set}.{metric}") is not None
    ]
    return _result("dna-sequence-classification", f"test set {test_set}", values)


def _result(task: str, dataset: str, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    return {"task": {"type": task}, "dataset": {"type": "bindgram", "name": dataset}, "metrics": metrics}


def _results(published: Published) -> str:
    found, rows = published.metrics, []
    for name in test_sets_of(found):
        counts = (f"{found[f'{name}.n_positives']:,}", f"{found[f'{name}.n_negatives']:,}")
        rows.append((name, *(_with_interval(found, f"{name}.{metric}") for metric in METRIC_TYPES), *counts))
    heads = ("test set", "AUROC", "average precision", "MCC", "bound", "unbound")
    coverage = f", {100 * published.confidence:g} % intervals" if published.confidence else ""
    text = f"## Results on test data\n\nOn regions or sequences that were not trained on{coverage}:\n\n"
    text += _table(heads, rows)
    if published.threshold:
        text += (
            f"\n\nCalls are made from a score of {published.threshold['score']:.4f} on, the best on the validation twin"
            f" of {published.threshold['test_set']}."
        )
    return text


def _with_interval(found: Mapping[str, Any], key: str) -> str:
    if found.get(key) is None:
        return "–"
    low, high = found.get(f"{key}.low"), found.get(f"{key}.high")
    interval = f" ({low:.3f} to {high:.3f})" if low is not None and high is not None else ""
    return f"{found[key]:.3f}{interval}"


def _how_to_use(kind: str, settings: Mapping[str, Any]) -> str:
    what = (
        f"It reads windows of {settings.get('width')} bp; longer sequences are scored window by window."
        if kind == "classifier"
        else "It gives each sequence its log-likelihood per base, and starts classifiers: `pretrained: FOLDER`."
    )
    return (
        "## How to use\n\n```bash\nbindgram predict --model FOLDER --fasta sequences.fa --output scores.tsv\n```\n\n"
        f"{what} `FOLDER` is the folder of this file."
    )


def _validation(metrics: Mapping[str, Any]) -> str:
    plain = {name: value for name, value in metrics.items() if not isinstance(value, list | dict)}
    return "## Validation\n\n" + "\n".join(f"- {name}: {value}" for name, value in sorted(plain.items()))


def _table(heads: Sequence[str], rows: Any) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        f"| {' | '.join(' '.join(str(cell).replace('|', '/').split()) for cell in line)} |" for line in lines
    )


def _provenance(provenance: Mapping[str, Any]) -> str:
    return f"## Provenance\n\n{_json(provenance)}\n"


def _json(value: Mapping[str, Any]) -> str:
    return f"```json\n{json.dumps(dict(value), indent=1, sort_keys=True)}\n```"
