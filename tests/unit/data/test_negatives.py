import gzip
import shutil
from contextlib import nullcontext
from dataclasses import replace
from typing import get_args

import numpy as np
import pandas as pd
import pysam
import pytest

from bindgram.data.background import BackgroundRequest
from bindgram.data.examples import ExampleTable, canonical_sequences, check_examples, empty_examples, skipped_examples
from bindgram.data.negatives import KLET_SCHEMES, NEGATIVE_SCHEMES, PRESERVES, make_negatives, spread_ratio
from bindgram.data.tiles import Tiles, write_tiles
from bindgram.errors import InputError
from bindgram.genome.fasta import Genome
from bindgram.genome.regions import extend, make_regions, overlaps, read_bed3, subtract
from bindgram.sequence.dna import codes_of, encode, gc_fraction, strings_of
from bindgram.sequence.kmers import count_kmers
from bindgram.settings.config import Scheme

DINUCLEOTIDE = "dinucleotide_shuffle"
OF_OTHER_SCHEMES = {
    "neighbour_bp": 2000, "universe": None, "tf": None, "accessibility": None, "accessibility_record": None,
    "left_out": (),
}  # fmt: skip


def rng(seed=1):
    return np.random.default_rng(seed)


def random_sequences(n, width=60, seed=0):
    return strings_of(np.random.default_rng(seed).integers(0, 4, (n, width)).astype(np.uint8))


def unplaced(sequences, splits="train"):
    """Positives without coordinates, as published sets have them."""
    n = len(sequences)
    return pd.DataFrame(
        {
            "example_id": [f"e:{i}" for i in range(n)],
            "chrom": None,
            "start": pd.array([pd.NA] * n, dtype="Int64"),
            "end": pd.array([pd.NA] * n, dtype="Int64"),
            "strand": None,
            "label": 1,
            "kind": "peak",
            "parent_id": None,
            "split": splits,
            "sequence": sequences,
        }
    )


def shuffled(positives, ratio=1.0, splits=("train",), seed=1, scheme=DINUCLEOTIDE, **options):
    return make_negatives("e", positives, splits, scheme, ratio, rng(seed), **options)


def test_registry_holds_the_schemes_that_the_configuration_offers():
    assert set(NEGATIVE_SCHEMES) == set(get_args(Scheme))


@pytest.mark.parametrize(
    ("ratio", "values", "total"), [(0.25, {0, 1}, 2), (1.0, {1}, 8), (2.5, {2, 3}, 20), (10.0, {10}, 80)]
)
def test_ratio_is_kept_and_spread_evenly(ratio, values, total):
    wanted = spread_ratio(8, ratio, rng())
    assert wanted.sum() == total
    assert set(wanted) == values


def test_one_more_goes_to_other_positives_with_another_seed():
    assert {tuple(spread_ratio(8, 1.25, rng(seed))) for seed in range(20)} != {tuple(spread_ratio(8, 1.25, rng(0)))}


@pytest.mark.parametrize(("k", "scheme"), KLET_SCHEMES.items())
def test_shuffle_keeps_every_count_of_its_klets_and_no_longer_ones(k, scheme):
    positives = unplaced(random_sequences(50))
    made, _ = shuffled(positives, scheme=scheme)
    assert set(made["kind"]) == {scheme}
    parents = made["parent_id"].map(positives.set_index("example_id")["sequence"])
    before, after = codes_of(parents.tolist()), codes_of(made["sequence"].tolist())
    assert len(before) == 50
    assert all((count_kmers(before, shorter) == count_kmers(after, shorter)).all() for shorter in range(1, k + 1))
    assert (count_kmers(before, k + 1) != count_kmers(after, k + 1)).any()
    fixed = list(range(k - 1)) + list(range(61 - k, 60))  # the first and last k - 1 bases
    assert (before[:, fixed] == after[:, fixed]).all()
    assert (before != after).any(axis=1).all()


def test_every_scheme_says_which_features_it_preserves():
    assert set(PRESERVES) == {*NEGATIVE_SCHEMES, "published"}
    assert set().union(*PRESERVES.values()) <= {"gc", "kmer1", "kmer2", "kmer3", "cpg", "repeats"}


