import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bindgram.errors import InputError
from bindgram.evaluation.fitted import Known, Training, Unfitted
from bindgram.evaluation.gapped_kmer import PROGRAMS, draw_training, fit_gapped_kmers
from bindgram.sequence.dna import codes_of, reverse_complement
from bindgram.settings.baselines import GappedKmerBaseline

SETTINGS = GappedKmerBaseline(
    kind="gapped_kmer_svm",
    **{"kernel": 2, "word_length": 10, "informative": 6, "max_mismatches": 3, "gamma": 2.0},
    **{"regularisation": 10.0, "positive_weight": 0.5, "epsilon": 0.01, "max_train": 100},
)
KNOWN = Known("CTCF", 1, 5)


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A PATH of one empty folder, and another for temporary files."""
    for name in ("bin", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("GKM_LOG", str(tmp_path / "log"))
    return tmp_path / "bin"


@pytest.fixture
def programs(path, repository):
    """The stand-in under both names."""
    text = (repository / "tests/gkm_stand_in.py").read_text()
    for name in PROGRAMS:
        write_program(path / name, text)
    return path


def write_program(path: Path, text: str) -> None:
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def planted(n: int, seed: int) -> Training:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (2 * n, 40)).astype(np.uint8)
    codes[:n, 10:18] = codes_of(["GATTACAG"])[0]
    codes[: n // 2] = reverse_complement(codes[: n // 2])
    return Training(codes, np.repeat([1, 0], n))


def test_programs_on_the_path_are_trained_and_score_both_strands_alike(programs):
    test = planted(40, 2)
    with fit_gapped_kmers(SETTINGS, planted(40, 1), KNOWN) as fitted:
        scores = fitted.score(test.codes)
        assert roc_auc_score(test.labels, scores) > 0.95
        assert np.array_equal(fitted.score(reverse_complement(test.codes)), scores)
        assert len(os.listdir(programs.parent / "tmp")) == 1
    assert fitted.details == {"n_trained": 80}
    assert os.listdir(programs.parent / "tmp") == []


def test_every_setting_is_an_option_and_at_most_max_train_sequences_are_read(programs):
    runs = []
    for _ in range(2):
        with fit_gapped_kmers(SETTINGS, planted(150, 1), KNOWN) as fitted:
            runs.append(fitted.score(planted(10, 2).codes))
    assert np.array_equal(*runs)
    first, second, *_ = (programs.parent / "log").read_text().splitlines()
    *options, n_positives, n_negatives, _ = first.split()
    wanted = "gkmtrain -t2 -l10 -k6 -d3 -g2.0 -c10.0 -w0.5 -e0.01 -m2000 -T4 -v1"
    assert (" ".join(options), n_positives, n_negatives) == (wanted, "50", "50")
    assert second.split()[:3] == ["gkmpredict", "-T4", "-v1"]


def test_drawn_examples_keep_the_shares_of_the_classes_and_depend_on_the_seed_alone():
    labels = np.repeat([1, 0, 0, 0], 100)
    drawn = draw_training(labels, 40, 1)
    assert (len(set(drawn)), labels[drawn].sum()) == (40, 10)
    assert np.array_equal(drawn, draw_training(labels, 40, 1))
    assert not np.array_equal(drawn, draw_training(labels, 40, 2))
    assert draw_training(labels, 400, 1).tolist() == list(range(400))
    rare = np.repeat([1, 0], [1, 99])
    assert sorted(rare[draw_training(rare, 2, 1)]) == [0, 1]


def test_without_the_programs_it_is_not_defined_and_says_where_to_get_them(path):
    with fit_gapped_kmers(SETTINGS, planted(5, 1), KNOWN) as fitted:
        assert isinstance(fitted, Unfitted)
    assert fitted.reason.startswith("not defined: gkmtrain and gkmpredict of LS-GKM not on the PATH; install it")
    write_program(path / "gkmtrain", "")
    with fit_gapped_kmers(SETTINGS, planted(5, 1), KNOWN) as fitted:
        assert fitted.reason.startswith("not defined: gkmpredict of LS-GKM not on the PATH")


def fit_and_score() -> np.ndarray:
    with fit_gapped_kmers(SETTINGS, planted(5, 1), KNOWN) as fitted:
        return fitted.score(planted(5, 2).codes)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("gkmtrain", "import sys\nsys.exit('out of memory')", "gkmtrain: exit status 1: out of memory"),
        ("gkmtrain", "print('Usage: gkmtrain')", "gkmtrain: made no svm.model.txt: Usage: gkmtrain"),
        ("gkmpredict", "import sys\nopen(sys.argv[-1], 'w').write('0\\t1\\n')", "1 scores of 10 sequences"),
        ("gkmpredict", "import sys\nopen(sys.argv[-1], 'w').write('0 1\\n')", "not 'name, tab, score' in every line"),
    ],
)
def test_a_program_that_fails_is_quoted_and_leaves_nothing_behind(programs, name, text, message):
    write_program(programs / name, text)
    with pytest.raises(InputError, match=message):
        fit_and_score()
    assert os.listdir(programs.parent / "tmp") == []


@pytest.mark.skipif(any(shutil.which(name) is None for name in PROGRAMS), reason="LS-GKM is not on the PATH")
def test_ls_gkm_itself_finds_a_planted_motif():
    test = planted(40, 2)
    with fit_gapped_kmers(SETTINGS, planted(50, 1), KNOWN) as fitted:
        assert roc_auc_score(test.labels, fitted.score(test.codes)) > 0.95
