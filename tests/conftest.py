"""Fixtures that every test may use: the checkout, real data, and a tiny synthetic project that the workflow can run.

The tiny project is a chromosome of random DNA with a motif planted at the peaks of one experiment. It copies
``workflow/`` and ``envs/`` of the checkout, so that its runs test the rules that are shipped.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import numpy as np
import pandas as pd
import pytest
import yaml

if TYPE_CHECKING:
    from bindgram.models.bundle import Bundle

hypothesis.settings.register_profile("bindgram", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("bindgram")

REPOSITORY = Path(__file__).resolve().parents[1]

MOTIF = "TGACTCAGCA"
CHROM_BP = 240_000
SPACING_BP = 600  # between the starts of neighbouring peaks
SPLIT = {
    "train": {"a": "chrA:0-150000"},
    "valid": {"b": "chrA:150100-180000"},
    "test": {"c": "chrA:180100-240000"},
}
LSTM_DROPOUT = {"embedding": 0.0, "input": 0.0, "weight": 0.0, "hidden": 0.0}
LANGUAGE_MODEL = {
    "vocabulary": {"k": 3, "stride": 1},
    "direction": "forward",
    "encoder": {"name": "awd_lstm", "embedding_size": 16, "hidden_size": 32, "n_layers": 1},
    "objective": {"name": "next_token", "ar": 0.0, "tar": 0.0},
    "pretrain": {
        "optimizer": {
            "name": "adamw",
            "learning_rate": 1.0e-2,
            "weight_decay": 1.0e-2,
            "schedule": "one_cycle",
            "warmup": 0.25,
            "momentum": None,
            "clip_norm": 1.0,
            "nonmonotone_checks": None,
        },
        "dropout": LSTM_DROPOUT | {"output": 0.0},
        "batch_size": 16,
        "accumulation": 1,
        "bptt": 32,
        "variable_bptt": False,
        "epochs": 1,
        "max_tokens": 20_000,
        "validate_every": 50,
        "max_valid_tokens": 10_000,
        "reverse_complement": True,
        "precision": "32-true",
    },
    "adapt": None,
}
FINETUNE = {
    "stages": [{"unfrozen": None, "epochs": 6, "learning_rate": 1.0e-2}],
    "layer_decay": 1.0,
    "weight_decay": 1.0e-2,
    "schedule": "one_cycle",
    "warmup": 0.25,
    "momentum": None,
    "clip_norm": 1.0,
    "batch_size": 32,
    "patience": None,
    "reverse_complement": True,
    "dropout": None,
    "precision": "32-true",
}
HEAD = {"hidden_size": 16, "dropout": 0.0, "hidden_dropout": 0.0}
MODELS = {
    "tiny_lstm": {
        "pretrained": "tiny",
        "backward": None,
        "adapt": "none",
        "encoder": {"same_as": "tiny"},
        "vocabulary": None,
        "head": {"name": "concat_pool", **HEAD},
        "finetune": FINETUNE
        | {
            "dropout": LSTM_DROPOUT,
            "stages": [{"unfrozen": None, "epochs": 4, "learning_rate": 1.0e-2}],
        },
    },
    "tiny_cnn": {
        "pretrained": "none",
        "backward": None,
        "adapt": "none",
        "encoder": {"name": "conv", "n_filters": 16, "filter_width": 12},
        "vocabulary": None,
        "head": {"name": "max_pool", **HEAD},
        "finetune": FINETUNE,
    },
}
CONFIG_CHANGES = {
    "split": "blocks",
    "models": ["tiny_lstm", "tiny_cnn"],
    "seeds": [1],
    "baselines": {
        "kmer2_lr": {"kind": "kmer", "k": 2, "inverse_regularisation": 1.0},
        "likelihood": {"kind": "likelihood"},
    },
    "floor": "kmer2_lr",
    "universe": None,
    "device": "cpu",
}
SNAKEMAKE_OPTIONS = [
    *("--set-threads", "pretrain_language_model=1", "finetune_classifier=1", "predict_scores=1", "score_likelihood=1"),
    "interpret_model=1",
    *("--rerun-triggers", "mtime", "params", "input", "code"),
    *("--cores", "2"),
]
SHEET_HEADER = "experiment\ttf\tbiosample\tassembly\tformat\tpeaks\n"


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name packed bytes by their length: gzip writes the time into them, and every process must find the same names."""
    return f"packed-{len(val)}" if isinstance(val, bytes) and val.startswith(b"\x1f\x8b") else None


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real data for development, beside the checkout; a test marked `realdata` is skipped without it."""
    folder = REPOSITORY.parent / "shared/data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside the checkout")
    return folder


def write_yaml(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(value, sort_keys=False))


def random_dna(n_bases: int, rng: np.random.Generator) -> np.ndarray:
    """(n_bases,) ASCII codes."""
    return np.frombuffer(b"ACGT", np.uint8)[rng.integers(0, 4, n_bases)]


def write_peaks(path: Path, summits: np.ndarray) -> None:
    """Write narrowPeak rows of 100 bp with the summit in the middle; earlier rows are stronger."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        f"chrA\t{summit - 50}\t{summit + 50}\tpeak{number}\t0\t.\t{1000 - number}\t-1\t-1\t50\n"
        for number, summit in enumerate(summits)
    ]
    path.write_text("".join(rows))


