"""Can a model learn by heart? Train on 64 real pictures, and ask the same questions again.

    python -m finetune.overfit --data FOLDER [--steps N] [--run FOLDER]

Half the pictures are from Flickr8k with questions derived from their captions, half from COCO with
questions that people asked. Exits with status 0 if more than 95 % of the answers are right.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from data.datasets.records import QuestionRecord
from finetune.config import Schedule, Source
from finetune.research.sanity import accuracy, learn, plainly, with_other_pictures
from finetune.research.starter_figures import Asked
from finetune.sampler import Learnable, read_source

WANTED = 95.0
PER_PICTURE = 2
TOLD = Source(
    "flickr8k", ("flickr8k/captions.jsonl",), "flickr8k/images", derived=PER_PICTURE,
    split_key="split", split="train",
)  # fmt: skip
ASKED = Source(
    "vqa", ("coco/vqa.jsonl",), "coco/images", questions=PER_PICTURE, prefix="COCO_train2014"
)


def main() -> int:
    """Train, ask, print; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--run", type=Path, help="keep everything in this folder")
    options = parser.parse_args()
    root = options.data.resolve()
    asked = choose(root, options.pictures)
    schedule = Schedule(
        options.steps, mapper_steps=10, warmup_steps=10, pictures=16, mapper_rate=2e-3,
        lora_rate=1e-3, checkpoint_steps=100,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="glimpse-") as temporary:
        run = options.run or Path(temporary) / "overfit"
        profile = learn(root, run, asked, schedule)
        right, shuffled = accuracy(asked, profile), accuracy(with_other_pictures(asked), profile)
    pictures = len({a.image for a in asked})
    print(f"{len(asked)} questions about {pictures} pictures, after {options.steps} steps:")
    print(f"{right:.1f} % right; with shuffled pictures {shuffled:.1f} %.")
    return 0 if right > WANTED else 1


def choose(root: Path, pictures: int) -> list[Asked]:
    """Two questions about each picture; of derived ones, one for yes or no and one other."""
    chosen: list[Asked] = []
    for source, count in ((TOLD, pictures // 2), (ASKED, pictures - pictures // 2)):
        items = [item for item in read_source(source, root) if len(_questions(item)) == PER_PICTURE]
        for item in items[:: max(1, len(items) // count)][:count]:
            chosen += [
                Asked(root / item.image, q.question, (q.answers[0][0],)) for q in _questions(item)
            ]
    return chosen


def _questions(item: Learnable) -> Sequence[QuestionRecord]:
    if item.questions:
        return item.questions[:PER_PICTURE]
    return [*item.polar[:1], *item.open[:1]]


if __name__ == "__main__":
    sys.exit(plainly(main))
