import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from bindgram.evaluation.groups import POSITIVES
from bindgram.evaluation.predictions import COLUMNS
from bindgram.report.panel import (
    Examples,
    counts_of,
    examples_of,
    learning_of,
    make_panel,
    sanity_of,
    write_panel,
)
from bindgram.report.panel_scores import (
    FIRST_POINTS,
    N_SITES,
    Scored,
    calibration_of,
    curves_of,
    histogram_of,
    reliability,
    simplified,
    strongest_sites,
    why_undefined,
)

RNG_SEED = 3


def predictions(labels, scores, split="test", test_set="T2"):
    frame = pd.DataFrame({"label": labels, "score": np.asarray(scores, float), "split": split, "test_set": test_set})
    return frame.assign(example_id=[f"{split}{i}" for i in range(len(frame))]).reindex(columns=COLUMNS)


def scored(frame, model="cnn", **metadata):
    return Scored(model, frame, {"reason": "", "skipped_test_sets": {}} | metadata)


def drawn(n=600, seed=RNG_SEED, signal=1.5):
    """Test rows and a twin of scores that are log odds times two."""
    rng = np.random.default_rng(seed)
    parts = []
    for split in ("test", "valid"):
        labels = (rng.random(n) < 0.4).astype(int)
        parts.append(predictions(labels, 2 * (signal * labels + rng.normal(size=n) - 1), split))
    return pd.concat(parts, ignore_index=True)


def no_examples(reason=""):
    return Examples({}, {}, None, reason)


def off_curve(x, y, curve):
    """Largest distance of a point (x, y) from a polyline, both in thousandths."""
    a, b = np.column_stack(curve)[:-1, None, :].astype(float), np.column_stack(curve)[1:, None, :].astype(float)
    points, along = np.column_stack([x, y])[None], b - a
    share = ((points - a) * along).sum(2) / np.maximum((along**2).sum(2), 1e-12)
    return np.linalg.norm(a + share.clip(0, 1)[..., None] * along - points, axis=2).min(axis=0).max()


def test_curves_follow_those_of_scikit_learn_with_few_points():
    frame = drawn()
    test = frame[frame["split"] == "test"]
    curves = curves_of([scored(frame)], "T2")
    false_positive, recall, _ = roc_curve(test["label"], test["score"], drop_intermediate=False)
    precision, recalled, _ = precision_recall_curve(test["label"], test["score"])
    assert len(curves["roc"][0][0]) <= FIRST_POINTS
    assert len(curves["pr"][0][0]) <= FIRST_POINTS
    assert off_curve(1000 * false_positive, 1000 * recall, curves["roc"][0]) < 15
    assert off_curve(1000 * recalled, 1000 * precision, curves["pr"][0]) < 40  # single examples at low recall
    assert [axis[0] for axis in curves["pr"][0]] == [0, 1000]
    assert [axis[-1] for axis in curves["roc"][0]] == [1000, 1000]
    on_curve = off_curve(*np.array(curves["roc"][0]), (1000 * false_positive, 1000 * recall))
    assert on_curve <= np.sqrt(0.5)  # points drawn are points of the curve, rounded


def test_curve_of_a_perfect_model_needs_three_points():
    curves = curves_of([scored(predictions([0, 0, 1, 1, 1], [1, 2, 3, 4, 5]))], "T2")
    assert curves["roc"] == [[[0, 0, 1000], [0, 1000, 1000]]]


def test_corner_of_a_line_is_kept_and_what_lies_between_is_not():
    x, y = np.array([0, 1, 2, 3, 4.0]), np.array([0, 1, 2, 1, 0.0])
    assert [axis.tolist() for axis in simplified(x, y, 9)] == [[0, 2, 4], [0, 2, 0]]
    assert [axis.tolist() for axis in simplified(x, y, 2)] == [[0, 4], [0, 0]]


def test_every_seed_has_its_curve():
    curves = curves_of([scored(drawn(seed=seed)) for seed in range(3)], "T2")
    assert len(curves["roc"]) == len(curves["pr"]) == 3
    assert "reason" not in curves


@pytest.mark.parametrize(
    ("labels", "scores", "reason"),
    [
        ([1, 1, 1], [1, 2, 3], "not defined: no negatives among the test examples"),
        ([0, 0, 0], [1, 2, 3], "not defined: no positives among the test examples"),
        ([0, 1, 1], [2, 2, 2], "not defined: all 3 scores of the test examples are 2"),
        ([0, 1, 1], [2, np.nan, np.inf], "not defined: 2 of 3 scores of the test examples are not finite"),
        ([], [], "not defined: no test examples"),
    ],
)
def test_scores_that_rank_nothing_have_a_reason_and_no_numbers(labels, scores, reason):
    seeds = [scored(predictions(labels, scores))]
    found = [curves_of(seeds, "T2"), histogram_of(seeds, "T2"), calibration_of(seeds, "T2")]
    found.append(strongest_sites(seeds, "T2", pd.DataFrame()))
    assert {part.pop("reason") for part in found} == {why_undefined(seeds[0], "T2")}
    assert why_undefined(seeds[0], "T2").startswith(reason)
    assert found == [{"roc": [None], "pr": [None]}, {}, {}, {"model": "cnn"}]


