"""The page of the report: one HTML file that stands alone, opens fast and asks the network for nothing.

Sections come first, then the data of the table, the scripts, and last the packed data of each experiment, so that a
browser shows the page while it still reads these.
"""

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bindgram.report.html import Markup, element, joined

STATIC = Path(__file__).parent / "static"
STYLES = ("page.css", "panels.css")
# In this order: each uses those before it, and the page opens panels.
SCRIPTS = ("plots.js", "parts.js", "figures.js", "motifs.js", "panels.js", "page.js")
# No source of anything but this file: the browser itself refuses whatever would ask the network.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)


@dataclass(frozen=True)
class Section:
    """A part of the page: `name` is its anchor, `short` its word in the navigation."""

    name: str
    short: str
    title: str
    body: Sequence[Any]


def static_text(name: str) -> str:
    """A style or script of the package; empty where there is none of this name."""
    path = STATIC / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def as_json(value: Any) -> str:
    """JSON for a script element, which no text in it can end."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def render(
    title: str,
    sections: Sequence[Section],
    results: Mapping[str, Any],
    packed: Iterable[tuple[str, str]],
    provenance: Mapping[str, Any],
) -> str:
    """The page as HTML.

    Parameters
    ----------
    results : of `bindgram.report.results.results_data`.
    packed : experiment and its data, of `bindgram.report.experiments.pack`.
    provenance : stored in the page as JSON.
    """
    stored = json.dumps(dict(provenance), sort_keys=True).replace("<", "\\u003c")
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">',
        f"<title>{html.escape(title)}</title>",
        *(f"<style>\n{static_text(name)}</style>" for name in STYLES),
        "</head>\n<body>",
        _header(title, sections),
        "<main>",
        *(_section(section) for section in sections),
        "</main>",
        f'<script type="application/json" id="provenance">{stored}</script>',
        f'<script type="application/json" id="results-data">{as_json(results)}</script>',
        *(f"<script>\n{text}</script>" for name in SCRIPTS if (text := static_text(name))),
        *(f'<script type="application/octet-stream" id="panel-{name}">{data}</script>' for name, data in packed),
        "</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _header(title: str, sections: Sequence[Section]) -> Markup:
    links = [element("a", section.short, href=f"#{section.name}") for section in sections]
    skip = element("a", "To the results", href="#experiments", class_="skip")
    bar = element("nav", element("strong", "bindgram"), *links, aria_label="Sections", class_="noprint")
    return joined([skip, bar, element("header", element("h1", title))])


def _section(section: Section) -> Markup:
    heading = element("h2", section.title, id=f"{section.name}-title")
    return element(
        "section", heading, joined(section.body, "\n"), id=section.name, aria_labelledby=f"{section.name}-title"
    )
