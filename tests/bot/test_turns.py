"""What a chat model is told of the conversation, in which language, and what else it is asked."""

from __future__ import annotations

import dataclasses

import pytest
from engine_stand_in import Said, StandIn, open_photo, photo

from bot.assistant.assistant import Assistant
from bot.assistant.limits import Limits, LimitSettings, RateLimit
from bot.assistant.types import Action, Ask, Caption, Conversation, Incoming, Reply, Retry
from model.requests import KEPT_TURNS, Capabilities, Turn

PATIENT = LimitSettings(default=RateLimit(1000, 1000))
ABLE = Capabilities(chat=True, languages=("en", "de"), reads=True)
CAPTION = Turn(None, "a red square")


class Chat:
    """People who talk about coloured squares."""

    def __init__(self, able: Capabilities = ABLE) -> None:
        self.engine = StandIn(able=able)
        self.assistant = Assistant(self.engine, open_picture=open_photo, limits=Limits(PATIENT))

    async def hear(
        self, text: str | Action = "", *colours: str, user: str = "ann", chat: str = "home",
        language: str = "en", shown: tuple[str, ...] = (), addressed: bool = True,
    ) -> Reply:  # fmt: skip
        words = text if isinstance(text, str) else ""
        incoming = Incoming(
            "telegram", chat, user, words, tuple(map(photo, colours)), tuple(map(photo, shown)),
            addressed, language, action=None if isinstance(text, str) else text,
        )  # fmt: skip
        reply = await self.assistant.handle(incoming)
        assert reply
        return reply

    @property
    def told(self) -> tuple[Turn, ...]:
        return self.engine.contexts[-1].turns


async def test_the_conversation_about_a_picture_goes_along() -> None:
    chat = Chat()
    await chat.hear("", "red")
    assert chat.told == ()
    await chat.hear("What colour is it?")
    assert chat.told == (CAPTION,)
    await chat.hear("Is it big?")
    assert chat.told == (CAPTION, Turn("What colour is it?", "red"))
    await chat.hear("", "blue")  # another picture
    assert chat.told == ()
    for number in range(KEPT_TURNS + 5):
        await chat.hear(f"Is there a number {number}?")
    assert len(chat.told) == KEPT_TURNS
    assert "number 23" in str(chat.told[-1].question)


async def test_each_picture_of_an_album_has_its_own() -> None:
    chat = Chat()
    await chat.hear("", "red", "blue")
    await chat.hear("What colour is the first picture?")
    await chat.hear("Is it big?")
    assert [turn.answer for turn in chat.told] == ["a red square", "red"]
    await chat.hear("What colour is the second picture?")
    assert [turn.answer for turn in chat.told] == ["a blue square"]


async def test_nothing_of_other_people_chats_or_forgotten_pictures_goes_along() -> None:
    chat = Chat()
    await chat.hear("Is this Ann's secret?", "red")
    await chat.hear("And her other secret?")
    await chat.hear("Is it red?", shown=("red",), user="bob")  # who replies to her picture
    assert chat.told == ()
    await chat.hear(Retry(), user="bob")
    assert chat.told == ()
    await chat.hear("", "red", chat="work")
    assert chat.told == ()
    await chat.hear("/forget")
    await chat.hear("Is it red?", "red")
    assert chat.told == ()


async def test_another_try_takes_the_place_of_the_first() -> None:
    chat = Chat()
    await chat.hear("", "red")
    await chat.hear("What colour is it?")
    chat.engine.answer = lambda *_: Said("crimson")
    await chat.hear(Retry())
    assert (chat.told, chat.engine.ranks[-1]) == ((CAPTION,), 1)
    await chat.hear(Ask("Is it big?"))
    assert chat.told == (CAPTION, Turn("What colour is it?", "crimson"))


async def test_a_model_of_short_answers_is_told_nothing() -> None:
    chat = Chat(Capabilities())
    await chat.hear("", "red")
    await chat.hear("Is it big?")
    assert chat.told == ()


