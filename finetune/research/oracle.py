"""Which part fails: one model whose object tags come from better and better sources.

    python -m finetune.research.oracle --data FOLDER [--profile starter] [--json FILE]

Weights, prompts and decoding stay the same; only the object tags differ. They come from the head,
from the detector that taught it, from people's complete lists, or there are none. What the tags of
people gain over the head's is what a perfect head would give; what still goes wrong with them is
the language model's. The photos are COCO's validation photos whose objects people listed.

People and detector know COCO's 80 classes, so that other tags (sky, grass) are the head's in any
case, and so are the word tags. The detector's scores are calibrated on training photos, as the
head's are. The head's score is not added to answers (`presence_weight` is 0), so that what the
language model makes of the tags is seen.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from data.datasets.objects import (
    COCO_CLASSES,
    LABELS_FILE,
    ImageObjects,
    read_objects_folder,
)
from data.datasets.records import read_rows
from data.errors import DataError
from data.images.open import read_picture
from finetune.errors import TrainingError
from finetune.evaluation.calibration import fit_platt
from finetune.evaluation.dataset import Item
from finetune.evaluation.hallucination import mentioned
from finetune.object_head import LIFT
from finetune.research.oracle_figures import NO_OBJECTS, SOURCES, Photo, gains, score, table
from finetune.research.sanity import one_sentence
from finetune.research.starter_figures import (
    coco_captions,
    gvt_questions,
    presence_questions,
    vqa_questions,
)
from finetune.research.variants import without_objects
from model.card import read_card
from model.config import DecodingConfig, Profile, load_profile
from model.detections import COUNT_THRESHOLD
from model.generation import beam, greedy
from model.object_head import ObjectFacts
from model.prompts import prompt_for
from model.quantization import load_quantized
from model.vision import EfficientNetLiteTower
from model.vlm import PrefixCache, PrefixVLM

BATCH = 16
UNSEEN = 0.02  # a detector's score of a class that it tells nothing of
PRESENT = 0.97  # probability of what people say is there
ABSENT = 1e-3  # what remains of the head's probability of all else
FOLDER = "coco"
MADE = 2  # questions for yes, and as many for no, made from the list of one photo


@dataclass(frozen=True)
class Encoded:
    """What the model makes of photos before it is told of objects.

    Attributes:
        hidden: What the tower gives (B, 1 + G², …).
        facts: What the head tells.
        words: The classes that the word tags name, for each photo.
    """

    hidden: Tensor
    facts: ObjectFacts
    words: tuple[frozenset[str], ...]


def main() -> int:
    """Measure what the command line asks for; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--profile", default="starter")
    parser.add_argument("--limit", type=int, default=0, help="only the first N photos")
    parser.add_argument("--json", type=Path, help="write figures, captions and answers there")
    options = parser.parse_args()
    root, profile = options.data, load_profile(options.profile)
    photos = read_photos(root)[: options.limit or None]
    sets = read_questions(root, photos)
    vlm, _ = load_quantized(profile)
    if isinstance(vlm.tower, EfficientNetLiteTower):
        vlm.tower.fold_batch_norm()
    encoded = encode(vlm, photos, vocabulary_of(profile))
    facts = facts_by_source(vlm.object_names, encoded.facts, photos, detector_scale(root))
    said = {}
    for source in SOURCES:
        print(f"Describing {len(photos)} photos, objects by: {source}", file=sys.stderr)
        said[source] = describe(vlm, profile.decoding, encoded, facts[source], photos, sets)
    better = gains(photos, sets, said)
    found = {
        source: better[source]
        | score(photos, sets, said[source], facts[source], vlm.object_names, encoded.words)
        for source in SOURCES
    }
    print(table(found))
    if options.json:
        written = {"figures": found, "said": said}
        options.json.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    return 0


# --- photos and questions ---------------------------------------------------------------------


def read_photos(root: Path) -> list[Photo]:
    """COCO's validation photos whose objects people listed.

    Raises:
        DataError: A file is missing or damaged, or there is no such photo.
    """
    folder = root / FOLDER
    seen = read_objects_folder(folder)
    captions = {asked.image.name: asked.golds for asked in coco_captions(root)}
    names = [row["image"] for row in read_rows(folder / LABELS_FILE, {"split": "val"})]
    photos = [
        Photo(folder / "images" / name, seen[name], captions[name])
        for name in names
        if name in seen
    ]
    if not photos:
        raise DataError(f"No validation photo in {folder} has both detections and people's list.")
    return photos


