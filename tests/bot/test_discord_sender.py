"""What goes wrong on Discord, and people who want too much: everybody else notices nothing."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from discord_world import BLUE_CAPTION, World, discord_world, new_bot, photo, slow
from engine_stand_in import Said, StandIn

from bot.assistant.limits import (
    Limits,
    LimitSettings,
    RateLimit,
)
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.types import Reply
from bot.discord.sender import Outgoing

COLOUR = "What colour is it?"


# --- too much --------------------------------------------------------------------------------


def flood(world: World, count: int, text: str, *colours: str) -> None:
    """Messages of one person, faster than any can be answered."""
    backend, channel = world.env.backend, world.channel.id
    for _ in range(count):
        sent = backend.store_attachments(channel, [photo(each) for each in colours])
        backend.create_message(channel, world.ann.id, text, attachments=sent)


async def test_a_flood_of_pictures_by_one_person_leaves_others_their_answers() -> None:
    limits = Limits(LimitSettings(default=RateLimit(5, 50)))
    engine = StandIn()
    async with discord_world(client=new_bot(engine, limits=limits)) as world:
        flood(world, 40, world.me, "blue")
        backend, channel = world.env.backend, world.channel.id
        sent = backend.store_attachments(channel, [photo("red")])
        backend.create_message(channel, world.ben.id, f"{world.me} {COLOUR}", attachments=sent)
        await world.env.settle()
        assert world.said.count(BLUE_CAPTION) == 5
        assert world.said.count("Red.") == 1
        assert world.said.count(ENGLISH.too_many_waiting) == 2
        assert len(world.said) <= 5 + 1 + 2 + 2  # and two that told to wait
        assert world.said.index("Red.") < 5


async def test_the_same_small_talk_and_refusals_are_said_twice_and_then_not() -> None:
    async with discord_world() as world:
        for text in ("hello", COLOUR):
            flood(world, 6, f"{world.me} {text}")
            await world.env.settle()
        assert world.said == [ENGLISH.hello] * 2 + [ENGLISH.no_picture] * 2
        await world.ben.send(world.channel, f"{world.me} hello")
        assert world.said[4:] == [ENGLISH.hello]
        await world.ann.send(world.channel, world.me, attachments=[photo("blue")])
        await world.ann.send(world.channel, f"{world.me} hello")
        assert world.said[5:] == [BLUE_CAPTION, ENGLISH.hello_again]


async def test_commands_refused_again_and_again_disturb_nobody_else() -> None:
    async with discord_world() as world:
        for _ in range(5):
            done = await world.ann.slash(world.channel, "ask", question=COLOUR)
            assert [each.content for each in done.followups] == [ENGLISH.no_picture]
            assert done.followups[0].ephemeral
        assert world.said == []
        for _ in range(4):
            await world.ann.slash(world.channel, "ask", question="hello")
        for _ in range(4):
            done = await world.ann.slash(world.channel, "privacy")
            assert done.response.content.startswith("I keep")


# --- a long wait -----------------------------------------------------------------------------


QUEUED = ENGLISH.queued.format(number=20)


async def test_a_command_and_a_button_are_told_of_the_queue_too() -> None:
    async with discord_world(engine := StandIn(ahead=20)) as world:
        async with slow(engine):
            done = await world.ann.slash(world.channel, "caption", image=photo("blue"))
        assert done.response.content == "A blue square."
        async with slow(engine):
            done = await world.press(world.answers()[0], "retry")
        assert [each.content for each in done.followups] == ["A blue square."]
        assert world.said == ["A blue square."] * 2
        sent = world.requests("POST", "/webhooks/*")
        assert [each.json["content"] for each in sent] == [QUEUED] * 2


# --- Discord's troubles ----------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_answer_that_discord_does_not_take_is_lost_alone_or_said_in_place(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with discord_world() as world:
        for method, path in (("POST", "/channels/*/messages"), ("POST", "/webhooks/*")):
            world.env.inject_error(method, path, status=status)
        await world.ann.send(world.channel, f"{world.me} hello")
        await world.ann.slash(world.channel, "caption", image=photo("blue"))
        # To a command it is said in place of "thinking…", which does no harm if it was taken.
        assert world.said == ["A blue square."]
        await world.ann.send(world.channel, f"{world.me} {COLOUR}")
        assert world.said[-1] == "Blue."
    lost = [each for each in caplog.records if "Could not send" in each.getMessage()]
    assert [each.levelno for each in lost] == [logging.ERROR]


async def test_a_command_that_discord_no_longer_knows_costs_no_look() -> None:
    engine = StandIn()
    async with discord_world(engine) as world:
        world.env.inject_error("POST", "/interactions/*/callback", status=404, code=10062)
        await world.ann.slash(world.channel, "caption", image=photo("blue"))
        assert engine.asked == []


async def test_messages_deleted_before_and_after_the_answer() -> None:
    async with discord_world(engine := StandIn()) as world:
        backend, channel = world.env.backend, world.channel.id
        sent = backend.store_attachments(channel, [photo("blue")])
        asked = backend.create_message(channel, world.ann.id, world.me, attachments=sent)
        async with slow(engine, lambda: backend.delete_message(channel, asked.id)):
            await world.env.settle()
        assert world.said == [BLUE_CAPTION]
        asked = await world.ann.send(world.channel, f"{world.me} {COLOUR}")
        backend.delete_message(channel, world.answers()[-1].id)
        await world.ann.edit(asked, f"{world.me} is it blue?")
        assert world.said == [BLUE_CAPTION, "Blue."]


async def test_where_it_was_thrown_out_it_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    async with discord_world() as world:
        await world.ann.send(world.channel, f"{world.me} {COLOUR}", attachments=[photo("blue")])
        (answer,) = world.answers()
        for path in ("/channels/*/messages", "/channels/*/typing", "/webhooks/*"):
            world.env.inject_error("POST", path, status=403, code=50001, times=None)
        world.env.inject_error("GET", "/channels/*", status=403, code=50001, times=None)
        await world.ann.send(world.channel, f"{world.me} {COLOUR}")
        await world.press(answer, "retry")
        assert world.said == ["Blue."]
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


# --- words and files -------------------------------------------------------------------------


async def test_an_answer_that_grows_shorter_leaves_no_parts_behind() -> None:
    def see(picture: Any, question: str | None) -> Said:
        return Said("cat" if question else "very " * 900)

    async with discord_world(StandIn(see)) as world:
        asked = await world.ann.send(world.channel, world.me, attachments=[photo("blue")])
        assert len(world.said) == 3
        await world.ann.edit(asked, f"{world.me} {COLOUR}")
        assert world.said == ["Cat."]
        assert world.answers()[0].components


def test_no_part_of_an_answer_is_longer_than_a_message() -> None:
    blocks = tuple(f"```\n{letter * 900}\n```" for letter in "abc")
    for text in ("", "*" * 3000, "word " * 900):
        for spoiler in (False, True):
            parts = Outgoing(Reply(text), spoiler=spoiler, blocks=blocks).parts()
            assert max(map(len, parts)) <= 2000
            assert all(part.count("```") % 2 == 0 for part in parts)
            assert all(part.count("||") % 2 == 0 for part in parts)
