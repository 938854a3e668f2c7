"""People who allow it share their pictures: encrypted at rest, erased at a word, learnt from."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from cli_runner import CliRunner
from engine_stand_in import Said, StandIn, open_photo, photo
from log_helpers import opened, record, rows
from PIL import Image
from test_recorder import Person, table

from bot.assistant.assistant import Assistant
from bot.assistant.limits import UNLIMITED, Limits, LimitSettings
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.privacy import Recorder
from bot.assistant.types import Incoming, Rating
from bot.errors import LogKeyError
from bot.log import WAITING_PICTURES, Erased, Record
from bot.log.privacy import PictureCipher, new_key
from bot.log.schema import open_to_read, open_to_write
from bot.log.training_export import ExportCounts, export
from data.datasets.records import read_pictures
from model.requests import Capabilities

SECRET = "hYv0lWnb0Zl3H5l6jvH2YgXx2G0vJx5cZ6rj0GmB6yQ="


@pytest.fixture
async def ann(tmp_path: Path) -> AsyncIterator[Person]:
    with opened(tmp_path / "log.db", cipher=PictureCipher(SECRET)) as log:
        yield Person(log)


def kept(person: Person) -> list[tuple[object, ...]]:
    table(person, "id")
    return rows(person.log.path, "SELECT sha256, content FROM shared JOIN pictures ON picture = id")


async def allow(person: Person) -> None:
    (button,) = [b for b in (await person.say("/settings")).buttons if "Save" in b.label]
    assert (await person.say(button.action)).text.endswith(ENGLISH.settings_shared)


async def test_a_picture_is_kept_only_of_who_allows_it_and_nobody_else_can_read_it(
    ann: Person,
) -> None:
    ben = Person(ann.log, "ben")
    await ann.say("Is it red?", "red")
    assert ENGLISH.privacy_may_save in (await ann.say("/privacy")).text
    await allow(ann)
    assert ENGLISH.privacy_saved.format(days="30 days") in (await ann.say("/privacy")).text
    assert kept(ann) == []  # what was asked before is not touched
    await ann.say("", "blue")
    await ann.say("What color is it?")
    await ben.say("", "green")
    ((_, content),) = kept(ann)  # once, and of no one else
    assert isinstance(content, bytes)
    image = Image.open(io.BytesIO(PictureCipher(SECRET).unseal(content)))
    assert (image.format, image.size) == ("JPEG", (8, 6))
    red, green, blue = image.convert("RGB").getpixel((3, 3))  # type: ignore[misc]
    assert blue > 200
    assert max(red, green) < 60
    whole = b"".join(path.read_bytes() for path in ann.log.path.parent.glob("log.db*"))
    assert b"JFIF" not in whole
    assert b"\xff\xd8\xff" not in whole
    with pytest.raises(LogKeyError, match="does not open with this key"):
        PictureCipher(new_key()).unseal(content)


@pytest.mark.parametrize("how", ["/settings pictures off", "/settings log off", "/forget"])
async def test_what_was_shared_is_erased_at_a_word(ann: Person, how: str) -> None:
    await allow(ann)
    await ann.say("", "red")
    await ann.say("", "blue")
    ((_, content), _) = kept(ann)
    reply = await ann.say(how)
    if how == "/forget":
        assert reply.text == ENGLISH.forgotten_rows.format(exchanges=2, ratings=0, pictures=2)
    await ann.say("", "green")  # and nothing more is kept
    assert kept(ann) == []
    assert isinstance(content, bytes)
    whole = b"".join(path.read_bytes() for path in ann.log.path.parent.glob("log.db*"))
    assert content[40:80] not in whole


async def test_nothing_is_offered_without_a_key_nor_to_who_wants_nothing_kept(
    ann: Person, tmp_path: Path
) -> None:
    await ann.say("/settings log off")
    assert not [b for b in (await ann.say("/settings")).buttons if "pictures" in b.action]
    await ann.say("/settings pictures on")
    await ann.say("/settings log on")
    await ann.say("", "red")
    assert kept(ann) == []  # a wish of before does not come into force by another one
    with opened(tmp_path / "other.db") as log:
        bare = Person(log)
        assert not [
            b for b in (await bare.say("/settings pictures on")).buttons if "pic" in b.action
        ]
        await bare.say("", "red")
        assert ENGLISH.privacy_unsaved in (await bare.say("/privacy")).text
        assert kept(bare) == []
    with pytest.raises(LogKeyError, match="glimpse log key"):
        PictureCipher("a password")


def test_old_pictures_go_with_the_last_exchange_about_them(tmp_path: Path) -> None:
    with opened(tmp_path / "log.db", cipher=PictureCipher(SECRET)) as log:
        log.set_sharing("telegram", "ann", shares=True)
        log.record(about(1)).result(5)
        store = open_to_write(log.path)
        store.execute("UPDATE exchanges SET at = '2001-01-01', day = '2001-01-01'")
        store.conn.commit()
        store.close()
    with opened(tmp_path / "log.db", cipher=PictureCipher(SECRET)) as log:
        assert log.forget("telegram", "nobody").result(5) == Erased(0, 0, 0)
        assert rows(log.path, "SELECT count(*) FROM shared") == [(0,)]
        assert rows(log.path, "SELECT count(*) FROM pictures") == [(0,)]


def about(number: int) -> Record:
    """An exchange of Ann's about a picture of its own."""
    made = record(number)
    (exchange,) = made.exchanges
    shown = open_photo(photo("red").content)
    return replace(made, exchanges=(replace(exchange, picture=shown, digest=f"{number:064x}"),))


