"""People choose who answers them, as far as an operator lets them and a day's budget lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from chat_platforms import ChatPlatform, on
from cli_runner import FakeEngine
from engine_stand_in import Said, StandIn, open_photo, photo, picture, see
from log_helpers import opened, rows

from bot.assistant.assistant import Assistant
from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.privacy import Recorder
from bot.assistant.profiles import Profiles, ProfileSettings
from bot.assistant.types import Conversation, Incoming, Reply
from bot.cli.context import AppContext
from bot.cli.models import profile_settings
from bot.errors import SettingsError
from bot.log.spending import Spending
from bot.settings import load_settings
from data.images.open import Picture
from model.budget import BudgetConfig
from model.requests import NO_USAGE, Capabilities, ChatContext, Turn, Usage

Chats = Callable[..., AbstractAsyncContextManager[ChatPlatform]]
CHOICES = {"clever": ("everyone",), "dear": ("telegram:7", "discord:-456", "web")}
SETTINGS = ProfileSettings(("usual",), CHOICES, sent_to={"clever": "Somebody Ltd"})


@pytest.fixture(params=["telegram", "discord"])
def chats(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Chats:
    """Starts the bot on a platform."""
    return partial(on, request.param, monkeypatch)


# --- choosing -------------------------------------------------------------------------------------


async def test_a_button_chooses_who_answers(chats: Chats, tmp_path: Path) -> None:
    engine = StandIn()
    with opened(tmp_path / "log.db") as log:
        async with chats(engine, recorder=Recorder(log), profiles=SETTINGS) as chat:
            await chat.say("/settings")
            await chat.first()
            assert "/settings model clever" in chat.actions(0)
            assert "/settings model usual" not in chat.actions(0)
            await chat.press(0, "/settings model clever")
            said = ENGLISH.settings_profile_chosen.format(profile="clever")
            sent = ENGLISH.privacy_sent_to.format(provider="Somebody Ltd")
            await chat.until(lambda: f"{said}\n{sent}" in (*chat.texts, *chat.private))
            await chat.say("What colour is it?", "red")
            await chat.until(lambda: "Red." in chat.texts)
        assert engine.contexts[-1].profile == "clever"
        assert rows(log.path, "SELECT profile FROM chosen_profiles") == [("clever",)]


def message(text: str, user: str = "7", **values: Any) -> Incoming:
    where = {"platform": "telegram", "chat": "-456", **values}
    return Incoming(user=user, text=text, **where)


async def say(assistant: Assistant, text: str, user: str = "7", **values: Any) -> Reply:
    reply = await assistant.handle(message(text, user, **values))
    assert reply
    return reply


async def test_the_page_has_the_same_buttons_and_a_choice_can_be_typed() -> None:
    engine = StandIn()
    assistant = Assistant(engine, open_picture=open_photo, profiles=SETTINGS)
    page = partial(say, assistant, platform="web", chat="1", language="de")
    labels = {each.label: each.action for each in (await page("/settings")).buttons}
    assert labels["clever nehmen"] == "/settings model clever"
    assert labels["dear nehmen"] == "/settings model dear"
    said = await page("/settings MODEL  Dear")
    assert said.text == GERMAN.settings_profile_chosen.format(profile="dear")
    await page("", pictures=(photo("red"),))
    assert engine.contexts[-1].profile == "dear"
    assert "dear" in (await page("/settings")).text
    assert "usual" in (await page("/settings model auto")).text
    await page("", pictures=(photo("red"),))
    assert engine.contexts[-1].profile == ""


class Two(StandIn):
    def capabilities(self, profile: str = "") -> Capabilities:
        return Capabilities(chat=profile == "far")


async def test_who_chose_a_chat_model_is_told_the_conversation() -> None:
    engine = Two()
    profiles = ProfileSettings(("starter",), choices={"far": ["everyone"]})
    assistant = Assistant(engine, open_picture=open_photo, profiles=profiles)
    await say(assistant, "/settings model far")
    await say(assistant, "What colour is it?", pictures=(photo("red"),))
    await say(assistant, "Is it big?")
    assert engine.contexts[-1].profile == "far"
    assert engine.contexts[-1].turns == (Turn("What colour is it?", "red"),)


async def test_who_may_not_gets_the_usual_one_silently(tmp_path: Path) -> None:
    engine = StandIn()
    with opened(tmp_path / "log.db") as log:
        new = partial(Assistant, engine, open_picture=open_photo, recorder=Recorder(log))
        assistant = new(profiles=SETTINGS)
        assert "dear" not in str((await say(assistant, "/settings", "8")).buttons)
        await say(assistant, "/settings model dear", "8")
        await say(assistant, "", "8", pictures=(photo("red"),))
        assert engine.contexts[-1].profile == ""
        await say(assistant, "/settings model dear")
        await say(assistant, "", pictures=(photo("red"),))
        assert engine.contexts[-1].profile == "dear"
        again = new(profiles=SETTINGS)  # after a restart
        await say(again, "", pictures=(photo("red"),))
        assert engine.contexts[-1].profile == "dear"
        fewer = new(profiles=replace(SETTINGS, choices={"clever": ("everyone",)}))
        reply = await say(fewer, "", pictures=(photo("red"),))
        assert engine.contexts[-1].profile == ""
        assert reply.text == f"A red square.\n\n{ENGLISH.invite}"
        await say(again, "/forget")
        await say(again, "", pictures=(photo("red"),))
        assert engine.contexts[-1].profile == ""
    assert rows(tmp_path / "log.db", "SELECT * FROM chosen_profiles") == []


def test_a_list_names_people_chats_and_platforms() -> None:
    settings = ProfileSettings(
        ("usual", "other"),
        {"a": ("discord:-456",), "b": ("telegram",), "c": ("telegram:7",), "other": ("everyone",)},
    )
    profiles = Profiles(settings, Recorder())

    def offered(platform: str, chat: str, user: str) -> tuple[str, ...]:
        return profiles.offered(Conversation(platform, chat, user))

    assert offered("discord", "-456/12", "9") == ("usual", "a", "other")
    assert offered("telegram", "1", "7") == ("usual", "b", "c", "other")
    assert offered("web", "1", "7") == ("usual", "other")
    assert (
        Profiles(ProfileSettings(("usual",)), Recorder()).offered(Conversation("web", "1", "1"))
        == ()
    )


async def test_privacy_tells_who_gets_the_pictures_of_this_person() -> None:
    assistant = Assistant(StandIn(), profiles=SETTINGS)
    assert "Somebody Ltd" not in (await say(assistant, "/privacy")).text
    await say(assistant, "/settings model clever")
    assert "Somebody Ltd" in (await say(assistant, "/privacy")).text
    assert "Somebody Ltd" not in (await say(assistant, "/privacy", "8")).text


# --- budgets --------------------------------------------------------------------------------------


def costly(settings: BudgetConfig) -> ProfileSettings:
    return ProfileSettings(("dear", "cheap"), budgets={"dear": settings})


def spending(picture: Picture, question: str | None) -> Said:
    return replace(see(picture, question), profile="dear", usage=Usage(90, 10))


async def test_a_budget_is_used_up_and_kept_over_a_restart(tmp_path: Path) -> None:
    engine = StandIn(spending)
    ask = partial(say, text="What colour is it?", pictures=(photo("red"),))
    with opened(tmp_path / "log.db") as log:
        new = partial(Assistant, engine, open_picture=open_photo, recorder=Recorder(log),
                      profiles=costly(BudgetConfig(tokens_per_person=200, tokens=300)))  # fmt: skip
        assistant = new()
        notice = ENGLISH.spent_instead.format(profile="dear")
        for number in range(2):
            assert (await ask(assistant)).text == "Red."
            assert engine.contexts[-1].without == frozenset(), number
        engine.answer = lambda *asked: replace(see(*asked), profile="cheap")
        assert (await ask(assistant)).text == f"Red.\n\n{notice}"
        assert engine.contexts[-1].without == {"dear"}
        assert (await ask(assistant)).text == "Red."  # who knows is not told again
        engine.answer = spending
        await ask(assistant, user="8")
        assert engine.contexts[-1].without == frozenset()
        engine.answer = lambda *asked: replace(see(*asked), profile="cheap")
        await ask(assistant, user="9")
        assert engine.contexts[-1].without == {"dear"}  # of all together
    sql = "SELECT sum(prompt), sum(completion), count(DISTINCT hash) FROM spending"
    assert rows(tmp_path / "log.db", sql) == [(270, 30, 2)]
    with opened(tmp_path / "log.db") as log:
        again = new(recorder=Recorder(log))
        log.consent("telegram", "7").result(10)  # it is open
        await ask(again)
        assert engine.contexts[-1].without == {"dear"}
        await say(again, "/forget")
        await ask(again)
        assert engine.contexts[-1].without == {"dear"}  # which does not bring it back
        await say(again, "/settings log off", "8")
    sql = "SELECT hash, sum(prompt) FROM spending GROUP BY hash"
    assert rows(tmp_path / "log.db", sql) == [("", 270)]  # whose it was is forgotten


async def test_who_leaves_before_the_answer_has_it_counted_all_the_same(tmp_path: Path) -> None:
    engine = StandIn(spending, held=True)
    with opened(tmp_path / "log.db") as log:
        profiles = costly(BudgetConfig(tokens_per_person=3000))
        assistant = Assistant(
            engine, open_picture=open_photo, recorder=Recorder(log), profiles=profiles
        )
        asking = asyncio.ensure_future(say(assistant, "What is it?", pictures=(photo("red"),)))
        while not engine.queue:
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait({asking})
        engine.held, engine.answer = False, lambda *asked: replace(see(*asked), profile="cheap")
        await say(assistant, "What is it?", pictures=(photo("red"),))
        assert engine.contexts[-1].without == {"dear"}


async def test_who_has_nothing_else_has_to_wait() -> None:
    engine = StandIn(spending)
    profiles = ProfileSettings(("dear",), budgets={"dear": BudgetConfig(tokens=100)})
    assistant = Assistant(engine, open_picture=open_photo, profiles=profiles)
    ask = partial(say, assistant, "What colour is it?", pictures=(photo("red"),))
    assert (await ask()).text == "Red."
    reply = await ask()
    assert reply.error
    assert reply.text.startswith("What my answers may cost today is used up.")
    assert (await ask(language="de")).text.startswith("Was meine Antworten heute kosten dürfen")
    assert len(engine.asked) == 1


def test_the_day_ends_at_midnight_in_utc() -> None:
    day = ["2026-01-01"]
    spent = Spending(lambda: day[0])
    spent.load(lambda _: [("ann", "dear", 5, 5), ("", "dear", 1, 1)])
    assert spent.add("ann", "dear", Usage(10, 1)) == "2026-01-01"
    spent.load(lambda _: [("ann", "dear", 5, 5)])  # what is loaded twice counts once
    assert spent.of("ann", "dear") == (Usage(15, 6), Usage(16, 7))
    day[0] = "2026-01-02"
    assert spent.of("ann", "dear") == (NO_USAGE, NO_USAGE)


# --- settings -------------------------------------------------------------------------------------


def test_choices_are_a_table_or_a_variable(tmp_path: Path) -> None:
    config = tmp_path / "glimpse.toml"
    config.write_text('[choices]\nclever = "everyone"\n"my/far.toml" = ["telegram:7", "web"]\n')
    found = dict(load_settings({"GLIMPSE_CONFIG": str(config)}).choices)
    assert found == {"clever": ("everyone",), f"{tmp_path}/my/far.toml": ("telegram:7", "web")}
    given = "clever = everyone; dear=telegram:7, discord:-456"
    assert dict(load_settings({"GLIMPSE_CHOICES": given}).choices) == {
        "clever": ("everyone",), "dear": ("telegram:7", "discord:-456"),
    }  # fmt: skip


@pytest.mark.parametrize("toml", ["choices = 5", 'choices = ["x"]', "[choices]\nx = 5"])
def test_a_bad_table_is_refused(tmp_path: Path, toml: str) -> None:
    config = tmp_path / "glimpse.toml"
    config.write_text(toml)
    with pytest.raises(SettingsError, match="who may choose"):
        load_settings({"GLIMPSE_CONFIG": str(config)})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("clever", "who may choose 'clever' has to be \"everyone\""),
        ("clever=bob", "who may choose 'clever' has to be \"everyone\""),
        ("=everyone", "who may choose '' has to be"),
        (f"{'x' * 25}=everyone", "too long for a button"),
    ],
)
def test_a_bad_choice_is_refused(given: str, said: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        load_settings({"GLIMPSE_CHOICES": given})
    assert said in str(refusal.value)


def test_bots_load_what_may_be_chosen_and_the_usual_one_answers() -> None:
    loaded: list[str] = []

    def load(profile: str, *how: Any, **options: Any) -> Any:
        loaded.append(profile)
        return FakeEngine(profile=SimpleNamespace(name=profile))

    app = AppContext(load, {"GLIMPSE_PROFILE": "usual", "GLIMPSE_CHOICES": "clever=everyone"})
    with app.engine():
        assert loaded == ["usual"]
    with app.engine(choices=True) as engine:
        assert loaded == ["usual", "usual", "clever"]
        red, chosen = picture("red"), ChatContext(profile="clever")
        assert engine.submit(red, None).result(10).profile == "usual"
        answer = engine.submit(red, None, 0, chosen).result(10)
        assert (answer.profile, answer.instead) == ("clever", False)
        settings = profile_settings(engine, app.settings.choices)
    assert (settings.usual, settings.choices) == (("usual",), {"clever": ("everyone",)})
