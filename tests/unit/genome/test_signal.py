import os

import pybigtools
import pytest

from bindgram.errors import InputError
from bindgram.genome.download import Patience
from bindgram.genome.fetch import fetch_file
from bindgram.genome.signal import check_bigwig, signal_chroms


def write_signal(path, chroms):
    values = [(chrom, 0, 10, 1.5) for chrom in sorted(chroms)]
    pybigtools.open(str(path), "w").write(chroms, values)
    return path


def fetch(source, destination):
    return fetch_file(str(source), destination, "bigWig", None, None, Patience())


def test_chromosomes_of_a_signal_are_read(tmp_path):
    path = write_signal(tmp_path / "a.bw", {"chr1": 500, "chr2": 300})
    check_bigwig(path)
    assert signal_chroms(path) == {"chr1": 500, "chr2": 300}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda whole: whole[:-100], "truncated"),
        (lambda whole: whole[: len(whole) // 2], "truncated"),
        (lambda whole: b"chr1\t0\t10\t1.5\n", "does not begin as one"),
        (lambda whole: b"", "does not begin as one"),
        (lambda whole: whole[:8] + b"\xff" * 40 + whole[48:], "not a readable bigWig"),
    ],
    ids=["end cut off", "half", "bedGraph", "empty", "garbled header"],
)
def test_broken_signal_is_refused_by_name(tmp_path, change, message):
    whole = write_signal(tmp_path / "whole.bw", {"chr1": 500}).read_bytes()
    (tmp_path / "broken.bw").write_bytes(change(whole))
    with pytest.raises(InputError, match=f"broken.bw: .*{message}"):
        signal_chroms(tmp_path / "broken.bw")


def test_local_signal_is_linked_to_and_its_file_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    path = write_signal(tmp_path / "data/a.bw", {"chr1": 500})
    path.chmod(0o400)
    record = fetch("data/a.bw", tmp_path / "resources/signal/e.bigWig")
    assert os.readlink(tmp_path / "resources/signal/e.bigWig") == "../../data/a.bw"
    assert (tmp_path / "resources/signal/e.bigWig").read_bytes() == path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o400
    assert record["n_bytes"] == path.stat().st_size
    fetch(path, tmp_path / "resources/signal/e.bigWig")  # again, over the link, by an absolute path
    assert os.readlink(tmp_path / "resources/signal/e.bigWig") == str(path)
    assert list((tmp_path / "resources/signal").iterdir()) == [tmp_path / "resources/signal/e.bigWig"]


def test_refused_signal_leaves_nothing(tmp_path):
    (tmp_path / "a.bw").write_text("no signal")
    with pytest.raises(InputError, match=r"a\.bw: refused, nothing was written: not a bigWig file"):
        fetch(tmp_path / "a.bw", tmp_path / "out/e.bigWig")
    assert not (tmp_path / "out/e.bigWig").exists()


def test_downloaded_signal_is_kept_whole(tmp_path, site):
    content = write_signal(tmp_path / "a.bw", {"chr1": 500}).read_bytes()
    out = tmp_path / "out/e.bigWig"
    site.files["a.bw"] = content
    fetch(site.url("a.bw"), out)
    assert not out.is_symlink()
    assert out.read_bytes() == content
    assert list(out.parent.iterdir()) == [out]
