"""The templates: what an adapter is trained with must never change under it."""

from __future__ import annotations

import pytest

from model.prompts import PROMPT_VERSION, normalise_question, prompt_for, target_text


def test_the_prompts_of_version_one_as_adapters_were_trained_with_them() -> None:
    assert PROMPT_VERSION == 1
    assert prompt_for(None) == "Caption:"
    assert prompt_for("is it red") == "Question: Is it red? Answer:"


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("is it red", "Is it red?"),
        ("Is it red?", "Is it red?"),
        ("  is\tit \n red ?!? ", "Is it red?"),
        ("is it a TV?", "Is it a TV?"),
        ("IS IT RED??", "Is it red?"),
        ("HOW MANY DOGS", "How many dogs?"),
        ("what COLOUR is it", "What COLOR is it?"),
        ("Colours or coloured?", "Colors or colored?"),
        ("is the grey cat greyish", "Is the gray cat grayish?"),
        ("Grey?", "Gray?"),
        ("GREY OR RED", "Gray or red?"),
        ("is it a greyhound", "Is it a greyhound?"),
        ("is Agrey here", "Is Agrey here?"),
        ("是红色吗", "是红色吗?"),
    ],
)
def test_one_normal_form_however_a_question_was_typed(typed: str, normal: str) -> None:
    assert normalise_question(typed) == normal
    assert normalise_question(normal) == normal


@pytest.mark.parametrize(
    ("written", "learnt"),
    [
        ("Two", " two"),
        ("A dog runs . ", " a dog runs"),
        ("a man 's hat , a dog .", " a man's hat, a dog"),
        ("a\n b", " a b"),
    ],
)
def test_what_the_model_learns_to_write(written: str, learnt: str) -> None:
    assert target_text(written) == learnt
