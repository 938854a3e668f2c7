"""Objects as words in the prompt instead of prefix positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_data import TARGETS
from tiny_models import tiny_vlm
from torch import Tensor

from data.datasets.feature_cache import FeatureStore
from finetune.config import Lora
from finetune.image_features import CachedFeatures
from finetune.lora import Learner
from finetune.loss import Objective
from finetune.packing import Group, Segment
from finetune.research.variants import HiddenObjects, ObjectWords, object_lines
from finetune.sampler import Visit
from model.config import MapperConfig
from model.object_head import ObjectFacts
from model.prompts import CAPTION_PROMPT

NAMES = ("dog", "frisbee", "sky", "bus")
MAPPER = MapperConfig(
    "mlp", hidden_size=24, shuffle=2, objects=3, object_classes=len(NAMES), object_boxes=2
)


def facts(*rows: tuple[float, ...]) -> ObjectFacts:
    """These probabilities; dogs are two and at the left, what else there is has no place."""
    probabilities = torch.tensor(rows)
    counts, corners = torch.zeros_like(probabilities), torch.zeros(*probabilities.shape, 4)
    counts[:, 0], counts[:, 1] = 2, 1
    corners[:, 0] = torch.tensor([0.0, 0.2, 0.4, 0.9])
    corners[:, 1] = torch.tensor([0.3, 0.2, 0.6, 0.9])
    return ObjectFacts(probabilities, counts, corners)


def test_likely_objects_are_told_with_their_number_and_side() -> None:
    told = facts((0.9, 0.4, 0.1, 0.1), (0.4, 0.5, 0.6, 0.9), (0.1, 0.1, 0.1, 0.1))
    assert object_lines(told, NAMES, 3) == ["2 dog left, frisbee.\n", "bus, sky, frisbee.\n", ""]
    right = replace(told, corners=told.corners + torch.tensor([0.6, 0, 0.6, 0]))
    assert object_lines(right, NAMES, 1) == ["2 dog right.\n", "bus.\n", ""]


def test_dropped_objects_are_not_told() -> None:
    kept = torch.tensor([[False, True, True], [True, False, False]])
    told = facts((0.9, 0.4, 0.1, 0.1), (0.4, 0.5, 0.6, 0.9))
    assert object_lines(told, NAMES, 3, kept) == ["frisbee.\n", "bus.\n"]


class Heads:
    """Tells the same of every visit."""

    def __init__(self, *probabilities: float) -> None:
        self.probabilities = probabilities

    def __call__(self, visits: Sequence[Visit], hidden: Tensor) -> ObjectFacts:
        return facts(*[self.probabilities] * len(visits))


@pytest.fixture(scope="module")
def learner(hub: Path) -> Learner:
    vlm = tiny_vlm(hub, mapper=MAPPER)
    vlm.object_names = NAMES
    made = Learner(vlm, Lora(2, 4, 0.0, tuple(TARGETS["gpt-neox"])))
    made.train(False)
    return made


def losses(learner: Learner, kind: type[Objective], visits: Sequence[Visit]) -> list[float]:
    """Of the same visits, when the heads see a dog and when they see a bus."""
    states = np.random.default_rng(0).normal(size=(1, 17, 32)).astype(np.float16)
    objective = kind(learner, CachedFeatures(FeatureStore({"a": 0}, [1], [states])))
    found = []
    for heads in (Heads(0.9, 0.4, 0.1, 0.1), Heads(0.1, 0.1, 0.1, 0.9)):
        objective.objects = heads  # type: ignore[assignment]
        with torch.inference_mode():
            found.append(float(objective(visits)))
    return found


def test_hidden_objects_change_nothing_and_spoken_ones_do(learner: Learner) -> None:
    visits = [Visit("a", Group((Segment((5, 9), (70, 71, 0)),), has_picture=True), 0.4)]
    dog, bus = losses(learner, Objective, visits)
    assert dog != pytest.approx(bus, abs=1e-4)
    dog, bus = losses(learner, HiddenObjects, visits)
    assert dog == pytest.approx(bus, abs=1e-6)
    spoken = losses(learner, ObjectWords, visits)
    assert spoken[0] != pytest.approx(spoken[1], abs=1e-4)
    assert spoken[0] != pytest.approx(dog, abs=1e-4)


def test_prompts_are_learnt_as_they_are_asked(learner: Learner) -> None:
    vlm = learner.vlm
    objective = ObjectWords(learner, CachedFeatures(
        FeatureStore({"a": 0}, [1], [np.zeros((1, 17, 32), np.float16)])
    ))  # fmt: skip
    objective.objects = Heads(0.9, 0.4, 0.1, 0.1)  # type: ignore[assignment]
    text = Segment(tuple(vlm.tokens(CAPTION_PROMPT)), (70, 0), 2.0)
    alone = Visit(None, Group((text,), has_picture=False))
    shown = Visit("a", Group((text, text), has_picture=True))
    first, second, third = objective.with_words([alone, shown, replace(shown, dropout=1.0)])
    asked = vlm.tokens("2 dog left, frisbee.\n" + CAPTION_PROMPT)
    assert [list(segment.prompt) for segment in second.group.segments] == [asked, asked]
    assert {(segment.target, segment.weight) for segment in second.group.segments} == {((70, 0), 2)}
    assert (first, third) == (alone, replace(shown, dropout=1.0))  # all of its objects are dropped
    assert objective.with_words([alone]) == [alone]
