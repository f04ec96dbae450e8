"""DFLM's protocol beside ours: what a shuffle of blocks of two and a validation set inside the training set are worth.

DFLM's script (https://github.com/Deep-Bioinfo/DFLM, 3m_tf_family.py, train_with_pre_training) drops the first three
tenths of the training file, takes the first rows of what is left as validation rows without taking them out of the
training rows, makes negatives by permuting non-overlapping pairs of bases, and reports the score on the validation
rows; the test file is read and not scored. The shuffle stands here, since no scheme of bindgram may make it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import training_sets
from training_runs import Run, append, score, take, train

from bindgram.data.examples import ExampleTable, read_examples
from bindgram.evaluation.baselines import composition, fit_logistic
from bindgram.provenance import step_rng
from bindgram.sequence.dna import codes_of, strings_of
from bindgram.sequence.shuffles import shuffle_klets
from bindgram.training.scoring import area_under_roc

VALID_FRACTION = 0.3
COLUMNS = (
    *("experiment", "model", "shuffle", "validation", "n_positives", "seed", "reported", "test_block_of_two"),
    *("test_dinucleotide", "dinucleotide_counts_reported", "dinucleotide_counts_test"),
)


def shuffle_blocks_of_two(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Permute the non-overlapping pairs of bases of each sequence; an odd last base moves as a block of its own."""
    width = codes.shape[1]
    n_blocks = (width + 1) // 2
    padded = np.full((len(codes), 2 * n_blocks), 255, np.uint8)
    padded[:, :width] = codes
    blocks = rng.permuted(np.arange(n_blocks)[None].repeat(len(codes), 0), axis=1)
    mixed = np.take_along_axis(padded.reshape(len(codes), n_blocks, 2), blocks[..., None], axis=1)
    flat = mixed.reshape(len(codes), -1)
    return flat[flat != 255].reshape(len(codes), width)


SHUFFLES = {
    "block_of_two": shuffle_blocks_of_two,
    "dinucleotide": lambda codes, rng: shuffle_klets(codes, 2, rng),
}


def with_shuffles(positives: pd.DataFrame, split: str, shuffle: str, name: str) -> pd.DataFrame:
    """Positives as rows of `split`, and one new shuffle of each."""
    rng = step_rng(1, "protocol", name, split, shuffle)
    made = strings_of(SHUFFLES[shuffle](codes_of(list(positives["sequence"])), rng))
    return pd.concat([positives.assign(split=split), positives.assign(split=split, label=0, sequence=made)])


def tables(labelled: pd.DataFrame, validation: str, shuffle: str, name: str, n: int) -> ExampleTable:
    """Training and validation rows: `validation` is ``inside`` the training rows, as in DFLM, or ``apart``."""
    positives = take(labelled[labelled["label"] == 1], "train", n, name)
    n_valid = round(VALID_FRACTION * len(positives))
    chosen = positives.iloc[:n_valid]
    rest = positives if validation == "inside" else positives.iloc[n_valid:]
    return ExampleTable(
        pd.concat([with_shuffles(rest, "train", shuffle, name), with_shuffles(chosen, "valid", shuffle, name)])
    )


def counts_auroc(table: ExampleTable, rows: pd.DataFrame) -> float:
    """What a logistic regression on dinucleotide counts reaches: composition alone, no binding site."""
    rows_of = {"fit": table.of_split("train"), "scored": rows}
    features = {part: composition(codes_of(list(frame["sequence"])), 2) for part, frame in rows_of.items()}
    model = fit_logistic(features["fit"], rows_of["fit"]["label"].to_numpy(), 1.0)
    return area_under_roc(rows["label"].to_numpy(), model.decision_function(features["scored"]))


def row_of(run: Run, shuffle: str, validation: str, folder: Path, settings: Path) -> dict[str, Any]:
    """Train once, score validation rows and test rows under both shuffles."""
    files = training_sets.table_paths("deepbind", folder / "deepbind", run.experiment)
    labelled, test = (read_examples(path) for path in files)
    table = tables(labelled.frame, validation, shuffle, run.experiment, run.n_positives)
    positives = test.of_split("test")[lambda rows: rows["label"] == 1]
    bundle = train(run, table, folder, settings)
    tests = {name: with_shuffles(positives, "test", name, run.experiment) for name in SHUFFLES}
    found = {name: area_under_roc(rows["label"].to_numpy(), score(bundle, rows)) for name, rows in tests.items()}
    valid = table.of_split("valid")
    return {
        "experiment": run.experiment,
        "model": run.model,
        "shuffle": shuffle,
        "validation": validation,
        "n_positives": run.n_positives,
        "seed": run.seed,
        "reported": area_under_roc(valid["label"].to_numpy(), score(bundle, valid)),
        "test_block_of_two": found["block_of_two"],
        "test_dinucleotide": found["dinucleotide"],
        "dinucleotide_counts_reported": counts_auroc(table, valid),
        "dinucleotide_counts_test": counts_auroc(table, tests[shuffle]),
    }


def compare(
    experiments: list[str], models: list[str], seeds: list[int], n_positives: int, folder: Path, settings: Path
) -> None:
    """Rows of ``protocol.tsv`` that are not there yet."""
    path = folder / "protocol.tsv"
    known = pd.read_csv(path, sep="\t") if path.exists() else pd.DataFrame(columns=COLUMNS)
    keys = [*COLUMNS[:4], "seed"]
    done = set(known[keys].itertuples(index=False, name=None))
    for seed in seeds:
        for experiment in experiments:
            for model in models:
                for shuffle in SHUFFLES:
                    for validation in ("inside", "apart"):
                        if (experiment, model, shuffle, validation, seed) in done:
                            continue
                        run = Run("protocol", "deepbind", experiment, model, n_positives, seed)
                        row = row_of(run, shuffle, validation, folder, settings)
                        append(path, row, COLUMNS)
                        print(row, flush=True)
