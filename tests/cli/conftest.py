"""A tiny experiment on disk, for the commands that make negatives."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest
from click.testing import CliRunner, Result

from bindgram.data.examples import ExampleTable, write_examples
from bindgram.data.tiles import write_tiles
from bindgram.genome.fasta import Genome
from bindgram.provenance import make_provenance
from bindgram.sequence.dna import encode, strings_of

WIDTH = 40


GENOME = "--genome genome.fa --tiles tiles.h5 --assembly tiny --split split.yaml --peaks peaks.bed --format bed"
NUMBERS = "--exclusion-bp 50 --gc-bins 5 --repeat-bins 1 --neighbour-bp 2000 --minimum-fraction 0.1"


class Case:
    """An experiment whose positives stand in ``positives.parquet`` of the working folder."""

    def __init__(self) -> None:
        self.blocks = {"train": (0, 12_000), "valid": (13_000, 21_000), "test": (22_000, 30_000)}
        self.genome = [*GENOME.split(), "--peaks-record", "peaks.json"]
        self.shared = ["--experiment", "e", "--positives", "positives.parquet", "--seed", "1", "--revision", "2"]
        self.shared += NUMBERS.split()

    def write_positives(self, texts: list[str], **columns: object) -> None:
        """Write a third of `texts` as positives of each split, without coordinates unless `columns` give them."""
        n = len(texts)
        frame = pd.DataFrame(
            {
                "example_id": [f"e:{i}" for i in range(n)],
                "chrom": None,
                "start": pd.array([pd.NA] * n, dtype="Int64"),
                "end": pd.array([pd.NA] * n, dtype="Int64"),
                "strand": None,
                "label": 1,
                "kind": "peak",
                "parent_id": None,
                "split": np.repeat(["train", "valid", "test"], n // 3),
                "sequence": texts,
            }
        )
        provenance = make_provenance("positives", 3, {})
        write_examples(Path("positives.parquet"), ExampleTable(frame.assign(**columns), provenance=provenance))

    def become_published(self) -> None:
        """Take the coordinates away and write six published negatives to ``test.seq``."""
        rng = np.random.default_rng(2)
        self.write_positives(strings_of(rng.integers(0, 4, (18, WIDTH)).astype(np.uint8)))
        texts = strings_of(rng.integers(0, 4, (6, WIDTH)).astype(np.uint8))
        lines = [f"A\tneg{i}\t{text}\t0" for i, text in enumerate(texts)]
        Path("test.seq").write_text("\n".join(["FoldID\tEventID\tseq\tBound", *lines]) + "\n")

    def negatives(self, scheme: str, *more: str, ratio: str = "2", name: str = "out") -> Result:
        """Run the command; outputs are ``n.parquet``, ``l.parquet`` and ``f.tsv`` in folder `name`."""
        from bindgram.cli.negatives import negatives

        outputs = f"--output {name}/n.parquet --labelled {name}/l.parquet --filter-table {name}/f.tsv".split()
        arguments = [*self.shared, "--scheme", scheme, "--ratio", ratio, *outputs, *more]
        return CliRunner().invoke(negatives, arguments, catch_exceptions=False)

    def battery(self, *sets: tuple[str, str, str], more: tuple[str, ...] | list[str] = ()) -> Result:
        """Run the command; outputs are ``<test set>.parquet`` and ``b.tsv``."""
        from bindgram.cli.battery import battery

        named = [word for name, *rest in sets for word in ("--test-set", name, *rest, f"{name}.parquet")]
        arguments = [*self.shared, *named, "--filter-table", "b.tsv", *more]
        return CliRunner().invoke(battery, arguments, catch_exceptions=False)


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A genome of 30 kb, a split and 18 peaks, which are the positives, in the working folder."""
    monkeypatch.chdir(tmp_path)
    made = Case()
    letters = np.random.default_rng(7).choice(list("ACGTacgt"), 30_000)
    text = "\n".join("".join(letters[i : i + 70]) for i in range(0, 30_000, 70))
    Path("genome.fa").write_text(f">chrA\n{text}\n")
    pysam.faidx("genome.fa")
    named = "".join(f"    {split}: {{{split}1: 'chrA:{start}-{end}'}}\n" for split, (start, end) in made.blocks.items())
    Path("split.yaml").write_text(f"assemblies:\n  tiny:\n{named}")
    starts = np.concatenate([np.arange(start + 500, start + 3500, 500) for start, _ in made.blocks.values()])
    Path("peaks.bed").write_text("".join(f"chrA\t{start}\t{start + 100}\n" for start in starts))
    Path("peaks.json").write_text(json.dumps({"provenance": {"digest": "of peaks", "revisions": {"fetch": 4}}}))
    with Genome.open(Path("genome.fa")) as genome:
        tiled = make_provenance("tile", 5, {}, {"genome": {"digest": "of genome"}})
        write_tiles(Path("tiles.h5"), genome, WIDTH, None, None, tiled)
        texts = strings_of(encode(genome.windows(["chrA"] * 18, starts + 30, WIDTH)))
    made.write_positives(texts, chrom="chrA", start=starts + 30, end=starts + 30 + WIDTH, strand=".")
    return made
