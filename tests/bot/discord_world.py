"""A Discord in memory, by simcord, with people in it: for tests of the bot."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

import discord
import simcord
from engine_stand_in import StandIn, open_photo
from simcord import interactions
from simcord.backend import serializers

from bot.assistant.assistant import Assistant
from bot.assistant.limits import UNLIMITED, Limits, LimitSettings
from bot.assistant.locale.texts import ENGLISH
from bot.discord.bot import DiscordBot, build

BLUE_CAPTION = "A blue square.\n\nAsk me anything about it."
ASK_ABOUT, DESCRIBE = ENGLISH.command_ask_menu, ENGLISH.command_describe_menu
ALT = ENGLISH.command_alt_menu
MENUS = (ASK_ABOUT, DESCRIBE, ALT)


@dataclass
class World:
    """A server with a channel and two people, one of whom also writes in private."""

    env: Any
    client: DiscordBot
    channel: Any
    ann: Any
    ben: Any
    locale: str = "en-US"  # of everybody's devices

    @property
    def me(self) -> str:
        return f"<@{self.client.user.id}>"  # type: ignore[union-attr]

    @property
    def said(self) -> list[str]:
        return [message.content for message in self.answers()]

    def answers(self, channel: Any = None) -> list[discord.Message]:
        history = (channel or self.channel).history()
        return [each for each in history if each.author.id == self.client.user.id]  # type: ignore[union-attr]

    async def dm(self, text: str = "", *pictures: str) -> discord.Message:
        sent = self.env.backend.store_attachments(self.dms.id, [photo(each) for each in pictures])
        return await self.ann.send_dm(text, attachments=sent)

    @property
    def dm_said(self) -> list[str]:
        return [message.content for message in self.answers(self.dms)]

    def button(self, message: discord.Message, action: str) -> str:
        """The id of the button under a message that does something."""
        rows = [row for row in message.components if isinstance(row, discord.ActionRow)]
        names = [each.custom_id or "" for row in rows for each in row.children]
        (name,) = [each for each in names if re.match(rf"glimpse:{action}(:|$)", each)]
        assert len(name) <= 100
        return name

    async def press(self, message: discord.Message, action: str, by: Any = None) -> Any:
        name = self.button(message, action)
        return await (by or self.ann).click(message, custom_id=name)

    async def press_at_once(self, message: discord.Message, action: str, times: int) -> None:
        """Press a button again before anything could be answered."""
        backend, guild = self.env.backend, self.channel.guild.id
        stored = backend.get_message(self.channel.id, message.id)
        data = {"custom_id": self.button(message, action), "component_type": 2}
        for _ in range(times):
            record, payload = interactions.base_payload(
                backend, type=3, channel_id=self.channel.id, guild_id=guild,
                user_id=self.ann.id, data=data,
            )  # fmt: skip
            record.source_message_id = message.id
            shown = dict(serializers.message_payload(backend, stored))
            backend.emit("INTERACTION_CREATE", payload | {"message": shown})
        await self.env.settle()

    def requests(self, method: str, path: str) -> list[Any]:
        """What the bot asked of Discord so far."""
        return [each for each in self.env.http_requests
                if each.method == method and fnmatch(each.path, path)]  # fmt: skip

    async def restart(self) -> None:
        await self.env.restart_bot(new_bot())
        self.client = self.env.bot

    @property
    def dms(self) -> Any:
        return self.ann.user.dm_channel


def photo(colour: str) -> tuple[str, bytes]:
    return f"{colour}.png", colour.encode()


def new_bot(engine: StandIn | None = None, **how: Any) -> DiscordBot:
    how = {"limits": Limits(LimitSettings(default=UNLIMITED)), "open_picture": open_photo} | how
    return build(Assistant(engine or StandIn(), **how), shards=1)  # simcord recommends none


@asynccontextmanager
async def discord_world(
    engine: StandIn | None = None,
    *,
    sync: bool = True,
    client: DiscordBot | None = None,
    server: str | None = None,
    **options: Any,
) -> AsyncIterator[World]:
    """People and a bot; `server` is the language that its server prefers."""
    client = client or new_bot(engine)
    async with simcord.run(client, **options) as env:
        guild = env.create_guild(preferred_locale=server)
        people = [guild.add_member(env.create_user(name)) for name in ("ann", "ben")]
        if sync:
            await client.tree.sync()
        world = World(env, client, guild.create_text_channel("general"), *people)
        tell = env.backend.emit

        def emit(event: str, payload: dict[str, Any], **how: Any) -> Any:
            spoken = {"locale": world.locale} if event == "INTERACTION_CREATE" else {}
            return tell(event, payload | spoken, **how)

        env.backend.emit = emit  # type: ignore[method-assign]
        yield world


@asynccontextmanager
async def slow(engine: StandIn, first: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
    """Let an engine answer only when it has been asked, and `first` was done."""

    async def release() -> None:
        while not engine.queue:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.03)
        first()
        engine.release()

    engine.held, releasing = True, asyncio.ensure_future(release())
    try:
        yield
        await asyncio.wait_for(releasing, 5)
    finally:
        engine.held = False
        releasing.cancel()
