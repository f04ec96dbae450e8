"""Whether attributions find a planted motif, and what interpreting an experiment costs: results in evaluation.md.

    python benchmarks/interpretation.py recovery
    python benchmarks/interpretation.py speed --model config/models/awd_lstm_demo_scratch.yaml \\
        --language-model config/lms/awd_lstm_demo.yaml

`recovery` trains the shipped small CNN and the small LSTM (from random weights) on random sequences of 101 bp with one
motif, at any place of either strand, against their dinucleotide shuffles. Of the held-out positives it counts those of
which the window of the motif's length with the highest attribution overlaps the planted site, and covers at least half
of it. `speed` needs no training: time does not depend on what the weights are. It tells wall and CPU seconds, since
only the latter mean something on a busy machine.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from bindgram.data.examples import ExampleTable
from bindgram.evaluation.metrics import auroc
from bindgram.interpretation.attribution import ATTRIBUTIONS, attribute
from bindgram.interpretation.faithfulness import faithfulness
from bindgram.interpretation.scorer import OneHotScorer
from bindgram.models.bundle import Bundle, load_bundle, save_bundle
from bindgram.sequence.dna import encode, reverse_complement, strings_of
from bindgram.sequence.kmers import Vocabulary
from bindgram.sequence.shuffles import shuffle_klets
from bindgram.settings.attribution import AttributionSettings, FaithfulnessSettings, OcclusionSettings
from bindgram.settings.models import load_language_model, load_model
from bindgram.training.checkpoints import Checkpoints
from bindgram.training.stages import finetune, resolve_encoder, start_classifier

REPOSITORY = Path(__file__).resolve().parents[1]
MOTIF = encode(np.frombuffer(b"GGAAGTGACA", np.uint8))
WIDTH = 101
SIZES = {"train": 2000, "valid": 300, "test": 500}  # positives
NETWORKS = {"cnn_demo": None, "awd_lstm_demo_scratch": "awd_lstm_demo"}
METHODS = [*ATTRIBUTIONS, "random"]
CPU = torch.device("cpu")
SETTINGS = AttributionSettings(
    references=10,
    integration_steps=32,
    batch_size=256,
    convergence_tolerance=0.1,
    occlusion=OcclusionSettings(window_bp=10, stride_bp=5, draws=4, fill="random"),
    faithfulness=FaithfulnessSettings(steps=10, references=2),
)


def planted(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random sequences with the motif on a random strand, and where it starts."""
    codes = rng.integers(0, 4, (n, WIDTH)).astype(np.uint8)
    places = rng.integers(0, WIDTH - len(MOTIF) + 1, n)
    motifs = np.where(rng.random((n, 1)) < 0.5, MOTIF, reverse_complement(MOTIF))
    np.put_along_axis(codes, places[:, None] + np.arange(len(MOTIF)), motifs, axis=1)
    return codes, places


def examples(rng: np.random.Generator) -> tuple[ExampleTable, np.ndarray, np.ndarray, np.ndarray]:
    """Labelled examples to train and validate; test positives, their sites, and their shuffles."""
    rows = []
    for split in ("train", "valid"):
        positives, _ = planted(SIZES[split], rng)
        both = strings_of(np.concatenate([positives, shuffle_klets(positives, 2, rng)]))
        rows += [(text, int(i < SIZES[split]), split) for i, text in enumerate(both)]
    frame = pd.DataFrame(rows, columns=["sequence", "label", "split"])
    frame["example_id"] = [f"e{row}" for row in range(len(frame))]
    frame = frame.assign(kind="published", chrom=None, start=pd.NA, end=pd.NA, strand=None, parent_id=None)
    codes, places = planted(SIZES["test"], rng)
    return ExampleTable(frame), codes, places, shuffle_klets(codes, 2, rng)


def train(model: str, language_model: str | None, table: ExampleTable, seed: int) -> Bundle:
    return finetune(
        load_model(REPOSITORY / f"config/models/{model}.yaml"),
        load_language_model(REPOSITORY / f"config/lms/{language_model}.yaml") if language_model else None,
        None,
        table,
        device=CPU,
        seed=seed,
        revision=1,
        checkpoints=Checkpoints(),
    )