def write_tiny_project(root: Path) -> None:
    """Write a project that runs in about a minute: one learnable experiment, one with peaks anywhere, one too small."""
    rng = np.random.default_rng(7)
    for name in ("workflow", "envs"):
        shutil.copytree(REPOSITORY / name, root / name)
    genome = random_dna(CHROM_BP, rng)
    planted = np.arange(300, CHROM_BP - 300, SPACING_BP)
    for summit in planted:
        start = summit - len(MOTIF) // 2 + rng.integers(-10, 11)
        genome[start : start + len(MOTIF)] = np.frombuffer(MOTIF.encode(), np.uint8)
    (root / "data").mkdir()
    (root / "data/genome.fa").write_text(">chrA\n" + "".join(f"{line}\n" for line in _lines(genome.tobytes().decode())))
    (root / "data/chrom.sizes").write_text(f"chrA\t{CHROM_BP}\n")
    write_peaks(root / "data/planted.narrowPeak", rng.permutation(planted))
    anywhere = 300 + np.cumsum(rng.integers(200, 2 * SPACING_BP - 200, len(planted)))
    write_peaks(root / "data/control.narrowPeak", rng.permutation(anywhere[anywhere < CHROM_BP - 300]))
    write_peaks(root / "data/few.narrowPeak", planted[:5])

    config = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text()) | CONFIG_CHANGES
    config["select"]["tiers"] = []
    # So few sequences that no patterns are looked for: the code that does takes 20 s to compile, in every job.
    config["interpretation"] |= {"n_sequences": 16, "methods": ["ism", "grad_cam"]}
    config["positives"] |= {"width": 60, "minimum": {"train": 20, "valid": 10, "test": 10}}
    config["negatives"] |= {"exclusion_bp": 50, "gc_bins": 5}
    config["battery"] = {
        "test_sets": {
            "T1": {"scheme": "dinucleotide_shuffle", "ratio": 1.0},
            "T2": {"scheme": "genomic_matched", "ratio": 1.0},
        },
        "max_positives": None,
    }
    config["evaluation"]["bootstrap_replicates"] = 200
    config["headline"] = {"test_set": "T2", "metric": "auroc"}
    write_yaml(root / "config/config.yaml", config)
    shutil.copy(REPOSITORY / "config/revisions.yaml", root / "config/revisions.yaml")
    write_yaml(root / "config/splits/blocks.yaml", {"assemblies": {"toy": SPLIT | {"tiled": "c"}}})
    write_yaml(root / "config/lms/tiny.yaml", LANGUAGE_MODEL)
    for name, model in MODELS.items():
        write_yaml(root / f"config/models/{name}.yaml", model)
    (root / "config/assemblies.tsv").write_text("assembly\tfasta\tchrom_sizes\ntoy\tdata/genome.fa\tdata/chrom.sizes\n")
    (root / "config/experiments.tsv").write_text(
        SHEET_HEADER + "".join(sheet_row(name) for name in ("planted", "control", "few"))
    )


def sheet_row(name: str) -> str:
    """Row of the experiment sheet whose peaks lie in data/{name}.narrowPeak."""
    return f"{name}\t{name.upper()}\tcells\ttoy\tnarrowPeak\tdata/{name}.narrowPeak\n"


def _lines(text: str, width: int = 60) -> list[str]:
    return [text[start : start + width] for start in range(0, len(text), width)]


