"""Saying an answer on Discord: in parts that fit, without calling anybody, or in place."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import discord

from bot.discord.button import CaptionButton, Place
from bot.discord.files import TROUBLES
from bot.splitting import split

LONGEST = 2000  # characters of a message
_VEIL = "||"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What to say.

    Attributes:
        text: Plain text.
        error: It says why there is no answer.
        spoiler: It tells what a hidden picture shows.
        button: What is written on the button, or "".
        place: The picture that it is about, if known.
    """

    text: str
    error: bool = False
    spoiler: bool = False
    button: str = ""
    place: Place | None = None

    def parts(self) -> list[str]:
        """Messages that fit, in which no character means anything else."""
        text = discord.utils.escape_markdown(self.text)
        if not self.spoiler:
            return split(text, LONGEST)
        return [f"{_VEIL}{part}{_VEIL}" for part in split(text, LONGEST - 2 * len(_VEIL))]

    def view(self) -> discord.ui.View | None:
        """The button, if there is one."""
        if not (self.button and self.place):
            return None
        view = discord.ui.View(timeout=None)
        return view.add_item(CaptionButton(self.button, self.place))


async def say(asked: discord.Message, answer: Answer, said: Sequence[int] = ()) -> list[int]:
    """Answer a message, or change what was said before.

    Args:
        asked: What it answers.
        answer: What to say.
        said: The messages of the answer that was given before the question was edited.

    Returns:
        The messages of the answer, as far as they could be sent.
    """
    parts, sent = answer.parts(), list[int]()
    try:
        for number, part in enumerate(parts):
            view = answer.view() if number == len(parts) - 1 else None
            before = said[number] if number < len(said) else None
            if before and await _edit(asked, before, part, view):
                sent.append(before)
            else:
                sent.append(await _send(asked, part, view))
        for superfluous in said[len(parts) :]:
            await _sent(asked, superfluous).delete()
    except (discord.Forbidden, discord.NotFound) as error:
        _log.info("Cannot answer any more: %s", error)
    except TROUBLES as error:
        _log.error("Could not send an answer (%s)", type(error).__name__, exc_info=error)
    return sent


async def follow_up(
    interaction: discord.Interaction[Any], answer: Answer, *, ephemeral: bool = False
) -> list[int]:
    """Answer a command or a button that was confirmed before; returns the answer's messages."""
    parts, sent = answer.parts(), list[int]()
    try:
        for number, part in enumerate(parts):
            view = answer.view() if number == len(parts) - 1 else None
            message = await interaction.followup.send(
                part, ephemeral=ephemeral, suppress_embeds=True, wait=True, **_optional(view)
            )
            sent.append(message.id)
    except TROUBLES as error:
        _log.warning("Could not answer a command (%s)", type(error).__name__)
    return sent


@asynccontextmanager
async def typing(channel: discord.abc.Messageable) -> AsyncIterator[None]:
    """Show in the channel that an answer is on its way, for as long as it takes."""
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(channel.typing())
        except TROUBLES as error:  # a nicety; the answer itself reports troubles
            _log.debug("Cannot show typing: %s", type(error).__name__)
        yield


async def _send(asked: discord.Message, text: str, view: discord.ui.View | None) -> int:
    # The question may be deleted by now.
    reference = asked.to_reference(fail_if_not_exists=False)
    sent = await asked.channel.send(
        text, reference=reference, suppress_embeds=True, **_optional(view)
    )
    return sent.id


async def _edit(asked: discord.Message, said: int, text: str, view: discord.ui.View | None) -> bool:
    """Change a message; False if it is gone."""
    try:
        await _sent(asked, said).edit(content=text, view=view)
    except discord.NotFound:
        return False
    return True


def _sent(asked: discord.Message, message: int) -> discord.PartialMessage:
    assert not isinstance(asked.channel, discord.GroupChannel)  # bots are in none
    return asked.channel.get_partial_message(message)


def _optional(view: discord.ui.View | None) -> dict[str, Any]:
    return {"view": view} if view else {}
