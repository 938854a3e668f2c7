"""Every catalogue says everything, with the same blanks, and briefly."""

from __future__ import annotations

import dataclasses
import re
import string

import pytest

from bot.intents import Kind
from bot.looking import Cause
from bot.texts import CATALOGUES, ENGLISH, Texts

NAMES = [field.name for field in dataclasses.fields(Texts)]


def blanks(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


@pytest.mark.parametrize("language", CATALOGUES)
@pytest.mark.parametrize("name", NAMES)
def test_text_is_there_and_calm(language: str, name: str) -> None:
    text = getattr(CATALOGUES[language], name)
    assert text == text.strip() != ""
    assert blanks(text) == blanks(getattr(ENGLISH, name))
    assert text.count("!") == 0
    assert max(len(paragraph) for paragraph in text.split("\n")) <= 200


def test_every_reason_has_a_text() -> None:
    answered = {Kind.CAPTION, Kind.QUESTION}
    assert {kind.value for kind in Kind if kind not in answered} <= set(NAMES)
    assert {cause.value for cause in Cause if cause is not Cause.REFUSED} <= set(NAMES)


def test_whole_sentences_end() -> None:
    parts = {"second", "seconds", "minute", "minutes", "hour", "hours", "caption_button"}
    parts |= {name for name in NAMES if name.startswith("command_")}  # of a menu
    for name in set(NAMES) - parts:
        assert re.search(r"[.?]$|\{answer\}$", getattr(ENGLISH, name)), name


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "a second"),
        (0.2, "a second"),
        (11.2, "12 seconds"),
        (59.5, "a minute"),
        (61, "2 minutes"),
        (3540, "59 minutes"),
        (3541, "an hour"),
        (3600, "an hour"),
        (3601, "2 hours"),
        (86_400, "24 hours"),
    ],
)
def test_spans_of_time(seconds: float, said: str) -> None:
    assert ENGLISH.span(seconds) == said
