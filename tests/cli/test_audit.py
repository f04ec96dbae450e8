from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from bindgram.cli.audit import audit
from bindgram.data.examples import read_examples
from bindgram.errors import InputError

MADE = [
    *("--positives", "positives.parquet", "--labelled", "genomic_matched=g/l.parquet"),
    *("--test-set", "T1=T1.parquet", "--test-set", "T2=T2.parquet"),
    *("--filter-table", "g/f.tsv", "--filter-table", "b.tsv"),
]
GENOME = "--genome genome.fa --tiles tiles.h5 --assembly tiny --split split.yaml --peaks peaks.bed --format bed"
NUMBERS = "--exclusion-bp 50 --suspicious-auroc 0.55 --max-per-class 100 --confidence 0.95 --seed 1 --revision 1"


def run(*more, name="out"):
    outputs = ["--audit", f"{name}/audit.tsv", "--sanity", f"{name}/sanity.tsv"]
    arguments = ["--experiment", "e", *NUMBERS.split(), *outputs, *more]
    return CliRunner().invoke(audit, arguments, catch_exceptions=False)


@pytest.fixture
def made(case):
    """Training negatives and two test sets of the tiny experiment."""
    case.negatives("genomic_matched", *case.genome, name="g")
    case.battery(("T1", "dinucleotide_shuffle", "1"), ("T2", "genomic_matched", "2"), more=case.genome)
    return case


def test_audit_and_checks_are_written_for_every_table_and_split_and_are_the_same_twice(made):
    assert run(*MADE, *GENOME.split()).exit_code == 0
    found = pd.read_csv("out/audit.tsv", sep="\t")
    sets = found[["table", "split"]].drop_duplicates().itertuples(index=False, name=None)
    assert list(sets) == [
        *(("labelled/genomic_matched", split) for split in ("train", "valid")),
        *(("T1", split) for split in ("test", "valid")),
        *(("T2", split) for split in ("test", "valid")),
    ]
    by_feature = found[(found["table"] == "T1") & (found["split"] == "test")].set_index("feature")
    assert by_feature.loc[["gc", "kmer1", "kmer2", "cpg"], "auroc"].tolist() == [0.5] * 4
    assert by_feature.loc["kmer2", "judged"] == "yes"
    assert found.loc[found["feature"] == "repeats", "auroc"].notna().sum() == 4  # the genome is soft-masked
    sanity = pd.read_csv("out/sanity.tsv", sep="\t")
    assert (sanity["n_failed"] == 0).all()
    run(*MADE, *GENOME.split(), name="again")
    for name in ("audit.tsv", "sanity.tsv"):
        assert Path("again", name).read_bytes() == Path("out", name).read_bytes()


def test_failed_check_ends_the_command_and_leaves_the_table_of_checks(made):
    Path("peaks.bed").write_text("chrA\t20000\t20100\n")
    with pytest.raises(InputError, match=r"(?s)positives_on_peaks, positives: 18 of 18.*run again"):
        run(*MADE, *GENOME.split())
    sanity = pd.read_csv("out/sanity.tsv", sep="\t").set_index(["check", "table"])
    assert sanity.loc[("positives_on_peaks", "positives"), "n_failed"] == 18
    assert not Path("out/audit.tsv").exists()


def test_published_negatives_are_audited_without_a_genome(case):
    case.become_published()
    case.negatives("dinucleotide_shuffle", name="g")
    case.battery(
        ("published", "published", "1"), more=["--test-sequences", "test.seq", "--sequence-format", "deepbind"]
    )
    tables = [word.replace("genomic_matched", "dinucleotide_shuffle") for word in MADE[:4]]
    result = run(
        *tables, "--test-set", "published=published.parquet", "--filter-table", "b.tsv", "--format", "deepbind"
    )
    assert result.exit_code == 0
    found = pd.read_csv("out/audit.tsv", sep="\t")
    published = found[(found["table"] == "published") & (found["split"] == "test")].set_index("feature")
    assert set(published["scheme"]) == {"published"}
    assert published.loc["kmer2", "judged"] == "yes"
    assert published.loc["peak_distance", "reason"] == "no coordinates"
    assert len(read_examples(Path("published.parquet")).frame) > 0


@pytest.mark.parametrize("missing", ["--tiles", "--assembly", "--split", "--peaks"])
def test_places_are_given_whole_or_not_at_all(made, missing):
    options = GENOME.split()
    at = options.index(missing)
    with pytest.raises(InputError, match=f"--genome is given; give {missing} as well"):
        run(*MADE, *options[:at], *options[at + 2 :])
