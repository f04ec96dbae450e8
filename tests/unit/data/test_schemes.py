"""Schemes that draw windows at given places, on a genome small enough to check by eye or by bedtools."""

import subprocess
from dataclasses import fields

import numpy as np
import pandas as pd
import pysam
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bindgram.data.background import BackgroundRequest
from bindgram.data.examples import ExampleTable, canonical_sequences, check_examples
from bindgram.data.negatives import Recipe, describe_shortage, make_negatives, preserved
from bindgram.data.tiles import write_tiles
from bindgram.data.universe import Member, pool_peaks, write_universe
from bindgram.errors import InputError
from bindgram.genome.fasta import Genome
from bindgram.genome.regions import extend, make_regions, overlaps, read_bed3
from bindgram.sequence.dna import encode, strings_of

WIDTH, N_BP = 40, 60_000
BLOCKS = {"train": (0, 30_000), "valid": (31_000, 45_000), "test": (46_000, 60_000)}
PLACED = ("neighbour", "other_peaks", "accessible_unbound")


def random_starts(seed, n):
    return np.sort(np.random.default_rng(seed).choice(np.arange(100, N_BP - 200, 10), n, replace=False))


def write_bed(path, starts, length=100):
    path.write_text("".join(f"chrA\t{start}\t{start + length}\n" for start in starts))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A genome, 40 own peaks, three other factors, a second experiment of the same TF, open chromatin, a blacklist."""
    root = tmp_path_factory.mktemp("schemes")
    letters = np.random.default_rng(7).choice(list("ACGTacgt"), N_BP)
    letters[20_000:20_300] = "N"
    (root / "genome.fa").write_text(">chrA\n" + "".join(letters) + "\n")
    pysam.faidx(str(root / "genome.fa"))
    with Genome.open(root / "genome.fa") as genome:
        write_tiles(root / "tiles.h5", genome, WIDTH, None, None, {})
    named = "".join(f"    {split}: {{x{split}: 'chrA:{start}-{end}'}}\n" for split, (start, end) in BLOCKS.items())
    (root / "split.yaml").write_text(f"assemblies:\n  tiny:\n{named}")
    write_bed(root / "own.bed", random_starts(1, 40))
    for seed, name in enumerate(("b1", "c1", "d1", "own2"), start=2):
        write_bed(root / f"{name}.bed", random_starts(seed, 150))
    write_bed(root / "open.bed", random_starts(9, 300), 200)
    write_bed(root / "blacklist.bed", [1000, 33_000, 50_000], 1500)
    for name in ("own", "open"):
        (root / f"{name}.json").write_text('{"provenance": {}}')
    write_pool(root, "universe.parquet", "b1", "c1", "d1", "own2")
    write_pool(root, "few.parquet", "b1", "c1", "own2")
    return root


def write_pool(root, name, *experiments):
    members = [Member(e, "OWN" if e == "own2" else e[0].upper(), "bed", root / f"{e}.bed") for e in experiments]
    write_universe(root / name, pool_peaks(members, {"chrA": N_BP}), {"revisions": {"universe": 1}})


def request_of(folder, **changes):
    values = dict.fromkeys(field.name for field in fields(BackgroundRequest)) | {
        "genome": folder / "genome.fa",
        "tiles": folder / "tiles.h5",
        "assembly": "tiny",
        "split": folder / "split.yaml",
        "peaks": folder / "own.bed",
        "peaks_record": folder / "own.json",
        "format": "bed",
        "blacklist": folder / "blacklist.bed",
        "exclusion_bp": 100,
        "gc_bins": 5,
        "repeat_bins": 1,
        "neighbour_bp": 1000,
        "universe": folder / "universe.parquet",
        "tf": "OWN",
        "accessibility": folder / "open.bed",
        "accessibility_record": folder / "open.json",
        "left_out": (),
    }
    return BackgroundRequest(**values | changes)


def positives_of(folder):
    starts = random_starts(1, 40) + 30
    split = np.full(len(starts), "", object)
    for name, (start, end) in BLOCKS.items():
        split[(starts >= start) & (starts + WIDTH <= end)] = name
    with Genome.open(folder / "genome.fa") as genome:
        texts = strings_of(encode(genome.windows(["chrA"] * len(starts), starts, WIDTH)))
    frame = pd.DataFrame(
        {
            "example_id": [f"e:{i}" for i in range(len(starts))],
            "chrom": "chrA",
            "start": starts,
            "end": starts + WIDTH,
            "strand": ".",
            "label": 1,
            "kind": "peak",
            "parent_id": None,
            "split": split,
            "sequence": texts,
        }
    )
    return frame[(frame["split"] != "") & ~frame["sequence"].str.contains("N")].reset_index(drop=True)


def made_by(folder, scheme, ratio=3.0, seed=1, splits=("train", "valid"), **changes):
    positives, request = positives_of(folder), request_of(folder, **changes)
    schemes = [scheme] if isinstance(scheme, str) else list(scheme)
    with request.open(ExampleTable(positives), schemes) as background:
        made, counts = make_negatives("e", positives, splits, scheme, ratio, np.random.default_rng(seed), background)
    names = [name for name, _ in counts]
    found = dict(counts)
    assert found["n_wanted"] == sum(found[name] for name in names[names.index("n_wanted") + 1 :])
    if "n_candidates" in found and isinstance(scheme, str):
        taken = sum(found[name] for name in names if name.startswith("candidate_"))
        assert found["n_candidates"] == taken + len(made)
    return made, found


def bedtools(*words):
    return subprocess.run(["bedtools", *map(str, words)], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("scheme", PLACED)
def test_bedtools_finds_no_window_near_a_peak_on_the_blacklist_or_on_another(folder, scheme, tmp_path):
    made, _ = made_by(folder, scheme, splits=("train", "valid", "test"))
    assert len(made) > 60
    assert set(made["kind"]) == {scheme}
    made = made.sort_values("start")
    made[["chrom", "start", "end"]].to_csv(tmp_path / "made.bed", sep="\t", header=False, index=False)
    assert bedtools("window", "-w", 99, "-u", "-a", tmp_path / "made.bed", "-b", folder / "own.bed") == ""
    assert bedtools("intersect", "-u", "-a", tmp_path / "made.bed", "-b", folder / "blacklist.bed") == ""
    assert bedtools("merge", "-d", -1, "-i", tmp_path / "made.bed").count("\n") == len(made)
    check_examples(pd.concat([positives_of(folder), made]))


def test_neighbours_lie_beside_their_own_parent_on_both_sides(folder):
    made, _ = made_by(folder, "neighbour", ratio=4.0)
    parents = made["parent_id"].map(positives_of(folder).set_index("example_id")["start"])
    distance = made["start"] - parents
    assert distance.abs().max() <= 1000
    assert distance.min() < 0 < distance.max()


def centres_of(folder, *names):
    starts = np.concatenate([read_bed3(folder / f"{name}.bed")["start"] for name in names])
    return set((starts + 50).tolist())


def test_others_are_windows_around_summits_of_other_factors_where_no_experiment_of_this_one_has_a_peak(folder):
    made, _ = made_by(folder, "other_peaks")
    assert set((made["start"] + WIDTH // 2).tolist()) <= centres_of(folder, "b1", "c1", "d1")
    assert not overlaps(made, read_bed3(folder / "own2.bed")).any()


def test_all_places_of_others_are_used_before_any_is_missing_and_shortage_is_said(folder):
    made, counts = made_by(folder, "other_peaks", ratio=50.0, splits=("valid",))
    assert counts["candidate_left"] == 0
    assert counts["no_other_peak"] == counts["n_wanted"] - len(made) > 0
    others = [read_bed3(folder / f"{name}.bed") for name in ("own2", "blacklist")]
    kept_free = pd.concat([extend(read_bed3(folder / "own.bed"), 100, {"chrA": N_BP}), *others, made])
    rest = sorted(centres_of(folder, "b1", "c1", "d1"))
    windows = make_regions([("chrA", centre - 20, centre + 20) for centre in rest])
    inside = (windows["start"] >= 31_000) & (windows["end"] <= 45_000)
    assert overlaps(windows[inside], kept_free).all()


def test_open_chromatin_without_a_peak_is_taken_around_its_middle(folder):
    made, _ = made_by(folder, "accessible_unbound")
    middles = set((read_bed3(folder / "open.bed")["start"] + 100).tolist())
    assert set((made["start"] + WIDTH // 2).tolist()) <= middles


def test_open_chromatin_with_summits_is_taken_around_them(folder, tmp_path):
    lines = [f"chrA\t{start}\t{start + 200}\tx\t0\t.\t1\t-1\t-1\t30\n" for start in random_starts(9, 300)]
    (tmp_path / "open.narrowPeak").write_text("".join(lines))
    made, _ = made_by(folder, "accessible_unbound", accessibility=tmp_path / "open.narrowPeak")
    assert set((made["start"] + WIDTH // 2).tolist()) <= set((random_starts(9, 300) + 30).tolist())


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PLACED), st.integers(0, 1000), st.integers(0, 400), st.sampled_from([0.5, 1.0, 4.0]))
def test_windows_keep_their_distance_and_their_block_and_depend_on_the_seed_alone(
    folder, scheme, seed, exclusion, ratio
):
    made, _ = made_by(folder, scheme, ratio, seed, exclusion_bp=exclusion)
    again, _ = made_by(folder, scheme, ratio, seed, exclusion_bp=exclusion)
    pd.testing.assert_frame_equal(made, again)
    near = extend(read_bed3(folder / "own.bed"), exclusion, {"chrA": N_BP})
    assert not overlaps(made, near).any()
    for split, rows in made.groupby("split"):
        start, end = BLOCKS[split]
        assert ((rows["start"] >= start) & (rows["end"] <= end)).all()
    assert not canonical_sequences(made["sequence"]).duplicated().any()
    check_examples(pd.concat([positives_of(folder), made]))


@pytest.mark.parametrize(
    ("scheme", "changes", "reason"),
    [
        ("other_peaks", {"universe": None}, "no universe: other_peaks is not defined"),
        ("other_peaks", {"universe": "few.parquet"}, "2 other factors with peaks in this biosample (B, C); 3 needed"),
        ("accessible_unbound", {"accessibility": None}, "no open chromatin (column accessibility"),
        ("neighbour", {}, ""),
        ("other_peaks", {}, ""),
    ],
)
def test_scheme_that_is_not_defined_says_why(folder, scheme, changes, reason):
    changes = {name: value and folder / value for name, value in changes.items()}
    found = request_of(folder, **changes).why_undefined(ExampleTable(positives_of(folder)), ["neighbour", scheme])
    assert reason in found
    assert bool(reason) == bool(found)


def test_universe_without_the_factor_of_the_experiment_is_a_mistake(folder):
    with pytest.raises(InputError, match="--universe is given without --tf"):
        request_of(folder, tf=None).why_undefined(ExampleTable(positives_of(folder)), ["other_peaks"])


def test_provenance_names_what_bears_on_the_scheme(folder):
    request = request_of(folder)
    assert request.describe(["neighbour"]) == {"exclusion_bp": 100, "neighbour_bp": 1000}
    assert request.describe(["other_peaks"]) == {"exclusion_bp": 100, "left_out": (), "tf": "OWN"}
    assert set(request.inputs(["other_peaks"])) == {"tiles", "peaks", "universe"}
    assert set(request.inputs(["accessible_unbound", "neighbour"])) == {"tiles", "peaks", "accessibility"}


# Mixtures


def test_mixture_gives_each_scheme_its_share_and_no_two_windows_overlap(folder):
    shares = {"genomic_matched": 0.5, "neighbour": 0.25, "dinucleotide_shuffle": 0.25}
    made, counts = made_by(folder, shares, ratio=4.0, splits=("train",))
    n = counts["n_wanted"]
    assert made["kind"].value_counts().to_dict() == {
        "genomic_matched": n // 2, "neighbour": n // 4, "dinucleotide_shuffle": n // 4
    }  # fmt: skip
    placed = np.sort(made["start"].dropna().astype(int))
    assert (np.diff(placed) >= WIDTH).all()
    assert not made["example_id"].duplicated().any()
    assert made["parent_id"].value_counts().unique().tolist() == [4]


def test_mixture_keeps_off_windows_of_its_other_schemes(folder):
    shares = {"other_peaks": 0.5, "accessible_unbound": 0.5}
    made, counts = made_by(folder, shares, ratio=8.0)
    assert "candidate_taken" in counts
    assert (np.diff(np.sort(made["start"].to_numpy(int))) >= WIDTH).all()


def test_mixture_preserves_what_all_its_schemes_do():
    assert preserved({"genomic_matched": 0.5, "dinucleotide_shuffle": 0.5}) == ("gc",)
    assert preserved({"genomic_matched": 0.5, "other_peaks": 0.5}) == ()
    assert preserved({"trinucleotide_shuffle": 1.0}) == ("gc", "kmer1", "kmer2", "kmer3", "cpg")


# Shortage


@pytest.mark.parametrize(("fraction", "skipped"), [(0.2, False), (0.25, False), (0.3, True)])
def test_table_is_skipped_below_the_fraction_of_negatives_that_may_be_missing(fraction, skipped):
    positives = pd.DataFrame({"split": ["train"] * 4 + ["valid"] * 2})
    negatives = pd.DataFrame({"split": ["train"] * 2 + ["valid"] * 2})
    reason = Recipe("x", {"x": 1.0}, 2.0, fraction).why_too_few(positives, negatives, ("train", "valid"))
    assert bool(reason) == skipped
    assert not skipped or reason.startswith("x: 2 of 8 negatives could be made in split train, less than the fraction")


def test_line_of_the_log_says_how_many_are_missing_and_why(folder):
    counts = [("n_candidates", 9), ("n_wanted", 2000), ("no_other_peak", 1500), ("ambiguous_parent", 0)]
    counts += [("n_negatives_train", 400), ("n_negatives_valid", 100)]
    assert describe_shortage("other_peaks", ExampleTable(pd.DataFrame()), counts) == (
        "other_peaks: 500 of 2,000 negatives wanted; missing: no_other_peak 1,500"
    )
