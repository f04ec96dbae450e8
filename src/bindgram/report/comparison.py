"""The section that compares models over all experiments, from the file of ``bindgram compare-models``."""

from collections.abc import Mapping
from typing import Any

from bindgram.report.html import Markup, element


def comparison_section(comparison: Mapping[str, Any] | None) -> list[Markup]:
    """Tables and figures of the comparison; a sentence where there is none."""
    if comparison is None:
        return [element("p", "Not available: results/comparison.json is not there yet.")]
    return [element("p", "Pairs of models over all experiments.")]
