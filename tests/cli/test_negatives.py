import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bindgram.data.examples import read_examples, skipped_examples, write_examples
from bindgram.data.tiles import Tiles
from bindgram.errors import InputError
from bindgram.genome.regions import make_regions, overlaps, subtract
from bindgram.sequence.dna import strings_of


def read_table(path):
    return pd.read_csv(path, sep="\t")


def test_genomic_negatives_are_written_with_labelled_examples_and_counts(case):
    assert case.negatives("genomic_matched", *case.genome).exit_code == 0
    made = read_examples("out/n.parquet")
    assert made.frame.groupby("split").size().to_dict() == {"train": 12, "valid": 12}
    for split, rows in made.frame.groupby("split"):
        assert subtract(rows, make_regions([("chrA", *case.blocks[split])])).empty
    peaks = pd.read_csv("peaks.bed", sep="\t", names=["chrom", "start", "end"])
    assert not overlaps(made.frame, peaks.assign(start=peaks["start"] - 50, end=peaks["end"] + 50)).any()
    labelled = read_examples("out/l.parquet").frame
    assert labelled.groupby("label").size().to_dict() == {0: 24, 1: 12}
    counts = read_table("out/f.tsv")
    assert list(counts.columns) == ["reason", "n"]
    assert counts["n"].iloc[0] == 24 == counts["n"].iloc[1:].sum()


def test_provenance_names_the_command_what_was_matched_and_all_inputs(case):
    case.negatives("genomic_matched", *case.genome)
    provenance = read_examples("out/l.parquet").provenance
    assert provenance["revisions"] == {"fetch": 4, "negatives": 2, "positives": 3, "tile": 5}
    assert provenance["settings"]["matched_on"] == ["gc", "repeats", "ambiguous"]
    assert provenance["inputs"] == {
        "peaks": "of peaks",
        "positives": read_examples("positives.parquet").provenance["digest"],
        "tiles": Tiles.open("tiles.h5").provenance["digest"],
    }
    assert str(Path.cwd()) not in json.dumps(provenance)


def test_two_runs_write_the_same_bytes(case):
    for name in ("one", "two"):
        case.negatives("genomic_matched", *case.genome, name=name)
    for file in ("n.parquet", "l.parquet", "f.tsv"):
        assert Path("one", file).read_bytes() == Path("two", file).read_bytes()


def test_blacklist_is_kept_free(case):
    Path("blacklist.bed").write_text("chrA\t4000\t11000\n")
    case.negatives("genomic_matched", *case.genome, "--blacklist", "blacklist.bed")
    assert not overlaps(read_examples("out/n.parquet").frame, make_regions([("chrA", 4000, 11_000)])).any()


def test_a_blacklist_of_another_assembly_is_refused(case):
    Path("blacklist.bed").write_text("A\t4000\t11000\n")
    with pytest.raises(InputError, match=r"blacklist\.bed: no region of the blacklist .* one is on A; it has chrA"):
        case.negatives("genomic_matched", *case.genome, "--blacklist", "blacklist.bed")


def test_shuffles_need_no_genome(case):
    assert case.negatives("dinucleotide_shuffle", ratio="0.5").exit_code == 0
    assert read_examples("out/n.parquet").frame.groupby("split").size().to_dict() == {"train": 3, "valid": 3}


def test_genomic_scheme_without_a_genome_names_the_options_and_writes_nothing(case):
    with pytest.raises(
        InputError, match="give --genome, --tiles, --assembly, --split, --peaks, --peaks-record, --format as"
    ):
        case.negatives("genomic_matched")
    assert not Path("out").exists()


@pytest.mark.parametrize("scheme", ["dinucleotide_shuffle", "genomic_matched"])
def test_skipped_positives_are_passed_on_by_both_commands(case, scheme):
    write_examples("positives.parquet", skipped_examples("12 positives in train, 100 needed", {}))
    assert case.negatives(scheme).exit_code == 0
    assert case.battery(("T1", scheme, "1")).exit_code == 0
    for path in ("out/n.parquet", "out/l.parquet", "T1.parquet"):
        table = read_examples(path)
        assert (table.status, table.reason) == ("skipped", "12 positives in train, 100 needed")
    assert read_table("out/f.tsv").empty
    assert read_table("b.tsv").empty


def test_genomic_negatives_of_a_published_experiment_are_skipped(case):
    case.become_published()
    assert case.negatives("genomic_matched").exit_code == 0
    reason = "no coordinates: genomic_matched is not defined; use dinucleotide_shuffle"
    assert read_examples("out/l.parquet").reason == reason


@pytest.fixture
def published_set(case):
    """Positives and negatives in GUE's three files; a training negative is also in test, another a positive."""
    texts = strings_of(np.random.default_rng(4).integers(0, 4, (40, 40)).astype(np.uint8))
    rows = {"train": texts[:20], "dev": texts[20:28], "test": texts[28:36]}
    rows["train"] += [texts[29], texts[0]]
    for name, sequences in rows.items():
        lines = [f"{text},{int(i % 2 == 0 and i < 20)}" for i, text in enumerate(sequences)]
        Path(f"{name}.csv").write_text("\n".join(["sequence,label", *lines]) + "\n")
    case.write_positives([text for name in rows for text in rows[name][:4:2]])
    files = zip(("training", "valid", "test"), rows, strict=True)
    return [word for part, name in files for word in (f"--{part}-sequences", f"{name}.csv")] + [
        "--sequence-format",
        "gue",
    ]


def test_published_negatives_train_at_their_own_ratio_without_those_of_test(case, published_set):
    assert case.negatives("published", *published_set, ratio="1").exit_code == 0
    made = read_examples("out/n.parquet")
    assert made.frame.groupby(["split", "kind"]).size().to_dict() == {
        ("train", "published"): 10,
        ("valid", "published"): 4,
    }
    assert "ratio" not in made.provenance["settings"]
    counts = read_table("out/f.tsv").set_index("reason")["n"]
    assert counts["n_published"] == 16 == counts.iloc[1:].sum()
    assert counts["duplicate"] == 2


@pytest.mark.parametrize("with_files", [False, True])
def test_published_scheme_of_a_set_without_training_negatives_is_skipped(case, published_set, with_files):
    Path("train.csv").write_text("sequence,label\n" + "ACGT" * 10 + ",1\n")
    assert case.negatives("published", *(published_set if with_files else [])).exit_code == 0
    reason = "no published negatives to train on: published is not defined; use another scheme"
    assert read_examples("out/l.parquet").reason == reason


def test_training_sequences_alone_are_refused(case):
    Path("train.csv").write_text("sequence,label\n")
    with pytest.raises(InputError, match="give --test-sequences and --sequence-format as well"):
        case.negatives("published", "--training-sequences", "train.csv")
