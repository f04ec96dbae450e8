import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindgram.data.filters import (
    FILTERS,
    OF_ANY_ROW,
    REASONS,
    FilterContext,
    applicable,
    apply_filters,
    check_sum,
    kept_counts,
    write_filter_table,
)
from bindgram.errors import InputError
from bindgram.settings.filters import OVERLAP_MODES, FilterSetting, parse_filter_text

ALL = [
    "split",
    "blacklist",
    "n_fraction=0",
    "soft_masked=0.5",
    "chromosomes=chr1,chr2",
    "overlap=merge",
    "peak_width=1,20",
    "support=1",
    "strength=0",
    "overlap=keep_strongest",
    "duplicate",
]
NOTHING = FilterContext()


def settings(*texts: str) -> list[FilterSetting]:
    return [parse_filter_text(text) for text in texts]


def windows(*rows: tuple, chrom: str = "chr1", step: int = 10) -> pd.DataFrame:
    """Rows (split, sequence) of 4 bp, 10 bp apart, in order; peaks as wide as the windows, all of strength 1."""
    starts = np.arange(len(rows), dtype=np.int64) * step
    return pd.DataFrame(
        {
            "example_id": pd.Series([f"E:{chrom}:{start}" for start in starts], dtype="str"),
            "chrom": pd.Series([chrom] * len(rows), dtype="str"),
            "start": starts,
            "end": starts + 4,
            "split": pd.Series([row[0] for row in rows], dtype="str"),
            "sequence": pd.Series([row[1] for row in rows], dtype="str"),
            "peak_start": starts,
            "peak_end": starts + 4,
            "strength": 1.0,
            "support": np.int64(1),
            "n_repeat": np.int64(0),
        }
    )


def peaks(*rows: tuple) -> pd.DataFrame:
    """Rows (start, end, strength) of peaks on chr1, with windows of 4 bp around their midpoints."""
    frame = windows(*[("train", "AAAC")] * len(rows))
    starts, ends, strength = (np.array([row[i] for row in rows]) for i in range(3))
    middle = (starts + ends) // 2
    return frame.assign(
        peak_start=starts, peak_end=ends, strength=strength.astype(float), start=middle - 2, end=middle + 2
    )


def kept(frame: pd.DataFrame, names: list[str], context: FilterContext = NOTHING) -> list[int]:
    return apply_filters(frame, settings(*names), context)[0].index.tolist()


def test_windows_outside_the_blocks_go():
    assert kept(windows(("train", "AAAC"), ("", "AAAG"), ("test", "AACC")), ["split"]) == [0, 2]


def test_one_base_of_blacklist_is_enough_and_touching_is_not():
    frame = windows(("train", "AAAC"), ("train", "AAAG"), ("train", "AACC"))  # 0-4, 10-14, 20-24
    blacklist = pd.DataFrame({"chrom": ["chr1", "chr2"], "start": [4, 0], "end": [11, 99]})
    assert kept(frame, ["blacklist"], FilterContext(blacklist)) == [0, 2]


def test_no_blacklist_lets_all_pass_and_counts_zero():
    assert apply_filters(windows(("train", "AAAC")), settings("blacklist"), NOTHING)[1] == [("blacklist", 0)]


def test_filters_of_places_and_peaks_do_not_apply_to_rows_without_coordinates():
    assert [setting.name for setting in applicable(settings(*ALL), placed=False)] == [
        "split",
        "n_fraction",
        "duplicate",
    ]
    assert applicable(settings(*ALL), placed=True) == tuple(settings(*ALL))
    assert set(OF_ANY_ROW) < set(FILTERS)
    frame = windows(("train", "AAAC")).assign(chrom=None, start=None, end=None)
    assert kept(frame, ["split", "n_fraction=0", "duplicate"]) == [0]
    with pytest.raises(AssertionError):
        kept(frame, ["blacklist"])


