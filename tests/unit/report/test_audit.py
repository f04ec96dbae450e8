import pandas as pd
import pytest

from bindgram.evaluation.audit import COLUMNS, FEATURES, read_audit, write_audit
from bindgram.report.audit import audit_section, suspicious_notes
from bindgram.report.data import data_section


def audit(aurocs, suspicious=(), table="T1", split="test"):
    """An audit of one table; `aurocs` by feature."""
    rows = [
        {
            **{"table": table, "split": split, "scheme": "dinucleotide_shuffle", "feature": feature},
            **({"auroc": value, "low": value - 0.02, "high": value + 0.02} if value else {"reason": "no coordinates"}),
            **{"judged": feature in ("gc", "kmer2"), "suspicious": feature in suspicious},
            **{"n_positives": 1200, "n_negatives": 1300},
        }
        for feature, value in ({**dict.fromkeys(FEATURES), **aurocs}).items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


@pytest.fixture
def audits(tmp_path):
    made = {
        "E1": audit({"gc": 0.5, "kmer2": 0.51, "kmer3": 0.69}),
        "E2": audit({"gc": 0.5, "kmer2": 0.83, "kmer3": 0.87}, ["kmer2"]),
    }
    for name, frame in made.items():
        write_audit(tmp_path / f"{name}.tsv", frame)
    return {name: read_audit(tmp_path / f"{name}.tsv") for name in made}


def test_suspicious_set_is_named_with_the_value_that_gives_it_away(audits, visible):
    assert set(audits) == {"E1", "E2"}
    assert suspicious_notes(audits) == {("E2", "T1"): "2-mers 0.83 (test)"}
    text = visible(audit_section(audits))
    assert "Suspicious: 1 of 2 sets of negatives." in text
    assert "E2, Test set T1: 2-mers 0.83 (test)" in text
    assert "Test set T1 test 2 0.500 0.50 to 0.50 – 0.670 0.51 to 0.83 0.780 0.69 to 0.87 – – – 1 of 2" in text


def test_what_is_judged_is_dark_what_is_not_is_grey_and_what_is_suspicious_is_marked(audits):
    html = "".join(audit_section(audits))
    assert '<span class="suspicious">0.51 to 0.83</span>' in html
    assert "<span>0.500</span>" in html
    assert '<span class="soft">0.780</span>' in html


def test_sets_without_suspicion_say_so(audits, visible):
    assert suspicious_notes({"E1": audits["E1"]}) == {}
    text = visible(audit_section({"E1": audits["E1"]}))
    assert "None of 1 sets of negatives is suspicious." in text


def test_many_suspicious_sets_are_cut_off_and_counted(audits, visible):
    many = {f"X{number}": audits["E2"] for number in range(50)}
    text = visible(audit_section(many))
    assert "Suspicious: 50 of 50 sets" in text
    assert "and 30 more" in text


def test_data_without_audits_have_no_section_on_them(visible):
    assert audit_section({}) == []
    assert "Audit" not in visible(data_section({}, [], {}))


def test_audit_of_skipped_tables_only_has_no_table(tmp_path, visible):
    write_audit(tmp_path / "E.tsv", pd.DataFrame([{"table": "T1", "reason": "no peaks"}], columns=list(COLUMNS)))
    section = audit_section({"E": read_audit(tmp_path / "E.tsv")})
    assert "None of 0 sets" in visible(section)
