"""Ablations: each variant changes what it says, learns, and is measured on other pictures."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_data import (
    recipe_table,
    scene,
    scene_name,
    scenes_table,
    seeing,
    write_profile,
    write_recipe,
    write_rows,
    write_scenes,
)
from training import make_trainer

from finetune.config import Recipe, load_recipe, problems
from finetune.errors import TrainingError
from finetune.evaluation.dataset import Item
from finetune.object_head import FILE as OBJECTS
from finetune.research import ablate, held_out
from finetune.research.ablate import Finding, shortened, table, tables, try_out
from finetune.research.held_out import HeldOut
from finetune.research.variants import VARIANTS, FewPhotos, changed
from model.config import load_profile
from model.mapper import Mapper

CHOSEN = (
    "as it is", "resampler, 17 queries", "LoRA on attention", "no word tags",
    "random crops, two blocks of the tower", "no averaging",
)  # fmt: skip


@pytest.fixture
def recipe(tmp_path: Path, hub: Path) -> Recipe:
    mapper = {"kind": "mlp", "hidden_size": 24, "shuffle": 2, "words": 2, "vocabulary": 6}
    write_profile(tmp_path, hub, "llama", mapper=mapper)
    return load_recipe(write_recipe(tmp_path, recipe_table("llama")))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    images = sorted((data / "images").glob("val_*.png"))
    told = [Item(image, None, ("A red wall", "A wall")) for image in images]
    questions = [Item(image, "Is it red?", ("yes",)) for image in images]
    monkeypatch.setattr(held_out, "flickr_captions", lambda root: told)
    monkeypatch.setattr(held_out, "vqa_questions", lambda root: questions)


@pytest.mark.usefixtures("asked")
def test_variants_differ_in_what_they_name_and_nothing_runs_twice(
    tmp_path: Path,
    data: Path,
    recipe: Recipe,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "ablations"
    monkeypatch.setattr("finetune.trainer.AVERAGE_EVERY", 1)
    short = shortened(replace(recipe, crops=True, cross_fit=True), 4, 3)
    assert (short.schedule.steps, short.crops, short.cross_fit, short.samples) == (
        4,
        False,
        False,
        (),
    )
    found = {name: try_out(short, name, data, run, 3) for name in CHOSEN}
    first = found["as it is"]
    assert first.caption_loss > 0
    assert all(0 <= (each.accuracy or 0) <= 100 and each.cider >= 0 for each in found.values())
    assert found["resampler, 17 queries"].positions == 17 + 2
    assert found["no word tags"].positions == first.positions - 2
    assert found["LoRA on attention"].lora > first.lora
    assert found["LoRA on attention"].mapper == first.mapper
    assert len({each.answer_loss for each in found.values()}) == len(CHOSEN)
    monkeypatch.setattr(ablate, "VariantTrainer", None)  # whatever is known needs none
    arguments = [
        "ablate",
        "--data",
        str(data),
        "--run",
        str(run),
    ]
    monkeypatch.setattr(
        sys, "argv", [*arguments, "--recipe", str(tmp_path / "recipe.toml"), "--only", *CHOSEN]
    )
    assert try_out(short, "no word tags", data, run, 3) == found["no word tags"]
    monkeypatch.setattr(ablate, "shortened", lambda recipe, steps, pictures: short)
    assert ablate.main() == 0
    with pytest.raises(TrainingError, match="holds findings of"):
        try_out(shortened(recipe, 5, 3), "no word tags", data, run, 3)
    assert "| no word tags | " in capsys.readouterr().out
    (run / "no-word-tags" / "finding.json").write_text('{"name": "no word tags"}', encoding="utf-8")
    with pytest.raises(TrainingError, match="of another version of this"):
        try_out(short, "no word tags", data, run, 3)


def test_a_variant_changes_only_the_sources_that_have_what_it_names(tmp_path: Path) -> None:
    recipe = shortened(load_recipe("starter"), 10, 4)
    variant = changed(recipe, "captions, not derived questions", tmp_path)
    told, *others = variant.sources
    assert (told.captions, told.derived, variant.schedule.derived_texts) == (4, 0, 0.0)
    assert others == list(recipe.sources[1:])


def test_the_table_tells_what_changed() -> None:
    what = ("as it is", "tiny, 4 steps of 3 pictures")
    one = Finding(*what, 2.5, 1.25, 12.34, 25.0, 20.0, 1_000_000, 200_000, 36, 5.0)
    lines = table([one, replace(one, name="no word tags", caption_loss=2.75, answer_loss=1.2)])
    assert lines.splitlines()[-1] == (
        "| no word tags | 36 | 1.0 | 0.2 | 2.750 | 1.200 | +0.250, -0.050 | 12.3 | 25.0 | 20.0 |"
    )


TAGGED = (
    "captions of no photos", "captions of 500 photos", "objects as positions", "objects as words",
    "objects hidden",
)  # fmt: skip


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of scenes with boxes, captions, and texts without pictures."""
    folder = tmp_path_factory.mktemp("data")
    write_scenes(folder / "scenes")
    write_rows(folder / "scenes/alone.jsonl", [{"question": f"Is it {n}?", "answer": "no"}
                                               for n in range(9)])  # fmt: skip
    return folder


