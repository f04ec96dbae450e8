"""Every check passes on examples that bindgram made, and each notices what it is there for."""

import dataclasses

import numpy as np
import pandas as pd
import pysam
import pytest

from bindgram.data.examples import ExampleTable, skipped_examples
from bindgram.errors import InputError
from bindgram.evaluation.sanity import (
    CHECKS,
    COLUMNS,
    MEANINGS,
    check_sanity,
    filter_counts,
    read_sanity,
    refuse_failures,
    run_checks,
    write_sanity,
)
from bindgram.evaluation.sanity_case import Case, Places, bedtools
from bindgram.evaluation.sanity_places import PLACE_CHECKS
from bindgram.genome.regions import make_regions
from bindgram.sequence.dna import codes_of, strings_of
from bindgram.sequence.shuffles import shuffle_klets

WIDTH = 40
BLOCKS = {"train": (0, 10_000), "valid": (11_000, 20_000), "test": (21_000, 30_000)}
TRAINED, T1, T2 = "labelled/genomic_matched", "T1", "T2"


def rows(ids, starts, label, kind, parents, splits, sequences):
    placed = starts is not None
    return pd.DataFrame(
        {
            "example_id": list(ids),
            "chrom": "c" if placed else None,
            "start": pd.array(list(starts) if placed else [pd.NA] * len(ids), dtype="Int64"),
            "end": pd.array([start + WIDTH for start in starts] if placed else [pd.NA] * len(ids), dtype="Int64"),
            "strand": "." if placed else None,
            "label": np.int8(label),
            "kind": kind,
            "parent_id": parents,
            "split": list(splits),
            "sequence": list(sequences),
        }
    )


@pytest.fixture
def case(tmp_path):
    """Six peaks in each block, with the summit 30 bp from the start; negatives 300 bp after them; shuffles for T1."""
    genome = "".join(np.random.default_rng(1).choice(list("ACGTacgtR"), 30_000, p=[0.12] * 8 + [0.04]))
    (tmp_path / "g.fa").write_text(f">c\n{genome}\n")
    pysam.faidx(str(tmp_path / "g.fa"))
    summits = {split: start + 500 + 1000 * np.arange(6) for split, (start, _) in BLOCKS.items()}
    peaks = make_regions([("c", int(at) - 30, int(at) + 70) for group in summits.values() for at in group])
    peaks = peaks.assign(summit=30)
    positives, genomic, shuffles = [], [], []
    for split, group in summits.items():
        starts = group - WIDTH // 2
        texts = [_text(genome, start) for start in starts]
        ids = [f"e:c:{start}-{start + WIDTH}" for start in starts]
        positives.append(rows(ids, starts, 1, "peak", None, [split] * 6, texts))
        away = starts + 300
        named = [f"e:genomic_matched:c:{start}-{start + WIDTH}" for start in away]
        texts_away = [_text(genome, start) for start in away]
        genomic.append(rows(named, away, 0, "genomic_matched", ids, [split] * 6, texts_away))
        made = strings_of(
            shuffle_klets(codes_of([text.replace("N", "A") for text in texts]), 2, np.random.default_rng(2))
        )
        shuffles.append(rows([f"{name}:s" for name in ids], None, 0, "dinucleotide_shuffle", ids, [split] * 6, made))
        positives[-1]["sequence"] = texts
    return Case(
        "e",
        _table(positives),
        {TRAINED: _table([positives[0], positives[1], genomic[0], genomic[1]])},
        {T1: _clean(positives, shuffles), T2: _table([positives[2], positives[1], genomic[2], genomic[1]])},
        _counts(),
        Places(
            tmp_path / "g.fa",
            {"c": 30_000},
            peaks,
            pd.DataFrame(
                [("c", *span, split) for split, span in BLOCKS.items()], columns=["chrom", "start", "end", "split"]
            ),
            make_regions([("c", 10_100, 10_900)]),
            100,
        ),
        seed=1,
    )


def _text(genome, start):
    return genome[start : start + WIDTH].upper().replace("R", "N")


def _table(frames):
    return ExampleTable(
        pd.concat(frames, ignore_index=True), provenance={"settings": {"filters": ["split", "blacklist"]}}
    )


