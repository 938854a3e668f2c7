"""What a question asks for: yes or no about something given, an object, how many."""

from __future__ import annotations

import pytest

from data.datasets.objects import COCO_CLASSES
from finetune.evaluation.hallucination import SYNONYMS
from model.questions import CLASSES, class_of, has_presupposition, parse_object_question

NAMES = (
    "person", "dog", "potted plant", "traffic light", "skis", "car", "hot dog", "tv", "tree", "sky",
)  # fmt: skip


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
    assert has_presupposition(question)


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
    assert not has_presupposition(question)


# --- questions for objects -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "name", "is_count", "exact"),
    [
        ("Is there a dog in the picture?", "dog", False, True),
        ("is there a  DOG", "dog", False, True),
        ("Are there any people here?", "person", False, True),
        ("Is anyone there?", None, False, False),
        ("Is there anyone in this photo?", "person", False, True),
        ("Does car exist in the image?", "car", False, True),
        ("Can you see a traffic light?", "traffic light", False, True),
        ("Does the picture show a television?", "tv", False, True),
        ("Is a hot dog visible in the photo?", "hot dog", False, True),
        ("any trees?", "tree", False, True),
        ("Is there sky in the picture?", "sky", False, True),
        ("How many dogs are there?", "dog", True, True),
        ("How many potted plants are there in the image?", "potted plant", True, True),
        ("how many people can you see", "person", True, True),
        ("How many dogs?", "dog", True, True),
        # More is asked for than the class: what is seen only bounds the answer.
        ("Is there a dog on the couch?", "dog", False, False),
        ("Is there a woman?", "person", False, False),
        ("Is there a person wearing a hat?", "person", False, False),
        ("How many dogs are asleep?", "dog", True, False),
        ("How many women are there?", "person", True, False),
        # Nothing of the kind.
        ("Is the dog wet?", None, False, False),
        ("Is there a cat or a dog?", None, False, False),
        ("Is there a car park?", None, False, False),
        ("Is there a dog house?", None, False, False),
        ("Is there a unicorn?", None, False, False),
        ("What colour is the dog?", None, False, False),
        ("Is this a dog?", None, False, False),
        ("", None, False, False),
    ],
)
def test_what_a_question_asks_for(
    question: str, name: str | None, is_count: bool, exact: bool
) -> None:
    asked = parse_object_question(question, NAMES)
    if name is None:
        assert asked is None
    else:
        assert asked is not None
        assert (NAMES[asked.class_index], asked.is_count, asked.exact) == (name, is_count, exact)


def test_the_classes_are_those_of_the_data_and_of_the_captions() -> None:
    assert [name.replace("|", " ") for name in CLASSES.split()] == list(COCO_CLASSES)
    assert all(class_of(name) == (name, True) for name in COCO_CLASSES)
    assert set(SYNONYMS) == set(COCO_CLASSES)


def test_names_that_mean_all_of_a_class_and_those_that_do_not() -> None:
    assert class_of("TVs") == ("tv", True)
    assert class_of("women") == ("person", False)
    assert class_of("unicorn") is None