def test_negative_takes_split_and_parent_and_has_its_own_id():
    positives = unplaced(random_sequences(4), ["train", "valid", "train", "test"])
    made, counts = shuffled(positives, 2.0, ("train", "valid"))
    assert made["parent_id"].tolist() == ["e:0", "e:0", "e:2", "e:2", "e:1", "e:1"]
    assert made["split"].tolist() == ["train"] * 4 + ["valid"] * 2
    assert made["example_id"].tolist()[:2] == ["e:0:shuffle1", "e:0:shuffle2"]
    assert set(made["label"]) == {0}
    assert set(made["kind"]) == {DINUCLEOTIDE}
    assert dict(counts)["n_wanted"] == 6
    check_examples(pd.concat([positives, made]))


def test_shuffle_that_cannot_be_new_is_left_out_and_counted():
    positives = unplaced(["A" * 20, *random_sequences(3, 20)])
    made, counts = shuffled(positives)
    assert made["parent_id"].tolist() == ["e:1", "e:2", "e:3"]
    assert dict(counts) == {"n_wanted": 4, "ambiguous_parent": 0, "no_new_shuffle": 1, "n_negatives_train": 3}


def test_positive_with_an_ambiguous_base_is_not_shuffled_but_counted():
    positives = unplaced(["ACGTNACGTACGGTCAGATC", *random_sequences(2, 20)])
    made, counts = shuffled(positives, 3.0)
    assert set(made["parent_id"]) == {"e:1", "e:2"}
    assert dict(counts)["ambiguous_parent"] == 3


