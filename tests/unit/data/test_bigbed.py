"""bigBed files, written by an independent library."""

import struct

import pandas as pd
import pybigtools
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bindgram.data.bigbed import read_bigbed
from bindgram.data.peaks import read_peaks
from bindgram.errors import InputError

SIZES = {"chr1": 10_000, "chr2": 500_000}
BED = 'table bed\n"x"\n(\nstring chrom; "c"\nuint chromStart; "s"\nuint chromEnd; "e"\n'
NARROW = (
    BED + 'string name; "n"\nuint score; "s"\nchar[1] strand; "s"\nfloat signalValue; "v"\nfloat pValue; "p"\n'
    'float qValue; "q"\nint peak; "k"\n)\n'
)


def write(path, rows, autosql=None):
    pybigtools.open(str(path), "w").write(SIZES, iter(rows), autosql=autosql)
    return path


def peaks_of(path):
    frame = read_bigbed(path)
    return list(frame[["chrom", "start", "end", "summit", "strength", "support"]].itertuples(index=False, name=None))


def test_fields_are_found_by_the_names_of_the_file(tmp_path):
    rows = [("chr1", 5, 45, "p1\t900\t.\t12.5\t-1\t3\t30"), ("chr2", 7, 9, "p2\t0\t.\t2\t-1\t3\t-1")]
    path = write(tmp_path / "x.bb", rows, NARROW)
    assert peaks_of(path) == [("chr1", 5, 45, 30, 12.5, 1), ("chr2", 7, 9, -1, 2.0, 1)]
    assert read_peaks(path, "bigBed")["line"].tolist() == [1, 2]


def test_fields_may_stand_in_any_order_with_support(tmp_path):
    autosql = BED + 'uint support; "r"\nint peak; "k"\nenum(a, b) kind; "k"\nfloat signalValue; "v"\n)\n'
    path = write(tmp_path / "x.bb", [("chr1", 5, 45, "3\t8\ta\t1.5")], autosql)
    assert peaks_of(path) == [("chr1", 5, 45, 8, 1.5, 3)]


@pytest.mark.parametrize(("rest", "strength"), [("", None), ("name", None), ("name\t7", 7.0), ("name\t7\t+", 7.0)])
def test_without_names_fields_stand_as_in_bed(tmp_path, rest, strength):
    (peak,) = peaks_of(write(tmp_path / "x.bb", [("chr1", 5, 45, rest)]))
    assert peak[:4] == ("chr1", 5, 45, -1)
    assert (None if pd.isna(peak[4]) else peak[4]) == strength


def test_entry_that_is_no_peak_is_refused_by_its_number(tmp_path):
    rows = [("chr1", 5, 45, "p\t1\t.\t1\t1\t1\t9"), ("chr1", 7, 40, "p\t1\t.\t1\t1\t1\t99")]
    with pytest.raises(InputError, match=r"x.bb:2: summit 99 lies outside the peak of 33 bp"):
        read_bigbed(write(tmp_path / "x.bb", rows, NARROW))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a bigBed file"),
        (b"chr1\t5\t9\n", "not a bigBed file"),
        (b"\x26\xfc\x8f\x88" + bytes(60), "not a bigBed file"),
        (b"\xeb\xf2\x89\x87", "truncated or damaged bigBed"),
        (b"\xeb\xf2\x89\x87" + bytes(12) + struct.pack("<Q", 1 << 63), "truncated or damaged bigBed"),
        (b"\xeb\xf2\x89\x87" + bytes(60), "damaged bigBed"),
    ],
)
def test_file_that_is_no_bigbed_is_refused_by_name(tmp_path, content, said):
    path = tmp_path / "x.bb"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"x\.bb: .*{said}"):
        read_bigbed(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.bb: no such file"):
        read_bigbed(tmp_path / "absent.bb")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    rows = [("chr1", i, i + 5, f"p{i}\t5\t+") for i in range(0, 900, 3)]
    return write(tmp_path_factory.mktemp("bigbed") / "x.bb", rows).read_bytes()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_file_is_whole_or_refused_never_shorter(tmp_path_factory, whole, data):
    content = bytearray(whole)
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 5))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("bigbed") / "x.bb"
    path.write_bytes(content)
    message, n = "", 300
    try:
        n = len(read_bigbed(path))
    except InputError as error:
        message = str(error)
    assert "x.bb" in message if message else n == 300
