"""The assistant with a real log: what people are told of it, and what they may decide."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from engine_stand_in import Said, StandIn, open_photo, photo
from log_helpers import opened, rows, until

from bot.assistant import privacy
from bot.assistant.assistant import Assistant
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.privacy import Recorder
from bot.assistant.types import Incoming, Reply
from bot.log import Log


class Person:
    def __init__(self, log: Log, user: str = "ann-the-user") -> None:
        self.engine, self.log, self.user = StandIn(), log, user
        self.assistant = Assistant(self.engine, open_picture=open_photo, recorder=Recorder(log))

    async def say(self, text: str = "", *colours: str) -> Reply:
        pictures = tuple(map(photo, colours))
        message = Incoming("telegram", "a-chat", self.user, text, pictures, fetching=0.5)
        reply = await self.assistant.handle(message)
        assert reply is not None
        return reply


@pytest.fixture
async def ann(tmp_path: Path) -> AsyncIterator[Person]:
    with opened(tmp_path / "log.db") as log:
        yield Person(log)


def table(person: Person, columns: str) -> list[tuple[object, ...]]:
    person.log.consent("x", "y").result(5)  # everything before it is written by then
    return rows(person.log.path, f"SELECT {columns} FROM exchanges ORDER BY id")


async def test_every_exchange_is_kept_and_small_talk_without_its_words(ann: Person) -> None:
    await ann.say("", "red", "blue")
    await ann.say("What color is it?")
    await ann.say("hello there")
    await ann.say("write a poem about it")
    await ann.say("", "bad file")
    ann.engine.answer = lambda *_: RuntimeError("broken")
    crashed = await ann.say("Is it red?", "red")
    assert table(ann, "kind, question, answer, outcome, reference") == [
        ("caption", None, "a red square", "answered", None),
        ("caption", None, "a blue square", "answered", None),
        ("question", "What color is it?", "blue", "answered", None),
        ("message", None, None, "hello", None),
        ("message", "write a poem about it", None, "instruction", None),
        ("message", None, None, "refused:not-a-picture", None),
        ("message", "Is it red?", None, "crashed", crashed.reference),
    ]
    assert all(0.5 <= seconds < 60 for (seconds,) in table(ann, "seconds"))  # type: ignore[operator]
    numbers = [number for (number,) in table(ann, "number")]
    assert numbers[0] == numbers[1] != numbers[2]
    shown = rows(ann.log.path, "SELECT width, height, format FROM pictures")
    assert shown == [(8, 6, "PNG")] * 2


async def test_a_caption_is_kept_in_the_models_words_in_a_german_chat(
    ann: Person,
) -> None:
    await ann.say("/settings deutsch")
    assert (await ann.say("/caption", "red")).text == "Ein rotes Quadrat."
    assert ("caption", "a red square") in table(ann, "kind, answer")


async def test_a_rating_is_kept_with_its_answer(ann: Person) -> None:
    reply = await ann.say("What color is it?", "red")
    (bad,) = [button.action for button in reply.buttons if button.label == "👎"]
    await ann.say(bad)
    table(ann, "id")
    kept = rows(ann.log.path, "SELECT answer, good FROM ratings JOIN exchanges USING (number)")
    assert kept == [("red", 0)]


async def test_forgetting_erases_everything_and_says_how_much(ann: Person) -> None:
    reply = await ann.say("", "red")
    await ann.say(reply.buttons[0].action)
    await ann.say("Is it red?")
    said = (await ann.say("/forget")).text
    assert said == ENGLISH.forgotten_rows.format(exchanges=2, ratings=1, pictures=0)
    assert table(ann, "id") == []
    assert rows(ann.log.path, "SELECT count(*) FROM people") == [(0,)]
    assert (await ann.say("Is it red?")).text == ENGLISH.no_picture


async def test_a_person_can_keep_out_of_it_and_come_back(ann: Person) -> None:
    reply = await ann.say("/settings")
    assert reply.text.endswith(f"\n{ENGLISH.settings_logged}")
    (button,) = [each for each in reply.buttons if each.label == "Keep nothing"]
    reply = await ann.say(button.action)
    assert reply.text.endswith(f"\n{ENGLISH.settings_unlogged}")
    await ann.say("", "red")
    assert table(ann, "id") == []
    assert (await ann.say("/settings deutsch")).text.startswith("Von jetzt an")
    (button,) = [each for each in (await ann.say("/settings")).buttons if "log on" in each.action]
    await ann.say(button.action)
    await ann.say("", "red")
    assert len(table(ann, "id")) == 1


async def test_people_are_told_what_is_kept_and_for_how_long(ann: Person) -> None:
    said = (await ann.say("/privacy")).text
    assert [line[:2] for line in said.splitlines()] == ["1.", "2.", "3.", "4.", "5.", "6."]
    assert "an hour" in said
    assert "30 days" in said
    bare = Assistant(StandIn(), open_picture=open_photo)
    reply = await bare.handle(Incoming("telegram", "c", "u", "/privacy"))
    assert reply is not None
    assert reply.text == ENGLISH.privacy.format(time="an hour")


async def test_answers_come_though_the_log_is_locked_and_erasing_says_that_it_failed(
    ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.log.schema.BUSY_SECONDS", 0.05)
    monkeypatch.setattr(privacy, "LOG_TIMEOUT", 0.2)
    await ann.say("", "red")
    table(ann, "id")
    other = sqlite3.connect(ann.log.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert (await ann.say("What color is it?")).text == "Red."
    assert (await ann.say("/forget")).text == ENGLISH.forgotten_later
    assert (await ann.say("/settings log off")).text.endswith(ENGLISH.settings_unlogged)
    other.execute("ROLLBACK")
    other.close()
    await asyncio.to_thread(until, lambda: not ann.log.writer.error_text)
    monkeypatch.setattr(privacy, "LOG_TIMEOUT", 10)
    await ann.say("", "red")
    assert table(ann, "id") == []  # everything was done, in its order


async def test_no_name_is_in_the_operators_log(
    ann: Person, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await ann.say("My phone number is 555-1234, what is this?", "red")
    ann.engine.answer = lambda picture, question: Said("red") if question else OSError("disk")
    await ann.say("/caption")
    await ann.say("/forget")
    for private in ("ann-the-user", "a-chat", "555-1234"):
        assert private not in caplog.text


async def test_what_an_answer_should_have_been_is_kept_with_it(ann: Person) -> None:
    assert (await ann.say("The answer is a dog")).text == ENGLISH.no_picture
    await ann.say("What color is this?", "red")
    assert (await ann.say("No, the right answer is a fire engine.")).text == ENGLISH.corrected
    table(ann, "id")
    sql = "SELECT question, answer, good, correction FROM ratings JOIN exchanges USING (number)"
    assert rows(ann.log.path, sql) == [("What color is this?", "red", 0, "a fire engine")]
    assert (await ann.say("Is the answer a fire engine?")).text == "Red."
    await ann.say("/settings  Log OFF ")
    await ann.say("The answer is a bus.")
    table(ann, "id")
    assert rows(ann.log.path, sql)[0][-1] == "a fire engine"
    bare = Assistant(StandIn(), open_picture=open_photo)
    await bare.handle(Incoming("telegram", "c", "u", "Is it red?", (photo("red"),)))
    reply = await bare.handle(Incoming("telegram", "c", "u", "The answer is no."))
    assert reply is not None
    assert reply.text == ENGLISH.sorry  # nothing is passed on
