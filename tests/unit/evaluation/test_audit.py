import gzip
import shutil

import numpy as np
import pandas as pd
import pysam
import pytest
from sklearn.metrics import roc_auc_score

from bindgram.data.examples import ExampleTable, skipped_examples
from bindgram.data.negatives import NEGATIVE_SCHEMES, PRESERVES
from bindgram.data.published import published_examples, read_sequences
from bindgram.data.tiles import Tiles, write_tiles
from bindgram.errors import InputError
from bindgram.evaluation.audit import (
    FEATURES,
    AuditSettings,
    NotDefined,
    Surroundings,
    audit_tables,
    cpg_ratio,
    cross_validated,
    draw_folds,
    family_numbers,
    nearest_peaks,
    preserved_features,
    read_audit,
    repeats,
    thin,
    write_audit,
)
from bindgram.genome.fasta import Genome
from bindgram.genome.regions import make_regions
from bindgram.provenance import make_provenance
from bindgram.report.audit import FEATURE_NAMES
from bindgram.sequence.dna import codes_of, encode, strings_of
from bindgram.sequence.kmers import count_kmers
from bindgram.sequence.shuffles import shuffle_klets

SETTINGS = AuditSettings(suspicious_auroc=0.55, max_per_class=3000, confidence=0.95, seed=1)
WIDTH = 100


def examples(positives, negatives, kind, split="train"):
    """Label-1 sequences and one negative of each, without coordinates."""
    n = len(positives)
    ids = [f"e:{i}" for i in range(n)]
    return pd.DataFrame(
        {
            "example_id": [*ids, *(f"{name}:n" for name in ids)],
            "chrom": None,
            "start": pd.array([pd.NA] * (2 * n), dtype="Int64"),
            "end": pd.array([pd.NA] * (2 * n), dtype="Int64"),
            "strand": None,
            "label": np.repeat([1, 0], n).astype(np.int8),
            "kind": np.repeat(["peak", kind], n),
            "parent_id": [*([None] * n), *ids],
            "split": split,
            "sequence": [*strings_of(positives), *strings_of(negatives)],
        }
    )


def audited(positives, negatives, kind="dinucleotide_shuffle", settings=SETTINGS):
    """Feature to its row of the audit."""
    table = ExampleTable(examples(positives, negatives, kind))
    rows = audit_tables("e", {"t": table}, "narrowPeak", Surroundings(), settings)
    return {row["feature"]: row for row in rows.to_dict("records")}


def shuffled_in_blocks_of_two(codes, rng):
    """What earlier systems called a dinucleotide shuffle."""
    blocks = codes.reshape(len(codes), -1, 2)
    order = rng.permuted(np.tile(np.arange(blocks.shape[1]), (len(codes), 1)), axis=1)
    return np.take_along_axis(blocks, order[:, :, None], axis=1).reshape(codes.shape)


def markov_sequences(n, rng):
    """(n, WIDTH) codes of a chain with about the dinucleotides of the human genome: few CpG."""
    steps = [[0.32, 0.17, 0.24, 0.27], [0.35, 0.26, 0.05, 0.34], [0.29, 0.21, 0.26, 0.24], [0.22, 0.20, 0.26, 0.32]]
    edges = np.cumsum(steps, axis=1)
    codes = np.empty((n, WIDTH), np.uint8)
    codes[:, 0] = rng.integers(0, 4, n)
    for place in range(1, WIDTH):
        codes[:, place] = (rng.random(n)[:, None] > edges[codes[:, place - 1]]).sum(axis=1).clip(max=3)
    return codes


@pytest.fixture(scope="module")
def genomic(tmp_path_factory, real_data):
    """(3000, WIDTH) codes of windows of chr22, at random."""
    path = tmp_path_factory.mktemp("chr22") / "genome.fa"
    with gzip.open(real_data / "hg38_chr22/hg38.chr22.fa.gz") as packed, path.open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    pysam.faidx(str(path))
    starts = np.random.default_rng(5).integers(17_000_000, 50_000_000, 3300)
    with Genome.open(path) as genome:
        codes = encode(genome.windows(["chr22"] * len(starts), starts, WIDTH))
    return codes[(codes < 4).all(axis=1)][:3000]


@pytest.fixture(scope="module")
def synthetic():
    return markov_sequences(3000, np.random.default_rng(6))


@pytest.fixture(params=["synthetic", pytest.param("genomic", marks=pytest.mark.realdata)])
def sequences(request):
    """Positives: of a Markov chain and, where there are real data, of a genome."""
    return request.getfixturevalue(request.param)