def read_questions(root: Path, photos: Sequence[Photo]) -> dict[str, list[Item]]:
    """What people ask of these photos, by kind, and questions made from the lists of objects."""
    polar = [*presence_questions(root), *gvt_questions(root, "gvt_coco_mci")]
    sets = {
        "vqa": vqa_questions(root),
        "presence": polar,
        "counts": gvt_questions(root, "gvt_coco_oc"),
    }
    chosen = {photo.image for photo in photos}
    kept = {name: [a for a in asked if a.image in chosen] for name, asked in sets.items()}
    return kept | {"made": made_questions(photos)}


def made_questions(photos: Sequence[Photo]) -> list[Item]:
    """Whether classes are in a photo: as many that are as that are not, and often elsewhere."""
    often = [sum(name in photo.present for photo in photos) for name in COCO_CLASSES]
    asked = []
    for photo in photos:
        chance = random.Random(photo.image.name)
        there = sorted(photo.present)
        yes = chance.sample(there, min(MADE, len(there)))
        no: list[str] = []
        while len(no) < len(yes):
            (name,) = chance.choices(COCO_CLASSES, [count + 0.1 for count in often])
            if name not in photo.present and name not in no:
                no.append(name)
        for answer, names in (("yes", yes), ("no", no)):
            asked += [Item(photo.image, _is_there(name), (answer,)) for name in names]
    return asked


def _is_there(name: str) -> str:
    article = "an" if name[0] in "aeiou" else "a"
    return f"Is there {article} {name} in the image?"


# --- where the tags come from --------------------------------------------------------------------


def detector_scale(root: Path) -> tuple[float, float]:
    """Slope and offset that make probabilities of the detector's scores, from training photos.

    Raises:
        DataError: A file is missing or damaged.
    """
    folder = root / FOLDER
    train = {row["image"] for row in read_rows(folder / LABELS_FILE, {"split": "train"})}
    logits: list[float] = []
    truths: list[float] = []
    for name, it in read_objects_folder(folder).items():
        if name in train and it.present is not None:
            logits += _logits(it).tolist()
            truths += [float(thing in it.present) for thing in COCO_CLASSES]
    if not logits:
        raise DataError(f"No training photo in {folder} has both detections and people's list.")
    return fit_platt(logits, truths)


def _logits(seen: ImageObjects) -> Tensor:
    """Logits of the detector's scores of COCO's classes (80)."""
    scores = [seen.scores.get(name, UNSEEN) for name in COCO_CLASSES]
    return torch.logit(torch.tensor(scores), eps=1e-3)


def facts_by_source(
    names: Sequence[str], head: ObjectFacts, photos: Sequence[Photo], scale: tuple[float, float]
) -> dict[str, ObjectFacts | None]:
    """What each source tells of the photos; None of nothing.

    Args:
        names: Of the classes.
        head: What the head tells.
        photos: The same, with what the others know.
        scale: Of the detector's scores, as `detector_scale` gives it.
    """
    places = torch.tensor([list(names).index(name) for name in COCO_CLASSES])
    detector, people = ([t.clone() for t in vars(head).values()] for _ in range(2))
    for row, photo in enumerate(photos):
        probabilities = torch.sigmoid(_logits(photo.seen) * scale[0] + scale[1])
        counts, corners = _boxes(photo.seen)
        for part, values in zip(detector, (probabilities, counts, corners), strict=True):
            part[row, places] = values
        there = torch.tensor([name in photo.present for name in COCO_CLASSES])
        lowered = head.probabilities[row, places] * ABSENT
        people[0][row, places] = torch.where(there, PRESENT, lowered)
        told = [photo.seen.counts.get(name, 0) for name in COCO_CLASSES]
        counted = torch.where(torch.tensor(told) > 0, torch.tensor(told).float(), counts)
        people[1][row, places] = counted * there
        known = (corners[:, 2:] > corners[:, :2]).all(-1, keepdim=True)
        people[2][row, places] = torch.where(known, corners, head.corners[row, places])
    return {
        "head": head,
        "detector": ObjectFacts(*detector),
        "people": ObjectFacts(*people),
        NO_OBJECTS: None,
    }


