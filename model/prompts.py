"""What the language model reads and learns to write: prompts and targets, in one normal form.

Training, evaluation and inference share them: `<prefix>Caption: a dog runs<eos>`,
`<prefix>Question: What color is it? Answer: brown<eos>`. An adapter answers to the prompts that it
was trained with, so they never change under one (`PROMPT_VERSION`).
"""

from __future__ import annotations

import re

PROMPT_VERSION = 1
CAPTION_PROMPT = "Caption:"
_SPACES = re.compile(r"\s+")
# British spellings that training texts hardly hold, without the "u" and with an "a".
_COLOUR = re.compile(r"(colo)u(r)", re.IGNORECASE)
_GREY = re.compile(r"\b(gr)e(y)(?!hound)", re.IGNORECASE)


def question_prompt(question: str) -> str:
    """The prompt of a question, in one normal form however it was typed."""
    return f"Question: {normalise_question(question)} Answer:"


def prompt_for(question: str | None) -> str:
    """The prompt of a question, or of a caption for None."""
    return CAPTION_PROMPT if question is None else question_prompt(question)


def normalise_question(question: str) -> str:
    """One line, a capital first letter, exactly one question mark: "is it red" → "Is it red?".

    All capitals become sentence case, and "colour" and "grey" are spelt as in training texts.
    """
    text = _SPACES.sub(" ", question).strip().rstrip("?!. ")
    text = text.lower() if text.isupper() else text
    text = _COLOUR.sub(r"\1\2", text)
    text = _GREY.sub(lambda m: m[1] + ("A" if m[0].isupper() else "a") + m[2], text)
    return text[:1].upper() + text[1:] + "?"


def target_text(text: str) -> str:
    """What the model learns to write: lower case, one line, no final full stop, a leading space."""
    text = _SPACES.sub(" ", text).strip().rstrip(". ").lower()
    text = re.sub(r"\s+([,.;:!?'])", r"\1", text)
    return " " + text
