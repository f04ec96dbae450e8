"""Metrics against scikit-learn, coverage of the bootstrap intervals in simulation, and speed.

Usage::

    python benchmarks/evaluation_statistics.py parity
    python benchmarks/evaluation_statistics.py coverage --repeats 600 --replicates 200
    python benchmarks/evaluation_statistics.py speed

Prints Markdown tables. Coverage draws test sets from normal distributions whose blocks share an effect (`Setting`), for
which the metrics of endless data are known, and counts how often the interval holds them.
"""

import argparse
import time
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from bindgram.evaluation.calibration import probabilities
from bindgram.evaluation.metrics import METRICS
from bindgram.evaluation.resampling import FALSE_DISCOVERY_RATES, MAX_FPR, Examples
from bindgram.evaluation.statistics import (
    effective_blocks,
    percentile_interval,
    replicate_interval,
)

RATIO, PRIOR, CONFIDENCE = 10, 0.03, 0.95


@dataclass(frozen=True)
class Setting:
    """A simulated test set: positives on average, in blocks that share an effect of deviation `shared`.

    Scores of negatives are N(0, 1) and those of positives N(`apart`, 1), each plus the effect of its block.
    """

    n_blocks: int
    n_positives: int
    apart: float
    shared: float = 0.5

    @property
    def threshold(self) -> float:
        """Score from which an example is called, above the middle since negatives are more."""
        return self.apart / 2 + 0.5

    def draw(self, rng: np.random.Generator) -> Examples:
        """A test set: blocks at random, which hold unequal numbers of examples."""
        mean = self.n_positives / self.n_blocks * rng.gamma(2.0, 0.5, self.n_blocks)
        counts = [rng.poisson(mean * per_positive) for per_positive in (1, RATIO)]
        labels = np.repeat([1, 0], [count.sum() for count in counts])
        blocks = np.concatenate([np.repeat(np.arange(self.n_blocks), count) for count in counts])
        effect = self.shared * rng.normal(size=self.n_blocks)
        scores = self.apart * labels + effect[blocks] + rng.normal(size=len(labels))
        numbers = np.unique(blocks, return_inverse=True)[1]
        return Examples(labels, scores, numbers, self.threshold, self.stated(scores), prior=PRIOR)

    def stated(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities that are too sure by a half, so that the calibration error is not 0."""
        spread = 1 + self.shared**2
        log_odds = self.apart * (scores - self.apart / 2) / spread - np.log(RATIO)
        return probabilities(1.5 * log_odds)

    def truth(self) -> dict[str, float]:
        """Metrics of endless data, by numerical integration."""
        spread = np.sqrt(1 + self.shared**2)
        cut = np.linspace(self.apart + 9 * spread, -9 * spread, 200_001)  # falling
        tpr, fpr = norm.sf(cut, self.apart, spread), norm.sf(cut, 0, spread)
        share = 1 / (1 + RATIO)
        precision = share * tpr / (share * tpr + (1 - share) * fpr)
        end = fpr <= MAX_FPR
        area = np.trapezoid(np.append(tpr[end], np.interp(MAX_FPR, fpr, tpr)), np.append(fpr[end], MAX_FPR))
        lowest = MAX_FPR**2 / 2
        found = {
            "auroc": norm.cdf(self.apart / np.sqrt(2) / spread),
            "average_precision": np.trapezoid(precision, tpr),
            "partial_auroc": (1 + (area - lowest) / (MAX_FPR - lowest)) / 2,
        }
        wrong = (1 - PRIOR) * fpr / (PRIOR * tpr + (1 - PRIOR) * fpr)
        found |= {name: tpr[wrong <= rate].max(initial=0.0) for name, rate in FALSE_DISCOVERY_RATES.items()}
        at = [norm.sf(self.threshold, place, spread) for place in (self.apart, 0)]
        found |= calls(share * at[0], (1 - share) * at[1], share)
        density = share * norm.pdf(cut, self.apart, spread), (1 - share) * norm.pdf(cut, 0, spread)
        stated = self.stated(cut)
        step = cut[0] - cut[1]
        found["brier"] = float((density[0] * (1 - stated) ** 2 + density[1] * stated**2).sum() * step)
        return {name: float(value) for name, value in found.items()}


def calls(tp: float, fp: float, share: float) -> dict[str, float]:
    """Metrics of calls, from the shares of all examples."""
    fn, tn = share - tp, 1 - share - fp
    return {
        "mcc": (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)),
        "f1": 2 * tp / (2 * tp + fp + fn),
        "accuracy": tp + tn,
        "precision": tp / (tp + fp),
        "recall": tp / share,
        "specificity": tn / (1 - share),
    }


SETTINGS = (
    Setting(300, 1500, 2.0),
    Setting(60, 300, 2.0),
    Setting(60, 300, 1.0),
    Setting(60, 300, 3.5),
    Setting(60, 80, 2.0),
    Setting(20, 200, 2.0),
    Setting(8, 80, 2.0),
)


def parity(repeats: int) -> None:
    """Largest differences to scikit-learn, over test sets with and without ties."""
    rng = np.random.default_rng(0)
    worst: dict[str, float] = defaultdict(float)
    for number in range(repeats):
        n = int(rng.integers(20, 400))
        labels = np.append([0, 1], rng.integers(0, 2, n))
        scores = labels + rng.normal(size=n + 2)
        scores = np.round(scores, 1) if number % 2 else scores
        weights = rng.poisson(1.0, n + 2).astype(float)
        if len(set(labels[weights > 0])) < 2:
            continue
        stated = probabilities(scores)
        examples = Examples(labels, scores, np.arange(n + 2), 0.5, stated)
        found = examples.metrics()(np.stack([np.ones(n + 2), weights]))
        for row, weight in enumerate((None, weights)):
            for name, value in expected(labels, scores, stated, weight).items():
                worst[name] = max(worst[name], abs(float(found[name][row]) - value))
    print("| metric | largest difference |\n|---|---|")
    for name in METRICS:
        if name in worst:
            print(f"| `{name}` | {worst[name]:.1e} |")


def expected(
    labels: np.ndarray, scores: np.ndarray, stated: np.ndarray, weights: np.ndarray | None
) -> dict[str, float]:
    """Metrics of scikit-learn; the calibration error, which it lacks, from the bins of its `calibration_curve`."""
    called, more = scores >= 0.5, {"sample_weight": weights}
    found = {
        "auroc": sk.roc_auc_score(labels, scores, **more),
        "average_precision": sk.average_precision_score(labels, scores, **more),
        "partial_auroc": sk.roc_auc_score(labels, scores, max_fpr=MAX_FPR, **more),
        "mcc": sk.matthews_corrcoef(labels, called, **more),
        "f1": sk.f1_score(labels, called, **more),
        "accuracy": sk.accuracy_score(labels, called, **more),
        "recall": sk.recall_score(labels, called, **more),
        "specificity": sk.recall_score(1 - labels, ~called, **more),
        "brier": sk.brier_score_loss(labels, stated, **more),
    }
    if called[np.ones(len(labels), bool) if weights is None else weights > 0].any():
        found["precision"] = sk.precision_score(labels, called, **more)
    if weights is None:
        observed, predicted = calibration_curve(labels, stated, n_bins=10, strategy="quantile")
        edges = np.percentile(stated, np.linspace(0, 100, 11))
        n = np.bincount(np.searchsorted(edges[1:-1], stated), minlength=10)
        found["ece"] = float((n[n > 0] * np.abs(observed - predicted)).sum() / len(labels))
    return found


def coverage(repeats: int, replicates: int) -> None:
    """How often 95 % intervals hold the metric of endless data, beside percentile intervals of the same replicates."""
    rng = np.random.default_rng(1)
    tables: dict[str, dict[str, list[str]]] = {}
    heads = []
    for setting in SETTINGS:
        truth = setting.truth()
        held: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
        n_positive_blocks = []
        for _ in range(repeats):
            examples = setting.draw(rng)
            values = examples.metrics()(np.ones((1, examples.ranked.n_blocks)))
            drawn = examples.bootstrap(replicates, rng)
            counts = np.bincount(examples.blocks[examples.labels == 1])
            n_blocks = effective_blocks(counts)
            n_positive_blocks.append(np.count_nonzero(counts))
            for name, true in truth.items():
                value, metric = float(values[name][0]), METRICS[name]
                if not np.isfinite(value):
                    continue
                ours = replicate_interval(value, drawn[name], n_blocks, CONFIDENCE, metric.lowest, metric.highest)
                theirs = percentile_interval(drawn[name], CONFIDENCE)
                held[name].append((ours[0] <= true <= ours[1], theirs[0] <= true <= theirs[1]))
        heads.append(f"{np.mean(n_positive_blocks):.0f} blocks, {setting.n_positives}, {truth['auroc']:.3f}")
        for name, pairs in held.items():
            ours, theirs = 100 * np.mean(pairs, axis=0)
            tables.setdefault(name, {}).setdefault("cells", []).append(f"{ours:.0f} ({theirs:.0f})")
        print(heads[-1], {name: found["cells"][-1] for name, found in tables.items()}, flush=True)
    print("| metric | " + " | ".join(heads) + " |\n|---|" + "---|" * len(heads))
    for name, found in tables.items():
        print(f"| `{name}` | " + " | ".join(found["cells"]) + " |")


def speed() -> None:
    """Processor seconds of a thousand replicates."""
    rng = np.random.default_rng(0)
    print("| positives | negatives | blocks | all metrics |\n|---|---|---|---|")
    for n_positives, ratio, n_blocks in (
        (300, 10, 60),
        (3000, 10, 300),
        (3000, 1, 300),
        (2000, 1, 4000),
        (500, 500, 50),
    ):
        n = n_positives * (1 + ratio)
        labels, blocks = (np.arange(n) % (1 + ratio) == 0).astype(int), np.arange(n) * n_blocks // n
        scores = rng.normal(size=n) + labels
        stated = probabilities(scores)
        start = time.process_time()
        Examples(labels, scores, blocks, 0.5, stated, stated, scores, PRIOR).bootstrap(1000, rng)
        print(f"| {n_positives} | {n - n_positives} | {n_blocks} | {time.process_time() - start:.2f} s |", flush=True)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["parity", "coverage", "speed"])
    parser.add_argument("--repeats", type=int, default=300, help="Simulated test sets.")
    parser.add_argument("--replicates", type=int, default=300, help="Bootstrap replicates of each.")
    given = parser.parse_args()
    if given.what == "parity":
        parity(given.repeats)
    elif given.what == "coverage":
        coverage(given.repeats, given.replicates)
    else:
        speed()


if __name__ == "__main__":
    main()
