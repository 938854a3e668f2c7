"""Tags that a text implies without a picture, and the prefixes that are made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_data import TARGETS
from tiny_models import tiny_vlm

from data.datasets.feature_cache import FeatureStore
from data.datasets.objects import COCO_CLASSES
from finetune.config import Lora
from finetune.errors import TrainingError
from finetune.image_features import CachedFeatures
from finetune.implied_tags import ImpliedTags
from finetune.lora import Learner
from finetune.loss import Objective
from finetune.packing import Group, Segment
from finetune.sampler import Visit
from model.config import MapperConfig
from model.object_head import ObjectFacts

WORDS = ["dog", "cat", "frisbee", "sofa", "grass"]
TEXTS = {"dog": "A puppy on the grass", "cat": "A cat on a sofa"}
MAPPER = MapperConfig(
    "mlp", hidden_size=24, shuffle=2, dropout=0.1, words=2, vocabulary=len(WORDS), objects=3,
    object_classes=80,
)  # fmt: skip
DOG, CAT = (COCO_CLASSES.index(name) for name in ("dog", "cat"))


def tags() -> ImpliedTags:
    """From 60 pictures: half of a dog, which the detector sees, and now and then a frisbee.

    No caption tells of the frisbee, and no cat has one.
    """
    rng = torch.Generator().manual_seed(3)
    captions, words = {}, torch.randn(60, len(WORDS), generator=rng) * 0.3 - 3
    there = torch.rand(60, len(COCO_CLASSES), generator=rng) * 0.04
    for row in range(60):
        dog = row % 2 == 0
        captions[f"{row}.jpg"] = [TEXTS["dog" if dog else "cat"]]
        words[row, [0, 4] if dog else [1, 3]] += 5
        there[row, DOG if dog else CAT] = 0.9
        if row % 4 == 0:
            words[row, 2] += 6
    counts, corners = torch.ones(60, 80), torch.rand(60, 80, 4, generator=rng)
    return ImpliedTags(captions, words, ObjectFacts(there, counts, corners), WORDS, COCO_CLASSES)


def implies(text: str, draw: float = 0.3, dropout: float = 0.0) -> Visit:
    group = Group((Segment((5, 9), (70, 0)),), has_picture=True)
    return Visit(None, group, draw, dropout=dropout, implied=text)


def shows(image: str, draw: float = 0.5) -> Visit:
    return Visit(image, Group((Segment((7,), (71, 72, 0)),), has_picture=True), draw)


@pytest.fixture(scope="module")
def implied() -> ImpliedTags:
    return tags()


# --- tags of texts -----------------------------------------------------------------------------


def test_tags_of_a_visit_are_always_the_same_and_others_at_another_draw(
    implied: ImpliedTags,
) -> None:
    visits = [implies(TEXTS["dog"], draw / 10) for draw in range(10)]
    words, facts = implied(visits)
    again, likewise = tags()(visits[::-1])
    assert torch.equal(again.flip(0), words)
    assert torch.equal(likewise.probabilities.flip(0), facts.probabilities)
    assert len(words.unique(dim=0)) > 5


def test_what_a_text_names_is_likelier_than_in_another_text(implied: ImpliedTags) -> None:
    draws = [draw / 20 for draw in range(20)]
    one, two = (implied([implies(TEXTS[kind], draw) for draw in draws]) for kind in ("dog", "cat"))
    for words in (one[0], two[0]):
        assert words.shape == (20, len(WORDS))
    for column, sign in ((0, 1), (4, 1), (1, -1), (3, -1)):
        assert ((one[0] - two[0])[:, column] * sign > 2).all()
    assert (one[1].probabilities[:, DOG] > two[1].probabilities[:, DOG] + 0.5).all()
    assert (two[1].probabilities[:, CAT] > one[1].probabilities[:, CAT] + 0.5).all()


def test_names_that_are_no_known_words_imply_their_class(implied: ImpliedTags) -> None:
    _, facts = implied([implies("Puppies"), implies("Two kittens")])
    dog, cat = facts.probabilities[:, DOG], facts.probabilities[:, CAT]
    assert dog[0] > dog[1]
    assert cat[1] > cat[0]


def test_nothing_is_known_of_places_and_numbers(implied: ImpliedTags) -> None:
    _, facts = implied([implies(text) for text in TEXTS.values()])
    assert facts.counts.shape == (2, 80)
    assert facts.corners.shape == (2, 80, 4)
    assert not facts.counts.any()
    assert not facts.corners.any()


def test_noise_is_that_of_pictures_with_such_captions(implied: ImpliedTags) -> None:
    """What is there beside what captions tell of comes with it, and with nothing else."""
    draws = [draw / 40 for draw in range(40)]
    dog, cat = (
        implied([implies(TEXTS[kind], draw) for draw in draws])[0][:, 2] for kind in ("dog", "cat")
    )
    assert 5 < (dog > 0).sum() < 35
    assert not (cat > 0).any()


def test_texts_of_unknown_words_have_tags_too(implied: ImpliedTags) -> None:
    words, facts = implied([implies("xyzzy")])
    assert words.isfinite().all()
    assert facts.probabilities.isfinite().all()


def test_tags_need_pictures_to_learn_from() -> None:
    facts = ObjectFacts(torch.empty(0, 80), torch.empty(0, 80), torch.empty(0, 80, 4))
    with pytest.raises(TrainingError, match=r"^\[\[implied\]\] needs captioned pictures"):
        ImpliedTags({}, torch.empty(0, len(WORDS)), facts, WORDS, COCO_CLASSES)


# --- prefixes ----------------------------------------------------------------------------------


@pytest.fixture
def objective(hub: Path, implied: ImpliedTags) -> Objective:
    """The loss of a tiny model, two pictures, and implied tags; its mapper learns."""
    learner = Learner(tiny_vlm(hub, mapper=MAPPER), Lora(2, 4, 0.0, tuple(TARGETS["gpt-neox"])))
    states = np.random.default_rng(0).normal(size=(2, 17, 32)).astype(np.float16)
    features = CachedFeatures(FeatureStore({"a": 0, "b": 1}, [1, 1], [states]))
    made = Objective(learner, features)
    made.implied = implied
    learner.train(False)
    return made


def test_prefixes_follow_the_visits_that_have_one(objective: Objective) -> None:
    alone = Visit(None, Group((Segment((5,), (6, 0)),), has_picture=False))
    dog, cat = implies(TEXTS["dog"], 0.1), implies(TEXTS["cat"], 0.2)
    with_prefix = [dog, shows("b"), cat, shows("a"), shows("b", 0.7)]
    mixed = [dog, alone, *with_prefix[1:4], alone, with_prefix[4]]
    with torch.inference_mode():
        together = objective.prefix(mixed)
        each = torch.cat([objective.prefix([visit]) for visit in with_prefix])
    torch.testing.assert_close(together, each)
    assert not torch.equal(together[1], together[3])


@pytest.mark.parametrize("learns", [True, False])
def test_beside_the_tags_of_a_text_a_prefix_holds_only_places(
    objective: Objective, learns: bool
) -> None:
    mapper = objective.learner.vlm.mapper
    visits = [implies(TEXTS["dog"], draw / 30, dropout=0.4) for draw in range(30)]
    tagged = MAPPER.words + MAPPER.objects
    with torch.inference_mode():
        whole = objective.prefix(visits)
        objective.learner.train(learns)
        prefix = objective.prefix(visits)
    rest = mapper.positions - tagged
    assert torch.equal(prefix[:, :rest], mapper.places[:rest].expand(30, -1, -1))
    hidden = (prefix[:, rest:] == mapper.places[rest:]).all(-1)  # (30, tags)
    torch.testing.assert_close(prefix[:, rest:][~hidden], whole[:, rest:][~hidden])
    share = hidden.float().mean()
    assert 0.25 < share < 0.55 if learns else share == 0


def test_texts_without_pictures_teach_the_names_of_tags_and_no_patches(
    objective: Objective,
) -> None:
    mapper = objective.learner.vlm.mapper
    mapper.requires_grad_(True)
    assert mapper.objects is not None
    loss = objective([implies(text) for text in TEXTS.values()])
    loss.backward()
    names = mapper.objects.names.weight.grad
    assert names is not None
    assert names[[DOG, CAT]].abs().amax(dim=1).min() > 0
    assert all(weight.grad is None for weight in mapper.body.parameters())
