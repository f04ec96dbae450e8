"""Which experiments a language model adapts to: one, those of a TF, or those of the families of a TF.

Pools come from the frozen universe, never from the sheet, so that a new experiment changes nobody else's model.
"""

from collections.abc import Iterable
from typing import Literal, get_args

from bindgram.settings.sheets import Experiment

Adaptation = Literal["none", "experiment", "tf", "family"]
POOLED = ("tf", "family")
assert set(POOLED) < set(get_args(Adaptation))


def group_of(row: Experiment, how: str) -> str:
    """Name of the group that a language model adapts to for an experiment, as it stands in paths.

    Published sequences have no coordinates, so that a pool might hold what they test on: they adapt to their own. A TF
    without a family is pooled alone.
    """
    if how == "experiment" or not row.has_coordinates:
        return f"experiment-{row.experiment}"
    if how == "family" and row.families:
        return f"family-{row.family_slug}"
    return f"tf-{row.tf}"


def pool_of(row: Experiment, how: str, universe: Iterable[Experiment]) -> list[Experiment]:
    """Experiments of a group, in the order of the universe: those that share the TF, or one family or more."""
    kind = group_of(row, how).partition("-")[0]
    if kind == "experiment":
        return [row]
    near = [other for other in universe if other.assembly == row.assembly and other.has_coordinates]
    if kind == "tf":
        return [other for other in near if other.tf == row.tf]
    return [other for other in near if not set(other.families).isdisjoint(row.families)]
