"""Saying an answer on Discord: in parts that fit, without calling anybody, or in place."""

from __future__ import annotations

import asyncio
import logging
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import aiohttp
import discord

from bot.discord.answers import Answer
from bot.discord.files import TROUBLES

View = discord.ui.View
T = TypeVar("T")
WAITS = (1.0, 2.0, 4.0, 8.0, 15.0)  # seconds between attempts when a connection broke

_log = logging.getLogger(__name__)


class Voice(ABC):
    """Says things in one place, where what is said later replaces what was said before.

    Attributes:
        sent: The messages of what was said last, as far as they could be sent.
        ephemeral: Only one person hears it.
    """

    def __init__(self, said: Iterable[int] = (), *, ephemeral: bool = False) -> None:
        self.sent = list(said)
        self.ephemeral = ephemeral

    async def notify(self, text: str) -> None:
        """Say something for as long as the answer takes."""
        await self.say(Answer(text))

    async def say(self, answer: Answer) -> None:
        """Say an answer, or as much of it as Discord takes."""
        parts, before, self.sent = answer.parts(), self.sent, []
        try:
            for number, part in enumerate(parts):
                view = answer.view() if number == len(parts) - 1 else None
                known = before[number] if number < len(before) else None
                if known and await self._changed(known, part, view):
                    self.sent.append(known)
                else:
                    self.sent.append(await self._send(part, view))
            for superfluous in before[len(parts) :]:
                await self._delete(superfluous)
        except (discord.Forbidden, discord.NotFound) as error:
            _log.info("Cannot answer any more: %s", error)
        except TROUBLES as error:
            _log.error("Could not send an answer (%s)", type(error).__name__, exc_info=error)

    async def withdraw(self) -> None:
        """Say nothing, though somebody may wait for it."""
        _log.debug("It was said often enough")

    async def _changed(self, message: int, text: str, view: View | None) -> bool:
        """Change a message; False if it is gone."""
        try:
            await self._edit(message, text, view)
        except discord.NotFound:
            return False
        return True

    @abstractmethod
    async def _send(self, text: str, view: View | None) -> int: ...

    @abstractmethod
    async def _edit(self, message: int, text: str, view: View | None) -> None: ...

    @abstractmethod
    async def _delete(self, message: int) -> None: ...


class Replies(Voice):
    """Answers a message.

    Args:
        asked: The message.
        said: The messages of the answer that was given before the question was edited.
    """

    def __init__(self, asked: discord.Message, said: Iterable[int] = ()) -> None:
        super().__init__(said)
        self._asked = asked

    async def _send(self, text: str, view: View | None) -> int:
        # The question may be deleted by now.
        reference = self._asked.to_reference(fail_if_not_exists=False)
        nonce = secrets.randbits(63)  # by which Discord knows what it has taken already
        sent = await _insist(
            lambda: self._asked.channel.send(
                text, reference=reference, suppress_embeds=True, nonce=nonce, **_optional(view)
            )
        )
        return sent.id

    async def _edit(self, message: int, text: str, view: View | None) -> None:
        await _insist(lambda: self._sent(message).edit(content=text, view=view))

    async def _delete(self, message: int) -> None:
        await self._sent(message).delete()

    def _sent(self, message: int) -> discord.PartialMessage:
        assert not isinstance(self._asked.channel, discord.GroupChannel)  # bots are in none
        return self._asked.channel.get_partial_message(message)


class FollowUps(Voice):
    """Answers a command or a button that was confirmed before.

    Args:
        interaction: The use of it.
        said: The message of the button, if the answer is to replace it.
        ephemeral: Nobody else is to see the answer.
    """

    def __init__(
        self,
        interaction: discord.Interaction[Any],
        said: Iterable[int] = (),
        *,
        ephemeral: bool = False,
    ) -> None:
        super().__init__(said, ephemeral=ephemeral)
        self._interaction = interaction

    async def withdraw(self) -> None:
        """Say nothing, and end the waiting that Discord shows for a command."""
        await super().withdraw()
        if self._interaction.type is discord.InteractionType.component:
            return  # its original response is the message with the button
        try:
            await self._interaction.delete_original_response()
        except TROUBLES as error:
            _log.debug("Cannot withdraw an answer: %s", type(error).__name__)

    async def _send(self, text: str, view: View | None) -> int:
        message = await self._interaction.followup.send(
            text, ephemeral=self.ephemeral, suppress_embeds=True, wait=True, **_optional(view)
        )
        return message.id

    async def _edit(self, message: int, text: str, view: View | None) -> None:
        pressed = self._interaction.message
        if pressed and pressed.id == message:
            await self._interaction.edit_original_response(content=text, view=view)
        else:
            await self._interaction.followup.edit_message(message, content=text, view=view)

    async def _delete(self, message: int) -> None:
        await self._interaction.followup.delete_message(message)


async def confirm(interaction: discord.Interaction[Any], **how: bool) -> bool:
    """Tell Discord within its three seconds that an answer will come."""
    try:
        await interaction.response.defer(**how)
    except TROUBLES as error:
        _log.warning("Could not take a command (%s)", type(error).__name__)
        return False
    return True


async def _insist(call: Callable[[], Awaitable[T]]) -> T:
    """Try again when the connection broke; for what does no harm if it was done already.

    Raises:
        aiohttp.ClientConnectionError: It breaks for half a minute.
        discord.DiscordException: Discord refuses.
    """
    for wait in WAITS:
        try:
            return await call()
        except (aiohttp.ClientConnectionError, ConnectionError) as error:
            said = "The connection to Discord broke (%s); trying again in %.0f s"
            _log.warning(said, type(error).__name__, wait)
            await asyncio.sleep(wait)
    return await call()


@asynccontextmanager
async def typing(channel: discord.abc.Messageable) -> AsyncIterator[None]:
    """Show in the channel that an answer is on its way, for as long as it takes."""
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(channel.typing())
        except TROUBLES as error:  # a nicety; the answer itself reports troubles
            _log.debug("Cannot show typing: %s", type(error).__name__)
        yield


def _optional(view: View | None) -> dict[str, Any]:
    return {"view": view} if view else {}
