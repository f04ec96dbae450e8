from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from bindgram.cli.universe import universe
from bindgram.data.examples import read_examples
from bindgram.data.universe import Universe
from bindgram.errors import InputError


def pool(*names, output="universe.parquet", factors=None):
    """Run the command on three peaks for each name, shifted by its place in the alphabet."""
    words = []
    for name in names:
        shift = 300 * (ord(name[0]) - ord("a"))
        Path(f"{name}.bed").write_text("".join(f"chrA\t{s}\t{s + 60}\n" for s in range(4000 + shift, 29_000, 4000)))
        Path(f"{name}.json").write_text('{"provenance": {"digest": "x", "revisions": {"fetch": 4}}}')
        words += ["--peaks", name, (factors or {}).get(name, name.upper()), "bed", f"{name}.bed", f"{name}.json"]
    Path("sizes").write_text("chrA\t30000\n")
    given = ["--assembly", "tiny", "--biosample", "it's (old)", "--chrom-sizes", "sizes", "--output", output]
    return CliRunner().invoke(universe, [*given, *words, "--revision", "3"], catch_exceptions=False)


def test_peaks_of_all_experiments_stand_in_one_table_with_provenance(case):
    result = pool("b", "c", "d")
    assert result.exit_code == 0
    assert result.output == "it's (old): 21 peaks of 3 experiments\n"
    provenance = Universe.open(Path("universe.parquet")).provenance
    assert provenance["revisions"] == {"fetch": 4, "universe": 3}
    assert provenance["settings"]["factors"] == {"b": "B", "c": "C", "d": "D"}


def test_experiment_given_twice_is_refused(case):
    with pytest.raises(InputError, match="--peaks b is given twice"):
        pool("b", "b")


def test_test_set_of_other_factors_and_its_twin(case):
    pool("b", "c", "d", "f", factors={"f": "E"})  # f is of the same TF
    more = [*case.genome, "--universe", "universe.parquet", "--tf", "E"]
    result = case.battery(("T1", "dinucleotide_shuffle", "1"), ("T3", "other_peaks", "0.5"), more=more)
    assert result.exit_code == 0
    assert "e: T3: other_peaks: 6 of 6 negatives wanted" in result.output
    made = read_examples("T3.parquet")
    assert made.frame.groupby(["split", "label"]).size().to_dict() == {
        ("test", 0): 3, ("test", 1): 6, ("valid", 0): 3, ("valid", 1): 6
    }  # fmt: skip
    assert made.provenance["revisions"] == {"battery": 2, "fetch": 4, "positives": 3, "tile": 5, "universe": 3}
    centres = (made.frame.loc[made.frame["label"] == 0, "start"] + 20 - 30) % 4000
    assert set(centres) <= {300, 600, 900}


def test_universe_leaves_the_other_test_sets_as_they_are(case):
    case.battery(("T1", "dinucleotide_shuffle", "1"))
    alone = Path("T1.parquet").read_bytes()
    pool("b", "c", "d")
    more = [*case.genome, "--universe", "universe.parquet", "--tf", "E"]
    case.battery(("T1", "dinucleotide_shuffle", "1"), ("T3", "other_peaks", "0.5"), more=more)
    assert Path("T1.parquet").read_bytes() == alone


@pytest.mark.parametrize("with_universe", [False, True])
def test_test_set_without_enough_other_factors_is_skipped_and_the_others_are_made(case, with_universe):
    pool("b", "c")
    more = [*case.genome, *(["--universe", "universe.parquet", "--tf", "E"] if with_universe else [])]
    result = case.battery(("T1", "dinucleotide_shuffle", "1"), ("T3", "other_peaks", "1"), more=more)
    assert result.exit_code == 0
    assert read_examples("T1.parquet").status == "ok"
    reason = read_examples("T3.parquet").reason
    assert reason.endswith(": other_peaks is not defined")
    assert ("2 other factors with peaks in this biosample (B, C); 3 needed" in reason) == with_universe


def test_shortage_is_counted_logged_and_skipped_where_it_is_too_great(case):
    pool("b", "c", "d")
    more = [*case.genome, "--universe", "universe.parquet", "--tf", "E"]
    result = case.negatives("other_peaks", *more, ratio="2")
    assert "other_peaks: " in result.output
    counts = pd.read_csv("out/f.tsv", sep="\t").set_index("reason")["n"]
    assert (
        counts["n_wanted"] == 24 == counts["no_other_peak"] + counts["n_negatives_train"] + counts["n_negatives_valid"]
    )
    assert f"missing: no_other_peak {counts['no_other_peak']}" in result.output
    strict = ["--minimum-fraction", "1"]
    assert case.negatives("other_peaks", *more, *strict, ratio="2").exit_code == 0
    assert "less than the fraction 1 (negatives.minimum_fraction)" in read_examples("out/l.parquet").reason
    assert read_examples("out/n.parquet").status == "skipped"


def test_mixture_is_used_like_a_scheme(case):
    mixture = ["--mixture", "half", "neighbour", "0.5", "--mixture", "half", "dinucleotide_shuffle", "0.5"]
    assert case.negatives("half", *case.genome, *mixture).exit_code == 0
    made = read_examples("out/n.parquet")
    assert made.frame["kind"].value_counts().to_dict() == {"neighbour": 12, "dinucleotide_shuffle": 12}
    assert made.provenance["settings"]["shares"] == {"neighbour": 0.5, "dinucleotide_shuffle": 0.5}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["half"], "scheme 'half': neither a scheme .* nor a mixture"),
        (["half", *["--mixture", "half", "neighbour", "1"] * 2], "--mixture half: a scheme is given twice"),
    ],
)
def test_mixture_that_is_none_is_refused(case, words, message):
    with pytest.raises(InputError, match=message):
        case.negatives(*words)
