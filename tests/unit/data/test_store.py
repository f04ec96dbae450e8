import re
import subprocess
from pathlib import Path
from shutil import which

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindgram.data import bins
from bindgram.data.bins import Column, StorePlan, columns_of_sheet
from bindgram.data.peaks import read_assembly_peaks
from bindgram.data.splits import COLUMNS, Split
from bindgram.data.store import Store, check_held_out, check_windows, write_store
from bindgram.errors import InputError, LeakageError
from bindgram.genome.regions import make_regions
from bindgram.genome.text import open_maybe_gzip
from bindgram.provenance import make_provenance
from bindgram.settings.sheets import Experiment
from bindgram.settings.splits import SPLITS, HoldOut

SIZES = {"a": 1000, "b": 430, "unused": 50}
SPLIT = Split(
    pd.DataFrame(
        [("a", 0, 400, "train", "t1"), ("a", 480, 1000, "test", "e1"), ("b", 30, 430, "valid", "v1")],
        columns=list(COLUMNS),
    )
)
PLAN = StorePlan(bin_bp=20, window_bp=60, min_overlap=0.5, min_peak_bp=1, empty_fraction=1.0, seed=1)
NO_REGIONS = make_regions([])


def peaks_of(rows):
    """A peak table of ``(chrom, start, end, summit)``."""
    frame = pd.DataFrame(rows, columns=["chrom", "start", "end", "summit"])
    return frame.astype({"chrom": "str", "start": int, "end": int, "summit": int})


def column(name, split="train"):
    return Column(name, name.upper(), "cells", "", split)


def written(path, peaks, plan=PLAN, columns=None, split=SPLIT, sizes=SIZES, **forbidden):
    """A store of experiments ``name: rows of peaks``."""
    columns = columns or [column(name) for name in peaks]
    forbidden = {"blacklist": NO_REGIONS, "ambiguous": NO_REGIONS} | forbidden
    return write_store(
        path,
        plan,
        columns,
        lambda name: peaks_of(peaks[name]),
        split,
        sizes,
        forbidden,
        make_provenance("store", 1, {}),
    )


def matrix(path):
    """Everything of a store: rows as tuples (chrom, start of the bin, split), and labels."""
    with Store.open(path) as store:
        frame = store.regions(np.arange(len(store)), windows=False)
        rows = list(frame[["chrom", "start", "split"]].itertuples(index=False, name=None))
        return rows, store.labels(np.arange(len(store)))


def test_rows_are_the_bins_whose_window_lies_in_a_block(tmp_path):
    counts = written(tmp_path / "s.h5", {"x": []})
    rows, _ = matrix(tmp_path / "s.h5")
    assert rows == [
        *(("a", start, "train") for start in range(20, 361, 20)),
        *(("a", start, "test") for start in range(500, 961, 20)),
        *(("b", start, "valid") for start in range(60, 381, 20)),
    ]
    with Store.open(tmp_path / "s.h5") as store:
        windows = store.regions(np.array([0, len(store) - 1]), windows=True)
    assert windows.to_numpy().tolist() == [["a", 0, 60, "train"], ["b", 360, 420, "valid"]]
    assert (counts["n_bins"], counts["n_rows"], counts["n_rows_valid"]) == (59, 59, 17)


def test_a_bin_is_positive_from_half_of_it_on_and_unknown_below(tmp_path):
    written(tmp_path / "s.h5", {"x": [("a", 110, 160, -1), ("a", 195, 202, -1), ("a", 207, 212, -1)]})
    rows, labels = matrix(tmp_path / "s.h5")
    found = {row[1]: int(label) for row, label in zip(rows, labels[:, 0], strict=True) if row[0] == "a" and label != 0}
    # 5 bp of bin 180 are covered; of bin 200 2 + 5 bp
    assert found == {100: 1, 120: 1, 140: 1, 180: -1, 200: -1}


def test_pieces_of_peaks_add_up_and_overlapping_peaks_count_once(tmp_path):
    apart = [("a", 100, 105, -1), ("a", 110, 115, -1)]
    twice = [("a", 100, 109, -1), ("a", 101, 109, -1)]
    written(tmp_path / "s.h5", {"apart": apart, "twice": twice})
    rows, labels = matrix(tmp_path / "s.h5")
    assert labels[rows.index(("a", 100, "train"))].tolist() == [1, -1]


