"""Libraries of known motifs: JASPAR's releases, files of a user, names of factors."""

import gzip
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memelite.io import read_meme

from bindgram.data.motifs import Motif, information, jaspar_motifs, motifs_of, read_motifs, write_motifs
from bindgram.errors import InputError
from bindgram.settings.interpretation import RELEASES, TaxGroup

MEME = """MEME version 4

ALPHABET= ACGT

MOTIF M1 CTCF
letter-probability matrix: alength= 4 w= 2 nsites= 7 E= 0
0.5 0.25 0.25 0
0 0 0 1
URL http://example.org
MOTIF M2
letter-probability matrix:
1 0 0 0
"""
JASPAR = """>MA1.1\tMAX::MYC
A [ 4 0 ]
C [ 1 10 ]
G  [5 0]
T [ 0 0 ]
>plain
1 2 3
1 2 3
1 2 3
1 2 3
"""


@pytest.fixture(scope="module")
def fungi():
    return jaspar_motifs("JASPAR2026", ["fungi"])


def motif(tf, name="M"):
    return Motif(name, tf, np.full((3, 4), 0.25))


def test_a_release_gives_the_latest_version_of_each_motif_in_order(fungi):
    names = [motif.name for motif in fungi]
    assert len({name.split(".")[0] for name in names}) == len(names) == 193
    assert names == sorted(names)
    (reb1,) = motifs_of(fungi, "Reb1")
    assert reb1.label == "MA0363.3 REB1"
    assert "".join("ACGT"[base] for base in reb1.probabilities.argmax(axis=1)) == "ATTACCCGG"


def test_probabilities_are_the_counts_of_the_release_over_their_sum(fungi):
    import pyjaspar

    counts = pyjaspar.jaspardb(release="JASPAR2026").fetch_motif_by_id("MA0363.3").counts
    (reb1,) = motifs_of(fungi, "REB1")
    total = sum(counts[base][0] for base in "ACGT")
    np.testing.assert_allclose(reb1.probabilities[0], [counts[base][0] / total for base in "ACGT"])


def test_settings_know_the_releases_of_pyjaspar_and_groups_of_species():
    import pyjaspar

    assert set(RELEASES) == set(pyjaspar.jaspar_releases)
    with pytest.raises(InputError, match=r"JASPAR1999.*JASPAR2026"):
        jaspar_motifs("JASPAR1999", [])
    with pytest.raises(InputError, match=r"tax_groups: JASPAR2026 has no motif of martians"):
        jaspar_motifs("JASPAR2026", ["martians"])
    assert "fungi" in get_args(TaxGroup)


def test_a_written_library_is_read_again_by_us_and_by_memelite(tmp_path, fungi):
    write_motifs(tmp_path / "a.meme", fungi)
    again = read_motifs(tmp_path / "a.meme")
    assert [(motif.name, motif.tf, motif.n_sites) for motif in again] == [
        (motif.name, motif.tf, pytest.approx(motif.n_sites, rel=1e-5)) for motif in fungi
    ]
    theirs = read_meme(tmp_path / "a.meme")
    assert list(theirs) == [motif.label for motif in fungi]
    for motif, matrix in zip(again, theirs.values(), strict=True):
        np.testing.assert_allclose(motif.probabilities, matrix.T, atol=2e-6)


@given(st.lists(st.lists(st.floats(0.01, 1), min_size=4, max_size=4), min_size=1, max_size=8), st.floats(1, 1e6))
def test_any_motif_survives_being_written(tmp_path_factory, rows, n_sites):
    path = tmp_path_factory.mktemp("motifs") / "one.meme"
    shares = np.array(rows) / np.sum(rows, axis=1, keepdims=True)
    write_motifs(path, [Motif("m", "tf", shares, n_sites)])
    (read,) = read_motifs(path)
    np.testing.assert_allclose(read.probabilities, shares, atol=3e-6)
    assert read.n_sites == pytest.approx(n_sites, rel=1e-5)


def test_meme_and_jaspar_text_are_told_apart_by_content(tmp_path):
    (tmp_path / "one").write_bytes(gzip.compress(MEME.replace("\n", "\r\n").encode()))
    (tmp_path / "two").write_text(JASPAR)
    first, second = read_motifs(tmp_path / "one")
    assert (first.name, first.tf, first.n_sites) == ("M1", "CTCF", 7)
    assert first.probabilities.tolist() == [[0.5, 0.25, 0.25, 0], [0, 0, 0, 1]]
    assert (second.name, second.tf, second.label) == ("M2", "M2", "M2")
    dimer, plain = read_motifs(tmp_path / "two")
    assert dimer.probabilities.tolist() == [[0.4, 0.1, 0.5, 0], [0, 1, 0, 0]]
    assert (dimer.tf, dimer.n_sites) == ("MAX::MYC", 10)
    assert plain.probabilities.shape == (3, 4)


