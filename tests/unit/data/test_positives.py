from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindgram.data.examples import ExampleTable, check_examples, write_examples
from bindgram.data.peaks import read_assembly_peaks
from bindgram.data.positives import (
    Places,
    PositivesPlan,
    genomic_positives,
    keep_strongest,
    published_positives,
    summit_windows,
)
from bindgram.data.published import draw_validation
from bindgram.data.splits import Split
from bindgram.data.tiles import Repeats, Tiles, write_tiles
from bindgram.errors import InputError, LeakageError
from bindgram.genome.fasta import Genome
from bindgram.provenance import make_provenance, step_rng
from bindgram.settings.filters import parse_filter_text

ALL = ("split", "blacklist", "n_fraction=0", "duplicate")
ONE_EACH = {"train": 1, "valid": 1, "test": 1}


def plan(**changes) -> PositivesPlan:
    values = {"experiment": "E", "width": 10, "strongest": None, "filters": ALL, "minimum": ONE_EACH, "seed": 1}
    values |= changes
    return PositivesPlan(**values | {"filters": tuple(parse_filter_text(text) for text in values["filters"])})


def peak_table(*rows: tuple) -> pd.DataFrame:
    """Rows (chrom, start, end, summit, strength); strength may be left out."""
    rows = [(*row, np.nan)[:5] for row in rows]
    frame = pd.DataFrame(rows, columns=["chrom", "start", "end", "summit", "strength"]).assign(support=1)
    return frame.astype({"chrom": "str", "start": "int64", "end": "int64", "summit": "int64", "strength": "float64"})


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    """chr1: 1,000 random bases, N at 50-60, lower case 100-200, 300-400 repeated at 800-900; chr2: 30 bases."""
    bases = np.random.default_rng(0).choice(list("ACGT"), 1000)
    bases[50:60] = "N"
    bases[800:900] = bases[300:400]
    text = "".join(bases)
    text = text[:100] + text[100:200].lower() + text[200:]
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    lines = [text[i : i + 60] for i in range(0, 1000, 60)]
    path.write_text(">chr1\n" + "\n".join(lines) + "\n>chr2\n" + "ACGT" * 7 + "AC\n")
    pysam.faidx(str(path))
    with Genome.open(path) as opened:
        yield opened


@pytest.fixture
def split() -> Split:
    """chr1: train 0-500, valid 500-700, test 700-1000."""
    blocks = [("chr1", 0, 500, "train", "a"), ("chr1", 500, 700, "valid", "b"), ("chr1", 700, 1000, "test", "c")]
    return Split(pd.DataFrame(blocks, columns=["chrom", "start", "end", "split", "name"]))


def run(genome, split, peaks, blacklist=None, tiles=None, **changes) -> tuple[ExampleTable, dict[str, int]]:
    table, counts = genomic_positives(plan(**changes), peaks, genome, split, Places(blacklist, tiles), {})
    return table, dict(counts)


ONE_IN_EACH_SPLIT = [("chr1", 200, 300, -1), ("chr1", 600, 640, 5), ("chr1", 700, 800, -1)]


# windows


def test_window_is_centred_on_the_summit_not_on_the_midpoint():
    windows = summit_windows(peak_table(("chr1", 100, 400, 30)), 20, {"chr1": 1000})
    assert windows[["chrom", "start", "end"]].to_numpy().tolist() == [["chr1", 120, 140]]


def test_midpoint_is_used_where_no_summit_is_called():
    windows = summit_windows(peak_table(("chr1", 100, 401, -1)), 20, {"chr1": 1000})
    assert windows[["start", "end"]].to_numpy().tolist() == [[240, 260]]


def test_odd_width_has_the_summit_in_its_middle():
    windows = summit_windows(peak_table(("chr1", 100, 400, 0)), 5, {"chr1": 1000})
    assert windows[["start", "end"]].to_numpy().tolist() == [[98, 103]]


def test_window_that_leaves_its_chromosome_is_dropped_not_clipped():
    peaks = peak_table(("chr1", 0, 9, -1), ("chr1", 5, 6, -1), ("chr1", 95, 96, -1), ("chr1", 96, 97, -1))
    windows = summit_windows(peaks, 10, {"chr1": 100})
    assert windows[["start", "end"]].to_numpy().tolist() == [[0, 10], [90, 100]]


