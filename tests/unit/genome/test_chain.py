"""Lift-over: positions against an independent library, the rule for regions against every base by itself."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from liftover import ChainFile

from bindgram.errors import InputError
from bindgram.genome.chain import lift, read_chain

# chrA 100-150 -> chrB 10-60, a gap of 10 bases, chrA 160-200 -> chrB 60-100; chrC 0-50 -> the reverse strand of chrB
SIMPLE = """chain 900 chrA 1000 + 100 200 chrB 500 + 10 100 1
50 10 0
40

chain 500 chrC 60 + 0 50 chrB 500 - 100 150 2
50
"""
SATURATION = Path(__file__).resolve().parents[4] / "shared/data/mpra/saturation_mutagenesis/GP1BA.tsv.gz"


def written(folder, text: str, name="x.chain") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def lifted(folder, text: str, *regions: tuple[str, int, int, int]) -> list[tuple | None]:
    """``(chrom, start, end, place)`` of each region, None where it is not lifted."""
    frame = pd.DataFrame([region[:3] for region in regions], columns=["chrom", "start", "end"])
    found = lift(frame, read_chain(written(folder, text)), np.array([region[3] for region in regions], np.int64))
    return [(row.chrom, row.start, row.end, row.place) if row.lifted else None for row in found.itertuples(index=False)]


def test_region_in_one_block_is_shifted(tmp_path):
    assert lifted(tmp_path, SIMPLE, ("chrA", 110, 130, 115), ("chrA", 110, 130, -1)) == [
        ("chrB", 20, 40, 25),
        ("chrB", 20, 40, -1),
    ]


def test_region_on_the_reverse_strand_is_mirrored_with_its_place(tmp_path):
    # base 0 of chrC is base 100 of the reverse strand: base 399 of chrB
    assert lifted(tmp_path, SIMPLE, ("chrC", 0, 10, 0), ("chrC", 10, 20, 19)) == [
        ("chrB", 390, 400, 399),
        ("chrB", 380, 390, 380),
    ]


def test_region_of_which_5_percent_is_lost_is_lifted_and_one_of_which_more_is_lost_is_not(tmp_path):
    text = "chain 1 chrA 1000 + 0 201 chrB 500 + 0 200 1\n100 1 0\n100\n"
    fits, too_short = ("chrA", 90, 110, 95), ("chrA", 91, 110, 95)
    assert lifted(tmp_path, text, fits, too_short) == [("chrB", 90, 109, 95), None]


def test_region_that_grows_by_more_than_5_percent_is_not_lifted(tmp_path):
    text = "chain 1 chrA 1000 + 0 200 chrB 500 + 0 210 1\n100 0 10\n100\n"
    assert lifted(tmp_path, text, ("chrA", 0, 200, 50), ("chrA", 10, 199, 50)) == [("chrB", 0, 210, 50), None]


def test_place_in_a_gap_is_no_place(tmp_path):
    text = "chain 1 chrA 1000 + 0 201 chrB 500 + 0 200 1\n100 1 0\n100\n"
    assert lifted(tmp_path, text, ("chrA", 60, 140, 100), ("chrA", 60, 140, 101), ("chrA", 60, 140, -1)) == [
        None,
        ("chrB", 60, 139, 100),
        ("chrB", 60, 139, -1),
    ]


def test_region_that_two_chains_map_is_not_lifted(tmp_path):
    text = "chain 9 chrA 99 + 0 50 chrB 99 + 0 50 1\n50\n\nchain 8 chrA 99 + 20 60 chrD 99 + 0 40 2\n40\n"
    assert lifted(tmp_path, text, ("chrA", 0, 10, -1), ("chrA", 25, 40, -1), ("chrA", 50, 60, -1)) == [
        ("chrB", 0, 10, -1),
        None,
        ("chrD", 30, 40, -1),
    ]


def test_unknown_chromosome_and_empty_table_are_not_lifted(tmp_path):
    assert lifted(tmp_path, SIMPLE, ("chrX", 110, 130, 115)) == [None]
    empty = pd.DataFrame({"chrom": pd.Series([], dtype="str"), "start": [], "end": []})
    assert len(lift(empty, read_chain(written(tmp_path, SIMPLE)))) == 0


def test_gzip_comments_and_windows_line_ends_change_nothing(tmp_path):
    path = tmp_path / "x.chain.gz"
    path.write_bytes(gzip.compress(("# made by hand\n\n" + SIMPLE).replace("\n", "\r\n").encode()))
    chain = read_chain(path)
    assert list(chain.start) == [100, 160, 0]
    assert list(chain.target) == [10, 60, 100]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a chain file"),
        ("chr1\t5\t9\n", "not a chain file"),
        ("50 10 0\n" + SIMPLE, "not a chain file"),
        (SIMPLE.replace("40\n\n", "39\n\n"), r"x.chain:1: the blocks of this chain do not add up"),
        (SIMPLE.replace("\n50\n", "\n50 1\n"), r"x.chain:5: the blocks of this chain are not lines"),
        (SIMPLE.replace("\n50\n", "\n"), r"x.chain:5: the blocks of this chain are not lines"),
        (SIMPLE.replace("50 10 0", "fifty 10 0"), r"x.chain:1: the blocks of this chain are not lines"),
        (SIMPLE.replace("50 10 0", "50 10 " + "9" * 30), r"x.chain:1: the blocks"),
        (SIMPLE.replace("50 10 0", "0 60 0"), r"x.chain:1: the blocks of this chain are not lines"),
        (SIMPLE.replace("chrC 60", "chrC 40"), r"x.chain:5: a chain that does not lie within"),
        (SIMPLE.replace("chrC 60", "chrA 60"), r"x.chain:5: chrA has 60 bp, and 1000 bp in an earlier chain"),
        (SIMPLE.replace("chrC 60 +", "chrC 60 -"), r"x.chain:5: strands '-' and '-'"),
        (SIMPLE.replace("- 100 150 2", "- 100"), r"x.chain:5: not a chain line"),
        (SIMPLE.replace("+ 100 200", "+ 100 " + "9" * 20), r"x.chain:1: not a chain line"),
    ],
)
def test_damaged_chain_is_refused_by_line(tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        read_chain(written(tmp_path, text))


@st.composite
def chain_texts(draw):
    """A chain file of up to four chains that do not share bases of chrA, on both strands."""
    text, start = [], 20
    for number in range(draw(st.integers(1, 4))):
        n_blocks = draw(st.integers(1, 5))
        rows = [[draw(st.integers(1, 40)), draw(st.integers(0, 12)), draw(st.integers(0, 12))] for _ in range(n_blocks)]
        rows[-1][1:] = [0, 0]
        first, strand = draw(st.integers(0, 300)), draw(st.sampled_from("+-"))
        length, to_length = (sum(row[0] + row[i] for row in rows) for i in (1, 2))
        there = f"to{number % 2} 1000 {strand} {first} {first + to_length} {number}"
        text.append(f"chain 1 chrA 2000 + {start} {start + length} {there}")
        text += [" ".join(map(str, row)) for row in rows[:-1]] + [str(rows[-1][0]), ""]
        start += length + draw(st.integers(0, 9))
    return "\n".join(text) + "\n"


@settings(max_examples=25, deadline=None)
@given(chain_texts())
def test_every_base_goes_where_an_independent_library_puts_it(tmp_path_factory, text):
    path = written(tmp_path_factory.mktemp("chain"), text)
    library = ChainFile(str(path), "a", "b")
    bases = np.arange(1200)
    found = lift(pd.DataFrame({"chrom": "chrA", "start": bases, "end": bases + 1}), read_chain(path), bases)
    expected = [library["chrA"][int(base)] for base in bases]
    assert [(row.chrom, row.place) for row in found.itertuples() if row.lifted] == [
        hit[0][:2] for hit in expected if hit
    ]
    assert found["lifted"].tolist() == [bool(hit) for hit in expected]
    assert (found["start"] == found["place"].clip(lower=0))[found["lifted"]].all()


@settings(max_examples=30, deadline=None)
@given(chain_texts(), st.lists(st.tuples(st.integers(0, 400), st.integers(1, 120), st.integers(-1, 119)), max_size=20))
def test_regions_are_lifted_as_their_bases_one_by_one_say(tmp_path_factory, text, regions):
    chain = read_chain(written(tmp_path_factory.mktemp("chain"), text))
    table = pd.DataFrame([("chrA", start, start + n) for start, n, _ in regions], columns=["chrom", "start", "end"])
    places = np.array([start + offset if 0 <= offset < n else -1 for start, n, offset in regions], np.int64)
    found = lift(table, chain, places)
    for i, (start, n, _) in enumerate(regions):
        expected = slow_lift(chain, start, n, int(places[i]))
        row = found.iloc[i]
        assert ((row["chrom"], row["start"], row["end"], row["place"]) if row["lifted"] else None) == expected


def slow_lift(chain, start, n, place):
    """The rule of `lift`, base by base."""
    hits: dict[int, dict[int, int]] = {}
    for base in range(start, start + n):
        for block in range(len(chain.start)):
            if chain.start[block] <= base < chain.end[block]:
                hits.setdefault(int(chain.chain[block]), {})[base] = int(
                    chain.target[block] + base - chain.start[block]
                )
    good = [which for which, bases in hits.items() if len(bases) >= 0.95 * n]
    if len(good) != 1:
        return None
    bases = hits[good[0]]
    low, high = min(bases.values()), max(bases.values()) + 1
    if not 0.95 * n <= high - low <= n / 0.95 or (place >= 0 and place not in bases):
        return None
    size, name = int(chain.to_size[good[0]]), chain.to_chrom[good[0]]
    there = bases.get(place, -1)
    if chain.reverse[good[0]]:
        return name, size - high, size - low, size - 1 - there if there >= 0 else -1
    return name, low, high, there


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 200))
def test_any_bytes_in_a_chain_are_read_or_refused_by_name(tmp_path_factory, junk, place):
    path = tmp_path_factory.mktemp("chain") / "x.chain"
    path.write_bytes(SIMPLE.encode()[:place] + junk + SIMPLE.encode()[place:])
    message = ""
    try:
        assert len(read_chain(path).start) >= 1
    except InputError as error:
        message = str(error)
    assert not message or "x.chain" in message


@pytest.mark.realdata
@pytest.mark.skipif(not SATURATION.is_file(), reason="needs ../shared/data/mpra")
def test_chain_made_of_one_assembly_s_positions_gives_those_of_the_other(tmp_path):
    """Positions of the GP1BA promoter on chr22, published for GRCh37 and GRCh38."""
    table = pd.read_csv(SATURATION, sep="\t", dtype={"Chrom": str})
    old, new = (np.sort(table.loc[table["Release"] == name, "Pos"].unique()) for name in ("GRCh37", "GRCh38"))
    offset = int(new[0] - old[0])
    assert (new - old == offset).all()
    low, high = int(old[0]) - 1, int(old[-1])  # 1-based to 0-based, half-open
    text = f"chain 1 chr22 51304566 + {low} {high} chr22 50818468 + {low + offset} {high + offset} 1\n{high - low}\n"
    found = lifted(tmp_path, text, *[("chr22", int(base) - 1, int(base), int(base) - 1) for base in old])
    assert [place[3] + 1 for place in found] == new.tolist()
