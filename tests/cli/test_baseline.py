import json

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from sklearn.metrics import roc_auc_score

from bindgram.cli.baseline import baseline
from bindgram.data.examples import ExampleTable, skipped_examples, write_examples
from bindgram.data.motifs import Motif, write_motifs
from bindgram.errors import InputError
from bindgram.evaluation.predictions import read_predictions
from bindgram.provenance import make_provenance

GC, KMER2 = (f"{{kind: kmer, k: {k}, inverse_regularisation: 1.0}}" for k in (0, 2))
COMMON = ("--seed", "1", "--threads", "1", "--revision", "1")


def table(gc_of_positives: float, splits: tuple[str, str], seed: int) -> ExampleTable:
    rng = np.random.default_rng(seed)
    n = 120
    labels = np.arange(n) % 2
    gc = np.where(labels == 1, gc_of_positives, 0.4)[:, None]
    strong, first = rng.random((n, 40)) < gc, rng.random((n, 40)) < 0.5
    letters = np.where(strong, np.where(first, "G", "C"), np.where(first, "A", "T"))
    frame = pd.DataFrame(
        {
            "example_id": [f"{seed}:{index}" for index in range(n)],
            "chrom": None,
            "start": pd.array([pd.NA] * n, dtype="Int64"),
            "end": pd.array([pd.NA] * n, dtype="Int64"),
            "strand": None,
            "label": labels.astype(np.int8),
            "kind": "peak",
            "parent_id": None,
            "split": [splits[0] if index < n // 2 else splits[1] for index in range(n)],
            "sequence": ["".join(row) for row in letters],
        }
    )
    return ExampleTable(frame, provenance=make_provenance("battery", 5, {}))


def run(folder, *more: str) -> None:
    arguments = ["--baseline", "kmer2", KMER2, str(folder / "p.parquet"), *COMMON]
    arguments += ["--labelled", str(folder / "labelled.parquet"), *more]
    result = CliRunner().invoke(baseline, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output


@pytest.fixture
def folder(tmp_path):
    write_examples(tmp_path / "labelled.parquet", table(0.7, ("train", "valid"), seed=1))
    write_examples(tmp_path / "T1.parquet", table(0.7, ("valid", "test"), seed=2))
    write_examples(tmp_path / "T2.parquet", skipped_examples("no coordinates", {}))
    return tmp_path


def test_test_rows_and_validation_twin_are_scored(folder):
    run(folder, "--test-set", f"T1={folder / 'T1.parquet'}", "--test-set", f"T2={folder / 'T2.parquet'}")
    frame, metadata = read_predictions(folder / "p.parquet")
    assert frame.groupby("split").size().to_dict() == {"test": 60, "valid": 60}
    means = frame.groupby("label")["score"].mean()
    assert means[1] > 0 > means[0]
    assert metadata["skipped_test_sets"] == {"T2": "no coordinates"}
    assert metadata["provenance"]["revisions"] == {"baseline": 1, "battery": 5}
    assert metadata["provenance"]["settings"] == {"name": "kmer2", **yaml.safe_load(KMER2)}
    assert (metadata["scale"], metadata["details"]) == ("log_odds", {})


def test_same_inputs_give_the_same_bytes(folder):
    runs = []
    for _ in range(2):
        run(folder, "--test-set", f"T1={folder / 'T1.parquet'}")
        runs.append((folder / "p.parquet").read_bytes())
    assert runs[0] == runs[1]


def test_skipped_experiment_gives_a_skipped_table(folder):
    write_examples(folder / "labelled.parquet", skipped_examples("too few peaks", {}))
    run(folder, "--test-set", f"T1={folder / 'T1.parquet'}")
    frame, metadata = read_predictions(folder / "p.parquet")
    assert frame.empty
    assert (metadata["status"], metadata["reason"]) == ("skipped", "too few peaks")


def test_several_baselines_are_scored_as_if_alone(folder):
    test_set = ("--test-set", f"T1={folder / 'T1.parquet'}")
    run(folder, *test_set)
    alone = (folder / "p.parquet").read_bytes()
    run(folder, *test_set, "--baseline", "gc", GC, str(folder / "gc.parquet"))
    assert (folder / "p.parquet").read_bytes() == alone
    _, metadata = read_predictions(folder / "gc.parquet")
    assert metadata["provenance"]["settings"]["k"] == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{kind: kmer, k: 9, inverse_regularisation: 1.0}", "baseline.k: Input should be less than"),
        ("{kind: kmer, k: 2}", "baseline.inverse_regularisation: required key"),
        ("{kind: model}", "baseline: Input tag 'model' found using 'kind' does not match"),
        ("{kind: kmer", "while parsing a flow mapping"),
    ],
)
def test_wrong_settings_are_named(folder, settings, message):
    arguments = ["--baseline", "b", settings, "p.parquet", "--labelled", str(folder / "labelled.parquet")]
    result = CliRunner().invoke(baseline, [*arguments, "--test-set", f"T1={folder / 'T1.parquet'}", *COMMON])
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def scan_for_motifs(folder, tf, *motifs):
    arguments = ["--baseline", "best", "{kind: motif}", str(folder / "p.parquet"), "--tf", tf, *motifs, *COMMON]
    arguments += ["--labelled", str(folder / "labelled.parquet"), "--test-set", f"T1={folder / 'T1.parquet'}"]
    return CliRunner().invoke(baseline, arguments, catch_exceptions=False)


def test_the_motif_that_was_chosen_stands_in_the_predictions(folder):
    library, record = folder / "mine.meme", folder / "mine.json"
    motifs = [Motif("M1", "GC", np.tile([0.1, 0.4, 0.4, 0.1], (6, 1))), Motif("M2", "GC", np.tile(0.25, (6, 4)))]
    write_motifs(library, motifs)
    record.write_text(json.dumps({"provenance": make_provenance("motifs", 7, {})}))
    assert scan_for_motifs(folder, "gc", "--motifs", str(library), str(record)).exit_code == 0
    frame, metadata = read_predictions(folder / "p.parquet")
    assert roc_auc_score(frame["label"], frame["score"]) > 0.8
    assert frame["score_forward"].isna().all()
    assert metadata["scale"] == "arbitrary"
    assert (metadata["details"]["motif"], metadata["details"]["library"]) == ("M1 GC", "mine")
    assert metadata["provenance"]["revisions"] == {"baseline": 1, "battery": 5, "motifs": 7}
    assert "lightmotif" in metadata["provenance"]["packages"]
    assert scan_for_motifs(folder, "CTCF", "--motifs", str(library), str(record)).exit_code == 0
    frame, metadata = read_predictions(folder / "p.parquet")
    assert (metadata["status"], metadata["reason"]) == ("skipped", "not defined: no motif of CTCF in mine")


def test_a_motif_baseline_without_a_library_is_a_mistake(folder):
    with pytest.raises(InputError, match=r"--baseline of kind motif: .* give --tf and --motifs as well"):
        scan_for_motifs(folder, "CTCF")