@given(
    st.lists(st.tuples(st.integers(0, 990), st.integers(1, 40), st.integers(-1, 39)), max_size=20), st.integers(1, 300)
)
def test_every_window_has_the_width_and_lies_on_its_chromosome(rows, width):
    peaks = peak_table(*(("chr1", start, start + length, min(summit, length - 1)) for start, length, summit in rows))
    windows = summit_windows(peaks, width, {"chr1": 1000})
    assert ((windows["end"] - windows["start"]) == width).all()
    assert (windows["start"] >= 0).all()
    assert (windows["end"] <= 1000).all()
    for index in windows.index:
        peak = peaks.loc[index]
        centre = peak["start"] + peak["summit"] if peak["summit"] >= 0 else (peak["start"] + peak["end"]) // 2
        assert windows["start"][index] <= centre < windows["end"][index]
    if width <= 40:
        assert len(windows) >= sum(40 <= start <= 900 for start, _, _ in rows)


# peaks to examples


def test_rows_are_label_one_peaks_with_upper_case_sequences(genome, split):
    table, counts = run(genome, split, peak_table(("chr1", 140, 160, 7), *ONE_IN_EACH_SPLIT))
    assert table.status == "ok"
    first = table.frame.iloc[0].to_dict()
    expected = genome.fetch("chr1", 142, 152).tobytes().decode()
    assert expected.islower()
    assert first == {
        "example_id": "E:chr1:142-152",
        "chrom": "chr1",
        "start": 142,
        "end": 152,
        "strand": ".",
        "label": 1,
        "kind": "peak",
        "parent_id": None,
        "split": "train",
        "sequence": expected.upper(),
    }
    assert table.frame["split"].tolist() == ["train", "train", "valid", "test"]
    assert counts["n_kept"] == 4


def test_each_reason_is_counted_and_rows_add_up(genome, split):
    peaks = peak_table(
        ("chr1", 0, 4, -1),  # off the start
        ("chr2", 27, 29, -1),  # off the end
        ("chr2", 10, 20, -1),  # chromosome outside of the split
        ("chr1", 490, 510, -1),  # across two blocks
        ("chrUn_KI270302v1", 100, 120, -1),  # contig that the FASTA leaves out
        ("chr1", 200, 210, -1),  # blacklisted
        ("chr1", 45, 55, -1),  # N
        ("chr1", 320, 330, -1),  # same sequence as the test window below
        ("chr1", 820, 830, -1),
        ("chr1", 820, 830, -1),  # identical window
        *ONE_IN_EACH_SPLIT,
    )
    blacklist = pd.DataFrame({"chrom": ["chr1", "chr9"], "start": [209, 0], "end": [220, 9]})
    table, counts = run(genome, split, peaks, blacklist)
    assert counts == {
        "n_input": 13,
        "off_chromosome_end": 2,
        "outside_split": 3,
        "blacklist": 1,
        "n_fraction": 1,
        "duplicate": 2,
        "n_kept": 4,
        "n_kept_train": 1,
        "n_kept_valid": 1,
        "n_kept_test": 2,
    }
    assert table.frame["start"].tolist() == [820, 245, 600, 745]
    check_examples(table.frame)


def test_reasons_stand_in_the_configured_order(genome, split):
    counts = run(genome, split, peak_table(*ONE_IN_EACH_SPLIT), filters=("duplicate", "split"))[1]
    assert list(counts)[:4] == ["n_input", "off_chromosome_end", "duplicate", "outside_split"]


def test_overlapping_windows_are_thinned_to_the_strongest(genome, split):
    peaks = peak_table(("chr1", 200, 220, 5, 1.0), ("chr1", 200, 220, 9, 3.0), ("chr1", 215, 230, 0, 2.0))
    table, counts = run(genome, split, peaks, filters=("split", "overlap=keep_strongest"), minimum={"train": 1})
    assert table.frame["start"].tolist() == [204]
    assert counts["overlaps_stronger"] == 2


def test_support_of_merged_peaks_is_summed(genome, split):
    peaks = peak_table(("chr1", 200, 220, 5, 1.0), ("chr1", 210, 240, 9, 3.0), ("chr1", 300, 310, 0, 2.0))
    filters = ("overlap=merge", "support=3")
    table, counts = run(genome, split, peaks.assign(support=[1, 2, 2]), filters=filters, minimum={"train": 1})
    assert table.frame["start"].tolist() == [214]
    assert (counts["merged_into_stronger"], counts["low_support"]) == (1, 1)


def tiles_of(path: Path, genome: Genome, repeats: str | None = None) -> Tiles:
    """Tile table of a genome, with the lines of a BED file of repeats."""
    runs = None
    if repeats is not None:
        path.with_suffix(".bed").write_text(repeats)
        runs = Repeats.read(path.with_suffix(".bed"), genome.chrom_sizes)
    write_tiles(path, genome, 50, runs, None, make_provenance("tile", 1, {}))
    return Tiles.open(path)