def _clean(positives, shuffles):
    """T1 of the positives without ambiguous bases, as a shuffle needs them."""
    tested = pd.concat([positives[2], positives[1]])
    tested = tested[~tested["sequence"].str.contains("N")]
    made = pd.concat([shuffles[2], shuffles[1]])
    return _table([tested, made[made["parent_id"].isin(tested["example_id"])]])


def _counts():
    kept = {"n_kept": 18, "n_kept_train": 6, "n_kept_valid": 6, "n_kept_test": 6}
    return {
        "positives": {"n_input": 18, "duplicate": 0, **kept},
        TRAINED: {"n_wanted": 12, "no_gc_match": 0, "n_negatives_train": 6, "n_negatives_valid": 6},
        T2: {
            "n_positives_test": 6,
            "n_positives_valid": 6,
            "n_wanted": 12,
            "n_negatives_test": 6,
            "n_negatives_valid": 6,
        },
    }


def failures(case):
    """(check, table) to number of failures, of all checks."""
    return failing([*CHECKS, *(PLACE_CHECKS if case.places else ())], case)


def failing(names, case):
    """The same of some checks."""
    every = CHECKS | PLACE_CHECKS
    found = run_checks(case, {name: every[name] for name in names})
    failed = found[found["n_failed"] > 0]
    return dict(zip(zip(failed["check"], failed["table"], strict=True), failed["n_failed"], strict=True))


def changed(case, name, change):
    """The case with `change` done to the frame of one table; `positives` for the positives."""
    if name == "positives":
        table = case.positives
        return dataclasses.replace(case, positives=dataclasses.replace(table, frame=change(table.frame.copy())))
    kind = "labelled" if name in case.labelled else "test_sets"
    tables = dict(getattr(case, kind))
    tables[name] = dataclasses.replace(tables[name], frame=change(tables[name].frame.copy()))
    return dataclasses.replace(case, **{kind: tables})


def at(frame, which, **values):
    """Change cells of one row: `which` counts among negatives (0, 1, ...)."""
    row = frame.index[frame["label"] == 0][which]
    for column, value in values.items():
        frame.loc[row, column] = value
    return frame


def with_places(case, **values):
    return dataclasses.replace(case, places=dataclasses.replace(case.places, **values))


def test_all_checks_run_and_pass(case):
    found = check_sanity(case)
    assert set(found["check"]) == set(CHECKS) | set(PLACE_CHECKS) == set(MEANINGS)
    assert failures(case) == {}
    assert (found["n_checked"] > 0).all()


def test_sequences_without_coordinates_pass_without_places(case):
    alone = dataclasses.replace(case, labelled={}, test_sets={T1: case.test_sets[T1]}, filter_tables={}, places=None)
    alone = changed(alone, "positives", lambda frame: frame.assign(chrom=None, start=pd.NA, end=pd.NA, strand=None))
    alone = changed(
        alone,
        T1,
        lambda frame: frame.assign(chrom=None, start=pd.NA, end=pd.NA, strand=None),
    )
    assert failures(alone) == {}
    assert set(check_sanity(alone)["check"]) <= set(CHECKS)


def test_skipped_tables_pass(case):
    skipped = skipped_examples("too few peaks", {})
    case = dataclasses.replace(
        case, positives=skipped, labelled={TRAINED: skipped}, test_sets={T1: skipped, T2: skipped}
    )
    assert failures(case) == {}


def move(frame, by):
    return frame.assign(start=frame["start"] + by, end=frame["end"] + by)


def test_window_shifted_by_one_base_is_noticed_by_summit_and_sequence(case):
    """Coordinates counted from 1 instead of 0."""
    found = failing(["summits", "sequences"], changed(case, "positives", lambda frame: move(frame, 1)))
    assert found[("summits", "positives")] == 18
    assert found[("sequences", "positives")] >= 17


def test_shifted_windows_whose_sequences_were_shifted_too_are_noticed_by_the_summit(case):
    genome = pysam.FastaFile(str(case.places.genome)).fetch("c")

    def shift(frame):
        moved = move(frame, 1)
        return moved.assign(sequence=[_text(genome, start) for start in moved["start"]])

    assert failing(["summits"], changed(case, "positives", shift))[("summits", "positives")] == 18


