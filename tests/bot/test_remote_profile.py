"""A bot whose model answers on a server: what people read, what the operator reads, and check."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import discord
import pytest
from cli_runner import CliRunner
from engine_stand_in import open_photo, photo
from llmock.pytest_plugin import LLMock

from bot.assistant.assistant import Assistant
from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.types import Ask, Incoming, Reply
from bot.cli import terminal
from bot.cli.context import AppContext
from bot.cli.log_format import Redactor, formatter
from bot.cli.models import load_model, profile_settings
from bot.discord.sender import Outgoing
from model.remote import RemoteEngine
from model.server_config import CAPTION_PROMPT, RemoteProfile, ServerConfig, load_remote

KEY = "sk-abcdefgh-not-for-anybody"


@pytest.fixture
def far(llmock: LLMock, tmp_path: Path) -> Iterator[Path]:
    """The file of a profile that asks LLMock."""
    path = tmp_path / "far.toml"
    (tmp_path / "key").write_text(KEY)
    path.write_text(
        f'kind = "openai"\n[server]\nurl = "{llmock.base_url()}"\nmodel = "gpt-4o-mini"\n'
        'key_file = "key"\nretries = 0\nprovider = "Somebody Ltd"\n'
    )
    yield path
    terminal.reset_log_format()


def ask(path: Path, question: str = "", language: str = "en") -> Reply:
    """What somebody gets who shows a red picture."""
    engine = load_model(str(path), None, True)
    try:
        assistant = Assistant(engine, open_picture=open_photo)
        action = Ask(question) if question else None
        message = Incoming("telegram", "1", "1", pictures=(photo("red"),), action=action,
                           language=language)  # fmt: skip
        reply = asyncio.run(assistant.handle(message))
        assert reply
        return reply
    finally:
        engine.close()


@pytest.mark.parametrize(
    ("written", "english", "german"),
    [
        ("Red.", "Red.", "Rot."),
        ("**It is red.** Very red, in fact!", "It is red. Very red, in fact!",
         "Das weiß ich nur auf Englisch: It is red. Very red, in fact!"),
        ("It is:\n\n1. red\n2. big", "It is:\n\n1. red\n2. big",
         "Das weiß ich nur auf Englisch: It is:\n\n1. red\n2. big"),
    ],
)  # fmt: skip
def test_answers_are_said_as_they_are(
    llmock: LLMock, far: Path, written: str, english: str, german: str
) -> None:
    far.write_text(far.read_text() + 'languages = ["en"]\n')
    llmock.reply(written, times=2)
    assert ask(far, "What colour is it?").text == english
    assert ask(far, "Welche Farbe hat es?", "de").text == german


@pytest.mark.parametrize(
    ("question", "asked", "written", "said"),
    [
        ("Welche Farbe hat es?", "Welche Farbe hat es?", "Rot.", "Rot."),
        ("Ist es rot?", "Ist es rot?", "Yes.", "Ja."),
        ("Was für eine Stimmung herrscht hier wohl?", "Was für eine Stimmung herrscht hier wohl?",
         "**Ruhig**, würde ich sagen.", "Ruhig, würde ich sagen."),
        ("Was steht auf dem Schild?", "Was steht auf dem Schild?", "Halt", "Halt."),
        ("What does the sign say?", "What does the sign say?", "Stop!", "Stop!"),
        ("", f"{CAPTION_PROMPT} Answer in German.", "Ein Hund auf dem Gras.",
         "Ein Hund auf dem Gras."),
        ("", f"{CAPTION_PROMPT} Answer in German.", "A dog runs over the grass.",
         "Ein Hund rennt über das Gras."),
    ],
)  # fmt: skip
def test_a_model_that_speaks_german_is_asked_and_answers_in_german(
    llmock: LLMock, far: Path, question: str, asked: str, written: str, said: str
) -> None:
    llmock.reply(written)
    reply = ask(far, question, "de")
    assert reply.text.split("\n")[0] == said
    assert llmock.last_request.body["messages"][-1]["content"][1]["text"] == asked


def test_a_caption_has_no_doubts_that_nobody_told(llmock: LLMock, far: Path) -> None:
    llmock.reply("A dog runs over the grass.", times=2)
    reply = ask(far)
    assert reply.text.startswith("A dog runs over the grass.\n")
    assert reply.exchanges[0].confidence is None
    assert ask(far, language="de").text.startswith("Ein Hund rennt über das Gras.\n")


def test_markup_of_a_far_model_pings_nobody(llmock: LLMock, far: Path) -> None:
    llmock.reply("Ask @everyone, @durov or <@1234> at [the **bank**](https://evil.example).")
    reply = ask(far, "Who is it for?")
    assert not re.search(r"(?<!\w)@\w|evil\.example|[*\[]", reply.text)
    (message,) = Outgoing(reply).parts()
    assert discord.utils.remove_markdown(message) == reply.text


@pytest.mark.parametrize("kind", ["text", "json"])
def test_a_fault_is_one_line_for_the_operator_and_a_sentence_for_people(
    llmock: LLMock, far: Path, kind: str
) -> None:
    llmock.fail(401, message=f"Incorrect API key provided: {KEY}", times=2)
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter(kind, Redactor([KEY])))
    log = logging.getLogger("bot.assistant.inference")
    log.addHandler(handler)
    try:
        english, german = ask(far), ask(far, language="de")
    finally:
        log.removeHandler(handler)
    assert english.outcome == "unavailable"
    assert english.text.startswith("I cannot reach what I look at pictures with.")
    assert german.text.startswith("Ich erreiche nicht, womit ich Bilder ansehe.")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    line = json.loads(lines[0])["message"] if kind == "json" else lines[0]
    assert "does not accept the key (401)." in line
    assert english.reference in line
    assert KEY not in english.text + stream.getvalue()


def test_privacy_tells_where_pictures_go(far: Path) -> None:
    def told(language: str, host: str, provider: str = "") -> str:
        server = ServerConfig(f"https://{host}/v1", "m", provider=provider)
        engine = RemoteEngine(RemoteProfile("far", "openai", server))
        assistant = Assistant(engine, open_picture=open_photo, profiles=profile_settings(engine))
        asked = Incoming("telegram", "1", "1", "/privacy", language=language)
        reply = asyncio.run(assistant.handle(asked))
        engine.close()
        assert reply
        return reply.text

    assert "nobody else gets them" in told("en", "127.0.0.1")
    assert "niemandem" in told("de", "localhost")
    for texts in (ENGLISH, GERMAN):  # else it would be promised all the same
        assert f"{texts.privacy_nobody_else} " in texts.privacy_logged
    for language, nobody in (("en", "nobody else"), ("de", "niemandem")):
        named, unnamed = told(language, "a.example", "Somebody Ltd"), told(language, "b.lan")
        assert "Somebody Ltd" in named
        assert "computer" in unnamed.lower()
        assert nobody not in named + unnamed
        assert "a.example" not in named
        assert "b.lan" not in unnamed


# --- glimpse check --------------------------------------------------------------------------------


def checked(cli: CliRunner, path: Path) -> dict[str, tuple[str, str]]:
    cli.environment |= {"GLIMPSE_PORT": "0"}
    outcome = cli.run("check", "--json", "--profile", str(path))
    assert KEY not in outcome.out + outcome.err
    return {row["name"]: (row["state"], row["detail"]) for row in json.loads(outcome.out)["checks"]}


def test_check_asks_the_server(
    cli: CliRunner, llmock: LLMock, far: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "load", load_model)  # the real one
    llmock.reply("Red.", times=2)  # the list of models takes one
    found = checked(cli, far)
    assert found["answer"][1].startswith('"Red" in')
    assert found["server"] == ("ok", f"{llmock.base_url()} has gpt-4o-mini")
    assert not {"adapter", "base weights"} & set(found)
    far.write_text(far.read_text().replace("gpt-4o-mini", "llava"))
    state, detail = checked(cli, far)["server"]
    assert (state, "has no model 'llava'; it has" in detail) == ("problem", True)
    assert "gpt-4o-mini" in detail
    llmock.fail(401, times=None)
    state, detail = checked(cli, far)["server"]
    assert (state, "does not accept the key (401)" in detail) == ("problem", True)
    llmock.reset().fail(500)  # which is for the list alone
    found = checked(cli, far)
    assert found["server"] == ("note", f"{llmock.base_url()} does not tell its models (500)")
    assert found["answer"][0] == "ok"
    (far.parent / "key").unlink()
    state, detail = checked(cli, far)["server"]
    assert (state, "cannot be read" in detail) == ("problem", True)


def test_no_model_is_loaded_here(far: Path) -> None:
    assert AppContext(environment={}).prepare_base(str(far)) is None
    remote = load_remote(far)
    assert remote
    assert remote.key() == KEY