def test_lower_case_of_the_genome_or_given_repeats_are_soft_masked(genome, split, tmp_path):
    peaks = peak_table(("chr1", 90, 110, -1), ("chr1", 91, 111, -1), ("chr1", 150, 160, -1), ("chr1", 300, 310, -1))
    options = {"filters": ("soft_masked=0.5",), "minimum": {"train": 1}}
    of_case = tiles_of(tmp_path / "case.h5", genome)  # chr1:100-200 is lower case
    table, counts = run(genome, split, peaks, tiles=of_case, **options)
    assert (table.frame["start"].tolist(), counts["soft_masked"]) == ([95, 300], 2)
    of_file = tiles_of(tmp_path / "file.h5", genome, "chr1\t302\t305\nchr1\t304\t308\n")
    assert run(genome, split, peaks, tiles=of_file, **options)[0].frame["start"].tolist() == [95, 96, 150]


def test_soft_masked_needs_repeats_to_be_known(tmp_path, split):
    (tmp_path / "upper.fa").write_text(">chr1\n" + "ACGT" * 250 + "\n")
    pysam.faidx(str(tmp_path / "upper.fa"))
    peaks = peak_table(("chr1", 300, 310, -1))
    with Genome.open(tmp_path / "upper.fa") as upper:
        with pytest.raises(InputError, match="filter soft_masked: give the tile table of the assembly"):
            run(upper, split, peaks, filters=("soft_masked=0.5",))
        with pytest.raises(InputError, match=r"upper.fa: filter soft_masked: the genome has no lower-case bases"):
            run(upper, split, peaks, tiles=tiles_of(tmp_path / "a.h5", upper), filters=("soft_masked=0.5",))


def test_blacklist_of_another_assembly_is_refused(genome, split):
    blacklist = pd.DataFrame({"chrom": ["22"], "start": [1], "end": [9]})
    with pytest.raises(InputError, match=r"no region of the blacklist .* one is on 22; it has chr1, chr2"):
        run(genome, split, peak_table(*ONE_IN_EACH_SPLIT), blacklist)
    assert run(genome, split, peak_table(*ONE_IN_EACH_SPLIT), blacklist.iloc[:0])[1]["blacklist"] == 0


def test_chromosomes_of_another_assembly_are_refused(genome, split):
    peaks = peak_table(*ONE_IN_EACH_SPLIT)
    with pytest.raises(InputError, match="filter chromosomes: the assembly has none of 1, 2; it has chr1, chr2"):
        run(genome, split, peaks, filters=("chromosomes=1,2",))
    assert run(genome, split, peaks, filters=("chromosomes=1,chr2",))[1]["other_chromosome"] == 3


@pytest.mark.parametrize(
    ("row", "filters", "message"),
    [
        (("chr1", 490, 510, -1), ("n_fraction=0", "duplicate"), "add the filter 'split'"),
        (("chrUn_KI270302v1", 10, 50, -1), ("duplicate",), "add the filter 'split'"),
        (("chr1", 700, 800, -1), ("split", "n_fraction=0"), "add the filter 'duplicate'"),
    ],
)
def test_leaving_out_a_needed_filter_is_refused_on_write_with_the_remedy(
    genome, split, tmp_path, row, filters, message
):
    table, _ = run(genome, split, peak_table(*ONE_IN_EACH_SPLIT, row), filters=filters)
    with pytest.raises(LeakageError, match=message):
        write_examples(tmp_path / "positives.parquet", table)
    assert list(tmp_path.iterdir()) == []


def test_sequence_repeated_across_splits_without_the_duplicate_filter_is_refused_on_write(genome, split, tmp_path):
    peaks = peak_table(("chr1", 320, 330, -1), ("chr1", 820, 830, -1), *ONE_IN_EACH_SPLIT)
    table, _ = run(genome, split, peaks, filters=("split",))
    with pytest.raises(LeakageError, match="add the filter 'duplicate'"):
        write_examples(tmp_path / "positives.parquet", table)


def test_ambiguous_sequences_are_stored_as_n_where_the_filter_is_left_out(genome, split, tmp_path):
    peaks = peak_table(("chr1", 45, 55, -1), *ONE_IN_EACH_SPLIT)
    table, counts = run(genome, split, peaks, filters=("split", "duplicate"))
    assert table.frame["sequence"][0].endswith("NNNNN")
    assert "n_fraction" not in counts
    write_examples(tmp_path / "positives.parquet", table)


# skips


