"""Groups of experiments that language models adapt to."""

import pytest

from bindgram.settings import Experiment
from bindgram.settings.adaptation import group_of, pool_of
from bindgram.settings.sheets import slug


def row(experiment, tf, family, *, assembly="hg38", format="bed"):
    cells = {"experiment": experiment, "biosample": "x", "assembly": assembly, "format": format, "peaks": "p"}
    return Experiment(**cells, tf=tf, family=family, test_sequences=None)


ETS1 = row("ets1", "ETS1", "Ets; AT hook")
UNIVERSE = [
    row("gabpa", "GABPA", "Ets"),
    row("ets1_other_cells", "ETS1", "AT hook; Ets"),
    row("hmga1", "HMGA1", "AT hook"),
    row("ctcf", "CTCF", "C2H2 ZF"),
    row("yy1", "YY1", None),
    row("mouse", "ETS1", "Ets", assembly="mm10"),
    row("published", "ETS1", "Ets", format="gue"),
]


@pytest.mark.parametrize(
    ("experiment", "how", "group", "pool"),
    [
        (ETS1, "experiment", "experiment-ets1", ["ets1"]),
        (ETS1, "tf", "tf-ETS1", ["ets1_other_cells"]),
        (ETS1, "family", f"family-{slug('AT hook;Ets')}", ["gabpa", "ets1_other_cells", "hmga1"]),
        (UNIVERSE[0], "family", "family-Ets", ["gabpa", "ets1_other_cells"]),
        (UNIVERSE[4], "family", "tf-YY1", ["yy1"]),  # no family: its TF alone
        (UNIVERSE[6], "family", "experiment-published", ["published"]),  # a pool might hold its test sequences
        (UNIVERSE[6], "tf", "experiment-published", ["published"]),
        (row("new", "NEW", "Homeodomain"), "family", "family-Homeodomain", []),
    ],
)
def test_an_experiment_adapts_to_a_pool_of_the_universe(experiment, how, group, pool):
    assert group_of(experiment, how) == group
    assert [other.experiment for other in pool_of(experiment, how, UNIVERSE)] == pool


def test_the_order_of_families_in_the_sheet_makes_no_second_group():
    assert group_of(ETS1, "family") == group_of(UNIVERSE[1], "family")
