"""What a message asks of a model that can do more than give short answers to English questions."""

from __future__ import annotations

from dataclasses import replace

from bot.assistant.intents import GERMAN
from bot.assistant.text import plain
from bot.assistant.translation.translator import Translation
from bot.assistant.types import Intent, Kind
from bot.assistant.unanswerable import why_not
from model.requests import Capabilities, ChatContext

_MORE = Translation("What else do you see in the picture?", "Was siehst du noch auf dem Bild?")


def as_able(intent: Intent, able: Capabilities) -> Intent:
    """The same, or a question where a model that is able to answer it should be asked."""
    german = GERMAN if intent.language == GERMAN else ""
    if intent.more and able.chat:
        translation = _MORE if german else None
        asks = replace(intent, kind=Kind.QUESTION, question=_MORE.english, more=False)
        return replace(asks, translation=translation)
    if not intent.question:
        return intent
    reads = intent.kind is Kind.READING and able.reads
    understands = intent.kind is Kind.FOREIGN and german in able.languages
    return replace(intent, kind=Kind.QUESTION) if reads or understands else intent


def context_of(intent: Intent, language: str) -> ChatContext:
    """What a chat model is told of a question or a request for a caption.

    Args:
        intent: Either of them.
        language: That the person is spoken to in; captions are.
    """
    question = intent.question
    if question is None:
        return ChatContext(language=language)
    reading = why_not(plain(question)) is Kind.READING
    if intent.language != GERMAN or intent.which:  # which of several is told by "yes"
        return ChatContext(reading=reading)
    asked = intent.translation.german if intent.translation else question
    return ChatContext(language=GERMAN, asked=asked, reading=reading)