def test_histogram_counts_every_example_once_in_bins_that_the_seeds_share():
    seeds = [scored(drawn(seed=seed)) for seed in (1, 2)]
    found = histogram_of(seeds, "T2")
    n = [seed.rows("T2", "test")["label"].value_counts() for seed in seeds]
    assert [sum(counts) for counts in found["positives"]] == [counts[1] for counts in n]
    assert [sum(counts) for counts in found["negatives"]] == [counts[0] for counts in n]
    assert {len(counts) for counts in found["positives"] + found["negatives"]} == {30}
    assert found["range"][0] < found["range"][1]


def test_reliability_is_the_mean_of_each_tenth_of_the_examples():
    stated = np.repeat(np.arange(1, 11) / 11, 2)
    found = reliability(np.tile([0, 1], 10), np.log(stated / (1 - stated)))
    assert found == [[91, 182, 273, 364, 455, 545, 636, 727, 818, 909], [500] * 10, [2] * 10]


def test_certain_predictions_are_in_the_last_tenth():
    assert reliability(np.array([1, 0]), np.array([800.0, -800.0])) == [[0, 1000], [0, 1000], [1, 1]]


def test_temperature_of_the_twin_brings_predictions_nearer_to_what_is_observed():
    found = calibration_of([scored(drawn(5000))], "T2")

    def miss(bins):
        predicted, observed, n = np.array(bins)
        return (np.abs(predicted - observed) * n).sum() / n.sum()

    assert 1 < found["temperature"][0] < 3
    assert miss(found["after"][0]) < miss(found["before"][0])


def test_missing_twin_leaves_reliability_before_and_a_reason():
    frame = drawn()
    found = calibration_of([scored(frame[frame["split"] == "test"])], "T2")
    assert found["before"][0]
    assert found["after"] == [None]
    assert found["reason"].endswith("no validation twin")


def test_scores_that_are_no_log_odds_have_no_calibration():
    found = calibration_of([scored(drawn(), scale="arbitrary")], "T2")
    assert found == {"reason": "not defined: the model's scores are no log odds, they state no probability"}


def test_ten_examples_have_curves_but_no_calibration():
    seeds = [scored(drawn(10))]
    assert calibration_of(seeds, "T2") == {"reason": "not defined: 10 test examples do not fill 10 bins of 5"}
    assert curves_of(seeds, "T2")["roc"][0]


def test_sites_are_the_highest_means_of_the_seeds_with_their_places():
    labels, n = np.array([1, 0] * 20), 40
    first, second = np.arange(n, dtype=float), np.arange(n, dtype=float)
    first[3], second[3] = 100, 90
    frames = [predictions(labels, scores) for scores in (first, second)]
    examples = pd.DataFrame(
        {"example_id": frames[0]["example_id"], "chrom": "chr1", "start": range(n), "end": range(50, 50 + n)}
    ).assign(label=labels)
    examples.loc[39, ["chrom", "start", "end"]] = None
    found = strongest_sites([scored(frame) for frame in frames], "T2", examples)
    assert found["model"] == "cnn"
    assert len(found["windows"]) == N_SITES
    assert found["windows"][0] == ["chr1", 3, 53, 0, 95.0, 90.0, 100.0]
    assert found["windows"][1] == ["test39", -1, -1, 0, 39.0, 39.0, 39.0]


def test_learning_keeps_both_ends_and_few_rows():
    log = pd.DataFrame({"stage": [1] * 50 + [2] * 50, "epoch": range(100), "train_loss": 0.5, "valid_loss": 0.25})
    log["valid_auroc"] = [np.nan, *np.linspace(0.5, 1, 99)]
    first, second = learning_of([("cnn", log), ("cnn", log), ("gone", pd.DataFrame())])
    assert (first["epoch"][0], first["epoch"][-1], len(first["epoch"])) == (1, 100, 40)
    assert len(second["epoch"]) == 15
    assert (first["stage"][0], first["stage"][-1]) == (0, 1)
    assert first["valid_auroc"][0] is None


def test_learning_of_a_language_model_counts_tokens_over_its_stages():
    log = pd.DataFrame({"stage": "pretrain", "tokens": [1e6, 2e6, 5e5]})
    log = log.assign(valid_nats_per_base=[1.4, 1.3, 1.2], markov_nats_per_base=1.35)
    (entry,) = learning_of([("lm", log)])
    assert entry["million_tokens"] == [1.0, 2.0, 2.0]
    assert (entry["valid"], entry["reference"]) == ([1.4, 1.3, 1.2], 1.35)