def test_wanted_equals_made_plus_reasons_and_no_sequence_comes_twice_on_either_strand():
    # Short sequences of two letters: most shuffles collide with something.
    sequences = sorted(set(strings_of(rng().integers(0, 2, (60, 9)).astype(np.uint8))))
    positives = unplaced(sequences, ["train", "valid"] * (len(sequences) // 2) + ["train"] * (len(sequences) % 2))
    made, counts = shuffled(positives, 4.0, ("train", "valid"))
    assert 0 < len(made) < 4 * len(positives)
    assert counts[0][1] == 4 * len(positives) == sum(n for _, n in counts[1:])
    canonical = canonical_sequences(made["sequence"])
    assert not canonical.duplicated().any()
    assert not canonical.isin(canonical_sequences(positives["sequence"])).any()


def test_sequences_to_avoid_are_avoided():
    positives = unplaced(["AACAGATATC"])
    usual = {shuffled(positives, seed=seed)[0]["sequence"].iloc[0] for seed in range(40)}
    avoid = pd.Series([*positives["sequence"], *sorted(usual)[::2]])
    found = {text for seed in range(40) for text in shuffled(positives, seed=seed, avoid=avoid)[0]["sequence"]}
    assert found
    assert not found & set(avoid)


def test_same_seed_gives_the_same_negatives_and_another_seed_does_not():
    positives = unplaced(random_sequences(20))
    first, again, other = (shuffled(positives, seed=seed)[0] for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert (first["sequence"] != other["sequence"]).all()


@pytest.mark.parametrize("scheme", sorted(NEGATIVE_SCHEMES))
def test_no_positives_give_no_negatives(scheme):
    made, counts = make_negatives("e", empty_examples(), ("train",), scheme, 1.0, rng())
    assert made.empty
    assert dict(counts)["n_wanted"] == 0


def test_genomic_scheme_is_undefined_without_coordinates():
    table = ExampleTable(unplaced(random_sequences(2)))
    request = BackgroundRequest(**dict.fromkeys(BackgroundRequest.__dataclass_fields__))
    assert request.why_undefined(table, ["genomic_matched"]) == (
        "no coordinates: genomic_matched is not defined; use dinucleotide_shuffle"
    )
    assert request.why_undefined(table, [DINUCLEOTIDE]) == ""


def test_reason_of_skipped_positives_is_passed_on():
    request = BackgroundRequest(**dict.fromkeys(BackgroundRequest.__dataclass_fields__))
    assert request.why_undefined(skipped_examples("too few peaks", {}), [DINUCLEOTIDE]) == "too few peaks"


def small_case(folder):
    """A chromosome of 20 kb, blocks for train and valid, ten peaks, a blacklist and an N run; see `genomic_case`."""
    letters = rng(7).choice(list("ACGTacgt"), 20_000)
    letters[4000:4200] = "N"
    (folder / "genome.fa").write_text(">chrA\n" + "\n".join("".join(letters[i : i + 70]) for i in range(0, 20_000, 70)))
    pysam.faidx(str(folder / "genome.fa"))
    (folder / "split.yaml").write_text(
        "assemblies:\n  tiny:\n    train: {a: 'chrA:0-9000'}\n    valid: {b: 'chrA:10000-18000'}\n"
        "    test: {c: 'chrA:19000-20000'}\n"
    )
    starts = [*range(500, 3000, 500), *range(10500, 13000, 500)]
    (folder / "peaks.bed").write_text("".join(f"chrA\t{start}\t{start + 100}\n" for start in [*starts, 8000]))
    (folder / "blacklist.bed").write_text("chrA\t6000\t7000\nchrOther\t0\t10\n")
    return starts


def genomic_case(folder, blacklist=True, **changes):
    starts = small_case(folder)
    with Genome.open(folder / "genome.fa") as genome:
        texts = strings_of(encode(genome.windows(["chrA"] * 10, np.array(starts) + 20, 60)))
    positives = unplaced(texts, ["train"] * 5 + ["valid"] * 5).assign(
        chrom="chrA", start=np.array(starts) + 20, end=np.array(starts) + 80, strand="."
    )
    with Genome.open(folder / "genome.fa") as genome:
        write_tiles(folder / "tiles.h5", genome, 60, None, None, {"digest": "of tiles"})
    (folder / "peaks.json").write_text('{"provenance": {"digest": "of peaks"}}')
    values = {
        "genome": folder / "genome.fa",
        "tiles": folder / "tiles.h5",
        "assembly": "tiny",
        "split": folder / "split.yaml",
        "peaks": folder / "peaks.bed",
        "peaks_record": folder / "peaks.json",
        "format": "bed",
        "blacklist": folder / "blacklist.bed" if blacklist else None,
        "exclusion_bp": 40,
        "gc_bins": 5,
        "repeat_bins": 1,
        **OF_OTHER_SCHEMES,
    }
    return positives, BackgroundRequest(**values | changes)


def matched(positives, request, ratio=3.0):
    with request.open(ExampleTable(positives), ["genomic_matched"]) as background:
        return make_negatives("e", positives, ("train", "valid"), "genomic_matched", ratio, rng(), background)


def test_genomic_negatives_keep_away_from_every_peak_the_blacklist_and_ambiguous_bases(tmp_path):
    positives, request = genomic_case(tmp_path)
    made, counts = matched(positives, request)
    assert dict(counts)["n_negatives_train"] == dict(counts)["n_negatives_valid"] == 15
    peaks = extend(read_bed3(tmp_path / "peaks.bed"), 40, {"chrA": 20_000})  # with the one that is no positive
    assert not overlaps(made, peaks).any()
    assert not overlaps(made, make_regions([("chrA", 6000, 7000), ("chrA", 4000, 4200)])).any()
    blocks = {"train": ("chrA", 0, 9000), "valid": ("chrA", 10_000, 18_000)}
    assert all(subtract(rows, make_regions([blocks[split]])).empty for split, rows in made.groupby("split"))
    check_examples(pd.concat([positives, made]))


def test_genomic_negative_has_place_strand_and_id(tmp_path):
    made, _ = matched(*genomic_case(tmp_path))
    row = made.iloc[0]
    assert row["example_id"] == f"e:genomic_matched:chrA:{row['start']}-{row['end']}"
    assert (made["strand"] == ".").all()
    assert (made["end"] - made["start"] == 60).all()
    assert made["parent_id"].value_counts().tolist() == [3] * 10


def test_positive_window_is_kept_free_even_where_its_peak_is_not_in_the_file(tmp_path):
    positives, request = genomic_case(tmp_path, exclusion_bp=0, blacklist=False)
    (tmp_path / "peaks.bed").write_text("chrA\t19500\t19501\n")
    made, _ = matched(positives, request, ratio=12.0)
    assert len(made) > 80
    assert not overlaps(made, positives).any()


@pytest.mark.parametrize("missing", ["genome", "tiles", "assembly", "split", "peaks", "peaks_record", "format"])
def test_missing_option_of_a_genomic_scheme_is_named(tmp_path, missing):
    positives, request = genomic_case(tmp_path, **{missing: None})
    with pytest.raises(InputError, match=f"give --{missing.replace('_', '-')} as well"):
        matched(positives, request)


def test_genome_is_not_opened_for_schemes_that_do_not_draw_from_it(tmp_path):
    positives, request = genomic_case(tmp_path, genome=tmp_path / "none.fa")
    with request.open(ExampleTable(positives), [DINUCLEOTIDE]) as background:
        assert background is None


def test_provenance_says_what_was_matched_and_from_what(tmp_path):
    _, request = genomic_case(tmp_path)
    described = request.describe(["genomic_matched"])
    assert described == {
        "exclusion_bp": 40,
        "gc_bins": 5,
        "repeat_bins": 1,
        "matched_on": ["gc", "repeats", "ambiguous"],
    }
    assert request.describe([DINUCLEOTIDE]) == request.inputs([DINUCLEOTIDE]) == {}
    inputs = request.inputs([DINUCLEOTIDE, "genomic_matched"])
    assert inputs == {"tiles": Tiles.open(tmp_path / "tiles.h5").provenance, "peaks": {"digest": "of peaks"}}


def test_without_soft_masking_and_without_a_file_repeats_are_not_among_what_was_matched(tmp_path):
    _, request = genomic_case(tmp_path)
    text = (tmp_path / "genome.fa").read_text().upper().replace("CHRA", "chrA")
    (tmp_path / "genome.fa").write_text(text)
    with Genome.open(tmp_path / "genome.fa") as genome:
        write_tiles(tmp_path / "tiles.h5", genome, 60, None, None, {})
    assert request.describe(["genomic_matched"])["matched_on"] == ["gc", "ambiguous"]


def test_tiles_of_another_width_or_genome_are_refused(tmp_path):
    positives, request = genomic_case(tmp_path)
    with Genome.open(tmp_path / "genome.fa") as genome:
        write_tiles(tmp_path / "tiles.h5", genome, 50, None, None, {})
    with pytest.raises(InputError, match=r"tiles\.h5: tiles of 50 bp, but the positives have 60"):
        matched(positives, request)
    (tmp_path / "other.fa").write_text(">chrA\n" + "A" * 100 + "\n")
    pysam.faidx(str(tmp_path / "other.fa"))
    with Genome.open(tmp_path / "other.fa") as genome:
        write_tiles(tmp_path / "tiles.h5", genome, 60, None, None, {})
    with pytest.raises(InputError, match=r"tiles\.h5: tiles of another genome than .*genome\.fa"):
        matched(positives, request)


def test_positives_and_tiles_of_different_genomes_are_refused(tmp_path):
    positives, request = genomic_case(tmp_path)
    with Genome.open(tmp_path / "genome.fa") as genome:
        write_tiles(tmp_path / "tiles.h5", genome, 60, None, None, {"inputs": {"genome": "new"}})
    for digest, refused in (("new", False), ("old", True), (None, False)):
        table = ExampleTable(positives, provenance={"inputs": {"genome": digest}} if digest else {})
        expected = (
            pytest.raises(InputError, match=r"tiles\.h5: .* the positives were cut from") if refused else nullcontext()
        )
        with expected, request.open(table, ["genomic_matched"]) as background:
            assert background is not None


def half_masked(folder, width=50):
    """A chromosome of GC 0.5 whose second half is repeats, a piece of each half with N, and a request for its tiles."""
    bases = np.resize(np.array(list("ACGT")), 40_000)
    bases[20_000:] = np.char.lower(bases[20_000:])
    rng(3).shuffle(bases[:20_000])
    rng(4).shuffle(bases[20_000:])
    for start in (5000, 25_000):
        bases[start : start + 4000 : 40] = "N"
    (folder / "genome.fa").write_text(">chrA\n" + "".join(bases) + "\n")
    pysam.faidx(str(folder / "genome.fa"))
    (folder / "split.yaml").write_text(
        "assemblies:\n  tiny:\n    train: {a: 'chrA:0-39000'}\n    valid: {b: 'chrA:39000-39500'}\n"
        "    test: {c: 'chrA:39500-40000'}\n"
    )
    (folder / "peaks.bed").write_text("chrA\t39990\t40000\n")
    (folder / "peaks.json").write_text('{"provenance": {}}')
    with Genome.open(folder / "genome.fa") as genome:
        write_tiles(folder / "tiles.h5", genome, width, None, None, {})
    names = {
        name: folder / f"{name}.{suffix}" for name, suffix in (("genome", "fa"), ("tiles", "h5"), ("split", "yaml"))
    }
    peaks = {"peaks": folder / "peaks.bed", "peaks_record": folder / "peaks.json", "format": "bed", "blacklist": None}
    return BackgroundRequest(
        **names, **peaks, assembly="tiny", exclusion_bp=0, gc_bins=5, repeat_bins=4, **OF_OTHER_SCHEMES
    )


def at(folder, starts, width=50):
    with Genome.open(folder / "genome.fa") as genome:
        texts = strings_of(encode(genome.windows(["chrA"] * len(starts), np.array(starts), width)))
    return unplaced(texts).assign(chrom="chrA", start=starts, end=np.array(starts) + width, strand=".")


def test_negatives_have_the_repeat_content_of_their_positive_which_its_sequence_does_not_show(tmp_path):
    request = half_masked(tmp_path)
    positives = at(tmp_path, [10_013, 15_013, 30_013, 35_013])
    assert positives["sequence"].str.isupper().all()
    made, counts = matched(positives, request, ratio=20.0)
    assert dict(counts)["n_negatives_train"] == 80
    parents = made["parent_id"].map(positives.set_index("example_id")["start"])
    assert ((made["start"] >= 20_000) == (parents >= 20_000)).all()
    assert not made["sequence"].str.contains("N").any()


def test_positive_with_ambiguous_bases_gets_windows_with_as_many(tmp_path):
    request = half_masked(tmp_path)
    positives = at(tmp_path, [5000, 10_013])
    assert positives["sequence"].str.count("N").tolist() == [2, 0]
    made, _ = matched(positives, request, ratio=8.0)
    n = made["sequence"].str.count("N").groupby(made["parent_id"]).agg(["min", "max", "size"])
    assert n.to_numpy().tolist() == [[1, 2, 8], [0, 0, 8]]


def test_positive_without_any_base_and_shortage_are_counted_and_the_run_goes_on(tmp_path):
    request = replace(half_masked(tmp_path), gc_bins=10)
    nothing = unplaced(["N" * 50, "G" * 50]).assign(chrom="chrA", start=[0, 100], end=[50, 150], strand=".")
    positives = pd.concat([at(tmp_path, [10_013]), nothing.assign(example_id=["n", "g"])])
    made, counts = matched(positives, request, ratio=2.0)
    assert made["parent_id"].tolist() == ["e:0", "e:0"]
    assert dict(counts)["ambiguous_parent"] == dict(counts)["no_match"] == 2


def test_negatives_of_one_draw_do_not_overlap_and_do_not_depend_on_anything_but_the_seed(tmp_path):
    positives, request = genomic_case(tmp_path)
    first, _ = matched(positives, request, ratio=10.0)
    again, _ = matched(positives, request, ratio=10.0)
    pd.testing.assert_frame_equal(first, again)
    starts = np.sort(first["start"].to_numpy())
    assert (np.diff(starts) >= 60).all()


@pytest.fixture(scope="module")
def chr22(tmp_path_factory, real_data):
    path = tmp_path_factory.mktemp("chr22") / "genome.fa"
    with gzip.open(real_data / "hg38_chr22/hg38.chr22.fa.gz") as packed, path.open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    pysam.faidx(str(path))
    return path


def real_positives(path, peaks, n, width=200):
    starts = ((peaks["start"] + peaks["end"]) // 2 - width // 2).to_numpy()
    starts = np.sort(starts[(starts > 25_000_000) & (starts < 45_000_000)])[:n]
    with Genome.open(path) as genome:
        texts = strings_of(encode(genome.windows(["chr22"] * len(starts), starts, width)))
    placed = unplaced(texts).assign(chrom="chr22", start=starts, end=starts + width, strand=".")
    return placed[~placed["sequence"].duplicated()]


@pytest.mark.realdata
def test_gc_of_real_negatives_follows_the_positives_bin_by_bin(chr22, real_data, tmp_path):
    (tmp_path / "split.yaml").write_text(
        "assemblies:\n  hg38:\n    train: {a: 'chr22:25000000-45000000'}\n"
        "    valid: {b: 'chr22:46000000-47000000'}\n    test: {c: 'chr22:48000000-49000000'}\n"
    )
    peaks = real_data / "hg38_chr22/peaks_tfbs_clusters/SPI1.bed.gz"
    blacklist = real_data / "hg38_chr22/hg38-blacklist.v2.bed.gz"
    (tmp_path / "peaks.json").write_text('{"provenance": {}}')
    with Genome.open(chr22) as genome:
        write_tiles(tmp_path / "tiles.h5", genome, 200, None, read_bed3(blacklist), {})
    files = {"genome": chr22, "tiles": tmp_path / "tiles.h5", "split": tmp_path / "split.yaml", "blacklist": None}
    files |= {"peaks": peaks, "peaks_record": tmp_path / "peaks.json"}  # the blacklist is that of the tiles
    numbers = {"exclusion_bp": 500, "gc_bins": 50, "repeat_bins": 5}
    request = BackgroundRequest(**files, assembly="hg38", format="bed", **numbers, **OF_OTHER_SCHEMES)
    positives = real_positives(chr22, read_bed3(peaks), 600)
    with request.open(ExampleTable(positives), ["genomic_matched"]) as background:
        made, counts = make_negatives("e", positives, ("train",), "genomic_matched", 2.0, rng(), background)
    assert len(made) > 0.98 * counts[0][1]
    gc = positives.assign(gc=gc_fraction(codes_of(positives["sequence"].tolist()))).set_index("example_id")["gc"]
    own = gc_fraction(codes_of(made["sequence"].tolist()))
    steps = np.abs(np.floor(own * 50 + 1e-9) - np.floor(made["parent_id"].map(gc).to_numpy() * 50 + 1e-9))
    assert steps.max() <= 1
    assert (steps == 0).mean() > 0.9
    assert not overlaps(made, extend(read_bed3(peaks), 500, {"chr22": 50_818_468})).any()
    assert not overlaps(made, read_bed3(blacklist)).any()


def dinucleotide_auroc(real, fake):
    """AUROC, on pairs held out, of a logistic regression on dinucleotide counts."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    half = len(real) // 2
    counts = [count_kmers(codes, 2).astype(float) for codes in (real, fake)]
    fit, held = (np.concatenate([table[part] for table in counts]) for part in (slice(half), slice(half, None)))
    labels = [np.repeat([1, 0], n) for n in (half, len(real) - half)]
    model = LogisticRegression(max_iter=2000).fit(fit, labels[0])
    return roc_auc_score(labels[1], model.decision_function(held))


@pytest.mark.realdata
def test_composition_cannot_tell_our_shuffles_from_their_sources_but_catches_a_shuffle_of_blocks_of_two(chr22):
    starts = np.sort(rng(5).choice(np.arange(17_000_000, 50_000_000, 101), 6000, replace=False))
    with Genome.open(chr22) as genome:
        codes = encode(genome.windows(["chr22"] * len(starts), starts, 101))
    codes = codes[(codes < 4).all(axis=1)]
    positives = unplaced(strings_of(codes))
    made, _ = shuffled(positives.drop_duplicates("sequence"))
    sources = made["parent_id"].map(positives.set_index("example_id")["sequence"])
    exact = dinucleotide_auroc(codes_of(sources.tolist()), codes_of(made["sequence"].tolist()))
    blocks = codes[:, :100].reshape(len(codes), 50, 2)
    order = rng().permuted(np.tile(np.arange(50), (len(codes), 1)), axis=1)
    in_blocks = np.take_along_axis(blocks, order[:, :, None], axis=1).reshape(len(codes), 100)
    assert exact == pytest.approx(0.5, abs=1e-9)
    assert dinucleotide_auroc(codes[:, :100], in_blocks) > 0.7