def found(importance: np.ndarray, places: np.ndarray) -> tuple[float, float]:
    """Share of sequences whose best window of the motif's length overlaps the site, and covers at least half of it."""
    sums = np.lib.stride_tricks.sliding_window_view(importance, len(MOTIF), axis=1).sum(axis=2)
    off = np.abs(sums.argmax(axis=1) - places)
    return float((off < len(MOTIF)).mean()), float((off <= len(MOTIF) / 2).mean())


def recovery(options: argparse.Namespace) -> None:
    table, codes, places, shuffles = examples(np.random.default_rng(options.seed))
    codes, places, shuffles = codes[: options.sequences], places[: options.sequences], shuffles[: options.sequences]
    print("| network | test AUROC | method | site overlapped | half of it | convergence error | faithful (areas) |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for model in options.networks:
        language_model = NETWORKS[model]
        folder = options.keep / f"{model}.s{options.seed}" if options.keep else None
        if folder and (folder / "config.json").exists():
            bundle = load_bundle(folder)
        else:
            bundle = train(model, language_model, table, options.seed)
            if folder:
                save_bundle(folder, bundle)
        scorer = OneHotScorer(bundle, CPU)
        scores = np.concatenate([scorer.score(codes), scorer.score(shuffles)])
        area = auroc(np.repeat([1, 0], len(codes)), scores)
        for method in METHODS:
            rng = np.random.default_rng(options.seed)
            if method == "random":
                importance, error = rng.random(codes.shape), None
            else:
                result = attribute(method, scorer, codes, SETTINGS, rng)
                importance, error = result.importance(codes) if result.defined else None, result.convergence_error
            cells = [model, f"{area:.4f}", method]
            if importance is None:
                print("|", " | ".join([*cells, result.reason[:50], "", "", ""]), "|", flush=True)
                continue
            curves = faithfulness(scorer, codes[:100], importance[:100], SETTINGS.faithfulness, rng, confidence=0.95)
            areas = ", ".join(f"{curves[kind]['area']:.2f}" for kind in ("deletion", "insertion"))
            share = "" if error is None else f"{error:.1e}"
            overlapped, half = found(importance, places)
            cells += [f"{overlapped:.1%}", f"{half:.1%}", share, f"{curves['verdict']} ({areas})"]
            print("|", " | ".join(cells), "|", flush=True)


def untrained(model: Path, language_model: Path | None) -> OneHotScorer:
    """A classifier with random weights."""
    settings = load_model(model)
    other = load_language_model(language_model) if language_model else None
    alone = settings.model_copy(update={"pretrained": "none", "adapt": "none"})
    encoder, words = resolve_encoder(alone, other, None, str(model))
    classifier, _ = start_classifier(alone, encoder, words, None, [], 1, str(model))
    used = alone.model_dump() | {
        "encoder": encoder.model_dump(),
        "vocabulary": words.model_dump() if words else None,
        "width": WIDTH,
    }
    vocabulary = Vocabulary(words.k, words.stride).to_json() if words else None
    return OneHotScorer(Bundle("classifier", used, vocabulary, classifier.state_dict(), pd.DataFrame(), {}), CPU)


def speed(options: argparse.Namespace) -> None:
    scorer = untrained(options.model, options.language_model)
    codes = np.random.default_rng(1).integers(0, 4, (options.sequences, WIDTH)).astype(np.uint8)
    loose = SETTINGS.model_copy(update={"convergence_tolerance": 0.99})
    for method in options.methods or ATTRIBUTIONS:
        attribute(method, scorer, codes[:2], loose, np.random.default_rng(1))  # imports
        wall, cpu = time.perf_counter(), time.process_time()
        result = attribute(method, scorer, codes, loose, np.random.default_rng(1))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        each = 500 / len(codes)
        what = f"{wall * each:.1f} | {cpu * each:.1f}" if result.defined else f"{result.reason[:60]} |"
        print(f"| {options.model.stem} | {method} | {len(codes)} | {what} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["recovery", "speed"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--networks", nargs="*", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--keep", type=Path, help="folder of trained networks, which are not trained again")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--language-model", type=Path)
    parser.add_argument("--sequences", type=int, default=500, help="explained; seconds are scaled to 500")
    parser.add_argument("--methods", nargs="*", choices=list(ATTRIBUTIONS))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recovery(options) if options.what == "recovery" else speed(options)


if __name__ == "__main__":
    main()
