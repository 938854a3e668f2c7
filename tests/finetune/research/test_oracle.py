"""The oracle: the same model, told of the objects in photos by other sources."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_data import scene, write_rows
from tiny_models import tiny_profile, tiny_vlm

from data.datasets.objects import COCO_CLASSES, Box, ImageObjects
from data.errors import DataError
from finetune.errors import TrainingError
from finetune.evaluation.dataset import Item
from finetune.evaluation.metrics import CaptionScorer
from finetune.research import oracle
from finetune.research.oracle import (
    PRESENT,
    describe,
    detector_scale,
    encode,
    facts_by_source,
    made_questions,
    read_photos,
)
from finetune.research.oracle_figures import (
    NO_OBJECTS,
    SOURCES,
    Photo,
    ciders,
    gain,
    gains,
    score,
    table,
)
from model.confidence import Calibration
from model.config import DecodingConfig, MapperConfig, Profile
from model.object_head import ObjectFacts
from model.vlm import PrefixVLM

NAMES = ("sky", *COCO_CLASSES)
MAPPER = MapperConfig(
    "mlp", hidden_size=24, shuffle=2, words=2, vocabulary=4, objects=3, object_classes=81
)
VOCABULARY = ["dog", "grass", "puppies", "bus"]
PHOTOS, TRAINED = 6, 8


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose validation photos are tiny scenes; one of them has no captions."""
    folder = tmp_path_factory.mktemp("data") / "coco"
    (folder / "images").mkdir(parents=True)
    people, seen, captions, asked, polar, counted = [], [], [], [], [], []
    for number in range(PHOTOS + TRAINED):
        split = "val" if number < PHOTOS else "train"
        picture, objects = scene(number)
        row = {"image": f"{number}.png"}
        picture.save(folder / "images" / row["image"])
        names = sorted(objects.present or ())
        people.append({**row, "objects": names, "counts": {names[0]: 3}, "split": split})
        boxes = [[b.name, b.score, b.left, b.top, b.right, b.bottom] for b in objects.boxes]
        # Of training photos the detector is sure, of the others it knows nothing.
        scores = dict.fromkeys(names, 0.6) if split == "train" else {"cow": 0.6}
        seen.append({**row, "boxes": boxes, "scores": scores})
        if split == "val" and number:
            captions.append({**row, "captions": [f"A {names[0]}", f"One {names[0]} on grey"]})
            asked.append({**row, "question": "What is it?", "answer": names[0]})
            polar.append({**row, "question": "Is there a cow?", "answer": "no"})
            counted.append({**row, "question": "How many?", "answer": "1"})
    write_rows(folder / "objects.jsonl", people)
    write_rows(folder / "detections.jsonl", seen)
    write_rows(folder / "captions.jsonl", captions)
    for name in ("captions_more", "derived_captions"):
        write_rows(folder / f"{name}.jsonl", [])
    write_rows(folder / "vqa.jsonl", [{**row, "coco_split": "val2014"} for row in asked])
    write_rows(folder / "pope_yesno.jsonl", polar)
    rows = [{**row, "source": "gvt_coco_oc"} for row in counted]
    rows.append({**row, "question": "Is it a cow?", "answer": "no", "source": "gvt_coco_mci"})
    write_rows(folder / "gvt_coco_objects.jsonl", rows)
    return folder.parent


@pytest.fixture(scope="module")
def vlm(hub: Path) -> PrefixVLM:
    made = tiny_vlm(hub, mapper=MAPPER)
    made.object_names = NAMES
    return made.eval()


def head_facts(count: int = 1) -> ObjectFacts:
    """A head that sees a bus with two boxes, a cat, and sky."""
    there = torch.full((count, len(NAMES)), 0.1)
    there[:, [NAMES.index(name) for name in ("bus", "cat", "sky")]] = torch.tensor([0.9, 0.6, 0.7])
    counts, corners = torch.zeros(count, len(NAMES)), torch.zeros(count, len(NAMES), 4)
    counts[:, NAMES.index("bus")] = 2
    corners[:, NAMES.index("cat")] = torch.tensor([0.1, 0.2, 0.3, 0.4])
    return ObjectFacts(there, counts, corners)


def photo(name: str = "a.png", captions: Sequence[str] = (), **seen: object) -> Photo:
    return Photo(Path(name), ImageObjects(**seen), tuple(captions))  # type: ignore[arg-type]


# --- where tags come from -----------------------------------------------------------------------


