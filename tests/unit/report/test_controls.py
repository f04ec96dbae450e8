import json
import re

import numpy as np
import pandas as pd
import pytest

from bindgram.errors import InputError
from bindgram.evaluation.controls import EFFICIENCY_COLUMNS
from bindgram.report.controls import Controls, controls_section, read_controls
from bindgram.report.headline import Headline

HEADLINE = Headline("T2", "auroc", "AUROC", "kmer3_lr")
VERDICT = {
    **{"split": "f", "scheme": "genomic_matched", "model": "cnn", "test_set": "T2", "n": 50, "n_hold_half": 48},
    **{"expected": 47.5, "expected_low": 44, "expected_high": 50, "centre": 0.501, "low": 0.49, "high": 0.512},
    **{"verdict": "as expected", "reason": ""},
}


def efficiency(**changed):
    rows = [
        {
            **{"experiment": f"E{at}", "tf": f"TF{at}", "biosample": "K562", "split": "f", "scheme": "s"},
            **{"positives": size, "n_positives": n, "model": "cnn", "seed": 1, "test_set": "T2", "metric": "auroc"},
            **{"value": value, "low": value - 0.05, "high": value + 0.05, "status": "ok", "reason": ""},
        }
        for at in range(2)
        for size, n, value in (("250", 250, 0.6), ("all", 900, 0.8 + at / 10))
    ]
    return pd.DataFrame(rows)[list(EFFICIENCY_COLUMNS)].assign(**changed)


def test_what_was_not_asked_for_has_the_command_that_makes_it(visible, tmp_path):
    text = visible(controls_section(read_controls(tmp_path / "absent.tsv", None), HEADLINE))
    for target in ("data_efficiency", "permuted_control"):
        assert f"Not asked for: snakemake {target} makes it, then snakemake --forcerun write_report shows it." in text


def test_scores_stand_by_number_of_positives_beside_the_figure(visible, tmp_path):
    efficiency().to_csv(tmp_path / "d.tsv", sep="\t", index=False)
    without = controls_section(read_controls(tmp_path / "d.tsv", None), HEADLINE)
    assert "<details open" in "".join(without)
    (tmp_path / "d.svg").write_text("<svg/>")
    made = controls_section(read_controls(tmp_path / "d.tsv", None), HEADLINE)
    assert re.search(r'<img class="chart" src="data:image/svg\+xml;base64,[^"]+" alt="AUROC on T2', "".join(made))
    assert "Model 250 all cnn 0.600 2 TFs 0.850 2 TFs" in visible(made)
    assert "TFs differ between numbers" in visible(made)


def test_number_of_positives_without_a_score_has_none(visible):
    frame = efficiency()
    frame.loc[frame["positives"] == "250", ["value", "status", "reason"]] = [np.nan, "skipped", "not defined: few"]
    assert "cnn – 0.850 2 TFs" in visible(controls_section(Controls(frame), HEADLINE))
    gone = efficiency(value=np.nan, reason="not defined: few")
    assert "not defined: few" in visible(controls_section(Controls(gone), HEADLINE))


def test_verdicts_of_permuted_labels_say_what_is_suspicious(visible):
    made = {"confidence": 0.95, "verdicts": [VERDICT]}
    text = visible(controls_section(Controls(permuted=made), HEADLINE))
    assert "All that could be measured is as expected of chance." in text
    assert "T2 cnn f genomic matched as expected 48 of 50 44 to 50 0.501 0.490 to 0.512" in text
    shifted = VERDICT | {"verdict": "shifted", "centre": None, "low": None, "high": None, "reason": "not defined: 1 TF"}
    html = "".join(controls_section(Controls(permuted=made | {"verdicts": [VERDICT, shifted]}), HEADLINE))
    assert '<span class="warning">shifted</span>' in html
    assert "1 of 2 are as expected" in visible(html)
    assert "– not defined: 1 TF" in visible(html)
    assert "not defined: no interval" in visible(controls_section(Controls(permuted=made | {"verdicts": []}), HEADLINE))


@pytest.mark.parametrize(("name", "text"), [("d.tsv", "a\tb\n"), ("p.json", json.dumps({"a": 1}))])
def test_another_file_is_refused_by_name(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=name):
        read_controls(tmp_path / "d.tsv", tmp_path / "p.json")
