"""A tiny experiment on disk, for the commands that make negatives; a tiny run, for those that read whole runs."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest
from click.testing import CliRunner, Result

from bindgram.data.examples import ExampleTable, write_examples
from bindgram.data.tiles import write_tiles
from bindgram.evaluation.predictions import COLUMNS as PREDICTION_COLUMNS
from bindgram.evaluation.predictions import write_predictions
from bindgram.genome.fasta import Genome
from bindgram.provenance import make_provenance, write_text
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


class TinyRun:
    """Results of models and a baseline on two experiments, measured and collected by the commands."""

    models, experiments, skipped = ("cnn", "kmer"), ("E1", "E2"), {"T9": "no coordinates"}

    def __init__(self, results: Path) -> None:
        self.results = results

    def place(self, kind: str, model: str = "cnn", experiment: str = "E1") -> Path:
        """A file of a training."""
        suffix = {"metrics": "json", "predictions": "parquet"}[kind]
        return self.results / f"{kind}/{model}/fold_0/{experiment}/matched/s1.{suffix}"

    @staticmethod
    def scores(seed: int, n: int = 160) -> pd.DataFrame:
        """Predictions for T1 and its twin: a quarter positives, a score that knows a little."""
        rng = np.random.default_rng(seed)
        labels = np.arange(n) % 4 == 0
        frame = pd.DataFrame({"test_set": "T1", "label": labels.astype(np.int8), "score": labels + rng.normal(size=n)})
        frame["split"] = np.where(np.arange(n) < n // 2, "test", "valid")
        frame["example_id"] = [f"e{index}" for index in range(n)]
        frame["chrom"], frame["start"] = "chr1", pd.array(np.arange(n) * 1000, dtype="Int64")
        return frame.reindex(columns=PREDICTION_COLUMNS)

    def predict(self, frame: pd.DataFrame | None, model: str = "cnn", experiment: str = "E1", t1: str = "T1") -> None:
        """Write predictions, made from a test set with the digest `t1`; None: the experiment is skipped."""
        provenance = make_provenance("score", 1, {}, {"T1": {"digest": f"{t1} of {experiment}"}})
        status, reason = ("skipped", "too few peaks") if frame is None else ("ok", "")
        path = self.place("predictions", model, experiment)
        write_predictions(path, frame, status, reason, provenance, self.skipped if frame is not None else None)

    def measure(self, model: str = "cnn", experiment: str = "E1") -> None:
        """Run bindgram evaluate."""
        from bindgram.cli.evaluate import evaluate

        files = [str(self.place(kind, model, experiment)) for kind in ("predictions", "metrics")]
        words = [
            "--replicates",
            "50",
            "--confidence",
            "0.9",
            "--max-block-bp",
            "2000",
            "--seed",
            "3",
            "--revision",
            "2",
        ]
        homologs = self.results / f"battery/fold_0/{experiment}/homology.tsv"
        arguments = ["--predictions", *files, "--homologs", str(homologs), "--revision", "2", *words]
        assert CliRunner().invoke(evaluate, arguments, catch_exceptions=False).exit_code == 0

    def collect(self, models: str = "cnn", experiments: str = "E1,E2") -> None:
        """Run bindgram collect; metrics that are not there count as failed."""
        from bindgram.cli.collect import collect

        words = f"--experiments {experiments} --models {models} --baselines kmer --schemes matched --seeds 1".split()
        words += ["--splits", "fold_0", "--floor", "kmer", "--revision", "1", "--missing-as-failed"]
        words += ["--template", f"{self.results}/metrics/{{model}}/{{split}}/{{experiment}}/{{scheme}}/s{{seed}}.json"]
        files = ["--experiment-sheet", f"{self.results}/sheet.tsv", "--output", f"{self.results}/metrics.tsv"]
        assert CliRunner().invoke(collect, [*words, *files], catch_exceptions=False).exit_code == 0

    def make(self) -> None:
        """Write everything."""
        rows = "".join(f"{name}\tCTCF\tK562\thg38\tbed\t{name}.bed\n" for name in self.experiments)
        write_text(self.results / "sheet.tsv", "experiment\ttf\tbiosample\tassembly\tformat\tpeaks\n" + rows)
        heads = "test_set\tsplit\texample_id\ttarget\tidentity\tcoverage\tstrand\n"
        for number, (model, name) in enumerate((m, e) for m in self.models for e in self.experiments):
            lines = f"{heads}T1\ttest\te0\tx\t0.9\t1.0\t+\n"
            write_text(self.results / f"battery/fold_0/{name}/homology.tsv", lines)
            self.predict(self.scores(number), model, name)
            self.measure(model, name)
        self.collect()


@pytest.fixture(scope="session")
def made_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("run") / "results"
    TinyRun(results).make()
    return results


@pytest.fixture
def run(made_run: Path, tmp_path: Path) -> TinyRun:
    """A run of its own for every test."""
    return TinyRun(shutil.copytree(made_run, tmp_path / "run/results"))


@pytest.fixture
def other_run(made_run: Path, tmp_path: Path) -> TinyRun:
    """The same run a second time."""
    return TinyRun(shutil.copytree(made_run, tmp_path / "other/results"))
