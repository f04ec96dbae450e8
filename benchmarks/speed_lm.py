"""Tokens per second of the AWD-LSTM language model, beside plain nn.LSTM modules and fastai's AWD_LSTM, in one run.

Usage: python benchmarks/speed_lm.py [--size full|demo] [--batch 64] [--precision 32-true] [--device cpu] [--threads 1]

All have the same sizes, batch, length, precision and loss. `plain` is single-layer nn.LSTM modules in sequence, without
any dropout, AR or TAR. `fastai` is trained with the same optimizer as the others, `fastai, its Adam` with fastai's own.
Contestants take turns; a ratio is of two neighbours in time. On a CPU, the time is that of the process, which other
processes on the machine disturb less. fastai comes with `make fastai`; without it, it is left out.
"""

import argparse
import json
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn import functional

from bindgram.models.awd_lstm import AwdLstm
from bindgram.models.language_model import LanguageModel
from bindgram.sequence.kmers import Vocabulary
from bindgram.settings.models import AwdLstmSettings, DropoutSettings, NextTokenSettings
from bindgram.training.learner import Learner
from bindgram.training.objectives import OBJECTIVES
from bindgram.training.optimizers import make_optimizer, make_schedule

N_TOKENS = Vocabulary(3, 1).size
SIZES = {"full": (200, 800, 6), "demo": (48, 96, 2)}  # embedding, hidden, layers
RATES = {"embedding": 0.02, "input": 0.2, "weight": 0.15, "hidden": 0.1}  # DFLM's
OUTPUT_RATE, AR, TAR = 0.25, 2.0, 1.0
CLIP_NORM = 0.5


class Bindgram(nn.Module):
    """The language model as `bindgram pretrain` trains it."""

    def __init__(self, embedding: int, hidden: int, layers: int) -> None:
        super().__init__()
        sizes = AwdLstmSettings(name="awd_lstm", embedding_size=embedding, hidden_size=hidden, n_layers=layers)
        self.model = LanguageModel(AwdLstm(sizes, N_TOKENS, 1, DropoutSettings(**RATES)), N_TOKENS, OUTPUT_RATE)
        settings = NextTokenSettings(name="next_token", ar=AR, tar=TAR)
        self.objective = OBJECTIVES["next_token"](settings, Vocabulary(3, 1))

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return self.objective.score(self.model, inputs, targets, self.model.encoder.initial_state(len(inputs))).loss

    def infer(self, inputs: Tensor) -> Tensor:
        return self.model(inputs, self.model.encoder.initial_state(len(inputs))).logits


class Plain(nn.Module):
    """The same sizes of nn.LSTM with a tied decoder, and nothing else."""

    def __init__(self, embedding: int, hidden: int, layers: int) -> None:
        super().__init__()
        sizes = [embedding, *[hidden] * (layers - 1), embedding]
        self.embedding = nn.Embedding(N_TOKENS, embedding)
        self.layers = nn.ModuleList(nn.LSTM(sizes[n], sizes[n + 1]) for n in range(layers))
        self.bias = nn.Parameter(torch.zeros(N_TOKENS))

    def infer(self, inputs: Tensor) -> Tensor:
        values = self.embedding(inputs.T)
        for layer in self.layers:
            values, _ = layer(values)
        return functional.linear(values, self.embedding.weight, self.bias)

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(self.infer(inputs).float().flatten(0, 1), targets.T.flatten())


class Fastai(nn.Module):
    """fastai's AWD_LSTM and LinearDecoder, with AR and TAR as in its RNNRegularizer."""

    def __init__(self, embedding: int, hidden: int, layers: int) -> None:
        super().__init__()
        from fastai.text.models.awdlstm import AWD_LSTM
        from fastai.text.models.core import LinearDecoder, SequentialRNN

        rates = {"embed_p": RATES["embedding"], "input_p": RATES["input"], "weight_p": RATES["weight"]}
        encoder = AWD_LSTM(N_TOKENS, embedding, hidden, layers, pad_token=0, hidden_p=RATES["hidden"], **rates)
        decoder = LinearDecoder(N_TOKENS, embedding, OUTPUT_RATE, tie_encoder=encoder.encoder)
        self.model = SequentialRNN(encoder, decoder)

    def infer(self, inputs: Tensor) -> Tensor:
        return self.model(inputs)[0]

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        logits, raw, dropped = self.model(inputs)
        loss = functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
        return loss + AR * dropped.float().pow(2).mean() + TAR * (raw[:, 1:] - raw[:, :-1]).float().pow(2).mean()


