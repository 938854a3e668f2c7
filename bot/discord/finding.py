"""Finding messages and their pictures, asking Discord for what it did not send by itself."""

from __future__ import annotations

import logging

import discord

from bot.discord.button import Place
from bot.discord.files import TROUBLES
from bot.discord.messages import Found, is_blank, pictures_in, replied_to

_log = logging.getLogger(__name__)


class Finder:
    """Looks things up.

    Args:
        client: Discord's side.
    """

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    def pictures_in(self, message: discord.Message) -> list[Found]:
        """What a message shows."""
        return pictures_in(message, self._client.http.get_from_cdn)

    async def pictures_at(self, place: Place) -> list[Found]:
        """What the message in a place shows, nothing if it is gone or was none."""
        message = await self._message(place) if place.channel else None
        return self.pictures_in(message) if message else []

    async def replied(self, message: discord.Message) -> discord.Message | None:
        """The message that one replies to, None if it is gone or was none."""
        known, reference = replied_to(message), message.reference
        if known or not reference or reference.type is not discord.MessageReferenceType.reply:
            return known
        return await self._message(Place(reference.channel_id, reference.message_id or 0))

    async def readable(self, message: discord.Message) -> discord.Message | None:
        """A message with what it holds, None if Discord does not tell.

        Without the privileged intent, messages that neither mention the bot nor reply to it
        come blank; but where the bot has been granted it, they can be fetched.
        """
        if not is_blank(message):
            return message
        fetched = await self._message(Place(message.channel.id, message.id))
        return fetched if fetched and not is_blank(fetched) else None

    async def _message(self, place: Place) -> discord.Message | None:
        try:
            channel = self._client.get_partial_messageable(place.channel)
            return await channel.fetch_message(place.message)
        except TROUBLES as error:
            _log.info("Cannot see a message: %s", type(error).__name__)
            return None