@pytest.mark.parametrize("base", "NRYSWKMBDHV")
def test_one_ambiguous_base_is_enough(base):
    assert kept(windows(("train", "AAAC"), ("train", "AA" + base + "A")), ["n_fraction=0"]) == [0]


@pytest.mark.parametrize(
    ("largest", "stay"), [("0.24", [0]), ("0.25", [0, 1]), ("0.5", [0, 1, 2]), ("1", [0, 1, 2, 3])]
)
def test_largest_fraction_of_ambiguous_bases_is_kept(largest, stay):
    frame = windows(("train", "AAAC"), ("train", "NAAC"), ("train", "NNAC"), ("train", "NNNN"))
    assert kept(frame, [f"n_fraction={largest}"]) == stay


@pytest.mark.parametrize("n", range(101))
def test_exactly_the_largest_fraction_is_kept_however_it_rounds(n):
    """0.29 times 100 is less than 29."""
    frame = windows(("train", "N" * n + "A" * (100 - n))).assign(n_repeat=n, end=100)
    assert kept(frame, [f"n_fraction={n / 100}", f"soft_masked={n / 100}"]) == [0]


@pytest.mark.parametrize(("largest", "stay"), [("0", [0]), ("0.25", [0, 1]), ("0.5", [0, 1, 2]), ("0.99", [0, 1, 2])])
def test_largest_fraction_of_repeats_is_kept(largest, stay):
    frame = windows(*[("train", "AAAC")] * 4).assign(n_repeat=[0, 1, 2, 4])
    assert kept(frame, [f"soft_masked={largest}"]) == stay


def test_peaks_within_the_widths_are_kept():
    assert kept(peaks((0, 9, 1), (20, 30, 1), (40, 60, 1), (70, 91, 1)), ["peak_width=10,20"]) == [1, 2]


def test_named_chromosomes_are_kept():
    frame = windows(*[("train", "AAAC")] * 3).assign(chrom=["chr1", "chr10", "chr2"])
    assert kept(frame, ["chromosomes=chr2,chr1"]) == [0, 2]


def test_least_support_and_strength_are_kept_and_no_strength_is_less():
    frame = windows(*[("train", "AAAC")] * 3).assign(support=[1, 2, 3], strength=[5.0, np.nan, -1.0])
    assert kept(frame, ["support=2"]) == [1, 2]
    assert kept(frame, ["strength=-1"]) == [0, 2]


# overlap


def test_strongest_of_overlapping_windows_stays():
    assert kept(peaks((0, 4, 1), (3, 7, 2), (6, 10, 3), (20, 24, 0)), ["overlap=keep_strongest"]) == [0, 2, 3]


def test_windows_that_touch_do_not_overlap():
    assert kept(peaks((0, 4, 1), (4, 8, 2), (11, 15, 1), (8, 12, 9)), ["overlap=keep_strongest"]) == [0, 1, 3]


def test_windows_on_two_chromosomes_do_not_overlap():
    frame = windows(*[("train", "AAAC")] * 3, step=1).assign(chrom=["chr1", "chr2", "chr1"])
    assert len(kept(frame, ["overlap=keep_strongest"])) == len(kept(frame, ["overlap=merge"])) == 2


def test_windows_overlap_and_not_their_peaks():
    """The peaks are apart and the windows are not, then the other way round."""
    near = peaks((0, 4, 2), (5, 9, 1)).assign(start=[0, 3], end=[4, 7])
    assert kept(near, ["overlap=keep_strongest"]) == [0]
    assert kept(near, ["overlap=merge"]) == [0, 1]
    wide = peaks((0, 40, 1), (30, 60, 2))
    assert kept(wide, ["overlap=keep_strongest"]) == [0, 1]
    assert kept(wide, ["overlap=merge"]) == [1]


