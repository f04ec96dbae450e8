"""Support vector machine on gapped k-mers as a baseline, by the programs of LS-GKM where these are on the PATH.

LS-GKM counts a gapped k-mer and its reverse complement as one, so that both strands of a sequence score alike.

References
----------
Ghandi and others 2014, doi:10.1371/journal.pcbi.1003711; Lee 2016, doi:10.1093/bioinformatics/btw142; command lines:
https://github.com/Dongwon-Lee/lsgkm.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bindgram.errors import InputError
from bindgram.evaluation.fitted import Fitted, Known, Training, Unfitted
from bindgram.provenance import step_rng
from bindgram.sequence.dna import strings_of
from bindgram.settings.baselines import GappedKmerBaseline

PROGRAMS = ("gkmtrain", "gkmpredict")
SLOW_ON_TILES = (
    "not defined: a support vector machine on gapped k-mers scores some 50 sequences per second, and a tiled block has "
    "hundreds of thousands"
)
_CACHE_MB = 2000  # of kernel values; changes no result
_THREADS = (16, 4, 1)  # numbers that the programs know
_OPTIONS = {  # of gkmtrain, by setting
    "kernel": "-t",
    "word_length": "-l",
    "informative": "-k",
    "max_mismatches": "-d",
    "gamma": "-g",
    "regularisation": "-c",
    "positive_weight": "-w",
    "epsilon": "-e",
}


@contextmanager
def fit_gapped_kmers(settings: GappedKmerBaseline, training: Training, known: Known) -> Iterator[Fitted | Unfitted]:
    """Train on at most `max_train` examples, drawn by the seed, in a temporary folder; scores are margins."""
    programs = {name: shutil.which(name) for name in PROGRAMS}
    absent = [name for name, path in programs.items() if path is None]
    if absent:
        yield Unfitted(
            f"not defined: {' and '.join(absent)} of LS-GKM not on the PATH; install it (bioconda has ls-gkm, or "
            "build https://github.com/Dongwon-Lee/lsgkm) and run again with --forcerun score_gapped_kmers"
        )
        return
    drawn = draw_training(training.labels, settings.max_train, known.seed)
    codes, labels = training.codes[drawn], training.labels[drawn]
    threads = ["-T", str(next(number for number in _THREADS if number <= known.threads)), "-v", "1"]
    with TemporaryDirectory(prefix="bindgram-gkm-") as name:
        folder = Path(name)
        for label, file in ((1, "positives.fa"), (0, "negatives.fa")):
            write_fasta(folder / file, codes[labels == label])
        asked = [text for key, option in _OPTIONS.items() for text in (option, str(getattr(settings, key)))]
        command = [programs["gkmtrain"], *asked, "-m", str(_CACHE_MB), *threads]
        _run([*command, "positives.fa", "negatives.fa", "svm"], folder, "svm.model.txt")
        predict = [programs["gkmpredict"], *threads]
        yield Fitted(lambda rows: _predict(predict, folder, rows), {"n_trained": len(drawn)})


def draw_training(labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Indices of at most `n` examples in order, of both classes in their proportion, at least one of each."""
    if len(labels) <= n:
        return np.arange(len(labels))
    rng = step_rng(seed, "baseline", "gapped_kmer_svm")
    positives, negatives = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    n_positives = min(max(round(n * len(positives) / len(labels)), 1), n - 1)
    chosen = [rng.choice(positives, n_positives, replace=False), rng.choice(negatives, n - n_positives, replace=False)]
    return np.sort(np.concatenate(chosen))


def write_fasta(path: Path, codes: np.ndarray) -> None:
    """One sequence per row of (N, L) base codes, named by its number."""
    path.write_text("".join(f">{number}\n{text}\n" for number, text in enumerate(strings_of(codes))), encoding="ascii")


def _predict(command: list[str], folder: Path, codes: np.ndarray) -> np.ndarray:
    write_fasta(folder / "test.fa", codes)
    _run([*command, "test.fa", "svm.model.txt", "scores.txt"], folder, "scores.txt")
    rows = [line.split("\t") for line in (folder / "scores.txt").read_text(encoding="utf-8").splitlines()]
    try:
        names, scores = [int(name) for name, _ in rows], np.array([float(score) for _, score in rows])
    except ValueError:
        raise InputError("gkmpredict: its output is not 'name, tab, score' in every line; check the program") from None
    if names != list(range(len(codes))) or not np.isfinite(scores).all():
        raise InputError(f"gkmpredict: {len(names)} scores of {len(codes)} sequences, or not finite; check the program")
    (folder / "scores.txt").unlink()
    return scores


def _run(command: list[str], folder: Path, made: str) -> None:
    """Run a program that makes a file. Its exit status alone says little: it is 0 after a wrong argument."""
    name = Path(command[0]).name
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    except subprocess.CalledProcessError as error:
        raise InputError(
            f"{name}: exit status {error.returncode}: {_last_lines(error.stdout + error.stderr)}"
        ) from None
    if not (folder / made).is_file():
        raise InputError(f"{name}: made no {made}: {_last_lines(done.stdout + done.stderr)}")


def _last_lines(text: str) -> str:
    return " | ".join(text.strip().splitlines()[-3:]) or "no message"