def test_information_is_in_bits_against_equal_shares():
    shares = np.array([[0.25, 0.25, 0.25, 0.25], [0.5, 0.5, 0, 0], [0, 0, 1, 0]])
    np.testing.assert_allclose(information(shares), [0, 1, 2], atol=1e-9)


@pytest.mark.parametrize(
    ("tf", "found"),
    [
        ("CTCF", ["CTCF"]),
        ("ctcf", ["CTCF"]),
        ("CTC", []),
        ("MAX", ["MAX::MYC"]),
        ("Myc", ["MAX::MYC"]),
        ("MAX::MYC", []),
        ("JUND", ["JUND(var.2)"]),
        ("", []),
    ],
)
def test_a_factor_has_motifs_of_its_whole_name_and_of_its_dimers(tf, found):
    library = [motif(name) for name in ("CTCF", "CTCFL", "MAX::MYC", "JUND(var.2)")]
    assert [motif.tf for motif in motifs_of(library, tf)] == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty; give motifs in the MEME text format or JASPAR's"),
        ("chr1\t1\t2\n", ":1: 'chr1.*' begins neither a MEME file .* nor a JASPAR file"),
        ("MEME version 4\n", "no motif; a MEME file has a line 'MOTIF name'"),
        (MEME.replace("MOTIF M2", "MOTIF"), ":10: MOTIF without a name"),
        (MEME.replace("MOTIF M2", "MOTIF M1"), "motif M1 is given twice"),
        (MEME.replace("ALPHABET= ACGT", "ALPHABET= ACDEFGHIKLMNPQRSTVWY"), "not the alphabet of DNA"),
        (MEME.replace("w= 2", "w= 3"), r"motif M1: 2 row\(s\) of probabilities, and w= 3"),
        (MEME.replace("0 0 0 1", "0 0 1"), "motif M1: a row has 3 number"),
        (MEME.replace("0 0 0 1", "0 0 0 2"), "motif M1: the probabilities of position 2 sum up to 2, not 1"),
        (MEME.replace("0 0 0 1", "0 -1 0 2"), ":8: motif M1: '-1' is no number of 0 or more"),
        (MEME.replace("nsites= 7", "nsites= many"), ":6: motif M1: 'many' is no number"),
        (MEME.replace("letter-probability matrix:\n", ""), "motif M2: has no line 'letter-probability matrix:'"),
        (">\nA [1]\n", ":1: '>' without a name"),
        (">a\nA [1 2]\nC [1 2]\nG [1]\nT [1 2]\n", "motif a: rows of 2, 2, 1, 2 numbers; 4 rows of equal length"),
        (">a\nA [1]\nC [1]\nT [1]\nG [1]\n", ":4: motif a: row of T, not of G"),
        (">a\n1\n1\n1\n1\n1\n", "motif a: rows of 1, 1, 1, 1, 1 numbers"),
        (">a\n", "motif a: rows of no numbers"),
        (">a\nA [0]\nC [0]\nG [0]\nT [0]\n", "motif a: position 1 has no counts"),
        (">a\nA [x]\nC [0]\nG [0]\nT [0]\n", ":2: motif a: 'x' is no number"),
    ],
)
def test_a_wrong_file_is_refused_with_line_motif_and_remedy(tmp_path, text, message):
    (tmp_path / "mine.txt").write_text(text)
    with pytest.raises(InputError, match=rf"mine\.txt.*{message}|{message}"):
        read_motifs(tmp_path / "mine.txt")


@pytest.mark.realdata
def test_published_files_have_the_motifs_that_the_package_has(real_data):
    published = {motif.name: motif for motif in read_motifs(real_data / "motifs/jaspar2024_core_scer.jaspar")}
    ours = {motif.name: motif for motif in jaspar_motifs("JASPAR2024", ["fungi"])}
    assert len(published) == 170
    assert set(published) - set(ours) == {"MA0328.1"}  # an older version than the release's latest
    for name in published.keys() & ours.keys():
        motif = published[name]
        assert (ours[name].tf, ours[name].probabilities.shape) == (motif.tf, motif.probabilities.shape)
        np.testing.assert_allclose(ours[name].probabilities, motif.probabilities, atol=1e-9)