def test_equal_strengths_are_ordered_by_the_ids_alone():
    frame = peaks(*[(start, start + 4, 1) for start in range(20)])
    stay = set(frame["example_id"][kept(frame, ["overlap=keep_strongest"])])
    turned = frame.iloc[::-1].reset_index(drop=True)
    assert set(turned["example_id"][kept(turned, ["overlap=keep_strongest"])]) == stay
    merged = frame["example_id"][kept(frame, ["overlap=merge"])].tolist()
    assert turned["example_id"][kept(turned, ["overlap=merge"])].tolist() == merged


def test_rows_without_strength_are_the_weakest():
    assert kept(peaks((0, 4, np.nan), (3, 7, -5)), ["overlap=keep_strongest"]) == [1]


def test_merged_peak_has_the_window_of_the_strongest_the_whole_stretch_and_all_support():
    frame = peaks((0, 10, 1), (9, 20, 5), (19, 30, 3), (30, 40, 9)).assign(support=[1, 2, 3, 4])
    merged, counts = apply_filters(frame, settings("overlap=merge"), NOTHING)
    assert counts == [("merged_into_stronger", 2)]
    columns = ["example_id", "start", "peak_start", "peak_end", "strength", "support"]
    assert merged[columns].to_numpy().tolist() == [["E:chr1:10", 12, 0, 30, 5.0, 6], ["E:chr1:30", 33, 30, 40, 9.0, 4]]


def test_later_filters_see_the_merged_peak():
    frame = peaks((0, 10, 1), (9, 20, 5), (40, 50, 3))
    assert kept(frame, ["overlap=merge", "support=2"]) == [1]
    assert kept(frame, ["support=2", "overlap=merge"]) == []
    assert kept(frame, ["overlap=merge", "peak_width=15,20"]) == [1]
    assert kept(frame, ["peak_width=15,20", "overlap=merge"]) == []


def test_peak_within_another_is_merged_whatever_the_order():
    frame = peaks((0, 100, 1), (10, 20, 5), (50, 60, 3), (99, 110, 2), (110, 111, 9))
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 3, 1]):
        assert sorted(kept(frame.iloc[order], ["overlap=merge"])) == [1, 4]


def test_a_window_that_the_split_removes_takes_no_other_with_it():
    frame = peaks((0, 4, 9), (3, 7, 1)).assign(split=["", "train"])
    assert kept(frame, ["split", "overlap=keep_strongest"]) == [1]
    assert kept(frame, ["overlap=keep_strongest", "split"]) == []


spans = st.tuples(
    st.sampled_from(["b", "a"]), st.integers(0, 60), st.integers(1, 25), st.sampled_from([1.0, 2.0, np.nan])
)


def placed(rows: list[tuple], width: int) -> pd.DataFrame:
    """Peaks (chrom, start, length, strength) with windows of `width` bp from their starts."""
    frame = windows(*[("train", "AAAC")] * len(rows))
    chrom, start, length, strength = ([row[i] for row in rows] for i in range(4))
    starts = np.array(start, np.int64)
    return frame.assign(
        example_id=pd.Series([f"{c}{s}" for c, s in zip(chrom, start, strict=True)], dtype="str"),
        chrom=pd.Series(chrom, dtype="str"),
        start=starts,
        end=starts + width,
        peak_start=starts,
        peak_end=starts + np.array(length, np.int64),
        strength=np.array(strength, np.float64),
        support=np.arange(len(rows)) + 1,
    )


def by_rank(frame: pd.DataFrame) -> list[int]:
    import hashlib

    def key(row):
        weak = np.isnan(row.strength)
        return weak, 0 if weak else -row.strength, hashlib.sha256(row.example_id.encode()).digest(), row.Index

    return [row.Index for row in sorted(frame.itertuples(), key=key)]