def test_a_summit_far_beyond_the_chromosome_end_marks_nothing(tmp_path):
    beyond = peaks_of([("a", 990, 1180, 185), ("a", 990, 1180, 5)])
    assert bins.widened(beyond, 200, SIZES).to_numpy().tolist() == [["a", 895, 1000]]
    written(tmp_path / "s.h5", {"x": [("a", 990, 1180, 185)]}, StorePlan(20, 60, 0.5, 300, 1.0, 1))


def test_a_short_peak_counts_as_a_window_around_its_summit_cut_at_the_chromosome_end(tmp_path):
    plan = StorePlan(20, 20, 0.5, 20, 1.0, 1)
    written(tmp_path / "s.h5", {"x": [("a", 210, 211, -1), ("a", 990, 998, 7), ("a", 100, 119, 0)]}, plan)
    rows, labels = matrix(tmp_path / "s.h5")
    positive = [row[1] for row, label in zip(rows, labels[:, 0], strict=True) if label == 1]
    assert positive == [80, 100, 200, 980]  # the last peak becomes 90-110


def test_nothing_is_known_of_a_chromosome_without_any_peak_of_the_experiment(tmp_path):
    written(tmp_path / "s.h5", {"both": [("a", 100, 120, -1), ("b", 100, 120, -1)], "one": [("a", 0, 5, -1)]})
    rows, labels = matrix(tmp_path / "s.h5")
    on_b = np.array([row[0] == "b" for row in rows])
    assert (labels[on_b, 1] == -1).all()
    assert (labels[~on_b, 1] == 0).all()
    assert sorted(set(labels[on_b, 0].tolist())) == [0, 1]


def test_held_out_experiments_have_labels_in_rows_of_their_own_split_only(tmp_path):
    peaks = {
        name: [("a", 100, 120, -1), ("a", 500, 520, -1), ("b", 100, 120, -1)] for name in ("free", "late", "early")
    }
    columns = [column("free"), column("late", "test"), column("early", "valid")]
    written(tmp_path / "s.h5", peaks, columns=columns)
    rows, labels = matrix(tmp_path / "s.h5")
    known = {split: (labels[[row[2] == split for row in rows]] != -1).all(axis=0).tolist() for split in SPLITS}
    assert known == {"train": [True, False, False], "valid": [True, False, True], "test": [True, True, False]}
    with Store.open(tmp_path / "s.h5") as store:
        assert store.experiments["split"].tolist() == ["train", "test", "valid"]
        assert store.experiments["n_positive_train"].tolist() == [1, 0, 0]
        assert store.experiments["n_positive_test"].tolist() == [1, 1, 0]


def test_a_held_out_experiment_keeps_no_row_of_another_split(tmp_path):
    """Else which rows are there would tell of its peaks."""
    plan = StorePlan(20, 60, 0.5, 1, 0.0, 1)
    peaks = {"free": [("a", 100, 120, -1)], "late": [("a", 200, 220, -1), ("a", 500, 520, -1)]}
    written(tmp_path / "s.h5", peaks, plan, [column("free"), column("late", "test")])
    assert matrix(tmp_path / "s.h5")[0] == [("a", 100, "train"), ("a", 500, "test")]


def test_bins_on_the_blacklist_or_with_n_are_no_rows_and_are_counted_once(tmp_path):
    regions = {"blacklist": make_regions([("a", 119, 121)]), "ambiguous": make_regions([("a", 130, 141), ("b", 0, 61)])}
    counts = written(tmp_path / "s.h5", {"x": [("a", 0, 5, -1)]}, **regions)
    rows, _ = matrix(tmp_path / "s.h5")
    assert not {("a", 100, "train"), ("a", 120, "train"), ("a", 140, "train"), ("b", 60, "valid")} & set(rows)
    assert (counts["n_bins"], counts["n_blacklist"], counts["n_ambiguous"], counts["n_rows"]) == (59, 2, 2, 55)


