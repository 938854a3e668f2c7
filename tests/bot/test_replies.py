"""Answers and captions read as if a person had written them."""

from __future__ import annotations

import pytest

from bot.assistant.locale.texts import ENGLISH
from bot.assistant.wording import say_answer, say_caption

CANNOT_TELL = "I can't tell from this picture."


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("a brown dog running through grass", "A brown dog running through grass."),
        ("a brown dog runs .", "A brown dog runs."),
        ("A brown dog runs.", "A brown dog runs."),
        ("two dogs , one brown , play", "Two dogs, one brown, play."),
        ("a man 's dog does n't run", "A man's dog doesn't run."),
        ("a man watches tv in the usa", "A man watches TV in the USA."),
        ("i think i'm on the wii", "I think I'm on the Wii."),
        ("iphone on a table", "iPhone on a table."),
        ("a santa claus in new york", "A Santa Claus in New York."),
        ("the wii's box on tvs", "The Wii's box on TVs."),
        ("a usable island in a stvision", "A usable island in a stvision."),
        ("a dog . it runs .", "A dog. It runs."),
        ('a sign says " stop . "', 'A sign says "stop".'),
        ("a sign says `` stop ''", 'A sign says "stop".'),
        ("a ' plane ' sign", "A 'plane' sign."),
        ("a dog !!", "A dog."),
        ("a dog ?.", "A dog."),
        ("a dog ...", "A dog."),
        ("a dog , . ; runs", "A dog; runs."),
        ("- a  dog\n runs", "A dog runs."),
        ("cat,person", "Cat, person."),
        ("<unk> dog </s>", "Dog."),
        ("( red ) bus", "(red) bus."),
        ("", CANNOT_TELL),
        (" . ", CANNOT_TELL),
    ],
)
def test_caption(raw: str, said: str) -> None:
    assert say_caption(raw, ENGLISH) == said


@pytest.mark.parametrize(
    ("raw", "question", "said"),
    [
        ("yes", "Is it red?", "Yes."),
        ("no", "Is it red?", "No."),
        ("brown", "What color is it?", "Brown."),
        ("on the beach", "Where are they?", "On the beach."),
        ("2", "How many dogs are there?", "Two."),
        ("12", "how many?", "Twelve."),
        ("13", "How many?", "13."),
        ("100", "How many?", "100."),
        ("0", "How many dogs are there?", "None."),
        ("0 dogs", "How many dogs are there?", "No dogs."),
        ("3 dogs", "How many dogs are there?", "Three dogs."),
        ("2 or 3", "How many dogs are there?", "Two or three."),
        ("2-3", "How many?", "2-3."),
        ("2.5", "How many?", "2.5."),
        ("10+", "How many?", "10+."),
        ("20%", "How many percent?", "20%."),
        ("1,000", "How many?", "1,000."),
        ("several", "How many?", "Several."),
        ("2", "What is the number of dogs?", "Two."),
        ("2", "What number of dogs is there?", "Two."),
        ("7", "What number is on the shirt?", "7."),
        ("7", "What is the number of the bus?", "7."),
        ("2", "What time is it?", "2."),
        ("11 : 55", "What time is it?", "11:55."),
        ("10:30", "What time is it?", "10:30."),
        ("9 a.m.", "What time is it?", "9 a.m."),
        ("u.s.", "Which country?", "U.S."),
        ("50 %", "How much?", "50%."),
        ("-5", "How cold is it?", "-5."),
        ("unknown", "What is it?", CANNOT_TELL),
        ("", "What is it?", CANNOT_TELL),
    ],
)
def test_answer(raw: str, question: str, said: str) -> None:
    assert say_answer(raw, question, ENGLISH) == said


@pytest.mark.parametrize(
    ("raw", "question", "said"),
    [
        ("yes", "Is it red?", "I'm not sure, but I'd say yes."),
        ("2", "How many dogs are there?", "I'm not sure, but I'd say two."),
        ("0", "How many dogs are there?", "I'm not sure, but I'd say none."),
        ("7", "What number is it?", "I'm not sure, but I'd say 7."),
        ("brown", "What color is it?", "I'm not sure, but I'd say brown."),
        ("on the beach", "Where are they?", "I'm not sure, but I'd say on the beach."),
        ("surfing", "What is he doing?", "I'm not sure, but I'd say surfing."),
        ("a dog .", "What is it?", "I'm not sure, but it looks like a dog."),
        ("tv", "What is it?", "I'm not sure, but I'd say TV."),
        ("unsure", "What is it?", CANNOT_TELL),
    ],
)
def test_unsure_answer(raw: str, question: str, said: str) -> None:
    assert say_answer(raw, question, ENGLISH, sure=False) == said


def test_unsure_caption() -> None:
    said = say_caption("a brown dog runs .", ENGLISH, sure=False)
    assert said == "I'm not sure, but it looks like a brown dog runs."
    assert say_caption("", ENGLISH, sure=False) == CANNOT_TELL
