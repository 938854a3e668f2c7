"""Conversations with the assistant, as people have them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from engine_stand_in import Clock, Said, StandIn, open_photo, photo

from bot.assistant.assistant import Assistant
from bot.assistant.conversations import Conversations
from bot.assistant.limits import Limits
from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.replies import ConfidenceThresholds
from bot.assistant.types import Attachment, Button, Incoming, Reply
from data.images.open import Picture
from model.requests import DetectedObject

CAPTION_IT = (Button("Caption it", "/caption"),)
AGAIN = ["👍", "👎", "Try again"]


def labels(reply: Reply) -> list[str]:
    return [button.label for button in reply.buttons]


INVITE = "Ask me anything about it."


class Chat:
    """Someone who talks to an assistant with a stand-in engine."""

    def __init__(self, **options: object) -> None:
        self.clock = Clock()
        self.engine = StandIn()
        self.assistant = Assistant(
            self.engine,
            conversations=Conversations(clock=self.clock),
            limits=Limits(clock=self.clock),
            open_picture=open_photo,
            **options,  # type: ignore[arg-type]
        )

    async def hear(
        self,
        text: str = "",
        *colours: str,
        reply_to: tuple[str, ...] = (),
        user: str = "ann",
        chat: str = "home",
        platform: str = "web",
        addressed: bool = True,
    ) -> Reply | None:
        return await self.assistant.handle(
            Incoming(
                platform,
                chat,
                user,
                text,
                tuple(map(photo, colours)),
                tuple(map(photo, reply_to)),
                addressed,
            )
        )

    async def say(self, *args: str, **options: object) -> Reply:
        reply = await self.hear(*args, **options)  # type: ignore[arg-type]
        assert reply is not None
        return reply


@pytest.fixture
def chat() -> Chat:
    return Chat()


async def test_photo_alone_is_captioned_with_an_invitation(chat: Chat) -> None:
    reply = await chat.say("", "red")
    assert reply.text == f"A red square.\n\n{INVITE}"
    assert labels(reply) == AGAIN
    assert (reply.error, reply.reference) == (False, "")
    (exchange,) = reply.exchanges
    assert (exchange.kind, exchange.question, exchange.answer) == ("caption", None, "a red square")
    assert (exchange.confidence, exchange.seconds) == (0.9, 0.01)
    assert exchange.digest == open_photo(b"red").digest


async def test_photo_with_a_question_is_answered(chat: Chat) -> None:
    reply = await chat.say("What color is the wall?", "blue")
    assert reply.text == "Blue."
    assert reply.buttons[:1] == CAPTION_IT
    assert labels(reply) == ["Caption it", *AGAIN]
    assert chat.engine.asked == [("blue", "What color is the wall?")]
    (exchange,) = reply.exchanges
    assert (exchange.kind, exchange.question) == ("question", "What color is the wall?")


async def test_follow_up_is_about_the_last_picture(chat: Chat) -> None:
    await chat.say("", "red")
    await chat.say("", "blue")
    assert (await chat.say("What color is it?")).text == "Blue."
    assert (await chat.say("describe it")).text == "A blue square."
    assert (await chat.say("/ask which color")).text == "Blue."


async def test_follow_up_without_a_picture_says_so(chat: Chat) -> None:
    for text in ("What color is it?", "/caption", "", "/ask", "This is my dog"):
        reply = await chat.say(text)
        assert (reply.text, reply.error, reply.buttons) == (ENGLISH.no_picture, True, ())
    assert chat.engine.asked == []


async def test_picture_expires_after_an_hour(chat: Chat) -> None:
    await chat.say("", "red")
    chat.clock.advance(3599)
    assert (await chat.say("What color is it?")).text == "Red."
    chat.clock.advance(1)
    reply = await chat.say("What color is it?")
    assert reply.text == (
        "I no longer have your last picture, because I keep one for an hour at most. "
        "Please send it again, then ask."
    )
    assert reply.error


async def test_people_and_chats_do_not_mix(chat: Chat) -> None:
    await chat.say("", "red")
    for other in ({"chat": "work"}, {"platform": "telegram"}):
        assert (await chat.say("What color is it?", **other)).text == ENGLISH.no_picture
    assert (await chat.say("", "blue", chat="work")).exchanges
    assert (await chat.say("What color is it?")).text == "Red."


async def test_reply_to_a_picture_is_about_that_one_and_so_is_what_follows(chat: Chat) -> None:
    await chat.say("", "red")
    assert (await chat.say("What color is it?", reply_to=("green",))).text == "Green."
    assert (await chat.say("And what color is it now?")).text == "Green."
    assert (await chat.say("/caption", reply_to=("blue",))).text == "A blue square."
    assert (await chat.say("Is it red?", "white", reply_to=("blue",))).text == "White."
    assert (await chat.say("", reply_to=("blue",))).text.startswith("A blue square.")


async def test_group_bot_is_silent_unless_addressed_but_remembers_what_each_showed(
    chat: Chat,
) -> None:
    assert await chat.hear("look", "red", addressed=False) is None
    assert await chat.hear("What color is it?", addressed=False) is None
    assert await chat.hear("/caption", reply_to=("blue",), addressed=False) is None
    assert chat.engine.asked == []
    assert (await chat.say("@glimpse what color is it?")).text == "Red."
    await chat.say("", "green", user="ben")
    assert (await chat.say("What color is it?")).text == "Red."
    assert (await chat.say("What color is it?", user="cleo")).text == ENGLISH.no_picture


async def test_pictures_nobody_asks_about_are_never_opened() -> None:
    opened: list[bytes] = []

    def open_picture(content: bytes) -> Picture:
        opened.append(content)
        return open_photo(content)

    chat = Chat()
    assistant = Assistant(chat.engine, open_picture=open_picture)
    silent = Incoming("web", "home", "ann", "", (photo("red"),), addressed=False)
    assert await assistant.handle(silent) is None
    assert opened == []
    for _ in range(3):
        await assistant.handle(Incoming("web", "home", "ann", "What color is it?"))
    assert opened == [b"red"]  # once


async def test_opened_pictures_make_older_ones_give_way_at_once() -> None:
    conversations = Conversations(size=8 * 6 * 3)  # one opened picture
    assistant = Assistant(StandIn(), conversations=conversations, open_picture=open_photo)
    for user in ("ann", "ben"):
        silent = Incoming("web", "home", user, "", (photo("red"),), addressed=False)
        await assistant.handle(silent)
    assert len(conversations) == 2
    await assistant.handle(Incoming("web", "home", "ben", "What color is it?"))
    assert len(conversations) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/start", ENGLISH.start),
        ("/START@glimpse_bot", ENGLISH.start),
        ("/help", ENGLISH.help.format(time="an hour")),
        ("hello", ENGLISH.hello),
        ("thank you!", ENGLISH.thanks),
        ("who are you?", ENGLISH.about),
        ("bye", ENGLISH.goodbye),
        ("nice", ENGLISH.nod),
        ("that's wrong", ENGLISH.sorry),
    ],
)
async def test_kind_words(chat: Chat, text: str, said: str) -> None:
    reply = await chat.say(text)
    assert reply == Reply(said)
    await chat.say("", "red")
    said = ENGLISH.hello_again if text == "hello" else said
    assert await chat.say(text) == Reply(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ENGLISH.empty),
        ("/ask", ENGLISH.empty),
        ("x" * 2000, ENGLISH.too_long.format(limit=300)),
        ("Wie war dein Tag?", GERMAN.foreign),
        ("这是什么", ENGLISH.foreign),
        ("write a poem about it", ENGLISH.instruction),
        ("what is the capital of France?", ENGLISH.outside),
        ("I like my dog.", ENGLISH.remark),
        ("https://example.org", ENGLISH.link),
    ],
)
async def test_what_it_cannot_do_gets_one_sentence_and_a_way_on(
    chat: Chat, text: str, said: str
) -> None:
    await chat.say("", "red")
    reply = await chat.say(text)
    assert (reply.text, reply.error) == (said, True)
    assert [button.action for button in reply.buttons] == ["/caption"]
    assert len(chat.engine.asked) == 1


async def test_unknown_command(chat: Chat) -> None:
    reply = await chat.say("/Dance@glimpse_bot for me")
    assert reply == Reply("I don't know /dance. Send /help to see what I can do.", error=True)


async def test_picture_sent_with_a_refused_question_can_be_asked_about_next(chat: Chat) -> None:
    assert (await chat.say("translate this", "red")).text == ENGLISH.instruction
    assert (await chat.say("What color is it?")).text == "Red."


async def test_names_of_people_are_not_guessed(chat: Chat) -> None:
    reply = await chat.say("who is this?", "red")
    assert reply.text == f"{ENGLISH.no_names}\nA red square."
    assert chat.engine.asked == [("red", None)]
    assert (await chat.say("who is that man?", user="ben", chat="x")).text == ENGLISH.no_picture


async def test_several_pictures_get_one_numbered_reply(chat: Chat) -> None:
    reply = await chat.say("", "red", "blue", "green")
    assert reply.text == (
        f"1. A red square.\n2. A blue square.\n3. A green square.\n\n{ENGLISH.invite_several}"
    )
    assert [exchange.answer for exchange in reply.exchanges] == [
        "a red square",
        "a blue square",
        "a green square",
    ]
    reply = await chat.say("What color is it?", "red", "blue")
    assert (reply.text, labels(reply)) == ("1. Red.\n2. Blue.", AGAIN)


async def test_after_several_the_last_is_current_unless_another_is_named(chat: Chat) -> None:
    await chat.say("", "red", "blue", "green")
    assert (await chat.say("What color is it?")).text == "Green."
    assert (await chat.say("What color is it in picture 2?")).text == "Blue."
    assert (await chat.say("What color is it?")).text == "Blue."  # still the one talked about
    assert (await chat.say("/caption 1")).text == "A red square."
    assert (await chat.say("describe the last photo")).text == "A green square."
    assert (await chat.say("Are pictures 1 and 3 red?")).text == "1. Red.\n3. Green."
    for number in ("4", "picture 0"):
        reply = await chat.say(number)
        assert reply.text == "You sent 3 pictures, so please name a number from 1 to 3."
        assert reply.error


async def test_someone_elses_pick_does_not_change_mine(chat: Chat) -> None:
    await chat.say("", "red", "blue")
    both = ("red", "blue")
    about = await chat.say("What color is it in picture 1?", user="ben", reply_to=both)
    assert about.text == "Red."
    assert (await chat.say("What color is it?")).text == "Blue."


async def test_only_the_first_ten_are_looked_at(chat: Chat) -> None:
    reply = await chat.say("", *["red", "blue"] * 6)
    lines = reply.text.split("\n")
    assert lines[9] == "10. A blue square."
    assert lines[10] == "I looked at the first 10 only."
    assert len(reply.exchanges) == len(chat.engine.asked) == 10


async def test_refused_picture_takes_its_number_with_its_reason(chat: Chat) -> None:
    reply = await chat.say("", "red", "bad file", "blue", "bad one")
    assert reply.text.split("\n")[:4] == [
        "1. A red square.",
        "2. This file is no picture (bad file).",
        "3. A blue square.",
        "4. This file is no picture (bad one).",
    ]
    assert not reply.error
    assert (await chat.say("What color is it?")).text == "Blue."
    assert (await chat.say("2")).text == "This file is no picture (bad file)."


async def test_refused_picture_alone_and_no_older_one_in_its_place(chat: Chat) -> None:
    await chat.say("", "red")
    refused = Reply("This file is no picture (bad).", error=True)
    assert await chat.say("", "bad") == refused
    assert await chat.say("What color is it?") == refused
    both = await chat.say("", "bad 1", "bad 2")
    assert both.error
    assert both.text == ("1. This file is no picture (bad 1).\n2. This file is no picture (bad 2).")
    assert len(chat.engine.asked) == 1


@pytest.mark.parametrize(
    ("confidence", "question", "said"),
    [
        (0.6, "Is it red?", "Yes."),
        (0.59, "Is it red?", "I'm not sure, but I'd say yes."),
        (0.5, "/caption", "Yes."),
        (0.34, "/caption", "I'm not sure, but it looks like yes."),
    ],
)
async def test_unsure_below_its_threshold(confidence: float, question: str, said: str) -> None:
    chat = Chat()
    chat.engine.answer = lambda _picture, _question: Said("yes", confidence)
    assert (await chat.say(question, "red")).text == said
    sure = Chat(thresholds=ConfidenceThresholds(answer=0.0, polar=0.0, caption=0.0))
    sure.engine.answer = chat.engine.answer
    assert (await sure.say(question, "red")).text == "Yes."


async def test_counts_are_words_only_where_counted(chat: Chat) -> None:
    chat.engine.answer = lambda _picture, _question: Said("2")
    assert (await chat.say("How many dogs are there?", "red")).text == "Two."
    assert (await chat.say("What is in front?")).text == "2."


async def test_who_wants_more_hears_of_what_the_caption_does_not_name(chat: Chat) -> None:
    things = {"dog": 0.95, "person": 0.9, "cup": 0.85, "kite": 0.7, "bed": 0.8}
    seen = [DetectedObject(name, score, (0, 0, 1, 1)) for name, score in things.items()]
    objects = (*seen, seen[2])
    chat.engine.answer = lambda _picture, _question: Said("a man with a puppy", objects=objects)
    assert (await chat.say("tell me more", "red")).text == (
        "A man with a puppy. I also see: 2 cups, bed."
    )
    german = (await chat.say("was siehst du noch?")).text
    assert german.endswith("Außerdem sehe ich: Tasse (2), Bett.")
    chat.engine.answer = lambda _picture, _question: Said("a dog")
    assert (await chat.say("more")).text == "A dog. That is all I can make out."


async def test_limits_hold_on_platforms_and_help_is_free(chat: Chat) -> None:
    here = {"platform": "telegram"}
    for _ in range(5):
        assert not (await chat.say("", "red", **here)).error
    reply = await chat.say("What color is it?", "blue", **here)
    assert reply == Reply("That was a lot at once. Please try again in 12 seconds.", error=True)
    assert (await chat.say("/help", **here)).text == ENGLISH.help.format(time="an hour")
    assert not (await chat.say("", "red", user="ben", **here)).error
    assert not (await chat.say("", "red")).error  # the web is not limited
    chat.clock.advance(12)
    assert (await chat.say("What color is it?", **here)).text == "Blue."  # it was kept


async def test_day_limit_is_told_apart(chat: Chat) -> None:
    for _ in range(55):
        chat.clock.advance(12)
        reply = await chat.say("", "red", platform="discord")
    assert reply.text.startswith("You have asked a lot today. You can ask again in ")
    assert reply.text.endswith(" minutes.")


async def test_forgetting(chat: Chat) -> None:
    forgetting: list[Callable[[], None]] = [
        lambda: chat.assistant.forget("web", "home", "ann"),
        lambda: chat.assistant.forget_person("web", "ann"),
    ]
    for forget in forgetting:
        await chat.say("", "red")
        forget()
        assert (await chat.say("What color is it?")).text == ENGLISH.no_picture


async def test_control_characters_never_reach_the_model(chat: Chat) -> None:
    await chat.say("Is\u200b it\x00 red\u202e?\ud800 🚗", "red")
    assert chat.engine.asked == [("red", "Is it red?")]


async def test_default_picture_opener_refuses_rubbish() -> None:
    assistant = Assistant(StandIn())
    reply = await assistant.handle(Incoming("cli", "c", "u", "", (Attachment(b"rubbish"),)))
    assert reply is not None
    assert (reply.error, reply.reference) == (True, "")  # refused, not crashed