def test_rows_without_a_positive_are_thinned_and_no_other(tmp_path):
    sizes, split = {"a": 200_000}, Split(pd.DataFrame([("a", 0, 200_000, "train", "t")], columns=list(COLUMNS)))
    peaks = {"x": [("a", start, start + 30, -1) for start in range(1000, 190_000, 1000)]}
    kept = {}
    for fraction in (1.0, 0.25, 0.0):
        plan = StorePlan(20, 60, 0.5, 1, fraction, 1)
        counts = written(tmp_path / f"{fraction}.h5", peaks, plan, None, split, sizes)
        rows, labels = matrix(tmp_path / f"{fraction}.h5")
        kept[fraction] = dict(zip((row[1] for row in rows), labels[:, 0].tolist(), strict=True))
        assert counts["n_empty_left_out"] + counts["n_rows"] == counts["n_bins"]
    positive = {start for start, label in kept[1.0].items() if label == 1}
    assert set(kept[0.0]) == positive
    assert all(kept[1.0][start] == label for start, label in kept[0.25].items())
    assert positive < set(kept[0.25])
    n_empty = len(kept[1.0]) - len(positive)
    assert (len(kept[0.25]) - len(positive)) / n_empty == pytest.approx(0.25, abs=5 * (0.25 * 0.75 / n_empty) ** 0.5)
    again = StorePlan(20, 60, 0.5, 1, 0.25, 2)
    written(tmp_path / "again.h5", peaks, again, None, split, sizes)
    assert {row[1] for row in matrix(tmp_path / "again.h5")[0]} != set(kept[0.25])


def oracle(peaks, columns, plan, forbidden):
    """The store base by base: rows, and the labels of each row."""
    rows, labels = [], []
    covered = {}
    for name, spans in peaks.items():
        covered[name] = {chrom: [False] * size for chrom, size in SIZES.items()}
        for chrom, start, end, summit in spans:
            if end - start < plan.min_peak_bp:
                centre = start + summit if summit >= 0 else (start + end) // 2
                start, end = centre - plan.min_peak_bp // 2, centre - plan.min_peak_bp // 2 + plan.min_peak_bp
            for base in range(max(0, start), min(end, SIZES[chrom])):
                covered[name][chrom][base] = True
    for chrom, block_start, block_end, split, _ in SPLIT.regions.itertuples(index=False, name=None):
        for start in range(0, SIZES[chrom] - plan.bin_bp + 1, plan.bin_bp):
            end = start + plan.bin_bp
            if start - plan.flank < block_start or end + plan.flank > block_end:
                continue
            if any(c == chrom and s < end and e > start for c, s, e in forbidden):
                continue
            row = []
            for made in columns:
                n = sum(covered[made.experiment][chrom][start:end])
                known = any(covered[made.experiment][chrom]) and made.split in ("train", split)
                row.append(-1 if not known else 0 if n == 0 else 1 if n >= plan.min_overlap * plan.bin_bp else -1)
            rows.append((chrom, start, split))
            labels.append(row)
    return rows, labels


@st.composite
def peak_rows(draw):
    chrom = draw(st.sampled_from(["a", "b"]))
    start = draw(st.integers(0, SIZES[chrom] - 1))
    length = draw(st.integers(1, min(120, SIZES[chrom] - start)))
    return chrom, start, start + length, draw(st.integers(-1, length))


@settings(max_examples=12)
@given(
    spans=st.lists(st.lists(peak_rows(), max_size=12), min_size=1, max_size=4),
    bin_bp=st.integers(1, 40),
    flank=st.integers(0, 30),
    min_overlap=st.sampled_from([0.01, 0.3, 0.5, 0.55, 1.0]),
    min_peak_bp=st.integers(1, 50),
    splits=st.lists(st.sampled_from(SPLITS), min_size=4, max_size=4),
    n_mask=st.integers(0, 2),
)
def test_store_equals_the_one_made_base_by_base(
    tmp_path_factory, spans, bin_bp, flank, min_overlap, min_peak_bp, splits, n_mask
):
    path = tmp_path_factory.getbasetemp() / "oracle.h5"
    plan = StorePlan(bin_bp, bin_bp + 2 * flank, min_overlap, min_peak_bp, 1.0, 1)
    peaks = {f"e{number}": rows for number, rows in enumerate(spans)}
    columns = [column(name, split) for name, split in zip(peaks, splits, strict=False)]
    masked = [("a", 37, 59), ("b", 300, 301)][:n_mask]
    written(path, peaks, plan, columns, ambiguous=make_regions(masked))
    rows, labels = matrix(path)
    expected_rows, expected = oracle(peaks, columns, plan, masked)
    assert sorted(rows) == sorted(expected_rows)
    assert dict(zip(rows, labels.tolist(), strict=True)) == dict(zip(expected_rows, expected, strict=True))


