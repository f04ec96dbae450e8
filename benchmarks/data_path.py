"""Is reading the corpus ever what training waits for? Real tokens beside random ones that lie on the device.

Usage: python benchmarks/data_path.py [--fasta genome.fa[.gz]] [--language-model config/lms/awd_lstm_demo.yaml]
       [--device cpu] [--threads 1] [--steps 20] [--rounds 6] [--synthetic-gbp 3]

In one run: (1) what the loader alone delivers in the shape of config/lms/awd_lstm.yaml (800 x 70 tokens), from a file
in the page cache and from one that was just evicted; (2) training steps of the language model with tokens of the corpus
and with random tokens, in turns; (3) memory of a process that reads a stream of so many tokens (a file of zeros).
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from tokenization import split_of, unpack

from bindgram.data.corpus import Corpus, write_corpus
from bindgram.data.splits import Split
from bindgram.genome.fasta import Genome
from bindgram.models.language_model import build_language_model
from bindgram.provenance import make_provenance
from bindgram.sequence.kmers import N_SPECIAL, Vocabulary
from bindgram.settings.models import LanguageModelFile, load_language_model
from bindgram.training.learner import Learner
from bindgram.training.loaders import Lanes, send
from bindgram.training.objectives import OBJECTIVES
from bindgram.training.optimizers import make_optimizer, make_schedule

ROOT = Path(__file__).parents[1]
CHR20 = ROOT.parent / "shared/data/hg19_chr20_chr22/hg19.chr20.fa.gz"
VOCABULARIES = ((3, 1), (5, 1), (6, 3))
LANES, BPTT = 800, 70


def corpora(fasta: Path, folder: Path, wanted: set[tuple[int, int]]) -> dict[tuple[int, int], Path]:
    path = unpack(fasta, folder)
    made = {}
    with Genome.open(path) as genome:
        split = Split.load(split_of(genome, folder), "genome", genome.chrom_sizes)
        for k, stride in sorted(wanted):
            made[k, stride] = folder / f"k{k}s{stride}.h5"
            provenance = make_provenance("tokenize", 1, {})
            write_corpus(made[k, stride], genome, split, Vocabulary(k, stride), 1_000_000, 1000, provenance)
    return made


def read_all(path: Path, n_steps: int) -> tuple[float, float]:
    """Tokens per second of wall time and of processor time."""
    corpus = Corpus.open(path)
    lanes = Lanes(corpus.tokens("train"), corpus.vocabulary, LANES, BPTT, reverse_complement=True)
    n_steps = min(n_steps, lanes.n_steps)
    wall, processor = time.perf_counter(), time.process_time()
    for number in range(n_steps):
        lanes.step(number)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return n_steps * LANES * BPTT / wall, n_steps * LANES * BPTT / processor


def evict(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def trainer(settings: LanguageModelFile, device: torch.device) -> Callable[[torch.Tensor, torch.Tensor], None]:
    """A function that makes one training step, as `training.pretrain` does."""
    stage = settings.pretrain
    model = build_language_model(settings, stage.dropout)
    learner = Learner(model, device, stage.precision, stage.optimizer.clip_norm)
    rate, decay = stage.optimizer.learning_rate, stage.optimizer.weight_decay
    learner.optimizer = make_optimizer("adamw", [list(model.parameters())], [rate], decay)
    learner.schedule = make_schedule("constant", learner.optimizer, 1, None, None)
    objective = OBJECTIVES[settings.objective.name](
        settings.objective, Vocabulary(settings.vocabulary.k, settings.vocabulary.stride)
    )
    state = model.encoder.initial_state(stage.batch_size)

    def step(inputs: torch.Tensor, targets: torch.Tensor) -> None:
        nonlocal state
        with learner.autocast():
            scored = objective.score(model, inputs, targets, state)
        learner.add_gradient(scored.loss, first=True, last=True)
        learner.step()
        state = [(hidden.detach().float(), cell.detach().float()) for hidden, cell in scored.state]

    return step


def compare(settings: LanguageModelFile, path: Path, device: torch.device, steps: int, rounds: int) -> dict[str, float]:
    """Median tokens per second with tokens of the corpus, and with random ones on the device; turns alternate."""
    stage = settings.pretrain
    corpus = Corpus.open(path)
    lanes = Lanes(corpus.tokens("train"), corpus.vocabulary, stage.batch_size, stage.bptt, stage.reverse_complement)
    shape = (stage.batch_size, stage.bptt + 1)
    made = torch.randint(N_SPECIAL, corpus.vocabulary.size, (8, *shape)).to(device)
    step = trainer(settings, device)
    sources = {
        "corpus": lambda number: (send(part, device) for part in lanes.step(number % lanes.n_steps)),
        "random": lambda number: (made[number % 8, :, :-1], made[number % 8, :, 1:]),
    }
    rates: dict[str, list[float]] = {name: [] for name in sources}
    for turn in range(rounds + 1):  # the first turn warms up
        for name in sorted(sources, reverse=bool(turn % 2)):
            start = time.perf_counter()
            for number in range(turn * steps, (turn + 1) * steps):
                step(*sources[name](number))
            if device.type == "cuda":
                torch.cuda.synchronize()
            rates[name].append(steps * stage.batch_size * stage.bptt / (time.perf_counter() - start))
    pairs = np.array(rates["corpus"][1:]) / np.array(rates["random"][1:])
    return {name: float(np.median(values[1:])) for name, values in rates.items()} | {"ratio": float(np.median(pairs))}


def anonymous_mb() -> float:
    """Memory of this process that is not a cache of files."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


