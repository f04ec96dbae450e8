import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from bindgram.errors import InputError
from bindgram.evaluation.figures import (
    COLOURS,
    curve_figure,
    drawn_test_set,
    learning_figure,
    read_training_log,
    save_figure,
    score_figure,
    styles,
    thin,
)


def predictions(seed: int = 0, n: int = 600, test_set: str = "T2") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 4 == 0
    scores = labels + rng.normal(size=n)
    return pd.DataFrame({"test_set": test_set, "split": "test", "label": labels.astype(int), "score": scores})


def text_of(figure, folder: Path) -> str:
    save_figure(figure, folder / "figure.svg", {"command": "plot"})
    root = ET.parse(folder / "figure.svg").getroot()
    return "\n".join(part.strip() for part in root.itertext() if part.strip())


def result(name: str, frame: pd.DataFrame, metadata: dict | None = None, **metrics: float):
    test_set = frame["test_set"].iloc[0] if len(frame) else "T2"
    metrics = {"auroc": 0.8125, "average_precision": 0.7} | metrics
    return name, frame, metadata or {}, {f"{test_set}.{key}": value for key, value in metrics.items()}


def skipped(reason: str) -> list:
    return [result("cnn", predictions().iloc[:0], {"reason": reason})]


def classifier_log(n: int = 4) -> pd.DataFrame:
    falling = 1 / np.arange(1, n + 1)
    columns = {"epoch": np.arange(1, n + 1), "train_loss": falling, "valid_loss": falling, "valid_auroc": 1 - falling}
    return pd.DataFrame({"stage": "head", **columns})


def test_curves_name_every_model_with_its_score_and_the_chance_lines(tmp_path):
    tables = [result("cnn", predictions(1)), result("cnn", predictions(2)), result("kmer", predictions(3))]
    text = text_of(curve_figure("CTCF", tables, "T2"), tmp_path)
    assert "CTCF · test set T2: 150 bound, 450 unbound" in text
    assert text.count("(mean of 2 seeds)") == 2
    assert "chance .250" in text
    assert "chance .500" in text
    assert "area under the curve" in text


def test_legend_quotes_the_mean_of_the_evaluated_metrics(tmp_path):
    tables = [result("cnn", predictions(1), auroc=0.9), result("cnn", predictions(2), auroc=0.8)]
    assert "cnn .850 (mean of 2 seeds)" in text_of(curve_figure("CTCF", tables, "T2"), tmp_path)
    assert "cnn 1.000" in text_of(curve_figure("CTCF", [result("cnn", predictions(), auroc=1.0)], "T2"), tmp_path)


def test_drawn_curves_are_those_of_scikit_learn():
    rows = predictions(4, n=120)
    rows["score"] = rows["score"].round(1)  # ties
    roc, recall = curve_figure("CTCF", [result("cnn", rows)], "T2").axes
    expected = roc_curve(rows["label"], rows["score"], drop_intermediate=False)[:2]
    np.testing.assert_allclose(roc.lines[1].get_xydata().T, expected, atol=1e-12)
    precision, recalled, _ = precision_recall_curve(rows["label"], rows["score"])
    drawn = recall.lines[1].get_xydata()
    complete = np.column_stack([recalled, precision])[::-1]  # scikit-learn stops at full recall
    np.testing.assert_allclose(drawn[: len(complete)], complete, atol=1e-12)
    assert (drawn[len(complete) :, 0] == 1).all()


@pytest.mark.parametrize("draw", [curve_figure, score_figure])
def test_skipped_experiments_have_figures_that_say_why(tmp_path, draw):
    assert "Skipped: too few peaks" in text_of(draw("MAX", skipped("too few peaks"), "T2"), tmp_path)


def test_one_class_is_stated(tmp_path):
    frame = predictions().assign(label=1)
    text = text_of(curve_figure("MAX", [result("cnn", frame)], "T2"), tmp_path)
    assert "test set T2 lacks positives or negatives" in text


