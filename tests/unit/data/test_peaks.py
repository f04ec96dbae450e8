import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindgram.data.peaks import LAYOUTS, read_peaks
from bindgram.errors import InputError

NARROW = "chr1\t100\t400\tp1\t900\t.\t12.5\t-1\t3.1\t30\n"
BROAD = "chr1\t100\t400\tp1\t900\t.\t12.5\t-1\t3.1\n"


def rows(path: Path, format: str) -> list[tuple]:
    frame = read_peaks(path, format)
    return list(frame[["chrom", "start", "end", "summit", "strength"]].itertuples(index=False, name=None))


def write(tmp_path: Path, text: str, name: str = "peaks.txt") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode())
    return path


def test_narrowpeak_gives_the_summit_of_column_10_and_the_signal_value(tmp_path):
    assert rows(write(tmp_path, NARROW), "narrowPeak") == [("chr1", 100, 400, 30, 12.5)]


def test_broadpeak_has_no_summit_but_a_signal_value(tmp_path):
    assert rows(write(tmp_path, BROAD), "broadPeak") == [("chr1", 100, 400, -1, 12.5)]


def test_bed_score_is_the_strength_where_there_is_one(tmp_path):
    frame = read_peaks(
        write(tmp_path, "chr1\t1\t9\nchr1\t1\t9\tname\nchr1\t1\t9\tname\t7\t+\nchr1\t1\t9\tx\t.\n"), "bed"
    )
    assert frame["summit"].tolist() == [-1] * 4
    assert frame["strength"].isna().tolist() == [True, True, False, True]
    assert frame["strength"][2] == 7


def test_uncalled_summit_is_kept_as_minus_one(tmp_path):
    assert rows(write(tmp_path, NARROW.replace("\t30\n", "\t-1\n")), "narrowPeak")[0][3] == -1


@pytest.mark.parametrize(
    ("before", "line"),
    [
        ('track name="x" description="y"\n', 2),
        ("browser position chr1:1-2\n# comment\n\n", 4),
        ("chrom\tstart\tend\tname\tscore\tstrand\tsignalValue\tpValue\tqValue\tpeak\n", 2),
        ("chr start end\n", 2),
        ("#chrom\tchromStart\tchromEnd\n", 2),
        ("\ufeff", 1),
    ],
)
def test_lines_before_the_peaks_are_skipped(tmp_path, before, line):
    frame = read_peaks(write(tmp_path, before + NARROW), "narrowPeak")
    assert frame[["start", "line"]].to_numpy().tolist() == [[100, line]]


def test_column_names_are_tolerated_as_first_line_only(tmp_path):
    with pytest.raises(InputError, match=r"peaks.txt:2: start 'start'"):
        read_peaks(write(tmp_path, "chr1\t1\t2\nchrom\tstart\tend\n"), "bed")


def test_gzip_and_windows_line_ends_change_nothing(tmp_path):
    plain = rows(write(tmp_path, NARROW * 2), "narrowPeak")
    assert len(plain) == 2
    assert rows(write(tmp_path, NARROW.replace("\n", "\r\n") * 2, "windows.txt"), "narrowPeak") == plain
    packed = tmp_path / "packed.gz"
    packed.write_bytes(gzip.compress(NARROW.encode() * 2))
    assert rows(packed, "narrowPeak") == plain


def test_missing_last_line_end_loses_no_peak(tmp_path):
    assert len(rows(write(tmp_path, NARROW + NARROW.rstrip("\n")), "narrowPeak")) == 2


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "track name=empty\n", "chrom\tstart\tend\n"])
@pytest.mark.parametrize("format", sorted(LAYOUTS))
def test_file_without_peaks_gives_an_empty_table(tmp_path, text, format):
    frame = read_peaks(write(tmp_path, text), format)
    assert len(frame) == 0
    assert frame["start"].dtype == "int64"


