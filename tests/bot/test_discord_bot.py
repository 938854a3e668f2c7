"""Starting and stopping the Discord bot: real discord.py against a small Discord over loopback."""

from __future__ import annotations

import asyncio
import logging

import pytest
from cli_runner import CliRunner
from engine_stand_in import StandIn, open_photo
from fake_discord import TOKEN, FakeDiscord

from bot.assistant.assistant import Assistant
from bot.benchmarks.discord_payloads import ANN
from bot.benchmarks.fake_discord import DROP, TAKE_AND_DROP, File
from bot.discord import bot as discord_bot
from bot.discord.bot import DiscordBot, Synced, build, serve, sync
from bot.errors import PlatformError
from bot.health import Connection


def new_client(engine: StandIn | None = None) -> DiscordBot:
    return build(Assistant(engine or StandIn(), open_picture=open_photo))


async def test_it_answers_until_it_is_stopped_and_finishes_what_is_under_way(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    engine, stopped = StandIn(), asyncio.Event()
    async with FakeDiscord().running(monkeypatch) as api:
        client = new_client(engine)
        task = asyncio.ensure_future(serve(client, TOKEN, stopped, invite=True))
        await api.dm("What colour is it?", b"blue")
        await api.until(lambda: api.said == ["Blue."])
        engine.held = True
        await api.dm("What colour is it really?")
        await api.until(lambda: engine.queue)
        await api.until(client.is_ready)
        await asyncio.sleep(0.05)
        stopped.set()
        await asyncio.sleep(0.05)
        await api.dm("Hello")  # too late
        await asyncio.sleep(0.05)
        assert not task.done()
        engine.release()
        await asyncio.wait_for(task, 20)
        assert api.said == ["Blue.", "Blue."]
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Glimpse is on Discord as glimpse. Ctrl-C stops it."
    assert said[1].startswith("Invite it: https://discord.com/oauth2/authorize?client_id=100&scope")
    assert not [each for each in caplog.records if TOKEN in each.getMessage()]
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


async def test_a_token_revoked_in_mid_use_does_not_leave_commands_unanswered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = StandIn(held=True)
    async with FakeDiscord().running(monkeypatch) as api:
        task = asyncio.ensure_future(serve(new_client(engine), TOKEN, asyncio.Event()))
        await api.dm("hello")
        await api.until(lambda: api.said)
        await api.command(ANN, "caption", file=File("a.png", "image/png", b"blue"))
        await api.until(lambda: engine.queue)
        await api.close(4004)
        await asyncio.sleep(0.1)
        assert not task.done()
        engine.release()
        with pytest.raises(PlatformError, match="ended the connection for good"):
            await asyncio.wait_for(task, 20)
        assert api.said[1:] == ["A blue square."]


async def test_a_busy_discord_gets_the_answer_a_little_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stopped = asyncio.Event()
    async with FakeDiscord().running(monkeypatch) as api:
        api.troubles = [429, 502]
        task = asyncio.ensure_future(serve(new_client(), TOKEN, stopped))
        await api.dm("What colour is it?", b"blue")
        await api.until(lambda: api.said == ["Blue."])
        stopped.set()
        await asyncio.wait_for(task, 20)
    assert api.troubles == []
    (warned,) = [each for each in caplog.records if each.name == "discord.http"]
    assert "429" in warned.getMessage()
    assert "channels" not in warned.getMessage()
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


@pytest.mark.parametrize("trouble", [DROP, TAKE_AND_DROP])
async def test_an_answer_whose_connection_broke_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, trouble: int
) -> None:
    stopped = asyncio.Event()
    monkeypatch.setattr("bot.discord.sender.WAITS", (0.01,))
    async with FakeDiscord().running(monkeypatch) as api:
        api.troubles = [trouble]
        task = asyncio.ensure_future(serve(new_client(), TOKEN, stopped))
        await api.dm("What colour is it?", b"blue")
        await api.until(lambda: api.said)
        await api.dm("Is it blue?")
        await api.until(lambda: len(api.said) == 2)
        stopped.set()
        await asyncio.wait_for(task, 20)
    assert api.said == ["Blue.", "Blue."]
    assert [each.levelname for each in caplog.records] == ["WARNING"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("discord.http", "POST %s responded with 429. Retrying in 2.00 seconds."),
        ("discord.webhook.async", "Webhook ID %s is rate limited. Retrying in 2.00 seconds."),
    ],
)
def test_warnings_name_no_channel(name: str, words: str, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        new_client()
    for what in (123456789012345678, "https://discord.com/api/v10/channels/1/messages"):
        logging.getLogger(name).warning(words, what)
    assert [each.getMessage() for each in caplog.records] == [words % "…"] * 2


async def test_what_takes_too_long_does_not_keep_it_from_stopping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(discord_bot, "SHUTDOWN_SECONDS", 0.1)
    engine, stopped = StandIn(held=True), asyncio.Event()
    async with FakeDiscord().running(monkeypatch) as api:
        task = asyncio.ensure_future(serve(new_client(engine), TOKEN, stopped))
        await api.dm("What colour is it?", b"blue")
        await api.until(lambda: engine.queue)
        stopped.set()
        await asyncio.wait_for(task, 5)


async def test_a_wrong_token_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeDiscord().running(monkeypatch):
        for call in (serve(new_client(), "wrong", asyncio.Event()), sync(new_client(), "wrong")):
            with pytest.raises(PlatformError, match="does not know this token") as caught:
                await call
            assert "wrong" not in str(caught.value)


async def test_a_bot_that_the_gateway_refuses_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeDiscord().running(monkeypatch) as api:
        api.close_code = 4014
        with pytest.raises(PlatformError, match="ended the connection for good"):
            await asyncio.wait_for(serve(new_client(), TOKEN, asyncio.Event()), 10)


async def test_it_starts_when_the_network_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discord_bot, "RETRY", 0.1)
    stopped = asyncio.Event()
    async with FakeDiscord().running(monkeypatch) as api:
        monkeypatch.setattr("discord.http.Route.BASE", "http://127.0.0.1:9/api")
        task = asyncio.ensure_future(serve(new_client(), TOKEN, stopped))
        await asyncio.sleep(0.3)
        monkeypatch.setattr("discord.http.Route.BASE", f"{api.url}/api")
        await api.dm("What colour is it?", b"blue")
        await api.until(lambda: api.said == ["Blue."])
        stopped.set()
        await asyncio.wait_for(task, 20)


