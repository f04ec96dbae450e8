import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from bindgram.settings import Config, load_config


class _Balanced(HTMLParser):
    """Fails on a tag that is closed out of order."""

    VOID = frozenset({"meta", "input", "br", "line", "circle", "path"})

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def _visible(page: str) -> str:
    parser = _Balanced()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    body = re.sub(r"<(style|script)[^>]*>.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


@pytest.fixture
def visible() -> Callable[[str], str]:
    """Text of a page, once its tags are found to be balanced."""
    return _visible


@pytest.fixture
def config(request) -> Config:
    return load_config(request.config.rootpath / "config/config.yaml")
