"""What an operator reads on stderr, and what is never written there."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sqlite3
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from bot_process import bot_process
from cli_runner import CliRunner, free_port
from fake_telegram import TOKEN, FakeTelegram
from PIL import Image
from test_health import get

from bot.assistant.inference import crashed
from bot.cli.log_format import JsonFormatter, Redactor, TextFormatter, formatter

NAME, USER, CHAT = "Ann", 987_654_321, -100_123_456_789


def png(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 6), colour).save(file, "PNG")
    return file.getvalue()


async def test_json_lines_tell_what_failed_and_nothing_of_anybody(tmp_path: Path) -> None:
    api, port = FakeTelegram(), free_port()
    (tmp_path / "file").write_text("no folder")
    async with (
        api.running(),
        bot_process(
            "telegram",
            GLIMPSE_LOG_FORMAT="json",
            GLIMPSE_HEALTH_PORT=str(port),
            GLIMPSE_LOG=str(tmp_path / "file/log.db"),
            GLIMPSE_LOG_KEY="a key of the hashes",
            GLIMPSE_TELEGRAM_TOKEN=TOKEN,
            GLIMPSE_TELEGRAM_BASE_URL=api.url,
        ) as bot,
    ):
        api.photo(png("red"), "What colour is it?", user=USER)
        await api.until(lambda: api.said == ["Red."], 100)  # without a log, as health tells
        status, told = await asyncio.to_thread(get, port, "/readyz")
        assert (status, told["checks"]["telegram"]["ok"]) == (503, True)
        unwritten = "The log cannot be written: its folder cannot be made"
        assert told["checks"]["log"]["detail"].startswith(unwritten)
        api.faults["getUpdates"].append((500, {"description": "wombats"}, 0))
        api.faults["sendMessage"].append((400, {"description": f"chat {CHAT} of {NAME}"}, 0))
        api.photo(png("blue"), "@glimpse_bot Is it blue?", user=USER, chat=CHAT)
        await api.until(lambda: not (api.faults["sendMessage"] or api.faults["getUpdates"]))
        api.update(message={"message_id": 1, "text": "my wombat", "from": {"first_name": NAME}})
        api.photo(png("red"), "Is there a wombat on it?", user=USER)
        said = (await api.answers(2))[1]
    assert bot.process.returncode == 0
    assert bot.out == ["Glimpse is on Telegram as @glimpse_bot. Ctrl-C stops it."]
    lines = [json.loads(line) for line in bot.err]
    for line in lines:
        assert datetime.fromisoformat(line["time"]).utcoffset() is not None
        assert {"level", "logger", "message"} <= set(line)
    assert lines[0]["message"].startswith(unwritten)  # before anything that takes time
    assert lines[1]["message"].startswith("Loading the model")
    (crash,) = [line for line in lines if "reference" in line]
    assert crash["reference"] in said
    assert crash["error"] == "ValueError"
    assert crash["where"] == []  # the stand-in only hands it over
    (unsent,) = [line for line in lines if line["message"].startswith("Could not send")]
    assert unsent["error"] == "telegram.error.BadRequest"
    assert any(place.startswith("bot/telegram/sender.py:") for place in unsent["where"])
    assert "bot.telegram.bot" in {line["logger"] for line in lines}
    assert [line for line in lines if unwritten in line["message"]]
    written = "\n".join(bot.err)
    for secret in (TOKEN, "a-secret", "wombat", NAME, str(USER), str(-CHAT), "cannot parse"):
        assert secret not in written


@pytest.mark.parametrize("kind", ["text", "json"])
def test_no_format_shows_secrets_addresses_with_tokens_or_long_numbers(kind: str) -> None:
    message = (
        "%s %s https://me:pass@api.example/bot%s/getMe?x=1 https://d.example/w/12345/%s "
        "short 12345 http://127.0.0.1:8000/readyz"
    )
    ids = (987_654_321, "555555:abcdefghijklmnop", "aW50ZXJhY3Rpb246MTIzNDU2")
    shown = formatter(kind, Redactor([TOKEN, "short"])).format(record(message, TOKEN, *ids))
    for secret in (TOKEN, "987654321", "me:pass", "abcdefghij", "x=1", "aW50"):
        assert secret not in shown
    for kept in ("api.example", "d.example/w/12345/…", "short 12345 http://127.0.0.1:8000/readyz"):
        assert kept in shown


@pytest.mark.parametrize("kind", ["text", "json"])
def test_a_reference_of_digits_alone_can_be_read(kind: str, caplog: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bot.assistant.inference.secrets.token_hex", lambda _bytes: "482913")
        crashed(ValueError("of user 482914"))
    (logged,) = caplog.records
    shown = formatter(kind, Redactor()).format(logged)
    assert "reference 482913" in shown
    assert "482914" not in shown
    assert "json" not in kind or json.loads(shown)["reference"] == "482913"


def test_causes_are_named_and_only_the_system_and_sqlite_are_quoted() -> None:
    try:
        try:
            try:
                Path("/nowhere/at/all").read_bytes()
            except OSError as error:
                raise sqlite3.OperationalError("database or disk is full") from error
        except sqlite3.Error as error:
            raise RuntimeError("Ann asked this") from error
    except RuntimeError:
        logged = record("Failed for %s", KeyError("Ann"), failed=True)
    told = json.loads(JsonFormatter(Redactor()).format(logged))
    assert told["message"] == "Failed for KeyError"
    assert told["error"] == "RuntimeError"
    assert told["cause"] == ["sqlite3.OperationalError", "FileNotFoundError"]
    assert told["text"] == "database or disk is full; No such file or directory"
    assert "Ann" not in json.dumps(told)
    assert "/nowhere" not in json.dumps(told)


def test_a_record_is_one_line_whatever_it_holds() -> None:
    odd = record("%d things\nof \x1b[31m", "no number")
    shown = JsonFormatter(Redactor()).format(odd)
    assert "\n" not in shown
    assert "\x1b" not in shown
    assert json.loads(shown)["level"] == "ERROR"
    assert "\n" in TextFormatter(Redactor()).format(record("two\nlines"))


def test_sentences_of_commands_are_json_too(cli: CliRunner) -> None:
    cli.environment["GLIMPSE_LOG_FORMAT"] = "json"
    cli.environment["GLIMPSE_PORT"] = "none"  # not even the settings can be read
    for arguments, status in ((("run",), 1), (("nonsense",), 2), (("health", "--url", "x"), 2)):
        outcome = cli.run(*arguments)
        assert outcome.status == status
        (line,) = outcome.err.splitlines()
        assert json.loads(line)["level"] == "ERROR"


def test_errors_that_nobody_handles_are_lines_of_json(cli: CliRunner) -> None:
    cli.environment["GLIMPSE_LOG_FORMAT"] = "json"
    cli.trouble, hook = KeyError("Ann's words"), sys.excepthook
    outcome = cli.run("run", "--debug")
    assert outcome.status == 1
    lines = [json.loads(line) for line in outcome.err.splitlines()]
    assert [line.get("error") for line in lines if "error" in line] == ["KeyError"]
    assert "Ann" not in outcome.err
    assert sys.excepthook is hook  # given back when the command has ended


def record(message: str, *args: object, failed: bool = False) -> logging.LogRecord:
    error = sys.exc_info() if failed else None
    return logging.LogRecord("bot.test", logging.ERROR, __file__, 1, message, args, error)
