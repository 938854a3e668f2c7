import math
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pycocoevalcap.cider.cider import Cider
from training import adapter_bytes, make_trainer

from data.datasets.objects import ImageObjects
from finetune.errors import TrainingError
from finetune.evaluation.metrics import words
from finetune.scst import CiderD, Critic
from model.generation import Decoded
from model.prompts import CAPTION_PROMPT

PEOPLE = {
    "dog": ["a brown dog runs through grass", "the dog is running in the grass", "a dog"],
    "boat": ["a red boat on the water", "a boat floats on a lake", "boat"],
    "man": ["a man in a red shirt climbs a rock", "a climber on the rock", "man climbing up"],
}


def test_cider_d_equals_pycocoevalcaps() -> None:
    texts = {
        "dog": "a dog runs in the grass",
        "boat": "a red red boat",
        "man": "two cats and a zoo",
    }
    ours = CiderD({name: [words(text) for text in people] for name, people in PEOPLE.items()})
    _, theirs = Cider().compute_score(PEOPLE, {name: [text] for name, text in texts.items()})
    found = [ours(words(texts[name]), name) for name in PEOPLE]
    assert found == pytest.approx(list(theirs))
    assert found[0] > found[1] > found[2] == 0
    assert ours([], "dog") == 0


def test_captions_are_weighted_by_how_much_better_than_the_others_they_are(
    tmp_path: Path, hub: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(tmp_path, hub, data, critic_samples=3, critic_weight=2.0)
    critic, vlm = trainer.critic, trainer.vlm
    visits = trainer.mixture.visits(0, 4, 2)
    described = [visit for visit in visits if visit.image in trainer.mixture.captions]
    assert 0 < len(described) < len(visits)
    best = trainer.mixture.captions[str(described[0].image)][0]

    def draw(self: Critic, seen: object, count: int) -> list[Decoded]:
        texts = [best, "zebra", "zebra"] + ["zebra"] * 3 * (len(described) - 1)
        return [Decoded(text, tuple(vlm.target(text)), 0.0) for text in texts]

    monkeypatch.setattr(Critic, "_draw", draw)
    judged = critic.judge(visits)
    assert [visit.image for visit in judged] == [visit.image for visit in visits]
    prompt = tuple(vlm.tokens(CAPTION_PROMPT))
    first = judged[visits.index(described[0])]
    captions = [segment for segment in first.group.segments if segment.prompt == prompt]
    weights = [segment.weight for segment in captions]
    assert captions[0].target == tuple(vlm.target(best))
    assert weights[0] > 0 > weights[1] == weights[2]
    assert math.isclose(sum(weights), 0, abs_tol=1e-5)
    assert critic.reward > 0
    asked = [s for s in described[0].group.segments if s.prompt != prompt]
    assert asked == [s for s in first.group.segments if s.prompt != prompt]
    untouched = [visit for visit in visits if visit not in described]
    assert untouched == [visit for visit in judged if visit in untouched]


def test_training_by_its_own_captions_raises_their_reward(
    tmp_path: Path, hub: Path, data: Path
) -> None:
    trainer = make_trainer(
        tmp_path,
        hub,
        data,
        **{"steps": 60, "mapper_steps": 0, "mapper_rate": 0.02, "lora_rate": 0.02},
        **{"critic_from": 0.2, "critic_samples": 6, "critic_weight": 9.0},
    )
    # Untrained models say nothing that people say, so let a letter be what is wanted.
    trainer.critic._cider = lambda text, image: float("".join(text).count("a"))  # type: ignore[assignment]
    rewards = []
    while trainer.progress.step < 60:
        trainer._step()
        rewards.append(trainer.critic.reward)
    assert rewards[:12] == [0.0] * 12
    assert 0 < 2 * sum(rewards[12:20]) < sum(rewards[-8:])


def test_drawing_is_repeatable_and_leaves_training_on(
    tmp_path: Path, hub: Path, data: Path
) -> None:
    trainer = make_trainer(tmp_path, hub, data)
    visits = [v for v in trainer.mixture.visits(0, 3, 0) if v.image in trainer.mixture.captions]
    texts = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        texts.append([drawn.tokens for drawn in trainer.critic._draw(visits, 4)])
    assert texts[0] == texts[1] != texts[2]
    assert len(texts[0]) == 4 * len(visits)
    assert trainer.vlm.mapper.training


def test_a_run_may_go_on_from_the_adapter_of_its_profile(
    tmp_path: Path, hub: Path, data: Path
) -> None:
    first = make_trainer(tmp_path / "first", hub, data).train()
    more = make_trainer(
        tmp_path / "more",
        hub,
        data,
        profile={"adapter": str(first)},
        changes={"continues": True},
        **{"steps": 1, "mapper_rate": 0.0, "lora_rate": 0.0},
    )
    again = more.train()
    card, before = (tomllib.loads((f / "adapter.toml").read_text()) for f in (again, first))
    assert card["training"]["after"] == before["training"]
    assert adapter_bytes(again) == adapter_bytes(first)


def test_a_run_cannot_go_on_from_other_lora(tmp_path: Path, hub: Path, data: Path) -> None:
    first = make_trainer(tmp_path / "first", hub, data).train()
    other = {"rank": 3, "alpha": 4, "dropout": 0.0, "targets": ["dense"]}
    changes = {"continues": True, "lora": other}
    more = make_trainer(
        tmp_path / "more", hub, data, profile={"adapter": str(first)}, changes=changes
    )
    with pytest.raises(TrainingError, match="is not what the recipe asks for"):
        more.train()


def test_captions_pay_for_objects_that_nobody_sees_in_the_picture(
    tmp_path: Path, hub: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(tmp_path, hub, data, critic_samples=2)
    critic, vlm = trainer.critic, trainer.vlm
    critic.schedule = replace(critic.schedule, critic_absent=0.5)
    visit = next(v for v in trainer.mixture.visits(0, 4, 0) if v.image in critic._captions)
    image = str(visit.image)
    monkeypatch.setattr(critic, "_captions", {image: ["a lamp beside a puppy"]})
    critic.objects = {image: ImageObjects((), {"cat": 0.4, "car": 0.05}, frozenset({"chair"}))}
    assert critic.absent("a cat on a chair with a dog", image) == set()
    assert critic.absent("a car and two buses in the sky", image) == {"car", "bus"}
    assert critic.absent("a car", "another picture") == set()

    def draw(self: Critic, seen: object, count: int) -> list[Decoded]:
        texts = ["a zebra lives here", "a lady lives here"]
        return [Decoded(text, tuple(vlm.target(text)), 0.0) for text in texts]

    monkeypatch.setattr(Critic, "_draw", draw)
    for people, better in ((frozenset({"person"}), 1), (frozenset({"zebra"}), 0)):
        critic.objects = {image: ImageObjects((), {}, people)}
        (judged,) = critic.judge([visit])
        weights = [s.weight for s in judged.group.segments if s.prompt == critic._prompt]
        assert weights[better] > 0 > weights[1 - better]