def test_people_tell_what_is_there_and_detectors_where_it_is() -> None:
    boxes = (Box("dog", 0.9, 0.5, 0.5, 1, 1), Box("dog", 0.3, 0, 0, 0.2, 0.2))
    seen = photo(boxes=boxes, present=frozenset({"dog", "cat", "cow"}), counts={"cow": 5})
    told = facts_by_source(NAMES, head_facts(), [seen], (1.0, 0.0))["people"]
    assert told is not None
    at = {name: NAMES.index(name) for name in ("dog", "cat", "cow", "bus", "sky", "sheep")}
    there = told.probabilities[0]
    assert {name for name, place in at.items() if there[place] > 0.5} == {
        "dog",
        "cat",
        "cow",
        "sky",
    }
    assert there[at["dog"]] == pytest.approx(PRESENT)
    assert there[at["sky"]] == pytest.approx(0.7)  # nobody was asked about it
    assert there[at["sheep"]] < there[at["bus"]] < 1e-3  # as the head has them
    counts = {name: float(told.counts[0, place]) for name, place in at.items()}
    assert counts == {"dog": 1, "cat": 0, "cow": 5, "bus": 0, "sky": 0, "sheep": 0}
    assert told.corners[0, at["dog"]].tolist() == [0.5, 0.5, 1, 1]
    torch.testing.assert_close(told.corners[0, at["cat"]], torch.tensor([0.1, 0.2, 0.3, 0.4]))


def test_the_detector_tells_its_scores_as_probabilities_and_knows_no_people() -> None:
    seen = photo(
        boxes=(Box("dog", 0.6, 0, 0, 1, 1),), scores={"dog": 0.6, "cow": 0.3}, present=frozenset()
    )
    head = head_facts()
    told = facts_by_source(NAMES, head, [seen], (2.0, 1.0))["detector"]
    assert told is not None
    expected = torch.sigmoid(torch.logit(torch.tensor([0.6, 0.3, 0.02])) * 2 + 1)
    found = told.probabilities[0, [NAMES.index(name) for name in ("dog", "cow", "bus")]]
    torch.testing.assert_close(found, expected)
    assert told.counts[0].sum() == 1
    assert told.probabilities[0, 0] == head.probabilities[0, 0]
    assert head.probabilities[0, NAMES.index("bus")] == pytest.approx(0.9)  # not overwritten


def test_scores_are_calibrated_on_training_photos(root: Path) -> None:
    slope, offset = detector_scale(root)
    assert slope > 0
    assert torch.sigmoid(torch.logit(torch.tensor(0.6)) * slope + offset) > 0.9
    assert torch.sigmoid(torch.logit(torch.tensor(0.02)) * slope + offset) < 0.1


