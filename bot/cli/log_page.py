"""The figures of the log as a page of HTML that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --bar: #4a7dbd; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
dl { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; margin: 0 }
dt { font-size: .85rem; opacity: .75 } dd { margin: 0; font-size: 1.4rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line) }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.b { width: 45% } .b div { background: var(--bar); height: .8rem; border-radius: 2px }
"""


def page(figures: dict[str, Any]) -> str:
    """Use, waits, ratings, failures and what was asked most.

    Args:
        figures: As `bot.log.queries.stats` gives them.
    """
    days = figures["days"]
    body = "".join(_parts(figures))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Glimpse in figures</title><style>{_STYLE}</style></head><body>\n"
        f"<h1>Glimpse in figures: {'today' if days == 1 else f'the last {days} days'}</h1>\n"
        f"{body}</body></html>\n"
    )


def _parts(figures: dict[str, Any]) -> Iterator[str]:
    sure = figures["confidence"]
    known = {
        "Exchanges": figures["exchanges"], "Answered": figures["answered"],
        "People": figures["people"], "Found good": figures["good"], "Found bad": figures["bad"],
        "Mean confidence": "none yet" if sure is None else f"{sure:.2f}",
    }  # fmt: skip
    cells = (f"<div><dt>{name}</dt><dd>{_said(value)}</dd></div>" for name, value in known.items())
    yield f"<dl>{''.join(cells)}</dl>\n"
    use = ((row["day"], row["platform"], row["exchanges"]) for row in figures["use"])
    yield _table("By day and platform", ("Day", "Platform", "Exchanges"), use, bars=True)
    waits = (
        (f"{kind}s", *(f"{seconds:.2f}" for seconds in found.values()))
        for kind, found in figures["seconds"].items()
        if found
    )
    heads = ("Answers to", "Median, seconds", "95th percentile", "99th percentile")
    yield _table("How long people waited", heads, waits)
    failed = (
        (row["outcome"], row["exchanges"])
        for row in figures["outcomes"]
        if row["outcome"] != "answered"
    )
    yield _table("Not answered", ("Why", "Messages"), failed, bars=True)
    asked = ((row["question"], row["times"]) for row in figures["asked"])
    yield _table("Asked most", ("Question", "Times"), asked, bars=True)


def _table(
    title: str, heads: Iterable[str], rows: Iterable[tuple[Any, ...]], *, bars: bool = False
) -> str:
    """A table, with a bar for the last column's number if wanted; nothing without rows."""
    rows = [*rows]
    if not rows:
        return ""
    most = max(row[-1] for row in rows) if bars else 1
    lines = []
    for row in rows:
        cells = [f"<td{_right(cell)}>{escape(_said(cell))}</td>" for cell in row]
        if bars:
            width = 100 * row[-1] / most
            cells.append(f'<td class="b"><div style="width:{width:.1f}%"></div></td>')
        lines.append(f"<tr>{''.join(cells)}</tr>\n")
    top = "".join(
        f'<th scope="col"{_right(cell)}>{escape(head)}</th>'
        for head, cell in zip(heads, rows[0], strict=True)
    )
    top += "<td></td>" if bars else ""
    return (
        f'<h2>{escape(title)}</h2>\n<div class="wide"><table><thead><tr>{top}</tr></thead>\n'
        f"<tbody>{''.join(lines)}</tbody></table></div>\n"
    )


def _right(cell: object) -> str:
    """Numbers stand on the right."""
    number = isinstance(cell, int) or str(cell).replace(".", "", 1).isdigit()
    return ' class="n"' if number else ""


def _said(cell: object) -> str:
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