def test_empty_peak_file_is_a_skip_with_all_counts(genome, split):
    table, counts = run(genome, split, peak_table())
    assert (table.skipped, table.reason) == (True, "no peaks in file")
    assert len(table.frame) == 0
    assert counts["n_input"] == counts["n_kept"] == counts["duplicate"] == 0


def test_too_few_positives_are_a_skip_that_names_every_short_split(genome, split):
    minimum = {"train": 1, "valid": 2, "test": 5}
    table, counts = run(genome, split, peak_table(*ONE_IN_EACH_SPLIT), minimum=minimum)
    assert table.reason == (
        "valid: 1 positives, fewer than the minimum of 2; test: 1 positives, fewer than the minimum of 5"
    )
    assert len(table.frame) == 0
    assert counts["n_kept_train"] == 1


def test_exactly_the_minimum_is_enough(genome, split):
    assert not run(genome, split, peak_table(*ONE_IN_EACH_SPLIT))[0].skipped


# strongest


def strengths(*values: float, names: str = "abcdefgh") -> pd.DataFrame:
    return pd.DataFrame({"example_id": list(names[: len(values)]), "strength": values})


def test_strongest_are_kept_in_file_order():
    kept, count = keep_strongest(strengths(5.0, 1.0, 9.0, 7.0), 2, step_rng(1))
    assert kept["strength"].tolist() == [9.0, 7.0]
    assert count == ("beyond_strongest_n", 2)


def test_rows_without_strength_come_last():
    kept, _ = keep_strongest(strengths(np.nan, 1.0, 9.0), 2, step_rng(1))
    assert kept["strength"].tolist() == [1.0, 9.0]


def test_ties_depend_on_the_ids_alone_and_not_on_file_order_or_seed():
    frame = strengths(5.0, 5.0, 5.0, 5.0, 5.0, 9.0)
    kept = keep_strongest(frame, 3, step_rng(1))[0]
    again = keep_strongest(frame.iloc[::-1], 3, step_rng(2))[0]
    assert set(kept["example_id"]) == set(again["example_id"])
    assert "f" in set(kept["example_id"])


def test_ties_favour_no_chromosome(genome):
    frame = pd.DataFrame({"example_id": [f"E:chr{i // 100}:{i}-{i + 9}" for i in range(1000)], "strength": 5.0})
    frame.loc[0, "strength"] = 9.0
    kept = keep_strongest(frame, 500, step_rng(1))[0]
    per_chrom = kept["example_id"].str.split(":").str[1].value_counts()
    assert len(per_chrom) == 10
    assert per_chrom.between(30, 70).all()


@pytest.mark.parametrize("value", [np.nan, 1000.0])
def test_strengths_that_tell_nothing_make_it_a_seeded_random_choice(value):
    frame = strengths(*[value] * 8)
    kept, count = keep_strongest(frame, 4, step_rng(1))
    assert count == ("random_n", 4)
    assert kept["example_id"].is_monotonic_increasing
    assert kept["example_id"].tolist() == keep_strongest(frame, 4, step_rng(1))[0]["example_id"].tolist()
    choices = {tuple(keep_strongest(frame, 4, step_rng(seed))[0]["example_id"]) for seed in range(10)}
    assert len(choices) > 1


def test_fewer_rows_than_asked_are_all_kept():
    kept, count = keep_strongest(strengths(1.0, 2.0), 5, step_rng(1))
    assert len(kept) == 2
    assert count == ("beyond_strongest_n", 0)


def test_strongest_applies_to_what_the_filters_leave(genome, split):
    peaks = peak_table(("chr2", 10, 20, -1, 99.0), ("chr1", 200, 300, -1, 2.0), ("chr1", 400, 410, -1, 1.0))
    table, counts = run(genome, split, peaks, strongest=1, minimum={"train": 1})
    assert table.frame["start"].tolist() == [245]
    assert (counts["outside_split"], counts["beyond_strongest_n"], counts["n_kept"]) == (1, 1, 1)


# chromosomes


def write_bed(tmp_path: Path, text: str) -> Path:
    (tmp_path / "peaks.bed").write_text(text)
    return tmp_path / "peaks.bed"


def test_unknown_chromosome_is_refused_with_file_line_and_choices(tmp_path):
    path = write_bed(tmp_path, "# x\nchr1\t1\t9\n20\t1\t9\n")
    with pytest.raises(
        InputError, match=r"peaks.bed:3: chromosome '20' is not in the assembly .* it has 2: chr1, chr20"
    ):
        read_assembly_peaks(path, "bed", {"chr1": 100, "chr20": 100})


