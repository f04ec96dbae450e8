"""Metrics against scikit-learn, DeLong against published numbers, coverage of the bootstrap intervals in simulation.

Usage::

    python benchmarks/evaluation_statistics.py parity
    python benchmarks/evaluation_statistics.py delong
    python benchmarks/evaluation_statistics.py coverage --repeats 300 --replicates 300
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
from bindgram.evaluation.delong import delong_covariance, delong_test
from bindgram.evaluation.metrics import METRICS
from bindgram.evaluation.resampling import FALSE_DISCOVERY_RATES, MAX_FPR, Examples
from bindgram.evaluation.statistics import (
    bootstrap_metrics,
    effective_blocks,
    percentile_interval,
    replicate_interval,
)

RATIO, PRIOR, CONFIDENCE = 10, 0.03, 0.95
# 43 patients of DeLong et al. 1988 (albumin, total protein, K-G score, outcome), and what SAS/STAT's documentation of
# PROC LOGISTIC ("Comparing Receiver Operating Characteristic Curves") prints for them.
PATIENTS = """
3.0 5.8 10 0 3.2 6.3 5 1 3.9 6.8 3 1 2.8 4.8 6 0 3.2 5.8 3 1 0.9 4.0 5 0 2.5 5.7 8 0 1.6 5.6 5 1 3.8 5.7 5 1
3.7 6.7 6 1 3.2 5.4 4 1 3.8 6.6 6 1 4.1 6.6 5 1 3.6 5.7 5 1 4.3 7.0 4 1 3.6 6.7 4 0 2.3 4.4 6 1 4.2 7.6 4 0
4.0 6.6 6 0 3.5 5.8 6 1 3.8 6.8 7 1 3.0 4.7 8 0 4.5 7.4 5 1 3.7 7.4 5 1 3.1 6.6 6 1 4.1 8.2 6 1 4.3 7.0 5 1
4.3 6.5 4 1 3.2 5.1 5 1 2.6 4.7 6 1 3.3 6.8 6 0 1.7 4.0 7 0 3.7 6.1 5 1 3.3 6.3 7 1 4.2 7.7 6 1 3.5 6.2 5 1
2.9 5.7 9 0 2.1 4.8 7 1 2.8 6.2 8 0 4.0 7.0 7 1 3.3 5.7 6 1 3.7 6.9 5 1 3.6 6.6 5 1
"""
PUBLISHED = {
    "AUROC of albumin": 0.7366,
    "AUROC of K-G score": 0.7258,
    "AUROC of total protein": 0.6478,
    "standard error of albumin": 0.0927,
    "standard error of K-G score": 0.1028,
    "standard error of total protein": 0.1000,
    "albumin - K-G score": 0.0108,
    "its standard error": 0.0953,
    "its p-value": 0.9102,
    "total protein - K-G score": -0.0780,
    "its standard error (2)": 0.1046,
    "its p-value (2)": 0.4561,
}


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


def delong() -> None:
    """DeLong's areas, errors and tests on the patients of their paper, beside what SAS prints."""
    table = np.array(PATIENTS.split(), dtype=float).reshape(-1, 4)
    labels, scores = table[:, 3].astype(int), np.stack([table[:, 0], -table[:, 2], table[:, 1]])
    areas, covariance = delong_covariance(labels, scores)
    tests = [delong_test(labels, scores, np.array(weights)) for weights in ([1, -1, 0], [0, -1, 1])]
    found = [*areas, *np.sqrt(np.diag(covariance))]
    found += [number for test in tests for number in (test.difference, test.standard_error, test.p_value)]
    print("| quantity | published | bindgram |\n|---|---|---|")
    for (name, published), ours in zip(PUBLISHED.items(), found, strict=True):
        print(f"| {name.removesuffix(' (2)')} | {published:.4f} | {ours:.6f} |")


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
    print("| positives | negatives | blocks | three metrics, before | all metrics |\n|---|---|---|---|---|")
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
        middle = time.process_time()
        before = "-"
        if n < 100_000:
            bootstrap_metrics(labels, scores, blocks, 0.5, 1000, rng)
            before = f"{time.process_time() - middle:.2f} s"
        print(f"| {n_positives} | {n - n_positives} | {n_blocks} | {before} | {middle - start:.2f} s |", flush=True)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["parity", "delong", "coverage", "speed"])
    parser.add_argument("--repeats", type=int, default=300, help="Simulated test sets.")
    parser.add_argument("--replicates", type=int, default=300, help="Bootstrap replicates of each.")
    given = parser.parse_args()
    if given.what == "parity":
        parity(given.repeats)
    elif given.what == "delong":
        delong()
    elif given.what == "coverage":
        coverage(given.repeats, given.replicates)
    else:
        speed()


if __name__ == "__main__":
    main()
