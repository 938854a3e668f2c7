"""The table of what works where, in docs/features.md: each tick has a test, each test a tick.

Tests say so by `@pytest.mark.parity(feature, *places)`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACES = ("Telegram", "Discord", "chat page", "command line")


def marked() -> Iterator[tuple[str, str]]:
    """Features and places that tests are marked with."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and ast.unparse(mark.func).endswith(".parity"):
                        feature, *places = (ast.literal_eval(each) for each in mark.args)
                        yield from ((feature, place) for place in places)


def test_the_table_says_what_is_tested() -> None:
    head = f"| | {' | '.join(PLACES)} |\n"
    page = (ROOT / "docs/features.md").read_text(encoding="utf-8")
    assert head in page
    body = page.partition(head)[2].partition("\n\n")[0].splitlines()[1:]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in body]
    shown = {(name, place) for name, *ticks in rows
             for place, tick in zip(PLACES, ticks, strict=True) if tick == "✓"}  # fmt: skip
    assert shown == set(marked())