def test_pictures_do_not_pile_up_in_memory_while_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.log.schema.BUSY_SECONDS", 0.05)
    with opened(tmp_path / "log.db", cipher=PictureCipher(SECRET)) as log:
        log.set_sharing("telegram", "ann", shares=True).result(5)
        other = sqlite3.connect(log.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        done = [log.record(about(number)) for number in range(3 * WAITING_PICTURES)]
        other.execute("ROLLBACK")
        other.close()
        done[-1].result(10)
        assert rows(log.path, "SELECT count(*) FROM exchanges") == [(len(done),)]
        (count,) = rows(log.path, "SELECT count(*) FROM shared")[0]
        assert WAITING_PICTURES <= count < len(done)
        log.record(about(9999)).result(5)
        assert rows(log.path, "SELECT count(*) FROM shared") == [(count + 1,)]


def unlimited(person: Person) -> None:
    person.assistant = Assistant(
        person.engine, open_picture=open_photo, recorder=Recorder(person.log),
        limits=Limits(LimitSettings(default=UNLIMITED)),
    )  # fmt: skip


def learnt(person: Person, folder: Path) -> tuple[ExportCounts, dict[str | None, tuple[str, ...]]]:
    """What an export holds about the only picture that has something to learn."""
    table(person, "id")
    with closing(open_to_read(person.log.path)) as db:
        found = export(db, PictureCipher(SECRET), folder)
    (read,) = read_pictures([folder / "feedback.jsonl"], folder / "pictures")
    assert read.image.read_bytes().startswith(b"\xff\xd8")
    answers = {q.question: tuple(answer for answer, _ in q.answers) for q in read.questions}
    return found, answers | ({None: tuple(read.captions)} if read.captions else {})


async def test_what_people_say_of_answers_becomes_examples(ann: Person, tmp_path: Path) -> None:
    async def rate(question: str, label: str) -> None:
        buttons = (await ann.say(question)).buttons
        await ann.say(next(b.action for b in buttons if b.label == label))

    unlimited(ann)
    await ann.say("What vehicle is it?", "red")
    await ann.say("The answer is a lorry")  # before they allowed anything
    await allow(ann)
    ann.engine.answer = lambda _, question: {
        None: Said("a car", 0.7), "What vehicle is it?": Said("bus", 0.9),
        "Is it night?": Said("yes", 0.2), "Is it big?": Said("no", 0.9),
        "Where is it?": Said("street", 0.1), "Is it a car?": Said("yes", 0.9),
        "What is in it?": Said("red, white", 0.9), "Who drives it?": Said("man", 0.9),
    }.get(question, Said("dog", 0.9))  # fmt: skip
    await ann.say("What vehicle is it?", "red")
    await ann.say("What  vehicle is it?")
    await ann.say("No, it is a fire  engine.")
    await rate("Is it night?", "👍")  # not sure, but found good
    await rate("Is it big?", "👎")
    await ann.say("Where is it?")  # not sure
    await ann.say("/caption")
    await ann.say("What animal is it?")
    await ann.say("What is in it?")  # a list is no answer
    await ann.say("Is it a car?")
    await ann.say("No, it's a bus")  # true, and no answer to that question
    await rate("Who drives it?", "👎")
    await ann.say("The answer is a woman")
    last = await ann.say("/caption")
    ann.log.rate(Rating("telegram", "zoe", last.number, False)).result(5)  # who shares nothing
    await ann.say("What vehicle is it?", "red", "blue")
    await ann.say("The answer is a lorry.")  # of which of them?
    ben = Person(ann.log, "ben")
    await ben.say("What vehicle is it?", "green")  # shares nothing
    found, texts = learnt(ann, tmp_path / "out")
    assert (found.pictures, found.texts, found.corrected, found.unopened) == (1, 4, 2, 0)
    assert texts == {
        "What vehicle is it?": ("fire engine",),
        "Is it night?": ("yes",),
        "What animal is it?": ("dog",),
        "Who drives it?": ("woman",),
    }
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0
    with closing(open_to_read(ann.log.path)) as db:
        assert export(db, PictureCipher(new_key()), tmp_path / "none").unopened == 2


async def test_who_finds_it_good_after_all_takes_the_correction_back(
    ann: Person, tmp_path: Path
) -> None:
    await allow(ann)
    reply = await ann.say("What vehicle is it?", "red")
    await ann.say("The answer is a bus")
    await ann.say(next(b.action for b in reply.buttons if b.label == "👍"))
    found, texts = learnt(ann, tmp_path / "out")
    assert (found.corrected, texts) == (0, {"What vehicle is it?": ("red",)})


async def test_an_export_leaves_other_files_alone(ann: Person, tmp_path: Path) -> None:
    await allow(ann)
    await ann.say("What vehicle is it?", "red")
    folder = tmp_path / "out"
    (folder / "pictures").mkdir(parents=True)
    mine, old = folder / "pictures/holiday.jpg", folder / f"pictures/{'0' * 64}.jpg"
    for path in (mine, old):
        path.write_bytes(b"")
    learnt(ann, folder)
    assert (mine.exists(), old.exists()) == (True, False)


async def test_whoever_shares_does_not_decide_on_others_pictures(ann: Person) -> None:
    zoe = Person(ann.log, "zoe")
    zoe.assistant = ann.assistant
    await allow(ann)
    await zoe.say("", "red")
    await ann.say("What color is it?")  # the chat's last picture is Zoe's
    message = Incoming("telegram", "a-chat", ann.user, "Is it red?", (), (photo("red"),))
    assert await ann.assistant.handle(message)
    await ann.say("And what color is it now?")
    assert kept(ann) == []
    await ann.say("Is it blue?", "blue")
    await ann.say("Is it red?")
    assert len(kept(ann)) == 1


async def test_a_reply_to_a_wrong_answer_puts_it_right(ann: Person, tmp_path: Path) -> None:
    await allow(ann)
    first = await ann.say("What vehicle is it?", "red")
    await ann.say("What color is it?")
    for number, said in (("", ENGLISH.sorry), (first.number, ENGLISH.corrected)):
        message = Incoming(
            "telegram", "a-chat", ann.user, "No, it's a bus", (), (photo("red"),), reply_to=number
        )
        reply = await ann.assistant.handle(message)
        assert reply is not None
        assert reply.text == said  # one that it does not know is not put right
    assert learnt(ann, tmp_path / "out")[1] == {
        "What vehicle is it?": ("bus",),
        "What color is it?": ("red",),
    }


async def test_what_a_chat_model_said_in_german_is_not_learnt(ann: Person, tmp_path: Path) -> None:
    engine = StandIn(lambda *_: Said("Ein Hund auf der Wiese.", language="de"))
    engine.able = Capabilities(chat=True, languages=("en", "de"))
    ann.assistant = Assistant(engine, recorder=Recorder(ann.log), open_picture=open_photo)
    await allow(ann)
    await ann.say("Beschreib das Bild", "red")
    await ann.say("Was für eine Stimmung herrscht hier wohl?")
    assert len(kept(ann)) == 1
    with closing(open_to_read(ann.log.path)) as db:
        export(db, PictureCipher(SECRET), tmp_path)
    assert [*read_pictures([tmp_path / "feedback.jsonl"], tmp_path / "pictures")] == []


async def test_without_the_key_what_is_kept_can_still_be_seen_and_erased(ann: Person) -> None:
    await allow(ann)
    await ann.say("", "red")
    ann.log.close()
    with opened(ann.log.path) as log:
        bare = Person(log)
        assert ENGLISH.privacy_saved.format(days="30 days") in (await bare.say("/privacy")).text
        (button,) = [b for b in (await bare.say("/settings")).buttons if "Erase" in b.label]
        await bare.say(button.action)
        assert kept(bare) == []
        assert not [b for b in (await bare.say("/settings")).buttons if "pictures" in b.label]


async def test_while_the_log_is_locked_nobody_is_told_what_is_untrue(
    ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.assistant.privacy.LOG_TIMEOUT", 0.2)
    await allow(ann)
    other = sqlite3.connect(ann.log.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        ann.log.rate(Rating("telegram", "zoe", "x", True))  # which holds up what comes after it
        assert ENGLISH.privacy_saved.format(days="30 days") in (await ann.say("/privacy")).text
        said = (await ann.say("/settings")).text
        assert said.endswith(ENGLISH.settings_shared)
    finally:
        other.execute("ROLLBACK")
        other.close()


async def test_a_correction_of_who_shares_nothing_is_not_learnt(
    ann: Person, tmp_path: Path
) -> None:
    await allow(ann)
    reply = await ann.say("What vehicle is it?", "red")
    ann.log.rate(Rating("telegram", "ben", reply.number, False, "a fire engine")).result(5)
    with closing(open_to_read(ann.log.path)) as db:
        assert export(db, PictureCipher(SECRET), tmp_path / "out").corrected == 0


def test_the_command_exports_and_says_what_is_missing(cli: CliRunner, tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    cli.environment["GLIMPSE_LOG"] = str(path)
    with opened(path, cipher=PictureCipher(SECRET)) as log:
        log.set_sharing("telegram", "ann", shares=True)
        log.record(about(1))
        log.rate(Rating("telegram", "ann", about(1).number, False, "the moon")).result(5)
    target = str(tmp_path / "out")
    outcome = cli.run("log", "export", "--for-training", target)
    assert (outcome.status, "GLIMPSE_PICTURE_KEY" in outcome.err) == (1, True)
    cli.environment["GLIMPSE_PICTURE_KEY"] = new_key()
    outcome = cli.run("log", "export", "--for-training", target)
    assert outcome.status == 1
    assert outcome.err.startswith("1 pictures do not open with this key\nThere is nothing")
    cli.environment["GLIMPSE_PICTURE_KEY"] = SECRET
    outcome = cli.run("log", "export", "--for-training", target)
    assert outcome.out.startswith("1 pictures with 1 texts in ")
    (row,) = map(json.loads, (tmp_path / "out/feedback.jsonl").read_text().splitlines())
    assert row["answers"] == ["moon"]
    made = cli.run("log", "key").out.strip()
    assert PictureCipher(made).unseal(PictureCipher(made).seal(Image.new("RGB", (900, 30))))


@pytest.mark.parametrize(
    ("told", "german"),
    [
        (("/settings deutsch",), True),
        (("/settings deutsch", "/settings auto"), False),
        (("/settings deutsch", "/forget"), False),
        (("/settings log off", "/settings deutsch"), False),
        (("/settings deutsch", "/settings log off"), False),
    ],
)
async def test_a_language_that_was_chosen_outlives_a_restart(
    tmp_path: Path, told: tuple[str, ...], german: bool
) -> None:
    with opened(tmp_path / "log.db") as log:
        for text in told:
            await Person(log).say(text)
    with opened(tmp_path / "log.db") as log:
        log.consent("x", "y").result(5)  # the choices are read by then
        said = (await Person(log).say("/privacy")).text
        assert ("Arbeitsspeicher" in said) == german
        if german:
            assert (await Person(log).say("/settings auto")).text.startswith("I speak English")


async def test_a_chat_without_a_log_offers_nothing() -> None:
    bare = Assistant(StandIn(), open_picture=open_photo, recorder=Recorder())
    reply = await bare.handle(Incoming("telegram", "c", "u", "/settings pictures on"))
    assert reply is not None
    assert not [b for b in reply.buttons if "pictures" in b.action or "log" in b.action]
