"""Commands and buttons on Discord, and the languages that they tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import discord
import pytest
from discord_world import ALT, ASK_ABOUT, DESCRIBE, MENUS, discord_world, new_bot, photo
from engine_stand_in import Said, StandIn
from log_helpers import opened, rows

from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.privacy import Recorder
from bot.log.privacy import PictureCipher, new_key

COLOUR = "What colour is it?"


def row(message: discord.Message) -> list[discord.Button]:
    (found,) = message.components
    assert isinstance(found, discord.ActionRow)
    return [each for each in found.children if isinstance(each, discord.Button)]


async def test_an_answer_offers_a_caption_a_verdict_and_another_answer() -> None:
    async with discord_world() as world:
        await world.ann.send(world.channel, f"{world.me} {COLOUR}", attachments=[photo("red")])
        buttons = row(world.answers()[0])
        assert [each.label for each in buttons] == ["Caption it", None, None, "Try again"]
        assert [str(each.emoji or "") for each in buttons] == ["", "👍", "👎", ""]
        await world.ann.send(world.channel, f"{world.me} hello")
        assert world.answers()[1].components == []


async def test_after_a_restart_the_question_is_found_in_the_message_that_asked_it() -> None:
    engine = StandIn()
    async with discord_world() as world:
        await world.ann.send(world.channel, f"{world.me} {COLOUR}", attachments=[photo("blue")])
        first = world.answers()[0]
        await world.press(first, "retry")
        await world.ann.send(world.channel, world.me, attachments=[photo("red")])
        await world.ann.slash(world.channel, "ask", image=photo("green"), question=COLOUR)
        await world.env.restart_bot(new_bot(engine))
        world.client = world.env.bot
        first, again, caption, command = world.answers()
        await world.press(first, "retry")
        assert engine.asked[-1] == ("blue", COLOUR)
        await world.press(caption, "retry")
        assert engine.asked[-1] == ("red", None)
        assert engine.ranks == [1, 1]
        for gone in (again, command):
            done = await world.press(gone, "retry")
            gone_too = gone is command
            assert [each.content for each in done.followups if each.ephemeral] == [
                ENGLISH.button_too_old
            ] * gone_too


async def test_what_a_person_asked_is_forgotten_on_request() -> None:
    engine = StandIn()
    async with discord_world(engine) as world:
        await world.ann.slash(world.channel, "ask", image=photo("green"), question=COLOUR)
        await world.ann.send(world.channel, f"{world.me} {COLOUR}", attachments=[photo("blue")])
        await world.ben.send(world.channel, f"{world.me} {COLOUR}", attachments=[photo("red")])
        await world.ann.slash(world.channel, "forget")
        conversations = world.client.handlers._assistant._conversations
        index = conversations._answers.values()
        assert {each.conversation.user for each in index} == {str(world.ben.id)}
        assert {each.user for each in conversations._albums} == {str(world.ben.id)}
        command, message, _ = world.answers()
        done = await world.press(command, "retry")
        assert [each.content for each in done.followups] == [ENGLISH.button_too_old]
        await world.press(message, "retry")  # Discord still has what they wrote
        assert engine.asked[-1] == ("blue", COLOUR)


async def test_settings_change_in_the_message_that_shows_them() -> None:
    async with discord_world() as world:
        done = await world.ann.slash(world.channel, "settings")
        assert done.ephemeral
        shown = done.response.message
        assert [each.label for each in row(shown)] == ["English", "Deutsch"]
        await world.press(shown, "settings de")
        assert done.response.content == GERMAN.settings_chosen
        assert done.response.components == []
        done = await world.ann.slash(world.channel, "help")
        assert done.response.content.startswith("Schick mir")
        await world.ann.send(world.channel, f"{world.me} hello")
        assert world.said[-1] == GERMAN.hello


async def test_settings_that_everybody_sees_stay_as_they_are() -> None:
    async with discord_world() as world:
        await world.ann.send(world.channel, f"{world.me} /settings")
        (shown,) = world.answers()
        done = await world.press(shown, "settings de", world.ben)
        assert [each.content for each in done.followups] == [GERMAN.settings_chosen]
        assert done.followups[0].ephemeral
        assert world.answers()[0].content == shown.content


async def test_the_command_to_try_again() -> None:
    engine = StandIn()
    async with discord_world(engine) as world:
        done = await world.ann.slash(world.channel, "retry")
        assert [each.content for each in done.followups] == [ENGLISH.no_picture]
        await world.ann.send(world.channel, f"{world.me} {COLOUR}", attachments=[photo("blue")])
        await world.ann.slash(world.channel, "retry")
        await world.press(world.answers()[-1], "retry")
        assert engine.asked == [("blue", COLOUR)] * 3
        assert engine.ranks == [0, 1, 2]


def see(picture: Any, question: str | None) -> Said:
    said = "a `red` cat ```x" if picture.image.getpixel((0, 0)) == (255, 0, 0) else "a *dog*"
    return Said(said, confidence=0.01)


@pytest.mark.parity("alt text to copy", "Discord")
async def test_alt_text_is_ready_to_be_copied_and_for_nobody_else() -> None:
    async with discord_world(StandIn(see)) as world:
        theirs = await world.ben.send(world.channel, "", attachments=[photo("red")])
        done = await world.ann.context_menu(world.channel, ALT, theirs)
        assert done.ephemeral
        assert done.response.content == "```\nA 'red' cat \"'x.\n```"
        assert done.response.components == []
        files = [photo("red"), ("bad.png", b"bad"), ("a.txt", b""), ("SPOILER_b.png", b"blue")]
        theirs = await world.ben.send(world.channel, "", attachments=files)
        done = await world.ann.context_menu(world.channel, ALT, theirs)
        assert done.response.content == (
            "||1.\n```\nA 'red' cat \"'x.\n```||\n||4.\n```\nA *dog*.\n```||\n"
            f"||2. This file is no picture (bad).\n{ENGLISH.no_picture_file}||"
        )
        plain = await world.ben.send(world.channel, "Nothing to see")
        done = await world.ann.context_menu(world.channel, ALT, plain)
        assert (done.ephemeral, done.response.content) == (True, ENGLISH.no_picture_file)
        bad = await world.ben.send(world.channel, "", attachments=[("bad.png", b"bad")])
        done = await world.ann.context_menu(world.channel, ALT, bad)
        assert done.response.content == "This file is no picture (bad)."


async def test_alt_text_is_german_for_who_speaks_german() -> None:
    said = iter(["a dog swims", "a florb"])
    engine = StandIn(lambda picture, question: Said(next(said), confidence=0.01))
    async with discord_world(engine) as world:
        theirs = await world.ben.send(world.channel, "", attachments=[photo("red"), photo("blue")])
        world.locale = "de"
        done = await world.ann.context_menu(world.channel, ALT, theirs)
        assert done.response.content == "1.\n```\nEin Hund schwimmt.\n```\n2.\n```\nA florb.\n```"


async def test_whoever_shares_does_not_decide_on_pictures_of_others(tmp_path: Path) -> None:
    with opened(tmp_path / "log.db", cipher=PictureCipher(new_key())) as log:
        client = new_bot(recorder=Recorder(log))
        async with discord_world(client=client) as world:
            await world.ann.user.slash("settings")
            log.set_sharing("discord", str(world.ann.id), shares=True).result(10)
            message = await world.ben.send(world.channel, "Look", attachments=[photo("green")])
            await world.ann.context_menu(world.channel, DESCRIBE, message)
            log.consent("x", "y").result(10)
            assert rows(log.path, "SELECT count(*) FROM shared") == [(0,)]
            await world.ann.user.slash("caption", image=photo("blue"))
            log.consent("x", "y").result(10)
            assert rows(log.path, "SELECT count(*) FROM shared") == [(1,)]


async def test_commands_and_buttons_tell_the_language_also_for_later_messages() -> None:
    async with discord_world() as world:
        await world.ann.send(world.channel, f"{world.me} hello")
        world.locale = "de"
        done = await world.ann.slash(world.channel, "caption", image=("a.pdf", b"%PDF"))
        assert [each.content for each in done.followups] == [GERMAN.no_picture_file]
        await world.ann.send(world.channel, f"{world.me} hello")
        await world.dm("hello")
        await world.ben.send(world.channel, f"{world.me} hello")
        assert world.said == [ENGLISH.hello, GERMAN.hello, ENGLISH.hello]
        assert world.dm_said == [GERMAN.hello]
        theirs = await world.ben.send(
            world.channel, f"{world.me} what colour?", attachments=[photo("red")]
        )
        shown = await world.ann.context_menu(world.channel, ASK_ABOUT, theirs)
        assert shown.modal["title"] == GERMAN.command_ask_menu
        assert shown.modal["components"][0]["label"] == GERMAN.command_question
        answer = world.answers()[-1]
        await world.ben.delete(theirs)
        await world.ann.send(world.channel, world.me, attachments=[photo("blue")])
        done = await world.press(answer, "retry")
        assert [each.content for each in done.followups] == [GERMAN.button_too_old]


async def test_a_language_is_forgotten_on_request() -> None:
    async with discord_world() as world:
        world.locale = "de"
        await world.ann.slash(world.channel, "help")
        await world.ben.slash(world.channel, "help")
        done = await world.ann.slash(world.channel, "forget")
        assert done.response.content == GERMAN.forgotten
        for person in (world.ann, world.ben):
            await person.send(world.channel, f"{world.me} hello")
        assert world.said[-2:] == [ENGLISH.hello, GERMAN.hello]


async def test_of_who_never_said_a_server_that_chose_a_language_tells() -> None:
    async with discord_world(server="de") as world:
        await world.ann.send(world.channel, f"{world.me} hello")
        await world.dm("hello")
        world.locale = "en-GB"
        await world.ann.slash(world.channel, "help")
        await world.ann.send(world.channel, f"{world.me} hello")
        assert (world.said, world.dm_said) == ([GERMAN.hello, ENGLISH.hello], [ENGLISH.hello])


async def test_discord_is_told_the_commands_in_german_too() -> None:
    async with discord_world() as world:
        (told,) = [each.json for each in world.requests("PUT", "*/commands")]
        by_name = {each["name"]: each for each in told}
        for name, command in by_name.items():
            if name in MENUS:
                continue
            german = getattr(GERMAN, f"command_{name}")
            assert command["description_localizations"] == {"de": german}
            assert not command["name_localizations"]
        assert by_name["ask"]["options"][0]["description_localizations"] == {
            "de": GERMAN.command_question
        }
        assert [by_name[each]["name_localizations"] for each in MENUS] == [
            {"de": GERMAN.command_ask_menu},
            {"de": GERMAN.command_describe_menu},
            {"de": GERMAN.command_alt_menu},
        ]
