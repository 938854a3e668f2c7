"""Every catalogue says everything, with the same blanks, and briefly."""

from __future__ import annotations

import dataclasses
import re
import string

import pytest

from bot.assistant.inference import FailureCause
from bot.assistant.locale import CATALOGUES, Languages
from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import ENGLISH, Texts
from bot.assistant.types import Kind
from data.errors import ImageRefused

NAMES = [field.name for field in dataclasses.fields(Texts) if field.name != "refusals"]


def blanks(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


@pytest.mark.parametrize("language", CATALOGUES)
def test_every_text_is_there_and_calm(language: str) -> None:
    for name in NAMES:
        text = getattr(CATALOGUES[language], name)
        assert text == text.strip() != "", name
        blank = blanks(getattr(ENGLISH, name))
        assert blanks(text) == blank or (name == "still_only" and blanks(text) <= blank), name
        assert text.count("!") == 0, name
        assert max(len(paragraph) for paragraph in text.split("\n")) <= 200, name


def test_every_reason_has_a_text() -> None:
    answered = {Kind.CAPTION, Kind.QUESTION, Kind.RETRY, Kind.SAME}
    assert {kind.value for kind in Kind if kind not in answered} <= set(NAMES)
    assert {cause.value for cause in FailureCause if cause is not FailureCause.REFUSED} <= set(
        NAMES
    )


def test_whole_sentences_end() -> None:
    parts = {"second", "seconds", "minute", "minutes", "hour", "hours", "days", "language"}
    parts |= {"good", "bad", "and_", "or_", "another_computer"}
    parts |= {name for name in NAMES if name.endswith("_button")} | {"settings_automatic"}
    parts |= {name for name in NAMES if name.startswith("command_")}  # of a menu
    for texts in CATALOGUES.values():
        for name in set(NAMES) - parts:
            assert re.search(r"[.?]$|\{answer\}$|: What [^?]*\?$", getattr(texts, name)), name
        assert all(re.search(r"\. [A-Z].*\.$", text) for text in texts.refusals.values())


def test_german_knows_every_reason_for_which_a_picture_is_refused() -> None:
    reasons = re.findall(r'"([a-z-]+)"', (ImageRefused.__doc__ or "").partition("; of a file")[0])
    assert set(GERMAN.refusals) == set(reasons)


def test_a_device_or_a_person_chooses_the_language() -> None:
    languages = Languages()
    assert languages.texts("telegram", "1") is ENGLISH
    assert languages.texts("telegram", "1", "de-AT") is GERMAN
    assert languages.texts("telegram", "1", "zh_Hans") is ENGLISH
    assert languages.choose("telegram", "1", " Deutsch ")
    assert languages.texts("telegram", "1", "en") is GERMAN
    assert languages.texts("discord", "1", "en") is ENGLISH
    assert not languages.choose("telegram", "1", "klingon")
    assert languages.texts("telegram", "1", "en") is GERMAN
    assert languages.choose("telegram", "1", "auto")
    assert languages.texts("telegram", "1", "en") is ENGLISH


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
        (2 * 86_400, "48 hours"),
        (30 * 86_400, "30 days"),
    ],
)
def test_spans_of_time(seconds: float, said: str) -> None:
    assert ENGLISH.span(seconds) == said