@given(st.lists(spans, max_size=25), st.integers(1, 12))
def test_strongest_windows_are_those_of_the_slow_way(rows, width):
    frame, stay = placed(rows, width), []
    for row in by_rank(frame):
        ours = frame.loc[row]
        if not any(
            ours["chrom"] == other["chrom"] and ours["start"] < other["end"] and other["start"] < ours["end"]
            for other in (frame.loc[index] for index in stay)
        ):
            stay.append(row)
    assert kept(frame, ["overlap=keep_strongest"]) == sorted(stay)


@given(st.lists(spans, max_size=25))
def test_merged_peaks_are_those_of_the_slow_way(rows):
    frame = placed(rows, 3)
    groups = [{index} for index in frame.index]

    def touch(a: int, b: int) -> bool:
        one, two = frame.loc[a], frame.loc[b]
        return (
            one["chrom"] == two["chrom"] and one["peak_start"] < two["peak_end"] and two["peak_start"] < one["peak_end"]
        )

    for a in frame.index:
        together = [group for group in groups if any(touch(a, b) for b in group)]
        groups = [group for group in groups if group not in together] + [set().union(*together)]
    merged = apply_filters(frame, settings("overlap=merge"), NOTHING)[0]
    expected = {
        min(group, key=by_rank(frame).index): (
            frame.loc[list(group), "peak_start"].min(),
            frame.loc[list(group), "peak_end"].max(),
            frame.loc[list(group), "support"].sum(),
        )
        for group in groups
    }
    assert merged.index.tolist() == sorted(expected)
    got = merged[["peak_start", "peak_end", "support"]].itertuples(name=None)
    assert {index: values for index, *values in got} == {index: list(values) for index, values in expected.items()}


def test_a_staircase_of_overlaps_takes_no_quadratic_time():
    """Every window overlaps its 199 neighbours on either side and is weaker than the next: the worst case."""
    n = 50_000
    starts = np.arange(n, dtype=np.int64)
    frame = windows(*[("train", "A")] * n).assign(start=starts, end=starts + 200, strength=starts.astype(float))
    begin = time.process_time()
    assert kept(frame, ["overlap=keep_strongest"]) == list(range(n - 1, -1, -200))[::-1]
    assert time.process_time() - begin < 5


# duplicates


def test_first_of_equal_sequences_stays():
    assert kept(windows(("train", "AAAC"), ("train", "AAAG"), ("train", "AAAC")), ["duplicate"]) == [0, 1]


def test_reverse_complement_is_a_duplicate():
    assert kept(windows(("train", "AAAC"), ("train", "GTTT")), ["duplicate"]) == [0]


def test_palindrome_is_no_duplicate_of_itself():
    assert kept(windows(("train", "ACGT")), ["duplicate"]) == [0]


@pytest.mark.parametrize(
    ("splits", "stays"),
    [
        (("train", "test"), 1),
        (("valid", "test"), 1),
        (("train", "valid"), 1),
        (("test", "train"), 0),
        (("valid", "train"), 0),
        (("test", "valid"), 0),
        (("", "train"), 1),
    ],
)
def test_of_duplicates_in_two_splits_the_held_out_one_stays(splits, stays):
    assert kept(windows((splits[0], "AAAC"), (splits[1], "GTTT")), ["duplicate"]) == [stays]


def test_known_sequences_are_duplicates_on_both_strands():
    frame = windows(("train", "AAAC"), ("test", "GTTT"), ("train", "AAAG"))
    assert kept(frame, ["duplicate"], FilterContext(known=frozenset({"AAAC"}))) == [2]


# order and counts


def test_row_counts_for_the_first_filter_that_it_fails_in_the_order_given():
    frame = windows(("", "NNNN"), ("train", "NNNN"), ("train", "AAAC"))
    in_order = apply_filters(frame, settings("split", "n_fraction=0"), NOTHING)[1]
    assert in_order == [("outside_split", 1), ("n_fraction", 1)]
    assert apply_filters(frame, settings("n_fraction=0", "split"), NOTHING)[1] == [
        ("n_fraction", 2),
        ("outside_split", 0),
    ]


