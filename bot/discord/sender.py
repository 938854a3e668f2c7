"""Saying a reply on Discord: in parts that fit, without calling anybody, or in place."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import discord

from bot.assistant.locale.texts import Texts
from bot.assistant.splitting import split
from bot.assistant.types import Button, Reply
from bot.assistant.wording import say_alt
from bot.discord.messages import API_ERRORS, BUTTON, Place
from bot.live_draft import LiveDraft, Pace
from bot.platforms import retry

LONGEST = 2000  # characters of a message
LONGEST_ALT = 1000  # characters; Discord's own field for it takes little more
FOR_A_MOMENT = "…"
DRAFT_PAUSE = 1.2  # seconds between two changes in one channel; Discord takes five in five
# Seconds from the first words to the first message with them: an answer that is written by then
# needs no other.
BEFORE_MESSAGE = 1.0
_GOES_ON = " …"
WAITS = (1.0, 2.0, 4.0, 8.0, 15.0)  # seconds between attempts when a connection broke
_SPOILER_MARK = "||"
# Discord's codes of errors.
NO_HISTORY = 160_002  # a reply is not allowed where the bot may not read what was said before
_EXPIRED = frozenset({10_015, 10_062, 50_027})  # of an interaction, a quarter of an hour old say
_BROKE = (aiohttp.ClientConnectionError, ConnectionError)  # maybe after Discord took something
_ABOUT_PICTURES = frozenset({"/caption", "/retry"})

_log = logging.getLogger(__name__)
T = TypeVar("T")
View = discord.ui.View


# --- what is said ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outgoing:
    """A reply as messages that fit, in which nothing means anything else.

    Attributes:
        reply: What to say, and the buttons under it.
        spoiler: It tells what a hidden picture shows.
        blocks: What is said before the text, in Discord's markup already.
    """

    reply: Reply
    spoiler: bool = False
    blocks: tuple[str, ...] = ()

    def parts(self) -> list[str]:
        """Messages that fit, in which no character of the text means anything else."""
        blocks = [self._hidden(block) for block in self.blocks]
        pieces = [*blocks, *map(self._written, filter(None, self._divided()))]
        parts = pieces[:1]
        for piece in pieces[1:]:
            if len(parts[-1]) + 1 + len(piece) <= LONGEST:
                parts[-1] += f"\n{piece}"
            else:
                parts.append(piece)
        return parts

    def beginning(self) -> str:
        """As much of the text as fits into one message."""
        first, *more = self._divided(room=len(_GOES_ON))
        return self._written(first + _GOES_ON if more else first)

    def _divided(self, room: int = 0) -> list[str]:
        return split(self.reply.text, LONGEST - room, lambda text: len(self._written(text)))

    def _written(self, text: str) -> str:
        # An invisible character parts what would be a link with words of its own, of which the
        # library escapes only the first in a line, and nothing within.
        apart = text.replace("](", "]\u2060(")
        return self._hidden(discord.utils.escape_markdown(apart))

    def _hidden(self, text: str) -> str:
        return f"{_SPOILER_MARK}{text}{_SPOILER_MARK}" if self.spoiler else text

    def view(self) -> View | None:
        """The buttons, if there are any."""
        place = self.reply.place
        offered = buttons(self.reply.buttons, place if isinstance(place, Place) else None)
        if not offered:
            return None
        view = View(timeout=None)
        for button in offered:
            view.add_item(button)
        return view


def alt_texts(reply: Reply, texts: Texts, *, numbered: bool) -> tuple[str, ...]:
    """Captions to be copied, one for each picture."""
    blocks = []
    for exchange in reply.exchanges:
        caption = say_alt(exchange, texts)[:LONGEST_ALT].replace("`", "'")
        number = f"{exchange.place + 1}.\n" if numbered else ""
        blocks.append(f"{number}```\n{caption}\n```")
    return tuple(blocks)


# --- buttons --------------------------------------------------------------------------------------


class ActionButton(
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=BUTTON,
):
    """Does something; all it needs is part of its name, so that a restart does no harm.

    Args:
        action: The text that pressing it stands for.
        place: The picture that it is about, if it is about one.
        label: The words on it.
        emoji: The emoji on it.
    """

    def __init__(
        self,
        action: str,
        place: Place | None = None,
        label: str | None = None,
        emoji: discord.PartialEmoji | str | None = None,
    ) -> None:
        # At most 91 of the 100 characters that Discord keeps.
        name = ":".join(
            ["glimpse", action.removeprefix("/"), *map(str, place[:2] if place else ())]
        )
        super().__init__(discord.ui.Button(label=label, emoji=emoji, custom_id=name))
        self.action, self.place = action, place

    @classmethod
    async def from_custom_id(
        cls,
        interaction: discord.Interaction[Any],
        item: discord.ui.Item[Any],
        match: re.Match[str],
        /,
    ) -> ActionButton:
        """Read the name."""
        assert isinstance(item, discord.ui.Button)
        place = Place(int(match["channel"]), int(match["message"])) if match["channel"] else None
        return cls(f"/{match['action']}", place, item.label, item.emoji)

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Hand on that it was pressed."""
        await interaction.client.handlers.on_press(interaction, self.action, self.place)


