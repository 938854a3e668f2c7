"""VQA accuracy, rule by rule, against cases worked out by hand from the official code."""

from __future__ import annotations

import pytest

from finetune.evaluation.vqa_accuracy import (
    CONTRACTIONS,
    normalise,
    rewrite_words,
    strip_punctuation,
    vqa_accuracy,
)


@pytest.mark.parametrize(
    ("agree", "accuracy"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (9, 1.0), (10, 1.0)]
)
def test_each_person_is_left_out_once(agree: int, accuracy: float) -> None:
    golds = ["cat"] * agree + ["dog", "bird"] * 5
    assert vqa_accuracy("cat", golds[:10]) == pytest.approx(accuracy)


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("black-white", "black white"),  # alone: a space
        ("black - white", "black  white"),  # beside a space: nothing
        ("red/blue - x", "red blue  x"),  # each mark by itself
        ("a-b -c", "ab c"),  # one place beside a space decides for all
        ("what?", "what "),
        ("1,000", "1000"),
        ("1,000-2", "10002"),  # a comma between digits removes every mark
        ("1, 2", "1 2"),
        ("it's 5:30", "it's 5:30"),  # apostrophes and colons stay
        ("no.", "no"),
        ("3.5", "3.5"),
        (".5", ".5"),
        ("5.", "5"),  # meant to stay after a digit; the pattern's misspelling removes it
        ("a.b.c", "abc"),
        ("x" + "." * 40, "x" + "." * 8),  # re.UNICODE, 32, is passed as the count
    ],
)
def test_punctuation(text: str, stripped: str) -> None:
    assert strip_punctuation(text) == stripped


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("The Two  Dogs", "2 dogs"),
        ("none", "0"),
        ("ten", "10"),
        ("eleven", "eleven"),
        ("an apple a day", "apple day"),
        ("a", ""),
        ("dont", "don't"),
        ("Im", "im"),  # lower case misses the official table's "Im"
        ("couldnt've couldn'tve couldntve", "couldn't've couldn't've couldntve"),
        ("somebody'd", "somebodyd"),  # the wrong way round in the official table
        ("ow's'at 'ows'at 'ow'sat", "'ow's'at 'ow's'at 'ow's'at"),
    ],
)
def test_words(text: str, rewritten: str) -> None:
    assert rewrite_words(text) == rewritten


def test_the_contraction_table_is_whole() -> None:
    assert len(CONTRACTIONS) == 114
    assert CONTRACTIONS["y'alld've"] == "y'all'd've"
    assert CONTRACTIONS["hed"] == "he'd"


def test_only_answers_that_people_disagree_on_are_normalised() -> None:
    assert vqa_accuracy("Yes!", ["yes"] * 10) == 0
    assert vqa_accuracy("yes\n", ["yes\t"] * 10) == 1
    assert vqa_accuracy("Yes.", ["yes"] * 9 + ["no"]) == 1
    assert vqa_accuracy("2", ["two"] * 10) == 0
    assert vqa_accuracy("2", ["two"] * 9 + ["3"]) == 1


def test_few_answers_need_one_equal_one() -> None:
    assert vqa_accuracy("The dog", ["dog."]) == 1
    assert vqa_accuracy("dogs", ["dog"]) == 0
    assert vqa_accuracy("two", ["1", "2"]) == 1
    assert vqa_accuracy("red", ["red"] * 4) == 1
    assert normalise(" The\ttwo dogs!\n") == "2 dogs"