def test_shuffle_in_blocks_of_two_is_caught_by_dinucleotides(sequences):
    found = audited(sequences, shuffled_in_blocks_of_two(sequences, np.random.default_rng(1)))
    assert 0.72 < found["kmer2"]["auroc"] < 0.87
    assert found["kmer2"]["suspicious"]
    assert found["kmer1"]["auroc"] == found["gc"]["auroc"] == 0.5
    assert not found["gc"]["suspicious"]
    assert not found["kmer1"]["suspicious"]


@pytest.mark.realdata
def test_numbers_on_the_genome_are_those_of_the_method(genomic):
    """The table of docs/method.md."""
    rng = np.random.default_rng(1)
    cases = {
        "blocks": (shuffled_in_blocks_of_two(genomic, rng), 0.83, 0.87),
        "mononucleotides": (shuffle_klets(genomic, 1, rng), 0.95, 0.97),
        "dinucleotides": (shuffle_klets(genomic, 2, rng), 0.5, 0.69),
    }
    for negatives, *expected in cases.values():
        found = audited(genomic, negatives)
        assert [found["kmer2"]["auroc"], found["kmer3"]["auroc"]] == pytest.approx(expected, abs=0.02)


def test_exact_dinucleotide_shuffle_is_not_caught_and_trinucleotides_are_printed_but_not_judged(sequences):
    found = audited(sequences, shuffle_klets(sequences, 2, np.random.default_rng(2)))
    for feature in ("gc", "kmer1", "kmer2", "cpg"):
        assert found[feature]["judged"]
        assert found[feature]["low"] <= 0.5 <= found[feature]["high"]
        assert found[feature]["auroc"] == pytest.approx(0.5, abs=1e-9)
    assert not found["kmer3"]["judged"]
    assert not any(row["suspicious"] for row in found.values())


@pytest.mark.realdata
def test_trinucleotides_of_an_exact_dinucleotide_shuffle_differ_on_the_genome(genomic):
    found = audited(genomic, shuffle_klets(genomic, 2, np.random.default_rng(2)))
    assert 0.6 < found["kmer3"]["auroc"] < 0.72


def test_mononucleotide_shuffle_under_the_name_of_a_dinucleotide_shuffle_is_caught(sequences):
    negatives = shuffle_klets(sequences, 1, np.random.default_rng(3))
    found = audited(sequences, negatives)
    assert 0.9 < found["kmer2"]["auroc"] < 0.98
    assert found["kmer2"]["suspicious"]
    assert found["cpg"]["suspicious"]
    honest = audited(sequences, negatives, "mononucleotide_shuffle")
    assert honest["kmer2"]["auroc"] == found["kmer2"]["auroc"]
    assert not any(row["suspicious"] for row in honest.values())


def test_torn_families_would_push_the_audit_below_one_half(synthetic):
    """Why a positive and its negatives share a fold."""
    codes = synthetic[:1000]
    values = count_kmers(np.concatenate([codes, shuffle_klets(codes, 2, np.random.default_rng(4))]), 2).astype(float)
    labels, families = np.repeat([1, 0], 1000), np.tile(np.arange(1000), 2)
    rng = np.random.default_rng(5)
    together = cross_validated(values, labels, draw_folds(families, rng))
    torn = cross_validated(values, labels, draw_folds(np.arange(2000), rng))
    assert roc_auc_score(labels, together) == pytest.approx(0.5, abs=1e-9)
    assert roc_auc_score(labels, torn) < 0.48


def test_unrelated_sets_of_one_composition_give_one_half_within_the_interval(synthetic):
    found = audited(synthetic[:1500], synthetic[1500:], "genomic_matched")
    for feature in ("gc", "kmer1", "kmer2", "kmer3", "cpg"):
        assert found[feature]["low"] < 0.5 + 0.01, feature
        assert abs(found[feature]["auroc"] - 0.5) < 0.04


def test_gc_of_negatives_that_were_not_matched_is_suspicious_and_says_where_it_is_higher():
    rng = np.random.default_rng(7)
    rich = rng.choice(4, (300, WIDTH), p=[0.2, 0.3, 0.3, 0.2]).astype(np.uint8)
    poor = rng.choice(4, (300, WIDTH), p=[0.3, 0.2, 0.2, 0.3]).astype(np.uint8)
    found = audited(poor, rich, "genomic_matched")["gc"]
    assert found["auroc"] > 0.9
    assert (found["higher_in"], found["suspicious"]) == ("negatives", True)
    assert 0.35 < found["median_positives"] < 0.45 < 0.55 < found["median_negatives"] < 0.65
    assert audited(rich, poor, "genomic_matched")["gc"]["higher_in"] == "positives"


