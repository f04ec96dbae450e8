"""Files of many experiments: sorted by TF once, and one experiment taken out of them."""

import gzip
import hashlib
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindgram.data import pooled
from bindgram.data.peaks import PEAK_COLUMNS, PEAK_READERS, read_peaks
from bindgram.data.pooled import Wanted, parts_of, read_pool, write_pool
from bindgram.errors import InputError

CLUSTERS = "\n".join(
    [
        "chr1\t10\t20\tCTCF\t900\t2\t4,9\t900,12",
        "chr1\t15\t30\tREST\t100\t1\t7\t100",
        "chr2\t5\t9\tCTCF\t50\t1\t4\t50",
    ]
)
REMAP = "\n".join(
    [
        "chr1\t10\t30\tGSE1.CTCF.K562\t7\t.\t12\t13\t0,0,0",
        "chr1\t11\t31\tGSE1.CTCF.MCF-7_E2\t8\t.\t13\t14\t0,0,0",
        "chr1\t12\t32\tGSE2.H2A.X.K562\t9\t.\t14\t15\t0,0,0",
    ]
)
REMAP_NR = "\n".join(
    [
        "chr1\t10\t30\tCTCF:K562,HepG2\t7\t.\t12\t13\t0,0,0",
        "chr1\t11\t31\tCTCF:HepG2\t8\t.\t31\t32\t0,0,0",
        "chr1\t12\t32\tREST:K562\t9\t.\t14\t15\t0,0,0",
    ]
)
REAL = Path(__file__).resolve().parents[4] / "shared/data/hg38_chr22/peaks_tfbs_clusters"


def pool_of(folder, text, format):
    raw = folder / "source.bed"
    raw.write_text(text + "\n")
    counts = write_pool(raw, folder / "pool", format)
    return folder / "pool", counts


def taken(folder, text, format, *wanted):
    path, _ = pool_of(folder, text, format)
    frame = read_pool(path, format, Wanted(*wanted))
    assert tuple(frame.columns) == PEAK_COLUMNS
    return frame[["start", "summit", "strength", "support"]].to_numpy().tolist()


@pytest.mark.parametrize("bin_of", ["", "585\t"])
def test_clusters_of_a_tf_are_taken_with_or_without_ucsc_s_bin(tmp_path, bin_of):
    text = "\n".join(bin_of + line for line in ["#chrom", *CLUSTERS.splitlines()][1:])
    assert taken(tmp_path, text, "encode_clusters", "CTCF", "any") == [[10, -1, 900, 2], [5, -1, 50, 1]]
    assert taken(tmp_path, text, "encode_clusters", "NRSF", "any", "REST") == [[15, -1, 100, 1]]


def test_clusters_may_name_their_cells_or_nothing_but_the_factor(tmp_path):
    cells = "chr1\t10\t20\tCTCF\t900\tK562,HepG2,GM12878\nchr1\t10\t21\tCTCF\t90\tK562"
    assert taken(tmp_path, cells, "encode_clusters", "CTCF", "") == [[10, -1, 900, 3], [10, -1, 90, 1]]
    frame = read_pool(
        *pool_of(tmp_path, "chr1\t10\t20\tCTCF", "encode_clusters")[:1], "encode_clusters", Wanted("CTCF", "")
    )
    assert frame["strength"].isna().tolist() == [True]
    assert frame["support"].tolist() == [1]


def test_remap_peaks_are_chosen_by_tf_and_biosample_with_the_summit_of_thick_start(tmp_path):
    assert taken(tmp_path, REMAP, "remap", "CTCF", "K562") == [[10, 2, 7, 1]]
    assert taken(tmp_path, REMAP, "remap", "x", "x", "GSE1.CTCF.MCF-7_E2") == [[11, 2, 8, 1]]
    assert [row[0] for row in taken(tmp_path, REMAP, "remap", "x", "x", "CTCF")] == [10, 11]
    # nothing tells a dot in a TF from the dots between the parts
    assert taken(tmp_path, REMAP, "remap", "x", "x", "GSE2.H2A.X.K562") == [[12, 2, 9, 1]]


