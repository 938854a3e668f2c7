"""Which pictures people were last told about, and which ones each answer is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bot.discord.button import Place
from bot.messages import Exchange
from bot.recent import Recent

Whose = tuple[str, str]  # channel and person


@dataclass(frozen=True)
class Shown:
    """Pictures that the assistant was shown.

    Attributes:
        place: Of the message with them.
        spoiler: They are hidden until somebody asks to see them.
        user: Who showed them to the assistant.
        digests: Of the pictures, in their order.
    """

    place: Place
    spoiler: bool
    user: str
    digests: tuple[str, ...]

    def numbers(self, digests: Iterable[str]) -> list[int]:
        """The places of some of them, counted from 1."""
        return [self.digests.index(each) + 1 for each in digests if each in self.digests]


@dataclass(frozen=True)
class Subject:
    """What an answer is about.

    Attributes:
        place: Of its pictures.
        user: Who was answered.
        question: What was asked; None asked for a caption.
        digests: Of the pictures that it tells about; none if the model was not asked.
        number: Names the answer for ratings, or "".
    """

    place: Place
    user: str
    question: str | None = None
    digests: tuple[str, ...] = ()
    number: str = ""

    def again(self, action: str, shown: Shown) -> str:
        """What a button under the answer asks of the assistant, which has just these pictures."""
        numbers = shown.numbers(self.digests) if len(shown.digests) > 1 else []
        named = f"Pictures {', '.join(map(str, numbers))}" if numbers else ""
        if action == "/caption":
            return f"/caption {named}"
        if self.question is None:
            return f"/retry /caption {named}"
        return f"/retry /ask {named}{': ' if named else ''}{self.question}"


class Subjects:
    """Keeps them in mind.

    Args:
        remembers: Whether the assistant still has what a person showed it in a channel.
    """

    def __init__(self, remembers: Callable[[str, str], bool]) -> None:
        self._remembers = remembers
        self._shown: Recent[Whose, Shown] = Recent()  # by each person, and last in each channel
        self._answers: Recent[int, Subject] = Recent()

    def show(self, whose: Whose, shown: Shown) -> None:
        """Keep what the assistant is shown."""
        self._shown[whose] = self._shown[whose[0], ""] = shown

    def last(self, whose: Whose) -> Shown | None:
        """The last pictures of a person, else of the channel, as the assistant has them."""
        for key in (whose, (whose[0], "")):
            shown = self._shown.get(key)
            if shown and self._remembers(whose[0], shown.user):
                return shown
        return None

    def note(self, messages: Iterable[int], subject: Subject) -> None:
        """Keep what the bot's own messages are about."""
        for message in messages:
            self._answers[message] = subject

    def of(self, message: int) -> Subject | None:
        """What one of the bot's messages is about."""
        return self._answers.get(message)

    def forget(self, user: str) -> None:
        """Forget what a person asked, and what they showed."""
        for message in [each for each, subject in self._answers.items() if subject.user == user]:
            del self._answers[message]
        for whose in [each for each, shown in self._shown.items() if shown.user == user]:
            del self._shown[whose]


def subject_of(
    shown: Shown | None, user: str, exchanges: Sequence[Exchange], number: str = ""
) -> Subject | None:
    """What an answer to somebody is about, given while these pictures were the last ones."""
    if shown is None:
        return None
    question = (exchanges[0].asked or exchanges[0].question) if exchanges else None
    digests = tuple(each.digest for each in exchanges)
    return Subject(shown.place, user, question, digests, number)
