import pandas as pd
import pybigtools
import pytest
from click.testing import CliRunner
from matplotlib.image import imread

from bindgram.cli.regions import regions
from bindgram.data.examples import COLUMNS, ExampleTable, skipped_examples, write_examples


@pytest.fixture
def folder(tmp_path):
    pybigtools.open(str(tmp_path / "a.bw"), "w").write({"chr1": 500}, [("chr1", 0, 10, 1.0)])
    return tmp_path


def run(folder, *words):
    arguments = ["--name", "E", "--title", "CTCF in K562", "--signal", str(folder / "a.bw"), "--max-regions", "5"]
    arguments += [
        "--seed",
        "1",
        "--revision",
        "1",
        "--output",
        str(folder / "r.bed"),
        "--figure",
        str(folder / "f.png"),
    ]
    result = CliRunner().invoke(regions, [*arguments, *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return (folder / "r.bed").read_text()


def test_groups_are_written_and_no_figure(folder):
    rows = [
        ("p", "chr1", 40, 44, ".", 1, "peak", None, "train", "ACCA"),
        ("n", "chr1", 8, 12, ".", 0, "neighbour", None, "train", "ACGA"),
    ]
    write_examples(folder / "e.parquet", ExampleTable(pd.DataFrame(rows, columns=list(COLUMNS))))
    assert run(folder, "--examples", str(folder / "e.parquet")) == "chr1\t40\t44\n#positives\nchr1\t8\t12\n#neighbour\n"
    assert not (folder / "f.png").exists()


def test_skipped_experiment_gets_an_empty_file_and_a_figure_that_says_why(folder):
    write_examples(folder / "e.parquet", skipped_examples("5 positives", {}))
    assert run(folder, "--examples", str(folder / "e.parquet")) == ""
    assert imread(folder / "f.png").std() > 0


def test_union_of_experiments_is_one_group(folder):
    (folder / "union.bed").write_text("chr1\t10\t30\nchr1\t50\t60\n")
    assert run(folder, "--union", str(folder / "union.bed")) == "chr1\t10\t30\nchr1\t50\t60\n#union of positives\n"
    (folder / "union.bed").write_text("")
    assert run(folder, "--union", str(folder / "union.bed")) == ""
