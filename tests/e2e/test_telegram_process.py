"""`glimpse telegram` as an operator starts it: a process of its own, with the real starter."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from fake_telegram import TOKEN, FakeTelegram

from model.pretrained import LANGUAGE_MODEL, TOWER, is_ready

pytestmark = pytest.mark.skipif(
    not (is_ready(LANGUAGE_MODEL) and is_ready(TOWER)), reason="needs `glimpse fetch`"
)
SAMPLES = Path(__file__).parents[2] / "data/samples"


async def start(api: FakeTelegram, **changes: str) -> asyncio.subprocess.Process:
    environment = {
        **os.environ, "OMP_NUM_THREADS": "1", "GLIMPSE_TELEGRAM_TOKEN": TOKEN,
        "GLIMPSE_TELEGRAM_BASE_URL": api.url, **changes,
    }  # fmt: skip
    return await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-m", "bot.cli", "telegram", env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def test_a_photo_is_answered_until_the_process_is_told_to_stop() -> None:
    async with FakeTelegram().running() as api:
        process = await start(api)
        try:
            asked = api.photo((SAMPLES / "cat.jpg").read_bytes(), "What animal is this?")
            await api.until(lambda: api.said, seconds=90)
            assert "cat" in api.said[0].lower()
            api.press("/retry", api.said_to(asked))
            await api.until(lambda: len(api.said) == 2)
            assert api.said[1] != api.said[0]
            api.message("Is there a dog?")
            await api.until(lambda: len(api.said) == 3)
            process.send_signal(signal.SIGTERM)
            out, err = await asyncio.wait_for(process.communicate(), 20)
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()
    assert process.returncode == 0
    assert out.decode() == "Glimpse is on Telegram as @glimpse_bot. Ctrl-C stops it.\n"
    assert err.decode() == "Loading the model, which takes a few seconds...\n"


async def test_without_a_token_that_telegram_knows_it_says_what_to_do() -> None:
    async with FakeTelegram().running() as api:
        process = await start(api, GLIMPSE_TELEGRAM_TOKEN="1:wrong")
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert (process.returncode, out) == (1, b"")
        assert err.decode().splitlines()[-1].startswith("Telegram does not know this token; copy")
        assert b"1:wrong" not in err
        process = await start(api, GLIMPSE_TELEGRAM_TOKEN="")
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert (process.returncode, out) == (1, b"")
        assert err.startswith(b"Set GLIMPSE_TELEGRAM_TOKEN to your bot's token")
