"""HTML pages that stand alone: no network, styles and a few lines of script inside, printable.

Everything that enters a page through these functions is escaped, except what they made themselves (`Markup`).
"""

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

STYLE = """
:root { --ink: #1d2733; --soft: #5d6b7a; --line: #dfe4ea; --blue: #0072b2; --orange: #d55e00; --paper: #fff; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; color: var(--ink);
  background: var(--paper); margin: 0 auto; padding: 1.6rem 2rem 4rem; max-width: 84rem; }
h1 { font-size: 1.55rem; margin: 0 0 .4rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .3rem; }
p, ul { max-width: 62rem; margin: .4rem 0 .8rem; } li { margin: .15rem 0; }
.lead { font-size: 1.08rem; border-left: 4px solid var(--blue); padding: .1rem 0 .1rem .9rem; }
.soft, .key { color: var(--soft); } .key { font-size: .9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0 1rem; font-size: .92rem; }
th, td { padding: .32rem .55rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { position: sticky; top: 0; background: #f3f6f9; border-bottom: 2px solid #c5ced8; vertical-align: bottom; }
td.n, th.n { text-align: right; } td small, th small { display: block; color: var(--soft); font-weight: normal; }
td small { white-space: nowrap; } tr.baseline td { color: #4b5763; background: #fafbfc; }
table.sortable thead th { cursor: pointer; } th[aria-sort=ascending]::after { content: " \\2191"; }
th[aria-sort=descending]::after { content: " \\2193"; }
.suspicious { color: #8a2500; background: #fbe6df; padding: 0 .25rem; border-radius: 3px; font-weight: 600; }
details { margin: .3rem 0; } summary { cursor: pointer; }
.up { color: #00694e; } .down { color: #a63c00; } .flag { color: #8a4b00; }
input[type=search] { font: inherit; padding: .3rem .6rem; border: 1px solid #b4bfca; border-radius: 4px; width: 20rem; }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .92em; overflow-wrap: anywhere; }
@media print { body { max-width: none; padding: 0; font-size: 9pt; } input, .noprint { display: none; }
  thead th { position: static; } tr { break-inside: avoid; } .wide { overflow: visible; } th, td { padding: 2pt 4pt; } }
"""
SCRIPT = """
document.querySelectorAll("table.sortable").forEach(table => {
  const body = table.tBodies[0];
  table.querySelectorAll("thead th").forEach((head, column) => head.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending" ||
      (head.classList.contains("n") && !head.hasAttribute("aria-sort"));
    table.querySelectorAll("thead th").forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = row => row.cells[column].dataset.v ?? row.cells[column].textContent.trim();
    const order = (a, b) => {
      if (a === "" || b === "") return (a === "") - (b === "");
      const n = Number(a) - Number(b), by = Number.isNaN(n) ? a.localeCompare(b) : n;
      return down ? -by : by;
    };
    [...body.rows].map(row => [key(row), row]).sort((a, b) => order(a[0], b[0]))
      .forEach(pair => body.append(pair[1]));
  }));
});
document.querySelectorAll("input[data-filters]").forEach(box => box.addEventListener("input", () => {
  const words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
  document.querySelectorAll("table.sortable tbody tr").forEach(row => {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every(word => text.includes(word));
  });
}));
"""
OPEN_ROWS = 40  # a longer table is folded


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
    """A table with one line of headings; columns `numbers` are aligned to the right."""
    right = set(numbers)
    heads = [element("th", text, class_="n" if at in right else None) for at, text in enumerate(headings)]
    made = element(
        "table",
        element("thead", element("tr", *heads)),
        element("tbody", *(Markup(f"{line}\n") for line in rows)),
        class_="sortable" if sortable else None,
    )
    return element("div", made, class_="wide")


def folded(summary: str, content: Markup, n_rows: int) -> Markup:
    """Content that a click unfolds where it has many rows, and that is open otherwise."""
    return element("details", element("summary", summary), content, open="" if n_rows > OPEN_ROWS else "open")


def page(title: str, body: Iterable[Any], provenance: Mapping[str, Any]) -> str:
    """A whole page; the provenance is stored in it as JSON."""
    stored = json.dumps(dict(provenance), sort_keys=True).replace("<", "\\u003c")
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{html.escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>{html.escape(title)}</h1>\n{joined(body, chr(10))}\n"
        f'<script type="application/json" id="provenance">{stored}</script>\n<script>{SCRIPT}</script>\n'
        "</body>\n</html>\n"
    )
