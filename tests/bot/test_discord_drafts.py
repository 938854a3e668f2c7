"""On Discord people see an answer while it is written; whatever goes wrong, they get it once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from engine_stand_in import Said, StandIn, open_photo
from fake_discord import TOKEN, FakeDiscord

from bot.assistant.assistant import Assistant
from bot.assistant.locale.texts import ENGLISH
from bot.benchmarks.discord_payloads import ANN, CHANNEL, ME, Json, user
from bot.benchmarks.fake_discord import DROP, TAKE_AND_DROP, File
from bot.discord.bot import build, serve

ASK = "What is the dog doing?"
CALL = f"<@{ME['id']}> {ASK}"
BEGINNING = "A brown dog runs"
MORE = f"{BEGINNING} along the beach,"
WHOLE = f"{MORE} and its tail is up."
PHOTO = File("photo.png", "image/png", b"red")
HIDDEN = File("SPOILER_photo.png", "image/png", b"red")


def writer(text: str = WHOLE) -> StandIn:
    """A chat model that writes on command."""
    return StandIn(lambda *_: Said(text), held=True)


class Watch:
    """What the bot's messages said, one after the other, and what they say now."""

    def __init__(self, api: FakeDiscord) -> None:
        self.api = api
        self.said: list[str] = []
        self._now: dict[str, Json] = {}
        api.on_said = self._note

    def _note(self, _about: str, message: Json) -> None:
        self.said.append(message["content"])
        self._now[message["id"]] = dict(message)

    @property
    def messages(self) -> list[Json]:
        return [each for each in self._now.values() if each["id"] not in self.api.deleted]

    @property
    def texts(self) -> list[str]:
        return [each["content"] for each in self.messages]

    async def until(self, *said: str) -> None:
        """Wait until this was said and changed."""
        await self.api.until(lambda: len(self.said) >= len(said))
        assert self.said == list(said)


@asynccontextmanager
async def discord_with(
    engine: StandIn, patch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[FakeDiscord, Watch]]:
    """The bot, started and stopped as `glimpse discord` does it."""
    patch.setattr("bot.discord.handlers.DRAFT_PAUSE", 0.02)
    patch.setattr("bot.discord.sender.BEFORE_MESSAGE", 0.01)
    patch.setattr("bot.discord.sender.WAITS", (0.01, 0.01))
    stopped = asyncio.Event()
    async with FakeDiscord().running(patch) as api:
        api.with_server = True
        client = build(Assistant(engine, open_picture=open_photo))
        task = asyncio.ensure_future(serve(client, TOKEN, stopped))
        try:
            yield api, Watch(api)
        finally:
            stopped.set()
            await asyncio.wait_for(task, 20)


async def asked(engine: StandIn, count: int = 1) -> None:
    async with asyncio.timeout(10):
        while len(engine.queue) < count:
            await asyncio.sleep(0.005)


# --- as it should be ------------------------------------------------------------------------------


@pytest.mark.parity("a chat model's answer while it is written", "Discord")
async def test_a_reply_becomes_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with discord_with(engine := writer(), monkeypatch) as (api, watch):
        await api.write(ANN, CALL, [PHOTO], CHANNEL)
        await asked(engine)
        engine.write(BEGINNING)
        await watch.until(BEGINNING)
        assert not watch.messages[0]["components"]
        engine.write(MORE)
        await watch.until(BEGINNING, MORE)
        engine.release()
        await watch.until(BEGINNING, MORE, WHOLE)
        (message,) = watch.messages
        assert len(message["components"][0]["components"]) == 4
        engine.write(f"{WHOLE} Too late")
        await asyncio.sleep(0.1)
        assert watch.texts == [WHOLE]


