"""``bindgram vary``, and the tables of what it is for: ``data-efficiency`` and ``permuted-control``."""

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from bindgram.cli.data_efficiency import data_efficiency
from bindgram.cli.permuted_control import permuted_control
from bindgram.cli.vary import vary
from bindgram.data.examples import read_examples
from bindgram.errors import InputError
from bindgram.evaluation.collect import COLUMNS, Collected, write_collected
from bindgram.evaluation.variants import count_positives


@pytest.fixture
def labelled(case):
    """``out/l.parquet`` of the working folder: six training positives with two negatives each."""
    assert case.negatives("genomic_matched", *case.genome).exit_code == 0
    return read_examples(Path("out/l.parquet"))


def run(variant, output="v.parquet", seed="1"):
    arguments = ["--experiment", "e", "--labelled", "out/l.parquet", "--variant", variant, "--seed", seed]
    result = CliRunner().invoke(vary, [*arguments, "--output", output, "--revision", "1"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return read_examples(Path(output))


def test_subset_is_written_with_its_provenance(labelled):
    table = run("n3")
    assert count_positives(table.frame) == 3
    assert len(table.of_split("valid")) == len(labelled.of_split("valid"))
    assert table.provenance["settings"]["variant"] == "n3"
    assert table.provenance["inputs"]["labelled"] == labelled.provenance["digest"]
    assert {"vary", "negatives"} <= set(table.provenance["revisions"])


def test_same_seed_gives_the_same_bytes_and_another_seed_another_subset(labelled):
    first = run("n3").frame
    one = Path("v.parquet").read_bytes()
    run("n3")
    assert Path("v.parquet").read_bytes() == one
    others = [run("n3", seed=str(seed)).frame["example_id"].tolist() for seed in range(2, 6)]
    assert any(ids != first["example_id"].tolist() for ids in others)


def test_permuted_table_has_the_same_rows(labelled):
    table = run("permuted")
    assert table.frame["example_id"].tolist() == labelled.frame["example_id"].tolist()
    assert count_positives(table.frame) == count_positives(labelled.frame)


def test_subset_of_all_is_skipped_and_not_all_under_another_name(labelled):
    table = run("n6")
    assert (table.skipped, table.reason) == (True, "not defined: 6 training positives; a subset of 6 needs more")


def test_unknown_variant_is_refused(labelled):
    with pytest.raises(InputError, match="--variant half: not known"):
        run("half")


def write_metrics(path, schemes, model="cnn"):
    rows = [
        {
            **{"experiment": f"E{number}", "tf": f"TF{number}", "biosample": "K562", "model": model, "scheme": scheme},
            **{"seed": "1", "split": "f", "test_set": "T2", "metric": metric, "value": 0.5 + number / 500, "low": 0.45},
            **{"high": 0.57, "flag": "", "status": "ok", "reason": ""},
        }
        for scheme in schemes
        for number in range(6)
        for metric in ("auroc", "average_precision")
    ]
    frame = pd.DataFrame(rows).reindex(columns=list(COLUMNS))
    write_collected(path, Collected(frame, {"m": {"digest": "x", "revisions": {"evaluate": 1}}}), 1)


def test_table_and_figure_of_data_efficiency(labelled):
    for name, variant in (("s", None), ("s-n3", "n3")):
        table = Path("out/l.parquet") if variant is None else Path("v.parquet")
        if variant:
            run(variant)
        Path(f"{name}.parquet").write_bytes(table.read_bytes())
    write_metrics(Path("m.tsv"), ["s", "s-n3"])
    arguments = ["--metrics", "m.tsv", "--labelled-template", "{scheme}.parquet", "--headline-test-set", "T2"]
    arguments += ["--headline-metric", "auroc", "--output", "d.tsv", "--figure", "d.svg", "--revision", "1"]
    result = CliRunner().invoke(data_efficiency, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    frame = pd.read_csv("d.tsv", sep="\t")
    assert set(zip(frame["positives"], frame["n_positives"], strict=True)) == {("3", 3), ("all", 6)}
    assert "the same 6 TFs at every number" in Path("d.svg").read_text()


def test_permuted_control_counts_intervals(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_metrics(Path("m.tsv"), ["s-permuted"])
    arguments = ["--metrics", "m.tsv", "--confidence", "0.95", "--output", "p.tsv", "--verdict", "p.json"]
    result = CliRunner().invoke(permuted_control, [*arguments, "--revision", "1"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    (found,) = json.loads(Path("p.json").read_text())["verdicts"]
    assert (found["scheme"], found["n"], found["n_hold_half"]) == ("s", 6, 6)
    assert "6 of 6 intervals hold 0.5" in result.output
    assert len(pd.read_csv("p.tsv", sep="\t")) == 6
