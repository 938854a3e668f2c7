"""What the bot says on Discord, as messages that fit and in which nothing means anything else."""

from __future__ import annotations

import re
from dataclasses import dataclass

import discord

from bot.assistant.locale.texts import Texts
from bot.assistant.splitting import split
from bot.assistant.types import Button, Reply
from bot.assistant.wording import say_caption
from bot.discord.button import buttons
from bot.discord.subjects import Shown, Subject

LONGEST = 2000  # characters of a message
LONGEST_ALT = 1000  # characters; Discord's own field for it takes little more
_VEIL = "||"


@dataclass(frozen=True)
class Answer:
    """What to say.

    Attributes:
        text: Plain text.
        error: It says why there is no answer.
        spoiler: It tells what a hidden picture shows.
        buttons: Offered next steps.
        subject: What it is about, if known.
        blocks: What is said before `text`, in Discord's markup already.
    """

    text: str
    error: bool = False
    spoiler: bool = False
    buttons: tuple[Button, ...] = ()
    subject: Subject | None = None
    blocks: tuple[str, ...] = ()

    @property
    def looked(self) -> bool:
        """Whether the model was asked, which nobody can do too often."""
        return bool(self.subject and self.subject.digests)

    def parts(self) -> list[str]:
        """Messages that fit, in which no character of the text means anything else."""
        veil = _VEIL if self.spoiler else ""
        text = discord.utils.escape_markdown(self.text)
        pieces = [*self.blocks, *split(text, LONGEST - 2 * len(veil))]
        pieces = [f"{veil}{piece}{veil}" for piece in pieces if piece]
        parts = pieces[:1]
        for piece in pieces[1:]:
            if len(parts[-1]) + 1 + len(piece) <= LONGEST:
                parts[-1] += f"\n{piece}"
            else:
                parts.append(piece)
        return parts

    def view(self) -> discord.ui.View | None:
        """The buttons, if there are any."""
        offered = buttons(self.buttons, self.subject.place if self.subject else None)
        if not offered:
            return None
        view = discord.ui.View(timeout=None)
        for button in offered:
            view.add_item(button)
        return view


def alt_texts(reply: Reply, shown: Shown, texts: Texts) -> tuple[str, ...]:
    """Captions to be copied, one for each picture; numbered if there are several pictures."""
    blocks = []
    for exchange in reply.exchanges:
        caption = say_caption(exchange.answer, texts)[:LONGEST_ALT].replace("`", "'")
        number = shown.numbers([exchange.digest]) if len(shown.digests) > 1 else []
        blocks.append("".join(f"{each}.\n" for each in number) + f"```\n{caption}\n```")
    return tuple(blocks)


def unanswered(reply: Reply, shown: Shown) -> list[str]:
    """What a numbered reply says of the pictures that it has no answer about."""
    if len(shown.digests) < 2:
        return []
    answered = {f"{each}." for each in shown.numbers(each.digest for each in reply.exchanges)}
    numbered = [line for line in reply.text.splitlines() if re.match(r"\d+\. ", line)]
    return [line for line in numbered if line.split()[0] not in answered]
