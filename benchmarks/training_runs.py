"""One training of the learning benchmarks: from a table of examples to a row of test scores."""

import csv
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import training_sets

from bindgram.data.examples import ExampleTable, read_examples
from bindgram.evaluation.metrics import auroc, average_precision, choose_threshold, mcc
from bindgram.models.bundle import Bundle, load_bundle
from bindgram.provenance import step_rng
from bindgram.settings.models import ModelFile, load_language_model, load_model
from bindgram.training.checkpoints import Checkpoints
from bindgram.training.scoring import classifier_of, labelled_sequences, score_strands
from bindgram.training.stages import finetune

MAX_VALID = 250  # positives, and negatives, that choose the best epoch
MIN_ROWS = 10_000  # rows seen in training at least: fewer positives mean more epochs, the same for all models


@dataclass(frozen=True)
class Run:
    """What identifies a training; `n_positives` 0 = all."""

    question: str
    collection: str
    experiment: str
    model: str
    n_positives: int
    seed: int
    variant: str = ""


COLUMNS = (
    *Run.__dataclass_fields__,
    *("n_train", "n_valid", "n_parameters", "epochs", "best_epoch", "valid_auroc", "auroc", "average_precision"),
    *("mcc", "mcc_at_half", "n_test_positives", "n_test_negatives", "train_s", "cpu_s"),
)


def take(frame: pd.DataFrame, split: str, n: int, name: str) -> pd.DataFrame:
    """Draw `n` positives and `n` negatives of a split (all where there are fewer), the same for every model."""
    parts = []
    for label in (1, 0):
        rows = frame[(frame["split"] == split) & (frame["label"] == label)]
        order = step_rng(1, "take", name, split, str(label)).permutation(len(rows))
        parts.append(rows.iloc[order[: n or None]])
    return pd.concat(parts)


def model_of(run: Run, settings: Path, n_positives: int) -> ModelFile:
    """The model file of a run, with the learning rates of its variant and epochs for few positives."""
    model = load_model(settings / f"models/{run.model}.yaml")
    stages = list(model.finetune.stages)
    missing = round(MIN_ROWS / (2 * n_positives)) - sum(stage.epochs for stage in stages)
    stages[-1] = stages[-1].model_copy(update={"epochs": stages[-1].epochs + max(missing, 0)})
    changes: dict[str, Any] = {}
    for change in filter(None, run.variant.split(",")):
        name, value = change.split("=")
        if name == "lr":
            stages[-1] = stages[-1].model_copy(update={"learning_rate": float(value)})
        elif name == "epochs":
            before = sum(stage.epochs for stage in stages[:-1])
            stages[-1] = stages[-1].model_copy(update={"epochs": int(value) - before})
        else:
            changes[name] = int(value) if name == "batch_size" else float(value)
    return model.model_copy(update={"finetune": model.finetune.model_copy(update=changes | {"stages": stages})})


def train(run: Run, table: ExampleTable, folder: Path, settings: Path) -> Bundle:
    """Fine-tune on a table, from the language model in the folder where the model file says so."""
    model = model_of(run, settings, int((table.of_split("train")["label"] == 1).sum()))
    name = model.language_model
    language_model = load_language_model(settings / f"lms/{name}.yaml") if name else None
    pretrained = load_bundle(folder / "lm" / name) if name and model.pretrained != "none" else None
    bundle = finetune(
        model,
        language_model,
        pretrained,
        table,
        device=torch.device("cpu"),
        seed=run.seed,
        revision=1,
        checkpoints=Checkpoints(),
        where=f"{run.model}.yaml",
    )
    assert not bundle.skipped, bundle.reason
    return bundle


def score(bundle: Bundle, rows: pd.DataFrame) -> np.ndarray:
    """Logits of examples, means of the two strands."""
    network, vocabulary = classifier_of(bundle)
    return score_strands(network, labelled_sequences(rows, vocabulary), torch.device("cpu")).mean(axis=0)


def train_and_score(run: Run, table: ExampleTable, test: pd.DataFrame, folder: Path, settings: Path) -> dict[str, Any]:
    """The row of a run."""
    started, cpu = time.monotonic(), time.process_time()
    bundle = train(run, table, folder, settings)
    trained = time.monotonic() - started
    valid, labels = table.of_split("valid"), test["label"].to_numpy()
    threshold = choose_threshold(valid["label"].to_numpy(), score(bundle, valid))
    scores = score(bundle, test)
    return asdict(run) | {
        "n_train": bundle.metrics["n_train"],
        "n_valid": bundle.metrics["n_valid"],
        "n_parameters": bundle.metrics["n_parameters"],
        "epochs": bundle.metrics["n_epochs"],
        "best_epoch": bundle.metrics["best_epoch"],
        "valid_auroc": bundle.metrics["valid_auroc"],
        "auroc": auroc(labels, scores),
        "average_precision": average_precision(labels, scores),
        "mcc": mcc(labels, scores, threshold),
        "mcc_at_half": mcc(labels, scores, 0.0),
        "n_test_positives": int((labels == 1).sum()),
        "n_test_negatives": int((labels == 0).sum()),
        "train_s": round(trained, 1),
        "cpu_s": round(time.process_time() - cpu, 1),
    }


def known_runs(path: Path) -> set[Run]:
    """Runs whose rows are there."""
    if not path.exists():
        return set()
    with path.open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    texts = [{name: row[name] for name in Run.__dataclass_fields__} for row in rows]
    return {Run(**text | {"n_positives": int(text["n_positives"]), "seed": int(text["seed"])}) for text in texts}


def append(path: Path, row: dict[str, Any], columns: tuple[str, ...] = COLUMNS) -> None:
    """Add one line, in one write, so that two benchmarks may share a file."""
    line = "\t".join(f"{row[name]:.6g}" if isinstance(row[name], float) else str(row[name]) for name in columns)
    with path.open("a") as file:
        if file.tell() == 0:
            line = "\t".join(columns) + "\n" + line
        file.write(line + "\n")


def run_all(runs: list[Run], folder: Path, settings: Path) -> None:
    """Train what is not there yet. A run that fails is named and does not stop the others."""
    path = folder / "runs.tsv"
    for number, run in enumerate(runs, start=1):
        if run in known_runs(path):
            continue
        try:
            labelled, test = (
                read_examples(file)
                for file in training_sets.table_paths(run.collection, folder / run.collection, run.experiment)
            )
            n_valid = 0 if run.collection == "gue" else MAX_VALID
            frame = pd.concat(
                [
                    take(labelled.frame, "train", run.n_positives, run.experiment),
                    take(labelled.frame, "valid", n_valid, run.experiment),
                ]
            )
            row = train_and_score(run, replace(labelled, frame=frame), test.of_split("test"), folder, settings)
        except Exception as error:
            print(f"FAILED {run}: {type(error).__name__}: {error}", flush=True)
            continue
        append(path, row)
        print(
            f"{number}/{len(runs)} {run.experiment} {run.model} n={run.n_positives} s{run.seed} {run.variant}: valid "
            f"{row['valid_auroc']:.4f}, test AUROC {row['auroc']:.4f}, AP {row['average_precision']:.4f}, MCC "
            f"{row['mcc']:.4f}, {row['train_s']:.0f} s",
            flush=True,
        )
