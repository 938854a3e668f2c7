"""What was said about each picture of an album, for a model that is told the conversation."""

from __future__ import annotations

from collections.abc import Collection

from bot.assistant.types import Exchange
from model.requests import KEPT_TURNS, Turn


class Turns:
    """The last turns about each picture, by its place; they are forgotten with the pictures."""

    def __init__(self) -> None:
        self._turns: dict[int, list[Turn]] = {}

    def before(self, place: int, again: Collection[str | None] = ()) -> tuple[Turn, ...]:
        """The turns about a picture, the oldest first.

        Args:
            place: The picture's, from 0.
            again: A question that is asked once more, in each form that it may have: what came
                before it is meant then.
        """
        turns = self._turns.get(place, [])
        return tuple(turns[: _last(turns, again)])

    def add(self, place: int, exchange: Exchange, again: Collection[str | None] = ()) -> None:
        """Keep what was asked and answered; in the place of what is asked again."""
        own = exchange.language != "en" and exchange.original_question
        turn = Turn(own or exchange.question, exchange.answer)
        turns = self._turns.setdefault(place, [])
        at = _last(turns, again)
        turns[at : at + 1] = [turn]
        del turns[:-KEPT_TURNS]


def _last(turns: list[Turn], questions: Collection[str | None]) -> int:
    """The last turn with one of these questions; the end if there is none."""
    found = [place for place, turn in enumerate(turns) if turn.question in questions]
    return found[-1] if found else len(turns)