def test_validation_photos_with_lists_are_asked_about(root: Path, tmp_path: Path) -> None:
    photos = read_photos(root)
    assert [it.image.name for it in photos] == [f"{number}.png" for number in range(PHOTOS)]
    assert [bool(it.captions) for it in photos] == [False] + [True] * (PHOTOS - 1)
    sets = oracle.read_questions(root, photos[:3])
    assert {name: len(asked) for name, asked in sets.items() if name != "made"} == {
        "vqa": 2, "presence": 2, "counts": 2,
    }  # fmt: skip
    (tmp_path / "coco").mkdir()
    for file in (root / "coco").glob("*.jsonl"):
        (tmp_path / "coco" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "coco/objects.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="No validation photo"):
        read_photos(tmp_path)
    with pytest.raises(DataError, match="No training photo"):
        detector_scale(tmp_path)


def test_made_questions_are_balanced_and_right() -> None:
    photos = [
        photo("a.png", present=frozenset({"dog", "umbrella", "bus"})),
        photo("b.png", present=frozenset({"cat"})),
        photo("c.png", present=frozenset()),
    ]
    asked = made_questions(photos)
    assert asked == made_questions(photos)
    assert [one.golds[0] for one in asked] == ["yes", "yes", "no", "no", "yes", "no"]
    present = {it.image: it.present for it in photos}
    for one in asked:
        name = str(one.question).removeprefix("Is there ").split(" ", 1)[1].split(" in the ")[0]
        assert (name in present[one.image]) == (one.golds == ("yes",))
        assert ("Is there an " in str(one.question)) == (name[0] in "aeiou")


# --- what the model says -----------------------------------------------------------------------


def test_tags_change_what_is_said_unless_they_are_hidden(vlm: PrefixVLM, root: Path) -> None:
    photos = read_photos(root)[:4]
    encoded = encode(vlm, photos, VOCABULARY)
    assert encoded.facts.probabilities.shape == (4, 81)
    assert {name for words in encoded.words for name in words} <= {"dog", "bus"}
    decoding = DecodingConfig(answer_tokens=4, caption_tokens=6, guidance_scale=0.5)
    sets = {"made": made_questions(photos)}
    other = head_facts(4)
    said = {
        name: describe(vlm, decoding, replace(encoded, facts=own), facts, photos, sets)
        for name, own, facts in (
            ("own", encoded.facts, encoded.facts), ("other", encoded.facts, other),
            ("hidden", encoded.facts, None), ("hidden too", other, None),
        )
    }  # fmt: skip
    assert [len(texts) for texts in said["own"].values()] == [4, len(sets["made"])]
    assert said["own"] != said["other"]
    assert said["hidden"] == said["hidden too"] != said["own"]
    wide = replace(decoding, caption_beams=2, answer_beams=2)
    assert describe(vlm, wide, encoded, other, photos, sets) != said["other"]


def test_a_model_without_an_object_head_is_refused(hub: Path, root: Path) -> None:
    with pytest.raises(TrainingError, match="needs a model with an object head"):
        encode(tiny_vlm(hub), read_photos(root))


# --- figures -----------------------------------------------------------------------------------


def test_what_is_wrong_is_laid_at_the_door_of_who_said_so() -> None:
    photos = [
        photo("a", ["a dog and a bus"], present=frozenset({"dog", "bus"})),
        photo("b", ["a cow"], present=frozenset({"cow"})),
    ]
    captions = ["a dog, a bus, a cat and a sheep", "a horse with a cow and a boat"]
    facts = ObjectFacts(torch.zeros(2, 81), torch.zeros(2, 81), torch.zeros(2, 81, 4))
    for row, names in enumerate((("dog", "cat", "sky"), ("horse",))):
        facts.probabilities[row, [NAMES.index(name) for name in names]] = 0.8
    said = {"captions": captions, "made": ["yes", "no"]}
    sets = {"made": [Item(photos[0].image, "Is there a dog?", ("yes",))] * 2}
    found = score(photos, sets, said, facts, NAMES, [frozenset({"sheep"}), frozenset()])
    assert found["chair_i"] == pytest.approx(400 / 7)
    assert (found["chair_s"], found["recall"], found["wrong_mentions"]) == (100, 100, 4)
    assert (found["wrong_by_objects"], found["wrong_by_words"]) == (50, 25)
    assert found["wrong_by_neither"] == 25
    assert found["tags_wrong"] == pytest.approx(200 / 3)
    assert found["tags_recall"] == pytest.approx(100 / 3)
    assert found["made"] == 50
    hidden = score(photos, sets, said, None, NAMES, [frozenset(), frozenset()])
    assert (hidden["tags_recall"], hidden["wrong_by_neither"]) == (0, 100)


def test_gains_are_paired_and_cider_is_the_tables() -> None:
    golds = ["a dog runs on grass", "a bus waits in the street", "two cats sleep"]
    photos = [photo(str(n), [gold, "something else"]) for n, gold in enumerate(golds)]
    photos.append(photo("x"))
    captions = ["a dog on grass", "a bus in the street", "a red car", "no caption"]
    values = ciders(photos, captions)
    known = CaptionScorer(captions[:3], [it.captions for it in photos[:3]]).cider()
    assert values == pytest.approx(known)
    sets = {"vqa": [Item(Path("0"), "What?", ("dog",))] * 2, "made": []}
    said = {name: {"captions": captions, "vqa": ["cat", "dog"], "made": []} for name in SOURCES}
    said["people"] = {"captions": [*golds, ""], "vqa": ["dog", "dog"], "made": []}
    found = gains(photos, sets, said)
    assert found["head"]["cider_gain"] == found["detector"]["vqa_gain"] == 0
    assert found["people"]["vqa_gain"] == 50
    assert found["people"]["vqa_gain_error"] == pytest.approx(50)
    assert found["people"]["cider_gain"] > 50
    assert gain([3.0], [1.0]) == (2.0, 0.0)


def test_the_command_tells_of_every_source(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    hub: Path,
    root: Path,
    vlm: PrefixVLM,
    tmp_path: Path,
) -> None:
    decoding = DecodingConfig(answer_tokens=3, caption_tokens=5, presence_weight=1.0)

    def load(profile: Profile) -> tuple[PrefixVLM, Calibration]:
        assert profile.name == "tiny"
        return vlm, Calibration()

    monkeypatch.setattr(oracle, "load_quantized", load)
    monkeypatch.setattr(
        oracle, "load_profile", lambda name: tiny_profile(hub, mapper=MAPPER, decoding=decoding)
    )
    monkeypatch.setattr(oracle, "vocabulary_of", lambda profile: VOCABULARY)
    written = tmp_path / "oracle.json"
    arguments = ["oracle", "--data", str(root), "--json", str(written), "--limit", "4"]
    monkeypatch.setattr(sys, "argv", arguments)
    assert oracle.main() == 0
    said = capsys.readouterr().out
    assert "| figure | on | head | detector | people | no objects |" in said
    kept = json.loads(written.read_text(encoding="utf-8"))
    assert {len(texts["captions"]) for texts in kept["said"].values()} == {4}
    figures = kept["figures"]
    assert figures["people"]["tags_wrong"] == 0
    assert figures["people"]["tags_recall"] == 100
    assert figures["detector"]["tags_recall"] == 0  # it takes all of them for cows
    assert figures["detector"]["tags_wrong"] == 100
    assert figures[NO_OBJECTS]["photos"] == 4
    assert said.strip() == table(figures)
