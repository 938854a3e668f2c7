"""Long texts as messages: as few as possible, nothing lost, nothing cut that belongs together."""

from __future__ import annotations

import discord
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from bot.assistant.splitting import Length, split, utf16_length


def escaped(text: str) -> int:
    return len(discord.utils.escape_markdown(text))


WORDS = st.one_of(
    st.text("ab_*~`|<>[]()#-.!?,:;@1", min_size=1, max_size=6),
    st.sampled_from(
        [
            "👍🏽",
            "🇩🇪🇫🇷",
            "👨‍👩‍👧",
            "e\u0301",
            "10.",
            "3)",
            "-",
            "Dr.",
            "https://a.org/b_c",
            "é…",
            "क्षि",
            "。",
        ]
    ),
)
SPACES = st.sampled_from([" ", " ", "\n", "\n\n", " \n", ""])
TEXTS = st.lists(st.tuples(WORDS, SPACES), max_size=60).map(
    lambda pairs: "".join(word + space for word, space in pairs)
)
LENGTHS = st.sampled_from([len, utf16_length, escaped])
ITEM = r"^[^\S\n]*(?:\d+[.)]|[-*•])"
GAP = regex.compile(rf"(?:(?<!{ITEM})|(?=[^\S\n]*\n))\s++(?![\p{{M}}\u200d])", regex.MULTILINE)


def fewest(text: str, limit: int, length: Length) -> int | None:
    """As few messages as whole words can be put into, tried in every way; None if in none."""
    text = text.strip()
    gaps = [(found.start(), found.end()) for found in GAP.finditer(text)]
    starts, ends = [0, *(end for _, end in gaps)], [*(start for start, _ in gaps), len(text)]
    needed: dict[int, int] = {len(text): 0}
    for start in reversed(starts):
        counts = [
            needed[after] + 1
            for end, after in zip(ends, [*starts[1:], len(text)], strict=True)
            if end > start and after in needed and length(text[start:end]) <= limit
        ]
        if counts:
            needed[start] = min(counts)
    return needed.get(0)


@given(TEXTS, st.integers(30, 60), LENGTHS)
def test_as_few_parts_as_possible_that_fit_and_lose_nothing(
    text: str, limit: int, length: Length
) -> None:
    parts = split(text, limit, length)
    assert all(length(part) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert len(parts) == 1 or all(parts)
    least = fewest(text, limit, length)
    assert least is None or len(parts) == max(1, least)


@given(TEXTS, st.integers(30, 60), LENGTHS)
def test_no_character_is_cut_and_no_word_that_fits(text: str, limit: int, length: Length) -> None:
    at, ends = 0, {found.start() for found in regex.finditer(r"\X", text)} | {len(text)}
    gaps = {place for found in GAP.finditer(text) for place in found.span()}
    for part in split(text, limit, length)[:-1]:
        at = text.index(part, at) + len(part)
        assert at in ends
        word = max([0, *(place for place in gaps if place < at)])
        rest = min([len(text), *(place for place in gaps if place > at)])
        ended = at in gaps or part.endswith("。")
        assert ended or length(text[word:rest].strip()) > limit


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("short", ["short"]),
        ("A dog. It runs fast. So it does.", ["A dog. It runs fast.", "So it does."]),
        ("A dog.\n\nIt runs. It is big, too.", ["A dog.", "It runs. It is big, too."]),
        ("It is Dr. Who, I think. He is it.", ["It is Dr. Who, I think.", "He is it."]),
        # Sentences are given up, rather than that another message is sent.
        ("A. " + "word " * 7 + "end.", ["A. word word word word", "word word word end."]),
        ("1. A dog runs\n2. A cat sits down", ["1. A dog runs", "2. A cat sits down"]),
        ("9. A dog runs fast 10. A cat", ["9. A dog runs fast 10.", "A cat"]),
        ("9. A dog is very fast\n10. A cat", ["9. A dog is very fast", "10. A cat"]),
        ("x" * 60, ["x" * 25, "x" * 25, "x" * 10]),
        ("猫。" * 20, ["猫。" * 12, "猫。" * 8]),
        ("👨‍👩‍👧" * 9, ["👨‍👩‍👧" * 5, "👨‍👩‍👧" * 4]),
        ("e" + "\u0301" * 60, ["e" + "\u0301" * 24, "\u0301" * 25, "\u0301" * 11]),
    ],
)  # fmt: skip
def test_where_it_is_cut(text: str, parts: list[str]) -> None:
    assert split(text, 25) == parts


def test_telegram_counts_emoji_twice() -> None:
    assert [utf16_length(part) for part in split("👍" * 5000, 4096, utf16_length)] == [
        4096,
        4096,
        1808,
    ]
    assert utf16_length("\ud83d") == 1  # a half of one, which a broken client may send
