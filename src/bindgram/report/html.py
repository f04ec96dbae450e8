"""Elements of HTML; the page that they stand in is `bindgram.report.page`.

Everything that enters a page through these functions is escaped, except what they made themselves (`Markup`).
"""

import html
from collections.abc import Iterable, Sequence
from typing import Any


class Markup(str):
    """Text that is HTML already; any other text is escaped."""


def escaped(value: Any) -> Markup:
    """HTML of a value."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value)))


def element(name: str, *content: Any, **attributes: Any) -> Markup:
    """One element; a trailing underscore of an attribute's name is dropped and inner ones become hyphens."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value not in (None, "")
    )
    return Markup(f"<{name}{written}>{''.join(escaped(part) for part in content)}</{name}>")


def joined(parts: Iterable[Any], separator: str = "") -> Markup:
    """HTML of several values one after another."""
    return Markup(separator.join(escaped(part) for part in parts))


def cell(*content: Any, value: float | int | str | None = None, number: bool = False) -> Markup:
    """A table cell; sorted by `value` where given."""
    return element("td", *content, class_="n" if number else None, data_v=value)


def row(cells: Iterable[Any], class_: str = "") -> Markup:
    """A table row; what is not a cell yet becomes one."""
    inner = (part if isinstance(part, Markup) and part.startswith("<td") else cell(part) for part in cells)
    return element("tr", *inner, class_=class_)


def table(headings: Sequence[Any], rows: Sequence[Markup], numbers: Iterable[int] = (), *, sortable: bool) -> Markup:
    """A table with one line of headings; columns `numbers` are aligned to the right, and `sortable` by a click."""
    right = set(numbers)
    heads = [
        element(
            "th",
            element("button", text, type="button") if sortable else text,
            class_="n" if at in right else None,
            scope="col",
        )
        for at, text in enumerate(headings)
    ]
    made = element(
        "table",
        element("thead", element("tr", *heads)),
        element("tbody", *(Markup(f"{line}\n") for line in rows)),
        class_="sortable" if sortable else None,
    )
    return element("div", made, class_="wide")


def folded(summary: str, *content: Any, opened: bool = False) -> Markup:
    """Content that a click unfolds."""
    return element("details", element("summary", summary), *content, open="open" if opened else None)