def test_support_of_non_redundant_remap_peaks_is_the_number_of_biosamples(tmp_path):
    assert taken(tmp_path, REMAP_NR, "remap", "CTCF", "HepG2") == [[10, 2, 7, 2], [11, 20, 8, 1]]
    assert taken(tmp_path, REMAP_NR, "remap", "CTCF", "K562") == [[10, 2, 7, 2]]


@pytest.mark.parametrize(
    ("text", "format", "wanted", "said"),
    [
        (CLUSTERS, "encode_clusters", ("CTFC", "x"), r"no TF 'CTFC' among the 2 there, such as CTCF; .*peak_name"),
        (CLUSTERS, "encode_clusters", ("ctcf", "x"), r"no TF 'ctcf' among the 2 there, such as CTCF"),
        (CLUSTERS, "encode_clusters", ("X", "x", "RST"), r"no TF 'RST' among the 2 there, such as REST"),
        (REMAP, "remap", ("CTCF", "MCF-7"), r"no biosample of CTCF 'MCF-7' among the 2 there, such as MCF-7_E2"),
        (REMAP, "remap", ("X", "x", "GSE1.CTCF.K56"), r"no name 'GSE1.CTCF.K56' .* such as GSE1.CTCF.K562"),
        (REMAP_NR, "remap", ("REST", "HepG2"), r"no biosample of REST 'HepG2' among the 1 there, such as K562"),
        ("", "remap", ("REST", "HepG2"), r"no TF 'REST' among the 0 there, such as \(none\)"),
    ],
)
def test_name_that_selects_nothing_is_refused_with_names_that_come_close(tmp_path, text, format, wanted, said):
    with pytest.raises(InputError, match=said):
        taken(tmp_path, text, format, *wanted)


@pytest.mark.parametrize(
    ("format", "line", "said"),
    [
        ("encode_clusters", "chr1\t10\t20\t\t5", r"source.bed:4: the name \(column 4\) is empty"),
        ("encode_clusters", "chr1\t10\t20", r"source.bed:4: 3 column\(s\) where encode_clusters has 4"),
        ("encode_clusters", "chr1\t10\t20\tCTCF\t900\t0\t4\t5", r"source.bed:4: support \(column 6\) '0' is not"),
        ("remap", REMAP.splitlines()[0].replace("GSE1.CTCF.K562", "CTCF"), r"source.bed:4: name 'CTCF' is neither"),
        (
            "remap",
            REMAP.splitlines()[0].replace("\t12\t", "\t9\t"),
            r"source.bed:4: summit 9 \(column 7\) lies outside",
        ),
        ("remap", REMAP.splitlines()[0].replace("\t12\t", "\t-1\t"), r"source.bed:4: summit -1 \(column 7\) lies out"),
    ],
)
def test_bad_line_of_any_experiment_is_refused_when_the_pool_is_made(tmp_path, format, line, said):
    text = {"encode_clusters": CLUSTERS, "remap": REMAP}[format]
    with pytest.raises(InputError, match=said):
        pool_of(tmp_path, f"{text}\n{line}", format)


def test_pool_is_the_same_whenever_it_is_made_and_opens_with_any_tool(tmp_path):
    first, counts = pool_of(tmp_path, CLUSTERS, "encode_clusters")
    digest = hashlib.sha256(first.read_bytes()).hexdigest()
    again, _ = pool_of(tmp_path, CLUSTERS, "encode_clusters")
    assert hashlib.sha256(again.read_bytes()).hexdigest() == digest
    assert counts == {"n_peaks": 3, "n_tfs": 2}
    with zipfile.ZipFile(first) as archive:
        assert archive.read("000000000001/REST").decode() == CLUSTERS.splitlines()[1] + "\n"


