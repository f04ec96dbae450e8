import pandas as pd
from click.testing import CliRunner

from bindgram.cli.overlap import overlap
from bindgram.data.examples import COLUMNS, ExampleTable, skipped_examples, write_examples
from bindgram.provenance import make_provenance

BASES = "ACGTTGCAAC"


def write_positives(path, starts):
    """Windows of 10 bp, each with a sequence of its own."""
    rows = [
        (f"e{start}", "chr1", start, start + 10, ".", 1, "peak", None, "train", sequence(start)) for start in starts
    ]
    provenance = make_provenance("positives", 1, {})
    write_examples(path, ExampleTable(pd.DataFrame(rows, columns=list(COLUMNS)), provenance=provenance))


def sequence(number):
    return "".join(BASES[int(digit)] for digit in f"{number:010d}")


def run(folder):
    outputs = {"table": "overlap.tsv", "figure": "overlap.svg", "union": "union.bed"}
    words = [word for name, file in outputs.items() for word in (f"--{name}", str(folder / file))]
    words += ["--experiments", "A,B,few", "--template", str(folder / "{experiment}.{split}.parquet"), "--split", "s"]
    words += ["--assembly", "toy", "--max-regions", "2", "--seed", "1", "--revision", "1"]
    result = CliRunner().invoke(overlap, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return [(folder / file).read_text() for file in outputs.values()]


def test_overlap_is_measured_drawn_and_united_and_skipped_experiments_are_named(tmp_path):
    write_positives(tmp_path / "A.s.parquet", [100, 200, 300])
    write_positives(tmp_path / "B.s.parquet", [105, 400])
    write_examples(tmp_path / "few.s.parquet", skipped_examples("2 peaks", make_provenance("positives", 1, {})))
    table, figure, union = run(tmp_path)
    assert table.splitlines()[1:] == ["A\tB\t3\t2\t1\t1\t30\t20\t5\t0.111111"]
    assert "Without positives: few" in figure
    assert "Overlap of positives on toy" in figure
    assert len(union.splitlines()) == 2
    assert set(union.splitlines()) < {"chr1\t100\t115", "chr1\t200\t210", "chr1\t300\t310", "chr1\t400\t410"}
    assert run(tmp_path) == [table, figure, union]
