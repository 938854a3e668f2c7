"""Who is who on the chat page, whose conversation is whose, and in which language it is held."""

from __future__ import annotations

import asyncio
import inspect
import io
import re
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from engine_stand_in import StandIn, open_photo, picture
from PIL import Image
from web_client import SMALL, Echo, client, form, talk

from bot.assistant.assistant import Assistant
from bot.assistant.locale.files import GERMAN_FILES
from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.privacy import Recorder
from bot.assistant.profiles import ProfileSettings
from bot.log import Log
from bot.log.privacy import PictureCipher, new_key
from bot.log.queries import latest
from bot.log.schema import open_to_read
from bot.web.app import create_app
from bot.web.texts import PAGE, in_language, preferred_language
from bot.web.visitors import CHAT_COOKIE, PERSON_COOKIE
from data.images import sniff
from data.images.open import Picture
from model.requests import NO_CONTEXT, SHORT_ANSWERS, Answer, Capabilities, ChatContext

ONE, OTHER = {"glimpse-conversation": "1" * 32}, {"glimpse-conversation": "2" * 32}
QUESTION = form("What colour is it?")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = Log(tmp_path / "log.db", b"k" * 32)
    yield log
    log.close()


def assistant(log: Log | None = None, engine: Any = None) -> Assistant:
    return Assistant(engine or StandIn(), open_picture=open_photo, recorder=Recorder(log))


async def test_conversations_of_one_person_do_not_meet() -> None:
    async with client(assistant()) as web:
        await web.post("/api/messages", headers=ONE, **form("", b"red"))
        await web.post("/api/messages", headers=OTHER, **form("", b"blue"))
        await web.post("/api/messages", **form("", b"grey"))  # a script that names none
        for headers, colour in ((ONE, "red"), (OTHER, "blue"), ({}, "grey")):
            known = await web.get("/api/conversation", headers=headers)
            assert known.json() == {"pictures": [picture(colour).digest], "language": "en"}
        gone = await web.delete("/api/conversation", headers=OTHER)
        assert "set-cookie" not in gone.headers
        said = [await web.post("/api/messages", headers=each, **QUESTION) for each in (ONE, OTHER)]
        assert [each.json()["outcome"] for each in said] == ["answered", "no_picture"]
        await web.post("/api/messages", headers=ONE, **form("/forget"))  # of all of them
        assert (await web.get("/api/conversation")).json()["pictures"] == []


async def test_somebody_elses_conversation_is_worth_nothing_without_their_cookie() -> None:
    mine = assistant()
    async with client(mine) as web:
        await web.post("/api/messages", headers=ONE, **form("", b"red"))
        await web.post("/api/messages", **form("", b"red"))
        chat = web.cookies[CHAT_COOKIE]
        jar = dict(web.cookies)
        web.cookies.clear()
        web.cookies.set(CHAT_COOKIE, chat)
        for headers in (ONE, {}, {"glimpse-conversation": chat}):
            answer = await web.post("/api/messages", headers=headers, **QUESTION)
            assert answer.json()["outcome"] == "no_picture"
        web.cookies.clear()
        web.cookies.set(PERSON_COOKIE, jar[PERSON_COOKIE])
        answer = await web.post("/api/messages", **QUESTION)
        assert answer.json()["outcome"] == "no_picture"


@pytest.mark.parametrize("made_up", ["a" * 32, "-" * 32, "A" * 31 + "b"])
async def test_only_ids_that_were_issued_count(made_up: str) -> None:
    echo = Echo()
    async with client(echo) as web:
        web.cookies.set(PERSON_COOKIE, made_up)
        web.cookies.set(CHAT_COOKIE, made_up)
        await web.post("/api/messages", **form("hi"))
    (heard,) = echo.heard
    assert made_up not in {heard.user, heard.chat}


