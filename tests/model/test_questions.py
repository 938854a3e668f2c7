"""Which questions take for granted what they are about."""

from __future__ import annotations

import pytest

from model.questions import takes_for_granted


@pytest.mark.parametrize(
    "question",
    [
        "Is the dog wet?",
        " is he smiling",
        "Are the people old?",
        "Does the man wear a hat?",
        "Is the man on a skateboard?",
        "Was this taken at night?",
        "Is it raining?",
        "Isn\u2019t the sky blue?",
        "Is this dangerous?",
        "Are those boys brothers?",
        "Is this photo black and white?",
    ],
)
def test_yes_or_no_about_something_that_is_there(question: str) -> None:
    assert takes_for_granted(question)


@pytest.mark.parametrize(
    "question",
    [
        "Is there a dog?",
        "Isn't there a dog?",
        "Are there any dogs in the picture?",
        "Is this a dog?",
        "Isn't this a dog?",
        "Is this one a dog?",
        "Could this be a dog?",
        "Does it look like a dog?",
        "Is the animal a cat?",
        "Is he a policeman?",
        "Is that an apple on the table?",
        "Are these dogs?",
        "Do you see a dog?",
        "Can you spot a dog?",
        "Can you see anybody?",
        "Is anybody there?",
        "Is a dog visible?",
        "Is the dog in the picture?",
        "Does the picture show a dog?",
        "Does this photo contain a dog?",
        "Is the dog black OR white?",
        "What is it?",
        "Island or sea?",
        "How many dogs are there?",
        "",
    ],
)
def test_what_may_well_not_be_so_and_all_other_questions(question: str) -> None:
    assert not takes_for_granted(question)
