"""A small Discord over loopback, which discord.py in this process takes for the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import yarl

from bot.benchmarks import fake_discord
from bot.benchmarks.fake_discord import TOKEN

__all__ = ["TOKEN", "FakeDiscord"]


async def _at_once(*_shard: object, **_how: object) -> None: ...


class FakeDiscord(fake_discord.FakeDiscord):
    """Keeps what the bot says, and tells it what people do."""

    @asynccontextmanager
    async def running(self, patch: pytest.MonkeyPatch) -> AsyncIterator[FakeDiscord]:
        """Be what discord.py takes for Discord."""
        async with self.serving():
            patch.setattr("discord.http.Route.BASE", f"{self.url}/api")
            gateway = yarl.URL(self.gateway)
            patch.setattr("discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY", gateway)
            # Without the seconds before a connection is made again, and between sessions.
            patch.setattr("discord.backoff.ExponentialBackoff.delay", lambda _self: 0.01)
            patch.setattr("discord.Client.before_identify_hook", _at_once)
            yield self
