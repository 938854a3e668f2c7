"""What was found and what was not, counted as a dataset is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SHOWN = 3


class Tally:
    """Counts rows and pictures of each split, and what is wrong with the data.

    Args:
        unit: What a row is about, for sentences: "pictures" or "questions".
        limit: Most rows of each split; None for all.
    """

    def __init__(self, unit: str, limit: int | None = None) -> None:
        self.unit = unit
        self.limit = limit
        self.expected: dict[str, int] = {}
        self._rows: dict[str, int] = {}
        self._pictures: dict[str, set[str]] = {}
        self._notes: dict[str, tuple[int, list[str]]] = {}

    def expect(self, totals: Mapping[str, int]) -> None:
        """Say how many rows each split should have."""
        self.expected.update(totals)

    def note(self, what: str, example: object) -> None:
        """Count something that is wrong, such as "Duplicate question ids", with an example."""
        count, shown = self._notes.get(what, (0, []))
        if count < _SHOWN:
            shown = [*shown, _printable(str(example))]
        self._notes[what] = (count + 1, shown)

    def take(self, split: str, picture: str) -> None:
        """Count a row that was written."""
        self._rows[split] = self._rows.get(split, 0) + 1
        self._pictures.setdefault(split, set()).add(picture)

    def full(self, split: str) -> bool:
        """Whether no more rows of a split are wanted."""
        return self.limit is not None and self._rows.get(split, 0) >= self.limit

    @property
    def total(self) -> int:
        """Rows of all splits."""
        return sum(self._rows.values())

    def counts(self) -> dict[str, dict[str, int]]:
        """Rows and pictures of each split."""
        return {
            split: {"rows": rows, "pictures": len(self._pictures[split])}
            for split, rows in sorted(self._rows.items())
        }

    def notes(self) -> dict[str, dict[str, Any]]:
        """What was wrong, each with how many and the first three."""
        return {what: {"count": n, "first": shown} for what, (n, shown) in self._notes.items()}

    def problems(self) -> list[str]:
        """What was wrong, in sentences."""
        return [
            f"{what}: {count:,} ({', '.join(shown)}{', …' if count > len(shown) else ''})."
            for what, (count, shown) in self._notes.items()
        ]

    def wrong_totals(self) -> list[str]:
        """The splits that have other than the expected rows, in sentences."""
        found = {split: self._rows.get(split, 0) for split in self.expected}
        return [
            f"Expected {wanted:,} {self.unit} in the split {split!r}, found {found[split]:,}."
            for split, wanted in self.expected.items()
            if found[split] != wanted
        ]


def _printable(text: str) -> str:
    """What is safe to show on a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:80])
