import hashlib
import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pysam
import pytest
from click.testing import CliRunner

from bindgram.cli.tokenize import tokenize
from bindgram.data.corpus import Corpus
from bindgram.errors import InputError

SPLIT = """\
assemblies:
  toy:
    train: [chr1]
    valid: {left: "chr2:0-300"}
    test: {right: "chr2:300-600"}
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    rng = np.random.default_rng(1)
    lines = [f">chr{i + 1}\n{''.join(rng.choice(list('ACGT'), n))}\n" for i, n in enumerate((20_000, 600))]
    (tmp_path / "genome.fa").write_text("".join(lines))
    pysam.faidx(str(tmp_path / "genome.fa"))
    (tmp_path / "toy.yaml").write_text(SPLIT)
    record = {"provenance": {"digest": "abc", "revisions": {"fetch": 4}}}
    (tmp_path / "genome.json").write_text(json.dumps(record))
    return tmp_path


def arguments(folder: Path, **changes: object) -> list[str]:
    options = {
        "genome": folder / "genome.fa",
        "assembly": "toy",
        "split": folder / "toy.yaml",
        "k": 3,
        "stride": 1,
        "chunk-bp": 1000,
        "min-contig-bp": 100,
        "record": folder / "genome.json",
        "output": folder / "out" / "corpus.h5",
        "revision": 7,
    }
    return [part for name, value in (options | changes).items() for part in (f"--{name}", str(value))]


def run(folder: Path, **changes: object) -> Corpus:
    CliRunner().invoke(tokenize, arguments(folder, **changes), catch_exceptions=False)
    return Corpus.open(folder / "out" / "corpus.h5")


def test_a_corpus_knows_how_it_was_made(folder):
    corpus = run(folder)
    assert len(corpus.tokens("train")) == 1 + 20_000 - 2
    assert len(corpus.tokens("valid")) == 1 + 300 - 2
    known = corpus.provenance
    assert (known["command"], known["revision"], known["revisions"]) == ("tokenize", 7, {"fetch": 4, "tokenize": 7})
    assert known["inputs"] == {"genome": "abc"}
    assert known["settings"]["split"]["test"] == {"right": "chr2:300-600"}
    assert str(folder) not in json.dumps(known)


def test_two_runs_give_the_same_bytes_whatever_the_chunk(folder):
    digests = set()
    for chunk in (1000, 1000, 333):
        run(folder, **{"chunk-bp": chunk})
        digests.add(hashlib.sha256((folder / "out" / "corpus.h5").read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"assembly": "hg38"}, "'hg38' is missing; the file has toy"),
        ({"k": 9}, "vocabulary: k"),
        ({"stride": 4}, "stride 4 > k 3"),
        ({"min-contig-bp": 30_000}, "no stretch of 30000 bp"),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(folder, changes, message):
    with pytest.raises(InputError, match=message):
        run(folder, **changes)
    assert not list(folder.glob("out/*"))


@pytest.mark.parametrize("text", ["", "{}", "[]"])
def test_a_record_without_provenance_is_refused(folder, text):
    (folder / "genome.json").write_text(text)
    with pytest.raises(InputError, match=r"genome\.json: not a record of bindgram fetch"):
        run(folder)


@pytest.mark.parametrize("limit_bytes", [100, 10_000, 42_000])
def test_a_full_disk_keeps_the_old_corpus_and_leaves_no_part(folder, limit_bytes):
    run(folder)
    old = (folder / "out" / "corpus.h5").read_bytes()
    code = "import sys; from bindgram.cli import main; main()"
    finished = subprocess.run(
        [sys.executable, "-c", code, "tokenize", *arguments(folder, k=5)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1, finished
    assert "corpus.h5: cannot be written (File too large); make room" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert (folder / "out" / "corpus.h5").read_bytes() == old
    assert [path.name for path in (folder / "out").iterdir()] == ["corpus.h5"]


def test_published_test_sequences_are_masked_on_both_strands_and_reported(folder):
    text = (folder / "genome.fa").read_text().splitlines()[1]
    other = text[7000:7101][::-1].translate(str.maketrans("ACGT", "TGCA"))
    (folder / "gue.csv").write_text(f"sequence,label\n{text[3000:3101]},1\n{other},0\n{'ACGT' * 25}A,1\n")
    (folder / "gue.json").write_text(json.dumps({"provenance": {"digest": "def", "revisions": {"fetch": 4}}}))
    mask = ["--mask", "TF_gue", "gue", str(folder / "gue.csv"), str(folder / "gue.json")]
    result = CliRunner().invoke(tokenize, [*arguments(folder), *mask], catch_exceptions=False)
    assert "masked for TF_gue: 202 bp in 2 places, where 2 of 3 test sequences are (0 too short" in result.output
    corpus = Corpus.open(folder / "out" / "corpus.h5")
    assert corpus.counts["train"]["n_masked"] == corpus.counts["masked"]["TF_gue"]["n_bases"] == 202
    assert corpus.contigs["end"].tolist() == [3000, 7000, 20_000, 300]
    assert corpus.provenance["inputs"] == {"genome": "abc", "mask.TF_gue": "def"}
    assert run(folder).counts["masked"] == {}
