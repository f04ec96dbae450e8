import re

import pytest

from bindgram.report.html import element
from bindgram.report.page import SCRIPTS, STATIC, STYLES, Section, as_json, render


@pytest.fixture
def page():
    sections = [Section("data", "Data", "A & B", [element("p", "x < y")])]
    stored = {"reason": "</script><script>alert(1)</script>"}
    return render("T & U", sections, {"texts": ["</script><img src=x>"]}, [("E1", "QUJD")], stored)


def test_page_stands_alone_and_no_text_can_end_its_scripts(page, visible):
    assert visible(page).endswith("T &amp; U A &amp; B x &lt; y")
    assert "alert(1)</script>" not in page
    assert "<img src=x" not in page
    assert "<title>T &amp; U</title>" in page


def test_page_names_no_address_of_the_network(page):
    addresses = set(re.findall(r"https?://[^\s\"'<>)]+", page))
    assert {address for address in addresses if "www.w3.org" not in address} == set()  # the name space of SVG is none
    assert not re.search(r"@import|<link[^>]+stylesheet|<script[^>]+src=|<img[^>]+src=[\"']?http", page)
    assert "default-src 'none'" in page


def test_sections_are_reached_from_the_navigation(page):
    assert '<a href="#data">Data</a>' in page
    assert '<section id="data" aria-labelledby="data-title"><h2 id="data-title">' in page


def test_data_of_experiments_come_last_so_that_the_page_shows_before_they_are_read(page):
    assert page.index('id="results-data"') < page.index("drawPanel") < page.index('id="panel-E1">QUJD</script>')


def test_json_of_the_page_is_read_back_and_refuses_what_is_no_number():
    assert as_json({"a": "<b>"}) == '{"a":"\\u003cb>"}'
    with pytest.raises(ValueError, match="Out of range float"):
        as_json({"a": float("nan")})


def test_styles_and_scripts_are_part_of_the_package():
    assert {path.name for path in STATIC.iterdir()} >= {*STYLES, "panels.js", "page.js"}
    assert {path.name for path in STATIC.iterdir()} <= {*STYLES, *SCRIPTS}