def test_result_does_not_depend_on_how_much_is_held_in_memory(tmp_path, monkeypatch):
    peaks = {"x": [("a", 100, 160, -1), ("b", 90, 130, -1)], "y": [("a", 600, 660, -1)]}
    written(tmp_path / "large.h5", peaks)
    monkeypatch.setattr(bins, "WRITE_BYTES", 14)
    written(tmp_path / "small.h5", peaks)
    assert matrix(tmp_path / "small.h5")[1].tolist() == matrix(tmp_path / "large.h5")[1].tolist()
    with Store.open(tmp_path / "large.h5") as large, Store.open(tmp_path / "small.h5") as small:
        assert large.provenance["digest"] == small.provenance["digest"]


def test_same_inputs_give_the_same_bytes(tmp_path):
    for name in ("one.h5", "two.h5"):
        written(tmp_path / name, {"x": [("a", 100, 160, -1)]})
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_counts_of_the_table_are_those_of_the_matrix(tmp_path):
    peaks = {"x": [("a", 100, 130, -1), ("b", 90, 130, -1)], "y": [("a", 600, 665, -1), ("a", 1, 2, -1)]}
    written(tmp_path / "s.h5", peaks)
    rows, labels = matrix(tmp_path / "s.h5")
    with Store.open(tmp_path / "s.h5") as store:
        table = store.experiments
    assert table["n_peaks"].tolist() == [2, 2]
    for split in SPLITS:
        ours = labels[[row[2] == split for row in rows]]
        for word, value in (("positive", 1), ("negative", 0), ("unknown", -1)):
            assert table[f"n_{word}_{split}"].tolist() == (ours == value).sum(axis=0).tolist()


def test_windows_of_two_splits_that_overlap_are_refused():
    check_windows(np.array([0, 20, 80]), np.array([0, 0, 1]), 60, "a")
    with pytest.raises(LeakageError, match=r"windows of 60 bp on a at 20 \(train\) and 79 \(valid\) overlap"):
        check_windows(np.array([0, 20, 79]), np.array([0, 0, 1]), 60, "a")


def test_labels_of_a_held_out_experiment_elsewhere_are_refused():
    columns = [column("free"), column("late", "test")]
    labels, splits = np.array([[1, -1], [0, 1]], np.int8), np.array([0, 2], np.uint8)
    check_held_out(labels, splits, columns)
    with pytest.raises(LeakageError, match="late is held out into test, but has labels in valid"):
        check_held_out(labels, np.array([0, 1], np.uint8), columns)


