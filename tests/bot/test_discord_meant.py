"""Which picture is meant on Discord, and Discord's rarer shapes of messages, replies and errors."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import discord
import pytest
from discord_world import ALT, ASK_ABOUT, DESCRIBE, discord_world, new_bot, photo
from engine_stand_in import StandIn, picture
from PIL import Image

from bot.assistant.intents import MAX_CHARACTERS
from bot.assistant.limits import Access
from bot.assistant.locale.texts import ENGLISH
from bot.discord.sender import NO_HISTORY

COLOUR = "What colour is it?"
HIDDEN = {"approved_intents": discord.Intents.default()}  # content comes with a mention only


def sole(done: Any) -> str:
    """What only the person who chose or pressed something was told."""
    told = [each for each in [done.response, *done.followups] if each and each.ephemeral]
    (text,) = {each.content for each in told if each.content}
    return text


async def test_a_picture_shown_to_the_bot_alone_serves_its_owner_only() -> None:
    engine = StandIn()
    async with discord_world(engine, **HIDDEN) as world:
        await world.ann.slash(world.channel, "caption", image=photo("red"))
        await world.ann.send(world.channel, f"{world.me} {COLOUR}", attachments=[photo("blue")])
        command, _ = world.answers()
        done = await world.ben.slash(world.channel, "ask", question=COLOUR)
        assert sole(done) == ENGLISH.no_picture
        assert sole(await world.press(command, "retry", world.ben)) == ENGLISH.not_yours
        await world.ben.send(world.channel, f"{world.me} {COLOUR}", reply_to=command)
        assert world.said[-1] == ENGLISH.not_yours
        # Its owner may reply to it, use its menu and its buttons, although another came later.
        await world.ann.send(world.channel, f"{world.me} {COLOUR}", reply_to=command)
        assert world.said[-1] == "Red."
        await world.ann.send(world.channel, world.me, attachments=[photo("green")])
        await world.ann.context_menu(world.channel, DESCRIBE, command)
        assert world.said[-1] == "A red square."
        assert {colour for colour, _ in engine.asked} == {"red", "blue", "green"}


async def test_a_reply_that_discord_hides_says_what_works() -> None:
    async with discord_world(**HIDDEN) as world:
        await world.ann.slash(world.channel, "caption", image=photo("red"))
        (answer,) = world.answers()
        asked = await world.ann.send(world.channel, COLOUR, reply_to=answer)
        assert world.said[-1] == ENGLISH.mention_me
        await world.ann.edit(asked, f"{world.me} {COLOUR}")
        assert world.said[-1] == "Red."
        # So does the menu, of the reply and of the answer.
        for message in (asked, answer):
            shown = await world.ann.context_menu(world.channel, ASK_ABOUT, message)
            await world.ann.submit_modal(shown, {"question": COLOUR})
            assert world.said[-1] == "Red."


async def test_a_thread_is_about_the_picture_that_it_was_begun_on() -> None:
    async with discord_world() as world:
        backend = world.env.backend
        theirs = await world.ben.send(world.channel, "Mine", attachments=[photo("green")])
        backend.create_thread(world.channel.id, "Thread", world.ben.id, message_id=theirs.id)
        forum = world.channel.guild.create_forum_channel("birds")
        shown = backend.store_attachments(forum.id, [photo("red")])
        first = backend.prepare_message(forum.id, world.ben.id, "Which?", attachments=shown)
        post = backend.create_thread(
            forum.id, "Which?", world.ben.id, message_id=first.id, broadcast=False
        )
        backend.announce_thread_create(post)
        first.channel_id = post.id
        backend.commit_message(first)
        await world.env.settle()
        for parent, colour in ((world.channel, "Green."), (forum, "Red.")):
            (thread,) = parent.threads
            await world.ann.send(thread, f"{world.me} {COLOUR}")
            await world.ann.slash(thread, "ask", question=COLOUR)
            await world.ann.send(thread, f"{world.me} {COLOUR}")
            await world.press(world.answers(thread)[0], "retry")
            assert [each.content for each in world.answers(thread)] == [colour] * 4


async def test_a_thread_about_something_hidden_says_so_unless_a_picture_was_shown() -> None:
    async with discord_world(**HIDDEN) as world:
        theirs = await world.ben.send(world.channel, "Mine", attachments=[photo("green")])
        backend = world.env.backend
        backend.create_thread(world.channel.id, "Thread", world.ben.id, message_id=theirs.id)
        await world.env.settle()
        (thread,) = world.channel.threads
        await world.ann.send(thread, f"{world.me} {COLOUR}")
        await world.ann.send(thread, f"{world.me} {COLOUR}", attachments=[photo("red")])
        await world.ann.send(thread, f"{world.me} {COLOUR}")
        said = [each.content for each in world.answers(thread)]
        assert said == [ENGLISH.cannot_read, "Red.", "Red."]


async def test_a_reply_to_a_text_about_a_picture_means_that_one() -> None:
    async with discord_world() as world:
        await world.ann.send(world.channel, f"{world.me} {COLOUR}", attachments=[photo("red")])
        theirs = await world.ben.send(world.channel, "Mine", attachments=[photo("green")])
        text = await world.ben.send(world.channel, "Nice, is it not?", reply_to=theirs)
        about = await world.ben.send(world.channel, "Hm", reply_to=world.answers()[0])
        plain = await world.ben.send(world.channel, "Something else")
        for message, said in ((text, "Green."), (about, "Red."), (plain, "Red.")):
            await world.ann.send(world.channel, f"{world.me} {COLOUR}", reply_to=message)
            assert world.said[-1] == said
        await world.ann.context_menu(world.channel, DESCRIBE, text)
        assert world.said[-1] == "A green square."


async def test_a_reply_to_no_picture_is_not_about_another_one() -> None:
    async with discord_world() as world:
        await world.ann.send(world.channel, f"{world.me} {COLOUR}", attachments=[photo("red")])
        paper = await world.ben.send(world.channel, "", attachments=[("a.pdf", b"%PDF")])
        await world.ann.send(world.channel, f"{world.me} {COLOUR}", reply_to=paper)
        assert world.said == ["Red.", ENGLISH.no_picture_file]


async def test_a_reply_to_what_was_deleted_means_no_other_picture() -> None:
    async with discord_world() as world:
        await world.ann.send(world.channel, f"{world.me} {COLOUR}", attachments=[photo("red")])
        theirs = await world.ben.send(world.channel, "Mine", attachments=[photo("green")])
        backend, channel = world.env.backend, world.channel.id
        reference = backend.normalize_message_reference(
            channel, {"channel_id": str(channel), "message_id": str(theirs.id)}
        )
        backend.delete_message(channel, theirs.id)
        backend.create_message(channel, world.ann.id, f"{world.me} {COLOUR}", reference=reference)
        await world.env.settle()
        assert world.said == ["Red.", ENGLISH.button_too_old]


async def test_a_reply_to_a_hidden_forward_says_what_works() -> None:
    async with discord_world(**HIDDEN) as world:
        theirs = await world.ben.send(world.channel, "Mine", attachments=[photo("green")])
        forward = await world.ben.forward(theirs, world.channel)
        await world.ann.send(world.channel, f"{world.me} {COLOUR}", reply_to=forward)
        assert world.said == [ENGLISH.cannot_read]
        await world.ann.context_menu(world.channel, DESCRIBE, forward)
        assert world.said[-1] == "A green square."


async def test_after_a_restart_a_reply_means_the_pictures_of_the_answer() -> None:
    engine = StandIn()
    async with discord_world(engine) as world:
        await world.ann.send(world.channel, f"{world.me} {COLOUR}", attachments=[photo("blue")])
        await world.press(world.answers()[0], "retry")
        await world.ann.send(world.channel, f"{world.me} hello", reply_to=world.answers()[1])
        await world.ann.slash(world.channel, "caption", image=photo("red"))
        before = world.answers()
        await world.restart()
        for answer in before[:3]:  # an answer, one tried again, and small talk about it
            await world.ben.send(world.channel, f"{world.me} {COLOUR}", reply_to=answer)
            assert world.said[-1] == "Blue."
        await world.ann.send(world.channel, f"{world.me} {COLOUR}", reply_to=before[3])
        assert world.said[-1] == ENGLISH.button_too_old


async def test_numbers_of_pictures_count_what_lies_between_them() -> None:
    async with discord_world() as world:
        files = [photo("red"), ("a.mp4", b""), photo("green"), ("b.mp4", b""), photo("blue")]
        await world.ann.send(world.channel, f"{world.me} What colour is each?", attachments=files)
        each = f"1. Red.\n3. Green.\n5. Blue.\n\n{ENGLISH.no_picture_file}"
        assert world.said == [each]
        for question, said in (
            ("What colour is picture 3?", "Green."),
            ("What is the colour in number five?", "Blue."),
            ("What colour is picture 2?", ENGLISH.no_picture_file),
            ("what about number 10?", ENGLISH.no_such_picture.format(count=5)),
            ("and 3?", "Green."),  # what was asked last
            ("What colour is there in each?", "1. Red.\n3. Green.\n5. Blue."),
            ("How many dogs are there in all of them?", "1. Red.\n3. Green.\n5. Blue."),
            ("Welche Farbe hat das Auto auf jedem Bild?", "1. Rot.\n3. Grün.\n5. Blau."),
        ):
            await world.ann.send(world.channel, f"{world.me} {question}")
            assert world.said[-1] == said, question
        shown = await world.ben.send(world.channel, "", attachments=files)
        done = await world.ben.context_menu(world.channel, ALT, shown)
        assert "3.\n```\nA green square.\n```" in done.response.content


@pytest.mark.parametrize("hidden", [False, True])
async def test_a_mention_of_its_role_means_the_bot(hidden: bool) -> None:
    async with discord_world(**(HIDDEN if hidden else {})) as world:
        role = world.channel.guild.create_role("Glimpse", mentionable=True)
        other = world.channel.guild.create_role("Others", mentionable=True)
        await world.env.settle()
        guild = world.client.guilds[0]
        guild.get_role(role.id).tags = discord.RoleTags({"bot_id": str(world.client.user.id)})
        await world.ann.send(world.channel, f"{other.mention} hi", attachments=[photo("red")])
        assert world.said == []
        await world.ann.send(
            world.channel, f"{role.mention} {COLOUR}", attachments=[photo("green")]
        )
        assert world.said == [ENGLISH.mention_me if hidden else "Green."]


async def test_pictures_that_an_app_has_laid_out_are_seen() -> None:
    async with discord_world() as world:
        blobs = {f"https://cdn.discordapp.com/attachments/1/2/{colour}.png": colour.encode()
                 for colour in ("red", "green", "blue")}  # fmt: skip
        world.env.backend.cdn._blobs |= blobs
        red, green, blue = ({"url": url, "proxy_url": url} for url in blobs)
        text = {"type": 10, "content": "Look"}
        laid_out = [
            {"type": 17, "components": [{"type": 12, "items": [{"media": red}]}]},
            {"type": 9, "components": [text], "accessory": {"type": 11, "media": green}},
            {
                "type": 12,
                "items": [{"media": blue}, {"media": {"url": "https://evil.example/a.png"}}],
            },
        ]
        hook = world.channel.guild.create_webhook(world.channel)
        world.env.backend.create_message(
            world.channel.id, hook.id, "", components=laid_out, flags=1 << 15, webhook_id=hook.id
        )
        await world.env.settle()
        await world.ann.context_menu(world.channel, DESCRIBE, world.channel.last_message)
        said = "1. A red square.\n2. A green square.\n3. A blue square."
        assert world.said == [f"{said}\n\n{ENGLISH.no_picture_file}"]


# --- privacy ----------------------------------------------------------------------------------


async def test_nobody_who_is_mentioned_is_named_to_the_model() -> None:
    engine = StandIn()
    async with discord_world(engine) as world:
        ben, role = world.ben.mention, world.channel.guild.create_role("Friends")
        picture = [photo("red")]
        await world.ann.send(
            world.channel, f"{world.me} is {ben} in this picture?", attachments=picture
        )
        await world.ann.slash(world.channel, "ask", question=f"Does {ben} or {role.mention} sit?")
        await world.ann.slash(world.channel, "ask", question=f"Is it near {world.channel.mention}?")
        shown = await world.ann.context_menu(world.channel, ASK_ABOUT, world.answers()[0])
        await world.ann.submit_modal(shown, {"question": f"Is that {ben}'s dog?"})
        assert [question for _, question in engine.asked] == [
            "is somebody in this picture?",
            "Does somebody or somebody sit?",
            "Is it near ?",
            "Is that somebody's dog?",
        ]


async def test_everybody_may_ask_what_is_kept_of_them() -> None:
    access = Access(frozenset({"discord:1"}))
    async with discord_world(client=new_bot(access=access)) as world:
        for name, start in (("privacy", "I keep"), ("settings", "I speak"), ("forget", "Done")):
            for _ in range(3):
                done = await world.ann.slash(world.channel, name)
                assert done.ephemeral
                assert done.response.content.startswith(start)
        for _ in range(3):
            done = await world.ann.slash(world.channel, "caption", image=photo("red"))
            assert (done.ephemeral, done.response.content) == (True, ENGLISH.not_allowed)
        for _ in range(3):
            await world.ann.send(world.channel, f"{world.me} /privacy", attachments=[photo("red")])
        assert [text[:6] for text in world.said] == ["I keep"] * 3
        assert not world.client.handlers._assistant._conversations


async def test_after_forgetting_the_library_holds_no_words() -> None:
    async with discord_world() as world:
        await world.ann.send(world.channel, f"{world.me} is my secret here?")
        await world.ann.slash(world.channel, "forget")
        assert list(world.client.cached_messages) == []


async def test_what_cannot_be_done_is_told_to_whoever_chose_it_alone() -> None:
    async with discord_world() as world:
        plain = await world.ben.send(world.channel, "Nothing to see")
        bad = await world.ben.send(world.channel, "", attachments=[("bad.png", b"bad")])
        for message in (plain, bad):
            await world.ann.context_menu(world.channel, DESCRIBE, message)
        for _ in range(3):
            assert sole(await world.ann.slash(world.channel, "ask", question=COLOUR))
        assert world.said == []


# --- rarer shapes -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 403])
async def test_where_it_may_not_read_the_history_it_answers_without_a_reply(status: int) -> None:
    async with discord_world() as world:
        path = "/channels/*/messages"
        world.env.inject_error("POST", path, status=status, code=NO_HISTORY)
        await world.ann.send(world.channel, f"{world.me} {COLOUR}", attachments=[photo("red")])
        assert world.said == ["Red."]
        assert world.answers()[0].reference is None


async def test_a_question_is_as_long_as_may_be_asked() -> None:
    async with discord_world() as world:
        (told,) = [each.json for each in world.requests("PUT", "*/commands")]
        (option, _) = next(each for each in told if each["name"] == "ask")["options"]
        assert option["max_length"] == MAX_CHARACTERS
        message = await world.ben.send(world.channel, "", attachments=[photo("red")])
        shown = await world.ann.context_menu(world.channel, ASK_ABOUT, message)
        assert shown.modal["components"][0]["component"]["max_length"] == MAX_CHARACTERS


async def test_a_form_that_is_open_while_the_bot_starts_anew_is_answered() -> None:
    async with discord_world() as world:
        message = await world.ben.send(world.channel, "", attachments=[photo("red")])
        forms = [await world.ann.context_menu(world.channel, ASK_ABOUT, message) for _ in "12"]
        await world.restart()
        await world.ann.submit_modal(forms[0], {"question": COLOUR})
        assert world.said == ["Red."]
        await world.ben.delete(message)
        await world.restart()
        done = await world.ann.submit_modal(forms[1], {"question": COLOUR})
        assert sole(done) == ENGLISH.form_too_old.format(question=COLOUR)


def animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    file = BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:])
    return file.getvalue()


def still(kind: str) -> bytes:
    file = BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "name"),
    [("GIF", "a.gif"), ("WEBP", "a.webp"), ("PNG", "a.png"), ("JPEG", "a.jfif"), ("JPEG", "photo")],
)
async def test_what_moves_is_said_to_be_seen_as_a_still(kind: str, name: str) -> None:
    bot = new_bot(open_picture=lambda content: picture("red"))
    async with discord_world(client=bot) as world:
        await world.ann.send(
            world.channel, f"{world.me} {COLOUR}", attachments=[(name, still(kind))]
        )
        assert world.said == ["Red."]
        if kind == "JPEG":
            return
        moving = [(name, animated(kind))]
        await world.ann.send(world.channel, f"{world.me} {COLOUR}", attachments=moving)
        shown = {"WEBP": "WebP"}.get(kind, kind)
        assert world.said[-1] == f"Red.\n\n{ENGLISH.still_only.format(what=shown)}"


@pytest.mark.parametrize(("status", "code"), [(404, 10_015), (401, 50_027)])
async def test_an_answer_too_late_for_its_command_is_said_in_the_channel(
    status: int, code: int
) -> None:
    async with discord_world() as world:
        how = {"status": status, "code": code, "times": None}
        for method in ("POST", "PATCH", "DELETE"):
            world.env.inject_error(method, "/webhooks/*", **how)
        await world.ann.slash(world.channel, "caption", image=photo("red"))
        assert world.said[-1] == f"{world.ann.mention}\nA red square."
        await world.press(world.answers()[-1], "retry")
        assert world.said[-1] == f"{world.ann.mention}\nA red square."
        await world.ann.slash(world.channel, "privacy")  # for her eyes only
        assert world.dm_said[-1].startswith("I keep")