def test_peak_beyond_its_chromosome_is_of_another_assembly(tmp_path):
    path = write_bed(tmp_path, "chr1\t100\t109\n")
    with pytest.raises(
        InputError, match=r"peaks.bed:1: peak chr1:100-109 lies beyond the end of chr1, which has 100 bp"
    ):
        read_assembly_peaks(path, "bed", {"chr1": 100})


def test_peak_that_reaches_over_the_end_is_read(tmp_path):
    assert len(read_assembly_peaks(write_bed(tmp_path, "chr1\t99\t109\n"), "bed", {"chr1": 100})) == 1


@pytest.mark.parametrize("name", ["chrUn_gl000211", "chr1_KI270706v1_random", "chr19_KI270938v1_alt", "chr6_apd_hap1"])
def test_contigs_beside_the_chromosomes_may_be_absent(tmp_path, name):
    assert len(read_assembly_peaks(write_bed(tmp_path, f"{name}\t1\t9\n"), "bed", {"chr1": 100})) == 1


# published sets


def sequence_table(*rows: tuple) -> pd.DataFrame:
    """Rows (sequence, label)."""
    return pd.DataFrame(
        {
            "event_id": pd.Series([f"s{i}" for i in range(len(rows))], dtype="str"),
            "sequence": pd.Series([row[0] for row in rows], dtype="str"),
            "label": np.array([row[1] for row in rows], np.int8),
        }
    )


def texts(n: int) -> list[str]:
    return ["A" + "".join("ACGT"[i // 4**place % 4] for place in range(8)) + "C" for i in range(n)]


def test_published_positives_come_from_both_files_and_unbound_rows_are_counted():
    training = sequence_table(*((text, 1) for text in texts(40)))
    test = sequence_table(("GGGGGGGGGG", 1), ("GGGGGGGGGA", 0))
    table, counts = published_positives(plan(), training, test, {})
    counts = dict(counts)
    assert (counts["n_input"], counts["not_bound"], counts["n_kept_test"]) == (42, 1, 1)
    assert counts["n_kept_valid"] == 4
    assert counts["n_input"] == counts["n_kept"] + sum(counts[r] for r in ("not_bound", "n_fraction", "duplicate"))
    assert table.frame["label"].eq(1).all()
    assert table.frame["chrom"].isna().all()
    check_examples(table.frame)


def test_strongest_thins_the_training_file_and_leaves_the_published_test_set_alone():
    training = sequence_table(*((text, 1) for text in texts(40)))
    test = sequence_table(("GGGGGGGGGG", 1), ("GGGGGGGGGA", 1), ("GGGGGGGGCA", 1))
    table, counts = published_positives(plan(strongest=20), training, test, {})
    assert len(table.of_split("test")) == 3
    assert len(table.frame) == 23
    assert dict(counts)["random_n"] == 20


def test_test_set_never_shrinks_because_of_training_sequences():
    training = sequence_table(("AAAAAAAAAC", 1), ("AAAAAAAACC", 1), ("AAAAAAACCC", 1), ("AAAAAANCCC", 1))
    test = sequence_table(("GTTTTTTTTT", 1), ("GGGGGGGGGA", 1))
    table, counts = published_positives(plan(minimum={"test": 1}), training, test, {})
    assert table.of_split("test")["sequence"].tolist() == ["GTTTTTTTTT", "GGGGGGGGGA"]
    assert (dict(counts)["duplicate"], dict(counts)["n_fraction"]) == (1, 1)


def test_equal_sequences_and_both_strands_come_into_one_split():
    sequences = pd.Series(["AAAC", "GTTT", "AAAC", "AACC", "GGTT"] * 5, dtype="str")
    for seed in range(20):
        drawn = pd.Series(draw_validation(sequences, step_rng(seed)))
        assert drawn.groupby([0, 0, 0, 1, 1] * 5).nunique().eq(1).all()


def test_validation_draw_does_not_depend_on_file_order_but_on_the_seed():
    sequences = pd.Series(texts(100), dtype="str")
    drawn = draw_validation(sequences, step_rng(1))
    assert (drawn == "valid").sum() == 10
    assert (draw_validation(sequences.iloc[::-1], step_rng(1))[::-1] == drawn).all()
    assert (draw_validation(sequences, step_rng(2)) != drawn).any()


def test_lengths_that_differ_between_the_files_are_refused():
    with pytest.raises(InputError, match="training, validation and test sequences differ in length"):
        published_positives(plan(), sequence_table(("ACGT", 1)), sequence_table(("ACG", 1)), {})


def test_published_set_without_sequences_is_skipped():
    table, counts = published_positives(plan(), sequence_table(), sequence_table(), {})
    assert table.reason == "no sequences in file"
    assert dict(counts)["n_input"] == 0