@pytest.fixture
def asked_of_scenes(monkeypatch: pytest.MonkeyPatch, scenes: Path) -> list[Path]:
    """Of each set, what it holds is about these pictures; one more has no caption."""
    images = [scenes / "scenes/images" / scene_name(number) for number in range(4)]
    told = [Item(image, None, ("A dog", "A cat beside a bus")) for image in images]
    without = [Item(scenes / "none.png", None, ())]
    polar = [Item(image, "Is there a dog?", ("yes",)) for image in images]
    seen = {image.name: scene(number)[1].present or frozenset()
            for number, image in enumerate(images)}  # fmt: skip
    monkeypatch.setattr(held_out, "flickr_captions", lambda root: told)
    monkeypatch.setattr(held_out, "coco_captions", lambda root: [*told, *without])
    monkeypatch.setattr(held_out, "vqa_questions", lambda root: polar)
    monkeypatch.setattr(held_out, "presence_questions", lambda root: polar)
    monkeypatch.setattr(held_out, "gvt_questions", lambda root, source: polar)
    monkeypatch.setattr(held_out, "objects_there", lambda root: seen)
    return images


@pytest.mark.usefixtures("asked_of_scenes")
def test_variants_of_tags_share_one_fit_and_are_told_apart(
    tmp_path: Path, hub: Path, scenes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_profile(tmp_path, hub, **seeing(hub))
    recipe = load_recipe(write_recipe(tmp_path, scenes_table(steps=3)))
    short, run = shortened(recipe, 3, 3), tmp_path / "ablations"
    found = {TAGGED[0]: try_out(short, TAGGED[0], scenes, run, 4)}
    fitted = (run / OBJECTS).read_bytes()
    monkeypatch.setattr("finetune.trainer.fit_objects", None)  # no other may fit it
    found |= {name: try_out(short, name, scenes, run, 4) for name in TAGGED[1:]}
    assert {(run / name.replace(" ", "-") / OBJECTS).read_bytes() for name in TAGGED} == {fitted}
    for name, each in found.items():
        captions_only = name.startswith("captions")
        assert each.coco_loss == pytest.approx(each.caption_loss)  # here they are the same
        assert (each.alone is not None) == (each.coco_alone is not None) == captions_only
        assert (each.presence is None) == (each.accuracy is None) == captions_only
    assert len({each.caption_loss for each in found.values()}) == len(TAGGED)
    told = tables(list(found.values()))
    assert told.count("\n| objects hidden |") == 2
    assert told.count("\n| captions of no photos |") == 1  # it answers nothing


def test_tags_alone_and_words_read_the_same_pictures_otherwise(
    tmp_path: Path, hub: Path, scenes: Path, asked_of_scenes: list[Path]
) -> None:
    trainer = make_trainer(tmp_path, hub, scenes, changes=scenes_table(), profile=seeing(hub))
    vlm = trainer.vlm
    vlm.object_names = tuple(f"thing {number}" for number in range(80))
    assert vlm.mapper.objects is not None
    vlm.mapper.eval()
    vlm.mapper.objects.head.whole.bias.data[:3] = 9.0  # three things are in every picture
    hidden = held_out._hidden(vlm, [Item(image, None, ()) for image in asked_of_scenes])
    states = torch.stack(list(hidden.values()))
    with torch.inference_mode():
        whole, _ = held_out.read_positions(vlm, states)
        alone, ahead = held_out.read_tags_only(vlm, states)
        spoken, lines = held_out.read_object_words(vlm, states)
        silent, _ = held_out.read_without_objects(vlm, states)
    assert ahead == [""] * 4
    assert all(line.count("thing") == 3 and line.endswith(".\n") for line in lines)
    tags = 2 + 3  # of words and objects
    places = vlm.mapper.places.expand(4, -1, -1)
    torch.testing.assert_close(alone[:, -tags:], whole[:, -tags:])
    assert torch.equal(alone[:, :-tags], places[:, :-tags])
    assert torch.equal(spoken, silent)
    assert torch.equal(silent[:, -3:], places[:, -3:])
    torch.testing.assert_close(silent[:, :-3], whole[:, :-3])


def test_few_photos_are_always_the_same_and_none_are_texts(
    tmp_path: Path, hub: Path, scenes: Path
) -> None:
    trainer = make_trainer(tmp_path, hub, scenes, changes=scenes_table(), profile=seeing(hub))
    everything = trainer.mixture
    few = FewPhotos(everything, 5)
    visits = [visit for step in range(30) for visit in few.visits(step, 4, 2)]
    assert len({visit.image for visit in visits if visit.image}) == 5
    assert [bool(visit.implied) for visit in visits].count(True) == 30 * 3
    again = FewPhotos(everything, 5).visits(7, 4, 2)
    assert [visit.image for visit in again] == [visit.image for visit in few.visits(7, 4, 2)]
    assert len(few.captions) == 5 < len(everything.captions)
    none = [visit for step in range(5) for visit in FewPhotos(everything, 0).visits(step, 4, 0)]
    assert len(none) == 5 * (4 + 3)
    assert all(visit.implied and visit.image is None for visit in none)
    assert len({visit.draw for visit in none}) == len(none)


def test_captions_only_leaves_what_is_fitted_and_visits_no_questions(tmp_path: Path) -> None:
    recipe = shortened(load_recipe("starter"), 10, 4)
    variant = changed(recipe, "captions of 500 photos", tmp_path)
    assert [(it.files, it.images) for it in variant.sources] == [
        (it.files, it.images) for it in recipe.sources
    ]  # so that heads and words are fitted to the same pictures
    visited = [it for it in variant.sources if it.share]
    assert {it.name for it in visited} == {"flickr8k", "coco captions"}
    assert {(bool(it.captions), it.questions, it.derived, it.boxes) for it in visited} == {
        (True, 0, 0, 0)
    }
    assert (variant.schedule.texts, variant.cross_fit) == (0, True)
    assert variant.schedule.implied > 0


def test_what_is_measured_is_spread_and_asked_only_of_who_answers(
    asked_of_scenes: list[Path],
) -> None:
    captions = VARIANTS["captions of all photos"]
    everything = HeldOut.read(Path(), VARIANTS["as it is"], True, 2)
    assert [asked.image for asked in everything.captions] == asked_of_scenes[::2]
    assert all(asked.golds for asked in everything.coco)
    assert len(everything.presence) == 2
    told = HeldOut.read(Path(), captions, True, 9)
    assert (len(told.coco), told.questions, told.presence) == (4, (), ())
    untagged = HeldOut.read(Path(), VARIANTS["as it is"], False, 9)
    assert (list(untagged.coco), list(untagged.presence), len(untagged.questions)) == ([], [], 4)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_of_the_starter_is_possible(tmp_path: Path, name: str) -> None:
    variant = changed(shortened(load_recipe("starter"), 10, 4), name, tmp_path)
    assert list(problems(variant)) == []
    config = load_profile(variant.profile).mapper
    mapper = Mapper(config, hidden_size=1280, grid=8, width=576, classes=1000)
    states = 1280 + 3 * config.colours**2
    assert mapper(torch.randn(2, 65, states)).shape == (2, mapper.positions, 576)