def test_positive_off_every_peak_is_noticed(case):
    found = failing(
        ["positives_on_peaks"],
        changed(case, "positives", lambda frame: frame.assign(start=frame["start"] + 400, end=frame["end"] + 400)),
    )
    assert found[("positives_on_peaks", "positives")] == 18


@pytest.mark.parametrize(("gap", "fails"), [(99, True), (100, False)])
def test_negative_within_the_exclusion_distance_is_noticed_to_the_base(case, gap, fails):
    start = int(case.places.peaks["end"].iloc[0]) + gap
    found = failing(
        ["negatives_off_peaks"], changed(case, TRAINED, lambda frame: at(frame, 0, start=start, end=start + WIDTH))
    )
    assert (("negatives_off_peaks", TRAINED) in found) == fails


def test_negative_near_a_peak_that_is_no_positive_is_noticed(case):
    start = int(case.labelled[TRAINED].frame.query("label == 0")["start"].iloc[0])
    more = pd.concat([case.places.peaks, make_regions([("c", start + 60, start + 90)]).assign(summit=5)])
    assert failures(with_places(case, peaks=more)) == {
        ("peaks_counted", "positives"): 1,
        ("negatives_off_peaks", TRAINED): 1,
    }


def test_negative_on_a_positive_is_noticed(case):
    start = int(case.positives.frame["start"].iloc[0])
    found = failing(
        ["negatives_off_positives"],
        changed(case, TRAINED, lambda frame: at(frame, 3, start=start + 10, end=start + 10 + WIDTH)),
    )
    assert found[("negatives_off_positives", TRAINED)] == 1


def test_blacklist_is_checked_for_negatives_always_and_for_positives_where_they_were_filtered_by_it(case):
    start = int(case.positives.frame["start"].iloc[0])
    case = with_places(case, blacklist=make_regions([("c", start, start + 400)]))
    assert failures(case) == {("blacklist", "positives"): 1, ("blacklist", TRAINED): 1}
    unfiltered = dataclasses.replace(case.positives, provenance={"settings": {"filters": ["split"]}})
    assert failing(["blacklist"], dataclasses.replace(case, positives=unfiltered)) == {("blacklist", TRAINED): 1}


@pytest.mark.parametrize("start", [10_480, 9_980, -10, 29_990, 21_300])
def test_window_outside_the_blocks_of_its_split_is_noticed(case, start):
    """Between blocks, over a border, over both ends of the chromosome, in the block of another split."""
    found = failing(
        ["inside_blocks"], changed(case, TRAINED, lambda frame: at(frame, 0, start=start, end=start + WIDTH))
    )
    assert found[("inside_blocks", TRAINED)] == 1


def test_unknown_chromosome_is_noticed(case):
    found = failing(["inside_blocks", "sequences"], changed(case, T2, lambda frame: at(frame, 1, chrom="chrC")))
    assert found[("inside_blocks", T2)] == found[("sequences", T2)] == 1


@pytest.mark.parametrize("sequence", ["A" * WIDTH, "A", None])
def test_sequence_that_is_not_that_of_the_genome_is_noticed(case, sequence):
    frame = case.labelled[TRAINED].frame
    text = frame.loc[frame["label"] == 0, "sequence"].iloc[0]
    other = sequence or text[::-1]
    assert failing(["sequences"], changed(case, TRAINED, lambda frame: at(frame, 0, sequence=other))) == {
        ("sequences", TRAINED): 1
    }


def swap(text, one, other):
    letters = list(text)
    letters[one], letters[other] = letters[other], letters[one]
    return "".join(letters)


def test_shuffle_with_other_dinucleotides_or_ends_is_noticed(case):
    frame = case.test_sets[T1].frame
    text = frame.loc[frame["label"] == 0, "sequence"].iloc[0]
    for broken in (
        swap(text, 10, 11) if text[10] != text[11] else swap(text, 10, 13),
        text[::-1],
        text[1:] + text[0],
        text[:-1],
    ):
        found = failing(["klet_counts"], changed(case, T1, lambda frame, broken=broken: at(frame, 0, sequence=broken)))
        assert found == {("klet_counts", T1): 1}


