"""Language models of chr20 by the workflow, beside Markov models of the same corpus on the same held-out blocks."""

import json
from pathlib import Path
from typing import Any

import training_sets
from real_data import link


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
