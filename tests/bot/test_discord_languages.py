"""Who speaks German is spoken to in German on Discord, as far as Discord tells."""

from __future__ import annotations

from discord_world import ASK_ABOUT, MENUS, discord_world, photo

from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import ENGLISH


async def test_commands_and_buttons_tell_the_language_also_for_later_messages() -> None:
    async with discord_world() as world:
        await world.ann.send(world.channel, f"{world.me} hello")
        world.locale = "de"
        await world.ann.slash(world.channel, "caption", image=("a.pdf", b"%PDF"))
        await world.ann.send(world.channel, f"{world.me} hello")
        await world.dm("hello")
        await world.ben.send(world.channel, f"{world.me} hello")
        assert world.said == [ENGLISH.hello, GERMAN.no_picture_file, GERMAN.hello, ENGLISH.hello]
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
