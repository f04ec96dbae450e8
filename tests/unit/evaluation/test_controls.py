import numpy as np
import pandas as pd
import pytest

from bindgram.errors import InputError
from bindgram.evaluation.control_figures import efficiency_figure
from bindgram.evaluation.controls import (
    EFFICIENCY_COLUMNS,
    PERMUTED_COLUMNS,
    describe_verdict,
    efficiency_table,
    medians_over_tfs,
    permuted_table,
    permuted_verdicts,
    sizes_of,
)
from bindgram.evaluation.figures import save_figure


def metrics(schemes, values, *, experiments=8, seeds=("1", "2"), **columns):
    """A collected table: value of scheme `s` of every experiment is ``values[s]`` plus a little per experiment."""
    rows = [
        {
            **{"experiment": f"E{number}", "tf": f"TF{number}", "biosample": "K562", "split": "f", "model": "cnn"},
            **{"scheme": scheme, "seed": seed, "test_set": "T2", "metric": metric, "flag": ""},
            "value": values[scheme] + number / 100,
            **{"low": values[scheme] - 0.1, "high": values[scheme] + 0.1, "status": "ok", "reason": ""},
        }
        for scheme in schemes
        for number in range(experiments)
        for seed in seeds
        for metric in ("auroc", "average_precision", "mcc")
    ]
    return pd.DataFrame(rows).assign(**columns)


COUNTS = {"matched": 700, "matched-n250": 250, "matched-n500": 500}
VALUES = {"matched": 0.8, "matched-n250": 0.6, "matched-n500": 0.7}


def count(split, experiment, scheme):
    return COUNTS[scheme]


@pytest.fixture
def efficiency():
    return efficiency_table(metrics(VALUES, VALUES), count)


def test_table_names_the_numbers_asked_for_and_those_there_were(efficiency):
    assert tuple(efficiency.columns) == EFFICIENCY_COLUMNS
    first = efficiency[(efficiency["experiment"] == "E0") & (efficiency["metric"] == "auroc")]
    rows = first.loc[first["seed"] == "1", ["scheme", "positives", "n_positives", "value"]]
    assert rows.to_numpy().tolist() == [
        ["matched", "250", 250, 0.6],
        ["matched", "500", 500, 0.7],
        ["matched", "all", 700, 0.8],
    ]
    assert set(efficiency["metric"]) == {"auroc", "average_precision"}
    assert sizes_of(efficiency) == ["250", "500", "all"]


def test_numbers_without_enough_positives_stay_in_the_table_with_the_reason():
    skipped = metrics(["matched-n500"], VALUES, experiments=1, seeds=("1",)).head(1)
    reason = "not defined: 300 training positives; a subset of 500 needs more"
    skipped = skipped.assign(metric="", test_set="", value=np.nan, status="skipped", reason=reason)
    (row,) = efficiency_table(skipped, lambda *key: 0).to_dict("records")
    assert (row["positives"], row["n_positives"], row["status"], row["reason"]) == ("500", 0, "skipped", reason)


def test_curves_stand_on_tfs_that_have_every_number(efficiency):
    rows = efficiency[efficiency["metric"] == "auroc"]
    few = rows[(rows["positives"] != "500") | (rows["tf"] <= "TF4")]
    medians, n_tfs, same = medians_over_tfs(few, ["250", "500", "all"])
    assert (same, n_tfs) == (True, {"250": 5, "500": 5, "all": 5})
    value = medians.set_index(["positives", "seed"]).loc[("all", "1"), "value"]
    assert value == pytest.approx(0.82)  # of TF0 to TF4, and not of all eight
    fewer = rows[(rows["positives"] != "500") | (rows["tf"] <= "TF2")]
    _, n_tfs, same = medians_over_tfs(fewer, ["250", "500", "all"])
    assert (same, n_tfs) == (False, {"250": 8, "500": 3, "all": 8})


def test_figure_has_a_curve_per_model_and_the_same_bytes_every_time(tmp_path, efficiency):
    both = pd.concat([efficiency, efficiency.assign(model="gc", value=0.55)])
    for name in ("one", "two"):
        save_figure(efficiency_figure(both, sizes_of(both), "T2", "auroc"), tmp_path / f"{name}.svg", {})
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    assert all(word in text for word in ('id="cnn"', 'id="gc"', "the same 8 TFs at every number", "all, 700"))


def test_figure_without_scores_says_why(tmp_path, efficiency):
    nothing = efficiency.assign(value=np.nan, reason="not defined: 12 training positives")
    save_figure(efficiency_figure(nothing, ["250"], "T2", "auroc"), tmp_path / "f.svg", {})
    assert "12 training positives" in (tmp_path / "f.svg").read_text()


def permuted(values, half_width=0.05):
    values = np.asarray(values)
    frame = metrics(["matched-permuted"], {"matched-permuted": 0.5}, experiments=len(values), seeds=("1",))
    frame = frame[frame["metric"] == "auroc"]
    return frame.assign(value=values, low=values - half_width, high=values + half_width)


def test_permuted_table_says_of_each_interval_whether_it_holds_a_half():
    table = permuted_table(pd.concat([permuted([0.5, 0.56, 0.4]), permuted([0.5]).assign(low=np.nan, high=np.nan)]))
    assert tuple(table.columns) == PERMUTED_COLUMNS
    assert set(table["scheme"]) == {"matched"}
    assert sorted(table["holds_half"]) == ["", "no", "no", "yes"]


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        (np.linspace(0.46, 0.54, 40), "as expected"),
        (np.linspace(0.35, 0.65, 40), "scattered"),
        (np.linspace(0.50, 0.56, 40), "shifted"),
    ],
)
def test_verdict_tells_scatter_from_a_shift(values, verdict):
    (found,) = permuted_verdicts(permuted_table(permuted(values)), 0.95)
    assert found["verdict"] == verdict
    assert (found["n"], found["expected"]) == (40, 38)
    assert (found["expected_low"], found["expected_high"]) == (35, 40)
    assert found["centre"] == pytest.approx(values.mean(), abs=1e-9)
    assert f"{found['n_hold_half']} of 40 intervals hold 0.5, expected 38.0 (35 to 40)" in describe_verdict(found)


def test_verdict_without_intervals_is_not_defined():
    nothing = permuted([0.5, 0.5]).assign(value=np.nan, low=np.nan, high=np.nan)
    (found,) = permuted_verdicts(permuted_table(nothing), 0.95)
    assert (found["n"], found["centre"]) == (0, None)
    assert found["verdict"].startswith("not defined: ")
    assert permuted_verdicts(permuted_table(nothing.assign(test_set="", metric="")), 0.95) == []


def test_tables_of_the_other_control_are_refused():
    with pytest.raises(InputError, match="matched was trained on true labels"):
        permuted_table(metrics(["matched"], VALUES))
    with pytest.raises(InputError, match="matched-permuted was trained on permuted labels"):
        efficiency_table(permuted([0.5]), count)
