"""Held-out pictures that the model describes, and is asked about, while it learns."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from data.datasets.records import PictureRecord, read_pictures
from data.datasets.transforms import see
from finetune.config import Recipe, Samples
from finetune.image_features import Encoder
from finetune.lora import Learner
from finetune.progress import Said
from model.config import DecodingConfig
from model.generation import greedy
from model.prompts import prompt_for


@dataclass(frozen=True)
class _Asked:
    picture: int
    question: str | None
    wanted: str


class SamplePictures:
    """What to look at, read from the data folder and encoded once.

    Args:
        recipe: Names the held-out pictures.
        root: The data folder.
        encoder: The tower.

    Raises:
        DataError: A file or a picture is missing or unreadable.
    """

    def __init__(self, recipe: Recipe, root: Path, encoder: Encoder) -> None:
        self._asked: list[_Asked] = []
        states = []
        for samples in recipe.samples:
            for record in _choose(samples, root, recipe.seed):
                picture = see(record.image, record.image.name, view=0)
                states.append(torch.from_numpy(encoder([picture])).float())
                if record.captions:
                    self._asked.append(_Asked(len(states) - 1, None, record.captions[0]))
                if record.questions:
                    asked = record.questions[0]
                    answer = asked.answers[0][0]
                    self._asked.append(_Asked(len(states) - 1, asked.question, answer))
        self._states = encoder.tower.complete(torch.cat(states)) if states else torch.empty(0)

    def say(self, learner: Learner, decoding: DecodingConfig) -> tuple[Said, ...]:
        """What the model says now, without dropout, greedily and without guidance."""
        if not self._asked:
            return ()
        with learner.speaking():
            prefix: Tensor = learner.vlm.mapper(self._states.to(learner.device))
            caches = learner.prefill(prefix)
            decoded = greedy(
                learner.vlm,
                [caches[asked.picture] for asked in self._asked],
                [prompt_for(asked.question) for asked in self._asked],
                decoding.caption_tokens,
            )
        return tuple(
            Said(asked.question, found.text, asked.wanted)
            for asked, found in zip(self._asked, decoded, strict=True)
        )


def _choose(samples: Samples, root: Path, seed: int) -> list[PictureRecord]:
    where = {samples.split_key: samples.split} if samples.split_key else None
    files = [root / file for file in samples.files]
    records = read_pictures(files, root / samples.images, where, samples.prefix)
    return random.Random(seed).sample(records, min(samples.pictures, len(records)))
