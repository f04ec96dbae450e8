"""The section that compares models over all experiments, from the file of ``bindgram compare-models``.

Each TF counts once. The headline stands open, other test sets and metrics are folded.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from bindgram.report.headline import Compared, Headline, gain_text
from bindgram.report.html import Markup, cell, element, escaped, folded, joined, row, table
from bindgram.report.lines import number

Family = tuple[str, str, str, str]  # split, scheme, test set, metric
FAMILY = ("split", "scheme", "test_set", "metric")
WIN, TIE, LOSS = "#0072B2", "#C5CDD4", "#D55E00"  # Okabe and Ito 2008, and a grey
WIDTH, LEFT, EACH = 760, 250, 24  # of the figure of ranks, px


def comparison_section(
    comparison: Mapping[str, Any] | None,
    headline: Headline,
    titles: Mapping[str, str],
    compared: Compared | None,
) -> list[Markup]:
    """Ranks, pairs and medians by TF; a sentence where there are none.

    Parameters
    ----------
    comparison : docs/formats.md, "Comparison"; None where it was not computed.
    titles : metric to its title. compared : scores of the headline, for the table by TF.
    """
    by_tf = [] if compared is None else [_by_tf(compared, headline)]
    if comparison is None:
        return [element("p", "Not computed yet: pairs of models are compared when all experiments are done."), *by_tf]
    if comparison.get("status") != "ok":
        return [element("p", str(comparison.get("reason") or "not defined: no pair was compared")), *by_tf]
    families = _families(comparison)
    first = [name for name in families if name[2:] == (headline.test_set, headline.metric)]
    several = len({name[:2] for name in families}) > 1
    parts = [_explanation(float(comparison["confidence"]))]
    for name in first:
        parts += [element("h3", _title(name, titles, several=several)), *_family(*families[name])]
    parts += by_tf
    others = [name for name in families if name not in first]
    for name in others:
        parts.append(folded(_title(name, titles, several=several), *_family(*families[name])))
    return parts


def _families(comparison: Mapping[str, Any]) -> dict[Family, tuple[list[Mapping[str, Any]], Mapping[str, Any] | None]]:
    """Pairs and ranking of each split, scheme, test set and metric."""
    rankings = {_family_of(item): item for item in comparison.get("rankings", [])}
    found: dict[Family, tuple[list[Mapping[str, Any]], Mapping[str, Any] | None]] = {}
    for item in comparison.get("comparisons", []):
        name = _family_of(item)
        found.setdefault(name, ([], rankings.get(name)))[0].append(item)
    return found


def _family_of(item: Mapping[str, Any]) -> Family:
    split, scheme, test_set, metric = (str(item[name]) for name in FAMILY)
    return split, scheme, test_set, metric


def _title(name: Family, titles: Mapping[str, str], *, several: bool) -> str:
    split, scheme, test_set, metric = name
    return f"{titles.get(metric, metric)} on {test_set}" + (f" ({split}, {scheme})" if several else "")


def _explanation(confidence: float) -> Markup:
    return element(
        "p",
        "Every TF counts once, however many experiments it has. Difference: the first model less the other (Hodges and "
        f"Lehmann), with its {100 * confidence:g} % interval over TFs; q: Wilcoxon's test, corrected for the pairs "
        "compared; effect: 1 where every TF is better with the first model, −1 where every TF is worse. Wins and "
        "losses "
        "are experiments whose own interval lies above or below zero; all others are ties.",
        class_="key",
    )


def _family(pairs: Sequence[Mapping[str, Any]], ranking: Mapping[str, Any] | None) -> list[Markup]:
    heads = ["Model", "against", "TFs", "Difference", "q", "Effect", "Wins, ties, losses", "Seeds"]
    made = table(heads, [_pair_row(pair) for pair in pairs], numbers=(2, 3, 4, 5), sortable=True)
    return [*_ranking(ranking), made]


def _pair_row(pair: Mapping[str, Any]) -> Markup:
    difference, low, high = (pair.get(name) for name in ("hodges_lehmann", "low", "high"))
    shown = difference if difference is not None else pair.get("median_difference")
    reason = pair.get("reason") or ""
    interval = element("small", f"{_signed(low)} to {_signed(high)}") if low is not None else ""
    told = element("small", reason) if reason else ""
    n_tfs, n = pair.get("n_tfs") or 0, pair.get("n_experiments") or 0
    missing = f", {pair['n_not_defined']} not defined" if pair.get("n_not_defined") else ""
    cells = [
        element("strong", pair["model"]),
        pair["other"],
        cell(f"{n_tfs}", element("small", f"{n} experiments{missing}"), value=n_tfs, number=True),
        cell(_or_undefined(shown, reason, gain_text), interval, told, value=_key(shown), number=True),
        cell(_or_undefined(pair.get("q_value"), reason, _p_text), value=_key(pair.get("q_value")), number=True),
        cell(
            _or_undefined(pair.get("rank_biserial"), reason, _signed),
            value=_key(pair.get("rank_biserial")),
            number=True,
        ),
        cell(_bar(pair), value=pair.get("wins") or 0),
        cell(*(element("small", f"{seed}: {_signed(value)}") for seed, value in (pair.get("seeds") or {}).items())),
    ]
    return row(cells)


def _or_undefined(value: float | None, reason: str, words: Callable[[float], Any]) -> Any:
    return element("abbr", "not defined", title=reason) if value is None else words(value)


def _key(value: float | None) -> str:
    return "" if value is None else f"{value:.8g}"


def _signed(value: float | None) -> str:
    if value is None:
        return "–"
    return ("+" if value > 0 else "") + number(value)


def _p_text(value: float) -> str:
    return "< 0.001" if value < 0.001 else number(value)


def _bar(pair: Mapping[str, Any]) -> Markup:
    """Shares of wins, ties and losses, with their numbers."""
    counts = [int(pair.get(name) or 0) for name in ("wins", "ties", "losses")]
    of_tfs = [int(pair.get(name) or 0) for name in ("tf_wins", "tf_ties", "tf_losses")]
    x, marks = 0.0, []
    for n, colour in zip(counts, (WIN, TIE, LOSS), strict=True):
        width = 150 * n / max(1, sum(counts))
        marks.append(f'<rect x="{x:.1f}" y="3" width="{width:.1f}" height="11" fill="{colour}"></rect>')
        x += width
    label = "{} wins, {} ties, {} losses".format(*counts)
    svg = f'<svg width="150" height="17" role="img" aria-label="{label}">{"".join(marks)}</svg>'
    words = "{} / {} / {}".format(*counts)
    return joined([Markup(svg), element("small", f"{words}; of TFs {'/'.join(map(str, of_tfs))}")])


def _ranking(ranking: Mapping[str, Any] | None) -> list[Markup]:
    """The figure of average ranks, or why there is none."""
    if ranking is None:
        return []
    if ranking.get("status") != "ok":
        return [element("p", f"Ranks: {ranking.get('reason') or 'not defined'}.", class_="soft")]
    ranks = _ranks(ranking)
    half = float(ranking["critical_difference"]) / 2
    caption = (
        f"Average rank over {ranking['n_tfs']} TFs (1 is best). Bars that do not overlap: the models differ (Friedman "
        f"p {_p_text(float(ranking['p_value']))}, then Nemenyi; critical difference {2 * half:.2f})."
    )
    if ranking.get("left_out"):
        caption += " Left out: " + "; ".join(f"{name} ({why})" for name, why in ranking["left_out"].items()) + "."
    return [Markup(f"<figure>{_rank_figure(ranks, half)}<figcaption>{escaped(caption)}</figcaption></figure>")]


def _ranks(ranking: Mapping[str, Any]) -> list[tuple[str, float]]:
    """(model, average rank), best first."""
    return sorted(zip(ranking["models"], ranking["average_ranks"], strict=True), key=lambda item: item[1])


def _rank_figure(ranks: Sequence[tuple[str, float]], half: float) -> Markup:
    n, bottom = len(ranks), 10 + EACH * len(ranks)

    def x(rank: float) -> float:
        return LEFT + (min(n, max(1.0, rank)) - 1) / max(1, n - 1) * (WIDTH - LEFT - 30)

    marks = []
    for tick in range(1, n + 1):
        marks.append(f'<path d="M{x(tick):.1f} 4V{bottom}" stroke="#e3e8ed"/>')
        marks.append(f'<text x="{x(tick):.1f}" y="{bottom + 16}" text-anchor="middle">{tick}</text>')
    for place, (name, rank) in enumerate(ranks):
        y = 10 + EACH * place + EACH / 2
        bar = f"M{x(rank - half):.1f} {y}H{x(rank + half):.1f}"
        marks.append(f'<path d="{bar}" stroke="{WIN}" stroke-opacity=".35" stroke-width="9"/>')
        marks.append(f'<circle cx="{x(rank):.1f}" cy="{y}" r="4.5" fill="{WIN}"/>')
        marks.append(f'<text x="{LEFT - 52}" y="{y + 4}" text-anchor="end" class="strong">{escaped(name)}</text>')
        marks.append(f'<text x="{LEFT - 14}" y="{y + 4}" text-anchor="end">{rank:.2f}</text>')
    size = f'viewBox="0 0 {WIDTH} {bottom + 22}" width="{WIDTH}" class="plot narrow"'
    return Markup(f'<svg {size} role="img" aria-label="Average ranks of the models">{"".join(marks)}</svg>')


def _by_tf(compared: Compared, headline: Headline) -> Markup:
    """Median over the experiments of each TF: one column for each model, folded."""
    medians = compared.scores.pivot_table(index="tf", columns="name", values="value", aggfunc="median")
    counts = compared.scores.groupby("tf")["experiment"].nunique()
    names = [name for name in compared.ranked if name in medians.columns]
    rows = [_tf_row(str(tf), int(counts[tf]), medians.loc[tf, names]) for tf in medians.index]
    made = table(["TF", "Experiments", *names], rows, numbers=range(1, len(names) + 2), sortable=True)
    return folded(f"Every TF: median {headline.title} on {headline.test_set} ({len(rows)} TFs)", made)


def _tf_row(tf: str, n: int, values: pd.Series) -> Markup:
    best = values.max()
    cells = [
        cell(
            element("strong", number(value)) if value == best else number(value),
            value="" if pd.isna(value) else f"{value:.6f}",
            number=True,
        )
        for value in values
    ]
    return row([tf, cell(str(n), value=n, number=True), *cells])
