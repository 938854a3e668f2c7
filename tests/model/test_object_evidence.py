"""What the object head says of answers changes what is written."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_models import picture, tiny_vlm

from model.config import DecodingConfig, MapperConfig
from model.detections import Detections
from model.generation import PRIOR_SHIFT, Evidence, beam, evidence_for, greedy
from model.prompts import prompt_for
from model.vlm import PrefixVLM

NAMES = (
    "person", "dog", "potted plant", "traffic light", "skis", "car", "hot dog", "tv", "tree", "sky",
)  # fmt: skip
DECODING = DecodingConfig(presence_weight=1.0, count_weight=1.0)


@pytest.fixture(scope="module")
def vlm(hub: Path) -> PrefixVLM:
    sizes = MapperConfig("mlp", 12, objects=2, object_classes=len(NAMES), object_boxes=8)
    made = tiny_vlm(hub, "llama", mapper=sizes)
    made.object_names = NAMES
    return made


def detections(**there: float) -> Detections:
    """Detections with these probabilities; what is likely has two boxes."""
    likely = [there.get(name.replace(" ", "_"), 0.02) for name in NAMES]
    return Detections((), tuple(likely), tuple(2 * (p > 0.5) for p in likely))


def yes(
    vlm: PrefixVLM, seen: Detections, question: str, decoding: DecodingConfig = DECODING
) -> float:
    return evidence_for(vlm, seen, question, decoding).get(tuple(vlm.tokens(" yes")), 0.0)


def test_what_is_seen_speaks_for_yes_and_what_is_not_for_no(vlm: PrefixVLM) -> None:
    seen = [yes(vlm, detections(dog=there), "Is there a dog?") for there in (0.01, 0.05, 0.4, 0.8)]
    assert seen == sorted(seen)
    assert seen[0] < seen[1] < 0 < seen[2]
    assert seen[2] == pytest.approx(math.log(0.4 / 0.6) + PRIOR_SHIFT)
    half = replace(DECODING, presence_weight=0.5)
    assert yes(vlm, detections(dog=0.4), "Is there a dog?", half) == pytest.approx(seen[2] / 2)
    certain = yes(vlm, detections(dog=1.0), "Is there a dog?")
    assert 3 < certain < 6  # the head errs: it never outvotes everything


def test_a_question_for_more_is_only_ever_answered_no_by_it(vlm: PrefixVLM) -> None:
    assert yes(vlm, detections(dog=0.9), "Is there a dog on the couch?") == 0
    assert yes(vlm, detections(dog=0.02), "Is there a dog on the couch?") < -1
    assert yes(vlm, detections(person=0.9), "Is there a woman?") == 0
    assert yes(vlm, detections(person=0.02), "Is there a woman?") < -1


def test_the_number_of_boxes_is_the_likeliest_number(vlm: PrefixVLM) -> None:
    found = evidence_for(vlm, detections(dog=0.9), "How many dogs are there?", DECODING)
    two, three, nine = (found[tuple(vlm.tokens(f" {number}"))] for number in (2, 3, 9))
    assert two == 0
    assert nine < three < 0
    assert evidence_for(vlm, detections(dog=0.9), "How many dogs are asleep?", DECODING) == {}
    none = evidence_for(vlm, detections(dog=0.02), "How many dogs are asleep?", DECODING)
    assert none[tuple(vlm.tokens(" 0"))] == 0
    assert evidence_for(vlm, detections(sky=0.9), "How many skies are there?", DECODING) == {}


@pytest.mark.parametrize(
    ("seen", "question", "decoding"),
    [
        (detections(dog=0.9), None, DECODING),
        (detections(dog=0.9), "What is this?", DECODING),
        (detections(dog=0.9), "Is there a dog?", DecodingConfig()),
        (Detections(), "Is there a dog?", DECODING),
    ],
)
def test_nothing_is_added_where_nothing_is_known_or_wanted(
    vlm: PrefixVLM, seen: Detections, question: str | None, decoding: DecodingConfig
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