async def test_a_person_with_an_older_cookie_stays_who_they_are_while_something_is_kept(
    log: Log,
) -> None:
    old = "Older-cookies-were-not-signed-32"
    log.set_language("web", old, "de").result()
    async with client(assistant(log)) as web:
        web.cookies.set(PERSON_COOKIE, old)
        page = await web.get("/", headers={"sec-fetch-site": "none"})
        assert 'lang="de"' in page.text
        assert page.cookies.get(PERSON_COOKIE) == old  # its time begins anew
        assert (await web.post("/api/messages", **form("hello"))).json()["reply"] == GERMAN.hello
    later = Recorder(log).secret("web visitors")
    assert later == Recorder(log).secret("web visitors") != Recorder().secret("web visitors")


class Waiting:
    """A model that never answers."""

    waiting = 0

    def capabilities(self, profile: str = "") -> Capabilities:
        return SHORT_ANSWERS

    def __init__(self) -> None:
        self.asked: list[Future[Answer]] = []

    def submit(
        self,
        picture: Picture,
        question: str | None,
        rank: int = 0,
        context: ChatContext = NO_CONTEXT,
    ) -> Future[Answer]:
        self.asked.append(Future())
        return self.asked[-1]


async def test_a_message_whose_sender_goes_away_is_given_up_and_not_logged(log: Log) -> None:
    engine = Waiting()
    app = create_app(assistant(log, engine))
    body = (
        b'--B\r\nContent-Disposition: form-data; name="text"\r\n\r\nWhat is it?\r\n'
        b'--B\r\nContent-Disposition: form-data; name="pictures"; filename="a"\r\n\r\nred\r\n'
        b"--B--\r\n"
    )
    gone = asyncio.Event()
    left = {"type": "http.disconnect"}

    async def leave() -> None:
        while not engine.asked:
            await asyncio.sleep(0.01)
        gone.set()

    leaving = asyncio.ensure_future(leave())
    await talk(app, {"type": "http.request", "body": body}, gone, left)
    await leaving
    assert engine.asked[0].cancelled()
    log.consent("web", "").result()  # all before it is written
    assert latest(open_to_read(log.path), 5) == []


async def test_what_a_bad_answer_should_have_been_is_asked_only_where_it_is_kept(log: Log) -> None:
    for kept in (log, None):
        async with client(assistant(kept)) as web:
            answer = (await web.post("/api/messages", **form("", b"red"))).json()
            action = next(b["action"] for b in answer["buttons"] if "bad" in b["action"])
            rated = (await web.post("/api/messages", **form(action))).json()
            assert (rated["outcome"], rated["asks"]) == ("rated", kept is not None)
            headers = {"glimpse-corrects": action.split()[-1]}
            right = await web.post("/api/messages", headers=headers, **form("a train"))
            expected = ENGLISH.corrected if kept else ENGLISH.sorry
            assert right.json()["reply"] == expected
    rows = open_to_read(log.path).execute("SELECT good, correction FROM ratings").fetchall()
    assert rows == [(0, "a train")]


async def test_what_may_succeed_another_time_is_told_from_what_cannot() -> None:
    async with client(assistant(), SMALL) as web:
        refused = await web.post("/api/messages", **form("", b"bad"))
        too_long = await web.post("/api/messages", **form("x" * 201))
        too_big = await web.post("/api/messages", **form("", b"x" * 2000))
    async with client(Echo()) as web:
        crashed = await web.post("/api/messages", **form("crash"))
    answers = [refused, too_long, too_big, crashed]
    assert [each.json()["retry"] for each in answers] == [False, False, False, True]


async def test_a_picture_that_moves_gets_the_same_remark_as_on_the_bots() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    async with client(Assistant(StandIn())) as web:
        for kind in ("GIF", "WEBP", "PNG"):
            held = io.BytesIO()
            frames[0].save(held, kind, save_all=True, append_images=frames[1:], lossless=True)
            said = (await web.post("/api/messages", **form("", held.getvalue()))).json()["reply"]
            name = "WebP" if kind == "WEBP" else kind
            assert said.endswith("\n\n" + ENGLISH.still_only.format(what=name))


