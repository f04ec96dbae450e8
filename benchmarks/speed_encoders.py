"""Tokens per second of language models of different encoders, trained as their files say, on one kind of random tokens.

Usage: python benchmarks/speed_encoders.py LM.yaml [LM.yaml ...] [--rounds 5] [--threads 1]

Models take turns. The time is that of the process, which others on the machine disturb less; the best round counts.
Multiplications per base are those of one pass forward, of a k-mer at stride 1.
"""

import argparse
import platform
import time
from datetime import date
from pathlib import Path

import numpy as np
import torch

from bindgram.models.language_model import LanguageModel, build_language_model
from bindgram.models.symmetric_conv import SymmetricLayer
from bindgram.sequence.kmers import N_SPECIAL, Vocabulary
from bindgram.settings import load_language_model
from bindgram.training.loaders import Lanes
from bindgram.training.objectives import OBJECTIVES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    runs = {path.stem: Run(path) for path in options.files}
    for run in list(runs.values()) * options.rounds:
        run.measure()
    print(f"{date.today()}, torch {torch.__version__}, {platform.machine()}, {options.threads} thread(s)\n")
    print("| language model | parameters | multiplications per base | training, tokens/s | inference, tokens/s |")
    print("|---|---|---|---|---|")
    for name, run in runs.items():
        speeds = (f"{run.n_tokens / min(times):,.0f}" for times in (run.training, run.inference))
        print(f"| `{name}` | {run.n_parameters:,} | {multiplications(run.model):,} | {' | '.join(speeds)} |")


class Run:
    """One language model with a batch of its own size."""

    def __init__(self, path: Path) -> None:
        settings = load_language_model(path)
        stage, vocabulary = settings.pretrain, Vocabulary(settings.vocabulary.k, settings.vocabulary.stride)
        torch.manual_seed(0)
        self.model = build_language_model(settings, stage.dropout)
        self.objective = OBJECTIVES[settings.objective.name](settings.objective, vocabulary)
        self.optimizer = torch.optim.AdamW(self.model.parameters())
        n_tokens = 2 * stage.batch_size * (stage.bptt + 1) * vocabulary.stride
        tokens = np.random.default_rng(0).integers(N_SPECIAL, vocabulary.size, n_tokens).astype(vocabulary.dtype)
        lanes = Lanes(tokens, vocabulary, stage.batch_size, stage.bptt, stage.reverse_complement)
        self.question = self.objective.ask(lanes, 0, 0, seed=0)
        self.state = self.model.encoder.initial_state(stage.batch_size)
        self.n_tokens = stage.batch_size * stage.bptt
        self.n_parameters = sum(parameter.numel() for parameter in self.model.parameters())
        self.training: list[float] = []
        self.inference: list[float] = []

    def measure(self) -> None:
        """One step of training and one pass of inference."""
        self.model.train()
        start = time.process_time()
        self.optimizer.zero_grad()
        self.objective.score(self.model, *self.question, self.state).loss.backward()
        self.optimizer.step()
        self.training.append(time.process_time() - start)
        self.model.eval()
        start = time.process_time()
        with torch.no_grad():
            self.model(self.question[0], self.state)
        self.inference.append(time.process_time() - start)


def multiplications(model: LanguageModel) -> int:
    """Those with weights, per token: a matrix once, paired filters twice, an embedding that is looked up not."""
    decoder = model.encoder.embedding if model.encoder.embedding is not None else model.decoder
    paired = [module.weight for module in model.modules() if isinstance(module, SymmetricLayer)]
    known = {id(weight) for weight in [*paired, decoder]}
    others = [p for p in model.encoder.parameters() if p.dim() > 1 and id(p) not in known]
    return decoder.numel() + 2 * sum(p.numel() for p in paired) + sum(p.numel() for p in others)


if __name__ == "__main__":
    main()
