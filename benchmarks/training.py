"""What pretraining is worth: language models, classifiers with and without their weights, and a CNN, on real data.

Usage: python benchmarks/training.py QUESTION --data ../shared/data

Every training is one row of FOLDER/runs.tsv, appended when it ends; a row that is there is not run again, so that a
stopped benchmark goes on where it was. ``learning`` trains the language models and has to come first.
"""

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

import torch
import training_learning
import training_protocol
import training_sets
import training_table
from real_data import ROOT
from training_runs import Run, run_all

QUESTIONS = (
    *("sets", "learning", "floor"),  # what the others need, and the label-free floor
    *("tune", "budget", "dream", "deepbind", "gue", "efficiency", "protocol", "table"),
)
SMALL = ("small_pretrained", "small_random", "cnn")
POSITIVES = {"tune": 1000, "budget": 1000, "dream": 1000, "deepbind": 2000, "gue": 0}  # to train on, at most; 0: all


def plan(arguments: argparse.Namespace) -> Iterator[Run]:
    """The runs of a question, in an order in which every part of it can already be read."""
    question, data, n = arguments.question, arguments.data, arguments.positives
    models = arguments.models or SMALL
    collection = "dream" if question in ("tune", "budget", "efficiency") else question
    if question in ("tune", "budget"):
        names = training_sets.dream_experiments(data, "tune")
    elif question == "dream":
        names = training_sets.dream_experiments(data, arguments.part)
    elif question == "efficiency":
        names = ["CEBPB_HepG2", "CTCF_HepG2"]
    else:
        names = [row["experiment"] for row in training_sets.sheet(question, data)]
    names = [name for name in names if name in (arguments.experiments or names)]
    sizes = [n or POSITIVES[question]] if question != "efficiency" else [250, 500, 1000]
    for seed, experiment, size, variant, model in itertools.product(
        arguments.seeds, names, sizes, arguments.variants, models
    ):
        yield Run(question, collection, experiment, model, size, seed, variant)
    if question == "efficiency":
        for model in models:
            yield Run(question, "deepbind", "FOXA1_HepG2", model, 5000, arguments.seeds[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", choices=QUESTIONS)
    parser.add_argument("--data", type=Path, required=True, help="folder with deepbind, gue_tf and hg19_chr20_chr22")
    parser.add_argument("--folder", type=Path, default=ROOT / "results/training", help="where to work")
    parser.add_argument("--settings", type=Path, default=ROOT / "benchmarks/training", help="lms and models")
    parser.add_argument("--models", nargs="*", help=f"names of model files (default: {' '.join(SMALL)})")
    parser.add_argument("--experiments", nargs="*", help="only these")
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    parser.add_argument("--positives", type=int, default=0, help="at most so many positives to train on")
    parser.add_argument("--part", choices=["half", "rest", "tune"], default="half", help="of the ENCODE-DREAM sets")
    parser.add_argument("--variants", nargs="*", default=[""], help="changes to the models, such as lr=0.01,epochs=20")
    parser.add_argument("--lm", default="small", help="language model of learning and floor")
    parser.add_argument("--cores", type=int, default=1, help="of sets and learning; trainings run on one")
    arguments = parser.parse_args()
    arguments.data = arguments.data.resolve()
    arguments.settings, folder = arguments.settings.resolve(), arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    if arguments.question == "table":
        training_table.print_tables(folder)
    elif arguments.question == "sets":
        for collection in training_sets.SCHEMES:
            training_sets.make_sets(collection, arguments.data, folder, arguments.cores)
    elif arguments.question == "learning":
        training_learning.learn(arguments.lm, arguments.data, folder, arguments.settings, arguments.cores)
    elif arguments.question == "floor":
        training_learning.score_floor(arguments.lm, arguments.data, folder)
    elif arguments.question == "protocol":
        training_protocol.compare(
            ["ELK1_GM12878", "ARID3A_K562"],
            arguments.models or ["cnn"],
            arguments.seeds,
            arguments.positives or 2000,
            folder,
            arguments.settings,
        )
    else:
        run_all(list(plan(arguments)), folder, arguments.settings)


if __name__ == "__main__":
    main()