class FastaiAdam:
    """fastai's own Adam as an optimizer of torch, as far as `Learner` needs it."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        from fastai.optimizer import Adam

        self.optimizer = Adam(parameters, lr=1e-3, mom=0.9, sqr_mom=0.99, wd=0.01)
        self.param_groups = [{"params": parameters, "lr": 1e-3}]
        self.step, self.zero_grad = self.optimizer.step, self.optimizer.zero_grad


KINDS = {"bindgram": Bindgram, "plain": Plain, "fastai": Fastai, "fastai, its Adam": Fastai}


class Contestant:
    """A model with what trains it."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        torch.manual_seed(1)
        self.name, self.device = name, torch.device(options.device)
        self.learner = Learner(KINDS[name](*SIZES[options.size]), self.device, options.precision, CLIP_NORM)
        self.model = self.learner.model
        parameters = list(self.model.parameters())
        self.learner.optimizer = make_optimizer("adamw", [parameters], [1e-3], 1e-2)
        self.learner.schedule = make_schedule("constant", self.learner.optimizer, 1, None, None)
        if name == "fastai, its Adam":
            self.learner.optimizer, self.learner.schedule = FastaiAdam(parameters), SimpleNamespace(step=lambda: None)
        tokens = torch.randint(3, N_TOKENS, (options.batch, options.length + 1), device=self.device)
        self.inputs, self.targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()

    def train(self) -> None:
        self.model.train()
        with self.learner.autocast():
            loss = self.model(self.inputs, self.targets)
        self.learner.add_gradient(loss, first=True, last=True)
        self.learner.step()

    @torch.no_grad()
    def infer(self) -> None:
        self.model.eval()
        with self.learner.autocast():
            self.model.infer(self.inputs)


def seconds(action: Callable[[], None], n_steps: int, device: torch.device) -> float:
    """Time of some steps: of the process on a CPU, of the clock on a GPU."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = clock()
    for _ in range(n_steps):
        action()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - start


def compete(contestants: list[Contestant], task: str, options: argparse.Namespace) -> dict[str, list[float]]:
    """Tokens per second of each, once per round; the first round does not count."""
    speeds: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    tokens = options.batch * options.length * options.steps
    for number in range(options.rounds + 1):
        for contestant in contestants:
            taken = seconds(getattr(contestant, task), options.steps, contestant.device)
            if number:
                speeds[contestant.name].append(tokens / taken)
    return speeds


def report(task: str, speeds: dict[str, list[float]]) -> None:
    """One row per contestant: its speed, and ours over its, round by round."""
    print(f"\n| {task} | tokens/s, median | bindgram is ... times as fast: median (lowest to highest round) |")
    print("|---|---|---|")
    for name, theirs in speeds.items():
        ratios = [ours / other for ours, other in zip(speeds["bindgram"], theirs, strict=True)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"| {name} | {statistics.median(theirs):,.0f} | {'' if name == 'bindgram' else spread} |", flush=True)


def memory(name: str, options: argparse.Namespace) -> float:
    """MB that the model and two training steps take at most, beyond the imports."""
    Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the highest use so far
    before = resident("VmRSS")
    contestant = Contestant(name, options)
    for _ in range(2):
        contestant.train()
    if contestant.device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    return resident("VmHWM") - before


def resident(kind: str) -> float:
    """MB of memory of this process: VmRSS now, VmHWM at most."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{kind}:\s+(\d+) kB", status)[1]) / 1e3


def in_own_process(name: str) -> str:
    """Memory of one contestant, measured by this script in a process of its own."""
    command = [sys.executable, *sys.argv, "--memory-of", name]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def describe(options: argparse.Namespace) -> None:
    device = torch.device(options.device)
    named = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU {platform.machine()}"
    print(f"{date.today()}, {named}, torch {torch.__version__}, {json.dumps(vars(options))}")


def has_fastai() -> bool:
    sys.path.append(f"{sys.prefix}/fastai")
    try:
        import fastai.text.models.awdlstm  # noqa: F401
    except ImportError as error:
        print(f"fastai is left out: {error}; make fastai", file=sys.stderr)
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--length", type=int, default=70)
    parser.add_argument("--precision", choices=["32-true", "bf16-mixed", "16-mixed"], default="32-true")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1, help="of a CPU")
    parser.add_argument("--steps", type=int, default=1, help="per turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory-of", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with_fastai = has_fastai()
    if options.memory_of:
        print(f"{memory(options.memory_of, options):,.0f}")
        return
    names = [name for name in KINDS if with_fastai or not name.startswith("fastai")]
    describe(options)
    contestants = [Contestant(name, options) for name in names]
    print(f"{sum(value.numel() for value in contestants[0].model.parameters()):,} parameters")
    report("inference", compete(contestants, "infer", options))
    report("training", compete(contestants, "train", options))
    del contestants
    print("\n| memory of training | MB |\n|---|---|")
    for name in names:
        print(f"| {name} | {in_own_process(name)} |", flush=True)


if __name__ == "__main__":
    main()
