"""What the object head says of answers: which questions ask for it, and what that changes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_models import picture, tiny_vlm

from data.datasets.objects import COCO_CLASSES
from finetune.evaluation.hallucination import SYNONYMS
from model.config import DecodingConfig, MapperConfig
from model.evidence import ASKED_FOR, asked_for, evidence_for
from model.generation import Evidence, beam, greedy
from model.object_names import CLASSES, class_of
from model.prompts import prompt_for
from model.vlm import PrefixVLM, Sight

NAMES = (
    "person", "dog", "potted plant", "traffic light", "skis", "car", "hot dog", "tv", "tree", "sky",
)  # fmt: skip
DECODING = DecodingConfig(presence_weight=1.0, count_weight=1.0)


@pytest.mark.parametrize(
    ("question", "name", "counts", "whole"),
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
    question: str, name: str | None, counts: bool, whole: bool
) -> None:
    asked = asked_for(question, NAMES)
    if name is None:
        assert asked is None
    else:
        assert asked is not None
        assert (NAMES[asked.place], asked.counts, asked.whole) == (name, counts, whole)


def test_the_classes_are_those_of_the_data_and_of_the_captions() -> None:
    assert [name.replace("|", " ") for name in CLASSES.split()] == list(COCO_CLASSES)
    assert all(class_of(name) == (name, True) for name in COCO_CLASSES)
    assert set(SYNONYMS) == set(COCO_CLASSES)


def test_names_that_mean_all_of_a_class_and_those_that_do_not() -> None:
    assert class_of("TVs") == ("tv", True)
    assert class_of("women") == ("person", False)
    assert class_of("unicorn") is None


# --- what it changes ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def vlm(hub: Path) -> PrefixVLM:
    sizes = MapperConfig("mlp", 12, objects=2, object_classes=len(NAMES), object_boxes=8)
    made = tiny_vlm(hub, "llama", mapper=sizes)
    made.object_names = NAMES
    return made


def sight(**there: float) -> Sight:
    """A sight with these probabilities; what is likely has two boxes."""
    likely = [there.get(name.replace(" ", "_"), 0.02) for name in NAMES]
    return Sight((), tuple(likely), tuple(2 * (p > 0.5) for p in likely))


def yes(vlm: PrefixVLM, seen: Sight, question: str, decoding: DecodingConfig = DECODING) -> float:
    return evidence_for(vlm, seen, question, decoding).get(tuple(vlm.tokens(" yes")), 0.0)


def test_what_is_seen_speaks_for_yes_and_what_is_not_for_no(vlm: PrefixVLM) -> None:
    seen = [yes(vlm, sight(dog=there), "Is there a dog?") for there in (0.01, 0.05, 0.4, 0.8)]
    assert seen == sorted(seen)
    assert seen[0] < seen[1] < 0 < seen[2]
    assert seen[2] == pytest.approx(math.log(0.4 / 0.6) + ASKED_FOR)
    half = replace(DECODING, presence_weight=0.5)
    assert yes(vlm, sight(dog=0.4), "Is there a dog?", half) == pytest.approx(seen[2] / 2)
    certain = yes(vlm, sight(dog=1.0), "Is there a dog?")
    assert 3 < certain < 6  # the head errs: it never outvotes everything


def test_a_question_for_more_is_only_ever_answered_no_by_it(vlm: PrefixVLM) -> None:
    assert yes(vlm, sight(dog=0.9), "Is there a dog on the couch?") == 0
    assert yes(vlm, sight(dog=0.02), "Is there a dog on the couch?") < -1
    assert yes(vlm, sight(person=0.9), "Is there a woman?") == 0
    assert yes(vlm, sight(person=0.02), "Is there a woman?") < -1


def test_the_number_of_boxes_is_the_likeliest_number(vlm: PrefixVLM) -> None:
    found = evidence_for(vlm, sight(dog=0.9), "How many dogs are there?", DECODING)
    two, three, nine = (found[tuple(vlm.tokens(f" {number}"))] for number in (2, 3, 9))
    assert two == 0
    assert nine < three < 0
    assert evidence_for(vlm, sight(dog=0.9), "How many dogs are asleep?", DECODING) == {}
    none = evidence_for(vlm, sight(dog=0.02), "How many dogs are asleep?", DECODING)
    assert none[tuple(vlm.tokens(" 0"))] == 0
    assert evidence_for(vlm, sight(sky=0.9), "How many skies are there?", DECODING) == {}


@pytest.mark.parametrize(
    ("seen", "question", "decoding"),
    [
        (sight(dog=0.9), None, DECODING),
        (sight(dog=0.9), "What is this?", DECODING),
        (sight(dog=0.9), "Is there a dog?", DecodingConfig()),
        (Sight(), "Is there a dog?", DECODING),
    ],
)
def test_nothing_is_added_where_nothing_is_known_or_wanted(
    vlm: PrefixVLM, seen: Sight, question: str | None, decoding: DecodingConfig
) -> None:
    assert not evidence_for(vlm, seen, question, decoding)


@pytest.mark.parametrize("search", ["greedy", "beam"])
@pytest.mark.parametrize("scales", [[], [0.5, 0.5, 1.0]])
def test_evidence_changes_the_tokens_it_is_about_of_its_own_row_only(
    vlm: PrefixVLM, search: str, scales: list[float]
) -> None:
    with torch.inference_mode():
        caches = vlm.prefill(vlm.encode([picture(seed) for seed in range(3)]))
    prompts = [prompt_for(f"Is there a dog {n}?") for n in range(3)]

    def write(evidence: list[Evidence]) -> list[tuple[int, ...]]:
        if search == "beam":
            done = beam(vlm, caches, prompts, 6, 2, 1.0, scales, evidence)
        else:
            done = greedy(vlm, caches, prompts, 6, scales, None, evidence)
        assert all(decoded.logprob <= 0 for decoded in done)
        return [decoded.tokens for decoded in done]

    plain = write([])
    first, last = vlm.tokens("yes")[0], vlm.tokens("no")[0]
    assert first not in plain[1][:1]
    pushed = write([{}, {(first,): 99.0}, {}])
    assert pushed[1][0] == first
    assert (pushed[0], pushed[2]) == (plain[0], plain[2])
    # A number may begin with the token of a space, which all numbers share.
    second = write([{}, {(first,): 99.0, (first, last): 99.0, (last, first): 99.0}, {}])
    assert second[1][:2] == (first, last)