def test_shuffle_that_equals_a_positive_is_noticed(case):
    parent = case.test_sets[T1].frame["sequence"].iloc[0]
    found = failing(["negatives_are_no_positives"], changed(case, T1, lambda frame: at(frame, 0, sequence=parent)))
    assert ("negatives_are_no_positives", T1) in found


@pytest.mark.parametrize(
    ("values", "check"),
    [
        ({"label": 1}, "labels"),
        ({"kind": "peak"}, "labels"),
        ({"split": "train"}, "labels"),
        ({"example_id": "e:genomic_matched:c:11780-11820"}, "labels"),
        ({"parent_id": "e:unknown"}, "parents"),
        ({"parent_id": None}, "parents"),
        ({"parent_id": "e:c:11480-11520"}, "parents"),  # of the validation split
    ],
)
def test_wrong_label_kind_split_id_and_parent_are_noticed(case, values, check):
    found = failing([check], changed(case, T2, lambda frame: at(frame, 0, **values)))
    assert (check, T2) in found


def test_published_negatives_need_no_parent(case):
    published = changed(case, T2, lambda frame: at(frame, 0, kind="published", parent_id=None))
    assert ("parents", T2) not in failing(["parents"], published)


@pytest.mark.parametrize("values", [{"sequence": "A" * WIDTH}, {"split": "valid"}, {"example_id": "e:x"}, {"start": 5}])
def test_positive_that_changed_on_its_way_is_noticed(case, values):
    def change(frame):
        for column, value in values.items():
            frame.loc[0, column] = value
        return frame

    assert failing(["positives_unchanged"], changed(case, TRAINED, change))[("positives_unchanged", TRAINED)] == 1


def test_test_example_among_the_training_examples_is_noticed_by_id_and_by_place(case):
    trained = case.labelled[TRAINED].frame.iloc[[0]].assign(split="test")
    twice = changed(case, T2, lambda frame: pd.concat([frame, trained], ignore_index=True))
    assert failing(["test_apart_from_training"], twice)[("test_apart_from_training", T2)] == 1
    overlapping = trained.assign(example_id="e:new", start=trained["start"] + 39, end=trained["end"] + 39)
    near = changed(case, T2, lambda frame: pd.concat([frame, overlapping], ignore_index=True))
    assert failing(["test_apart_from_training"], near)[("test_apart_from_training", T2)] == 1
    of_twin = changed(case, T2, lambda frame: pd.concat([frame, trained.assign(split="valid")], ignore_index=True))
    assert failing(["test_apart_from_training"], of_twin)[("test_apart_from_training", T2)] == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("positives", "n_input"),
        ("positives", "duplicate"),
        ("positives", "n_kept_test"),
        (TRAINED, "n_wanted"),
        (TRAINED, "no_gc_match"),
        (TRAINED, "n_negatives_valid"),
        (T2, "n_positives_test"),
        (T2, "n_negatives_test"),
    ],
)
def test_counts_that_do_not_add_up_are_noticed(case, name, reason):
    counts = {key: dict(value) for key, value in case.filter_tables.items()}
    counts[name][reason] += 1
    assert ("counts_add_up", name) in failing(["counts_add_up"], dataclasses.replace(case, filter_tables=counts))


def test_peaks_that_were_not_lifted_are_in_the_counts_and_not_in_the_file(case):
    counts = case.filter_tables["positives"] | {"n_input": 21, "not_lifted": 3}
    lifted = dataclasses.replace(case, filter_tables={"positives": counts})
    assert failing(["counts_add_up", "peaks_counted"], lifted) == {}
    changed_since = dataclasses.replace(case, filter_tables={"positives": counts | {"n_input": 22, "not_lifted": 3}})
    assert ("peaks_counted", "positives") in failing(["peaks_counted"], changed_since)


def test_lost_row_is_noticed_by_the_counts(case):
    found = failures(changed(case, TRAINED, lambda frame: frame.drop(index=frame.index[-1])))
    assert found == {("counts_add_up", TRAINED): 1}