def test_no_filters_keep_all():
    frame = windows(("", "NNNN")).assign(label=np.int8(1), kind="peak", parent_id=None)
    result, counts = apply_filters(frame, [], NOTHING)
    assert counts == []
    pd.testing.assert_frame_equal(result, frame)


def test_empty_frame_passes_all_filters():
    result, counts = apply_filters(windows(), settings(*ALL), NOTHING)
    assert len(result) == 0
    assert [n for _, n in counts] == [0] * len(ALL)


def test_repeated_filter_is_refused():
    with pytest.raises(InputError, match="filters: split given twice; keep one"):
        apply_filters(windows(), settings("split", "split"), NOTHING)


def test_filters_see_no_labels(monkeypatch):
    seen = []
    monkeypatch.setitem(FILTERS, "split", lambda frame, value, context: seen.append(set(frame)) or frame.iloc[1:])
    frame = windows(("train", "AAAC"), ("train", "AAAG")).assign(label=[0, 1], kind="peak", parent_id=["a", "b"])
    result = apply_filters(frame, settings("split"), NOTHING)[0]
    assert not seen[0] & {"label", "kind", "parent_id"}
    pd.testing.assert_frame_equal(result, frame.iloc[1:])


def test_every_filter_has_a_reason_and_every_overlap_mode_works():
    assert list(REASONS) == list(FILTERS)
    for mode in OVERLAP_MODES:
        assert kept(windows(("train", "AAAC")), [f"overlap={mode}"]) == [0]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["train", "valid", "test", ""]),
            st.text("ACGN", min_size=3, max_size=3),
            st.integers(0, 40),
            st.integers(1, 9),
        ),
        max_size=30,
    ),
    st.permutations(ALL),
)
def test_rows_in_are_rows_out_plus_reasons_and_no_split_shares_a_sequence(rows, names):
    frame = windows(*rows)
    starts = np.array([row[2] for row in rows], np.int64)
    frame = frame.assign(start=starts, end=starts + 3, peak_end=frame["peak_start"] + [row[3] for row in rows])
    result, counts = apply_filters(frame, settings(*names), NOTHING)
    assert len(frame) == len(result) + sum(n for _, n in counts)
    complement = str.maketrans("ACGT", "TGCA")
    sites = [min(s, s.translate(complement)[::-1]) for s in result["sequence"]]
    assert len(set(sites)) == len(sites)
    assert set(result["split"]) <= {"train", "valid", "test"}
    assert (np.diff(np.sort(result["start"])) >= 3).all()


@pytest.mark.parametrize(("key", "change"), [("n_kept", 1), ("split", -1), ("n_input", 1), ("n_kept_test", 9)])
def test_counts_that_do_not_add_up_are_a_bug(key, change):
    counts = {"n_input": 3, "split": 1, "n_kept": 2, "n_kept_train": 1, "n_kept_valid": 0, "n_kept_test": 1}
    check_sum(counts)
    with pytest.raises(AssertionError):
        check_sum(counts | {key: counts[key] + change})


def test_filter_table_is_tab_separated_with_a_header(tmp_path):
    path = tmp_path / "out" / "positives.filter.tsv"
    frame = windows(("train", "AAAC"), ("test", "AAAG"))
    write_filter_table(path, [("n_input", 3), ("duplicate", 1), *kept_counts(frame)])
    assert path.read_text() == (
        "reason\tn\nn_input\t3\nduplicate\t1\nn_kept\t2\nn_kept_train\t1\nn_kept_valid\t0\nn_kept_test\t1\n"
    )


def test_filter_table_may_have_further_columns(tmp_path):
    write_filter_table(tmp_path / "x.tsv", [("T1", "duplicate", 1)], ("test_set", "reason", "n"))
    assert (tmp_path / "x.tsv").read_text() == "test_set\treason\tn\nT1\tduplicate\t1\n"
