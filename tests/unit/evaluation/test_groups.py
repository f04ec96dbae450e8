import numpy as np
import pandas as pd
import pybigtools
import pytest

from bindgram.data.examples import COLUMNS, ExampleTable, skipped_examples, write_examples
from bindgram.errors import InputError
from bindgram.evaluation.groups import check_signal, draw_placed, grouped_bed_text, read_groups


def example(name, start, label=0, kind="genomic_matched", sequence="ACGT"):
    place = ("chr1", start, start + 4, ".") if start is not None else (None, None, None, None)
    return (name, *place, label, kind, None, "train", sequence)


def write(path, *rows):
    write_examples(path, ExampleTable(pd.DataFrame(rows, columns=list(COLUMNS))))
    return path


def test_each_row_stands_once_in_its_group_positives_first(tmp_path):
    positives = write(tmp_path / "p.parquet", example("p1", 40, 1, "peak", "AAAC"), example("p2", 8, 1, "peak", "CCCA"))
    labelled = write(tmp_path / "l.parquet", example("p1", 40, 1, "peak", "AAAC"), example("n1", 60, sequence="GGAC"))
    shuffles = write(tmp_path / "T1.parquet", example("s1", None, 0, "dinucleotide_shuffle", "GTCA"))
    groups, reason, provenances = read_groups([positives, labelled, shuffles])
    assert {name: sorted(rows["example_id"]) for name, rows in groups.items()} == {
        "positives": ["p1", "p2"],
        "dinucleotide shuffle": ["s1"],
        "genomic matched": ["n1"],
    }
    assert next(iter(groups)) == "positives"
    assert reason == ""
    assert len(provenances) == 3
    text = grouped_bed_text(draw_placed(groups, 10, np.random.default_rng(1)))
    assert text == "chr1\t8\t12\nchr1\t40\t44\n#positives\nchr1\t60\t64\n#genomic matched\n"


def test_large_groups_are_thinned_alike_every_time():
    rows = pd.DataFrame({"chrom": "chr1", "start": np.arange(100.0), "end": np.arange(100.0) + 4})
    drawn = [draw_placed({"positives": rows}, 7, np.random.default_rng(5))["positives"] for _ in range(2)]
    assert len(drawn[0]) == 7
    assert drawn[0].equals(drawn[1])
    assert drawn[0]["start"].is_monotonic_increasing
    assert drawn[0]["start"].dtype == np.int64


def test_skipped_experiment_has_no_groups_but_a_reason(tmp_path):
    write_examples(tmp_path / "p.parquet", skipped_examples("5 positives", {}))
    groups, reason, _ = read_groups([tmp_path / "p.parquet"])
    assert groups == {}
    assert reason == "5 positives"


@pytest.mark.parametrize(
    ("chroms", "message"),
    [
        ({"1": 1000}, "none of the chromosomes of the examples .chr1. is in it; it has 1"),
        ({"chr1": 30}, "has 30 bp in it"),
    ],
)
def test_signal_of_another_assembly_is_refused(tmp_path, chroms, message):
    path = tmp_path / "a.bw"
    pybigtools.open(str(path), "w").write(chroms, [(next(iter(chroms)), 0, 10, 1.0)])
    regions = pd.DataFrame({"chrom": ["chr1"], "start": [40], "end": [44]})
    with pytest.raises(InputError, match=f"a.bw: .*{message}"):
        check_signal({"positives": regions}, path)
