"""Packed rows must compute exactly what each text would alone behind its prefix."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_data import TARGETS
from tiny_models import tiny_vlm
from torch import Tensor
from torch.nn import functional as F

from data.datasets.feature_cache import FeatureStore
from finetune.config import Lora
from finetune.image_features import CachedFeatures
from finetune.lora import Learner
from finetune.loss import Objective
from finetune.packing import Group, Segment, pack
from finetune.sampler import Visit

PROMPTS = [(5, 9, 30), (7,), (12, 60, 61, 62, 63), (40, 41), (5, 9, 30)]
ANSWERS = [(70, 0), (71, 72, 0), (0,), (73, 74, 75, 0), (76, 0)]
TEXTS = [Segment(p, a, 1.0 + i % 2) for i, (p, a) in enumerate(zip(PROMPTS, ANSWERS, strict=True))]


def objective(hub: Path, speaking: str) -> Objective:
    """The loss of a tiny model with LoRA that changes what it says, on two pictures."""
    learner = Learner(tiny_vlm(hub, speaking), Lora(4, 8, 0.0, tuple(TARGETS[speaking])))
    with torch.no_grad():
        for parameter in learner.lora_parameters:
            parameter.normal_(0, 0.1)
    learner.vlm.mapper.requires_grad_(True)
    states = np.random.default_rng(0).normal(size=(2, 17, 32)).astype(np.float16)
    return Objective(learner, CachedFeatures(FeatureStore({"a": 0, "b": 1}, [1, 1], [states])))


def visits(texts: list[Segment]) -> list[Visit]:
    """Two pictures with two texts each, and one text alone."""
    return [
        Visit("a", Group((texts[0], texts[1]), has_picture=True)),
        Visit(None, Group((texts[2],), has_picture=False)),
        Visit("b", Group((texts[3], texts[4]), has_picture=True)),
    ]


def alone(objective: Objective, image: str | None, text: Segment) -> Tensor:
    """The weighted loss of one text behind its prefix, as any tutorial would compute it."""
    vlm = objective.learner.vlm
    embeddings = vlm.embed(torch.tensor([[*text.prompt, *text.target]]))
    if image is not None:
        states = objective.features([Visit(image, Group((text,), has_picture=True))]).float()
        embeddings = torch.cat([vlm.mapper(vlm.tower.complete(states)), embeddings], dim=1)
    logits = objective.learner.language(inputs_embeds=embeddings).logits[0]
    count = len(text.target)
    losses = F.cross_entropy(logits[-count - 1 : -1], torch.tensor(text.target), reduction="sum")
    return losses * text.weight


def gradients(objective: Objective) -> list[Tensor]:
    learner = objective.learner
    parameters = [*learner.mapper_parameters, *learner.lora_parameters]
    found = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in parameters]
    for parameter in parameters:
        parameter.grad = None
    return found


@pytest.mark.parametrize("speaking", ["gpt-neox", "llama"])
def test_packed_texts_learn_as_each_alone(hub: Path, speaking: str) -> None:
    measure = objective(hub, speaking)
    total = measure(visits(TEXTS))
    total.backward()
    packed = gradients(measure)
    images = ["a", "a", None, "b", "b"]
    expected = sum(alone(measure, image, t) for image, t in zip(images, TEXTS, strict=True))
    expected.backward()
    torch.testing.assert_close(total, expected, rtol=1e-5, atol=1e-5)
    weight = sum(visit.group.weight for visit in visits(TEXTS))
    assert weight == sum(len(text.target) * text.weight for text in TEXTS)
    single = gradients(measure)
    assert max(float(g.abs().max()) for g in single) > 0.1
    for one, other in zip(packed, single, strict=True):
        scale = max(1.0, float(other.abs().max()))
        torch.testing.assert_close(one / scale, other / scale, rtol=0, atol=1e-5)


@pytest.mark.parametrize("changed", range(len(TEXTS)))
def test_a_neighbour_changes_nothing(hub: Path, changed: int) -> None:
    measure = objective(hub, "gpt-neox")

    def losses(texts: list[Segment]) -> list[float]:
        """The loss of each text, told apart by giving all others no weight."""
        found = []
        for i in range(len(texts)):
            weighed = [Segment(t.prompt, t.target, float(i == j)) for j, t in enumerate(texts)]
            found.append(float(measure(visits(weighed)).detach()))
        return found

    before = losses(TEXTS)
    other = [*TEXTS]
    other[changed] = Segment((90, 91, 92, 93), TEXTS[changed].target)
    after = losses(other)
    assert abs(before.pop(changed) - after.pop(changed)) > 1e-3
    assert after == pytest.approx(before, abs=1e-5)


def test_texts_alone_need_no_picture(hub: Path) -> None:
    measure = objective(hub, "llama")
    group = Visit(None, Group((TEXTS[0],), has_picture=False))
    total = measure([group, group])
    torch.testing.assert_close(total, 2 * alone(measure, None, TEXTS[0]), rtol=1e-5, atol=1e-5)


def test_the_layout_of_rows() -> None:
    text = Segment((1, 2), (3,))
    packed = pack(
        [Group((text,), True), Group((text, text), True), Group((text,), False)], 4, (14,)
    )
    assert packed.tokens.tolist() == [
        [0, 0, 0, 0, 1, 2, 3, 1, 2, 3, 1, 2, 3],
        [0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0, 0, 0],
    ]
    assert packed.places[0].tolist() == [0, 1, 2, 3, 4, 5, 6, 4, 5, 6, 4, 5, 6]
    assert packed.slots.tolist() == [13, 14, 15, 16, 0, 1, 2, 3]  # in the order of the groups
    assert packed.sources.tolist() == [5, 8, 11, 18]
    assert packed.labels.tolist() == [3, 3, 3, 3]


def test_rows_waste_little() -> None:
    rng = np.random.default_rng(1)
    groups = [Group((Segment((1,), tuple(range(int(n)))),), True) for n in rng.integers(5, 90, 60)]
    packed = pack(groups, 20, (192,))
    used = sum(group.length(20) for group in groups)
    assert used / packed.tokens.numel() > 0.9


def test_a_text_longer_than_a_row_still_fits() -> None:
    packed = pack([Group((Segment((1,), (2,) * 300),), True)], 4, (192,))
    assert packed.tokens.shape == (1, 305)


def test_hidden_positions_are_the_draw_s_and_only_while_learning(hub: Path) -> None:
    measure = objective(hub, "llama")
    group = Group((TEXTS[0],), has_picture=True)
    seen, hidden = Visit("a", group, 0.1), Visit("a", group, 0.1, dropout=0.5)
    other = Visit("a", group, 0.3, dropout=0.5)
    measure.learner.train()
    prefix = measure.prefix([seen, hidden, hidden, other])
    kept = hidden.kept(prefix.shape[1])
    assert 0 < kept.sum() < len(kept)
    assert seen.kept(prefix.shape[1]).all()
    assert not torch.equal(kept, other.kept(prefix.shape[1]))
    places = measure.learner.vlm.mapper.places
    torch.testing.assert_close(prefix[1], torch.where(kept[:, None], prefix[0], places))
    assert torch.equal(prefix[1], prefix[2])
    measure.learner.train(False)
    assert torch.equal(*measure.prefix([seen, hidden]).unbind())


# There is no GPU here. This device knows types and shapes but no numbers, and its tensors refuse
# most meetings with those of the CPU, as a GPU's would.
META = torch.device("meta")


@pytest.mark.parametrize("speaking", ["gpt-neox", "llama"])
def test_the_loss_and_its_gradients_are_computed_where_the_model_is(
    hub: Path, speaking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = objective(hub, speaking)
    learner = measure.learner
    learner.vlm.to(META)
    assert learner.vlm.device == META
    monkeypatch.setattr(learner, "autocast", nullcontext)  # has no settings for this device
    total = measure(visits(TEXTS))
    total.backward()
    assert total.device == META
    for parameter in learner.mapper_parameters + learner.lora_parameters:
        assert parameter.grad is not None
        assert parameter.grad.device == META
