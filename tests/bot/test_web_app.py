"""The web chat as an ASGI app: sessions, answers, what is logged, and many people at once."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import httpx
import pytest
from engine_stand_in import Said, StandIn, open_photo, picture
from web_client import HERE, SMALL, Echo, Yes, client, form

from bot.assistant.assistant import Assistant
from bot.assistant.locale.german import GERMAN
from bot.assistant.objects import in_words
from bot.assistant.types import Draft, Incoming, Reply
from bot.settings import WebSettings
from bot.web.app import create_app
from bot.web.budget import TOO_BUSY
from bot.web.visitors import CHAT_COOKIE, PERSON_COOKIE
from data.images.open import Picture
from model.requests import DetectedObject


async def test_a_person_keeps_their_session_and_their_picture() -> None:
    echo = Echo()
    async with client(echo) as web:
        page = await web.get("/")
        first = await web.post("/api/messages", **form("", b"picture one"))
        second = await web.post("/api/messages", **form("what\r\ncolour?"))
    cookies = [cookie.lower() for cookie in page.headers.get_list("set-cookie")]
    assert [cookie.partition("=")[0] for cookie in cookies] == [PERSON_COOKIE, CHAT_COOKIE]
    for cookie in cookies:
        assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/"))
        assert "secure" not in cookie
    # The person outlives the browser's run; the chat does not.
    assert ["max-age=34560000" in cookie for cookie in cookies] == [True, False]
    assert "expires" not in cookies[1]
    assert "set-cookie" not in first.headers
    assert second.json() == {
        "reply": f"what\ncolour?|{hashlib.sha256(b'picture one').hexdigest()}",
        "buttons": [{"label": "Describe", "action": "/c", "name": ""}],
        "error": False,
        "reference": "",
        "outcome": "said",
        "retry": False,
        "language": "en",
        "asks": False,
        "pictures": [],
    }
    chat, person = page.cookies[CHAT_COOKIE], page.cookies[PERSON_COOKIE]
    assert {(m.platform, m.chat, m.user) for m in echo.heard} == {("web", chat, person)}
    assert len(chat) == len(person) == 32
    assert chat != person
    assert echo.heard[0].pictures[0].name == "secret-0.jpg"


async def test_the_page_is_told_what_is_seen_in_which_picture() -> None:
    def see(picture: Picture, _question: str | None) -> Said:
        red = picture.image.getpixel((0, 0)) == (255, 0, 0)
        return Said("a wall", objects=SEEN if red else ())

    assistant = Assistant(StandIn(see), open_picture=open_photo)
    async with client(assistant) as web:
        first = await web.post("/api/messages", **form("", b"blue", b"bad", b"red"))
        later = await web.post("/api/messages", **form("What is in picture 3?"))
        talk = await web.post("/api/messages", **form("thanks"))
    digest = {colour: picture(colour).digest for colour in ("blue", "red")}
    red = {
        "place": 2, "digest": digest["red"], "names": "dog, 2 people",
        "objects": [
            {"name": "dog", "score": 0.935, "box": [0.1, 0.2, 0.5, 0.9]},
            {"name": "person", "score": 0.5, "box": [0.0, 0.0, 0.1, 1.0]},
            {"name": "person", "score": 0.4, "box": [0.5, 0.0, 0.6, 1.0]},
        ],
    }  # fmt: skip
    blue = {"place": 0, "digest": digest["blue"], "names": "", "objects": []}
    assert first.json()["pictures"] == [blue, red]
    assert later.json()["pictures"] == [red]
    assert talk.json()["pictures"] == []


SEEN = (
    DetectedObject("dog", 0.9346, (0.1, 0.2, 0.5, 0.9)),
    DetectedObject("person", 0.5, (0.0, 0.0, 0.1, 1.0)),
    DetectedObject("person", 0.4, (0.5, 0.0, 0.6, 1.0)),
)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("", ""),
        ("dog", "dog"),
        ("skis,skis,person,person,person", "2 skis, 3 people"),
        ("bus,scissors,bus,scissors", "2 buses, 2 scissors"),
        ("wine glass,wine glass,sheep,sheep,knife,knife", "2 wine glasses, 2 sheep, 2 knives"),
    ],
)
def test_objects_in_words(names: str, words: str) -> None:
    nowhere = (0.0, 0.0, 1.0, 1.0)
    objects = [DetectedObject(name, 0.5, nowhere) for name in names.split(",") if name]
    assert in_words(objects) == words


async def test_the_cookie_is_secure_over_https_and_made_up_ids_are_replaced() -> None:
    echo = Echo()
    async with client(echo, base="https://localhost") as web:
        web.cookies.set(PERSON_COOKIE, "guess-me")
        web.cookies.set(CHAT_COOKIE, "c" * 32)  # of somebody else
        response = await web.post("/api/messages", **form("hi"))
    assert all("; secure" in each.lower() for each in response.headers.get_list("set-cookie"))
    assert echo.heard[0].user == response.cookies[PERSON_COOKIE] != "guess-me"
    assert echo.heard[0].chat == response.cookies[CHAT_COOKIE] != "c" * 32


async def test_fifty_people_at_once_each_get_their_own_answer() -> None:
    echo = Echo(pause=lambda: random.uniform(0, 0.05))
    app = httpx.ASGITransport(app=create_app(echo))

    async def person(number: int) -> tuple[str, str]:
        async with httpx.AsyncClient(transport=app, base_url=HERE) as web:
            await web.get("/")
            picture = random.Random(number).randbytes(50_000)
            await web.post("/api/messages", **form("", picture))
            response = await web.post("/api/messages", **form(f"question {number}"))
        expected = f"question {number}|{hashlib.sha256(picture).hexdigest()}"
        return response.json()["reply"], expected

    answers = await asyncio.gather(*(person(number) for number in range(50)))
    assert len(answers) == 50
    for reply, expected in answers:
        assert reply == expected


async def test_after_new_chat_the_same_person_is_in_another_chat() -> None:
    echo = Echo(pause=lambda: 0.05)
    async with client(echo) as web:
        await web.get("/")
        chat, person = web.cookies[CHAT_COOKIE], web.cookies[PERSON_COOKIE]
        late = asyncio.create_task(web.post("/api/messages", **form("", b"a picture")))
        await asyncio.sleep(0.01)
        response = await web.delete("/api/conversation")
        assert response.status_code == 204
        assert "set-cookie" not in (await late).headers
        answer = await web.post("/api/messages", **form("what?"))
    assert echo.forgotten == [("web", chat, person)]
    first, second = echo.heard
    assert (first.chat, first.user) == (chat, person)
    assert (second.chat, second.user) == (web.cookies[CHAT_COOKIE], person)
    assert second.chat != chat
    assert answer.json()["reply"] == "what?|none"  # what was still under way belongs to nobody


@pytest.mark.parametrize("site", ["cross-site", ""])
async def test_who_follows_a_link_from_elsewhere_is_not_taken_for_somebody_new(site: str) -> None:
    echo = Echo()
    async with client(echo) as web:
        page = await web.get("/", headers={"sec-fetch-site": site})  # without strict cookies
        assert "set-cookie" not in page.headers
        first = await web.post("/api/messages", **form("hi"))
        await web.post("/api/messages", **form("hi"))
    assert first.cookies[PERSON_COOKIE] == echo.heard[0].user == echo.heard[1].user
    assert echo.heard[0].chat == echo.heard[1].chat


async def test_a_person_comes_back_as_the_same_in_another_chat() -> None:
    echo = Echo()
    async with client(echo) as web:
        await web.get("/")
        await web.post("/api/messages", **form("hi"))
        web.cookies.delete(CHAT_COOKIE)  # the browser was closed
        page = await web.get("/")
        await web.post("/api/messages", **form("hi"))
    assert PERSON_COOKIE in page.cookies  # its time begins anew
    first, second = echo.heard
    assert first.user == second.user
    assert first.chat != second.chat


async def test_a_failing_assistant_leaves_a_sentence_and_a_trace_with_one_reference(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with client(Echo()) as web:
        crashed = await web.post("/api/messages", **form("crash"))
        silent = await web.post("/api/messages", **form("silence"))
    reference = crashed.json()["reference"]
    assert crashed.status_code == 500
    assert "model fell over" not in crashed.text
    assert len(reference) == 8
    assert reference in caplog.text
    assert "model fell over" in caplog.text
    assert silent.json()["error"] is False
    assert silent.json()["reply"]


async def test_neither_questions_nor_file_names_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    async with client(Echo(), SMALL) as web:
        for picture in (b"fine", b"x" * 2000):
            await web.post("/api/messages", **form("my private question", picture))
    assert "private" not in caplog.text
    assert "secret-0" not in caplog.text


@pytest.mark.parity("German", "chat page")
async def test_german_is_understood_and_spoken_to_who_chooses_it() -> None:
    async with client(Assistant(StandIn(), open_picture=open_photo)) as web:
        said = [
            (await web.post("/api/messages", **form(*message))).json()["reply"]
            for message in (("Welche Farbe hat das Auto?", b"red"), ("/settings de",), ("hello",))
        ]
    assert said == ["Rot.", GERMAN.settings_chosen, GERMAN.hello_again]


async def test_too_many_messages_at_once_are_asked_to_wait() -> None:
    go = asyncio.Event()

    class Slow(Yes):
        async def handle(self, incoming: Incoming, draft: Draft | None = None) -> Reply:
            await go.wait()
            return Reply("done")

    async with client(Slow(), WebSettings(messages_at_once=1)) as web:
        first = asyncio.create_task(web.post("/api/messages", **form("a")))
        await asyncio.sleep(0.05)
        second = await web.post("/api/messages", **form("b"))
        go.set()
        assert (await first).json()["reply"] == "done"
        third = await web.post("/api/messages", **form("c"))
    assert (second.status_code, second.json()["reply"]) == (503, TOO_BUSY)
    assert second.headers["retry-after"]
    assert third.status_code == 200


async def test_the_memory_of_all_uploads_together_is_bounded_and_given_back() -> None:
    async with client(Echo(), WebSettings(held_bytes=10_000)) as web:
        statuses = [
            (await web.post("/api/messages", **form("", b"x" * size))).status_code
            for size in (4000, 6000, 4000)
        ]
    assert statuses == [200, 503, 200]


async def test_all_that_the_page_needs_is_served_and_comes_in_the_wheel() -> None:
    async with client(Echo()) as web:
        named, found = {"index.html", "error.html"}, set()
        waiting = set(re.findall(r'"/static/([\w.-]+)"', (await web.get("/")).text))
        samples = (await web.get("/static/samples.js")).text
        offered = re.search(r"SAMPLES = \[(.*?)\]", samples)
        assert offered is not None
        waiting |= {f"{name}.jpg" for name in re.findall(r'"(\w+)"', offered[1])}
        while waiting:
            response = await web.get(f"/static/{waiting.pop()}")
            assert response.status_code == 200, response.url
            found.add(response.url.path.rpartition("/")[2])
            if response.url.path.endswith(".js"):
                waiting |= set(re.findall(r'from "\./([\w.-]+)"', response.text)) - found
    assert {name for name in found if name.endswith(".jpg")} == {
        "cat.jpg", "coffee.jpg", "tower.jpg"
    }  # fmt: skip
    root = Path(__file__).parents[2]
    packed = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"][
        "package-data"
    ]
    folders = {"bot": "web/static", "data": "samples"}
    files = {
        path.name: path
        for package, folder in folders.items()
        for path in (root / package / folder).iterdir()
    }
    for name in named | found:
        package = files[name].relative_to(root).parts[0]
        inside = files[name].relative_to(root / package).as_posix()
        assert any(fnmatch(inside, pattern) for pattern in packed[package]), name
