"""The Discord bot in a Discord that is in memory: real discord.py, driven as people would."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
import pytest
import simcord
from discord_world import ASK_ABOUT, BLUE_CAPTION, DESCRIBE, MENUS, discord_world, new_bot, photo
from engine_stand_in import Said, StandIn

from bot.assistant.locale.texts import ENGLISH
from bot.discord.handlers import REWRITABLE as RECENT


def told(done: Any) -> list[str]:
    """What was said to the person alone."""
    said = [each for each in (done.response, *done.followups) if each and each.ephemeral]
    return [each.content for each in said]


# --- commands --------------------------------------------------------------------------------


async def test_commands_with_a_picture() -> None:
    async with discord_world() as world:
        await world.ann.slash(world.channel, "caption", image=photo("blue"))
        steps = [each for each in world.env.http_requests if each.method == "POST"]
        assert steps[0].path.endswith("/callback")
        assert steps[0].json["type"] == 5  # it will answer
        assert world.said == ["A blue square."]
        await world.ann.slash(
            world.channel, "ask", image=photo("red"), question="What colour is it?"
        )
        assert world.said[1] == "Red."
        assert world.answers()[1].components
        await world.ann.slash(world.channel, "ask", question="What colour is it really?")
        assert world.said[2] == "Red."
        done = await world.ann.slash(world.channel, "caption", image=("a.pdf", b"%PDF"))
        assert told(done) == [ENGLISH.no_picture_file]


async def test_help_privacy_and_forgetting_are_between_the_person_and_the_bot() -> None:
    async with discord_world() as world:
        await world.ann.slash(world.channel, "caption", image=photo("blue"))
        for name, start in (("help", "Send"), ("privacy", "I keep"), ("forget", "Done")):
            done = await world.ann.slash(world.channel, name)
            assert done.ephemeral
            assert done.response.content.startswith(start) or name == "help"
        done = await world.ann.slash(world.channel, "ask", question="What colour is it?")
        assert told(done) == [ENGLISH.no_picture]


async def test_commands_work_in_private_too() -> None:
    async with discord_world() as world:
        await world.ann.user.slash("ask", image=photo("green"), question="What colour is it?")
        assert [each.content for each in world.answers(world.dms)] == ["Green."]


@pytest.mark.parity("the menu of any message", "Discord")
async def test_the_menu_of_a_message() -> None:
    async with discord_world() as world:
        message = await world.ben.send(world.channel, "Look", attachments=[photo("green")])
        assert world.said == []
        await world.ann.context_menu(world.channel, DESCRIBE, message)
        assert world.said == ["A green square."]
        shown = await world.ann.context_menu(world.channel, ASK_ABOUT, message)
        assert shown.modal["title"] == ASK_ABOUT
        await world.ann.submit_modal(shown, {"question": "What colour is it?"})
        assert world.said[1] == "Green."
        plain = await world.ben.send(world.channel, "Nothing to see")
        for menu in (DESCRIBE, ASK_ABOUT):
            done = await world.ann.context_menu(world.channel, menu, plain)
            assert told(done) == [ENGLISH.no_picture_file]


async def test_commands_are_told_to_discord_on_request_only() -> None:
    async with discord_world(sync=False) as world:
        assert world.ann.available_commands(world.channel) == ()
        commands = await world.client.tree.sync()
        assert sorted(each.name for each in commands) == sorted(
            ["caption", "ask", "retry", "help", "forget", "privacy", "settings", *MENUS]
        )
        (told,) = [each.json for each in world.env.http_requests if each.method == "PUT"]
        for command in told:
            assert command["contexts"] == [0, 1, 2]
            assert command["integration_types"] == [0, 1]


# --- messages --------------------------------------------------------------------------------


@pytest.mark.parity("a sign that an answer is on its way", "Discord")
async def test_in_a_channel_it_is_silent_unless_it_is_meant() -> None:
    async with discord_world() as world:
        await world.ann.send(world.channel, "What is this?", attachments=[photo("blue")])
        await world.ann.send(world.channel, f"@everyone {world.ben.mention}")
        hook = world.channel.guild.create_webhook(world.channel)
        await hook.send(f"{world.me} what colour is this?")
        assert world.said == []
        asked = await world.ann.send(
            world.channel, f"{world.me} what colour is this?", attachments=[photo("red")]
        )
        assert world.said == ["Red."]
        (answer,) = world.answers()
        assert answer.reference is not None
        assert answer.reference.message_id == asked.id
        assert answer.flags.suppress_embeds
        said = next(each.json for each in world.env.http_requests if "content" in (each.json or {}))
        assert said["message_reference"]["fail_if_not_exists"] is False  # it may be deleted by now
        assert any(each.path.endswith("/typing") for each in world.env.http_requests)


async def test_in_private_everything_is_meant_for_it() -> None:
    async with discord_world() as world:
        await world.dm("", "blue")
        await world.dm("What colour is it?")
        await world.dm("What colour is each?", "red", "green")
        assert [each.content for each in world.answers(world.dms)] == [
            BLUE_CAPTION,
            "Blue.",
            "1. Red.\n2. Green.",
        ]


async def test_what_discord_hides_from_it_is_not_guessed() -> None:
    async with discord_world(approved_intents=discord.Intents.default()) as world:
        theirs = await world.ben.send(world.channel, "Mine", attachments=[photo("green")])
        await world.ann.send(world.channel, world.me, attachments=[photo("red")])
        await world.ann.send(world.channel, f"{world.me} what colour is it?", reply_to=theirs)
        assert world.said[1:] == [ENGLISH.cannot_read]


async def test_pictures_of_links_come_from_discord_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async with discord_world() as world:
        safe = "https://images-ext-1.discordapp.net/external/x/blue.png"
        world.env.backend.cdn._blobs |= {safe: b"blue", "https://evil.example/a.png": b"red"}
        for proxy in (safe, "https://evil.example/a.png", "https://evildiscordapp.net/a.png"):
            image = {"url": "https://elsewhere.example/a.png", "proxy_url": proxy}
            world.env.backend.create_message(
                world.channel.id, world.ben.id, "https://elsewhere.example",
                embeds=[{"type": "image", "thumbnail": image}],
            )  # fmt: skip
            await world.env.settle()
            shown = [each for each in world.channel.history() if each.author.id == world.ben.id]
            done = await world.ann.context_menu(world.channel, DESCRIBE, shown[-1])
            assert told(done) == ([] if proxy == safe else [ENGLISH.no_picture_file])
        assert world.said == ["A blue square."]


async def test_a_link_is_answered_once_discord_shows_its_picture() -> None:
    async with discord_world() as world:
        proxy = "https://images-ext-1.discordapp.net/external/x/blue.png"
        world.env.backend.cdn._blobs[proxy] = b"blue"
        link = await world.dm("https://elsewhere.example/a.png")
        assert [each.content for each in world.answers(world.dms)] == [ENGLISH.link]
        image = {"url": link.content, "proxy_url": proxy}
        embeds = {"embeds": [{"type": "image", "thumbnail": image}]}
        world.env.backend.edit_message(world.dms.id, link.id, embeds)
        await world.env.settle()
        assert [each.content for each in world.answers(world.dms)] == [BLUE_CAPTION]


@pytest.mark.parity("stickers", "Discord")
async def test_stickers_and_forwarded_messages_are_pictures() -> None:
    async with discord_world() as world:
        sticker = world.channel.guild.create_sticker("cat")
        address = f"{discord.Asset.BASE}/stickers/{sticker.id}.png"
        world.env.backend.cdn._blobs[address] = b"white"
        item = simcord.backend.models.MessageSticker(
            sticker.id, "cat", 1, world.channel.guild.id, address
        )
        world.env.backend.create_message(world.channel.id, world.ann.id, world.me, stickers=[item])
        await world.env.settle()
        assert world.said == ["A white square.\n\nAsk me anything about it."]
        theirs = await world.ben.send(world.channel, "Mine", attachments=[photo("green")])
        await world.ann.forward(theirs, world.dms)
        assert world.answers(world.dms)[0].content.startswith("A green square.")


async def test_one_person_is_served_in_order_though_a_file_is_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with discord_world() as world:
        real = world.client.http.get_from_cdn

        async def slow(url: str) -> bytes:
            for _ in range(200):  # without a clock, which is not the real one here
                await asyncio.sleep(0)
            return await real(url)

        monkeypatch.setattr(world.client.http, "get_from_cdn", slow)
        backend, channel = world.env.backend, world.channel.id
        sent = backend.store_attachments(channel, [photo("blue")])
        backend.create_message(channel, world.ann.id, world.me, attachments=sent)
        backend.create_message(channel, world.ann.id, f"{world.me} what colour is it?")
        backend.create_message(channel, world.ben.id, f"{world.me} hello")
        await world.env.settle()
        assert world.said[1:] == [BLUE_CAPTION, "Blue."]
        assert world.said[0] == ENGLISH.hello


# --- fetching --------------------------------------------------------------------------------


# --- answers ---------------------------------------------------------------------------------


async def test_nobody_is_called_and_markdown_means_nothing() -> None:
    engine = StandIn(lambda picture, question: Said("@everyone <@1> *bold* ||x|| `y` [a](b)"))
    async with discord_world(engine) as world:
        await world.ann.send(world.channel, f"{world.me} who?", attachments=[photo("red")])
        await world.ann.slash(world.channel, "caption", image=photo("red"))
        for answer in world.answers():
            assert r"\*bold\* \|\|x\|\| \`y\`" in answer.content
            stored = world.env.backend.get_message(world.channel.id, answer.id)
            assert [*stored.ping_user_ids, *stored.ping_role_ids] == []
            assert not stored.mention_everyone


async def test_long_answers_come_in_parts() -> None:
    engine = StandIn(lambda picture, question: Said("*_word_* " * 400))
    async with discord_world(engine) as world:
        hidden = ("SPOILER_red.png", b"red")
        await world.ann.send(world.channel, f"{world.me} what colour?", attachments=[hidden])
        assert len(world.said) > 2
        assert all(len(text) <= 2000 for text in world.said)
        assert all(text.startswith("||") and text.endswith("||") for text in world.said)
        assert [bool(each.components) for each in world.answers()][-2:] == [False, True]


async def test_what_a_hidden_picture_shows_stays_hidden() -> None:
    async with discord_world() as world:
        hidden = ("SPOILER_red.png", b"red")
        await world.ann.slash(world.channel, "caption", image=hidden)
        await world.ann.send(world.channel, f"{world.me} what colour is it?")
        await world.ann.click(world.answers()[-1], label=ENGLISH.caption_button)
        await world.ann.send(world.channel, f"{world.me} hello")
        assert world.said == [
            "||A red square.||",
            "||Red.||",
            "||A red square.||",
            ENGLISH.hello_again,
        ]


async def test_a_message_edited_to_call_the_bot_is_answered_once() -> None:
    async with discord_world() as world:
        sent = await world.ben.send(world.channel, "Hello")
        await world.ben.edit(sent, "Hello there")
        assert world.said == []
        await world.ben.edit(sent, f"{world.me} hello")
        assert world.said == [ENGLISH.hello]
        await world.ben.edit(sent, f"{world.me}  hello")
        await world.ben.edit(sent, "Hello")
        await world.ben.edit(sent, f"{world.me} thanks")
        assert world.said == [ENGLISH.thanks]


async def test_a_message_that_is_not_known_is_answered_once_it_calls_the_bot() -> None:
    async with discord_world() as world:
        old = await world.ben.send(world.channel, "Hello")
        await world.env.advance_time(RECENT.total_seconds())
        new = await world.ann.send(world.channel, "Hello")
        preview = await world.ann.send(world.channel, f"{world.me} hello")
        assert world.said == [ENGLISH.hello]
        await world.restart()
        world.env.backend.set_pinned(world.channel.id, preview.id, True, actor_id=world.ben.id)
        await world.ben.edit(old, f"{world.me} thanks")
        assert world.said == [ENGLISH.hello]
        await world.ann.edit(new, f"{world.me} thanks")
        assert world.said == [ENGLISH.hello, ENGLISH.thanks]
        await world.ann.edit(new, f"{world.me} hello")
        assert world.said == [ENGLISH.hello] * 2  # the same answer, changed


async def test_a_button_whose_picture_is_gone_says_so_to_whoever_pressed_it() -> None:
    async with discord_world() as world:
        asked = await world.ann.send(
            world.channel, f"{world.me} what colour is it?", attachments=[photo("blue")]
        )
        await world.ann.slash(
            world.channel, "ask", image=photo("green"), question="What colour is it?"
        )
        await world.ann.delete(asked)
        first, second = world.answers()
        done = await world.ann.click(first, label=ENGLISH.caption_button)
        assert [each.content for each in done.followups] == [ENGLISH.button_too_old]
        assert done.followups[0].ephemeral
        await world.env.restart_bot(new_bot())
        done = await world.ann.click(second, label=ENGLISH.caption_button)
        assert [each.content for each in done.followups] == [ENGLISH.button_too_old]


async def test_a_message_that_the_gateway_brings_twice_is_answered_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with discord_world() as world:
        emit = world.env.backend.emit

        def twice(event: str, *rest: Any, **more: Any) -> None:
            for _ in range(1 + (event == "MESSAGE_CREATE")):
                emit(event, *rest, **more)

        monkeypatch.setattr(world.env.backend, "emit", twice)
        await world.ann.send(world.channel, f"{world.me} hello")
        await world.env.settle()
        assert world.said == [ENGLISH.hello]
