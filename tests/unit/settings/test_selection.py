"""Which rows of the sheet a run uses."""

import shutil

import pytest

from bindgram.errors import InputError
from bindgram.settings import load_project
from bindgram.settings.config import merge
from bindgram.settings.selection import read_list

HEADER = "experiment\ttf\tbiosample\tassembly\tformat\tpeaks"
ROWS = (("a", "CTCF", "K562", 1), ("b", "CTCF", "HepG2", 2), ("c", "REST", "K562", 1), ("d", "MAX", "liver", 3))


@pytest.fixture
def root(tmp_path, repository):
    shutil.copytree(repository / "config", tmp_path / "config")
    return tmp_path


@pytest.fixture
def chosen(config, root):
    """Ids that a selection chooses from four rows with tiers (or without)."""

    def choose(with_tiers=True, **selection):
        lines = [HEADER + "\ttier" * with_tiers] + [
            f"{name}\t{tf}\t{biosample}\thg38\tbed\thttps://x/{name}" + f"\t{tier}" * with_tiers
            for name, tf, biosample, tier in ROWS
        ]
        (root / "config/mine.tsv").write_text("\n".join(lines) + "\n")
        changes = {"experiments": "config/mine.tsv", "assemblies": "config/mine_assemblies.tsv", "select": selection}
        changes["universe"] = None
        (root / "config/mine_assemblies.tsv").write_text("assembly\tfasta\nhg38\thttps://x/hg38.fa\n")
        return list(load_project(merge(config, changes), root).selected)

    return choose


def test_default_is_the_first_tier(chosen):
    assert chosen() == ["a", "c"]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"tiers": []}, ["a", "b", "c", "d"]),
        ({"tiers": [2, 3]}, ["b", "d"]),
        ({"tiers": [1, 2], "tfs": ["CTCF"]}, ["a", "b"]),
        ({"tiers": [1, 2], "tfs": ["CTCF"], "biosamples": ["HepG2", "K562"], "first": 1}, ["a"]),
        ({"tiers": [], "first": 3}, ["a", "b", "c"]),
        ({"experiments": ["c"]}, ["c"]),
    ],
)
def test_restrictions_narrow_one_after_the_other_and_first_comes_last(chosen, selection, expected):
    assert chosen(**selection) == expected


def test_list_names_rows_in_a_file_with_comments(chosen, root):
    (root / "mine.txt").write_text("# for the figure\nc   # REST\n\na\n")
    assert chosen(list="mine.txt") == ["a", "c"]


def test_unknown_ids_of_a_list_are_named_at_once(chosen, root):
    (root / "mine.txt").write_text("a\nx1\nx2\n")
    with pytest.raises(InputError, match=r"select.list: not in config/mine.tsv: x1, x2"):
        chosen(list="mine.txt")


@pytest.mark.parametrize(("text", "message"), [(None, "no such file"), ("# nothing\n", "no experiment in it")])
def test_list_that_names_nothing_is_refused(tmp_path, text, message):
    if text is not None:
        (tmp_path / "mine.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read_list("mine.txt", tmp_path, "select.list")


def test_sheet_without_tiers_runs_when_none_are_asked_for(chosen):
    assert chosen(with_tiers=False, tiers=[], tfs=["REST", "MAX"]) == ["c", "d"]


def test_forgotten_tiers_are_explained(chosen):
    with pytest.raises(
        InputError, match=r"select.tiers: \[1\], but config/mine.tsv has no tiers; set select.tiers: \[\]"
    ):
        chosen(with_tiers=False)


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"experiments": ["a", "d"]}, r"select.experiments: left out by select.tiers \[1\], .* tier is 3: d; add"),
        ({"tfs": ["MAX", "REST"]}, r"select.tfs: left out by select.tiers \[1\], because their tier is 3: MAX; add"),
        ({"tiers": [1, 9]}, r"select.tiers: not in config/mine.tsv: 9"),
        ({"tfs": ["REST"], "biosamples": ["K562"], "experiments": ["a"]}, "no row of config/mine.tsv passes"),
    ],
)
def test_name_that_another_restriction_drops_is_told(chosen, selection, message):
    with pytest.raises(InputError, match=message):
        chosen(**selection)
