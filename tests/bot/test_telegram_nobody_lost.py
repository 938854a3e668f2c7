"""On Telegram nobody is silenced, lost or answered twice, and the right picture is meant."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from engine_stand_in import Said, StandIn
from fake_telegram import GROUP, ME, TOKEN, FakeTelegram, Json, telegram

from bot import platforms
from bot.assistant.inference import ALBUM_SHARE
from bot.assistant.limits import Access, LimitSettings, RateLimit
from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import ENGLISH
from bot.benchmarks.fake_telegram import TAKEN
from bot.platforms import Fetcher, PictureFile
from bot.telegram.inbox import Inbox

COLOUR = "What colour is it?"
RED = "A red square.\n\nAsk me anything about it."
BLUE = "A blue square.\n\nAsk me anything about it."
POLL = {
    "id": "1", "question": "my wombat?", "total_voter_count": 0, "is_closed": False,
    "is_anonymous": True, "type": "regular", "allows_multiple_answers": False, "options": [],
}  # fmt: skip


# --- updates that cannot be read ------------------------------------------------------------------


async def test_an_update_of_an_unknown_shape_silences_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with telegram() as api:
        api.message(poll={**POLL, "options": [{"text": "wombat", "voter_count": 0}]}, user=8)
        api.update(message={"message_id": 1, "text": "my wombat"})
        asked = api.photo(b"red", COLOUR)
        asked["poll"] = {"wombat": 1}
        api.photo(b"blue", COLOUR, reply_to_message={**asked, "photo": None})
        said = await api.answers(3)
        assert sorted(said) == sorted(["Blue.", "Red.", ENGLISH.no_picture_file])
        api.message("/start")
        await api.answers(4)
        assert len(api.of("sendMessage")) == len(await api.settle(0.1)) == 4
    assert "wombat" not in caplog.text
    assert "left out (KeyError)" in caplog.text


# --- the network ----------------------------------------------------------------------------------


async def test_an_answer_that_was_taken_is_not_sent_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with telegram() as api:
        api.faults["sendMessage"].append((TAKEN, {}, 0))
        api.message("/start")
        await api.answers(1)
        api.message("/help")
        await api.answers(2)
        assert len(await api.settle()) == 2
    assert "before Telegram said that it took an answer" in caplog.text
    assert not [each for each in caplog.records if each.levelname == "ERROR"]


async def test_a_picture_waits_for_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platforms, "FETCH_WAIT", 0.001)
    failures = [OSError()] * 5

    async def read(_: PictureFile) -> bytes:
        if failures:
            raise failures.pop()
        return b"red"

    away = Fetcher(read, (OSError,), offline=lambda _: True)
    assert (await away.fetch(PictureFile("x"))).content == b"red"


async def test_only_the_chat_that_has_to_wait_waits() -> None:
    async with telegram() as api:
        flood = {"description": "Too Many Requests", "parameters": {"retry_after": 3}}
        api.faults["sendMessage"].append((429, flood, 0))
        api.message("/start@glimpse_bot", chat=GROUP)
        await api.until(lambda: not api.faults["sendMessage"])
        await asyncio.sleep(0.1)
        for user in range(100, 170):  # more than used to be in work at once
            api.message("/start@glimpse_bot", chat=GROUP, user=user)
        api.message("/help", user=8)
        await api.answers(1)
        assert api.of("sendMessage")[0][1]["chat_id"] == 8


async def test_a_group_that_becomes_a_supergroup_keeps_its_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with telegram() as api:
        moved = {"description": "Bad Request: group chat was upgraded to a supergroup chat",
                 "parameters": {"migrate_to_chat_id": -1009}}  # fmt: skip
        api.faults["sendMessage"].append((400, moved, 0))
        api.photo(b"red", f"@glimpse_bot {COLOUR}", chat=GROUP)
        assert await api.answers(1) == ["Red."]
        assert api.of("sendMessage")[0][1]["chat_id"] == -1009
    assert "1009" not in caplog.text


async def test_in_a_topic_its_first_message_is_not_replied_to_and_it_may_be_deleted() -> None:
    async with telegram() as api:
        begun = {**api.photo(b"red", chat=GROUP, user=8), "from": ME}
        topic = {"chat": GROUP, "is_topic_message": True, "message_thread_id": begun["message_id"]}
        api.message(COLOUR, reply_to_message=begun, **topic)  # nobody is called
        gone = {"description": "Bad Request: message thread not found"}
        api.faults["sendMessage"].append((400, gone, 0))
        api.photo(b"blue", f"@glimpse_bot {COLOUR}", reply_to_message=begun, **topic)
        assert await api.answers(1) == ["Blue."]
        assert "message_thread_id" not in api.of("sendMessage")[0][1]
        assert len(await api.settle(0.2)) == 1


# --- edits ----------------------------------------------------------------------------------------


async def test_a_reaction_after_a_restart_gets_no_answer_and_an_edit_changes_the_old_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "inbox.db"
    async with telegram(inbox=Inbox(path, TOKEN)) as api:
        asked = api.photo(b"red", COLOUR)
        api.message("/start", user=8)
        await api.answers(2)
        number = api.numbers[api.said.index("Red.")]
        await api.settle(0.1)
    later = FakeTelegram(files=api.files)
    async with telegram(api=later, inbox=Inbox(path, TOKEN)):
        later.update(1001, edited_message=asked)
        assert await later.settle() == []
        changed = {**asked, "caption": "/caption", "caption_entities": []}
        later.update(1002, edited_message=changed)
        assert await later.answers(1) == ["A red square."]
        ((_, edit),) = later.of("editMessageText")
        assert edit["message_id"] == number
    forgetful = FakeTelegram(files=api.files)
    async with telegram(api=forgetful):
        forgetful.update(1003, edited_message={**asked, "date": int(time.time()) - 60})
        assert await forgetful.settle() == []


async def test_after_a_restart_the_last_album_is_still_meant(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    async with telegram(inbox=Inbox(path, TOKEN)) as api:
        api.album([b"red", b"blue"], COLOUR)
        asked = api.photo(b"green", COLOUR, user=8, chat=GROUP)
        api.message(f"@glimpse_bot {COLOUR}", chat=GROUP, reply_to_message=asked)
        api.photo(b"red", COLOUR, user=9)
        await api.answers(3)
        api.message("/forget", user=9)
        await api.answers(4)
        await api.settle(0.1)
    later = FakeTelegram(files=api.files)
    engine = StandIn()
    async with telegram(engine, api=later, inbox=Inbox(path, TOKEN)):
        later.message("and the first?")
        assert await later.answers(1) == ["A red square."]
        later.message(COLOUR)
        later.message(f"@glimpse_bot {COLOUR}", chat=GROUP)
        later.message(COLOUR, user=9)
        said = await later.answers(4)
        assert sorted(said[1:]) == sorted(["Red.", "Green.", ENGLISH.no_picture])
    assert b"photo-" not in b"".join(each.read_bytes() for each in tmp_path.iterdir())


async def test_an_edit_over_the_limit_leaves_the_good_answer() -> None:
    limits = LimitSettings(default=RateLimit(1, 50))
    async with telegram(limits=limits) as api:
        asked = api.photo(b"red", COLOUR)
        await api.answers(1)
        same = {"photo": asked["photo"], "message_id": asked["message_id"], "edit": True}
        api.message("Is it red?", **same)
        assert (await api.answers(2))[1].startswith("That was a lot at once.")
        assert not api.of("editMessageText")


async def test_edits_of_album_captions_photos_and_questions() -> None:
    async with telegram() as api:
        first = api.album([b"red", b"blue"], COLOUR)
        assert await api.answers(1) == ["1. Red.\n2. Blue."]
        more = {key: first[key] for key in ("photo", "media_group_id", "message_id")}
        api.message("/caption", edit=True, **more)
        assert (await api.answers(2))[1] == "1. A red square.\n2. A blue square."
        asked = api.message("What colour is picture 1?")
        assert (await api.answers(3))[2] == "Red."
        replaced = api.photo(b"green", COLOUR)
        await api.answers(4)
        # The question is still about the pictures that it was about.
        api.message("Is it red?", message_id=asked["message_id"], edit=True)
        assert (await api.answers(5))[4] == "Red."
        api.photo(b"black", COLOUR, message_id=replaced["message_id"], edit=True)
        assert (await api.answers(6))[5] == "Black."
        assert len(api.of("editMessageText")) == 3


# --- which picture --------------------------------------------------------------------------------


def forwarded() -> Json:
    return {"forward_origin": {"type": "hidden_user", "date": 1, "sender_user_name": "Bob"}}


async def test_a_comment_belongs_to_the_photo_that_is_forwarded_with_it() -> None:
    async with telegram() as api:
        api.message(COLOUR)
        api.photo(b"red", "Look, my holiday", **forwarded())
        assert await api.answers(1) == ["Red."]
        api.message("What colour is each?")
        api.album([b"blue", b"green"], **forwarded())
        assert (await api.answers(2))[1] == "1. Blue.\n2. Green."
        api.message("What colour is picture 1?")
        api.message("thanks")
        assert (await api.answers(4))[2:] == ["Blue.", ENGLISH.thanks]
        assert len(await api.settle()) == 4


async def test_a_reply_to_a_photo_elsewhere_and_to_a_story() -> None:
    channel = {"id": -1002, "type": "channel", "title": "News"}
    async with telegram() as api:
        for number, chat in enumerate((None, GROUP)):
            api.photo(b"blue", f"@glimpse_bot {COLOUR}", chat=chat)
            await api.answers(3 * number + 1)
            shown = api.photo(b"red", chat=-1002, user=99)["photo"]
            origin = {"type": "channel", "date": 1, "chat": channel, "message_id": 5}
            api.message(f"@glimpse_bot {COLOUR}", chat=chat,
                        external_reply={"origin": origin, "photo": shown})  # fmt: skip
            assert (await api.answers(3 * number + 2))[-1] == "Red."
            api.message(
                f"@glimpse_bot {COLOUR}", chat=chat, reply_to_story={"chat": channel, "id": 1}
            )
            assert (await api.answers(3 * number + 3))[-1] == ENGLISH.no_picture_file


async def test_paid_media_stories_and_unknown_messages_are_not_met_with_silence() -> None:
    channel = {"id": -1002, "type": "channel", "title": "News"}
    async with telegram() as api:
        api.message(story={"chat": channel, "id": 1})
        assert await api.answers(1) == [ENGLISH.no_picture_file]
        sizes = api.photo(b"red", chat=-1002, user=99)["photo"]
        for user, media, said in (
            (8, {"type": "photo", "photo": sizes}, RED),
            (9, {"type": "preview"}, ENGLISH.no_picture_file),
        ):
            before = len(api.said)
            api.message(paid_media={"star_count": 1, "paid_media": [media]}, user=user)
            assert (await api.answers(before + 1))[-1] == said
        api.message(user=10, hologram={"file_id": "x"})
        assert (await api.answers(4))[-1] == ENGLISH.no_picture_file


async def test_a_reply_to_words_about_a_picture_is_about_that() -> None:
    async with telegram() as api:
        theirs = api.photo(b"red", chat=GROUP, user=8)
        api.photo(b"blue", f"@glimpse_bot {COLOUR}", chat=GROUP)
        await api.answers(1)
        remark = api.message("Nice one", chat=GROUP, user=9, reply_to_message=theirs)
        plain = {key: each for key, each in remark.items() if key != "reply_to_message"}
        api.message(f"@glimpse_bot {COLOUR}", chat=GROUP, reply_to_message=plain)
        assert (await api.answers(2))[1] == "Red."


async def test_after_a_restart_a_reply_to_an_answer_is_about_its_picture(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    async with telegram(inbox=Inbox(path, TOKEN)) as api:
        api.photo(b"red", COLOUR)
        await api.answers(1)
        asked = api.message("Is it red?")
        await api.answers(2)
        answer = {**api.said_to(asked), "reply_to_message": None}  # as Telegram shows it
        await api.settle(0.1)
    later = FakeTelegram(files=api.files)
    async with telegram(api=later, inbox=Inbox(path, TOKEN)):
        later.message(COLOUR, message_id=2001, reply_to_message=answer)
        assert await later.answers(1) == ["Red."]
        press = {**answer, "reply_to_message": asked}
        later.press("/retry", press)
        assert (await later.answers(2))[1] == "Red."


async def test_who_forgets_takes_their_photo_along() -> None:
    async with telegram() as api:
        theirs = api.photo(b"red", chat=GROUP, user=8)
        api.message(f"@glimpse_bot {COLOUR}", chat=GROUP, reply_to_message=theirs)
        await api.answers(1)
        api.message("/forget@glimpse_bot", chat=GROUP, user=8)
        await api.answers(2)
        for number, user in enumerate((7, 8), 3):
            api.message(f"@glimpse_bot {COLOUR}", chat=GROUP, user=user)
            assert (await api.answers(number))[-1] == ENGLISH.no_picture_in_group


# --- several pictures -----------------------------------------------------------------------------


def sees(shown: Any, question: str | None) -> Said:
    colour = {(255, 0, 0): "red", (0, 0, 255): "blue", (0, 128, 0): "green"}[
        shown.image.getpixel((0, 0))
    ]
    if question and question.startswith(("Is ", "Are ")):
        return Said("yes" if colour in question else "no")
    return Said(colour if question else f"a {colour} square")


async def test_after_an_album_pictures_are_asked_for_by_place_and_by_what_they_show() -> None:
    async with telegram(StandIn(answer=sees)) as api:
        api.album([b"red", b"blue", b"red"], "What colour is this?")
        await api.answers(1)
        for words, said in (
            ("and the second?", "Blue."),
            ("the last one", "Red."),
            ("und das zweite?", "Blue."),
            ("Which one is blue?", "Picture 2, I think."),
            ("Which of them has a red thing?", "Pictures 1 and 3, I think."),
            ("In which picture is there a green dog?", "None of them, as far as I can see."),
            ("Welches Bild ist rot?", "Die Bilder 1 und 3, glaube ich."),
        ):
            before = len(api.said)
            api.message(words)
            assert (await api.answers(before + 1))[-1] == said, words


async def test_photos_of_an_album_with_questions_of_their_own_are_answered_one_by_one() -> None:
    async with telegram() as api:
        both = {"media_group_id": "a"}
        api.photo(b"red", COLOUR, **both)
        second = api.photo(b"blue", "/caption", **both)
        said = await api.answers(2)
        assert said == ["Red.", "A blue square."]
        replied = [call["reply_parameters"]["message_id"] for _, call in api.of("sendMessage")]
        assert replied[1] == second["message_id"]
        api.message(
            COLOUR, message_id=second["message_id"], photo=second["photo"], edit=True, **both
        )
        await api.until(lambda: api.of("editMessageText"))
        assert api.said[2:] == ["Blue."]


async def test_albums_leave_others_their_turn() -> None:
    engine = StandIn(held=True)
    async with telegram(engine) as api:
        for user in (11, 12, 13):
            api.album([b"red"] * 10, user=user)
        await api.until(lambda: len(engine.queue) == 3 * ALBUM_SHARE)
        api.photo(b"blue", COLOUR, user=14)
        await api.until(lambda: ("blue", COLOUR) in engine.asked)
        assert engine.asked.index(("blue", COLOUR)) == 3 * ALBUM_SHARE
        engine.held = False
        engine.release()
        await api.answers(4)


# --- too much, and not allowed --------------------------------------------------------------------


async def test_small_talk_again_and_again_is_not_answered_each_time() -> None:
    async with telegram() as api:
        for _ in range(40):
            api.message("hi")
        await api.answers(2)
        await api.settle(0.2)
        api.message("/privacy")
        await api.until(lambda: api.said and "/forget" in api.said[-1])
        assert len(await api.settle(0.1)) <= 5


async def test_over_the_limit_nothing_is_fetched_and_the_picture_waits() -> None:
    limits = LimitSettings(default=RateLimit(1, 50))
    async with telegram(limits=limits) as api:
        api.photo(b"red", COLOUR)
        await api.answers(1)
        fetched = len(api.of("getFile"))
        api.photo(b"blue", COLOUR)
        assert (await api.answers(2))[1].startswith("That was a lot at once.")
        assert len(api.of("getFile")) == fetched
        api.message("/forget")  # still works
        assert (await api.answers(3))[2] == ENGLISH.forgotten


async def test_who_is_refused_is_told_the_id_that_an_operator_needs() -> None:
    async with telegram(access=Access(frozenset({"telegram:1"}))) as api:
        api.message("hello")
        (said,) = await api.answers(1)
        assert said == f"{ENGLISH.not_allowed} {ENGLISH.your_id.format(id='telegram:7')}"
        api.message("/start@glimpse_bot", chat=GROUP, language="de")
        told = GERMAN.your_id.format(id=f"telegram:7 / telegram:{GROUP}")
        assert (await api.answers(2))[1] == f"{GERMAN.not_allowed} {told}"
        api.message("/privacy")
        assert "/forget" in (await api.answers(3))[2]


@pytest.mark.parametrize("hidden", [True, False])
async def test_an_anonymous_admins_settings_are_those_of_the_group(hidden: bool) -> None:
    group = {"id": GROUP, "type": "supergroup", "title": "Group"}
    async with telegram() as api:
        member = {"user": {"id": 7, "is_bot": False, "first_name": "Ann"}, "status": "creator",
                  "is_anonymous": hidden}  # fmt: skip
        result = api._result
        api._result = lambda name, sent: (  # type: ignore[method-assign]
            member if name == "getChatMember" else result(name, sent)
        )
        as_group: Json = {"chat": GROUP, "user": 1087968824, "sender_chat": group}
        asked = api.message("/settings@glimpse_bot", **as_group)
        await api.answers(1)
        press = {**api.said_to(asked), "chat": group, "from": ME}
        api.press("/settings de", press)
        await api.answers(2)
        api.message("/caption@glimpse_bot", **as_group)
        texts = GERMAN if hidden else ENGLISH
        assert (await api.answers(3))[2] == texts.no_picture_in_group