def test_cpg_by_hand():
    """ACGCGT: 2 CpG, 2 C, 2 G, 6 bases: 2 x 6 / 4 = 3. CCGGTT: 1 x 6 / 4. NNCGNN counts its 2 bases: 1 x 2 / 1."""
    texts = ["ACGCGT", "CCGGTT", "GGCCAA", "AAAAAA", "NNCGNN"]
    assert cpg_ratio(codes_of(texts)).tolist() == [3.0, 1.5, 0.0, 0.0, 2.0]


def placed(*windows, width=4):
    return pd.DataFrame(
        {
            "chrom": [chrom for chrom, _ in windows],
            "start": [start for _, start in windows],
            "end": [start + width for _, start in windows],
            "sequence": "A" * width,
        }
    )


@pytest.mark.parametrize("letters", ["ACGTacGTacgtACGT", "ACGTACGTACGTACGT"])
def test_repeats_are_the_share_of_a_window_that_the_tiles_know_of(tmp_path, letters):
    (tmp_path / "g.fa").write_text(f">c\n{letters}\n")
    pysam.faidx(str(tmp_path / "g.fa"))
    with Genome.open(tmp_path / "g.fa") as genome:
        write_tiles(tmp_path / "t.h5", genome, 8, None, None, make_provenance("tile", 1, {}))
    around = Surroundings(Tiles.open(tmp_path / "t.h5"))
    windows = placed(("c", 0), ("c", 4), ("c", 8), ("c", 6))
    if letters.isupper():
        with pytest.raises(NotDefined, match="repeats of this assembly are not known"):
            repeats(windows, None, around)
    else:
        assert repeats(windows, None, around)[:, 0].tolist() == [0.0, 0.5, 1.0, 0.5]


def test_distance_is_to_the_nearest_peak_that_is_not_touched():
    peaks = make_regions([("c", 10, 20), ("c", 12, 40), ("c", 100, 110), ("d", 0, 5)])
    windows = placed(("c", 15), ("c", 50), ("c", 6), ("c", 200), ("e", 0), ("d", 2))
    # The first lies in two peaks, so 100 - 19; then 50 - 40; 6..10 touches the peak's side without a base of it: 0.
    assert nearest_peaks(windows, peaks).tolist() == [81, 10, 0, 90, np.inf, np.inf]


def test_distance_equals_a_slow_search():
    rng = np.random.default_rng(8)
    starts = rng.integers(0, 5000, 60)
    peaks = make_regions(
        [("c", int(start), int(start + length)) for start, length in zip(starts, rng.integers(1, 80, 60), strict=True)]
    )
    windows = placed(*(("c", int(start)) for start in rng.integers(0, 5000, 200)), width=30)
    slow = [
        min(
            [
                max(row.start - peak.end, peak.start - row.end)
                for peak in peaks.itertuples()
                if peak.end <= row.start or peak.start >= row.end
            ]
        )
        for row in windows.itertuples()
    ]
    assert nearest_peaks(windows, peaks).tolist() == slow


def test_published_negatives_of_deepbind_are_judged_as_dinucleotide_shuffles_and_others_not_at_all():
    assert preserved_features("published", {}, "deepbind") == set(PRESERVES["dinucleotide_shuffle"])
    assert preserved_features("published", {}, "gue") == set()
    assert preserved_features("unheard_of", {}, "bed") == set()


def test_repeats_are_judged_only_where_they_were_matched_on():
    matched = {"settings": {"matched_on": ["gc", "repeats"]}}
    assert preserved_features("genomic_matched", {"settings": {"matched_on": ["gc"]}}, "bed") == {"gc"}
    assert preserved_features("genomic_matched", matched, "bed") == {"gc", "repeats"}


def test_of_a_mixture_only_what_all_its_schemes_preserve_is_judged():
    assert preserved_features("dinucleotide_shuffle+genomic_matched", {}, "bed") == {"gc"}


def test_every_scheme_says_what_it_preserves_and_every_feature_has_a_name():
    assert set(PRESERVES) == {*NEGATIVE_SCHEMES, "published"}
    assert {name for names in PRESERVES.values() for name in names} <= set(FEATURES) == set(FEATURE_NAMES)


def test_subsample_keeps_families_together_and_the_cap():
    frame = examples(np.zeros((50, 4), np.uint8), np.zeros((50, 4), np.uint8), "x")
    more = frame.iloc[50:].assign(example_id=lambda rows: rows["example_id"] + "2")
    kept = thin(pd.concat([frame, more]), 20, np.random.default_rng(1))
    assert kept["label"].value_counts().to_dict() == {1: 20, 0: 20}
    assert kept.loc[kept["label"] == 0, "parent_id"].isin(kept["example_id"]).all()
    assert len(thin(frame, 1000, np.random.default_rng(1))) == 100