def memory_of_a_genome(folder: Path, n_tokens: int) -> tuple[float, float]:
    """MB that reading 200 steps as rank 5 of 8 adds, and tokens per second."""
    path = folder / "zeros"
    with path.open("wb") as file:
        file.truncate(n_tokens)
    before = anonymous_mb()
    tokens = np.memmap(path, np.uint8, mode="r")
    lanes = Lanes(tokens, Vocabulary(3, 1), 8 * LANES, BPTT, reverse_complement=True, rank=5, world_size=8)
    start = time.perf_counter()
    for number in range(200):
        lanes.step(number)
    rate = 200 * LANES * BPTT / (time.perf_counter() - start)
    return anonymous_mb() - before, rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fasta", type=Path, default=CHR20)
    parser.add_argument("--language-model", type=Path, default=ROOT / "config/lms/awd_lstm_demo.yaml")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--synthetic-gbp", type=float, default=3.0)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    settings = load_language_model(given.language_model)
    ours = (settings.vocabulary.k, settings.vocabulary.stride)
    with tempfile.TemporaryDirectory() as name:
        files = corpora(given.fasta, Path(name), {ours, *VOCABULARIES})
        for vocabulary in VOCABULARIES:
            path = files[vocabulary]
            read_all(path, 300)
            warm = read_all(path, 1000)
            evict(path)
            cold = read_all(path, 1000)
            rates = {
                f"{kind}_per_{unit}_second": round(rate / 1e6, 1)
                for kind, pair in (("cached", warm), ("evicted", cold))
                for unit, rate in zip(("wall", "processor"), pair, strict=True)
            }
            print(json.dumps({"vocabulary": "{}m{}s".format(*vocabulary), "million_tokens": rates}))
        print(json.dumps(compare(settings, files[ours], torch.device(given.device), given.steps, given.rounds)))
        added, rate = memory_of_a_genome(Path(name), int(given.synthetic_gbp * 1e9))
        print(
            json.dumps(
                {"tokens": given.synthetic_gbp * 1e9, "added_mb": added, "million_tokens_per_second": rate / 1e6}
            )
        )


if __name__ == "__main__":
    main()
