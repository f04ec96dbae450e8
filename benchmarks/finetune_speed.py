"""Where the time of `bindgram finetune` goes, from the start of Python to the bundle: results in training.md.

    python benchmarks/finetune_speed.py --model config/models/cnn_demo.yaml --sequences 10000 --device cpu --threads 2
    python benchmarks/finetune_speed.py --model config/models/awd_lstm_demo_scratch.yaml \\
        --language-model config/lms/awd_lstm_demo.yaml

Positives are random sequences with a planted motif, negatives random ones, of 101 bp: speed does not depend on what is
learnt. Language models start from random weights, which costs as much as from a bundle. Prints wall and CPU seconds.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

STARTED = time.perf_counter() - time.process_time()  # about when Python began
MOTIF = "TGACTCAGCA"
WIDTH = 101


class Stages:
    """Wall and CPU seconds by stage, of the functions that are wrapped."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    @contextmanager
    def time(self, stage: str):
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        spent = self.seconds.setdefault(stage, [0.0, 0.0])
        spent[0] += time.perf_counter() - wall
        spent[1] += time.process_time() - cpu

    def wrap(self, owner: object, name: str, stage: Callable[[], str]) -> None:
        function = getattr(owner, name)

        def timed(*args, **options):
            with self.time(stage()):
                return function(*args, **options)

        setattr(owner, name, timed)


def write_labelled(path: Path, n_sequences: int) -> None:
    """As many positives and negatives to train on, and a tenth of them to validate."""
    import numpy as np
    import pandas as pd

    from bindgram.data.examples import ExampleTable, write_examples
    from bindgram.sequence.dna import strings_of

    rng = np.random.default_rng(1)
    counts = {"train": n_sequences, "valid": n_sequences // 10}
    split = np.concatenate([np.repeat(name, 2 * n) for name, n in counts.items()])
    sequences = strings_of(rng.integers(0, 4, (len(split), WIDTH)).astype(np.uint8))
    labels = np.arange(len(split)) % 2
    sequences = [
        f"{text[:45]}{MOTIF}{text[55:]}" if label else text for text, label in zip(sequences, labels, strict=True)
    ]
    frame = pd.DataFrame({"example_id": [f"e{row}" for row in range(len(split))], "label": labels, "split": split})
    frame = frame.assign(
        sequence=sequences, kind="published", chrom=None, start=pd.NA, end=pd.NA, strand=None, parent_id=None
    )
    write_examples(path, ExampleTable(frame))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--language-model", type=Path)
    parser.add_argument("--sequences", type=int, default=10_000, help="of each class")
    parser.add_argument("--epochs", type=int, help="instead of those of the model file: the last stage alone")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    stages = Stages()
    before = time.perf_counter() - STARTED, time.process_time()
    with stages.time("imports"):
        from bindgram.training.device import choose_device

        device = choose_device(options.device, options.threads)
        from bindgram.data.examples import read_examples
        from bindgram.models.bundle import save_bundle
        from bindgram.settings import load_language_model, load_model
        from bindgram.training import finetune, learner, scoring
        from bindgram.training import stages as training
        from bindgram.training.checkpoints import Checkpoints
    import torch

    with tempfile.TemporaryDirectory() as folder:
        labelled = Path(folder) / "labelled.parquet"
        write_labelled(labelled, options.sequences)  # not of the command: not counted
        made = time.perf_counter(), time.process_time()
        with stages.time("settings and examples"):
            model = load_model(options.model)
            lm = load_language_model(options.language_model) if options.language_model else None
            table = read_examples(labelled)
        if options.epochs:
            last = model.finetune.stages[-1].model_copy(update={"epochs": options.epochs})
            model = model.model_copy(update={"finetune": model.finetune.model_copy(update={"stages": [last]})})
        n_updates = [0]

        def step() -> str:
            n_updates[0] += 1
            return "first step" if n_updates[0] == 1 else "other steps"

        stages.wrap(learner.Learner, "update", step)
        stages.wrap(finetune._Run, "_begin_stage", lambda: "optimizers")
        stages.wrap(finetune._Run, "_validate", lambda: "validation")
        stages.wrap(scoring.LabelledSequences, "batch", lambda: "batches (of validation too)")
        done = training.finetune(
            *(model, lm, None, table), device=device, seed=1, revision=1, checkpoints=Checkpoints()
        )
        with stages.time("saving"):
            save_bundle(Path(folder) / "bundle", done)
    total = [
        now - then + spent
        for now, then, spent in zip((time.perf_counter(), time.process_time()), made, before, strict=True)
    ]
    imports = stages.seconds["imports"]
    total = [sum(pair) for pair in zip(total, imports, strict=True)]
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {options.threads} threads"
    n_parameters, n_epochs = done.metrics["n_parameters"], done.metrics["n_epochs"]
    print(f"{options.model.stem}: {n_parameters:,} parameters, {n_epochs} epochs of 2 x {options.sequences:,}, {name}")
    print("| stage | wall s | CPU s |\n|---|---|---|")
    for stage, (wall, cpu) in stages.seconds.items():
        print(f"| {stage} | {wall:.1f} | {cpu:.1f} |")
    print(f"| all, from the start of Python | {total[0]:.1f} | {total[1]:.1f} |")


if __name__ == "__main__":
    main()