def buttons(offered: tuple[Button, ...], place: Place | None) -> list[ActionButton]:
    """What the assistant offers, as far as it can be done without knowing the picture."""
    made = []
    for button in offered:
        about = button.action in _ABOUT_PICTURES
        if about and place is None:
            continue
        label, emoji = (None, button.label) if button.name else (button.label, None)
        made.append(ActionButton(button.action, place if about else None, label, emoji))
    return made


# --- where it is said -----------------------------------------------------------------------------


class Responder(ABC):
    """Says things in one place, where what is said later replaces what was said before.

    What is shown of an answer before its end is lost in a crash, as the question is, and stays as
    it is then.

    Args:
        pace: Tells when something may be shown of what is being written.
        place: For which `pace` counts.
        ephemeral: Only one person is to hear it.

    Attributes:
        sent: The messages of what was said last, as far as they could be sent.
        ephemeral: Only one person hears it.
        spoiler: What is being written tells what a hidden picture shows.
    """

    def __init__(self, pace: Pace, place: Hashable, *, ephemeral: bool = False) -> None:
        self.sent: list[int] = []
        self.ephemeral = ephemeral
        self.spoiler = False
        self._passing = False  # what was sent is no answer
        self._shown = ""  # of an answer that is being written
        self._one = asyncio.Lock()
        self._pace, self._place = pace, place
        self._live = LiveDraft(self._turn, self._show)
        self.draft = self._live.offer

    async def begin(self) -> bool:
        """Have Discord know that an answer will come; returns whether it can be said."""
        return True

    async def notify(self, text: str) -> None:
        """Say something for as long as the answer takes."""
        async with self._one:
            self._passing |= not self.sent
            await self._say(Outgoing(Reply(text)))

    async def say(self, answer: Outgoing) -> None:
        """Say an answer, or as much of it as Discord takes."""
        await self._live.close()
        self._passing = False
        await self._say(answer)

    async def whisper(self) -> bool:
        """Have only the person hear what follows; False if that cannot be had here."""
        return False

    async def withdraw(self) -> None:
        """Take back what was shown and is no answer."""
        await self._live.close()
        taken, self.sent = (self.sent, []) if self._passing else ([], self.sent)
        for message in taken:
            try:
                await self._delete(message)
            except API_ERRORS as error:
                _log.info("Cannot take a message back (%s)", type(error).__name__)

    async def _turn(self) -> None:
        await self._pace.turn(self._place)

    async def _show(self, text: str) -> bool:
        """Show what there is of the answer; returns whether to go on with that."""
        beginning = Outgoing(Reply(text), self.spoiler).beginning()
        async with self._one:
            if self.sent and not self._passing:
                return False  # an answer, which stays until it is known that there is another
            began = bool(self.sent)
            if began and beginning == self._shown:
                return True
            try:
                if began:
                    await self._edit(self.sent[0], beginning, None)
                else:
                    self._passing = True
                    self.sent = [await self._send(beginning, None)]
            except API_ERRORS as error:
                _log.debug("Cannot show a draft: %s", type(error).__name__)
                return began and _will_pass(error)
        self._shown = beginning
        return True

    async def _say(self, answer: Outgoing) -> None:
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
        except API_ERRORS as error:
            _log.error("Could not send an answer (%s)", type(error).__name__, exc_info=error)

    async def _changed(self, message: int, text: str, view: View | None) -> bool:
        """Change a message; False if it is gone."""
        try:
            await _insist(lambda: self._edit(message, text, view))
        except discord.HTTPException as error:
            if isinstance(error, discord.NotFound) or error.code in _EXPIRED:
                return False
            raise
        return True

    @abstractmethod
    async def _send(self, text: str, view: View | None) -> int: ...

    @abstractmethod
    async def _edit(self, message: int, text: str, view: View | None) -> None: ...

    @abstractmethod
    async def _delete(self, message: int) -> None: ...