class Project:
    """A project folder in which Snakemake runs."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake with the commands of this environment; output and errors come together."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            [sys.executable, "-m", "snakemake", *SNAKEMAKE_OPTIONS, *arguments],
            cwd=self.root,
            env=os.environ | {"PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def planned_jobs(self, *arguments: str) -> set[tuple[str, ...]]:
        """Jobs of a dry run: (rule, wildcard values in the order of their names)."""
        result = self.snakemake("--dry-run", *arguments)
        assert result.returncode == 0, result.stdout
        jobs: list[tuple[str, ...]] = []
        for line in result.stdout.splitlines():
            if match := re.match(r" *(?:local)?rule (\w+):$", line):
                jobs.append((match[1],))
            elif match := re.match(r" +wildcards: (.*)$", line):
                values = dict(item.split("=", 1) for item in match[1].split(", "))
                jobs[-1] += tuple(values[name] for name in sorted(values))
        assert len(jobs) == len(set(jobs))
        return set(jobs)

    def write_peaks(self, name: str, summits: Sequence[int]) -> None:
        """Write or replace the peak file of one experiment."""
        write_peaks(self.root / f"data/{name}.narrowPeak", np.asarray(summits))

    def add_experiment(self, name: str) -> None:
        """Append an experiment to the sheet; its peaks lie in data/{name}.narrowPeak."""
        self.edit("config/experiments.tsv", lambda text: text + sheet_row(name))

    def edit(self, path: str, change: Callable[[str], str]) -> None:
        """Rewrite a text file; the change must change something."""
        file = self.root / path
        old = file.read_text()
        new = change(old)
        assert new != old
        file.write_text(new)


@pytest.fixture(scope="session")
def make_tiny_project() -> Callable[[Path], Path]:
    """Writes the tiny project before any run into a new folder, and returns the folder."""

    def make(root: Path) -> Path:
        root.mkdir()
        write_tiny_project(root)
        return root

    return make


@pytest.fixture(scope="session")
def open_project() -> Callable[[Path], Project]:
    """Opens a folder that `make_tiny_project` has made, for tests that share one."""
    return Project


@pytest.fixture
def fresh_project(tmp_path: Path) -> Project:
    """The tiny project before any run."""
    write_tiny_project(tmp_path)
    return Project(tmp_path)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The tiny project after a whole run. Read only: take a copy (`project`) to change anything."""
    root = tmp_path_factory.mktemp("tiny") / "project"
    root.mkdir()
    write_tiny_project(root)
    project = Project(root)
    result = project.snakemake("--keep-going", "--show-failed-logs")
    assert result.returncode == 0, result.stdout
    return project


@pytest.fixture
def project(finished_run: Project, tmp_path: Path) -> Project:
    """A copy of the finished tiny project, with the times of its files."""
    shutil.copytree(finished_run.root, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


@pytest.fixture
def make_bundle() -> Callable[..., "Bundle"]:
    """Makes a bundle of random weights: of ``tiny_cnn`` or ``tiny_lstm`` with a width, or of the language model."""
    import torch

    from bindgram.models.bundle import Bundle
    from bindgram.models.classifier import build_classifier
    from bindgram.models.language_model import build_language_model
    from bindgram.settings.models import LanguageModelFile, ModelFile

    def randomised(network: torch.nn.Module, seed: int) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        for name, value in network.state_dict().items():
            if value.is_floating_point() and "var" not in name:
                value.uniform_(-0.8, 0.8, generator=generator)
        return network.state_dict()

    def make(name: str, seed: int = 0, width: int = 40, **metrics: object) -> Bundle:
        language_model = LanguageModelFile.model_validate(LANGUAGE_MODEL)
        vocabulary = {"k": 3, "stride": 1, "special_tokens": ["<pad>", "<unk>", "<bos>"]}
        if name == "language_model":
            used = language_model.model_dump(exclude={"adapt"})
            state = randomised(build_language_model(language_model, language_model.pretrain.dropout), seed)
            table = np.log(np.random.default_rng(seed).dirichlet(np.ones(4), 4)).tolist()
            return Bundle(name, used, vocabulary, state, pd.DataFrame(), {}, {"markov1": table} | metrics)
        file = MODELS[name] | {"pretrained": "none"}
        if name == "tiny_lstm":
            file |= {"encoder": LANGUAGE_MODEL["encoder"], "vocabulary": LANGUAGE_MODEL["vocabulary"]}
        model = ModelFile.model_validate(file)
        state = randomised(build_classifier(model, model.encoder, model.vocabulary), seed)
        used = model.model_dump() | {"width": width}
        return Bundle("classifier", used, vocabulary if model.vocabulary else None, state, pd.DataFrame(), {}, metrics)

    return make
