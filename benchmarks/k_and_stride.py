"""Language models of several k and strides at the same cost: nats per base on the same held-out bases.

Usage: python benchmarks/k_and_stride.py [--fasta genome.fa] [--seconds 40] [--learning-rate 5.0e-3]

Each trains the network of config/lms/awd_lstm_demo.yaml for as many tokens as `--seconds` of processor time pay for by
the speed of its first steps, on one thread.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch
from data_path import CHR20, ROOT, corpora, trainer

from bindgram.data.corpus import Corpus
from bindgram.sequence.kmers import N_SPECIAL, Vocabulary
from bindgram.settings.models import LanguageModelFile, load_language_model
from bindgram.training.checkpoints import Checkpoints
from bindgram.training.pretrain import train_language_model

VOCABULARIES = ((1, 1), (3, 1), (4, 1), (5, 1), (6, 3))
VALID_BP = 400_000
CPU = torch.device("cpu")


def tokens_per_second(settings: LanguageModelFile, vocabulary: Vocabulary) -> float:
    """Speed of training in processor time."""
    stage, step = settings.pretrain, trainer(settings, CPU)
    tokens = torch.randint(N_SPECIAL, vocabulary.size, (stage.batch_size, stage.bptt + 1))
    step(tokens[:, :-1], tokens[:, 1:])
    start = time.process_time()
    for _ in range(8):
        step(tokens[:, :-1], tokens[:, 1:])
    return 8 * stage.batch_size * stage.bptt / (time.process_time() - start)


def run(base: LanguageModelFile, path: Path, k: int, stride: int, seconds: float) -> dict:
    """Train one and say what it came to."""
    vocabulary = Vocabulary(k, stride)
    stage = base.pretrain.model_dump() | {"max_valid_tokens": VALID_BP // stride, "epochs": stride}
    settings = LanguageModelFile(**(base.model_dump() | {"vocabulary": {"k": k, "stride": stride}, "pretrain": stage}))
    stage |= {"max_tokens": int(tokens_per_second(settings, vocabulary) * seconds), "validate_every": 10**6}
    settings = LanguageModelFile(**(settings.model_dump() | {"pretrain": stage}))
    corpus = Corpus.open(path)
    start = time.process_time()
    trained = train_language_model(
        settings,
        "pretrain",
        corpus.tokens("train"),
        corpus.tokens("valid"),
        device=CPU,
        seed=1,
        checkpoint=Checkpoints().of({"seed": 1}, CPU),
    )
    found = {"tokens": f"{k}m{stride}s", "processor_s": round(time.process_time() - start)}
    wanted = ("train_tokens", "valid_nats_per_base", "markov_nats_per_base", "markov_best_order", "markov_orders")
    return (
        found
        | {"train_bp": trained.metrics["train_tokens"] * stride}
        | {name: trained.metrics[name] for name in wanted}
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fasta", type=Path, default=CHR20)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--learning-rate", type=float, default=5.0e-3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    base = load_language_model(ROOT / "config/lms/awd_lstm_demo.yaml")
    optimizer = base.pretrain.optimizer.model_dump() | {"learning_rate": given.learning_rate}
    base = LanguageModelFile(
        **(base.model_dump() | {"pretrain": base.pretrain.model_dump() | {"optimizer": optimizer}})
    )
    with tempfile.TemporaryDirectory() as name:
        for (k, stride), path in corpora(given.fasta, Path(name), set(VOCABULARIES)).items():
            print(json.dumps(run(base, path, k, stride, given.seconds)), flush=True)


if __name__ == "__main__":
    main()