def test_examples_are_counted_in_bins_of_gc_and_width():
    sets = {
        POSITIVES: pd.DataFrame({"sequence": ["GGGG", "GGAA"], "split": ["train", "test"]}),
        "training: shuffle": pd.DataFrame({"sequence": ["AAAA"] * 3, "split": "train"}),
    }
    examples = Examples(sets, {}, np.array([100] * 99 + [5000]), "")
    found = examples_of(examples)
    assert found["gc"]["sets"] == {POSITIVES: [0, 0, 1, 0, 1], "training: shuffle": [3, 0, 0, 0, 0]}
    assert found["gc"]["range"] == [-0.125, 1.125]
    assert sum(found["widths"]["counts"]) == 100
    assert (found["widths"]["window"], found["widths"]["longest"]) == (4, 5000)
    assert counts_of(sets) == {POSITIVES: {"train": 1, "test": 1}, "training: shuffle": {"train": 3}}


def test_failed_sanity_checks_are_named():
    rows = [("labels", "T1", 10, 0, ""), ("summits", "T1", 10, 2, "e3")]
    sanity = pd.DataFrame(rows, columns=["check", "table", "n_checked", "n_failed", "example"])
    assert sanity_of(sanity) == {"n_checks": 2, "n_rows": 20, "failed": ["summits, T1: 2 of 10"]}
    assert sanity_of(None)["reason"].startswith("not defined: ")


def test_skipped_experiment_has_its_reason_once_and_no_numbers():
    skipped = scored(predictions([], []), reason="5 positives", skipped_test_sets={"T2": "5 positives"})
    panel = make_panel({"experiment": "E"}, [skipped], [], no_examples("5 positives"), None, "T2")
    assert (panel["status"], panel["reason"]) == ("skipped", "5 positives")
    assert panel["curves"] == panel["histograms"] == panel["calibration"] == {}
    assert panel["sites"] == {"model": "cnn", "reason": "not defined: 5 positives"}


def test_one_model_without_scores_does_not_take_the_others_along():
    failed = scored(predictions([], []), "broken", reason="no motif of X")
    panel = make_panel({}, [scored(drawn()), failed], [], no_examples(), None, "T2")
    assert panel["status"] == "ok"
    assert panel["curves"]["broken"]["reason"] == "not defined: no motif of X"
    assert panel["curves"]["cnn"]["roc"][0]


def test_headline_that_was_not_made_is_replaced_by_what_was():
    panel = make_panel({}, [scored(drawn())], [], no_examples(), None, "T9")
    assert panel["test_set"]["name"] == "T2"


def test_panel_of_eight_models_and_three_seeds_is_small_and_always_the_same(tmp_path):
    results = [
        scored(drawn(5000, 10 * model + seed, 0.3 * model), f"model_{model}") for model in range(8) for seed in range(3)
    ]
    log = pd.DataFrame({"stage": 1, "epoch": range(60)})
    rng = np.random.default_rng(1)
    log = log.assign(**{name: rng.random(60) for name in ("train_loss", "valid_loss", "valid_auroc")})
    logs = [(result.model, log) for result in results]
    texts = pd.Series(["".join(row) for row in rng.choice(list("ACGT"), (200, 200))])
    sets = {name: pd.DataFrame({"sequence": texts, "split": "train"}) for name in (POSITIVES, "training", "T1", "T2")}
    examples = Examples(sets, {}, rng.integers(150, 900, 5000), "")
    for name in ("a.json", "b.json"):
        panel = make_panel({"experiment": "E"}, results, logs, examples, None, "T2")
        write_panel(tmp_path / name, panel, {"inputs": {str(i): "0" * 64 for i in range(30)}})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert (tmp_path / "a.json").stat().st_size <= 45_000
    assert json.loads((tmp_path / "a.json").read_text())["test_set"]["name"] == "T2"


def test_scores_far_from_zero_keep_their_shape():
    found = histogram_of([scored(predictions([0, 1] * 50, 1e6 + np.arange(100) / 100))], "T2")
    assert found["range"] == pytest.approx([1e6, 1e6 + 0.99], abs=0.01)
    assert max(found["positives"][0]) <= 3


def test_counts_are_known_though_the_first_model_failed():
    failed = scored(predictions([], []), "broken", reason="out of memory")
    panel = make_panel({}, [failed, scored(drawn(100))], [], no_examples(), None, "T2")
    assert panel["test_set"]["n_positives"] + panel["test_set"]["n_negatives"] == 100


def test_what_a_baseline_chose_is_said_in_words():
    motif = {
        "motif": "MA1 A",
        "library": "JASPAR2026",
        "train_auroc": 0.91,
        "candidates": {"MA2 B": 0.8, "MA1 A": 0.91},
    }
    results = [
        scored(drawn()),
        scored(drawn(), "jaspar", details=motif),
        scored(drawn(), "svm", details={"n_trained": 9000}),
    ]
    assert make_panel({}, results, [], no_examples(), None, "T2")["details"] == {
        "jaspar": "MA1 A of JASPAR2026, AUROC 0.910 on training examples; not chosen: MA2 B 0.800",
        "svm": "trained on 9,000 sequences",
    }
