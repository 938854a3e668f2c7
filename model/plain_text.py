"""What a chat model wrote as plain text: no Markdown, no pings, no hidden addresses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

LONGEST_ANSWER = 6000  # characters
_THOUGHTS = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_MENTION = re.compile(r"(?<![\w.+-])@(?=\w)")
_SHORT = re.compile(r"[^\s.!?]+(?: [^\s.!?]+){0,2}\.")  # few words, though with a full stop
_SMALL = frozenset({"yes", "no", "unknown", "not sure", "unsure", "i don't know", "unclear"})
_MARKUP = re.compile(
    r"""
    (?P<code>`+).+?(?<!`)(?P=code)(?!`)        # what has its end
    | (?<![\w*])(?P<mark>\*{1,3}(?!\*)|_{1,3}(?!_)|~~)(?=\S).+?(?<=[^\s*_~])(?P=mark)(?![*_~])
    | !?\[[^\]]*\](?:\([^)]*\)|(?=[^(]))
    | <[a-zA-Z/!][^>]*>
    | (?P<open>                                # what may still get one
        `+ | (?<![\w*])(?:\*{1,3}|_{1,3}|~~)(?=\S) | !?\[ | <(?=[a-zA-Z/!]) | ^\|
    )
    """,
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
_WORD_JOINER = "\u2060"  # invisible
_JOINERS = {"\u200d", _WORD_JOINER}  # the first one is within emoji


def plain_text(markdown: str) -> str:
    """Take the markup, thoughts, HTML tags and control characters out of what a chat model wrote.

    Links become their words, pictures their descriptions, and an "@" before a name is parted from
    it by an invisible character, so that no platform takes it for a mention.
    """
    text = _THOUGHTS.sub("", markdown)
    lines = "".join(_blocks(_parser().parse(text)))
    # Entities may have stood for characters that are taken out here.
    kept = "".join(char for char in lines if _is_shown(char))
    kept = re.sub(r"[^\S\n]+", " ", kept)
    kept = re.sub(r" ?\n ?", "\n", kept)
    return _MENTION.sub("@" + _WORD_JOINER, re.sub(r"\n{3,}", "\n\n", kept).strip())


def plain_text_so_far(markdown: str) -> str:
    """The plain text of what a chat model is still writing, as far as nothing can change it.

    A word that may go on is left out, and so is markup that was not closed yet.
    """
    words = re.match(r"(?s).*\s", markdown)
    written = words.group().rstrip() if words else ""
    start = written.rfind("\n\n") + 1  # no markup goes beyond a paragraph
    marks = _MARKUP.finditer(written, start)
    return plain_text(written[: next((mark.start() for mark in marks if mark["open"]), None)])


def shortened(text: str) -> str:
    """The text up to the last sentence that is not too much to read."""
    if len(text) <= LONGEST_ANSWER:
        return text
    cut = text[:LONGEST_ANSWER]
    end = max(cut.rfind(mark) for mark in (". ", "! ", "? ", ".\n", "\n"))
    return cut[: end + 1].rstrip() if end > LONGEST_ANSWER // 2 else cut.rstrip() + "…"


def bare(text: str) -> str:
    """A few words as our own models give them: "Yes." becomes "yes"; sentences stay as they are."""
    words = text[:-1] if _SHORT.fullmatch(text) else text
    return words.lower() if words.lower() in _SMALL else words


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _blocks(tokens: Sequence[Token]) -> Iterator[str]:
    """The text of blocks: a line for each item and row, an empty line between paragraphs."""
    lists: list[int | None] = []  # the next number of each list around, None without numbers
    for token in tokens:
        match token.type:
            case "inline":
                yield from _inline(token.children or ())
            case "fence" | "code_block":
                yield token.content
                yield "\n"
            case "bullet_list_open":
                lists.append(None)
            case "ordered_list_open":
                lists.append(int(token.attrGet("start") or 1))
            case "bullet_list_close" | "ordered_list_close":
                lists.pop()
                yield "" if lists else "\n"
            case "list_item_open":
                number = lists[-1]
                yield "- " if number is None else f"{number}. "
                lists[-1] = None if number is None else number + 1
            case "paragraph_close" | "heading_close":
                yield "\n" if lists else "\n\n"
            case "td_close" | "th_close":
                yield " "
            case "tr_close":
                yield "\n"


def _inline(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        match token.type:
            case "text" | "code_inline" | "text_special":
                yield token.content
            case "softbreak" | "hardbreak":
                yield "\n"
            case "image":
                yield from _inline(token.children or ())


def _is_shown(char: str) -> bool:
    """Whether a character is text: no control character, and nothing that turns its direction."""
    return char in "\n\t" or char in _JOINERS or unicodedata.category(char) not in _UNSEEN


_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn"}
