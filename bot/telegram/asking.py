"""What somebody wants of the bot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from telegram import Message

from bot.telegram.subjects import Subject, Whose


@dataclass(frozen=True)
class Ask:
    """What somebody wants.

    Attributes:
        asked: The message that is answered.
        where: The conversation.
        who: Wants it.
        words: What they said.
        language: What their device speaks, or "".
        messages: What they sent, if they sent something.
        about: Messages of others, or earlier ones, that it is about.
        subject: Of the answer whose button they pressed, or that "/retry" replied to.
        replied: Number of the answer that they replied to, or "".
        edited: Whether it was said before in other words.
    """

    asked: Message
    where: str
    who: str
    words: str
    language: str = ""
    messages: Sequence[Message] = ()
    about: Sequence[Message] = ()
    subject: Subject | None = None
    replied: str = ""
    edited: bool = False

    @property
    def whose(self) -> Whose:
        """The person in the conversation."""
        return self.where, self.who