def _boxes(seen: ImageObjects) -> tuple[Tensor, Tensor]:
    """How many boxes of COCO's classes count (80), and the corners of the surest one (80, 4)."""
    counts, corners = torch.zeros(len(COCO_CLASSES)), torch.zeros(len(COCO_CLASSES), 4)
    for box in sorted(seen.boxes, key=lambda it: it.score):  # the surest one comes last, and stays
        place = COCO_CLASSES.index(box.name)
        counts[place] += box.score * LIFT >= COUNT_THRESHOLD
        corners[place] = torch.tensor([box.left, box.top, box.right, box.bottom])
    return counts, corners


# --- what the model says ----------------------------------------------------------------------


def vocabulary_of(profile: Profile) -> list[str]:
    """The words that an adapter's word tags name."""
    card = read_card(profile.adapter_folder, profile)
    return list(card.get("words", {}).get("vocabulary", []))


@torch.inference_mode()
def encode(vlm: PrefixVLM, photos: Sequence[Photo], vocabulary: Sequence[str] = ()) -> Encoded:
    """Run the tower, the object head and the word detector.

    Raises:
        DataError: A photo is missing or cannot be decoded.
        TrainingError: The model has no object head.
    """
    tags, words = vlm.mapper.objects, vlm.mapper.words
    if tags is None:
        raise TrainingError("The oracle needs a model with an object head: objects in [mapper].")
    states, parts, named = [], [], []
    for at in range(0, len(photos), BATCH):
        images = [read_picture(photo.image).image for photo in photos[at : at + BATCH]]
        given = vlm.tower(vlm.tower.preprocess(images)).float()
        hidden, _, detail = vlm.mapper.split(given)
        parts.append(tags.head.facts(tags.head(hidden, detail)))
        states.append(given)
        if words is not None and vocabulary:
            best = words.detector(hidden[:, 0]).topk(words.count).indices.tolist()
            named += [mentioned(", ".join(vocabulary[i] for i in row)) for row in best]
    told = tuple(named) or (frozenset[str](),) * len(photos)
    return Encoded(torch.cat(states), ObjectFacts.concatenate(parts), told)


@torch.inference_mode()
def describe(  # noqa: PLR0917
    vlm: PrefixVLM,
    decoding: DecodingConfig,
    encoded: Encoded,
    facts: ObjectFacts | None,
    photos: Sequence[Photo],
    sets: Mapping[str, Sequence[Item]],
) -> dict[str, list[str]]:
    """What the model says behind these tags: "captions", and answers by the name of their set.

    Args:
        vlm: The model.
        decoding: How texts are written; its weights of the head's score are not used.
        encoded: The photos.
        facts: What the tags say; None hides their positions.
        photos: To be described.
        sets: Questions about them.
    """
    caches = []
    for at in range(0, len(photos), BATCH):
        rows = range(at, min(at + BATCH, len(photos)))
        told = (facts or encoded.facts)[rows]
        prefix = vlm.mapper(encoded.hidden[list(rows)], objects=told)
        caches += vlm.prefill(without_objects(vlm, prefix) if facts is None else prefix)
    of = {photo.image: cache for photo, cache in zip(photos, caches, strict=True)}
    everything = {"captions": [Item(photo.image, None, ()) for photo in photos], **sets}
    said: dict[str, list[str]] = {}
    for name, asked in everything.items():
        said[name] = []
        for at in range(0, len(asked), BATCH):
            part = asked[at : at + BATCH]
            found = _write(vlm, decoding, [of[one.image] for one in part], part)
            said[name] += found
    return said


def _write(
    vlm: PrefixVLM, decoding: DecodingConfig, caches: Sequence[PrefixCache], asked: Sequence[Item]
) -> list[str]:
    """Decode captions only, or questions only, as the engine does without evidence."""
    prompts = [prompt_for(one.question) for one in asked]
    scales: list[float] = []
    if asked[0].question is None:
        most, width = decoding.caption_tokens, decoding.caption_beams
        penalty = decoding.length_penalty
    else:
        most, width, penalty = decoding.answer_tokens, decoding.answer_beams, 0.0
        scales = [decoding.scale_of(one.question or "") for one in asked]
    if width == 1:
        found = greedy(vlm, caches, prompts, most, scales)
    else:
        found = beam(vlm, caches, prompts, most, width, penalty, scales)
    return [one.text for one in found]


if __name__ == "__main__":
    sys.exit(one_sentence(main))