class MessageResponder(Responder):
    """Answers a message.

    Args:
        asked: The message.
        pace: Tells when something may be shown of what is being written.
    """

    def __init__(self, asked: discord.Message, pace: Pace) -> None:
        super().__init__(pace, asked.channel.id)
        self._asked = asked

    async def _turn(self) -> None:
        if not self.sent:
            await asyncio.sleep(BEFORE_MESSAGE)
        await super()._turn()

    async def _send(self, text: str, view: View | None) -> int:
        try:
            # The question may be deleted by now.
            return await self._post(text, view, self._asked.to_reference(fail_if_not_exists=False))
        except discord.HTTPException as error:
            if error.code != NO_HISTORY:
                raise
            _log.info("May not reply where it cannot read the history, so it just says it")
            return await self._post(text, view, None)

    async def _post(
        self, text: str, view: View | None, reference: discord.MessageReference | None
    ) -> int:
        how: dict[str, Any] = {"reference": reference} if reference else {}
        how |= {"view": view} if view else {}
        nonce = secrets.randbits(63)  # by which Discord knows what it has taken already
        sent = await _insist(
            lambda: self._asked.channel.send(text, suppress_embeds=True, nonce=nonce, **how)
        )
        return sent.id

    async def _edit(self, message: int, text: str, view: View | None) -> None:
        await self._sent(message).edit(content=text, view=view)

    async def _delete(self, message: int) -> None:
        await self._sent(message).delete()

    def _sent(self, message: int) -> discord.PartialMessage:
        assert not isinstance(self._asked.channel, discord.GroupChannel)  # bots are in none
        return self._asked.channel.get_partial_message(message)


