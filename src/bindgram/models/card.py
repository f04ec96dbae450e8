"""The model card: the README of a bundle, in words and with the front matter that Hugging Face reads.

References
----------
Mitchell et al. (2019), Model Cards for Model Reporting, https://arxiv.org/abs/1810.03993
https://huggingface.co/docs/hub/model-cards
"""

import json
from collections.abc import Mapping
from typing import Any

TITLES = {"language_model": "Language model of k-mers", "classifier": "Binding classifier"}
USES = {
    "language_model": "Starting point for classifiers of the same assembly and split. Not a classifier itself.",
    "classifier": "Scores windows of the training width for binding in the biosample of its experiment. Scores are"
    " logits relative to the training ratio of negatives, not probabilities of occupancy.",
}


def model_card(kind: str, reason: str, metrics: Mapping[str, Any], provenance: Mapping[str, Any]) -> str:
    """The README of a model that is just trained: what it is, from what, how good on validation data.

    Parameters
    ----------
    reason : why the model was not trained; "" where it was.
    """
    if reason:
        return f"# {TITLES[kind]}\n\nNot trained: {reason}.\n"
    found = "\n".join(f"- {name}: {value}" for name, value in sorted(metrics.items()) if not isinstance(value, list))
    return (
        f"# {TITLES[kind]}\n\n{USES[kind]}\n\n## Validation\n\n{found}\n\nTest scores stand in the run's metrics, not"
        " here: training never sees them. `bindgram publish` puts both together.\n\n## Provenance\n\n"
        f"```json\n{json.dumps(dict(provenance), indent=1, sort_keys=True)}\n```\n"
    )