@pytest.mark.parametrize(
    ("format", "text", "message"),
    [
        ("bed", "chr1\t1\n", r"peaks.txt:1: 2 column\(s\) where BED has 3 \(chrom start end\)"),
        ("narrowPeak", BROAD, r"peaks.txt:1: 9 column\(s\) where narrowPeak has 10 .*peak\)"),
        ("broadPeak", "\n" + "chr1\t1\t2\n", r"peaks.txt:2: 3 column\(s\) where broadPeak has 9"),
        ("bed", "chr1\t400\t100\n", r"peaks.txt:1: end 100 is not after start 400"),
        ("bed", "chr1\t100\t100\n", r"peaks.txt:1: end 100 is not after start 100"),
        ("bed", "chr1\t-5\t100\n", r"peaks.txt:1: start '-5' is not a whole number"),
        ("bed", "chr1\tabc\t100\n", r"peaks.txt:1: start 'abc' is not a whole number"),
        ("bed", "chr1\t1.5\t100\n", r"peaks.txt:1: start '1.5' is not a whole number"),
        ("bed", "\t1\t100\n", r"peaks.txt:1: the chromosome \(column 1\) is empty"),
        ("bed", "chr1\t1\t100\tname\thigh\n", r"peaks.txt:1: score 'high' is not a finite number"),
        ("broadPeak", BROAD.replace("12.5", "inf"), r"signalValue 'inf' is not a finite number"),
        ("broadPeak", BROAD.replace("12.5", "nan"), r"signalValue 'nan' is not a finite number"),
        ("narrowPeak", NARROW.replace("\t30\n", "\t301\n"), r"summit 301 lies outside the peak of 300 bp"),
        ("narrowPeak", NARROW.replace("\t30\n", "\t-2\n"), r"summit -2 lies outside the peak"),
        ("narrowPeak", NARROW.replace("\t30\n", "\t30.5\n"), r"summit \(column 10\) '30.5' is not a whole number"),
        ("narrowPeak", NARROW.replace("\t30\n", "\t--1\n"), r"summit \(column 10\) '--1' is not a whole number"),
        ("bed", "<html><body>404</body></html>\n", r"a web page"),
    ],
)
def test_bad_lines_are_refused_with_file_and_line(tmp_path, format, text, message):
    with pytest.raises(InputError, match=message):
        read_peaks(write(tmp_path, text), format)


@pytest.mark.parametrize("summit", [299, 300])
def test_summit_may_be_the_last_base_or_just_behind_it_as_in_encode_files(tmp_path, summit):
    text = NARROW.replace("\t30\n", f"\t{summit}\n")
    assert rows(write(tmp_path, text), "narrowPeak")[0][3] == summit


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.bed: no such file"):
        read_peaks(tmp_path / "absent.bed", "bed")


def test_truncated_gzip_is_refused(tmp_path):
    whole = gzip.compress("".join(f"chr1\t{i}\t{i + 9 + i * i % 31}\n" for i in range(5000)).encode())
    path = tmp_path / "peaks.bed.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="truncated or damaged gzip"):
        read_peaks(path, "bed")


def test_unknown_format_lists_the_choices(tmp_path):
    with pytest.raises(InputError, match="narrowPeak, broadPeak, bed"):
        read_peaks(write(tmp_path, NARROW), "gff")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["chr1", "chrX"]), st.integers(0, 10**9), st.integers(1, 10**5), st.integers(-1, 10**5)
        ),
        max_size=20,
    )
)
def test_written_peaks_are_read_back(tmp_path_factory, peaks):
    peaks = [(chrom, start, start + length, min(summit, length - 1)) for chrom, start, length, summit in peaks]
    lines = [
        f"{chrom}\t{start}\t{end}\t.\t0\t.\t{start / 7}\t-1\t-1\t{summit}\n" for chrom, start, end, summit in peaks
    ]
    path = tmp_path_factory.mktemp("peaks") / "peaks.narrowPeak"
    path.write_text("".join(lines))
    assert rows(path, "narrowPeak") == [(*peak, peak[1] / 7) for peak in peaks]