async def test_the_page_is_in_the_browsers_language_and_so_is_what_it_refuses() -> None:
    german = {"accept-language": "fr;q=0.9, de-AT, en;q=0.1", "sec-fetch-site": "none"}
    async with client(assistant(), SMALL) as web:
        page = await web.get("/", headers=german)
        hello = await web.post("/api/messages", headers=german, **form("hello"))
        too_big = await web.post("/api/messages", headers=german, **form("", b"x" * 2000))
        lost = await web.get("/nothing", headers=german)
    assert 'lang="de"' in page.text
    assert "Zeig mir ein Foto" in page.text
    assert "accept-language" in page.headers["vary"]
    assert hello.json()["reply"] == GERMAN.hello
    assert too_big.json()["reply"].startswith("Das ist zu viel auf einmal")
    assert "Zurück zum Chat" in lost.text


async def test_the_small_print_and_privacy_agree_on_photos(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.db", b"k" * 32, cipher=PictureCipher(new_key()))
    try:
        for recorder, said in (
            (Recorder(), ("never saves photos", "I never save pictures")),
            (Recorder(log), ("unless you allow it", "unless you allow it")),
        ):
            assistant = Assistant(StandIn(), open_picture=open_photo, recorder=recorder)
            async with client(assistant) as web:
                page = await web.get("/", headers={"sec-fetch-site": "none"})
                privacy = (await web.post("/api/messages", **form("/privacy"))).json()["reply"]
                assert said[0] in page.text
                assert said[1] in privacy
                if recorder.offers_sharing:
                    await web.post("/api/messages", **form("/settings pictures on"))
                    page = await web.get("/")
                    assert "saves your photos, as you allowed it" in page.text
    finally:
        log.close()


@pytest.mark.parametrize("somebody", ["", "Somebody Inc."])
async def test_the_small_print_says_that_photos_are_sent_elsewhere(somebody: str) -> None:
    profiles = ProfileSettings(("far", "starter"), sent_to={"far": somebody})
    for assistant, sent in (
        (Assistant(StandIn(), open_picture=open_photo), False),
        (Assistant(StandIn(), open_picture=open_photo, profiles=profiles), True),
    ):
        async with client(assistant) as web:
            page = await web.get("/")
            german = await web.get("/", headers={"accept-language": "de"})
        assert ("sends them to another computer" in page.text) is sent
        assert ("an einen anderen Computer" in german.text) is sent


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", ""),
        ("de", "de"),
        ("fr-CH, fr;q=0.9, de;q=0.8, *;q=0.5", "de"),
        ("en-GB,de;q=0.9", "en-GB"),
        ("fr", "fr"),
        ("de;q=0, en", "en"),
        ("de;q=x", ""),
        ("<script>, de;q=0.1", "de"),
        ("x" * 5000, ""),
    ],
)
def test_the_language_that_a_browser_asks_for(header: str, language: str) -> None:
    assert preferred_language(header) == language


async def test_a_file_that_is_no_picture_is_named_in_both_languages() -> None:
    drawing = form("", b"\xef\xbb\xbf<svg><title>A</title></svg>")
    async with client(Assistant(StandIn())) as web:
        english = await web.post("/api/messages", **drawing)
        german = await web.post("/api/messages", headers={"accept-language": "de"}, **drawing)
    assert english.json()["reply"].startswith("This is an SVG drawing, which cannot be opened")
    assert german.json()["reply"].startswith("Das ist eine SVG-Zeichnung")
    source = inspect.getsource(sniff)
    assert set(re.findall(r'"(an? [^"]+)"', source)) == set(GERMAN_FILES)


def test_the_page_says_everything_in_both_languages() -> None:
    assert PAGE["en"].keys() == PAGE["de"].keys()
    for sentence in _refusals():
        assert in_language("de", sentence) != sentence


def _refusals() -> list[str]:
    from bot.web import security, upload

    modules = (security, upload)
    return [
        value
        for module in modules
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and " " in value and value.endswith(".")
    ]