# Reading


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A store of 5,000 rows in chunks of 64, and its labels."""
    path = tmp_path_factory.mktemp("store") / "s.h5"
    rng = np.random.default_rng(5)
    sizes, split = {"a": 50_000}, Split(pd.DataFrame([("a", 0, 50_000, "train", "t")], columns=list(COLUMNS)))
    starts = {f"e{i}": rng.integers(0, 49_900, 400) for i in range(7)}
    peaks = {name: [("a", s, s + 12, -1) for s in values.tolist()] for name, values in starts.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bindgram.data.store.CHUNK_BYTES", 7 * 64)
        patch.setattr("bindgram.data.store.CHUNKS_AT_ONCE", 3)
        written(path, peaks, StorePlan(10, 10, 0.5, 1, 1.0, 1), None, split, sizes)
        with h5py.File(path) as file:
            labels = file["labels"][:]
        with Store.open(path) as store:
            yield store, labels


def test_labels_come_in_the_order_of_the_rows_asked_for(large):
    store, labels = large
    rng = np.random.default_rng(1)
    for rows in (rng.integers(0, len(store), 700), np.arange(len(store))[::-1], np.array([4999, 0, 0, 63, 64])):
        assert (store.labels(rows) == labels[rows]).all()
        columns = store.columns_of(["e5", "e1"])
        assert (store.labels(rows, columns) == labels[rows][:, [5, 1]]).all()
    assert store.labels(np.array([], int)).shape == (0, 7)


@pytest.mark.parametrize("n_rows", [0, 1, 130, 4097])
def test_batches_give_every_row_once_in_an_order_that_the_generator_decides(large, n_rows):
    store, labels = large
    rows = np.random.default_rng(2).permutation(len(store))[:n_rows]

    def epoch(seed):
        return list(store.batches(rows, None, 50, 4, np.random.default_rng(seed)))

    seen = epoch(1)
    assert sorted(np.concatenate([r for r, _ in seen]).tolist() if seen else []) == sorted(rows.tolist())
    assert all((batch == labels[r]).all() for r, batch in seen)
    assert [len(r) for r, _ in seen[:-1]] == [50] * (len(seen) - 1)
    assert all((one == two).all() for (one, _), (two, _) in zip(seen, epoch(1), strict=True))
    if n_rows > 1000:
        assert any((one != two).any() for (one, _), (two, _) in zip(seen, epoch(2), strict=True))
        assert abs(np.corrcoef(np.concatenate([r for r, _ in seen]), np.arange(n_rows))[0, 1]) < 0.2


def test_unknown_experiment_is_named(large):
    with pytest.raises(InputError, match="no experiment 'e9' in it"):
        large[0].columns_of(["e1", "e9"])


@pytest.mark.parametrize("content", [b"", b"no HDF5", None])
def test_what_is_no_store_is_refused(tmp_path, content):
    if content is None:
        with h5py.File(tmp_path / "s.h5", "w") as file:
            file.attrs["bindgram"] = "{}"
    else:
        (tmp_path / "s.h5").write_bytes(content)
    with pytest.raises(InputError, match=r"s\.h5: not a readable store"):
        Store.open(tmp_path / "s.h5")
    with pytest.raises(InputError, match=r"gone\.h5: not a readable store"):
        Store.open(tmp_path / "gone.h5")


def test_no_row_and_no_experiment_are_errors_and_leave_no_file(tmp_path):
    with pytest.raises(InputError, match="no window of 2020 bp is left in the blocks"):
        written(tmp_path / "s.h5", {"x": []}, StorePlan(20, 2020, 0.5, 1, 1.0, 1))
    with pytest.raises(InputError, match="no experiment with coordinates"):
        written(tmp_path / "s.h5", {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("bin_bp", "window_bp"), [(200, 100), (200, 301)])
def test_a_window_has_as_many_bp_on_both_sides(bin_bp, window_bp):
    with pytest.raises(InputError, match=f"window_bp {window_bp}: a window is its bin of 200 bp"):
        StorePlan(bin_bp, window_bp, 0.5, 1, 1.0, 1)


def test_columns_are_rows_of_the_sheet_with_the_split_into_which_they_are_held_out():
    shared = {"assembly": "toy", "format": "bed", "peaks": "p"}
    sheet = {
        name: Experiment(experiment=name, tf=name.upper(), biosample="K562", family=family, **shared)
        for name, family in (("x", None), ("y", "Ets;bHLH"))
    }
    sheet["z"] = sheet["x"].model_copy(update={"assembly": "other"})
    held = HoldOut.model_validate({"test": {"families": ["Ets"]}})
    assert columns_of_sheet(sheet, ["y", "x"], "toy", held) == [
        Column("y", "Y", "K562", "Ets;bHLH", "test"),
        Column("x", "X", "K562", "", "train"),
    ]
    with pytest.raises(InputError, match=r"(?s)z: its assembly is other, not toy.*gone: not in the experiment sheet"):
        columns_of_sheet(sheet, ["x", "z", "gone"], "toy", held)


# Real data


def bedtools_labels(folder, peaks, sizes, plan, n_bins):
    """Labels of all bins of one chromosome by `bedtools coverage`: (n_bins,)."""
    (chrom, size), *_ = sizes.items()
    grid = "".join(f"{chrom}\t{i * plan.bin_bp}\t{(i + 1) * plan.bin_bp}\n" for i in range(n_bins))
    (folder / "bins.bed").write_text(grid)
    peaks = peaks[peaks["chrom"] == chrom].sort_values("start")
    lines = zip(peaks["start"].clip(lower=0), peaks["end"].clip(upper=size), strict=True)
    (folder / "peaks.bed").write_text("".join(f"{chrom}\t{start}\t{end}\n" for start, end in lines))
    command = ["bedtools", "coverage", "-a", "bins.bed", "-b", "peaks.bed", "-sorted"]
    output = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    covered = np.array([int(line.split("\t")[4]) for line in output.splitlines()])
    return np.where(covered == 0, 0, np.where(covered >= plan.min_overlap * plan.bin_bp, 1, -1))


@pytest.mark.realdata
@pytest.mark.skipif(which("bedtools") is None, reason="bedtools is not installed")
@pytest.mark.parametrize(
    ("pattern", "chrom", "size", "format"),
    [
        ("hg19_chr20_chr22/peaks_dream/*.narrowPeak.gz", "chr22", 51_304_566, "narrowPeak"),
        ("sacCer3/peaks_chipexo/*.bed", "chrIV", 1_531_933, "bed"),
    ],
)
def test_real_peaks_have_the_labels_of_bedtools_coverage(real_data, tmp_path, pattern, chrom, size, format):
    files = sorted(real_data.glob(pattern))[:3]
    sizes = {chrom: size}
    split = Split(pd.DataFrame([(chrom, 0, size, "train", "t")], columns=list(COLUMNS)))
    plan = StorePlan(200, 200, 0.5, 1 if format == "narrowPeak" else 200, 1.0, 1)
    everything = {path.name: pd.read_csv(path, sep="\t", header=None, dtype={0: str}) for path in files}
    columns = [column(name) for name in everything]
    peaks = {}
    for path in files:
        with open_maybe_gzip(path) as handle:
            kept = [line for line in handle if line.startswith(f"{chrom}\t".encode())]
        (tmp_path / path.name.removesuffix(".gz")).write_bytes(b"".join(kept))
        peaks[path.name] = read_assembly_peaks(tmp_path / path.name.removesuffix(".gz"), format, sizes)
    write_store(tmp_path / "s.h5", plan, columns, peaks.get, split, sizes, {}, make_provenance("store", 1, {}))
    _, labels = matrix(tmp_path / "s.h5")
    for number, (name, table) in enumerate(everything.items()):
        spans = table[[0, 1, 2]].set_axis(["chrom", "start", "end"], axis=1)
        if format == "bed":  # sites of 1 bp become 200 bp around them
            spans = spans.assign(start=spans["start"] - 100, end=spans["start"] + 100)
        assert (labels[:, number] == bedtools_labels(tmp_path, spans, sizes, plan, len(labels))).all(), name
    assert (labels == 1).any(axis=0).sum() >= 2


# Documents


def test_reading_examples_of_the_formats_run(tmp_path, monkeypatch):
    text = (Path(__file__).parents[3] / "docs/formats.md").read_text()
    store = re.search(r"^## Store\n(.*?)^## ", text, flags=re.MULTILINE | re.DOTALL)[1]
    examples = re.findall(r"^```python\n(.*?)^```", store, flags=re.MULTILINE | re.DOTALL)
    assert len(examples) == 2
    monkeypatch.chdir(tmp_path)
    path = Path("results/store/hg38.fold_0.b200w1000.h5")
    assert all(str(path) in example for example in examples)
    names = [Column("x", "CTCF", "K562", "", "train"), Column("y", "MAX", "K562", "", "train")]
    written(path, {"x": [("a", 100, 120, -1)], "y": [("a", 600, 620, -1)]}, columns=names)
    for example in examples:
        made = {}
        exec(compile(example, "docs/formats.md", "exec"), made)
    assert made["names"].tolist() == ["x", "y"]
    assert made["chrom"] == "a"