async def test_what_failed_was_never_said() -> None:
    chat = Chat()
    chat.engine.answer = lambda *_: RuntimeError("broken")
    await chat.hear("", "red")
    await chat.hear("Is it big?")
    assert chat.told == ()


# --- languages, reading and more ------------------------------------------------------------------


def speaking(chat: Chat, said: str) -> None:
    """Let the model answer so in the language that it is asked in."""

    def answer(*_: object) -> Said:
        context = chat.engine.contexts[-1]
        return dataclasses.replace(Said(said), language=context.language)

    chat.engine.answer = answer


@pytest.mark.parametrize(
    ("question", "english", "able", "language"),
    [
        ("Welche Farbe hat das Auto?", "What color is the car?", ABLE, "de"),
        ("Welche Farbe hat das Auto?", "What color is the car?", Capabilities(), "de"),
        ("Was für eine Stimmung herrscht hier wohl?", None, ABLE, "de"),
        ("Was steht da?", "What does it say?", ABLE, "de"),
        ("Was siehst du noch?", "What else do you see in the picture?", ABLE, "de"),
        ("What else do you see?", "What else do you see in the picture?", ABLE, "en"),
        ("What does the sign say?", "What does the sign say?", ABLE, "en"),
    ],
)
async def test_both_forms_of_a_question_go_to_the_model(
    question: str, english: str | None, able: Capabilities, language: str
) -> None:
    chat = Chat(able)
    await chat.hear(question, "red")
    context = chat.engine.contexts[-1]
    assert chat.engine.asked[-1][1] == (english or question)
    assert context.language == language
    wanted = "Was siehst du noch auf dem Bild?" if question == "Was siehst du noch?" else question
    assert context.asked == (wanted if language == "de" else "")
    assert context.reading == ("say" in str(english))


async def test_a_german_answer_is_said_and_kept_as_it_was() -> None:
    chat = Chat()
    speaking(chat, "Ein rotes Auto, das vor dem Haus steht.")
    reply = await chat.hear("Was steht vor dem Haus?", "red")
    assert reply.text == "Ein rotes Auto, das vor dem Haus steht."
    (kept,) = reply.exchanges
    assert (kept.original_question, kept.translated_answer) == (
        "Was steht vor dem Haus?", "Ein rotes Auto, das vor dem Haus steht.",
    )  # fmt: skip
    speaking(chat, "Das Auto ist rot.")
    await chat.hear("Was für eine Stimmung herrscht hier wohl?")
    assert chat.told[-1] == Turn("Was steht vor dem Haus?", kept.translated_answer)
    reply = await chat.hear(Retry())  # of somebody whose device speaks English
    assert (reply.text, len(chat.told)) == ("Das Auto ist rot.", 1)
    assert chat.engine.contexts[-1].asked == "Was für eine Stimmung herrscht hier wohl?"


async def test_a_german_caption_is_asked_for_in_german() -> None:
    chat = Chat()
    speaking(chat, "Ein Hund und zwei Katzen.")
    reply = await chat.hear("", "red", language="de")
    assert reply.text.startswith("Ein Hund und zwei Katzen.\n")
    speaking(chat, "A dog runs over the grass.")  # in spite of it
    reply = await chat.hear(Caption(), language="de")
    assert reply.text == "Ein Hund rennt über das Gras."
    assert chat.engine.contexts[-1].language == "de"


@pytest.mark.parametrize("text", ["What does it say?", "Was für eine Stimmung herrscht hier wohl?"])
async def test_a_model_of_short_answers_is_not_asked_what_it_cannot(text: str) -> None:
    chat = Chat(Capabilities())
    reply = await chat.hear(text, "red")
    assert reply.error
    assert not chat.engine.asked
    who = Conversation("telegram", "home", "ann")
    assert chat.assistant.needs_picture(text, who) is False
    assert Chat().assistant.needs_picture(text, who) is True
