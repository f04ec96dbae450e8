"""battery --tiled → scan → assess, from file to file, as the workflow calls them."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from bindgram.cli import cli
from bindgram.data.examples import skipped_examples, write_examples
from bindgram.data.motifs import Motif, write_motifs
from bindgram.data.tiled import read_tiled
from bindgram.errors import InputError
from bindgram.evaluation.metrics import METRICS
from bindgram.evaluation.tiled import empty_tiled_result, read_tiled_scores
from bindgram.provenance import make_provenance

MODEL = {
    "pretrained": "none",
    "backward": None,
    "adapt": "none",
    "encoder": {"name": "conv", "n_filters": 4, "filter_width": 6},
    "vocabulary": None,
    "head": {"name": "max_pool", "hidden_size": 4, "dropout": 0.0, "hidden_dropout": 0.0},
    "finetune": {
        "stages": [{"unfrozen": None, "epochs": 1, "learning_rate": 1.0e-2}],
        **{"layer_decay": 1.0, "weight_decay": 0.0, "schedule": "constant", "warmup": None, "momentum": None},
        **{
            "clip_norm": None,
            "batch_size": 8,
            "patience": None,
            "reverse_complement": True,
            "dropout": None,
            "precision": "32-true",
        },
    },
}
GC, KMER2 = (f'{{"kind":"kmer","k":{k},"inverse_regularisation":1.0}}' for k in (0, 2))
COMMON = "--threads 1 --device cpu --revision 1"
TILED = ("--tiled", "T4.h5")


def run(words, *more):
    return CliRunner().invoke(cli, [*words.split(), *more], catch_exceptions=False)


@pytest.fixture
def tiling(case):
    """The tiny experiment, whose split tiles the test block."""
    split = yaml.safe_load(Path("split.yaml").read_text())
    split["assemblies"]["tiny"]["tiled"] = "test1"
    Path("split.yaml").write_text(yaml.safe_dump(split))
    return case


@pytest.fixture
def scanned(tiling):
    """T4, labelled examples, a classifier and its predictions."""
    assert tiling.battery(("T2", "genomic_matched", "3"), more=[*tiling.genome, *TILED]).exit_code == 0
    assert tiling.negatives("genomic_matched", *tiling.genome).exit_code == 0
    Path("model.yaml").write_text(yaml.safe_dump(MODEL))
    made = run(f"finetune --model model.yaml --labelled out/l.parquet --output cnn --seed 1 {COMMON}")
    assert made.exit_code == 0, made.output
    assert run(f"score --bundle cnn/s1 p.parquet --test-set T2=T2.parquet {COMMON}").exit_code == 0
    return tiling


def scan(words="--bundle cnn/s1 s.h5"):
    return run(f"scan {words} --tiled T4.h5 --genome genome.fa {COMMON}")


def assess(scores="s.h5", predictions="p.parquet"):
    words = "--replicates 100 --confidence 0.95 --max-block-bp 1000 --seed 1 --revision 1"
    result = run(f"assess --scores {scores} {predictions} m.json --tiled T4.h5 --twin T2 {words}")
    assert result.exit_code == 0, result.output
    return json.loads(Path("m.json").read_text())


def test_battery_labels_the_tiles_of_the_block_that_the_split_names(tiling):
    assert tiling.battery(("T1", "dinucleotide_shuffle", "1"), more=[*tiling.genome, *TILED]).exit_code == 0
    made = read_tiled(Path("T4.h5"))
    assert (made.chrom, made.start, made.width, len(made.labels)) == ("chrA", 22_000, 40, 200)
    # peaks of 100 bp every 500 bp from 22,500 on; the midpoint of the first is 22,550
    assert made.labels[:15].tolist() == [0] * 12 + [-1, 1, -1]
    assert made.counts() == {"n_positives_test": 6, "n_negatives_test": 200 - 6 - 12, "n_ignored": 12}
    assert made.prior == pytest.approx(6 / (300 - 12))
    assert set(made.provenance["inputs"]) == {"positives", "tiles", "peaks"}
    counts = pd.read_csv("b.tsv", sep="\t").set_index(["test_set", "reason"])["n"]
    assert counts["T4"].to_dict() == made.counts()


def test_t4_does_not_change_the_other_test_sets(tiling):
    tiling.battery(("T2", "genomic_matched", "3"), more=tiling.genome)
    alone = Path("T2.parquet").read_bytes()
    tiling.battery(("T2", "genomic_matched", "3"), more=[*tiling.genome, *TILED])
    assert Path("T2.parquet").read_bytes() == alone


def test_a_split_that_names_no_block_gives_an_empty_t4_with_the_reason(case):
    assert case.battery(("T1", "dinucleotide_shuffle", "1"), more=[*case.genome, *TILED]).exit_code == 0
    made = read_tiled(Path("T4.h5"))
    assert (made.status, made.reason) == ("skipped", "split.yaml names no block of tiny to tile (key tiled)")


def test_a_published_set_has_no_t4(tiling):
    tiling.become_published()
    assert tiling.battery(("T1", "dinucleotide_shuffle", "1"), more=TILED).exit_code == 0
    assert read_tiled(Path("T4.h5")).reason == "no coordinates: no chromosome can be tiled"


def test_a_skipped_experiment_has_no_t4_and_no_scores(scanned):
    write_examples(Path("positives.parquet"), skipped_examples("too few", {"command": "positives"}))
    scanned.battery(("T1", "dinucleotide_shuffle", "1"), more=TILED)
    assert read_tiled(Path("T4.h5")).reason == "too few"
    scan()
    assert read_tiled_scores(Path("s.h5")).reason == "too few"
    values = assess()
    assert (values["status"], values["T4.reason"], values["T4.average_precision"]) == ("ok", "too few", None)


def test_missing_files_are_named(tiling):
    with pytest.raises(InputError, match=r"--tiled: the tiles of a genome are labelled; give --tiles, --assembly, "):
        tiling.battery(("T1", "dinucleotide_shuffle", "1"), more=TILED)


def test_scores_of_a_classifier_are_those_of_predict_and_are_measured(scanned):
    assert scan().exit_code == 0
    labels, scored = read_tiled(Path("T4.h5")).labels, read_tiled_scores(Path("s.h5"))
    assert scored.status == "ok"
    assert (np.isnan(scored.scores) == (labels == -1)).all()
    values = assess()
    keys = {key.removeprefix("T4.") for key in values if key.startswith("T4.")}
    assert {key for key in keys if not key.endswith((".reason", ".flag"))} == set(empty_tiled_result("")) | {
        f"{name}{part}" for name in METRICS for part in ("", ".low", ".high")
    }
    assert 0 < values["T4.prevalence"] < values["T4.average_precision"] <= 1
    assert values["T4.n_positives"] == 6
    assert values["provenance"]["command"] == "assess"
    assert values["provenance"]["settings"]["twin"] == "T2"
    first = Path("s.h5").read_bytes()
    scan()
    assert Path("s.h5").read_bytes() == first


def test_baselines_are_fitted_and_scan_too(scanned):
    assert scan(f"--baseline gc {GC} gc.h5 --baseline kmer {KMER2} kmer.h5 --labelled out/l.parquet").exit_code == 0
    scores = {name: read_tiled_scores(Path(f"{name}.h5")).scores for name in ("gc", "kmer")}
    assert len(np.unique(scores["gc"][np.isfinite(scores["gc"])])) <= 41
    assert not np.array_equal(scores["gc"], scores["kmer"], equal_nan=True)
    words = f"--baseline kmer {KMER2} b.parquet --labelled out/l.parquet --test-set T2=T2.parquet --seed 1"
    assert run(f"baseline {words} --threads 1 --revision 1").exit_code == 0
    assert assess("kmer.h5", "b.parquet")["T4.auroc"] is not None


def test_motifs_scan_and_gapped_kmers_are_not_defined_on_tiles(scanned):
    write_motifs(Path("mine.meme"), [Motif("M1", "GC", np.tile([0.1, 0.4, 0.4, 0.1], (6, 1)))])
    Path("mine.json").write_text(json.dumps({"provenance": make_provenance("motifs", 1, {})}))
    gapped = {"kind": "gapped_kmer_svm", "kernel": 4, "word_length": 11, "informative": 7, "max_mismatches": 3}
    gapped |= {"gamma": 1.0, "regularisation": 1.0, "positive_weight": 1.0, "epsilon": 0.001, "max_train": 10}
    best, svm = (json.dumps(settings, separators=(",", ":")) for settings in ({"kind": "motif"}, gapped))
    baselines = f"--baseline best {best} best.h5 --baseline svm {svm} svm.h5 --labelled out/l.parquet"
    made = scan(f"{baselines} --tf GC --motifs mine.meme mine.json")
    assert made.exit_code == 0, made.output
    motif, svm = read_tiled_scores(Path("best.h5")), read_tiled_scores(Path("svm.h5"))
    assert np.isfinite(motif.scores).any()
    assert svm.status == "skipped"
    assert svm.reason.startswith("not defined: a support vector machine")


def test_without_a_twin_there_is_no_threshold(scanned):
    run(f"score --bundle cnn/s1 p.parquet --test-set other=T2.parquet {COMMON}")
    scan()
    values = assess()
    assert values["T4.threshold"] is None
    assert "no_threshold" in values["T4.flag"]


@pytest.mark.parametrize(
    ("words", "message"),
    [("", "nothing to score with"), (f"--baseline gc {GC} gc.h5", "give --labelled as well")],
)
def test_mistakes_of_scan_are_named(tiling, words, message):
    tiling.battery(("T1", "dinucleotide_shuffle", "1"), more=[*tiling.genome, *TILED])
    with pytest.raises(InputError, match=message):
        scan(words)


def test_scores_of_other_tiles_are_refused(scanned):
    scan()
    split = Path("split.yaml").read_text()
    Path("split.yaml").write_text(split.replace("22000-30000", "22000-29000"))
    scanned.battery(("T1", "dinucleotide_shuffle", "1"), more=[*scanned.genome, *TILED])
    with pytest.raises(InputError, match=r"s\.h5: 200 scores of 175 tiles; scan again"):
        assess()


def test_reading_example_of_the_formats_runs(scanned, repository, capsys):
    text = (repository / "docs/formats.md").read_text()
    tiled = re.search(r"^## Tiled test block\n(.*?)^## ", text, flags=re.MULTILINE | re.DOTALL)[1]
    (example,) = re.findall(r"^```python\n(.*?)^```", tiled, flags=re.MULTILINE | re.DOTALL)
    scan()
    for name, file in zip(re.findall(r'"(results/.*?)"', example), ("T4.h5", "s.h5"), strict=True):
        Path(name).parent.mkdir(parents=True)
        Path(name).write_bytes(Path(file).read_bytes())
    exec(compile(example, "docs/formats.md", "exec"), {})
    assert capsys.readouterr().out.startswith("chrA [22000 22040 ")
