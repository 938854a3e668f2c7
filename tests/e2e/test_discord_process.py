"""`glimpse discord` as an operator starts it: a process of its own, with the real starter."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from fake_discord import TOKEN, FakeDiscord

from model.pretrained import LANGUAGE_MODEL, TOWER, is_ready

pytestmark = pytest.mark.skipif(
    not (is_ready(LANGUAGE_MODEL) and is_ready(TOWER)), reason="needs `glimpse fetch`"
)
SAMPLES = Path(__file__).parents[2] / "data/samples"
# discord.py has no setting for where Discord is.
START = """
import sys
import bot.discord
import discord.gateway, discord.http, yarl
from bot.cli import main
discord.http.Route.BASE = sys.argv[1] + "/api"
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(sys.argv[1]).with_path("/gateway")
main(["discord"])
"""


async def start(api: FakeDiscord) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", START, api.url,
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLIMPSE_DISCORD_TOKEN": TOKEN},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.timeout(240)  # a busy machine takes minutes to load the model
async def test_a_photo_is_answered_until_the_process_is_told_to_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with FakeDiscord().running(monkeypatch) as api:
        process = await start(api)
        try:
            await api.until(lambda: api.is_on, seconds=120)
            await api.dm("What animal is this?", (SAMPLES / "cat.jpg").read_bytes())
            await api.until(lambda: api.said, seconds=30)
            assert "cat" in api.said[0].lower()
            await api.dm("Is there a dog?")
            await api.until(lambda: len(api.said) == 2, seconds=30)
            assert process.stdout is not None
            line = await asyncio.wait_for(process.stdout.readline(), 30)
            assert line == b"Glimpse is on Discord as glimpse. Ctrl-C stops it.\n"
            process.send_signal(signal.SIGTERM)
            out, err = await asyncio.wait_for(process.communicate(), 30)
        finally:
            if process.returncode is None:
                process.kill()
    assert process.returncode == 0
    assert out == b""
    assert err.decode() == "Loading the model, which takes a few seconds...\n"
