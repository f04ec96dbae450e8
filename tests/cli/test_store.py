import json
from pathlib import Path

import numpy as np
import pysam
import pytest
from click.testing import CliRunner

from bindgram.cli.store import store
from bindgram.data.store import Store
from bindgram.errors import InputError

SPLIT = """
assemblies:
  toy:
    train: {a: "chr1:0-200"}
    valid: {b: "chr1:240-300"}
    test: {c: "chr1:340-400"}
hold_out:
  test: {tfs: [MAX]}
"""
SHEET = """experiment\ttf\tbiosample\tassembly\tformat\tpeaks
x\tCTCF\tK562\ttoy\tbed\tx.bed
y\tMAX\tK562\ttoy\tnarrowPeak\ty.narrowPeak
z\tREST\tK562\tother\tbed\tz.bed
"""
OPTIONS = (
    "--experiment-sheet sheet.tsv --peaks-template {experiment}.{format} --record-template {experiment}.{format}.json"
    " --genome genome.fa --genome-record genome.json --assembly toy --split split.yaml --bin-bp 20 --window-bp 40"
    " --min-overlap 0.5 --min-peak-bp 20 --empty-fraction 1 --seed 1 --output out/s.h5 --revision 3"
)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("genome.fa").write_text(">chr1\n" + "ACGT" * 39 + "NCGT" + "ACGT" * 60 + "\n")
    pysam.faidx("genome.fa")
    Path("split.yaml").write_text(SPLIT)
    Path("sheet.tsv").write_text(SHEET)
    Path("x.bed").write_text("chr1\t20\t50\nchr1\t345\t360\n")
    Path("y.narrowPeak").write_text("chr1\t100\t101\tp\t0\t.\t5\t-1\t-1\t0\nchr1\t360\t380\tp\t0\t.\t5\t-1\t-1\t-1\n")
    Path("blacklist.bed").write_text("chr1\t60\t61\n")
    for name in ("genome", "blacklist", "x.bed", "y.narrowPeak"):
        Path(f"{name}.json").write_text(json.dumps({"provenance": {"digest": name, "revisions": {"fetch": 4}}}))
    return tmp_path


def run(*more: str, experiments: str = "x,y"):
    words = [*OPTIONS.split(), "--experiments", experiments, *more]
    return CliRunner().invoke(store, words, catch_exceptions=False)


def test_a_store_holds_the_labels_of_all_experiments_and_knows_how_it_was_made(folder):
    result = run("--blacklist", "blacklist.bed", "--blacklist-record", "blacklist.json")
    assert result.output == "toy: 8 of 10 bins, 2 experiments\n"
    with Store.open(folder / "out/s.h5") as opened:
        rows = opened.regions(np.arange(len(opened)), windows=False)
        # bin 60 is on the blacklist, 140 has an N; MAX is held out into test
        assert rows["start"].tolist() == [20, 40, 80, 100, 120, 160, 260, 360]
        labels = opened.labels(np.arange(len(opened)))
        assert (labels[rows["split"] != "test", 1] == -1).all()
        assert dict(zip(rows["start"], labels[:, 0].tolist(), strict=True))[20] == 1
        known = opened.provenance
    assert (known["command"], known["revision"], known["seed"]) == ("store", 3, 1)
    assert known["revisions"] == {"fetch": 4, "store": 3}
    assert known["inputs"] == {
        **{"genome": "genome", "blacklist": "blacklist"},
        **{"peaks of x": "x.bed", "peaks of y": "y.narrowPeak"},
    }
    assert known["settings"]["columns"][1]["split"] == "test"
    assert str(folder) not in json.dumps(known)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"experiments": "x,q"}, "q: not in the experiment sheet"),
        ({"experiments": "z"}, "z: its assembly is other, not toy"),
        ({"more": ["--blacklist", "blacklist.bed"]}, "--blacklist and --blacklist-record belong together"),
        ({"more": ["--window-bp", "41"]}, "window_bp 41: a window is its bin of 20 bp"),
        ({"more": ["--window-bp", "400"]}, "no window of 400 bp is left in the blocks"),
    ],
)
def test_mistakes_are_named_and_leave_no_file(folder, arguments, message):
    with pytest.raises(InputError, match=message):
        run(*arguments.get("more", []), experiments=arguments.get("experiments", "x,y"))
    assert not list(folder.glob("out/*"))


def test_peaks_of_another_assembly_are_named_with_file_and_line(folder):
    Path("x.bed").write_text("chr1\t20\t50\nchr7\t20\t50\n")
    with pytest.raises(InputError, match=r"x\.bed:2: chromosome 'chr7' is not in the assembly"):
        run()
    assert not list(folder.glob("out/*"))


def test_a_blacklist_of_another_assembly_is_refused(folder):
    Path("blacklist.bed").write_text("1\t60\t61\n")
    with pytest.raises(InputError, match=r"blacklist\.bed: no region of the blacklist .* one is on 1; it has chr1"):
        run("--blacklist", "blacklist.bed", "--blacklist-record", "blacklist.json")
    assert not list(folder.glob("out/*"))
