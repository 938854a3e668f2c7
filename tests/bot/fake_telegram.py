"""The bot on Telegram against a small Bot API server on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

from engine_stand_in import StandIn, open_photo

from bot.assistant.assistant import Assistant
from bot.assistant.limits import UNLIMITED, Access, Limits, LimitSettings
from bot.benchmarks.fake_telegram import GROUP, ME, TOKEN, FakeTelegram, Json
from bot.telegram import handlers
from bot.telegram.bot import build, serve
from bot.telegram.inbox import Inbox
from bot.telegram.webhook import Webhook

__all__ = ["GROUP", "ME", "TOKEN", "FakeTelegram", "Json", "telegram"]


@asynccontextmanager
async def telegram(
    engine: StandIn | None = None,
    limits: LimitSettings | None = None,
    access: Access = Access(),  # noqa: B008 (frozen)
    *,
    api: FakeTelegram | None = None,
    webhook: Webhook | None = None,
    inbox: Inbox | None = None,
    **options: Any,
) -> AsyncIterator[FakeTelegram]:
    """The bot, started and stopped as `glimpse telegram` does it; `options` of the assistant."""
    free = LimitSettings(default=UNLIMITED)
    held = Limits(limits or free)
    options = {"limits": held, "access": access, "open_picture": open_photo, **options}
    assistant = Assistant(engine or StandIn(), **options)
    stopped = asyncio.Event()
    hold = patch.multiple(handlers, HOLD=0.2, FOLLOW_UP_HOLD=0.05)
    async with (api or FakeTelegram()).running() as api:
        bot = build(TOKEN, api.url, inbox=inbox)
        hold.start()
        task = asyncio.ensure_future(serve(bot, assistant, stopped, webhook))
        try:
            yield api
        finally:
            stopped.set()
            async with asyncio.timeout(20):
                await task
            hold.stop()
