import gzip
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pysam
import pytest
import yaml
from click.testing import CliRunner

from bindgram.cli import cli
from bindgram.data.examples import read_examples
from bindgram.data.filters import FILTERS
from bindgram.data.peaks import LAYOUTS, PEAK_READERS
from bindgram.data.published import SEQUENCE_READERS
from bindgram.data.tiles import Repeats, Tiles, write_tiles
from bindgram.errors import InputError, LeakageError
from bindgram.genome.fasta import Genome
from bindgram.provenance import make_provenance, sha256_file
from bindgram.settings.filters import FilterName
from bindgram.settings.sheets import POOLED_FORMATS, SEQUENCE_FORMATS, PeakFormat, StoredFormat

FILTER_OPTIONS = [part for name in ("split", "blacklist", "n_fraction=0", "duplicate") for part in ("--filter", name)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A genome of 3,000 bp on chr1, split in three blocks, and nine narrow peaks, three in each block."""
    text = "".join(np.random.default_rng(0).choice(list("ACGT"), 3000))
    (tmp_path / "genome.fa").write_text(f">chr1\n{text}\n")
    pysam.faidx(str(tmp_path / "genome.fa"))
    blocks = {"train": {"a": "chr1:0-1000"}, "valid": {"b": "chr1:1000-2000"}, "test": {"c": "chr1:2000-3000"}}
    (tmp_path / "split.yaml").write_text(yaml.safe_dump({"assemblies": {"tiny": blocks}}))
    starts = [start + offset for start in (100, 1100, 2100) for offset in (0, 200, 400)]
    peaks = "".join(f"chr1\t{start}\t{start + 90}\t.\t0\t.\t{start}\t-1\t-1\t40\n" for start in starts)
    (tmp_path / "peaks.gz").write_bytes(gzip.compress(peaks.encode()))
    for name in ("peaks", "genome", "test"):
        record = {"provenance": {"digest": name + "-digest", "revisions": {"fetch": 3}}}
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
    return tmp_path


def common(folder: Path, **changes: str) -> list[str]:
    options = {"experiment": "E", "width": "50", "seed": "1", "revision": "4"}
    options |= {f"minimum-{split}": "1" for split in ("train", "valid", "test")}
    options |= {
        "output": str(folder / "out/positives.parquet"),
        "filter-table": str(folder / "out/positives.filter.tsv"),
    }
    return [part for name, value in (options | changes).items() for part in (f"--{name}", value)]


def genomic(folder: Path) -> list[str]:
    files = {"genome": "genome.fa", "genome-record": "genome.json", "split": "split.yaml"}
    files |= {"peaks": "peaks.gz", "peaks-record": "peaks.json"}
    named = [part for name, file in files.items() for part in (f"--{name}", str(folder / file))]
    return [*named, "--assembly", "tiny", "--format", "narrowPeak"]


def published(folder: Path) -> list[str]:
    files = {"peaks": "train.gz", "peaks-record": "peaks.json"}
    files |= {"test-sequences": "test.gz", "test-sequences-record": "test.json"}
    named = [part for name, file in files.items() for part in (f"--{name}", str(folder / file))]
    return [*named, "--format", "deepbind"]


def make_tiles(folder: Path, genome_digest: str) -> Path:
    """Tiles of the genome with a repeat over one of the peaks."""
    (folder / "repeats.bed").write_text("chr1\t110\t160\n")
    with Genome.open(folder / "genome.fa") as genome:
        repeats = Repeats.read(folder / "repeats.bed", genome.chrom_sizes)
        provenance = make_provenance("tile", 6, {}, {"genome": {"digest": genome_digest}})
        write_tiles(folder / "tiles.h5", genome, 50, repeats, None, provenance)
    return folder / "tiles.h5"


def write_published(folder: Path) -> None:
    rng = np.random.default_rng(1)
    for name, labels in (("train", [1] * 30), ("test", [1] * 5 + [0] * 5)):
        rows = [f"A\ts{i}\t{''.join(rng.choice(list('ACGT'), 30))}\t{label}\n" for i, label in enumerate(labels)]
        (folder / f"{name}.gz").write_bytes(gzip.compress(("FoldID\tEventID\tseq\tBound\n" + "".join(rows)).encode()))


def invoke(arguments: list[str]) -> None:
    result = CliRunner().invoke(cli, ["positives", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output


def table_of(folder: Path):
    return read_examples(folder / "out/positives.parquet")


def counts_of(folder: Path) -> dict[str, int]:
    lines = (folder / "out/positives.filter.tsv").read_text().splitlines()
    assert lines[0] == "reason\tn"
    return {reason: int(n) for reason, n in (line.split("\t") for line in lines[1:])}


def test_peaks_become_positives_with_counts_and_provenance(folder):
    invoke([*genomic(folder), *common(folder), *FILTER_OPTIONS])
    table = table_of(folder)
    assert table.frame["example_id"].tolist()[0] == "E:chr1:115-165"
    assert table.frame["split"].value_counts().to_dict() == {"train": 3, "valid": 3, "test": 3}
    assert counts_of(folder)["n_kept_test"] == 3
    known = table.provenance
    assert (known["command"], known["revision"], known["seed"]) == ("positives", 4, 1)
    assert known["inputs"] == {"genome": "genome-digest", "peaks": "peaks-digest"}
    assert known["revisions"] == {"fetch": 3, "positives": 4}
    assert known["settings"]["filters"] == ["split", "blacklist", {"n_fraction": 0.0}, "duplicate"]
    assert known["settings"]["split"]["test"] == {"c": "chr1:2000-3000"}
    assert known["settings"]["coordinates"] is True
    assert str(folder) not in json.dumps(known)


def test_two_runs_give_the_same_bytes(folder):
    outputs = []
    for _ in range(2):
        invoke([*genomic(folder), *common(folder), *FILTER_OPTIONS, "--strongest", "4"])
        outputs.append([sha256_file(path) for path in sorted((folder / "out").iterdir())])
    assert outputs[0] == outputs[1]


def test_blacklist_and_strongest_are_counted_and_recorded(folder):
    (folder / "blacklist.bed").write_text("chr1\t110\t120\n")
    extra = ["--blacklist", str(folder / "blacklist.bed"), "--strongest", "7"]
    invoke([*genomic(folder), *common(folder), *FILTER_OPTIONS, *extra])
    counts = counts_of(folder)
    assert (counts["blacklist"], counts["beyond_strongest_n"], counts["n_kept"]) == (1, 1, 7)
    assert table_of(folder).provenance["inputs"]["blacklist"] == sha256_file(folder / "blacklist.bed")


def test_filters_with_values_are_applied_in_order_and_recorded(folder):
    tiles = make_tiles(folder, "genome-digest")
    texts = ["chromosomes=chr1", "soft_masked=0.5", "overlap=keep_strongest", "peak_width=90,90", "support=1"]
    more = [part for text in texts for part in ("--filter", text)]
    invoke([*genomic(folder), *common(folder), *more, "--tiles", str(tiles)])
    reasons = ["other_chromosome", "soft_masked", "overlaps_stronger", "peak_width", "low_support"]
    assert list(counts_of(folder))[2:7] == reasons
    assert counts_of(folder)["soft_masked"] == 1
    known = table_of(folder).provenance
    assert known["settings"]["filters"] == [
        {"chromosomes": ["chr1"]},
        {"soft_masked": 0.5},
        {"overlap": "keep_strongest"},
        {"peak_width": [90, 90]},
        {"support": 1},
    ]
    assert known["inputs"]["tiles"] == Tiles.open(tiles).provenance["digest"]
    assert known["revisions"]["tile"] == 6


def test_support_of_the_peak_file_is_filtered(folder):
    lines = gzip.decompress((folder / "peaks.gz").read_bytes()).decode().splitlines()
    supported = "".join(f"{line}\t{1 + number % 3}\n" for number, line in enumerate(lines))
    (folder / "peaks.gz").write_bytes(gzip.compress(supported.encode()))
    arguments = [word if word != "narrowPeak" else "extracted" for word in genomic(folder)]
    invoke([*arguments, *common(folder), "--filter", "split", "--filter", "support=2"])
    assert counts_of(folder)["low_support"] == 3
    assert table_of(folder).frame["start"].tolist() == [315, 515, 1315, 1515, 2315, 2515]


def test_tiles_of_another_genome_are_refused(folder):
    tiles = make_tiles(folder, "other-digest")
    with pytest.raises(InputError, match=r"tiles\.h5: these are the tiles of another genome"):
        invoke([*genomic(folder), *common(folder), "--filter", "soft_masked=0.5", "--tiles", str(tiles)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("splitt", r"no filter 'splitt' \(did you mean 'split'\?\); there are split, blacklist, n_fraction"),
        ("n_fraction", "filter n_fraction: the largest fraction to keep, a number from 0 to 1"),
        ("split=1", "filter split takes no value"),
    ],
)
def test_wrong_filter_is_refused_with_the_choices(folder, text, message):
    result = CliRunner().invoke(cli, ["positives", *genomic(folder), *common(folder), "--filter", text])
    assert result.exit_code == 2
    assert re.search(message, result.output)


def test_too_few_positives_exit_with_zero_and_an_empty_table_with_the_reason(folder):
    invoke([*genomic(folder), *common(folder, **{"minimum-train": "100"}), *FILTER_OPTIONS])
    table = table_of(folder)
    assert (table.status, len(table.frame)) == ("skipped", 0)
    assert table.reason == "train: 3 positives, fewer than the minimum of 100"
    assert counts_of(folder)["n_kept_train"] == 3


def test_empty_peak_file_exits_with_zero_and_the_reason(folder):
    (folder / "peaks.gz").write_bytes(gzip.compress(b""))
    invoke([*genomic(folder), *common(folder), *FILTER_OPTIONS])
    assert table_of(folder).reason == "no peaks in file"
    assert counts_of(folder)["n_input"] == 0


def test_published_set_becomes_positives_without_coordinates(folder):
    write_published(folder)
    invoke([*published(folder), *common(folder), *FILTER_OPTIONS])
    table = table_of(folder)
    assert table.frame["split"].value_counts().to_dict() == {"train": 27, "test": 5, "valid": 3}
    assert table.frame["chrom"].isna().all()
    assert table.provenance["inputs"] == {"peaks": "peaks-digest", "test_sequences": "test-digest"}
    known = table.provenance["settings"]
    assert known["coordinates"] is False
    assert known["filters"] == ["split", {"n_fraction": 0.0}, "duplicate"]
    assert known["filters_not_applicable"] == ["blacklist"]
    assert "blacklist" not in counts_of(folder)
    assert counts_of(folder)["not_bound"] == 5


def test_other_seed_draws_other_validation_sequences(folder):
    write_published(folder)
    drawn = []
    for seed in ("1", "2"):
        invoke([*published(folder), *common(folder, seed=seed), *FILTER_OPTIONS])
        drawn.append(table_of(folder).of_split("valid")["example_id"].tolist())
    assert drawn[0] != drawn[1]


def test_missing_options_are_all_named(folder):
    arguments = ["--peaks", str(folder / "peaks.gz"), "--peaks-record", str(folder / "peaks.json")]
    with pytest.raises(InputError, match="--genome is missing; --genome-record is missing; --assembly is missing"):
        invoke([*arguments, "--format", "bed", *common(folder)])
    with pytest.raises(InputError, match="--test-sequences is missing; --test-sequences-record is missing"):
        invoke([*arguments, "--format", "deepbind", *common(folder)])


def test_test_sequences_beside_peaks_are_refused(folder):
    with pytest.raises(InputError, match="format narrowPeak: --test-sequences is not used"):
        invoke([*genomic(folder), "--test-sequences", str(folder / "peaks.gz"), *common(folder)])


def test_leaking_table_is_refused_and_nothing_is_written(folder):
    with gzip.open(folder / "peaks.gz", "at") as handle:
        handle.write("chr1\t960\t1050\t.\t0\t.\t1\t-1\t-1\t40\n")
    with pytest.raises(LeakageError, match="add the filter 'split'"):
        invoke([*genomic(folder), *common(folder), "--filter", "duplicate"])
    assert list((folder / "out").glob("*")) == []


def test_record_that_is_none_is_refused(folder):
    (folder / "peaks.json").write_text("[]")
    with pytest.raises(InputError, match=r"peaks\.json: not a record of bindgram fetch"):
        invoke([*genomic(folder), *common(folder), *FILTER_OPTIONS])


def test_bad_peak_prints_one_message_and_leaves_nothing(folder):
    (folder / "peaks.gz").write_bytes(gzip.compress(b"chr1\t400\t100\t.\t0\t.\t1\t-1\t-1\t40\n"))
    command = [sys.executable, "-c", "from bindgram.cli import main; main()", "positives"]
    done = subprocess.run(
        [*command, *genomic(folder), *common(folder), *FILTER_OPTIONS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: {folder}/peaks.gz:1: end 100 is not after start 400; BED regions are 0-based and half-open\n"
    )
    assert not (folder / "out").exists()


def test_choices_of_the_settings_are_the_registries():
    assert set(get_args(PeakFormat)) | {"extracted"} == {*PEAK_READERS, *SEQUENCE_READERS}
    assert set(get_args(StoredFormat)) <= {*PEAK_READERS, *SEQUENCE_READERS}
    assert set(SEQUENCE_FORMATS) == set(SEQUENCE_READERS)
    assert set(POOLED_FORMATS) == {name for name, layout in LAYOUTS.items() if layout.pooled}
    assert list(get_args(FilterName)) == list(FILTERS)


def test_held_out_experiment_says_so_in_table_and_counts(folder):
    reason = "held out: biosample K562 is in test"
    invoke([*genomic(folder), *common(folder), *FILTER_OPTIONS, "--held-out", "test", reason])
    table = read_examples(folder / "out/positives.parquet")
    assert table.frame["split"].tolist() == ["test"] * 3
    assert table.held_out == {"split": "test", "reason": reason}
    assert "held_out\t6\n" in (folder / "out/positives.filter.tsv").read_text()


def test_published_set_that_is_held_out_keeps_its_test_sequences(folder):
    write_published(folder)
    invoke([*published(folder), *common(folder), "--held-out", "test", "held out: TF X is in test"])
    assert read_examples(folder / "out/positives.parquet").frame["split"].tolist() == ["test"] * 5


def test_peaks_that_were_not_lifted_are_counted_and_all_rows_add_up(folder):
    record = json.loads((folder / "peaks.json").read_text()) | {"n_peaks": 12, "n_not_lifted": 3}
    (folder / "peaks.json").write_text(json.dumps(record))
    invoke([*genomic(folder), *common(folder)])
    counts = counts_of(folder)
    assert list(counts)[:3] == ["n_input", "not_lifted", "off_chromosome_end"]
    assert (counts["n_input"], counts["not_lifted"], counts["n_kept"]) == (12, 3, 9)


def test_gue_set_keeps_its_three_splits(folder):
    rng = np.random.default_rng(1)
    arguments = ["--format", "gue"]
    for name, n, option in (("train", 6, "peaks"), ("dev", 4, "valid-sequences"), ("test", 3, "test-sequences")):
        rows = [f"{''.join(rng.choice(list('ACGT'), 30))},{i % 2}\n" for i in range(2 * n)]
        (folder / f"{name}.csv").write_text("sequence,label\n" + "".join(rows))
        record = {"provenance": {"digest": f"{name}-digest", "revisions": {"fetch": 3}}}
        (folder / f"{name}.json").write_text(json.dumps(record))
        arguments += [f"--{option}", str(folder / f"{name}.csv"), f"--{option}-record", str(folder / f"{name}.json")]
    invoke([*arguments, *common(folder)])
    table = table_of(folder)
    assert table.frame["split"].value_counts().to_dict() == {"train": 6, "valid": 4, "test": 3}
    assert table.provenance["inputs"] == {
        "peaks": "train-digest", "valid_sequences": "dev-digest", "test_sequences": "test-digest"
    }  # fmt: skip
    assert counts_of(folder)["not_bound"] == 13
    with pytest.raises(InputError, match="format gue: --valid-sequences is missing; --valid-sequences-record is missi"):
        invoke([*arguments[:6], *arguments[-4:], *common(folder)])
