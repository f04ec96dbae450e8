import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindgram.data.filters import FILTERS, REASONS, FilterContext, apply_filters, kept_counts, write_filter_table
from bindgram.errors import InputError

ALL = ["split", "blacklist", "ambiguous", "duplicate"]
NOTHING = FilterContext()


def windows(*rows: tuple) -> pd.DataFrame:
    """Rows (split, sequence) on chr1, 10 bp apart, in order."""
    return pd.DataFrame(
        {
            "chrom": ["chr1"] * len(rows),
            "start": np.arange(len(rows)) * 10,
            "end": np.arange(len(rows)) * 10 + 4,
            "split": pd.Series([row[0] for row in rows], dtype="str"),
            "sequence": pd.Series([row[1] for row in rows], dtype="str"),
        }
    )


def kept(frame: pd.DataFrame, names: list[str], context: FilterContext = NOTHING) -> list[int]:
    return apply_filters(frame, names, context)[0].index.tolist()


def test_windows_outside_the_blocks_go():
    assert kept(windows(("train", "AAAC"), ("", "AAAG"), ("test", "AACC")), ["split"]) == [0, 2]


def test_one_base_of_blacklist_is_enough_and_touching_is_not():
    frame = windows(("train", "AAAC"), ("train", "AAAG"), ("train", "AACC"))  # 0-4, 10-14, 20-24
    blacklist = pd.DataFrame({"chrom": ["chr1", "chr2"], "start": [4, 0], "end": [11, 99]})
    assert kept(frame, ["blacklist"], FilterContext(blacklist)) == [0, 2]


def test_no_blacklist_lets_all_pass_and_counts_zero():
    assert apply_filters(windows(("train", "AAAC")), ["blacklist"], NOTHING)[1] == [("blacklist", 0)]


def test_rows_without_coordinates_are_never_blacklisted():
    frame = windows(("train", "AAAC")).assign(chrom=None, start=None, end=None)
    blacklist = pd.DataFrame({"chrom": ["chr1"], "start": [0], "end": [99]})
    assert kept(frame, ["blacklist"], FilterContext(blacklist)) == [0]


@pytest.mark.parametrize("base", "NRYSWKMBDHV")
def test_one_ambiguous_base_is_enough(base):
    assert kept(windows(("train", "AAAC"), ("train", "AA" + base + "A")), ["ambiguous"]) == [0]


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


def test_row_counts_for_the_first_filter_that_it_fails_in_the_order_given():
    frame = windows(("", "NNNN"), ("train", "NNNN"), ("train", "AAAC"))
    assert apply_filters(frame, ["split", "ambiguous"], NOTHING)[1] == [("outside_split", 1), ("ambiguous", 1)]
    assert apply_filters(frame, ["ambiguous", "split"], NOTHING)[1] == [("ambiguous", 2), ("outside_split", 0)]


def test_no_filters_keep_all():
    frame = windows(("", "NNNN"))
    result, counts = apply_filters(frame, [], NOTHING)
    assert counts == []
    pd.testing.assert_frame_equal(result, frame)


def test_empty_frame_passes_all_filters():
    result, counts = apply_filters(windows(), ALL, NOTHING)
    assert len(result) == 0
    assert [n for _, n in counts] == [0, 0, 0, 0]


@pytest.mark.parametrize("names", [["split", "blaklist"], ["split", "split"]])
def test_unknown_or_repeated_filter_is_refused_with_the_choices(names):
    with pytest.raises(InputError, match="split, blacklist, ambiguous, duplicate and given once"):
        apply_filters(windows(), names, NOTHING)


def test_every_filter_has_a_reason():
    assert list(REASONS) == list(FILTERS)


@given(
    st.lists(
        st.tuples(st.sampled_from(["train", "valid", "test", ""]), st.text("ACGN", min_size=3, max_size=3)), max_size=30
    ),
    st.permutations(ALL),
)
def test_rows_in_are_rows_out_plus_reasons_and_no_split_shares_a_sequence(rows, names):
    frame = windows(*rows)
    result, counts = apply_filters(frame, names, NOTHING)
    assert len(frame) == len(result) + sum(n for _, n in counts)
    complement = str.maketrans("ACGT", "TGCA")
    sites = [min(s, s.translate(complement)[::-1]) for s in result["sequence"]]
    assert len(set(sites)) == len(sites)
    assert set(result["split"]) <= {"train", "valid", "test"}


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
