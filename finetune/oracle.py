"""Which part fails: one model, told of the objects in photos by better and better witnesses.

    python -m finetune.oracle --data FOLDER [--profile starter] [--json FILE]

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

from data.images import read_picture
from data.objects import COCO_CLASSES
from finetune.errors import TrainingError
from finetune.hallucination import mentioned
from finetune.measure import Asked, gvt_questions, presence_questions, vqa_questions
from finetune.object_words import without_objects
from finetune.oracle_figures import gains, score, table
from finetune.trial import plainly
from finetune.witnesses import WITNESSES, Photo, detector_scale, read_photos, told_by
from model.adapter import read_card
from model.decoding import beam, greedy
from model.objects import ObjectFacts
from model.profile import DecodingConfig, Profile, load_profile
from model.progress import step
from model.prompts import prompt_for
from model.quantised import load_quantised
from model.vision import EfficientNetLiteTower
from model.vlm import PrefixCache, PrefixVLM

BATCH = 16
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
    vlm, _ = load_quantised(profile)
    if isinstance(vlm.tower, EfficientNetLiteTower):
        vlm.tower.fold_batch_norm()
    encoded = encode(vlm, photos, vocabulary_of(profile))
    facts = told_by(vlm.object_names, encoded.facts, photos, detector_scale(root))
    said = {}
    for witness in WITNESSES:
        said[witness] = describe(vlm, profile.decoding, encoded, facts[witness], photos, sets)
    better = gains(photos, sets, said)
    found = {
        witness: better[witness]
        | score(photos, sets, said[witness], facts[witness], vlm.object_names, encoded.words)
        for witness in WITNESSES
    }
    print(table(found))
    if options.json:
        written = {"figures": found, "said": said}
        options.json.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    return 0


# --- photos and questions ---------------------------------------------------------------------


def read_questions(root: Path, photos: Sequence[Photo]) -> dict[str, list[Asked]]:
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


def made_questions(photos: Sequence[Photo]) -> list[Asked]:
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
            asked += [Asked(photo.image, _is_there(name), (answer,)) for name in names]
    return asked


def _is_there(name: str) -> str:
    article = "an" if name[0] in "aeiou" else "a"
    return f"Is there {article} {name} in the image?"


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
    with step(f"Encoding {len(photos)} photos") as update:
        for at in range(0, len(photos), BATCH):
            images = [read_picture(photo.image).image for photo in photos[at : at + BATCH]]
            given = vlm.tower(vlm.tower.preprocess(images)).float()
            hidden, _, detail = vlm.mapper.parts(given)
            parts.append(tags.head.facts(tags.head(hidden, detail)))
            states.append(given)
            if words is not None and vocabulary:
                best = words.detector(hidden[:, 0]).topk(words.count).indices.tolist()
                named += [mentioned(", ".join(vocabulary[i] for i in row)) for row in best]
            update((at + len(images)) / len(photos))
    told = tuple(named) or (frozenset[str](),) * len(photos)
    return Encoded(torch.cat(states), ObjectFacts.joined(parts), told)


@torch.inference_mode()
def describe(  # noqa: PLR0917
    vlm: PrefixVLM,
    decoding: DecodingConfig,
    encoded: Encoded,
    facts: ObjectFacts | None,
    photos: Sequence[Photo],
    sets: Mapping[str, Sequence[Asked]],
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
    everything = {"captions": [Asked(photo.image, None, ()) for photo in photos], **sets}
    said: dict[str, list[str]] = {}
    total = sum(map(len, everything.values()))
    with step(f"Writing {total} texts") as update:
        for name, asked in everything.items():
            said[name] = []
            for at in range(0, len(asked), BATCH):
                part = asked[at : at + BATCH]
                found = _write(vlm, decoding, [of[one.image] for one in part], part)
                said[name] += found
                update(sum(map(len, said.values())) / total)
    return said


def _write(
    vlm: PrefixVLM, decoding: DecodingConfig, caches: Sequence[PrefixCache], asked: Sequence[Asked]
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
    sys.exit(plainly(main))