@pytest.mark.parametrize("content", [b"", b"chr1\t1\t2\tCTCF\n", b"PK\x03\x04" + bytes(30)])
def test_file_that_is_no_pool_is_refused(tmp_path, content):
    (tmp_path / "pool").write_bytes(content)
    with pytest.raises(InputError, match=r"pool: not a pool of bindgram fetch"):
        read_pool(tmp_path / "pool", "remap", Wanted("CTCF", "K562"))


def test_file_of_many_names_is_not_read_as_one_experiment(tmp_path):
    (tmp_path / "x.bed").write_text(CLUSTERS)
    with pytest.raises(InputError, match=r"x.bed: 2 names in it; take one out with bindgram extract"):
        read_peaks(tmp_path / "x.bed", "encode_clusters")


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["A", "B", "A/B", "b", "é ü"]), st.integers(0, 99), st.integers(1, 9))),
    st.integers(1, 200),
)
def test_every_row_is_in_exactly_one_experiment_whatever_the_blocks(tmp_path_factory, rows, n_bytes):
    folder = tmp_path_factory.mktemp("pool")
    lines = [f"chr1\t{start}\t{start + n}\t{name}\t{n}" for name, start, n in rows]
    (folder / "source.bed").write_bytes(gzip.compress("\n".join(lines).encode()))
    whole = PEAK_READERS["encode_clusters"](folder / "source.bed")
    blocks = pooled.POOL_BLOCK_BYTES
    pooled.POOL_BLOCK_BYTES = n_bytes
    try:
        counts = write_pool(folder / "source.bed", folder / "pool", "encode_clusters")
    finally:
        pooled.POOL_BLOCK_BYTES = blocks
    assert counts == {"n_peaks": len(rows), "n_tfs": len({name for name, _, _ in rows})}
    for name in {name for name, _, _ in rows}:
        found = read_pool(folder / "pool", "encode_clusters", Wanted("x", "x", name))
        expected = whole[whole["name"] == name][["chrom", "start", "end", "strength"]].reset_index(drop=True)
        pd.testing.assert_frame_equal(found[["chrom", "start", "end", "strength"]], expected)


def test_parts_of_names():
    assert parts_of("CTCF", "encode_clusters") == pooled.Parts("CTCF")
    assert parts_of("GSE1.CTCF.MCF-7.2", "remap") == pooled.Parts("CTCF", ("MCF-7.2",))
    assert parts_of("CTCF:K562, HepG2", "remap") == pooled.Parts("CTCF", ("K562", "HepG2"))
    for name in ("CTCF", "GSE1.CTCF", "GSE1..K562", ":K562", "CTCF:", "CTCF:K562,,"):
        with pytest.raises(InputError, match="neither"):
            parts_of(name, "remap")


@pytest.mark.realdata
@pytest.mark.skipif(not REAL.is_dir(), reason="needs ../shared/data/hg38_chr22")
def test_real_clusters_in_one_file_give_back_those_of_each_factor(tmp_path):
    files = {name: REAL / f"{name}.bed.gz" for name in ("CTCF", "MAX", "REST", "TAF1")}
    frames = {name: read_peaks(path, "bed") for name, path in files.items()}
    together = pd.concat([frame.assign(name=name) for name, frame in frames.items()]).sort_values(["start", "end"])
    together[["chrom", "start", "end", "name"]].to_csv(tmp_path / "all.bed", sep="\t", header=False, index=False)
    write_pool(tmp_path / "all.bed", tmp_path / "pool", "encode_clusters")
    for name, frame in frames.items():
        found = read_pool(tmp_path / "pool", "encode_clusters", Wanted(name, "any"))
        expected = frame.sort_values(["start", "end"])[["chrom", "start", "end"]].reset_index(drop=True)
        pd.testing.assert_frame_equal(found[["chrom", "start", "end"]], expected)
