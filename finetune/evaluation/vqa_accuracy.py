"""VQA accuracy as the official evaluation computes it, its quirks included.

Antol et al. 2015 (arXiv 1505.00468). It follows the evaluation code of VQA v2, vqaEval.py of
github.com/GT-Vision-Lab/VQA (BSD-2-Clause), which normalises the model's answer and people's only
if people disagree; older versions of that file normalised the model's answer always.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

ENOUGH = 3  # people who must have given an answer for it to be right
_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'  # in the official order; no apostrophe, colon or full stop
_DIGIT_COMMA = re.compile(r"\d,\d")
# The official pattern, "(?!<=\d)(\.)(?!\d)", means to ask for no digit before the full stop but
# misspells it, so that only the digit after it counts. It is also given re.UNICODE, which is 32,
# as the most replacements to make.
_PERIOD = re.compile(r"\.(?!\d)")
_MOST_PERIODS = 32
ARTICLES = frozenset(["a", "an", "the"])
DIGITS = {
    "none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5",
    "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10",
}  # fmt: skip
# The official contraction table knows each contraction by its spellings with one apostrophe left
# out ("couldnt've" and "couldn'tve", but not "couldntve"), so the right spellings are enough to
# write it down. Its entries that change nothing are left out: "let's", "she's", and those with
# capitals ("Im"), since words are lower-cased first.
_CONTRACTIONS = """
    ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't
    haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am might've mightn't
    mightn't've must've mustn't needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've
    shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've someone'll
    someone's something'd something'd've something'll that's there'd there'd've there're there's
    they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're
    what's what've when's where'd where's where've who'd who'd've who'll who's who've why'll
    why're why's won't would've wouldn't wouldn't've y'all y'all'd've y'all'll you'd you'd've
    you'll you're you've
"""
CONTRACTIONS = {
    word[:at] + word[at + 1 :]: word
    for word in _CONTRACTIONS.split()
    for at, letter in enumerate(word)
    if letter == "'"
} | {"somebody'd": "somebodyd"}  # the official table has this one the wrong way round


def vqa_accuracy(answer: str, golds: Sequence[str]) -> float:
    """How right an answer is, 0..1.

    With ten human answers, 0, 1, 2, 3 and more equal ones score 0, 0.3, 0.6, 0.9 and 1: the mean,
    over leaving each person out, of min(1, equal answers of the others / 3). As in the official
    code, texts are normalised only if people disagree. Fewer than four answers could not score 1
    this way; there an answer is right (1) if it is one of them after normalisation, else wrong (0).

    Args:
        answer: What the model says.
        golds: One answer a person, repeated where people agree; at least one.
    """
    said, people = _clean(answer), [_clean(gold) for gold in golds]
    few = len(people) <= ENOUGH
    if few or len(set(people)) > 1:
        said, people = _normalise(said), [_normalise(gold) for gold in people]
    equal = sum(gold == said for gold in people)
    if few:
        return float(equal > 0)
    with_them = min(1.0, (equal - 1) / ENOUGH) * equal  # one of those who agree is left out
    without = min(1.0, equal / ENOUGH) * (len(people) - equal)
    return (with_them + without) / len(people)


def mean_accuracy(answers: Sequence[str], golds: Sequence[Sequence[str]]) -> float:
    """Mean VQA accuracy of answers, 0..100.

    Args:
        answers: What the model says.
        golds: People's answers to each question.
    """
    scores = [vqa_accuracy(text, people) for text, people in zip(answers, golds, strict=True)]
    return 100 * sum(scores) / max(1, len(scores))


def normalise(answer: str) -> str:
    """An answer as it is compared where people disagree: "The two dogs!" → "2 dogs"."""
    return _normalise(_clean(answer))


def strip_punctuation(text: str) -> str:
    """Remove punctuation: some of it altogether, some for a space.

    A mark is removed if it stands beside a space anywhere in the text, or if the text has a comma
    between digits; else each one becomes a space. Full stops go unless a digit follows.
    """
    commas = _DIGIT_COMMA.search(text) is not None
    stripped = text
    for mark in _PUNCTUATION:
        beside = f"{mark} " in text or f" {mark}" in text
        stripped = stripped.replace(mark, "" if beside or commas else " ")
    return _PERIOD.sub("", stripped, count=_MOST_PERIODS)


def rewrite_words(text: str) -> str:
    """Lower-case words without articles, numbers up to ten as digits, contractions spelt right."""
    words = [DIGITS.get(word, word) for word in text.lower().split()]
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


def _normalise(text: str) -> str:
    return rewrite_words(strip_punctuation(text))


def _clean(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()