def test_another_test_set_is_drawn_where_the_headline_was_not_made(tmp_path):
    tables = [result("cnn", predictions(test_set="T1"), {"skipped_test_sets": {"T2": "no coordinates"}})]
    assert drawn_test_set(tables, "T2") == "T1"
    assert "test set T1" in text_of(score_figure("GABPA", tables, "T2"), tmp_path)


def test_score_panels_are_one_per_model_in_the_order_given(tmp_path):
    tables = [result("cnn", predictions(1)), result("lstm", predictions(2)), result("cnn", predictions(3))]
    figure = score_figure("CTCF", tables, "T2")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["cnn", "lstm"]


def test_learning_curves_tell_classifiers_from_language_models(tmp_path):
    lm = pd.DataFrame({"stage": "pretrain", "tokens": [10, 20], "valid_nats_per_base": [1.3, 1.2]})
    logs = [("lstm", classifier_log()), ("hg38", lm.assign(markov_nats_per_base=1.25)), ("none", pd.DataFrame())]
    text = text_of(learning_figure("CTCF", logs), tmp_path)
    assert "Validation AUROC" in text
    assert "Language model, held-out regions" in text
    assert "none" not in text
    assert "masked" not in text
    assert "Skipped: few" in text_of(learning_figure("MAX", [("lstm", pd.DataFrame())], skipped("few")), tmp_path)


def test_masked_language_models_have_a_panel_of_their_own(tmp_path):
    """Their losses do not compare with those of the others."""
    log = pd.DataFrame({"stage": "pretrain", "tokens": [10, 20]})
    causal = log.assign(valid_nats_per_base=[1.3, 1.2], markov_nats_per_base=1.25)
    masked = log.assign(valid_masked_nats_per_base=[1.2, 1.1], two_sided_masked_nats_per_base=1.15)
    figure = learning_figure("CTCF", [("a", causal), ("b", masked)])
    assert [axes.get_ylabel() for axes in figure.axes] == ["nats per base", "masked nats per base"]
    assert [len(axes.get_lines()) for axes in figure.axes] == [3, 3]
    assert "best counts from both sides" in text_of(figure, tmp_path)
    masked.to_csv(tmp_path / "train_log.tsv", sep="\t", index=False)
    assert len(read_training_log(tmp_path / "train_log.tsv")) == 2


def test_figures_are_the_same_bytes_on_every_run(tmp_path):
    tables = [result("cnn", predictions(1))]
    for name in ("one", "two"):
        save_figure(curve_figure("CTCF", tables, "T2"), tmp_path / f"{name}.svg", {"seed": 1})
        save_figure(learning_figure("CTCF", [("cnn", classifier_log())]), tmp_path / f"{name}2.svg", {"seed": 1})
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert (tmp_path / "one2.svg").read_bytes() == (tmp_path / "two2.svg").read_bytes()
    assert "dc:date" not in (tmp_path / "one.svg").read_text()


def test_thinned_curves_keep_their_ends_and_their_course():
    x = np.linspace(0, 1, 5001)
    thinned_x, thinned_y = thin(x, np.sqrt(x), 300)
    assert len(thinned_x) <= 300
    assert (thinned_x[0], thinned_x[-1]) == (0, 1)
    assert np.abs(np.interp(x, thinned_x, thinned_y) - np.sqrt(x)).max() < 0.01
    assert len(thin(x[:10], x[:10])[0]) == 10


def test_colours_are_not_shared_by_different_models():
    found = styles([f"m{number}" for number in range(15)])
    assert len({(colour, str(line)) for colour, line in found.values()}) == 15
    assert found["m0"][0] == COLOURS[0]


def test_training_log_of_a_skipped_model_is_empty_and_other_tables_are_refused(tmp_path):
    (tmp_path / "empty.tsv").write_text("\n")
    assert read_training_log(tmp_path / "empty.tsv").empty
    (tmp_path / "other.tsv").write_text("reason\tn\nfew\t1\n")
    with pytest.raises(InputError, match=r"other\.tsv: not a training log"):
        read_training_log(tmp_path / "other.tsv")