def test_counts_of_a_published_set_end_where_those_of_its_twin_begin(case):
    counts = {"n_published": 8, "ambiguous": 1, "not_chosen": 1, "n_negatives_test": 6}
    counts |= {"n_wanted": 7, "no_new_shuffle": 1, "n_negatives_valid": 6}
    assert failing(["counts_add_up"], dataclasses.replace(case, filter_tables={T2: counts})) == {}
    wrong = dataclasses.replace(case, filter_tables={T2: counts | {"not_chosen": 0}})
    assert failing(["counts_add_up"], wrong) == {("counts_add_up", T2): 1}


def test_counts_of_test_sets_with_homologs_add_up(case):
    counts = case.filter_tables[T2] | {"n_homologous_test": 2, "n_homologous_valid": 0}
    assert failing(["counts_add_up"], dataclasses.replace(case, filter_tables={T2: counts})) == {}
    removed = counts | {"n_kept_test": 10, "n_kept_valid": 12}
    frame = case.test_sets[T2].frame
    fewer = changed(case, T2, lambda frame: frame.drop(index=[0, frame.index[frame["label"] == 0][0]]))
    assert failing(["counts_add_up"], dataclasses.replace(fewer, filter_tables={T2: removed})) == {}
    assert len(frame) == 24
    for reason in removed:
        wrong = dataclasses.replace(fewer, filter_tables={T2: removed | {reason: removed[reason] + 1}})
        assert failing(["counts_add_up"], wrong), reason


def test_failure_is_an_error_that_names_check_table_example_and_remedy(case, tmp_path):
    found = check_sanity(changed(case, TRAINED, lambda frame: at(frame, 0, sequence="A" * WIDTH)))
    with pytest.raises(InputError) as error:
        refuse_failures("e", found)
    assert "sequences, labelled/genomic_matched: 1 of 12: a sequence that is not that of the FASTA" in str(error.value)
    assert "e:genomic_matched:c:780-820" in str(error.value)
    assert "run again" in str(error.value)
    write_sanity(tmp_path / "s.tsv", found)
    assert (
        "sequences\tlabelled/genomic_matched\t12\t1\te:genomic_matched:c:780-820\n" in (tmp_path / "s.tsv").read_text()
    )
    refuse_failures("e", check_sanity(case))


def test_filter_tables_are_named_by_their_place(tmp_path):
    for name in ("positives.filter.tsv", "labelled/x.filter.tsv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("reason\tn\nn_wanted\t3\n")
    (tmp_path / "battery.filter.tsv").write_text("test_set\treason\tn\nT1\tn_wanted\t3\nT2\tn_wanted\t4\n")
    paths = [tmp_path / name for name in ("positives.filter.tsv", "labelled/x.filter.tsv", "battery.filter.tsv")]
    assert filter_counts(paths) == {
        "positives": {"n_wanted": 3},
        "labelled/x": {"n_wanted": 3},
        "T1": {"n_wanted": 3},
        "T2": {"n_wanted": 4},
    }


def test_bedtools_is_asked_for_by_name(monkeypatch):
    monkeypatch.setenv("PATH", "")
    regions = make_regions([("c", 0, 10)])
    with pytest.raises(InputError, match="bedtools is not on the PATH"):
        bedtools("intersect", regions, regions)


def test_table_is_read_as_it_was_written(tmp_path):
    written = pd.DataFrame([("labels", "T2", 12, 0, ""), ("summits", "T2", 12, 2, "NA")], columns=list(COLUMNS))
    write_sanity(tmp_path / "s.tsv", written)
    pd.testing.assert_frame_equal(read_sanity(tmp_path / "s.tsv"), written, check_dtype=False)


@pytest.mark.parametrize("text", ["", "check\ttable\n", "a\tb\nc\n\td\te\n"])
def test_what_is_no_table_of_checks_is_refused_by_name(tmp_path, text):
    (tmp_path / "s.tsv").write_text(text)
    with pytest.raises(InputError, match=r"s\.tsv: not .*sanity checks"):
        read_sanity(tmp_path / "s.tsv")
