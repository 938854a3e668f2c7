"""Remembers which pictures each person was told about, and what each answer was about."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from telegram import Message

from bot.messages import Attachment, Exchange
from bot.recent import Recent
from bot.telegram.reading import sender

CAPTION, RETRY = "/caption", "/retry"
Whose = tuple[str, str]  # where, and who


@dataclass(frozen=True)
class Shown:
    """Pictures that the assistant was shown.

    Attributes:
        messages: Those with the pictures.
        digests: SHA-256 of each picture, in their order.
    """

    messages: Sequence[Message] = ()
    digests: Sequence[str] = ()


@dataclass(frozen=True)
class Subject:
    """What an answer is about.

    Attributes:
        messages: Those with the pictures.
        asked: The message that was answered.
        who: Was answered: not the sender of `asked` where they pressed a button.
        question: What was asked about them; "" for captions.
        digests: Of the pictures that the answer tells about; none if that is not known.
        number: Names the answer for ratings, or "".
    """

    messages: Sequence[Message]
    asked: Message
    who: str = ""
    question: str = ""
    digests: Sequence[str] = ()
    number: str = ""

    def again(self, action: str, shown: Shown) -> str:
        """What to say for a button under the answer.

        Args:
            action: "/caption", or "/retry" for what was asked before.
            shown: What the assistant has now: the answer's pictures.
        """
        named = self._numbers(shown.digests)
        if action != RETRY:
            return f"{action} {named}".strip()
        if not self.question:
            return f"{RETRY} {CAPTION} {named}".strip()
        if not self.digests:  # these are a person's words, and may be a command
            return f"{RETRY} {self.question}"
        return f"{RETRY} /ask {named}{': ' if named else ''}{self.question}"

    def _numbers(self, digests: Sequence[str]) -> str:
        """Names the answer's pictures, for the assistant to read, where there are others."""
        numbers = [str(digests.index(each) + 1) for each in self.digests if each in digests]
        return f"Pictures {', '.join(numbers)}" if numbers and len(digests) > 1 else ""


class Subjects:
    """What answers were about, as far as it was not too long ago."""

    def __init__(self) -> None:
        self._shown: Recent[Whose, Shown] = Recent()  # by each person, and last in each chat
        self._of: Recent[tuple[int, int], Subject] = Recent()

    def of(self, answer: Message) -> Subject | None:
        """What an answer was about, if that is still known."""
        return self._of.get((answer.chat_id, answer.message_id))

    def show(
        self, whose: Whose, messages: Sequence[Message], pictures: Iterable[Attachment]
    ) -> None:
        """The pictures of these messages are now a person's last ones."""
        digests = [hashlib.sha256(picture.content).hexdigest() for picture in pictures]
        self._shown[whose] = self._shown[whose[0], ""] = Shown(tuple(messages), digests)

    def shown(self, whose: Whose) -> Shown:
        """A person's last pictures."""
        return self._shown.get(whose, Shown())

    def answer(
        self, whose: Whose, asked: Message, answer: int, exchanges: Sequence[Exchange],
        number: str = "",
    ) -> None:  # fmt: skip
        """Keep what an answer is about: the person's last pictures, else the chat's.

        Args:
            whose: The person in the chat.
            asked: The message that was answered.
            answer: The id of the answer.
            exchanges: What the model was asked for it.
            number: Names the answer for ratings.
        """
        shown = self._shown.get(whose) or self._shown.get((whose[0], ""), Shown())
        question = (exchanges[0].asked or exchanges[0].question or "") if exchanges else ""
        digests = tuple(exchange.digest for exchange in exchanges)
        subject = Subject(shown.messages, asked, whose[1], question, digests, number)
        self._of[asked.chat_id, answer] = subject

    def forget(self, user: str) -> None:
        """Forget which pictures a person was told about, and what they asked."""
        for answer, held in list(self._of.items()):
            if user in {held.who, sender(held.asked)}:  # others may try again what they asked
                del self._of[answer]
        for where, who in [whose for whose in self._shown if whose[1] == user]:
            if self._shown.get((where, "")) == self._shown[where, who]:
                del self._shown[where, ""]
            del self._shown[where, who]


def is_retry(words: str) -> bool:
    """Whether a message asks for another answer, and says nothing else."""
    return re.fullmatch(r"/retry\s*", words, re.IGNORECASE) is not None


def question_in(words: str) -> str:
    """What a message asked that may itself have asked for another answer."""
    return re.sub(r"^/retry(?=\s|$)\s*", "", words, flags=re.IGNORECASE)
