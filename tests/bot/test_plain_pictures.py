"""Plain pictures are measured, in English and in German; the model is not asked about them."""

from __future__ import annotations

import pytest
from engine_stand_in import StandIn, picture

from bot.assistant.assistant import Assistant
from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.plain_pictures import MeasuringEngine
from bot.assistant.types import Attachment, Incoming
from data.images.open import Picture

NAVY = Attachment(b"navy", "a.png")


def opened(content: bytes) -> Picture:
    return picture(content.decode(), (64, 48))


@pytest.mark.parametrize(
    ("text", "english", "german"),
    [
        ("/caption", "A plain dark blue picture.", "Ein einfarbiges Bild in Dunkelblau."),
        ("What colour is it?", "Dark blue.", "Dark blue."),
        ("Welche Farbe hat das Bild?", "Dunkelblau.", "Dunkelblau."),
        ("Is it blue?", "Yes.", "Yes."),
        ("is this picture red?", "No.", "No."),
        ("Is there a dog?", "No.", "No."),
        ("Wie viele Leute sind da?", "Keine.", "Keine."),
        ("What is the man doing?", ENGLISH.cannot_tell, GERMAN.cannot_tell),
        ("What colour is the dog?", ENGLISH.cannot_tell, GERMAN.cannot_tell),
    ],
)
async def test_a_picture_of_one_colour(text: str, english: str, german: str) -> None:
    engine = StandIn()
    assistant = Assistant(MeasuringEngine(engine), open_picture=opened)
    for language, said in (("en", english), ("de", german)):
        who = ("telegram", language, language)
        reply = await assistant.handle(Incoming(*who, text, pictures=(NAVY,), language=language))
        assert reply is not None
        assert reply.text == said
    assert engine.asked == []


async def test_asked_again_it_is_said_otherwise_and_black_has_a_cause() -> None:
    assistant = Assistant(MeasuringEngine(StandIn()), open_picture=opened)
    black = Attachment(b"black", "a.png")
    said = []
    for message in (
        Incoming("web", "a", "a", pictures=(black,)),
        Incoming("web", "a", "a", "/retry"),
    ):
        reply = await assistant.handle(message)
        assert reply is not None
        said.append(reply.text.partition("\n")[0])
    first, second = said
    assert first == "A completely black picture, as if the lens were covered."
    assert second == "Nothing but black."