async def test_commands_are_told_only_when_it_is_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeDiscord().running(monkeypatch) as api:
        stopped = asyncio.Event()
        task = asyncio.ensure_future(serve(new_client(), TOKEN, stopped))
        await api.dm("Hello")
        await api.until(lambda: api.said)
        stopped.set()
        await asyncio.wait_for(task, 20)
        assert api.told == []
        synced = await sync(new_client(), TOKEN)
        assert synced.commands == len(api.told) == 10
        assert "applications.commands" in synced.invitation


def test_the_command_line_says_what_is_missing(cli: CliRunner) -> None:
    outcome = cli.run("discord")
    assert (outcome.status, outcome.out, cli.loaded) == (1, "", [])
    assert outcome.err.startswith("Set GLIMPSE_DISCORD_TOKEN to your bot's token")


def test_the_command_line_tells_the_commands_without_loading_the_model(
    cli: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.environment["GLIMPSE_DISCORD_TOKEN"] = TOKEN

    async def tell(_client: DiscordBot, token: str) -> Synced:
        assert token == TOKEN
        return Synced(10, "https://invite")

    monkeypatch.setattr(discord_bot, "sync", tell)
    outcome = cli.run("discord", "--sync")
    assert (outcome.status, cli.loaded) == (0, [])
    assert outcome.out == "Discord knows 10 commands now.\nInvite the bot: https://invite\n"


@pytest.mark.parametrize("loud", [False, True])
def test_the_command_line_serves(
    cli: CliRunner, monkeypatch: pytest.MonkeyPatch, loud: bool
) -> None:
    cli.environment["GLIMPSE_DISCORD_TOKEN"] = TOKEN

    async def refuse(
        _client: DiscordBot, token: str, _stopped: asyncio.Event, *, invite: bool
    ) -> None:
        assert (token, invite) == (TOKEN, loud)
        raise PlatformError("Discord does not know this token.")

    monkeypatch.setattr(discord_bot, "serve", refuse)
    outcome = cli.run("discord", *["--verbose"] * loud)
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.endswith("Discord does not know this token.\n")
    assert TOKEN not in outcome.err
    assert cli.engine.closed


# --- shards ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("recommended", "chosen", "wanted"), [(1, 0, 1), (3, 0, 3), (3, 2, 2)])
async def test_it_has_as_many_shards_as_discord_recommends_or_as_are_set(
    monkeypatch: pytest.MonkeyPatch, recommended: int, chosen: int, wanted: int
) -> None:
    stopped, connection = asyncio.Event(), Connection()
    async with FakeDiscord().running(monkeypatch) as api:
        api.shards = recommended
        assistant = Assistant(StandIn(), open_picture=open_photo)
        client = build(assistant, connection, chosen)
        task = asyncio.ensure_future(serve(client, TOKEN, stopped))
        await api.until(lambda: client.is_ready() and connection.check().ok)
        assert sorted(api.identified) == [(number, wanted) for number in range(wanted)]
        await api.dm("What colour is it?", b"blue")
        await api.until(lambda: api.said == ["Blue."])
        stopped.set()
        await asyncio.wait_for(task, 20)


async def test_a_lost_shard_is_told_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped, connection = asyncio.Event(), Connection()
    async with FakeDiscord().running(monkeypatch) as api:
        api.shards = 2
        client = build(Assistant(StandIn(), open_picture=open_photo), connection)
        task = asyncio.ensure_future(serve(client, TOKEN, stopped))
        await api.until(lambda: client.is_ready() and connection.check().ok)
        reasons: list[str] = []
        lost = connection.lost
        monkeypatch.setattr(
            connection, "lost", lambda why, part=-1: (reasons.append(why), lost(why, part))
        )
        await api.close_shard(1, 4000)
        await api.until(lambda: connection.reconnects == 1, seconds=30)
        assert connection.check().ok
        assert set(reasons) == {"Discord cannot be reached; look after the network."}
        await api.dm("What colour is it?", b"red")  # the other shard went on
        await api.until(lambda: api.said == ["Red."])
        stopped.set()
        await asyncio.wait_for(task, 20)
