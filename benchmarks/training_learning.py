"""Language models of chr20 by the workflow, beside Markov models of the same corpus on the same held-out blocks."""

import json
from pathlib import Path
from typing import Any

import torch
import training_sets
from real_data import link
from training_runs import append

from bindgram.data.examples import read_examples
from bindgram.evaluation.likelihood import SequenceModel
from bindgram.evaluation.metrics import auroc, average_precision
from bindgram.models.bundle import load_bundle
from bindgram.sequence.dna import codes_of

FLOOR_COLUMNS = ("question", "experiment", "model", "seed", "variant", "auroc", "average_precision")


def learn(name: str, data: Path, folder: Path, settings: Path, cores: int) -> None:
    """Pretrain a language model of `settings` in ``folder/language_models`` and print what it reached.

    The sheet names the published sequence sets, so that their test sequences are left out of the corpus.
    """
    work = folder / "language_models"
    rows = training_sets.sheet("deepbind", data) + training_sets.sheet("gue", data)
    training_sets.prepare(work, data, rows, f"models: [{name}_pretrained]\n", settings)
    bundle = Path(f"results/lm/{name}/{training_sets.SPLIT}.{training_sets.SPLIT}")
    training_sets.run_workflow(work, [bundle / "config.json"], cores)
    (folder / "lm").mkdir(exist_ok=True)
    link(work / bundle, folder / "lm" / name)
    print_markov(name, json.loads((work / bundle / "config.json").read_text())["metrics"])


def print_markov(name: str, metrics: dict[str, Any]) -> None:
    """One row: nats per base of the language model and of Markov models of every order."""
    orders = metrics["markov_orders"]
    print("| model | nats per base |\n|---|---|")
    print(f"| {name} ({metrics['train_tokens']:,} tokens) | {metrics['valid_nats_per_base']:.4f} |")
    for order, nats in sorted(orders.items(), key=lambda item: int(item[0])):
        print(f"| Markov, order {order} | {nats:.4f} |")


def score_floor(name: str, data: Path, folder: Path) -> None:
    """Likelihood of every test sequence without labels, less that of an order-1 Markov model: ``floor.tsv``, anew."""
    model = SequenceModel(load_bundle(folder / "lm" / name), torch.device("cpu"))
    path = folder / "floor.tsv"
    path.unlink(missing_ok=True)
    for collection in training_sets.SCHEMES:
        names = [row["experiment"] for row in training_sets.sheet(collection, data)]
        for experiment in training_sets.dream_experiments(data, "half") if collection == "dream" else names:
            _, table = training_sets.table_paths(collection, folder / collection, experiment)
            rows = read_examples(table).of_split("test")
            found = model.score(list(codes_of(list(rows["sequence"]))))
            scores, labels = (found.model - found.markov).mean(axis=0), rows["label"].to_numpy()
            row = {"question": collection, "experiment": experiment, "model": "likelihood", "seed": 0, "variant": ""}
            row |= {"auroc": auroc(labels, scores), "average_precision": average_precision(labels, scores)}
            append(path, row, FLOOR_COLUMNS)
            print(f"{collection} {experiment}: AUROC {row['auroc']:.3f}", flush=True)