@pytest.mark.parametrize("pressed", [False, True])
async def test_what_is_said_to_a_command_or_a_button_becomes_the_answer(
    pressed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with discord_with(engine := writer(), monkeypatch) as (api, watch):
        await api.command(ANN, "ask", file=PHOTO, question=ASK)
        if pressed:
            await asked(engine)
            engine.release()
            await watch.until(WHOLE)
            names = [each["custom_id"] for each in watch.messages[0]["components"][0]["components"]]
            watch.said.clear()
            await api.press(ANN, watch.messages[0], next(each for each in names if "retry" in each))
        await asked(engine)
        for number, text in enumerate((BEGINNING, MORE), 1):
            engine.write(text)
            await watch.until(*(BEGINNING, MORE)[:number])
        engine.release()
        await watch.until(BEGINNING, MORE, WHOLE)
        assert watch.texts == [WHOLE] * (1 + pressed)
        assert watch.messages[-1]["components"]


async def test_what_is_written_at_once_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    async with discord_with(engine := writer(), monkeypatch) as (api, watch):
        monkeypatch.setattr("bot.discord.sender.BEFORE_MESSAGE", 60.0)
        await api.write(ANN, CALL, [PHOTO], CHANNEL)
        await asked(engine)
        engine.write(BEGINNING)
        await asyncio.sleep(0.05)
        engine.release()
        await watch.until(WHOLE)


async def test_two_people_at_once_in_one_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    async with discord_with(engine := writer(), monkeypatch) as (api, watch):
        await api.write(ANN, CALL, [PHOTO], CHANNEL)
        await asked(engine)
        await api.write(user(1), CALL, [File("b.png", "image/png", b"blue")], CHANNEL)
        await asked(engine, 2)
        for which in (0, 1):
            engine.write(f"{BEGINNING} {which}", which)
        await api.until(lambda: len(watch.texts) == 2)
        for which in (0, 1):
            engine.write(f"{MORE} {which}", which)
        await api.until(lambda: sorted(watch.texts) == [f"{MORE} 0", f"{MORE} 1"])
        engine.release()
        await api.until(lambda: watch.texts == [WHOLE] * 2)


async def test_what_a_hidden_picture_shows_is_hidden_while_it_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with discord_with(engine := writer(), monkeypatch) as (api, watch):
        await api.write(ANN, CALL, [HIDDEN], CHANNEL)
        await asked(engine)
        engine.write(BEGINNING)
        await watch.until(f"||{BEGINNING}||")
        engine.release()
        await watch.until(f"||{BEGINNING}||", f"||{WHOLE}||")
        await api.write(ANN, f"{CALL} Is it wet?", where=CHANNEL)
        await asked(engine)
        engine.write("No, it is dry")
        await api.until(lambda: len(watch.said) == 3)
        assert watch.said[2] == "||No, it is dry||"
        engine.release()
        await api.until(lambda: watch.texts == [f"||{WHOLE}||"] * 2)


@pytest.mark.parametrize(
    "text", [r"See \[a](b) \[this](https://evil.example/x).", "See `[a](b)` [this](c || d) or so."]
)
async def test_no_words_become_a_link_or_end_what_is_hidden(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with discord_with(engine := writer(text), monkeypatch) as (api, watch):
        await api.write(ANN, CALL, [HIDDEN], CHANNEL)
        await asked(engine)
        engine.release()
        await api.until(lambda: watch.texts)
        (said,) = watch.texts
        assert "](" not in said
        assert "||" not in said[2:-2]


async def test_a_long_answer_is_shown_as_far_as_it_fits_and_said_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sentence = "The dog_s run *along* the beach, and its tail is up. "
    long = (sentence * 80).strip()
    async with discord_with(engine := writer(long), monkeypatch) as (api, watch):
        await api.write(ANN, CALL, [PHOTO], CHANNEL)
        await asked(engine)
        engine.write(long)
        await api.until(lambda: watch.texts)
        (text,) = watch.texts
        assert text.endswith("up. …")
        assert 1900 < len(text) <= 2000
        engine.release()
        await api.until(lambda: len(watch.texts) == 3 and watch.messages[-1]["components"])
        assert all(text.endswith(".") and len(text) <= 2000 for text in watch.texts)
        assert " ".join(watch.texts).replace("\\", "") == long
        assert [bool(each["components"]) for each in watch.messages] == [False, False, True]
        first = await api.write(ANN, CALL, where=CHANNEL, replies_to=watch.messages[0])
        await asked(engine)
        assert first["message_reference"]
        assert engine.asked[-1][0] == "red"
        engine.release()


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [429, 500, DROP])
async def test_troubles_in_the_middle_cost_no_answer(
    trouble: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with discord_with(engine := writer(), monkeypatch) as (api, watch):
        await api.write(ANN, CALL, [PHOTO], CHANNEL)
        await asked(engine)
        engine.write(BEGINNING)
        await watch.until(BEGINNING)
        api.troubles = [trouble]
        engine.write(MORE)
        await api.until(lambda: not api.troubles)
        engine.write(f"{MORE} and")
        engine.release()
        await api.until(lambda: watch.texts == [WHOLE])
        assert watch.messages[0]["components"]
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


@pytest.mark.parametrize("trouble", [DROP, TAKE_AND_DROP])
async def test_a_first_message_whose_fate_is_unknown_is_said_once(
    trouble: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with discord_with(engine := writer(), monkeypatch) as (api, watch):
        api.troubles = [trouble]
        await api.write(ANN, CALL, [PHOTO], CHANNEL)
        await asked(engine)
        engine.write(BEGINNING)
        await watch.until(BEGINNING)
        engine.release()
        await watch.until(BEGINNING, WHOLE)
        assert watch.texts == [WHOLE]


async def test_a_message_that_is_deleted_meanwhile_is_said_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with discord_with(engine := writer(), monkeypatch) as (api, watch):
        await api.write(ANN, CALL, [PHOTO], CHANNEL)
        await asked(engine)
        engine.write(BEGINNING)
        await watch.until(BEGINNING)
        api.deleted.append(watch.messages[0]["id"])
        engine.write(MORE)
        await asyncio.sleep(0.05)
        engine.release()
        await watch.until(BEGINNING, WHOLE)
        assert watch.texts == [WHOLE]


async def test_an_answer_that_fails_leaves_no_half_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with discord_with(engine := writer(), monkeypatch) as (api, watch):
        await api.write(ANN, CALL, [PHOTO], CHANNEL)
        await asked(engine)
        engine.release()
        await watch.until(WHOLE)
        names = [each["custom_id"] for each in watch.messages[0]["components"][0]["components"]]
        engine.answer = lambda *_: ValueError("no")
        ways = (
            lambda: api.write(ANN, CALL, [PHOTO], CHANNEL),
            lambda: api.command(ANN, "ask", CHANNEL, PHOTO, ASK),
            lambda: api.press(ANN, watch.messages[0], next(n for n in names if "retry" in n)),
        )
        for count, ask in enumerate(ways, 2):
            await ask()
            await asked(engine)
            engine.write(BEGINNING)
            await api.until(lambda: watch.texts[-1] == BEGINNING)
            engine.release()
            await api.until(lambda: watch.texts[-1].startswith(ENGLISH.crashed[:10]))
            assert len(watch.texts) == count
        assert watch.texts[0] == WHOLE
        # Of the command and the button nobody else hears that.
        assert [bool(each["flags"] & 64) for each in watch.messages] == [False, False, True, True]


async def test_what_is_not_written_in_time_when_it_is_stopped_is_taken_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.discord.bot.SHUTDOWN_SECONDS", 0.1)
    async with discord_with(engine := writer(), monkeypatch) as (api, watch):
        await api.write(ANN, CALL, [PHOTO], CHANNEL)
        await asked(engine)
        engine.write(BEGINNING)
        await watch.until(BEGINNING)
        await api.command(user(1), "ask", CHANNEL, PHOTO, ASK)
        await asked(engine, 2)
        engine.write(BEGINNING)
        await watch.until(BEGINNING, BEGINNING)
    assert watch.texts == []
