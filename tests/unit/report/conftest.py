import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser

import pandas as pd
import pytest

from bindgram.evaluation.collect import COLUMNS
from bindgram.settings import Config, load_config


class _Balanced(HTMLParser):
    """Fails on a tag that is closed out of order."""

    VOID = frozenset({"meta", "link", "input", "br", "line", "circle", "path", "img"})

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def _visible(parts: str | Sequence[str]) -> str:
    page = parts if isinstance(parts, str) else "".join(parts)
    parser = _Balanced()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    body = re.sub(r"<(style|script)[^>]*>.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


@pytest.fixture
def visible() -> Callable[[str | Sequence[str]], str]:
    """Text of a page or of parts of it, once its tags are found to be balanced."""
    return _visible


@pytest.fixture
def config(request) -> Config:
    return load_config(request.config.rootpath / "config/config.yaml")


def scored(
    model: str, value: float, *, experiment: str = "E1", seed: str = "1", test_set: str = "T2", **changed
) -> dict:
    """A row of the metrics table."""
    known = {"experiment": experiment, "tf": "CTCF", "biosample": "K562", "model": model, "scheme": "genomic_matched"}
    known |= {"seed": seed, "split": "fold_0", "test_set": test_set, "metric": "average_precision", "unit": "fraction"}
    known |= {"value": value, "low": value - 0.1, "high": value + 0.1, "floor": 0.2, "n_positives": 100}
    return known | {"n_negatives": 1000, "flag": "", "status": "ok", "reason": ""} | changed


def missing(model: str, status: str, reason: str, **changed) -> dict:
    """A row without a value: of a whole experiment, unless a test set is given."""
    empty = dict.fromkeys(("value", "low", "high", "floor", "n_positives", "n_negatives"), float("nan"))
    whole = {"test_set": "", "metric": "", "unit": "", "status": status, "reason": reason}
    return scored(model, 0.0) | empty | whole | changed


@pytest.fixture
def table() -> Callable[..., pd.DataFrame]:
    """A metrics table of rows: ("model", value, changes) of a score, ("model", "status", "reason", changes) of none."""

    def build(*rows: tuple) -> pd.DataFrame:
        made = [
            scored(*row[:2], **(row[2] if len(row) > 2 else {}))
            if isinstance(row[1], float)
            else missing(*row[:3], **(row[3] if len(row) > 3 else {}))
            for row in rows
        ]
        return pd.DataFrame(made, columns=list(COLUMNS))

    return build
