"""A whole run with an object head and texts that imply tags: it starts, goes on, and is loaded."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from safetensors.torch import load_file
from tiny_data import scene, scenes_table, seeing, write_profile, write_rows, write_scenes
from training import adapter_bytes, make_trainer

from data.datasets.objects import COCO_CLASSES
from finetune.benchmark import _simplified
from finetune.checkpoint import interpolate_weights
from finetune.errors import TrainingError
from finetune.object_head import FILE
from finetune.research import sanity
from finetune.trainer import Trainer
from model.adapter import load_trained
from model.config import load_profile
from model.errors import AdapterError


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of scenes with boxes, captions, and texts without pictures."""
    folder = tmp_path_factory.mktemp("data")
    write_scenes(folder / "scenes")
    rows = [{"question": f"Is it {n}?", "answer": "no"} for n in range(9)]
    write_rows(folder / "scenes/alone.jsonl", rows)
    return folder


def trainer_in(folder: Path, hub: Path, scenes: Path, **more: Any) -> Trainer:
    """A trainer of scenes; `more` are changes of its recipe."""
    changes, profile = scenes_table(steps=6, checkpoint_steps=3) | more, seeing(hub)
    return make_trainer(folder, hub, scenes, changes=changes, profile=profile)


@pytest.fixture(scope="module")
def straight(hub: Path, scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """A run that went through."""
    torch.set_num_threads(1)
    trainer = trainer_in(tmp_path_factory.mktemp("runs") / "straight", hub, scenes)
    trainer.train()
    return trainer


def refuses(*_: object) -> None:
    raise AssertionError("The head was fitted once more.")


def test_a_run_goes_on_to_the_same_weights_without_fitting_the_head_again(
    hub: Path, scenes: Path, straight: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = trainer_in(tmp_path, hub, scenes)
    draw = stopped.mixture.visits

    def visits(step: int, pictures: int, texts: int) -> object:
        return refuses() if step == 4 else draw(step, pictures, texts)

    stopped.mixture.visits = visits  # type: ignore[method-assign, assignment]
    with pytest.raises(AssertionError):
        stopped.train()
    monkeypatch.setattr("finetune.trainer.fit_objects", refuses)
    resumed = trainer_in(tmp_path, hub, scenes)
    folder = resumed.train(resume=True)
    assert resumed.progress.losses == straight.progress.losses
    assert adapter_bytes(folder) == adapter_bytes(straight.run / "adapter")
    names = [tomllib.loads((f / "adapter.toml").read_text(encoding="utf-8"))["objects"]["names"]
             for f in (folder, straight.run / "adapter")]  # fmt: skip
    assert names == [list(COCO_CLASSES)] * 2


def test_both_kinds_of_visits_were_learnt_with_cross_fitted_tags(straight: Trainer) -> None:
    visits = straight.mixture.visits(0, 4, 2)
    assert [bool(visit.implied) for visit in visits].count(True) == 3
    assert [visit.image is not None for visit in visits].count(True) == 4
    asked = [len(visit.group.segments) for visit in visits if visit.image]
    assert max(asked) == 3  # a caption and two questions from boxes
    objective = straight.objective
    assert objective.words is not None
    assert objective.objects is not None
    assert objective.implied is not None
    assert set(objective.objects._fold.values()) == {0, 1}
    words, facts = objective.implied([visit for visit in visits if visit.implied])
    assert words.shape == (3, 5)
    assert facts.probabilities.shape == (3, 80)
    assert objective(visits).isfinite()
    tags = straight.vlm.mapper.objects
    assert tags is not None
    fitted = load_file(straight.run / FILE)
    assert torch.equal(tags.head.whole.weight, fitted["-1.whole.weight"])  # nothing unlearnt it
    assert not any(weight.requires_grad for weight in tags.head.parameters())


def test_the_adapter_is_loaded_with_its_names_and_sees(straight: Trainer) -> None:
    path = straight.run / "profile.toml"
    vlm, _ = load_trained(load_profile(path))
    card = tomllib.loads((straight.run / "adapter/adapter.toml").read_text(encoding="utf-8"))
    assert vlm.object_names == tuple(card["objects"]["names"]) == COCO_CLASSES
    with torch.inference_mode():
        prefix, (sight,) = vlm.encode_and_detect([scene(0)[0]])
    assert prefix.shape[1] == vlm.mapper.positions
    assert len(sight.probabilities) == len(sight.counts) == 80
    assert vlm.mapper.objects is not None
    assert straight.vlm.mapper.objects is not None
    torch.testing.assert_close(
        vlm.mapper.objects.head.whole.weight,
        straight.vlm.mapper.objects.head.whole.weight,
        rtol=0.02, atol=0.02,
    )  # fmt: skip


@pytest.mark.parametrize("names", [None, ["dog"], [3] * 80])
def test_an_adapter_without_its_names_is_refused(straight: Trainer, names: object) -> None:
    card = straight.run / "adapter/adapter.toml"
    before = card.read_text(encoding="utf-8")
    table = tomllib.loads(before)
    if names is None:
        del table["objects"]
    else:
        table["objects"]["names"] = names
    card.write_text(tomli_w.dumps(table), encoding="utf-8")
    try:
        with pytest.raises(AdapterError, match=r"^The names of objects in .* are damaged\.$"):
            load_trained(load_profile(straight.run / "profile.toml"))
    finally:
        card.write_text(before, encoding="utf-8")


def test_who_goes_on_from_an_adapter_keeps_its_head_and_names(
    hub: Path, scenes: Path, straight: Trainer, tmp_path: Path
) -> None:
    """As the recipe `feedback` does, which knows no boxes; also when it is resumed."""
    start = str(straight.run / "adapter")
    plain = {"continues": True, "objects": {}, "implied": [], "cross_fit": False}
    table = scenes_table(steps=2, checkpoint_steps=1, implied=0, mapper_steps=0, warmup_steps=0)
    sources = [{**table["sources"][0], "boxes": 0}]
    profile = seeing(hub) | {"adapter": start}
    changes = table | plain | {"sources": sources}
    cards = []
    for resume in (False, True):
        trainer = make_trainer(tmp_path, hub, scenes, changes=changes, profile=profile)
        folder = trainer.train(resume=resume)
        cards.append(tomllib.loads((folder / "adapter.toml").read_text(encoding="utf-8")))
        assert trainer.objective.objects is None
    assert [card["objects"]["names"] for card in cards] == [list(COCO_CLASSES)] * 2
    before, after = (load_file(Path(f) / "prefix.safetensors") for f in (start, folder))
    for key in before:
        if key.startswith("objects.head."):
            torch.testing.assert_close(after[key].float(), before[key].float())
    assert not torch.equal(after["objects.certainty"], before["objects.certainty"])


def test_a_head_that_nobody_taught_is_not_trained_with(
    hub: Path, scenes: Path, tmp_path: Path
) -> None:
    plain = {"objects": {}, "implied": [], "schedule": {**scenes_table()["schedule"], "implied": 0}}
    sources = [{**scenes_table()["sources"][0], "boxes": 0}]
    trainer = trainer_in(tmp_path, hub, scenes, **plain, sources=sources)
    with pytest.raises(TrainingError, match=r"^objects in \[mapper\] need \[objects\] in the"):
        trainer.train()


def test_boxes_need_a_profile_with_a_head(hub: Path, scenes: Path, tmp_path: Path) -> None:
    headless = seeing(hub, objects=0)
    trainer = make_trainer(tmp_path, hub, scenes, changes=scenes_table(), profile=headless)
    with pytest.raises(TrainingError, match=r"^\[objects\] needs a profile with objects in"):
        trainer.train()


def test_a_head_is_not_averaged_with_the_one_that_a_run_started_at() -> None:
    state = {"mapper.objects.head.mix.weight": torch.ones(2), "mapper.scale": torch.ones(2)}
    start = {key: 3 * value for key, value in state.items()}
    mixed = interpolate_weights(state, start, 0.5, [], [])
    assert [float(value[0]) for value in mixed.values()] == [1, 2]


def test_trials_have_no_boxes_to_learn_from(hub: Path, tmp_path: Path) -> None:
    base = write_profile(tmp_path, hub, **seeing(hub))
    (tmp_path / "run").mkdir()
    assert load_profile(base).mapper.objects
    assert not load_profile(sanity.write_profile(tmp_path / "run", str(base))).mapper.objects


def test_a_race_needs_no_head(hub: Path, scenes: Path, tmp_path: Path) -> None:
    trainer = trainer_in(tmp_path, hub, scenes)
    recipe = _simplified(replace(trainer.recipe, crops=True))
    racer = Trainer(recipe, scenes, tmp_path / "race", tmp_path / "features")
    racer.begin()
    assert racer.rehearse(0) > 0
    assert not (tmp_path / "race" / FILE).exists()
