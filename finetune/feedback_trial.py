"""Try the recipe `feedback`: what is learnt of corrections, and what is lost.

    python -m finetune.feedback_trial --data FOLDER --run FOLDER [--pictures 60]

People are played by the validation set: the pictures that some of its questions are about are
shared, with what the starter answers, and with people's answer where it is wrong. Questions about
other pictures, and captions, tell what was lost.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.config import load_recipe
from finetune.evaluation import metrics
from finetune.research.sanity import accuracy, plainly, say
from finetune.research.starter_figures import Asked, ask, flickr_captions, vqa_questions
from finetune.trainer import Trainer

START = "starter"


def main() -> int:
    """Run the trial that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--run", type=Path, required=True, help="where the run is written")
    parser.add_argument("--recipe", default="feedback")
    parser.add_argument("--pictures", type=int, default=60, help="that are shared")
    parser.add_argument("--captions", type=int, default=250, help="that are compared")
    options = parser.parse_args()
    asked = vqa_questions(options.data)
    chosen = sorted({a.image for a in asked})[::7][: options.pictures]
    shared = [a for a in asked if a.image in chosen]
    others = [a for a in asked if a.image not in chosen]
    told = [Asked(image, None, ()) for image in chosen]
    said = ask([*shared, *told], START).texts
    write_feedback(options.run / "data", [*shared, *told], said, options.data)
    recipe = load_recipe(options.recipe)
    trainer = Trainer(recipe, options.run / "data", options.run, report=say)
    trainer.train(resume=trainer.checkpoint.path.exists())
    after = str((options.run / "profile.toml").resolve())
    wrong = [
        a for a, text in zip(shared, said, strict=False) if not metrics.exact(text, a.golds[0])
    ]
    right = [a for a in shared if a not in wrong]
    captions = flickr_captions(options.data)[: options.captions]
    rows = [
        ("put right", len(wrong), 0.0, accuracy(wrong, after)),
        ("right before", len(right), 100.0, accuracy(right, after)),
        ("others", len(others), accuracy(others, START), accuracy(others, after)),
        ("CIDEr", len(captions), cider(captions, START), cider(captions, after)),
    ]
    for name, count, before, now in rows:
        print(f"{name:14} {count:5}   before {before:6.2f}   after {now:6.2f}")
    return 0


def write_feedback(folder: Path, asked: Sequence[Asked], said: Sequence[str], root: Path) -> None:
    """Write what `glimpse log export --for-training` would."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = folder / "pictures"
    if not pictures.exists():
        pictures.symlink_to((root / "coco/images").resolve())
    rows: list[dict[str, Any]] = []
    for each, text in zip(asked, said, strict=True):
        row: dict[str, Any] = {"image": each.image.name}
        if each.question is None:
            row |= {"captions": [text]}
        else:
            row |= {"question": each.question, "answers": [each.golds[0]]}
        rows.append(row)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "feedback.jsonl").write_text(lines, encoding="utf-8")


def cider(asked: Sequence[Asked], profile: str) -> float:
    """CIDEr-D of captions, 0..100."""
    return metrics.score_captions(ask(asked, profile).texts, [a.golds for a in asked]).cider


if __name__ == "__main__":
    sys.exit(plainly(main))