def test_folds_hold_whole_families():
    frame = examples(np.zeros((23, 4), np.uint8), np.zeros((23, 4), np.uint8), "x")
    families = family_numbers(frame, np.zeros((46, 4), np.uint8))
    assert families.tolist() == [*range(23)] * 2
    folds = draw_folds(families, np.random.default_rng(1))
    assert (folds[:23] == folds[23:]).all()
    assert np.bincount(folds[:23]).tolist() == [5, 5, 5, 4, 4]


def test_negatives_without_a_parent_join_the_positive_that_they_are_a_shuffle_of():
    rng = np.random.default_rng(9)
    positives = rng.integers(0, 4, (20, 40)).astype(np.uint8)
    positives[1] = shuffle_klets(positives[:1], 1, rng)[0]  # the same bases as its neighbour, other dinucleotides
    codes = np.concatenate([positives, shuffle_klets(positives, 2, rng), shuffle_klets(positives[5:], 1, rng)])
    codes = np.concatenate([codes, np.zeros((1, 40), np.uint8)])
    n = len(codes)
    frame = pd.DataFrame(
        {"example_id": [str(i) for i in range(n)], "parent_id": None, "label": [1] * 20 + [0] * (n - 20)}
    )
    assert family_numbers(frame, codes).tolist() == [*range(20), *range(20), *range(5, 20), 20]


def test_audit_is_the_same_twice_and_for_another_order_of_tables(synthetic):
    table = ExampleTable(examples(synthetic[:60], synthetic[60:120], "genomic_matched"))
    settings = AuditSettings(0.55, 40, 0.95, 1)
    first = audit_tables("e", {"a": table, "b": table}, "bed", Surroundings(), settings)
    again = audit_tables("e", {"b": table, "a": table}, "bed", Surroundings(), settings)
    pd.testing.assert_frame_equal(first[first["table"] == "a"], again[again["table"] == "a"].set_axis(range(7)))
    assert (first["n_positives"] == 40).all()


def test_skipped_and_tiny_tables_say_why_they_have_no_values(tmp_path):
    tiny = ExampleTable(examples(np.zeros((3, 8), np.uint8), np.ones((3, 8), np.uint8), "genomic_matched"))
    found = audit_tables("e", {"s": skipped_examples("no peaks", {}), "t": tiny}, "bed", Surroundings(), SETTINGS)
    assert found["reason"].tolist() == ["no peaks", "too few examples: fewer than 5 families, or one class only"]
    write_audit(tmp_path / "a.tsv", found)
    assert read_audit(tmp_path / "a.tsv")["auroc"].isna().all()


def test_written_audit_reads_back(tmp_path, synthetic):
    table = ExampleTable(examples(synthetic[:60], synthetic[60:120], "genomic_matched"))
    made = audit_tables("e", {"t": table}, "bed", Surroundings(), SETTINGS)
    write_audit(tmp_path / "a.tsv", made)
    back = read_audit(tmp_path / "a.tsv")
    assert back["auroc"].to_numpy() == pytest.approx(made["auroc"].to_numpy(float), abs=5e-5, nan_ok=True)
    assert back["judged"].tolist() == ["yes"] + ["no"] * 6
    assert back.loc[back["feature"] == "repeats", "reason"].tolist() == ["no coordinates"]


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["GABPA_GM12878_GABP_HudsonAlpha", "SUZ12_H1-hESC_SUZ12_USC"])
def test_published_negatives_of_deepbind_are_exact_dinucleotide_shuffles(real_data, name):
    published = read_sequences(real_data / f"deepbind/{name}_B.seq.gz", "deepbind")
    frame = published_examples("e", published[~published["sequence"].str.contains("N")], "test")
    found = audit_tables("e", {"published": ExampleTable(frame)}, "deepbind", Surroundings(), SETTINGS)
    judged = found[found["judged"]]
    assert judged["feature"].tolist() == ["gc", "kmer1", "kmer2", "cpg"]
    assert judged[["auroc", "low", "high"]].to_numpy(float) == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize("text", ["", "a\tb\n1\t2\n", "table\tauroc\tlow\thigh\nt\t.5\t.4\t.6\n"])
def test_other_tables_are_refused_by_name(tmp_path, text):
    (tmp_path / "x.tsv").write_text(text)
    with pytest.raises(InputError, match=r"x\.tsv: not an audit"):
        read_audit(tmp_path / "x.tsv")