class InteractionResponder(Responder):
    """Answers a command or a button.

    Args:
        interaction: The use of it.
        pace: Tells when something may be shown of what is being written.
        ephemeral: Nobody else is to see the answer.
    """

    def __init__(
        self, interaction: discord.Interaction[Any], pace: Pace, *, ephemeral: bool = False
    ) -> None:
        super().__init__(pace, interaction.id, ephemeral=ephemeral)
        self._interaction = interaction
        self._pressed = interaction.type is discord.InteractionType.component
        self._said = False

    async def begin(self) -> bool:
        """Tell Discord within its three seconds that an answer will come."""
        how = {} if self._pressed else {"thinking": True, "ephemeral": self.ephemeral}
        try:
            await self._interaction.response.defer(**how)
        except API_ERRORS as error:
            _log.warning("Could not take a command (%s)", type(error).__name__)
            return False
        return True

    async def whisper(self) -> bool:
        """Have only the person hear what follows, in place of what everybody sees so far."""
        await self._live.close()
        # The original response to a button is the message that it is under.
        if self._pressed:
            await self.withdraw()
        elif not self.ephemeral:
            try:
                if not self._said:  # what follows "thinking…" would be seen by as many
                    await self._interaction.edit_original_response(content=FOR_A_MOMENT)
                await self._interaction.delete_original_response()
                self.sent, self._said = [], True
            except API_ERRORS as error:
                _log.debug("Cannot take an answer back: %s", type(error).__name__)
        self.ephemeral = True
        return True

    async def _send(self, text: str, view: View | None) -> int:
        first = not (self.sent or self._pressed or self._said)
        self._said = True
        try:
            sent: discord.Message = await self._interaction.followup.send(
                text, ephemeral=self.ephemeral, suppress_embeds=True, wait=True, **_optional(view)
            )
        except (discord.HTTPException, *_BROKE) as error:
            if getattr(error, "code", 0) in _EXPIRED:
                sent = await self._send_apart(text, view)
            elif first and _will_pass(error):
                # "Thinking…" must not stay, and whatever was taken already is what this changes.
                sent = await _insist(
                    lambda: self._interaction.edit_original_response(content=text, view=view)
                )
            else:
                raise
        return sent.id

    async def _send_apart(self, text: str, view: View | None) -> discord.Message:
        """Say an answer that came too late for the interaction: in the channel, or in private."""
        user, channel = self._interaction.user, self._interaction.channel
        if self.ephemeral or not isinstance(channel, discord.abc.Messageable):
            return await user.send(text, suppress_embeds=True, **_optional(view))
        named = f"{user.mention}\n{text}"  # which shows whose answer it is, and calls nobody
        said = named if len(named) <= LONGEST else text
        return await channel.send(said, suppress_embeds=True, **_optional(view))

    async def _edit(self, message: int, text: str, view: View | None) -> None:
        pressed = self._interaction.message
        if pressed and pressed.id == message:
            await self._interaction.edit_original_response(content=text, view=view)
        else:
            await self._interaction.followup.edit_message(message, content=text, view=view)

    async def _delete(self, message: int) -> None:
        await self._interaction.followup.delete_message(message)


async def _insist(call: Callable[[], Awaitable[T]]) -> T:
    """Try again when the connection broke; for what does no harm if it was done already.

    Raises:
        aiohttp.ClientConnectionError: It breaks for half a minute.
        discord.DiscordException: Discord refuses.
    """

    def failed(error: BaseException, wait: float) -> None:
        said = "The connection to Discord broke (%s); trying again in %.0f s"
        _log.warning(said, type(error).__name__, wait)

    return await retry(call, _broke, WAITS, failed)


@asynccontextmanager
async def showing(responder: Responder) -> AsyncIterator[None]:
    """While an answer is awaited and said; what ends that takes back what was only begun."""
    try:
        yield
    except BaseException:
        await responder.withdraw()
        raise


def _broke(error: BaseException) -> bool:
    return isinstance(error, _BROKE)


def _will_pass(error: BaseException) -> bool:
    """Whether Discord or the network has a trouble that passes."""
    if isinstance(error, discord.HTTPException):
        return error.status == 429 or error.status >= 500
    return _broke(error)


@asynccontextmanager
async def typing(channel: discord.abc.Messageable | None) -> AsyncIterator[None]:
    """Show in a channel, if there is one, that an answer is on its way, for as long as it takes."""
    async with AsyncExitStack() as stack:
        try:
            if channel:
                await stack.enter_async_context(channel.typing())
        except API_ERRORS as error:  # a nicety; the answer itself reports troubles
            _log.debug("Cannot show typing: %s", type(error).__name__)
        yield


def _optional(view: View | None) -> dict[str, Any]:
    return {"view": view} if view else {}
