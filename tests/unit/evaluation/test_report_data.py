import pytest

from bindgram.errors import InputError
from bindgram.evaluation.report_data import data_page, gather, read_filter_table


def test_counts_are_gathered_by_step_and_experiment(tmp_path, visible):
    (tmp_path / "labelled").mkdir()
    positives, labelled = tmp_path / "positives.filter.tsv", tmp_path / "labelled/genomic_matched.filter.tsv"
    battery = tmp_path / "T2.filter.tsv"
    positives.write_text("reason\tn\nn_input\t10\nduplicate\t3\n")
    labelled.write_text("reason\tn\nno_gc_match\t2\n")
    battery.write_text("test_set\treason\tn\nT2\tno_gc_match\t5\n")
    tables = [("E1", positives), ("E1", labelled), ("E1", battery), ("E2", battery)]
    assert gather(tables) == {
        "Positives: from peaks to windows": {"E1": {"n_input": 10, "duplicate": 3}},
        "Training negatives: genomic_matched": {"E1": {"no_gc_match": 2}},
        "Test set T2 and its validation twin": {"E1": {"no_gc_match": 5}, "E2": {"no_gc_match": 5}},
    }
    page = data_page(tables, {})
    assert "rows read same sequence as another E1 10 3" in visible(page)


def test_experiments_with_other_reasons_have_empty_cells(tmp_path):
    for name, text in (("a", "reason\tn\nfew\t1\n"), ("b", "reason\tn\nodd_ones\t2\n"), ("c", "reason\tn\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "positives.filter.tsv").write_text(text)
    page = data_page([(name, tmp_path / name / "positives.filter.tsv") for name in "abc"], {})
    assert '<tr><td>a</td><td class="n" data-v="1">1</td><td class="n"></td></tr>' in page
    assert '<tr><td>b</td><td class="n"></td><td class="n" data-v="2">2</td></tr>' in page
    assert '<tr><td>c</td><td class="n"></td><td class="n"></td></tr>' in page
    assert "odd ones" in page


@pytest.mark.parametrize("text", ["", "a\tb\n1\t2\n", "reason\tn\nfew\tmany\n"])
def test_other_tables_are_refused_by_name(tmp_path, text):
    (tmp_path / "x.tsv").write_text(text)
    with pytest.raises(InputError, match=r"x\.tsv: not a table of counts"):
        read_filter_table(tmp_path / "x.tsv")
