"""How `glimpse log` shows rows and figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

_BAR = 40  # characters of the longest bar
_RATED = {None: "", 0: "  👎", 1: "  👍"}
_SHOWN = (
    "at", "platform", "language", "person_hash", "number", "kind", "question", "answer",
    "confidence", "good",
    "correction", "outcome", "reference", "profile", "adapter", "sha256", "width",
    "height", "format", "seconds", "fetching", "waiting", "encoding", "decoding",
)  # fmt: skip


def line(row: dict[str, Any]) -> str:
    """One exchange in one line: when, where, what was asked, what was said."""
    when = click.style(row["at"][:19].replace("T", " "), dim=True)
    where = click.style(f"{row['platform']:8}", fg="cyan")
    asked = _plain(row["question"]) or ("(caption)" if row["kind"] == "caption" else "(message)")
    if row["outcome"] == "answered":
        sure = click.style(f"{row['confidence']:.2f}", dim=True)
        said = f"{_plain(row['answer'])}  {sure}"
    else:
        code = f" {row['reference']}" if row["reference"] else ""
        said = click.style(f"{row['outcome']}{code}", fg="yellow")
    return f"{when}  {where}  {asked} → {said}{_RATED[row['good']]}"


def details(row: dict[str, Any]) -> str:
    """Everything about one exchange, a line each."""
    pairs = [(name, row[name]) for name in _SHOWN if row[name] is not None]
    return "\n".join(
        f"{name:12} {round(value, 3) if isinstance(value, float) else _plain(value)}"
        for name, value in [("id", row["id"]), *pairs]
    )


def stats_lines(figures: dict[str, Any]) -> Iterator[str]:
    """Figures as lines and bars."""
    yield (
        f"{figures['exchanges']} exchanges with {figures['people']} people in {figures['days']} "
        f"days, {figures['answered']} of them answered, {figures['good']} 👍 {figures['bad']} 👎"
    )
    if figures["confidence"] is not None:
        yield f"mean confidence {figures['confidence']:.2f}"
    for kind, waits in figures["seconds"].items():
        if waits:
            said = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in waits.items())
            yield f"{kind}s took {said}"
    yield from _bars("by day and platform", figures["use"], ("day", "platform"))
    failures = [row for row in figures["outcomes"] if row["outcome"] != "answered"]
    yield from _bars("not answered", failures, ("outcome",))
    if figures["asked"]:
        yield "\nmost asked"
        yield from (f"{row['times']:7}  {_plain(row['question'])}" for row in figures["asked"])


def _bars(title: str, rows: list[dict[str, Any]], names: tuple[str, ...]) -> Iterator[str]:
    if not rows:
        return
    yield f"\n{title}"
    most = max(row["exchanges"] for row in rows)
    labels = ["  ".join(f"{row[name]:<10}" for name in names) for row in rows]
    width = max(map(len, labels))
    for label, row in zip(labels, rows, strict=True):
        bar = "█" * max(1, round(_BAR * row["exchanges"] / most))
        yield f"{label:{width}}  {click.style(bar, fg='cyan')} {row['exchanges']}"


def _plain(value: Any) -> str:
    """A text in one line that no terminal takes for a command."""
    return "".join(c if c.isprintable() else " " for c in str(value or ""))
