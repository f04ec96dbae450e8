"""`bindgram motifs`: a library from a release or from a file."""

import json

import pytest
from click.testing import CliRunner

from bindgram.cli.motifs import motifs
from bindgram.data.motifs import motifs_of, read_motifs
from bindgram.errors import InputError
from bindgram.provenance import read_record, sha256_file


def run(folder, *options):
    folder.mkdir(exist_ok=True)
    arguments = ["--output", folder / "m.meme", "--record", folder / "m.json", "--revision", "1", *options]
    result = CliRunner().invoke(motifs, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return folder / "m.meme", folder / "m.json"


def test_a_release_is_written_with_its_record_and_the_same_bytes_again(tmp_path):
    options = ["--library", "JASPAR2026", "--tax-group", "nematodes", "--tax-group", "urochordates"]
    library, record = run(tmp_path / "a", *options)
    again = run(tmp_path / "b", *options)
    assert [path.read_bytes() for path in again] == [library.read_bytes(), record.read_bytes()]
    assert json.loads(record.read_text())["n_motifs"] == len(read_motifs(library)) == 197
    assert read_record(record)["digest"] == sha256_file(library)


def test_a_file_of_ones_own_becomes_a_library(tmp_path):
    (tmp_path / "mine.txt").write_text(">x MYTF\nA [1 0]\nC [1 0]\nG [1 0]\nT [1 4]\n")
    library, record = run(tmp_path / "a", "--library", "mine", "--file", tmp_path / "mine.txt")
    assert [motif.label for motif in motifs_of(read_motifs(library), "mytf")] == ["x MYTF"]
    provenance = read_record(record)
    assert provenance["settings"] == {"library": "mine", "file": "mine.txt", "tax_groups": []}
    assert provenance["inputs"] == {"file": sha256_file(tmp_path / "mine.txt")}


def test_an_unknown_release_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(InputError, match=r"motifs\.library: 'JASPAR1' is no JASPAR release"):
        run(tmp_path, "--library", "JASPAR1")
    assert list(tmp_path.iterdir()) == []
