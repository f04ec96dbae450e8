"""Split files of a cross-validation, from a table of chromosome lengths to a project that reads them."""

import pytest
from click.testing import CliRunner

from bindgram.cli import cli
from bindgram.errors import InputError
from bindgram.settings import load_split


def folds(folder, *more, k=3, sizes="chr1\t500\nchr2\t400\nchr3\t300\nchr4\t300\nchrM\t16\n"):
    (folder / "chrom.sizes").write_text(sizes)
    options = ["--chrom-sizes", folder / "chrom.sizes", "--assembly", "toy", "--k", k, "--min-bp", 100]
    options += ["--name", "mine", "--output", folder / "splits", *more]
    result = CliRunner().invoke(cli, ["folds", *map(str, options)])
    if isinstance(result.exception, InputError):
        raise result.exception
    return result


def test_every_chromosome_is_tested_once_and_short_ones_are_left_out(tmp_path):
    result = folds(tmp_path)
    assert result.exit_code == 0, result.output
    assert "4 of 5 chromosomes in 3 folds" in result.output
    assert "split: [mine_0, mine_1, mine_2]" in result.output
    splits = [load_split(tmp_path / f"splits/mine_{number}.yaml").assemblies["toy"] for number in range(3)]
    assert [list(split.test) for split in splits] == [["chr1"], ["chr2"], ["chr3", "chr4"]]
    assert [list(split.valid) for split in splits] == [["chr2"], ["chr3", "chr4"], ["chr1"]]
    assert [list(split.train) for split in splits] == [["chr3", "chr4"], ["chr1"], ["chr2"]]
    assert [split.tiled for split in splits] == ["chr1", "chr2", "chr3"]


def test_chromosomes_that_look_like_numbers_stay_names(tmp_path):
    folds(tmp_path, sizes="1\t500\n2\t400\nX\t300\n")
    assert list(load_split(tmp_path / "splits/mine_0.yaml").assemblies["toy"].test) == ["1"]


def test_files_that_are_there_are_left_alone(tmp_path):
    folds(tmp_path)
    before = (tmp_path / "splits/mine_0.yaml").read_bytes()
    with pytest.raises(InputError, match=r"mine_0.yaml, .*: there already; choose another --name"):
        folds(tmp_path, k=4)
    assert (tmp_path / "splits/mine_0.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("more", "k", "message"),
    [
        (["--exclude", "chr9"], 3, "--exclude chr9: not in"),
        (["--exclude", "chr1"], 4, r"3 chromosome\(s\) for 4 folds; choose fewer folds"),
        (["--name", "my folds"], 3, "--name 'my folds': an id has letters"),
    ],
)
def test_mistakes_are_named(tmp_path, more, k, message):
    with pytest.raises(InputError, match=message):
        folds(tmp_path, *more, k=k)
    assert not (tmp_path / "splits").exists()
