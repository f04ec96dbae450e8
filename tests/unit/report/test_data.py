import pytest

from bindgram.data.filters import read_filter_table
from bindgram.errors import InputError
from bindgram.report.data import data_section, find_filter_tables, gather


def test_counts_are_gathered_by_step_and_experiment(tmp_path, visible):
    (tmp_path / "labelled").mkdir()
    positives, labelled = tmp_path / "positives.filter.tsv", tmp_path / "labelled/genomic_matched.filter.tsv"
    battery = tmp_path / "T2.filter.tsv"
    positives.write_text("reason\tn\nn_input\t10\nduplicate\t3\n")
    labelled.write_text("reason\tn\nno_match\t2\n")
    battery.write_text("test_set\treason\tn\nT2\tno_match\t5\n")
    tables = [("E1", positives), ("E1", labelled), ("E1", battery), ("E2", battery)]
    assert gather(tables) == {
        "Positives: from peaks to windows": {"E1": {"n_input": 10, "duplicate": 3}},
        "Training negatives: genomic_matched": {"E1": {"no_match": 2}},
        "Test set T2 and its validation twin": {"E1": {"no_match": 5}, "E2": {"no_match": 5}},
    }
    text = visible(data_section(gather(tables), [], {}))
    assert "rows read 10 10 1 of 1 same sequence as another 3 3 1 of 1" in text
    assert "All reasons (2 experiments)" in text


def test_reasons_are_summed_with_the_median_and_the_experiment_that_has_most(visible):
    steps = {"Test set T2": {"a": {"few": 1, "n_kept": 10}, "b": {"few": 4, "n_kept": 30}, "c": {"few": 0}, "d": {}}}
    text = visible(data_section(steps, [], {}))
    assert "few 5 1 2 of 3 4 (b) kept 40 20 2 of 2 30 (b)" in text


@pytest.mark.parametrize("text", ["", "a\tb\n1\t2\n", "reason\tn\nfew\tmany\n"])
def test_other_tables_are_refused_by_name(tmp_path, text):
    (tmp_path / "x.tsv").write_text(text)
    with pytest.raises(InputError, match=r"x\.tsv: not a table of counts"):
        read_filter_table(tmp_path / "x.tsv")


def test_filters_stand_in_order_with_their_values_and_what_each_took(tmp_path, visible):
    paths = {name: tmp_path / name / "positives.filter.tsv" for name in ("E1", "E2", "P")}
    head = "reason\tn\nn_input\t"
    for name, text in (
        ("E1", "100\nn_fraction\t0\noverlaps_stronger\t5\nmerged_into_stronger\t2\nduplicate\t1\n"),
        ("E2", "300\nn_fraction\t0\noverlaps_stronger\t3\nmerged_into_stronger\t0\nduplicate\t0\n"),
        ("P", "1000\nn_fraction\t0\nduplicate\t20\n"),
    ):
        paths[name].parent.mkdir()
        paths[name].write_text(head + text)
    filters = [{"n_fraction": 0.25}, {"overlap": "merge"}, {"overlap": "keep_strongest"}, "duplicate", "split"]
    text = visible(data_section(gather(list(paths.items())), filters, {}))
    assert (
        "1 n_fraction 0.25 0 0.00% 0 of 3 2 overlap merge 2 0.50% 1 of 2 2.0% (E1) "
        "3 overlap keep_strongest 8 2.00% 2 of 2 5.0% (E1) 4 duplicate 21 1.50% 2 of 3 2.0% (P) 5 split 0 0.00% 0 of 0"
    ) in text


def test_tables_are_found_template_after_template(tmp_path):
    for name in ("a/E1.tsv", "a/E2.tsv", "b/E2.tsv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    templates = [f"{tmp_path}/{{split}}/{{experiment}}.tsv", f"{tmp_path}/b/{{experiment}}.tsv"]
    found = find_filter_tables(templates, ["a"], ["E1", "E2", "E3"])
    assert found == [("E1", tmp_path / "a/E1.tsv"), ("E2", tmp_path / "a/E2.tsv"), ("E2", tmp_path / "b/E2.tsv")]


def test_tables_of_several_splits_are_told_apart(tmp_path):
    for split in ("a", "b"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "E1.tsv").write_text("reason\tn\n")
    found = find_filter_tables([f"{tmp_path}/{{split}}/{{experiment}}.tsv"], ["a", "b"], ["E1"])
    assert [name for name, _ in found] == ["E1 (a)", "E1 (b)"]
