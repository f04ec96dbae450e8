import json
from pathlib import Path

import pysam
import pytest
from click.testing import CliRunner

from bindgram.cli.tile import tile
from bindgram.data.tiles import Tiles
from bindgram.errors import InputError


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("genome.fa").write_text(">chr1\nACGTacgtNNGGCC\n>chr2\nACG\n")
    pysam.faidx("genome.fa")
    Path("blacklist.bed").write_text("chr1\t0\t2\n")
    Path("repeats.bed").write_text("chr1\t9\t11\n")
    for name in ("genome", "blacklist", "repeats"):
        Path(f"{name}.json").write_text(json.dumps({"provenance": {"digest": name, "revisions": {"fetch": 4}}}))
    return tmp_path


def run(*more: str, width: int = 4):
    words = (
        f"--genome genome.fa --genome-record genome.json --assembly toy --width {width} --output out/t.h5 --revision 7"
    )
    return CliRunner().invoke(tile, [*words.split(), *more], catch_exceptions=False)


def test_a_tile_table_knows_how_it_was_made(folder):
    result = run("--blacklist", "blacklist.bed", "--blacklist-record", "blacklist.json")
    assert result.output == "toy: 3 tiles of 4 bp on 2 sequences; repeats: soft_masked\n"
    tiles = Tiles.open(folder / "out/t.h5")
    assert (tiles.n_gc.tolist(), tiles.n_ambiguous.tolist()) == ([2, 2, 2], [0, 0, 2])
    assert tiles.blacklisted.tolist() == [True, False, False]
    known = tiles.provenance
    assert (known["command"], known["revision"], known["revisions"]) == ("tile", 7, {"fetch": 4, "tile": 7})
    assert known["settings"] == {"assembly": "toy", "width": 4}
    assert known["inputs"] == {"genome": "genome", "blacklist": "blacklist"}
    assert len(known["digest"]) == 64
    assert str(folder) not in json.dumps(known)


def test_repeats_of_a_file_are_counted_and_their_digest_is_kept(folder):
    assert run("--repeats", "repeats.bed", "--repeats-record", "repeats.json").output.endswith("repeats: file\n")
    tiles = Tiles.open(folder / "out/t.h5")
    assert tiles.n_repeat.tolist() == [0, 0, 2]
    assert tiles.provenance["inputs"] == {"genome": "genome", "repeats": "repeats"}


@pytest.mark.parametrize("name", ["blacklist", "repeats"])
def test_a_file_without_its_record_is_refused(folder, name):
    with pytest.raises(InputError, match=f"--{name} and --{name}-record belong together"):
        run(f"--{name}", f"{name}.bed")
    with pytest.raises(InputError, match=f"--{name} and --{name}-record belong together"):
        run(f"--{name}-record", f"{name}.json")


def test_a_genome_without_any_tile_is_refused_and_nothing_is_written(folder):
    with pytest.raises(InputError, match=r"genome\.fa: no chromosome has 15 bp"):
        run(width=15)
    assert not list(folder.glob("out/*"))


def test_a_record_that_is_none_is_refused(folder):
    Path("genome.json").write_text("{}")
    with pytest.raises(InputError, match=r"genome\.json: not a record of bindgram fetch"):
        run()
